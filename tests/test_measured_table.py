"""The measured table of the READMEs is what tests/benchmarks/table.py writes."""

from __future__ import annotations

import json
import re

import pytest

from tests.benchmarks.table import READMES, ROWS, rewritten, written


def figures(file: str) -> dict:
    """A file that holds every figure that the rows of it need."""
    made: dict = {}
    for number, row in enumerate(ROWS):
        for figure in (*row.ours, *row.beside) if row.file == file else ():
            at = made
            for key in figure.path[:-1]:
                at = at.setdefault(key, {})
            at[figure.path[-1]] = 1.234 + number
    return made


def lines(text: str) -> list[str]:
    return re.findall(r"^\| .*\|$", text.split("\n\n```")[0], re.MULTILINE)[1:]


def shape(line: str) -> str:
    """A line with its numbers taken out."""
    return re.sub(r"(?<![\w≥])\d+(\.\d+)?(e[+-]?\d+)?", "0", line.replace("J ≥ 0.8", "J"))


@pytest.mark.parametrize("language", READMES)
def test_every_line_of_the_table_has_the_shape_that_is_written(language):
    standing = lines(READMES[language].read_text(encoding="utf-8"))
    possible = [written(figures(row.file), row, language) for row in ROWS]
    names = [line.split("|")[1] for line in possible]
    assert [shape(line) for line in standing] == [shape(possible[names.index(line.split("|")[1])]) for line in standing]
    assert [names.index(line.split("|")[1]) for line in standing] == sorted(
        names.index(line.split("|")[1]) for line in standing
    )


@pytest.mark.parametrize("language", READMES)
def test_without_files_nothing_changes_and_a_file_changes_its_rows_only(language, tmp_path):
    readme = READMES[language].read_text(encoding="utf-8")
    assert rewritten(readme, language, tmp_path) == readme
    speeds = {"stage": 99.94, "cutter": 88.82, "jieba": 0.777, "rjieba": 19.01}
    (tmp_path / "segment.json").write_text(json.dumps({"mb_per_cpu_second": speeds}))
    made = rewritten(readme, language, tmp_path)
    changed = [line.partition(" | ")[2].replace("，", ", ") for line in lines(made) if line not in lines(readme)]
    assert changed == ["99.9 | jieba 0.78 |", "88.8 | jieba 0.78, rjieba 19 |"]
    assert len(lines(made)) == len(lines(readme))
    (tmp_path / "corpus.json").write_text(json.dumps(figures("corpus")))
    names = [f"| {getattr(row, language)} |" for row in ROWS if row.file == "corpus"]
    without = "\n".join(line for line in readme.split("\n") if not line.startswith(tuple(names)))
    assert len(lines(rewritten(without, language, tmp_path))) == len(lines(without)) + 2
    assert rewritten(made, language, tmp_path).partition("```")[2] == readme.partition("```")[2]


def test_what_cannot_be_written_is_an_error(tmp_path):
    (tmp_path / "encode.json").write_text("{}")
    readme = READMES["en"].read_text(encoding="utf-8")
    with pytest.raises(KeyError):
        rewritten(readme, "en", tmp_path)
    with pytest.raises(ValueError, match="no table with the head"):
        rewritten("# x\n", "en", tmp_path)
    with pytest.raises(ValueError, match="no benchmark makes"):
        rewritten(readme.replace("| segment,", "| invented,"), "en", tmp_path)
