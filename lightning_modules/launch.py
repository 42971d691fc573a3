"""多进程启动 launch: torch.distributed.run --standalone on this machine, with exit codes that mean something.

torchrun ends with 1 whatever its processes ended with. Here the code of the first process that failed is kept (6 after
a non-finite loss), and a signal gives 128 + its number (143), after every process has written its checkpoint.
"""

from __future__ import annotations

import os
import sys
import uuid

from torch.distributed.elastic.multiprocessing import SignalException
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
from torch.distributed.launcher.api import LaunchConfig, elastic_launch


def launch(processes: int, arguments: list[str]) -> int:
    """Run `python -m lightning_modules ARGUMENTS` in `processes` processes; the exit code."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, cores // processes)))
    os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")  # one machine: never listen on the network
    config = LaunchConfig(
        min_nodes=1,
        max_nodes=1,
        nproc_per_node=processes,
        run_id=uuid.uuid4().hex,
        rdzv_backend="c10d",
        rdzv_endpoint="localhost:0",
        local_addr="localhost",
        max_restarts=0,  # a fresh start resumes from the checkpoint; the caller decides about it
        monitor_interval=0.2,
    )
    try:
        elastic_launch(config, sys.executable)("-m", "lightning_modules", *arguments)
    except ChildFailedError as error:
        codes = [failure.exitcode for failure in error.failures.values()]
        first = error.get_first_failure()[1].exitcode
        return next((c for c in codes if c == 6), first if first > 0 else 128 - first)
    except SignalException as stopped:
        return 128 + int(stopped.sigval)
    return 0
