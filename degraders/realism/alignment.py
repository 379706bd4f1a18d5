"""The alignment of a bad text with its good text: the stretches in which they differ."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from typing import NamedTuple

from degraders.realism.positions import Positions

_TOKEN = re.compile(
    r"https?://[^\s<>()\[\]\"'`]+"  # a URL
    r"|\]\([^()\s]*(?:\([^()\s]*\)[^()\s]*)*\)"  # a link target
    r"|[^\W_]+(?:['’_][^\W_]+)*"  # a word with its apostrophes and underscores
    r"|\s+|[^\w\s]|_"
)
_SOFT_BREAK = re.compile(r"[ \t]*\n[ \t]*(?!\n|[-*+#>|=~`]|\d+[.)]|\.\.|:|$)")


class Difference(NamedTuple):
    """A stretch in which the texts differ: [start, end) of the bad text and [good_start, good_end) of the good text."""

    start: int
    end: int
    good_start: int
    good_end: int


def find_differences(bad: str, good: str, positions: Positions) -> list[Difference]:
    """The differences between two texts in order, without moved line breaks; `positions` are those of the good text.

    A difference lies between two tokens that both texts share.
    """
    bad_tokens, good_tokens = _tokenize(bad), _tokenize(good)
    pairs = [
        (-1, -1),
        *_matching_tokens([token for token, _, _ in bad_tokens], [token for token, _, _ in good_tokens]),
        (len(bad_tokens), len(good_tokens)),
    ]
    differences: list[Difference] = []
    for (i, j), (k, m) in zip(pairs, pairs[1:], strict=False):
        start, good_start = bad_tokens[i][2] if i >= 0 else 0, good_tokens[j][2] if j >= 0 else 0
        end = bad_tokens[k][1] if k < len(bad_tokens) else len(bad)
        good_end = good_tokens[m][1] if m < len(good_tokens) else len(good)
        if bad[start:end] != good[good_start:good_end]:
            difference = _strip_common_space(bad, good, Difference(start, end, good_start, good_end))
            if not _is_moved_line_break(bad, good, difference, positions):
                differences.append(difference)
    return differences


def _tokenize(text: str) -> list[tuple[str, int, int]]:
    """The tokens other than white space: (token, start, end)."""
    return [(match[0], match.start(), match.end()) for match in _TOKEN.finditer(text) if not match[0].isspace()]


def _matching_tokens(bad_tokens: Sequence[str], good_tokens: Sequence[str]) -> Iterator[tuple[int, int]]:
    """The indices of equal tokens that the alignment pairs, in order."""
    matcher = SequenceMatcher(None, bad_tokens, good_tokens, autojunk=False)
    for i, j, size in matcher.get_matching_blocks():
        yield from ((i + k, j + k) for k in range(size))


def _strip_common_space(bad: str, good: str, difference: Difference) -> Difference:
    """The difference without the white space with which both sides begin or end."""
    start, end, good_start, good_end = difference
    while start < end and good_start < good_end and bad[start] == good[good_start] and bad[start].isspace():
        start, good_start = start + 1, good_start + 1
    while start < end and good_start < good_end and bad[end - 1] == good[good_end - 1] and bad[end - 1].isspace():
        end, good_end = end - 1, good_end - 1
    return Difference(start, end, good_start, good_end)


def _is_moved_line_break(bad: str, good: str, difference: Difference, positions: Positions) -> bool:
    """Whether the texts differ only in the place of a line break in running text."""
    start, end, good_start, good_end = difference
    bad_space, good_space = bad[start:end], good[good_start:good_end]
    both = bad_space + good_space
    if both.strip() or "\n" not in both or positions.at(good_start, good_end) == "code":
        return False
    bad_line = _SOFT_BREAK.sub(" ", bad_space + bad[end:][:3])
    return bad_line == _SOFT_BREAK.sub(" ", good_space + good[good_end:][:3])
