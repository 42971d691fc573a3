"""Training steps on demand: `python train_step.py KIND SPEC`, in the environment of that kind.

KIND is `ziliu`, `litgpt` or `nanogpt`, with `+compile` behind it for a compiled network; SPEC is JSON: layers, heads, width,
feed_forward, vocab_size, block_tokens, rows, threads, separator_every. Each line of standard input is a number of steps;
each answer is JSON with their wall and CPU seconds. Everyone trains a network of the same size on the same ids with its own loss, clipping
and choice of AdamW; only ziliu keeps documents apart.
"""

from __future__ import annotations

import importlib.util
import json
import os
import sys
import time
from collections.abc import Callable
from importlib import import_module
from typing import Any

import torch

Step = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]  # (B, T) inputs and targets -> loss
Made = tuple[torch.nn.Module, Step, torch.optim.Optimizer]


def ziliu(spec: dict[str, Any], compiled: bool) -> Made:
    """The training step of a run, without Lightning around it."""
    from data_contracts.network import NetworkConfig
    from data_contracts.optimizers import OptimizerConfig
    from lightning_modules.block_files import batch_of
    from lightning_modules.causal_language_model import CausalLanguageModel
    from lightning_modules.optimizers import optimizer_of

    shape = {
        "layers": spec["layers"],
        "heads": spec["heads"],
        "width": spec["width"],
        "ffn_width": spec["feed_forward"],
    }
    module = CausalLanguageModel(
        vocab_size=spec["vocab_size"],
        separator_id=0,
        pad_id=1,
        block_tokens=spec["block_tokens"],
        max_steps=1000,
        network=NetworkConfig(**shape).model_dump(),
        optimizer=OptimizerConfig().model_dump(),
        seed=0,
        train_chars_per_token=1.5,
        validation_chars=0,
        compile=compiled,
    )
    module.configure_model()

    def step(inputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        tokens = torch.cat([inputs, targets[:, -1:]], dim=1).numpy()
        loss = module.training_step(batch_of(tokens, 0, 1), 0)
        module.take_step_sums()
        return loss

    return module.network, step, optimizer_of(module.network, OptimizerConfig())


def litgpt(spec: dict[str, Any], compiled: bool) -> Made:
    """litgpt's own model with the shape of a llama, as `litgpt pretrain` trains it."""
    package = import_module("litgpt")
    config = package.Config(
        name="llama", block_size=spec["block_tokens"], vocab_size=spec["vocab_size"], padded_vocab_size=spec["vocab_size"],
        n_layer=spec["layers"], n_head=spec["heads"], n_query_groups=spec["heads"], n_embd=spec["width"],
        intermediate_size=spec["feed_forward"], rotary_percentage=1.0, parallel_residual=False, bias=False,
        norm_class_name="RMSNorm", mlp_class_name="LLaMAMLP",
    )  # fmt: skip
    network = package.GPT(config)
    called = torch.compile(network) if compiled else network
    cross_entropy = import_module("litgpt.utils").chunked_cross_entropy

    def step(inputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        return cross_entropy(called(inputs), targets, chunk_size=0)

    optimizer = torch.optim.AdamW(network.parameters(), lr=4e-4, weight_decay=0.1, betas=(0.9, 0.95))
    return network, step, optimizer


def nanogpt(spec: dict[str, Any], compiled: bool) -> Made:
    """nanoGPT's model.py, which is no package: ZILIU_PEER_NANOGPT_MODEL is its path."""
    found = importlib.util.spec_from_file_location("nanogpt_model", os.environ["ZILIU_PEER_NANOGPT_MODEL"])
    assert found is not None
    assert found.loader is not None
    model = importlib.util.module_from_spec(found)
    sys.modules["nanogpt_model"] = model
    found.loader.exec_module(model)
    shape = {"n_layer": spec["layers"], "n_head": spec["heads"], "n_embd": spec["width"]}
    config = model.GPTConfig(
        block_size=spec["block_tokens"], vocab_size=spec["vocab_size"], dropout=0.0, bias=False, **shape
    )
    network = model.GPT(config)
    called = torch.compile(network) if compiled else network
    return (
        network,
        lambda x, y: called(x, y.contiguous())[1],
        network.configure_optimizers(0.1, 6e-4, (0.9, 0.95), "cpu"),
    )


def main(kind: str, spec: dict[str, Any]) -> None:
    """Build, warm up, answer."""
    torch.set_num_threads(spec["threads"])
    torch.manual_seed(0)
    name, _, how = kind.partition("+")
    network, loss_of, optimizer = {"ziliu": ziliu, "litgpt": litgpt, "nanogpt": nanogpt}[name](spec, how == "compile")
    draw = torch.Generator().manual_seed(0)
    shape = (spec["rows"], spec["block_tokens"] + 1)

    def steps(count: int) -> dict[str, float]:
        start, cpu = time.perf_counter(), time.process_time()
        for _ in range(count):
            ids = torch.randint(2, spec["vocab_size"], shape, generator=draw)
            ids[:, :: spec["separator_every"]] = 0
            loss_of(ids[:, :-1], ids[:, 1:]).backward()
            torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimizer.step()
            optimizer.zero_grad()
        return {"seconds": time.perf_counter() - start, "cpu_seconds": time.process_time() - cpu}

    steps(2)
    told = {"parameters": sum(p.numel() for p in {id(p): p for p in network.parameters()}.values())}
    print(json.dumps({"ready": kind, "torch": torch.__version__, **told}), flush=True)
    for line in sys.stdin:
        print(json.dumps(steps(int(line))), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], json.loads(sys.argv[2]))
