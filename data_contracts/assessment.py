"""评测的配置 assessment: what a model is asked, and how much of it. Everything here is part of the scores' key.

    assess:
      minimal_pairs:
        - {name: zhoblimp, path: eval/zhoblimp.jsonl.gz}
        - {name: climp, path: eval/climp.jsonl.gz, phenomenon: paradigm}
      questions:
        - {name: c3, path: eval/c3.jsonl.gz}
        - {name: cmmlu, path: "eval/cmmlu/*.jsonl.gz", choices: [A, B, C, D], group: subject}
        - {name: chid, path: eval/chid.jsonl.gz, prompt: "{content}", blank: "#idiom#", choices: candidates}

A question is a text with one place for its choices, and is answered by the choice that the model finds likeliest.
"""

from __future__ import annotations

import re

from pydantic import Field, model_validator

from data_contracts.decontamination import ItemFiles
from data_contracts.model import Model

EMBEDDED = "embedded"  # the pairs that ship with the demo
CHOICE = "choice"  # stands in a prompt where the choice goes
FIELD = re.compile(r"\{([^{}]+)\}")


class PairSet(ItemFiles):
    """最小对立对: pairs of a good and a bad sentence that differ as little as possible."""

    path: str = Field(min_length=1, description="文件或通配符, 或 embedded (a file or glob, or embedded)")
    good: str = Field("sentence_good", description="正确句子的字段 (field of the good sentence)")
    bad: str = Field("sentence_bad", description="错误句子的字段 (field of the bad sentence)")
    phenomenon: str = Field("phenomenon", description="现象的字段 (field of the phenomenon)")


class QuestionSet(ItemFiles):
    """选择题与完形填空: questions with choices, answered by likelihood."""

    prompt: str = Field(
        "{context?}\n问题：{question}\n答案：{choice}",
        description="题面: {字段} 取自题目, {字段?} 可以没有, {choice} 处填选项; 字段全空的行略去 "
        "(the text; {field?} may be missing; lines of empty fields go)",
    )
    choices: str | tuple[str, ...] = Field(
        "choices", description="选项字段: 一个列表, 或每个选项一个字段 (a field with a list, or one for each choice)"
    )
    answer: str = Field("answer", description="答案字段: 从 0 起的序号, 字母, 或选项原文 (number from 0, letter, text)")
    labels: dict[str, str] = Field(
        default_factory=dict,
        description="固定选项: 答案字段的值 -> 选项文字, 代替 choices (the same choices for all)",
    )
    blank: str = Field("", description="题面中的空格记号, 如 #idiom#; 代替 {choice} (the mark of a blank in fields)")
    group: str = Field("", description="分组字段, 如 subject; 另列各组准确率 (accuracy by this field too)")
    segmented: bool = Field(False, description="文本以空格分词; 评测前去掉汉字间的空格 (words are divided by spaces)")
    words_of: str = Field(
        "", description="没有选项的填空: 以此字段中与答案等长的词为干扰项 (other choices: words of this field)"
    )
    max_choices: int = Field(10, ge=2, le=100, description="words_of 时的选项数上限 (choices at most, with words_of)")

    @model_validator(mode="after")
    def _one_place_for_the_choice(self) -> QuestionSet:
        places = FIELD.findall(self.prompt).count(CHOICE)
        if places != (0 if self.blank else 1):
            raise ValueError(
                f"questions {self.name}: the prompt needs {{choice}} once, or `blank` names a mark in its fields"
            )
        return self

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields that some item must have: those that the prompt names without a question mark."""
        return tuple(name for name in FIELD.findall(self.prompt) if name != CHOICE and not name.endswith("?"))


class LmEvalConfig(Model):
    """lm-eval: tasks for the harness of EleutherAI, run by it, offline. Needs `pip install '.[lm-eval]'`."""

    path: str = Field(
        min_length=1,
        description="任务 YAML 所在文件夹, 其中的相对路径由此算起 (folder of task files and their data)",
    )
    tasks: tuple[str, ...] = Field(min_length=1, description="任务名 (names of tasks or groups)")
    limit: int | None = Field(None, ge=1, description="每个任务最多评测的题数; 空则全部 (items of a task at most)")
    batch_size: int = Field(8, ge=1, description="一次前向的题数 (requests of a forward pass)")


class AssessConfig(Model):
    """评测: bits per character beside baselines, minimal pairs, questions, samples."""

    max_tokens: int = Field(500_000, ge=1000, description="计算每字比特数的词元上限")
    minimal_pairs: str | tuple[PairSet, ...] = Field(
        EMBEDDED, description="embedded, 一个 .jsonl(.gz) 路径, 或若干句对集 (embedded, one path, or several sets)"
    )
    max_pairs: int = Field(5000, ge=0, description="每个句对集最多评测的句对数, 按散列选取; 0 不评测")
    questions: tuple[QuestionSet, ...] = Field((), description="选择题与完形填空 (multiple choice and cloze)")
    max_questions: int = Field(1000, ge=1, description="每个题集最多评测的题数, 按散列选取")
    lm_eval: LmEvalConfig | None = Field(None, description="另由 lm-eval 评测的任务; 空则不评测 (tasks for lm-eval)")
    prompts: tuple[str, ...] = Field(("今天", "第一条", "春"), description="生成样例的开头")
    sample_tokens: int = Field(80, ge=1, le=4096, description="每个样例生成的词元数")
    free_samples: int = Field(
        32, ge=0, le=10_000, description="无开头的样本数, 用于多样性, 重复与逐字重合; 0 不做 (samples without a prompt)"
    )
    free_tokens: int = Field(160, ge=1, le=4096, description="每个这样的样本, 每次续写的词元数 (tokens of each)")
    probes: int = Field(
        32,
        ge=0,
        le=10_000,
        description="取多少篇训练文档的开头让模型续写, 看是否背出; 0 不做 (training texts to go on)",
    )
    probe_tokens: int = Field(32, ge=1, le=2048, description="给模型看的开头, 词元 (tokens of each that are given)")
    min_verbatim_chars: int = Field(
        30, ge=1, description="逐字重合达到此字数才计入占比 (characters from which a verbatim run counts)"
    )
    baseline_chars: int = Field(
        20_000_000, ge=1000, description="字符基线模型最多学习的字数, 每百万字约 60 MB 内存 (learned by the baselines)"
    )
    speed: bool = Field(True, description="测量吞吐, 延迟与内存; 不进入评分内容 (speed, latency, memory)")
    temperature: float = Field(0.8, gt=0, le=10, description="采样温度")
    top_p: float = Field(0.95, gt=0, le=1, description="核采样概率")
    seed: int = Field(1, ge=0, description="随机种子")

    @model_validator(mode="after")
    def _names_differ(self) -> AssessConfig:
        for kind, given in (("minimal_pairs", self.pair_sets), ("questions", self.questions)):
            names = [one.name for one in given]
            twice = sorted({n for n in names if names.count(n) > 1})
            if twice:
                raise ValueError(f"{kind}: names must differ: {', '.join(twice)}")
        return self

    @property
    def pair_sets(self) -> tuple[PairSet, ...]:
        """The sets of minimal pairs; one path by itself is the set `pairs`."""
        if not self.max_pairs:
            return ()
        if isinstance(self.minimal_pairs, str):
            name = EMBEDDED if self.minimal_pairs == EMBEDDED else "pairs"
            return (PairSet(name=name, path=self.minimal_pairs),) if self.minimal_pairs else ()
        return self.minimal_pairs
