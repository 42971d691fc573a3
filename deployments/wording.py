"""用语 wording: command output is Chinese with English beside; `--lang en` leaves the English."""

from __future__ import annotations

_language = "zh"


def speak(language: str) -> None:
    """Choose "zh" (Chinese with English beside) or "en"."""
    global _language
    _language = language


def both(zh: str, en: str, between: str = " ") -> str:
    """A phrase in the reader's language."""
    return en if _language == "en" else f"{zh}{between}{en}"


def language() -> str:
    """The reader's language."""
    return _language
