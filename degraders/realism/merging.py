"""Differences that are one fix are merged; a difference of several similar words is split into one fix per word."""

from __future__ import annotations

import re
from collections.abc import Sequence

from degraders.realism.alignment import Difference
from degraders.realism.words import BLANK_LINE, FUNCTION_WORDS, WORD, letters, normalise, similarity

_OPENING_MARKS = frozenset(("`", "``", "*", "**", "_", "__", '"', "“", "'", "‘", "[", "(", "~~"))
_CLOSING_MARKS = frozenset(("`", "``", "*", "**", "_", "__", '"', "”", "'", "’", "]", ")", "~~"))


def merge_differences(bad: str, good: str, differences: Sequence[Difference]) -> list[Difference]:
    """The differences, merged if they are one fix: the two marks around a text, or the parts of a rewording that are
    separated by few words."""
    merged: list[Difference] = []
    for difference in differences:
        while merged and _is_one_fix(bad, good, merged[-1], difference):
            last = merged.pop()
            difference = Difference(last.start, difference.end, last.good_start, difference.good_end)
        merged.append(difference)
    return merged


def _is_one_fix(bad: str, good: str, first: Difference, second: Difference) -> bool:
    between = bad[first.end : second.start]
    if BLANK_LINE.search(between):
        return False
    sides = [
        (bad[difference.start : difference.end].strip(), good[difference.good_start : difference.good_end].strip())
        for difference in (first, second)
    ]
    if _is_pair_of_marks(*sides) and len(between) <= 80:
        return True
    small = [_is_small(*side) for side in sides]
    words = len(WORD.findall(between))
    sizes = [max(map(len, side)) for side in sides]
    if all(small):
        return False
    if any(small):
        return words == 0 and len(between.strip()) <= 1 and "\n" not in between
    return words <= 3 and len(between) <= min(sizes)


def _is_pair_of_marks(first: tuple[str, str], second: tuple[str, str]) -> bool:
    """Whether two differences, each (bad, good), are the opening and the closing mark around a text."""
    opening = all(side == "" or side in _OPENING_MARKS for side in first) and any(first)
    closing = all(side == "" or side in _CLOSING_MARKS or side.startswith("](") for side in second) and any(second)
    return opening and closing and bool(first[0]) == bool(second[0]) and bool(first[1]) == bool(second[1])


def _is_small(bad: str, good: str) -> bool:
    """Whether a difference is a fix of its own: one word became a similar word, one function word changed, or only
    marks changed."""
    bad_words, good_words = WORD.findall(bad), WORD.findall(good)
    if letters(bad) == letters(good):
        return True
    if len(bad_words) == len(good_words) == 1:
        [old], [new] = bad_words, good_words
        return similarity(old, new) >= 0.5 or (normalise(old) in FUNCTION_WORDS and normalise(new) in FUNCTION_WORDS)
    return len(bad_words) + len(good_words) == 1 and normalise((bad_words + good_words)[0]) in FUNCTION_WORDS


def split_similar_words(bad: str, good: str, differences: Sequence[Difference]) -> list[Difference]:
    """The differences; those with equally many words on both sides, each similar to its counterpart, split by word."""
    split: list[Difference] = []
    for difference in differences:
        changed = _changed_words(bad, good, difference)
        is_similar = changed and all(
            similarity(bad[word.start : word.end], good[word.good_start : word.good_end]) >= 0.6 for word in changed
        )
        split += changed if is_similar else [difference]
    return split


def _changed_words(bad: str, good: str, difference: Difference) -> list[Difference]:
    """The differences of the single words; empty if there are not as many words, and at least two, on both sides, or if
    only marks differ."""
    start, end, good_start, good_end = difference
    bad_part, good_part = bad[start:end], good[good_start:good_end]
    bad_spans = [match.span() for match in re.finditer(r"\S+", bad_part)]
    good_spans = [match.span() for match in re.finditer(r"\S+", good_part)]
    if len(bad_spans) != len(good_spans) or len(bad_spans) < 2 or letters(bad_part) == letters(good_part):
        return []
    return [
        Difference(start + a, start + b, good_start + c, good_start + d)
        for (a, b), (c, d) in zip(bad_spans, good_spans, strict=True)
        if bad_part[a:b] != good_part[c:d]
    ]
