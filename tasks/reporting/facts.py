"""报告的事实 facts: everything that a report shows, as one plain model. Pictures and pages are made from this alone."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from data_contracts.model import Model
from data_contracts.verdict import Verdict


class StageFacts(Model):
    """One stage: its datasets added up."""

    stage: str
    title: str  # "清洗 clean"
    datasets: tuple[str, ...]
    rows_in: int = 0
    kept: int = 0
    reasons: dict[str, int] = Field(default_factory=dict)
    chars: int = 0
    text_bytes: int = 0
    cpu_seconds: float = 0.0  # of making it, whenever that was
    seconds: float | None = None  # wall time in this run; None for a stage that this run did not touch
    state: Literal["made", "cached", "earlier"] = "made"
    is_documents: bool = False  # its rows are URLs, pages or documents

    @property
    def quarantined(self) -> int:
        """Rows with a reason."""
        return sum(self.reasons.values())

    @property
    def mb_per_cpu_second(self) -> float | None:
        """Megabytes of UTF-8 read per second of one core; None where nothing was measured."""
        return self.text_bytes / 1e6 / self.cpu_seconds if self.text_bytes and self.cpu_seconds > 0.01 else None


class Bin(Model):
    """Documents whose signal lies in [low, high)."""

    low: float
    high: float
    kept: int
    quarantined: int


class Distribution(Model):
    """How one signal of the documents is spread, and the limit that the config sets."""

    signal: str
    title: str
    logarithmic: bool
    bins: tuple[Bin, ...]
    low_limit: float | None = None
    high_limit: float | None = None


class Said(Model):
    """Held-out texts of about one probability: what was said of them, and the share that was so."""

    said: float
    was: float
    texts: int


class Decile(Model):
    """A tenth of some texts, in order of a score."""

    low: float
    high: float
    texts: int
    share: float  # of held-out texts: those of the positive side; of a corpus: those that were kept
    chars: int = 0


class Threshold(Model):
    """What a threshold does to held-out texts of both sides."""

    threshold: float
    positives_above: float
    negatives_above: float
    precision: float


class Classified(Model):
    """A trained classifier, measured on held-out texts."""

    signal: str
    title: str  # "质量分 quality"
    learned_from: tuple[int, int]  # positive and negative texts
    held_out: tuple[int, int]
    auc: float
    average_precision: float
    brier: float
    reliability: tuple[Said, ...]
    deciles: tuple[Decile, ...]
    thresholds: tuple[Threshold, ...]


class Fluency(Model):
    """A trained character n-gram model, measured on held-out trusted texts."""

    texts: int
    chars: int
    by_order: tuple[float, ...]  # bits per character under n-grams of 1, 2, ... characters
    quantiles: dict[str, float]  # of bits per character over texts


class Scored(Model):
    """Trained scorers, and what they made of the documents."""

    classifiers: tuple[Classified, ...] = ()
    fluency: Fluency | None = None
    distributions: tuple[Distribution, ...] = ()  # of every signal over the documents
    deciles: tuple[Decile, ...] = ()  # of the documents' quality


class DuplicatePair(Model):
    """A document that went, and the one that stays."""

    removed: str
    kept: str
    similarity: float
    removed_text: str
    kept_text: str


class Duplicates(Model):
    """Copies that dedup found."""

    exact: int
    near: int
    same_url: int = 0  # documents that gave way to another source's of the same URL
    paragraphs: int = 0  # taken out of documents that stay
    groups: int
    similarity: dict[str, int]  # near duplicates by similarity, in steps
    pairs: tuple[DuplicatePair, ...]


class Passage(Model):
    """A passage of a document that repeats an item of a benchmark."""

    item: str
    field: str
    overlap: float  # share of the item's text that it repeats
    chars: float  # that it repeats, folded
    source: str
    doc_id: str
    excerpt: str


class BenchmarkFacts(Model):
    """One benchmark, and what of it was found in the corpus."""

    name: str
    items: int
    judged: int  # items long enough to be found at all
    found: int
    documents: int
    sources: dict[str, int]  # documents by source
    passages: tuple[Passage, ...] = ()  # the longest of them


class Decontaminated(Model):
    """What decontaminate found, and what became of it."""

    remove: str  # span | document | none
    documents: int  # that repeat an item
    refused: int
    cut_chars: int
    benchmarks: tuple[BenchmarkFacts, ...]


class Refused(Model):
    """A quarantined row: where it fell, why, and the value behind it."""

    stage: str
    reason: str
    doc_id: str
    url: str = ""
    value: str = ""  # "han_ratio 0.12"
    excerpt: str = ""


class Training(Model):
    """A training run: its curves, thinned to what a picture can show, and its figures."""

    run: str
    steps: tuple[dict[str, float], ...] = ()  # step, loss, learning_rate ...
    validation: tuple[dict[str, float], ...] = ()  # step, loss, bits_per_char
    speed: tuple[dict[str, float], ...] = ()  # step, tokens_per_second
    schedule: tuple[dict[str, float], ...] = ()  # step, learning_rate, matrix_learning_rate; as planned before the run
    sets: tuple[tuple[str, float, float | None], ...] = ()  # name, loss, bits per character of each held-out set
    skipped: tuple[tuple[str, str, str, str], ...] = ()  # step, id, source, URL: documents of steps that were spikes
    figures: dict[str, Any] = Field(default_factory=dict)


class Pairs(Model):
    """Minimal pairs of one phenomenon: the share in which the good sentence is likelier, with a 95 % interval."""

    phenomenon: str
    pairs: int
    accuracy: float
    low: float
    high: float


class Generated(Model):
    """A prompt and what the model made of it."""

    prompt: str
    text: str


class SourceBits(Model):
    """Held-out text of one source: what the model pays for a character, and what its baselines pay."""

    source: str
    bits_per_char: float
    perplexity: float | None  # per token
    chars: int
    baselines: dict[str, float]


class Asked(Model):
    """One set of questions: the share answered rightly, its 95 % interval, and what guessing would get."""

    name: str
    questions: int
    accuracy: float  # choices compared by characters
    low: float
    high: float
    chance: float
    by_tokens: float
    by_sum: float
    cut: int
    unscored: int

    @property
    def verdict(self) -> str:
        """Whether the interval leaves chance out."""
        beyond = "高于随机 above chance" if self.low > self.chance else "低于随机 below chance"
        return beyond if not self.low <= self.chance <= self.high else "与随机无异 at chance"


class Compared(Model):
    """One measure of generated samples beside the same measure of held-out text, as they are shown."""

    label: str
    model: str
    held_out: str


class Scores(Model):
    """What the assessment found."""

    not_scored: str = ""  # why nothing could be
    bits_per_char: float | None = None
    perplexity: float | None = None  # per token
    baselines: dict[str, float] = Field(default_factory=dict)  # unigram, bigram, fourgram: bits per character
    sources: tuple[SourceBits, ...] = ()
    pairs: tuple[Pairs, ...] = ()
    questions: tuple[Asked, ...] = ()
    harness: str = ""  # version of lm-eval
    harness_tasks: tuple[tuple[str, int | None, dict[str, float]], ...] = ()  # task, items, metrics
    samples: tuple[Generated, ...] = ()
    generated: tuple[Compared, ...] = ()
    copied: tuple[tuple[int, str, str], ...] = ()  # characters, text, training document
    remembered: dict[str, Any] = Field(default_factory=dict)  # texts, longest, median, at_least, share
    speed: dict[str, str] = Field(default_factory=dict)
    machine: str = ""
    parameters: int | None = None


class WordFacts(Model):
    """The words of the corpus; see tasks/transforms/word_counts.py."""

    distinct: int
    hapax_ratio: float
    coverage: dict[str, float]
    unknown_ratio: float
    unknown_distinct_ratio: float
    top: tuple[tuple[str, int], ...]


class Portion(Model):
    """A source or a quality decile among the training tokens."""

    name: str
    documents: int
    tokens: int
    epochs: float
    share: float


class Node(Model):
    """A dataset in the lineage."""

    name: str  # "clean/624b4d8bff559148"
    title: str
    detail: str  # "312 篇"
    parents: tuple[str, ...]


class Facts(Model):
    """One run, told."""

    project: str
    run: str
    flow: str
    started_at: str
    machine: str = ""
    failure: str | None = None  # the message of the error that ended the run
    verdict: str = ""  # which of two corpora is better; the other figures are then of both together
    stages: tuple[StageFacts, ...] = ()
    distributions: tuple[Distribution, ...] = ()
    scored: Scored | None = None
    redacted: dict[str, dict[str, int]] = Field(default_factory=dict)  # dataset -> kind -> pieces; never a value
    duplicates: Duplicates | None = None
    decontaminated: Decontaminated | None = None
    verdicts: tuple[Verdict, ...] = ()
    refused: tuple[Refused, ...] = ()
    words: WordFacts | None = None
    neighbours: tuple[tuple[str, str], ...] = ()  # words, and those nearest to each by their vectors
    portions: tuple[Portion, ...] = ()  # of sources, then of quality deciles
    training: Training | None = None
    scores: Scores | None = None
    lineage: tuple[Node, ...] = ()
    config: dict[str, Any] = Field(default_factory=dict)
    libraries: dict[str, str] = Field(default_factory=dict)

    def stage(self, name: str) -> StageFacts | None:
        """The facts of one stage."""
        return next((s for s in self.stages if s.stage == name), None)
