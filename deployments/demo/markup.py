"""标记 markup: the small markup of the text archives -> HTML, in the manners of the real web."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape


def blocks(text: str) -> Iterator[tuple[str, list[str]]]:
    """Split into blocks: (`h2` | `h3` | `ul` | `pre` | `p`, lines). Code keeps its blank lines and indents."""
    kind, lines = "", list[str]()
    for line in text.split("\n"):
        if line.startswith("```"):
            if kind == "pre":
                yield kind, lines
                kind, lines = "", []
                continue
            if lines:
                yield kind, lines
            kind, lines = "pre", []
        elif kind == "pre":
            lines.append(line)
        elif line.startswith("#"):
            if lines:
                yield kind, lines
            yield ("h3" if line.startswith("###") else "h2"), [line.lstrip("# ")]
            kind, lines = "", []
        else:
            now = ("ul" if line.startswith("- ") else "p") if line else ""
            if lines and now != kind:
                yield kind, lines
                lines = []
            kind = now
            if line:
                lines.append(line.removeprefix("- ") if now == "ul" else line)
    if lines:
        yield kind, lines


def to_html(text: str) -> str:
    """Headings, paragraphs, lists and code; lines inside a paragraph (verse) are parted by <br>."""
    out = []
    for kind, lines in blocks(text):
        safe = [escape(line, quote=False) for line in lines]
        if kind == "ul":
            out.append("<ul>\n" + "\n".join(f"<li>{line}</li>" for line in safe) + "\n</ul>")
        elif kind == "pre":
            out.append("<pre><code>" + "\n".join(safe) + "</code></pre>")
        elif kind == "p":
            out.append("<p>" + "<br>\n".join(safe) + "</p>")
        else:
            out.append(f"<{kind}>{safe[0]}</{kind}>")
    return "\n".join(out)


def to_old_html(text: str) -> str:
    """The same without structure, as pages of 2003 were made: two full-width blanks, <br><br>, <b> for headings."""
    out = []
    for kind, lines in blocks(text):
        safe = [escape(line, quote=False) for line in lines]
        body = "<br>\n".join(safe)
        out.append(f"<b>{body}</b>" if kind in ("h2", "h3") else f"&nbsp;&nbsp;&nbsp;&nbsp;{body}")
    return "<br><br>\n".join(out)
