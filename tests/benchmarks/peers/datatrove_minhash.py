"""datatrove's four MinHash stages over a folder of JSON lines (id, text), on characters. Run by datatrove's own python.

usage: datatrove_minhash.py CORPUS WORK; prints {"kept": [ids]}. Its own Chinese tokenizer is nine times slower and finds
fewer copies, so it is given characters, as ziliu takes them.
"""

from __future__ import annotations

import gzip
import json
import sys
from importlib import import_module
from pathlib import Path

CORPUS, WORK = sys.argv[1:3]

import_module("loguru").logger.remove()
dedup = import_module("datatrove.pipeline.dedup.minhash")
executor = import_module("datatrove.executor").LocalPipelineExecutor
reader = import_module("datatrove.pipeline.readers").JsonlReader
writer = import_module("datatrove.pipeline.writers.jsonl").JsonlWriter
hashing = import_module("datatrove.utils.hashing").HashConfig
tokenizer = import_module("datatrove.utils.word_tokenizers").WordTokenizer


class Characters(tokenizer):
    """Every character but white space is a word."""

    def __init__(self):
        super().__init__("zh")

    def word_tokenize(self, text):
        return [c for c in text if not c.isspace()]

    def sent_tokenize(self, text):
        return [text]

    def span_tokenize(self, text):
        return [(0, len(text))]


def main() -> None:
    cfg = dedup.MinhashConfig(hash_config=hashing(precision=64), num_buckets=14, hashes_per_bucket=8, n_grams=5)
    documents = reader(CORPUS, glob_pattern="*.jsonl")
    files = len(list(Path(CORPUS).glob("*.jsonl")))
    signatures, buckets, clusters = f"{WORK}/signatures", f"{WORK}/buckets", f"{WORK}/clusters"
    stages = [
        (files, [documents, dedup.MinhashDedupSignature(output_folder=signatures, config=cfg, language=Characters())]),
        (14, [dedup.MinhashDedupBuckets(input_folder=signatures, output_folder=buckets, config=cfg)]),
        (1, [dedup.MinhashDedupCluster(input_folder=buckets, output_folder=clusters, config=cfg)]),
        (files, [documents, dedup.MinhashDedupFilter(input_folder=clusters), writer(f"{WORK}/kept")]),
    ]
    for number, (tasks, pipeline) in enumerate(stages):
        executor(pipeline=pipeline, tasks=tasks, workers=1, logging_dir=f"{WORK}/logs/{number}").run()
    kept = [
        json.loads(line)["id"]
        for f in Path(WORK, "kept").glob("*.jsonl.gz")
        for line in gzip.decompress(f.read_bytes()).splitlines()
    ]
    print(json.dumps({"kept": kept}))


if __name__ == "__main__":
    main()
