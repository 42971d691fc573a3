"""The measured table of both READMEs, from the JSON files of benchmarks: `python -m tests.benchmarks.table FOLDER`.

FOLDER holds what benchmarks wrote with ZILIU_BENCH_OUT=FOLDER. A row whose file is not there stays as it stands in the
READMEs, and is left out where it does not stand there yet; a file without the figure that a row needs is an error. The
figures of the road itself stand in `demo.json`, which nothing but the clock makes: seconds of `make demo` twice, and the
model's bits per character as it prints them.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parents[2]
READMES = {"en": ROOT / "README.md", "zh": ROOT / "README.zh.md"}
HEADS = {"en": "| measured | ziliu | beside it |", "zh": "| 实测 | 字流 | 对照 |"}
_LINE = "|---|---|---|"


class Figure(NamedTuple):
    """A number: where it stands in the file, and how it is written in each language."""

    path: tuple[str, ...]
    en: str = "{:.3g}"
    zh: str = ""


class Row(NamedTuple):
    """A line: what is measured in both languages, the file, our figures, and what stands beside them."""

    en: str
    zh: str
    file: str
    ours: tuple[Figure, ...]
    beside: tuple[Figure, ...] = ()


def _speed(what_en: str, what_zh: str, file: str, ours: tuple[str, ...], *beside: Figure) -> Row:
    return Row(
        f"{what_en}, MB of UTF-8 per CPU-second",
        f"{what_zh}，每 CPU 秒处理的 UTF-8 文本，MB",
        file,
        (Figure(ours),),
        beside,
    )


def _scores(who: str, said: str = "") -> tuple[Figure, ...]:
    figures = (("pku", "f1"), ("cityu", "f1"), ("pku", "unknown_recall"))
    paths = [(f"{corpus}_test_gold.utf8.gz", who, what) for corpus, what in figures]
    return (Figure(paths[0], f"{said}{{:.3f}}"), *(Figure(path, "{:.3f}") for path in paths[1:]))


_MB = "mb_per_cpu_second"
_FOUND = (("precision",), ("recall", "near J>=0.8"), ("recall", "script"))
ROWS = (
    Row(
        "the demo's whole road, first run after installation",
        "样例全流程，装好依赖后第一次运行",
        "demo",
        (Figure(("first_seconds",), "{:.0f} s", "{:.0f} 秒"),),
    ),
    Row(
        "the same command again, everything found in the store",
        "同一命令再跑一次，结果都在仓库里",
        "demo",
        (Figure(("again_seconds",), "{:.0f} s", "{:.0f} 秒"),),
    ),
    Row(
        "extract, MB of HTML per CPU-second",
        "正文提取，每 CPU 秒处理的 HTML，MB",
        "extract",
        (Figure(("ziliu", _MB)),),
        (
            Figure(("trafilatura", _MB), "trafilatura {:.2g}"),
            Figure(("trafilatura fast", _MB), "fast mode {:.2g}", "fast 模式 {:.2g}"),
        ),
    ),
    Row(
        "main text of hand-checked pages, F1; with settings that never saw the site",
        "人工核对的网页，正文 F1；设置从未见过该网站时",
        "extract",
        (Figure(("ziliu", "gold", "f1"), "{:.3f}"), Figure(("ziliu, on unseen sites", "gold"), "{:.3f}")),
        tuple(Figure((peer, "gold", "f1"), f"{peer} {{:.3f}}") for peer in ("trafilatura", "readability", "datatrove")),
    ),
    _speed("clean", "清洗", "clean", (_MB, "clean, the whole pass")),
    _speed("score by a classifier", "分类器评分", "score_quality", ("score_mb_per_cpu_second",)),
    _speed("score by a character 4-gram model", "字四元模型评分", "score_fluency", ("score_mb_per_cpu_second",)),
    Row(
        "spam messages refused at 0.7; other messages refused; documents of trusted sources kept",
        "门槛 0.7 时拒收的垃圾短信；误拒的普通短信；保留的可信文档",
        "score_spam",
        (
            Figure(("messages", "0.7", "positives_above"), "{:.3f}"),
            Figure(("messages", "0.7", "negatives_above"), "{:.3f}"),
            Figure(("trusted_kept", "all", "0.7"), "{:.3f}"),
        ),
    ),
    _speed("redact", "脱敏", "clean", (_MB, "redact, mixed sources")),
    _speed("segment", "分词", "segment", (_MB, "stage"), Figure((_MB, "jieba"), "jieba {:.2g}")),
    _speed(
        "its cutter alone, the same words as jieba",
        "其中切词本身，与 jieba 结果相同",
        "segment",
        (_MB, "cutter"),
        Figure((_MB, "jieba"), "jieba {:.2g}"),
        Figure((_MB, "rjieba"), "rjieba {:.3g}"),
    ),
    Row(
        "segment, F1 on SIGHAN 2005 PKU; on CityU; recall of PKU's words out of vocabulary",
        "分词在 SIGHAN 2005 PKU 上的 F1；CityU 上的 F1；PKU 未登录词召回率",
        "segmentation_score",
        _scores("ziliu"),
        _scores("jieba", "jieba "),
    ),
    _speed("encode", "编码", "encode", (_MB, "stage"), Figure((_MB, "tokenizers"), "tokenizers {:.2g}")),
    _speed(
        "deduplicate",
        "去重",
        "dedup",
        ("tools", "ziliu", _MB),
        Figure(("tools", "datatrove", _MB), "datatrove {:.2g}"),
        Figure(("tools", "data_juicer", _MB), "data-juicer {:.2g}"),
    ),
    Row(
        "precision; recall of copies with J ≥ 0.8; of copies in the other script",
        "去重的准确率；J ≥ 0.8 的副本召回率；繁简副本召回率",
        "dedup",
        tuple(Figure(("tools", "ziliu", *path), "{:.2f}") for path in _FOUND),
        tuple(
            Figure(("tools", "datatrove", *path), f"{name}{{:.2f}}")
            for name, path in zip(("datatrove ", "", ""), _FOUND, strict=True)
        ),
    ),
    _speed(
        "documents to token blocks",
        "从文档到词元块",
        "corpus",
        ("one_process", "documents_to_blocks"),
        Figure(("datatrove", _MB), "datatrove {:.2g}"),
    ),
    Row(
        "the same with two processes, times as fast",
        "同上，两个进程，倍数",
        "corpus",
        (Figure(("two_to_one",), "{:.2f}"),),
    ),
    Row(
        "the demo's model, bits per character on held-out text",
        "样例模型在留出文本上的每字比特数",
        "demo",
        (Figure(("bits_per_char",)),),
        (
            Figure(("fourgram",), "character 4-gram {:.3g}", "字四元模型 {:.3g}"),
            Figure(("bigram",), "bigram {:.3g}", "字二元模型 {:.3g}"),
            Figure(("unigram",), "unigram {:.2f}", "字一元模型 {:.2f}"),
        ),
    ),
    Row(
        "the model of half an hour (`laptop.yaml`), bits per character on held-out text",
        "半小时训练的模型 (`laptop.yaml`)，留出文本上的每字比特数",
        "reference",
        (Figure(("test_split", "bits_per_char")),),
        (Figure(("test_split", "fourgram_bits_per_char"), "character 4-gram {:.3g}", "字四元模型 {:.3g}"),),
    ),
    Row(
        "the same on texts that raw text holds out too",
        "同上，原始文本也留出的那些文本",
        "reference",
        (Figure(("bits_per_char", "ours"), "{:.3f}"),),
        (
            Figure(("bits_per_char", "raw"), "trained on raw text {:.3f}", "用原始文本训练 {:.3f}"),
            Figure(("bits_per_char", "nanogpt"), "by nanoGPT's data policy {:.3f}", "按 nanoGPT 的数据做法 {:.3f}"),
        ),
    ),
    Row(
        "minimal pairs of grammar it judges rightly: ZhoBLiMP, CLiMP (chance 50 %)",
        "判断正确的最小对立对：ZhoBLiMP，CLiMP (随机 50 %)",
        "reference",
        tuple(Figure(("minimal_pairs", "ours", name, "accuracy"), "{:.1%}") for name in ("zhoblimp", "climp")),
        tuple(
            Figure(
                ("minimal_pairs", who, name, "accuracy"),
                f"{en} {{:.1%}}" if name == "zhoblimp" else "{:.1%}",
                f"{zh} {{:.1%}}" if name == "zhoblimp" else "{:.1%}",
            )
            for who, en, zh in (("raw", "raw text", "原始文本"), ("nanogpt", "nanoGPT", "nanoGPT"))
            for name in ("zhoblimp", "climp")
        ),
    ),
)


def written(figures: Mapping[str, Any], row: Row, language: str) -> str:
    """A line of the table. KeyError names a figure that the file does not hold."""
    comma = ", " if language == "en" else "，"
    ours, beside = (comma.join(_shown(figures, f, language) for f in cell) for cell in (row.ours, row.beside))
    return f"| {getattr(row, language)} | {ours} | {beside}{' ' if beside else ''}|"


def _shown(figures: Mapping[str, Any], figure: Figure, language: str) -> str:
    value: Any = figures
    for key in figure.path:
        value = value[key]
    return ((figure.zh if language == "zh" else "") or figure.en).format(value)


def rewritten(readme: str, language: str, folder: Path) -> str:
    """A README with its table written anew. ValueError when it has none."""
    head = f"{HEADS[language]}\n{_LINE}\n"
    before, found, rest = readme.partition(head)
    if not found:
        raise ValueError(f"no table with the head {HEADS[language]}")
    lines, after = rest.split("\n\n", 1)
    standing = {line.split("|")[1].strip(): line for line in lines.split("\n")}
    strange = set(standing) - {getattr(row, language) for row in ROWS}
    if strange:
        raise ValueError(f"rows that no benchmark makes: {sorted(strange)}")
    made = [_line(row, language, folder, standing) for row in ROWS]
    return before + head + "\n".join(line for line in made if line) + "\n\n" + after


def _line(row: Row, language: str, folder: Path, standing: Mapping[str, str]) -> str | None:
    path = folder / f"{row.file}.json"
    if not path.is_file():
        return standing.get(getattr(row, language))
    return written(json.loads(path.read_text(encoding="utf-8")), row, language)


def main(folder: str) -> None:
    for language, path in READMES.items():
        path.write_text(rewritten(path.read_text(encoding="utf-8"), language, Path(folder)), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1])
