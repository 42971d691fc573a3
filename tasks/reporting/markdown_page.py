"""Markdown: facts -> the short report of the Prefect UI, pictures inside as PNG data URIs (file paths show broken)."""

from __future__ import annotations

from data_contracts.verdict import shown
from tasks.reporting.chart import can_draw_chinese, chinese, latin, png
from tasks.reporting.facts import Facts
from tasks.reporting.page import STATES, headline, told, when
from tasks.reporting.pictures import pictures

SHOWN = {
    "funnel": "文档去向 where documents went",
    "reasons": "隔离原因 why they were quarantined",
    "spread_chars": "正文长度 characters",
    "loss": "损失 loss",
    "bits": "每字比特数 bits per character",
}


def markdown(facts: Facts) -> str:
    """The report as Markdown. Each picture is at most about 100 KB; without a Chinese font their labels are English."""
    said = told(facts)
    parts = [f"# 字流 {facts.project} · {facts.flow}", f"{when(facts.started_at)} · `{facts.run}`"]
    if facts.failure:
        parts.append(f"**✗ 运行失败 run failed**\n\n```\n{facts.failure}\n```")
    parts += [facts.verdict, _verdicts(facts), _headline(facts), said["funnel"], _stages(facts), said["duplicates"]]
    parts += [said["decontaminated"], _benchmarks(facts)]
    drawn = pictures(facts, chinese if can_draw_chinese() else latin, only=SHOWN)
    parts += [f"### {title}\n\n![{title}]({png(drawn[name])})" for name, title in SHOWN.items() if name in drawn]
    parts += [said["scores"], _samples(facts)]
    return "\n\n".join(part for part in parts if part) + "\n"


def _verdicts(facts: Facts) -> str:
    lines = []
    for v in facts.verdicts:
        said = f"✓ {v.title} 合格 passed" if v.passed else f"**✗ {v.title} 不合格 FAILED**"
        lines.append(f"- {said} (`{v.dataset}`)")
        lines += [f"  - `{r.rule}`: {shown(r)}, 要求 asked {r.asked}" for r in v.failures]
    return "\n".join(lines)


def _headline(facts: Facts) -> str:
    return "\n".join(f"- {label}: **{value}** {note}".rstrip() for label, value, note in headline(facts))


def _stages(facts: Facts) -> str:
    if not facts.stages:
        return ""
    lines = [
        "| 阶段 stage | 输入 rows in | 保留 kept | 隔离 quarantined | 秒 s | MB/CPU 秒 | 状态 state |",
        "|---|--:|--:|--:|--:|--:|---|",
    ]
    for s in facts.stages:
        counts = f"{s.rows_in:,} | {s.kept:,} | {s.quarantined:,}" if s.is_documents else "- | - | -"
        seconds = "-" if s.seconds is None else f"{s.seconds:.1f}"
        speed = f"{s.mb_per_cpu_second:.3g}" if s.mb_per_cpu_second else "-"
        lines.append(f"| {s.title} | {counts} | {seconds} | {speed} | {STATES[s.state]} |")
    return "\n".join(lines)


def _benchmarks(facts: Facts) -> str:
    if not facts.decontaminated:
        return ""
    lines = [
        "| 测试集 benchmark | 题目 items | 够长可查 long enough | 在语料中 found | 文档 documents |",
        "|---|--:|--:|--:|--:|",
    ]
    lines += [
        f"| {b.name} | {b.items:,} | {b.judged:,} | {b.found:,} | {b.documents:,} |"
        for b in facts.decontaminated.benchmarks
    ]
    return "\n".join(lines)


def _samples(facts: Facts) -> str:
    if not facts.scores or not facts.scores.samples:
        return ""
    quoted = [f"> **{s.prompt}**{s.text}".replace("\n", "\n> ") for s in facts.scores.samples]
    return "### 生成样例 generated samples\n\n" + "\n\n".join(quoted)
