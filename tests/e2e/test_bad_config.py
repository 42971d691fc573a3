"""A wrong config by the command line: the key, file and line, what is allowed, exit code 2, nothing started."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e import roads, small_sources

pytestmark = [pytest.mark.e2e]


@pytest.mark.parametrize(
    ("wrong", "right", "words"),
    [
        ("clean: {min_char: 5}", "min_chars", ["clean.min_char", "min_chars"]),
        ("claen: {min_chars: 5}", "clean", ["claen", "clean"]),
        ("clean: {min_chars: many}", "a whole number", ["clean.min_chars", "many"]),
        ("clean: {min_han_ratio: 1.5}", "at most 1", ["clean.min_han_ratio", "1.5", "1"]),
        ("pretrain: {duration: 3 fortnights}", "a known unit", ["pretrain.duration", "fortnights", "tokens"]),
        ("workers: -1", "none below 0", ["workers", "-1", "0"]),
    ],
    ids=["misspelled key", "misspelled section", "wrong type", "impossible ratio", "unknown unit", "impossible count"],
)
def test_the_key_the_line_and_what_is_allowed_are_named(tmp_path: Path, wrong: str, right: str, words: list[str]):
    path = small_sources.plain(tmp_path)
    path.write_text(text := f"{path.read_text().replace('workers: 1', '# workers')}{wrong}\n", encoding="utf-8")
    told = roads.ziliu("run", path, folder=tmp_path / "asked")
    assert told.code == 2, told
    assert f"config.yaml:{text.count(chr(10))}" in told.err.replace("\n", ""), f"wanted {right}: {told}"
    for word in words:
        assert word in told.err, told
    assert "Traceback" not in told.err
    assert not (tmp_path / "store").exists()


def test_a_wrong_override_is_named(tmp_path: Path):
    told = roads.ziliu("run", small_sources.plain(tmp_path), "--set", "pretrain.stratgy=ddp", folder=tmp_path / "asked")
    assert told.code == 2, told
    assert "--set pretrain.stratgy=ddp" in told.err
    assert "strategy" in told.err
    assert not (tmp_path / "store").exists()


def test_a_source_that_is_not_there_is_said_before_anything_starts(tmp_path: Path):
    path = small_sources.plain(tmp_path)
    (tmp_path / "sound.jsonl").unlink()
    told = roads.ziliu("run", path, folder=tmp_path / "asked")
    assert told.code == 2, told
    assert "source sound" in told.err
    assert "sound.jsonl" in told.err
    assert "Traceback" not in told.err
    assert not (tmp_path / "store").exists()


def test_a_config_that_is_not_there(tmp_path: Path):
    told = roads.ziliu("corpus", tmp_path / "none.yaml", folder=tmp_path / "asked")
    assert told.code == 2, told
    assert "none.yaml" in told.err
