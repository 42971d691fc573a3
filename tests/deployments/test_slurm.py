"""The SLURM example: bash reads it, and every flag and setting in it is one that exists. SLURM itself is not here."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from data_contracts.config_file import load
from data_contracts.run_file import RENDEZVOUS
from deployments.cli import app

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "deployments" / "slurm" / "pretrain.sbatch"
TEXT = SCRIPT.read_text(encoding="utf-8")


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
def test_bash_reads_it() -> None:
    outer = subprocess.run(["bash", "-n", str(SCRIPT)], capture_output=True, text=True)
    inner = re.search(r"bash -c '(.*?)' ziliu", TEXT, re.DOTALL)
    assert inner
    assert "'" not in inner[1]
    read = subprocess.run(["bash", "-n"], input=inner[1], capture_output=True, text=True)
    assert (outer.returncode, outer.stderr, read.returncode, read.stderr) == (0, "", 0, "")


def test_its_settings_are_of_the_config_and_its_flags_of_the_launcher() -> None:
    from lightning_modules.launch import _parsed

    settings = re.findall(r'--set (pretrain\.\w+)=("?\$?\w+"?)', TEXT)
    assert {name for name, _ in settings} == {f"pretrain.{n}" for n in ("accelerator", "strategy", "devices", "nodes")}
    given = [f"{name}={value if value.isalpha() else 2}" for name, value in settings]
    cfg = load(ROOT / "deployments/configs/one_gpu.yaml", given).pretrain
    assert (cfg.accelerator, cfg.strategy, cfg.devices, cfg.nodes) == ("gpu", "fsdp", 2, 2)
    assert f"export FIRST {RENDEZVOUS}=" in TEXT
    assert "pretrain" in {command.callback.__name__ for command in app.registered_commands if command.callback}
    words = re.search(r"lightning_modules launch (.*?)\n'", TEXT.replace("\\\n", " "), re.DOTALL)
    assert words
    asked, program = _parsed(
        [re.sub(r'^"(.*)"$', r"\1", w).replace("$NODES", "2").replace("$DEVICES", "8") for w in words[1].split()]
    )
    assert (asked.nodes, asked.processes, asked.rendezvous) == (2, 8, "$ZILIU_RENDEZVOUS")
    assert program == ["fit", "--config", "$RUN"]
