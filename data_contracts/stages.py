"""数据阶段的配置 configs of the data stages: one frozen model a stage. `min_`/`max_` say what is kept.

Only what changes a stage's output stands here, because the whole model is part of the stage's key. Where shards run and
where the store lies is `config.Place`.
"""

from __future__ import annotations

import hashlib
import os
from typing import Any, Literal

from pydantic import Field

from data_contracts.clean_profiles import BASE, ProfileName, profile
from data_contracts.model import Model
from data_contracts.units import Bytes

_UNREADABLE = "无法读取的记录占比上限, 超过则阶段失败 (share of unreadable records above which the stage fails)"


class IngestConfig(Model):
    """读入: WARC, JSONL, Parquet, text -> PAGE or DOCUMENT."""

    shard_bytes: Bytes = Field(16_000_000, description="每个分片的正文字节数 (bytes of text or body per shard)")
    max_record_bytes: Bytes = Field(20_000_000, description="单条记录上限 (larger records are quarantined)")
    max_unreadable_ratio: float = Field(0.05, ge=0, le=1, description=_UNREADABLE)


class ExtractConfig(Model):
    """正文提取: PAGE -> DOCUMENT. The template's mark or the prose first, trafilatura when that is poor."""

    min_chars: int = Field(100, ge=0, description="正文少于此字数时再试 trafilatura (fewer: trafilatura tries too)")
    min_text_ratio: float = Field(0.002, ge=0, le=1, description="正文占网页字符的比例低于此值时再试 trafilatura")
    keep_code: bool = Field(True, description="保留代码块, 缩进不变 (keep blocks of code as lines, with their indent)")
    keep_tables: bool = Field(
        True, description="保留表格, 一行一行, 格间用制表符 (keep tables: a row a line, tabs between)"
    )
    deadline_seconds: float = Field(5.0, gt=0, le=600, description="单页的处理器时限, 秒 (CPU seconds, then killed)")
    max_memory_bytes: Bytes = Field(2 * 2**30, ge=2**28, description="提取进程的内存上限, 至少 256 MiB")
    max_page_bytes: Bytes = Field(5_000_000, description="网页大小上限")
    max_unreadable_ratio: float = Field(0.05, ge=0, le=1, description=_UNREADABLE)


def _of_profile(name: str, **bounds: Any) -> Any:
    """A threshold of clean: what the profile says, unless the config says otherwise."""
    return Field(default_factory=lambda data: profile(data.get("profile", BASE))[name], **bounds)


class CleanConfig(Model):
    """清洗: normalise, measure, mark. Defaults come from the profile; the rules: tasks/transforms/quality.py."""

    profile: ProfileName = Field(
        BASE,
        description="方案, 定下面各项的默认值: web 网页, literary 文学, forum 论坛短文, strict 严格 (profile)",
    )
    to_simplified: bool = Field(False, description="繁体转简体 (traditional to simplified, opencc tw2sp)")
    languages: tuple[str, ...] = Field(
        ("zh",), description="保留的语言: zh 中文 (简, 繁, 混排), yue 粤语, ja, ko, en (languages kept)"
    )
    min_chars: int = _of_profile("min_chars", ge=0, description="最少字符数")
    max_chars: int = _of_profile("max_chars", ge=1, description="最多字符数")
    min_layout_chars: int = _of_profile(
        "min_layout_chars", ge=0, description="短于此字数的正文不按行长, 句子, 标点, 虚词占比和词长判定"
    )
    min_han_ratio: float = _of_profile("min_han_ratio", ge=0, le=1, description="汉字占字符的最低比例")
    min_mean_line_chars: float = _of_profile("min_mean_line_chars", ge=0, description="最低平均行长, 字符")
    min_terminal_line_ratio: float = _of_profile(
        "min_terminal_line_ratio", ge=0, le=1, description="以句末标点结尾的行的最低比例"
    )
    min_sentences: int = _of_profile("min_sentences", ge=0, description="最少句数 (。！？；…, 连用算一个)")
    max_sentence_chars: float = _of_profile("max_sentence_chars", ge=1, description="平均每句最多汉字数")
    min_punctuation_ratio: float = _of_profile("min_punctuation_ratio", ge=0, le=1, description="标点占字符的最低比例")
    max_punctuation_ratio: float = _of_profile(
        "max_punctuation_ratio", ge=0, le=1, description="标点占字符的最高比例 (JSON, 代码)"
    )
    max_symbol_ratio: float = _of_profile("max_symbol_ratio", ge=0, le=1, description="符号 (# … 等) 占字符的最高比例")
    max_digit_ratio: float = _of_profile("max_digit_ratio", ge=0, le=1, description="数字占字符的最高比例")
    max_ellipsis_line_ratio: float = _of_profile(
        "max_ellipsis_line_ratio", ge=0, le=1, description="以省略号或展开结尾的行的最高比例"
    )
    max_list_line_ratio: float = _of_profile("max_list_line_ratio", ge=0, le=1, description="列表行的最高比例")
    max_bracket_ratio: float = _of_profile("max_bracket_ratio", ge=0, le=1, description="【】内字符的最高比例")
    max_duplicate_line_ratio: float = _of_profile(
        "max_duplicate_line_ratio", ge=0, le=1, description="重复行字符的最高比例"
    )
    max_top_ngram_ratio: float = _of_profile(
        "max_top_ngram_ratio", ge=0, le=1, description="最常见字符片段所占的最高比例"
    )
    max_duplicate_5gram_ratio: float = _of_profile(
        "max_duplicate_5gram_ratio", ge=0, le=1, description="重复的 5 字片段所占的最高比例"
    )
    max_duplicate_ngram_ratio: float = _of_profile(
        "max_duplicate_ngram_ratio", ge=0, le=1, description="重复的 13 字片段所占的最高比例"
    )
    min_unigram_entropy: float = _of_profile("min_unigram_entropy", ge=0, description="字符熵下限, nat")
    min_stop_characters: int = _of_profile(
        "min_stop_characters", ge=0, description="至少出现的虚词种数 (的 了 是 在 ... or 之 乎 者 也)"
    )
    min_stop_ratio: float = _of_profile("min_stop_ratio", ge=0, le=1, description="虚词占汉字的最低比例")
    min_word_chars: float = _of_profile("min_word_chars", ge=0, description="词典切分的最低平均词长, 字; 0 不查")
    max_word_chars: float = _of_profile("max_word_chars", ge=1, description="词典切分的最高平均词长, 字")
    max_mixed_script_ratio: float = _of_profile(
        "max_mixed_script_ratio", ge=0, le=1, description="简繁混排: 较少一方的专用字占汉字的最高比例"
    )
    min_flagged_words: int = _of_profile("min_flagged_words", ge=1, description="违禁词出现此数次才按占比判定")
    max_flagged_ratio: float = _of_profile(
        "max_flagged_ratio", ge=0, le=1, description="赌博色情等违禁词占字符的最高比例"
    )
    min_advert_phrases: int = _of_profile(
        "min_advert_phrases", ge=1, description="不同的推销用语达到此数才按占比判为广告"
    )
    max_advert_ratio: float = _of_profile("max_advert_ratio", ge=0, le=1, description="推销用语占字符的最高比例")
    min_machine_phrases: int = _of_profile(
        "min_machine_phrases", ge=1, description="不同的机器文本标记达到此数才按占比判定"
    )
    max_machine_ratio: float = _of_profile(
        "max_machine_ratio", ge=0, le=1, description="机器文本标记 (模板, 助手套话, 洗稿套话) 占字符的最高比例"
    )

    def under(self, other: ProfileName | None) -> CleanConfig:
        """The same with every threshold of another profile; what single thresholds say here does not reach it."""
        if other is None or other == self.profile:
            return self
        return CleanConfig(profile=other, to_simplified=self.to_simplified, languages=self.languages)


PersonalData = Literal[
    "CN_ID", "REGION_ID", "USCC", "BANK", "MOBILE", "LANDLINE", "PASSPORT", "PLATE",
    "EMAIL", "QQ", "WECHAT", "ALIPAY", "IP", "SECRET_URL", "GEO",
]  # fmt: skip
REDACT_KEY = "ZILIU_REDACT_KEY"  # environment variable; the key itself stands in no config and no manifest


def redact_key_id(key: str) -> str:
    """Eight hex digits that tell keys apart without giving one away."""
    return hashlib.sha256(f"ziliu redact key\0{key}".encode()).hexdigest()[:8]


def _key_id_of_mode(data: dict[str, Any]) -> str:
    key = os.environ.get(REDACT_KEY, "")
    return redact_key_id(key) if key and data.get("mode") == "pseudonym" else ""


class RedactConfig(Model):
    """脱敏: personal data -> placeholders."""

    kinds: tuple[PersonalData, ...] = Field(
        (
            "CN_ID", "REGION_ID", "USCC", "BANK", "MOBILE", "LANDLINE", "PASSPORT", "PLATE",
            "EMAIL", "QQ", "WECHAT", "ALIPAY", "IP", "SECRET_URL", "GEO",
        ),
        description="要处理的种类 (kinds that are replaced); REGION_ID: 港澳台身份证 (ids of Hong Kong, Macau, Taiwan)",
    )  # fmt: skip
    mode: Literal["tag", "pseudonym", "drop"] = Field(
        "tag", description="tag: 换成 <MOBILE>; pseudonym: 换成带密钥的假名; drop: 隔离整篇文档"
    )
    key_id: str = Field(
        default_factory=_key_id_of_mode,
        description="假名密钥的指纹, 由环境变量 ZILIU_REDACT_KEY 得出, 换密钥即重算 (fingerprint, never the key)",
    )


class DedupConfig(Model):
    """去重: exact first, then MinHash on characters of a key folded to simplified script."""

    ngram_chars: int = Field(5, ge=1, le=50, description="片段长度, 字符")
    bands: int = Field(16, ge=1, le=256, description="LSH 分带数; 门槛约 (1/bands)^(1/rows) = 0.67")
    rows_per_band: int = Field(7, ge=1, le=64, description="每带行数")
    min_similarity: float = Field(0.65, gt=0, le=1, description="签名相似度达到此值才算近似重复")
    same_url: bool = Field(
        True, description="几个来源各有一篇同一网址的文档时只留一篇 (one stays where several sources have one of a URL)"
    )
    fold_script: bool = Field(True, description="比较前把繁体折叠为简体 (find traditional-script copies)")
    keep: Literal["longest", "oldest", "best"] = Field(
        "longest",
        description="一组重复中保留哪一篇: longest 最长, oldest 日期最早, best 质量分 quality 最高 (which copy stays)",
    )
    max_paragraph_documents: int = Field(
        0,
        ge=0,
        description="段落见于多于此数的文档时只留在其中一篇, 从其余各篇删去; 0 不删: 副歌, 法律套语, 引文也是正文 "
        "(a paragraph in more documents than this stays in one of them; 0: off, for refrains and formulas are text)",
    )
    min_paragraph_chars: int = Field(
        60,
        ge=10,
        description="更短的段落从不删去, 不计标点空白 (shorter paragraphs are never removed)",
    )


class SegmentConfig(Model):
    """分词: DOCUMENT -> SEGMENTED, with the words that jieba makes of runs of Han characters."""

    hmm: bool = Field(True, description="用 HMM 识别词典外的词 (find words outside the dictionary)")
    dictionaries: tuple[str, ...] = Field(
        (),
        description="用户词典文件, 格式同 jieba: 每行 词 [词频] [词性] (user dictionaries; their words are in the key)",
    )
    words: tuple[str, ...] = Field((), description='直接写出的用户词, 同样的格式, 如 "云计算" 或 "云计算 5"')


class VocabConfig(Model):
    """词表: byte-level BPE in Hugging Face tokenizer.json form, trained, or taken from a model's folder."""

    folder: str | None = Field(
        None, description="取此 Hugging Face 文件夹的词表, 不训练 (take the tokenizer of a folder, for its model)"
    )
    new_tokens: tuple[str, ...] = Field(
        (), description="加在所取词表之后的词, 须配 model.extend_vocabulary (words added after its last token)"
    )

    size: int = Field(16_384, ge=300, le=1_000_000, description="词元数, 含特殊词元 (tokens, specials included)")
    sample_bytes: Bytes = Field(
        20_000_000,
        description="训练样本字节数上限, 按文档散列选取; 训练约需 35 倍于此的内存 (RAM is 35x)",
    )
    min_frequency: int = Field(2, ge=1, description="合并的最低次数")


class Splits(Model):
    """划分: which share of documents measures the model instead of training it; see tasks/transforms/splits.py."""

    validation_ratio: float = Field(0.01, ge=0, lt=0.5, description="验证集占文档的比例, 按编号散列")
    test_ratio: float = Field(0.01, ge=0, lt=0.5, description="测试集占文档的比例, 按编号散列")


class EncodeConfig(Model):
    """编码装箱: SEGMENTED -> BLOCKS."""

    block_tokens: int = Field(256, ge=8, le=1_048_576, description="块长, 词元")
    validation_ratio: float = Field(0.01, ge=0, lt=0.5, description="验证集占文档的比例, 按编号散列")
    test_ratio: float = Field(0.01, ge=0, lt=0.5, description="测试集占文档的比例, 按编号散列")

    @property
    def splits(self) -> Splits:
        """What the vocabulary must know, so that another block length does not make another vocabulary."""
        return Splits(validation_ratio=self.validation_ratio, test_ratio=self.test_ratio)


class GateConfig(Model):
    """质量门: which contract each dataset must keep."""

    corpus: str = Field("corpus", description="语料契约: 名称或 .odcs.yaml 路径")
    blocks: str = Field("blocks", description="定长块契约: 名称或 .odcs.yaml 路径")
    on_failure: Literal["block", "warn"] = Field("block", description="不合格时: block 停止, warn 只警告")


class ContractConfig(Model):
    """一次质量门 one gate: a contract and the hash of its text, so that editing the contract judges anew."""

    contract: str = Field(description="契约: 名称或 .odcs.yaml 路径")
    digest: str = Field(description="契约文本的 SHA-256 (made by tasks.gate.asked)")
    on_failure: Literal["block", "warn"] = Field("block", description="不合格时: block 停止, warn 只警告")
