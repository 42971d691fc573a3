from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from tasks.transforms.addresses import ROW, addresses, met
from tasks.transforms.clusters import numbered
from tests.given_documents import documents


def table(urls, sources=None):
    frame = documents(["文"] * len(urls)).with_columns(
        url=pl.Series(urls, dtype=pl.String()), source=pl.Series(sources or ["甲"] * len(urls))
    )
    rows = np.arange(len(urls), dtype=np.uint64)
    return addresses(frame, np.column_stack([rows, rows * 0, rows]), np.column_stack([rows, rows]))


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("http://a.cn/x", "https://a.cn/x"),
        ("https://A.CN/x", "https://a.cn/x"),
        ("https://a.cn/x#part", "https://a.cn/x"),
        ("https://a.cn:443/x", "https://a.cn/x"),
        ("http://a.cn:80/", "http://a.cn"),
        ("https://a.cn/x/", "https://a.cn/x"),
        ("https://a.cn/x?utm_source=wx&id=3", "https://a.cn/x?id=3"),
        ("https://a.cn/x?id=3&spm=1.2&p=4", "https://a.cn/x?id=3&p=4"),
        ("https://a.cn/x?spm=1", "https://a.cn/x"),
    ],
)
def test_spellings_of_one_address(left, right):
    number, _ = numbered(table([left, right])[:, :2])
    assert number[0] == number[1]


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("https://a.cn/x", "https://b.cn/x"),
        ("https://a.cn/x", "https://a.cn/X"),
        ("https://a.cn/x?id=3", "https://a.cn/x?id=4"),
        ("https://a.cn:8080/x", "https://a.cn/x"),
        ("https://a.cn/x?page=2", "https://a.cn/x"),
    ],
)
def test_different_addresses(left, right):
    number, _ = numbered(table([left, right])[:, :2])
    assert number[0] != number[1]


def test_only_http_urls_are_addresses():
    assert table(["file:a.jsonl#1", None, "mailto:a@b.cn", "https://a.cn/"])[:, ROW].tolist() == [3]
    assert len(table([])) == 0


def gives_way(urls, sources):
    made = table(urls, sources)
    found = met(made)
    return {int(a): int(b) for a, b in zip(made[found.gone, ROW], made[found.kept, ROW], strict=True)}


def test_of_several_sources_the_best_stays():
    urls = ["https://a.cn/1", "https://a.cn/2", "https://a.cn/2", "http://a.cn/1", "https://a.cn/1", "https://a.cn/3"]
    assert gives_way(urls, ["甲", "甲", "乙", "乙", "丙", "乙"]) == {3: 0, 4: 0, 2: 1}


def test_a_source_that_cut_a_page_into_records_makes_its_address_unclear():
    urls = ["https://a.cn/1"] * 3 + ["https://a.cn/2"] * 2
    assert gives_way(urls, ["甲", "乙", "甲", "甲", "甲"]) == {}
    assert gives_way([], []) == {}
