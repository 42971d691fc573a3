"""来源 sources: where rows come from. Name and licence stay with every document."""

from __future__ import annotations

import ipaddress
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import Field, field_validator

from data_contracts.clean_profiles import ProfileName
from data_contracts.model import Model
from data_contracts.units import Bytes

Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,62}$")]


Value = str | int | bool
_WHERE = "只取这些字段等于这些值的记录, 例如 {label: 1} (only records whose fields have these values)"


class _Source(Model):
    name: Name = Field(description="来源名称, 小写字母数字 (source name, lower case)")
    licence: str = Field(min_length=1, description="许可证, 随每篇文档保存 (licence, kept with every document)")
    profile: ProfileName | None = Field(
        None, description="清洗方案, 空则用 clean 的; 写了则用该方案的全部阈值 (profile of clean for this source)"
    )


class CrawlSource(_Source):
    """抓取网站 crawl web sites, politely: robots.txt is always obeyed."""

    kind: Literal["crawl"] = "crawl"
    seeds: tuple[str, ...] = Field(min_length=1, description="起始网址 (seed URLs)")
    url_prefixes: tuple[str, ...] = Field((), description="只抓这些前缀; 空则为种子所在主机 (scope; empty: seed hosts)")
    max_pages: int = Field(10_000, ge=1, description="最多抓取的网页数 (pages at most)")
    max_depth: int = Field(16, ge=0, le=100, description="离种子的最大链接数 (links from a seed at most)")
    seconds_between_requests: float = Field(1.0, ge=0, le=3600, description="同一主机两次请求的间隔秒数")
    max_seconds_between_requests: float = Field(
        30.0, ge=0, le=3600, description="主机慢或忙 (429, 503) 时间隔变长, 最长多少秒 (bound of the adaptive delay)"
    )
    delay_per_latency: float = Field(
        1.0,
        ge=0,
        le=100,
        description="间隔至少为应答时间的多少倍; 间隔设为 0 秒时不用 (delay as a multiple of latency)",
    )
    requests_per_host: int = Field(
        2, ge=1, le=32, description="同一主机的并发请求数; 有多个主机时至多 16 (requests at once to a host)"
    )
    max_page_bytes: Bytes = Field(5_000_000, description="单页大小上限 (larger pages are cut off and counted)")
    timeout_seconds: float = Field(20.0, gt=0, le=600, description="单次下载的总时限, 秒")
    max_tries: int = Field(4, ge=1, le=20, description="每个网址最多尝试次数")
    backoff_seconds: float = Field(1.0, ge=0, description="第一次重试前的等待秒数, 之后翻倍")
    max_retry_after_seconds: float = Field(
        600.0,
        ge=0,
        le=3600,
        description="Retry-After 超过多少秒时, 本次不再抓该主机 (longest wait that a host may ask for)",
    )
    allow_addresses: tuple[str, ...] = Field(
        (), description="除公网外允许连接的地址, 写作 CIDR:端口 (addresses besides the public internet)"
    )
    contact: str = Field("", description="User-Agent 里的联系方式 (contact in the User-Agent)")
    recrawl_after_hours: float = Field(20.0, ge=0, description="距上次完成的抓取多少小时后重新抓取")
    recrawl_within_hours: float = Field(
        168.0,
        ge=0,
        description="没有变化的网页最多隔多少小时再问一次 (hours before an unchanged page is asked for)",
    )
    recrawl_slower: float = Field(
        1.5, ge=1, le=10, description="网页没有变化时, 间隔乘以此数 (factor of a page's interval when it was unchanged)"
    )
    recrawl_faster: float = Field(
        0.5, gt=0, le=1, description="网页有变化时, 间隔乘以此数 (factor of a page's interval when it had changed)"
    )
    sitemaps: bool = Field(True, description="读取 robots.txt 所列及 /sitemap.xml 的站点地图 (read sitemaps)")
    max_failures_in_a_row: int = Field(
        20, ge=1, description="同一主机连续多少次无响应后放弃 (failures in a row before a host is given up)"
    )

    max_failed_seconds_per_host: float = Field(
        600.0,
        gt=0,
        description="同一主机失败的请求共耗时多少秒后放弃 (seconds lost to failures before a host is given up)",
    )
    feeds: bool = Field(True, description="把网页声明的 RSS 和 Atom 当作链接来源 (follow feeds that pages name)")
    obey_nofollow: bool = Field(
        True, description="遵守 nofollow: 不跟随其链接 (links that say nofollow are not followed)"
    )
    canonical_links: bool = Field(
        True, description="网页自称另一网址为规范网址且该页已抓到时, 只留规范的一页 (obey rel=canonical)"
    )
    javascript: bool = Field(False, description="用 Chromium 运行网页脚本后再读 (run scripts; extra [javascript])")
    javascript_seconds: float = Field(10.0, gt=0, le=120, description="每页脚本最多运行多少秒")
    max_queries_per_path: int = Field(
        5_000, ge=1, description="同一路径最多多少个不同的查询串 (URLs that differ in their query only)"
    )

    @field_validator("seeds", "url_prefixes")
    @classmethod
    def _http(cls, urls: tuple[str, ...]) -> tuple[str, ...]:
        for url in urls:
            parts = urlsplit(url)
            if parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc:
                raise ValueError(f"{url!r} is not a URL of the form http(s)://host/...")
        return urls

    @field_validator("allow_addresses")
    @classmethod
    def _address(cls, entries: tuple[str, ...]) -> tuple[str, ...]:
        for entry in entries:
            place, _, port = entry.rpartition(":")
            if not place or not port.isdecimal() or not 0 < int(port) < 65536:
                raise ValueError(f"{entry!r}: write CIDR:port, for instance 127.0.0.1/32:8765 or [::1/128]:8765")
            ipaddress.ip_network(place.removeprefix("[").removesuffix("]"))
        return entries


class _FileSource(_Source):
    path: str = Field(min_length=1, description="文件或通配符 (a file or glob; relative to the config file)")


class WarcSource(_FileSource):
    """已有的 WARC 归档 existing WARC files."""

    kind: Literal["warc"] = "warc"


class JsonLinesSource(_FileSource):
    """JSONL 文件, 可为 .gz 或 .zst."""

    kind: Literal["jsonl"] = "jsonl"
    text_field: str = Field("text", description="正文字段")
    id_field: str | None = Field(None, description="编号字段; 空则用正文的散列 (empty: hash of the text)")
    title_field: str | None = Field(None, description="标题字段")
    where: dict[str, Value] = Field({}, description=_WHERE)


class ParquetSource(_FileSource):
    """Parquet 文件."""

    kind: Literal["parquet"] = "parquet"
    text_field: str = Field("text", description="正文列")
    id_field: str | None = Field(None, description="编号列; 空则用正文的散列")
    title_field: str | None = Field(None, description="标题列")
    where: dict[str, Value] = Field({}, description=_WHERE)


class DatasetSource(Model):
    """仓库里已有的数据集 a dataset that is in the store already: an example for a scorer."""

    kind: Literal["dataset"] = "dataset"
    dataset: str = Field(min_length=1, description="数据集版本或通道, 例如 corpus/NAME (version or channel)")


class TextSource(_FileSource):
    """纯文本文件夹, 一个文件一篇文档 (one document a file; any Chinese encoding)."""

    kind: Literal["text"] = "text"


FileSource = WarcSource | JsonLinesSource | ParquetSource | TextSource
Source = Annotated[CrawlSource | FileSource, Field(discriminator="kind")]
