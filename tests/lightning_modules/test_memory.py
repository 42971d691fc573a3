from __future__ import annotations

import functools
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from data_contracts.network import NetworkConfig
from data_contracts.optimizers import LEARNING_RATES, OptimizerConfig
from lightning_modules import fitting
from lightning_modules.architectures import Tokens, built, hugging_face_config
from lightning_modules.causal_language_model import CausalLanguageModel
from lightning_modules.devices import _of_group, free_bytes
from lightning_modules.masked_language_model import MaskedLanguageModel
from lightning_modules.memory import Estimate, Spread, estimate, optimizer_bytes
from lightning_modules.optimizers import optimizer_of
from tests.lightning_modules.tiny_runs import call, write_run

CPU = torch.device("cpu")
SHAPE = {"layers": 4, "heads": 4, "kv_heads": 2, "width": 64, "dropout": 0.0}


def module(vocab: int = 2000, kind: Any = CausalLanguageModel, **changes: Any) -> Any:
    given: dict[str, Any] = {"network": SHAPE, "optimizer": {}, **changes}
    facts = {"separator_id": 0, "pad_id": 1, "block_tokens": 64, "max_steps": 1, "seed": 1}
    return kind(vocab_size=vocab, train_chars_per_token=1.0, validation_chars=1, **facts, **given)


def single(rows: int = 8, **changes: Any) -> Estimate:
    return estimate(module(**changes), rows, Spread("single"), CPU, half=False)


def test_parameters_gradients_and_state_are_counted_exactly() -> None:
    made = module()
    made.configure_model()
    weights = 4 * sum(p.numel() for p in made.network.parameters())
    found = single()
    assert (found.parameters, found.gradients, found.optimizer) == (weights, weights, 2 * weights)
    assert found.total == sum(found)


@pytest.mark.parametrize("architecture", ["llama", "qwen3", "bert", "modernbert"])
@pytest.mark.parametrize("tied", [True, False])
def test_networks_of_all_kinds_are_counted(architecture: str, tied: bool) -> None:
    network = {"architecture": architecture, "layers": 3, "heads": 2, "width": 32}
    network |= {} if architecture == "bert" else {"tie_embeddings": tied}
    kind = functools.partial(MaskedLanguageModel, mask_ratio=0.15) if "bert" in architecture else CausalLanguageModel
    made, unbuilt = module(kind=kind, network=network), module(kind=kind, network=network)
    made.configure_model()
    found = estimate(unbuilt, 4, Spread("single"), CPU, half=False)
    assert found.parameters == 4 * made.cost.parameters
    assert found.activations > 4 * 64 * 32 * 4 * 3  # at least what goes into each layer


@pytest.mark.parametrize("name", list(LEARNING_RATES))
def test_what_an_optimizer_keeps_is_what_torch_keeps(name: str) -> None:
    cfg = OptimizerConfig(name=name)
    network = built(hugging_face_config(NetworkConfig(**SHAPE), Tokens(300, 0, 1, 16)), "causal")
    optimizer = optimizer_of(network, cfg)
    for p in network.parameters():
        p.grad = torch.ones_like(p)
    optimizer.step()
    kept = [t for state in optimizer.state.values() for t in state.values() if isinstance(t, torch.Tensor) and t.dim()]
    assert optimizer_bytes(network, cfg) == sum(t.numel() * t.element_size() for t in kept)


def test_activations_grow_with_rows_and_shrink_when_layers_are_run_again() -> None:
    few, many = single(4), single(16)
    assert many.activations == pytest.approx(4 * few.activations, rel=0.1)
    assert single(16, activation_checkpointing=True).activations < 0.7 * many.activations
    logits = 16 * 64 * 2000 * 4
    assert many.activations > logits  # in fp32


def test_the_logits_of_a_large_vocabulary_are_counted() -> None:
    rows, more = 4, 30_000
    grown = single(rows, vocab=2000 + more).activations - single(rows).activations
    # The logits, which become their own gradient, and for a moment a second gradient of the head.
    assert grown == pytest.approx((rows * 64 + SHAPE["width"]) * more * 4, rel=0.05)


def test_shards_and_buckets() -> None:
    alone, pair = (estimate(module(), 8, spread, CPU, half=False) for spread in (Spread("single"), Spread("ddp", 2)))
    assert pair.total - alone.total == alone.parameters == pair.communication
    shards = estimate(module(), 8, Spread("sharded", 4), CPU, half=False)
    assert shards.optimizer == alone.optimizer // 4
    assert 0 < shards.communication < alone.parameters + alone.gradients
    stages = [estimate(module(), 8, Spread("zero", 4, stage=stage), CPU, half=False) for stage in (1, 2, 3)]
    assert {one.optimizer for one in stages} == {shards.optimizer}
    part = alone.parameters // 4
    assert [one.parameters for one in stages] == [5 * part, 5 * part, 2 * part]  # a part lies there twice
    assert [one.gradients for one in stages] == [4 * part, part, 2 * part]
    shared = estimate(module(), 8, Spread("sharded", 1, 2), CPU, half=False)
    assert shared.activations < alone.activations
    assert shared.parameters < alone.parameters
    assert estimate(module(), 8, Spread("single"), CPU, half=True).activations < alone.activations


def test_an_estimate_draws_no_random_number_and_allocates_nothing() -> None:
    state = torch.get_rng_state()
    wide = {**SHAPE, "width": 8192, "heads": 64, "layers": 40}  # 31 G parameters: more than this machine holds
    found = estimate(module(network=wide), 64, Spread("single"), CPU, half=False)
    assert found.parameters > 100e9
    assert torch.equal(torch.get_rng_state(), state)


def test_a_run_that_cannot_fit_is_refused_with_the_micro_batch_that_fits(
    corpus: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fitting, "free_bytes", lambda *_: 2_500_000)
    monkeypatch.setattr("lightning_modules.micro_batches.MicroBatches._timed", lambda *_: pytest.fail("it was tried"))
    run = write_run(corpus, tmp_path, blocks_per_device=8, duration="5 minutes")  # which would be timed
    ended = call("fit", "--config", str(run))
    assert ended.code == 2
    message = ended.of("error")[0]["message"]
    assert re.search(r"the run would hold 3\.\d+MB on each device \(parameters 174KB, .* 2\.5MB are free", message)
    assert "set pretrain.blocks_per_device: 4, with the same global batch" in message
    assert not list((tmp_path / "checkpoints").glob("*")) if (tmp_path / "checkpoints").exists() else True
    monkeypatch.setattr(fitting, "free_bytes", lambda *_: 1000)
    message = call("fit", "--config", str(run)).of("error")[0]["message"]
    assert "no micro-batch fits; take pretrain.activation_checkpointing: full, or a smaller model, or" in message


def test_the_estimate_and_the_peak_are_told(trained: Any) -> None:
    start, end = trained.events[0], trained.events[-1]
    memory = start["memory"]
    assert memory["total"] == sum(memory[name] for name in Estimate._fields) == end["estimated_memory_bytes"]
    assert (memory["blocks_per_device"], memory["kind"]) == (4, "single")
    assert memory["free"] > memory["total"]
    assert end["peak_memory_bytes"] > end["estimated_memory_bytes"]  # libraries included


def test_what_is_free_is_read_from_the_machine(tmp_path: Path) -> None:
    free = free_bytes(CPU, 1)
    assert free is not None
    assert free > 10**6
    half = free_bytes(CPU, 2)
    assert half is not None
    assert half == pytest.approx(free / 2, rel=0.2)
    (tmp_path / "memory.max").write_text("5000\n")
    (tmp_path / "memory.current").write_text("2000\n")
    assert _of_group(tmp_path) == 3000
    (tmp_path / "memory.max").write_text("max\n")
    assert _of_group(tmp_path) is None


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="the peak of a process is reset by Linux alone")
def test_the_estimate_is_the_peak_of_a_real_run(corpus: Any, tmp_path: Path) -> None:
    """Of whole runs in processes of their own, by VmHWM (proc(5)): within 8 % where the C library gives memory back."""
    model = {"layers": 6, "heads": 4, "width": 256, "dropout": 0.0}
    given = {"model": model, "duration": "2 steps", "tokens_per_step": 4096, "blocks_per_device": 64, "prompts": ()}
    peaks = {}
    for kind in ("none", "full"):
        twice = corpus._replace(shards=corpus.shards * 2)
        run = write_run(twice, tmp_path / kind, **given, activation_checkpointing=kind)
        program = str(Path(__file__).with_name("peak_memory_program.py"))
        # Without it the library keeps what was freed in pieces that nothing else fits into: up to half as much again.
        ended = subprocess.run(
            [sys.executable, program, str(run)],
            capture_output=True,
            text=True,
            timeout=300,
            env={"MALLOC_MMAP_THRESHOLD_": "65536", "OMP_NUM_THREADS": "1", "PATH": "/usr/bin:/bin"},
        )
        assert ended.returncode == 0, ended.stderr[-3000:]
        peaks[kind] = json.loads(ended.stdout.splitlines()[-1])["peak"]
        told = json.loads((tmp_path / kind / "plan.json").read_text(encoding="utf-8"))["memory"]
        assert peaks[kind] == pytest.approx(told["total"], rel=0.08), told
    assert peaks["full"] < 0.75 * peaks["none"]
