"""What only a GPU can show: `python -m pytest -m gpu -rP tests/lightning_modules/test_on_a_gpu.py`.

Needs torch, transformers, lightning, jsonargparse, pydantic, ruamel.yaml and their like, none of the data half. Figures
are printed, for times decide about no test.
"""

from __future__ import annotations

import csv
import gc
import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml

from data_contracts.block_sets import BlockFiles
from data_contracts.optimizers import OptimizerConfig
from data_contracts.run_file import command, run_file
from data_contracts.training import PretrainConfig
from lightning_modules import callbacks
from lightning_modules.block_files import batch_of
from lightning_modules.causal_language_model import CausalLanguageModel
from lightning_modules.memory import Spread, estimate
from lightning_modules.micro_batches import MicroBatches, fastest
from lightning_modules.optimizers import adamw, optimizer_of
from lightning_modules.precision import pick_precision
from tests.lightning_modules.tiny_runs import Corpus, call, token_file, write_run

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
    pytest.mark.timeout(900),
    pytest.mark.filterwarnings("default"),  # the libraries beside a GPU may be of other versions
]
STILL = {"layers": 2, "heads": 2, "width": 32, "dropout": 0.0}
SHORT = {"duration": "5 steps", "model": STILL, "accelerator": "gpu", "compile": False}
GPU, GB = torch.device("cuda"), 1e9
VOCABULARY, BLOCK = 32_000, 1024
WIDE = {"layers": 12, "heads": 10, "width": 640, "dropout": 0.0}  # 59 M parameters and 20 M of embeddings


@pytest.fixture(autouse=True)
def empty_device() -> Iterator[None]:
    gc.collect()
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()
    yield
    torch.cuda.set_per_process_memory_fraction(1.0)


def losses(run: Path) -> list[float]:
    with (run.parent / "metrics.csv").open(encoding="utf-8", newline="") as file:
        return [float(row["loss"]) for row in csv.DictReader(file)]


def module(**changes: Any) -> CausalLanguageModel:
    facts = {"separator_id": 0, "pad_id": 1, "block_tokens": BLOCK, "max_steps": 9, "seed": 1, "optimizer": {}}
    return CausalLanguageModel(
        vocab_size=VOCABULARY, train_chars_per_token=1.0, validation_chars=1, **{**facts, "network": WIDE, **changes}
    )


def wide_run(corpus: Corpus, folder: Path, **changes: Any) -> Path:
    """A run file of 79 M parameters over random words, whose frequencies a model can learn."""
    folder.mkdir(parents=True)
    draw = np.random.default_rng(0)
    ids = np.minimum(draw.zipf(1.3, 600 * BLOCK + 1) + 1, VOCABULARY - 1)
    ids[draw.random(len(ids)) < 1 / 400] = 0
    train = token_file(folder / "train.bin", ids.tolist(), 2 * len(ids))
    values = {
        "model": WIDE,
        "accelerator": "gpu",
        "tokens_per_step": 32 * BLOCK,
        "blocks_per_device": 16,
        "prompts": (),
    }
    settings = run_file(
        PretrainConfig(**{**values, "duration": "12 steps", **changes}),
        blocks=[BlockFiles(train=train)],
        tokenizer_dir=corpus.folder,
        vocab_size=VOCABULARY,
        separator_id=0,
        pad_id=1,
        block_tokens=BLOCK,
        lineage={},
        run_dir=folder,
    )
    (folder / "run.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")
    return folder / "run.yaml"


def test_fp32_on_a_gpu_gives_the_losses_of_a_cpu(corpus: Any, tmp_path: Path) -> None:
    runs = [write_run(corpus, tmp_path / kind, **{**SHORT, "accelerator": kind}) for kind in ("cpu", "gpu")]
    for run in runs:
        assert call("fit", "--config", str(run)).code == 0
    on_cpu, on_gpu = (losses(run) for run in runs)
    assert on_gpu == pytest.approx(on_cpu, rel=1e-3)


@pytest.mark.parametrize(
    "changes", [{}, {"model": {**STILL, "architecture": "modernbert"}}, {"optimizer": {"name": "muon"}}]
)
def test_bf16_trains_and_exports_on_a_gpu(corpus: Any, tmp_path: Path, changes: dict[str, Any]) -> None:
    run = write_run(corpus, tmp_path / "run", **{**SHORT, **changes, "duration": "12 steps", "precision": "bf16"})
    assert call("fit", "--config", str(run)).code == 0
    found = losses(run)
    assert found[-1] < found[0]
    assert (run.parent / "export" / "model.safetensors").is_file()


def test_bf16_is_measured_to_be_the_faster_one() -> None:
    assert pick_precision("auto", GPU) == "bf16"


def test_a_stopped_run_continues_on_a_gpu(corpus: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With dropout: the random state of the device is kept too."""
    given = {**SHORT, "duration": "12 steps", "model": {**STILL, "dropout": 0.1}, "precision": "32"}
    runs = [write_run(corpus, tmp_path / name, **given) for name in ("whole", "cut")]
    assert call("fit", "--config", str(runs[0])).code == 0
    whole = callbacks.TrainingRecord.on_train_batch_end

    def interrupted(self: Any, trainer: Any, *rest: Any) -> None:
        if trainer.global_step == 7 and self._seen_step == 6:
            os.kill(os.getpid(), signal.SIGTERM)
        whole(self, trainer, *rest)

    with monkeypatch.context() as patch:
        patch.setattr(callbacks.TrainingRecord, "on_train_batch_end", interrupted)
        assert call("fit", "--config", str(runs[1])).code == 143
    ended = call("fit", "--config", str(runs[1]))
    assert ended.of("resume")[0]["step"] >= 7  # figures are read one step late, and so is the signal
    first, second = (losses(run) for run in runs)
    assert len(first) == len(second) == 12
    assert second == pytest.approx(first, rel=1e-5)


def test_fused_adamw_takes_the_step_of_a_cpu() -> None:
    cfg = OptimizerConfig()
    steps = []
    for device in ("cpu", "cuda"):
        torch.manual_seed(0)
        layer = torch.nn.Linear(64, 64)
        layer.to(device)
        optimizer = adamw([{"params": list(layer.parameters()), "weight_decay": 0.1}], cfg)
        assert optimizer.defaults["fused"]
        for _ in range(3):
            optimizer.zero_grad()
            layer(torch.ones(8, 64, device=device)).square().sum().backward()
            optimizer.step()
        steps.append(layer.weight.detach().cpu())
    assert torch.allclose(steps[0], steps[1], atol=1e-6)


def train_steps(made: CausalLanguageModel, rows: int, half: bool) -> int:
    """The most bytes that two steps of two micro-batches held."""
    made.configure_model()
    made.to(GPU)
    optimizer = optimizer_of(made.network, made.optimizer_config)
    tokens = np.random.default_rng(0).integers(2, VOCABULARY, size=(rows, BLOCK + 1))
    batch = {name: tensor.to(GPU) for name, tensor in batch_of(tokens, 0, 1).items()}
    for _ in range(2):
        for _ in range(2):
            with torch.autocast("cuda", torch.bfloat16, enabled=half):
                loss = made.training_step(batch, 0)
            loss.backward()
        made.configure_gradient_clipping(optimizer, 1.0)
        optimizer.step()
        optimizer.zero_grad()
    torch.cuda.synchronize()
    return int(torch.cuda.max_memory_allocated())


@pytest.mark.parametrize(("half", "rows"), [(False, 4), (True, 4), (True, 16)])
def test_the_estimate_is_what_the_device_holds_and_recomputation_holds_less(half: bool, rows: int) -> None:
    peaks = {}
    for recompute in (False, True):
        given = {"activation_checkpointing": recompute}
        told = estimate(module(**given), rows, Spread("single"), GPU, half)
        gc.collect()
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        peaks[recompute] = train_steps(module(**given), rows, half) - before
        print(
            f"FIGURES half {half} rows {rows} recompute {recompute}: estimated {told.total / GB:.2f} GB, "
            f"measured {peaks[recompute] / GB:.2f} GB, ratio {told.total / peaks[recompute]:.3f}, {told}"
        )
        assert told.total == pytest.approx(peaks[recompute], rel=0.15)
        gc.collect()
    assert peaks[True] < 0.9 * peaks[False]


def test_recomputed_layers_give_the_same_losses_on_a_gpu(corpus: Any, tmp_path: Path) -> None:
    given = {**SHORT, "duration": "12 steps", "model": {**STILL, "dropout": 0.1}, "precision": "32"}
    runs = [write_run(corpus, tmp_path / k, **given, activation_checkpointing=k) for k in ("none", "full")]
    for run in runs:
        assert call("fit", "--config", str(run)).code == 0
    one, two = (losses(run) for run in runs)
    assert two == pytest.approx(one, rel=1e-5)


@pytest.mark.parametrize("stage", ["deepspeed_stage_1", "deepspeed", "deepspeed_stage_3"])
def test_deepspeed_gives_the_losses_of_a_run_without_it(corpus: Any, tmp_path: Path, stage: str) -> None:
    """Over nccl; on two devices where there are two."""
    pytest.importorskip("deepspeed")
    count = min(2, torch.cuda.device_count())
    runs = [
        write_run(corpus, tmp_path / "plain", **SHORT),
        write_run(corpus, tmp_path / stage, **SHORT, strategy=stage, devices=count),
    ]
    assert call("fit", "--config", str(runs[0])).code == 0
    subprocess.run(command(PretrainConfig(devices=count), runs[1]), check=True, timeout=600)
    assert losses(runs[1]) == pytest.approx(losses(runs[0]), rel=1e-5)


def test_a_run_that_cannot_fit_is_refused_before_the_first_step(corpus: Any, tmp_path: Path) -> None:
    run = wide_run(corpus, tmp_path / "run", tokens_per_step=512 * BLOCK, blocks_per_device=512, precision="32")
    ended = call("fit", "--config", str(run))
    assert ended.code == 2, ended.events
    message = ended.of("error")[0]["message"]
    print("FIGURES", message)
    assert "the run would hold" in message
    assert "set pretrain.blocks_per_device: " in message
    assert torch.cuda.max_memory_allocated() < 2 * GB  # nothing of it was allocated


def test_the_search_for_a_micro_batch_ends_when_the_device_is_full(corpus: Any, tmp_path: Path) -> None:
    run = wide_run(corpus, tmp_path / "run", tokens_per_step=64 * BLOCK, blocks_per_device=1, precision="bf16")
    config = parsed(run)
    total = torch.cuda.get_device_properties(0).total_memory
    torch.cuda.set_per_process_memory_fraction(8 * GB / total)
    best, tried = fastest(config, GPU, True, lambda rows: True)
    print("FIGURES", json.dumps(tried))
    assert best in {one["blocks_per_device"] for one in tried}
    assert max(one["blocks_per_device"] for one in tried) < 64  # an OutOfMemoryError ended it
    assert MicroBatches(config, GPU, True, best).seconds() > 0  # and what it held was given back


def parsed(run: Path) -> Any:
    """The run file as the command line reads it."""
    from types import SimpleNamespace

    said = yaml.safe_load(run.read_text(encoding="utf-8"))
    model, data = said["model"], said["data"]["init_args"]
    arguments = SimpleNamespace(as_dict=lambda: model["init_args"])
    return SimpleNamespace(
        model=SimpleNamespace(class_path=model["class_path"], init_args=arguments),
        data=SimpleNamespace(init_args=SimpleNamespace(**data)),
        trainer=SimpleNamespace(**said["trainer"]),
        run=SimpleNamespace(**said["run"]),
    )


def test_a_found_micro_batch_is_trained_with(corpus: Any, tmp_path: Path) -> None:
    run = wide_run(corpus, tmp_path / "run", blocks_per_device="auto", precision="bf16", compile=False)
    ended = call("fit", "--config", str(run))
    assert ended.code == 0
    plan = json.loads((run.parent / "plan.json").read_text(encoding="utf-8"))
    end = ended.of("end")[0]
    print("FIGURES", json.dumps({"tried": plan["tried"], "memory": plan["memory"], "peak": end["peak_memory_bytes"]}))
    assert end["blocks_per_device"] == plan["blocks_per_device"] > 1
    assert plan["memory"]["total"] == pytest.approx(end["peak_memory_bytes"], rel=0.2)
    assert losses(run)[-1] < losses(run)[0]


def test_a_compiled_run_of_79_million_parameters_gives_the_losses_of_an_eager_one(corpus: Any, tmp_path: Path) -> None:
    found, started = {}, {}
    for compiled in (False, True):
        run = wide_run(corpus, tmp_path / str(compiled), precision="bf16", compile=compiled, duration="30 steps")
        clock = time.perf_counter()
        ended = call("fit", "--config", str(run))
        started[compiled] = time.perf_counter() - clock
        assert ended.code == 0
        found[compiled] = losses(run)
        last = ended.of("progress")[-1]
        print(
            f"FIGURES compiled {compiled}: {last['tokens_per_second']:,.0f} tokens/s, {last['peak_share']:.3f} of the "
            f"measured peak {ended.of('train_start')[0]['peak_gflops_per_second'] / 1000:.0f} TFLOP/s, peak memory "
            f"{ended.of('end')[0]['peak_memory_bytes'] / GB:.2f} GB, {started[compiled]:.0f} s in all, "
            f"{torch.cuda.get_device_name()}"
        )
    assert found[True] == pytest.approx(found[False], rel=2e-2)
    assert found[True][-1] < found[True][0]
