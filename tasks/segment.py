"""分词 segment: DOCUMENT -> SEGMENTED. Words as jieba cuts them, as lengths in characters beside the untouched text.

Conservation: the lengths of every document add up to its characters; the stage fails otherwise. What counts as a unit
stands in tasks/transforms/words.py. A shard also holds `words.parquet`, how often each word occurs in it. Measures of a
shard: units, words (units that are neither space nor mark), word_chars; of the dataset: mean_word_chars, and
`vocabulary` as tasks/transforms/word_counts.py tells it. The counts are added up by jobs, each of which sees a part of
the words of all shards: about 100 bytes of memory for every row of PART_BYTES, of an eighth of the rows at most.

The words of a user dictionary are part of the key, its path is not.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
from pydantic import Field

from data_contracts.dataset import KEPT, File, Shard, digest_of
from data_contracts.errors import ConfigError, ConservationBroken
from data_contracts.model import Model
from data_contracts.schemas import SEGMENTED
from data_contracts.stages import SegmentConfig
from tasks import rows
from tasks.rows import Room
from tasks.stage import Body, Stage
from tasks.transforms.user_dictionary import Entry, knowing, parsed, usable
from tasks.transforms.word_counts import Tallied, counts, statistics, summed, tallied
from tasks.transforms.words import Words, words
from tasks.work import Inputs, Output, Work

WORDS, TALLIED = "words.parquet", "tallied.json"
PART_BYTES, MOST_PARTS = 1 << 23, 8  # of the counts of all shards: two million rows; every part reads all of them


class Cutting(Model):
    """SegmentConfig with its dictionaries read: what the words of a text depend on, and the path of nothing."""

    hmm: bool
    dictionary: str = ""  # hash of the entries, "" for none
    entries: tuple[Entry, ...] = Field((), exclude=True, repr=False)
    ignored: int = Field(0, exclude=True)  # words that no run of Han characters can hold


class Cutter(Stage):
    """A stage that reads user dictionaries before its key is made."""

    def look(self, values: list[Any]) -> tuple[list[Any], Any]:
        """Read the dictionaries; nothing else lies outside the store."""
        documents, cfg = values
        return [documents, read(cfg)], None


def read(cfg: SegmentConfig) -> Cutting:
    """The entries of all dictionaries, in order; ConfigError when a file is missing or a line is wrong."""
    found: list[Entry] = []
    for name in cfg.dictionaries:
        try:
            lines = Path(name).expanduser().read_text(encoding="utf-8-sig").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"segment.dictionaries: {name} 无法读取 cannot be read as UTF-8: {error}") from None
        found += parsed(lines, name)
    found += parsed(cfg.words, "segment.words")
    good = tuple(usable(found))
    return Cutting(
        hmm=cfg.hmm, dictionary=digest_of(good) if good else "", entries=good, ignored=len(found) - len(good)
    )


def segmenting(body: Body) -> Cutter:
    """Make the stage of a body that cuts words."""
    return Cutter(body, SEGMENTED, ("jieba", "numba", "numpy", "polars"), ())


@segmenting
def segment(documents: Inputs, cfg: SegmentConfig | Cutting, work: Work) -> Output:
    """分词 segment: DOCUMENT -> SEGMENTED. Word lengths as jieba cuts; their sum is the number of characters."""
    cutting = cfg if isinstance(cfg, Cutting) else read(cfg)
    jobs = [(s.content, (s.files[KEPT], cutting.hmm, cutting.entries)) for s in work.shards(documents) if s.rows_kept]
    shards = [made[0] for made in work.each(segment_shard, jobs)]
    count, chars = (sum(s.measures[name] for s in shards) for name in ("words", "word_chars"))
    return Output(
        shards,
        measures={
            "mean_word_chars": round(chars / count, 4) if count else 0.0,
            "dictionary_words": len(cutting.entries),
            "dictionary_ignored": cutting.ignored,
            "vocabulary": statistics(_tallied(work, [s.files[WORDS] for s in shards], cutting)),
        },
    )


def _tallied(work: Work, tables: list[File], cutting: Cutting) -> list[Tallied]:
    count = min(MOST_PARTS, 1 + sum(t.bytes for t in tables) // PART_BYTES)
    key = digest_of([t.sha256 for t in tables])
    jobs = [(f"{key}\0{part}\0{count}", (part, count, tables, cutting.entries)) for part in range(count)]
    made = [shard for made in work.each(tally_words, jobs) for shard in made]
    return [Tallied.model_validate_json(work.store.path(s.files[TALLIED]).read_bytes()) for s in made]


def tally_words(room: Room, part: int, of: int, tables: list[File], entries: tuple[Entry, ...]) -> list[Shard]:
    """Add up the counts of one part of the words of all shards."""
    counted = summed([pl.scan_parquet(room.store.path(t)) for t in tables], part, of)
    file = room.put(tallied(counted, knowing(entries).has).model_dump_json().encode())
    return [Shard(content=file.sha256, files={TALLIED: file})]


def segment_shard(room: Room, source: File, hmm: bool, entries: tuple[Entry, ...]) -> list[Shard]:
    """Cut one shard."""
    frame = pl.read_parquet(room.store.path(source))
    texts = frame["text"].to_list()
    cut = words(texts, hmm, knowing(entries))
    made = frame.with_columns(word_chars=word_lengths(cut), reason=pl.lit(None, pl.String()))
    if not (made["word_chars"].list.sum() == frame["text"].str.len_chars()).all():
        raise ConservationBroken("segment: words do not add up to the characters of their text; a fault of the cutter")
    measures = {
        "units": float(len(cut.chars)),
        "words": float(cut.is_word.sum()),
        "word_chars": float(cut.chars[cut.is_word].sum()),
    }
    size = int(frame["text"].str.len_bytes().sum())
    shard = rows.shard(room, made, SEGMENTED, text_bytes=size, measures=measures)
    return [shard.model_copy(update={"files": shard.files | {WORDS: room.put(counts(texts, cut))}})]


def word_lengths(cut: Words) -> pl.Series:
    """The lengths as one list per text."""
    # By its buffers: `pa.array` of a numpy array imports pandas, a second of every process.
    chars = pa.Array.from_buffers(pa.uint32(), len(cut.chars), [None, pa.py_buffer(cut.chars)])
    kind, offsets = pa.large_list(pa.uint32()), pa.py_buffer(cut.offsets)
    made = pl.from_arrow(pa.Array.from_buffers(kind, len(cut.offsets) - 1, [None, offsets], children=[chars]))
    assert isinstance(made, pl.Series)
    return made.alias("word_chars")
