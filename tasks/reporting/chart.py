"""图表 chart: what all pictures of a report share: colours, axes, and drawing to SVG and PNG.

In the page the browser draws the text with the fonts of its machine, so SVG may hold Chinese anywhere. A PNG is drawn
here: where no font on this machine has Chinese characters, its labels keep only their English half. A label that would
show empty boxes is never drawn.
"""

from __future__ import annotations

import base64
import re
import struct
import zlib
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import altair as alt
import vl_convert as vlc

# Blue and orange of Okabe and Ito (2008): told apart with any colour vision, and in grey.
KEPT, REFUSED, QUIET = "#3a7ca5", "#d9822b", "#9aa5ad"
INK, GRID = "#22282c", "#dfe3e6"  # the page's style sheet replaces these two in dark mode
FONT = "Noto Sans CJK SC, PingFang SC, Microsoft YaHei, sans-serif"
WIDTH, HALF = 720, 340  # of a whole picture, labels included
ROOM = 1.18  # an axis is this much longer than its longest bar
PNG_CHARS = 100_000  # a picture lies in Prefect's database, in base64
_NOT_LATIN = re.compile(r"[^\x20-\x7e·…≥≤%°→]+")

Say = Callable[[str], str]


def chinese(text: str) -> str:
    """A label as it is."""
    return text


def latin(text: str) -> str:
    """The English half of a label in two languages; a dash for one that has none."""
    return " ".join(_NOT_LATIN.sub(" ", text).split()) or "-"


def drawn(rows: Sequence[dict[str, Any]]) -> Any:
    """A chart of rows that stand in it."""
    return alt.Chart(alt.InlineData(values=list(rows)))


def named(field: str, order: list[str]) -> Any:
    """The y channel of horizontal bars and dots: their names, in this order."""
    return alt.Y(f"{field}:N", sort=order, title=None, axis=alt.Axis(labelLimit=330, ticks=False, domain=False))


def amount(field: str, title: str, most: float) -> Any:
    """The x channel of horizontal bars, with room at the right for their labels."""
    scale = alt.Scale(domain=[0, most * ROOM or 1], nice=False)
    return alt.X(f"{field}:Q", title=title, scale=scale, axis=alt.Axis(tickCount=5, format=",~r"))


def styled(chart: Any, width: int = WIDTH) -> Any:
    """A chart in the colours, letters and width of the page."""
    fit = alt.AutoSizeParams(type="fit", contains="padding")
    text = {"labelColor": INK, "titleColor": INK, "labelFontSize": 12, "titleFontSize": 12, "titleFontWeight": "normal"}
    lines = {"gridColor": GRID, "domainColor": GRID, "tickColor": GRID}
    return (
        chart.properties(width=width, autosize=fit)
        .configure(font=FONT, background="transparent", padding=4)
        .configure_view(stroke=None)
        .configure_axis(**text, **lines)
        .configure_legend(labelColor=INK, labelFontSize=12, symbolType="stroke")
        .configure_title(color=INK, fontSize=13, fontWeight="normal", anchor="start")
        .configure_text(fontSize=12)
    )


def svg(chart: Any) -> str:
    """A chart as an SVG element to stand inside a page: no namespaces, no address of any kind."""
    drawn: str = vlc.vegalite_to_svg(chart.to_dict())
    return re.sub(r'\s(?:xmlns(?::\w+)?)="[^"]*"', "", drawn)


def svg_file(chart: Any) -> str:
    """A chart as an SVG file of its own, on white."""
    spec = chart.to_dict()
    spec["config"]["background"] = "white"
    drawn: str = vlc.vegalite_to_svg(spec)
    return drawn


def png(chart: Any) -> str:
    """A chart as a PNG in a data URI, on white, as sharp as PNG_CHARS allow."""
    spec = chart.to_dict()
    spec["config"]["background"] = "white"
    for scale in (1.5, 1.0, 0.75):
        drawn = base64.b64encode(_packed(vlc.vegalite_to_png(spec, scale=scale))).decode()
        if len(drawn) <= PNG_CHARS:
            break
    return f"data:image/png;base64,{drawn}"


def _packed(image: bytes) -> bytes:
    """A PNG with its pixels compressed well: vl-convert compresses for speed, which doubles the size."""
    at, kept, pixels = len(_SIGNATURE), [], b""
    while at < len(image):
        (size,), kind = struct.unpack(">I", image[at : at + 4]), image[at + 4 : at + 8]
        content = image[at + 8 : at + 8 + size]
        if kind == b"IDAT":
            pixels += content
        elif kind in (b"IHDR", b"PLTE", b"tRNS"):
            kept.append((kind, content))
        at += 12 + size
    chunks = [*kept, (b"IDAT", zlib.compress(zlib.decompress(pixels), 9)), (b"IEND", b"")]
    return _SIGNATURE + b"".join(
        struct.pack(">I", len(c)) + kind + c + struct.pack(">I", zlib.crc32(kind + c)) for kind, c in chunks
    )


_SIGNATURE = b"\x89PNG\r\n\x1a\n"


@cache
def can_draw_chinese() -> bool:
    """Whether a font of this machine has Chinese: two characters without one are drawn alike."""
    one, other = (vlc.svg_to_png(_SAMPLE.format(character)) for character in "中国")
    return bool(one != other)


_SAMPLE = (
    '<svg xmlns="http://www.w3.org/2000/svg" width="40" height="40">'
    f'<text x="4" y="30" font-size="24" font-family="{FONT}">{{}}</text></svg>'
)
