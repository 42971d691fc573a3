"""A config that loads is one that a deployment accepts: Prefect's own check of the form, as the server makes it."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import pytest
from prefect.utilities.callables import parameter_schema
from prefect.utilities.schema_tools.hydration import HydrationContext, hydrate
from prefect.utilities.schema_tools.validation import validate

from data_contracts.comparison import ComparisonConfig
from data_contracts.config import (
    AssessmentConfig,
    ConversionConfig,
    CorpusConfig,
    EverythingConfig,
    PretrainingConfig,
    VectorsFlowConfig,
    VocabularyConfig,
)
from data_contracts.config_file import load
from data_contracts.model import Model
from data_contracts.training import PretrainConfig
from data_contracts.units import Duration

CONFIGS = sorted((Path(__file__).resolve().parents[2] / "deployments" / "configs").glob("*.yaml"))
FLOWS: dict[str, type[Model]] = {
    "assessment": AssessmentConfig,
    "conversion": ConversionConfig,
    "corpus": CorpusConfig,
    "everything": EverythingConfig,
    "pretraining": PretrainingConfig,
    "vectors": VectorsFlowConfig,
    "vocabulary": VocabularyConfig,
}


def faults(flow: str, cfg: dict[str, Any]) -> list[str]:
    function = getattr(importlib.import_module(f"flows.{flow}"), flow)
    schema = parameter_schema(function).model_dump_for_openapi()
    parameters = hydrate({"cfg": cfg}, HydrationContext(workspace_variables={}, render_jinja=False))
    found = validate(parameters, schema, raise_on_error=False, preprocess=True, ignore_required=False)
    return [error.message for error in found]


@pytest.mark.parametrize("flow", FLOWS)
@pytest.mark.parametrize("file", CONFIGS, ids=lambda file: file.stem)
def test_a_checked_config_is_accepted_by_the_form(file, flow):
    cfg = load(file)
    part = cfg if flow == "everything" else cfg.part(FLOWS[flow])
    assert faults(flow, part.model_dump(mode="json")) == []


def test_a_checked_comparison_is_accepted_by_the_form():
    cfg = load(CONFIGS[0])
    other = cfg.model_copy(update={"clean": cfg.clean.model_copy(update={"min_chars": 7})})
    both = ComparisonConfig(a=cfg, b=other, duration="20 minutes")
    assert faults("comparison", both.model_dump(mode="json")) == []
    assert faults("comparison", {**both.model_dump(mode="json"), "seeds": 0})


def test_a_duration_is_written_as_in_a_config_file():
    assert faults("pretraining", {"pretrain": {"duration": "1 epoch"}}) == []
    assert faults("pretraining", {"pretrain": {"duration": "soon"}})
    assert faults("pretraining", {"pretrain": {"duration": 7}})


def test_the_form_shows_the_default_as_it_is_written():
    shown = PretrainConfig.model_json_schema()["properties"]["duration"]["default"]
    assert Duration.parse(shown) == PretrainConfig().duration
