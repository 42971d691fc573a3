"""The guards that conftest promises."""

from __future__ import annotations

import os
import socket
import urllib.request

import pytest


@pytest.mark.parametrize("address", [("192.0.2.1", 80), ("2001:db8::1", 80)])
def test_connections_off_this_machine_are_refused(address):
    family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as connection:
        for call in (connection.connect, connection.connect_ex):
            with pytest.raises(RuntimeError, match="loopback only"):
                call(address)


def test_names_off_this_machine_are_not_looked_up():
    with pytest.raises(RuntimeError, match=r"loopback only, not 'ziliu\.example'"):
        urllib.request.urlopen("http://ziliu.example/")


def test_loopback_is_allowed():
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as connection:
        assert connection.getpeername() == server.getsockname()


def test_no_server_of_the_developer_is_met():
    assert "PREFECT_API_URL" not in os.environ
    assert "ziliu-tests-" in os.environ["PREFECT_HOME"]
    assert "ziliu-tests-" in os.environ["ZILIU_STORE"]
