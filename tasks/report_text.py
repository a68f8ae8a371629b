"""How the report writes text that a model wrote, and numbers that may be undefined.

Decides that what a reader sees is what is there: control characters, lone surrogates and the bidirectional overrides that can
make source read differently from what runs are spelled out. Refuses to print an undefined number as zero.
"""

from __future__ import annotations

import json
import math
import re

from markupsafe import Markup

UNDEFINED = "undefined"
MAX_LINES = 120
MAX_CHARS = 6_000
MAX_LABEL = 80
_HIDDEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufffe\uffff\ud800-\udfff]")
_IN_SCRIPT = {ord(c): f"\\u{ord(c):04x}" for c in "<>&\u2028\u2029"}


def visible(text: str) -> str:
    r"""Text with every hidden character spelled ``⟨U+202E⟩``; newlines and tabs stay. Never raises, encodes as UTF-8."""
    return _HIDDEN.sub(lambda m: f"⟨U+{ord(m.group()):04X}⟩", text.replace("\r\n", "\n"))


def finalize(value: object) -> object:
    """What the template puts in place of an expression: visible text; Markup is ours and stays as it is."""
    return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def label(text: str, limit: int = MAX_LABEL) -> str:
    """A name short enough for a table or an axis, on one line."""
    shown = visible(" ".join(text.split()) or "(blank)")
    return shown if len(shown) <= limit else shown[: limit - 1] + "…"


def plot_label(text: str, limit: int = MAX_LABEL) -> str:
    """``label`` for plotly, which reads a few HTML tags (links too) in every string that it draws."""
    return label(text, limit).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def clip(text: str) -> tuple[str, str]:
    """(what is shown, a note about what is not, or ""): at most MAX_LINES lines and MAX_CHARS characters."""
    lines = text[:MAX_CHARS].splitlines()
    shown = "\n".join(lines[:MAX_LINES])
    hidden = len(text) - len(shown)
    cut = len(text) > MAX_CHARS or len(lines) > MAX_LINES
    return shown, f"{hidden:,} of {len(text):,} characters are not shown" if cut else ""


def percent(value: float) -> str:
    """A share as ``37.2 %``; ``undefined`` for NaN; a share that is not zero never reads as zero."""
    if math.isnan(value):
        return UNDEFINED
    return "< 0.1\u00a0%" if 0 < value < 0.0005 else f"{100 * value:z.1f}\u00a0%"


def points(value: float) -> str:
    """A difference of shares in points, with its sign; ``undefined`` for NaN."""
    if math.isnan(value):
        return UNDEFINED
    shown = f"{100 * value:+.1f}"
    return "0.0" if float(shown) == 0 else shown.replace("-", "\u2212")


def points_between(lo: float, hi: float) -> str:
    """``[+1.1, +8.7]``; ``undefined`` when a bound is."""
    return UNDEFINED if math.isnan(lo) or math.isnan(hi) else f"[{points(lo)}, {points(hi)}]"


def number(value: float) -> str:
    """A count or a measure; ``undefined`` for NaN."""
    if math.isnan(value):
        return UNDEFINED
    return f"{value:z,.0f}" if value == round(value) else f"{value:z.4g}"


def interval(lo: float, hi: float) -> str:
    """``[30.1, 44.2]`` in percent; ``undefined`` when a bound is."""
    return UNDEFINED if math.isnan(lo) or math.isnan(hi) else f"[{100 * lo:z.1f}, {100 * hi:z.1f}]"


def script_json(value: object) -> Markup:
    """JSON that can stand inside ``<script>``: ASCII only, no ``<``, ``>`` or ``&``. Raises ValueError for NaN."""
    return Markup(json.dumps(value, separators=(",", ":"), allow_nan=False).translate(_IN_SCRIPT))
