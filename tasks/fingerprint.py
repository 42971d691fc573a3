"""代码指纹 the code fingerprint: what of our code a stage's output depends on.

It is the AST, without comments and docstrings, of the stage's module and of every module of ours that it imports,
however deep. Editing a comment changes nothing; editing an imported transform changes every stage that imports it.
"""

from __future__ import annotations

import ast
import hashlib
import importlib.metadata
import importlib.util
from functools import cache
from pathlib import Path
from typing import Any

_ROOMS = ("tasks", "lightning_modules", "data_contracts")

# Left out: modules through which data passes unchanged, and those whose *values* are in the key already (configs,
# schemas). An edit there must not recompute the world.
_INFRASTRUCTURE = frozenset(
    {
        "tasks", "tasks.transforms", "tasks.artifacts", "tasks.executors", "tasks.fingerprint", "tasks.folder",
        "tasks.journal", "tasks.planned", "tasks.progress", "tasks.rows", "tasks.stage", "tasks.store",
        "tasks.supervised", "tasks.warming", "tasks.work",
        "data_contracts", "data_contracts.boilerplate", "data_contracts.comparison", "data_contracts.config",
        "data_contracts.config_file",
        "data_contracts.dataset", "data_contracts.decontamination", "data_contracts.errors", "data_contracts.mixture",
        "data_contracts.model", "data_contracts.network", "data_contracts.reasons", "data_contracts.schemas",
        "data_contracts.scoring", "data_contracts.sources", "data_contracts.stages", "data_contracts.study",
        "data_contracts.training", "data_contracts.units", "data_contracts.vectors",
    }
)  # fmt: skip


def code_fingerprint(module: str, programs: tuple[str, ...] = ()) -> str:
    """16 hex digits for a stage module and the packages that it runs as programs."""
    names = _reach(module)
    for program in programs:
        package = _file(program)
        if package is None:
            raise ModuleNotFoundError(f"{program} is not a package of ours")
        for path in sorted(package.parent.rglob("*.py")):
            relative = path.relative_to(package.parent).with_suffix("")
            names |= _reach(".".join([program, *(p for p in relative.parts if p != "__init__")]))
    digest = hashlib.sha256()
    for name in sorted(names):
        digest.update(f"{name}\0{_read(name)[0]}\0".encode())
    return digest.hexdigest()[:16]


def library_versions(names: tuple[str, ...]) -> dict[str, str]:
    """Installed versions of the libraries whose output lands in the data."""
    return {name: _version(name) for name in sorted(names)}


_version = cache(importlib.metadata.version)


def _reach(module: str) -> set[str]:
    """The module and all of ours that it imports, infrastructure left out."""
    seen: set[str] = set()
    todo = [module]
    while todo:
        name = todo.pop()
        if name not in seen and name not in _INFRASTRUCTURE:
            seen.add(name)
            todo.extend(_read(name)[1])
    return seen


@cache
def _read(module: str) -> tuple[str, frozenset[str]]:
    """The normal form of a module, and what it imports of ours."""
    path = _file(module)
    if path is None:
        return "", frozenset()
    form, imported = _parsed(path.read_text(encoding="utf-8"))
    found: set[str] = set()
    for node in imported:
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif node.module:
            found.add(node.module)
            found.update(f"{node.module}.{alias.name}" for alias in node.names)
    return form, frozenset(n for n in found if n.split(".")[0] in _ROOMS and _file(n) is not None)


def normal_form(source: str) -> str:
    """The AST of a source text as a string, without comments, docstrings and positions."""
    return _parsed(source)[0]


def _parsed(source: str) -> tuple[str, list[ast.Import | ast.ImportFrom]]:
    """The normal form and the imports, wherever they stand.

    As `ast.dump(tree, annotate_fields=False)` writes it in Python 3.11, in a third of the time: a flow reads seventy
    modules before its stages run, and its workers wait.
    """
    imported: list[ast.Import | ast.ImportFrom] = []

    def form(value: Any) -> str:
        if isinstance(value, list):
            return f"[{', '.join(map(form, value))}]"
        if not isinstance(value, ast.AST):
            return repr(value)
        if isinstance(value, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            value.body = [n for n in value.body if not _is_text(n)] or [ast.Pass()]
        elif isinstance(value, ast.Import | ast.ImportFrom):
            imported.append(value)
        kind: Any = type(value)
        written, named = [], False  # what follows an optional field that is left out is written with its name
        for name, optional in _fields(kind):
            field = getattr(value, name)
            if field is None and optional:
                named = True
            else:
                written.append(f"{name}={form(field)}" if named else form(field))
        return f"{kind.__name__}({', '.join(written)})"

    return form(ast.parse(source)), imported


@cache
def _fields(kind: Any) -> list[tuple[str, bool]]:
    """Names of a node's fields, and whether each may be left out."""
    return [(name, getattr(kind, name, ...) is None) for name in kind._fields]


def _is_text(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


@cache
def _file(module: str) -> Path | None:
    """The source file of a module of ours, None for a name that is not a module.

    Only the room is asked of Python: `find_spec("lightning_modules.a.b")` would import `a`, and with it torch.
    """
    room, *rest = module.split(".")
    if room not in _ROOMS:
        return _origin(module)
    top = _origin(room)
    if top is None:
        return None
    place = top.parent.joinpath(*rest)
    files = (place / "__init__.py", place.with_name(f"{place.name}.py")) if rest else (top,)
    return next((file for file in files if file.is_file()), None)


def _origin(module: str) -> Path | None:
    try:
        spec = importlib.util.find_spec(module)
    except (ModuleNotFoundError, AttributeError, ValueError):
        return None
    return Path(spec.origin) if spec and spec.origin and spec.origin.endswith(".py") else None
