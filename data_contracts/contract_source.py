"""契约文件 a contract file: YAML that keeps the line of every key, held against the ODCS v3.1 JSON schema.

Both the JSON schema and the model come from `open-data-contract-standard`. The schema refuses misspelled keys, which
the model's inner classes would swallow.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from jsonschema import Draft201909Validator
from open_data_contract_standard.model import OpenDataContractStandard

from data_contracts.errors import ContractError

API_VERSION = "v3.1.0"
MESSAGE_CHARS = 400  # of a JSON schema error, which repeats the whole value
Key = str | int


class ContractSource(NamedTuple):
    """A contract file that was read: its model, and where each key stands in the text."""

    path: Path
    text: str
    tree: yaml.Node
    contract: OpenDataContractStandard

    @property
    def digest(self) -> str:
        """SHA-256 of the text, hex: part of the key of every verdict."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    def error(self, keys: Sequence[Key], problem: str) -> ContractError:
        """An error that names the file, the line and the key."""
        return ContractError(f"{self.path}:{_line(self.tree, keys)}: {_dotted(keys)}: {problem}")


def read(path: Path) -> ContractSource:
    """Read and validate one `.odcs.yaml` file; ContractError names the file, line and key of what is wrong."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as err:
        raise ContractError(f"{path}: contract cannot be read: {err}") from err
    try:
        tree, raw = yaml.compose(text, Loader=yaml.SafeLoader), yaml.safe_load(text)
    except yaml.YAMLError as err:
        raise ContractError(f"{path}: not YAML: {err}") from err
    if tree is None or not isinstance(raw, dict):
        raise ContractError(f"{path}: empty, or not a mapping; see data_contracts/README.md for the form")
    for i, j in _untyped(raw):  # the JSON schema would complain about the `map` that any missing type might be
        keys: list[Key] = ["schema", i, "properties", j]
        raise ContractError(f"{path}:{_line(tree, keys)}: {_dotted(keys)}: `logicalType` is missing")
    wrong = list(_validator().iter_errors(raw))
    if wrong:
        keys, problem = _worst(wrong)
        raise ContractError(f"{path}:{_line(tree, keys)}: {_dotted(keys)}: {problem}")
    source = ContractSource(path, text, tree, OpenDataContractStandard.model_validate(raw))
    if source.contract.apiVersion != API_VERSION:
        raise source.error(["apiVersion"], f"must be {API_VERSION}, is {source.contract.apiVersion}")
    return source


@cache
def _validator() -> Any:
    schema = resources.files("open_data_contract_standard").joinpath("schema.json").read_text(encoding="utf-8")
    return Draft201909Validator(json.loads(schema))


def _line(node: yaml.Node, keys: Sequence[Key]) -> int:
    """Line of the deepest of `keys` that the text has, counted from 1."""
    line: int = node.start_mark.line
    for key in keys:
        if isinstance(node, yaml.MappingNode):
            found = [(k, v) for k, v in node.value if k.value == str(key)]
            if not found:
                break
            line, node = found[0][0].start_mark.line, found[0][1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(key, int) and key < len(node.value):
            node = node.value[key]
            line = node.start_mark.line
        else:
            break
    return line + 1


def _dotted(keys: Sequence[Key]) -> str:
    """`schema[0].properties[2].name`."""
    text = "".join(f"[{k}]" if isinstance(k, int) else f".{k}" for k in keys)
    return text.lstrip(".") or "(whole file)"


def _untyped(raw: dict[Any, Any]) -> list[tuple[int, int]]:
    """Indices of schema objects and their properties that state no logicalType."""
    objects = raw.get("schema")
    found = []
    for i, one in enumerate(objects if isinstance(objects, list) else []):
        properties = one.get("properties") if isinstance(one, dict) else None
        for j, prop in enumerate(properties if isinstance(properties, list) else []):
            if isinstance(prop, dict) and "logicalType" not in prop:
                found.append((i, j))
    return found


def _worst(errors: list[Any]) -> tuple[list[Key], str]:
    """Keys and message of the most telling error: the deepest, and a fault rather than the "unevaluated" it causes."""
    error = max(errors, key=lambda e: (e.validator != "unevaluatedProperties", len(e.absolute_path)))
    message = error.message if len(error.message) <= MESSAGE_CHARS else f"{error.message[:MESSAGE_CHARS]}…"
    if error.validator == "oneOf":
        wanted = [key for one in error.validator_value for key in one.get("required", [])]
        message = f"wants exactly one of {', '.join(wanted)}" if wanted else message
    return list(error.absolute_path), message
