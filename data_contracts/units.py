"""单位 units: durations of training, sizes, and numbers for people."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, PlainSerializer, WithJsonSchema

from data_contracts.model import Model

Unit = Literal["tokens", "steps", "epochs", "minutes"]
_SCALE = {"": 1, "K": 10**3, "M": 10**6, "B": 10**9, "T": 10**12}
_DURATION = re.compile(r"\s*([0-9]+(?:\.[0-9]+)?)\s*([KMBT]?)\s*(tokens?|steps?|epochs?|minutes?)\s*")
_SIZE = re.compile(r"\s*([0-9]+(?:\.[0-9]+)?)\s*(B|KB|MB|GB|KiB|MiB|GiB)\s*")
_BYTES = {"B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}


class Duration(Model):
    """How long to train: an amount and its unit, never a bare number."""

    amount: float = Field(gt=0)
    unit: Unit

    @classmethod
    def parse(cls, text: object) -> Duration:
        """Read "2M tokens", "500 steps", "1 epoch" or "20 minutes"; ValueError otherwise."""
        if isinstance(text, cls):
            return text
        if isinstance(text, dict):
            return cls.model_validate(text)
        found = _DURATION.fullmatch(str(text))
        if not found:
            raise ValueError(f'not a duration: {text!r}; write "2M tokens", "500 steps", "1 epoch" or "20 minutes"')
        amount, scale, unit = found.groups()
        return cls(amount=float(amount) * _SCALE[scale], unit=unit.rstrip("s") + "s")

    def __str__(self) -> str:
        """The form that `parse` reads."""
        return f"{self.amount:.15g} {self.unit}"


def _size(value: object) -> object:
    if isinstance(value, str):
        found = _SIZE.fullmatch(value)
        if not found:
            raise ValueError(f'not a size: {value!r}; write "5 MB" or "2 GiB"')
        return int(float(found[1]) * _BYTES[found[2]])
    return value


DurationField = Annotated[
    Duration,
    BeforeValidator(Duration.parse),
    PlainSerializer(str, return_type=str),
    WithJsonSchema({"type": "string", "pattern": f"^{_DURATION.pattern}$"}),  # what a form asks for
]
Bytes = Annotated[int, BeforeValidator(_size), Field(ge=1)]


def human(number: float) -> str:
    """1234567 -> "1.23M"; three significant digits."""
    for scale, sign in ((10**12, "T"), (10**9, "B"), (10**6, "M"), (10**3, "K")):
        if abs(number) >= scale:
            return f"{number / scale:.3g}{sign}"
    return f"{number:.3g}"
