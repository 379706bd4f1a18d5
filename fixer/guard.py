"""The guard: it rejects answers that look unsafe, and the input is used instead.

One answer in a hundred that runs away or rewrites a code block costs more than the others repair. The checks here need
neither the model nor the good text, so the same guard serves evaluation and daily use.
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
PROTECTED = "protected"
BROKEN = "broken"

_GUARDED_KINDS = frozenset({"code", "code_span", "url", "target", "front_matter", "html", "math"})
_NEVER_NEW = frozenset({"code", "url", "target"})
_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^\s()<>\[\]`\"']*[^\s()<>\[\]`\"'.,;:!?*_]")
_BRACKETS = re.compile(r"[()\[\]]+")
_FENCE = re.compile(r"\s*(```|~~~)")


@dataclass(frozen=True)
class Limits:
    """How far an answer may differ from its text.

    `min_length` and `max_length` are shares of the text's length; `max_change` is the share of its characters that may
    change (edit distance / length). `slack` characters are always allowed in all three, because one word is a large
    share of a short text.
    """

    min_length: float = 0.85
    max_length: float = 1.15
    max_change: float = 0.20
    slack: int = 24

    def __post_init__(self) -> None:
        if not 0 <= self.min_length <= 1 <= self.max_length:
            raise ValueError(
                f"lengths from {self.min_length} to {self.max_length} of the text's exclude its own length"
            )
        if self.max_change < 0 or self.slack < 0:
            raise ValueError(f"max_change is {self.max_change} and slack {self.slack}; neither may be negative")


def guard(text: str, answer: str, *, format: str, ended: bool, limits: Limits | None = None) -> str:
    """The reason to reject an answer to `text`, one of the constants above; empty if the answer is accepted."""
    limits = limits or Limits()
    if not ended:
        return NO_END
    if answer == text:
        return ""
    if not answer.strip():
        return EMPTY
    if not _length_fits(len(text), len(answer), limits):
        return LENGTH
    max_distance = max(limits.slack, int(limits.max_change * len(text)))
    if Levenshtein.distance(text, answer, score_cutoff=max_distance) > max_distance:
        return CHANGED
    return "" if keeps_protected(text, answer, format) else PROTECTED


def _length_fits(before: int, after: int, limits: Limits) -> bool:
    least = min(limits.min_length * before, before - limits.slack)
    most = max(limits.max_length * before, before + limits.slack)
    return least <= after <= most


def keeps_protected(text: str, answer: str, format: str) -> bool:
    """Whether all protected content of the text occurs in the answer, and the answer adds no code and no address.

    Only contents are compared, not their markup: closing a fence, or repairing a link or a code span, is allowed.
    """
    before, after = _protected_contents(text, format), _protected_contents(answer, format)
    missing, new = before - after, after - before
    return all(_occurs(content, kind, answer, before[kind, content]) for kind, content in missing) and all(
        _occurs(content, kind, text, after[kind, content]) for kind, content in new if kind in _NEVER_NEW
    )


def _protected_contents(text: str, format: str) -> Counter[tuple[str, str]]:
    """How often each (kind, content) occurs in the protected regions, without the markup around contents."""
    document = parse(text, format=format)
    return Counter(
        ("url" if kind == "target" else kind, content)
        for start, end, kind in document.protected
        if kind in _GUARDED_KINDS
        for content in _contents(text[start:end], kind)
    )


def _contents(region: str, kind: str) -> Iterable[str]:
    """The contents of a protected region."""
    if kind in ("url", "target", "code_span") and (addresses := _ADDRESS.findall(region)):
        return list(addresses)
    if kind == "target":
        region = region.strip(" \t\r\n()<>[]:_`")
    elif kind == "code_span" and not region.startswith("`"):
        return _names(region)
    elif kind == "code_span":
        region = region.strip("` \t\r\n")
    elif kind == "code":
        region = "\n".join(_code_lines(region))
    return [region] if region else []


def _names(region: str) -> list[str]:
    """The parts of a region that looks like a name; a broken link and a heading without its space look like one too."""
    parts = (part.lstrip("#'\"") for part in _BRACKETS.split(region))
    return [part for part in parts if any(letter.isalnum() for letter in part)]


def _code_lines(text: str) -> list[str]:
    return [line.rstrip("\r") for line in text.split("\n") if line.strip() and not _FENCE.match(line)]


def _occurs(content: str, kind: str, text: str, times: int) -> bool:
    """Whether a content occurs in the text at least this often, whatever markup is around it."""
    if kind == "code":
        lines = content.split("\n")
        return LCSseq.similarity(lines, _code_lines(text)) == len(lines)
    if kind == "code_span":
        content, text = content.replace("`", ""), text.replace("`", "")
    whole = re.compile(rf"(?<![\w/]){re.escape(content)}(?![\w/]|[.-]\w)")
    return sum(1 for _ in whole.finditer(text)) >= times
