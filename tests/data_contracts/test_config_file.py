"""Config files: every fault is named with its key, its line, and what is allowed; nothing is guessed."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from data_contracts.config import EverythingConfig
from data_contracts.config_faults import sections
from data_contracts.config_file import load
from data_contracts.errors import ConfigError

SOURCES = """sources:
  - kind: jsonl
    name: news
    licence: CC0-1.0
    path: news.jsonl
"""


@pytest.fixture
def write(tmp_path):
    def _write(text: str) -> Path:
        file = tmp_path / "a.yaml"
        file.write_text(text, encoding="utf-8")
        return file

    return _write


def fault(file: Path, *overrides: str) -> str:
    with pytest.raises(ConfigError) as caught:
        load(file, overrides)
    assert caught.value.exit_code == 2
    return str(caught.value)


def test_a_minimal_file_gives_the_defaults(write, tmp_path):
    cfg = load(write(SOURCES))
    assert cfg.sources[0].name == "news"
    assert cfg.clean == EverythingConfig.model_fields["clean"].get_default(call_default_factory=True)


def test_units_scientific_numbers_and_anchors_are_read(write):
    text = SOURCES + (
        "ingest: &limits {max_unreadable_ratio: 1e-3}\n"
        "extract: {<<: *limits, max_page_bytes: 5 MB}\n"
        "pretrain: {duration: 2M tokens, compile: false, optimizer: {learning_rate: 1}}\n"
    )
    cfg = load(write(text))
    assert cfg.extract.max_page_bytes == 5_000_000
    assert cfg.extract.max_unreadable_ratio == 0.001
    assert (cfg.pretrain.duration.amount, cfg.pretrain.optimizer.learning_rate) == (2e6, 1.0)


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("clean: {min_char: 1}", 6, ["clean.min_char", "unknown key", "did you mean min_chars?", "max_chars"]),
        ("clean:\n  min-han-ratios: 1", 7, ["did you mean min_han_ratio?"]),
        ("claen: {}", 6, ["claen", "did you mean clean?"]),
        ("min_han_ratio: 1", 6, ["it belongs in clean"]),
        ("pretrain: {max_pages: 5}", 6, ["it belongs in sources"]),
        ("clean:\n  min_han_ratio: 1.5", 7, ["clean.min_han_ratio = 1.5", "out of range", ">= 0 and <= 1"]),
        ("vocab: {size: 12}", 6, ["vocab.size = 12", ">= 300 and <= 1000000"]),
        ("vocab: {size: 512.5}", 6, ["vocab.size = 512.5", "a whole number"]),
        ("workers: true", 6, ["workers = true", "wrong type", "a whole number"]),
        ('workers: "7"', 6, ['workers = "7"', "wrong type"]),
        ("clean: {languages: zh}", 6, ['clean.languages = "zh"', "a list"]),
        ("clean: {to_simplified: 1}", 6, ["clean.to_simplified = 1", "true"]),
        ("clean:", 6, ["clean = null", "nothing is written here"]),
        ("clean: 5", 6, ["clean = 5", "keys and values"]),
        (
            "pretrain: {strategy: dpp}",
            6,
            [
                'pretrain.strategy = "dpp"',
                "'auto', 'ddp', 'fsdp', 'tp', 'deepspeed_stage_1', 'deepspeed' or 'deepspeed_stage_3'",
            ],
        ),
        ("pretrain: {precision: 32}", 6, ["pretrain.precision = 32", 'write "32" in quotes']),
        ("pretrain: {duration: 500}", 6, ["pretrain.duration = 500", "500 steps"]),
        ("ingest: {shard_bytes: 5 mb}", 6, ['ingest.shard_bytes = "5 mb"', "5 MB"]),
        ("pretrain: {model: {width: 100}}", 6, ["pretrain.model", "width 100 is not a multiple of heads 6"]),
        ("pretrain: {optimizer: {learning_rate: .inf}}", 6, ["learning_rate = inf", "not a finite number"]),
        ("clean: {min_han_ratio: .nan}", 6, ["clean.min_han_ratio = nan", "not a finite number"]),
        ("  - {kind: s3, name: a, licence: x}", 6, ["sources.1.kind = 's3'", "'crawl', 'warc', 'jsonl'"]),
        ("  - {name: a, licence: x}", 6, ["sources.1.kind", "required", "'crawl', 'warc', 'jsonl'"]),
        ("  - {kind: jsonl, name: a, licence: x, pth: b}", 6, ["sources.1.pth", "did you mean path?"]),
        ("  - {kind: jsonl, name: a, licence: x}", 6, ["sources.1.path", "required key is missing"]),
        ("  - {kind: jsonl, name: A B, licence: x, path: a}", 6, ['sources.1.name = "A B"', "^[a-z0-9]"]),
        ("  - {kind: jsonl, name: news, licence: x, path: a}", None, ["source names must differ: news"]),
        (
            "score: {quality: {wanted: [{kind: text, name: a, licence: x, path: b}]}}",
            None,
            ["both `wanted` and `unwanted`"],
        ),
        (
            "score: {spam: {harmful: [{kind: jsn}]}}",
            6,
            ["score.spam.harmful.0.kind = 'jsn'", "'jsonl', 'parquet', 'text', 'dataset'"],
        ),
        ("score: {spam: {harmful: [{kind: text, pth: b}]}}", 6, ["score.spam.harmful.0.pth", "did you mean path?"]),
        ("score: {spam: {max_score: 2}}", 6, ["score.spam.max_score = 2", ">= 0 and <= 1"]),
        ("clean: {}\nclean: {}", 7, ["clean", "written twice", ":6"]),
        ("clean:\n  min_chars: 1\n  max_chars: 9\n  min_chars: 2", 9, ["clean.min_chars", "written twice", ":7"]),
        ("clean: [1\nvocab: 2", 7, ["syntax error", "expected ',' or ']'"]),
        ("clean:\n\tmin_chars: 2", 7, ["syntax error", "\\t"]),
        ("clean: *nothing", 6, ["undefined alias 'nothing'"]),
        ("clean: !!python/object:os.system {}", 6, ["python/object"]),
        ("---\nworkers: 1", 6, ["another document"]),
        ("clean: '\x00'", 6, ["character that YAML forbids"]),
        ("clean: &a [*a]", None, ["cannot be parsed"]),
        ("store: ${HOME}/x\nworkers: ${N}", 7, ['workers = "${N}"']),
    ],
)
def test_a_fault_is_named_with_its_line(write, text, line, words):
    file = write(SOURCES + text + "\n")
    message = fault(file)
    for word in words:
        assert word in message
    if line:
        assert f"{file}:{line}" in message


def test_all_faults_are_listed_at_once(write):
    message = fault(write(SOURCES + "workers: -1\nclean: {min_char: 1}\nvocab: {size: 1}\n"), "encode.block_tokens=1")
    assert "4 faults" in message
    for key in ("workers = -1", "clean.min_char", "vocab.size = 1", "--set encode.block_tokens=1"):
        assert key in message


def test_an_empty_list_of_sources_is_refused(write):
    assert "sources = []" in fault(write("sources: []\n"))


@pytest.mark.parametrize("text", ["", "# nothing\n", "- a\n", "text\n"])
def test_a_file_that_is_no_mapping_is_refused(write, text):
    assert "not a mapping" in fault(write(text))


def test_files_that_cannot_be_read_are_refused(tmp_path):
    assert "no such config file" in fault(tmp_path / "missing.yaml")
    assert "cannot be read" in fault(tmp_path)
    (tmp_path / "gbk.yaml").write_bytes("名称: 新闻".encode("gbk"))
    assert "not UTF-8" in fault(tmp_path / "gbk.yaml")


def test_aliases_that_unfold_without_end_are_refused(write):
    lines = ["a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 9)]
    assert "use fewer aliases" in fault(write("\n".join(lines)))


def test_paths_of_the_file_are_relative_to_it_and_paths_of_set_to_the_working_folder(write, tmp_path, monkeypatch):
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    text = SOURCES + "gate: {corpus: mine.odcs.yaml, blocks: blocks}\nassess: {minimal_pairs: pairs.jsonl}\n"
    cfg = load(write(text))
    assert cfg.sources[0].path == str(tmp_path / "news.jsonl")
    assert (cfg.gate.corpus, cfg.gate.blocks) == (str(tmp_path / "mine.odcs.yaml"), "blocks")
    assert cfg.assess.minimal_pairs == str(tmp_path / "pairs.jsonl")
    cfg = load(write(text), ["sources.0.path=b.jsonl", "store=s", "assess.minimal_pairs=embedded"])
    assert (cfg.sources[0].path, cfg.store) == (str(here / "b.jsonl"), str(here / "s"))
    assert cfg.assess.minimal_pairs == "embedded"
    assert load(write(text.replace("news.jsonl", "/abs/*.jsonl"))).sources[0].path == "/abs/*.jsonl"
    words = load(write(text + "segment: {dictionaries: [mine.txt, /abs/b.txt], words: [云计算 5]}\n")).segment
    assert (words.dictionaries, words.words) == ((str(tmp_path / "mine.txt"), "/abs/b.txt"), ("云计算 5",))
    text += "vocab: {folder: base}\npretrain: {model: {folder: base}}\n"
    assert load(write(text)).vocab.folder == load(write(text)).pretrain.model.folder == str(tmp_path / "base")
    assert load(write(text), ["vocab.folder=base"]).vocab.folder == str(here / "base")
    assert load(write(text), ["segment.dictionaries=[c.txt]"]).segment.dictionaries == (str(here / "c.txt"),)


def test_paths_of_what_a_model_is_asked_are_paths(write, tmp_path):
    pairs = "[{name: own, path: embedded}, {name: climp, path: eval/climp.jsonl}]"
    questions, tasks = "[{name: c3, path: eval/c3.jsonl}]", "{path: eval/tasks, tasks: [mine]}"
    file = write(SOURCES + f"assess: {{minimal_pairs: {pairs}, questions: {questions}, lm_eval: {tasks}}}\n")
    assess = load(file).assess
    assert [one.path for one in assess.pair_sets] == ["embedded", str(tmp_path / "eval/climp.jsonl")]
    assert assess.questions[0].path == str(tmp_path / "eval/c3.jsonl")
    assert assess.lm_eval.path == str(tmp_path / "eval/tasks")


def test_paths_of_examples_are_paths(write, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path.parent)
    example = "[{kind: text, name: a, licence: x, path: b}]"
    file = write(SOURCES + f"score: {{quality: {{wanted: {example}, unwanted: {example}}}}}\n")
    cfg = load(file, ["score.quality.unwanted.0.path=c"])
    assert cfg.score.quality.wanted[0].path == str(tmp_path / "b")
    assert cfg.score.quality.unwanted[0].path == str(tmp_path.parent / "c")


def test_overrides_change_values_and_make_missing_sections(write):
    cfg = load(
        write(SOURCES + "clean:\n"),
        ["pretrain.strategy=ddp", "pretrain.model.layers=2", "clean.min_chars=7", "clean.languages=[zh, ja]"],
    )
    assert (cfg.pretrain.strategy, cfg.pretrain.model.layers) == ("ddp", 2)
    assert (cfg.clean.min_chars, cfg.clean.languages) == (7, ("zh", "ja"))
    cfg = load(write(SOURCES), ["sources.0.name=other", "pretrain.duration=500 steps", "name=a-b"])
    assert (cfg.sources[0].name, str(cfg.pretrain.duration), cfg.name) == ("other", "500 steps", "a-b")


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("clean.min_char=1", ["unknown key", "did you mean min_chars?"]),
        ("clean.min_han_ratio=2", ["out of range", ">= 0 and <= 1"]),
        ("sources.3.path=a", ["has 1 items", "3"]),
        ("sources.name=a", ["'name' is not one of them"]),
        ("workers.a=1", ["workers", "no key 'a'"]),
        ("workers", ["write key=value"]),
        ("=1", ["write key=value"]),
        ("clean..min_chars=1", ["write key=value"]),
        ("clean.languages=[zh", ["value is not YAML"]),
        ("clean.min_chars=", ["nothing is written here"]),
        ("clean.min_chars=many", ['"many"', "wrong type"]),
    ],
)
def test_a_faulty_override_is_named_by_its_text(write, override, words):
    message = fault(write(SOURCES + "workers: 1\n"), override)
    assert f"--set {override}" in message
    for word in words:
        assert word in message


def _leaves(key: str, model: type[BaseModel]) -> list[tuple[str, str]]:
    return [(key, name) for name in model.model_fields]


_LISTS = (
    "sources",
    "benchmarks",
    "pretrain.mixed_in",
)  # whose keys stand in an item, as those of every example of score do
_KEYS = [
    leaf
    for key, model in sections()
    if key and not key.startswith(_LISTS) and "kind" not in model.model_fields
    for leaf in _leaves(key, model)
]


@given(st.sampled_from(_KEYS), st.data())
def test_a_misspelled_key_is_always_refused_with_its_right_spelling(tmp_path_factory, key_and_name, data):
    key, name = key_and_name
    cut = data.draw(st.integers(1, len(name) - 1)) if len(name) > 4 else len(name)
    wrong = name[:cut] + "q" + name[cut:]
    file = tmp_path_factory.mktemp("config") / "a.yaml"
    file.write_text(SOURCES, encoding="utf-8")
    message = fault(file, f"{key}.{wrong}=1")
    assert f"{key}.{wrong}: " in message
    assert f"did you mean {name}?" in message


@given(st.text(max_size=200))
def test_any_text_gives_a_config_or_a_config_error(tmp_path_factory, text):
    file = tmp_path_factory.mktemp("config") / "a.yaml"
    file.write_text(SOURCES + text, encoding="utf-8", errors="replace")
    try:
        outcome = f"{file}" if load(file).sources else "no sources"
    except ConfigError as error:
        outcome = str(error)
    assert str(file) in outcome
