"""Long texts and pairs divided into pieces that fit a model's window, cut between blocks and never inside one."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from degraders.dataset.pairs import Pair, Span
from degraders.text.parse import parse


def split_text(text: str, format: str, fits: Callable[[str], bool]) -> list[str]:
    """Chunks of a text: as few as a greedy walk needs, cut between blocks and list items; joined, they are the text.

    A block that does not fit is a chunk of its own.
    """
    borders = [0, *_block_starts(text, format), len(text)]
    return [text[start:end] for start, end in _pack(borders, lambda start, end: fits(text[start:end]))]


def split_pair(pair: Pair, fits: Callable[[Pair], bool]) -> list[Pair]:
    """Parts of a pair, cut where both texts have a block border; their ids end in `#0`, `#1` …

    A block that does not fit is a part of its own.
    """
    if fits(pair):
        return [pair]
    inside = [at for at in _block_starts(pair.good, pair.format) if not _cuts_span(pair.spans, at)]
    borders = [0, *inside, len(pair.good)]
    ranges = list(_pack(borders, lambda start, end: fits(_part(pair, start, end))))
    return [replace(_part(pair, start, end), id=f"{pair.id}#{number}") for number, (start, end) in enumerate(ranges)]


def _pack(borders: Sequence[int], fits: Callable[[int, int], bool]) -> Iterator[tuple[int, int]]:
    """Ranges between borders, each as long as fits (by bisection), or one step long if even that does not fit."""
    first, last = 0, len(borders) - 1
    while first < last:
        least, most = first + 1, last
        while least < most:
            middle = (least + most + 1) // 2
            if fits(borders[first], borders[middle]):
                least = middle
            else:
                most = middle - 1
        yield borders[first], borders[least]
        first = least


def _block_starts(text: str, format: str) -> list[int]:
    """Where a text may be cut, in order: at the start of the line of each outermost block and list item."""
    doc = parse(text, format=format)
    items = doc.regions.get("item", [])
    starts = {block.start for block in doc.blocks} | {item.start for item in items if not item.depth}
    borders = {text.rfind("\n", 0, start) + 1 for start in starts}
    return sorted(at for at in borders if 0 < at < len(text))


def _cuts_span(spans: Sequence[Span], at: int) -> bool:
    """Whether a cut of the good text at this place would go through an error."""
    return any(span.good_start < at < span.good_end for span in spans)


def _part(pair: Pair, start: int, end: int) -> Pair:
    """[start, end) of the good text with its bad text; an error of zero width at a border belongs to the left part."""
    first = bisect_left(pair.spans, True, key=lambda span: span.good_end > start) if start else 0
    last = bisect_left(pair.spans, True, key=lambda span: span.good_end > end)
    bad_start, bad_end = start + _shift(pair.spans[:first]), end + _shift(pair.spans[:last])
    spans = tuple(
        span._replace(
            start=span.start - bad_start,
            end=span.end - bad_start,
            good_start=span.good_start - start,
            good_end=span.good_end - start,
        )
        for span in pair.spans[first:last]
    )
    labels = tuple(sorted({span.label for span in spans} - {""}))
    return replace(pair, bad=pair.bad[bad_start:bad_end], good=pair.good[start:end], spans=spans, labels=labels)


def _shift(before: Sequence[Span]) -> int:
    """How many characters further the bad text is after these spans."""
    return before[-1].end - before[-1].good_end if before else 0
