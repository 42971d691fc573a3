"""服务器看护 server keeper: the process that holds the Prefect server and its database; started by `server.start`.

    python -m deployments.server_keeper STORE/server FD        FD: a bound socket, inherited

It runs the server in its own process (what `prefect server start` does, less a second interpreter), and ends server
and database when nobody holds STORE/server/users.lock any more, or on SIGTERM. If it is killed itself, the database
ends with it, and the next start cleans up.
"""

from __future__ import annotations

import fcntl
import json
import os
import socket
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import psutil

from deployments.embedded_database import DatabaseUnavailable, EmbeddedPostgres

if TYPE_CHECKING:
    import uvicorn

_WITHOUT_POSTGRES = "ZILIU_KEEPER_WITHOUT_POSTGRES"  # set when the keeper starts again, with the reason
_DRIVERS = {"postgresql": "postgresql+asyncpg", "postgres": "postgresql+asyncpg", "sqlite": "sqlite+aiosqlite"}
_POLL_SECONDS = 0.25
_END_SECONDS = 20.0  # after which a server that does not end is left behind
_DRAIN_SECONDS = 3  # for open requests and websockets when the server ends


def main(folder: Path, listening: socket.socket) -> int:
    """Run until nobody uses the server; returns an exit code."""
    outside, reason = os.environ.get("ZILIU_DATABASE_URL"), os.environ.get(_WITHOUT_POSTGRES)
    database = None if outside or reason else EmbeddedPostgres(folder)
    try:
        if database is not None:
            database.start()  # comes up while Prefect is imported
        url = database.url if database else _async_driver(outside or f"sqlite:///{folder / 'prefect.db'}")
        server = _server(folder, url, listening)
        if database is not None:
            database.wait()
    except DatabaseUnavailable as error:
        if database is not None:
            database.stop()
        _start_again_without_postgres(str(error), listening)
    kind = "postgresql" if database else "outside" if outside else "sqlite"
    note = f"使用 SQLite: 一次只跑一个流程 using SQLite, one flow at a time: {reason.splitlines()[0]}" if reason else ""
    _write(folder / "server.json", {"url": os.environ["PREFECT_API_URL"], "database": kind, "note": note})
    print(f"{kind}, {os.environ['PREFECT_API_URL']}", flush=True)  # noqa: T201
    threading.Thread(target=_watch, args=(folder, server, database), daemon=True).start()
    try:
        server.run(sockets=[listening])
    finally:
        (folder / "server.json").unlink(missing_ok=True)
        if database is not None:
            database.stop()
    return 0 if server.started else 1


def _server(folder: Path, database_url: str, listening: socket.socket) -> uvicorn.Server:
    """The Prefect server; settings are read from the environment when prefect is imported, so that comes first."""
    os.environ.update(
        PREFECT_API_DATABASE_CONNECTION_URL=database_url,
        PREFECT_UI_STATIC_DIRECTORY=str(folder / "ui"),  # otherwise the installed package is written to
        PREFECT_SERVER_API_PORT=str(listening.getsockname()[1]),
        PREFECT_UI_API_URL=os.environ["PREFECT_API_URL"],
    )
    import uvicorn
    from prefect.server.api.server import create_app

    config = uvicorn.Config(
        create_app(final=True),
        log_level="warning",
        timeout_graceful_shutdown=_DRAIN_SECONDS,
    )
    return uvicorn.Server(config)


def _watch(folder: Path, server: uvicorn.Server, database: EmbeddedPostgres | None) -> None:
    """End the server when nobody uses it, or when the database has ended."""
    with (folder / "users.lock").open("ab") as users:
        while not server.should_exit:
            time.sleep(_POLL_SECONDS)
            if database and database.process and database.process.poll() is not None:
                print("the database ended by itself; see postgres.log", flush=True)  # noqa: T201
                break
            try:
                fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            break
        # The lock is kept until this process ends: a newcomer waits for that, and then starts a server of its own.
        (folder / "server.json").unlink(missing_ok=True)
        server.should_exit = True
        time.sleep(_END_SECONDS)
        print(f"the server did not end in {_END_SECONDS:.0f} s", flush=True)  # noqa: T201
        if database is not None:
            database.stop()
        os._exit(1)


def _start_again_without_postgres(reason: str, listening: socket.socket) -> NoReturn:
    """Replace this process by a keeper on SQLite: Prefect has read its settings and would not read them again."""
    print(f"PostgreSQL cannot be used, SQLite instead: {reason}", flush=True)  # noqa: T201
    os.environ[_WITHOUT_POSTGRES] = reason
    listening.set_inheritable(True)
    os.execv(sys.executable, sys.orig_argv)


def _async_driver(url: str) -> str:
    scheme, separator, rest = url.partition("://")
    return _DRIVERS.get(scheme, scheme) + separator + rest


def _write(file: Path, record: dict[str, str]) -> None:
    me = {"pid": os.getpid(), "created": psutil.Process().create_time()}
    unfinished = file.with_suffix(".new")
    unfinished.write_text(json.dumps(record | me, ensure_ascii=False), encoding="utf-8")
    unfinished.replace(file)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), socket.socket(fileno=int(sys.argv[2]))))
