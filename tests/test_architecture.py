"""The shape of the house: who may import whom, what files may be called, how long they may be."""

from __future__ import annotations

import ast
import importlib.metadata
import importlib.util
import re
import shutil
import subprocess
import sys
import tomllib
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
ROOMS = ("data_contracts", "tasks", "lightning_modules", "flows", "deployments")
TOP = {
    *ROOMS, "tests", "pyproject.toml", "constraints.txt", "Makefile", "README.md", "README.zh.md", "LICENSE", "CHANGELOG.md",
    ".ci", ".github", ".gitignore", ".gitattributes", ".pre-commit-config.yaml",
}  # fmt: skip
VAGUE = {"utils", "util", "helpers", "helper", "common", "base", "manager", "misc", "shared", "core", "lib"}
MAX_LINES, MAX_FUNCTION_LINES = 400, 60
MAX_FIXTURE_BYTES, MAX_DEMO_BYTES = 3_000_000, 5_000_000
MACHINE_PATH = re.compile(r"(^|[^A-Za-z0-9_.*])/(work|farm|root|tmp|home)/", re.MULTILINE)
# Calls by which a test checks something without the word assert.
CHECKS = ("assert", "check", "raises", "expect", "warns", "fail")


@cache
def files() -> tuple[Path, ...]:
    """Every file of the project: what git tracks and what it would, so that a new file is judged before it is added."""
    if shutil.which("git") is None or not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return tuple(ROOT / name for name in sorted(set(listed.split("\0"))) if name and (ROOT / name).is_file())


def python_files(*rooms: str) -> list[Path]:
    return [f for f in files() if f.suffix == ".py" and (not rooms or f.relative_to(ROOT).parts[0] in rooms)]


def name_of(file: Path) -> str:
    return file.relative_to(ROOT).as_posix()


def test_the_import_rules_hold():
    ended = subprocess.run(
        [Path(sys.executable).parent / "lint-imports", "--no-cache"], cwd=ROOT, capture_output=True, text=True
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr


@pytest.mark.parametrize("room", ROOMS)
def test_packages_resolve_inside_the_checkout(room):
    spec = importlib.util.find_spec(room)
    assert spec is not None
    assert spec.origin is not None
    assert Path(spec.origin).resolve() == ROOT / room / "__init__.py", "another package of that name comes first"


def test_every_package_is_declared():
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["setuptools"]["packages"]
    found = {name_of(f.parent).replace("/", ".") for f in python_files(*ROOMS) if f.name == "__init__.py"}
    assert set(declared) == found


def test_nothing_else_stands_at_the_top():
    assert {f.relative_to(ROOT).parts[0] for f in files()} - TOP == set()


def test_no_file_is_named_like_a_module_it_would_hide():
    installed = {name.partition(".")[0] for name in importlib.metadata.packages_distributions()}
    taken = (set(sys.stdlib_module_names) | installed | VAGUE) - {"__init__", "__main__", *ROOMS, "conftest"}
    ours = [f for f in python_files(*ROOMS) if f.stem in taken and not f.stem.startswith("__")]
    assert [name_of(f) for f in ours] == []


def test_tests_are_no_packages():
    assert [name_of(f) for f in python_files("tests") if f.name == "__init__.py"] == []


def test_files_are_short():
    long = {name_of(f): len(f.read_text("utf-8").splitlines()) for f in python_files()}
    assert {name: lines for name, lines in long.items() if lines > MAX_LINES} == {}


def test_functions_are_short():
    long = []
    for file in python_files():
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = (node.end_lineno or node.lineno) - node.lineno + 1
                if lines > MAX_FUNCTION_LINES:
                    long.append(f"{name_of(file)}:{node.lineno} {node.name} has {lines} lines")
    assert long == []


def test_every_test_checks_something():
    empty = [
        f"{name_of(file)}:{node.lineno} {node.name}"
        for file in python_files("tests")
        if file.parent.name != "benchmarks"  # they measure, and write what they measured
        for node in ast.walk(ast.parse(file.read_text("utf-8")))
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_") and not _checks(node)
    ]
    assert empty == []


def _checks(test: ast.FunctionDef) -> bool:
    calls = (getattr(c.func, "attr", getattr(c.func, "id", "")) for c in ast.walk(test) if isinstance(c, ast.Call))
    return any(isinstance(n, ast.Assert) for n in ast.walk(test)) or any(c.startswith(CHECKS) for c in calls)


def test_imports_are_absolute_and_annotations_lazy():
    wrong = []
    for file in python_files(*ROOMS):
        tree = ast.parse(file.read_text("utf-8"))
        wrong += [f"{name_of(file)}:{n.lineno}" for n in ast.walk(tree) if isinstance(n, ast.ImportFrom) and n.level]
        future = any(isinstance(n, ast.ImportFrom) and n.module == "__future__" for n in tree.body)
        has_code = any(not isinstance(n, ast.Expr) for n in tree.body)
        wrong += [] if future or not has_code else [f"{name_of(file)}: no `from __future__ import annotations`"]
    assert wrong == []


def test_every_module_says_what_it_is():
    silent = [name_of(f) for f in python_files(*ROOMS) if not ast.get_docstring(ast.parse(f.read_text("utf-8")))]
    assert silent == []


def test_no_path_of_one_machine_is_written_down():
    found = []
    for file in files():
        try:
            text = file.read_text("utf-8")
        except UnicodeDecodeError:
            continue
        found += [f"{name_of(file)}:{text.count(chr(10), 0, m.start()) + 1}" for m in MACHINE_PATH.finditer(text)]
    assert found == []


def test_binary_files_are_small():
    sizes = {name_of(f): f.stat().st_size for f in files()}
    demo = sum(size for name, size in sizes.items() if name.startswith("deployments/demo/"))
    assert demo < MAX_DEMO_BYTES
    assert (
        sum(size for name, size in sizes.items() if name.startswith("tests/") and not name.endswith(".py"))
        < MAX_FIXTURE_BYTES
    )
    assert {name: size for name, size in sizes.items() if size > MAX_FIXTURE_BYTES} == {}


def test_every_room_explains_itself():
    assert [room for room in (*ROOMS, "tests") if not (ROOT / room / "README.md").exists()] == []
