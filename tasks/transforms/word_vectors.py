"""词向量 word vectors: skip-gram with negative sampling (Mikolov et al. 2013), by gensim, and what is made of them.

gensim is an extra (`pip install '.[vectors]'`) and imported where it learns. With one thread the same sentences in the
same order give the same vectors to the bit; with several, threads write into the same matrix without waiting for each
other, and no two runs are alike. Words with more than `min_count` occurrences are ordered by frequency, equal ones by
their first place in the text.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from data_contracts.vectors import VectorsConfig
from tasks.transforms.words import words

Matrix = npt.NDArray[np.float32]

SHOWN = 12  # words whose neighbours are told
NEIGHBOURS = 6


class Vectors(NamedTuple):
    """Words by frequency, how often each stands in the text, and a row of the matrix for each."""

    words: list[str]
    counts: list[int]
    matrix: Matrix  # (words, dimensions)


def learn(sentences: Iterable[list[str]], cfg: VectorsConfig) -> Vectors:
    """Learn from sentences, which are read `epochs + 1` times. No word often enough gives an empty matrix."""
    from gensim.models import Word2Vec

    model = Word2Vec(
        sg=1,
        hs=0,
        vector_size=cfg.dimensions,
        window=cfg.window_words,
        min_count=cfg.min_count,
        negative=cfg.negatives,
        sample=cfg.subsample,
        epochs=cfg.epochs,
        alpha=cfg.learning_rate,
        seed=cfg.seed,
        workers=cfg.threads,
    )
    model.build_vocab(sentences)
    known = list(model.wv.index_to_key)
    if not known:
        return Vectors([], [], np.zeros((0, cfg.dimensions), np.float32))
    model.train(sentences, total_examples=model.corpus_count, epochs=cfg.epochs)
    counts = [int(model.wv.get_vecattr(word, "count")) for word in known]
    return Vectors(known, counts, np.ascontiguousarray(model.wv.vectors, dtype=np.float32))


def spoken(text: str, lengths: Sequence[int]) -> list[str]:
    """The words of a text that the segment stage cut: units with a letter, a digit or a Han character in them."""
    found, at = [], 0
    for length in lengths:
        unit = text[at : at + length]
        at += length
        if any(map(str.isalnum, unit)):
            found.append(unit)
    return found


def neighbours(vectors: Vectors, asked: Sequence[str], count: int = NEIGHBOURS) -> dict[str, list[tuple[str, float]]]:
    """For each asked word that has a vector, the words whose vectors point most nearly where its does, with cosines."""
    place = {word: number for number, word in enumerate(vectors.words)}
    rows = [place[word] for word in asked if word in place]
    units = _unit(vectors.matrix)
    cosines = units[rows] @ units.T
    told = {}
    for row, near in zip(rows, cosines, strict=True):
        near[row] = -np.inf
        best = np.argsort(-near, kind="stable")[: min(count, len(near) - 1)]
        told[vectors.words[row]] = [(vectors.words[i], round(float(near[i]), 3)) for i in best]
    return told


def telling(vectors: Vectors, count: int = SHOWN) -> list[str]:
    """Words of two Han characters and more to show neighbours of: from frequent to rare, in equal steps of log rank.

    The hundred most frequent words are left out: they stand beside everything.
    """
    inside = [w for w in vectors.words[100:] if len(w) > 1 and all("\u4e00" <= c <= "\u9fff" for c in w)]
    ranks = np.unique(np.geomspace(1, max(1, len(inside)), count).astype(int)) - 1
    return [inside[i] for i in ranks if i < len(inside)]


def _unit(matrix: Matrix) -> Matrix:
    return np.asarray(matrix / np.maximum(np.linalg.norm(matrix, axis=1, keepdims=True), 1e-12), dtype=np.float32)


def mean_vectors(texts: Sequence[str], vectors: Vectors) -> Matrix:
    """(texts, dimensions): the mean of the vectors of each text's words, each word scaled to length one; 0 for none."""
    place = {word: number for number, word in enumerate(vectors.words)}
    units = _unit(vectors.matrix)
    made = np.zeros((len(texts), units.shape[1]), np.float32)
    for number, each in enumerate(cut_words(texts)):
        rows = [place[word] for word in each if word in place]
        if rows:
            made[number] = units[rows].mean(axis=0)
    return made


def cut_words(texts: Sequence[str]) -> Iterator[list[str]]:
    """The words of each text, cut here as the segment stage cuts."""
    cut = words(texts)
    for text, start, stop in zip(texts, cut.offsets[:-1].tolist(), cut.offsets[1:].tolist(), strict=True):
        ends = np.cumsum(cut.chars[start:stop]).tolist()
        flags = cut.is_word[start:stop].tolist()
        begins = [0, *ends][:-1]
        yield [text[a:b] for a, b, word in zip(begins, ends, flags, strict=True) if word]


def table(vectors: Vectors) -> pl.DataFrame:
    """A row of word and count for each row of the matrix."""
    return pl.DataFrame({"word": vectors.words, "count": vectors.counts}, schema={"word": pl.String, "count": pl.Int64})
