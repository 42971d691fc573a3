"""The report and the page of compared models in a real browser: nothing is asked of the network, no picture is broken, every glyph is there.

Needs chromium (or chrome) on the PATH; `fc-match` decides whether a missing glyph is the page's fault.
"""

from __future__ import annotations

import http.server
import importlib
import json
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import pytest

from tasks.contest import contest
from tasks.report import render
from tasks.reporting import contest_page

sys.path.append(str(Path(__file__).parents[1] / "tasks"))
told_run = importlib.import_module("told_run")
told_contest = importlib.import_module("told_contest")

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))), None)
FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--disable-default-apps", "--hide-scrollbars",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
]  # fmt: skip
BROWSERS_OWN = re.compile(r"(https?://([a-z0-9-]+\.)*(google|googleapis)\.com/|(?!https?:))")  # asked whatever the page
pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(BROWSER is None, reason="no chromium on the PATH: apt-get install chromium fonts-noto-cjk"),
]

# Runs in the page. A glyph that no font has is drawn as the box that U+FFFFF, which no font may have, is drawn as.
PROBE = """
<script>
const drawn = (text, font) => {
  const canvas = document.createElement('canvas'); canvas.width = canvas.height = 48;
  const pen = canvas.getContext('2d'); pen.font = '32px ' + font; pen.fillText(text, 4, 36);
  return canvas.toDataURL();
};
addEventListener('load', async () => {
  await document.fonts.ready;
  const missing = new Set(), boxes = {};
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  let seen = 0;
  while (walk.nextNode()) {
    const parent = walk.currentNode.parentElement;
    if (['SCRIPT', 'STYLE'].includes(parent.tagName)) continue;
    const font = getComputedStyle(parent).fontFamily;
    boxes[font] ??= drawn('\\u{FFFFF}', font);
    for (const character of new Set(walk.currentNode.data)) {
      if (character.trim() === '') continue;
      seen += 1;
      if (drawn(character, font) === boxes[font]) missing.add(character);
    }
  }
  const figures = [...document.querySelectorAll('figure svg')].map(svg => {
    const box = svg.getBoundingClientRect(), inside = svg.getBBox();
    return {width: box.width, height: box.height, texts: svg.querySelectorAll('text').length,
            over: inside.x + inside.width - svg.viewBox.baseVal.width};
  });
  const images = [...document.images].filter(i => !i.complete || i.naturalWidth === 0).length;
  const asked = performance.getEntriesByType('resource').map(e => e.name);
  const result = {missing: [...missing], seen, figures, images, asked,
                  wide: document.documentElement.scrollWidth - innerWidth};
  const out = document.createElement('pre'); out.id = 'probe'; out.textContent = JSON.stringify(result);
  document.body.append(out);
});
</script></main>"""


def compared() -> str:
    entrants = [told_contest.entrant(f"新闻 news {i}", i / 20, seed=7 + i) for i in range(3)]
    return contest_page.page(contest(entrants, resamples=200), at="2026-11-26T02:00:00Z")


@pytest.fixture(scope="module", params=["report", "comparison"])
def html(request: pytest.FixtureRequest) -> str:
    return render(told_run.a_run(failing=True)) if request.param == "report" else compared()


class Ask(http.server.SimpleHTTPRequestHandler):
    """Serves one page and remembers every path that was asked for."""

    asked: ClassVar[list[str]] = []
    page = b""

    def do_GET(self) -> None:
        self.asked.append(self.path)
        self.send_response(200 if self.path == "/report.html" else 404)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.end_headers()
        if self.path == "/report.html":
            self.wfile.write(self.page)

    def log_message(self, *arguments: object) -> None:
        pass


@pytest.fixture
def served(html: str) -> Iterator[str]:
    Ask.asked, Ask.page = [], html.encode()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Ask)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/report.html"
    server.shutdown()
    thread.join()
    server.server_close()


def browse(tmp_path: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    assert BROWSER
    profile = f"--user-data-dir={tmp_path / 'profile'}"
    return subprocess.run(
        [BROWSER, *FLAGS, profile, "--virtual-time-budget=8000", *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )


def probed(tmp_path: Path, html: str, width: int) -> dict:
    """What the page says about itself, with the probe put in and the policy against scripts taken out."""
    page = tmp_path / "probed.html"
    without_policy = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", html)
    page.write_text(without_policy.replace("</main>", PROBE), encoding="utf-8")
    dom = browse(tmp_path, f"--window-size={width},1200", "--dump-dom", page.as_uri()).stdout
    found = re.search(r'<pre id="probe">(.*?)</pre>', dom, re.DOTALL)
    assert found, "the probe did not run"
    return json.loads(found[1].replace("&amp;", "&").replace("&lt;", "<").replace("&gt;", ">"))


def test_the_browser_asks_for_the_page_and_nothing_else(tmp_path, served: str):
    log = tmp_path / "net.json"
    browse(tmp_path, f"--log-net-log={log}", "--dump-dom", served)
    assert "/report.html" in Ask.asked
    assert set(Ask.asked) <= {"/report.html", "/favicon.ico"}
    events = json.loads(log.read_text(encoding="utf-8"))["events"]
    requested = {e["params"]["url"] for e in events if {"url", "method"} <= set(e.get("params", {}))}
    root = served.removesuffix("/report.html")
    assert served in requested
    assert {u for u in requested if not BROWSERS_OWN.match(u)} <= {served, f"{root}/favicon.ico"}


def test_the_probe_sees_a_missing_glyph_a_broken_picture_and_a_request(tmp_path, html: str):
    bad = html.replace("<footer>", '<footer>\U000f1234<img src="http://127.0.0.1:9/none.png">')
    found = probed(tmp_path, bad, 1000)
    assert found["missing"] == ["\U000f1234"]
    assert found["images"] == 1
    assert found["asked"] == ["http://127.0.0.1:9/none.png"]


def test_pictures_are_whole_and_glyphs_are_there(tmp_path, html: str):
    found = probed(tmp_path, html, 1000)
    assert found["asked"] == []
    assert found["images"] == 0
    assert len(found["figures"]) == html.count("<figure")
    for figure in found["figures"]:
        assert figure["width"] > 200
        assert figure["height"] > 60
        assert figure["texts"] >= 3
        assert figure["over"] < 4  # nothing sticks out at the right
    assert found["wide"] <= 0
    assert found["seen"] > 1000
    if (
        shutil.which("fc-list")
        and not subprocess.run(["fc-list", ":lang=zh"], capture_output=True, text=True, check=True).stdout
    ):
        pytest.skip("no font with Chinese on this machine: apt-get install fonts-noto-cjk")
    assert found["missing"] == []


def test_a_telephone_shows_it_without_scrolling_sideways(tmp_path, html: str):
    # Headless chromium has no window narrower than 500 pixels.
    assert probed(tmp_path, html, 520)["wide"] <= 0


def test_it_prints(tmp_path, html: str):
    page, pdf = tmp_path / "report.html", tmp_path / "report.pdf"
    page.write_text(html, encoding="utf-8")
    browse(tmp_path, f"--print-to-pdf={pdf}", "--no-pdf-header-footer", page.as_uri())
    content = pdf.read_bytes()
    assert content.startswith(b"%PDF")
    assert 3 <= len(re.findall(rb"/Type\s*/Page\b", content)) <= 20
