"""拒收原因 reasons: the closed list of why a row is quarantined, each as a Chinese and an English sentence.

A reason states the fault (`too_short`), never the rule (`length_filter`). A stage may only use names listed here.
"""

from __future__ import annotations

from typing import NamedTuple


class Reason(NamedTuple):
    """A quarantine reason in both languages."""

    zh: str
    en: str


REASONS: dict[str, Reason] = {
    # any stage: a record that breaks the code; the column `error` says how
    "unreadable": Reason("记录无法读取", "the record cannot be read"),
    # crawl and ingest: what became of a URL
    "robots_disallowed": Reason("robots.txt 不允许抓取", "robots.txt disallows it"),
    "address_blocked": Reason("目标地址不在允许的网络内", "its address is outside the allowed network"),
    "fetch_failed": Reason("多次重试仍抓取失败", "it could not be fetched after retries"),
    "http_error": Reason("HTTP 状态码表示失败", "its HTTP status is an error"),
    "gone": Reason("以前抓到过, 现已消失 (404 或 410)", "an earlier crawl kept it, and it is gone (404 or 410)"),
    "no_longer_linked": Reason("以前抓到过, 现无网页链接到它", "an earlier crawl kept it, and no page links to it now"),
    "redirected": Reason("已跳转到另一地址", "it redirects to another URL"),
    "canonical_elsewhere": Reason("自称另一网址才是规范网址", "it names another URL as its canonical one"),
    "too_large": Reason("超过大小上限", "it is larger than the size limit"),
    "not_html": Reason("不是网页或文本", "it is neither HTML nor text"),
    "page_limit": Reason("达到抓取页数上限, 未抓取", "the crawl's page limit was reached before it"),
    "empty_body": Reason("响应正文为空", "its body is empty"),
    "not_selected": Reason("不是来源所选的记录", "it is not among the records that its source selects"),
    "superseded": Reason("同一网址有更新的抓取", "a later capture of the same URL was kept"),
    # extract
    "markup_bomb": Reason(
        "网页标记异常: 嵌套过深或属性过多", "its markup is a bomb: nested too deep, or too many attributes"
    ),
    "undecodable": Reason("字符编码无法识别", "its character encoding cannot be decoded"),
    "mojibake": Reason("乱码且无法修复", "it is mojibake that cannot be repaired"),
    "no_main_text": Reason("没有正文", "no main text was found"),
    "extraction_timeout": Reason("正文提取超时", "extraction took longer than its deadline"),
    # boilerplate
    "only_boilerplate": Reason(
        "全文都是网站各页重复的套话", "it holds nothing but lines that its site repeats on other pages"
    ),
    # clean
    "too_short": Reason("正文过短", "too few characters"),
    "too_long": Reason("正文过长", "too many characters"),
    "not_chinese": Reason("汉字占比过低", "too few Han characters"),
    "wrong_language": Reason("不是所需语言", "it is in another language"),
    "short_lines": Reason("平均行长过短", "its lines are too short on average"),
    "few_terminal_marks": Reason("以句末标点结尾的行过少", "too few lines end in terminal punctuation"),
    "few_sentences": Reason("句子过少或过长", "too few sentences, or sentences without an end"),
    "few_marks": Reason("标点过少", "too little punctuation"),
    "mark_noise": Reason("标点占比过高, 像代码或数据", "too much punctuation, as in code or data"),
    "symbol_noise": Reason("符号占比过高", "too many symbols"),
    "digit_noise": Reason("数字占比过高", "too many digits"),
    "ellipsis_lines": Reason("以省略号或「展开」结尾的行过多", "too many lines end in an ellipsis or 'more'"),
    "list_lines": Reason("列表行过多", "too many lines are list items"),
    "bracket_noise": Reason("【】内文字占比过高", "too much of it stands in 【】"),
    "repeated_lines": Reason("重复行过多", "too many duplicate lines"),
    "repeated_ngrams": Reason("重复片段过多", "too many repeated character n-grams"),
    "low_entropy": Reason("字符种类过少", "its characters vary too little"),
    "few_stop_words": Reason("几乎没有虚词, 不像自然语言", "it has next to no function words"),
    "mixed_script": Reason("简体繁体混杂", "simplified and traditional characters are mixed"),
    "broken_words": Reason("平均词长异常, 词不成词", "its words are too short or too long on average"),
    "flagged_words": Reason("违禁词过多", "too many flagged words"),
    "advertising": Reason("广告推销用语过多", "too many advertising phrases"),
    "machine_made": Reason("机器生成的文字或未填的模板", "it is made by a machine: set phrases, templates, scripts"),
    # score
    "low_quality": Reason("质量分过低, 不像想要的文本", "its quality score is too low: it is unlike the wanted texts"),
    "high_perplexity": Reason("每字比特数过高, 不通顺", "too many bits per character: it does not read fluently"),
    "toxic": Reason("很可能有毒: 侮辱, 歧视, 攻击", "it is likely to be toxic: insults, slurs, attacks"),
    "spam": Reason("很可能是垃圾信息", "it is likely to be spam"),
    # redact
    "personal_data": Reason("含个人信息且配置为丢弃", "it holds personal data and the config says drop"),
    # dedup
    "same_url": Reason("另一来源有同一网址, 留下的是那一篇", "another source has the same URL; that one stays"),
    "exact_duplicate": Reason("与另一文档完全相同", "it equals another document"),
    "near_duplicate": Reason("与另一文档近似重复", "it nearly equals another document"),
    "repeated_paragraphs": Reason("各段都见于别的文档", "all of its paragraphs stand in other documents"),
    # decontaminate
    "contaminated": Reason("含有测试集的题目", "it holds items of a benchmark"),
    # encode
    "left_out": Reason("配比未选入", "the mixture has no place for it"),
}


def sentence(reason: str, lang: str = "zh") -> str:
    """A reason in the reader's language; KeyError for a name that is not in the list."""
    entry = REASONS[reason]
    return entry.en if lang == "en" else f"{entry.zh} ({entry.en})"
