"""比较 compare: answers -> comparison. Models of two corpora on the texts that neither was trained on.

One file, comparison.json: the contest of all models (tasks/contest.py), the proof (tasks/proof.py), and what the exam
left out. Its figures are measures too. `write_page` makes the page of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import polars as pl

from data_contracts.comparison import CompareConfig
from data_contracts.dataset import Dataset, Shard
from data_contracts.model import Model
from tasks.contest import Contest, contest
from tasks.entrants import with_scores
from tasks.examine import ANSWERS
from tasks.hold_out import BOTH, NAMED, SIDES
from tasks.proof import Proof, noise, prove, sentences
from tasks.stage import stage
from tasks.store import Store
from tasks.work import Output, Work

COMPARISON = "comparison.json"


class Comparison(Model):
    """All that the page of two corpora shows."""

    contest: Contest
    proof: Proof
    notes: tuple[str, ...]


@stage(schema="comparison", libraries=("numpy", "polars", "scipy"))
def compare(
    models: Sequence[Dataset],
    scores: Sequence[Dataset],
    answers: Sequence[Dataset],
    exam: Dataset,
    cfg: CompareConfig,
    work: Work,
) -> Output:
    """比较 compare: answers -> comparison. Which corpus is better, by how much and how sure."""
    store, told = work.store, work.store.manifest(exam).measures
    decides = str(told["decides"])
    teams = [(team, seed) for team in cfg.names for seed in cfg.seeds]
    paid = [pl.read_parquet(store.path(store.checked(d).shards[0].files[ANSWERS])) for d in answers]
    by_side = {side: [p.filter(pl.col("side") == side) for p in paid] for side in (NAMED, BOTH, *SIDES)}
    entrants = [
        with_scores(store, store.manifest(model), store.checked(scored))._replace(
            label=team if len(cfg.seeds) == 1 else f"{team} #{seed}", team=team, documents=mine
        )
        for model, scored, (team, seed), mine in zip(models, scores, teams, by_side[decides], strict=True)
    ]
    titles = dict(zip(SIDES, (f"只有 {name} 留出 held out by {name} alone" for name in cfg.names), strict=True))
    titles |= {BOTH: "双方共同留出 held out by both"}
    beside = {titles[side]: by_side[side] for side in titles if side != decides and by_side[side][0].height}
    found = Comparison(
        contest=contest(entrants, resamples=cfg.resamples, beside=beside),
        proof=prove(by_side[decides], cfg, [float(e.measures["tokens"]) for e in entrants if "tokens" in e.measures]),
        notes=tuple(left_out(told)),
    )
    file = store.put_bytes(found.model_dump_json(indent=1).encode())
    zh, en = sentences(found.proof)
    measures = {**found.proof.model_dump(exclude={"names", "seeds", "figures", "tokens"}), "verdict": f"{zh} {en}"}
    return Output([Shard(content=file.sha256, files={COMPARISON: file})], measures)


def left_out(told: dict[str, object]) -> list[str]:
    """What became of held-out texts that are not in the exam."""
    why = {
        "trained": "留出的文档在另一方的训练集里 held-out documents that the other corpus trains on",
        "copied": "留出的文档在训练集里有近似副本 held-out documents with a near copy among training documents",
        "over": "超过考卷的字数上限 beyond the characters of the exam",
    }
    return [f"{text}: {told[key]:,}" for key, text in why.items() if told.get(key)]


def read(store: Store, made: Dataset) -> Comparison:
    """The comparison of a dataset."""
    [shard] = store.checked(made).shards
    return Comparison.model_validate_json(store.path(shard.files[COMPARISON]).read_bytes())


def write_page(store: Store, made: Dataset, settings: Sequence[tuple[str, str, str]], at: str) -> Path:
    """Write STORE/comparisons/VERSION.html; `settings` are lines of what differs between the configs."""
    from tasks.reporting.contest_page import Verdict, page  # drawing is slow to import

    found = read(store, made)
    zh, en = sentences(found.proof)
    html = page(
        found.contest,
        title=f"语料比较 corpora compared · {' · '.join(found.proof.names)}",
        at=at,
        verdict=Verdict(zh=zh, en=en, noise=noise(found.proof)),
        settings=settings,
        notes=found.notes,
    )
    name = f"comparisons/{made.version}.html"
    store.folder.replace(name, html.encode())
    return store.folder.path(name)
