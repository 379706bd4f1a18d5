"""Texts and pairs divided so that each piece fits a model's window; cut between blocks, never inside one."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from degraders.dataset.pairs import Pair, Span
from degraders.text.parse import parse


def split_text(text: str, format: str, fits: Callable[[str], bool]) -> list[str]:
    """The text in pieces that fit, cut between blocks and list items, as few as a greedy walk finds; a block that
    does not fit stands alone. Joined they are the text again."""
    borders = [0, *_borders(text, format), len(text)]
    return [text[start:end] for start, end in _packed(borders, lambda start, end: fits(text[start:end]))]


def split_pair(pair: Pair, fits: Callable[[Pair], bool]) -> list[Pair]:
    """The pair in pieces that fit, cut where both texts have a block border; their ids end in `#0`, `#1` …

    A block that does not fit is a piece of its own.
    """
    if fits(pair):
        return [pair]
    inside = [at for at in _borders(pair.good, pair.format) if not _spanned(pair.spans, at)]
    borders = [0, *inside, len(pair.good)]
    cuts = list(_packed(borders, lambda start, end: fits(_part(pair, start, end))))
    return [replace(_part(pair, start, end), id=f"{pair.id}#{number}") for number, (start, end) in enumerate(cuts)]


def _packed(borders: Sequence[int], fits: Callable[[int, int], bool]) -> Iterator[tuple[int, int]]:
    """Ranges between borders, each as long as fits, found by bisection; one step where not even that fits."""
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


def _borders(text: str, format: str) -> list[int]:
    """Where the text may be cut: at the start of the line of each outermost block and list item, in order."""
    doc = parse(text, format=format)
    items = doc.regions.get("item", [])
    starts = {block.start for block in doc.blocks} | {item.start for item in items if not item.depth}
    borders = {text.rfind("\n", 0, start) + 1 for start in starts}
    return sorted(at for at in borders if 0 < at < len(text))


def _spanned(spans: Sequence[Span], at: int) -> bool:
    """Whether a cut of the good text there would go through an error."""
    return any(span.good_start < at < span.good_end for span in spans)


def _part(pair: Pair, start: int, end: int) -> Pair:
    """[start, end) of the good text with its bad text; an error of no width at a border goes to the left."""
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
    return before[-1].end - before[-1].good_end if before else 0
