"""Differences that are one change are merged; those that are several are divided."""

from __future__ import annotations

import re
from collections.abc import Sequence

from degraders.realism.alignment import Gap
from degraders.realism.words import SMALL, WORD, letters, normalise, similarity

BLANK_LINE = re.compile(r"\n[ \t]*\n")


def merge_gaps(bad: str, good: str, gaps: Sequence[Gap]) -> list[Gap]:
    """Gaps that are one change: the two marks of a pair, and pieces of a rewording with few words between them."""
    found: list[Gap] = []
    for gap in gaps:
        while found and _is_one_change(bad, good, found[-1], gap):
            last = found.pop()
            gap = Gap(last.start, gap.end, last.good_start, gap.good_end)
        found.append(gap)
    return found


def _is_one_change(bad: str, good: str, first: Gap, second: Gap) -> bool:
    between = bad[first.end : second.start]
    if BLANK_LINE.search(between):
        return False
    sides = [(bad[gap.start : gap.end].strip(), good[gap.good_start : gap.good_end].strip()) for gap in (first, second)]
    if _is_pair_of_marks(*sides) and len(between) <= 80:
        return True
    small = [_is_small(*side) for side in sides]
    words = len(WORD.findall(between))
    sizes = [max(len(was), len(now)) for was, now in sides]
    if all(small):
        return False
    if any(small):
        return words == 0 and len(between.strip()) <= 1 and "\n" not in between
    return words <= 3 and len(between) <= min(sizes)


_OPENING, _CLOSING = (
    frozenset(("`", "``", "*", "**", "_", "__", '"', "“", "'", "‘", "[", "(", "~~")),
    frozenset(("`", "``", "*", "**", "_", "__", '"', "”", "'", "’", "]", ")", "~~")),
)


def _is_pair_of_marks(first: tuple[str, str], second: tuple[str, str]) -> bool:
    """Whether two changes are those of the marks around one text."""
    opening = all(side == "" or side in _OPENING for side in first) and any(first)
    closing = all(side == "" or side in _CLOSING or side.startswith("](") for side in second) and any(second)
    return opening and closing and bool(first[0]) == bool(second[0]) and bool(first[1]) == bool(second[1])


def _is_small(was: str, now: str) -> bool:
    """Whether a change stands for itself: one word that is like the other, one small word, marks alone."""
    old, new = WORD.findall(was), WORD.findall(now)
    if letters(was) == letters(now):
        return True
    if len(old) == len(new) == 1:
        return similarity(old[0], new[0]) >= 0.5 or (normalise(old[0]) in SMALL and normalise(new[0]) in SMALL)
    return len(old) + len(new) == 1 and normalise((old + new)[0]) in SMALL


def split_similar_words(bad: str, good: str, gaps: Sequence[Gap]) -> list[Gap]:
    """Gaps whose words are one by one like each other, divided into these."""
    found: list[Gap] = []
    for gap in gaps:
        left = [m.span() for m in re.finditer(r"\S+", bad[gap.start : gap.end])]
        right = [m.span() for m in re.finditer(r"\S+", good[gap.good_start : gap.good_end])]
        parts = [
            Gap(gap.start + a, gap.start + b, gap.good_start + c, gap.good_start + d)
            for (a, b), (c, d) in zip(left, right, strict=False)
        ]
        changed = [part for part in parts if bad[part.start : part.end] != good[part.good_start : part.good_end]]
        same = letters(bad[gap.start : gap.end]) == letters(good[gap.good_start : gap.good_end])
        alike = (
            len(left) == len(right) > 1
            and not same
            and all(
                similarity(bad[part.start : part.end], good[part.good_start : part.good_end]) >= 0.6 for part in changed
            )
        )
        found += changed if alike else [gap]
    return found
