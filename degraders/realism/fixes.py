"""The fixes between a bad text and its good one: aligned, merged and named."""

from __future__ import annotations

from collections.abc import Container
from typing import NamedTuple

from degraders.realism.alignment import align_gaps
from degraders.realism.merging import merge_gaps, split_similar_words
from degraders.realism.naming import ChangeNamer
from degraders.realism.positions import Positions
from degraders.text.parse import parse


class Fix(NamedTuple):
    """One edit: [start, end) of the bad text becomes [good_start, good_end) of the good one.

    `kind` names the problem and its detail, `position` is one of `POSITIONS`.
    """

    start: int
    end: int
    good_start: int
    good_end: int
    bad: str
    good: str
    kind: str
    position: str

    @property
    def problem(self) -> str:
        return self.kind.partition("/")[0]


def find_fixes(bad: str, good: str, *, format: str = "markdown", known: Container[str] = ()) -> list[Fix]:
    """The edits that turn the bad text into the good one, in order and named; re-wrapped lines are none.

    `known` are words (lower case) that count as spelt right besides those of the word lists.
    """
    good_text = Positions(parse(good, format=format))
    bad_text = Positions(parse(bad, format=format))
    found = []
    for gap in split_similar_words(bad, good, merge_gaps(bad, good, align_gaps(bad, good, good_text))):
        reader = ChangeNamer(bad, good, gap, good_text, bad_text, known)
        found.append(Fix(*gap, reader.bad, reader.good, reader.kind(), reader.position))
    return found
