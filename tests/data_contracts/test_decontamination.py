"""The section `benchmarks:` in a config file: paths beside the file, names that differ, limits that fit together."""

from __future__ import annotations

from pathlib import Path

import pytest

from data_contracts.config_file import load
from data_contracts.errors import ConfigError

SOURCES = "sources: [{kind: jsonl, name: a, licence: CC0-1.0, path: a.jsonl}]\n"
QUIZ = "{name: quiz, path: quiz/*.jsonl, fields: [question]}"


def config(folder: Path, text: str, *overrides: str):
    (folder / "c.yaml").write_text(SOURCES + text, encoding="utf-8")
    return load(folder / "c.yaml", overrides)


def test_a_benchmark_lies_beside_its_config(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    cfg = config(tmp_path, f"benchmarks: [{QUIZ}]")
    assert cfg.benchmarks[0].path == str(tmp_path / "quiz" / "*.jsonl")
    cfg = config(tmp_path, f"benchmarks: [{QUIZ}]", "benchmarks.0.path=other.jsonl", "decontaminate.remove=document")
    assert cfg.benchmarks[0].path == str(tmp_path / "other.jsonl")
    assert cfg.decontaminate.remove == "document"
    assert config(tmp_path, "").benchmarks == ()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (f"benchmarks: [{QUIZ}, {QUIZ}]", "benchmark names must differ: quiz"),
        ("benchmarks: [{name: quiz, path: quiz, fields: []}]", "fields"),
        ("decontaminate: {min_chars: 9}", "min_chars 9 must be at least ngram_chars 13"),
        ("decontaminate: {remove: everything}", "remove"),
    ],
)
def test_what_does_not_fit_is_named(tmp_path, text, said):
    with pytest.raises(ConfigError, match=said):
        config(tmp_path, text)
