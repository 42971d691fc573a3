"""结局 outcome: an error becomes a message and an exit code."""

from __future__ import annotations

import contextlib
import traceback
from collections.abc import Iterator

from data_contracts.errors import ZiliuError
from deployments import display
from deployments.wording import both


class Outcome:
    """The exit code of what ran inside `explained`."""

    code = 0


@contextlib.contextmanager
def explained() -> Iterator[Outcome]:
    """Turn an error into a message and an exit code; only an unforeseen one shows its traceback."""
    outcome = Outcome()
    try:
        yield outcome
    except ZiliuError as error:
        display.fail(str(error))
        outcome.code = error.exit_code
    except KeyboardInterrupt:
        display.fail(both("已中断; 再次运行会接着做", "interrupted; the same command goes on from here"))
        outcome.code = 130
    except Exception:
        display.complaint.print(traceback.format_exc(), markup=False)
        display.fail(both("意外错误, 请报告", "an unforeseen error; please report it"))
        outcome.code = 1
