"""分词评分 segmentation score: gold files -> scores of the segmenter, with the config's own dictionaries."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from data_contracts.stages import SegmentConfig
from tasks.readers import gold_words
from tasks.segment import read
from tasks.transforms.segmentation_score import Knows, Score, score
from tasks.transforms.user_dictionary import knowing
from tasks.transforms.words import Flags, words


def score_files(gold: Sequence[Path], training: Sequence[Path], cfg: SegmentConfig) -> dict[str, Score]:
    """The score of each gold file by its name.

    `training` are gold files or word lists whose words count as known; without any it is the segmenter's dictionary.
    Sentences are cut one by one. Raises ConfigError for a file that cannot be read.
    """
    cutting = read(cfg)
    dictionary = knowing(cutting.entries)
    knows: Knows = dictionary.has
    if training:
        vocabulary = {word for path in training for sentence in gold_words.read(path) for word in sentence}

        def knows(asked: Sequence[str]) -> Flags:
            return np.fromiter(map(vocabulary.__contains__, asked), dtype=bool, count=len(asked))

    found = {}
    for path in gold:
        sentences = gold_words.read(path)
        cut = words(["".join(sentence) for sentence in sentences], cutting.hmm, dictionary)
        found[path.name] = score(sentences, cut.chars, knows)
    return found
