"""datatrove from JSON lines to tokens, with its Chinese words: `python datatrove_flow.py CORPUS WORK TOKENIZER.json`.

Runs in an environment of its own. Gopher's repetition and quality filters, C4's and FineWeb's quality filters with the
settings under which Chinese text passes, its formatter for personal data, MinHash in its four steps, and its token
writer. Without those settings nearly no Chinese document would reach the later steps, which would cost less.
"""

from __future__ import annotations

import json
import sys
import time
from importlib import import_module
from pathlib import Path

dedup = import_module("datatrove.pipeline.dedup.minhash")
filters = import_module("datatrove.pipeline.filters")
executor = import_module("datatrove.executor").LocalPipelineExecutor
formatter = import_module("datatrove.pipeline.formatters").PIIFormatter
hashing = import_module("datatrove.utils.hashing").HashConfig
reader = import_module("datatrove.pipeline.readers").JsonlReader
tokens = import_module("datatrove.pipeline.tokens").DocumentTokenizer
writer = import_module("datatrove.pipeline.writers.jsonl").JsonlWriter

CHINESE = "cmn_Hani"
STOP_WORDS = ["的", "了", "是", "在", "和", "我", "有", "不"]
TERMINAL = ("。", "！", "？", "；", "…", "”", "」", ".", "!", "?")


def main(corpus: str, work: str, tokenizer: str) -> None:
    import_module("loguru").logger.remove()
    seconds: dict[str, float] = {}

    def step(name: str, pipeline: list, tasks: int = 1) -> None:
        start = time.process_time()
        executor(pipeline=pipeline, tasks=tasks, workers=1, logging_dir=f"{work}/logs/{name}").run()
        seconds[name] = round(time.process_time() - start, 2)

    judges = [
        filters.GopherRepetitionFilter(language=CHINESE),
        filters.GopherQualityFilter(
            language=CHINESE, min_avg_word_length=1, min_doc_words=20, max_non_alpha_words_ratio=0.5,
            stop_words=STOP_WORDS,
        ),
        filters.C4QualityFilter(language=CHINESE, filter_no_terminal_punct=False, min_num_sentences=1),
        filters.FineWebQualityFilter(language=CHINESE, line_punct_thr=0.0, short_line_thr=1.0, stop_chars=TERMINAL),
    ]  # fmt: skip
    step("filters", [reader(corpus, glob_pattern="*.jsonl"), *judges, formatter(), writer(f"{work}/clean")])
    config = dedup.MinhashConfig(hash_config=hashing(precision=64), num_buckets=14, hashes_per_bucket=8, n_grams=5)
    read = reader(f"{work}/clean")
    step(
        "signatures", [read, dedup.MinhashDedupSignature(output_folder=f"{work}/sig", config=config, language=CHINESE)]
    )
    step(
        "buckets",
        [dedup.MinhashDedupBuckets(input_folder=f"{work}/sig", output_folder=f"{work}/buckets", config=config)],
        14,
    )
    step(
        "clusters",
        [dedup.MinhashDedupCluster(input_folder=f"{work}/buckets", output_folder=f"{work}/remove", config=config)],
    )
    step("dedup", [read, dedup.MinhashDedupFilter(input_folder=f"{work}/remove"), writer(f"{work}/unique")])
    step(
        "tokens",
        [
            reader(f"{work}/unique"),
            tokens(output_folder=f"{work}/tokens", tokenizer_name_or_path=tokenizer, eos_token="<|endoftext|>"),
        ],
    )
    lines = [line for path in Path(corpus).glob("*.jsonl") for line in path.read_text("utf-8").split("\n") if line]
    texts = [json.loads(line)["text"] for line in lines]
    kept = sum(1 for _ in reader(f"{work}/unique").run())
    told = {"megabytes": sum(len(t.encode()) for t in texts) / 1e6, "documents": len(texts), "kept": kept}
    print(json.dumps(told | {"cpu_seconds_of_steps": seconds}))


if __name__ == "__main__":
    main(*sys.argv[1:])
