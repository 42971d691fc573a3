"""The classifier learns, is the same each time, says probabilities that come true, and is measured by the book."""

from __future__ import annotations

import numpy as np
import pytest

from data_contracts.scoring import ClassifierConfig
from tasks.transforms import text_classifier
from tasks.transforms.scorer_files import classifier_bytes, read_classifier
from tasks.transforms.text_classifier import Classifier, balance, calibrate, evaluate, fit, passages

SMALL = ClassifierConfig(hash_bits=14, passes=3)
PROSE = ("春天来了，河边的柳树发出新芽", "他在图书馆里读一本关于历史的书", "山下的村子很安静，只听见鸟叫")
OFFERS = ("加微信领取优惠券，限时抢购", "全场五折包邮，点击链接下单", "零首付贷款当天到账，来电咨询")


def texts(sentences, count, seed):
    dice = np.random.default_rng(seed)
    return ["。".join(dice.choice(sentences, 3)) + f"。{i}" for i in range(count)]


def lesson(count=80, seed=0):
    return texts(PROSE, count, seed) + texts(OFFERS, count, seed + 1), np.repeat([True, False], count)


def trained(count=80) -> Classifier:
    weights = fit(*lesson(count), SMALL)
    slope, offset = calibrate(Classifier(weights, 3, 1.0, 0.0).raw((held := lesson(40, 5))[0]), held[1])
    return Classifier(weights, 3, slope, offset)


def test_it_tells_texts_apart_that_it_has_not_seen():
    made = trained()
    unseen, labels = lesson(40, 9)
    told = evaluate(made.probability(unseen), labels)
    assert told["auc"] > 0.99
    assert told["brier"] < 0.05
    assert made.probability(["春天的河边很安静"])[0] > 0.5 > made.probability(["优惠贷款，点击链接加微信"])[0]


def test_the_same_lesson_gives_the_same_weights():
    assert (fit(*lesson(), SMALL) == fit(*lesson(), SMALL)).all()


def test_it_is_written_and_read_without_loss():
    made = trained()
    content = classifier_bytes(made)
    again = read_classifier(content)
    assert classifier_bytes(again) == content
    assert again.probability(lesson(9)[0]).tolist() == made.probability(lesson(9)[0]).tolist()


def test_probabilities_come_true():
    dice = np.random.default_rng(2)
    chance = dice.random(20_000)
    labels = dice.random(20_000) < chance
    raw = 3.0 * np.log(chance / (1 - chance)) - 1.0  # of the wrong size and place
    slope, offset = calibrate(raw, labels)
    said = Classifier(np.zeros(2, np.float32), 1, slope, offset).calibrated(raw)
    for row in evaluate(said, labels)["reliability"]:
        assert row["said"] == pytest.approx(row["was"], abs=0.03)


def test_scores_that_say_nothing_have_no_slope():
    dice = np.random.default_rng(4)
    slope, _ = calibrate(dice.normal(size=5000), dice.random(5000) < 0.5)
    assert abs(slope) < 0.1


def test_both_sides_weigh_the_same():
    worth = balance(np.array([True, False, False, False]))
    assert worth.tolist() == [2.0, 2 / 3, 2 / 3, 2 / 3]
    assert worth.mean() == pytest.approx(1.0)


def test_a_long_text_is_some_passages_and_an_empty_one_is_one():
    pieces, owner = passages(["长" * 2500, "", "长" * 100_000])
    assert [len(p) for p in pieces[:4]] == [1000, 1000, 500, 0]
    assert np.bincount(owner).tolist() == [3, 1, text_classifier.PASSAGES]


def test_measures_of_a_small_example_are_those_of_the_book():
    chances, labels = np.array([0.9, 0.8, 0.35, 0.1]), np.array([True, False, True, False])
    told = evaluate(chances, labels)
    assert told["auc"] == 0.75  # three of four pairs stand in the right order
    assert told["average_precision"] == pytest.approx(0.5 * 1 + 0.5 * 2 / 3, abs=1e-5)
    assert told["brier"] == pytest.approx((0.1**2 + 0.8**2 + 0.65**2 + 0.1**2) / 4, abs=1e-5)
    at = {row["threshold"]: row for row in told["thresholds"]}
    assert at[0.5] == {"threshold": 0.5, "positives_above": 0.5, "negatives_above": 0.5, "precision": 0.5}
    assert at[0.95]["precision"] == 1.0
    assert [row["texts"] for row in told["deciles"]] == [1, 1, 1, 1]
    assert [row["positive_ratio"] for row in told["deciles"]] == [0.0, 1.0, 0.0, 1.0]
    assert [(row["low"], row["was"]) for row in told["reliability"]] == [(0.1, 0.0), (0.3, 1.0), (0.8, 0.0), (0.9, 1.0)]
