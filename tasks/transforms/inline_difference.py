"""行内差别 where two texts part, short enough for one line: `…前文[-旧-]{+新+}后文…`."""

from __future__ import annotations

from difflib import SequenceMatcher

_WINDOW = 400  # characters that are compared one by one; the comparison is quadratic
_GAP = 3  # equal characters between two changes that are shown as one


def inline(before: str, after: str, chars: int = 120, context: int = 12) -> str:
    """The first differences between two texts on one line of about `chars` characters; "" for equal texts."""
    if before == after:
        return ""
    same = _common(before, after)
    start = max(0, same - context)
    old, new = before[same:], after[same:]
    tail = _common(old[::-1], new[::-1])
    old, new = old[: len(old) - tail], new[: len(new) - tail]
    rest = before[same + len(old) :]
    shown = ("…" if start else "") + before[start:same] + _marked(old[:_WINDOW], new[:_WINDOW])
    if len(old) <= _WINDOW and len(new) <= _WINDOW:
        shown += rest[:context] + ("…" if len(rest) > context else "")
    shown = shown.replace("\r", "␍").replace("\n", "⏎")
    return shown if len(shown) <= chars else shown[: chars - 1] + "…"


def _common(a: str, b: str) -> int:
    """Length of the longest common beginning, by halving: equal stretches are compared at the speed of memcmp."""
    low, high = 0, min(len(a), len(b))
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if a[low:middle] == b[low:middle] else (low, middle - 1)
    return low


def _marked(old: str, new: str) -> str:
    """Both texts in one, `[-gone-]` and `{+come+}`; small equal stretches between changes are part of them."""
    parts: list[list[str]] = []  # [equal, gone, come]
    for kind, a, b, c, d in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if kind == "equal" and (not parts or b - a > _GAP):
            parts.append([old[a:b], "", ""])
        else:
            if not parts:
                parts.append(["", "", ""])
            parts[-1][1] += old[a:b]
            parts[-1][2] += new[c:d]
    return "".join(
        equal + (f"[-{gone}-]" if gone else "") + (f"{{+{come}+}}" if come else "") for equal, gone, come in parts
    )
