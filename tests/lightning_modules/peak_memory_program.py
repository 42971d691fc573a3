"""Trains a run file and prints how much memory that took at most, beyond what the libraries had before it."""

from __future__ import annotations

import ctypes
import gc
import json
import shutil
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))


def held(name: str) -> int:
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(name))


def main(run: Path) -> None:
    from lightning_modules.__main__ import main as program

    before = run.parent.with_name(f"{run.parent.name}-before")  # the same run once, so that everything is imported
    shutil.copytree(run.parent, before)
    text = run.read_text(encoding="utf-8")
    small = text.replace(str(run.parent), str(before)).replace("max_steps: 2", "max_steps: 1")
    small = small.replace("blocks_per_device: 64", "blocks_per_device: 1").replace(
        "accumulate_grad_batches: 2", "accumulate_grad_batches: 128"
    )
    (before / "run.yaml").write_text(small, encoding="utf-8")
    codes = [program(["fit", "--config", str(before / "run.yaml")])]
    gc.collect()
    ctypes.CDLL("libc.so.6").malloc_trim(0)
    Path("/proc/self/clear_refs").write_text(
        "5", encoding="ascii"
    )  # the high-water mark starts here: proc_pid_clear_refs(5)
    start = held("VmRSS")
    codes.append(program(["fit", "--config", str(run)]))
    assert codes == [0, 0]
    print(json.dumps({"peak": held("VmHWM") - start}))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
