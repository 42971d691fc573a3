"""Vocabulary and blocks as stages: nothing lost uncounted, nothing learnt from what measures, the same for any sharding."""

from __future__ import annotations

import random
import subprocess
import sys
from hashlib import sha256

import numpy as np
import polars as pl
import pytest
from tokenizers import Tokenizer

from data_contracts.config import Place
from data_contracts.dataset import KEPT, QUARANTINED
from data_contracts.errors import ConservationBroken, NothingLeft, SchemaMismatch
from data_contracts.mixture import MixtureConfig
from data_contracts.schemas import BLOCKS
from data_contracts.stages import EncodeConfig, SegmentConfig, Splits, VocabConfig
from tasks import encode as encode_module
from tasks.encode import encode
from tasks.segment import segment
from tasks.store import Store
from tasks.transforms.splits import SPLITS, cuts, places, split_of
from tasks.transforms.words import words
from tasks.vocab import choose, vocab
from tests.given_documents import deposit, documents, split
from tests.transforms.test_foreign_tokenizer import BERT, KINDS

VOCAB, ENCODE = VocabConfig(size=400), EncodeConfig(block_tokens=16, validation_ratio=0.1, test_ratio=0.1)
ONCE = MixtureConfig()
PHRASES = ("永和九年", "岁在癸丑", "暮春之初", "天朗气清", "惠风和畅", "崇山峻岭", "茂林修竹", "hello world", "2024年")


def texts(count: int, seed: int = 1) -> list[str]:
    rng = random.Random(seed)
    return ["，".join(rng.choices(PHRASES, k=rng.randrange(1, 20))) + "。" for _ in range(count)]


@pytest.fixture
def place(tmp_path) -> Place:
    return Place(store=str(tmp_path / "store"), workers=1)


def run(place, shards, vocab_cfg=VOCAB, encode_cfg=ENCODE, mixed=ONCE):
    store, given = corpus(place, shards)
    tokenizer, _ = vocab.run(given, vocab_cfg, encode_cfg.splits, place)
    blocks, _ = encode.run(given, tokenizer, encode_cfg, mixed, place)
    return store, store.manifest(tokenizer), store.manifest(blocks)


def corpus(place, shards):
    store = Store(place.store).open()
    return store, segment.run(deposit(store, shards), SegmentConfig(), place)[0]


def streams(store, manifest, split_name):
    return [
        np.frombuffer(store.path(s.files[f"{split_name}.bin"]).read_bytes(), dtype="<u2")
        for s in manifest.shards
        if f"{split_name}.bin" in s.files
    ]


def test_every_document_is_found_in_its_stream(place):
    frame = documents([*texts(60), "他说<|endoftext|>和<|pad|>", "尾\x00🏳️‍🌈"])
    store, trained, made = run(place, split(frame, 3))
    tokenizer = Tokenizer.from_file(str(store.path(trained.shards[0].files["tokenizer.json"])))
    text_of = dict(zip(frame["doc_id"], frame["text"], strict=True))
    seen = []
    for shard in made.shards:
        table = pl.read_parquet(store.path(shard.files[KEPT]))
        assert dict(table.schema) == BLOCKS.columns
        for row in table.iter_rows(named=True):
            stream = np.frombuffer(store.path(shard.files[f"{row['split']}.bin"]).read_bytes(), dtype="<u2")
            own = stream[row["start"] : row["start"] + row["tokens"]].tolist()
            assert own[0] == stream[row["start"] + row["tokens"]] == 0
            assert tokenizer.decode(own[1:], skip_special_tokens=False) == text_of[row["doc_id"]]
            assert not {0, 1} & set(own[1:])
            assert row["chars"] == len(text_of[row["doc_id"]])
            seen.append(row["doc_id"])
    assert sorted(seen) == sorted(text_of)


def test_every_token_has_the_bit_of_its_word(place):
    frame = documents([*texts(40), "他说<|endoftext|>", "𠮷野家🏳️‍🌈龘靐"])
    store, trained, made = run(place, split(frame, 2))
    tokenizer = Tokenizer.from_file(str(store.path(trained.shards[0].files["tokenizer.json"])))
    tokenizer.encode_special_tokens = True  # as `encode` does: a text never becomes a special token
    text_of, seen = dict(zip(frame["doc_id"], frame["text"], strict=True)), 0
    for shard in made.shards:
        for row in pl.read_parquet(store.path(shard.files[KEPT])).iter_rows(named=True):
            ids = store.path(shard.files[f"{row['split']}.bin"]).stat().st_size // 2
            packed = np.frombuffer(store.path(shard.files[f"{row['split']}.words"]).read_bytes(), dtype=np.uint8)
            bits = np.unpackbits(packed, count=ids, bitorder="little")[row["start"] :][: row["tokens"] + 1].tolist()
            text = text_of[row["doc_id"]]
            ends = np.cumsum(words([text]).chars).tolist()
            starts = {len(text[:at].encode()) for at in [0, *ends[:-1]]}
            at, expected = 0, []
            for token in tokenizer.encode(text).tokens:
                expected.append(int(at in starts))
                at += len(token)  # byte-level: a character of a token is a byte
            assert bits == [1, *expected, 1]
            seen += sum(expected)
    assert seen > 500


def test_measures_account_for_every_token(place):
    frame = documents(texts(80))
    store, _, made = run(place, split(frame, 3))
    for name in SPLITS:
        ids = sum(len(s) for s in streams(store, made, name))
        total = {w: sum(s.measures[f"{name}_{w}"] for s in made.shards) for w in ("tokens", "separators", "padding")}
        assert ids == sum(total.values()) > 0
        blocks = sum(s.measures[f"{name}_blocks"] for s in made.shards)
        assert ids == blocks * 16 + len(streams(store, made, name))
    assert sum(made.measures[f"{n}_documents"] for n in SPLITS) == 80
    assert sum(made.measures[f"{n}_chars"] for n in SPLITS) == frame["text"].str.len_chars().sum()
    assert made.measures["encoder"] == "compiled"
    assert {n: made.measures[n] for n in ("separator_id", "pad_id", "block_tokens")} == {
        "separator_id": 0,
        "pad_id": 1,
        "block_tokens": 16,
    }


def test_sharding_changes_neither_vocabulary_nor_splits(place):
    frame = documents(texts(60))
    _, one, whole = run(place, [frame.sort("doc_id")])
    store, three, parts = run(place, list(reversed(split(frame, 3))))
    assert one.shards[0].content == three.shards[0].content

    def table(manifest):
        frames = [pl.read_parquet(store.path(s.files[KEPT])) for s in manifest.shards]
        return pl.concat(frames).select("doc_id", "split", "tokens", "chars").sort("doc_id")

    assert table(whole).equals(table(parts))


def test_the_vocabulary_never_sees_what_measures_the_model(place):
    frame = documents(texts(200))
    where = places(frame["doc_id"].to_list())
    held_out = split_of(where, cuts(where, 0.1, 0.1)) != "train"
    marked = frame.with_columns(
        text=pl.when(pl.Series(held_out)).then(pl.lit("秘秘密密秘秘密密")).otherwise(pl.col("text"))
    )
    store, trained, _ = run(place, split(marked, 2), VocabConfig(size=2000, min_frequency=1))
    tokenizer = Tokenizer.from_file(str(store.path(trained.shards[0].files["tokenizer.json"])))
    assert len(tokenizer.encode("秘密").ids) == 6, "three bytes each: no merge was learnt from them"
    assert trained.measures["sample_documents"] == (~held_out).sum()


def test_the_sample_is_bounded_and_chosen_by_id(place):
    frame = documents(texts(200))
    store = Store(place.store).open()
    shards = store.manifest(deposit(store, split(frame, 4))).shards
    chosen = choose(store, [s.files[KEPT] for s in shards], 3000, Splits())
    rows = pl.concat(
        pl.read_parquet(store.path(c.source))[c.rows].with_columns(rank=pl.Series(c.ranks)) for c in chosen
    )
    size = int(rows["text"].str.len_bytes().sum())
    assert 2000 < size <= 3000
    assert rows["rank"].sort().to_list() == list(range(rows.height))
    order = dict(zip(frame["doc_id"], places(frame["doc_id"].to_list(), "vocab"), strict=True))
    assert [order[i] for i in rows.sort("rank")["doc_id"]] == sorted(order[i] for i in rows["doc_id"])
    assert len(choose(store, [s.files[KEPT] for s in shards], 1, Splits())[0].rows) == 1


def test_a_tiny_corpus_still_has_every_split_and_says_so(place):
    _, trained, made = run(place, [documents(texts(4)).sort("doc_id")], encode_cfg=EncodeConfig(block_tokens=8))
    assert [made.measures[f"{n}_documents"] for n in SPLITS] == [2, 1, 1]
    assert made.measures["forced_splits"] == ["validation", "test"]
    assert trained.measures["size"] < trained.measures["asked"] == 400


def test_one_document_is_for_training(place):
    store, _, made = run(place, [documents(["孤独的文档"])])
    assert [made.measures[f"{n}_documents"] for n in SPLITS] == [1, 0, 0]
    assert list(made.shards[0].files) == ["train.bin", "train.words", KEPT]
    assert streams(store, made, "validation") == []


def test_an_empty_corpus_is_an_error(place):
    store = Store(place.store).open()
    with pytest.raises(NothingLeft, match="no document to learn"):
        vocab.run(deposit(store, []), VOCAB, Splits(), place)


def test_another_block_length_keeps_the_vocabulary_and_large_vocabularies_take_four_bytes(place, monkeypatch):
    frame = documents(texts(20))
    store, given = corpus(place, split(frame, 2))
    first, _ = vocab.run(given, VOCAB, EncodeConfig(block_tokens=8).splits, place)
    assert vocab.run(given, VOCAB, EncodeConfig(block_tokens=32).splits, place) == (first, True)
    monkeypatch.setattr(encode_module.bpe, "vocabulary_size", lambda described: 70_000)
    made = store.manifest(encode.run(given, first, ENCODE, ONCE, place)[0])
    shard = made.shards[0]
    assert shard.files["train.bin"].bytes == 4 * (shard.measures["train_blocks"] * 16 + 1)


def test_a_packer_that_loses_a_token_stops_the_stage(place, monkeypatch):
    real = encode_module.pack
    monkeypatch.setattr(encode_module, "pack", lambda *a: real(*a)._replace(padding=real(*a).padding + 1))
    with pytest.raises(ConservationBroken, match="fault of the packer"):
        run(place, [documents(texts(5)).sort("doc_id")])


def mixed_frame() -> pl.DataFrame:
    return pl.concat([documents(texts(60), source="poems"), documents(texts(20, seed=2), source="news")])


def test_a_mixture_repeats_and_leaves_out_and_says_so(place):
    mixed = MixtureConfig(weights={"poems": 1, "news": 1})
    store, _, made = run(place, split(mixed_frame(), 3), mixed=mixed)
    tables = [pl.read_parquet(store.path(s.files[KEPT])) for s in made.shards]
    gone = pl.concat([pl.read_parquet(store.path(s.files[QUARANTINED])) for s in made.shards if QUARANTINED in s.files])
    kept = pl.concat(tables)
    assert kept.height + gone.height == 80
    assert set(gone["reason"]) == {"left_out"}
    assert set(gone["source"]) == {"poems"}
    assert made.reasons == {"left_out": gone.height}
    assert (
        kept.filter(pl.col("split") != "train")["copies"].to_list()
        == [1] * kept.filter(pl.col("split") != "train").height
    )
    train = kept.filter(pl.col("split") == "train")
    seen = {
        source: (own["copies"] * own["tokens"]).sum()
        for (source,), own in train.partition_by("source", as_dict=True).items()
    }
    assert seen == {name: s["tokens"] for name, s in made.measures["mixture"]["by_source"].items()}
    assert abs(seen["poems"] - seen["news"]) < 80, "a document or two"
    total = {
        n: sum(s.measures[f"train_{n}"] for s in made.shards) for n in ("tokens", "separators", "padding", "chars")
    }
    assert (
        sum(len(s) for s in streams(store, made, "train")) == total["tokens"] + total["separators"] + total["padding"]
    )
    assert total["chars"] == (train["copies"] * train["chars"]).sum()


def test_every_copy_is_found_where_the_rounds_put_it(place):
    store, _, made = run(place, split(mixed_frame(), 2), mixed=MixtureConfig(tokens=6000, max_epochs=3))
    for shard in made.shards:
        own = pl.read_parquet(store.path(shard.files[KEPT])).filter(pl.col("split") == "train").sort("start")
        stream, at = np.frombuffer(store.path(shard.files["train.bin"]).read_bytes(), dtype="<u2"), 0
        assert own["copies"].max() > 1
        for done in range(own["copies"].max()):
            for row in own.filter(pl.col("copies") > done).iter_rows(named=True):
                first = stream[row["start"] : row["start"] + row["tokens"]]
                assert stream[at : at + row["tokens"]].tolist() == first.tolist()
                at += row["tokens"]


def test_another_mixture_or_block_length_encodes_nothing_again(place):
    store, given = corpus(place, split(mixed_frame(), 2))
    trained, _ = vocab.run(given, VOCAB, ENCODE.splits, place)
    first, _ = encode.run(given, trained, ENCODE, ONCE, place)
    jobs = set(store.folder.names("shards/encode"))
    longer = ENCODE.model_copy(update={"block_tokens": 32})
    encode.run(given, trained, longer, ONCE, place)
    encode.run(given, trained, ENCODE, MixtureConfig(tokens=500), place)
    made = sorted(set(store.folder.names("shards/encode")) - jobs)
    files = [set(s.files) for name in made for s in store.job("encode", name.split("/")[-1].removesuffix(".json"))]
    assert len(files) == 4
    assert not any("ids.bin" in names for names in files), "only packing ran"
    assert encode.run(given, trained, ENCODE, ONCE, place) == (first, True)


def test_quality_deciles_come_from_the_documents(place):
    frame = documents(texts(50))
    store, given = corpus(place, [frame.sort("doc_id")])
    [shard] = store.manifest(given).shards
    graded = pl.read_parquet(store.path(shard.files[KEPT])).with_columns(quality=pl.int_range(50) / 50)
    with store.folder.scratch() as folder:
        graded.write_parquet(folder / "graded.parquet")
        file = store.put_file(folder / "graded.parquet")
    better = shard.model_copy(update={"content": "graded", "files": {**shard.files, KEPT: file}})
    manifest = store.manifest(given).model_copy(update={"version": "0" * 16, "shards": [better]})
    trained, _ = vocab.run(given, VOCAB, ENCODE.splits, place)
    mixed = MixtureConfig(decile_weights=(0, 0, 0, 0, 0, 1, 1, 1, 1, 1))
    made = store.manifest(encode.run(store.commit(manifest), trained, ENCODE, mixed, place)[0])
    found = made.measures["mixture"]["by_decile"]
    assert [found[str(d)]["documents"] for d in range(1, 6)] == [0] * 5
    assert sum(found[str(d)]["documents"] for d in range(6, 11)) == made.measures["train_documents"] > 15


def test_documents_that_were_not_segmented_are_refused(place):
    store = Store(place.store).open()
    given = deposit(store, [documents(texts(5))])
    trained, _ = vocab.run(given, VOCAB, Splits(), place)
    with pytest.raises(SchemaMismatch, match="no word_chars"):
        encode.run(given, trained, ENCODE, ONCE, place)


def test_a_tokenizer_is_taken_from_a_folder_wherever_it_lies(place, tmp_path):
    """Its own special ids, its own encoder; the path is in no key, what is in the folder is."""
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "tokenizer.json").write_text(KINDS["bert"], "utf-8")
        (tmp_path / name / "tokenizer_config.json").write_text(BERT, "utf-8")
    shards = split(documents(texts(60)), 2)
    store, taken, made = run(place, shards, VocabConfig(folder=str(tmp_path / "one")))
    assert taken.shards[0].files["tokenizer.json"].sha256 == sha256(KINDS["bert"].encode()).hexdigest()
    facts = {name: made.measures[name] for name in ("separator_id", "pad_id", "mask_id", "special_ids", "encoder")}
    assert facts == {
        "separator_id": 2,
        "pad_id": 0,
        "mask_id": 4,
        "special_ids": [0, 1, 2, 3, 4],
        "encoder": "tokenizers",
    }
    stream = streams(store, made, "train")[0]
    assert stream[0] == 2
    given = corpus(place, shards)[1]
    again, found = vocab.run(given, VocabConfig(folder=str(tmp_path / "two")), ENCODE.splits, place)
    assert (again.version, found) == (taken.version, True)
    more, found = vocab.run(
        given, VocabConfig(folder=str(tmp_path / "two"), new_tokens=("兰亭",)), ENCODE.splits, place
    )
    assert not found
    assert store.manifest(more).measures["size"] == taken.measures["size"] + 1


@pytest.mark.slow
def test_transformers_loads_the_folder(place, tmp_path):
    store, trained, _ = run(place, [documents(texts(50)).sort("doc_id")])
    for name, file in trained.shards[0].files.items():
        (tmp_path / name).write_bytes(store.path(file).read_bytes())
    code = (
        "import sys; from transformers import AutoTokenizer; t = AutoTokenizer.from_pretrained(sys.argv[1])\n"
        "x = '天朗气清，hello 🏳️‍🌈\\n\\x00 ' \n"
        "ids = t(x).input_ids\n"
        "assert t.decode(ids) == x, t.decode(ids)\n"
        "assert (t.eos_token_id, t.bos_token_id, t.pad_token_id) == (0, 0, 1)\n"
        "assert t.pad_token == '<|pad|>' and t('a<|endoftext|>').input_ids[-1] == 0\n"
        "print(ids)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    tokenizer = Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    assert done.stdout.split("\n")[-2] == str(tokenizer.encode("天朗气清，hello 🏳️‍🌈\n\x00 ").ids)
