"""The embedded sample: sizes, licences, equal bytes, links, the server, minimal pairs and the demo config."""

from __future__ import annotations

import json
import lzma
import re
import socket
import subprocess
import sys
import urllib.request
from collections import Counter
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from data_contracts.config_file import load
from data_contracts.errors import ConfigError, ServerError
from deployments.demo import planted
from deployments.demo.markup import to_html, to_old_html
from deployments.demo.sections import SECTIONS, leaves
from deployments.demo.site_server import DemoSite, chosen_port
from deployments.demo.texts import ARCHIVES, FOLDER, archive, own
from deployments.demo.website import Website
from tests.deployments.demo_reply import BASE, fetch

CASES = {case.path: case for case in planted.cases()}
HAN = re.compile(r"[\u3400-\u9fff]")


@pytest.fixture(scope="module")
def site():
    demo = DemoSite(port=0)
    demo.start()
    yield demo
    demo.stop()


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


def test_the_server_runs_as_a_program_and_says_its_address():
    command = [sys.executable, "-m", "deployments.demo.site_server", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2]) as program:
        try:
            url = program.stdout.readline().strip()
            with urllib.request.urlopen(f"{url}falv/1.html", timeout=10) as response:
                assert response.status == 200
        finally:
            program.terminate()


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
