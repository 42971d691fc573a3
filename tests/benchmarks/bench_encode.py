"""Vocabulary training and encoding: MB per CPU second, characters per token, the compiled encoder beside gigatoken and `tokenizers`."""

from __future__ import annotations

import pytest
from tokenizers import Tokenizer

from data_contracts.config import Place
from data_contracts.mixture import MixtureConfig
from data_contracts.stages import EncodeConfig, SegmentConfig, VocabConfig
from tasks.encode import encode
from tasks.segment import segment
from tasks.store import Store
from tasks.transforms import bpe
from tasks.vocab import TOKENIZER, vocab
from tests.benchmarks.measured import cpu_seconds, megabytes, real_documents, write
from tests.given_documents import deposit, split


@pytest.mark.bench
@pytest.mark.timeout(900)
def test_encode(shared_data, tmp_path):
    frame = real_documents(shared_data, 20)
    place = Place(store=str(tmp_path / "store"), workers=1)
    store = Store(place.store).open()
    given, _ = segment.run(deposit(store, split(frame, 2)), SegmentConfig(), place)
    cfg, spent = EncodeConfig(), dict[str, float]()
    with cpu_seconds(spent, "train"):
        trained, _ = vocab.run(given, VocabConfig(size=16_384, sample_bytes=6_000_000), cfg.splits, place)
    with cpu_seconds(spent, "stage"):
        blocks, _ = encode.run(given, trained, cfg, MixtureConfig(), place)
    described = store.path(store.manifest(trained).shards[0].files[TOKENIZER]).read_text(encoding="utf-8")
    texts, size = frame["text"].to_list(), megabytes(frame["text"])
    encoder = bpe.encoder(described)
    with cpu_seconds(spent, "encoder"):
        made = encoder.encode(texts)
    library = bpe._Gigatoken(bpe.plain(described))
    with cpu_seconds(spent, "gigatoken"):  # its first sight of the text, as an encoder of a corpus has it
        library.encode(texts)
    some = texts[::8]
    reference = Tokenizer.from_str(bpe.plain(described))
    with cpu_seconds(spent, "tokenizers"):
        expected = reference.encode_batch_fast(some)
    beside = sum(len(t.encode()) for t in some) / 1e6
    equal = all(
        made.ids[made.offsets[8 * i] : made.offsets[8 * i + 1]].tolist() == e.ids for i, e in enumerate(expected)
    )
    facts = store.manifest(trained).measures
    figures = {
        "megabytes": size,
        "mb_per_cpu_second": {
            "train": facts["sample_bytes"] / 1e6 / spent["train"],
            "stage": size / spent["stage"],
            "encoder": size / spent["encoder"],
            "gigatoken": size / spent["gigatoken"],
            "tokenizers": beside / spent["tokenizers"],
        },
        "chars_per_token": frame["text"].str.len_chars().sum() / len(made.ids),
        "chars_per_token_by_source": facts["chars_per_token_by_source"],
        "ids_equal_to_tokenizers": equal,
        "train_blocks": store.manifest(blocks).measures["train_blocks"],
    }
    print(write("encode", figures, tmp_path).read_text(encoding="utf-8"))
    assert equal
