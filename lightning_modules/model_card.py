"""模型卡 model card: README.md of an exported model, Chinese with English beside. Deterministic for the same model."""

from __future__ import annotations

from typing import Any

from transformers import PreTrainedModel

from data_contracts.network import Objective

LABELS = {
    "flops_per_token": "训练一个词元的浮点运算 FLOPs per token (forward and backward)",
    "steps": "训练步数 steps",
    "chosen": "所取检查点 checkpoint taken",
    "tokens": "训练词元 tokens seen",
    "data": "训练数据 training data",
    "train_loss": "末步训练损失 loss of the last step (nats/token)",
    "validation_loss": "验证损失 validation loss (nats/token)",
    "validation_bits_per_char": "验证集每字比特数 bits per character (validation)",
    "averaged_steps": "权重为这些步的检查点的平均 weights are the mean of the checkpoints of steps",
    "average_validation_loss": "平均权重的验证损失 validation loss of the mean (nats/token)",
    "average_validation_bits_per_char": "平均权重的每字比特数 bits per character of the mean (validation)",
    "data_hash": "训练数据散列 hash of the training blocks",
    "seed": "随机种子 seed",
}


ORIGINS = {  # whether the lineage names a model that this one was continued from
    False: {"zh": "从零预训练", "en": "pretrained from random weights"},
    True: {"zh": "由另一模型继续预训练", "en": "continued from another model (see the lineage, and obey its licence)"},
}
KINDS: dict[Objective, dict[str, str]] = {
    "causal": {
        "task": "text-generation",
        "tag": "causal-lm",
        "about": """由字流{zh}的因果语言模型, 结构为 {architecture}. A causal language model of the {architecture}
architecture, {en} by ziliu (字流). 它是基座模型: 只会续写, 未经指令微调或安全对齐.
It is a base model: it continues text and was neither instruction-tuned nor aligned.""",
        "use": """from transformers import AutoModelForCausalLM, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained("PATH")
model = AutoModelForCausalLM.from_pretrained("PATH")
# 每篇文档以分隔符开头 every document begins with the separator
ids = tokenizer(tokenizer.bos_token + "今天", return_tensors="pt", add_special_tokens=False)
print(tokenizer.decode(model.generate(**ids, max_new_tokens=60)[0]))""",
    },
    "masked": {
        "task": "fill-mask",
        "tag": "masked-lm",
        "about": """由字流{zh}的掩码语言模型, 结构为 {architecture}, 整词掩码. A masked language model of the
{architecture} architecture, {en} by ziliu (字流) on hidden whole words.
它用来微调: 分类, 序列标注, 检索. It is there to be fine-tuned: classification, tagging, retrieval.""",
        "use": """from transformers import AutoModelForMaskedLM, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained("PATH")
model = AutoModelForMaskedLM.from_pretrained("PATH")
# 每篇文档以分隔符开头 every document begins with the separator
ids = tokenizer(tokenizer.bos_token + "今天" + tokenizer.mask_token, return_tensors="pt", add_special_tokens=False)
print(tokenizer.decode(model(**ids).logits[0, -1].argmax()))""",
    },
}


def model_card(network: PreTrainedModel, objective: Objective, figures: dict[str, Any], lineage: dict[str, Any]) -> str:
    """The whole text.

    Args:
        figures: values by the names in LABELS; None is shown as not measured.
        lineage: any nested plain values; shown as a list, never interpreted.
    """
    config, kind, origin = network.config, KINDS[objective], ORIGINS["continued_from" in lineage]
    rows = "".join(f"| {LABELS.get(k, k)} | {_figure(v)} |\n" for k, v in figures.items())
    return f"""---
language: [zh]
library_name: transformers
pipeline_tag: {kind["task"]}
tags: [ziliu, {kind["tag"]}]
---
# 字流 ziliu 语言模型 · language model

{kind["about"].format(architecture=config.model_type, **origin)}

| 模型 model | |
|---|---|
{_shape(network)}
| 训练 training | |
|---|---|
{rows}
## 用法 · use

```python
{kind["use"]}
```

## 数据血缘 · data lineage

来源与许可证如下; 使用前请遵守各来源的许可证. Sources and licences of the training data; obey each of them.

{_listed(lineage) or "- 未提供 not given"}
"""


def _shape(network: PreTrainedModel) -> str:
    config = network.config
    key_value = getattr(config, "num_key_value_heads", None) or config.num_attention_heads
    return (
        f"| 参数 parameters | {network.num_parameters():,} |\n"
        f"| 层 layers x 宽 width x 头 heads (键值头 kv) | {config.num_hidden_layers} x {config.hidden_size} x "
        f"{config.num_attention_heads} ({key_value}) |\n"
        f"| 前馈 ffn | {config.intermediate_size} |\n"
        f"| 词表 vocabulary | {config.vocab_size:,} |\n"
        f"| 训练块长 trained context | {config.max_position_embeddings} |\n"
    )


def _figure(value: Any) -> str:
    if value is None:
        return "未测 not measured"
    if isinstance(value, list):
        return "<br>".join(
            f"{d['name']}: {d['share']:.1%}, {d['tokens']:,} 词元 tokens, {d['epochs']:.2f} 遍 epochs" for d in value
        )
    if isinstance(value, float):
        return f"{value:,.0f}" if value >= 1e6 else f"{value:.4f}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def _listed(value: Any, depth: int = 0) -> str:
    indent = "  " * depth
    lines = []
    entries = value.items() if isinstance(value, dict) else ((None, v) for v in value)
    for name, entry in entries:
        head = f"{indent}- {name}" if name is not None else f"{indent}-"
        if isinstance(entry, dict) and not any(isinstance(v, dict | list | tuple) for v in entry.values()):
            lines.append(f"{head}{':' if name is not None else ''} " + ", ".join(f"{k}: {v}" for k, v in entry.items()))
        elif isinstance(entry, dict | list | tuple):
            lines.append(f"{head}:" if name is not None else head)
            lines.append(_listed(entry, depth + 1))
        else:
            lines.append(f"{head}: {entry}" if name is not None else f"{head} {entry}")
    return "\n".join(line for line in lines if line)
