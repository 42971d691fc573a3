"""Main text by an extractor that lives in an environment of its own. Run by that environment's python.

usage: html_text.py readability|datatrove PAGES; PAGES holds one JSON string of decoded HTML a line. Prints
{"texts": [...], "cpu_seconds": s}; a page on which the peer raises gives "".
"""

from __future__ import annotations

import json
import logging
import sys
import time
from importlib import import_module
from pathlib import Path

NAME, PAGES = sys.argv[1:3]


def by_readability():
    document, html = import_module("readability").Document, import_module("lxml.html")
    return lambda page: html.fromstring(document(page).summary()).text_content()


def by_datatrove():
    return import_module("datatrove.pipeline.extractors").Trafilatura().extract


def main() -> None:
    logging.disable(logging.CRITICAL)
    extract = {"readability": by_readability, "datatrove": by_datatrove}[NAME]()
    with Path(PAGES).open(encoding="utf-8") as file:
        pages = [json.loads(line) for line in file]
    extract(pages[0])  # imports
    start, texts = time.process_time(), []
    for page in pages:
        try:
            texts.append(extract(page) or "")
        except Exception:
            texts.append("")
    print(json.dumps({"texts": texts, "cpu_seconds": time.process_time() - start}))


if __name__ == "__main__":
    main()
