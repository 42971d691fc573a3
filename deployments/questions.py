"""提问 questions to the store: show, why, lineage, verify, gc. Each prints its answer and returns the exit code."""

from __future__ import annotations

from typing import Any

import polars as pl
from rich.markup import escape
from rich.progress import track
from rich.table import Table
from rich.tree import Tree

from data_contracts.dataset import KEPT, QUARANTINED, Manifest
from data_contracts.errors import DatasetMissing
from data_contracts.reasons import sentence
from data_contracts.units import human
from deployments.display import screen, speed
from deployments.outcome import explained
from deployments.wording import both, language
from tasks import garbage
from tasks import lineage as ancestry
from tasks import why as document_history
from tasks.store import Store

_EXCERPT = 160  # characters
_ARCHIVES = 5  # WARC files of a crawl that `lineage` names


def show(root: str, stage: str, quarantine: bool, reason: str, samples: int) -> int:
    """Counts and samples of a stage's newest dataset, or a list of all datasets."""
    with explained() as outcome:
        store = Store(root)
        manifests = [m for m in store.datasets() if not stage or m.stage == stage]
        if not manifests:
            made = ", ".join(sorted({m.stage for m in store.datasets()})) or both("无", "none")
            raise DatasetMissing(f"no dataset of stage {stage or '(any)'} in {store.root}; there are: {made}")
        if not stage:
            screen.print(_list(store, manifests))
            return outcome.code
        manifest = manifests[-1]
        _say_counts(manifest)
        _say_rows(store, manifest, QUARANTINED if quarantine or reason else KEPT, reason, samples)
    return outcome.code


def _list(store: Store, manifests: list[Manifest]) -> Table:
    channels = {dataset: name for name, dataset in store.channels().items()}
    table = Table(box=None, header_style="bold", pad_edge=False)
    for title in (both("数据集", "dataset"), both("生成", "made"), both("通道", "channel")):
        table.add_column(title)
    for title in (both("保留", "kept"), both("隔离", "quarantined"), both("字符", "chars")):
        table.add_column(title, justify="right")
    for m in manifests:
        name = f"{m.stage}/{m.version}"
        counts = [f"{m.total(f):,}" for f in ("rows_kept", "rows_quarantined", "chars")]
        table.add_row(name, m.created_at, channels.get(name, ""), *counts)
    return table


def _say_counts(m: Manifest) -> None:
    screen.print(f"[bold]{m.stage}/{m.version}[/bold]  {m.created_at}  {m.schema_label}")
    screen.print(
        f"{both('读入', 'in')} {m.total('rows_in'):,} · {both('保留', 'kept')} {m.total('rows_kept'):,} · "
        f"{both('隔离', 'quarantined')} {m.total('rows_quarantined'):,} · "
        f"{both('字符', 'chars')} {m.total('chars'):,} · "
        f"{both('分片', 'shards')} {len(m.shards)} · {m.seconds:.1f} s · {speed(m) or '-'} MB/CPU·s"
    )
    for reason, count in m.reasons.items():
        screen.print(f"  {count:>8,}  {reason:<22} {sentence(reason, language())}")
    for name, value in m.measures.items():
        if isinstance(value, int | float | str | bool):
            screen.print(f"  {name}: {value}", markup=False)


def _say_rows(store: Store, m: Manifest, which: str, reason: str, samples: int) -> None:
    if not any(which in s.files for s in m.shards):
        return
    frame = store.scan(f"{m.stage}/{m.version}", which)
    if reason:
        frame = frame.filter(pl.col("reason") == reason)
    columns = frame.collect_schema().names()
    if which == QUARANTINED and not reason:
        frame = frame.group_by("reason", maintain_order=True).head(samples)
    else:
        frame = frame.head(samples)
    for row in frame.drop("body", strict=False).collect().to_dicts():
        screen.rule(style="dim")
        title = " ".join(str(row[c]) for c in ("reason", "doc_id", "url", "title") if row.get(c))
        screen.print(title, style="bold", markup=False)
        skip = {"reason", "doc_id", "url", "title", "text", "word_chars"}
        facts = {c: row[c] for c in columns if c in row and c not in skip and row[c] is not None}
        screen.print("  ".join(f"{k}={_short(v)}" for k, v in facts.items()), style="dim", markup=False)
        if row.get("text"):
            screen.print(row["text"][:_EXCERPT].replace("\n", " ⏎ "), markup=False)


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)[:80]


def why(root: str, key: str, run: str | None) -> int:
    """Every stage that touched a document: kept, changed, dropped, by which rule and value, duplicate of which."""
    with explained() as outcome:
        for doc_id, steps in document_history.explain(Store(root), key, run):
            tree = Tree(f"[bold]{doc_id}[/bold]  {escape(key)}")
            for step in steps:
                words = _FATES[step.fate]
                line = f"{step.dataset:<34} [{words[2]}]{both(words[0], words[1])}[/{words[2]}]"
                if step.chars is not None:
                    line += f"  {step.chars:,} {both('字', 'chars')}"
                node = tree.add(line)
                if step.reason:
                    node.add(f"[bold]{step.reason}[/bold]  {sentence(step.reason, language())}")
                if step.facts:
                    node.add(escape("  ".join(f"{k}={_short(v)}" for k, v in step.facts.items())))
                for found in step.evidence:
                    node.add(escape("  ".join(f"{k}={_short(v)}" for k, v in found.items())))
                if step.values:
                    node.add("[dim]" + "  ".join(f"{k}={_short(v)}" for k, v in step.values.items()) + "[/dim]")
            screen.print(tree)
    return outcome.code


_FATES = {
    "kept": ("保留", "kept", "green"),
    "changed": ("修改后保留", "kept, changed", "cyan"),
    "quarantined": ("隔离", "quarantined", "red"),
    "encoded": ("已编码", "encoded", "green"),
}


def lineage(root: str, wanted: str) -> int:
    """The tree of datasets behind a dataset or a document, back to the crawl, with every source and licence."""
    with explained() as outcome:
        store = Store(root)
        try:
            found = ancestry.find(store, wanted)[-1:]
        except DatasetMissing as missing:
            found = []
            _say_origin(store, wanted, missing)
        for manifest in found:
            tree = Tree(_line(manifest))
            _grow(store, manifest, tree, set())
            screen.print(tree)
            behind = [manifest, *ancestry.ancestors(store, manifest)]
            corpus = next((m for m in behind if m.schema_label.startswith(("SEGMENTED", "DOCUMENT"))), None)
            for source in ancestry.sources_of(store, corpus) if corpus else ():
                screen.print(
                    f"  {source['source']}: {source['documents']:,} {both('篇', 'documents')}, "
                    f"{human(source['chars'])} {both('字', 'chars')}, {source['licence']}",
                    markup=False,
                )
    return outcome.code


def _say_origin(store: Store, key: str, missing: DatasetMissing) -> None:
    """Through which datasets of the newest run a document came, and where it was fetched or read."""
    try:
        documents = document_history.explain(store, key)
    except DatasetMissing:
        raise missing from None
    for doc_id, steps in documents:
        tree = branch = Tree(f"[bold]{doc_id}[/bold]  {escape(key)}")
        for step in reversed(steps):
            branch = branch.add(f"{_line(store.manifest(step.dataset))}  {both(*_FATES[step.fate][:2])}")
        first = steps[0]
        where = {k: first.facts[k] for k in ("fetched_at", "warc", "archive", "offset") if k in first.facts}
        for name, value in (first.origin | where).items():
            branch.add(escape(f"{name}: {value}"))
        screen.print(tree)


def _grow(store: Store, manifest: Manifest, tree: Tree, seen: set[str]) -> None:
    archives = list(ancestry.archives_of(manifest).items())
    for file, stored in archives[:_ARCHIVES]:
        tree.add(f"[dim]{escape(file)}  {human(stored.bytes)}B  objects/{stored.sha256[:12]}[/dim]")
    if len(archives) > _ARCHIVES:
        tree.add(f"[dim]… {len(archives) - _ARCHIVES} {both('个归档', 'more archives')}[/dim]")
    for name in manifest.parents:
        parent = store.manifest(name)
        branch = tree.add(_line(parent) + (" …" if name in seen else ""))
        if name not in seen:
            seen.add(name)
            _grow(store, parent, branch, seen)


def _line(m: Manifest) -> str:
    rows = f"  {m.total('rows_kept'):,} {both('行', 'rows')}" if "@" in m.schema_label else ""
    return f"[bold]{m.stage}/{m.version}[/bold]{rows}  {m.created_at}  {both('代码', 'code')} {m.code}"


def verify(root: str) -> int:
    """Hash every object that a dataset refers to; exit code 5 when one is damaged."""
    with explained() as outcome:
        store = Store(root)
        bad = 0
        manifests = store.datasets()
        for manifest in track(manifests, both("校验", "verifying"), console=screen, transient=True):
            for fault in store.faults(manifest):
                bad += 1
                screen.print(f"[red]✗[/red] {manifest.stage}/{manifest.version}: {fault}")
        if bad:
            screen.print(
                both(f"{bad} 处损坏; 重新运行对应流程即可重做", f"{bad} faults; run the flow again to remake them")
            )
            outcome.code = 5
        else:
            screen.print(f"[green]✓[/green] {len(manifests)} {both('个数据集完好', 'datasets are sound')}")
    return outcome.code


def gc(root: str, dry_run: bool, keep_days: float) -> int:
    """Say what can be removed, and remove it unless `dry_run`."""
    with explained() as outcome:
        found = garbage.collect(Store(root), dry_run=dry_run, keep_days=keep_days)
        for name in found.names if dry_run else ():
            screen.print(name, markup=False)
        done = both("可删除", "can be removed") if dry_run else both("已删除", "removed")
        screen.print(
            f"{done}: {len(found.names)} {both('项', 'items')}, {human(found.bytes)}B; "
            f"{both('保留', 'kept')}: {found.kept_datasets} {both('个数据集', 'datasets')}"
        )
    return outcome.code
