"""Comments and docstrings recompute nothing; code in an imported module does."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tasks import fingerprint

SOURCE = '''"""Module text."""
def f(x):
    """Say what."""
    # a comment
    return x + 1
'''


def test_comments_docstrings_and_layout_do_not_count():
    edited = SOURCE.replace("Module text.", "Other").replace("Say what.", "Another").replace("# a comment", "")
    assert fingerprint.normal_form(edited.replace("x + 1", "(x +\n      1)")) == fingerprint.normal_form(SOURCE)


@pytest.mark.parametrize("edit", [("x + 1", "x + 2"), ("def f(x)", "def g(x)"), ("return x", "return 1; x")])
def test_code_counts(edit):
    assert fingerprint.normal_form(SOURCE.replace(*edit)) != fingerprint.normal_form(SOURCE)


@pytest.mark.skipif(sys.version_info >= (3, 13), reason="ast.dump leaves empty lists out since")
def test_the_form_is_what_ast_dump_writes():
    for file in (*Path(fingerprint.__file__).parent.rglob("*.py"), Path(__file__)):
        tree = ast.parse(file.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                node.body = [n for n in node.body if not fingerprint._is_text(n)] or [ast.Pass()]
        assert fingerprint.normal_form(file.read_text(encoding="utf-8")) == ast.dump(tree, annotate_fields=False), file


def test_a_function_of_only_a_docstring_still_parses():
    assert "Pass" in fingerprint.normal_form('def f():\n    """Only text."""\n')


def test_an_edit_in_an_imported_module_reaches_the_stage(tmp_path, monkeypatch):
    room = tmp_path / "tasks"
    room.mkdir()
    (room / "alpha.py").write_text("from tasks_room.beta import g\n")
    monkeypatch.setattr(fingerprint, "_ROOMS", ("tasks_room",))
    package = tmp_path / "tasks_room"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "alpha.py").write_text("import tasks_room.beta\n")
    (package / "beta.py").write_text("def g():\n    return 1\n")
    monkeypatch.syspath_prepend(tmp_path)

    def value():
        for cached in (fingerprint._read, fingerprint._file):
            cached.cache_clear()
        for name in [n for n in sys.modules if n.startswith("tasks_room")]:
            del sys.modules[name]
        return fingerprint.code_fingerprint("tasks_room.alpha")

    first = value()
    (package / "beta.py").write_text("def g():\n    # why\n    return 1\n")
    assert value() == first
    (package / "beta.py").write_text("def g():\n    return 2\n")
    assert value() != first


def test_infrastructure_is_left_out_and_transforms_are_in():
    reach = fingerprint._reach("tasks.supervised") | fingerprint._reach("tasks.work")
    assert "tasks.store" not in reach
    assert "data_contracts.errors" not in reach
    assert fingerprint._reach("tasks.crawler") == {"tasks.crawler"}


def test_library_versions_are_what_is_installed():
    assert set(fingerprint.library_versions(("polars", "numpy"))) == {"numpy", "polars"}
    with pytest.raises(Exception, match="no-such-thing"):
        fingerprint.library_versions(("no-such-thing",))


def test_reading_the_training_code_imports_none_of_it():
    """torch takes seconds and hundreds of megabytes, and has no place in a flow's process."""
    code = (
        "import sys; from tasks.fingerprint import code_fingerprint as f\n"
        "f('tasks.pretrain', ('lightning_modules',)); print([m for m in sys.modules if m.split('.')[0] in"
        " ('torch', 'lightning', 'transformers', 'lightning_modules')])"
    )
    path = os.pathsep.join(p for p in sys.path if p)
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=dict(os.environ, PYTHONPATH=path)
    )
    assert done.stdout.strip() in ("[]", "['lightning_modules']")
