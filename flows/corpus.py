"""语料流程 corpus: sources in, a gated Chinese corpus out. Read this file first."""

from __future__ import annotations

from prefect import flow

from data_contracts.config import CorpusConfig
from data_contracts.dataset import Dataset
from flows.reported import reported
from tasks.benchmarks import ingest_benchmark
from tasks.boilerplate import boilerplate
from tasks.clean import clean
from tasks.crawl import crawl
from tasks.decontaminate import decontaminate
from tasks.dedup import dedup
from tasks.extract import extract
from tasks.gate import asked, gate
from tasks.ingest import ingest_archives, ingest_files, ingest_visits
from tasks.redact import redact
from tasks.score import score
from tasks.scorers import trained
from tasks.segment import segment
from tasks.store import publish


@flow(name="corpus", flow_run_name="corpus {cfg.name}")
def corpus(cfg: CorpusConfig) -> Dataset:
    """语料 corpus: crawl, read, extract, clean, score, redact, deduplicate, decontaminate, segment, gate."""
    with reported("corpus", cfg) as place:
        visits = [crawl(site, place) for site in cfg.sites]  # 抓取    seeds -> VISIT, one row per URL
        pages = [ingest_visits(v, cfg.ingest, place) for v in visits]  # 网页    VISIT -> PAGE
        pages += [ingest_archives(a, cfg.ingest, place) for a in cfg.archives]  # 归档    WARC files -> PAGE
        texts = [extract(p, cfg.extract, place) for p in pages]  # 正文    PAGE -> DOCUMENT
        texts = [boilerplate(t, cfg.boilerplate, place) for t in texts]  # 套话    lines that a site repeats go
        texts += [ingest_files(f, cfg.ingest, place) for f in cfg.files]  # 文件    JSONL, Parquet, text -> DOCUMENT
        texts = [clean(some, rules, place) for rules, some in cfg.by_profile(texts)]  # 清洗    normalise, refuse noise
        scorers = trained(cfg.score, cfg.ingest, place)  # 评分器  EXAMPLE -> classifiers, n-grams, as asked
        documents = score(texts, scorers, cfg.score.limits, place)  # 评分    quality, fluency, toxicity, spam
        documents = redact(documents, cfg.redact, place)  # 脱敏    personal data -> placeholders
        documents = dedup(documents, cfg.dedup, place)  # 去重    one URL, equal texts, near copies
        tests = [ingest_benchmark(b, place) for b in cfg.benchmarks]  # 测试集  evaluation files -> ITEMS
        documents = decontaminate(documents, tests, cfg.decontaminate, place)  # 去污染  no item is trained on
        documents = segment(documents, cfg.segment, place)  # 分词    DOCUMENT -> SEGMENTED
        gate(documents, asked(cfg.gate, "corpus"), place)  # 质量门  raises GateFailed; nothing later runs
        return publish(documents, "corpus", place)
