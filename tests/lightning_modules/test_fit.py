"""Whole runs of a tiny model, in this process. Runs in processes of their own are in test_programs.py."""

from __future__ import annotations

import csv
import json
import os
import shutil
import signal
from pathlib import Path
from typing import Any

import pytest
import yaml

from lightning_modules import callbacks
from tests.lightning_modules.tiny_runs import Trained, call, write_run


def losses(folder: Path) -> str:
    return (folder / "metrics.csv").read_text(encoding="utf-8")


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def copied(trained: Trained, target: Path, keep_result: bool = False) -> Path:
    """The finished run moved elsewhere, with paths to match."""
    shutil.copytree(trained.folder, target)
    if not keep_result:
        (target / "result.json").unlink()
    text = (target / "run.yaml").read_text(encoding="utf-8").replace(str(trained.folder), str(target))
    (target / "run.yaml").write_text(text, encoding="utf-8")
    return target / "run.yaml"


def test_every_step_and_every_validation_has_its_row(trained: Trained) -> None:
    metrics = rows(trained.folder / "metrics.csv")
    assert [int(r["step"]) for r in metrics] == list(range(1, 13))
    assert float(metrics[-1]["loss"]) < float(metrics[0]["loss"])
    assert metrics[0]["loss"] == f"{float(metrics[0]['loss']):.17g}"
    validation = rows(trained.folder / "validation.csv")
    assert [int(r["step"]) for r in validation] == [6, 12]
    samples = (trained.folder / "samples.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["step"] for line in samples] == [6, 12]
    assert list((trained.folder / "tensorboard").glob("events.out.tfevents.*"))


def test_progress_is_told_as_json_lines(trained: Trained) -> None:
    progress = [e for e in trained.events if e["event"] == "progress"]
    assert progress[-1]["step"] == progress[-1]["max_steps"] == progress[-1]["done"] == 12
    assert {"loss", "bits_per_char", "tokens_per_second", "peak_share", "learning_rate"} <= set(progress[-1])
    assert progress[-1]["peak_share"] > 0
    assert trained.events[-1]["event"] == "end"
    assert trained.events[-1]["finished"] is True


def test_validation_bits_per_char_are_exact(trained: Trained, corpus: Any) -> None:
    """Against a plain loop over the validation documents one by one, in fp64, cut at the block borders."""
    from lightning_modules.score import load_exported
    from tests.lightning_modules.slow_reference import document_bits

    bits = document_bits(load_exported(trained.folder / "export"), corpus, "validation")
    chars = sum(len(t) for shard in corpus.documents for t in shard["validation"])
    told = float(rows(trained.folder / "validation.csv")[-1]["bits_per_char"])
    assert told == pytest.approx(sum(sum(b) for b in bits) / chars, rel=1e-6)


def test_a_finished_run_does_nothing_and_says_so(trained: Trained) -> None:
    before = {p: p.stat().st_mtime_ns for p in trained.folder.rglob("*") if p.is_file()}
    ended = call("fit", "--config", str(trained.folder / "run.yaml"))
    assert ended.code == 0
    assert ended.of("end")[0]["already"] is True
    assert {p: p.stat().st_mtime_ns for p in trained.folder.rglob("*") if p.is_file()} == before


def test_sigterm_saves_and_the_next_start_continues_bit_identically(
    corpus: Any, trained: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = write_run(corpus, tmp_path / "run")
    whole = callbacks.TrainingRecord.on_train_batch_end

    def interrupted(self: Any, trainer: Any, *rest: Any) -> None:
        if trainer.global_step == 7 and self._seen_step == 6:
            os.kill(os.getpid(), signal.SIGTERM)
        whole(self, trainer, *rest)

    with monkeypatch.context() as patch:
        patch.setattr(callbacks.TrainingRecord, "on_train_batch_end", interrupted)
        ended = call("fit", "--config", str(run))
    assert ended.code == 143
    assert [e["step"] for e in ended.of("checkpoint")] == [4, 6, 7]
    assert ended.of("end")[0]["finished"] is False

    ended = call("fit", "--config", str(run))
    assert ended.code == 0
    assert ended.of("resume")[0]["step"] == 7
    assert losses(run.parent) == losses(trained.folder)  # 17 digits, with dropout
    for name in ("validation.csv", "samples.jsonl", "export/model.safetensors", "export/README.md"):
        assert (run.parent / name).read_bytes() == (trained.folder / name).read_bytes()


def test_a_damaged_newest_checkpoint_falls_back_to_the_one_before(trained: Trained, tmp_path: Path) -> None:
    run = copied(trained, tmp_path / "run")
    newest = run.parent / "checkpoints" / "step-00000012.ckpt"
    damaged = bytearray(newest.read_bytes())
    damaged[len(damaged) // 2] ^= 1  # one bit; torch.load reads such a file without an error
    newest.write_bytes(damaged)
    ended = call("fit", "--config", str(run))
    assert ended.code == 0
    assert ended.of("warning")[0]["kind"] == "damaged_checkpoint"
    assert ended.of("resume")[0]["step"] == 8
    assert losses(run.parent) == losses(trained.folder)


def test_a_changed_run_file_is_refused(trained: Trained, tmp_path: Path) -> None:
    run = copied(trained, tmp_path / "run")
    text = run.read_text(encoding="utf-8")
    settings = yaml.safe_load(text)
    settings["data"]["init_args"]["seed"] = 2
    settings["trainer"]["max_steps"] = settings["model"]["init_args"]["max_steps"] = 14
    run.write_text(yaml.safe_dump(settings), encoding="utf-8")
    ended = call("fit", "--config", str(run))
    assert ended.code == 2
    assert "seed: checkpoint 1, run file 2" in ended.of("error")[0]["message"]


def test_a_loss_that_is_not_finite_stops_with_its_step(corpus: Any, tmp_path: Path) -> None:
    run = write_run(corpus, tmp_path / "run", optimizer={"learning_rate": 1e30}, steps_between_checkpoints=1)
    ended = call("fit", "--config", str(run))
    assert ended.code == 6
    error = ended.of("error")[0]
    assert error["kind"] == "non_finite_loss"
    assert error["step"] > 1
    good = sorted(p.name for p in (tmp_path / "run" / "checkpoints").glob("*.ckpt"))
    assert good[-1] == f"step-{error['step'] - 1:08d}.ckpt"


def test_minutes_become_steps_once(corpus: Any, tmp_path: Path) -> None:
    run = write_run(corpus, tmp_path / "run", duration="0.002 minutes")
    ended = call("fit", "--config", str(run))
    assert ended.code == 0
    plan = json.loads((tmp_path / "run" / "plan.json").read_text(encoding="utf-8"))
    assert ended.of("end")[0]["step"] == plan["max_steps"] >= 1
    assert call("fit", "--config", str(run)).of("end")[0]["already"] is True


def test_minutes_mean_the_same_steps_after_a_stop(corpus: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = write_run(corpus, tmp_path, duration="1 minute")
    plan = tmp_path / "plan.json"
    plan.write_text(json.dumps({"precision": "32", "max_steps": 9}), encoding="utf-8")  # as if measured on a busy day

    def interrupted(self: Any, step: int, *rest: Any) -> None:
        whole(self, step, *rest)
        if step == 5:
            os.kill(os.getpid(), signal.SIGTERM)

    whole = callbacks.TrainingRecord._report
    with monkeypatch.context() as patch:
        patch.setattr(callbacks, "REPORT_SECONDS", 0.0)
        patch.setattr(callbacks.TrainingRecord, "_report", interrupted)
        assert call("fit", "--config", str(run)).code == 143
    assert call("fit", "--config", str(run)).of("end")[0]["step"] == 9
    assert json.loads(plan.read_text(encoding="utf-8"))["max_steps"] == 9
    assert [int(r["step"]) for r in rows(tmp_path / "metrics.csv")] == list(range(1, 10))


def test_label_smoothing_changes_the_gradient_and_not_what_is_told(
    corpus: Any, trained: Trained, tmp_path: Path
) -> None:
    assert call("fit", "--config", str(write_run(corpus, tmp_path, label_smoothing=0.2, duration="2 steps"))).code == 0
    plain, smooth = rows(trained.folder / "metrics.csv"), rows(tmp_path / "metrics.csv")
    assert smooth[0]["loss"] == plain[0]["loss"]  # of the same first weights
    assert smooth[0]["gradient_norm"] != plain[0]["gradient_norm"]


def test_validate_and_test_only_tell(trained: Trained) -> None:
    before = {p: p.read_bytes() for p in trained.folder.rglob("*") if p.is_file()}
    told = call("validate", "--config", str(trained.folder / "run.yaml"))
    assert told.code == 0
    last = rows(trained.folder / "validation.csv")[-1]
    assert told.of("end")[0]["bits_per_char"] == pytest.approx(float(last["bits_per_char"]), rel=1e-6)
    assert call("test", "--config", str(trained.folder / "run.yaml")).of("end")[0]["loss"] > 0
    assert {p: p.read_bytes() for p in trained.folder.rglob("*") if p.is_file()} == before


def test_a_crash_after_the_last_step_is_made_up(trained: Trained, tmp_path: Path) -> None:
    """Killed in the last validation: no row, no export, no result; only those are done again."""
    run = copied(trained, tmp_path / "run")
    table = run.parent / "validation.csv"
    whole = table.read_text(encoding="utf-8")
    table.write_text("".join(whole.splitlines(keepends=True)[:-1]), encoding="utf-8")
    shutil.rmtree(run.parent / "export")
    ended = call("fit", "--config", str(run))
    assert ended.code == 0
    assert not ended.of("progress")
    assert table.read_text(encoding="utf-8") == whole
    assert (run.parent / "export/model.safetensors").read_bytes() == (
        trained.folder / "export/model.safetensors"
    ).read_bytes()
