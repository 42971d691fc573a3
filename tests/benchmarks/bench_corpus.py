"""The whole flow: MB of UTF-8 per CPU second from sources to token blocks, by stage; one process, two, and datatrove.

    ZILIU_SHARED_DATA=FOLDER ZILIU_PEER_DATATROVE=PYTHON python -m pytest -m bench tests/benchmarks/bench_corpus.py -s

Sources are every Parquet file of FOLDER/pretrain and the pages of FOLDER/web as one WARC; they are held against seven sets
of evaluation files. ZILIU_BENCH_MEGABYTES takes so many MB of each file only. "Documents to blocks" is what stands between
documents and token blocks: neither the reading of sources, nor the training of the vocabulary, nor gates. Without
ZILIU_PEER_DATATROVE the peer is left out; it decontaminates nothing, for which it wants evaluation tasks from the network.

Wall time, and with it the ratio of two processes to one, means something on a quiet machine only; the load stands beside
it. What holds on a busy one: the CPU seconds of the process that hands out jobs, in which the other cores wait, and
`two_to_one_at_best`, the ratio that they would allow if the jobs themselves were shared evenly. Of several processes
those without a job load what the next stages need while sources are read, which is not between documents and blocks;
`two_to_one_of_everything` counts all. A flow over a small sample goes first, so that every loop has been compiled.
"""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import yaml
from warcio.statusandheaders import StatusAndHeaders
from warcio.warcwriter import WARCWriter

from tests.benchmarks.bench_decontaminate import FILES
from tests.benchmarks.measured import cpu_seconds, write

pytestmark = [pytest.mark.bench, pytest.mark.timeout(7200)]
HERE = Path(__file__).parent
NOT_BETWEEN = ("ingest_files", "ingest_archives", "ingest_benchmark", "extract", "gate", "vocab")
PEER_MEGABYTES, SAMPLE_MEGABYTES = 10.0, 0.3


def web_archive(folder: Path, path: Path, most_bytes: float) -> None:
    """The pages of every site as one WARC, as a crawler would have stored them."""
    size = 0
    with path.open("wb") as file:
        writer = WARCWriter(file, gzip=True)
        for site in sorted(folder.glob("*.tar.xz")):
            with tarfile.open(site, "r:xz") as pages:
                for page in pages:
                    body = pages.extractfile(page)
                    if not page.isfile() or body is None or size > most_bytes:
                        continue
                    raw = body.read()
                    size += len(raw)
                    head = StatusAndHeaders("200 OK", [("Content-Type", "text/html")], protocol="HTTP/1.1")
                    url = f"https://{page.name.replace(' ', '%20')}"
                    writer.write_record(
                        writer.create_warc_record(
                            url, "response", payload=io.BytesIO(raw), length=len(raw), http_headers=head
                        )
                    )


def sources(shared_data: Path, folder: Path, megabytes: float) -> list[dict[str, Any]]:
    """Sources of a config; smaller copies of the files where only some megabytes are wanted."""
    found: list[dict[str, Any]] = []
    for path in sorted((shared_data / "pretrain").glob("*.parquet")):
        frame = pl.read_parquet(path, columns=["id", "text"])
        some = frame.filter(frame["text"].str.len_bytes().cum_sum() <= megabytes * 1e6)
        some.write_parquet(folder / path.name)
        name = path.stem.replace("_", "-")
        found.append({"kind": "parquet", "name": name, "licence": "see the README of the data", "id_field": "id"})
        found[-1]["path"] = str(folder / path.name)
    web_archive(shared_data / "web", folder / "web.warc.gz", megabytes * 1e6)
    return [*found, {"kind": "warc", "name": "web", "licence": "see there", "path": str(folder / "web.warc.gz")}]


def evaluation_files(shared_data: Path) -> list[dict[str, Any]]:
    """What the documents are held against, as the config names it."""
    return [
        {"name": name, "path": str(shared_data / path), "fields": list(fields)}
        for name, (path, fields) in FILES.items()
    ]


def flow(given: list[dict[str, Any]], tests: list[dict[str, Any]], folder: Path, workers: int) -> dict[str, Any]:
    """Run the flows in a process of their own; what it measured, and all CPU seconds as the kernel counts them."""
    cfg = {"name": "bench", "store": str(folder / f"store{workers}"), "workers": workers, "sources": given}
    cfg["benchmarks"] = tests
    # Sources of all kinds come together here, each of which the contract would allow for itself.
    cfg["gate"] = {"on_failure": "warn"}
    (folder / f"{workers}.yaml").write_text(yaml.safe_dump(cfg, allow_unicode=True), encoding="utf-8")
    command = [sys.executable, str(HERE / "flow_program.py"), str(folder / f"{workers}.yaml"), str(folder / "out.json")]
    one_thread = {"POLARS_MAX_THREADS": "1", "RAYON_NUM_THREADS": "1"}
    environment = {**os.environ, "PYTHONPATH": str(HERE.parents[1]), **one_thread}
    spent: dict[str, float] = {}
    load = os.getloadavg()[0]
    with cpu_seconds(spent, "all"):
        ended = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr[-4000:]
    told: dict[str, Any] = json.loads((folder / "out.json").read_text(encoding="utf-8"))
    return told | {"cpu_seconds_by_kernel": round(spent["all"], 1), "load_before": round(load, 1)}


def between(told: dict[str, Any], what: str) -> float:
    """Seconds of the road from documents to token blocks."""
    return float(sum(s[what] for name, s in told["stages"].items() if name not in NOT_BETWEEN))


def table(told: dict[str, Any]) -> dict[str, Any]:
    """MB of documents per CPU second: of every stage, of the road between documents and blocks, of everything."""
    stages = told["stages"]
    size = stages["clean"]["megabytes"]
    return {
        "megabytes": round(size, 1),
        "mb_per_cpu_second": {
            name: round(s["megabytes"] / s["cpu_seconds"], 2) for name, s in stages.items() if s["cpu_seconds"] > 0.01
        },
        "cpu_ms_per_document_mb": {name: round(s["cpu_seconds"] / size * 1e3, 1) for name, s in stages.items()},
        "cpu_seconds": {name: round(s["cpu_seconds"], 2) for name, s in stages.items()},
        "cpu_seconds_handing_out": {name: round(s["cpu_seconds_here"], 2) for name, s in stages.items()},
        "documents_to_blocks": round(size / between(told, "cpu_seconds"), 2),
        "everything": round(size / told["whole"]["cpu_seconds"], 2),
        "wall_seconds": round(told["whole"]["seconds"], 1),
        "wall_seconds_of_stages": {name: round(s["seconds"], 1) for name, s in stages.items()},
    }


def compared(one: dict[str, Any], two: dict[str, Any]) -> dict[str, Any]:
    """How much two processes are faster than one, by the clock; and more CPU seconds they take, and what that allows."""
    spent = between(two, "cpu_seconds")
    serial = between(two, "cpu_seconds_here")
    return {
        "two_to_one": round(between(one, "seconds") / between(two, "seconds"), 2),
        "two_to_one_of_everything": round(one["whole"]["seconds"] / two["whole"]["seconds"], 2),
        "two_to_one_at_best": round(between(one, "cpu_seconds") / (serial + (spent - serial) / 2), 2),
        "cpu_seconds_two_to_one": round(spent / between(one, "cpu_seconds"), 3),
        "load_before": [one["load_before"], two["load_before"]],
    }


def peer(given: list[dict[str, Any]], folder: Path) -> dict[str, Any] | None:
    """datatrove on a sample of the same documents: its filters, its MinHash and its token writer, in Chinese."""
    python = os.environ.get("ZILIU_PEER_DATATROVE")
    if not python:
        return None
    corpus = folder / "documents"
    corpus.mkdir()
    files = [source for source in given if source["kind"] == "parquet"]
    for source in files:
        frame = pl.read_parquet(source["path"])
        some = frame.filter(frame["text"].str.len_bytes().cum_sum() <= PEER_MEGABYTES * 1e6 / len(files))
        some.write_ndjson(corpus / f"{source['name']}.jsonl")
    [tokenizer] = [p for p in (folder / "store1" / "objects").rglob("*") if p.is_file() and _is_tokenizer(p)][:1]
    command = [python, str(HERE / "peers" / "datatrove_flow.py"), str(corpus), str(folder / "peer"), str(tokenizer)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr[-4000:]
    told: dict[str, Any] = json.loads(ended.stdout.splitlines()[-1])
    return told | {"mb_per_cpu_second": round(told["megabytes"] / told["cpu_seconds"], 4)}


def _is_tokenizer(path: Path) -> bool:
    with path.open("rb") as file:
        return b'"added_tokens"' in file.read(400)


def test_corpus(shared_data: Path, tmp_path: Path) -> None:
    megabytes = float(os.environ.get("ZILIU_BENCH_MEGABYTES", "1000"))
    given, tests = sources(shared_data, tmp_path, megabytes), evaluation_files(shared_data)
    (tmp_path / "sample").mkdir()
    flow(sources(shared_data, tmp_path / "sample", SAMPLE_MEGABYTES), tests, tmp_path / "sample", 1)
    one, two = (flow(given, tests, tmp_path, workers) for workers in (1, 2))
    figures: dict[str, Any] = {"one_process": table(one), "two_processes": table(two), **compared(one, two)}
    if (beside := peer(given, tmp_path)) is not None:
        figures["datatrove"] = beside
        figures["times_datatrove"] = round(
            figures["one_process"]["documents_to_blocks"] / beside["mb_per_cpu_second"], 1
        )
    figures["told"] = one
    print(write("corpus", figures, tmp_path).read_text(encoding="utf-8"))
    print({name: value for name, value in figures.items() if "two_to_one" in name or name == "load_before"})
    assert one["documents_kept"] == two["documents_kept"] > 0
    assert one["train_tokens"] == two["train_tokens"] > 0
