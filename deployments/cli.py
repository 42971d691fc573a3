"""命令行 the `ziliu` command, thin: every command is a few lines over a function of another room."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

os.environ.setdefault("POLARS_MAX_THREADS", "2")  # this process reads manifests; the shards' workers have their own

import typer

from data_contracts.config import default_store
from deployments.wording import speak

app = typer.Typer(add_completion=False, no_args_is_help=True, rich_markup_mode=None, help="字流 ziliu: 从网页到模型.")
Config = Annotated[Path, typer.Argument(help="配置文件 (config file)")]
Set = Annotated[list[str], typer.Option("--set", help="覆盖一项配置, 如 pretrain.strategy=ddp (override one key)")]
StoreOption = Annotated[str, typer.Option("--store", help="仓库目录 (store folder)")]
Language = Annotated[str, typer.Option("--lang", help="zh 中文与英文, en 只用英文")]


@app.callback()
def language(lang: Language = "zh") -> None:
    """字流 ziliu: from a crawled Chinese web page to an evaluated language model."""
    if lang not in ("zh", "en"):
        raise typer.BadParameter("zh or en", param_hint="--lang")
    speak(lang)


def _run(flow: str, config: Path, overrides: list[str]) -> None:
    from deployments.running import run_file

    raise typer.Exit(run_file(flow, config, overrides))


@app.command()
def run(config: Config, overrides: Set = []) -> None:
    """全流程 the whole road: crawl to evaluated model."""
    _run("everything", config, overrides)


@app.command()
def corpus(config: Config, overrides: Set = []) -> None:
    """语料 sources -> a gated corpus."""
    _run("corpus", config, overrides)


@app.command()
def vocabulary(
    config: Config,
    overrides: Set = [],
    sweep: Annotated[
        str, typer.Option(help="只比较几种大小, 如 8000,16000,32000 (only compare sizes, make no blocks)")
    ] = "",
) -> None:
    """词表 the latest corpus -> tokenizer and blocks; with --sweep, which size to take."""
    if sweep:
        from deployments.vocabulary_study import sweep as compared

        raise typer.Exit(compared(config, overrides, sweep))
    _run("vocabulary", config, overrides)


@app.command()
def pretrain(
    config: Config,
    overrides: Set = [],
    budget: Annotated[
        str, typer.Option(help="只建议这段时间内训练什么, 如 60m, 8h (only propose what to train in such a time)")
    ] = "",
    accept: Annotated[bool, typer.Option("--accept", help="照建议训练 (train what --budget proposes)")] = False,
) -> None:
    """预训练 the latest blocks -> model; with --budget, what to train in a time."""
    if budget:
        from deployments.budgeting import propose

        raise typer.Exit(propose(config, overrides, budget, accept))
    _run("pretraining", config, overrides)


@app.command()
def find_lr(
    config: Config,
    overrides: Set = [],
    steps: Annotated[int, typer.Option(help="测试的步数 (optimizer steps)", min=20)] = 100,
) -> None:
    """学习率测试 a learning rate for a run, by a range test on the latest blocks."""
    from deployments.rate_search import find_lr as searched

    raise typer.Exit(searched(config, overrides, steps))


@app.command()
def assess(config: Config, overrides: Set = []) -> None:
    """评测 the latest model -> scores."""
    _run("assessment", config, overrides)


@app.command()
def convert(
    config: Config,
    overrides: Set = [],
    to: Annotated[list[str], typer.Option("--to", help="格式, 可多次: onnx, gguf (form; may be given again)")] = [],
) -> None:
    """转换 the latest model -> the same for onnxruntime or llama.cpp."""
    _run("conversion", config, [*overrides, f"convert.forms=[{', '.join(to)}]"] if to else overrides)


@app.command()
def vectors(config: Config, overrides: Set = []) -> None:
    """词向量 the latest corpus -> vectors of its words."""
    _run("vectors", config, overrides)


@app.command()
def compare(
    first: Annotated[Path, typer.Argument(help="第一份语料的配置 (config of the first corpus)")],
    second: Annotated[Path, typer.Argument(help="第二份语料的配置 (config of the second corpus)")],
    overrides: Set = [],
    seeds: Annotated[int, typer.Option(min=1, max=20, help="每份语料训练几次 (training runs a side)")] = 1,
    duration: Annotated[
        str, typer.Option(help='双方各训练多久: "2M tokens" 或 "20 minutes"; 空则用配置的 (empty: as configured)')
    ] = "",
    held_out: Annotated[
        str, typer.Option(help="判定所用的文本: 仓库中的数据集或通道; 空则用双方共同留出的 (texts that decide)")
    ] = "",
) -> None:
    """对比 two corpora: train the same model on each, and say which is better, by how much and how sure."""
    from deployments.proof import compare as proved

    raise typer.Exit(proved(first, second, overrides, seeds, duration, held_out))


@app.command()
def demo(overrides: Set = []) -> None:
    """样例 the whole road on the embedded sample site."""
    from deployments.demo.road import run_demo

    raise typer.Exit(run_demo(overrides))


@app.command()
def server(store: StoreOption = default_store(), port: int = 4200) -> None:
    """服务器 keep the Prefect server and UI up until Ctrl-C."""
    from deployments.serving import serve

    raise typer.Exit(serve(store, port))


@app.command()
def show(
    stage: Annotated[str, typer.Argument(help="阶段, 如 clean; 空则列出全部 (empty: everything)")] = "",
    quarantine: Annotated[bool, typer.Option("--quarantine", help="显示被隔离的行 (refused rows)")] = False,
    reason: Annotated[str, typer.Option(help="只看一种原因, 如 too_short")] = "",
    samples: Annotated[int, typer.Option(help="样例数")] = 3,
    store: StoreOption = default_store(),
) -> None:
    """查看 counts and samples of a stage's newest dataset."""
    import deployments.questions as questions

    raise typer.Exit(questions.show(store, stage, quarantine, reason, samples))


@app.command()
def why(
    key: Annotated[str, typer.Argument(help="网址或文档编号 (URL or document id)")],
    run: Annotated[str, typer.Option(help="哪次运行, 默认最近一次 (which run)")] = "",
    store: StoreOption = default_store(),
) -> None:
    """为什么 what became of a document: every stage, rule and value."""
    import deployments.questions as questions

    raise typer.Exit(questions.why(store, key, run or None))


@app.command()
def profile(
    wanted: Annotated[str, typer.Argument(help="版本, 通道, 运行或阶段, 如 clean (version, channel, run or stage)")],
    keep: Annotated[float, typer.Option(min=0.0, max=1.0, help="建议的阈值要保留的份额 (share to keep)")] = 0.95,
    name: Annotated[str, typer.Option("--profile", help="按哪个方案判: web, literary, forum, strict")] = "",
    store: StoreOption = default_store(),
) -> None:
    """画像 how a dataset's signals are spread, what each rule refuses, and thresholds that keep a share."""
    from deployments.profiling import show_profile

    raise typer.Exit(show_profile(store, wanted, keep, name))


@app.command()
def lineage(
    wanted: Annotated[
        str, typer.Argument(help="版本, 通道, 运行, 网址或文档编号 (version, channel, run, URL, document id)")
    ],
    store: StoreOption = default_store(),
) -> None:
    """血缘 what a dataset, model or document was made of, back to the crawl."""
    import deployments.questions as questions

    raise typer.Exit(questions.lineage(store, wanted))


@app.command()
def segmentation_score(
    gold: Annotated[list[Path], typer.Argument(help="人工分词文件 (gold files: spaced, tagged, .conllu; also .gz)")],
    training: Annotated[
        list[Path], typer.Option(help="训练集或词表, 其中的词算登录词 (words of these count as known)")
    ] = [],
    dictionary: Annotated[list[str], typer.Option(help="用户词典 (user dictionaries)")] = [],
    hmm: Annotated[bool, typer.Option(help="用 HMM 识别词典外的词")] = True,
    json: Annotated[bool, typer.Option("--json", help="输出 JSON")] = False,
) -> None:
    """分词评分 precision, recall, F1 and OOV recall of the segmenter on gold files (SIGHAN's measure)."""
    from deployments.word_scores import segmentation_score as scored

    raise typer.Exit(scored(gold, training, dictionary, hmm, json))


@app.command()
def diff(
    before: Annotated[
        str, typer.Argument(help="版本, 阶段, 通道; 加 ~1 为上一个 (version, stage, channel; ~1: the one before)")
    ],
    after: Annotated[str, typer.Argument(help="同上 (likewise)")],
    samples: Annotated[int, typer.Option(help="每种变化的样例数 (samples of every move)")] = 3,
    store: StoreOption = default_store(),
) -> None:
    """比较 two datasets: rows, reasons, sources, samples, config and code."""
    from deployments.comparing import diff as compare

    raise typer.Exit(compare(store, before, after, samples))


@app.command()
def leaderboard(
    models: Annotated[
        list[str], typer.Argument(help="模型: 版本, 通道 model/NAME 或运行; 空则全部 (models; empty: all with scores)")
    ] = [],
    reference: Annotated[str, typer.Option(help="与谁比, 默认第一个 (held against this one; default: the first)")] = "",
    store: StoreOption = default_store(),
) -> None:
    """榜单 models beside each other on what all were asked, with paired-bootstrap intervals, and a page."""
    from deployments.leaderboard import leaderboard as ranked

    raise typer.Exit(ranked(store, models, reference))


@app.command()
def verify(store: StoreOption = default_store()) -> None:
    """校验 hash every object of the store."""
    import deployments.questions as questions

    raise typer.Exit(questions.verify(store))


@app.command()
def gc(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="只列出 (only list)")] = False,
    keep_days: Annotated[float, typer.Option(help="保留多少天内的运行 (runs kept, days)")] = 30.0,
    store: StoreOption = default_store(),
) -> None:
    """垃圾回收 remove what no channel, run or crawl refers to."""
    import deployments.questions as questions

    raise typer.Exit(questions.gc(store, dry_run, keep_days))


def main() -> None:
    """Entry point of the console script."""
    sys.exit(app())


if __name__ == "__main__":
    main()
