"""较量 contest: several models that were asked the same things -> who is better, by how much and how sure.

    contest(entrants, reference=0)     figures of every model, and the difference of each to the reference

Compared is only what all were asked: the same held-out texts, the same pairs and questions, by digests of their text
and never by their names. A model that shares nothing with the reference is refused; where it shares a part, the figures
of all are of that part, and the round says of how many.

Differences are those of the paired bootstrap (tasks/transforms/paired_bootstrap.py); the p-values of one table are
corrected together by Holm. Diversity, memory and speed are told side by side without one: they are single draws.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final, Literal, NamedTuple

import numpy as np
import polars as pl

from data_contracts.errors import ConfigError
from data_contracts.model import Model
from tasks.entrants import Entrant, Side, side
from tasks.transforms.paired_bootstrap import LEVEL, Floats, estimate, holm, resampled

RESAMPLES, SEED = 10_000, 1
TOO_FEW = 10  # documents or questions: fewer have too few different draws for a p-value to mean anything
BITS: Final = "bits_per_char"
PAIRS: Final = "minimal_pairs"
QUESTIONS: Final = "questions"
Measure = Literal["bits_per_char", "minimal_pairs", "questions"]
# The tables of a page: what stands in one is corrected together.
HEADLINE, SOURCES, GROUPS, BESIDE = "headline", "sources", "groups", "beside"


class Figure(Model):
    """A model's figure with its 95 % interval."""

    value: float
    low: float
    high: float


class Contrast(Model):
    """A model against the reference: its figure less the reference's. `p` is of no difference, `corrected` by Holm."""

    model: int
    difference: float
    low: float
    high: float
    p: float
    corrected: float


class Round(Model):
    """One measure, on what all models in it were asked."""

    table: Literal["headline", "sources", "groups", "beside"]
    measure: Measure
    name: str  # a source, a set, "SET · GROUP"; empty for all held-out documents
    units: int  # documents, pairs or questions that all were asked
    asked: tuple[int, ...]  # of each model, shared or not
    chars: int = 0
    chance: float | None = None
    figures: tuple[Figure | None, ...]  # by model; none where it was not asked
    contrasts: tuple[Contrast, ...]

    @property
    def too_few(self) -> bool:
        """Whether no p-value is told: those that stand here are 1."""
        return self.units < TOO_FEW

    @property
    def less_is_better(self) -> bool:
        """Bits are paid, answers are won."""
        return self.measure == BITS


class Contest(Model):
    """Models compared. `models[reference]` is what the others are held against."""

    models: tuple[Side, ...]
    reference: int
    rounds: tuple[Round, ...]
    left_out: tuple[str, ...] = ()  # what could not be compared, and why
    resamples: int
    seed: int

    def table(self, name: str) -> list[Round]:
        """The rounds of one table, in order."""
        return [one for one in self.rounds if one.table == name]


def contest(
    entrants: Sequence[Entrant],
    reference: int = 0,
    *,
    resamples: int = RESAMPLES,
    seed: int = SEED,
    beside: Mapping[str, Sequence[pl.DataFrame]] | None = None,
) -> Contest:
    """Compare models. ConfigError where one shares no held-out text with the reference.

    `beside` are other texts by name, with a frame like `Entrant.documents` for every model: rounds of their own.
    """
    lottery = Lottery(reference, resamples, seed)
    documents = [e.documents.unique("digest", keep="first", maintain_order=True) for e in entrants]
    strangers = [e.label for i, e in enumerate(entrants) if not shared(documents[i], documents[reference])]
    if strangers:
        raise ConfigError(
            f"{', '.join(strangers)}: no held-out text in common with {entrants[reference].label}; figures on "
            "different texts cannot be compared. Leave it out, or train both on corpora with common held-out documents"
        )
    found, notes = list(_bits(documents, lottery)), list[str]()
    for title, frames in (beside or {}).items():
        found.append(next(_bits(frames, lottery)).model_copy(update={"table": BESIDE, "name": title}))
    chances = {name: one.get("chance") for name, one in (entrants[reference].scores.get(QUESTIONS) or {}).items()}
    for measure in (PAIRS, QUESTIONS):
        answers = [e.outcomes.filter(pl.col("part") == measure) for e in entrants]
        for name in dict.fromkeys(name for each in answers for name in each["set"].unique(maintain_order=True)):
            own = [a.filter(pl.col("set") == name).unique("digest", keep="first", maintain_order=True) for a in answers]
            inside = [i for i, table in enumerate(own) if shared(table, own[reference])]
            notes += [
                f"{entrants[i].label}: {name}: 与参照没有共同的题目 no question in common with the reference"
                for i, table in enumerate(own)
                if table.height and i not in inside
            ]
            if len(inside) > 1:
                found += _answers(own, inside, measure, name, chances.get(name), lottery)
    return Contest(
        models=tuple(map(side, entrants)),
        reference=reference,
        rounds=tuple(_corrected(found)),
        left_out=tuple(notes),
        resamples=resamples,
        seed=seed,
    )


class Lottery(NamedTuple):
    """Against which model, and by which draws."""

    reference: int
    resamples: int
    seed: int

    def first(self, inside: Sequence[int]) -> list[int]:
        """The models inside, the reference first: what is common is named as the reference names it."""
        return [self.reference, *(i for i in inside if i != self.reference)]


def shared(table: pl.DataFrame, others: pl.DataFrame) -> bool:
    """Whether two models were asked about anything in common."""
    return bool(table["digest"].is_in(others["digest"].implode()).any())


def common(tables: Sequence[pl.DataFrame], keep: Sequence[str], value: str) -> pl.DataFrame:
    """Rows by `digest` that all tables have: columns `keep` of the first, and `value` of each as "0", "1", ..."""
    whole = tables[0].select("digest", *keep, pl.col(value).cast(pl.Float64).alias("0"))
    for number, table in enumerate(tables[1:], 1):
        other = table.select("digest", pl.col(value).cast(pl.Float64).alias(str(number)))
        whole = whole.join(other, "digest", how="inner", maintain_order="left")
    return whole


def _bits(documents: Sequence[pl.DataFrame], lottery: Lottery) -> Iterator[Round]:
    """Bits per character on the texts that all have, in all and by source."""
    order = lottery.first(range(len(documents)))
    both = common([documents[i] for i in order], ("source", "chars"), "bits")
    if both.is_empty():
        raise ConfigError(
            "no held-out text is common to all of these models, though each shares some with the reference; "
            "compare fewer at a time"
        )
    columns = [str(order.index(i)) for i in range(len(documents))]
    for name, part in _parts(both, "source"):
        amounts, weights = part.select(columns).to_numpy(), part["chars"].cast(pl.Float64).to_numpy()
        values = amounts.sum(axis=0) / max(1.0, weights.sum())
        drawn = resampled(amounts, weights, lottery.resamples, lottery.seed)
        spread = [estimate(v, d) for v, d in zip(values.tolist(), drawn.T, strict=True)]
        yield Round(
            table="sources" if name else "headline",
            measure=BITS,
            name=name,
            units=part.height,
            asked=tuple(d.height if not name else d.filter(pl.col("source") == name).height for d in documents),
            chars=int(weights.sum()),
            figures=tuple(Figure(value=e.value, low=e.low, high=e.high) for e in spread),
            contrasts=tuple(_contrasts(values, drawn, lottery.reference, range(len(documents)))),
        )


def _answers(
    own: list[pl.DataFrame], inside: list[int], measure: Measure, name: str, chance: float | None, lottery: Lottery
) -> Iterator[Round]:
    """Shares of right answers to one set, in all and by group, on the questions that all models inside have."""
    order = lottery.first(inside)
    both = common([own[i] for i in order], ("group",), "right")
    for group, part in _parts(both, "group"):
        right = part.select(str(order.index(i)) for i in inside).to_numpy()
        drawn = resampled(right, np.ones(part.height), lottery.resamples, lottery.seed)
        shares = {i: _wilson(int(right[:, column].sum()), part.height) for column, i in enumerate(inside)}
        yield Round(
            table="groups" if group else "headline",
            measure=measure,
            name=f"{name} · {group}" if group else name,
            units=part.height,
            asked=tuple(t.height if not group else t.filter(pl.col("group") == group).height for t in own),
            chance=0.5 if measure == PAIRS else None if group else chance,
            figures=tuple(shares.get(i) for i in range(len(own))),
            contrasts=tuple(_contrasts(right.mean(axis=0), drawn, lottery.reference, inside)),
        )


def _parts(both: pl.DataFrame, column: str) -> Iterator[tuple[str, pl.DataFrame]]:
    """All rows, then those of every value of a column by name, where it has several."""
    if both.height:
        yield "", both
    names = sorted(name for name in both[column].unique() if name)
    for name in names if len(names) > 1 else ():
        yield name, both.filter(pl.col(column) == name)


def _contrasts(values: Floats, drawn: Floats, reference: int, inside: Sequence[int]) -> Iterator[Contrast]:
    at = list(inside).index(reference)
    for column, model in enumerate(inside):
        if model != reference:
            e = estimate(float(values[column] - values[at]), drawn[:, column] - drawn[:, at])
            yield Contrast(model=model, difference=e.value, low=e.low, high=e.high, p=e.p, corrected=e.p)


def _corrected(rounds: list[Round]) -> Iterator[Round]:
    """The rounds with the p-values of every table corrected together."""
    told: dict[str, Iterator[float]] = {}
    for table in (HEADLINE, SOURCES, GROUPS, BESIDE):
        told[table] = iter(holm([c.p for r in rounds if r.table == table and not r.too_few for c in r.contrasts]))
    for one in rounds:
        sure = iter(lambda: 1.0, 0) if one.too_few else told[one.table]
        contrasts = [
            c.model_copy(update={"p": 1.0 if one.too_few else c.p, "corrected": next(sure)}) for c in one.contrasts
        ]
        yield one.model_copy(update={"contrasts": tuple(contrasts)})


def _wilson(right: int, count: int) -> Figure:
    """Wilson's interval of a share (Wilson 1927)."""
    from scipy.stats import binomtest

    low, high = binomtest(right, count).proportion_ci(LEVEL, method="wilson")
    return Figure(value=right / count, low=float(low), high=float(high))
