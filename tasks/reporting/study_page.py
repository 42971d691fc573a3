"""词表研究的网页 the page of a vocabulary study: one HTML file that holds everything it shows, and its rows as text."""

from __future__ import annotations

from typing import Any

from markupsafe import Markup

from data_contracts.units import human
from tasks.reporting.chart import svg
from tasks.reporting.page import template
from tasks.reporting.pictures import by_size
from tasks.transforms.vocabulary_study import WORTH

COLUMNS = (
    ("词元数", "size"),
    ("每词元字数", "chars per token"),
    ("拆成字节的字", "characters in bytes"),
    ("字节词元", "byte tokens"),
    ("覆盖的字", "characters covered"),
    ("词向量参数", "embedding parameters"),
    ("占模型", "of the model"),
    ("每字计算量", "work per character"),
)


def rows_of(told: dict[str, Any]) -> list[list[str]]:
    """The cells of every size, as COLUMNS name them; the recommended one has a star."""
    return [
        [
            f"{row['size']:,}" + (" ★" if row["size"] == told["recommended"] else ""),
            f"{row['chars_per_token']:.3f}",
            f"{row['split_char_ratio']:.2%}",
            f"{row['byte_token_ratio']:.2%}",
            f"{row['covered_ratio']:.1%}",
            human(row["embedding_parameters"]),
            f"{row['embedding_ratio']:.0%}",
            human(row["work_per_char"]),
        ]
        for row in told["sizes"]
    ]


def study_page(told: dict[str, Any], project: str, dataset: str) -> str:
    """The study as HTML: no script, no remote address."""
    sizes, best = told["sizes"], told["recommended"]
    return template("study.html").render(
        told=told,
        project=project,
        dataset=dataset,
        columns=COLUMNS,
        rows=rows_of(told),
        worth=f"{WORTH:.0%}",
        work=Markup(svg(by_size(sizes, "work_per_char", "每字参数次数 parameters per character", best))),
        rate=Markup(svg(by_size(sizes, "chars_per_token", "字/词元 characters per token", best))),
    )
