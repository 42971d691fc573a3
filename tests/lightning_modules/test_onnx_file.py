from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import torch

from data_contracts.network import NetworkConfig
from lightning_modules import onnx_file
from lightning_modules.architectures import ARCHITECTURES, Tokens, built, hugging_face_config
from lightning_modules.onnx_file import pretrained, write_onnx
from tests.lightning_modules.tiny_runs import Trained, call

pytest.importorskip("onnxscript", reason="the export extra is not installed")
onnxruntime = pytest.importorskip("onnxruntime", reason="the export extra is not installed")
pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]  # torch's exporter takes 10 s, and minutes on a busy machine


def test_onnxruntime_computes_what_the_exported_model_does(trained: Trained, tmp_path: Path) -> None:
    ended = call("export", str(trained.folder / "run.yaml"), str(tmp_path / "hf"), "--onnx", str(tmp_path / "onnx"))
    assert ended.code == 0
    told = ended.of("end")[0]["onnx"]
    assert told["largest_difference"] <= told["tolerance"] == 1e-5
    assert {p.name for p in (tmp_path / "onnx").iterdir()} >= {"model.onnx", "config.json", "tokenizer.json"}
    session = onnxruntime.InferenceSession(str(tmp_path / "onnx" / "model.onnx"))
    assert [i.shape for i in session.get_inputs()] == [["batch", "length"]] * 2
    network = pretrained(tmp_path / "hf")
    for batch, length in ((1, 1), (5, 7), (2, 32), (1, 90)):  # 90: longer than any block that was trained on
        ids = torch.randint(0, network.config.vocab_size, (batch, length))
        given = {"input_ids": ids.numpy(), "attention_mask": np.ones((batch, length), np.int64)}
        with torch.no_grad():
            expected = network(ids).logits.numpy()
        assert np.abs(session.run(None, given)[0] - expected).max() <= 1e-5
    assert str(Path(torch.__file__).parent).encode() not in (tmp_path / "onnx" / "model.onnx").read_bytes()


@pytest.mark.parametrize("architecture", sorted(set(ARCHITECTURES) - {"llama"}))
def test_every_architecture_has_an_onnx_form(architecture: str, tmp_path: Path) -> None:
    shape = {"layers": 3, "heads": 2, "width": 32}
    cfg = NetworkConfig(architecture=architecture, **shape)  # type: ignore[arg-type]
    built(hugging_face_config(cfg, Tokens(330, 0, 1, 48)), cfg.objective).save_pretrained(tmp_path)
    told = write_onnx(tmp_path, tmp_path)
    assert 0 < told["largest_difference"] <= 1e-5


def test_a_difference_above_the_bound_is_refused_with_both(
    trained: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The bound is lowered, for an export that is wrong cannot be had."""
    monkeypatch.setattr(onnx_file, "TOLERANCE", 1e-12)
    ended = call("convert", str(trained.folder / "export"), "--onnx", str(tmp_path / "onnx"))
    assert ended.code == 6
    assert re.search(
        r"a logit differs by \d\S+e-0\d from the network's, allowed are 1e-12", ended.of("error")[0]["message"]
    )
    assert not (tmp_path / "onnx").exists()  # nothing is left under its name
