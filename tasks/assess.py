"""评测 assess: model -> scores. What a model knows, how it writes, what it copies, each beside what it is held against.

The model is scored by a program (torch stays out of this process); the yardsticks come from the corpus that it was
trained on (tasks/yardsticks.py). The same model, config and files give the same bytes of `scores.json`. Speed belongs
to the machine and stands in the dataset's measures, beside the content and in no key.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl

from data_contracts.dataset import KEPT, Dataset, Manifest, Shard, digest_of
from data_contracts.errors import ConfigError, TrainingError
from data_contracts.score_file import PAIR, QUESTION, ScoreConfig, Stream
from tasks import harness, progress, question_files, supervised, yardsticks
from tasks.model_files import laid_out
from tasks.question_files import Asked, FoundAssessment
from tasks.rows import Room
from tasks.stage import Stage
from tasks.store import Store
from tasks.transforms.text_digests import digests
from tasks.work import Output, Work
from tasks.yardsticks import Corpus

SCORES = "scores.json"
# For paired comparisons. `digest` is of the text that was asked about: equal digests are equal texts.
OUTCOMES = "outcomes.parquet"  # part, set, item, group, right, digest: every pair and question
DOCUMENTS = "documents.parquet"  # doc_id, source, bits, chars, tokens, digest: every held-out document
PROBE_CHARS = 4000  # of a training document: more than the model continues


class AssessStage(Stage):
    """A stage that asks from files outside the store."""

    def look(self, values: list[Any]) -> tuple[list[Any], Any]:
        """Hash the files of pairs and questions."""
        model, cfg = values
        found = question_files.find(cfg)
        return [model, found], found.listing


def _assessing(body: Any) -> AssessStage:
    return AssessStage(body, "scores", ("torch", "transformers", "numpy", "polars"), ("lightning_modules",))


@_assessing
def assess(model: Dataset, found: FoundAssessment, work: Work) -> Output:
    """评测 assess: model -> scores. One JSON file, and its tables of single outcomes; its figures are measures too."""
    store, cfg = work.store, found.assess
    blocks = store.checked(store.manifest(model).parents[0])
    corpus, split = Corpus(store, blocks), held_out_split(blocks)
    asked = question_files.lay_out(found, work.scratch)
    given = yardsticks.probes(corpus, cfg.probes, PROBE_CHARS)
    config = ScoreConfig(
        model=str(laid_out(store, model, work.scratch)),
        result=str(work.scratch / SCORES),
        streams=tuple(_streams(store, blocks, split)),
        block_tokens=int(blocks.measures["block_tokens"]),  # a model from elsewhere may have a far longer context
        vocab_size=int(blocks.measures["vocab_size"]),  # and more or fewer rows than the tokenizer has tokens
        pairs=asked.pairs,
        questions=asked.questions,
        probes=question_files.write_table(given, work.scratch / "probes.parquet", "probes") if cfg.probes else None,
        **cfg.model_dump(include=set(ScoreConfig.model_fields) & set(type(cfg).model_fields) - {"questions", "probes"}),
    )
    run_program(config, work.scratch)
    scores = json.loads((work.scratch / SCORES).read_text(encoding="utf-8"))
    del scores["seconds"]
    speed = scores.pop("speed")
    files = {name: Room(store, work.scratch).put(table) for name, table in _tables(scores, corpus, asked)}
    if scores["not_scored"] is None:
        progress.report(progress.Step("assess", 0, 0, "baselines"))
        held_out = pl.read_parquet(store.path(files[DOCUMENTS]))["doc_id"]
        scores |= {"split": split, "baselines": yardsticks.baselines(corpus, held_out, cfg.baseline_chars)}
        for name, one in (scores["questions"] or {}).items():
            one |= asked.items[name]
        samples, continued = scores.pop("free_samples"), scores.pop("continuations")
        progress.report(progress.Step("assess", 0, 0, "verbatim"))
        if samples:
            scores["generated"] = yardsticks.generated(samples, corpus, held_out, cfg.min_verbatim_chars)
        if continued:
            scores["remembered"] = yardsticks.remembered(continued, given, cfg.min_verbatim_chars)
        if cfg.lm_eval and found.harness:
            scores["lm_eval"] = harness.run(cfg.lm_eval, found.harness, Path(config.model), work.scratch / "lm-eval")
    files[SCORES] = store.put_bytes(json.dumps(scores, ensure_ascii=False, indent=1).encode())
    content = digest_of({name: file.sha256 for name, file in sorted(files.items())})
    return Output([Shard(content=content, files=files)], figures(scores) | ({"speed": speed} if speed else {}))


def figures(scores: dict[str, Any]) -> dict[str, Any]:
    """The few numbers that say how good a model is."""
    if scores["not_scored"]:
        return {"not_scored": scores["not_scored"]}
    model = scores["bits_per_char"]["bits_per_char"]
    beside = {name: one["bits_per_char"] for name, one in scores["baselines"]["models"].items()}
    told = {"bits_per_char": model} | {f"{n}_bits_per_char": v for n, v in beside.items()}
    told["better_than_baselines"] = model < min(beside.values())
    if scores["minimal_pairs"]:
        told["minimal_pairs_accuracy"] = scores["minimal_pairs"]["accuracy"]
    told |= {f"{name}_accuracy": one["accuracy"] for name, one in (scores["questions"] or {}).items()}
    if "generated" in scores:
        told["verbatim_share"] = scores["generated"]["model"]["verbatim"]["share"]
    if "remembered" in scores:
        told["remembered_share"] = scores["remembered"]["share"]
    return told


def _tables(scores: dict[str, Any], corpus: Corpus, asked: Asked) -> Iterator[tuple[str, pl.DataFrame]]:
    """Take single outcomes out of the scores, into tables of their own, with digests of what was asked."""
    documents = (scores["bits_per_char"] or {}).pop("documents", None)
    if documents:
        frame = pl.DataFrame(documents)
        texts = pl.concat(corpus.documents(frame["doc_id"]))
        told = texts.select("doc_id").with_columns(digests(texts.select("text").iter_rows()))
        yield DOCUMENTS, frame.join(told, "doc_id", how="left", maintain_order="left")
    parts = {"minimal_pairs": (scores["minimal_pairs"] or {}).get("sets", {}), "questions": scores["questions"] or {}}
    tables = {
        "minimal_pairs": {one.name: one.read(PAIR).select("good", "bad") for one in asked.pairs},
        "questions": {one.name: one.read(QUESTION).drop("item", "group") for one in asked.questions},
    }
    outcomes = [
        pl.DataFrame(one.pop("outcomes")).select(
            pl.lit(part).alias("part"), pl.lit(name).alias("set"), pl.all(), digests(tables[part][name].iter_rows())
        )
        for part, sets in parts.items()
        for name, one in sets.items()
    ]
    if outcomes:
        yield OUTCOMES, pl.concat(outcomes)


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
