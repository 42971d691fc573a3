"""去污染的配置 decontamination: the evaluation files, and how much of an item makes a text contaminated.

    benchmarks:
      - name: cmmlu
        path: eval/cmmlu/*.jsonl.gz
        fields: [question]

How the default limits were chosen stands in tasks/transforms/contamination.py. Characters are counted after folding,
without spaces and punctuation; four Latin letters or digits count as one.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from data_contracts.model import Model
from data_contracts.sources import Name


class ItemFiles(Model):
    """测试文件: files of evaluation items, one JSON object or row each."""

    name: Name = Field(description="测试集名称, 小写字母数字 (benchmark name, lower case)")
    kind: Literal["jsonl", "parquet"] = Field("jsonl", description="文件格式; jsonl 可为 .gz 或 .zst (file format)")
    path: str = Field(min_length=1, description="文件或通配符 (a file or glob; relative to the config file)")


class Benchmark(ItemFiles):
    """测试集 a benchmark: files of evaluation items that no model may have been trained on."""

    fields: tuple[str, ...] = Field(
        min_length=1, description="要比对的文本字段, 内层用点号, 如 answers.text (text fields, dots lead inside)"
    )


class DecontaminateConfig(Model):
    """去污染: DOCUMENT -> DOCUMENT. Folded characters: without space and punctuation, width, case and script alike."""

    remove: Literal["span", "document", "none"] = Field(
        "span",
        description="span: 只剪去重合段落; document: 隔离整篇; none: 只报告 (cut the passage, the text, nothing)",
    )
    ngram_chars: int = Field(13, ge=4, le=50, description="片段长度, 折叠后的字符 (n-gram, folded characters)")
    fold_script: bool = Field(True, description="比对前把繁体折叠为简体 (find traditional-script copies)")
    max_units_per_ngram: int = Field(
        16, ge=1, description="出现在更多测试文本里的片段视为套话, 不计 (more: a formula of the test, not counted)"
    )
    min_chars: int = Field(
        16,
        ge=4,
        description="至少连续重合的字符, 也是能判定的最短测试文本 (longest run at least; shorter items are not judged)",
    )
    min_item_ratio: float = Field(
        0.75, gt=0, le=1, description="几乎全部: 重合占测试文本的比例 (all but all of an item, with min_chars)"
    )
    min_part_chars: int = Field(40, ge=4, description="大部分: 重合的字符 (a great part of an item: characters)")
    min_part_ratio: float = Field(0.4, gt=0, le=1, description="大部分: 重合的比例 (a great part of an item: share)")
    min_long_chars: int = Field(
        80, ge=4, description="长段: 重合达到此字数时不论占比 (a long stretch, whatever its share)"
    )
    max_gap_chars: int = Field(24, ge=0, description="同一段落内最多间隔的改动字符 (edits inside one passage)")
    margin_chars: int = Field(50, ge=0, description="剪切时两侧多剪的字符, 之后再到句末 (cut beside the passage)")
    max_cut_ratio: float = Field(
        0.5, ge=0, le=1, description="剪去的比例超过此值则隔离整篇 (more than this cut: the whole text goes)"
    )

    @model_validator(mode="after")
    def _run_holds_a_gram(self) -> DecontaminateConfig:
        if self.min_chars < self.ngram_chars:
            raise ValueError(f"min_chars {self.min_chars} must be at least ngram_chars {self.ngram_chars}")
        return self
