"""评分 score: an exported model in, what it knows and how it writes out as one result JSON.

Everything is computed in fp32 and each thing once; the same model and config give the same result, but for `seconds`
and `speed`, which are of the machine. A masked model has no likelihood from left to right: nothing of this applies.
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedModel
from transformers.utils.logging import disable_progress_bar

from data_contracts.errors import ConfigError, DatasetMissing
from data_contracts.score_file import ScoreConfig
from lightning_modules.checkpointing import write_durably
from lightning_modules.events import emit
from lightning_modules.generation import continuations, free_samples
from lightning_modules.minimal_pairs import score_pairs
from lightning_modules.multiple_choice import score_questions
from lightning_modules.precision import use_cores
from lightning_modules.sampling import TextSampler
from lightning_modules.speed import measure_speed
from lightning_modules.stream_bits import score_streams

PARTS = ("bits_per_char", "minimal_pairs", "questions", "samples", "free_samples", "continuations", "speed")
MASKED = "掩码模型没有从左到右的似然 not scored: a masked model has no left-to-right likelihood"


def load_exported(folder: str | Path) -> PreTrainedModel:
    """The network of an exported folder, fp32, in evaluation mode, on the GPU if there is one."""
    if not Path(folder, "model.safetensors").is_file():
        raise DatasetMissing(f"{folder} has no model.safetensors; export a checkpoint first")
    network = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, local_files_only=True)
    return network.to("cuda" if torch.cuda.is_available() else "cpu").eval()


def score(cfg: ScoreConfig) -> dict[str, Any]:
    """The result JSON as a dict: model, not_scored (why not, or null), PARTS, seconds.

    A part that was not asked for is null.
    """
    start = time.perf_counter()
    result: dict[str, Any] = {"model": None, "not_scored": None, **dict.fromkeys(PARTS)}
    known = AutoConfig.from_pretrained(cfg.model, local_files_only=True)
    if any(name.endswith("ForMaskedLM") for name in known.architectures or []):
        result |= {"model": {"context": known.max_position_embeddings}, "not_scored": MASKED}
    else:
        result |= _parts(load_exported(cfg.model), cfg)
    return result | {"seconds": time.perf_counter() - start}


def _parts(network: PreTrainedModel, cfg: ScoreConfig) -> dict[str, Any]:
    separator_id, pad_id = int(network.config.eos_token_id), int(network.config.pad_token_id)
    sampler = TextSampler(network, cfg.model, separator_id)
    facts = {"parameters": network.num_parameters(), "context": network.config.max_position_embeddings}
    found: dict[str, Any] = {"model": facts}
    if cfg.speed:  # first: the peak of memory is then that of reading and writing
        found["speed"] = measure_speed(network)
    if cfg.streams:
        found["bits_per_char"] = score_streams(network, cfg, separator_id, pad_id)
    if cfg.pairs:
        found["minimal_pairs"] = score_pairs(network, sampler.tokenizer, cfg.pairs, separator_id)
    if cfg.questions:
        found["questions"] = score_questions(network, sampler.tokenizer, cfg.questions, separator_id, pad_id)
    if cfg.prompts:
        found["samples"] = [_sample(sampler, cfg, i) for i in range(len(cfg.prompts))]
    if cfg.free_samples:
        found["free_samples"] = free_samples(network, sampler.tokenizer, cfg, separator_id)
    if cfg.probes:
        found["continuations"] = continuations(network, sampler.tokenizer, cfg.probes, cfg, separator_id)
    return found


def _sample(sampler: TextSampler, cfg: ScoreConfig, number: int) -> dict[str, Any]:
    prompt, seed = cfg.prompts[number], cfg.seed + number
    text = sampler.continue_text(prompt, cfg.sample_tokens, temperature=cfg.temperature, top_p=cfg.top_p, seed=seed)
    emit("sample", prompt=prompt, text=text, done=number + 1, total=len(cfg.prompts))
    return {"prompt": prompt, "text": text, "seed": seed, "temperature": cfg.temperature, "top_p": cfg.top_p}


def score_file(path: Path) -> dict[str, Any]:
    """Read a score config, score, write its result file."""
    use_cores()
    disable_progress_bar()
    try:
        cfg = ScoreConfig.model_validate_json(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(f"score config {path}: {error}") from error
    result = score(cfg)
    Path(cfg.result).parent.mkdir(parents=True, exist_ok=True)
    write_durably(Path(cfg.result), json.dumps(result, ensure_ascii=False, indent=1))
    emit("end", result=cfg.result, seconds=result["seconds"])
    return result
