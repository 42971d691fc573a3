"""Masked language models: packed documents apart, masks that no restart changes, whole runs, exports."""

from __future__ import annotations

import json
import os
import shutil
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoModelForMaskedLM, AutoTokenizer

from data_contracts.errors import ConfigError
from data_contracts.score_file import ScoreConfig
from lightning_modules import callbacks
from lightning_modules.block_files import IGNORED, positions_in_documents
from lightning_modules.checkpointing import CheckpointFolder
from lightning_modules.export import network_of
from lightning_modules.language_model import LanguageModel
from lightning_modules.masked_language_model import MaskedLanguageModel, MaskedTokenBlocks
from lightning_modules.token_blocks import HeldOutBatches, TrainBatches
from tests.lightning_modules.tiny_runs import Trained, call, settings, write_run

KINDS = ["bert", "modernbert"]
MODEL = {"layers": 4, "heads": 2, "width": 32}
MASKING = {"ratio": 0.15, "hidden_ratio": 0.8, "random_ratio": 0.1}


def module(kind: str, block_tokens: int, layers: int = 4) -> MaskedLanguageModel:
    shared = {"vocab_size": 60, "separator_id": 0, "pad_id": 1, "block_tokens": block_tokens, "max_steps": 10}
    network = {**MODEL, "layers": layers, "architecture": kind}
    made = MaskedLanguageModel(
        0.15, **shared, network=network, optimizer={}, seed=3, train_chars_per_token=0, validation_chars=0
    )
    made.configure_model()
    return made


@pytest.mark.parametrize("kind", KINDS)
def test_packed_documents_do_not_see_each_other(kind: str) -> None:
    """Longer than the window of modernbert, so that both kinds of its layers cut somewhere."""
    draw = np.random.default_rng(1)
    documents = [np.array([0, *draw.integers(2, 60, n)]) for n in (5, 180, 1, 0, 110)]
    made = module(kind, 300)
    tokens = np.concatenate(documents)[None]
    positions = torch.from_numpy(positions_in_documents(tokens, 0))
    with torch.no_grad():
        packed = made.logits({"inputs": torch.from_numpy(tokens), "positions": positions})[0]
        alone = torch.cat([made.network(input_ids=torch.from_numpy(d)[None]).logits[0] for d in documents])
        leaking = made.network(input_ids=torch.from_numpy(tokens), position_ids=positions).logits[0]
    assert (packed - alone).abs().max() <= 1e-5
    assert (leaking - alone).abs().max() > 1e-3, "positions alone keep nothing apart here: the test would see it"


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*torch.jit.script_method.*:DeprecationWarning")  # torch's compiler calls it itself
@pytest.mark.parametrize("kind", KINDS)
def test_a_compiled_model_keeps_them_apart_too(kind: str) -> None:
    draw = np.random.default_rng(2)
    documents = [np.array([0, *draw.integers(2, 60, n)]) for n in (9, 14, 7)]
    made = module(kind, 64, layers=2)
    tokens = np.concatenate(documents)[None]
    batch = {"inputs": torch.from_numpy(tokens), "positions": torch.from_numpy(positions_in_documents(tokens, 0))}
    with torch.no_grad():
        alone = torch.cat([made.network(input_ids=torch.from_numpy(d)[None]).logits[0] for d in documents])
        made.network.compile()
        packed = made.logits(batch)[0]
    assert (packed - alone).abs().max() <= 1e-5
    eager = module(kind, 64, layers=2)
    made.wants_compile = True
    torch._dynamo.utils.counters.clear()
    for seed in range(8):  # as many numbers of hidden positions
        asked = asked_about(eager, hidden=True, seed=seed)
        assert made.training_step(asked, 0).item() == pytest.approx(eager.training_step(asked, 0).item(), rel=1e-5)
    assert torch._dynamo.utils.counters["stats"]["unique_graphs"] <= 4, "compiled anew for each of them"


def data(corpus: Any, **changes: Any) -> MaskedTokenBlocks:
    files = {s: [getattr(shard, s).model_dump() for shard in corpus.shards] for s in ("train", "validation", "test")}
    values = {"data_hash": "h", "vocab_size": corpus.vocab_size, "separator_id": 0, "pad_id": 1, "block_tokens": 32}
    masks = {"mask_id": corpus.vocab_size, "special_ids": [0, 1], "masking": MASKING}
    sizes = {"blocks_per_device": 2, "blocks_per_step": 8, "seed": 1}
    return MaskedTokenBlocks(**{**masks, **files, **values, **sizes, **changes})


def global_batches(made: MaskedTokenBlocks, world: int, steps: int, start: int = 0) -> list[list[Any]]:
    micro = made.blocks_per_step // (made.blocks_per_device * world)
    loaders = [iter(TrainBatches(made, rank, world, start)) for rank in range(world)]
    found = []
    for _ in range(steps):
        batches = [next(loader) for loader in loaders for _ in range(micro)]
        found.append(
            sorted(
                (i, t) for b in batches for i, t in zip(*(b[n].tolist() for n in ("inputs", "targets")), strict=True)
            )
        )
    return found


def test_masks_are_the_same_for_every_number_of_processes_and_after_a_restart(corpus: Any) -> None:
    made = data(corpus)
    alone = global_batches(made, 1, 10)
    assert global_batches(made, 2, 10) == alone
    assert global_batches(made, 4, 4, start=6) == alone[6:]


def test_an_epoch_masks_the_same_block_anew(corpus: Any) -> None:
    made = data(corpus, blocks_per_step=2, masking={**MASKING, "ratio": 0.5})
    count = len(made.train)
    seen: dict[bytes, list[bytes]] = {}
    loader = iter(TrainBatches(made, 0, 1, 0))
    for _ in range(count):  # two epochs, two blocks a batch
        batch = next(loader)
        tokens = torch.where(batch["targets"] == IGNORED, batch["inputs"], batch["targets"])
        for row, targets in zip(tokens.numpy(), batch["targets"].numpy(), strict=True):
            seen.setdefault(row.tobytes(), []).append(targets.tobytes())
    assert len(seen) == count
    full = [twice for row, twice in seen.items() if 1 not in np.frombuffer(row, dtype=np.int64)]
    assert len(full) > 20
    assert all(len(set(twice)) == 2 for twice in full)


def test_held_out_masks_are_those_of_every_run(corpus: Any) -> None:
    first, second = (
        [b["targets"].tolist() for b in HeldOutBatches(made.validation, made, 0, 1)]
        for made in (data(corpus), data(corpus, seed=5))
    )
    assert first == second


def test_other_masking_on_resume_is_refused(corpus: Any) -> None:
    made = data(corpus)
    with pytest.raises(ConfigError, match="masking: checkpoint"):
        made.load_state_dict({**made.state_dict(), "masking": {**MASKING, "ratio": 0.4}})


def test_blocks_without_words_are_refused_before_anything_starts(corpus: Any, tmp_path: Path) -> None:
    bare = [
        s.model_copy(
            update={n: getattr(s, n).model_copy(update={"words": None}) for n in ("train", "validation", "test")}
        )
        for s in corpus.shards
    ]
    with pytest.raises(ConfigError, match="know no words"):
        settings(corpus._replace(shards=bare), tmp_path, model={**MODEL, "architecture": "bert"})


@pytest.fixture(scope="module", params=KINDS)
def masked_run(request: pytest.FixtureRequest, corpus: Any, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    folder = tmp_path_factory.mktemp(request.param)
    ended = call("fit", "--config", str(run_of(corpus, folder, request.param)))
    assert ended.code == 0
    return Trained(folder, ended.events)


def run_of(corpus: Any, folder: Path, kind: str) -> Path:
    return write_run(corpus, folder, model={"layers": 2, "heads": 2, "width": 32, "dropout": 0.1, "architecture": kind})


def test_a_run_says_what_it_measures(masked_run: Trained) -> None:
    told = json.loads((masked_run.folder / "result.json").read_text(encoding="utf-8"))
    assert told["objective"] == "masked"
    assert told["validation_loss"] > 0
    assert told["validation_bits_per_char"] is None, "some tokens of a text say nothing about its characters"
    assert not [e for e in masked_run.events if e["event"] == "sample"]
    [started] = [e for e in masked_run.events if e["event"] == "train_start"]
    assert (started["parameters"], started["flops_per_token"]) == (told["parameters"], told["flops_per_token"])
    card = (masked_run.folder / "export" / "README.md").read_text(encoding="utf-8")
    assert "fill-mask" in card
    assert "FLOPs per token" in card


def test_transformers_loads_the_folder_with_equal_logits(masked_run: Trained, corpus: Any) -> None:
    found = CheckpointFolder(masked_run.folder / "checkpoints").newest()
    assert found is not None
    network, _ = network_of(found.path)
    loaded = AutoModelForMaskedLM.from_pretrained(masked_run.folder / "export").eval()
    ids = torch.randint(0, corpus.vocab_size + 1, (3, 20))
    with torch.no_grad():
        assert (network(input_ids=ids).logits - loaded(input_ids=ids).logits).abs().max() == 0.0
    tokenizer = AutoTokenizer.from_pretrained(masked_run.folder / "export")
    assert (tokenizer.mask_token_id, tokenizer.cls_token_id, tokenizer.pad_token_id) == (corpus.vocab_size, 0, 1)
    assert tokenizer("春<|mask|>不", add_special_tokens=False)["input_ids"].count(corpus.vocab_size) == 1
    assert loaded.config.vocab_size == corpus.vocab_size + 1 == len(tokenizer)


def test_the_scores_of_a_causal_model_are_left_out_with_the_reason(masked_run: Trained, tmp_path: Path) -> None:
    cfg = ScoreConfig(model=str(masked_run.folder / "export"), result=str(tmp_path / "result.json"), prompts=("春",))
    (tmp_path / "score.json").write_text(cfg.model_dump_json(), encoding="utf-8")
    assert call("score", str(tmp_path / "score.json")).code == 0
    told = json.loads((tmp_path / "result.json").read_text(encoding="utf-8"))
    assert "masked model" in told["not_scored"]
    assert told["bits_per_char"] is None


def test_sigterm_then_the_same_command_gives_the_same_run(
    masked_run: Trained, corpus: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kind = json.loads((masked_run.folder / "export" / "config.json").read_text(encoding="utf-8"))["model_type"]
    run = run_of(corpus, tmp_path / "run", kind)
    whole = callbacks.TrainingRecord.on_train_batch_end

    def interrupted(self: Any, trainer: Any, *rest: Any) -> None:
        if trainer.global_step == 7 and self._seen_step == 6:
            os.kill(os.getpid(), signal.SIGTERM)
        whole(self, trainer, *rest)

    with monkeypatch.context() as patch:
        patch.setattr(callbacks.TrainingRecord, "on_train_batch_end", interrupted)
        assert call("fit", "--config", str(run)).code == 143
    assert call("fit", "--config", str(run)).code == 0
    for name in ("metrics.csv", "validation.csv", "export/model.safetensors", "export/README.md"):
        assert (run.parent / name).read_bytes() == (masked_run.folder / name).read_bytes()
    shutil.rmtree(run.parent)


def asked_about(made: MaskedLanguageModel, hidden: bool, seed: int = 5) -> dict[str, torch.Tensor]:
    draw = np.random.default_rng(seed)
    tokens = draw.integers(2, 60, (16, 24))
    chosen = draw.random((16, 24)) < 0.2 if hidden else np.zeros((16, 24), dtype=bool)
    return {
        "inputs": torch.from_numpy(np.where(chosen, 59, tokens)),
        "targets": torch.from_numpy(np.where(chosen, tokens, IGNORED)),
        "positions": torch.from_numpy(positions_in_documents(tokens, 0)),
        "groups": torch.zeros(16, 24, dtype=torch.int64),
    }


@pytest.mark.parametrize("kind", KINDS)
def test_scoring_the_hidden_positions_alone_gives_the_loss_and_gradient_of_scoring_all(kind: str) -> None:
    made = module(kind, 24, layers=2)
    batch = asked_about(made, hidden=True)
    found = []
    for predicted in (LanguageModel.predicted, MaskedLanguageModel.predicted):
        made.predicted = predicted.__get__(made)  # type: ignore[method-assign]
        made.zero_grad()
        loss = made.training_step(batch, 0)
        loss.backward()
        made.on_validation_epoch_start()
        made.validation_step(batch, 0)
        gradients = {n: p.grad for n, p in made.named_parameters()}
        found.append((loss.item(), gradients, made.take_step_sums(), made.held_out_sums))
    (loss, gradients, sums, held_out), other = found
    assert other[0] == pytest.approx(loss, rel=1e-6)
    for name, gradient in gradients.items():
        torch.testing.assert_close(other[1][name], gradient, rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(other[2], sums, rtol=1e-6, atol=0)
    torch.testing.assert_close(other[3], held_out, rtol=1e-6, atol=0)


@pytest.mark.parametrize("kind", KINDS)
def test_only_what_is_asked_about_is_scored_and_a_batch_may_ask_nothing(kind: str) -> None:
    made = module(kind, 24, layers=2)
    batch = asked_about(made, hidden=True)
    scores, targets, where = made.predicted(batch)
    assert scores.shape == (len(where), 60) == (int((batch["targets"] != IGNORED).sum()), 60)
    assert torch.equal(targets, batch["targets"].flatten()[where])
    assert made.logits(batch).shape == (16, 24, 60), "all of them, for whoever asks for all"
    loss = made.training_step(asked_about(made, hidden=False), 0)
    loss.backward()
    assert loss.item() == 0
    assert all(p.grad is not None for p in made.parameters()), "every process must have a gradient to share"
