"""The stages from files to blocks as plain calls, without Prefect: what a tool or a notebook would do.

python plain_road.py FOLDER STORE [clean.min_chars]      prints {stage: [version, found]}
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from data_contracts.config import Place
from data_contracts.mixture import MixtureConfig
from data_contracts.sources import JsonLinesSource
from data_contracts.stages import (
    CleanConfig,
    DedupConfig,
    EncodeConfig,
    IngestConfig,
    RedactConfig,
    SegmentConfig,
    VocabConfig,
)
from tasks.clean import clean
from tasks.dedup import dedup
from tasks.encode import encode
from tasks.ingest import ingest_files
from tasks.redact import redact
from tasks.segment import segment
from tasks.vocab import vocab

ROW_WISE = ("ingest_files", "clean", "redact", "segment")
GLOBAL = ("dedup", "vocab", "encode")
SPLITS = EncodeConfig(block_tokens=64, validation_ratio=0.1, test_ratio=0.1)


def walk(folder: Path, store: Path, min_chars: int = 200) -> dict[str, tuple[str, bool]]:
    """Run every stage; its dataset's version, and whether it was found."""
    place = Place(store=str(store), workers=1)
    source = JsonLinesSource(name="files", licence="CC0-1.0", path=str(folder), id_field="id")
    told: dict[str, tuple[str, bool]] = {}

    def note(stage: str, made: tuple) -> object:
        told[stage] = (made[0].version, made[1])
        return made[0]

    documents = note("ingest_files", ingest_files.run(source, IngestConfig(), place))
    documents = note("clean", clean.run(documents, CleanConfig(min_chars=min_chars), place))
    documents = note("redact", redact.run(documents, RedactConfig(), place))
    documents = note("dedup", dedup.run(documents, DedupConfig(), place))
    documents = note("segment", segment.run(documents, SegmentConfig(), place))
    tokenizer = note("vocab", vocab.run(documents, VocabConfig(size=500), SPLITS.splits, place))
    note("encode", encode.run(documents, tokenizer, SPLITS, MixtureConfig(), place))
    return told


if __name__ == "__main__":
    print(json.dumps(walk(Path(sys.argv[1]), Path(sys.argv[2]), *map(int, sys.argv[3:]))))
