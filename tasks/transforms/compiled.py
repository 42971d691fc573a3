"""编译 compiled: loops over characters as machine code, by numba; the code is kept on disk beside its module.

Every signal of clean is a few operations a character. As numpy arrays each operation is a pass over memory; as one
compiled loop all of them cost 2 to 5 nanoseconds a character together. A kernel is compiled when it is first called
(about a second each, once per machine) and loaded from `__pycache__` afterwards, or from the user's cache folder where
the code cannot be written to.

numba looks only at a kernel's own file to see whether the kept code is still good. So a kernel takes tables and
constants of other modules as arguments, and calls no kernel of another file (a test holds this).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba

Function = TypeVar("Function", bound=Callable[..., Any])


def compiled(function: Function) -> Function:
    """Compile a function of arrays and numbers when it is first called. Division by zero gives inf, not an error."""
    try:
        kept = numba.njit(cache=True, error_model="numpy")(function)
    except RuntimeError:  # numba found no folder that it may write to
        kept = numba.njit(error_model="numpy")(function)
    return cast("Function", kept)
