from __future__ import annotations

import polars as pl
import pytest

from data_contracts.stages import CleanConfig
from tasks.transforms import language, quality

TEXTS = {
    "zh-Hans": "这个项目把网页变成训练语料，每一步都可以重新计算，也可以查到来源。我们希望小团队也能用得起。",
    "zh-Hant": "這個專案把網頁變成訓練語料，每一步都可以重新計算，也可以查到來源。我們希望小團隊也能用得起。",
    "yue": "佢哋喺度食緊飯，我唔知點解咁多人嚟呢度睇戲，其實嗰套戲冇乜嘢好睇，我哋不如走啦，聽日再嚟過。",
    "ja": "この文書は日本語で書かれています。漢字とひらがなが混ざっているので、中国語とは違います。",
    "ko": "이 문서는 한국어로 쓰여 있습니다. 중국어와는 전혀 다른 글자를 사용합니다.",
    "en": "This document is written in plain English and has no Chinese characters in it at all.",
    "other": "Этот текст написан по-русски и не содержит китайских иероглифов.",
}


def named(texts: list[str]) -> list[str]:
    return language.named(quality.measure(pl.DataFrame({"text": texts})))["language"].to_list()


def test_languages() -> None:
    assert named(list(TEXTS.values())) == list(TEXTS)


def test_chinese_that_quotes_others_stays_chinese() -> None:
    code = "使用 import polars as pl 读取 frame = pl.read_parquet(path) 文件，然后用 frame.filter(pl.col('text')) 选出需要的行，最后写回磁盘。"
    quote = TEXTS["zh-Hans"] * 3 + "日语里叫「ありがとう」。"
    assert named([code, quote]) == ["zh-Hans", "zh-Hans"]


def test_nothing_to_go_by() -> None:
    assert named(["", "12345 67890", "！！！"]) == ["other"] * 3


@pytest.mark.parametrize(
    ("languages", "refused"),
    [
        (
            ("zh",),
            {
                "yue": "wrong_language",
                "ja": "wrong_language",
                "ko": "wrong_language",
                "en": "wrong_language",
                "other": "not_chinese",
            },
        ),
        (("zh", "yue", "en"), {"ja": "wrong_language", "ko": "wrong_language", "other": "not_chinese"}),
        (
            ("ja",),
            dict.fromkeys(("zh-Hans", "zh-Hant", "yue", "ko", "en"), "wrong_language") | {"other": "not_chinese"},
        ),
    ],
)
def test_rules(languages: tuple[str, ...], refused: dict[str, str]) -> None:
    frame = language.named(quality.measure(pl.DataFrame({"text": list(TEXTS.values())})))
    reasons = frame.select(quality.first_reason(language.rules(CleanConfig(languages=languages)))).to_series()
    assert {n: r for n, r in zip(TEXTS, reasons, strict=True) if r} == refused
