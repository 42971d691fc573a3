"""datatrove from JSON lines to tokens, with its Chinese words: `python datatrove_flow.py CORPUS WORK TOKENIZER.json`.

Runs in an environment of its own. Gopher's repetition and quality filters, C4's and FineWeb's quality filters with the
settings under which Chinese text passes, its formatter for personal data, MinHash in its four steps, and its token
writer. Without those settings nearly no Chinese document would reach the later steps, which would cost less: C4 counts
what stands between spaces as words, and so on. Loading its Chinese words, six seconds, is left out of the CPU seconds.
"""

from __future__ import annotations

import json
import os
import sys
from importlib import import_module
from pathlib import Path

dedup = import_module("datatrove.pipeline.dedup.minhash")
filters = import_module("datatrove.pipeline.filters")
executor = import_module("datatrove.executor").LocalPipelineExecutor
formatter = import_module("datatrove.pipeline.formatters").PIIFormatter
hashing = import_module("datatrove.utils.hashing").HashConfig
reader = import_module("datatrove.pipeline.readers").JsonlReader
load_words = import_module("datatrove.utils.word_tokenizers").load_word_tokenizer
tokens = import_module("datatrove.pipeline.tokens").DocumentTokenizer
words = import_module("datatrove.utils.word_tokenizers").WordTokenizer
writer = import_module("datatrove.pipeline.writers.jsonl").JsonlWriter

CHINESE = "cmn_Hani"
STOP_WORDS = ["的", "了", "是", "在", "和", "我", "有", "不"]
TERMINAL = ("。", "！", "？", "；", "…", "”", "」", ".", "!", "?")


def cpu_seconds() -> float:
    """Of this process and of what it started and waited for."""
    return sum(os.times()[:4])


def judges() -> list:
    return [
        filters.GopherRepetitionFilter(language=CHINESE),
        filters.GopherQualityFilter(
            language=CHINESE, min_avg_word_length=1, min_doc_words=20, max_non_alpha_words_ratio=0.5,
            min_stop_words=1, stop_words=STOP_WORDS,
        ),
        filters.C4QualityFilter(
            language=CHINESE, filter_no_terminal_punct=False, min_num_sentences=1, min_words_per_line=-1,
            max_word_length=-1, filter_curly_bracket=False, filter_javascript=False,
        ),
        filters.FineWebQualityFilter(
            language=CHINESE, line_punct_thr=0.0, short_line_thr=1.0, char_duplicates_ratio=0.1, stop_chars=TERMINAL
        ),
    ]  # fmt: skip


def steps(corpus: str, work: str, tokenizer: str) -> dict[str, tuple[list, int]]:
    """Name -> pipeline and tasks, in order. Every pipeline is used once: a reader that ran cannot be copied."""
    config = dedup.MinhashConfig(hash_config=hashing(precision=64), num_buckets=14, hashes_per_bucket=8, n_grams=5)
    signature = dedup.MinhashDedupSignature(output_folder=f"{work}/sig", config=config, language=CHINESE)
    bucket = dedup.MinhashDedupBuckets(input_folder=f"{work}/sig", output_folder=f"{work}/buckets", config=config)
    cluster = dedup.MinhashDedupCluster(input_folder=f"{work}/buckets", output_folder=f"{work}/remove", config=config)
    write = tokens(output_folder=f"{work}/tokens", tokenizer_name_or_path=tokenizer, eos_token="<|endoftext|>")
    return {
        "filters": ([reader(corpus, glob_pattern="*.jsonl"), *judges(), formatter(), writer(f"{work}/clean")], 1),
        "signatures": ([reader(f"{work}/clean"), signature], 1),
        "buckets": ([bucket], config.num_buckets),
        "clusters": ([cluster], 1),
        "dedup": (
            [reader(f"{work}/clean"), dedup.MinhashDedupFilter(input_folder=f"{work}/remove"), writer(f"{work}/unique")],
            1,
        ),
        "tokens": ([reader(f"{work}/unique"), write], 1),
    }  # fmt: skip


def size(texts: list[str]) -> float:
    return sum(len(text.encode()) for text in texts) / 1e6


def main(corpus: str, work: str, tokenizer: str) -> None:
    import_module("loguru").logger.remove()
    words.__deepcopy__ = lambda self, _: self  # every executor copies its pipeline, and a loaded spaCy has no copy
    load_words(CHINESE).word_tokenize("先把词典读进来")
    seconds: dict[str, float] = {}
    for name, (pipeline, tasks) in steps(corpus, work, tokenizer).items():
        start = cpu_seconds()
        executor(pipeline=pipeline, tasks=tasks, workers=1, logging_dir=f"{work}/logs/{name}").run()
        seconds[name] = round(cpu_seconds() - start, 2)
    lines = [line for path in Path(corpus).glob("*.jsonl") for line in path.read_text("utf-8").split("\n") if line]
    given = [json.loads(line)["text"] for line in lines]
    kept = {part: [document.text for document in reader(f"{work}/{part}").run()] for part in ("clean", "unique")}
    told = {
        "megabytes": size(given), "documents": len(given), "kept": len(kept["unique"]),
        "megabytes_clean": size(kept["clean"]), "megabytes_kept": size(kept["unique"]),
        "tokens": sum(path.stat().st_size for path in Path(f"{work}/tokens").glob("*.ds")) // 2,
        "cpu_seconds": sum(seconds.values()), "cpu_seconds_of_steps": seconds,
    }  # fmt: skip
    print(json.dumps(told))


if __name__ == "__main__":
    main(*sys.argv[1:])
