"""Word segmentation: MB per CPU second of the cutter alone, of the whole stage, and of jieba beside it."""

from __future__ import annotations

import logging
import warnings

import pytest

from data_contracts.config import Place
from data_contracts.stages import SegmentConfig
from tasks.segment import segment
from tasks.store import Store
from tasks.transforms.words import words
from tests.benchmarks.measured import cpu_seconds, megabytes, real_documents, write
from tests.given_documents import deposit, split


@pytest.mark.bench
def test_segment(shared_data, tmp_path):
    frame = real_documents(shared_data, 20)
    texts, size = frame["text"].to_list(), megabytes(frame["text"])
    words(["预热"])
    spent: dict[str, float] = {}
    with cpu_seconds(spent, "cutter"):
        words(texts)
    place = Place(store=str(tmp_path / "store"), workers=1)
    given = deposit(Store(place.store).open(), split(frame, 2))
    with cpu_seconds(spent, "stage"):
        segmented, _ = segment.run(given, SegmentConfig(), place)
    assert (segmented.rows, segmented.chars) == (frame.height, frame["text"].str.len_chars().sum())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import jieba

        jieba.setLogLevel(logging.ERROR)
        jieba.initialize()
    some = texts[:: len(texts) // 200]
    with cpu_seconds(spent, "jieba"):
        for text in some:
            jieba.lcut(text)
    beside = sum(len(t.encode()) for t in some) / 1e6
    speeds = {"cutter": size / spent["cutter"], "stage": size / spent["stage"], "jieba": beside / spent["jieba"]}
    path = write("segment", {"megabytes": size, "mb_per_cpu_second": speeds}, tmp_path)
    print(path.read_text(encoding="utf-8"))
