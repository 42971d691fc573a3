"""The one pydantic base of every config and handle: frozen, strict about unknown keys, documented per field."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Model(BaseModel):
    """Immutable, refuses unknown keys, keeps attribute docs out of the value."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)
