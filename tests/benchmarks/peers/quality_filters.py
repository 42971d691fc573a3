"""Quality filters of datatrove or data-juicer over JSON lines (text). Run by the peer's own python.

usage: quality_filters.py datatrove|data_juicer SAMPLE; prints filter -> MB of UTF-8 per CPU-second and the share of texts
kept, or what stopped it.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path


def datatrove() -> Iterator[tuple[str, Callable[[list[str]], list[bool]]]]:
    """Its Chinese-relevant quality filters with their Chinese tokenizer and default thresholds."""
    import_module("loguru").logger.remove()
    Document = import_module("datatrove.data").Document
    filters = import_module("datatrove.pipeline.filters")
    for name in ("GopherRepetitionFilter", "GopherQualityFilter", "C4QualityFilter", "FineWebQualityFilter"):
        made = getattr(filters, name)(language="cmn_Hani")

        def run(texts: list[str], one=made) -> list[bool]:
            answers = [one.filter(Document(text=t, id="0")) for t in texts]
            return [a is True or (isinstance(a, tuple) and bool(a[0])) for a in answers]

        yield name, run


def data_juicer() -> Iterator[tuple[str, Callable[[list[str]], list[bool]]]]:
    """Its filters that say something about Chinese and need no download."""
    load_ops, fields = import_module("data_juicer.ops").load_ops, import_module("data_juicer.utils.constant").Fields

    wanted = {
        "text_length_filter": {"min_len": 200}, "alphanumeric_filter": {}, "special_characters_filter": {},
        "average_line_length_filter": {}, "character_repetition_filter": {"rep_len": 10}, "word_repetition_filter": {"lang": "zh"},
    }  # fmt: skip
    for name, options in wanted.items():
        (made,) = load_ops([{name: options}])

        def run(texts: list[str], one=made) -> list[bool]:
            kept: list[bool] = []
            for i in range(0, len(texts), 1000):
                some = texts[i : i + 1000]
                batch = {"text": some, fields.stats: [{} for _ in some], fields.context: [{} for _ in some]}
                kept += list(one.process_batched(one.compute_stats_batched(batch)))
            return kept

        yield name, run


def main(peer: str, sample: Path) -> dict[str, object]:
    texts = [json.loads(line)["text"] for line in sample.read_text(encoding="utf-8").split("\n") if line]
    size = sum(len(t.encode()) for t in texts) / 1e6
    found: dict[str, dict[str, float | str]] = {}
    for name, run in (datatrove if peer == "datatrove" else data_juicer)():
        try:
            run(texts[:3])  # loads word lists and models
            start = os.times()
            kept = run(texts)
            end = os.times()
        except Exception as error:
            found[name] = {"failed": f"{type(error).__name__}: {error}"[:200]}
            continue
        seconds = max(1e-6, end.user + end.system - start.user - start.system)
        found[name] = {"mb_per_cpu_second": size / seconds, "kept": sum(map(bool, kept)) / len(texts)}
    return {"mb": size, "texts": len(texts), "filters": found}


if __name__ == "__main__":
    real = sys.stdout
    with contextlib.redirect_stdout(sys.stderr):  # the peers print, too
        found = main(sys.argv[1], Path(sys.argv[2]))
    json.dump(found, real)
