"""prefect.yaml on a real server with a real worker: schedules make runs at the right hour, and runs complete."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from deployments import server
from deployments.client import environment

ROOT = Path(__file__).resolve().parents[2]
SECONDS = 120
SENTENCES = (
    "春天到了，河边的柳树发出了新芽，孩子们在草地上奔跑，老人们坐在长椅上晒太阳。",
    "昨天下午我去图书馆借了两本关于历史的书，其中一本讲的是古代丝绸之路上的商人。",
    "这座城市的地铁每天运送几百万人，早晚高峰的时候车厢里总是非常拥挤。",
    "做红烧肉最重要的是火候，先用大火把肉煎出油，再用小火慢慢地炖一个小时。",
)
pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def texts(tmp_path_factory) -> Path:
    """A folder of JSON lines that the corpus flow accepts: 24 different documents."""
    folder = tmp_path_factory.mktemp("texts")
    lines = [
        {
            "text": "\n".join(
                f"第{n}天。{s}第{n * 7}号记录由本地居民写成，共有{n + 3}人看过。" for s in SENTENCES[n % 3 :]
            )
        }
        for n in range(24)
    ]
    (folder / "a.jsonl").write_text("\n".join(json.dumps(line, ensure_ascii=False) for line in lines), "utf-8")
    return folder


@pytest.fixture(scope="module")
def place(tmp_path_factory, texts) -> Iterator[dict[str, str]]:
    """The environment of a store whose server is up and where prefect.yaml is deployed."""
    store = tmp_path_factory.mktemp("store")
    with server.start(store) as up:
        names = {"ZILIU_HOME": str(ROOT), "ZILIU_DATA": str(texts), "ZILIU_STORE": str(store)}
        place = os.environ | environment(store, up.url) | names
        prefect(place, "work-pool", "create", "ziliu", "--type", "process")
        prefect(place, "--no-prompt", "deploy", "--all", "--prefect-file", "deployments/prefect.yaml")
        yield place


def prefect(place: dict[str, str], *words: str) -> str:
    command = [sys.executable, "-m", "prefect", *words]
    ended = subprocess.run(command, cwd=ROOT, env=place, capture_output=True, text=True, timeout=SECONDS)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


def ask(place: dict[str, str], path: str, body: dict[str, Any]) -> Any:
    import httpx

    answer = httpx.post(place["PREFECT_API_URL"] + path, json=body, timeout=30, trust_env=False)
    answer.raise_for_status()
    return answer.json()


@pytest.fixture
def worker(place, tmp_path) -> Iterator[None]:
    """A process worker, started as a user starts it."""
    log = (tmp_path / "worker.log").open("wb")
    command = [sys.executable, "-m", "prefect", "worker", "start", "--pool", "ziliu", "--type", "process"]
    running = subprocess.Popen(
        command, cwd=tmp_path, env=place, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
    )
    try:
        yield
    finally:
        running.send_signal(signal.SIGINT)
        try:
            running.wait(30)
        except subprocess.TimeoutExpired:
            os.killpg(running.pid, signal.SIGKILL)
            running.wait()
        log.close()


def test_every_flow_is_deployed_with_its_form(place):
    deployments = {d["name"] + ":" + d["entrypoint"]: d for d in ask(place, "/deployments/filter", {})}
    flows = ("everything", "corpus", "vocabulary", "pretraining", "assessment", "conversion", "vectors", "comparison")
    assert {f"{'nightly' if f == 'everything' else 'manual'}:flows.{f}.{f}" for f in flows} == set(deployments)
    nightly = deployments["nightly:flows.everything.everything"]
    assert nightly["parameters"]["cfg"]["sources"][0]["path"] == place["ZILIU_DATA"] + "/*.jsonl"
    form = json.dumps(nightly["parameter_openapi_schema"], ensure_ascii=False)
    assert "汉字占字符的最低比例" in form
    assert nightly["enforce_parameter_schema"] is True


def test_the_schedule_makes_runs_at_half_past_two_in_shanghai(place):
    deadline = time.monotonic() + SECONDS
    runs: list[dict[str, Any]] = []
    while not runs and time.monotonic() < deadline:
        runs = ask(place, "/flow_runs/filter", {"flow_runs": {"state": {"type": {"any_": ["SCHEDULED"]}}}})
        time.sleep(0.5)
    assert runs, "the scheduler made no runs"
    assert all(run["auto_scheduled"] for run in runs)
    hours = {datetime.fromisoformat(run["expected_start_time"]).astimezone(UTC).strftime("%H:%M") for run in runs}
    assert hours == {"18:30"}


def test_a_run_triggered_from_python_completes(place, worker):
    """Triggered in another process, because prefect reads its settings once."""
    code = (
        "import sys\nfrom deployments.client import run_deployed\n"
        "run = run_deployed('corpus/manual', wait_seconds=240)\n"
        "print(run.id, run.state.name, run.state.message)\n"
    )
    ended = subprocess.run([sys.executable, "-c", code], env=place, capture_output=True, text=True, timeout=300)
    assert " Completed " in ended.stdout, ended.stdout + ended.stderr
    from tasks.store import Store

    store = Store(place["ZILIU_STORE"])
    assert store.resolve("latest", "corpus/nightly", "corpus").rows > 0


def test_a_bad_value_is_refused_before_a_run_exists(place):
    body = {"parameters": {"cfg": {"sources": [], "clean": {"min_han_ratio": 2}}}, "state": {"type": "SCHEDULED"}}
    import httpx

    [deployment] = [d for d in ask(place, "/deployments/filter", {}) if d["entrypoint"] == "flows.corpus.corpus"]
    url = f"{place['PREFECT_API_URL']}/deployments/{deployment['id']}/create_flow_run"
    answer = httpx.post(url, json=body, timeout=30, trust_env=False)
    assert answer.status_code == 409
    assert "sources" in answer.text
