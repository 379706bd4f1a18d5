"""Edits of a text: applying them, undoing them, and finding them by alignment.

An edit counts in offsets of the good text. Applying disjoint edits gives the bad text and, in the same pass, the place
of every edit in it. So error spans are exact by construction: replacing each by its `good` restores the good text.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import NamedTuple

from rapidfuzz.distance import Levenshtein

TOKEN = re.compile(r"\w+|\s+|[^\w\s]")


@dataclass(frozen=True, slots=True)
class Edit:
    """Replaces [start, end) of the good text by `text`; offsets in characters."""

    start: int
    end: int
    text: str

    def __post_init__(self) -> None:
        if not 0 <= self.start <= self.end:
            raise ValueError(f"an edit runs from {self.start} to {self.end}")


class AppliedEdit(NamedTuple):
    """An edit with its place in the bad text, in characters and white-space tokens, and in the good text."""

    start: int
    end: int
    token_start: int
    token_end: int
    good_start: int
    good_end: int
    bad: str
    good: str


def apply(
    good: str, edits: Sequence[Edit], *, base: int = 0, shape: bytes | None = None
) -> tuple[str, list[AppliedEdit]]:
    """Apply edits, which are in order and disjoint, to the good text; return the bad text and the applied edits.

    `base` is the offset of `good` in the text that the edits count in; `shape` is `token_shape(good)`, if the caller
    has it already. The token range of an edit holds the white-space tokens of the bad text that it overlaps. An edit
    without width has the token around it, or between two tokens the empty range before the second.
    """
    good_shape = token_shape(good) if shape is None else shape
    pieces: list[str] = []
    shapes: list[bytes] = []
    at = 0
    for edit in edits:
        start = edit.start - base
        pieces += good[at:start], edit.text
        shapes += good_shape[at:start], token_shape(edit.text)
        at = edit.end - base
    bad = "".join([*pieces, good[at:]])
    bad_shape = b" " + b"".join([*shapes, good_shape[at:]])
    applied: list[AppliedEdit] = []
    counted = tokens = shift = 0
    for edit in edits:
        text, good_start, good_end = edit.text, edit.start - base, edit.end - base
        start = good_start + shift
        end = start + len(text)
        # A token begins where an x follows a space; one space is put before the text.
        tokens += bad_shape.count(b" x", counted, start + 1)
        first = tokens - (bad_shape[start : start + 2] == b"xx")
        tokens += bad_shape.count(b" x", start, end + 1)
        applied.append(
            AppliedEdit(
                start=start,
                end=end,
                token_start=first,
                token_end=max(tokens, first),
                good_start=good_start,
                good_end=good_end,
                bad=text,
                good=good[good_start:good_end],
            )
        )
        counted, shift = end, end - good_end
    return bad, applied


def restore(bad: str, repairs: Iterable[tuple[int, int, str]]) -> str:
    """The bad text with each range [start, end) replaced by its good text; ranges are ordered and disjoint."""
    pieces: list[str] = []
    at = 0
    for start, end, good in repairs:
        pieces += bad[at:start], good
        at = end
    return "".join([*pieces, bad[at:]])


_SHAPES = bytes(ord(" " if chr(code).isspace() else "x") for code in range(256))
_WIDE_SPACES = [char for char in map(chr, range(256, 0x3001)) if char.isspace()]


def token_shape(text: str) -> bytes:
    """One byte for each character of a text: a space for white space, an x for anything else."""
    if not text.isascii() and any(map(text.__contains__, _WIDE_SPACES)):
        text = re.sub(r"\s", " ", text)
    return text.encode("latin-1", "replace").translate(_SHAPES)


def align(good: str, bad: str) -> list[Edit]:
    """The edits that turn the good text into the bad one, by a token-level Levenshtein alignment.

    Neighbouring changes with only white space between them become one edit.
    """
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
    """The start of each token, and the end of the last one, in characters."""
    return list(accumulate(map(len, tokens), initial=0))
