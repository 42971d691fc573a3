"""画像 portrait: how the signals of a dataset are spread, what each rule of clean refuses, better thresholds.

    found = profile(store, "corpus/news", keep=0.95)
    found.refused        what every rule refuses, and refuses alone
    found.proposed       thresholds under which 95 % of the documents would be kept

A dataset of clean is judged by the signals that lie beside it, of all rows, kept and refused; mean_word_chars is known
only of rows that no other rule refused. Any other dataset of texts is measured here as clean would do it, a sample of
it chosen by document ids.
"""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from data_contracts.clean_profiles import ProfileName
from data_contracts.dataset import KEPT, SIGNALS, Manifest
from data_contracts.errors import DatasetMissing
from data_contracts.stages import CleanConfig
from tasks import clean, lineage
from tasks.store import Store
from tasks.transforms import thresholds
from tasks.transforms.thresholds import Share

SAMPLE_BYTES = 40_000_000  # of text that is measured here, about two seconds
SAMPLE_ROWS = 500_000  # rows of signals that are looked at
QUANTILES = (0.0, 0.01, 0.025, 0.05, 0.25, 0.5, 0.75, 0.95, 0.975, 0.99, 1.0)
CURVE = 101  # points of a quantile plot


@dataclass(frozen=True)
class Curve:
    """The quantiles of one signal and the thresholds that limit it."""

    signal: str
    values: tuple[float, ...]  # at CURVE equal steps from 0 to 1
    limits: dict[str, float]  # threshold -> value, as the config has it
    proposed: dict[str, float]


@dataclass(frozen=True)
class Profile:
    """What `ziliu profile` says about one dataset."""

    dataset: str
    rows: int  # rows that were looked at
    rows_in_all: int
    config: CleanConfig
    keep: float  # the wanted share
    kept: float  # share that the config keeps
    refused: list[Share]
    quantiles: pl.DataFrame  # signal, then one column a quantile
    curves: list[Curve]
    proposed: dict[str, float]
    kept_by_proposed: float


def profile(store: Store, wanted: str, keep: float = 0.95, name: ProfileName | None = None) -> Profile:
    """Profile the dataset that a version, channel, run or stage stands for; `name`: the profile to judge it by.

    DatasetMissing when there is no such dataset or it holds no texts.
    """
    manifest = find(store, wanted)
    cfg = config_of(manifest, name)
    signals, rows_in_all = _signals(store, manifest, cfg)
    if not signals.height:
        raise DatasetMissing(f"{manifest.stage}/{manifest.version} has no rows to look at")
    kept, refused = thresholds.shares(signals, cfg)
    better = thresholds.proposed(signals, cfg, keep)
    return Profile(
        dataset=f"{manifest.stage}/{manifest.version}",
        rows=signals.height,
        rows_in_all=rows_in_all,
        config=cfg,
        keep=keep,
        kept=kept,
        refused=refused,
        quantiles=_quantiles(signals, cfg),
        curves=_curves(signals, cfg, better),
        proposed=better,
        kept_by_proposed=thresholds.shares(signals, thresholds.with_thresholds(cfg, better))[0],
    )


def find(store: Store, wanted: str) -> Manifest:
    """The dataset of texts that a name stands for: the newest of a stage, or what `lineage.find` says."""
    of_stage = [m for m in store.datasets() if m.stage == wanted]
    found = of_stage or lineage.find(store, wanted)
    texts = [m for m in found if m.schema_label.startswith(("DOCUMENT", "SEGMENTED"))]
    if not texts:
        raise DatasetMissing(
            f"{wanted} holds no documents; a stage from extract to segment does: `ziliu show` lists them"
        )
    measured = [m for m in texts if _is_measured(m)]
    return (measured or texts)[-1]


def config_of(manifest: Manifest, name: ProfileName | None) -> CleanConfig:
    """The thresholds to judge by: the named profile's, else those that made the dataset, else the default."""
    if name is None and "CleanConfig" in manifest.config:
        return CleanConfig(**manifest.config["CleanConfig"])
    return CleanConfig(profile=name or "web")


def _is_measured(manifest: Manifest) -> bool:
    return manifest.stage == "clean" and any(SIGNALS in s.files for s in manifest.shards)


def _signals(store: Store, manifest: Manifest, cfg: CleanConfig) -> tuple[pl.DataFrame, int]:
    """The signals to look at, and the number of rows that they stand for."""
    name = f"{manifest.stage}/{manifest.version}"
    if _is_measured(manifest):
        rows = manifest.total("rows_in")
        return store.scan(name, SIGNALS).filter(_chosen(SAMPLE_ROWS / max(1, rows))).collect(), rows
    size = store.scan(name, KEPT).select(pl.col("text").str.len_bytes().sum()).collect(engine="streaming").item() or 1
    chosen = store.scan(name, KEPT).filter(_chosen(SAMPLE_BYTES / size))
    return clean.mark(chosen, cfg).collect().drop("text"), manifest.total("rows_kept")


def _chosen(share: float) -> pl.Expr:
    """A share of the rows by their document ids, which are hashes: the same rows every time."""
    if share >= 1:
        return pl.lit(True)
    return pl.col("doc_id").str.slice(0, 8).str.to_integer(base=16) < int(share * 16**8)


def _quantiles(signals: pl.DataFrame, cfg: CleanConfig) -> pl.DataFrame:
    names = dict.fromkeys(limit.signal for limit in thresholds.limits(cfg))
    rows = [[name, *(signals[name].cast(pl.Float64).quantile(q, "nearest") for q in QUANTILES)] for name in names]
    return pl.DataFrame(rows, schema=["signal", *(f"{100 * q:g}%" for q in QUANTILES)], orient="row")


def _curves(signals: pl.DataFrame, cfg: CleanConfig, better: dict[str, float]) -> list[Curve]:
    keys: dict[str, list[str]] = {}
    for limit in thresholds.limits(cfg):
        keys.setdefault(limit.signal, []).append(limit.key)
    curves = []
    for signal, limiting in keys.items():
        values = signals[signal].cast(pl.Float64).drop_nulls().sort()
        if len(values):
            steps = [round(i * (len(values) - 1) / (CURVE - 1)) for i in range(CURVE)]
            current = {key: float(getattr(cfg, key)) for key in limiting}
            curves.append(
                Curve(signal, tuple(values.gather(steps)), current, {k: better[k] for k in limiting if k in better})
            )
    return curves
