"""Shared parts of the HTML pages: templates, filters, and texts in which every character is visible.

A page is one file that loads nothing else. Its policy allows its own script and no other. The style sheet draws numbers
and signs, so a reader who copies a text gets the text alone.
"""

from __future__ import annotations

import base64
import hashlib
import html
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from importlib import resources

from degraders.taxonomy import FAMILIES

SHORT = 24
"""A span of up to this many characters displays every space if its error is in the white space."""

EXCERPT = 90
"""The number of characters of a span that an excerpt displays."""

_SLOT = re.compile(r"\{\{(\w+)\}\}")
_SCRIPT = re.compile(r"<script>(.*?)</script>", re.DOTALL)
_WHITE = re.compile(r"\s+")
_EVERY_SPACE = r"[ \t\n]"
_ODD_SPACES = r"(?m:\t|\n|^ +| +$| {2,})"
_INVISIBLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\xa0\xad\u061c\u180e\u2000-\u200f\u2028-\u202f\u205f-\u2064\u2066-\u2069\ufeff]"
)
_JOINER = "(?<![\u2600-\u27bf\ufe0f\U0001f000-\U0001faff])\u200d"  # except where it joins two emoji
_NAMES = {
    "\0": "NUL",
    "\r": "CR",
    "\xa0": "NBSP",
    "\xad": "SHY",
    "\u200b": "ZWSP",
    "\u200c": "ZWNJ",
    "\u200d": "ZWJ",
    "\u200e": "LRM",
    "\u200f": "RLM",
    "\u202f": "NNBSP",
    "\u2060": "WJ",
    "\ufeff": "BOM",
}
_CLASSES = {" ": "s", "\t": "t", "\n": "n"}
_UNWRITABLE = re.compile("[\0\ud800-\udfff]")  # not allowed in HTML: NUL and unpaired surrogates


def fill_template(name: str, values: Mapping[str, str]) -> str:
    """Return a template of the data folder, with its slots filled and the shared style and filter script added."""
    data = resources.files("degraders").joinpath("data/pages")
    template, style, script = (
        data.joinpath(part).read_text(encoding="utf-8").rstrip("\n") for part in (name, "page.css", "page.js")
    )
    # The filter is part of the page's script, and the policy holds a digest of the whole script.
    template = template.replace("{{filter}}", script) + "\n"
    slots = {**values, "style": style, "script_digest": _script_digest(template)}
    return _SLOT.sub(lambda slot: slots[slot[1]], template)


def _script_digest(template: str) -> str:
    """Return the digest of the page's script, by which its policy allows this script and no other."""
    script = _SCRIPT.search(template)
    digest = hashlib.sha256(script[1].encode() if script else b"").digest()
    return "sha256-" + base64.b64encode(digest).decode("ascii")


def facts_list(pairs: Sequence[tuple[str, str]]) -> str:
    """Return name and value pairs as the list of a header."""
    items = "".join(f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>" for name, value in pairs)
    return f'<dl class="facts">{items}</dl>'


def order_families(families: Iterable[str]) -> list[str]:
    """Return the families of the taxonomy, then any others, sorted."""
    return [*FAMILIES, *sorted(set(families) - set(FAMILIES))]


def family_chip(family: str, count: int) -> str:
    """Return the button that filters the page by a family."""
    name, off = escape(family), "" if count else " disabled"
    return (
        f'<button type="button" class="chip {family_class(family)}" data-family="{name}" aria-pressed="false"{off}>'
        f'<span class="swatch"></span>{name} <small>{count}</small></button>'
    )


def family_chips(families: Counter[str]) -> str:
    """Return the filter buttons of all families, with their counts."""
    return "\n".join(family_chip(family, families[family]) for family in order_families(families))


def select_option(value: str, count: int, name: str = "") -> str:
    return f'<option value="{escape(value)}">{escape(name or value)} ({count})</option>'


def render_trail(context: str) -> str:
    """Return the trail of headings above a text as HTML."""
    return "<i>&rsaquo;</i>".join(escape(part) for part in context.split(" > ") if part)


def invisible_pattern(text: str, other: str, *always: str) -> re.Pattern[str] | None:
    """Return a pattern of the characters of `text` that need a visible sign, or None if there are none.

    White space needs one if the two sides differ in nothing else; any other invisible character if the sides have
    different numbers of it. `always` are patterns of characters that always need one.
    """
    kinds = [*always]
    if _WHITE.sub("", text) == _WHITE.sub("", other):
        kinds.append(_EVERY_SPACE if len(text) <= SHORT else _ODD_SPACES)
    unequal = sorted({char for char in _INVISIBLE.findall(text) if text.count(char) != other.count(char)})
    kinds += [_JOINER if char == "\u200d" else re.escape(char) for char in unequal]
    return re.compile("|".join(kinds)) if kinds else None


def render_text(text: str, start: int, end: int, invisible: re.Pattern[str] | None) -> str:
    """Return `text[start:end]` as HTML with a visible sign at each match of `invisible`."""
    if invisible is None:
        return escape(text[start:end])
    parts = []
    at = start
    for match in invisible.finditer(text, start, end):
        parts += [escape(text[at : match.start()]), *map(_sign, match[0])]
        at = match.end()
    parts.append(escape(text[at:end]))
    return "".join(parts)


def _sign(char: str) -> str:
    if char in _CLASSES:
        return f'<i class="{_CLASSES[char]}">{char}</i>'
    return f'<i class="v" data-c="{_NAMES.get(char, f"U+{ord(char):04X}")}">{escape(char)}</i>'


def family_class(family: str) -> str:
    return f"f-{family}" if family in FAMILIES else "f-other"


def escape(value: object) -> str:
    """Return `value` as safe HTML that keeps every character, for elements and quoted attributes."""
    text = html.escape(str(value)).replace("\r", "&#13;")
    return _UNWRITABLE.sub("\ufffd", text)


def excerpt(tag: str, text: str, other: str) -> str:
    """Return one side of an error on one line, cut around the point where it begins to differ from the other."""
    if not text:
        return f'<{tag} class="nil">nothing</{tag}>'
    start = 0
    if len(text) > EXCERPT:
        shared = next((at for at, (a, b) in enumerate(zip(text, other, strict=False)) if a != b), len(other))
        start = max(0, min(shared - EXCERPT // 4, len(text) - EXCERPT))
    end = min(len(text), start + EXCERPT)
    content = render_text(text, start, end, invisible_pattern(text, other, "\n")).replace("\n", " ")
    return f"<{tag}>{'…' if start else ''}{content}{'…' if end < len(text) else ''}</{tag}>"
