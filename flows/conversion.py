"""转换流程 conversion: a model in, the same model for other runtimes out. Run when it is wanted."""

from __future__ import annotations

from prefect import flow

from data_contracts.config import ConversionConfig
from data_contracts.dataset import Dataset
from flows.reported import reported
from tasks.convert import convert
from tasks.store import find_input, publish


@flow(name="conversion", flow_run_name="conversion {cfg.name}")
def conversion(cfg: ConversionConfig) -> Dataset:
    """转换 conversion: ONNX and GGUF, each held to the model that it is made of."""
    with reported("conversion", cfg) as place:
        model = find_input(cfg.model, "model", place)  # a version, or the latest
        forms = convert(model, cfg.convert, place)  # 转换    model -> forms
        return publish(forms, "forms", place)
