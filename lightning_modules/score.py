"""评分 score: an exported model in, bits per character, minimal pairs and samples out as one result JSON.

Everything is computed in fp32 and each thing once; the same model and config give the same result.
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM, PreTrainedModel
from transformers.utils.logging import disable_progress_bar

from data_contracts.errors import ConfigError, DatasetMissing
from data_contracts.score_file import ScoreConfig
from lightning_modules.checkpointing import write_durably
from lightning_modules.events import emit
from lightning_modules.minimal_pairs import score_pairs
from lightning_modules.precision import use_cores
from lightning_modules.sampling import TextSampler
from lightning_modules.stream_bits import score_streams


def load_exported(folder: str | Path) -> PreTrainedModel:
    """The network of an exported folder, fp32, in evaluation mode, on the GPU if there is one."""
    if not Path(folder, "model.safetensors").is_file():
        raise DatasetMissing(f"{folder} has no model.safetensors; export a checkpoint first")
    network = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, local_files_only=True)
    return network.to("cuda" if torch.cuda.is_available() else "cpu").eval()


def score(cfg: ScoreConfig) -> dict[str, Any]:
    """The result JSON as a dict: keys model, bits_per_char, minimal_pairs, samples, seconds.

    A part that was not asked for is null.
    """
    start = time.perf_counter()
    network = load_exported(cfg.model)
    separator_id, pad_id = int(network.config.eos_token_id), int(network.config.pad_token_id)
    sampler = TextSampler(network, cfg.model, separator_id)
    result: dict[str, Any] = {
        "model": {"parameters": network.num_parameters(), "context": network.config.max_position_embeddings},
        "bits_per_char": None,
        "minimal_pairs": None,
        "samples": None,
    }
    if cfg.streams:
        result["bits_per_char"] = score_streams(network, cfg, separator_id, pad_id)
    if cfg.minimal_pairs and cfg.max_pairs:
        result["minimal_pairs"] = score_pairs(network, sampler.tokenizer, Path(cfg.minimal_pairs), cfg, separator_id)
    if cfg.prompts:
        result["samples"] = [_sample(sampler, cfg, i) for i in range(len(cfg.prompts))]
    result["seconds"] = time.perf_counter() - start
    return result


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
