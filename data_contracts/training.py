"""训练阶段的配置 configs of pretraining and of the report. Everything in them is part of the run's key."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from data_contracts.model import Model
from data_contracts.network import MaskingConfig, NetworkConfig
from data_contracts.optimizers import OptimizerConfig
from data_contracts.units import Duration, DurationField


class EarlyStoppingConfig(Model):
    """提前停止: when the loss of the validation split no longer falls."""

    validations: int = Field(3, ge=1, description="连续多少次验证没有下降即停止 (validations without a gain)")
    min_gain: float = Field(0.0, ge=0, description="低多少才算下降, nat/词元 (smaller gains do not count)")


class PretrainConfig(Model):
    """预训练: BLOCKS -> checkpoint."""

    model: NetworkConfig = Field(default_factory=NetworkConfig, description="模型结构")
    masking: MaskingConfig = Field(default_factory=MaskingConfig, description="整词掩码, 只用于 bert, modernbert")
    optimizer: OptimizerConfig = Field(default_factory=OptimizerConfig, description="优化器与学习率")
    duration: DurationField = Field(
        Duration(amount=2e6, unit="tokens"),
        description='训练多久: "2M tokens" | "500 steps" | "1 epoch"',
        json_schema_extra={"default": "2M tokens"},  # as a form must show it
    )
    early_stopping: EarlyStoppingConfig | None = Field(
        None, description="验证损失不再下降时提前停止; 空则训练到底 (empty: to the last step)"
    )
    label_smoothing: float = Field(
        0.0, ge=0, lt=1, description="标签平滑; 报告的损失不含它 (reported losses leave it out)"
    )
    tokens_per_step: int = Field(8192, ge=1, description="每步的词元数 (global batch, tokens)")
    blocks_per_device: int = Field(8, ge=1, description="每个设备一次前向的块数 (micro-batch)")
    seed: int = Field(1, ge=0, description="随机种子")
    strategy: Literal["auto", "ddp", "fsdp"] = Field("auto", description="并行策略")
    devices: int = Field(1, ge=1, description="每台机器的设备 (进程) 数")
    accelerator: Literal["auto", "cpu", "gpu"] = Field("auto", description="加速器")
    precision: Literal["auto", "32", "bf16"] = Field("auto", description="精度; auto 由实测矩阵乘法决定")
    compile: bool = Field(False, description="torch.compile; 短任务不值得")
    steps_between_checkpoints: int = Field(100, ge=1, description="每多少步存一次检查点")
    steps_between_validations: int = Field(200, ge=1, description="每多少步验证一次")
    checkpoints_kept: int = Field(2, ge=1, description="保留最近几个检查点")
    prompts: tuple[str, ...] = Field(("今天", "第一条", "春"), description="生成样例的开头")

    @model_validator(mode="after")
    def _can_be_sharded(self) -> PretrainConfig:
        if self.strategy == "fsdp" and self.optimizer.name == "adafactor":
            raise ValueError(
                "optimizer adafactor takes means over rows and columns, which the shards of fsdp do not have; "
                "use strategy ddp, or another optimizer"
            )
        return self


class ReportConfig(Model):
    """报告: one self-contained HTML file."""

    samples_per_stage: int = Field(3, ge=0, le=50, description="每阶段每种原因展示的样例数")
