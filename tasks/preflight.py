"""起飞前检查 preflight: what a config names outside the store is there, before anything is started.

A missing file is found in the first second, not after a crawl or a night of training; so are processes that cannot
share the work of a training.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from data_contracts.comparison import ComparisonConfig
from data_contracts.config import (
    AssessmentStages,
    ConversionConfig,
    CorpusStages,
    Place,
    PretrainingStages,
    VectorsFlowConfig,
    VocabularyStages,
)
from data_contracts.errors import ConfigError
from data_contracts.layout import check_layout
from data_contracts.mixture import MixtureConfig
from data_contracts.run_file import accumulation_of
from data_contracts.sources import DatasetSource
from tasks import lineage, question_files
from tasks.gate import asked
from tasks.model_folder import digest_of_model
from tasks.readers.found import missing
from tasks.store import Store
from tasks.vocab import given


def check(cfg: Place) -> None:
    """Raise ConfigError that names every file that is not there, ContractError for a contract that is wrong.

    DatasetMissing for an example that is no dataset of the store.
    """
    faults: list[str] = []
    if isinstance(cfg, ComparisonConfig):
        for side in cfg.sides:
            check(side)
        if cfg.held_out:
            lineage.find(Store(cfg.store), cfg.held_out)
    if isinstance(cfg, CorpusStages):
        examples = [e for e in cfg.score.examples if not isinstance(e, DatasetSource)]
        files = (*cfg.archives, *cfg.files, *cfg.benchmarks, *examples)
        faults += [fault for source in files if (fault := missing(source))]
        for example in cfg.score.examples:
            if isinstance(example, DatasetSource):
                lineage.find(Store(cfg.store), example.dataset)
        faults += [
            f"segment.dictionaries: {name} 不存在 is not there; correct the path"
            for name in cfg.segment.dictionaries
            if not Path(name).expanduser().is_file()
        ]
    if isinstance(cfg, AssessmentStages):
        faults += question_files.faults(cfg.assess)
    if isinstance(cfg, VocabularyStages) and cfg.vocab.folder:
        given(cfg.vocab)
    if isinstance(cfg, PretrainingStages):
        faults += refusal(check_layout, cfg.pretrain)
        if cfg.pretrain.model.folder:
            digest_of_model(cfg.pretrain.model.folder)
    if isinstance(cfg, PretrainingStages) and isinstance(cfg, VocabularyStages):
        faults += refusal(accumulation_of, cfg.pretrain, cfg.encode.block_tokens)
    if isinstance(cfg, ConversionConfig):
        faults += [
            f"convert.forms: {name} 没有安装 is not installed; pip install '.[export]'"
            for name in ("gguf", "onnx", "onnxruntime", "onnxscript")
            if find_spec(name) is None
        ]
    if isinstance(cfg, VectorsFlowConfig) and find_spec("gensim") is None:
        faults.append("vectors: gensim 没有安装 is not installed; pip install '.[vectors]'")
    if isinstance(cfg, CorpusStages) and isinstance(cfg, VocabularyStages):
        faults += strangers(cfg.mixture, [s.name for s in cfg.sources])
    if isinstance(cfg, CorpusStages):
        asked(cfg.gate, "corpus")
    if isinstance(cfg, VocabularyStages):
        asked(cfg.gate, "blocks")
    if faults:
        raise ConfigError("什么都没有启动 nothing was started:\n  " + "\n  ".join(faults))


def refusal(check: Callable[..., Any], *given: Any) -> list[str]:
    """What a check of the training program refuses, which would be said only when there is something to train on."""
    try:
        check(*given)
    except ConfigError as error:
        return [str(error)]
    return []


def strangers(mixed: MixtureConfig, sources: list[str]) -> list[str]:
    """Names in the mixture that are no sources, and sources that its weights forget."""
    named: dict[str, Collection[str]] = {
        "weights": mixed.weights,
        "source_tokens": mixed.source_tokens,
        "source_max_epochs": mixed.source_max_epochs,
    }
    faults = [
        f"mixture.{key}: {name} 不是来源 is no source; sources are {', '.join(sources)}"
        for key, names in named.items()
        for name in names
        if name not in sources
    ]
    forgotten = [name for name in sources if mixed.weights and name not in mixed.weights]
    return faults + [f"mixture.weights: {name} 没有权重 has no weight; write 0 to leave it out" for name in forgotten]
