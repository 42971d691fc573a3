"""服务器 server: one Prefect server and its database per store, shared by everybody who uses the store.

    with start(store) as server:      # finds the one that is up, or starts one
        connect(store, server.url)
        everything(cfg)

    STORE/server/pgdata/        the embedded PostgreSQL (or prefect.db, SQLite, where PostgreSQL cannot run)
    STORE/server/prefect/       PREFECT_HOME
    STORE/server/logs/          server.log, postgres.log
    STORE/server/server.json    address and process of the server that is up
    STORE/server/users.lock     every user holds it shared

The server lives in a keeper process (`deployments.server_keeper`) with a session of its own. Whoever uses the server
holds a shared lock on users.lock, which the kernel gives back when that process ends in whatever way, `kill -9`
included. The keeper ends the server and the database as soon as nobody holds it. So two runs share one server, the
first to end does not take it from the other, and no server outlives its users.

Environment: PREFECT_API_URL names a server that is run elsewhere, and nothing is started; ZILIU_DATABASE_URL names a
PostgreSQL that is run elsewhere.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import psutil

from data_contracts.errors import ServerError
from deployments.client import environment, named_by_the_user, send_queues, ui_address

PORT = 4200
_PORTS_TRIED = 20
_START_SECONDS = 180.0  # on an idle machine 4 to 9
_END_SECONDS = 30.0
_CLOCK_SECONDS = 5.0  # by which two processes may see the start of a third apart, after the clock was set
_KEEPERS: dict[int, subprocess.Popen[bytes]] = {}  # those this process started, by pid: it has to reap them
_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # loopback never goes through a proxy


@dataclass
class Server:
    """A server that is up for as long as this object is in use."""

    url: str
    database: str  # "postgresql", "sqlite", "outside", or "" for a server that is run elsewhere
    note: str = ""  # what a person should know, such as why SQLite is used
    started: bool = False  # by this call, not found running
    pid: int | None = None
    folder: Path | None = None
    _users: IO[bytes] | None = None

    @property
    def ui(self) -> str:
        """The address of the UI."""
        return ui_address(self.url)

    def __enter__(self) -> Server:
        """Nothing to do: it is up."""
        return self

    def __exit__(self, *exception: object) -> None:
        """Stop using it, after it has got this process's last logs and events."""
        send_queues()
        self.stop()

    def stop(self) -> None:
        """Stop using the server; when nobody else does, return after server and database have ended."""
        if self._users is None or self.folder is None or self.pid is None:
            return
        try:
            fcntl.flock(self._users, fcntl.LOCK_EX | fcntl.LOCK_NB)
            last = True
        except BlockingIOError:  # somebody else uses it, or the keeper has just noticed that nobody does
            last = _record(self.folder).get("pid") != self.pid
        self._users.close()
        self._users = None
        deadline = time.monotonic() + _END_SECONDS
        while last and not _ended(self.pid) and time.monotonic() < deadline:
            time.sleep(0.05)

    def wait(self) -> None:
        """Return when the server has ended by itself; ServerError with the end of its log. Ctrl-C passes through."""
        while self.pid is None or not _ended(self.pid):
            time.sleep(0.2)
        raise ServerError(f"服务器已退出 the server ended by itself.\n{_tail(self.folder)}")


def start(store: str | Path, *, port: int | None = None) -> Server:
    """Use the store's server, starting it when it is not up.

    `port` None takes 4200 or the next free one; a given port that is in use raises. ServerError says what to do.
    """
    outside = named_by_the_user()
    if outside:
        if not healthy(outside):
            raise ServerError(f"PREFECT_API_URL={outside} 没有响应 does not answer; start that server, or unset it")
        return Server(
            url=outside.rstrip("/"),
            database="",
            note="PREFECT_API_URL 指定的服务器 the server that PREFECT_API_URL names",
        )
    folder = Path(store).expanduser().absolute() / "server"
    users = _enter(folder)
    try:
        with _alone(folder):
            record = _running(folder)
            started = record is None
            record = record or _launch(Path(store), folder, _listen(port))
    except BaseException:
        users.close()
        raise
    return Server(record["url"], record["database"], record["note"], started, record["pid"], folder, users)


def healthy(url: str) -> bool:
    """Whether a Prefect server answers at this API address."""
    try:
        with _DIRECT.open(f"{url.rstrip('/')}/health", timeout=5) as answer:
            return bool(answer.read().strip() == b"true")
    except (OSError, ValueError):
        return False


def _enter(folder: Path) -> IO[bytes]:
    """Hold users.lock; waits for a keeper that is just ending."""
    try:
        (folder / "logs").mkdir(parents=True, exist_ok=True)
        users = (folder / "users.lock").open("ab")
    except OSError as error:
        raise ServerError(f"{folder}: 不可写 cannot be written: {error.strerror}; choose another store") from None
    _lock(users, fcntl.LOCK_SH, _END_SECONDS + 10)
    return users


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    with (folder / "start.lock").open("ab") as lock:
        _lock(lock, fcntl.LOCK_EX, _START_SECONDS)
        yield


def _lock(file: IO[bytes], kind: int, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while True:
        try:
            return fcntl.flock(file, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise ServerError(
                    f"{file.name}: 等待超时 held for {seconds:.0f} s; end the server that hangs"
                ) from None
            time.sleep(0.05)


def _record(folder: Path) -> dict[str, Any]:
    try:
        record = json.loads((folder / "server.json").read_text("utf-8"))
        return record if isinstance(record, dict) else {}
    except (OSError, ValueError):
        return {}


def _running(folder: Path) -> dict[str, Any] | None:
    """The record of the server that is up, or None when there is none.

    A server that lives is waited for, however loaded the machine is: a second one would take its database from it.
    """
    record = _record(folder)
    deadline = time.monotonic() + _START_SECONDS
    while _lives(record):
        if healthy(record["url"]):
            return record
        if time.monotonic() > deadline:
            advice = f"end it with: kill {record['pid']}\n{_tail(folder)}"
            raise ServerError(f"服务器没有响应 the server lives but does not answer; {advice}")
        time.sleep(0.2)
    return None


def _lives(record: dict[str, Any]) -> bool:
    """Whether the process of a record is still that process; its number may mean another one by now."""
    try:
        begun = psutil.Process(record["pid"]).create_time()
        return abs(begun - record["created"]) < _CLOCK_SECONDS and not _ended(record["pid"])
    except (psutil.Error, KeyError, TypeError, ValueError):
        return False


def _ended(pid: int) -> bool:
    if pid in _KEEPERS:
        return _KEEPERS[pid].poll() is not None
    try:
        return bool(psutil.Process(pid).status() == psutil.STATUS_ZOMBIE)
    except psutil.Error:
        return True


def _listen(port: int | None) -> socket.socket:
    """A socket that listens at the port on loopback: the keeper inherits it, so nobody can take the port in between.

    Bound is not enough: Linux lets two sockets with SO_REUSEADDR bind one port until one of them listens, and then two
    stores that start at once would share the server of one of them.
    """
    for candidate in [port] if port is not None else [*range(PORT, PORT + _PORTS_TRIED), 0]:
        bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            bound.bind(("127.0.0.1", candidate))
            bound.listen(2048)  # what uvicorn asks for
            return bound
        except (OSError, OverflowError) as error:
            bound.close()
            if port is not None:
                raise ServerError(_why_not(port, error)) from None
    raise ServerError("没有空闲端口 no free port on 127.0.0.1")


def _why_not(port: int, error: OSError | OverflowError) -> str:
    code = getattr(error, "errno", None)
    if code == errno.EADDRINUSE:
        url = f"http://127.0.0.1:{port}/api"
        if healthy(url):
            return f"端口 {port} 上已有另一个 Prefect another Prefect server has it; to use that: PREFECT_API_URL={url}"
        return f"端口 {port} 已被占用 port {port} is in use; end the program that has it, or choose another port"
    if code == errno.EACCES:
        return f"端口 {port} 没有权限 no permission for port {port}; choose one above 1023"
    return f"端口 {port} 不可用 port {port} cannot be used: {error}"


def _launch(store: Path, folder: Path, listening: socket.socket) -> dict[str, Any]:
    """Start the keeper and wait until the server answers."""
    url = f"http://127.0.0.1:{listening.getsockname()[1]}/api"
    log = folder / "logs" / "server.log"
    if log.exists():
        log.replace(log.with_suffix(".log.1"))
    (folder / "server.json").unlink(missing_ok=True)
    with listening, log.open("wb") as out:
        keeper = subprocess.Popen(
            [sys.executable, "-P", "-m", "deployments.server_keeper", str(folder), str(listening.fileno())],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            pass_fds=(listening.fileno(),),
            start_new_session=True,
            cwd=folder,
            env=_keeper_environment() | environment(store, url),
        )
    _KEEPERS[keeper.pid] = keeper
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline and keeper.poll() is None:
        record = _record(folder)
        if record.get("pid") == keeper.pid and healthy(url):
            return record
        time.sleep(0.05)
    if keeper.poll() is None:
        keeper.terminate()
        raise ServerError(
            f"服务器 {_START_SECONDS:.0f} 秒内没有就绪 the server was not ready in time.\n{_tail(folder)}"
        )
    raise ServerError(f"服务器没有启动 the server did not start.\n{_tail(folder)}")


def _keeper_environment() -> dict[str, str]:
    """Ours, less what a run says about its own log: the server's log is where its faults are looked for."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_LOGGING_")}


def _tail(folder: Path | None) -> str:
    """The end of the server's log, and where it lies."""
    if folder is None:
        return ""
    log = folder / "logs" / "server.log"
    with contextlib.suppress(OSError):
        return "\n".join([*log.read_text("utf-8", "replace").splitlines()[-15:], f"({log})"])
    return f"({log})"
