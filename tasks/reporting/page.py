"""网页 the page: facts -> one HTML file that holds everything it shows. No script, no remote address."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import cache
from itertools import groupby
from pathlib import Path
from typing import Any

import yaml
from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template
from markupsafe import Markup

from data_contracts.reasons import REASONS, sentence
from data_contracts.units import human
from data_contracts.verdict import RuleResult, shown
from tasks.reporting.chart import svg
from tasks.reporting.facts import Decontaminated, Facts, Refused
from tasks.reporting.pictures import pictures
from tasks.reporting.road import road
from tasks.reporting.score_pictures import BASELINES

FOLDER = Path(__file__).parent
STATES = {"made": "新做 made", "cached": "已缓存 Cached", "earlier": "先前 earlier"}
# Rules of these kinds go without saying while they hold; the page counts them.
QUIET = (".required", ".pattern", ".minLength", ".maxLength", ".minimum", ".maximum", "schema.columns")
FIGURES = {
    "parameters": "参数 parameters",
    "flops_per_token": "每词元浮点运算 FLOPs per token",
    "steps": "步 steps",
    "ended": "结束于 ended",
    "tokens": "词元 tokens",
    "tokens_per_second": "词元/秒 tokens/s",
    "peak_share": "矩阵乘法峰值占比 share of matmul peak",
    "chosen": "所取检查点 checkpoint taken",
    "skipped_steps": "跳过的尖峰步 spikes that were skipped",
    "blocks_per_device": "微批, 块 blocks of a micro-batch",
    "estimated_memory_bytes": "估计内存, 字节 memory as estimated, bytes",
    "peak_memory_bytes": "实测内存峰值, 字节, 含程序库 memory at most, bytes, libraries included",
    "train_loss": "训练损失 training loss",
    "validation_loss": "验证损失 validation loss",
    "validation_bits_per_char": "验证集每字比特数 bits per character",
}


def page(facts: Facts) -> str:
    """The report as HTML."""
    drawn = {name: Markup(svg(chart)) for name, chart in pictures(facts).items()}

    def plate(name: str, caption: str = "", label: str = "") -> Markup:
        below = Markup("<figcaption>{}</figcaption>").format(caption) if caption else ""
        return Markup('<figure role="img" aria-label="{}">{}{}</figure>').format(caption or label, drawn[name], below)

    return template().render(
        f=facts,
        when=when(facts.started_at),
        headline=headline(facts),
        pictures=drawn,
        plate=plate,
        told=told(facts),
        states=STATES,
        quiet=QUIET,
        shown=shown,
        figures=figures(facts),
        baselines={name: label.split()[-1] for name, label in BASELINES.items()},
        refused=grouped(facts),
        road=Markup(road(facts.lineage)),
        config=yaml.safe_dump(facts.config, allow_unicode=True, sort_keys=False),
    )


@cache
def template(name: str = "page.html") -> Template:
    """A page of this folder, in the frame of all pages, with the filters that they use."""
    rooms = Environment(loader=FileSystemLoader(FOLDER), autoescape=True, undefined=StrictUndefined)
    rooms.globals["style"] = Markup((FOLDER / "style.css").read_text(encoding="utf-8"))
    rooms.filters["count"] = lambda n: f"{n:,}"
    rooms.filters["human"] = human
    rooms.tests["quiet_and_good"] = _quiet_and_good
    return rooms.get_template(name)


def _quiet_and_good(result: RuleResult) -> bool:
    return result.passed and not result.found and result.rule.endswith(QUIET)


def when(started_at: str) -> str:
    """`2026-05-02 02:30 北京时间`; the raw text when it is no time."""
    try:
        there = datetime.fromisoformat(started_at) + timedelta(hours=8)
    except ValueError:
        return started_at
    return f"{there:%Y-%m-%d %H:%M} 北京时间 (UTC+8)"


def headline(facts: Facts) -> list[tuple[str, str, str]]:
    """The run's most important figures: label, value, note."""
    found: list[tuple[str, str, str]] = []
    documents = [s for s in facts.stages if s.is_documents]
    if documents:
        last = documents[-1]
        entered = max(s.rows_in for s in documents)
        found.append(("语料文档 documents", f"{last.kept:,}", f"/ {entered:,} 进入 in"))
        found.append(("语料字数 characters", human(last.chars), "字"))
    seconds = sum(s.seconds or 0 for s in facts.stages)
    found.append(
        (
            "用时 time",
            f"{seconds:,.0f}" if seconds < 600 else f"{seconds / 60:,.0f}",
            "秒 s" if seconds < 600 else "分 min",
        )
    )
    figures = facts.training.figures if facts.training else {}
    parameters = figures.get("parameters") or (facts.scores.parameters if facts.scores else None)
    for value, label in ((parameters, "参数 parameters"), (figures.get("tokens"), "训练词元 tokens")):
        if isinstance(value, int | float):
            found.append((label, human(value), ""))
    if facts.scores and facts.scores.bits_per_char is not None and not facts.verdict:
        found.append(("每字比特数 bits per character", f"{facts.scores.bits_per_char:.3f}", ""))
    return found


def told(facts: Facts) -> dict[str, str]:
    """One sentence for each part that has something to say."""
    said = {"funnel": "", "duplicates": "", "decontaminated": "", "scores": "", "remembered": ""}
    documents = [s for s in facts.stages if s.is_documents]
    if documents:
        lost = sum(s.quarantined for s in documents)
        most = max(documents, key=lambda s: s.quarantined)
        said["funnel"] = f"最后留下 {documents[-1].kept:,} 篇, 一路隔离 {lost:,} 行"
        if lost:
            reason, count = next(iter(most.reasons.items()))
            said["funnel"] += (
                f", 其中{most.title.split()[0]}最多 ({most.quarantined:,}), "
                f"首要原因是「{REASONS[reason].zh}」({count:,})"
            )
        said["funnel"] += f"。{documents[-1].kept:,} documents are left, {lost:,} rows were quarantined."
    if facts.duplicates:
        d = facts.duplicates
        said["duplicates"] = (
            f"{d.groups:,} 组重复; 去掉 {d.exact:,} 篇完全相同和 {d.near:,} 篇近似重复的文档, 每组留一篇。"
            f"{d.groups:,} groups: {d.exact:,} exact and {d.near:,} near copies went, one of each group stays."
        )
        if d.same_url:
            said["duplicates"] += f" 同一网址另去 {d.same_url:,} 篇。{d.same_url:,} more gave way to the same URL."
        if d.paragraphs:
            said["duplicates"] += (
                f" 删去 {d.paragraphs:,} 个重复段落。{d.paragraphs:,} repeated paragraphs were taken out."
            )
    if facts.decontaminated:
        said["decontaminated"] = _contamination(facts.decontaminated)
    said["scores"] = compared(facts)
    if facts.scores and facts.scores.remembered:
        said["remembered"] = _remembered(facts.scores.remembered)
    return said


def _remembered(found: dict[str, Any]) -> str:
    least, share = found["at_least"], found["share"]
    return (
        f"给出 {found['texts']:,} 篇训练文档的开头, 模型逐字背出至少 {least} 字的占 {share:.1%}, "
        f"最长 {found['longest']:,} 字。"
        f"Given the beginnings of {found['texts']:,} training documents, the model went on word for word for at least "
        f"{least} characters in {share:.1%} of them, {found['longest']:,} at most."
    )


def _contamination(d: Decontaminated) -> str:
    done = {
        "span": (
            f"剪去 {d.cut_chars:,} 字, 隔离 {d.refused:,} 篇",
            f"{d.cut_chars:,} characters were cut, {d.refused:,} went",
        ),
        "document": (f"隔离 {d.refused:,} 篇", f"{d.refused:,} went"),
        "none": ("按配置只报告", "they were only reported, as configured"),
    }
    zh, en = done[d.remove]
    found = sum(b.found for b in d.benchmarks)
    return (
        f"{d.documents:,} 篇文档含有测试集的 {found:,} 道题目; {zh}。"
        f"{d.documents:,} documents repeat {found:,} items of benchmarks; {en}."
    )


def compared(facts: Facts) -> str:
    """Whether the model beats its baselines, said plainly."""
    score = facts.scores
    if score is None or score.bits_per_char is None or not score.baselines:
        return ""
    best = min(score.baselines.values())
    numbers = "、".join(f"{name} {value:.3f}" for name, value in score.baselines.items())
    if score.bits_per_char < best:
        return f"每字 {score.bits_per_char:.3f} 比特, 优于全部基线 ({numbers})。The model beats every baseline."
    return f"每字 {score.bits_per_char:.3f} 比特, 没有优于全部基线 ({numbers})。The model does NOT beat every baseline."


def figures(facts: Facts) -> list[tuple[str, str]]:
    """The training's figures that people know by name."""
    given = facts.training.figures if facts.training else {}
    told = [(label, _plain(given[n])) for n, label in FIGURES.items() if isinstance(given.get(n), int | float | str)]
    data = [
        (f"数据 data {d['name']}", f"{d['share']:.1%} · {human(d['tokens'])} 词元 tokens · {d['epochs']:.2f} 遍 epochs")
        for d in given.get("data", [])
    ]
    sets = facts.training.sets if facts.training else ()
    held = [
        (
            f"验证 validation {name}",
            f"{loss:.4f}" + ("" if bits is None else f" · {bits:.4f} 比特/字 bits per character"),
        )
        for name, loss, bits in sets
    ]
    return told + data + held


def _plain(value: float | str) -> str:
    if isinstance(value, str):
        return value
    return f"{value:,}" if isinstance(value, int) else f"{value:,.4g}" if abs(value) < 1000 else f"{value:,.0f}"


def grouped(facts: Facts) -> list[tuple[str, str, str, int, list[Refused]]]:
    """Samples by stage and reason: stage, reason, sentence, rows of that reason in all, samples."""
    found = []
    for (stage, reason), rows in groupby(facts.refused, key=lambda r: (r.stage, r.reason)):
        own = facts.stage(stage)
        total = own.reasons.get(reason, 0) if own else 0
        found.append((stage, reason, sentence(reason), total, list(rows)))
    return found
