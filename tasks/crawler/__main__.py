"""抓取程序 the crawler: `python -m tasks.crawler CONFIG.json` with {"source": CrawlSource, "folder": "/abs/out"}.

For a recrawl the config also has "previous", the folder of the crawl before, which lies beside this one's.

It writes FOLDER/warc/*.warc.gz with index.cdxj, FOLDER/frontier.sqlite and, when it is through, FOLDER/visits.jsonl and
FOLDER/end.json. The same command after a crash, a kill or a reboot goes on where the last one stopped; after the end
it returns at once.

Exit codes: 0 complete (even with no page at all), 2 wrong config, 5 the folder cannot be written (full disk), 143 ended
by a signal, 1 anything else.
"""

from __future__ import annotations

import sys
from pathlib import Path

from data_contracts.errors import ConfigError, ZiliuError
from tasks.crawler import job, progress

TERMINATED = 143


def main(arguments: list[str]) -> int:
    """Run one job; gives the exit code."""
    try:
        if len(arguments) != 1:
            raise ConfigError("usage: python -m tasks.crawler CONFIG.json")
        task = job.read(Path(arguments[0]))
        with job.lock(task.folder):
            end = job.finished(task)
            if end is None:
                from tasks.crawler.program import crawl  # Scrapy takes half a second to import

                end = crawl(task)
            if end is None:
                progress.log("interrupted; the same command goes on from here")
                return TERMINATED
            progress.emit("end", **end)
            return 0
    except ZiliuError as error:
        progress.emit("error", error=type(error).__name__, message=str(error))
        print(f"{type(error).__name__}: {error}", file=sys.stderr)  # noqa: T201
        return error.exit_code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
