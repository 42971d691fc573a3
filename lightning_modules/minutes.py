"""分钟 minutes: how many optimizer steps fit into a duration in minutes, decided once per run.

A schedule needs to know its last step, and a run that resumes must not change it. So the first start times a few real
micro-batches, writes the answer to RUN/plan.json, and every later start reads it. Validation, checkpoints and other
programs on the machine come on top of the minutes.
"""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import torch
from torch.nn import functional
from transformers import LlamaForCausalLM

from data_contracts.errors import TrainingError
from data_contracts.training import CausalModelConfig
from lightning_modules.causal_language_model import llama_config
from lightning_modules.checkpointing import write_durably
from lightning_modules.events import emit

PLAN = "plan.json"
TIMED = 3
WAIT_SECONDS = 600.0


def planned_steps(config: Any, device: torch.device) -> int:
    """max_steps of the run: from plan.json, or measured now by the first rank while the others wait for the file."""
    path = Path(config.run.folder) / PLAN
    if os.environ.get("RANK", "0") == "0" and not path.exists():
        micro = _micro_batch_seconds(config, device)
        steps = max(1, int(config.run.minutes * 60 / (micro * config.trainer.accumulate_grad_batches)))
        path.parent.mkdir(parents=True, exist_ok=True)
        write_durably(path, json.dumps({"max_steps": steps, "micro_batch_seconds": micro}))
        emit("plan", minutes=config.run.minutes, max_steps=steps, micro_batch_seconds=micro)
    deadline = time.monotonic() + WAIT_SECONDS
    while not path.exists():
        if time.monotonic() > deadline:
            raise TrainingError(f"{path} did not appear in {WAIT_SECONDS:.0f} s; see the log of rank 0")
        time.sleep(0.2)
    return int(json.loads(path.read_text(encoding="utf-8"))["max_steps"])


def _micro_batch_seconds(config: Any, device: torch.device) -> float:
    model, data = config.model.init_args, config.data.init_args
    with torch.random.fork_rng():
        cfg = llama_config(CausalModelConfig(**model.network), model.vocab_size, model.separator_id, model.block_tokens)
        network = LlamaForCausalLM(cfg).to(device)
        tokens = torch.randint(model.vocab_size, (data.blocks_per_device, model.block_tokens), device=device)
        best = float("inf")
        for _ in range(1 + TIMED):
            start = time.perf_counter()
            logits = network(input_ids=tokens, use_cache=False).logits.float()
            functional.cross_entropy(logits.flatten(0, 1), tokens.flatten()).backward()
            if device.type == "cuda":
                torch.cuda.synchronize(device)
            best = min(best, time.perf_counter() - start)
    return best
