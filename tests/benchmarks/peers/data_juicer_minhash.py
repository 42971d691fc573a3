"""data-juicer's MinHash over a folder of JSON lines (id, text), on characters. Run by data-juicer's own python.

usage: data_juicer_minhash.py CORPUS WORK; prints {"kept": [ids]}
"""

from __future__ import annotations

import json
import os
import sys
from importlib import import_module
from pathlib import Path

CORPUS, WORK = sys.argv[1:3]

os.environ.update(HF_HUB_OFFLINE="1", HF_DATASETS_OFFLINE="1", HF_HOME=f"{WORK}/hf", HF_DATASETS_CACHE=f"{WORK}/cache")
import_module("loguru").logger.remove()


def main() -> None:
    minhash = import_module("data_juicer.ops.deduplicator.document_minhash_deduplicator")
    datasets = import_module("datasets")
    datasets.disable_progress_bars()
    files = sorted(str(f) for f in Path(CORPUS).glob("*.jsonl"))
    documents = datasets.load_dataset("json", data_files=files, split="train")
    dedup = minhash.DocumentMinhashDeduplicator(
        tokenization="character",
        window_size=5,
        ignore_pattern=r"[\s\p{P}]",
        num_permutations=112,
        num_bands=14,
        num_rows_per_band=8,
    )
    kept, _ = dedup.process(documents.map(dedup.compute_hash, num_proc=1))
    kept.to_json(f"{WORK}/kept.jsonl", force_ascii=False)
    print(json.dumps({"kept": kept["id"][:]}))


if __name__ == "__main__":
    main()
