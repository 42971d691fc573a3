"""The embedded sample: sizes, licences, equal bytes, and every planted page served as planted.csv says."""

from __future__ import annotations

import csv
import gzip
import http.client
import json
import lzma
import re
import socket
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from urllib.parse import quote, urlsplit

import pytest

from data_contracts.config_file import load
from data_contracts.errors import ConfigError, ServerError
from data_contracts.reasons import REASONS
from deployments.demo import personal_data, planted, verdicts
from deployments.demo.markup import to_html, to_old_html
from deployments.demo.sections import SECTIONS, leaves
from deployments.demo.site_server import DemoSite, chosen_port
from deployments.demo.texts import ARCHIVES, FOLDER, archive, own
from deployments.demo.website import Website

BASE = "http://127.0.0.1:8765"
CASES = {case.path: case for case in planted.cases()}
STAGES = {"crawl", "ingest", "extract", "clean", "redact", "dedup"}
CODECS = ("gb18030", "gbk", "big5hkscs", "utf-16-le", "utf-16-be", "utf-8")
HAN = re.compile(r"[\u3400-\u9fff]")


@pytest.fixture(scope="module")
def site():
    demo = DemoSite(port=0)
    demo.start()
    yield demo
    demo.stop()


class Reply:
    def __init__(self, response: http.client.HTTPResponse, body: bytes, seconds: float) -> None:
        self.status, self.headers, self.body, self.seconds = response.status, response.headers, body, seconds


def fetch(site: DemoSite, path: str, method: str = "GET", limit: int | None = None, **headers: str) -> Reply:
    """One request without following redirects; the body as the page's author wrote it."""
    started = time.monotonic()
    connection = http.client.HTTPConnection("127.0.0.1", site.port, timeout=10)
    try:
        connection.request(
            method, quote(path, safe="/?=&"), headers={k.replace("_", "-"): v for k, v in headers.items()}
        )
        response = connection.getresponse()
        body = response.read(limit) if limit else response.read()
    finally:
        connection.close()
    if response.headers.get("Content-Encoding") == "gzip":
        body = gzip.decompress(body)
    return Reply(response, body, time.monotonic() - started)


# ---- size, genres, licences


def test_the_sample_is_small_enough_to_commit_and_large_enough_to_learn_from():
    files = [f for f in FOLDER.rglob("*") if f.is_file() and "__pycache__" not in f.parts]
    assert sum(f.stat().st_size for f in files) < 5_000_000
    texts = [leaf.page.text for leaf in leaves().values()]
    assert len(texts) >= 300
    assert len({section.genre for section in SECTIONS}) >= 4
    assert sum(len(HAN.findall(text.text)) for text in texts) >= 1_000_000


def test_every_section_has_at_least_50_pages_long_enough_to_pass():
    counts = Counter(path.split("/")[1] for path in leaves())
    assert set(counts) == {section.folder for section in SECTIONS}
    assert min(counts.values()) >= 50
    assert min(len(leaf.page.text.text) for leaf in leaves().values()) > 300


def test_attribution_names_every_archive_and_a_licence_for_it():
    rows = [
        line.split("|")[1:-1]
        for line in (FOLDER / "attribution.md").read_text("utf-8").splitlines()
        if line[:2] == "| "
    ]
    licences = {cells[0].strip(): cells[3] for cells in rows}
    for file in ARCHIVES.glob("*.jsonl.xz"):
        name = file.name.removesuffix(".jsonl.xz")
        assert re.search(r"MIT|Apache-2\.0|CC BY|Unlicense|not under copyright|as the archives", licences[name])
        assert all(text.origin for text in archive(name))


def test_archives_hold_clean_texts():
    for file in ARCHIVES.glob("*.jsonl.xz"):
        lines = lzma.decompress(file.read_bytes()).decode("utf-8").splitlines()
        assert len({json.loads(line)["id"] for line in lines if line}) == len(
            archive(file.name.removesuffix(".jsonl.xz"))
        )
        for text in archive(file.name.removesuffix(".jsonl.xz")):
            assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ufffd\ue000-\uf8ff]", text.text), (file.name, text.id)


# ---- determinism and links


def test_two_builds_give_the_same_bytes():
    leaves.cache_clear()
    first = Website(BASE).digest
    leaves.cache_clear()
    assert Website(BASE).digest == first


def test_another_process_gives_the_same_bytes():
    code = f"from deployments.demo.website import Website; print(Website({BASE!r}).digest)"
    environment = {"PYTHONHASHSEED": "7", "PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    assert done.stdout.strip() == Website(BASE).digest


def links_of(html: str) -> set[str]:
    return {href.replace("&amp;", "&") for href in re.findall(r'href="([^"#]+)"', html)}


def test_every_regular_page_is_reachable_within_four_links_and_no_link_is_dead():
    website = Website(BASE)
    seen, edge, depth = {"/"}, {"/"}, 0
    while edge and depth < 4:
        depth += 1
        found = {link for path in edge for link in links_of(text_of(website, path)) if link.startswith("/")}
        edge = {link for link in found if not link.startswith("/rili/")} - seen
        seen |= edge
    assert set(leaves()) <= seen
    assert [path for path in CASES if path.startswith("/") and not path.startswith("/rili/") and path not in seen] == []
    assert [path for path in seen if website.answer(path) is None] == []


def text_of(website: Website, path: str) -> str:
    answer = website.answer(path)
    if answer is None or not (answer.content_type or "").startswith("text/html") or answer.copies > 1:
        return ""
    return answer.body.decode("utf-8", "ignore")


def test_the_sitemap_index_leads_to_every_regular_page_and_to_what_robots_closes():
    website = Website(BASE)
    files = re.findall(r"<loc>([^<]+)</loc>", website.answers["/sitemap.xml"].body.decode())
    listed = [
        u for f in files for u in re.findall(r"<loc>([^<]+)</loc>", website.answers[f.removeprefix(BASE)].body.decode())
    ]
    assert len(files) >= 2
    assert {website.url(path) for path in leaves()} <= set(listed)
    assert sum("/neibu/" in url for url in listed) >= 3


PRIVATE = re.compile(
    rb"(?<![0-9.])(?:10\.[0-9]+\.[0-9]+\.[0-9]|192\.168\.[0-9]|172\.(?:1[6-9]|2[0-9]|3[01])\.[0-9]+\.[0-9]|169\.254\.|100\.100\.)"
)


def test_no_page_names_a_private_or_metadata_address():
    for path, answer in Website(BASE).answers.items():
        assert not PRIVATE.search(answer.body), path
        for url in re.findall(rb"https?://[^\s\"'<>]+", answer.body):
            host = urlsplit(url.decode("ascii", "ignore")).hostname or ""
            assert host == "127.0.0.1" or not re.fullmatch(r"[0-9.]+|.*:.*", host), path


# ---- planted pages


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


# ---- server


def test_conditional_requests_are_answered_with_304(site):
    first = fetch(site, "/falv/1.html")
    again = fetch(site, "/falv/1.html", If_None_Match=first.headers["ETag"])
    assert (again.status, again.body) == (304, b"")
    assert fetch(site, "/falv/1.html", If_None_Match='"other"').status == 200
    assert first.headers["Last-Modified"]


def test_gzip_and_head(site):
    plain, packed = fetch(site, "/falv/1.html"), fetch(site, "/falv/1.html", Accept_Encoding="gzip")
    head = fetch(site, "/falv/1.html", method="HEAD")
    assert packed.headers["Content-Encoding"] == "gzip"
    assert packed.body == plain.body
    assert (head.body, head.headers["Content-Length"]) == (b"", plain.headers["Content-Length"])


def test_an_unknown_path_is_a_404(site):
    assert fetch(site, "/nothing").status == 404


def test_chinese_file_names_are_served(site):
    assert fetch(site, next(path for path in leaves() if path.startswith("/caipu/"))).status == 200


def test_robots_txt_closes_a_folder_and_requests_to_it_are_recorded():
    demo = DemoSite(port=0)
    with demo as url:
        robots = fetch(demo, "/robots.txt").body.decode()
        assert demo.disallowed_requests == []
        fetch(demo, "/neibu/1.html")
        assert demo.disallowed_requests == ["/neibu/1.html"]
        assert demo.requests["/robots.txt"] == 1
    assert "Disallow: /neibu/" in robots
    assert f"Sitemap: {url}/sitemap.xml" in robots
    assert "Crawl-delay" not in robots


def test_a_port_in_use_is_said_with_what_to_do():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(ServerError, match="ZILIU_DEMO_PORT"):
            DemoSite(port=taken.getsockname()[1]).start()


def test_the_port_comes_from_the_environment(monkeypatch):
    monkeypatch.setenv("ZILIU_DEMO_PORT", "9876")
    assert chosen_port() == 9876
    monkeypatch.setenv("ZILIU_DEMO_PORT", "many")
    with pytest.raises(ConfigError, match="ZILIU_DEMO_PORT"):
        chosen_port()


# ---- markup, minimal pairs, config


def test_markup():
    text = "## 题\n\n一行\n二行\n\n- 甲\n- 乙\n\n```\nif a < b:\n\n    c\n```\n尾"
    assert to_html(text) == (
        "<h2>题</h2>\n<p>一行<br>\n二行</p>\n<ul>\n<li>甲</li>\n<li>乙</li>\n</ul>\n<pre><code>if a &lt; b:\n\n    c</code></pre>\n<p>尾</p>"
    )
    assert to_old_html("## 题\n\n文").startswith("<b>题</b><br><br>")
    assert to_html("") == ""


def test_minimal_pairs_differ_and_cover_many_phenomena():
    lines = (FOLDER / "minimal_pairs.jsonl").read_text("utf-8").splitlines()
    pairs = [json.loads(line) for line in lines]
    assert len(pairs) >= 150
    assert len({pair["phenomenon"] for pair in pairs}) >= 8
    assert all(set(pair) == {"sentence_good", "sentence_bad", "phenomenon"} for pair in pairs)
    assert all(pair["sentence_good"] != pair["sentence_bad"] for pair in pairs)
    assert len({pair["sentence_good"] for pair in pairs}) == len(pairs)


def test_the_demo_config_is_valid_and_allows_no_address_but_the_site():
    cfg = load(FOLDER.parent / "configs" / "demo.yaml")
    assert cfg.sites[0].seeds == (f"{BASE}/",)
    assert cfg.sites[0].allow_addresses == ("127.0.0.1/32:8765",)
    assert own()
