"""Word segmentation: MB per CPU second of the cutter alone and of the whole stage, jieba and rjieba beside them; SIGHAN scores."""

from __future__ import annotations

import logging
import subprocess
import sys
import warnings

import numpy as np
import pytest
import rjieba

from data_contracts.config import Place
from data_contracts.stages import SegmentConfig
from tasks.readers import gold_words
from tasks.segment import segment
from tasks.segmentation_score import score_files
from tasks.store import Store
from tasks.transforms.dictionary import standard
from tasks.transforms.segmentation_score import score
from tasks.transforms.words import words
from tests.benchmarks.measured import cpu_seconds, megabytes, real_documents, write
from tests.given_documents import deposit, split

ROUNDS = 3  # one after the other, the best counts: a neighbour on the machine slows all of them down in turn
START = "from tasks.segment import segment_shard; from tasks.transforms.words import words; words(['预热'])"
# Gold files with the training words of their own corpus, or with none: then known words are those of the dictionary.
GOLD = {
    "icwb2/pku_test_gold.utf8.gz": "icwb2/pku_training_words.utf8.gz",
    "icwb2/cityu_test_gold.utf8.gz": "icwb2/cityu_training_words.utf8.gz",
    "pfr_1998_01.txt.gz": None,
    "ud_gsdsimp_dev.conllu.gz": None,
}


@pytest.fixture(scope="module")
def jieba():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pkg_resources, regular expressions of 2012
        import jieba

        jieba.setLogLevel(logging.ERROR)
        jieba.initialize()
    return jieba


@pytest.mark.bench
def test_segment(jieba, shared_data, tmp_path):
    frame = real_documents(shared_data, 20)
    texts, size = frame["text"].to_list(), megabytes(frame["text"])
    words(["预热"])
    some = texts[:: len(texts) // 200]
    beside = sum(len(t.encode()) for t in some) / 1e6
    rounds: dict[str, list[float]] = {}
    for number in range(ROUNDS):
        spent: dict[str, float] = {}
        with cpu_seconds(spent, "cutter"):
            words(texts)
        place = Place(store=str(tmp_path / f"store{number}"), workers=1)
        given = deposit(Store(place.store).open(), split(frame, 2))
        with cpu_seconds(spent, "stage"):
            segmented, _ = segment.run(given, SegmentConfig(), place)
        assert (segmented.rows, segmented.chars) == (frame.height, frame["text"].str.len_chars().sum())
        with cpu_seconds(spent, "rjieba"):
            for text in texts:
                rjieba.cut(text)
        with cpu_seconds(spent, "jieba"):
            for text in some:
                jieba.lcut(text)
        for name, seconds in spent.items():
            rounds.setdefault(name, []).append((beside if name == "jieba" else size) / seconds)
    started: dict[str, float] = {}
    with cpu_seconds(started, "start"):
        subprocess.run([sys.executable, "-c", START], check=True)
    figures = {
        "megabytes": size,
        "mb_per_cpu_second": {name: max(speeds) for name, speeds in rounds.items()},
        "every_round": rounds,
        # A process that has cut one word, imports and all: what each worker costs before its first shard.
        "start_cpu_seconds": started["start"],
    }
    print(write("segment", figures, tmp_path).read_text(encoding="utf-8"))


@pytest.mark.bench
def test_scores(jieba, shared_data, tmp_path):
    folder, told = shared_data / "segmentation", dict[str, dict[str, dict[str, float]]]()
    for name, training in GOLD.items():
        known = [folder / training] if training else []
        ours = score_files([folder / name], known, SegmentConfig())[(folder / name).name]
        sentences = gold_words.read(folder / name)
        lengths = [len(word) for sentence in sentences for word in jieba.lcut("".join(sentence))]
        vocabulary = {w for path in known for sentence in gold_words.read(path) for w in sentence}

        def knows(asked, vocabulary=vocabulary):
            return np.array([w in vocabulary for w in asked]) if vocabulary else standard().has(asked)

        theirs = score(sentences, np.array(lengths, dtype=np.uint32), knows)
        assert (theirs.gold_words, theirs.unknown_words) == (ours.gold_words, ours.unknown_words)
        told[name.rpartition("/")[2]] = {"ziliu": ours.figures(), "jieba": theirs.figures()}
    print(write("segmentation_score", told, tmp_path).read_text(encoding="utf-8"))
