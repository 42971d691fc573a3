"""评测流程 assessment: a model in, its scores beside baselines out."""

from __future__ import annotations

from prefect import flow

from data_contracts.config import AssessmentConfig
from data_contracts.dataset import Dataset
from flows.reported import reported
from tasks.assess import assess
from tasks.store import find_input, publish


@flow(name="assessment", flow_run_name="assessment {cfg.name}")
def assessment(cfg: AssessmentConfig) -> Dataset:
    """评测 assessment: bits per character beside baselines, minimal pairs, samples."""
    with reported("assessment", cfg) as place:
        model = find_input(cfg.model, "model", place)  # a version, or the latest
        scores = assess(model, cfg.assess, place)  # 评测    model -> scores
        return publish(scores, "scores", place)
