"""报告 report: a run -> one self-contained HTML file, and the same in short for the Prefect UI.

    path = write_report(store, run, cfg.report)          STORE/runs/<run>/report.html and report.md

A report is made anew each time: when stages ran and which were cached is not part of any dataset's key.
"""

from __future__ import annotations

from pathlib import Path

from data_contracts.training import ReportConfig
from tasks.reporting.collect import collect
from tasks.reporting.facts import Facts
from tasks.reporting.markdown_page import markdown
from tasks.reporting.page import page as render
from tasks.store import Store

__all__ = ["Facts", "collect", "markdown", "render", "show_in_prefect", "write_report"]

HTML, MARKDOWN = "report.html", "report.md"


def write_report(store: Store, run: str, cfg: ReportConfig | None = None, failure: str | None = None) -> Path:
    """Collect the facts of a run and write both reports into its folder; returns the path of the HTML file.

    Works on runs of any flow, and on runs that failed: what they do not have is left out with a sentence. `failure` is
    the message of the error that ended the run.
    """
    facts = collect(store, run, cfg, failure)
    store.folder.replace(f"runs/{run}/{HTML}", render(facts).encode())
    store.folder.replace(f"runs/{run}/{MARKDOWN}", markdown(facts).encode())
    return store.folder.path(f"runs/{run}/{HTML}")


def show_in_prefect(report: Path) -> None:
    """Show the short report beside `report.html` as a Markdown artifact of the current flow or task run."""
    from prefect.artifacts import create_markdown_artifact

    text = report.with_name(MARKDOWN).read_text(encoding="utf-8")
    create_markdown_artifact(text, key="report", description=f"报告 report: {report}")
