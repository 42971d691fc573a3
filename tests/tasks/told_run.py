"""Facts of an invented run, as large and as uneven as a real one."""

from __future__ import annotations

import math
import random

from data_contracts.verdict import RuleResult, Sample, Verdict
from lightning_modules.intervals import wilson
from tasks.reporting import assessed, curves
from tasks.reporting.facts import (
    BenchmarkFacts,
    Bin,
    Decontaminated,
    Distribution,
    DuplicatePair,
    Duplicates,
    Facts,
    Generated,
    Node,
    Pairs,
    Passage,
    Portion,
    Refused,
    Scores,
    StageFacts,
    Training,
    WordFacts,
)
from tests.tasks.told_scores import SPEED, scores_json
from tests.tasks.told_scoring import a_scoring

ROAD = [
    ("crawl", "抓取 crawl", 431, {"redirected": 14, "http_error": 9, "robots_disallowed": 22, "not_html": 6}, "个网址"),
    ("ingest_visits", "读入网页 ingest_visits", 380, {"empty_body": 2}, "个网页"),
    ("extract", "正文提取 extract", 378, {"no_main_text": 11, "undecodable": 2, "extraction_timeout": 1}, "篇"),
    (
        "clean",
        "清洗 clean",
        2364,
        {"too_short": 96, "not_chinese": 14, "symbol_noise": 5, "mojibake": 4, "repeated_lines": 9},
        "篇",
    ),
    ("redact", "脱敏 redact", 2236, {}, "篇"),
    ("dedup", "去重 dedup", 2236, {"exact_duplicate": 63, "near_duplicate": 118}, "篇"),
    ("segment", "分词 segment", 2055, {}, "篇"),
]
LINKS = {"clean": ("extract", "ingest_files"), "ingest_files": (), "crawl": (), "vocab": ("segment",), "encode": ("segment", "vocab"), "pretrain": ("encode",), "assess": ("pretrain",)}  # fmt: skip
QUOTES = [
    "第一条　为了保护民事主体的合法权益，调整民事关系，维护社会和经济秩序，适应中国特色社会主义发展要求，根据宪法，制定本法。",
    "十里平湖霜满天，寸寸青丝愁华年。对月形单望相护，只羡鸳鸯不羡仙。",
    "首页 | 关于我们 | 联系我们 | 网站地图 | 友情链接 | 登录 | 注册 | 收藏本站",
    "锟斤拷锟斤拷烫烫烫锟斤拷屯屯屯锟斤拷",
    "點擊展開全文… 點擊展開全文… 點擊展開全文…",
]


def version(name: str) -> str:
    return f"{random.Random(name).getrandbits(64):016x}"


def a_road() -> tuple[list[StageFacts], list[Node]]:
    stages, nodes = [], []
    for i, (stage, title, rows, reasons, unit) in enumerate(ROAD):
        kept = rows - sum(reasons.values())
        name = f"{stage}/{version(stage)}"
        stages.append(
            StageFacts(
                stage=stage,
                title=title,
                datasets=(name,),
                rows_in=rows,
                kept=kept,
                reasons=reasons,
                chars=kept * 812,
                text_bytes=rows * 2400,
                cpu_seconds=0.9 + i,
                seconds=[21.4, 1.2, 3.9, 2.1, 0.8, 4.4, 1.9][i],
                state="cached" if stage in ("crawl", "ingest_visits") else "made",
                is_documents=True,
            )
        )
        before = LINKS.get(stage, (ROAD[i - 1][0],) if i else ())
        nodes.append(
            Node(name=name, title=title, detail=f"{kept:,} {unit}", parents=tuple(f"{b}/{version(b)}" for b in before))
        )
    nodes.insert(
        2,
        Node(
            name=f"ingest_files/{version('ingest_files')}", title="读入文件 ingest_files", detail="2,000 篇", parents=()
        ),
    )
    for stage, title, detail in (
        ("vocab", "词表 vocab", "1.1MB"),
        ("encode", "编码装箱 encode", "2,055 篇"),
        ("pretrain", "预训练 pretrain", "42.1MB"),
        ("assess", "评测 assess", "18.3KB"),
    ):
        name = f"{stage}/{version(stage)}"
        parents = tuple(f"{b}/{version(b)}" for b in LINKS[stage])
        nodes.append(Node(name=name, title=title, detail=detail, parents=parents))
        stages.append(
            StageFacts(
                stage=stage,
                title=title,
                datasets=(name,),
                rows_in=1,
                kept=1,
                seconds=9.5 if stage != "pretrain" else 148.2,
            )
        )
    return stages, nodes


def a_distribution(
    signal: str, title: str, centre: float, width: float, logarithmic: bool, low=None, high=None
) -> Distribution:
    dice = random.Random(signal)
    values = [dice.gauss(centre, width) for _ in range(2364)]
    values = [math.exp(v) if logarithmic else min(max(v, 0.0), 8.0) for v in values]
    first, last = min(values), max(values)

    def edge(i: int) -> float:
        return first * (last / first) ** (i / 28) if logarithmic else first + (last - first) * i / 28

    bins = []
    for i in range(28):
        inside = [v for v in values if edge(i) <= v < edge(i + 1)]
        bad = sum(
            (low is not None and v < low) or (high is not None and v > high) or dice.random() < 0.03 for v in inside
        )
        bins.append(Bin(low=edge(i), high=edge(i + 1), kept=len(inside) - bad, quarantined=bad))
    return Distribution(
        signal=signal, title=title, logarithmic=logarithmic, bins=tuple(bins), low_limit=low, high_limit=high
    )


def a_verdict(title: str, dataset: str, failing: bool) -> Verdict:
    rules = [
        ("schema.columns", "列与契约一致 columns and types are as described", "= 0", 0, "columns"),
        ("doc_id.unique", "文档编号不重复 is unique", "= 0", 0, "rows"),
        (
            "text.no_resident_id",
            "不含校验码正确的身份证号 no resident id number with a valid checksum is left",
            "= 0",
            3 if failing else 0,
            "rows",
        ),
        (
            "text.no_replacement",
            "含替换符 U+FFFD 的文档不超过 1 % at most 1 % of documents hold U+FFFD",
            "≤ 1 %",
            0.146,
            "percent",
        ),
        ("text.mean_chars", "平均字数 mean characters of a document", "20 … 200,000", 812.4, "字 chars"),
        ("largest_source_share", "最大来源所占的比例 share of the largest source", "< 0.98", 0.991, ""),
    ]
    results = []
    for rule, said, asked, found, unit in rules:
        passed = not (failing and rule == "text.no_resident_id") and rule != "largest_source_share"
        samples = (
            tuple(Sample(id=version(str(i)), value="", excerpt=q) for i, q in enumerate(QUOTES[:3]))
            if rule == "text.no_resident_id" and failing
            else ()
        )
        severity = "info" if rule == "largest_source_share" else "error"
        results.append(
            RuleResult(
                rule=rule,
                title=said,
                column=None,
                severity=severity,
                unit=unit,
                asked=asked,
                found=found,
                passed=passed,
                samples=samples,
            )
        )
    return Verdict(
        contract=title.split()[-1], contract_version="1.0.0", contract_digest="0" * 64, title=title, dataset=dataset, rows=2055,
        passed=not failing, results=tuple(results), polars_seconds=0.12, expectations_seconds=4.1,
        engines={"polars": "2.1.0", "great_expectations": "1.24.1"},
    )  # fmt: skip


def a_training() -> Training:
    dice = random.Random(7)
    steps = [
        {
            "step": float(i),
            "loss": 9.1 * math.exp(-i / 90) + 3.6 + dice.gauss(0, 0.08),
            "bits_per_char": 5.0,
            "tokens": 8192.0,
        }
        for i in range(1, 489)
    ]
    validation = [
        {"step": float(i), "loss": 9.1 * math.exp(-i / 90) + 3.72, "bits_per_char": 4.9}
        for i in (100, 200, 300, 400, 488)
    ]
    speed = [{"step": float(i), "tokens_per_second": 27_000 + dice.gauss(0, 900)} for i in range(2, 489, 2)]
    figures = {"parameters": 5_243_904, "steps": 488, "tokens": 3_997_696, "tokens_per_second": 26_930.2, "validation_loss": 3.74, "seconds": 148.2, "device": "cpu"}  # fmt: skip
    return Training(
        run="train-9c1f0b2e77aa3412",
        steps=tuple(curves.thinned(steps)),
        validation=tuple(validation),
        speed=tuple(speed),
        figures=figures,
    )


def a_score() -> Scores:
    pairs = []
    for name, good, total in (
        ("量词 classifiers", 312, 400),
        ("语序 word order", 271, 400),
        ("指代 anaphora", 148, 300),
        ("被字句 passive", 88, 120),
    ):
        low, high = wilson(good, total)
        pairs.append(Pairs(phenomenon=name, pairs=total, accuracy=good / total, low=low, high=high))
    samples = [
        Generated(
            prompt="今天", text="，在这个时候，我们可以看到，人民法院应当依照法律规定，对当事人提出的请求进行审查。"
        ),
        Generated(
            prompt="第一条",
            text="　为了规范行政机关的行为，保护公民、法人和其他组织的合法权益，根据宪法，制定本法。\n第二条　本法所称的行政机关，是指国务院和地方各级人民政府。",
        ),
        Generated(prompt="春", text="风一夜吹花落，明月何时照我还。"),
    ]
    return assessed.scores(scores_json(QUOTES[0]), SPEED).model_copy(
        update={"pairs": tuple(pairs), "samples": tuple(samples)}
    )


def the_refused() -> tuple[Refused, ...]:
    return (
        Refused(
            stage="clean",
            reason="too_short",
            doc_id=version("a"),
            url="https://sample.example/poems/17.html",
            value="chars 42",
            excerpt=QUOTES[1],
        ),
        Refused(
            stage="clean",
            reason="too_short",
            doc_id=version("b"),
            url="https://sample.example/nav.html",
            value="chars 31",
            excerpt=QUOTES[2],
        ),
        Refused(
            stage="clean",
            reason="mojibake",
            doc_id=version("c"),
            url="https://sample.example/broken/3.html",
            value="",
            excerpt=QUOTES[3],
        ),
        Refused(
            stage="clean",
            reason="repeated_lines",
            doc_id=version("d"),
            url="https://sample.example/more.html",
            value="duplicate_line_ratio 0.71",
            excerpt=QUOTES[4],
        ),
        Refused(
            stage="crawl",
            reason="http_error",
            doc_id=version("e"),
            url="https://sample.example/gone.html",
            value="status 404",
        ),
        Refused(
            stage="dedup",
            reason="near_duplicate",
            doc_id=version("f"),
            url="https://sample.example/law/copy.html",
            value="similarity 0.92",
            excerpt=QUOTES[0],
        ),
    )


def the_pairs() -> tuple[DuplicatePair, ...]:
    return (
        DuplicatePair(
            removed=version("x"),
            kept=version("y"),
            similarity=0.71,
            removed_text=QUOTES[0].replace("中国特色", ""),
            kept_text=QUOTES[0],
        ),
        DuplicatePair(
            removed=version("u"),
            kept=version("v"),
            similarity=1.0,
            removed_text="十里平湖霜滿天，寸寸青絲愁華年。",
            kept_text=QUOTES[1],
        ),
    )


def a_run(failing: bool = False) -> Facts:
    stages, nodes = a_road()
    return Facts(
        project="demo",
        run="20260501T183000-everything-7f3a",
        flow="everything",
        started_at="2026-05-01T18:30:00Z",
        machine="Linux x86_64, 2 核 cores, Python 3.11.7",
        failure="质量门不合格 gate failed: segment/0123 (2,055 rows) breaks contract corpus@1.0.0 in 1 rules"
        if failing
        else None,
        stages=tuple(stages),
        distributions=(
            a_distribution("chars", "正文长度, 字 characters", 6.5, 1.0, True, low=200),
            a_distribution("han_ratio", "汉字占比 Han ratio", 0.82, 0.08, False, low=0.3),
            a_distribution("mean_line_chars", "平均行长, 字 mean line", 3.6, 0.6, True, low=10),
            a_distribution("unigram_entropy", "字符熵, nat character entropy", 4.6, 0.5, False, low=3.0),
            a_distribution("symbol_ratio", "符号占比 symbol ratio", 0.03, 0.03, False, high=0.1),
            a_distribution("duplicate_line_ratio", "重复行占比 duplicate lines", 0.05, 0.12, False, high=0.3),
        ),
        scored=a_scoring(a_distribution("quality", "质量分 quality", 0.7, 0.2, False, low=0.3)),
        redacted={f"redact/{version('redact')}": {"redacted": 41, "mobile": 37, "email": 12, "cn_id": 3}},
        decontaminated=a_contamination(),
        duplicates=Duplicates(
            exact=63,
            near=118,
            groups=97,
            similarity={"0.65": 8, "0.70": 14, "0.75": 19, "0.80": 22, "0.85": 17, "0.90": 21, "0.95": 17},
            pairs=the_pairs(),
        ),
        verdicts=(
            a_verdict("语料 corpus", f"segment/{version('segment')}", failing),
            a_verdict("定长块 blocks", f"encode/{version('encode')}", False),
        ),
        refused=the_refused(),
        words=WordFacts(
            distinct=41_207,
            hapax_ratio=0.412,
            coverage={"1000": 0.61, "10000": 0.93},
            unknown_ratio=0.021,
            unknown_distinct_ratio=0.2,
            top=(("的", 120_345), ("<b>第一</b>", 1204)),
        ),
        portions=(
            Portion(name="statutes", documents=1402, tokens=1_200_345, epochs=1.5, share=0.75),
            Portion(name="10 / 10", documents=205, tokens=400_115, epochs=2.0, share=0.25),
        ),
        training=a_training(),
        scores=a_score(),
        lineage=tuple(nodes),
        config={
            "name": "demo",
            "clean": {"min_chars": 200, "languages": ["zh"]},
            "pretrain": {"duration": "4M tokens", "seed": 1},
        },
        libraries={"polars": "2.1.0", "opencc": "1.1.9", "rensa": "0.2.9", "torch": "2.9.0"},
    )


def a_contamination() -> Decontaminated:
    """Two benchmarks, one of which was found."""
    found = Passage(
        item="test/law.jsonl.gz#17",
        field="question",
        overlap=0.93,
        chars=52.25,
        source="statutes",
        doc_id=version("k"),
        excerpt=QUOTES[0],
    )
    quiz = BenchmarkFacts(
        name="quiz",
        items=5664,
        judged=4005,
        found=31,
        documents=9,
        sources={"statutes": 8, "news": 1},
        passages=(found,),
    )
    pairs = BenchmarkFacts(name="pairs", items=190, judged=12, found=0, documents=0, sources={})
    return Decontaminated(remove="span", documents=9, refused=2, cut_chars=1840, benchmarks=(quiz, pairs))
