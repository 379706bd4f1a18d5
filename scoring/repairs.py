"""Which errors a prediction repaired, what else it changed, and which protected text it damaged.

The expected edits are the spans of the pair, the edits of the prediction are its differences from `bad`. As in ERRANT
(Bryant et al. 2017, "Automatic Annotation and Evaluation of Error Types for Grammatical Error Correction"), an edit is
correct if it replaces the same place by the same text. But an alignment of two long texts divides edits arbitrarily:
one span of two words may come back as two edits, and a doubled word may be deleted at either of its places. So the
spans are not compared with an alignment. Instead the spans explain the prediction:

1. Of all texts between `bad` and `good`, in which some spans are repaired and the others are not, the one nearest to
   the prediction (in characters) is its base. The spans that are repaired in the base are the attempted ones.
2. The base is compared with the prediction token by token, white space and punctuation included. An attempted span
   without a difference in its text is `repaired`. A span with a difference in its text is `wrong`: it was changed, but
   not to the good text. All others are `missed`. A span can be empty in the base, because text is missing there or was
   deleted; then text that is inserted at its place counts as a difference in it.
3. Differences outside of the spans are extra edits; those with only white space between them are one edit.

True positives are the repaired spans, false negatives all other spans, false positives the wrong spans and the extra
edits: an attempt at a span counts once, however many words it changes. White space counts like any other text, because
in documentation it indents lists and ends paragraphs. Where each span is one edit of ERRANT, the counts are those of
ERRANT, with one exception: a word inserted beside a repaired word is an extra edit here, where ERRANT may report one
wrong edit for both. The figures differ where an error has several words or two ends: ERRANT divides it by its
alignment, so that a passive sentence, a rewording or a pair of backticks counts two to six times, right or wrong, and
here once. It also counts no white space within a line. A prediction that repairs some spans and changes nothing else
scores exactly these spans.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

from rapidfuzz.distance import Levenshtein

from degraders.dataset.pairs import Pair
from degraders.edits import TOKEN, offsets, restore
from degraders.text.parse import parse
from scoring.overlap import encode_tokens

REPAIRED, WRONG, MISSED = "repaired", "wrong", "missed"
EXTRA, HARM = "extra", "harm"

_WITH_DIGIT = re.compile(r"\w*\d\w*(?:[.,:]\w*\d\w*)*")
_KIND_NAMES = {
    "code_span": "inline code",
    "fence": "code",
    "front_matter": "front matter",
    "target": "link target",
}


class Change(NamedTuple):
    """A difference between base and prediction: [start, end) of the base became [new_start, new_end) of the
    prediction, in characters."""

    start: int
    end: int
    new_start: int
    new_end: int


@dataclass(frozen=True, slots=True)
class Explanation:
    """A prediction explained by the spans of its pair.

    `outcomes` has `repaired`, `wrong` or `missed` for each span. `extra_edits` counts the edits outside of the spans,
    `extra_chars` the characters that these removed or inserted, whichever are more, and `free_chars` the characters of
    the base outside of the spans. `harms` counts, by kind, the protected pieces that extra edits changed or added.
    """

    outcomes: tuple[str, ...]
    extra_edits: int
    extra_chars: int
    free_chars: int
    harms: Counter[str]


class Annotation(NamedTuple):
    """An annotated stretch of the prediction, [start, end) in characters.

    Its kind is the outcome of the span with the index `span`, or `extra` or `harm` for an extra edit, whose `span` is
    -1. `original` is the text that was replaced; `bad_range` and `good_range` are the same place in the other texts.
    """

    start: int
    end: int
    kind: str
    span: int
    original: str
    bad_range: tuple[int, int]
    good_range: tuple[int, int]


@dataclass(frozen=True, slots=True)
class _Comparison:
    """A prediction compared with its base.

    `ranges` holds the place of each span in the base, `outcomes` its outcome, and `changes_of` the changes in its text
    by its index; `extra_edits` are the edits outside of the spans.
    """

    base: str
    ranges: list[tuple[int, int]]
    outcomes: tuple[str, ...]
    changes_of: dict[int, list[Change]]
    extra_edits: list[list[Change]]


def explain(pair: Pair, prediction: str) -> Explanation:
    """Which spans of a pair a prediction repaired, and what else it changed."""
    comparison = _compare(pair, prediction)
    free_chars = len(comparison.base) - sum(end - start for start, end in comparison.ranges)
    extra_chars = sum(
        max(sum(c.end - c.start for c in edit), sum(c.new_end - c.new_start for c in edit))
        for edit in comparison.extra_edits
    )
    harmed = {piece for pieces in _harmed_pieces(pair, comparison, prediction) for piece in pieces}
    return Explanation(
        outcomes=comparison.outcomes,
        extra_edits=len(comparison.extra_edits),
        extra_chars=extra_chars,
        free_chars=free_chars,
        harms=Counter(piece.kind for piece in harmed),
    )


def annotate_prediction(pair: Pair, prediction: str) -> list[Annotation]:
    """The outcomes and extra edits as ordered places in the prediction.

    A span that was deleted together with its surroundings may lie inside the annotation before it.
    """
    comparison = _compare(pair, prediction)
    changes = sorted(
        {change for of_span in comparison.changes_of.values() for change in of_span}
        | {change for edit in comparison.extra_edits for change in edit}
    )
    annotations = [
        _annotate_span(pair, comparison, number, changes, comparison.outcomes[number])
        for number in range(len(pair.spans))
    ]
    harmed = _harmed_pieces(pair, comparison, prediction)
    for edit, pieces in zip(comparison.extra_edits, harmed, strict=True):
        kind = HARM if pieces else EXTRA
        annotations += [_annotate_extra(pair, comparison, change, kind) for change in _join_adjacent(edit)]
    return sorted(annotations)


def _annotate_span(
    pair: Pair, comparison: _Comparison, number: int, changes: Sequence[Change], outcome: str
) -> Annotation:
    span, (start, end) = pair.spans[number], comparison.ranges[number]
    own = comparison.changes_of.get(number, [])
    first = min([_map_offset(start, changes), *(change.new_start for change in own)])
    last = max([_map_offset(end, changes), *(change.new_end for change in own)])
    return Annotation(
        first,
        max(first, last),
        outcome,
        number,
        span.bad,
        bad_range=(span.start, span.end),
        good_range=(span.good_start, span.good_end),
    )


def _annotate_extra(pair: Pair, comparison: _Comparison, change: Change, kind: str) -> Annotation:
    passed = bisect_right(comparison.ranges, change.start, key=lambda place: place[1])
    bad_shift = good_shift = 0
    if passed:
        before, (_, base_end) = pair.spans[passed - 1], comparison.ranges[passed - 1]
        bad_shift, good_shift = before.end - base_end, before.good_end - base_end
    return Annotation(
        change.new_start,
        change.new_end,
        kind,
        -1,
        comparison.base[change.start : change.end],
        bad_range=(change.start + bad_shift, change.end + bad_shift),
        good_range=(change.start + good_shift, change.end + good_shift),
    )


def _join_adjacent(edit: Sequence[Change]) -> list[Change]:
    """The changes of an edit; adjacent changes are joined."""
    joined: list[Change] = []
    for change in edit:
        if joined and joined[-1].end == change.start and joined[-1].new_end == change.new_start:
            change = joined.pop()._replace(end=change.end, new_end=change.new_end)
        joined.append(change)
    return joined


def _map_offset(at: int, changes: Sequence[Change]) -> int:
    """The offset in the prediction of an offset in the base; inside a change, the start of the change."""
    shift = 0
    for change in changes:
        if change.start < at < change.end:
            return change.new_start
        if change.end > at or change.start == at:
            break
        shift = change.new_end - change.end
    return at + shift


def _compare(pair: Pair, prediction: str) -> _Comparison:
    attempted, base = nearest_base(pair, prediction)
    ranges = _ranges_in_base(pair, attempted)
    if base == prediction:
        outcomes = tuple(REPAIRED if repaired else MISSED for repaired in attempted)
        return _Comparison(base, ranges, outcomes, changes_of={}, extra_edits=[])
    sensitive = _sensitive_ranges(pair, attempted, ranges, base)
    changes_of: defaultdict[int, list[Change]] = defaultdict(list)
    extra_edits: list[list[Change]] = []
    for edit in _edits(base, prediction):
        for number in _empty_spans_deleted(sensitive, base, edit):
            changes_of[number] += edit
        outside = []
        for change in edit:
            touched = _spans_touched(sensitive, base, change)
            for number in touched:
                changes_of[number].append(change)
            if not touched:
                outside.append(change)
        if outside:
            extra_edits.append(outside)
    outcomes = tuple(
        WRONG if number in changes_of else REPAIRED if repaired else MISSED for number, repaired in enumerate(attempted)
    )
    return _Comparison(base, ranges, outcomes, changes_of, extra_edits)


def nearest_base(pair: Pair, prediction: str) -> tuple[list[bool], str]:
    """Which spans must be repaired in `bad` to come nearest to a prediction, and the text with these repairs; of two
    texts at the same distance, the one with fewer repairs.

    A local search: it starts from the nearer one of `bad` and `good`, and flips single spans or two neighbouring spans
    as long as the distance falls. It is exact unless three or more spans depend on each other.
    """
    from_bad = Levenshtein.distance(pair.bad, prediction)
    from_good = Levenshtein.distance(pair.good, prediction)
    repair_all = from_good < from_bad
    attempted = [repair_all] * len(pair.spans)
    base, best = pair.good if repair_all else pair.bad, min(from_bad, from_good)
    flips = [(number,) for number in range(len(attempted))] + list(pairwise(range(len(attempted))))
    improved = len(attempted) > 1
    while improved and best:
        improved = False
        for flip in flips:
            candidate = [repaired != (number in flip) for number, repaired in enumerate(attempted)]
            text = _repair_spans(pair, candidate)
            distance = Levenshtein.distance(text, prediction, score_cutoff=best)
            if distance < best:
                attempted, base, best, improved = candidate, text, distance, True
    return attempted, base


def _repair_spans(pair: Pair, selected: Sequence[bool]) -> str:
    """The bad text with the selected spans repaired."""
    spans = zip(pair.spans, selected, strict=True)
    return restore(pair.bad, [span.repair for span, repaired in spans if repaired])


def _ranges_in_base(pair: Pair, attempted: Sequence[bool]) -> list[tuple[int, int]]:
    """The place of each span in the base."""
    ranges, shift = [], 0
    for span, repaired in zip(pair.spans, attempted, strict=True):
        start = span.start + shift
        end = start + len(span.good if repaired else span.bad)
        ranges.append((start, end))
        shift = end - span.end
    return ranges


def _sensitive_ranges(
    pair: Pair, attempted: Sequence[bool], ranges: Sequence[tuple[int, int]], base: str
) -> list[tuple[int, int]]:
    """The places where a change counts as a change of the span.

    This is the span itself. If the span is empty in the base and its other text is part of a word or of white space,
    the neighbouring character of that word or white space is included.
    """
    sensitive = []
    for span, repaired, (start, end) in zip(pair.spans, attempted, ranges, strict=True):
        other = span.bad if repaired else span.good
        if start == end and other:
            joins = _is_one_token(base[start - 1 : start], other[0]), _is_one_token(other[-1], base[end : end + 1])
            start, end = start - joins[0], end + joins[1]
        sensitive.append((start, end))
    return sensitive


def _is_one_token(left: str, right: str) -> bool:
    """Whether two characters belong to the same token; False at the ends of the text, where one is empty."""
    return bool(left and right) and len(TOKEN.findall(left + right)) == 1


def _edits(base: str, prediction: str) -> list[list[Change]]:
    """The edits in order: changes of tokens, grouped if there is only white space between them."""
    tokens, new_tokens = TOKEN.findall(base), TOKEN.findall(prediction)
    starts, new_starts = offsets(tokens), offsets(new_tokens)
    edits: list[list[Change]] = []
    for op in Levenshtein.editops(*encode_tokens(tokens, new_tokens)):
        end, new_end = op.src_pos + (op.tag != "insert"), op.dest_pos + (op.tag != "delete")
        change = Change(starts[op.src_pos], starts[end], new_starts[op.dest_pos], new_starts[new_end])
        if edits and not base[edits[-1][-1].end : change.start].strip():
            edits[-1].append(change)
        else:
            edits.append([change])
    return edits


def _spans_touched(sensitive: Sequence[tuple[int, int]], base: str, change: Change) -> list[int]:
    """The numbers of the spans that a change overlaps.

    An insertion also touches an empty span at its place, even with white space between the two.
    """
    left, right = change.start, change.end
    is_insertion = left == right
    if is_insertion:
        left = len(base[:left].rstrip())
        right = len(base) - len(base[right:].lstrip())
    touched = []
    for number in range(bisect_left(sensitive, left, key=lambda place: place[1]), len(sensitive)):
        start, end = sensitive[number]
        if start > right:
            break
        if (is_insertion and start == end) or (start < change.end and change.start < end):
            touched.append(number)
    return touched


def _empty_spans_deleted(sensitive: Sequence[tuple[int, int]], base: str, edit: Sequence[Change]) -> list[int]:
    """The numbers of the empty spans whose neighbours on both sides were deleted or replaced.

    Without this, an empty prediction would count as a repair of every span that had to be deleted.
    """
    removed = [change for change in edit if change.start < change.end]
    deleted = [change for change in removed if change.new_start == change.new_end]
    starts = {change.start for change in removed} | {change.end for change in deleted if change.end == len(base)}
    ends = {change.end for change in removed} | {change.start for change in deleted if change.start == 0}
    places = starts & ends
    if not places:
        return []
    return [number for number, (start, end) in enumerate(sensitive) if start == end and start in places]


# Harm


class ProtectedPiece(NamedTuple):
    """A protected stretch of a text, [start, end) in characters, and its kind; `added` if the prediction added it."""

    start: int
    end: int
    kind: str
    added: bool = False


def _harmed_pieces(pair: Pair, comparison: _Comparison, prediction: str) -> list[set[ProtectedPiece]]:
    """The protected pieces that each extra edit changed; if it changed none, those that it added.

    The pieces are those of the good text before and after the extra edits alone. In the bad text an error such as an
    open fence, which turns the rest of the text into code, would decide what is code.
    """
    if not comparison.extra_edits:
        return []
    text, edits = _apply_to_good(pair, comparison.ranges, prediction, comparison.extra_edits)
    before, after = protected_pieces(pair.good, pair.format), protected_pieces(text, pair.format)
    harmed = []
    for edit in edits:
        changed = {piece for c in edit for piece in _overlapping_pieces(before, c.start, c.end)}
        new_pieces = (piece for c in edit for piece in _overlapping_pieces(after, c.new_start, c.new_end))
        harmed.append(changed or {piece._replace(added=True) for piece in new_pieces})
    return harmed


def _apply_to_good(
    pair: Pair, ranges: Sequence[tuple[int, int]], prediction: str, extra_edits: Sequence[Sequence[Change]]
) -> tuple[str, list[list[Change]]]:
    """The good text with only the extra edits applied, and these edits as changes of the good text."""
    parts: list[str] = []
    edits: list[list[Change]] = []
    at = length = passed = 0
    for edit in extra_edits:
        edits.append([])
        for change in edit:
            while passed < len(ranges) and ranges[passed][1] <= change.start:
                passed += 1
            shift = pair.spans[passed - 1].good_end - ranges[passed - 1][1] if passed else 0
            start, end = change.start + shift, change.end + shift
            new_start = length + start - at
            length = new_start + change.new_end - change.new_start
            parts += pair.good[at:start], prediction[change.new_start : change.new_end]
            edits[-1].append(Change(start, end, new_start, length))
            at = end
    return "".join((*parts, pair.good[at:])), edits


def _overlapping_pieces(pieces: Sequence[ProtectedPiece], start: int, end: int) -> Sequence[ProtectedPiece]:
    """The pieces that share a character with [start, end); if that range is empty, the piece that contains it."""
    first = bisect_right(pieces, start, key=lambda piece: piece.end)
    last = bisect_left(pieces, end, key=lambda piece: piece.start)
    return pieces[first:last]


def protected_pieces(text: str, format: str) -> list[ProtectedPiece]:
    """The protected text in order: code blocks with their fences, inline code, flags, URLs, link targets, front matter,
    HTML, math, directives, and the numbers in prose."""
    document = parse(text, format=format)
    pieces: list[ProtectedPiece] = []
    for start, end, kind in document.protected:
        name = _KIND_NAMES.get(kind, kind)
        if kind == "code_span" and text[start:end].lstrip("`").startswith("-"):
            name = "flag"
        if name == "code" and pieces and pieces[-1].kind == "code" and _is_same_block(text[pieces[-1].end : start]):
            start = pieces.pop().start
        pieces.append(ProtectedPiece(start, end, name))
    numbers = _WITH_DIGIT.finditer(document.prose)
    pieces += [ProtectedPiece(match.start(), match.end(), "number") for match in numbers]
    return sorted(pieces)


def _is_same_block(gap: str) -> bool:
    """Whether the text between two stretches of code is only the indentation of a line."""
    return not gap.strip() and gap.count("\n") < 2
