"""样例之路 the demo: serve the embedded sample site on loopback and run the whole road over it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from data_contracts.config_file import load
from deployments.demo.site_server import PORT, DemoSite, chosen_port
from deployments.outcome import explained
from deployments.running import run

CONFIG = Path(__file__).parent.parent / "configs" / "demo.yaml"


def run_demo(overrides: Sequence[str]) -> int:
    """Run everything on the sample site; returns the exit code."""
    with explained() as outcome:
        cfg = load(CONFIG, [*on_port(chosen_port()), *overrides])
        with DemoSite():
            run("everything", cfg)
    return outcome.code


def on_port(port: int) -> list[str]:
    """The overrides that the demo config needs when the site is served on another port."""
    if port == PORT:
        return []
    site = f"http://127.0.0.1:{port}/"
    return [
        f"sources.0.seeds=[{site}]",
        f"sources.0.url_prefixes=[{site}, 'http://127.0.0.1:9/']",
        f"sources.0.allow_addresses=['127.0.0.1/32:{port}']",
    ]
