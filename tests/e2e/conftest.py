"""The whole road over the sample site, run once by the command line for all end-to-end tests of a session."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from deployments import server
from deployments.demo.site_server import DemoSite
from tests.e2e import roads
from tests.e2e.roads import Said


class Road(NamedTuple):
    """One uninterrupted run, and the site that it crawled, which stays up at the same port."""

    folder: Path
    store: Path
    site: DemoSite
    first: Said
    disallowed: list[str]

    def ask(self, *arguments: object, seconds: float = 120) -> Said:
        """Ask the store a question by the command line."""
        return roads.ziliu(*arguments, "--store", self.store, folder=self.folder / "asked", seconds=seconds)

    def url(self, path: str) -> str:
        """The URL of a path of the site."""
        return self.site.website.url(path)


@pytest.fixture(scope="session")
def road(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Road]:
    folder = tmp_path_factory.mktemp("road")
    site, store = DemoSite(0), folder / "store"
    site.start()
    try:
        arguments = roads.reduced(store, site.port)
        first = roads.ziliu("run", roads.DEMO, *arguments, folder=folder / "first", seconds=900)
        if first.code:
            pytest.fail(f"the road did not end well: {first}")
        yield Road(folder, store, site, first, site.disallowed_requests)
    finally:
        site.stop()


@pytest.fixture(scope="session")
def prefect_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A Prefect server that runs elsewhere, as PREFECT_API_URL names it: small runs need not start one each."""
    with server.start(tmp_path_factory.mktemp("elsewhere")) as up:
        yield up.url
