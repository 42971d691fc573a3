"""任务 the job: what CONFIG.json says, and whether a folder already holds that crawl."""

from __future__ import annotations

import fcntl
import json
import os
from pathlib import Path
from typing import IO

from pydantic import ValidationError

from data_contracts.dataset import digest_of
from data_contracts.errors import ConfigError, StoreError
from data_contracts.model import Model
from data_contracts.sources import CrawlSource

# Fields that decide what is fetched. The others (delays, tries, contact) may change between two runs of one crawl.
IDENTITY = (
    "name", "seeds", "url_prefixes", "max_pages", "max_depth", "max_page_bytes", "sitemaps", "feeds", "obey_nofollow",
    "canonical_links", "max_queries_per_path", "javascript",
)  # fmt: skip


class CrawlJob(Model):
    """One crawl of one source into one folder."""

    source: CrawlSource
    folder: Path
    previous: Path | None = None  # folder of the crawl before: what it fetched is asked for by conditional requests

    @property
    def identity(self) -> str:
        """Digest of everything that decides what is fetched."""
        return digest_of(self.source.model_dump(mode="json", include=set(IDENTITY)))


def read(path: Path) -> CrawlJob:
    """Read CONFIG.json; ConfigError says what is wrong with it."""
    try:
        return CrawlJob.model_validate(json.loads(path.read_bytes()))
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        raise ConfigError(f"{path}: {faults}") from error
    except ValueError as error:
        raise ConfigError(f"{path}: not JSON: {error}") from error


def lock(folder: Path) -> IO[bytes]:
    """Make the folder ours until this process ends, however it ends."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        held = (folder / "lock").open("ab")
    except OSError as error:
        raise StoreError(f"{folder}: cannot be written: {error.strerror}; choose another folder") from error
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        held.close()
        raise StoreError(f"{folder}: another crawl is writing there; wait for it or choose another folder") from error
    os.set_inheritable(held.fileno(), False)
    return held


def finished(job: CrawlJob) -> dict[str, object] | None:
    """end.json of a complete crawl of this job, or None. ConfigError when the folder holds the crawl of another."""
    path = job.folder / "end.json"
    if not path.exists() or not (job.folder / "visits.jsonl").exists():
        return None
    end: dict[str, object] = json.loads(path.read_bytes())
    if end.get("identity") != job.identity:
        raise other_crawl(job.folder)
    return end


def other_crawl(folder: Path) -> ConfigError:
    """The error for a folder that holds something else."""
    return ConfigError(f"{folder}: holds a crawl with other seeds, scope or limits; choose another folder")
