"""配置错误 config faults: pydantic's errors -> lines that say what, where, and what is allowed."""

from __future__ import annotations

import difflib
import json
import types
from collections.abc import Callable, Iterator
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt, MaxLen, MinLen
from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from data_contracts.config import EverythingConfig

Key = tuple[str | int, ...]
Place = Callable[[Key], str]
_SHOWN = 60  # characters of a wrong value that a message repeats
_TYPES = {
    "int_type": "整数 a whole number",
    "int_from_float": "整数 a whole number",
    "float_type": "数 a number",
    "string_type": "文字 text",
    "bool_type": "true 或 or false",
    "tuple_type": "列表 a list",
    "model_type": "一组键 keys and values",
    "model_attributes_type": "一组键 keys and values",
}


def dotted(key: Key) -> str:
    """("sources", 0, "path") -> "sources.0.path", the form that --set reads."""
    return ".".join(str(part) for part in key) or "(the file)"


def shown(value: object) -> str:
    """A value as it is written in the file, shortened."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "…"


def explain(error: ValidationError, place: Place) -> list[str]:
    """One line per fault; a list whose items are wrong is not said to be empty as well."""
    errors = error.errors(include_url=False)
    return [_line(e, place) for e in errors if e["type"] != "too_short" or not e["input"]]


def _line(details: ErrorDetails, place: Place) -> str:
    key, parent, field = _locate(details["loc"])
    kind, context = details["type"], details.get("ctx", {})
    if kind == "extra_forbidden":
        return f"{place(key)}: {dotted(key)}: 未知的键 unknown key; {_suggest(str(key[-1]), parent)}"
    if kind == "missing":
        around = dotted(key[:-1]) if key[:-1] else place(())
        return f"{place(key[:-1])}: {dotted(key)}: 缺少必需的键 required key is missing in {around}{_about(field)}"
    if kind == "union_tag_not_found":
        key = (*key, str(context["discriminator"]).strip("'"))
        return f"{place(key)}: {dotted(key)}: 缺少必需的键 required key is missing; allowed: {_kinds(field)}"
    if kind == "union_tag_invalid":
        key = (*key, str(context["discriminator"]).strip("'"))
        tags = context["expected_tags"]
        return f"{place(key)}: {dotted(key)} = {context['tag']!r}: 不可用 not one of them; allowed: {tags}"
    value = "" if isinstance(details["input"], dict) else f" = {shown(details['input'])}"
    return f"{place(key)}: {dotted(key)}{value}: {_problem(details)}{_allowed(details, field)}{_about(field)}"


def _problem(details: ErrorDetails) -> str:
    if details["input"] is None:
        return f"空值 nothing is written here; expected {_TYPES.get(details['type'], 'a value')}"
    if details["type"] in _TYPES:
        return f"类型不对 wrong type; expected {_TYPES[details['type']]}"
    if details["type"] in ("greater_than", "greater_than_equal", "less_than", "less_than_equal"):
        return "超出范围 out of range"
    message = details["msg"].removeprefix("Value error, ").removeprefix("Input ")
    return f"不可用 {message}"


def _locate(loc: tuple[int | str, ...]) -> tuple[Key, type[BaseModel] | None, FieldInfo | None]:
    """The key of an error (without the union tags pydantic puts in), the model around it, and its field if known."""
    key: list[int | str] = []
    at: Any = EverythingConfig
    parent: type[BaseModel] | None = None
    field: FieldInfo | None = None
    for part in loc:
        options = list(_options(at))
        tagged = [o for o in options if isinstance(part, str) and _tag(o) == part]
        model = next((o for o in options if isinstance(o, type) and issubclass(o, BaseModel)), None)
        if len(options) > 1 and tagged:
            at = tagged[0]
        elif model and isinstance(part, str):
            key.append(part)
            parent, field = model, model.model_fields.get(part)
            at = field.annotation if field else None
        else:
            key.append(part)
            at = next((get_args(o)[0] for o in options if get_args(o)), None)
    return tuple(key), parent, field


def _options(annotation: Any) -> Iterator[Any]:
    """The members of a union without None, or the annotation itself; Annotated is unwrapped."""
    if get_origin(annotation) is Annotated:
        yield from _options(get_args(annotation)[0])
    elif get_origin(annotation) in (Union, types.UnionType):
        for member in get_args(annotation):
            yield from _options(member)
    elif annotation is not types.NoneType:
        yield annotation


def _tag(model: Any) -> object:
    field = model.model_fields.get("kind") if isinstance(model, type) and issubclass(model, BaseModel) else None
    return field.default if field else None


def _suggest(name: str, parent: type[BaseModel] | None) -> str:
    allowed = list(parent.model_fields) if parent else []
    close = difflib.get_close_matches(name.replace("-", "_").lower(), allowed, n=1, cutoff=0.6)
    if close:
        return f"是不是 did you mean {close[0]}? allowed: {', '.join(allowed)}"
    homes = [
        section or "the top level"
        for section, model in sections()
        if name in model.model_fields and model is not parent
    ]
    hint = f"它属于 it belongs in {' or '.join(homes)}; " if homes else ""
    return f"{hint}allowed: {', '.join(allowed)}"


def sections() -> Iterator[tuple[str, type[BaseModel]]]:
    """Every model of the config with its dotted key; "" is the top level."""
    stack: list[tuple[str, type[BaseModel]]] = [("", EverythingConfig)]
    while stack:
        name, model = stack.pop(0)
        yield name, model
        for key, field in model.model_fields.items():
            inner = key if model is EverythingConfig else f"{name}.{key}"
            for option in _options(field.annotation):
                members = _options(get_args(option)[0]) if get_origin(option) is tuple else [option]
                stack += [(inner, m) for m in members if isinstance(m, type) and issubclass(m, BaseModel)]


def _kinds(field: FieldInfo | None) -> str:
    members = _options(get_args(field.annotation)[0]) if field and get_args(field.annotation) else ()
    return ", ".join(repr(_tag(member)) for member in members)


def _allowed(details: ErrorDetails, field: FieldInfo | None) -> str:
    """The range or the choices of the field, where the message does not say them already."""
    if details["type"] == "literal_error" and isinstance(details["input"], int | float):
        choices = [c for o in _options(field.annotation if field else None) for c in get_args(o) or ()]
        return f'; 加引号 write "{details["input"]}" in quotes' if str(details["input"]) in choices else ""
    if field is None or details["type"] == "value_error":
        return ""
    if any(get_origin(option) is Literal for option in _options(field.annotation)):
        choices = [c for option in _options(field.annotation) for c in get_args(option)]
        return "" if details["type"] == "literal_error" else f"; allowed: {', '.join(map(repr, choices))}"
    bounds = " and ".join(filter(None, (_bound(m) for m in field.metadata)))
    return f"; 允许 allowed: {bounds}" if bounds else ""


def _bound(constraint: object) -> str:
    signs = ((Ge, ">=", "ge"), (Gt, ">", "gt"), (Le, "<=", "le"), (Lt, "<", "lt"))
    for kind, sign, name in signs:
        if isinstance(constraint, kind):
            return f"{sign} {getattr(constraint, name)}"
    if isinstance(constraint, MinLen):
        return f"at least {constraint.min_length} long"
    if isinstance(constraint, MaxLen):
        return f"at most {constraint.max_length} long"
    pattern = getattr(constraint, "pattern", None)
    return f"pattern {pattern}" if pattern else ""


def _about(field: FieldInfo | None) -> str:
    return f" — {field.description}" if field is not None and field.description else ""
