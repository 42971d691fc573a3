"""What numba cannot see for itself: a kernel's kept code is only as good as its own file."""

from __future__ import annotations

import ast
import builtins
import os
import subprocess
import sys
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


OUT_OF_BOUNDS = """
import random
import polars as pl
from data_contracts.stages import CleanConfig
from tasks.clean import mark
from tasks.transforms import pii
from tasks.transforms.words import words
chance, texts = random.Random(1), ["", "a", "\\n", " ", "的" * 5000, "一\\n" * 9000, "..." * 3000]
letters = [chr(c) for c in range(0x4E00, 0x9000)] + list("，。！ \\n\\t\\r0aZ【】＊①é\\u0301\\u200d👩𠀀")
for size in [*range(40), 60, 1027, 1028, 1029, 1036, 1037, 2047, 2048, 2049, 4100, 70000]:
    texts.append("".join(chance.choices(letters, k=size)))
    texts.append("".join(chance.choices("的一是了。\\n", k=size)))
out = mark(pl.LazyFrame({"doc_id": [str(i) for i in range(len(texts))], "text": texts}), CleanConfig(min_chars=0)).collect()
personal = list("0123456789" * 3 + "@＠.:/=?&;#-+()（）[]【】 \\n\u00b7一二三幺微信宝艾特京沪A°度′分QqXxwvtIDide_，。证话１Ａ👩")
held = ["", "@", "1", "a", "一" * 5000, "(@)" * 900, "a艾特" * 900, "a@b.cc" * 900, "1.1.1.1," * 900, "?sid=" * 900]
for size in [*range(1, 40), 399, 400, 401, 802, 5000]:
    held += ["".join(chance.choices(personal, k=size)) + "的" * chance.randrange(500) for _ in range(20)]
found = dict(pii.found_in(pl.Series(held)))
assert all(pii.find(held[row]) == spans for row, spans in found.items())
print(out.height == len(texts) == len(words(texts).offsets) - 1 == len(words(texts, False).offsets) - 1)
"""


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_no_kernel_reaches_outside_its_arrays(tmp_path: Path) -> None:
    """Compiled anew with every index checked: without the check a wrong one is silent, or ends the process."""
    environment = {
        **os.environ,
        "NUMBA_BOUNDSCHECK": "1",
        "NUMBA_CACHE_DIR": str(tmp_path),
        "PYTHONPATH": str(ROOM.parents[1]),
    }
    done = subprocess.run(
        [sys.executable, "-c", OUT_OF_BOUNDS], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.strip() == "True"


def test_without_a_folder_for_kept_code_it_is_compiled_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    real = module.numba.njit

    def nowhere(**options):
        if options.get("cache"):
            raise RuntimeError("cannot cache function: no locator available")
        return real(**options)

    monkeypatch.setattr(module.numba, "njit", nowhere)
    assert compiled(lambda n: n + 1)(1) == 2
