"""评测结果 assessed: an assessment's JSON -> what a report shows of it, read as far as it is there."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from tasks.reporting.facts import Asked, Compared, Generated, Pairs, Scores, SourceBits

MEASURES = {
    "distinct_1": "不同的字 distinct-1",
    "distinct_2": "不同的二字片段 distinct-2",
    "distinct_3": "不同的三字片段 distinct-3",
    "repeated_4": "重复的四字片段 repeated 4-grams",
    "self_bleu": "彼此相似 self-BLEU",
    "longest_repeat": "同一篇内最长的重复, 字 longest repeat, characters",
    "longest_repeat_mean": "平均每篇 mean of all",
}
SPEEDS = {
    "read_tokens_per_second": ("读入, 词元/秒 read, tokens/s", "{:,.0f}"),
    "written_tokens_per_second": ("生成, 词元/秒 written, tokens/s", "{:,.0f}"),
    "first_token_ms": ("首个词元, 毫秒 first token, ms", "{:,.1f}"),
    "token_ms": ("其后每个词元, 毫秒 each further token, ms", "{:,.1f}"),
    "peak_memory_bytes": ("内存峰值, MB peak memory", "{:,.0f}"),
}


def scores(raw: dict[str, Any], speed: dict[str, Any] | None = None) -> Scores:
    """An assessment's JSON and its speed; parts that are missing or null stay empty."""
    bits, beside = raw.get("bits_per_char"), _models(raw.get("baselines"))
    samples = [(str(s.get("prompt", "")), str(s.get("text", ""))) for s in raw.get("samples") or []]
    generated, told = raw.get("generated") or {}, raw.get("remembered") or {}
    return Scores(
        not_scored=raw.get("not_scored") or "",
        bits_per_char=_bits(bits),
        perplexity=bits.get("perplexity_per_token") if isinstance(bits, dict) else None,
        baselines={name: value for name, one in beside.items() if (value := _bits(one)) is not None},
        sources=tuple(_sources(bits, beside)),
        pairs=tuple(_all_pairs(raw.get("minimal_pairs") or {})),
        questions=tuple(_asked(name, one) for name, one in (raw.get("questions") or {}).items() if one.get("count")),
        harness=str((raw.get("lm_eval") or {}).get("version", "")),
        harness_tasks=tuple(_harness_tasks(raw.get("lm_eval") or {})),
        samples=tuple(Generated(prompt=prompt, text=text.removeprefix(prompt)) for prompt, text in samples),
        generated=tuple(_compared(generated)),
        copied=tuple((one["chars"], one["text"], one["doc_id"]) for one in generated.get("longest_runs", [])),
        remembered=told if told.get("texts") else {},
        speed={label: form.format(_speed(k, speed[k])) for k, (label, form) in SPEEDS.items() if speed and k in speed},
        machine=f"{speed['device']}, {speed['threads']} 线程 threads" if speed and "device" in speed else "",
        parameters=(raw.get("model") or {}).get("parameters"),
    )


def _speed(name: str, value: float) -> float:
    return value / 1e6 if name.endswith("bytes") else value


def _models(baselines: Any) -> dict[str, Any]:
    """The baselines by name; those of before they had sources are plain numbers."""
    found = baselines or {}
    return dict(found.get("models", found))


def _bits(value: Any) -> float | None:
    """Bits per character: a number, or inside an object."""
    inner = value.get("bits_per_char") if isinstance(value, dict) else value
    return float(inner) if isinstance(inner, int | float) and math.isfinite(inner) else None


def _sources(bits: Any, beside: dict[str, Any]) -> Iterator[SourceBits]:
    for name, one in (bits.get("by_source") or {}).items() if isinstance(bits, dict) else ():
        if (value := _bits(one)) is not None:
            by_source = {k: (v.get("by_source") or {}).get(name) for k, v in beside.items() if isinstance(v, dict)}
            yield SourceBits(
                source=name,
                bits_per_char=value,
                perplexity=one.get("perplexity_per_token"),
                chars=int(one.get("chars", 0)),
                baselines={k: v for k, v in by_source.items() if v is not None},
            )


def _all_pairs(found: dict[str, Any]) -> Iterator[Pairs]:
    """All pairs, every set where there are several, every phenomenon. Scores of before there were sets have none."""
    sets = found.get("sets") or {"": found}
    yield from _pairs("全部 all", found)
    for name, one in sets.items():
        prefix = f"{name} · " if len(sets) > 1 else ""
        if prefix:
            yield from _pairs(f"{name} 全部 all", one)
        for phenomenon, inner in (one.get("by_phenomenon") or {}).items():
            yield from _pairs(prefix + phenomenon, inner)


def _pairs(name: str, found: dict[str, Any]) -> Iterator[Pairs]:
    count = int(found.get("count") or found.get("pairs") or 0)
    if not count:
        return
    accuracy = float(found["accuracy"])
    low, high = found.get("interval") or (found["low"], found["high"])
    yield Pairs(phenomenon=name, pairs=count, accuracy=accuracy, low=low, high=high)


def _asked(name: str, one: dict[str, Any]) -> Asked:
    return Asked(
        name=name,
        questions=one["count"],
        accuracy=one["accuracy"],
        low=one["low"],
        high=one["high"],
        chance=one["chance"],
        by_tokens=one["by_tokens"]["accuracy"],
        by_sum=one["by_sum"]["accuracy"],
        cut=one.get("cut", 0),
        unscored=sum((one.get("unscored") or {}).values()),
    )


def _harness_tasks(found: dict[str, Any]) -> Iterator[tuple[str, int | None, dict[str, float]]]:
    for name, one in (found.get("tasks") or {}).items():
        yield name, one.get("items"), {k: v for k, v in one.items() if k != "items"}


def _compared(generated: dict[str, Any]) -> Iterator[Compared]:
    """Each measure of samples beside that of real text; shares as they are, lengths in characters."""
    if not generated:
        return
    model, real = generated["model"], generated["held_out"]
    for name, label in MEASURES.items():
        yield Compared(label=label, model=_plain(model.get(name)), held_out=_plain(real.get(name)))
    own, theirs = model["verbatim"], real["verbatim"]
    for key, label in (
        ("longest", "训练语料中最长的逐字重合, 字 longest verbatim run, characters"),
        ("median", "中位数 median of all"),
        ("share", f"重合达 {own['at_least']} 字的比例 share with a run of {own['at_least']}"),
    ):
        yield Compared(label=label, model=_plain(own[key]), held_out=_plain(theirs[key]))


def _plain(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:,}" if isinstance(value, int) else f"{value:.3f}"
