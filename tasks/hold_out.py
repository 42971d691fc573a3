"""留题 hold_out: BLOCKS -> exam. Texts on which models of two corpora may be compared: neither was trained on them.

Both corpora hold documents out by the hash of their id. What one holds out may still stand in the other's training
split: under another id, in another version of its text, as the near copy that one corpus kept and the other dropped. So

    both     texts that both hold out, character by character the same: these decide
    a, b     texts that only one holds out, because the other refused, changed or never had them: told beside
    named    texts of a dataset that was named instead: then these decide

and from all of them go: documents whose id either corpus trains on, and texts of which one passage of a training
document of either repeats `max_overlap_ratio` (compared as decontaminate compares, tasks/transforms/contamination.py).
Of what is left each set keeps at most `max_chars`, chosen by the hash of the text.

The dataset is one table, exam.parquet: digest, doc_id, source, side, text. Measures: texts and characters of each set,
and how many went: `trained`, `copied`, `over`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl

from data_contracts.comparison import ExamConfig
from data_contracts.dataset import KEPT, Dataset, File, Shard, digest_of
from data_contracts.decontamination import DecontaminateConfig
from data_contracts.errors import ConfigError, NothingLeft
from tasks.assess import held_out_split
from tasks.index_files import ITEMS, build_index, open_index
from tasks.rows import Room
from tasks.stage import stage
from tasks.store import Store
from tasks.transforms.contamination import contaminated
from tasks.transforms.splits import places
from tasks.transforms.text_digests import digests
from tasks.work import Output, Work
from tasks.yardsticks import Corpus

EXAM = "exam.parquet"
BOTH, NAMED = "both", "named"
SIDES = ("a", "b")
COLUMNS = ("digest", "doc_id", "source", "side", "text")
_NEVER = 10**9  # characters: a stretch of any shorter length convicts by its share of the text alone


@stage(schema="exam", libraries=("numpy", "opencc", "polars"))
def hold_out(first: Dataset, second: Dataset, named: Sequence[Dataset], cfg: ExamConfig, work: Work) -> Output:
    """留题 hold_out: BLOCKS -> exam. Held-out texts that neither of two corpora trains on, the same for both."""
    blocks = [work.store.checked(d) for d in (first, second)]
    if [s.content for s in blocks[0].shards] == [s.content for s in blocks[1].shards]:
        raise ConfigError(
            "both configs made the same blocks: their corpora do not differ, and there is nothing to compare"
        )
    corpora = [Corpus(work.store, one) for one in blocks]
    held = [_held(corpus, work.store, made.handle) for corpus, made in zip(corpora, blocks, strict=True)]
    texts = sided(*held)
    for dataset in named:
        texts = pl.concat([_named(work.store, dataset), texts]).unique("digest", keep="first", maintain_order=True)
    trained = pl.concat([corpus.train for corpus in corpora]).unique()
    fresh = texts.filter(~pl.col("doc_id").is_in(trained.implode()))
    copied = _copied(fresh, corpora, trained, cfg, work)
    clean = fresh.filter(~pl.col("digest").is_in(copied.implode()))
    kept = drawn(clean, cfg.max_chars)
    told = {side: kept.filter(pl.col("side") == side) for side in (NAMED, BOTH, *SIDES)}
    gone: dict[str, Any] = {"trained": texts.height - fresh.height, "copied": fresh.height - clean.height}
    decides = NAMED if named else BOTH
    if told[decides].is_empty():
        raise NothingLeft(
            f"no text to compare on: {texts.height} held-out texts, of which {gone['trained']} are trained on by a "
            f"corpus, {gone['copied']} have a near copy in one, and of the rest none is the same in both. Raise "
            "encode.test_ratio, or name texts of the store by --held-out"
        )
    counts = {f"{side}_texts": frame.height for side, frame in told.items()}
    counts |= {f"{side}_chars": int(frame["text"].str.len_chars().sum()) for side, frame in told.items()}
    file = Room(work.store, work.scratch).put(kept.select(COLUMNS))
    measures = {"decides": decides, **counts, **gone, "over": clean.height - kept.height}
    return Output([Shard(content=file.sha256, files={EXAM: file})], measures)


def _held(corpus: Corpus, store: Store, blocks: Dataset) -> pl.DataFrame:
    """doc_id, source, text, digest of what a corpus holds out: its test split, or validation where it has none."""
    split = held_out_split(store.manifest(blocks))
    ids = store.scan(blocks).filter(pl.col("split") == split).select("doc_id").collect()["doc_id"]
    return _digested(pl.concat(corpus.documents(ids)))


def _named(store: Store, dataset: Dataset) -> pl.DataFrame:
    frame = store.scan(dataset)
    have = frame.collect_schema().names()
    if not {"doc_id", "source", "text"} <= set(have):
        raise ConfigError(f"--held-out: {dataset.name} holds no texts; name a corpus, or a dataset of documents")
    found = _digested(frame.select("doc_id", "source", "text").collect())
    return found.with_columns(side=pl.lit(NAMED)).select(COLUMNS)


def _digested(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.with_columns(digests(frame.select("text").iter_rows())).unique(
        "digest", keep="first", maintain_order=True
    )


def sided(first: pl.DataFrame, second: pl.DataFrame) -> pl.DataFrame:
    """COLUMNS of all texts of two frames (doc_id, source, text, digest), each once: `both` where both have it."""
    shared = first["digest"].is_in(second["digest"].implode())
    own = first.with_columns(side=pl.when(shared).then(pl.lit(BOTH)).otherwise(pl.lit(SIDES[0])))
    other = second.filter(~pl.col("digest").is_in(first["digest"].implode())).with_columns(side=pl.lit(SIDES[1]))
    return pl.concat([own.select(COLUMNS), other.select(COLUMNS)])


def drawn(texts: pl.DataFrame, max_chars: int) -> pl.DataFrame:
    """Of every side as many texts as `max_chars` hold, at least one, in an order that has nothing to do with them."""
    place = places(texts["digest"].to_list(), "exam")
    order = texts[np.lexsort((texts["digest"].to_numpy(), place))] if texts.height else texts
    before = pl.col("text").str.len_chars().cum_sum().over("side") - pl.col("text").str.len_chars()
    return order.filter((before + pl.col("text").str.len_chars() <= max_chars) | (before == 0))


def _copied(texts: pl.DataFrame, corpora: list[Corpus], trained: pl.Series, cfg: ExamConfig, work: Work) -> pl.Series:
    """Digests of texts of which a training document of either corpus repeats too much."""
    room = Room(work.store, work.scratch)
    units = room.put(texts.select(benchmark=pl.lit("exam"), item="digest", field=pl.lit("text"), text="text"))
    ids = room.put(trained.to_frame())
    limits = DecontaminateConfig(min_item_ratio=cfg.max_overlap_ratio, min_part_chars=_NEVER, min_long_chars=_NEVER)
    if texts.is_empty():
        return texts["digest"]
    [[index]] = work.each(build_index, [(units.sha256, ([units], limits))])
    jobs = [
        (f"{s.content}\0{index.content}\0{ids.sha256}", (s.files[KEPT], ids, index, limits))
        for corpus in corpora
        for s in corpus.manifest.shards
        if KEPT in s.files
    ]
    found = [pl.read_parquet(work.store.path(s.files[EXAM])) for made in work.each(find_copies, jobs) for s in made]
    return pl.concat([pl.DataFrame(schema={"item": pl.String()}), *found])["item"].unique()


def find_copies(room: Room, source: File, trained: File, index: Shard, limits: DecontaminateConfig) -> list[Shard]:
    """Which texts of the index the training documents of one shard repeat."""
    ids = pl.read_parquet(room.store.path(trained))["doc_id"]
    documents = pl.read_parquet(room.store.path(source), columns=["doc_id", "text"])
    texts = documents.filter(pl.col("doc_id").is_in(ids.implode()))["text"].to_list()
    units = contaminated(texts, open_index(room.store, index), limits)["unit"].unique()
    items = pl.read_parquet(room.store.path(index.files[ITEMS]))
    file = room.put(items.filter(pl.col("unit").is_in(units.implode())).select("item").unique(maintain_order=True))
    return [Shard(content=digest_of([file.sha256]), files={EXAM: file}, text_bytes=sum(map(len, texts)))]
