"""评测 assess: model -> scores. Bits per character on held-out text beside baselines, minimal pairs, samples.

The model is scored by a program (torch stays out of this process); the baselines are character unigram and bigram
models counted on the training split of the same corpus and asked about exactly the documents that the model was asked.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl

from data_contracts.assessment import AssessConfig
from data_contracts.dataset import KEPT, Dataset, Manifest, Shard
from data_contracts.errors import ConfigError, TrainingError
from data_contracts.score_file import ScoreConfig, Stream
from tasks import progress, supervised
from tasks.pretrain import unpack
from tasks.stage import stage
from tasks.store import Store
from tasks.transforms import baselines
from tasks.work import Output, Work

SCORES = "scores.json"
EMBEDDED_PAIRS = Path(__file__).parent.parent / "deployments" / "demo" / "minimal_pairs.jsonl"


@stage(schema="scores", libraries=("torch", "transformers", "numpy"), programs=("lightning_modules",))
def assess(model: Dataset, cfg: AssessConfig, work: Work) -> Output:
    """评测 assess: model -> scores. One JSON file; its figures are the dataset's measures too."""
    store = work.store
    blocks = store.checked(store.manifest(model).parents[0])
    corpus = store.checked(blocks.parents[0])
    split = held_out_split(blocks)
    result = work.scratch / SCORES
    config = ScoreConfig(
        model=str(unpack(store, store.manifest(model), work.scratch / "model")),
        result=str(result),
        streams=tuple(_streams(store, blocks, split)),
        max_tokens=cfg.max_tokens,
        minimal_pairs=str(_pairs(cfg)),
        max_pairs=cfg.max_pairs,
        prompts=cfg.prompts,
        sample_tokens=cfg.sample_tokens,
        temperature=cfg.temperature,
        top_p=cfg.top_p,
        seed=cfg.seed,
    )
    run_program(config, work.scratch)
    scores = json.loads(result.read_text(encoding="utf-8"))
    asked = {d["doc_id"] for d in scores["bits_per_char"].pop("documents")}
    scores |= {"split": split, "baselines": _baselines(store, blocks, corpus, asked)}
    del scores["seconds"]  # the same model and config give the same bytes
    file = store.put_bytes(json.dumps(scores, ensure_ascii=False, indent=1).encode())
    return Output([Shard(content=file.sha256, files={SCORES: file})], figures(scores))


def figures(scores: dict[str, Any]) -> dict[str, Any]:
    """The few numbers that say how good a model is."""
    model = scores["bits_per_char"]["bits_per_char"]
    found = {"bits_per_char": model} | {f"{n}_bits_per_char": v for n, v in scores["baselines"].items()}
    found["better_than_baselines"] = model < min(scores["baselines"].values())
    if scores["minimal_pairs"]:
        found["minimal_pairs_accuracy"] = scores["minimal_pairs"]["accuracy"]
    return found


def held_out_split(blocks: Manifest) -> str:
    """The test split, or the validation split of a corpus too small to have one."""
    for split in ("test", "validation"):
        if blocks.measures.get(f"{split}_documents"):
            return split
    raise ConfigError("assess: no held-out document; raise encode.test_ratio or encode.validation_ratio")


def _streams(store: Store, blocks: Manifest, split: str) -> Iterator[Stream]:
    for shard in blocks.shards:
        if f"{split}.bin" in shard.files:
            documents = str(store.path(shard.files[KEPT]))
            yield Stream(path=str(store.path(shard.files[f"{split}.bin"])), documents=documents, split=split)


def _pairs(cfg: AssessConfig) -> Path:
    return EMBEDDED_PAIRS if cfg.minimal_pairs == "embedded" else Path(cfg.minimal_pairs).expanduser()


def run_program(config: ScoreConfig, folder: Path) -> None:
    """Run the scoring program to its end."""
    path = folder / "score.json"
    path.write_text(config.model_dump_json(indent=1), encoding="utf-8")

    def show(event: dict[str, Any]) -> None:
        if event["event"] == "progress":
            progress.report(progress.Step("assess", event["done"], event["total"], event.get("phase", "")))

    command = [sys.executable, "-m", "lightning_modules", "score", str(path)]
    ended = supervised.run(command, log=folder / "score.log", on_event=show)
    if ended.code:
        message = ended.last.get("error", {}).get("message", ended.tail)
        kind = ConfigError if ended.code == ConfigError.exit_code else TrainingError
        raise kind(f"scoring ended with code {ended.code}: {message}")


def _baselines(store: Store, blocks: Manifest, corpus: Manifest, asked: set[str]) -> dict[str, float]:
    """Bits per character of the character unigram and bigram models on the documents asked about."""
    table = store.scan(f"{blocks.stage}/{blocks.version}").select("doc_id", "split").collect()
    train = set(table.filter(pl.col("split") == "train")["doc_id"])
    counted = baselines.train(_texts(store, corpus, train))
    unigram, bigram, chars = counted.bits(_texts(store, corpus, asked))
    return {"unigram": unigram / chars, "bigram": bigram / chars}


def _texts(store: Store, corpus: Manifest, wanted: set[str]) -> Iterator[str]:
    """The texts of some documents, a shard at a time."""
    for shard in corpus.shards:
        frame = pl.scan_parquet(store.path(shard.files[KEPT])).select("doc_id", "text").collect()
        yield from frame.filter(pl.col("doc_id").is_in(wanted))["text"]
