"""What the READMEs say is true: paths, commands, configs, imports, the stage table, and the example of a new stage."""

from __future__ import annotations

import ast
import importlib
import inspect
import os
import pkgutil
import re
import shlex
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest
import typer
from typer.exceptions import TyperException

import data_contracts
import flows
import tasks
from data_contracts import errors
from data_contracts.config import EverythingConfig
from data_contracts.config_file import load
from data_contracts.model import Model
from data_contracts.schemas import Schema
from deployments.cli import app
from tasks.stage import Stage

ROOT = Path(__file__).resolve().parents[1]
ROOMS = ("flows", "tasks", "data_contracts", "lightning_modules", "deployments", "deployments/demo", "tests")
ENGLISH, CHINESE = ROOT / "README.md", ROOT / "README.zh.md"
READMES = [ENGLISH, CHINESE, *(ROOT / room / "README.md" for room in ROOMS)]
EXAMPLE = ("tasks/withdraw.py", "tests/tasks/test_withdraw.py")  # written by the example of a new stage
SOURCES = "sources: [{kind: jsonl, name: a, licence: CC0-1.0, path: a.jsonl}]\n"
SECTIONS = {
    "What half an hour trains": "半小时训练出什么",
    "The map of rooms": "房间一览",
    "Your own files": "用自己的文件",
    "Scheduled runs": "定时运行",
    "From Python": "在 Python 里调用",
    "Asking questions": "查问",
    "What is recomputed": "改了什么，重算什么",
    "GPUs and several processes": "GPU 与多进程",
    "Limits": "局限",
}
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SPAN = re.compile(r"`([^`\n]+)`")
each_readme = pytest.mark.parametrize("readme", READMES, ids=lambda f: f.relative_to(ROOT).as_posix())


@cache
def text(readme: Path) -> str:
    return readme.read_text("utf-8")


def blocks(readme: Path, language: str | None = None) -> list[str]:
    return [body for kind, body in BLOCK.findall(text(readme)) if language is None or kind == language]


def prose(readme: Path) -> str:
    return BLOCK.sub("", text(readme))


def spans(readme: Path) -> list[str]:
    return SPAN.findall(prose(readme))


def tables(readme: Path) -> list[list[list[str]]]:
    """Every table: its rows of cells, the title first, the line below it left out."""
    found = re.findall(r"(?:^\|.*\|\n)+", prose(readme), re.MULTILINE)
    split = [[[c.strip() for c in row.strip("|").split("|")] for row in table.splitlines()] for table in found]
    return [[rows[0], *rows[2:]] for rows in split]


def table(readme: Path, title: str) -> list[list[str]]:
    """The rows of the table whose first column has this title."""
    [rows] = [t for t in tables(readme) if t[0][0] == title]
    return rows[1:]


def stages() -> dict[str, Stage]:
    found: dict[str, Stage] = {}
    for info in pkgutil.iter_modules(tasks.__path__, "tasks."):
        if not info.ispkg:
            things = vars(importlib.import_module(info.name)).values()
            found |= {s.name: s for s in things if isinstance(s, Stage) and s.body.__module__ == info.name}
    return found


# paths ---------------------------------------------------------------------------------------------------------------


@each_readme
def test_every_link_leads_somewhere(readme):
    links = [link.partition("#")[0] for link in re.findall(r"\]\(([^)\s]+)\)", prose(readme))]
    local = [link for link in links if link and "://" not in link]
    assert [link for link in local if not (readme.parent / link).exists()] == []


@each_readme
def test_every_path_named_exists(readme):
    tops = {entry.name for entry in ROOT.iterdir()}
    words = [word for span in spans(readme) for word in span.split() if re.fullmatch(r"[\w.*/-]+", word)]
    named = [word for word in words if "/" in word and word.partition("/")[0] in tops and word not in EXAMPLE]
    named += [
        word for word in words if re.fullmatch(r"tests?_\w+\.py|\w+\.odcs\.yaml", word) and word != "my.odcs.yaml"
    ]
    missing = [w for w in named if not any((*readme.parent.glob(w), *ROOT.glob(w)))]
    assert missing == []


@each_readme
def test_no_file_of_a_room_is_named_that_is_not_there(readme):
    """The first column of a table of files."""
    rows = [row for t in tables(readme) if t[0][0].split()[-1] == "file" for row in t[1:]]
    named = [name for row in rows for name in SPAN.findall(row[0]) if not name.startswith("<")]
    assert [name for name in named if not any(readme.parent.glob(name))] == []


def test_the_map_names_every_room():
    rooms = ["flows", "tasks", "data_contracts", "lightning_modules", "deployments", "tests"]
    for readme, title in ((ENGLISH, "room"), (CHINESE, "房间")):
        assert [row[0] for row in table(readme, title)] == [f"[{room}]({room}/README.md)" for room in rooms]


# commands ------------------------------------------------------------------------------------------------------------


def commands(readme: Path, program: str) -> list[str]:
    """Lines of code blocks, and spans, that begin with a program; comments and a final & left out."""
    lines = [line for block in blocks(readme) for line in block.splitlines()]
    lines += [line for line in prose(readme).splitlines() if line.startswith("    ")]
    called = [re.sub(r"^(\.venv/bin/)?", "", line.strip()) for line in [*lines, *spans(readme)]]
    return [re.sub(r"\s*&$|\s+#.*$", "", line) for line in called if re.match(rf"{program}\b(?!\.)", line)]


def fault_of(words: list[str]) -> str | None:
    """What the program would say of these arguments, None when they are good; a verb alone names its command."""
    group = typer.main.get_command(app)
    try:
        with group.make_context("ziliu", words or ["--lang", "zh", "show"]) as context:
            name, command, rest = group.resolve_command(context, [*context._protected_args, *context.args])
            if rest:
                command.make_context(name, rest, parent=context)
    except TyperException as fault:
        return f"{' '.join(words)}: {fault.message}"
    return None


@each_readme
def test_every_ziliu_command_is_one(readme):
    assert [fault for line in commands(readme, "ziliu") if (fault := fault_of(shlex.split(line)[1:]))] == []


def test_a_command_that_is_none_is_found():
    for wrong in (["shwo"], ["show", "--qarantine"], ["gc", "--keep-days", "many"], ["run", "--set", "a=b"]):
        assert fault_of(wrong)
    assert fault_of(["--lang", "en", "show", "clean", "--reason", "too_short"]) is None


@each_readme
def test_every_make_target_exists(readme):
    targets = set(re.findall(r"^([a-z][a-z0-9-]*):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    assert {shlex.split(line)[1] for line in commands(readme, "make") if " " in line} - targets == set()


@each_readme
def test_every_script_of_a_module_exists(readme):
    called = {m for b in [*blocks(readme), *spans(readme)] for m in re.findall(r"python -m ((?:[a-z_]+\.?)+)", b)}
    ours = {m for m in called if m.partition(".")[0] in ROOMS}
    assert [
        m for m in ours if not any(ROOT.glob(f"{m.replace('.', '/')}{end}") for end in (".py", "/__main__.py"))
    ] == []


# configs and code ----------------------------------------------------------------------------------------------------


@each_readme
def test_every_yaml_block_is_a_valid_config(readme, tmp_path):
    for number, block in enumerate(blocks(readme, "yaml")):
        file = tmp_path / f"{number}.yaml"
        file.write_text(block if "sources:" in block else SOURCES + block, "utf-8")
        assert load(file).sources


@each_readme
def test_every_config_key_named_exists(readme):
    sections = EverythingConfig.model_fields
    dotted = [s for s in spans(readme) if re.fullmatch(r"[a-z_]+(\.[a-z_]+)+", s) and s.split(".")[0] in sections]
    dotted = [s for s in dotted if not s.endswith((".html", ".md", ".py"))]
    overrides = [m for b in blocks(readme) for m in re.findall(r"--set \"?([a-z_.0-9]+)=", b)]
    for key in [*dotted, *overrides]:
        at: type[Model] | None = EverythingConfig
        for part in key.split("."):
            if at is None or part.isdecimal():
                break
            fields = at.model_fields
            assert part in fields, f"{readme}: no config key {key}"
            kind = fields[part].annotation
            at = kind if isinstance(kind, type) and issubclass(kind, Model) else None


@each_readme
def test_every_python_block_compiles_and_imports_what_is_there(readme):
    for block in blocks(readme, "python"):
        for node in ast.walk(ast.parse(block)):
            made = [path.removesuffix(".py").replace("/", ".") for path in EXAMPLE]
            if isinstance(node, ast.ImportFrom) and node.module not in made and node.module != "__future__":
                module = importlib.import_module(str(node.module))
                wanted = {alias.name for alias in node.names} - {"WithdrawConfig"}
                assert [name for name in wanted if not hasattr(module, name)] == []


def test_both_readmes_say_the_same():
    english, chinese = (re.findall(r"^## (.+)$", text(f), re.MULTILINE) for f in (ENGLISH, CHINESE))
    assert [SECTIONS.get(title, f"{title}: not in SECTIONS") for title in english] == chinese
    assert BLOCK.findall(text(ENGLISH)) == BLOCK.findall(text(CHINESE))
    rows = [[(len(t), len(t[0])) for t in tables(f)] for f in (ENGLISH, CHINESE)]
    assert rows[0] == rows[1]
    points = [len(re.findall(r"^- ", text(f), re.MULTILINE)) for f in (ENGLISH, CHINESE)]
    assert points[0] == points[1]
    names = [sorted(set(spans(f))) for f in (ENGLISH, CHINESE)]
    assert names[0] == names[1]


# tables --------------------------------------------------------------------------------------------------------------


def test_the_stage_table_is_true():
    rows = {row[0].strip("`"): row for row in table(ROOT / "tasks" / "README.md", "stage")}
    found = stages()
    assert set(rows) == set(found)
    for name, stage in found.items():
        _, road, _, config, libraries, file, _ = rows[name]
        documented = re.match(r".*?: (.+?)\. ", f"{(stage.__doc__ or '').splitlines()[0]} ")
        assert documented is not None
        assert road == documented[1]
        made = stage.schema.name if isinstance(stage.schema, Schema) else stage.schema
        assert road.endswith(f"-> {made}")
        taken = " ".join(str(p.annotation) for p in inspect.signature(stage.body).parameters.values())
        assert set(re.findall(r"\w+Config|CrawlSource", taken)) == set(re.findall(r"\w+Config|CrawlSource", config))
        assert libraries == ", ".join(sorted(stage._libraries))
        assert file == f"[{(source := stage.body.__module__.removeprefix('tasks.'))}.py]({source}.py)"


def test_the_table_of_flows_is_true():
    names = [info.name for info in pkgutil.iter_modules(flows.__path__) if info.name != "reported"]
    rows = table(ROOT / "flows" / "README.md", "flow")
    assert sorted(row[0] for row in rows) == sorted(names)
    for name, file, config, _, _, _ in rows:
        flow = getattr(importlib.import_module(f"flows.{name}"), name)
        assert file == f"[{name}.py]({name}.py)"
        assert config == f"`{inspect.signature(flow.fn).parameters['cfg'].annotation}`"


def test_the_exit_codes_are_true():
    rows = [row for row in table(ROOT / "flows" / "README.md", "code") if row[1]]
    said = {row[1].strip("`"): int(row[0]) for row in rows}
    tree = [errors.ZiliuError, *errors.ZiliuError.__subclasses__()]
    assert said == {kind.__name__: kind.exit_code for kind in tree}


def test_the_picture_shows_every_stage():
    [picture] = blocks(ROOT / "flows" / "README.md", "mermaid")
    assert {name.partition("_")[0] for name in stages()} - set(re.findall(r"(\w+)[\[{]", picture)) == set()


# the example of a new stage ------------------------------------------------------------------------------------------


def apply(diff: str, folder: Path) -> None:
    """Apply a unified diff by the text of its hunks, each of which must fit exactly one place."""
    for part in re.split(r"^--- a/.*\n\+\+\+ b/", diff, flags=re.MULTILINE)[1:]:
        name, _, body = part.partition("\n")
        for hunk in re.split(r"^@@.*\n", body, flags=re.MULTILINE)[1:]:
            before = "".join(f"{line[1:]}\n" for line in hunk.splitlines() if line[0] in " -")
            after = "".join(f"{line[1:]}\n" for line in hunk.splitlines() if line[0] in " +")
            content = (folder / name).read_text("utf-8")
            assert content.count(before) == 1, f"{name}: {content.count(before)} places for\n{hunk}"
            (folder / name).write_text(content.replace(before, after), "utf-8")


def test_the_example_of_a_new_stage_runs(tmp_path):
    readme = ROOT / "tasks" / "README.md"
    for room in (data_contracts, tasks, flows):
        home = Path(inspect.getfile(room)).parent
        shutil.copytree(home, tmp_path / home.name, ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "tests" / "tasks").mkdir(parents=True)
    for name in ("pyproject.toml", "tests/conftest.py", "tests/given_documents.py"):
        shutil.copy(ROOT / name, tmp_path / name)
    [diff] = blocks(readme, "diff")
    apply(diff, tmp_path)
    for name, block in zip(EXAMPLE, blocks(readme, "python"), strict=True):
        assert f"`{name}`:" in text(readme)
        (tmp_path / name).write_text(block, "utf-8")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", EXAMPLE[1]]
    ended = subprocess.run(
        command, cwd=tmp_path, capture_output=True, text=True, env=os.environ | {"PYTHONPATH": str(tmp_path)}
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "1 passed" in ended.stdout
    subprocess.run([sys.executable, "-c", "import flows.corpus"], cwd=tmp_path, check=True, timeout=120)
