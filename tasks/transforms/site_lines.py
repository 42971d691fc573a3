"""网站套话 site lines: which lines a site repeats across its documents, and their removal.

A line is judged by the number of documents of its host that hold it, never by how often one text repeats it: a refrain
stays. Looked at are short lines of words: at the head and tail of texts, where a run of them must
reach from the very end (what stands behind a line that stays, stays too), and lines with the words of buttons and
notices (展开, 相关阅读, 版权所有) anywhere. Structure is no boilerplate: 第一章 总则, 其一, （一）, 附则 stay, however
many statutes or poems hold them. Digits count as equal where there are few: 第3页, 阅读 128.
"""

from __future__ import annotations

import polars as pl

from data_contracts.boilerplate import BoilerplateConfig

_JUDGED = r"\p{Han}.*\p{Han}|©|^[A-Za-z][A-Za-z0-9 .,&'-]+$"  # lines of code, numbers and marks are not judged
_SENTENCE = r"[。！？；…：”」』）]$"
_NUMBER = "[零\u3007一二三四五六七八九十百千万两0-9]"
_STRUCTURE = (
    rf"^\s*(?:第\s*{_NUMBER}+\s*[章节節条條编編部分篇款项項回卷课課讲講集季]|其{_NUMBER}+|[（(]{_NUMBER}+[）)]|{_NUMBER}+\s*[、.．]"
    r"|[总附]\s*则|总\s*論|总\s*论|序[言章]?|前言|引言|目录|目錄|正文|摘要|结语|結語|后记|後記|附录|附錄|注释|注釋)"
)
_WORDS = (
    r"展开(?:全文|阅读)?$|收起$|^(?:查看|加载|阅读|点击)?更多|阅读全文|(?:相关|相關|推荐|推薦|延伸|热门|熱門)(?:阅读|閱讀|文章|新闻|新聞|推荐|推薦)"
    r"|猜你喜欢|责任编辑|責任編輯|版权所有|版權所有|版权声明|免责声明|转载请注明|未经.{0,6}许可|分享到|扫一扫|扫码|长按.{0,6}二维码|关注.{0,8}公众号"
    r"|上一[篇页章条]|下一[篇页章条]|返回(?:顶部|首页|列表|目录)|加入收藏|编辑[此本]页|最[近后]更新|打印本[页文]|字体[:：]|发表评论|暂无评论|登录后|立即注册|ICP备|©|(?i:copyright)"
)
_KEY = pl.col("line").str.strip_chars()


def host_of(url: pl.Expr) -> pl.Expr:
    """Host with port of an http(s) URL, in lower case; null for what is no page."""
    return url.str.extract(r"^https?://(?:[^/?#@]*@)?([^/?#]+)", 1).str.to_lowercase()


def lines_of(documents: pl.DataFrame, cfg: BoilerplateConfig) -> pl.DataFrame:
    """Every line of every page: row, host, place from 0, lines (of its text), line, and key (null: not judged)."""
    split = (
        documents.select(
            "text",
            row=pl.int_range(pl.len(), dtype=pl.UInt32),
            host=host_of(pl.col("url")),
            line=pl.col("text").str.split("\n"),
        )
        .drop("text")
        .filter(pl.col("host").is_not_null() & pl.col("line").is_not_null())
    )
    many = split.with_columns(
        lines=pl.col("line").list.len(), place=pl.int_ranges(0, pl.col("line").list.len(), dtype=pl.UInt32)
    ).explode("line", "place")
    judged = (
        (pl.col("line").str.len_chars() <= cfg.max_line_chars)
        & pl.col("line").str.contains(_JUDGED)
        & ~pl.col("line").str.contains(_STRUCTURE)
    )
    digits = _KEY.str.count_matches("[0-9]")
    key = pl.when(digits * 2 <= _KEY.str.len_chars()).then(_KEY.str.replace_all("[0-9]+", "0")).otherwise(_KEY)
    return many.with_columns(key=pl.when(judged).then(key))


def counted(documents: pl.DataFrame, cfg: BoilerplateConfig) -> tuple[pl.DataFrame, pl.DataFrame]:
    """(documents by host, documents by host and line: at an edge, and anywhere where it has a telling word)."""
    lines = lines_of(documents, cfg).filter(pl.col("key").is_not_null())
    at_edge = (pl.col("place") < cfg.edge_lines) | (pl.col("lines") - pl.col("place") <= cfg.edge_lines)
    worded = pl.col("key").str.contains(_WORDS)
    once = (
        lines.filter(at_edge | worded)
        .group_by("row", "host", "key")
        .agg(edge=at_edge.any().cast(pl.UInt32), anywhere=worded.any().cast(pl.UInt32))
    )
    by_line = (
        once.group_by("host", line="key").agg(pl.col("edge", "anywhere").sum().cast(pl.UInt32)).sort("host", "line")
    )
    hosts = (
        documents.select(host=host_of(pl.col("url"))).drop_nulls().group_by("host").agg(documents=pl.len()).sort("host")
    )
    return hosts, by_line


def repeated(hosts: pl.LazyFrame, by_line: pl.LazyFrame, cfg: BoilerplateConfig) -> pl.DataFrame:
    """Lines that go: host, line, where (edge or anywhere), documents, share. From the counts of all shards."""
    total = hosts.group_by("host").agg(pl.col("documents").sum()).filter(pl.col("documents") >= cfg.min_host_documents)
    most = pl.max_horizontal("edge", "anywhere")
    summed = (
        by_line.group_by("host", "line")
        .agg(pl.col("edge", "anywhere").sum())
        .filter(most >= cfg.min_line_documents)
        .join(total, on="host")
    )
    sentence = pl.col("line").str.contains(_SENTENCE) & (pl.col("anywhere") == 0)
    edge_share = pl.when(sentence).then(cfg.min_sentence_share).otherwise(cfg.min_share)
    anywhere = pl.col("anywhere") >= cfg.min_worded_share * pl.col("documents")
    edge = pl.col("edge") >= edge_share * pl.col("documents")
    return (
        summed.filter(anywhere | edge)
        .select(
            "host", "line", where=pl.when(anywhere).then(pl.lit("anywhere")).otherwise(pl.lit("edge")),
            documents=most, share=most / pl.col("documents"),
        )
        .sort("host", "line")
        .collect(engine="streaming")
    )  # fmt: skip


def without(documents: pl.DataFrame, gone: pl.DataFrame, cfg: BoilerplateConfig) -> pl.DataFrame:
    """(row, text, removed) of the documents that change: what is left, and the lines that went, in order."""
    lines = lines_of(documents, cfg).join(
        gone.select("host", "where", key="line"), on=["host", "key"], how="left", maintain_order="left"
    )
    lines = lines.filter(pl.col("where").is_not_null().any().over("row"))
    candidate = pl.col("where").is_not_null()
    blank = pl.col("line").str.strip_chars() == ""
    run = (candidate | blank).cast(pl.UInt8)
    head = (run.cum_min().over("row") == 1) & (pl.col("place") < cfg.edge_lines)
    tail = (run.cum_min(reverse=True).over("row") == 1) & (pl.col("lines") - pl.col("place") <= cfg.edge_lines)
    goes = candidate & ((pl.col("where") == "anywhere") | head | tail)
    return (
        lines.with_columns(goes=goes.fill_null(value=False))
        .group_by("row", maintain_order=True)
        .agg(
            text=pl.col("line").filter(~pl.col("goes")).str.join("\n"),
            removed=pl.col("line").filter("goes"),
            left=(~pl.col("goes")).sum(),
        )
        .filter(pl.col("removed").list.len() > 0)
    )
