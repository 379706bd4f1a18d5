"""Edits of a text and the error spans they leave: apply, locate, align.

An edit is made against the good text; applying disjoint edits gives the bad text and, in the same pass, where every
error stands in it. So spans are exact by construction: putting each span's `good` back restores the good text.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import NamedTuple

from rapidfuzz.distance import Levenshtein

TOKEN = re.compile(r"\w+|\s+|[^\w\s]")


@dataclass(frozen=True, slots=True)
class Edit:
    """Replace [start, end) of the good text by `text`; offsets in characters."""

    start: int
    end: int
    text: str

    def __post_init__(self) -> None:
        if not 0 <= self.start <= self.end:
            raise ValueError(f"an edit runs from {self.start} to {self.end}")


class Located(NamedTuple):
    """An applied edit: its place in the bad text in characters and white-space tokens, and in the good text."""

    start: int
    end: int
    token_start: int
    token_end: int
    good_start: int
    good_end: int
    bad: str
    good: str


def apply(good: str, edits: Sequence[Edit], *, base: int = 0) -> tuple[str, list[Located]]:
    """Apply edits, in order and disjoint, to the good text: the bad text and where each edit stands in it.

    `base` is the offset of `good` in the text that the edits count in. Token offsets count the white-space tokens of
    the bad text that a span overlaps; a span without width inside a token has that token, one between two tokens the
    empty range before the second.
    """
    pieces: list[str] = []
    at = 0
    for edit in edits:
        pieces += good[at : edit.start - base], edit.text
        at = edit.end - base
    pieces.append(good[at:])
    bad = "".join(pieces)
    located: list[Located] = []
    counted = tokens = shift = 0
    for edit in edits:
        text, good_start, good_end = edit.text, edit.start - base, edit.end - base
        start = good_start + shift
        end = start + len(text)
        tokens += _new_tokens(bad, counted, start)
        first = tokens - _splits_token(bad, start)
        tokens += _new_tokens(bad, start, end)
        last = max(tokens, first)
        located.append(Located(start, end, first, last, good_start, good_end, text, good[good_start:good_end]))
        counted, shift = end, end - good_end
    return bad, located


def _new_tokens(text: str, start: int, end: int) -> int:
    """How many white-space tokens begin in [start, end)."""
    if start == end:
        return 0
    return len(text[start:end].split()) - _splits_token(text, start)


def _splits_token(text: str, at: int) -> bool:
    return 0 < at < len(text) and not text[at - 1].isspace() and not text[at].isspace()


def align(good: str, bad: str) -> list[Edit]:
    """The edits that turn the good text into the bad one: a token-level Levenshtein alignment, with changes that
    only white space parts joined into one."""
    good_tokens, bad_tokens = TOKEN.findall(good), TOKEN.findall(bad)
    good_at, bad_at = offsets(good_tokens), offsets(bad_tokens)
    edits: list[Edit] = []
    for op in Levenshtein.opcodes(good_tokens, bad_tokens):
        if op.tag == "equal":
            continue
        start, end = good_at[op.src_start], good_at[op.src_end]
        text = bad[bad_at[op.dest_start] : bad_at[op.dest_end]]
        if edits and not good[edits[-1].end : start].strip():
            last = edits.pop()
            text = last.text + good[last.end : start] + text
            start = last.start
        edits.append(Edit(start, end, text))
    return edits


def offsets(tokens: Sequence[str]) -> list[int]:
    """Where each token begins, and where the last one ends, in characters."""
    return list(accumulate(map(len, tokens), initial=0))
