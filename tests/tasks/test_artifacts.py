"""What the Prefect UI shows of a stage while it runs, read back through the Prefect API."""

from __future__ import annotations

import asyncio
import re

import pytest
from prefect import flow, task
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterFlowRunId, ArtifactFilterKey
from prefect.context import get_run_context

from data_contracts.config import Place
from data_contracts.mixture import MixtureConfig
from data_contracts.stages import EncodeConfig, SegmentConfig, VocabConfig
from data_contracts.training import PretrainConfig
from tasks import artifacts, progress
from tasks.encode import encode
from tasks.pretrain import pretrain
from tasks.segment import segment
from tasks.store import Store
from tasks.vocab import vocab
from tests.given_documents import deposit, documents, invented, split

ENCODE = EncodeConfig(block_tokens=32, validation_ratio=0.1, test_ratio=0.1)


def shown(run_id, key):
    """Progress artifacts of a flow run, by the API: percent and description of each."""

    async def read():
        async with get_client() as client:
            wanted = ArtifactFilter(
                flow_run_id=ArtifactFilterFlowRunId(any_=[run_id]), key=ArtifactFilterKey(any_=[key])
            )
            return await client.read_artifacts(artifact_filter=wanted)

    found = asyncio.run(read())
    assert {a.type for a in found} <= {"progress"}
    return [(float(a.data), a.description) for a in found]


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_stage_has_one_artifact_that_keeps_its_last_figures(prefect_harness, monkeypatch):
    monkeypatch.setattr(artifacts, "SECONDS_BETWEEN_UPDATES", 0.0)
    seen = []

    @task
    def works(run_id):
        with artifacts.shown("pretrain", "预训练 pretrain"):
            progress.report(progress.Step("pretrain", 0, 0))  # nothing known yet
            progress.report(progress.Step("pretrain", 3, 12, "loss 5.432 · 1,234 tokens/s"))
            progress.report(progress.Step("encode", 1, 2, "of another stage"))
            seen.append(shown(run_id, "pretrain-progress"))
            progress.report(progress.Step("pretrain", 9, 12, "loss 4.321 · 2,345 tokens/s"))
            progress.report(progress.Step("pretrain", 1, 1, finished=True))

    @flow
    def trains():
        run_id = get_run_context().flow_run.id
        works(run_id)
        return run_id

    run_id = trains()
    assert seen == [[(25.0, "预训练 pretrain loss 5.432 · 1,234 tokens/s")]]
    assert shown(run_id, "pretrain-progress") == [(100.0, "预训练 pretrain loss 4.321 · 2,345 tokens/s")]


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_training_shows_its_loss_and_its_speed(tmp_path, prefect_harness, monkeypatch):
    """The real task and the real training program."""
    monkeypatch.setattr(artifacts, "SECONDS_BETWEEN_UPDATES", 0.0)
    place = Place(store=str(tmp_path / "store"), workers=1)
    text, _ = segment.run(deposit(Store(place.store).open(), split(documents(invented()), 2)), SegmentConfig(), place)
    tokenizer, _ = vocab.run(text, VocabConfig(size=500), ENCODE.splits, place)
    blocks, _ = encode.run(text, tokenizer, ENCODE, MixtureConfig(), place)
    tiny = {"layers": 2, "heads": 2, "width": 32}
    cfg = PretrainConfig(
        model=tiny, duration="40 steps", tokens_per_step=256, blocks_per_device=4, precision="32", compile=False
    )

    @flow
    def trains():
        pretrain(blocks, cfg, place)
        return get_run_context().flow_run.id

    [(percent, told)] = shown(trains(), "pretrain-progress")
    assert percent == 100.0
    assert re.fullmatch(r"预训练 pretrain loss \d+\.\d{3} · [\d,]+ tokens/s", told), told
