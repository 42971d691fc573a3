"""词表研究 on the terminal: `ziliu vocabulary CONFIG --sweep 8000,16000,32000`. Needs no Prefect server."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pydantic import ValidationError
from rich.table import Table

from data_contracts.config import VocabularyConfig
from data_contracts.config_file import load
from data_contracts.errors import ConfigError
from data_contracts.network import NetworkConfig
from data_contracts.study import StudyConfig, study_of
from deployments.display import screen
from deployments.outcome import explained
from deployments.wording import both
from tasks.reporting.study_page import COLUMNS, rows_of, study_page
from tasks.store import Store, find_input
from tasks.vocab_study import vocab_study


def sweep(path: Path, overrides: Sequence[str], sizes: str) -> int:
    """Compare vocabulary sizes on the newest corpus of a config; returns the exit code.

    Writes STORE/runs/vocabulary-VERSION/study.html.
    """
    with explained() as outcome:
        cfg = load(path, overrides)
        study = asked(sizes, cfg.pretrain.model)
        part = cfg.part(VocabularyConfig)
        corpus = find_input(part.corpus, "corpus", part.place)
        with screen.status(both("训练最大的词表并逐个测量", "training the largest vocabulary, measuring each")):
            made, found = vocab_study.run(corpus, cfg.vocab, cfg.encode.splits, study, part.place)
        store = Store(cfg.store)
        told = store.manifest(made).measures
        table = Table(box=None, header_style="bold", pad_edge=False)
        for zh, en in COLUMNS:
            table.add_column(both(zh, en), justify="right")
        for row in rows_of(told):
            table.add_row(*row)
        screen.print(table)
        said = both("建议", "recommended")
        screen.print(f"{said}: vocab.size={told['recommended']}" + (f" ({made.name}, Cached)" if found else ""))
        name = f"runs/vocabulary-{made.version}/study.html"
        store.folder.replace(name, study_page(told, cfg.name, made.name).encode())
        screen.print(f"{both('网页', 'page')}: {store.folder.path(name)}", soft_wrap=True)
    return outcome.code


def asked(sizes: str, model: NetworkConfig) -> StudyConfig:
    """The study that `--sweep` asks for; ConfigError for no list of sizes, or a model with its own vocabulary."""
    if model.folder:
        raise ConfigError(f"--sweep: the model in {model.folder} has its own vocabulary; there is none to choose")
    try:
        return study_of(tuple(int(size.replace("_", "")) for size in sizes.split(",")), model)
    except (ValueError, ValidationError) as error:
        told = error.errors()[0]["msg"] if isinstance(error, ValidationError) else error
        raise ConfigError(f"--sweep {sizes}: write sizes between commas, as in 8000,16000,32000 ({told})") from None
