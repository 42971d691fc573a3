"""A real Chromium behind the guard: scripts run, their text is archived, and no page gets out."""

from __future__ import annotations

import asyncio
import importlib.util
import re
import shutil

import pytest

from tasks.crawler import browser
from tasks.crawler.fetching import RenderFailed
from tasks.crawler.netguard import NetworkGuard
from tasks.readers.warc import capture_at
from tests.crawler.hostile_site import HostileWeb, answer, page

needs_chromium = pytest.mark.skipif(
    importlib.util.find_spec("playwright") is None or not any(map(shutil.which, browser.PROGRAMS)),
    reason="needs the extra [javascript] and an installed Chromium",
)
pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
SPEAKING = """<div id=x></div><script src="/speak.js"></script><script src="/private/secret.js"></script>"""
SPEAK = """document.getElementById('x').innerHTML = '<a href="/from-script">渲染后的正文</a>';
fetch('/data').then(r => r.text()).then(t => { document.getElementById('x').append(t); });"""
# Every way out of a page that Chromium knows; {} is the canary's port.
ATTEMPTS = """<p>start</p><link rel=preconnect href="http://127.0.0.1:{0}/"><link rel=prefetch href="http://127.0.0.1:{0}/f">
<link rel=stylesheet href="http://127.0.0.1:{0}/css"><img src="http://127.0.0.1:{0}/img"><iframe src="http://127.0.0.1:{0}/frame"></iframe>
<script src="http://127.0.0.1:{0}/script"></script><script src="http://[::1]:{0}/script"></script><object data="http://127.0.0.1:{0}/o"></object>
<video src="http://127.0.0.1:{0}/v"></video><form id=f action="http://127.0.0.1:{0}/form"></form><a id=a href="http://127.0.0.1:{0}/ping" ping="http://127.0.0.1:{0}/p">x</a>
<script>
const hosts = ['127.0.0.1', '127.0.0.2', '[::1]', 'localhost', '2130706433', '0x7f.1', '[::ffff:127.0.0.1]'];
const all = hosts.map(h => fetch(`http://${{h}}:{0}/fetch`, {{mode: 'no-cors'}}).then(r => r.type == 'opaque' ? 'refused 403' : 'got ' + h).catch(e => 'failed'));
for (const h of hosts) {{
  try {{ new WebSocket(`ws://${{h}}:{0}/ws`); new EventSource(`http://${{h}}:{0}/events`); }} catch (e) {{}}
  try {{ navigator.sendBeacon(`http://${{h}}:{0}/beacon`, 'x'); new Image().src = `http://${{h}}:{0}/image`; }} catch (e) {{}}
}}
try {{ navigator.serviceWorker.register('/worker.js').catch(() => 0); }} catch (e) {{}}
try {{ const c = new RTCPeerConnection({{iceServers: [{{urls: 'turn:127.0.0.1:{0}?transport=tcp', username: 'u', credential: 'c'}}]}});
  c.createDataChannel('x'); c.createOffer().then(o => c.setLocalDescription(o)); }} catch (e) {{}}
try {{ new Worker('http://127.0.0.1:{0}/worker'); }} catch (e) {{}}
try {{ window.open('http://127.0.0.1:{0}/opened'); document.getElementById('a').click(); }} catch (e) {{}}
Promise.all(all).then(a => {{ document.querySelector('p').textContent = 'tried ' + a.join(' ');
  setTimeout(() => {{ document.getElementById('f').submit(); location = 'http://127.0.0.1:{0}/gone'; }}, 300); }});
</script>"""


@pytest.fixture(scope="module")
def web(tmp_path_factory):
    made = HostileWeb(("main",))
    made.start(tmp_path_factory.mktemp("web"))
    main = made.origins["main"].answers
    main["/"] = page("/speaking", "/attempts", "/for-ever", "/huge", "/redirects", "/quiet")
    main["/robots.txt"] = answer(body=b"User-agent: *\nDisallow: /private/\n", content_type="text/plain")
    main["/speaking"] = answer(body=SPEAKING.encode(), content_type="text/html; charset=utf-8")
    main["/speak.js"] = answer(body=SPEAK.encode(), content_type="text/javascript; charset=utf-8")
    main["/private/secret.js"] = answer(body=b"document.title='secret'", content_type="text/javascript")
    main["/data"] = answer(body="，以及数据".encode(), content_type="text/plain; charset=utf-8")
    main["/from-script"] = page()
    main["/quiet"] = answer(body="<meta charset=gb2312><p>没有脚本".encode("gb18030"), ETag='"q"')
    main["/attempts"] = answer(body=ATTEMPTS.format(made.canary_port).encode())
    main["/for-ever"] = answer(body=b"<p>raw<script>while(true){}</script><a href=/raw-link>")
    main["/huge"] = answer(body=b"<p>raw<script>document.write('x'.repeat(9000000))</script>")
    main["/redirects"] = answer(body=b"<p>stays<script>location='/quiet'</script>")
    yield made
    made.stop()


@pytest.fixture(scope="module")
def done(web, crawl_once):
    run = crawl_once(
        None,
        seeds=[web.url("main", "/")],
        url_prefixes=[web.url("main", "/"), f"http://127.0.0.1:{web.canary_port}/"],
        allow_addresses=[f"127.0.0.1/32:{web.origins['main'].port}"],
        javascript=True,
        javascript_seconds=5,
        timeout_seconds=20,
        recrawl_after_hours=0,
    )
    assert run(timeout=200) == 0, run.errors
    run.visited = {v["url"].removeprefix(web.url("main")): v for v in run.visits()}
    return run


def rendered(run, path):
    """What ingest will read: the record that the visit points at."""
    visit = run.visited[path]
    capture = capture_at(run.out / "warc" / visit["archive"], visit["offset"], 9_000_000)
    assert (capture.reason, capture.status, capture.url) == (None, 200, visit["url"])
    return capture


@needs_chromium
def test_what_scripts_write_is_read_and_their_links_are_followed(done):
    capture = rendered(done, "/speaking")
    assert "渲染后的正文" in capture.body.decode()
    assert "，以及数据" in capture.body.decode()
    assert capture.content_type == "text/html; charset=utf-8"
    assert done.visited["/from-script"]["reason"] is None
    assert "没有脚本" in rendered(done, "/quiet").body.decode()


@needs_chromium
def test_no_attempt_reaches_the_canary(done, web):
    told = rendered(done, "/attempts").body.decode()
    (tried,) = re.findall("<p>tried ([^<]*)</p>", told)
    assert tried.replace("refused 403", "failed").split() == ["failed"] * 7
    assert web.leaks == []
    assert sum(done.end["connections_blocked"].values()) > 0


@needs_chromium
def test_robots_hold_for_scripts_too(done, web):
    assert "/private/secret.js" not in web.origins["main"].hits
    assert "secret</title>" not in rendered(done, "/speaking").body.decode()


@needs_chromium
def test_the_document_is_asked_for_once_and_left_for_no_other(done, web):
    hits = web.origins["main"].hits
    assert {path: hits[path] for path in ("/speaking", "/attempts", "/quiet", "/redirects")} == dict.fromkeys(
        ("/speaking", "/attempts", "/quiet", "/redirects"), 1
    )
    assert b"stays" in rendered(done, "/redirects").body


@needs_chromium
def test_a_page_whose_scripts_go_wrong_stands_as_it_was_fetched(done):
    assert rendered(done, "/for-ever").body == b"<p>raw<script>while(true){}</script><a href=/raw-link>"
    assert done.visited["/raw-link"]["status"] == 404
    assert rendered(done, "/huge").body.startswith(b"<p>raw<script>")
    assert done.end["last_run"]["render_failed"] == 2
    assert done.end["last_run"]["rendered"] >= 5


@needs_chromium
def test_archives_check_and_a_recrawl_points_at_the_same_record(done, web, crawl_once):
    done.check_archives()
    again = crawl_once(None, previous=done, **{k: v for k, v in done.source.items() if k in SAME})
    assert again(timeout=200) == 0, again.errors
    before, after = done.visited["/quiet"], {v["url"]: v for v in again.visits()}[web.url("main", "/quiet")]
    assert (after["archive"], after["offset"], after["digest"]) == (
        before["archive"],
        before["offset"],
        before["digest"],
    )
    again.check_archives()
    assert web.leaks == []


SAME = (
    "seeds",
    "url_prefixes",
    "allow_addresses",
    "javascript",
    "javascript_seconds",
    "timeout_seconds",
    "recrawl_after_hours",
)


@needs_chromium
def test_a_page_that_hangs_takes_no_other_with_it(monkeypatch):
    """Chromium is killed for one page while others, one after another, are in it."""
    monkeypatch.setattr(browser, "_CLOSING_SECONDS", 1.0)

    async def together() -> list[bytes]:
        made = browser.Browser(NetworkGuard(["127.0.0.1/32:1"]), "tests", seconds=6.0, max_bytes=10_000)
        try:
            await made.render("http://127.0.0.1:1/first", b"<p>first", "text/html")  # so that starting it takes no time
            hangs = asyncio.create_task(made.render("http://127.0.0.1:1/x", b"<script>while(true){}</script>", None))
            others = []
            while not hangs.done():
                others.append(
                    await made.render("http://127.0.0.1:1/y", b"<p><script>document.write('spoken')</script>", None)
                )
            with pytest.raises(RenderFailed, match="TimeoutError"):
                await hangs
            return others
        finally:
            await made.stop()

    found = asyncio.run(together())
    assert len(found) > 1
    assert all(b"spoken</p>" in one for one in found)


def test_what_is_missing_is_said_before_anything_is_made(site, crawl, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    run = crawl(site, javascript=True)
    assert run() == 2
    assert "needs Chromium" in run.errors or "needs Playwright" in run.errors
    assert site.hits == []
    assert not (run.out / "frontier.sqlite").exists()
