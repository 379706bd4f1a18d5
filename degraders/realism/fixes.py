"""The fixes between a bad text and its good text: aligned, merged and named, as ERRANT does for learners' errors.

The steps are those of ERRANT (Bryant et al. 2017, "Automatic Annotation and Evaluation of Error Types for Grammatical
Error Correction"): `alignment`, `merging`, and `naming` instead of its classification. Real fixes and generated errors
are read by the same code from their two texts alone, so that they can be compared; recorded spans are not used.
"""

from __future__ import annotations

from collections.abc import Container
from typing import NamedTuple

from degraders.realism.alignment import find_differences
from degraders.realism.merging import merge_differences, split_similar_words
from degraders.realism.naming import FixNamer
from degraders.realism.positions import Positions
from degraders.text.parse import parse


class Fix(NamedTuple):
    """One edit: [start, end) of the bad text becomes [good_start, good_end) of the good text.

    `kind` is the name `family.problem/detail`, whether or not a degrader has that name; `position` is one of
    `positions.POSITIONS`.
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
        """The name without the detail: `family.problem`."""
        return self.kind.partition("/")[0]


def find_fixes(bad: str, good: str, *, format: str = "markdown", vocabulary: Container[str] = ()) -> list[Fix]:
    """The edits that turn the bad text into the good text, in order and named; line breaks that moved are no edits.

    `vocabulary` holds words (lower case) that count as spelt correctly, in addition to those of the word lists.
    """
    good_positions = Positions(parse(good, format=format))
    bad_positions = Positions(parse(bad, format=format))
    differences = merge_differences(bad, good, find_differences(bad, good, good_positions))
    fixes = []
    for difference in split_similar_words(bad, good, differences):
        namer = FixNamer(bad, good, difference, bad_positions, good_positions, vocabulary)
        fixes.append(Fix(*difference, namer.bad, namer.good, namer.kind(), namer.position))
    return fixes
