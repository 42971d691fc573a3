"""多进程启动 launch: torch's elastic launcher on this machine and on others, with exit codes that mean something.

    launch N fit --config RUN/run.yaml                                          N processes here
    launch --nodes M --rendezvous HOST:PORT N fit --config RUN/run.yaml         the same command on each of M machines

torchrun ends with 1 whatever its processes ended with. Here the code of the first process that failed is kept (6 after
a non-finite loss), and a signal gives 128 + its number (143), after every process has written its checkpoint.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import sys
import uuid

from torch.distributed.elastic.multiprocessing import SignalException
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
from torch.distributed.launcher.api import LaunchConfig, elastic_launch

from data_contracts.errors import ConfigError
from lightning_modules.devices import refuse_missing_devices

TOLD = (2, 5, 6, 8)  # exit codes that say why; a process that lost its neighbour ends with 1, perhaps before it
LOOPBACK = ("localhost", "127.0.0.1", "::1")


def launch(arguments: list[str]) -> int:
    """Run `python -m lightning_modules ...` in so many processes; the exit code.

    Raises:
        ConfigError: nodes without a place to meet, or more processes than this machine has devices.
    """
    asked, program = _parsed(arguments)
    refuse_missing_devices(program, asked.processes)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, cores // asked.processes)))
    try:
        elastic_launch(_config(asked, program), sys.executable)("-m", "lightning_modules", *program)
    except ChildFailedError as error:
        codes = [failure.exitcode for failure in error.failures.values()]
        first = error.get_first_failure()[1].exitcode
        return next((c for c in codes if c in TOLD), first if first > 0 else 128 - first)
    except SignalException as stopped:
        return 128 + int(stopped.sigval)
    return 0


def _parsed(arguments: list[str]) -> tuple[argparse.Namespace, list[str]]:
    parser = argparse.ArgumentParser(prog="python -m lightning_modules launch")
    parser.add_argument("processes", type=int, help="每台机器的进程数 (processes on each machine)")
    parser.add_argument("--nodes", type=int, default=1, help="机器数 (machines)")
    parser.add_argument("--rendezvous", default="localhost:0", help="会合地址 HOST:PORT, 第一台机器的 (of the first)")
    parser.add_argument("--timeout", type=int, default=900, help="等待其他机器, 秒 (wait for the others, seconds)")
    parser.add_argument("program", nargs=argparse.REMAINDER, help="fit --config RUN/run.yaml")
    asked = parser.parse_args(arguments)
    if asked.nodes > 1 and not asked.rendezvous.rpartition(":")[2].strip("0"):
        raise ConfigError(f"launch: {asked.nodes} nodes meet at --rendezvous HOST:PORT, the same on all; none is given")
    return asked, asked.program


def _config(asked: argparse.Namespace, program: list[str]) -> LaunchConfig:
    here = asked.rendezvous.rpartition(":")[0] in LOOPBACK
    if here:
        os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")  # one machine: never listen on the network
    # All machines start the same command, so its hash is one name for all; alone, a name that nobody else has.
    name = hashlib.sha256("\0".join(program).encode()).hexdigest() if asked.nodes > 1 else uuid.uuid4().hex
    return LaunchConfig(
        min_nodes=asked.nodes,
        max_nodes=asked.nodes,
        nproc_per_node=asked.processes,
        run_id=name[:32],
        rdzv_backend="c10d",
        rdzv_endpoint=asked.rendezvous,
        rdzv_configs={"join_timeout": asked.timeout},
        local_addr="localhost" if here else None,
        max_restarts=0,  # a fresh start resumes from the checkpoint; the caller decides about it
        monitor_interval=0.2,
    )
