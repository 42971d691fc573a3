"""Planted pages of the sample site: each is served as planted.csv says, and verdicts find what ended otherwise."""

from __future__ import annotations

import csv
import re
from collections import Counter
from urllib.parse import quote

import pytest

from data_contracts.config_file import load
from data_contracts.reasons import REASONS
from deployments.demo import personal_data, planted, verdicts
from deployments.demo.site_server import DemoSite
from deployments.demo.texts import FOLDER
from deployments.demo.website import Website
from tests.deployments.demo_reply import BASE, Reply, fetch

CASES = {case.path: case for case in planted.cases()}
STAGES = {"crawl", "ingest", "extract", "clean", "redact", "dedup"}


@pytest.fixture(scope="module")
def site():
    demo = DemoSite(port=0)
    demo.start()
    yield demo
    demo.stop()


def test_fates_name_known_stages_and_reasons():
    for case in planted.cases():
        for fate in case.fate.split("|"):
            stage, _, reason = fate.partition(":")
            assert fate in ("kept", "absent") or (stage in STAGES and reason in REASONS), case


def test_what_must_be_planted_is_planted():
    kinds = Counter(case.make for case in planted.cases())
    assert kinds["encoded"] + kinds["traditional"] >= 16
    assert sum("big5" in case.how.split()[0] for case in planted.cases() if case.how) >= 4
    assert sum(case.fate == "dedup:near_duplicate" for case in planted.cases()) >= 10
    assert sum("exact_duplicate" in case.fate for case in planted.cases()) >= 4
    assert sum(case.fate == "crawl:robots_disallowed" for case in planted.cases()) >= 4
    assert len({case.path for case in planted.cases()}) == len(planted.cases())
    assert not {c.duplicate_of for c in planted.cases()} & {c.path for c in planted.cases()}


@pytest.mark.parametrize("path", [p for p, c in CASES.items() if c.make not in (planted.ELSEWHERE, "oversize", "slow")])
def test_a_planted_page_is_served_as_said(site, path):
    case, reply = CASES[path], fetch(site, path)
    if case.make == "status":
        assert reply.status == int(case.how)
    elif case.make == "redirect":
        assert (reply.status, reply.headers["Location"]) == (int(case.how), quote(case.of, safe="/:.-"))
    else:
        assert reply.status == 200
        assert check_body(case, reply)


def check_body(case: planted.Case, reply: Reply) -> bool:
    """Headers and bytes of a page that is answered with 200."""
    if case.make in ("encoded", "traditional"):
        codec, header, meta = case.how.split()
        codec, _, bom = codec.partition("+")
        text = reply.body.decode(codec)
        assert reply.headers["Content-Type"] == ("text/html" if header == "-" else f"text/html; charset={header}")
        assert re.findall(r"charset=([\w-]+)", text.partition("<title>")[0]) == ([] if meta == "-" else [meta])
        assert text.startswith("\ufeff") == bool(bom)
        return case.probe in text
    if case.make == "empty":
        return reply.body == b"" and reply.headers["Content-Length"] == "0"
    if case.make == "untyped":
        return "Content-Type" not in reply.headers and case.probe in reply.body.decode()
    if case.make == "file":
        kind = {"pdf": "application/pdf", "png": "image/png", "pdf-as-html": "text/html; charset=utf-8"}[case.how]
        return reply.headers["Content-Type"] == kind and reply.body[:4] in (b"%PDF", b"\x89PNG")
    if case.make == "mojibake":
        text = reply.body.decode()
        lossless = case.how.startswith("cp1252")
        return case.probe not in text if lossless else "\ufffd" in text
    text = reply.body.decode("utf-8")
    if case.make == "refresh":
        return f"url={case.of}" in text
    return case.probe in text and text.rstrip().lower().endswith("</html>")


@pytest.mark.parametrize("path", [p for p, c in CASES.items() if c.make == "encoded" and not c.how.startswith("utf")])
def test_a_page_in_a_chinese_encoding_is_not_utf8(site, path):
    with pytest.raises(UnicodeDecodeError):
        fetch(site, path).body.decode("utf-8")


def test_mojibake_that_lost_nothing_can_be_undone(site):
    path, case = next((p, c) for p, c in CASES.items() if c.how == "cp1252 strict")
    raw = b"".join(c.encode("cp1252") if ord(c) > 255 else c.encode("latin-1") for c in fetch(site, path).body.decode())
    assert case.probe in raw.decode("utf-8")


def test_near_copies_are_near_and_shorter():
    website = Website(BASE)
    for case in planted.cases():
        if case.make == "noisy":
            copy, original = website.answers[case.path].body, website.answers[case.duplicate_of].body
            assert len(copy) < len(original)
            assert jaccard(copy.decode(), original.decode()) > 0.8, case.path


def jaccard(a: str, b: str, n: int = 5) -> float:
    left, right = ({t[i : i + n] for i in range(len(t) - n)} for t in (a, b))
    return len(left & right) / len(left | right)


def test_byte_copies_equal_their_originals():
    website = Website(BASE)
    copies = [case for case in planted.cases() if case.make == "copied" and case.how == "same"]
    assert all(website.answers[case.path].body == website.answers[case.of].body for case in copies)


def test_dirty_and_nested_pages_are_what_they_claim(site):
    dirty = next(p for p, c in CASES.items() if c.make == "dirty")
    nested, depth = next((p, int(c.how)) for p, c in CASES.items() if c.make == "nested")
    assert fetch(site, dirty).body.count(b"\0") >= 3
    assert fetch(site, nested).body.count(b"<div>") >= depth


def test_the_slow_page_is_slow_and_complete(site):
    path, case = next((p, c) for p, c in CASES.items() if c.make == "slow")
    reply = fetch(site, path)
    assert reply.seconds >= float(case.how)
    assert case.probe in reply.body.decode()


def test_the_oversize_page_is_larger_than_the_limit_of_the_config(site):
    path = next(p for p, c in CASES.items() if c.make == "oversize")
    reply = fetch(site, path, limit=1000, Accept_Encoding="gzip")
    limit = load(FOLDER.parent / "configs" / "demo.yaml").sites[0].max_page_bytes
    assert int(reply.headers["Content-Length"]) > limit


def test_the_calendar_has_no_end(site):
    for number in (1, 3, 4000):
        assert f"/rili/?page={number + 1}" in fetch(site, f"/rili/?page={number}").body.decode()


def right_ends(website: Website) -> tuple[dict[str, str], dict[str, str]]:
    """Ends and texts as a right pipeline leaves them; of two equal copies the original stays."""
    ends = {verdicts.place(c.path, website): c.fate.split("|")[-1] for c in planted.cases() if c.fate != "absent"}
    ends |= {verdicts.place(c.duplicate_of, website): "kept" for c in planted.cases() if c.duplicate_of}
    return ends, {verdicts.place(c.path, website): c.probe for c in planted.cases() if c.fate == "kept"}


def test_verdicts_find_nothing_where_all_is_right():
    website = Website(BASE)
    assert verdicts.faults(website, *right_ends(website)) == []


@pytest.mark.parametrize("path", list(CASES))
def test_verdicts_find_every_page_that_ends_otherwise(path):
    website = Website(BASE)
    ends, texts = right_ends(website)
    ends[verdicts.place(path, website)] = "redact:personal_data"
    assert any(fault.startswith(path) for fault in verdicts.faults(website, ends, texts))


def test_verdicts_find_lost_text_two_kept_copies_and_left_personal_data():
    website = Website(BASE)
    ends, texts = right_ends(website)
    value = planted.personal_values()[0]
    kept = next(c.path for c in planted.cases() if c.make == "encoded")
    copy = next(c for c in planted.cases() if "exact_duplicate" in c.fate)
    ends[website.url(copy.path)] = "kept"
    texts |= {website.url(kept): "", website.url("/falv/1.html"): value.value}
    found = verdicts.faults(website, ends, texts)
    assert [fault.partition(" ")[0].strip(":") for fault in found] == [kept, copy.path, value.path]


# ---- personal data


def test_the_table_of_personal_data_is_what_the_pages_hold(site):
    with (FOLDER / "planted_personal_data.csv").open(encoding="utf-8", newline="") as file:
        table = [personal_data.Value(**row) for row in csv.DictReader(file)]
    assert table == planted.personal_values()
    assert len(table) >= 20
    for path, values in ((p, [v for v in table if v.path == p]) for p in {v.path for v in table}):
        page = fetch(site, path).body.decode()
        assert all(value.value in page for value in values)
        assert "{" not in page.partition("<body")[2].partition("<script")[0]


def test_personal_data_is_well_formed_and_nobodys():
    for _, kind, value in planted.personal_values():
        if kind == "CN_ID":
            assert re.fullmatch(r"119900(19|20)\d{9}[\dX]", value)
            weights = [pow(2, 17 - n, 11) for n in range(17)]  # ISO 7064 MOD 11-2, written another way
            total = sum(int(d) * w for d, w in zip(value, weights, strict=False)) + (
                10 if value[17] == "X" else int(value[17])
            )
            assert total % 11 == 1
        elif kind == "BANK":
            doubled = [sum(divmod(int(d) * 2, 10)) if n % 2 else int(d) for n, d in enumerate(reversed(value))]
            assert sum(doubled) % 10 == 0
            assert value.startswith("620099")
        elif kind == "USCC":
            weights = (1, 3, 9, 27, 19, 26, 16, 17, 20, 29, 25, 13, 8, 24, 10, 30, 28)  # GB 32100-2015, table 2
            total = sum(personal_data.USCC_ALPHABET.index(c) * w for c, w in zip(value, weights, strict=False))
            assert personal_data.USCC_ALPHABET[-total % 31] == value[17]
        else:
            shape = {
                "MOBILE": r"148\d{8}", "LANDLINE": r"0399-[2-8]\d{6}", "EMAIL": r"user\d{4}@mail\d\.example", "QQ": r"99\d{8}",
                "WECHAT": r"ziliu_demo_\d{4}", "PLATE": r"藏Z\d{5}",
            }[kind]  # fmt: skip
            assert re.fullmatch(shape, value)
