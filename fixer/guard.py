"""The guard: an answer that looks unsafe is not let through; the input stands in its place.

One answer in a hundred that runs away or rewrites a code block costs more than the rest repairs. What is checked here
needs neither the model nor the good text, so the same guard serves evaluation and daily use.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from rapidfuzz.distance import LCSseq, Levenshtein

from degraders.text.parse import parse

NO_END = "no end"
EMPTY = "empty"
LENGTH = "length"
CHANGED = "too much changed"
TOUCHED = "protected"
BROKEN = "broken"

_STRICT = frozenset({"code", "code_span", "url", "target", "front_matter", "html", "math"})
_INVENTED = frozenset({"code", "url", "target"})
_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^\s()<>\[\]`\"']*[^\s()<>\[\]`\"'.,;:!?*_]")
_BRACKETS = re.compile(r"[()\[\]]+")
_FENCE = re.compile(r"\s*(```|~~~)")


@dataclass(frozen=True)
class Limits:
    """How far an answer may go.

    `shortest` and `longest` are lengths as shares of the input's; `changed` is the share of its characters that may
    differ (edit distance / length). Short texts get `slack` characters in both, for there a word is a large share.
    """

    shortest: float = 0.85
    longest: float = 1.15
    changed: float = 0.20
    slack: int = 24


def guard(text: str, answer: str, *, format: str, ended: bool, limits: Limits | None = None) -> str:
    """Why an answer to `text` is refused, one of the words above; "" if it may stand."""
    limits = limits or Limits()
    if not ended:
        return NO_END
    if answer == text:
        return ""
    if not answer.strip():
        return EMPTY
    if not _fits(len(text), len(answer), limits):
        return LENGTH
    allowed = max(limits.slack, int(limits.changed * len(text)))
    if Levenshtein.distance(text, answer, score_cutoff=allowed) > allowed:
        return CHANGED
    return "" if keeps_protected(text, answer, format) else TOUCHED


def _fits(before: int, after: int, limits: Limits) -> bool:
    least = min(limits.shortest * before, before - limits.slack)
    most = max(limits.longest * before, before + limits.slack)
    return least <= after <= most


def keeps_protected(text: str, answer: str, format: str) -> bool:
    """Whether all protected text of the input stands in the answer, and no code or address has come in.

    The contents count, not the markup around them: a fence may be closed, a link or a code span be put right.
    """
    here, there = _pieces(text, format), _pieces(answer, format)
    lost, new = here - there, there - here
    return all(_stands(piece, kind, answer, here[kind, piece]) for kind, piece in lost) and all(
        _stands(piece, kind, text, there[kind, piece]) for kind, piece in new if kind in _INVENTED
    )


def _pieces(text: str, format: str) -> Counter[tuple[str, str]]:
    """The contents of the protected regions (kind, content), without what only marks them."""
    document = parse(text, format=format)
    return Counter(
        ("url" if kind == "target" else kind, piece)
        for start, end, kind in document.protected
        if kind in _STRICT
        for piece in _contents(text[start:end], kind)
    )


def _contents(piece: str, kind: str) -> Iterable[str]:
    if kind in ("url", "target", "code_span") and (addresses := _ADDRESS.findall(piece)):
        return list(addresses)
    if kind == "target":
        piece = piece.strip(" \t\r\n()<>[]:_`")
    elif kind == "code_span" and not piece.startswith("`"):
        return _names(piece)
    elif kind == "code_span":
        piece = piece.strip("` \t\r\n")
    elif kind == "code":
        piece = "\n".join(_code_lines(piece))
    return [piece] if piece else []


def _names(piece: str) -> list[str]:
    """The names in what looks like one: a broken link and a heading without its space look so too."""
    parts = (part.lstrip("#'\"") for part in _BRACKETS.split(piece))
    return [part for part in parts if any(letter.isalnum() for letter in part)]


def _code_lines(text: str) -> list[str]:
    return [line.rstrip("\r") for line in text.split("\n") if line.strip() and not _FENCE.match(line)]


def _stands(piece: str, kind: str, text: str, times: int) -> bool:
    """Whether a piece stands in the text at least so often, whatever the text around it now makes of it."""
    if kind == "code":
        lines = piece.split("\n")
        return LCSseq.similarity(lines, _code_lines(text)) == len(lines)
    if kind == "code_span":
        piece, text = piece.replace("`", ""), text.replace("`", "")
    whole = re.compile(rf"(?<![\w/]){re.escape(piece)}(?![\w/]|[.-]\w)")
    return sum(1 for _ in whole.finditer(text)) >= times
