from __future__ import annotations

import random
import re

import opencc
import polars as pl
import pytest

from data_contracts.reasons import REASONS
from data_contracts.stages import CleanConfig
from deployments.demo import texts
from tasks.clean import mark

PARAGRAPH = (
    "去年冬天，我们在北方的一个小镇住了两个月。镇子不大，只有一条街，街的尽头是火车站。每天早上，卖豆浆的老人推着车从街上走过，"
    "一边走一边喊。孩子们背着书包去上学，路上的雪被踩得咯吱咯吱响。到了晚上，整个镇子就安静下来，只听得见远处的汽笛。"
    "我常常在灯下写信，把看到的事情一件一件地记下来，寄给南方的朋友。他们回信说，读着这些信，好像自己也走在那条街上。"
    "后来我离开了那里，可是每到下雪的时候，还是会想起那个小镇，想起那些在雪里走路的人。"
)
WORDS = "山水风云花草树木春夏秋冬东西南北江河湖海日月星辰金石田土车马舟桥琴棋书画茶酒米面衣帽门窗灯火纸笔刀剑"
SENTENCES = [s + "。" for s in PARAGRAPH.split("。") if s]
TRADITIONAL = [opencc.OpenCC("s2t").convert(s) for s in SENTENCES]


def shuffled(unit: str, count: int, seed: int = 0) -> str:
    return "".join(random.Random(seed).choices(unit, k=count))


# reason -> a text that breaks this rule and no other (of those that are tried before it)
BAD = {
    "too_short": "只有一句话。",
    "too_long": PARAGRAPH * 3,
    "low_entropy": shuffled("一二三，", 300),
    "repeated_lines": "\n".join(SENTENCES[:3] * 4 + SENTENCES),
    "repeated_ngrams": "".join(f"{PARAGRAPH[i : i + 6]}家装修网" for i in range(0, len(PARAGRAPH) - 6, 6)),
    "symbol_noise": "".join(f"{c}★" if i % 4 == 0 else c for i, c in enumerate(PARAGRAPH)),
    "digit_noise": "".join(f"{c}{i % 97}" if i % 3 == 0 else c for i, c in enumerate(PARAGRAPH)),
    "bracket_noise": PARAGRAPH + "【本店隆冬时节推出各色点心】【欲知详情请往柜台一问便知】【每逢周末另有茶会恭请光临】",
    "ellipsis_lines": "\n".join(s[:-1] + ("……" if i % 2 else "展开") for i, s in enumerate(SENTENCES)),
    "list_lines": "\n".join(f"- {s}" for s in SENTENCES),
    "short_lines": "\n".join(PARAGRAPH[i : i + 5] for i in range(0, len(PARAGRAPH), 5)),
    "flagged_words": PARAGRAPH + "真人荷官在线，百家乐、老虎机、六合彩应有尽有。",
    "advertising": PARAGRAPH[:160] + "新老顾客注意：本店全场特价，优惠活动火热进行，精美礼品先到先得，欢迎致电咨询电话，名额有限，欲购从速！",
    "few_terminal_marks": "\n".join(s[:-1] for s in SENTENCES),
    "few_stop_words": "\n".join(shuffled(WORDS, 40, seed) for seed in range(8)),
    "few_sentences": PARAGRAPH.replace("。", "，") + PARAGRAPH[:150].replace("。", "，") + "。",
    "few_marks": "".join(re.findall(r"[\u4e00-\u9fff]", PARAGRAPH)) + "。好。",
    "mark_noise": "".join(f'{{"{s}":["{s[::-1]}"]}},' for s in re.findall(r"[\u4e00-\u9fff]{2,9}", PARAGRAPH)) + "。完。",
    "mixed_script": "".join(t if i % 2 else s for i, (s, t) in enumerate(zip(SENTENCES, TRADITIONAL, strict=True))),
    "broken_words": "".join(random.Random(3).sample(PARAGRAPH, len(PARAGRAPH))),
    "machine_made": PARAGRAPH[:150] + "作为一个人工智能语言模型，我无法提供更多内容。希望以上信息对您有所帮助，如果您还有其他问题，请随时告诉我。" + PARAGRAPH[150:],
    "not_chinese": "".join(f"{c}(.)," if i % 2 else f"{c}[-]:/" for i, c in enumerate(PARAGRAPH)),
    "wrong_language": "この文書は日本語で書かれています。漢字とひらがなが混ざっているので、中国語とは違います。" * 2 + "昨日は友達と一緒に公園へ行って、桜の花を見ながらお弁当を食べました。とても楽しい一日だったので、写真をたくさん撮って家族に送りました。来週はもう少し遠い町へ出かけて、古いお寺を訪ねるつもりです。それから、駅の近くの小さな店で手紙を書いて、遠くに住んでいる祖母に送りたいと思います。",
    "mojibake": PARAGRAPH.encode("gb18030").decode("utf-8", "replace"),
}  # fmt: skip
STRICT = {
    "few_terminal_marks": {"min_terminal_line_ratio": 0.2},
    "too_long": {"max_chars": 500},
    "few_marks": {"min_chars": 100},
}


def frame(texts: list[str]) -> pl.LazyFrame:
    return pl.LazyFrame({"doc_id": [str(i) for i in range(len(texts))], "text": texts})


def reasons(texts: list[str], **changes: float) -> list[str | None]:
    return mark(frame(texts), CleanConfig(**changes)).collect()["reason"].to_list()


# What a list of words has none of: function characters, punctuation, sentences.
NO_PROSE = {
    "min_stop_characters": 0,
    "min_stop_ratio": 0,
    "min_punctuation_ratio": 0,
    "min_sentences": 0,
    "max_sentence_chars": 1e6,
}


@pytest.mark.parametrize("reason", BAD)
def test_one_bad_text_breaks_one_rule(reason: str) -> None:
    assert reason in REASONS
    assert reasons([BAD[reason]], **STRICT.get(reason, {})) == [reason]


@pytest.mark.parametrize(
    ("reason", "loose"),
    [
        ("too_short", {"min_chars": 0, "min_unigram_entropy": 0, "min_stop_characters": 0, "min_mean_line_chars": 0, "min_sentences": 1}),
        ("low_entropy", {"min_unigram_entropy": 0, "max_top_ngram_ratio": 1, "max_duplicate_ngram_ratio": 1, **NO_PROSE}),
        ("repeated_lines", {"max_duplicate_line_ratio": 1, "max_duplicate_ngram_ratio": 1, "max_duplicate_5gram_ratio": 1}),
        ("symbol_noise", {"max_symbol_ratio": 1}),
        ("digit_noise", {"max_digit_ratio": 1}),
        ("bracket_noise", {"max_bracket_ratio": 1}),
        ("ellipsis_lines", {"max_ellipsis_line_ratio": 1}),
        ("list_lines", {"max_list_line_ratio": 1}),
        ("short_lines", {"min_mean_line_chars": 0}),
        ("flagged_words", {"max_flagged_ratio": 1}),
        ("advertising", {"max_advert_ratio": 1}),
        ("few_stop_words", {**NO_PROSE, "min_word_chars": 0}),
        ("not_chinese", {"min_han_ratio": 0, "max_punctuation_ratio": 1, "min_word_chars": 1}),
        ("few_sentences", {"max_sentence_chars": 1000, "min_sentences": 1}),
        ("few_marks", {"min_punctuation_ratio": 0, "min_chars": 100}),
        ("mark_noise", {"max_punctuation_ratio": 1}),
        ("mixed_script", {"max_mixed_script_ratio": 1}),
        ("broken_words", {"min_word_chars": 1}),
        ("machine_made", {"max_machine_ratio": 1}),
    ],
)  # fmt: skip
def test_the_bad_text_breaks_exactly_that_rule(reason: str, loose: dict[str, float]) -> None:
    assert reasons([BAD[reason]], **loose) == [None]


GOOD = {
    "news": "本报北京1月5日电（记者王明）国务院今日召开常务会议，研究部署进一步促进农村教育发展的工作。会议指出，近年来，各地区、各部门认真贯彻落实有关政策，农村学校的办学条件明显改善。\n会议要求，要继续加大投入，优先保障贫困地区，到2027年，使每个乡镇都有一所合格的中心学校。同时，要加强教师队伍建设，提高教师待遇，鼓励优秀毕业生到农村任教。\n会议还研究了其他事项。各地负责人表示，将尽快拿出具体办法，把会议精神落到实处，让孩子们在家门口就能上好学校。",
    "statute": "第一章 总则\n第一条 为了保护民事主体的合法权益，调整民事关系，维护社会和经济秩序，适应社会发展要求，根据宪法，制定本法。\n第二条 民法调整平等主体的自然人、法人和非法人组织之间的人身关系和财产关系。\n第三条 民事主体的人身权利、财产权利以及其他合法权益受法律保护，任何组织或者个人不得侵犯。\n第四条 民事主体在民事活动中的法律地位一律平等。\n第五条 民事主体从事民事活动，应当遵循自愿原则，按照自己的意思设立、变更、终止民事法律关系。\n第六条 民事主体从事民事活动，应当遵循公平原则，合理确定各方的权利和义务。",
    "classical": "陈胜者，阳城人也，字涉。吴广者，阳夏人也，字叔。陈涉少时，尝与人佣耕，辍耕之垄上，怅恨久之，曰：“苟富贵，无相忘。”佣者笑而应曰：“若为佣耕，何富贵也？”陈涉太息曰：“嗟乎！燕雀安知鸿鹄之志哉！”\n二世元年七月，发闾左適戍渔阳，九百人屯大泽乡。陈胜、吴广皆次当行，为屯长。会天大雨，道不通，度已失期。失期，法皆斩。陈胜、吴广乃谋曰：“今亡亦死，举大计亦死，等死，死国可乎？”陈胜曰：“天下苦秦久矣。吾闻二世少子也，不当立，当立者乃公子扶苏。”",
    "poems": "静夜思\n床前明月光，疑是地上霜。\n举头望明月，低头思故乡。\n\n登鹳雀楼\n白日依山尽，黄河入海流。\n欲穷千里目，更上一层楼。\n\n早发白帝城\n朝辞白帝彩云间，千里江陵一日还。\n两岸猿声啼不住，轻舟已过万重山。\n\n山行\n远上寒山石径斜，白云生处有人家。\n停车坐爱枫林晚，霜叶红于二月花。\n\n赋得古原草送别\n离离原上草，一岁一枯荣。\n野火烧不尽，春风吹又生。\n远芳侵古道，晴翠接荒城。\n又送王孙去，萋萋满别情。\n\n回乡偶书\n少小离家老大回，乡音无改鬓毛衰。\n儿童相见不相识，笑问客从何处来。",
    "docs with code": "# 安装\n\n先创建一个虚拟环境，再安装需要的包：\n\n```bash\npython -m venv .venv\n. .venv/bin/activate\npip install polars\n```\n\n安装完成以后，可以用下面的代码读取一个文件，并且只保留比较长的行：\n\n```python\nimport polars as pl\n\nframe = pl.read_parquet('texts.parquet')\nlong = frame.filter(pl.col('text').str.len_chars() > 200)\nprint(long.height)\n```\n\n注意，`len_chars` 数的是字符，不是字节。如果文件很大，建议改用惰性接口，这样就不必把所有内容一次读进内存。更多的例子请看下一章，那里会说明怎样把结果写回磁盘，以及出错的时候怎样找到原因。",
    "traditional": "這座城市的冬天並不冷，只是常常下雨。街道兩旁的騎樓讓行人不必撐傘，也能慢慢地走過一家又一家的店鋪。老闆們坐在門口喝茶，和熟識的客人聊天，說的都是家裡的事情。\n傍晚的時候，學生們從補習班出來，在路邊的小攤上買一份點心，一邊吃一邊等公車。車來了，他們便擠上去，把書包抱在胸前，望著窗外一盞一盞亮起來的燈。\n我在這裡住了三年，離開以後，最想念的就是這樣的傍晚，還有巷口那位總是笑著打招呼的老先生，以及雨後空氣裡那種潮濕的味道。",
    "dialogue": "“你什么时候回来的？”\n“昨天晚上。”他把行李放在门边，“火车晚点了两个小时，到站的时候已经没有公共汽车了。”\n“怎么不打个电话？我可以去接你。”\n“太晚了，不想吵醒你们。”他笑了笑，接过母亲递来的茶，“再说，走一走也好，我很久没有在夜里走这条路了。”\n母亲没有说话，只是看着他。过了一会儿，她才说：“瘦了。”\n他低下头去喝茶，茶还很烫，可是他一口一口地喝着，没有停下来。\n窗外的天已经亮了，院子里的鸡叫了起来，邻居家的门也吱呀一声开了。",
}  # fmt: skip


def test_good_texts_of_many_genres_pass_the_default_profile() -> None:
    assert dict(zip(GOOD, reasons(list(GOOD.values())), strict=True)) == dict.fromkeys(GOOD)


@pytest.mark.parametrize("name", ["classics", "novels", "recipes", "statutes", "traditional"])
def test_literature_and_law_are_not_taken_for_spam(name: str) -> None:
    found = mark(frame([text.text[:2000] for text in texts.archive(name)]), CleanConfig()).collect()
    spam = ("flagged_words", "advertising", "machine_made")
    assert found.filter(pl.col("reason").is_in(spam))["text"].to_list() == []


def test_quarantined_rows_keep_the_measurement_that_broke_them() -> None:
    row = mark(frame([BAD["symbol_noise"]]), CleanConfig()).collect().row(0, named=True)
    assert row["symbol_ratio"] == pytest.approx(BAD["symbol_noise"].count("★") / len(BAD["symbol_noise"]))
    assert row["chars"] == len(BAD["symbol_noise"])


def test_ratios_lie_between_zero_and_one() -> None:
    out = mark(frame([*BAD.values(), *GOOD.values(), ""]), CleanConfig()).collect()
    for name in [c for c in out.columns if c.endswith("_ratio")]:
        assert out[name].is_between(0, 1).all(), name
        assert not out[name].is_nan().any(), name
