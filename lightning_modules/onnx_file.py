"""ONNX: a Hugging Face folder -> model.onnx, for any number and length of texts, held to the network it came from.

    inputs   input_ids, attention_mask   (batch, length) int64; the mask is 1 for a token, 0 for padding after the text
    output   logits                      (batch, length, V) float32

Made by torch's exporter (torch.export, "dynamo"). onnxruntime then computes several shapes, with and without padding,
and an export whose logits are further from the network's than the tolerance is refused.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import torch
import transformers
from torch import nn
from transformers import AutoConfig, PreTrainedModel

from data_contracts.errors import ConfigError, TrainingError

NAME = "model.onnx"
TOLERANCE = 1e-5  # largest difference of a logit; fp32 rounding of another order of sums gives 1e-7 to 1e-6
PROTOBUF_BYTES = 1_900_000_000  # protobuf ends at 2 GiB; above, weights lie beside the graph in model.onnx.data


def pretrained(folder: Path) -> PreTrainedModel:
    """The network of a Hugging Face folder, by the class its config names, so with the head it was trained by."""
    kind = getattr(transformers, AutoConfig.from_pretrained(folder, local_files_only=True).architectures[0])
    network: PreTrainedModel = kind.from_pretrained(folder, dtype=torch.float32, local_files_only=True)
    return network.eval()


class Scores(nn.Module):
    """A network as a function of two tensors, without a cache of keys and values."""

    def __init__(self, network: PreTrainedModel) -> None:
        super().__init__()
        self.network = network
        self.options = {"use_cache": False} if getattr(network.config, "use_cache", None) is not None else {}

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        """(B, T) ids and mask -> (B, T, V) logits."""
        logits: torch.Tensor = self.network(input_ids=input_ids, attention_mask=attention_mask, **self.options).logits
        return logits


def write_onnx(model: Path, folder: Path) -> dict[str, Any]:
    """Write `folder`/model.onnx; the largest difference of a logit that onnxruntime computes, and the bound.

    Args:
        model: a Hugging Face folder of a causal or masked language model.
        folder: an existing folder.

    Raises:
        ConfigError: onnx, onnxscript or onnxruntime is not installed.
        TrainingError: the difference is above TOLERANCE; the message holds both.
    """
    try:
        import onnxruntime  # noqa: F401
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise ConfigError(f"{error.name} is not installed: pip install '.[export]'") from error
    network = pretrained(model)
    scores = Scores(network).eval()
    export(scores, folder / NAME)
    difference = largest_difference(scores, folder / NAME, int(network.config.max_position_embeddings))
    if not difference <= TOLERANCE:
        raise TrainingError(
            f"{NAME}: a logit differs by {difference:.3g} from the network's, allowed are {TOLERANCE:g}"
        )
    return {"largest_difference": difference, "tolerance": TOLERANCE}


def export(scores: Scores, path: Path) -> None:
    """Write the graph, without the source lines that torch notes in it: they hold paths of this machine."""
    example = sample(scores, 2, min(16, int(scores.network.config.max_position_embeddings)))
    axes = {0: "batch", 1: "length"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of torch.export and onnxscript, about their own insides
        program = torch.onnx.export(
            scores,
            (),
            kwargs=example,
            input_names=list(example),
            output_names=["logits"],
            dynamic_shapes=dict.fromkeys(example, axes),
            dynamo=True,
            verbose=False,
        )
    assert program is not None
    for graph in (program.model.graph, *program.model.functions.values()):
        for node in graph.all_nodes():
            node.metadata_props.clear()
            node.doc_string = None
    weights = sum(p.numel() * p.element_size() for p in scores.parameters())
    program.save(str(path), external_data=weights > PROTOBUF_BYTES)


def sample(scores: Scores, batch: int, length: int) -> dict[str, torch.Tensor]:
    """Ids drawn at random, always the same ones, the first of several texts padded from its half on."""
    draw = torch.Generator().manual_seed(length)
    ids = torch.randint(0, scores.network.config.vocab_size, (batch, length), generator=draw)
    mask = torch.ones_like(ids)
    if batch > 1:
        mask[0, (length + 1) // 2 :] = 0
    return {"input_ids": ids, "attention_mask": mask}


@torch.no_grad()
def largest_difference(scores: Scores, path: Path, longest: int) -> float:
    """Over texts of one token up to the longest, alone and together; what stands at padding does not count."""
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    worst = 0.0
    for batch, length in ((1, 1), (2, max(2, longest // 2)), (3, min(17, longest)), (1, longest)):
        given = sample(scores, batch, length)
        ours = scores(**given)
        theirs = torch.from_numpy(session.run(None, {n: t.numpy() for n, t in given.items()})[0])
        worst = max(worst, float((ours - theirs).abs()[given["attention_mask"].bool()].max()))
    return worst
