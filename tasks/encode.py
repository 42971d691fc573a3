"""编码装箱 encode: SEGMENTED + tokenizer -> BLOCKS. Ids of texts, packed into one stream per shard and split.

Three steps. Encoding (per shard, cached): ids of every text, and which of them begin a word. Mixing (global, in this
process): which split a document is in (tasks/transforms/splits.py) and how many copies of it the training split holds
(tasks/transforms/mixture.py). Packing (per shard, cached by what concerns that shard). So another mixture or block
length encodes nothing again.

A shard holds the documents table (BLOCKS) and, for each split that has documents in it, two files as described in
tasks/transforms/packing.py: `<split>.bin`, a raw little-endian stream of ids, u16 for up to 65,536 tokens, else u32;
and `<split>.words`, one bit for each of these ids, set where a word begins. Training documents that the mixture leaves
out are quarantined as `left_out`; held-out documents are there once whatever the mixture.

Conservation: rows == kept + left out, and ids in a stream == tokens of texts + separators + padding; the stage fails
otherwise. Measures of a shard, for every split: `<split>_documents` (distinct), and counted as often as they stand in
the stream `_chars`, `_tokens` (of texts alone), `_separators`, `_padding`, `_blocks`.
"""

from __future__ import annotations

from functools import lru_cache
from hashlib import sha256
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from data_contracts.dataset import KEPT, Dataset, File, Shard, digest_of
from data_contracts.errors import ConservationBroken, SchemaMismatch
from data_contracts.mixture import MixtureConfig
from data_contracts.schemas import BLOCKS
from data_contracts.stages import EncodeConfig
from tasks import rows
from tasks.rows import Room
from tasks.stage import stage
from tasks.store import Store
from tasks.transforms import bpe
from tasks.transforms.flat_text import offsets_of
from tasks.transforms.foreign_tokenizer import Specials, specials
from tasks.transforms.mixture import Training, mixture
from tasks.transforms.packing import Copies, Documents, Stream, Tokens, pack, repeated, some, token_type
from tasks.transforms.splits import SPLITS, TRAIN, Cuts, cuts, places, split_of
from tasks.transforms.word_starts import begins_at, begins_word
from tasks.vocab import TOKENIZER, TOKENIZER_CONFIG
from tasks.work import Inputs, Output, Work

TABLE, IDS, BITS = "table.parquet", "ids.bin", "begins.bits"  # what encoding leaves for packing
_TABLE = {
    "doc_id": pl.String(),
    "source": pl.String(),
    "place": pl.Float64(),  # which decides its split
    "quality": pl.Float64(),
    "chars": pl.Int64(),
    "tokens": pl.Int64(),
}
COUNTS = ("documents", "tokens", "separators", "padding", "blocks", "chars")


@stage(schema=BLOCKS, libraries=("gigatoken", "numpy", "polars", "tokenizers"))
def encode(documents: Inputs, tokenizer: Dataset, cfg: EncodeConfig, mixed: MixtureConfig, work: Work) -> Output:
    """编码装箱 encode: SEGMENTED + tokenizer -> BLOCKS. Token ids, mixed and packed into blocks of equal length."""
    shards = [s for s in work.shards(documents) if s.rows_kept]
    trained = work.shards(tokenizer)[0]
    described = work.store.path(trained.files[TOKENIZER]).read_text(encoding="utf-8")
    size = bpe.vocabulary_size(described)
    special = specials(described, work.store.path(trained.files[TOKENIZER_CONFIG]).read_text(encoding="utf-8"))
    jobs = [(f"{s.content}\0{trained.content}", (s.files[KEPT], trained.files[TOKENIZER])) for s in shards]
    encoded = [result[0] for result in work.each(encode_shard, jobs, of_config=False)]
    where, copies, facts = plan(work.store, encoded, cfg, mixed)
    packing = [
        (
            digest_of([e.content, where, sha256(c.tobytes()).hexdigest(), cfg.block_tokens, size, special]),
            (e, where, c, cfg.block_tokens, size, special),
        )
        for e, c in zip(encoded, copies, strict=True)
    ]
    made = [result[0] for result in work.each(pack_shard, packing)]
    totals = {f"{s}_{n}": int(sum(m.measures[f"{s}_{n}"] for m in made)) for s in SPLITS for n in COUNTS}
    return Output(
        made,
        {
            "vocab_size": size,
            "separator_id": special.separator,
            "pad_id": special.pad,
            "mask_id": special.mask,
            "special_ids": list(special.every),
            "block_tokens": cfg.block_tokens,
            "encoder": bpe.encoder_name(described),
            "forced_splits": list(where.forced),
            "mixture": facts,
            **totals,
        },
    )


@lru_cache(maxsize=2)
def opened(tokenizer: Path) -> bpe.Vocabulary:
    """The tokenizer of a file of the store, which never changes: opened once a process."""
    return bpe.opened(tokenizer.read_text(encoding="utf-8"))


def encode_shard(room: Room, source: File, tokenizer: File) -> list[Shard]:
    """Ids of one shard's texts, and which of them begin a word. Independent of splits, mixture and block length."""
    frame = pl.read_parquet(room.store.path(source))
    if "word_chars" not in frame.columns:
        raise SchemaMismatch("encode: the documents have no word_chars; give it a dataset of the segment stage")
    vocabulary = opened(room.store.path(tokenizer))
    texts = frame["text"].to_list()
    encoded = vocabulary.encoder.encode(texts)
    words = offsets_of(frame["word_chars"].list.len().to_numpy().astype(np.int64))
    word_chars = frame["word_chars"].explode().drop_nulls().to_numpy()
    if encoded.starts is None:
        begins = begins_word(texts, word_chars, words, vocabulary.token_bytes[encoded.ids], encoded.offsets)
    else:
        begins = begins_at(texts, word_chars, words, encoded.starts, encoded.offsets)
    table = frame.select(
        "doc_id",
        "source",
        place=pl.Series(places(frame["doc_id"].to_list())),
        quality=pl.col("quality").cast(pl.Float64) if "quality" in frame.columns else pl.lit(None, pl.Float64),
        chars=pl.col("text").str.len_chars().cast(pl.Int64),
        tokens=pl.Series(np.diff(encoded.offsets)),
    )
    files = {
        TABLE: room.put(table),
        IDS: room.put(encoded.ids.astype(token_type(vocabulary.size)).tobytes()),
        BITS: room.put(np.packbits(begins, bitorder="little").tobytes()),
    }
    content = digest_of({name: file.sha256 for name, file in files.items()})
    size = int(frame["text"].str.len_bytes().sum())
    return [Shard(content=content, files=files, rows_in=frame.height, rows_kept=frame.height, text_bytes=size)]


def plan(
    store: Store, encoded: list[Shard], cfg: EncodeConfig, mixed: MixtureConfig
) -> tuple[Cuts, list[Copies], dict[str, object]]:
    """Where the splits are cut, and the copies of every document of every shard. Held-out documents have one."""
    tables = [pl.read_parquet(store.path(s.files[TABLE])) for s in encoded]
    whole = pl.concat(tables) if tables else pl.DataFrame(schema=_TABLE)
    place = whole["place"].to_numpy()
    where = cuts(place, cfg.validation_ratio, cfg.test_ratio)
    trains = split_of(place, where) == TRAIN
    training = whole.filter(pl.Series(trains, dtype=pl.Boolean))
    names = sorted(training["source"].unique())
    drawn = not mixed.is_neutral or training["quality"].count() > 0  # else no document's turn comes by a hash
    found = mixture(
        Training(
            sources=names,
            source=training["source"].replace_strict(names, range(len(names)), return_dtype=pl.Int64).to_numpy(),
            tokens=(training["tokens"] + 1).to_numpy(),
            quality=training["quality"].fill_null(float("nan")).to_numpy(),
            place=places(training["doc_id"].to_list(), "mixture") if drawn else np.zeros(training.height),
        ),
        mixed,
    )
    copies = np.ones(whole.height, dtype=np.int64)
    copies[trains] = found.copies
    ends = np.cumsum([t.height for t in tables])[:-1]
    return where, np.split(copies, ends) if tables else [], found.facts


def pack_shard(
    room: Room, encoded: Shard, where: Cuts, copies: Copies, block_tokens: int, vocabulary: int, special: Specials
) -> list[Shard]:
    """Pack one shard's texts, each as often as the mixture wants it."""
    kind = token_type(vocabulary)
    table = pl.read_parquet(room.store.path(encoded.files[TABLE])).with_columns(copies=copies)
    texts = _encoded(room.store, encoded, table, kind)
    split = split_of(table["place"].to_numpy(), where)
    files: dict[str, File] = {}
    measures: dict[str, float] = {}
    marked: list[pl.DataFrame] = []
    for name in SPLITS:
        mine = split == name
        own = table.filter(pl.Series(mine, dtype=pl.Boolean)).with_columns(split=pl.lit(name))
        count = own["copies"].to_numpy()
        stream = pack(repeated(some(texts, mine), count), special.separator, special.pad, block_tokens, kind)
        tokens, chars = (int((own[column] * own["copies"]).sum()) for column in ("tokens", "chars"))
        _account(stream, tokens, name)
        if stream.blocks:
            files[f"{name}.bin"] = room.put(stream.tokens.tobytes())
            files[f"{name}.words"] = room.put(stream.begins.tobytes())
        counts = (int((count > 0).sum()), tokens, stream.separators, stream.padding, stream.blocks, chars)
        measures |= {f"{name}_{what}": float(value) for what, value in zip(COUNTS, counts, strict=True)}
        marked.append(_placed(own, count, stream.starts))
    made = rows.shard(room, pl.concat(marked), BLOCKS, text_bytes=encoded.text_bytes, measures=measures)
    content = digest_of({name: file.sha256 for name, file in sorted((files | {KEPT: made.files[KEPT]}).items())})
    chars = int(table.filter(pl.col("copies") > 0)["chars"].sum())
    return [made.model_copy(update={"content": content, "files": files | made.files, "chars": chars})]


def _encoded(
    store: Store, encoded: Shard, table: pl.DataFrame, kind: np.dtype[np.uint16] | np.dtype[np.uint32]
) -> Documents:
    """What `encode_shard` left."""
    ids: Tokens = np.fromfile(store.path(encoded.files[IDS]), dtype=kind)
    bits = np.fromfile(store.path(encoded.files[BITS]), dtype=np.uint8)
    begins = np.unpackbits(bits, count=len(ids), bitorder="little").astype(bool)
    return Documents(ids, begins, offsets_of(table["tokens"].to_numpy()))


def _placed(own: pl.DataFrame, copies: Copies, starts: npt.NDArray[np.int64]) -> pl.DataFrame:
    """BLOCKS rows: where the first copy of each document begins, or why there is none."""
    there = copies > 0
    start = np.zeros(len(copies), dtype=np.int64)
    start[there] = starts[: int(there.sum())]
    return own.select(
        "doc_id",
        "source",
        "split",
        pl.Series("start", start),
        tokens=pl.col("tokens") + 1,
        chars=pl.col("chars"),
        copies=pl.col("copies"),
        reason=pl.when(pl.col("copies") == 0).then(pl.lit("left_out")),
    )


def _account(stream: Stream, text_tokens: int, split: str) -> None:
    """Every id of a stream is a text's, a separator, or padding."""
    if len(stream.tokens) != text_tokens + stream.separators + stream.padding:
        raise ConservationBroken(
            f"encode: the {split} stream has {len(stream.tokens)} ids for {text_tokens} of texts, "
            f"{stream.separators} separators and {stream.padding} of padding; a fault of the packer"
        )
