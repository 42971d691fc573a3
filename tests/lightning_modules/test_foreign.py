"""Training goes on from a local Hugging Face folder: its weights, its vocabulary, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import (
    AutoModelForCausalLM,
    BertConfig,
    BertForMaskedLM,
    GPT2Config,
    LlamaConfig,
    LlamaForCausalLM,
    LlamaModel,
    RobertaConfig,
    RobertaForMaskedLM,
)

from data_contracts.errors import ConfigError
from lightning_modules.architectures import built
from lightning_modules.causal_language_model import CausalLanguageModel
from lightning_modules.masked_language_model import MaskedLanguageModel
from tests.lightning_modules.tiny_runs import Trained, call, write_run

ROWS = 60
LLAMA = {"vocab_size": ROWS, "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2, "max_position_embeddings": 64}  # fmt: skip
BERT = {**LLAMA, "pad_token_id": 1}


def folder_of(network: Any, folder: Path) -> str:
    network.save_pretrained(folder)
    return str(folder)


def module(
    folder: str, kind: type = CausalLanguageModel, vocab_size: int = ROWS, block_tokens: int = 16, **network: Any
) -> Any:
    given = {"vocab_size": vocab_size, "separator_id": 0, "pad_id": 1, "block_tokens": block_tokens, "max_steps": 10}
    masks = {"mask_ratio": 0.15} if kind is MaskedLanguageModel else {}
    rest = {"optimizer": {}, "seed": 3, "train_chars_per_token": 1.0, "validation_chars": 10}
    made = kind(**given, **masks, **rest, network={"folder": folder, **network})
    made.configure_model()
    return made


@pytest.fixture(scope="module")
def llama(tmp_path_factory: pytest.TempPathFactory) -> str:
    torch.manual_seed(0)
    return folder_of(LlamaForCausalLM(LlamaConfig(**LLAMA)), tmp_path_factory.mktemp("llama"))


def test_the_network_starts_with_the_weights_of_the_folder(llama: str) -> None:
    theirs = AutoModelForCausalLM.from_pretrained(llama).eval()
    ids = torch.arange(2, 14)[None]
    with torch.no_grad():
        assert (module(llama).network.eval()(input_ids=ids).logits - theirs(input_ids=ids).logits).abs().max() == 0.0


@pytest.mark.parametrize("tied", [True, False])
def test_rows_for_new_tokens_are_the_mean_of_the_old(tmp_path: Path, tied: bool) -> None:
    torch.manual_seed(0)
    folder = folder_of(LlamaForCausalLM(LlamaConfig(**LLAMA, tie_word_embeddings=tied)), tmp_path)
    with pytest.raises(ConfigError, match=r"knows 60 tokens, the blocks use 63; .*extend_vocabulary"):
        module(folder, vocab_size=63)
    before, after = module(folder).network, module(folder, vocab_size=63, extend_vocabulary=True).network
    for name in ("get_input_embeddings", "get_output_embeddings"):
        old, new = getattr(before, name)().weight, getattr(after, name)().weight
        assert torch.equal(new[:ROWS], old)
        assert torch.allclose(new[ROWS:], old.mean(0).expand(3, -1), atol=1e-7)
    assert after.config.vocab_size == 63
    ids = torch.arange(2, 14)[None]
    with torch.no_grad():
        found = after.eval()(input_ids=ids).logits[..., :ROWS]
        assert torch.allclose(found, before.eval()(input_ids=ids).logits, atol=1e-6), "what it knew it still knows"


def test_a_masked_model_gets_rows_and_biases(tmp_path: Path) -> None:
    folder = folder_of(BertForMaskedLM(BertConfig(**BERT)), tmp_path)
    made = module(folder, MaskedLanguageModel, vocab_size=62, extend_vocabulary=True)
    assert made.network.get_output_embeddings().bias.shape == (62,)
    assert made.config.vocab_size == 62


def test_gpt2_keeps_documents_apart_too(tmp_path: Path) -> None:
    config = GPT2Config(vocab_size=ROWS, n_positions=64, n_embd=32, n_layer=2, n_head=2, bos_token_id=0, eos_token_id=0)
    made = module(folder_of(built(config, "causal"), tmp_path))
    assert made.cost.parameters == sum(p.numel() for p in made.network.parameters())
    assert made.cost.flops_per_token == 6 * (2 * 12 * 32 * 32 + 32 * ROWS) + 6 * 2 * 32 * 16


def test_a_model_that_counts_positions_otherwise_is_refused(tmp_path: Path) -> None:
    """RoBERTa's first position is 2: positions from 0 on would be other ones than it has learnt."""
    folder = folder_of(RobertaForMaskedLM(RobertaConfig(**BERT)), tmp_path)
    with pytest.raises(ConfigError, match="roberta"):
        module(folder, MaskedLanguageModel)


def test_pickled_weights_are_never_read(llama: str, tmp_path: Path) -> None:
    LlamaConfig(**LLAMA, architectures=["LlamaForCausalLM"]).save_pretrained(tmp_path)
    torch.save(AutoModelForCausalLM.from_pretrained(llama).state_dict(), tmp_path / "pytorch_model.bin")
    with pytest.raises(ConfigError, match=r"no \*\.safetensors there"):
        module(str(tmp_path))


def test_what_cannot_be_continued_is_said(llama: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"64 positions, the blocks 128 tokens; set encode.block_tokens to 64"):
        module(llama, block_tokens=128)
    headless = folder_of(LlamaModel(LlamaConfig(**LLAMA)), tmp_path / "headless")
    with pytest.raises(ConfigError, match="weights are not there, lm_head"):
        module(headless)
    lacking = folder_of(LlamaForCausalLM(LlamaConfig(**LLAMA)), tmp_path / "lacking")
    LlamaConfig(**{**LLAMA, "num_hidden_layers": 3}, architectures=["LlamaForCausalLM"]).save_pretrained(lacking)
    with pytest.raises(ConfigError, match=r"\d+ weights are not there, .*layers.2"):
        module(lacking)
    (tmp_path / "config.json").write_text(
        '{"architectures": ["EvilForCausalLM"], "model_type": "surely_unknown", "auto_map": {"AutoConfig": "evil.Config"}}'
    )
    with pytest.raises(ConfigError, match="not known here"):
        module(str(tmp_path))


def test_a_run_goes_on_from_the_export_of_another(trained: Trained, corpus: Any, tmp_path: Path) -> None:
    start = trained.folder / "export"
    run = write_run(
        corpus, tmp_path / "run", model={"folder": str(start)}, duration="6 steps", optimizer={"learning_rate": 1e-3}
    )
    assert call("fit", "--config", str(run)).code == 0
    first = (run.parent / "metrics.csv").read_text(encoding="utf-8").splitlines()[1].split(",")[1]
    last = (trained.folder / "metrics.csv").read_text(encoding="utf-8").splitlines()[-1].split(",")[1]
    assert float(first) == pytest.approx(float(last), abs=0.4), "it starts where the other ended"
    loaded = AutoModelForCausalLM.from_pretrained(run.parent / "export")
    assert (loaded.config.eos_token_id, loaded.config.pad_token_id) == (0, 1)
