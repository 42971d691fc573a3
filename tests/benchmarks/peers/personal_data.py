"""What datatrove or data-juicer replaces of personal data (e-mail and IP addresses), timed: PEER PARQUET -> JSON.

Run with the python of the peer's own environment. Only the replacing is timed, in CPU-seconds of this process.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable

import pyarrow.parquet as pq


def datatrove() -> Callable[[str], str]:
    from datatrove.pipeline.formatters.pii import PIIFormatter

    return PIIFormatter().format


def data_juicer() -> Callable[[str], str]:
    from data_juicer.ops.mapper import CleanEmailMapper, CleanIpMapper

    mail, address = CleanEmailMapper(repl="<EMAIL>"), CleanIpMapper(repl="<IP>")
    return lambda text: address.process_batched(mail.process_batched({"text": [text]}))["text"][0]


if __name__ == "__main__":
    replace = {"datatrove": datatrove, "data_juicer": data_juicer}[sys.argv[1]]()
    texts = pq.read_table(sys.argv[2])["text"].to_pylist()
    start = time.process_time()
    for text in texts:
        replace(text)
    used = time.process_time() - start
    print(json.dumps({"mb_per_cpu_second": sum(len(text.encode()) for text in texts) / 1e6 / used}))
