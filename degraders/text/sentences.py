"""Division of running text into sentences."""

from __future__ import annotations

import re

from degraders.text.document import Unit

_END = re.compile(r"[.!?][\"')\]”’*_]*(?=[ \n]+[A-Z`*_\"'(\[\x00“‘])")
_SPACE = re.compile(r"\s*")
_ABBREVIATION = re.compile(r"(?:\b(?:e\.g|i\.e|etc|vs|cf|approx|Fig|No|Dr|St)|\b[A-Z])\.$")


def sentences(unit: Unit, start: int, end: int) -> list[tuple[int, int]]:
    """The ranges of the sentences of a paragraph [start, end), each from its first character to its end mark."""
    mask = unit.doc.body
    ranges: list[tuple[int, int]] = []
    at = start
    for match in _END.finditer(mask, start, end):
        if not _ABBREVIATION.search(mask, max(at, match.start() - 6), match.start() + 1):
            ranges.append((at, match.end()))
            at = _SPACE.match(unit.doc.text, match.end(), end).end()  # type: ignore[union-attr]
    if at < end:
        ranges.append((at, end))
    return ranges
