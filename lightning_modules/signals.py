"""信号 signals: SIGTERM and SIGINT ask for a checkpoint and an orderly end, with exit code 128 + signal (143, 130)."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading
from types import FrameType

PR_SET_PDEATHSIG = 1  # <sys/prctl.h>


def end_with_launcher() -> None:
    """On Linux, let the kernel kill this process when the launcher that started it dies.

    torch's launcher gives every process a session of its own, which no signal to the launcher's group reaches: after
    `kill -9` of the launcher they would train on, and the next start would find them in its folder.
    """
    if sys.platform == "linux" and "TORCHELASTIC_RUN_ID" in os.environ:
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() == 1:  # it died before the kernel was asked
            os._exit(128 + signal.SIGKILL)


class Stopped(Exception):
    """Training ended because a signal asked for it; the checkpoint is written."""

    def __init__(self, number: int, step: int) -> None:
        super().__init__(f"stopped by {signal.Signals(number).name} after step {step}")
        self.exit_code = 128 + number
        self.step = step


class StopRequest:
    """Which signal this process received. Ranks agree on it once a step, so that all stop after the same one."""

    def __init__(self) -> None:
        self.received = 0
        self.agreed = 0  # set after each step on every rank
        self.training = False  # outside of training there is nothing to save: leave at once

    def install(self) -> None:
        """Handle the signals here. Called again at the start of training, because Lightning puts its own handler in.

        Lightning's handler starts a collective inside the signal handler, which can meet another one half-way.
        """
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, self._receive)

    def agree(self, flags: float) -> int:
        """The signal to stop on when `flags` ranks received one, else 0; remembers it."""
        self.agreed = (self.received or signal.SIGTERM) if flags else 0
        return int(self.agreed)

    def _receive(self, number: int, frame: FrameType | None) -> None:
        self.received = self.received or number
        if not self.training:
            raise SystemExit(128 + number)


STOP = StopRequest()
