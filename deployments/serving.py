"""`ziliu server`: keep the Prefect server and UI up until Ctrl-C."""

from __future__ import annotations

import signal

from deployments import display
from deployments.outcome import explained
from deployments.server import start
from deployments.wording import both


def serve(store: str, port: int) -> int:
    """Start the server, or join the one that is up, and wait; returns the exit code."""
    with explained() as outcome:
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        with start(store, port=port) as server:
            display.screen.print(f"{both('界面', 'UI')}: {server.ui}", soft_wrap=True)
            display.screen.print(f"PREFECT_API_URL={server.url}", soft_wrap=True)
            if server.note:
                display.screen.print(server.note)
            display.screen.print(both("按 Ctrl-C 停止", "Ctrl-C stops it"))
            try:
                server.wait()
            except KeyboardInterrupt:
                display.screen.print(both("正在停止", "stopping"))
    return outcome.code
