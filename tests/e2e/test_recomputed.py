"""What an edit costs: a comment nothing, a threshold its stage and those below, a file one shard of each stage."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from data_contracts.dataset import KEPT
from deployments.demo import texts
from tasks.copies.linking import CARDS
from tests.e2e import roads
from tests.e2e.plain_road import GLOBAL, ROW_WISE, walk

pytestmark = [pytest.mark.slow]
FILES, DOCUMENTS = 20, 2
CODE = ("tasks/transforms/quality.py", "clean")  # a module that only one stage of the plain road imports


def write_file(folder: Path, number: int) -> None:
    chosen = texts.archive("classics")[number * DOCUMENTS :][:DOCUMENTS]
    lines = [json.dumps({"id": t.id, "text": t.text[: 300 + 20 * number]}, ensure_ascii=False) for t in chosen]
    (folder / f"{number:02}.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "files"
    made.mkdir()
    for number in range(FILES):
        write_file(made, number)
    return made


def jobs_with(store: Path, stage: str, file: str) -> int:
    """Records of a stage's finished jobs that made such a file."""
    return sum(f'"{file}"' in p.read_text(encoding="utf-8") for p in (store / "shards" / stage).iterdir())


def shard_jobs(store: Path) -> dict[str, int]:
    """Finished jobs that made rows, by row-wise stage; what `segment` adds up of all shards is none."""
    return {stage: jobs_with(store, stage, KEPT) for stage in ROW_WISE}


def jobs(store: Path) -> dict[str, int]:
    """Records of all finished jobs, by stage."""
    return {p.name: len(list(p.iterdir())) for p in (store / "shards").iterdir()}


def remade(told: dict[str, tuple[str, bool]]) -> set[str]:
    return {stage for stage, (_, found) in told.items() if not found}


def test_a_threshold_recomputes_its_stage_and_those_below(folder: Path, tmp_path: Path):
    store = tmp_path / "store"
    first = walk(folder, store)
    assert remade(first) == {*ROW_WISE, *GLOBAL}
    assert remade(again := walk(folder, store)) == set()
    assert {s: v for s, (v, _) in again.items()} == {s: v for s, (v, _) in first.items()}
    stricter = walk(folder, store, min_chars=400)
    assert remade(stricter) == {"clean", "redact", "dedup", "segment", "vocab", "encode"}
    assert stricter["ingest_files"][0] == first["ingest_files"][0]
    kept = [roads.Store(store).manifest(f"clean/{t['clean'][0]}").total("rows_kept") for t in (first, stricter)]
    assert kept[1] < kept[0], "the threshold refused nothing, so this test shows little"
    assert remade(walk(folder, store)) == set(), "the old threshold's datasets are still there"


def test_one_more_file_costs_one_shard_of_every_row_wise_stage(folder: Path, tmp_path: Path):
    store = tmp_path / "store"
    first = walk(folder, store)
    before, per_shard = shard_jobs(store), {file: jobs_with(store, "dedup", file) for file in (CARDS, KEPT)}
    assert before == dict.fromkeys(ROW_WISE, FILES)
    assert per_shard == {CARDS: FILES, KEPT: FILES}
    write_file(folder, FILES)
    second = walk(folder, store)
    added = {stage: count - before[stage] for stage, count in shard_jobs(store).items()}
    assert added == dict.fromkeys(ROW_WISE, 1)
    signed_and_marked = {file: jobs_with(store, "dedup", file) - count for file, count in per_shard.items()}
    assert signed_and_marked == {CARDS: 1, KEPT: 1}, "the new shard alone; no other shard lost a row"
    assert all(second[stage][0] != first[stage][0] for stage in (*ROW_WISE, *GLOBAL))


def run_in(tree: Path, folder: Path, store: Path) -> dict[str, tuple[str, bool]]:
    """The plain road by the code of a copy of the checkout."""
    ended = subprocess.run(
        [sys.executable, "-P", str(Path(__file__).with_name("plain_road.py")), str(folder), str(store)],
        capture_output=True,
        text=True,
        env=roads.surroundings(PYTHONPATH=str(tree)),
        timeout=240,
    )
    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A copy of the rooms that stages are made of, to be edited."""
    made = tmp_path / "tree"
    for room in ("data_contracts", "tasks"):
        shutil.copytree(roads.ROOT / room, made / room, ignore=shutil.ignore_patterns("__pycache__"))
    return made


def test_comments_and_docstrings_recompute_nothing_but_code_does(folder: Path, tmp_path: Path, tree: Path):
    store = tmp_path / "store"
    for extra in folder.glob("*[1-9].jsonl"):
        extra.unlink()
    first = run_in(tree, folder, store)
    assert remade(first) == {*ROW_WISE, *GLOBAL}
    for file in tree.rglob("*.py"):
        text = file.read_text(encoding="utf-8")
        edited = "# A comment that was not there.\n" + text.replace('"""', '"""Edited. ', 1) + "\n\n# 末尾的注释\n"
        file.write_text(edited, encoding="utf-8")
    assert remade(run_in(tree, folder, store)) == set()
    name, stage = CODE
    with (tree / name).open("a", encoding="utf-8") as file:
        file.write("\nADDED = 1\n")
    done = jobs(store)
    changed = run_in(tree, folder, store)
    assert stage in remade(changed)
    assert "ingest_files" not in remade(changed)
    added = {s: count - done[s] for s, count in jobs(store).items()}
    below = {s: added[s] for s in ("redact", "dedup", "segment", "vocab", "encode")}
    assert set(below.values()) == {0}, f"the same rows came out, so no job below {stage} runs again: {below}"
