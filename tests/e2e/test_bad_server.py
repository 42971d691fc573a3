"""Ports in use and servers that do not start: said at once, with what to do."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from deployments.demo.site_server import PORT_VARIABLE
from tests.e2e import roads, small_sources

pytestmark = [pytest.mark.e2e]


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as stranger:
        yield stranger.getsockname()[1]


def test_the_sample_sites_port_in_use(tmp_path: Path, taken: int):
    told = roads.ziliu(
        "demo", "--set", f"store={tmp_path / 'store'}", folder=tmp_path / "run", **{PORT_VARIABLE: str(taken)}
    )
    assert told.code == 7, told
    assert str(taken) in told.err
    assert PORT_VARIABLE in told.err
    assert not (tmp_path / "store").exists()


def test_the_servers_port_in_use(tmp_path: Path, taken: int):
    told = roads.ziliu("server", "--store", tmp_path / "store", "--port", taken, folder=tmp_path / "run")
    assert told.code == 7, told
    assert str(taken) in told.err
    assert "choose another port" in told.err


def test_a_database_that_is_not_there(tmp_path: Path):
    told = roads.ziliu(
        "corpus", small_sources.plain(tmp_path), folder=tmp_path / "run", seconds=120,
        ZILIU_DATABASE_URL="postgresql://nobody@127.0.0.1:1/none",
    )  # fmt: skip
    assert told.code == 7, told
    assert "did not start" in told.err
    assert "server.log" in told.err
    assert told.seconds < 90
    assert roads.left_after(tmp_path / "store", 30) == []
    assert not (tmp_path / "store" / "datasets").exists()


def test_a_server_elsewhere_that_does_not_answer(tmp_path: Path):
    told = roads.ziliu(
        "corpus", small_sources.plain(tmp_path), folder=tmp_path / "run", PREFECT_API_URL="http://127.0.0.1:1/api"
    )
    assert told.code == 7, told
    assert "PREFECT_API_URL" in told.err
    assert "Traceback" not in told.err
