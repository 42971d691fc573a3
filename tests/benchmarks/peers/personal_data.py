"""What datatrove or data-juicer replaces of personal data (e-mail and IP addresses), timed: PEER PARQUET -> JSON.

Run with the python of the peer's own environment. Only the replacing is timed, in CPU-seconds of this process.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from importlib import import_module

import pyarrow.parquet as pq


def datatrove() -> Callable[[str], str]:
    formatter = import_module("datatrove.pipeline.formatters.pii").PIIFormatter()
    return lambda text: str(formatter.format(text))


def data_juicer() -> Callable[[str], str]:
    mappers = import_module("data_juicer.ops.mapper")
    mail, address = mappers.CleanEmailMapper(repl="<EMAIL>"), mappers.CleanIpMapper(repl="<IP>")
    return lambda text: address.process_batched(mail.process_batched({"text": [text]}))["text"][0]


if __name__ == "__main__":
    replace = {"datatrove": datatrove, "data_juicer": data_juicer}[sys.argv[1]]()
    texts = pq.read_table(sys.argv[2])["text"].to_pylist()
    start = time.process_time()
    for text in texts:
        replace(text)
    used = time.process_time() - start
    print(json.dumps({"mb_per_cpu_second": sum(len(text.encode()) for text in texts) / 1e6 / used}))
