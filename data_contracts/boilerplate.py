"""套话的配置 config of boilerplate, the stage that removes lines which a site repeats. `min_` says what is removed."""

from __future__ import annotations

from pydantic import Field

from data_contracts.model import Model


class BoilerplateConfig(Model):
    """套话: DOCUMENT -> DOCUMENT, pages only. How lines are judged stands in tasks/transforms/site_lines.py."""

    min_host_documents: int = Field(
        20, ge=2, description="一个主机至少有这么多篇文档才统计 (documents of a host from which it is judged)"
    )
    min_line_documents: int = Field(10, ge=2, description="一行至少在这么多篇里出现 (documents that hold a line)")
    min_share: float = Field(
        0.3, gt=0, le=1, description="文首文末的行: 占该主机文档的最低比例 (lines at head or tail)"
    )
    min_sentence_share: float = Field(
        0.5, gt=0, le=1, description="文首文末以句号等结尾的行: 最低比例 (sentences there)"
    )
    min_worded_share: float = Field(
        0.1,
        gt=0,
        le=1,
        description="含展开, 更多, 相关阅读, 版权等字样的行, 不论位置: 最低比例 (lines with such words)",
    )
    max_line_chars: int = Field(80, ge=1, le=1000, description="更长的行不删 (longer lines stay)")
    edge_lines: int = Field(10, ge=1, le=1000, description="文首文末各看几行 (lines at either end that are looked at)")
