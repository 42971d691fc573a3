"""Continue a text with llama.cpp: `python llama_cpp_program.py MODEL.gguf TEXT TOKENS`, in an environment with xllamacpp.

Prints llama.cpp's answer as JSON: the likeliest continuation with its probabilities, and how many tokens the text has.
"""

from __future__ import annotations

import json
import sys
from importlib import import_module


def main(model: str, text: str, tokens: int) -> None:
    xllamacpp = import_module("xllamacpp")  # a peer, no dependency
    parameters = xllamacpp.CommonParams()
    parameters.model.path = model
    parameters.n_ctx, parameters.n_parallel, parameters.cpuparams.n_threads = 48, 1, 1
    parameters.warmup = False
    server = xllamacpp.Server(parameters)
    asked = {"prompt": text, "n_predict": tokens, "temperature": 0.0, "n_probs": 1}
    print(json.dumps(server.handle_completions(asked)))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
