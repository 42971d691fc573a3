from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedModel

from data_contracts.errors import ConfigError
from data_contracts.network import NetworkConfig
from lightning_modules.architectures import Tokens, built, hugging_face_config
from lightning_modules.gguf_file import neighbours, split_name, write_gguf
from tasks.transforms.bpe import train
from tests.lightning_modules.tiny_runs import Trained, call, texts

gguf = pytest.importorskip("gguf", reason="the export extra is not installed")
TEXTS = ("春眠不觉晓，处处闻啼鸟。", "ABC 123\n　全角空格\n\n  x", "𠮷野家", "It's 2024, 第一条")


class Made(NamedTuple):
    model: Path
    network: PreTrainedModel
    folder: Path
    facts: dict[str, Any]


@pytest.fixture(scope="module", params=[("llama", None, True), ("llama", 2, False), ("qwen3", 2, True)], ids=str)
def made(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Made:
    """A random network with the vocab stage's own tokenizer, and two ids that no token has."""
    architecture, kv_heads, tie = request.param
    model, folder = tmp_path_factory.mktemp("model"), tmp_path_factory.mktemp("gguf")
    (model / "tokenizer.json").write_text(train(texts(100), 320, 1), encoding="utf-8")
    special = {"bos_token": "<|endoftext|>", "eos_token": "<|endoftext|>", "pad_token": "<|pad|>"}
    config = {**special, "tokenizer_class": "PreTrainedTokenizerFast"}
    (model / "tokenizer_config.json").write_text(json.dumps(config), encoding="utf-8")
    size = Tokenizer.from_file(str(model / "tokenizer.json")).get_vocab_size()
    shape = {"layers": 2, "heads": 4, "width": 64, "kv_heads": kv_heads, "tie_embeddings": tie}
    network_config = NetworkConfig(architecture=architecture, **shape)
    network = built(hugging_face_config(network_config, Tokens(size + 2, 0, 1, 48)), "causal").eval()
    with torch.no_grad():
        for vector in (p for p in network.parameters() if p.dim() == 1):
            vector.normal_(1.0, 0.2)  # norms of ones would hide a wrong name
    network.save_pretrained(model)
    return Made(model, network, folder, write_gguf(model, folder))


def test_transformers_reads_the_file_back_with_equal_logits(made: Made) -> None:
    """Its own reader undoes llama.cpp's names and order of rows, and was not written by us."""
    from transformers.modeling_gguf_pytorch_utils import load_gguf_checkpoint

    described = load_gguf_checkpoint(made.folder / "model.gguf")["config"]
    described = {k: v for k, v in described.items() if not k.startswith("_") and k != "model_type"}
    kind = type(made.network.config)
    read = built(kind(**{"head_dim": 16, **described}), "causal").eval()  # it takes no head width from a file
    tensors = load_gguf_checkpoint(made.folder / "model.gguf", return_tensors=True, model_to_load=read)["tensors"]
    missing, unexpected = read.load_state_dict(tensors, strict=False)
    assert (set(missing) <= {"lm_head.weight"}, unexpected) == (True, [])
    read.tie_weights()
    ids = torch.randint(0, 300, (2, 40), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        assert (read(ids).logits - made.network(ids).logits).abs().max() == 0.0
    for name in ("num_key_value_heads", "max_position_embeddings", "rms_norm_eps", "tie_word_embeddings", "vocab_size"):
        assert getattr(read.config, name) == pytest.approx(getattr(made.network.config, name)), name
    assert read.config.rope_parameters["rope_theta"] == made.network.config.rope_parameters["rope_theta"]


def test_its_tokenizer_reads_the_same_ids(made: Made) -> None:
    ours = Tokenizer.from_file(str(made.model / "tokenizer.json"))
    theirs = AutoTokenizer.from_pretrained(made.folder, gguf_file="model.gguf")
    for text in TEXTS:
        assert theirs(text, add_special_tokens=False)["input_ids"] == ours.encode(text).ids
    assert (theirs.bos_token_id, theirs.eos_token_id, theirs.pad_token_id) == (0, 0, 1)


def test_what_the_file_says_of_itself(made: Made) -> None:
    reader = gguf.GGUFReader(made.folder / "model.gguf")
    said = {name: field.contents() for name, field in reader.fields.items()}
    kind = made.network.config.model_type
    assert said["general.architecture"] == kind
    assert said[f"{kind}.context_length"] == 48
    assert said[f"{kind}.rope.dimension_count"] == said[f"{kind}.attention.key_length"] == 16
    assert said["tokenizer.ggml.pre"] == "qwen2"
    kinds = said["tokenizer.ggml.token_type"]
    assert kinds[:3] == [gguf.TokenType.CONTROL] * 2 + [gguf.TokenType.NORMAL]
    assert kinds[-2:] == [gguf.TokenType.UNUSED] * 2
    assert len(said["tokenizer.ggml.tokens"]) == made.network.config.vocab_size
    assert said["tokenizer.ggml.add_bos_token"] is True
    assert ("output.weight" in {t.name for t in reader.tensors}) is not made.network.config.tie_word_embeddings
    assert made.facts["parameters"] == made.network.num_parameters()


def test_rows_of_two_halves_become_neighbours() -> None:
    """One head of 6 rows: the pair (i, i + 3) of transformers is the pair (2 i, 2 i + 1) of llama.cpp."""
    rows = torch.arange(6)
    assert neighbours(rows, 1).tolist() == [0, 3, 1, 4, 2, 5]
    assert neighbours(torch.arange(8), 2).tolist() == [0, 2, 1, 3, 4, 6, 5, 7]


def test_a_run_is_exported_as_gguf(trained: Trained, tmp_path: Path) -> None:
    told = [
        call("export", str(trained.folder / "run.yaml"), str(tmp_path / n), "--gguf", str(tmp_path / f"{n}g"))
        for n in "ab"
    ]
    assert [t.code for t in told] == [0, 0]
    assert told[0].of("end")[0]["gguf"]["tensors"] == 20
    assert {p.name for p in (tmp_path / "ag").iterdir()} >= {"model.gguf", "tokenizer.json", "README.md"}
    assert (tmp_path / "ag" / "model.gguf").read_bytes() == (tmp_path / "bg" / "model.gguf").read_bytes()
    reader = gguf.GGUFReader(tmp_path / "ag" / "model.gguf")
    embeddings = next(t.data for t in reader.tensors if t.name == "token_embd.weight")
    network = AutoModelForCausalLM.from_pretrained(trained.folder / "export")
    assert np.array_equal(embeddings, network.get_input_embeddings().weight.detach().numpy())
    assert reader.fields["tokenizer.ggml.pre"].contents() == "gpt-2"


def test_a_network_that_has_no_gguf_form_is_refused(tmp_path: Path) -> None:
    cfg = NetworkConfig(architecture="bert", layers=1, heads=2, width=16)
    built(hugging_face_config(cfg, Tokens(330, 0, 1, 48)), "masked").save_pretrained(tmp_path / "bert")
    ended = call("convert", str(tmp_path / "bert"), "--gguf", str(tmp_path / "out"))
    assert ended.code == 2
    assert "no GGUF for a network of type bert; there is one for llama, qwen3" in ended.of("error")[0]["message"]
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"normalizer": {"type": "NFC"}}, "without a normaliser"),
        ({"model": {"type": "Unigram"}}, "only byte-level BPE"),
        ({"pre_tokenizer": {"type": "Whitespace"}}, "llama.cpp's name for its splitting is not known"),
        ({"pre_tokenizer": None}, "llama.cpp's name for its splitting is not known"),
    ],
)
def test_a_tokenizer_that_llama_cpp_cannot_be_told_of_is_refused(changes: dict[str, Any], told: str) -> None:
    described = {
        "model": {"type": "BPE"},
        "normalizer": None,
        "pre_tokenizer": {"type": "ByteLevel", "use_regex": True},
    }
    assert split_name(described) == "gpt-2"
    with pytest.raises(ConfigError, match=told):
        split_name({**described, **changes})


@pytest.mark.skipif(
    "ZILIU_PEER_LLAMA_CPP" not in os.environ, reason="ZILIU_PEER_LLAMA_CPP names no python with xllamacpp"
)
def test_llama_cpp_continues_as_transformers_does(made: Made) -> None:
    """The likeliest tokens after a text: llama.cpp itself reads the tokenizer, the tensors and the positions."""
    program = Path(__file__).with_name("llama_cpp_program.py")
    command = [os.environ["ZILIU_PEER_LLAMA_CPP"], str(program), str(made.folder / "model.gguf"), TEXTS[0], "12"]
    told = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()[-1])
    tokenizer = Tokenizer.from_file(str(made.model / "tokenizer.json"))
    prompt = [0, *tokenizer.encode(TEXTS[0]).ids]
    ids = torch.tensor([prompt])
    with torch.no_grad():
        chances = made.network(ids).logits[0, -1].log_softmax(-1)
        for _ in range(12):
            ids = torch.cat([ids, made.network(ids).logits[:, -1:].argmax(-1)], dim=1)
    assert told["usage"]["prompt_tokens"] == len(prompt)
    assert told["choices"][0]["text"] == tokenizer.decode(ids[0, len(prompt) :].tolist())
    first = told["choices"][0]["logprobs"]["content"][0]
    assert first["id"] == int(chances.argmax())
    assert first["logprob"] == pytest.approx(float(chances.max()), abs=1e-3)  # llama.cpp keeps keys and values in fp16
