"""What every test gets: no network but loopback, no Prefect but its own, and folders of its own.

The environment is set when this file is imported, before any test module can import prefect: settings are read once.
"""

from __future__ import annotations

import atexit
import ipaddress
import os
import shutil
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

ROOT = Path(__file__).resolve().parents[1]
_HOME = Path(tempfile.mkdtemp(prefix="ziliu-tests-"))
atexit.register(shutil.rmtree, _HOME, ignore_errors=True)

for name in [
    n
    for n in os.environ
    if n.startswith(("PREFECT_", "ZILIU_")) and not n.startswith(("ZILIU_SHARED_DATA", "ZILIU_BENCH_", "ZILIU_PEER_"))
]:
    del os.environ[name]  # a developer's own server, profile or store must not be met by a test
os.environ.update(
    PREFECT_HOME=str(_HOME / "prefect"),
    PREFECT_SERVER_ALLOW_EPHEMERAL_MODE="false",
    PREFECT_SERVER_ANALYTICS_ENABLED="false",
    PREFECT_RESULTS_DEFAULT_SERIALIZER="json",
    PREFECT_CLI_COLORS="false",
    GX_ANALYTICS_ENABLED="false",
    HF_HUB_OFFLINE="1",
    DO_NOT_TRACK="1",
    ZILIU_STORE=str(_HOME / "store"),
)

# Times on a shared machine say nothing; in CI the same examples every time, so that a red run is about the change.
settings.register_profile("dev", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("ci", settings.get_profile("dev"), derandomize=True, print_blob=True)
settings.load_profile("ci" if os.environ.get("CI") else "dev")


def _is_local(host: object) -> bool:
    name = host.decode() if isinstance(host, bytes) else host
    if not isinstance(name, str) or name in ("", "localhost", socket.gethostname()):
        return True
    try:
        address = ipaddress.ip_address(name.partition("%")[0])
    except ValueError:
        return name.endswith(".localhost")
    return address.is_loopback or address.is_unspecified


def _refuse(host: object) -> None:
    raise RuntimeError(f"tests may reach loopback only, not {host!r}; serve what the test needs on 127.0.0.1")


@pytest.fixture(autouse=True, scope="session")
def no_network() -> Iterator[None]:
    """Refuse connections and look-ups that would leave this machine (child programs are not covered)."""
    with pytest.MonkeyPatch.context() as patch:
        for call in ("connect", "connect_ex"):
            real = getattr(socket.socket, call)

            def guarded(self: socket.socket, address: Any, _real: Any = real) -> Any:
                if self.family in (socket.AF_INET, socket.AF_INET6) and not _is_local(address[0]):
                    _refuse(address[0])
                return _real(self, address)

            patch.setattr(socket.socket, call, guarded)
        look_up = socket.getaddrinfo

        def guarded_look_up(host: Any, *rest: Any, **named: Any) -> Any:
            try:
                ipaddress.ip_address(host.decode() if isinstance(host, bytes) else host)
            except (ValueError, AttributeError):
                if not _is_local(host):
                    _refuse(host)
            return look_up(host, *rest, **named)

        patch.setattr(socket, "getaddrinfo", guarded_look_up)
        yield


@pytest.fixture
def store(tmp_path: Path) -> Any:
    """An empty store of this test's own."""
    from tasks.store import Store

    return Store(tmp_path / "store").open()


@pytest.fixture(scope="session")
def prefect_harness() -> Iterator[None]:
    """One Prefect server on SQLite for all tests of a session that run flows; takes about 15 seconds to start."""
    from prefect.testing.utilities import prefect_test_harness

    with prefect_test_harness(server_startup_timeout=120):
        yield


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Larger public data sets beside the checkout, which are no part of it; tests skip where they are not."""
    folder = Path(os.environ.get("ZILIU_SHARED_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no shared data at {folder}; set ZILIU_SHARED_DATA")
    return folder
