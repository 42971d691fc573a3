"""客户端 client: how flows, workers and the command line find their Prefect server."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from data_contracts.model import Model

if TYPE_CHECKING:
    from prefect.client.schemas.objects import FlowRun

_connected: list[str] = []  # the address that this process chose last, as against one that a person set
_PROXIES = ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")


def environment(store: str | Path, url: str) -> dict[str, str]:
    """The environment variables under which Prefect talks to the server of a store, and to nobody else."""
    chosen = {
        "PREFECT_API_URL": url,
        "PREFECT_HOME": str(Path(store).expanduser().absolute() / "server" / "prefect"),
        "PREFECT_SERVER_ALLOW_EPHEMERAL_MODE": "false",  # a missing server is an error, never a hidden second one
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_RESULTS_DEFAULT_SERIALIZER": "json",
        "GX_ANALYTICS_ENABLED": "false",
        "DO_NOT_TRACK": "1",
    }
    if any(os.environ.get(name) for name in _PROXIES):
        direct = {*os.environ.get("NO_PROXY", "").split(","), "127.0.0.1", "localhost"} - {""}
        chosen["NO_PROXY"] = chosen["no_proxy"] = ",".join(sorted(direct))
    return chosen


def connect(store: str | Path, url: str) -> None:
    """Point this process and its children at a server; call it before flows are imported."""
    if named_by_the_user() != url:
        _connected[:] = [url]
    os.environ.update(environment(store, url))
    Path(os.environ["PREFECT_HOME"]).mkdir(parents=True, exist_ok=True)  # Prefect would make one level only, and warn
    if "prefect.settings" in sys.modules:  # read once at import: read again
        from prefect.context import refresh_global_settings_context

        refresh_global_settings_context()


def named_by_the_user() -> str | None:
    """PREFECT_API_URL, unless it is what `connect` put there: a process may run flows on one store after another."""
    url = os.environ.get("PREFECT_API_URL")
    return None if not url or url in _connected else url


def ui_address(api_url: str) -> str:
    """The address of the UI that belongs to an API address."""
    return api_url.rstrip("/").removesuffix("/api")


def flow_run_link(api_url: str, flow_run_id: object) -> str:
    """Where a person sees a flow run."""
    return f"{ui_address(api_url)}/runs/flow-run/{flow_run_id}"


def run_deployed(name: str, cfg: Model | None = None, *, wait_seconds: float | None = 0) -> FlowRun:
    """Trigger a deployment ("everything/nightly") and return its flow run.

    `cfg` replaces the deployment's own; None keeps it. `wait_seconds` None waits until the run has ended, 0 not at all.
    """
    from prefect.deployments import run_deployment

    parameters: dict[str, Any] = {} if cfg is None else {"cfg": cfg.model_dump(mode="json")}
    run: Any = run_deployment(name, parameters=parameters, timeout=wait_seconds, as_subflow=False)
    return run  # type: ignore[no-any-return]


def send_queues() -> None:
    """Hand Prefect the logs and events that still wait in this process, if it was ever loaded."""
    if "prefect.logging.handlers" not in sys.modules:
        return
    from prefect.events.worker import EventsWorker
    from prefect.logging.handlers import APILogWorker

    for worker in (APILogWorker, EventsWorker):
        worker.drain_all(timeout=10)
