"""题目文件 question files: what an assessment asks that lies outside the store, found, hashed, laid out in one form.

An edited file, like an edited config, makes other scores; where it lies on a machine does not.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import polars as pl
from pydantic import Field

from data_contracts.assessment import EMBEDDED, AssessConfig, PairSet, QuestionSet
from data_contracts.decontamination import ItemFiles
from data_contracts.model import Model
from data_contracts.score_file import NamedTable
from tasks import harness
from tasks.readers.found import FoundSet, located, missing
from tasks.readers.questions import Read, read_pairs, read_questions

SetT = TypeVar("SetT", PairSet, QuestionSet)
EMBEDDED_PAIRS = Path(__file__).parent.parent / "deployments" / "demo" / "minimal_pairs.jsonl"


class FoundAssessment(Model):
    """An assessment and the files that it asks from. Only its settings, without their paths, are part of the key."""

    assess: AssessConfig
    pairs: tuple[FoundSet, ...] = Field((), exclude=True, repr=False)
    questions: tuple[FoundSet, ...] = Field((), exclude=True, repr=False)
    harness: FoundSet | None = Field(None, exclude=True, repr=False)

    @property
    def listing(self) -> list[Any]:
        """Names and hashes of all files: what the scores depend on beside the model and the settings."""
        sets = [one for one in (*self.pairs, *self.questions, self.harness) if one]
        return [[one.name, [[f.name, f.sha256] for f in one.files]] for one in sets]


class Asked(NamedTuple):
    """The tables for the scoring program, and for each set how many items it has and why some are not asked."""

    pairs: tuple[NamedTable, ...]
    questions: tuple[NamedTable, ...]
    items: dict[str, dict[str, Any]]


def find(cfg: AssessConfig) -> FoundAssessment:
    """Locate and hash the files. ConfigError when a path is missing or nothing matches."""
    pairs, questions = [_found(one) for one in cfg.pair_sets], [_found(one) for one in cfg.questions]
    task_files = harness.find(cfg.lm_eval) if cfg.lm_eval else None
    bare = cfg.model_copy(
        update={
            "minimal_pairs": tuple(one for one, _ in pairs),
            "questions": tuple(one for one, _ in questions),
            "lm_eval": cfg.lm_eval.model_copy(update={"path": "."}) if cfg.lm_eval else None,
        }
    )
    return FoundAssessment(
        assess=bare, pairs=tuple(f for _, f in pairs), questions=tuple(f for _, f in questions), harness=task_files
    )


def faults(cfg: AssessConfig) -> list[str]:
    """What is wrong with the paths of an assessment; reads no file."""
    sets: list[tuple[str, ItemFiles]] = [("minimal_pairs", one) for one in cfg.pair_sets if one.path != EMBEDDED]
    sets += [("questions", one) for one in cfg.questions]
    found = [f"assess.{kind}: {fault}" for kind, one in sets if (fault := missing(one))]
    return found + (harness.faults(cfg.lm_eval) if cfg.lm_eval else [])


def _found(one: SetT) -> tuple[SetT, FoundSet]:
    real = one.model_copy(update={"path": str(EMBEDDED_PAIRS)}) if one.path == EMBEDDED else one
    folder, pattern, files = located(real)
    found = FoundSet(name=one.name, folder=str(folder.absolute()), files=files)
    return one.model_copy(update={"path": pattern}), found


def lay_out(found: FoundAssessment, folder: Path) -> Asked:
    """Read every set and write it as a table for the scoring program."""
    cfg = found.assess
    pairs = [
        (one, read_pairs(files.paths, one, cfg.max_pairs, cfg.seed))
        for one, files in zip(cfg.pair_sets, found.pairs, strict=True)
    ]
    questions = [
        (one, read_questions(files.paths, one, cfg.max_questions, cfg.seed))
        for one, files in zip(cfg.questions, found.questions, strict=True)
    ]
    items = {one.name: _counted(read) for one, read in questions}
    return Asked(_tables(pairs, folder, "pairs"), _tables(questions, folder, "questions"), items)


def _counted(read: Read) -> dict[str, Any]:
    return {"items": read.items, "unscored": read.unscored}


def _tables(sets: Sequence[tuple[ItemFiles, Read]], folder: Path, kind: str) -> tuple[NamedTable, ...]:
    return tuple(write_table(read.table, folder / f"{kind}-{one.name}.parquet", one.name) for one, read in sets)


def write_table(table: pl.DataFrame, path: Path, name: str) -> NamedTable:
    """A table as the scoring program reads it."""
    table.write_parquet(path)
    return NamedTable(name=name, path=str(path))
