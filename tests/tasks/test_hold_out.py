"""The texts of an exam are held out by both corpora, the same in both, and copied by no training document of either."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from data_contracts.comparison import CompareConfig, ExamConfig
from data_contracts.config import Place
from data_contracts.dataset import Dataset
from data_contracts.errors import ConfigError, NothingLeft
from data_contracts.mixture import MixtureConfig
from data_contracts.stages import EncodeConfig, SegmentConfig, VocabConfig
from tasks.compare import compare, read, write_page
from tasks.encode import encode
from tasks.examine import ANSWERS, examine
from tasks.hold_out import EXAM, drawn, hold_out, sided
from tasks.segment import segment
from tasks.store import Store
from tasks.transforms.splits import places
from tasks.vocab import vocab
from tests.given_documents import deposit, documents, invented

SPLITS = EncodeConfig(block_tokens=64, validation_ratio=0.05, test_ratio=0.2)
COUNT = 120


def blocks(place: Place, texts: list[str], size: int = 400, extra: pl.DataFrame | None = None) -> Dataset:
    frame = documents(texts)
    whole = (frame if extra is None else pl.concat([frame, extra])).sort("doc_id")
    given, _ = segment.run(deposit(Store(place.store).open(), [whole]), SegmentConfig(), place)
    tokenizer, _ = vocab.run(given, VocabConfig(size=size), SPLITS.splits, place)
    return encode.run(given, tokenizer, SPLITS, MixtureConfig(), place)[0]


def exam_of(place: Place, made: Dataset) -> pl.DataFrame:
    store = Store(place.store)
    return pl.read_parquet(store.path(store.manifest(made).shards[0].files[EXAM]))


def measures(place: Place, made: Dataset) -> dict[str, Any]:
    return Store(place.store).manifest(made).measures


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(store=str(tmp_path / "store"), workers=1)


def held(ids: list[str]) -> list[bool]:
    return list(places(ids) >= 0.8)


def trains(frame: pl.DataFrame) -> bool:
    """Whether the one document of a frame is in the training split."""
    [place] = places(frame["doc_id"].to_list())
    return bool(0.05 <= place < 0.8)


def test_what_both_hold_out_alike_decides_and_the_rest_stands_beside(place: Place):
    texts = invented(COUNT)
    ids = documents(texts)["doc_id"].to_list()
    tested = [i for i, out in enumerate(held(ids)) if out]
    assert len(tested) > 12
    other = list(texts)
    other[tested[0]] = "天地玄黄宇宙洪荒，日月盈昃辰宿列张。" * 3  # the same document, another text
    fewer = [t for i, t in enumerate(other) if i != tested[-1]]
    extra = documents(fewer[tested[-1] :], start=tested[-1] + 1)
    second = blocks(place, fewer[: tested[-1]], extra=extra)  # one document less
    made, found = hold_out.run(blocks(place, texts), second, [], ExamConfig(), place)
    assert not found
    exam, told = exam_of(place, made), measures(place, made)
    by_side = {side: set(part["doc_id"]) for (side,), part in exam.partition_by("side", as_dict=True).items()}
    assert by_side["a"] == {ids[tested[0]], ids[tested[-1]]}
    assert by_side["b"] == {ids[tested[0]]}
    assert by_side["both"] == {ids[i] for i in tested[1:-1]}
    assert (told["decides"], told["both_texts"], told["trained"], told["copied"]) == ("both", len(tested) - 2, 0, 0)
    assert hold_out.run(blocks(place, texts), second, [], ExamConfig(), place) == (made, True)


def test_a_held_out_text_with_a_near_copy_in_a_training_split_is_not_used(place: Place):
    texts = invented(COUNT)
    ids = documents(texts)["doc_id"].to_list()
    tested = [i for i, out in enumerate(held(ids)) if out]
    long = "，".join(texts[:4])
    texts[tested[0]] = long
    leak = next(one for n in range(50) if trains(one := documents([long[:-8] + "另有几个字。"], "copies", start=n)))
    made, _ = hold_out.run(blocks(place, texts), blocks(place, texts, extra=leak), [], ExamConfig(), place)
    told = measures(place, made)
    assert told["copied"] == 1
    assert ids[tested[0]] not in set(exam_of(place, made)["doc_id"])
    loose, _ = hold_out.run(
        blocks(place, texts), blocks(place, texts, extra=leak), [], ExamConfig(max_overlap_ratio=1.0), place
    )
    assert ids[tested[0]] in set(exam_of(place, loose)["doc_id"])


def test_texts_may_be_named_and_then_they_decide(place: Place):
    texts = invented(COUNT)
    store = Store(place.store).open()
    mine = deposit(store, [documents([f"这是另外写下的第{i}篇文字，谁也没有见过它。" for i in range(12)], "mine")])
    one, other = blocks(place, texts), blocks(place, texts[:-30])
    made, _ = hold_out.run(one, other, [mine], ExamConfig(), place)
    told = measures(place, made)
    assert (told["decides"], told["named_texts"]) == ("named", 12)
    trained = deposit(store, [documents(texts)], stage="again")
    again, _ = hold_out.run(one, other, [trained], ExamConfig(), place)
    assert measures(place, again)["trained"] > 60, "what a corpus trains on is never asked about"
    with pytest.raises(ConfigError, match="holds no texts"):
        hold_out.run(one, other, [one], ExamConfig(), place)


def test_corpora_that_hold_nothing_out_in_common_cannot_be_compared(place: Place):
    one, other = blocks(place, invented(COUNT)), blocks(place, [f"{t}又" for t in invented(COUNT)])
    with pytest.raises(NothingLeft, match="--held-out"):
        hold_out.run(one, other, [], ExamConfig(), place)


def test_two_configs_that_make_the_same_blocks_are_refused(place: Place):
    made = blocks(place, invented(COUNT))
    with pytest.raises(ConfigError, match="do not differ"):
        hold_out.run(made, made, [], ExamConfig(), place)


def test_sides_and_the_lottery_keep_every_text_once():
    a = pl.DataFrame({"doc_id": ["1", "2"], "source": ["s"] * 2, "text": ["一", "二"], "digest": ["x", "y"]})
    b = pl.DataFrame({"doc_id": ["2", "3"], "source": ["s"] * 2, "text": ["二", "三"], "digest": ["y", "z"]})
    found = sided(a, b)
    assert dict(found.select("digest", "side").iter_rows()) == {"x": "a", "y": "both", "z": "b"}
    many = pl.DataFrame({"doc_id": [str(i) for i in range(40)], "source": ["s"] * 40, "side": ["both"] * 40, "text": ["字" * 10] * 40, "digest": [f"{i:04}" for i in range(40)]})  # fmt: skip
    some = drawn(many, 100)
    assert some.height == 10
    assert set(drawn(many, 50)["digest"]) <= set(some["digest"])
    assert drawn(many, 5).height == 1
    assert drawn(many.clear(), 5).height == 0


# with models ---------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_models_of_two_vocabularies_answer_the_same_exam(place: Place, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    sys.path.append(str(Path(__file__).parent))
    random_model = importlib.import_module("test_assess")
    texts = invented(COUNT)
    both = [blocks(place, texts), blocks(place, texts[:-25], size=330)]
    exam, _ = hold_out.run(*both, [], ExamConfig(), place)
    asked = random_model.AssessConfig.model_validate({**random_model.QUICK, "free_samples": 0, "probes": 0})
    models = [random_model.pretrain.run(one, random_model.ReportConfig(), place)[0] for one in both]
    scores = [random_model.assess.run(model, asked, place)[0] for model in models]
    answers = [examine.run(model, exam, place)[0] for model in models]
    store = Store(place.store)
    tables = [pl.read_parquet(store.path(store.manifest(a).shards[0].files[ANSWERS])) for a in answers]
    assert tables[0]["digest"].to_list() == tables[1]["digest"].to_list()
    assert tables[0]["chars"].to_list() == tables[1]["chars"].to_list()
    assert tables[0]["tokens"].sum() < tables[1]["tokens"].sum(), "the smaller vocabulary needs more tokens"
    own = pl.read_parquet(store.path(store.manifest(scores[0]).shards[0].files["documents.parquet"]))
    joined = own.join(tables[0], "digest", suffix="_exam")
    assert joined.height > 10
    per_char = [joined[c].sum() / joined["chars"].sum() for c in ("bits", "bits_exam")]
    assert per_char[1] == pytest.approx(per_char[0], rel=0.01), "only where blocks are cut differs"
    made, _ = compare.run(
        models, scores, answers, exam, CompareConfig(names=("甲", "乙"), seeds=(1,), resamples=500), place
    )
    found = read(store, made)
    assert found.proof.documents == measures(place, exam)["both_texts"]
    assert found.contest.table("headline")[0].units == found.proof.documents
    assert "甲" in measures(place, made)["verdict"]
    page = write_page(store, made, [("clean.min_chars", "1", "2")], "2026-11-26T02:00:00Z").read_text(encoding="utf-8")
    assert "clean.min_chars" in page
    assert json.loads(found.model_dump_json())["proof"]["names"] == ["甲", "乙"]
