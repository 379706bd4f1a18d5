"""Edits of a text and the error spans they leave: apply, locate, align.

An edit is made against the good text; applying disjoint edits gives the bad text and, in the same pass, where every
error stands in it. So spans are exact by construction: putting each span's `good` back restores the good text.
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
    """Replace [start, end) of the good text by `text`; offsets in characters."""

    start: int
    end: int
    text: str

    def __post_init__(self) -> None:
        if not 0 <= self.start <= self.end:
            raise ValueError(f"an edit runs from {self.start} to {self.end}")


class Span(NamedTuple):
    """An applied edit: its place in the bad text in characters and white-space tokens, and in the good text."""

    start: int
    end: int
    token_start: int
    token_end: int
    good_start: int
    good_end: int
    bad: str
    good: str


def apply(good: str, edits: Sequence[Edit], *, base: int = 0, shape: bytes | None = None) -> tuple[str, list[Span]]:
    """Apply edits, in order and disjoint, to the good text: the bad text and where each edit stands in it.

    `base` is the offset of `good` in the text that the edits count in, `shape` its `token_shape` if that is known.
    Token offsets count the white-space tokens of the bad text that a span overlaps; a span without width inside a
    token has that token, one between two tokens the empty range before the second.
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
    located: list[Span] = []
    counted = tokens = shift = 0
    for edit in edits:
        text, good_start, good_end = edit.text, edit.start - base, edit.end - base
        start = good_start + shift
        end = start + len(text)
        # A token begins where a space, or what stands before the text, is followed by an x.
        tokens += bad_shape.count(b" x", counted, start + 1)
        first = tokens - (bad_shape[start : start + 2] == b"xx")
        tokens += bad_shape.count(b" x", start, end + 1)
        located.append(
            Span(start, end, first, max(tokens, first), good_start, good_end, text, good[good_start:good_end])
        )
        counted, shift = end, end - good_end
    return bad, located


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
    """A text with a space for each white-space character and an x for each other one, a byte each."""
    if not text.isascii() and any(map(text.__contains__, _WIDE_SPACES)):
        text = re.sub(r"\s", " ", text)
    return text.encode("latin-1", "replace").translate(_SHAPES)


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
