"""Planted noise: pages of the kinds that a crawl of the Chinese web is full of and a corpus must not hold.

    for kind, text in noise(good, seed=1, each=20): ...

`good` are real texts from which sentences, titles and words are taken, so that noise is made of the same characters as
good text. Everything comes from `random.Random(seed)`: the same arguments give the same texts. Tuning looks at even
seeds, figures are taken at odd ones, and `good` must differ too.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable, Iterator, Sequence

from tasks.transforms.phrases import ADULT, ADVERTISING, GAMBLING

Make = Callable[["Pool", random.Random], str]
CITIES = [
    "北京",
    "上海",
    "广州",
    "深圳",
    "杭州",
    "南京",
    "成都",
    "武汉",
    "西安",
    "重庆",
    "天津",
    "苏州",
    "郑州",
    "长沙",
    "青岛",
    "沈阳",
    "大连",
    "宁波",
    "厦门",
    "济南",
]
GOODS = [
    "减速机",
    "轴承",
    "水泵",
    "阀门",
    "电缆",
    "不锈钢管",
    "铝合金",
    "塑料袋",
    "包装盒",
    "打印机",
    "空压机",
    "变压器",
    "防水涂料",
    "保温板",
    "叉车",
    "货架",
]
LATIN = [
    "lorem",
    "ipsum",
    "dolor",
    "sit",
    "amet",
    "consectetur",
    "adipiscing",
    "elit",
    "sed",
    "do",
    "eiusmod",
    "tempor",
    "incididunt",
    "ut",
    "labore",
    "et",
    "magna",
    "aliqua",
]
FOREIGN = {
    "ja": "昨日は友達と一緒に公園へ行きました。桜の花がとてもきれいでした。お弁当を食べながら、仕事の話をしました。来週もまた会いたいと思います。電車の中で本を読んでいる人が多いです。",
    "ko": "어제는 친구와 함께 공원에 갔습니다. 벚꽃이 아주 아름다웠습니다. 도시락을 먹으면서 일 이야기를 했습니다. 다음 주에도 다시 만나고 싶습니다. 지하철에서 책을 읽는 사람이 많습니다.",
    "en": "Yesterday we went to the park with some friends. The flowers were beautiful and the weather was fine. We talked about work while we had our lunch. I hope to see them again next week.",
    "ru": "Вчера мы с друзьями гуляли в парке. Цветы были очень красивые, и погода стояла хорошая. За обедом мы говорили о работе. Надеюсь увидеть их снова на следующей неделе.",
    "vi": "Hôm qua chúng tôi đi công viên với bạn bè. Hoa rất đẹp và thời tiết tốt. Chúng tôi nói chuyện về công việc trong bữa trưa. Tôi hy vọng tuần sau sẽ gặp lại họ.",
}


class Pool:
    """Sentences, titles and words of good texts."""

    def __init__(self, good: Sequence[str]) -> None:
        pieces = [s.strip() for text in good for s in re.split(r"(?<=[。！？])|\n", text)]
        self.sentences = [s for s in pieces if 12 <= len(s) <= 60 and re.search(r"[。！？]$", s)]
        clauses = [c for s in self.sentences for c in re.split(r"[，。！？；：、“”]", s)]
        self.titles = [c for c in clauses if 7 <= len(c) <= 18]
        self.words = [c for c in clauses if 2 <= len(c) <= 4]

    def paragraph(self, chance: random.Random, sentences: int) -> str:
        return "".join(chance.choices(self.sentences, k=sentences))


def link_list(pool: Pool, chance: random.Random) -> str:
    date = chance.random() < 0.5
    lines = [
        t + (f" 2024-{chance.randrange(1, 13):02d}-{chance.randrange(1, 29):02d}" if date else "")
        for t in chance.choices(pool.titles, k=chance.randrange(25, 80))
    ]
    return "\n".join(["首页 新闻 财经 体育 娱乐 科技 更多>>", *lines, "上一页 1 2 3 4 5 下一页 尾页"])


def navigation(pool: Pool, chance: random.Random) -> str:
    items = chance.choices(pool.words, k=chance.randrange(80, 200))
    return chance.choice(["\n", " | ", " "]).join(items) + "\n版权所有 京ICP备12345678号 联系我们 网站地图 友情链接"


def keywords(pool: Pool, chance: random.Random) -> str:
    words = [c + g + w for c in CITIES for g in chance.sample(GOODS, 4) for w in ("厂家", "价格", "批发", "哪家好")]
    return chance.choice(["，", "、", " ", "_"]).join(chance.sample(words, chance.randrange(60, 200)))


def tag_cloud(pool: Pool, chance: random.Random) -> str:
    return "标签：" + " ".join(
        f"{w}({chance.randrange(1, 999)})" for w in chance.choices(pool.words, k=chance.randrange(60, 160))
    )


def mojibake(pool: Pool, chance: random.Random) -> str:
    text = pool.paragraph(chance, 12)
    ways: list[tuple[str, str]] = [
        ("gb18030", "utf-8"),
        ("utf-8", "gb18030"),
        ("utf-8", "big5"),
        ("big5hkscs", "utf-8"),
    ]
    wrote, read = chance.choice(ways)
    return text.encode(wrote, "ignore").decode(read, "replace")


def lorem(pool: Pool, chance: random.Random) -> str:
    return " ".join(chance.choices(LATIN, k=chance.randrange(80, 300))).capitalize() + "."


def javascript(pool: Pool, chance: random.Random) -> str:
    lines = ["var _hmt = _hmt || [];", "(function(){", "var hm = document.createElement('script');"]
    for title in chance.choices(pool.titles, k=chance.randrange(10, 40)):
        name = "".join(chance.choices("abcdefgh", k=3))
        lines += [
            f'if(typeof {name}!="undefined"){{{name}.push({{"title":"{title}","id":{chance.randrange(10**6)}}});}}',
            f"$('#{name}').click(function(){{window.location='/p/{chance.randrange(999)}.html';}});",
        ]
    return "\n".join([*lines, "})();"])


def json_dump(pool: Pool, chance: random.Random) -> str:
    rows = [
        {
            "id": chance.randrange(10**7),
            "title": t,
            "url": f"/a/{chance.randrange(999)}.html",
            "hot": chance.random() < 0.5,
        }
        for t in chance.choices(pool.titles, k=chance.randrange(15, 50))
    ]
    return json.dumps({"code": 0, "msg": "success", "data": rows}, ensure_ascii=False)


def template(pool: Pool, chance: random.Random) -> str:
    good = chance.choice(GOODS)
    return "\n".join(
        f"{city}{good}公司位于{city}市，是一家专业生产{good}的企业，产品质量可靠，深受{city}客户好评。"
        for city in chance.sample(CITIES, 15)
    )


def boilerplate(pool: Pool, chance: random.Random) -> str:
    floor = "楼主 发表于 {} 只看该作者 倒序浏览 回复 引用 举报 返回顶部"
    return "\n".join(
        floor.format(
            f"2023-{chance.randrange(1, 13)}-{chance.randrange(1, 29)} {chance.randrange(24)}:{chance.randrange(60):02d}"
        )
        + "\n"
        + chance.choice(["顶", "沙发", "路过", "谢谢楼主分享", "学习了"])
        for _ in range(20)
    )


def gambling(pool: Pool, chance: random.Random) -> str:
    words = chance.sample(GAMBLING, 12)
    return "".join(
        f"{chance.choice(words)}{chance.choice(['官网', '平台', '注册', '下载', '技巧', ''])}{chance.choice('，。！')}{chance.choice(pool.sentences) if chance.random() < 0.5 else ''}"
        for _ in range(25)
    )


def adult(pool: Pool, chance: random.Random) -> str:
    words = chance.sample(ADULT, 12)
    return "\n".join(
        chance.choice(words)
        + chance.choice(words)
        + chance.choice(["在线观看", "高清", "免费", "影院"])
        + chance.choice(pool.titles)
        + "。"
        for _ in range(25)
    )


def advert(pool: Pool, chance: random.Random) -> str:
    parts = [
        f"{a}{chance.choice(['，', '！', ' '])}{chance.choice(['本店', '我司', '全城', ''])}"
        for a in chance.sample(ADVERTISING, 30)
    ]
    return (
        "【"
        + chance.choice(CITIES)
        + "】"
        + "".join(f"{p}{chance.choice(pool.titles)}，" if chance.random() < 0.3 else p for p in parts)
        + "电话138xxxxxxxx。"
    )


def digits(pool: Pool, chance: random.Random) -> str:
    return "\n".join(
        f"{chance.choice(GOODS)} {chance.randrange(10, 99)}x{chance.randrange(10, 99)} {chance.randrange(10**4)}.{chance.randrange(99):02d} {chance.randrange(10**3)} {chance.randrange(10**6)}"
        for _ in range(30)
    )


def lottery(pool: Pool, chance: random.Random) -> str:
    return "\n".join(
        f"第{2023000 + i}期 开奖号码 " + " ".join(f"{chance.randrange(1, 34):02d}" for _ in range(7)) for i in range(30)
    )


def scrambled(pool: Pool, chance: random.Random) -> str:
    text = list(pool.paragraph(chance, 15))
    chance.shuffle(text)
    return "".join(text)


def spun(pool: Pool, chance: random.Random) -> str:
    """Fragments of sentences glued by a content farm, a character here and there changed, its set phrases between."""
    joints = [
        "很多小伙伴们都想知道，",
        "接下来就跟着小编一起来看看吧。",
        "相信很多人都不知道，",
        "下面就来为大家介绍。",
        "以上就是小编为大家整理的全部内容了，",
        "希望对大家有所帮助。",
    ]
    return "".join(
        chance.choice(pool.titles)
        + "，"
        + chance.choice(pool.titles)
        + "。"
        + (chance.choice(joints) if i % 3 == 0 else "")
        for i in range(20)
    )


def assistant(pool: Pool, chance: random.Random) -> str:
    return f"作为一个人工智能语言模型，我无法提供关于{chance.choice(pool.words)}的内容。{pool.paragraph(chance, 4)}请注意，我的训练数据有限。希望以上信息对您有所帮助。如果您还有其他问题，请随时告诉我。"


def unfilled(pool: Pool, chance: random.Random) -> str:
    names = chance.sample(["title", "author", "content", "date", "price", "user.name", "item.id", "list[0]"], 5)
    return "\n".join(
        f"{chance.choice(pool.titles)}：{{{{{chance.choice(names)}}}}} ${{{chance.choice(names)}}} undefined"
        for _ in range(25)
    )


def symbols(pool: Pool, chance: random.Random) -> str:
    return "".join(c + chance.choice("★☆◆●♥♪♨✿☎▶") * (i % 3) for i, c in enumerate(pool.paragraph(chance, 8)))


def laughter(pool: Pool, chance: random.Random) -> str:
    return "".join(chance.choice(["哈", "啊", "嘿", "呵", "6", "。", "！"]) * chance.randrange(2, 9) for _ in range(80))


def contents(pool: Pool, chance: random.Random) -> str:
    start = chance.randrange(1, 300)
    return "\n".join(f"第{start + i}章 {t[:8]}" for i, t in enumerate(chance.choices(pool.titles, k=60)))


def truncated(pool: Pool, chance: random.Random) -> str:
    return "\n".join(
        f"{s[:20]}{chance.choice(['...', '……', '[详细]阅读全文', '查看更多'])}"
        for s in chance.choices(pool.sentences, k=30)
    )


def foreign(pool: Pool, chance: random.Random) -> str:
    sentences = re.split(r"(?<=[。.])\s?", chance.choice(list(FOREIGN.values())))
    return " ".join(chance.choices([s for s in sentences if s], k=16))


KINDS: tuple[Make, ...] = (
    link_list, navigation, keywords, tag_cloud, mojibake, lorem, javascript, json_dump, template, boilerplate, gambling, adult,
    advert, digits, lottery, scrambled, spun, assistant, unfilled, symbols, laughter, contents, truncated, foreign,
)  # fmt: skip


def noise(good: Sequence[str], seed: int, each: int) -> Iterator[tuple[str, str]]:
    """(kind, text): `each` texts of every kind."""
    pool = Pool(good)
    for make in KINDS:
        chance = random.Random(f"{seed} {make.__name__}")
        for _ in range(each):
            yield make.__name__, make(pool, chance)
