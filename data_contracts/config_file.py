"""配置文件 config file: YAML -> EverythingConfig, or one ConfigError that names every fault with its line.

    cfg = load("demo.yaml", overrides=["pretrain.strategy=ddp", "sources.0.max_pages=5"])

Paths written in the file are relative to the file; paths given by --set are relative to the working folder, as in a
shell. Values are read strictly: `workers: true` and `min_chars: "7"` are wrong types, and so are .inf and .nan.
`${ENV}` is not replaced.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, SequenceNode
from ruamel.yaml.reader import ReaderError

from data_contracts.config import EverythingConfig
from data_contracts.config_faults import Key, dotted, explain, shown
from data_contracts.errors import ConfigError

_MAX_NODES = 100_000  # aliases can unfold without end; no honest config comes near this
_MERGE = "tag:yaml.org,2002:merge"
_HARNESS: Key = ("assess", "lm_eval", "path")
FOLDERS: tuple[Key, ...] = (("vocab", "folder"), ("pretrain", "model", "folder"))


def load(path: str | Path, overrides: Sequence[str] = ()) -> EverythingConfig:
    """Read and check a config file; ConfigError lists every fault at once (key, file:line, value, what is allowed)."""
    file = Path(path)
    document = _Document(file, _read(file))
    document.resolve_paths(file.resolve().parent)
    for text in overrides:
        document.override(text)
    document.refuse_infinite()
    try:
        return EverythingConfig.model_validate_json(json.dumps(document.data, default=str), strict=True)
    except ValidationError as error:
        faults = explain(error, document.place)
        raise ConfigError(_headline(file, len(faults)) + "".join(f"\n  {fault}" for fault in faults)) from None


def _headline(file: Path, count: int) -> str:
    return (
        f"{file}: {count} 处错误, 什么都没有启动 ({count} {'fault' if count == 1 else 'faults'}, nothing was started)"
    )


def _read(file: Path) -> str:
    try:
        return file.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        raise ConfigError(f"{file}: 没有这个配置文件 no such config file; known ones: deployments/configs") from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"{file}: 不是 UTF-8 not UTF-8 at byte {error.start}; save the file as UTF-8") from None
    except OSError as error:
        raise ConfigError(f"{file}: 无法读取 cannot be read: {error.strerror}") from None


def _yaml() -> YAML:
    return YAML(typ="safe", pure=True)  # YAML 1.2: `no` stays a word, 1e-3 is a number


class _Document:
    """The plain data of a YAML file, and where each key of it was written."""

    def __init__(self, file: Path, text: str) -> None:
        self._file = file
        self._places: dict[Key, str] = {(): str(file)}
        self._nodes = 0
        self._twice: list[str] = []
        try:
            root = _yaml().compose(text)
            if not isinstance(root, MappingNode):
                raise ConfigError(f"{file}: 不是映射 not a mapping of keys; at least `sources` is needed")
            self._note(root, ())
            if self._twice:
                raise ConfigError(_headline(file, len(self._twice)) + "".join(f"\n  {t}" for t in self._twice))
            self.data: dict[str, object] = json.loads(json.dumps(_yaml().load(text), default=str))
        except MarkedYAMLError as error:
            raise ConfigError(self._syntax(error)) from None
        except ReaderError as error:
            line = text.count("\n", 0, error.position) + 1
            raise ConfigError(f"{file}:{line}: 不允许的字符 character that YAML forbids: {error.character!r}") from None
        except (YAMLError, RecursionError, ValueError, TypeError) as error:
            raise ConfigError(f"{file}: 无法解析 cannot be parsed: {error}") from None

    def _syntax(self, error: MarkedYAMLError) -> str:
        mark = error.problem_mark or error.context_mark
        line = f":{mark.line + 1}:{mark.column + 1}" if mark else ""
        problem = ", ".join(str(part) for part in (error.context, error.problem) if part)
        return f"{self._file}{line}: YAML 语法错误 syntax error: {problem}"

    def _note(self, node: Node, key: Key) -> None:
        self._nodes += 1
        if self._nodes > _MAX_NODES:
            raise ConfigError(f"{self._file}: 别名展开过大 more than {_MAX_NODES} values; use fewer aliases")
        if isinstance(node, SequenceNode):
            for index, item in enumerate(node.value):
                self._places[*key, index] = self._line(item)
                self._note(item, (*key, index))
        elif isinstance(node, MappingNode):
            self._note_mapping(node, key)

    def _note_mapping(self, node: MappingNode, key: Key) -> None:
        for merge in (value for name, value in node.value if name.tag == _MERGE):
            for each in merge.value if isinstance(merge, SequenceNode) else [merge]:
                self._note(each, key)
        seen: dict[str, str] = {}
        for name, value in ((n, v) for n, v in node.value if n.tag != _MERGE):
            inner, line = (*key, str(name.value)), self._line(name)
            if name.value in seen:
                first = seen[name.value]
                self._twice.append(f"{line}: {dotted(inner)}: 重复的键 written twice, first at {first}; remove one")
            seen.setdefault(str(name.value), line)
            self._places[inner] = line
            self._note(value, inner)

    def _line(self, node: Node) -> str:
        return f"{self._file}:{node.start_mark.line + 1}"

    def place(self, key: Key) -> str:
        """Where `key` was written, or the nearest key around it: "file:line" or the text of a --set."""
        while key not in self._places:
            key = key[:-1]
        return self._places[key]

    def override(self, text: str) -> None:
        """Apply one "a.b.0.c=value"; sections that are missing are made, list items must exist."""
        name, sign, raw = text.partition("=")
        where = f"--set {text}"
        key: Key = tuple(int(part) if part.isdecimal() else part for part in name.strip().split("."))
        if not sign or "" in key:
            raise ConfigError(f"{where}: 写作 write key=value, for example --set pretrain.strategy=ddp")
        try:
            value = json.loads(json.dumps(_yaml().load(raw), default=str))
        except (YAMLError, ValueError, TypeError, RecursionError) as error:
            problem = getattr(error, "problem", None) or error
            raise ConfigError(f"{where}: 值不是 YAML value is not YAML: {problem}") from None
        self._put(key, _absolute(key, value, Path.cwd()), where)

    def _put(self, key: Key, value: object, where: str) -> None:
        at: Any = self.data
        for depth, part in enumerate(key):
            step: Any = str(part) if isinstance(at, dict) else part
            in_list = isinstance(at, list) and isinstance(part, int) and part < len(at)
            if not (isinstance(at, dict) or in_list):
                raise ConfigError(f"{where}: {_no_step(key[:depth], part, at)}")
            if depth == len(key) - 1:
                at[step] = value
            elif isinstance(at, dict) and at.get(step) is None:
                at[step] = {}
            at = at[step]
        self._places = {k: v for k, v in self._places.items() if k[: len(key)] != key}
        self._places[key] = where

    def resolve_paths(self, folder: Path) -> None:
        """Make paths of sources, benchmarks, contracts and pairs absolute; other types are left to the check."""
        keys: list[Key] = [("gate", "corpus"), ("gate", "blocks"), ("assess", "minimal_pairs"), _HARNESS, ("store",)]
        keys += [*FOLDERS, *(key for key, _ in _values(self.data) if _is_path(key))]
        for key in keys:
            *parents, name = key
            at: Any = self.data
            for part in parents:
                at = at[part] if isinstance(at, list) and isinstance(part, int) else _get(at, part)
            if _holds(at, name):
                at[name] = _absolute(key, at[name], folder)

    def refuse_infinite(self) -> None:
        """ConfigError when a number is infinite or not a number: no setting means that."""
        for key, value in _values(self.data):
            if isinstance(value, float) and not math.isfinite(value):
                raise ConfigError(f"{self.place(key)}: {dotted(key)} = {value}: 不是有限的数 not a finite number")


def _values(data: object) -> Iterator[tuple[Key, object]]:
    """Every value in nested mappings and lists, with its key."""
    stack: list[tuple[Key, object]] = [((), data)]
    while stack:
        key, value = stack.pop()
        yield key, value
        if isinstance(value, dict):
            stack += [((*key, name), inner) for name, inner in value.items()]
        elif isinstance(value, list):
            stack += [((*key, index), inner) for index, inner in enumerate(value)]


def _is_path(key: Key) -> bool:
    """Whether a key is the path of a source (sources.0.path, score.quality.wanted.0.path) or of a dictionary."""
    of_source = len(key) >= 3 and key[-1] == "path" and isinstance(key[-2], int)
    return of_source or key == _HARNESS or (len(key) == 3 and key[:2] == ("segment", "dictionaries"))


def _get(at: object, part: str | int) -> object:
    return at.get(part) if isinstance(at, dict) else None


def _holds(at: object, name: str | int) -> bool:
    return name in at if isinstance(at, dict) else isinstance(at, list) and isinstance(name, int)


def _no_step(key: Key, part: str | int, at: object) -> str:
    if isinstance(at, list):
        return f"{dotted(key)} 只有 has {len(at)} items, numbered from 0; {part!r} is not one of them"
    return f"{dotted(key)} = {shown(at)}: 没有下级键 is a value and has no key {part!r}"


def _absolute(key: Key, value: object, folder: Path) -> object:
    """`value` as an absolute path when `key` holds a path; names such as "corpus" or "embedded" stay."""
    if key == ("segment", "dictionaries") and isinstance(value, list):
        return [_absolute((*key, i), one, folder) for i, one in enumerate(value)]
    if not isinstance(value, str) or not value or (key[:2] == ("assess", "minimal_pairs") and value == "embedded"):
        return value
    may_be_name = key[0] in ("gate", "assess") and key[-1] in ("corpus", "blocks", "minimal_pairs")
    is_file = may_be_name and ("/" in value or value.endswith((".yaml", ".jsonl", ".gz")))
    if is_file or _is_path(key) or key == ("store",) or key in FOLDERS:
        return str(folder / Path(value).expanduser())
    return value
