"""Every config that we ship loads, and every key that we write in prefect.yaml is one of a flow."""

from __future__ import annotations

import importlib
import os
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from data_contracts.config_file import load

ROOT = Path(__file__).resolve().parents[1]
CONFIGS = sorted((ROOT / "deployments" / "configs").glob("*.yaml"))
PREFECT = YAML(typ="safe", pure=True).load((ROOT / "deployments" / "prefect.yaml").read_text("utf-8"))


def test_there_are_configs_to_check():
    assert {"demo.yaml", "from_jsonl.yaml"} <= {file.name for file in CONFIGS}


@pytest.mark.parametrize("file", CONFIGS, ids=lambda file: file.name)
def test_every_shipped_config_loads(file):
    cfg = load(file)
    assert cfg.sources
    assert cfg.pretrain.tokens_per_step % cfg.encode.block_tokens == 0, "a step is a whole number of blocks"


def test_the_paths_of_examples_that_run_as_they_are_exist():
    for name in ("from_jsonl.yaml",):
        for source in load(ROOT / "deployments" / "configs" / name).files:
            assert Path(os.path.normpath(source.path)).exists(), source.path


@pytest.mark.parametrize("entry", PREFECT["deployments"], ids=lambda e: f"{e['entrypoint']}/{e['name']}")
def test_every_deployment_names_a_flow_and_gives_it_a_valid_cfg(entry):
    module, _, name = entry["entrypoint"].rpartition(".")
    assert "/" not in entry["entrypoint"]
    flow = getattr(importlib.import_module(module), name)
    cfg = flow.validate_parameters(entry["parameters"])["cfg"]
    assert cfg.name == entry["parameters"]["cfg"]["name"]
    assert entry["concurrency_limit"] == {"limit": 1, "collision_strategy": "ENQUEUE"}


def test_the_whole_road_runs_every_night():
    nightly = next(e for e in PREFECT["deployments"] if e["entrypoint"] == "flows.everything.everything")
    [schedule] = nightly["schedules"]
    assert (schedule["cron"], schedule["timezone"], schedule["active"]) == ("30 2 * * *", "Asia/Shanghai", True)
