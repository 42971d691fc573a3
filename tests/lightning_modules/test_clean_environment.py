"""An exported folder where nothing of ours is: only torch, transformers and safetensors.

ZILIU_PEER_TRANSFORMERS names the python of such an environment; without it these tests skip.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from data_contracts.network import NetworkConfig
from lightning_modules.architectures import ARCHITECTURES, Tokens, built, hugging_face_config
from lightning_modules.onnx_file import pretrained
from tests.lightning_modules.tiny_runs import Trained

PYTHON = os.environ.get("ZILIU_PEER_TRANSFORMERS", "")
pytestmark = pytest.mark.skipif(not PYTHON, reason="ZILIU_PEER_TRANSFORMERS names no python")
PROGRAM = """
import importlib.metadata, json, sys
import torch, transformers
from safetensors.torch import load_file, save_file

torch.set_num_threads(1)
folder, given = sys.argv[1:3]
config = transformers.AutoConfig.from_pretrained(folder)
network = getattr(transformers, config.architectures[0]).from_pretrained(folder).eval()
with torch.no_grad():
    save_file({"logits": network(input_ids=load_file(given)["ids"]).logits}, given + ".logits")
told = {"packages": sorted(d.metadata["Name"].lower() for d in importlib.metadata.distributions())}
if len(sys.argv) > 3:
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    told["ids"] = tokenizer(sys.argv[3], add_special_tokens=False)["input_ids"]
    told["text"] = tokenizer.decode(network.generate(torch.tensor([[0, *told["ids"]]]), max_new_tokens=4)[0])
print(json.dumps(told))
"""


def run(folder: Path, ids: torch.Tensor, scratch: Path, *text: str) -> tuple[torch.Tensor, dict]:
    from safetensors.torch import load_file

    save_file({"ids": ids}, scratch / "given")
    command = [PYTHON, "-c", PROGRAM, str(folder), str(scratch / "given"), *text]
    clean = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
    done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=scratch, env=clean)
    return load_file(scratch / "given.logits")["logits"], json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize("architecture", sorted(ARCHITECTURES))
def test_every_architecture_gives_equal_logits(architecture: str, tmp_path: Path) -> None:
    cfg = NetworkConfig(architecture=architecture, layers=3, heads=2, width=32)  # type: ignore[arg-type]
    built(hugging_face_config(cfg, Tokens(330, 0, 1, 48)), cfg.objective).save_pretrained(tmp_path / "m")
    ids = torch.randint(0, 330, (3, 40))
    theirs, told = run(tmp_path / "m", ids, tmp_path)
    assert {"transformers", "torch"} <= set(told["packages"])
    assert not {"ziliu", "lightning", "polars", "prefect"} & set(told["packages"])
    with torch.no_grad():
        assert (pretrained(tmp_path / "m")(input_ids=ids).logits - theirs).abs().max() == 0.0


def test_a_trained_model_and_its_tokenizer(trained: Trained, tmp_path: Path) -> None:
    from tokenizers import Tokenizer

    ids = torch.randint(0, 300, (2, 30))
    theirs, told = run(trained.folder / "export", ids, tmp_path, "春眠不觉晓")
    with torch.no_grad():
        assert (pretrained(trained.folder / "export")(input_ids=ids).logits - theirs).abs().max() == 0.0
    assert (
        told["ids"] == Tokenizer.from_file(str(trained.folder / "export" / "tokenizer.json")).encode("春眠不觉晓").ids
    )
    assert "春眠不觉晓" in told["text"]
