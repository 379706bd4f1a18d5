"""Sentences of running text, by their offsets."""

from __future__ import annotations

import re

from degraders.text.document import Unit

_END = re.compile(r"[.!?][\"')\]”’*_]*(?=[ \n]+[A-Z`*_\"'(\[\x00“‘])")
_SPACE = re.compile(r"\s*")
_ABBREVIATION = re.compile(r"(?:\b(?:e\.g|i\.e|etc|vs|cf|approx|Fig|No|Dr|St)|\b[A-Z])\.$")


def sentences(unit: Unit, start: int, end: int) -> list[tuple[int, int]]:
    """The sentences of the running text in [start, end), a paragraph: from first character to last mark."""
    mask = unit.doc.body
    found: list[tuple[int, int]] = []
    at = start
    for match in _END.finditer(mask, start, end):
        if not _ABBREVIATION.search(mask, max(at, match.start() - 6), match.start() + 1):
            found.append((at, match.end()))
            at = _SPACE.match(unit.doc.text, match.end(), end).end()  # type: ignore[union-attr]
    if at < end:
        found.append((at, end))
    return found
