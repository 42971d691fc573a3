"""训练阶段的配置 configs of pretraining and of the report. Everything in them is part of the run's key."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from data_contracts.model import Model
from data_contracts.network import MaskingConfig, NetworkConfig
from data_contracts.optimizers import OptimizerConfig
from data_contracts.pace import WarmupConfig
from data_contracts.sources import Name
from data_contracts.units import Duration, DurationField

SHARDED = ("fsdp", "tp")  # strategies by whose means no process has the whole model
# Of ZeRO, by the names that Lightning gives them: what is spread over the processes; 3: the weights too.
ZERO_STAGES = {"deepspeed_stage_1": 1, "deepspeed": 2, "deepspeed_stage_3": 3}


class EarlyStoppingConfig(Model):
    """提前停止: when the loss of the validation split no longer falls."""

    validations: int = Field(3, ge=1, description="连续多少次验证没有下降即停止 (validations without a gain)")
    min_gain: float = Field(0.0, ge=0, description="低多少才算下降, nat/词元 (smaller gains do not count)")


class SpikesConfig(Model):
    """损失尖峰: steps whose loss or gradient norm stands far above those before. Figures: OLMo 2, arXiv 2501.00656."""

    window: int = Field(128, ge=8, description="与最近多少步比较 (steps that a step is compared with)")
    sigmas: float = Field(6.0, gt=0, description="高出中位数多少个标准差算尖峰 (standard deviations above the median)")


class MixedInConfig(Model):
    """掺入: other blocks beside the run's own, of the same tokenizer and block length."""

    blocks: str = Field(
        min_length=1, description="定长块: 版本, encode/版本, 或通道如 blocks/general (version, or a channel)"
    )
    share: float = Field(gt=0, lt=1, description="占训练词元的比例 (share of the training tokens)")


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
    skip_spikes: SpikesConfig | None = Field(
        None,
        description="跳过损失尖峰的步, 权重不动, 记下其文档; 空则不跳 (spikes do not move the weights; empty: they do)",
    )
    label_smoothing: float = Field(
        0.0, ge=0, lt=1, description="标签平滑; 报告的损失不含它 (reported losses leave it out)"
    )
    mixed_in: tuple[MixedInConfig, ...] = Field(
        (),
        description="按比例掺入的其他定长块, 如通用语料的重放; 余下为本次的定长块 (replay; the rest is the run's own)",
    )
    validation_sets: dict[Name, str] = Field(
        default_factory=dict, description="另外的验证集: 名称和定长块 (name: blocks); 掺入的自动在内, 来源各自成集"
    )
    length_warmup: WarmupConfig | None = Field(
        None, description="行长渐增: 开始时把块切短, 每步词元数不变; 空则不用 (rows start short)"
    )
    batch_warmup: WarmupConfig | None = Field(
        None, description="批量渐增: 开始时每步词元较少; 空则不用 (steps start small)"
    )
    tokens_per_step: int = Field(8192, ge=1, description="每步的词元数 (global batch, tokens)")
    blocks_per_device: Annotated[int, Field(ge=1)] | Literal["auto"] = Field(
        8, description="每个设备一次前向的块数; auto: 实测最快且装得下的, 每步词元数不变 (micro-batch)"
    )
    seed: int = Field(1, ge=0, description="随机种子")
    activation_checkpointing: Literal["none", "full"] = Field(
        "none", description="full: 反向时重算每层的激活值, 省内存, 慢约三分之一, 损失逐位相同 (recompute every layer)"
    )
    strategy: Literal["auto", "ddp", "fsdp", "tp", "deepspeed_stage_1", "deepspeed", "deepspeed_stage_3"] = Field(
        "auto",
        description="并行策略: ddp 各有整个模型, fsdp 分片, tp 各层由几个进程合算 (每层的矩阵切开), "
        "deepspeed 即 ZeRO: 1 只分优化器状态, 不带数字 (2) 连同梯度, 3 连同权重",
    )
    devices: int = Field(1, ge=1, description="每台机器的设备 (进程) 数")
    nodes: int = Field(1, ge=1, description="机器数; 会合地址取自环境变量 ZILIU_RENDEZVOUS, 如 node1:29400 (machines)")
    tensor_parallel: int | None = Field(
        None, ge=1, description="合算一层的进程数, 其余按 fsdp 分片; 空则 tp 为 devices (processes that share a layer)"
    )
    accelerator: Literal["auto", "cpu", "gpu"] = Field("auto", description="加速器")
    precision: Literal["auto", "32", "bf16"] = Field("auto", description="精度; auto 由实测矩阵乘法决定")
    compile: bool | Literal["auto"] = Field(
        "auto",
        description="torch.compile; auto: GPU 或预计满 5 分钟, 且实测更快才用 (when long, and measured to be faster)",
    )
    steps_between_checkpoints: int = Field(100, ge=1, description="每多少步存一次检查点")
    steps_between_validations: int = Field(200, ge=1, description="每多少步验证一次")
    checkpoints_kept: int = Field(2, ge=1, description="保留最近几个检查点")
    best_checkpoints_kept: int = Field(
        0, ge=0, description="另外保留验证损失最低的几个检查点 (kept besides, by validation loss)"
    )
    export: Literal["last", "best"] = Field(
        "last", description="模型取自哪个检查点: last 最后的, best 验证损失最低的 (which checkpoint the model is)"
    )
    averaged_checkpoints: int = Field(
        1, ge=1, description="模型取几个检查点权重的平均, 最近的或最好的, 1 为只取一个 (the mean of so many of them)"
    )
    prompts: tuple[str, ...] = Field(("今天", "第一条", "春"), description="生成样例的开头")

    @property
    def sharing(self) -> int:
        """Processes that share every layer."""
        return self.tensor_parallel or (self.devices if self.strategy == "tp" else 1)

    @property
    def other_blocks(self) -> tuple[str, ...]:
        """Blocks besides the run's own: those that are mixed in, then those that are only validated on."""
        return (*(one.blocks for one in self.mixed_in), *self.validation_sets.values())

    @model_validator(mode="after")
    def _leaves_something(self) -> PretrainConfig:
        shares = sum(one.share for one in self.mixed_in)
        if shares >= 1:
            raise ValueError(f"the shares of mixed_in sum to {shares:g} and leave nothing for the run's own blocks")
        return self

    @model_validator(mode="after")
    def _kept_for_the_mean(self) -> PretrainConfig:
        name = {"last": "checkpoints_kept", "best": "best_checkpoints_kept"}[self.export]
        wanted, kept = self.averaged_checkpoints, getattr(self, name)
        if wanted > kept and self.export == "best" and wanted == 1:
            raise ValueError("export: best needs checkpoints that are kept for being best; set best_checkpoints_kept")
        if wanted > kept:
            raise ValueError(f"averaged_checkpoints {wanted} is more than {name} {kept}; keep as many as are averaged")
        return self

    @property
    def zero_stage(self) -> int:
        """Stage of ZeRO; 0 without DeepSpeed."""
        return ZERO_STAGES.get(self.strategy, 0)

    @model_validator(mode="after")
    def _can_be_sharded(self) -> PretrainConfig:
        if self.strategy in (*SHARDED, *ZERO_STAGES) and self.optimizer.name == "adafactor":
            raise ValueError(
                f"optimizer adafactor takes means over rows and columns, which the shards of {self.strategy} do not "
                "have; use strategy ddp, or another optimizer"
            )
        if self.zero_stage and self.optimizer.name == "muon":
            raise ValueError(
                f"optimizer muon needs whole matrices, and {self.strategy} lays all weights in a row; use strategy "
                "fsdp, or another optimizer"
            )
        if self.zero_stage and self.skip_spikes:
            raise ValueError(
                f"skip_spikes looks at the gradients before the step, which {self.strategy} takes by itself; use "
                "strategy ddp or fsdp"
            )
        if self.sharing > 1 and self.strategy not in SHARDED:
            raise ValueError(f"tensor_parallel {self.tensor_parallel} needs strategy tp or fsdp, not {self.strategy}")
        return self


ModelForm = Literal["onnx", "gguf"]


class ConvertConfig(Model):
    """转换: model -> the same model in other forms."""

    forms: tuple[ModelForm, ...] = Field(
        ("onnx",), min_length=1, description="格式: onnx (onnxruntime), gguf (llama.cpp; 仅 llama, qwen3 结构)"
    )


class ReportConfig(Model):
    """报告: one self-contained HTML file."""

    samples_per_stage: int = Field(3, ge=0, le=50, description="每阶段每种原因展示的样例数")
