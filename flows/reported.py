"""有报告的运行 reported: every flow keeps a journal and ends with a report, also when it fails."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from prefect import task

from data_contracts.comparison import ComparisonConfig, differing
from data_contracts.config import EverythingConfig, Place
from data_contracts.dataset import Dataset
from data_contracts.training import ReportConfig
from tasks import journal, preflight, progress
from tasks.compare import write_page
from tasks.report import show_in_prefect, write_report
from tasks.store import Store, now


@contextlib.contextmanager
def reported(flow: str, cfg: Place) -> Iterator[Place]:
    """Open a run for the outermost flow, say where its stages work, and write its report when it has ended."""
    preflight.check(cfg)
    with journal.keep(flow, cfg) as run:
        failure: BaseException | None = None
        try:
            yield cfg.place
        except BaseException as error:
            failure = error
            raise
        finally:
            if run.flow == flow and run.entries:
                run.end(failure)
                told = f"{type(failure).__name__}: {failure}" if failure else None
                shown = cfg.report if isinstance(cfg, EverythingConfig) else ReportConfig()
                report(run.store.root.as_posix(), run.run, shown, told)


@task(name="报告 report", task_run_name="report")
def report(store: str, run: str, cfg: ReportConfig, failure: str | None) -> str:
    """报告 report: one self-contained HTML file, and the same in short in the Prefect UI."""
    progress.report(progress.Step("report", 0, 0))
    path = write_report(Store(store), run, cfg, failure)
    show_in_prefect(path)
    progress.report(progress.Step("report", 1, 1, finished=True))
    return str(path)


@task(name="比较页 comparison page", task_run_name="comparison page")
def compared(made: Dataset, cfg: ComparisonConfig) -> str:
    """比较页 comparison page: one self-contained HTML file, and its verdict in the Prefect UI."""
    from prefect.artifacts import create_markdown_artifact

    store = Store(cfg.store)
    path = write_page(store, made, differing(cfg.a, cfg.b), now())
    verdict = str(store.manifest(made).measures["verdict"])
    create_markdown_artifact(f"{verdict}\n\n`{path}`", key="comparison", description="比较 comparison")
    return str(path)
