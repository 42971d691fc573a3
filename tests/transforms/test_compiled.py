"""What numba cannot see for itself: a kernel's kept code is only as good as its own file."""

from __future__ import annotations

import ast
import builtins
from pathlib import Path

import numpy as np
import pytest

from tasks.transforms import compiled as module
from tasks.transforms.compiled import compiled

ROOM = Path(module.__file__).parent
FILES = [f for f in sorted(ROOM.glob("*.py")) if "@compiled" in f.read_text("utf-8") and f.stem != "compiled"]
HARMLESS = {"np", "compiled", *dir(builtins)}


@pytest.mark.parametrize("file", FILES, ids=lambda f: f.stem)
def test_a_kernel_uses_nothing_of_another_file(file: Path) -> None:
    tree = ast.parse(file.read_text("utf-8"))
    imported = {
        (name.asname or name.name).partition(".")[0]
        for node in tree.body
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in node.names
    } - HARMLESS
    kernels = [
        f for f in tree.body if isinstance(f, ast.FunctionDef) and "compiled" in map(ast.unparse, f.decorator_list)
    ]
    assert kernels
    for kernel in kernels:
        used = {n.id for statement in kernel.body for n in ast.walk(statement) if isinstance(n, ast.Name)}
        used -= {argument.arg for argument in kernel.args.args}
        assert used & imported == set(), kernel.name


def test_a_function_is_compiled_and_does_what_it_says() -> None:
    def total(values, start):
        for value in values:
            start += value
        return start

    made = compiled(total)
    assert made(np.arange(10), 5) == 50
    assert made.py_func is total
    assert made.signatures


def test_without_a_folder_for_kept_code_it_is_compiled_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    real = module.numba.njit

    def nowhere(**options):
        if options.get("cache"):
            raise RuntimeError("cannot cache function: no locator available")
        return real(**options)

    monkeypatch.setattr(module.numba, "njit", nowhere)
    assert compiled(lambda n: n + 1)(1) == 2
