"""编码装箱 encode: SEGMENTED + tokenizer -> BLOCKS. Ids by gigatoken, packed into one stream per shard and split.

A shard holds the documents table (BLOCKS) and `<split>.bin` for each split that has documents in it: a raw
little-endian stream of ids as described in tasks/transforms/packing.py, u16 for up to 65,536 tokens, else u32. Which
split a document is in: tasks/transforms/splits.py.

Conservation: ids in a stream == tokens of texts + separators + padding; the stage fails otherwise. Measures of a shard,
for every split: `<split>_documents`, `_chars`, `_tokens` (of texts alone), `_separators`, `_padding`, `_blocks`.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from data_contracts.dataset import KEPT, Dataset, File, Shard, digest_of
from data_contracts.errors import ConservationBroken
from data_contracts.schemas import BLOCKS
from data_contracts.stages import EncodeConfig
from tasks.rows import Room
from tasks.stage import stage
from tasks.store import Store
from tasks.transforms import bpe
from tasks.transforms.packing import Stream, pack, token_type
from tasks.transforms.splits import SPLITS, Cuts, cuts, places, split_of
from tasks.vocab import TOKENIZER
from tasks.work import Inputs, Output, Work


@stage(schema=BLOCKS, libraries=("gigatoken", "numpy", "polars", "tokenizers"))
def encode(documents: Inputs, tokenizer: Dataset, cfg: EncodeConfig, work: Work) -> Output:
    """编码装箱 encode: SEGMENTED + tokenizer -> BLOCKS. Token ids, packed into blocks of equal length."""
    shards = [s for s in work.shards(documents) if s.rows_kept]
    trained = work.shards(tokenizer)[0]
    where = cuts(places(doc_ids(work.store, shards)), cfg.validation_ratio, cfg.test_ratio)
    jobs = [
        (f"{s.content}\0{trained.content}\0{where}", (s.files[KEPT], trained.files[TOKENIZER], where, cfg))
        for s in shards
    ]
    made = [result[0] for result in work.each(encode_shard, jobs)]
    described = work.store.path(trained.files[TOKENIZER]).read_text(encoding="utf-8")
    totals = {
        f"{split}_{name}": int(sum(s.measures[f"{split}_{name}"] for s in made))
        for split in SPLITS
        for name in ("documents", "tokens", "blocks", "chars")
    }
    return Output(
        made,
        {
            "vocab_size": bpe.vocabulary_size(described),
            "separator_id": bpe.SEPARATOR_ID,
            "pad_id": bpe.PAD_ID,
            "block_tokens": cfg.block_tokens,
            "encoder": bpe.encoder(described).name,
            "forced_splits": list(where.forced),
            **totals,
        },
    )


def doc_ids(store: Store, shards: list[Shard]) -> list[str]:
    """Ids of all documents of shards."""
    return [i for s in shards for i in pl.read_parquet(store.path(s.files[KEPT]), columns=["doc_id"])["doc_id"]]


def encode_shard(room: Room, source: File, tokenizer: File, where: Cuts, cfg: EncodeConfig) -> list[Shard]:
    """Encode and pack one shard."""
    frame = pl.read_parquet(room.store.path(source), columns=["doc_id", "source", "text"])
    described = room.store.path(tokenizer).read_text(encoding="utf-8")
    encoder, kind = bpe.encoder(described), token_type(bpe.vocabulary_size(described))
    split = pl.Series("split", split_of(places(frame["doc_id"].to_list()), where), dtype=pl.String)
    frame = frame.with_columns(split, chars=pl.col("text").str.len_chars().cast(pl.Int64))
    files: dict[str, File] = {}
    measures: dict[str, float] = {}
    tables: list[pl.DataFrame] = []
    for name in SPLITS:
        own = frame.filter(pl.col("split") == name)
        encoded = encoder.encode(own["text"].to_list())
        stream = pack(encoded.ids, encoded.offsets, bpe.SEPARATOR_ID, bpe.PAD_ID, cfg.block_tokens, kind)
        _account(stream, len(encoded.ids), name)
        if own.height:
            files[f"{name}.bin"] = room.put(stream.tokens.tobytes())
        counts = {"documents": own.height, "tokens": len(encoded.ids), "separators": stream.separators}
        counts |= {"padding": stream.padding, "blocks": stream.blocks, "chars": int(own["chars"].sum())}
        measures |= {f"{name}_{what}": float(count) for what, count in counts.items()}
        tables.append(own.with_columns(start=pl.Series(stream.starts), tokens=pl.Series(np.diff(encoded.offsets) + 1)))
    table = pl.concat(tables).select(*BLOCKS.columns).cast(dict(BLOCKS.columns))  # type: ignore[arg-type]
    files[KEPT] = room.put(table)
    return [
        Shard(
            content=digest_of({name: file.sha256 for name, file in files.items()}),
            files=files,
            rows_in=frame.height,
            rows_kept=table.height,
            chars=int(frame["chars"].sum()),
            text_bytes=int(frame["text"].str.len_bytes().sum()),
            measures=measures,
        )
    ]


def _account(stream: Stream, text_tokens: int, split: str) -> None:
    """Every id of a stream is a text's, a separator, or padding."""
    if len(stream.tokens) != text_tokens + stream.separators + stream.padding:
        raise ConservationBroken(
            f"encode: the {split} stream has {len(stream.tokens)} ids for {text_tokens} of texts, "
            f"{stream.separators} separators and {stream.padding} of padding; a fault of the packer"
        )
