"""参赛者 entrants: models of the store as they enter a comparison, with all that is known of them.

entrant(store, "model/demo")     a version, a channel, a run: the model and its newest scores
every(store)                     all models that have scores, oldest first
"""

from __future__ import annotations

from typing import Any, NamedTuple

import orjson
import polars as pl
from pydantic import Field

from data_contracts.dataset import Manifest
from data_contracts.errors import ConfigError, DatasetMissing
from data_contracts.model import Model
from data_contracts.units import human
from tasks import lineage
from tasks.assess import DOCUMENTS, OUTCOMES, SCORES
from tasks.reporting.curves import Points, learning
from tasks.store import Store

MODELS = ("pretrain", "checkpoint")
NO_OUTCOMES = pl.DataFrame(
    schema=dict.fromkeys(("part", "set", "group", "digest"), pl.String()) | {"right": pl.Boolean()}
)


class Entrant(NamedTuple):
    """A model as it enters: what it was asked and how it answered, and all else that is known of it."""

    label: str
    model: str  # pretrain/VERSION
    documents: pl.DataFrame  # source, bits, chars, digest
    outcomes: pl.DataFrame  # part, set, group, right, digest
    scores: dict[str, Any]  # scores.json
    measures: dict[str, Any]  # of the model's dataset, with those of its scores
    curves: dict[str, Points]  # train, validation
    unit: str  # of the losses in the curves: bits_per_char, or loss in nats per token
    corpus: str  # the dataset that it was trained on
    team: str = ""  # models that differ in their seed alone have the same


class Side(Model):
    """What a page tells of one model."""

    label: str
    model: str
    corpus: str = ""
    team: str = ""
    facts: dict[str, str] = Field(default_factory=dict)  # label -> as shown; an empty value where it is not known
    curves: dict[str, Points] = Field(default_factory=dict)
    unit: str = ""


def entrant(store: Store, wanted: str) -> Entrant:
    """A model and its newest scores. DatasetMissing without scores, ConfigError for scores that cannot be compared."""
    found = [m for m in lineage.find(store, wanted) if m.stage in MODELS]
    if not found:
        raise ConfigError(f"{wanted} is no model; name a version, a channel like model/NAME, or a run")
    model = found[-1]
    name = f"{model.stage}/{model.version}"
    scores = [m for m in store.datasets() if m.stage == "assess" and m.parents[:1] == [name]]
    if not scores:
        raise DatasetMissing(f"{name} has no scores yet; run `ziliu assess CONFIG` on it first")
    return with_scores(store, model, store.checked(scores[-1].handle))


def every(store: Store) -> list[Entrant]:
    """All models with scores that can be compared, oldest first; the others are left out."""
    manifests = store.datasets()
    newest = {m.parents[0]: m for m in manifests if m.stage == "assess" and m.parents}
    found = []
    for model in manifests:
        scores = newest.get(f"{model.stage}/{model.version}")
        if scores is not None and model.stage in MODELS and not why_not(store, scores):
            found.append(with_scores(store, model, scores))
    return found


def why_not(store: Store, scores: Manifest) -> str:
    """Why scores cannot be compared; empty when they can."""
    files = scores.shards[0].files
    if DOCUMENTS not in files:
        return str(scores.measures.get("not_scored", "no held-out document was scored"))
    if "digest" not in pl.read_parquet_schema(store.path(files[DOCUMENTS])):
        return "these scores do not say which texts they are about (made by an earlier version); assess the model again"
    return ""


def with_scores(store: Store, model: Manifest, scores: Manifest) -> Entrant:
    """A model with these of its scores. ConfigError for scores that cannot be compared."""
    fault = why_not(store, scores)
    name = f"{model.stage}/{model.version}"
    if fault:
        raise ConfigError(f"{name}: {fault}")
    files = scores.shards[0].files
    folder = store.folder.path(f"runs/{model.measures['run']}") if "run" in model.measures else None
    curves, unit = learning(folder) if folder else ({}, "")
    return Entrant(
        label=label(store, name),
        model=name,
        documents=pl.read_parquet(store.path(files[DOCUMENTS])),
        outcomes=pl.read_parquet(store.path(files[OUTCOMES])) if OUTCOMES in files else NO_OUTCOMES,
        scores=orjson.loads(store.path(files[SCORES]).read_bytes()),
        measures={**model.measures, **scores.measures},
        curves=curves,
        unit=unit,
        corpus=store.manifest(model.parents[0]).parents[0] if model.parents else "",
    )


def label(store: Store, model: str) -> str:
    """The project that published a model, and the beginning of its version."""
    version = model.partition("/")[2][:8]
    names = [c for c in store.channels() if c.startswith("model/")]
    owners = [c for c in names if any(entry["dataset"] == model for entry in store.history(c))]
    return f"{owners[0].removeprefix('model/')} {version}" if owners else version


def side(one: Entrant) -> Side:
    """What is told of a model without a test: how large, how long trained, how varied, what it copies, how fast."""
    given = one.measures
    speed, generated = given.get("speed") or {}, (one.scores.get("generated") or {}).get("model") or {}
    verbatim, remembered = generated.get("verbatim") or {}, one.scores.get("remembered") or {}
    least = verbatim.get("at_least") or remembered.get("at_least") or 30
    machine = f"{speed['device']} × {speed['threads']}" if "device" in speed else ""
    return Side(
        label=one.label,
        model=one.model,
        corpus=one.corpus,
        team=one.team or one.label,
        curves=one.curves,
        unit=one.unit,
        facts={
            "参数 parameters": _short(given.get("parameters")),
            "训练词元 training tokens": _short(given.get("tokens")),
            "训练遍数 epochs": _epochs(given.get("data")),
            "训练速度, 词元/秒 training tokens/s": _whole(given.get("tokens_per_second")),
            "不同的二字片段 distinct-2": _share(generated.get("distinct_2")),
            "重复的四字片段 repeated 4-grams": _share(generated.get("repeated_4")),
            "彼此相似 self-BLEU": _share(generated.get("self_bleu")),
            f"样本逐字重合达 {least} 字 samples that copy {least} characters": _share(verbatim.get("share")),
            f"背出训练文档达 {least} 字 training texts recalled": _share(remembered.get("share")),
            "读入, 词元/秒 read, tokens/s": _whole(speed.get("read_tokens_per_second")),
            "生成, 词元/秒 written, tokens/s": _whole(speed.get("written_tokens_per_second")),
            "内存峰值, MB peak memory": _whole(speed.get("peak_memory_bytes", 0) / 1e6 or None),
            "测速的机器, 线程 machine, threads": machine,
        },
    )


def _epochs(data: list[dict[str, Any]] | None) -> str:
    return f"{data[0]['epochs']:.2f}" if data else ""


def _short(value: float | None) -> str:
    return human(value) if isinstance(value, int | float) else ""


def _whole(value: float | None) -> str:
    return f"{value:,.0f}" if isinstance(value, int | float) else ""


def _share(value: float | None) -> str:
    return f"{value:.3f}" if isinstance(value, int | float) else ""
