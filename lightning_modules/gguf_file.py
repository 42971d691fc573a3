"""GGUF: a Hugging Face folder of a llama or qwen3 network -> one file that llama.cpp and what builds on it read.

    model.gguf   tensors in fp32 under llama.cpp's names, the tokenizer, and what the network must know of itself

llama.cpp's llama turns pairs of neighbours in rotary positions where transformers turns halves, so rows of the query
and key matrices change places (`convert_hf_to_gguf.py`, LlamaModel.permute); its qwen3 turns halves too. Nothing is
rounded: llama.cpp's own `llama-quantize` makes smaller files of this one. What was written is read back and compared.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedModel

from data_contracts.errors import ConfigError, StoreError

if TYPE_CHECKING:
    from gguf import GGUFWriter

NAME = "model.gguf"
SWAPPED = {"llama": True, "qwen3": False}  # model_type: whether rows of queries and keys change places
# llama.cpp knows how a tokenizer splits text by a name (`llama-vocab.cpp`). The expression of Qwen2 is that of the
# vocab stage; without one a byte-level tokenizer splits as GPT-2 does.
SPLITS = {
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+": "qwen2",
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+": "llama-bpe",
}


def write_gguf(model: Path, folder: Path) -> dict[str, Any]:
    """Write `folder`/model.gguf; how many tensors it holds, each equal to the network's.

    Args:
        model: a Hugging Face folder with its tokenizer.json.
        folder: an existing folder.

    Raises:
        ConfigError: the architecture, its rotary positions or its tokenizer have no counterpart here, or gguf is not
            installed.
        StoreError: what was read back is not what was written.
    """
    try:
        import gguf
    except ImportError as error:
        raise ConfigError("gguf is not installed: pip install '.[export]'") from error
    kind = AutoConfig.from_pretrained(model, local_files_only=True).model_type
    if kind not in SWAPPED:
        raise ConfigError(f"no GGUF for a network of type {kind}; there is one for {', '.join(SWAPPED)}")
    network = AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32, local_files_only=True)
    writer = gguf.GGUFWriter(folder / NAME, kind)
    _describe(writer, network.config)
    _add_tokenizer(writer, model, network.config.vocab_size)
    tensors = dict(gguf_tensors(network))
    for name, values in tensors.items():
        writer.add_tensor(name, values)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    _compare(folder / NAME, tensors)
    return {"tensors": len(tensors), "parameters": sum(int(t.size) for t in tensors.values())}


def gguf_tensors(network: PreTrainedModel) -> Iterator[tuple[str, NDArray[np.float32]]]:
    """Every tensor under llama.cpp's name, rows of queries and keys in its order; a tied output head is left out."""
    import gguf

    config = network.config
    kind = next(a for a, name in gguf.MODEL_ARCH_NAMES.items() if name == config.model_type)
    names = gguf.get_tensor_name_map(kind, config.num_hidden_layers)
    heads = {"q_proj": config.num_attention_heads, "k_proj": config.num_key_value_heads}
    for name, tensor in network.state_dict().items():
        if name == "lm_head.weight" and config.tie_word_embeddings:
            continue  # llama.cpp takes the embeddings where there is no output.weight
        new = names.get_name(name, try_suffixes=(".weight", ".bias"))
        if new is None:
            raise ConfigError(f"llama.cpp has no name for tensor {name} of a {config.model_type} network")
        of_head = next((count for part, count in heads.items() if f".{part}." in name), 0)
        swapped = of_head and SWAPPED[config.model_type]
        yield new, (neighbours(tensor, of_head) if swapped else tensor).contiguous().numpy()


def neighbours(weight: torch.Tensor, heads: int) -> torch.Tensor:
    """Rows (heads x 2 halves x h/2, ...) -> (heads x h/2 pairs x 2, ...): what stood h/2 apart stands side by side."""
    halves = weight.reshape(heads, 2, weight.shape[0] // heads // 2, *weight.shape[1:])
    return halves.swapaxes(1, 2).reshape(weight.shape)


def _describe(writer: GGUFWriter, config: Any) -> None:
    """What llama.cpp must know besides the tensors; no time, place or machine, so equal models give equal bytes."""
    import gguf

    rope = config.rope_parameters
    if rope.get("rope_type", "default") != "default":
        raise ConfigError(f"no GGUF for rotary positions of type {rope['rope_type']}; only the default ones")
    writer.add_name("ziliu")
    writer.add_file_type(gguf.LlamaFileType.ALL_F32)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_key_length(config.head_dim)
    writer.add_value_length(config.head_dim)
    writer.add_rope_dimension_count(config.head_dim)
    writer.add_rope_freq_base(float(rope["rope_theta"]))
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_vocab_size(config.vocab_size)


def _add_tokenizer(writer: GGUFWriter, model: Path, vocab_size: int) -> None:
    """Tokens, their kinds, merges, special ids and how text is split. Ids beyond the tokenizer's are unused."""
    import gguf

    described = json.loads((model / "tokenizer.json").read_text(encoding="utf-8"))
    tokenizer = Tokenizer.from_file(str(model / "tokenizer.json"))
    added = {token["id"]: token["special"] for token in described["added_tokens"]}
    tokens, kinds = [], []
    for number in range(vocab_size):
        token = tokenizer.id_to_token(number)
        tokens.append(token if token is not None else f"[UNUSED{number}]")
        usual = gguf.TokenType.NORMAL if token is not None else gguf.TokenType.UNUSED
        kinds.append({None: usual, True: gguf.TokenType.CONTROL, False: gguf.TokenType.USER_DEFINED}[added.get(number)])
    writer.add_tokenizer_model("gpt2")  # llama.cpp's name for byte-level BPE
    writer.add_tokenizer_pre(split_name(described))
    writer.add_token_list(tokens)
    writer.add_token_types(kinds)
    gguf.SpecialVocab(model, load_merges=True, n_vocab=vocab_size).add_to_gguf(writer, quiet=True)
    writer.add_add_bos_token(True)  # every document that was trained on begins with the separator
    writer.add_add_eos_token(False)
    writer.add_add_space_prefix(False)


def split_name(described: dict[str, Any]) -> str:
    """llama.cpp's name for how a tokenizer.json splits text; ConfigError where it has none that is known here."""
    if described["model"]["type"] != "BPE" or described["normalizer"]:
        raise ConfigError("no GGUF for this tokenizer: only byte-level BPE without a normaliser")
    outer = described["pre_tokenizer"] or {}
    steps = outer.get("pretokenizers", [outer])
    if len(steps) == 1 and steps[0].get("type") == "ByteLevel" and steps[0]["use_regex"]:
        return "gpt-2"
    pattern = steps[0].get("pattern", {}).get("Regex", "")
    if pattern not in SPLITS or steps[-1].get("type") != "ByteLevel":
        raise ConfigError(
            f"no GGUF for this tokenizer: llama.cpp's name for its splitting is not known here: {pattern}"
        )
    return SPLITS[pattern]


def _compare(path: Path, written: dict[str, NDArray[np.float32]]) -> None:
    import gguf

    read = {tensor.name: tensor.data for tensor in gguf.GGUFReader(path).tensors}
    wrong = sorted(read.keys() ^ written.keys())
    wrong += [n for n, values in written.items() if n in read and not np.array_equal(read[n], values)]
    if wrong:
        raise StoreError(f"{path}: read back, these tensors differ from the network's: {', '.join(wrong)}")
