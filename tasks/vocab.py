"""词表 vocab: DOCUMENT -> tokenizer. Byte-level BPE, trained on a bounded sample of the training documents.

The sample is the same whatever the sharding: training documents in the order of a hash of their id, until
`sample_bytes` are full. Documents that measure the model (validation, test) are never in it. The dataset is one shard
with the files tokenizer.json and tokenizer_config.json, as `AutoTokenizer.from_pretrained` and gigatoken read them.

Measures: size (fewer than asked for where the text gives no more merges), asked, sample_documents, sample_bytes,
chars_per_token on the sample and by source.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl
from pydantic import Field
from tokenizers import Tokenizer

from data_contracts.dataset import KEPT, File, Shard, digest_of
from data_contracts.errors import ConfigError, NothingLeft
from data_contracts.model import Model
from data_contracts.stages import EncodeConfig, Splits, VocabConfig
from tasks.rows import Room
from tasks.stage import Body, Stage
from tasks.store import Store
from tasks.transforms import bpe
from tasks.transforms.foreign_tokenizer import adopted
from tasks.transforms.splits import TRAIN, cuts, places, split_of
from tasks.work import Inputs, Output, Work

COMPARED = 200  # texts
TOKENIZER, TOKENIZER_CONFIG, STUDY = "tokenizer.json", "tokenizer_config.json", "sample.parquet"


class Chosen(NamedTuple):
    """Documents of one shard that are in the sample: their rows, and their ranks in it."""

    source: File
    rows: list[int]
    ranks: list[int]


class Given(Model):
    """A tokenizer that is taken, not trained, and how much text to measure it on; its folder's path is in no key."""

    sample_bytes: int
    size: int
    digest: str
    tokenizer: str = Field(exclude=True, repr=False)  # the text of tokenizer.json
    config: str = Field(exclude=True, repr=False)  # and of tokenizer_config.json


class Learner(Stage):
    """A stage that reads the tokenizer of a folder, if one is named, before its key is made."""

    def look(self, values: list[Any]) -> tuple[list[Any], Any]:
        """Read the folder; nothing else lies outside the store."""
        documents, cfg, splits = values
        return [documents, given(cfg) if cfg.folder else cfg, splits], None


def given(cfg: VocabConfig) -> Given:
    """The tokenizer of `vocab.folder`, with `vocab.new_tokens`; ConfigError when it cannot be read."""
    texts = []
    for name in (TOKENIZER, TOKENIZER_CONFIG):
        path = Path(cfg.folder or "").expanduser() / name
        try:
            texts.append(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"vocab.folder: {path} 无法读取 cannot be read: {error}") from None
    try:
        described, config = adopted(texts[0], texts[1], cfg.new_tokens)
    except ConfigError:
        raise
    except Exception as error:  # what the library raises for a file that is none of its own has no class
        raise ConfigError(f"vocab.folder: {cfg.folder}: {TOKENIZER} is no tokenizer: {error}") from None
    size, digest = bpe.vocabulary_size(described), digest_of([described, config])
    return Given(sample_bytes=cfg.sample_bytes, size=size, digest=digest, tokenizer=described, config=config)


def learning(body: Body) -> Learner:
    """Make the stage of a body that makes or takes a tokenizer."""
    return Learner(body, "tokenizer", ("gigatoken", "numpy", "polars", "tokenizers"), ())


@learning
def vocab(documents: Inputs, cfg: VocabConfig | Given, splits: Splits | EncodeConfig, work: Work) -> Output:
    """词表 vocab: DOCUMENT -> tokenizer. Byte-level BPE from training documents only, or one taken from a folder."""
    shards = [s for s in work.shards(documents) if s.rows_kept]
    chosen = choose(work.store, [s.files[KEPT] for s in shards], cfg.sample_bytes, splits)
    key = digest_of([[c.source.sha256, c.rows, c.ranks] for c in chosen])
    trained = work.each(train_vocabulary, [(key, (chosen, cfg))])[0][0]
    study = pl.read_parquet(work.store.path(trained.files[STUDY]))
    files = {name: trained.files[name] for name in (TOKENIZER, TOKENIZER_CONFIG)}
    shard = trained.model_copy(update={"files": files})
    return Output([shard], {"asked": cfg.size, "size": int(trained.measures["size"]), **study_of(study)})


def choose(
    store: Store,
    sources: list[File],
    sample_bytes: int,
    splits: Splits | EncodeConfig,
    wanted: Callable[[npt.NDArray[np.str_]], npt.NDArray[np.bool_]] = lambda split: split == TRAIN,
    purpose: str = "vocab",
) -> list[Chosen]:
    """A sample of the wanted splits: at least one document if there is any, no more than `sample_bytes` after it.

    In the order of a hash of the ids that has to do with the purpose only. NothingLeft for an empty corpus.
    """
    sizes = [
        pl.scan_parquet(store.path(source)).select("doc_id", bytes=pl.col("text").str.len_bytes()).collect()
        for source in sources
    ]
    ids = [doc_id for frame in sizes for doc_id in frame["doc_id"]]
    if not ids:
        raise NothingLeft("vocab: there is no document to learn a vocabulary from; look at the corpus stages above")
    where = places(ids)
    cut = cuts(where, splits.validation_ratio, splits.test_ratio)
    mine = np.flatnonzero(wanted(split_of(where, cut)))
    order = places(ids, purpose)
    mine = mine[np.lexsort((np.array(ids)[mine], order[mine]))]
    size = np.concatenate([frame["bytes"].to_numpy() for frame in sizes]).astype(np.int64)
    sample = mine[: max(1, int(np.searchsorted(np.cumsum(size[mine]), sample_bytes, side="right")))]
    rank = np.full(len(ids), -1, dtype=np.int64)
    rank[sample] = np.arange(len(sample))
    starts = np.cumsum([0, *(frame.height for frame in sizes)])
    found = []
    for number, source in enumerate(sources):
        own = rank[starts[number] : starts[number + 1]]
        rows = np.flatnonzero(own >= 0)
        if len(rows):
            found.append(Chosen(source, rows.tolist(), own[rows].tolist()))
    return found


def sampled(store: Store, chosen: list[Chosen]) -> pl.DataFrame:
    """Source and text of a sample, in its order."""
    return pl.concat(
        pl.read_parquet(store.path(c.source), columns=["source", "text"])[c.rows].with_columns(rank=pl.Series(c.ranks))
        for c in chosen
    ).sort("rank")


def train_vocabulary(room: Room, chosen: list[Chosen], cfg: VocabConfig | Given) -> list[Shard]:
    """Train on the sample, and see how well it is compressed. A job of its own, for its memory's sake."""
    sample = sampled(room.store, chosen)
    texts = sample["text"].to_list()
    if isinstance(cfg, Given):
        described, config = cfg.tokenizer, cfg.config
        refuse_other_ids(described, texts)
    else:
        described, config = bpe.train(texts, cfg.size, cfg.min_frequency), bpe.tokenizer_config()
    encoded = bpe.opened(described).encoder.encode(texts)
    study = sample.select(
        "source",
        bytes=pl.col("text").str.len_bytes(),
        chars=pl.col("text").str.len_chars(),
        tokens=pl.Series(np.diff(encoded.offsets)),
    )
    files = {
        TOKENIZER: room.put(described.encode()),
        TOKENIZER_CONFIG: room.put(config.encode()),
        STUDY: room.put(study),
    }
    size = bpe.vocabulary_size(described)
    return [
        Shard(
            content=digest_of([files[TOKENIZER].sha256, files[TOKENIZER_CONFIG].sha256]),
            files=files,
            text_bytes=int(study["bytes"].sum()),
            measures={"size": float(size)},
        )
    ]


def refuse_other_ids(described: str, texts: list[str]) -> None:
    """ConfigError when what encodes the corpus does not give the ids of the library, on some of its texts."""
    some = texts[:COMPARED]
    fast, library = bpe.opened(described).encoder, Tokenizer.from_str(bpe.plain(described))
    expected = [i for found in library.encode_batch(some, add_special_tokens=False) for i in found.ids]
    if fast.encode(some).ids.tolist() != expected:
        raise ConfigError(f"vocab.folder: the encoder {fast.name} does not give the ids of this tokenizer; report it")


def study_of(sample: pl.DataFrame) -> dict[str, Any]:
    """Compression of the sample (source, bytes, chars, tokens), whole and by source, best first."""
    rate = (pl.col("chars").sum() / pl.max_horizontal(pl.col("tokens").sum(), 1)).round(4)
    by_source = sample.group_by("source").agg(rate=rate).sort("rate", "source", descending=[True, False])
    return {
        "sample_documents": sample.height,
        "sample_bytes": int(sample["bytes"].sum()),
        "sample_tokens": int(sample["tokens"].sum()),
        "chars_per_token": sample.select(rate)["chars"].item(),
        "chars_per_token_by_source": dict(by_source.rows()),
    }
