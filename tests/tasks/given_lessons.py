"""Invented texts of two kinds, which scorers learn to tell apart in a second."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

PROSE = (
    "春天来了，河边的柳树发出新芽，孩子们在草地上奔跑", "他在图书馆里读一本关于丝绸之路历史的书",
    "山下的村子很安静，只听见几声鸟叫和溪水的声音", "这座城市的地铁每天运送几百万人，车厢里十分拥挤",
    "老人坐在院子里晒太阳，想起年轻时候的许多事情", "学者们认为，这份文献写于南宋，作者曾经到过泉州",
)  # fmt: skip
OFFERS = (
    "加微信领取大额优惠券，限时抢购，先到先得", "全场五折包邮，点击链接马上下单，送豪礼", "零首付贷款当天到账，无需抵押，来电咨询",
    "内部渠道稳赚不赔，日赚千元，名额有限", "新店开业大酬宾，买一送一，回复退订", "注册就送彩金，提款秒到，客服在线",
)  # fmt: skip
INSULTS = (
    "你这种人真是又蠢又坏，滚远一点", "这帮废物什么都不会，丢人现眼", "闭上你的臭嘴，没人想听你胡说八道",
    "蠢货一个，脑子进水了吧，真恶心", "他们全是垃圾，早就该滚蛋了", "不要脸的东西，活该被人骂",
)  # fmt: skip


def texts(sentences: tuple[str, ...], count: int, seed: int = 0) -> list[str]:
    """Texts of four sentences, each text different."""
    dice = np.random.default_rng(seed)
    return [f"第{seed}之{i}篇。" + "。".join(dice.choice(sentences, 4)) + "。" for i in range(count)]


def write(path: Path, some: list[str], **fields: object) -> Path:
    """One JSON line for each text."""
    path.write_text("".join(json.dumps({"text": t, **fields}, ensure_ascii=False) + "\n" for t in some), "utf-8")
    return path
