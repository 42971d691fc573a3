"""程序 the training program.

    python -m lightning_modules fit --config RUN/run.yaml        train, resume, export; nothing when finished
    python -m lightning_modules launch N fit --config ...        the same in N processes
        --nodes M --rendezvous HOST:PORT, before N               on M machines, the same command on each
    python -m lightning_modules validate|test --config ...       loss of the newest checkpoint on a held-out split
    python -m lightning_modules export RUN/run.yaml [FOLDER]     the newest checkpoint as a Hugging Face folder
        --best --average K --onnx FOLDER --gguf FOLDER           by validation; the mean of K; other forms beside it
    python -m lightning_modules export-checkpoint FILE FOLDER    one checkpoint, without its run
    python -m lightning_modules convert MODEL --onnx FOLDER      a Hugging Face folder in another form; also --gguf
    python -m lightning_modules find-lr RUN/run.yaml             a range test of learning rates, beside the run
    python -m lightning_modules score CONFIG.json                bits per character, minimal pairs, samples

Exit codes: 0 done, 2 wrong run file or a run file that no longer fits its checkpoint, 5 files missing or not writable,
6 training failed (non-finite loss), 8 out of memory, 130/143 stopped by SIGINT/SIGTERM with a checkpoint written, 1 all
else.
"""

from __future__ import annotations

import contextlib
import os
import re
import sys
import traceback
from pathlib import Path

from data_contracts.errors import NonFiniteLoss
from lightning_modules.events import emit
from lightning_modules.failures import fault_of
from lightning_modules.signals import STOP, Stopped, end_with_launcher

TRAINER_COMMANDS = ("fit", "validate", "test")
# Read by the OpenMP runtime when torch is loaded, so it stands before every import of torch. By default threads spin
# for milliseconds while they wait for each other: where six other processes used the same two cores, a step of two
# threads took five times the wall and CPU time that it takes when they sleep. Threads that sleep at once are no better:
# waking them cost a quarter of the speed on idle cores. A few microseconds of spinning cost nothing under load.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("GOMP_SPINCOUNT", "20000")


def main(arguments: list[str]) -> int:
    """Run one command; its exit code."""
    try:
        end_with_launcher()
        return _run(arguments)
    except Stopped as stopped:
        emit("end", finished=False, step=stopped.step, message=f"已保存检查点并停止 {stopped}")
        return stopped.exit_code
    except Exception as error:
        with contextlib.suppress(OSError):  # on a full disk there may be no room for words either: the code says it
            return _failed(error)
        found = fault_of(error)
        return found.exit_code if found else 1


def _failed(error: Exception) -> int:
    """Tell what happened, as an event and to the log of a process whose events nobody reads; the exit code."""
    found = fault_of(error)
    if found is None:
        traceback.print_exc()
        emit("error", kind="unexpected", message=f"{type(error).__name__}: {error}")
        return 1
    step = {"step": found.args[1]} if isinstance(found, NonFiniteLoss) else {}
    kind = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", type(found).__name__).lower()
    emit("error", kind=kind, **step, message=str(found.args[0]))
    if os.environ.get("RANK", "0") != "0":
        sys.stderr.write(f"rank {os.environ['RANK']}: {found.args[0]}\n")
    return found.exit_code


def _run(arguments: list[str]) -> int:
    command, rest = (arguments[0], arguments[1:]) if arguments else ("", [])
    if command == "launch" and len(rest) > 1:
        from lightning_modules.launch import launch

        return launch(rest)
    if command in TRAINER_COMMANDS:
        STOP.install()
        from lightning_modules.cli import fit

        sys.argv[1:] = arguments
        fit()
        return 0
    if command in ("export", "export-checkpoint", "convert") and rest:
        from lightning_modules import conversion

        getattr(conversion, f"{command.replace('-', '_')}_command")(rest)
        return 0
    if command == "find-lr" and rest:
        from lightning_modules.find_rate import find_rate_command

        find_rate_command(rest)
        return 0
    if command == "score" and rest:
        from lightning_modules.score import score_file

        score_file(Path(rest[0]))
        return 0
    sys.stderr.write(__doc__ or "")
    return 2


if __name__ == "__main__":
    code = main(sys.argv[1:])
    with contextlib.suppress(OSError):
        sys.stdout.flush()
        sys.stderr.flush()
    if code or "TORCHELASTIC_RUN_ID" in os.environ:
        # After a fault other ranks may be gone, and taking down a process group would wait for them. After none, the
        # threads of a group that a library still holds may end the process with SIGABRT: seen once under DeepSpeed.
        os._exit(code)
