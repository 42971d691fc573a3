"""lm-eval as a child: missing it is said, its files are part of the version, and its numbers are ours on a shared task."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from data_contracts.assessment import AssessConfig, LmEvalConfig
from data_contracts.config import Place
from data_contracts.dataset import Dataset
from data_contracts.errors import ConfigError, TrainingError
from tasks import harness, question_files
from tasks.assess import assess
from tests.given_documents import POEM
from tests.tasks.test_assess import QUICK, one_thread, road, scores_of  # noqa: F401  fixtures

needs_lm_eval = pytest.mark.skipif(not harness.installed(), reason="the extra lm-eval is not installed")
TASK = """task: shared
dataset_path: json
dataset_kwargs:
  data_files:
    test: items.jsonl
test_split: test
output_type: multiple_choice
doc_to_text: "<|endoftext|>{{question}}1"
doc_to_choice: "{{choices}}"
doc_to_target: answer
target_delimiter: ""
metric_list:
  - metric: acc
  - metric: acc_norm
"""
RESULTS = {
    "results": {"shared": {"alias": "shared", "acc,none": 0.5, "acc_stderr,none": 0.1, "acc_norm,none": 0.25, "x,none": "N/A"}},
    "n-samples": {"shared": {"original": 20, "effective": 10}},
    "total_evaluation_time_seconds": "3.5",
}  # fmt: skip


def task_folder(folder: Path, count: int = 200) -> Path:
    """Items for both. A prompt ends with a digit, a token by itself, so that both cut text between prompt and choice alike:

    lm-eval moves white space at the end of a prompt into every choice, and miscounts where a token lies across.
    """
    dice = random.Random(2)

    def some(low: int, high: int) -> str:
        return "".join(dice.choices(POEM, k=dice.randrange(low, high)))

    rows = [{"question": some(3, 12), "choices": [some(1, 7) + letter for letter in "甲乙丙丁"], "answer": dice.randrange(4)} for _ in range(count)]  # fmt: skip
    folder.mkdir()
    (folder / "shared.yaml").write_text(TASK, encoding="utf-8")
    text = "\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
    (folder / "items.jsonl").write_text(text, encoding="utf-8")
    return folder


def test_figures_are_read_without_times_and_paths() -> None:
    assert harness.told_by(RESULTS, "0.4.13") == {
        "version": "0.4.13",
        "tasks": {"shared": {"items": 10, "acc": 0.5, "acc_norm": 0.25, "acc_stderr": 0.1}},
    }


def test_what_is_missing_is_said_before_anything_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(harness, "MODULE", "no_such_module_at_all")
    cfg = LmEvalConfig(path=str(tmp_path), tasks=("shared",))
    told = question_files.faults(AssessConfig(lm_eval=cfg))
    assert ["pip install '.[lm-eval]'" in told[0], "no folder with task files" in told[1]] == [True, True]
    with pytest.raises(ConfigError, match="lm-eval is not installed"):
        harness.find(cfg)


@needs_lm_eval
def test_task_files_and_their_data_are_part_of_the_version(tmp_path: Path) -> None:
    folder = task_folder(tmp_path / "tasks", 3)
    cfg = AssessConfig(lm_eval=LmEvalConfig(path=str(folder), tasks=("shared",)), max_pairs=0)
    found = question_files.find(cfg)
    [[name, files]] = found.listing
    assert (name.split()[0], [f[0] for f in files]) == ("lm-eval", ["items.jsonl", "shared.yaml"])
    assert found.assess.lm_eval is not None
    assert found.assess.lm_eval.path == "."


@needs_lm_eval
@pytest.mark.slow
@pytest.mark.timeout(600)
def test_its_numbers_are_ours_on_a_shared_task(road: tuple[Place, Dataset], tmp_path: Path) -> None:  # noqa: F811
    place, model = road
    folder = task_folder(tmp_path / "tasks")
    shared = {"name": "shared", "path": str(folder / "items.jsonl"), "prompt": "{question}1{choice}"}
    asked = {**QUICK, "max_pairs": 0, "free_samples": 0, "probes": 0, "speed": False, "questions": [shared]}
    cfg = AssessConfig.model_validate({**asked, "lm_eval": {"path": str(folder), "tasks": ["shared"]}})
    made, _ = assess.run(model, cfg, place)
    scores = scores_of(place, made)
    ours, theirs = scores["questions"]["shared"], scores["lm_eval"]["tasks"]["shared"]
    assert (ours["count"], ours["cut"], theirs["items"]) == (200, 0, 200)
    assert ours["accuracy"] == pytest.approx(theirs["acc_norm"], abs=0.005)
    assert ours["by_sum"]["accuracy"] == pytest.approx(theirs["acc"], abs=0.005)
    assert ours["accuracy"] != ours["by_sum"]["accuracy"], "lengths differ, so the two say something"


@needs_lm_eval
@pytest.mark.slow
def test_a_task_that_is_not_there_ends_with_its_words(road: tuple[Place, Dataset], tmp_path: Path) -> None:  # noqa: F811
    cfg = LmEvalConfig(path=str(task_folder(tmp_path / "tasks", 3)), tasks=("nothing",))
    with pytest.raises(TrainingError, match="nothing"):
        harness.run(cfg, harness.find(cfg), tmp_path, tmp_path / "scratch")
