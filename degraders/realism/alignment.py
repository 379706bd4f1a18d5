"""The stretches in which a bad and a good text differ, as small as their shared tokens make them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from typing import NamedTuple

from degraders.realism.positions import Positions

_TOKEN = re.compile(
    r"https?://[^\s<>()\[\]\"'`]+"  # an address
    r"|\]\([^()\s]*(?:\([^()\s]*\)[^()\s]*)*\)"  # the target of a link
    r"|[^\W_]+(?:['’_][^\W_]+)*"  # words, their apostrophes and underscores
    r"|\s+|[^\w\s]|_"
)
_SOFT_BREAK = re.compile(r"[ \t]*\n[ \t]*(?!\n|[-*+#>|=~`]|\d+[.)]|\.\.|:|$)")


class Gap(NamedTuple):
    """What stands between two tokens that both texts share: [start, end) of the bad and of the good text."""

    start: int
    end: int
    good_start: int
    good_end: int


# ---------------------------------------------------------------------------------------------------------------------
# Alignment


def align_gaps(bad: str, good: str, positions: Positions) -> list[Gap]:
    """The stretches that differ, as small as shared tokens make them."""
    left, right = _tokens(bad), _tokens(good)
    pairs = [(-1, -1), *_shared([token for token, _, _ in left], [token for token, _, _ in right])]
    pairs.append((len(left), len(right)))
    found: list[Gap] = []
    for (i, j), (k, m) in zip(pairs, pairs[1:], strict=False):
        start, good_start = left[i][2] if i >= 0 else 0, right[j][2] if j >= 0 else 0
        end = left[k][1] if k < len(left) else len(bad)
        good_end = right[m][1] if m < len(right) else len(good)
        if bad[start:end] != good[good_start:good_end]:
            gap = _narrowed(bad, good, Gap(start, end, good_start, good_end))
            if not _rewrapped(bad, good, gap, positions):
                found.append(gap)
    return found


def _tokens(text: str) -> list[tuple[str, int, int]]:
    return [(match[0], match.start(), match.end()) for match in _TOKEN.finditer(text) if not match[0].isspace()]


def _shared(left: Sequence[str], right: Sequence[str]) -> Iterator[tuple[int, int]]:
    """Pairs of equal tokens, in order."""
    matcher = SequenceMatcher(None, left, right, autojunk=False)
    for i, j, size in matcher.get_matching_blocks():
        yield from ((i + k, j + k) for k in range(size))


def _narrowed(bad: str, good: str, gap: Gap) -> Gap:
    """A gap without the white space that both sides begin or end with."""
    start, end, good_start, good_end = gap
    while start < end and good_start < good_end and bad[start] == good[good_start] and bad[start].isspace():
        start, good_start = start + 1, good_start + 1
    while start < end and good_start < good_end and bad[end - 1] == good[good_end - 1] and bad[end - 1].isspace():
        end, good_end = end - 1, good_end - 1
    return Gap(start, end, good_start, good_end)


def _rewrapped(bad: str, good: str, gap: Gap, positions: Positions) -> bool:
    """Whether a gap is only a line break in running text that stands elsewhere."""
    was, now = bad[gap.start : gap.end], good[gap.good_start : gap.good_end]
    if (was + now).strip() or "\n" not in was + now or positions.at(gap.good_start, gap.good_end) == "code":
        return False
    flat = [
        _SOFT_BREAK.sub(" ", text + after)
        for text, after in ((was, bad[gap.end :][:3]), (now, good[gap.good_end :][:3]))
    ]
    return flat[0] == flat[1]
