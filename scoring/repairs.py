"""Which of the wanted repairs a prediction made, what it changed besides, and which protected text that harmed.

The edits wanted are the pair's spans, those made are the differences of the prediction from `bad`. As ERRANT does
(Bryant et al. 2017, "Automatic Annotation and Evaluation of Error Types for Grammatical Error Correction"), an edit is
right if it stands in the same place and leaves the same text. But an alignment of two long texts cuts edits as it
likes: one span of two words can come back as two edits, a doubled word be deleted at either of its places. So
the alignment does not decide. Instead the prediction is explained by the spans:

1. Of all texts between `bad` and `good`, in each of which some spans are repaired and the others are not, the one
   nearest to the prediction (in characters) is its base: these spans it meant to repair.
2. What still differs between base and prediction, word by word, white space and marks included, the fixer did of its
   own. A span that it meant to repair and in whose text nothing differs is `repaired`. A span in whose text something
   differs is `wrong`: it was attempted, with another result. All others are `missed`. For a span without text in the
   base, since something lacks there or has been deleted, what is put in at its place counts as in it.
3. Differences outside of the spans are `unasked`; those that only white space parts are one edit.

True positives are the repaired spans, false negatives all others, false positives the wrong and the unasked edits:
an attempt at a span counts once, however many words it changes. White space counts like anything else, for in
documentation it indents lists and ends paragraphs. Where each span is one edit of ERRANT's, the counts are its counts,
but for a word put in beside a repaired one: that is an edit of its own here, where ERRANT may make one wrong edit of
both. Any set of spans repaired, and nothing else done, scores exactly that.
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
from scoring.overlap import codes

REPAIRED, WRONG, MISSED = "repaired", "wrong", "missed"
UNASKED, HARM = "unasked", "harm"

_WITH_DIGIT = re.compile(r"\w*\d\w*(?:[.,:]\w*\d\w*)*")
_NAMES = {
    "code_span": "inline code",
    "fence": "code",
    "front_matter": "front matter",
    "target": "link target",
}


class Change(NamedTuple):
    """A difference of the prediction from the base: [start, end) of the base became [new_start, new_end), in
    characters."""

    start: int
    end: int
    new_start: int
    new_end: int


@dataclass(frozen=True, slots=True)
class Explained:
    """A prediction explained by the spans of its pair.

    `outcomes` has `repaired`, `wrong` or `missed` for each span; `unasked` counts the edits outside of them and
    `unasked_chars` the characters that these removed or put in, whichever are more; `free_chars` are those of the
    base outside of the spans; `harms` counts the protected pieces by kind that unasked edits changed or made.
    """

    outcomes: tuple[str, ...]
    unasked: int
    unasked_chars: int
    free_chars: int
    harms: Counter[str]


class Mark(NamedTuple):
    """A stretch of the prediction, [start, end) in characters: what became of span `number`, or a change of its own
    (`unasked`, or `harm` where it touched protected text; `number` is -1). `was` is the text that it replaced; `given`
    and `gold` say where the same stands in the bad and in the good text."""

    start: int
    end: int
    kind: str
    number: int
    was: str
    given: tuple[int, int]
    gold: tuple[int, int]


@dataclass(frozen=True, slots=True)
class _Base:
    """The text that a prediction is measured against, where the spans stand in it, and all that differs from it.

    `outcomes` and `places` have one entry a span, `by_span` the changes in the text of each; `unasked` are the edits
    outside of them.
    """

    text: str
    places: list[tuple[int, int]]
    outcomes: tuple[str, ...]
    by_span: dict[int, list[Change]]
    unasked: list[list[Change]]


def explain(pair: Pair, prediction: str) -> Explained:
    """What a prediction for a pair repaired, left and changed besides."""
    base = _compared(pair, prediction)
    free = len(base.text) - sum(end - start for start, end in base.places)
    chars = sum(
        max(sum(c.end - c.start for c in edit), sum(c.new_end - c.new_start for c in edit)) for edit in base.unasked
    )
    harmed = {piece for found in _harmed(pair, base, prediction) for piece in found}
    return Explained(base.outcomes, len(base.unasked), chars, free, Counter(piece.kind for piece in harmed))


def marks(pair: Pair, prediction: str) -> list[Mark]:
    """The same, as places in the prediction, in order; a span that an edit swallowed with its surroundings may lie in
    the mark before it."""
    base = _compared(pair, prediction)
    changes = sorted({c for one in base.by_span.values() for c in one} | {c for edit in base.unasked for c in edit})
    found = []
    for number, (outcome, (start, end), span) in enumerate(zip(base.outcomes, base.places, pair.spans, strict=True)):
        own = base.by_span.get(number, [])
        first = min([_moved(start, changes), *(change.new_start for change in own)])
        last = max([_moved(end, changes), *(change.new_end for change in own)])
        there = (span.start, span.end), (span.good_start, span.good_end)
        found.append(Mark(first, max(first, last), outcome, number, span.bad, *there))
    for edit, harmed in zip(base.unasked, _harmed(pair, base, prediction), strict=True):
        kind = HARM if harmed else UNASKED
        for c in _joined(edit):
            passed = bisect_right(base.places, c.start, key=lambda place: place[1])
            at = base.places[passed - 1][1] if passed else 0
            given = pair.spans[passed - 1].end - at if passed else 0
            gold = pair.spans[passed - 1].good_end - at if passed else 0
            where = (c.start + given, c.end + given), (c.start + gold, c.end + gold)
            found.append(Mark(c.new_start, c.new_end, kind, -1, base.text[c.start : c.end], *where))
    return sorted(found)


def _joined(edit: Sequence[Change]) -> list[Change]:
    """The changes of an edit, those that nothing parts as one."""
    found: list[Change] = []
    for change in edit:
        if found and found[-1].end == change.start and found[-1].new_end == change.new_start:
            change = found.pop()._replace(end=change.end, new_end=change.new_end)
        found.append(change)
    return found


def _moved(at: int, changes: Sequence[Change]) -> int:
    """Where a place of the base stands in the prediction; in a change, at its start."""
    shift = 0
    for change in changes:
        if change.start < at < change.end:
            return change.new_start
        if change.end > at or change.start == at:
            break
        shift = change.new_end - change.end
    return at + shift


def _compared(pair: Pair, prediction: str) -> _Base:
    meant, text = nearest(pair, prediction)
    places = _places(pair, meant)
    if text == prediction:
        return _Base(text, places, tuple(REPAIRED if one else MISSED for one in meant), {}, [])
    reach = _reach(pair, meant, places, text)
    by_span: defaultdict[int, list[Change]] = defaultdict(list)
    unasked: list[list[Change]] = []
    for edit in _edits(text, prediction):
        for number in _swallowed(reach, text, edit):
            by_span[number] += edit
        outside = []
        for change in edit:
            hit = _hit(reach, text, change)
            for number in hit:
                by_span[number].append(change)
            if not hit:
                outside.append(change)
        if outside:
            unasked.append(outside)
    outcomes = (WRONG if number in by_span else REPAIRED if one else MISSED for number, one in enumerate(meant))
    return _Base(text, places, tuple(outcomes), by_span, unasked)


def nearest(pair: Pair, prediction: str) -> tuple[list[bool], str]:
    """Which spans must be repaired in `bad` to come nearest to a prediction, and that text; of two equally near, the
    one that repairs less.

    Begins at the nearer of the two ends and changes its mind about a span, or about two neighbours, as long as that
    brings it nearer: exact but where three spans or more can only be understood together.
    """
    from_bad = Levenshtein.distance(pair.bad, prediction)
    from_good = Levenshtein.distance(pair.good, prediction)
    repairs = from_good < from_bad
    meant, base, best = [repairs] * len(pair.spans), pair.good if repairs else pair.bad, min(from_bad, from_good)
    turns = [(number,) for number in range(len(meant))] + list(pairwise(range(len(meant))))
    better = len(meant) > 1
    while better and best:
        better = False
        for turn in turns:
            tried = [one != (number in turn) for number, one in enumerate(meant)]
            text = _partly_repaired(pair, tried)
            distance = Levenshtein.distance(text, prediction, score_cutoff=best)
            if distance < best:
                meant, base, best, better = tried, text, distance, True
    return meant, base


def _partly_repaired(pair: Pair, chosen: Sequence[bool]) -> str:
    return restore(pair.bad, [span.repair for span, one in zip(pair.spans, chosen, strict=True) if one])


def _places(pair: Pair, meant: Sequence[bool]) -> list[tuple[int, int]]:
    """Where each span stands in the base."""
    places, shift = [], 0
    for span, one in zip(pair.spans, meant, strict=True):
        start = span.start + shift
        end = start + len(span.good if one else span.bad)
        places.append((start, end))
        shift = end - span.end
    return places


def _reach(pair: Pair, meant: Sequence[bool], places: Sequence[tuple[int, int]], base: str) -> list[tuple[int, int]]:
    """The places where a change is one of the span's text; of a span without text, cut out of or lacking in a word or
    white space, the character of that beside it."""
    reach = []
    for span, one, (start, end) in zip(pair.spans, meant, places, strict=True):
        other = span.bad if one else span.good
        if start == end and other:
            joins = _continues(base[start - 1 : start], other[0]), _continues(other[-1], base[end : end + 1])
            start, end = start - joins[0], end + joins[1]
        reach.append((start, end))
    return reach


def _continues(left: str, right: str) -> bool:
    """Whether two characters, or one and the end of the text, belong to the same token."""
    return bool(left and right) and len(TOKEN.findall(left + right)) == 1


def _edits(base: str, prediction: str) -> list[list[Change]]:
    """The differences token by token, in order, those that only white space parts together."""
    tokens, new_tokens = TOKEN.findall(base), TOKEN.findall(prediction)
    ends, new_ends = offsets(tokens), offsets(new_tokens)
    edits: list[list[Change]] = []
    for op in Levenshtein.editops(*codes(tokens, new_tokens)):
        end, new_end = op.src_pos + (op.tag != "insert"), op.dest_pos + (op.tag != "delete")
        change = Change(ends[op.src_pos], ends[end], new_ends[op.dest_pos], new_ends[new_end])
        if edits and not base[edits[-1][-1].end : change.start].strip():
            edits[-1].append(change)
        else:
            edits.append([change])
    return edits


def _hit(reach: Sequence[tuple[int, int]], base: str, change: Change) -> list[int]:
    """The numbers of the spans in whose text a change stands; what is put in counts for a span without text, too, that
    stands there or that only white space parts from there."""
    left, right = change.start, change.end
    inserts = left == right
    if inserts:
        left = len(base[:left].rstrip())
        right = len(base) - len(base[right:].lstrip())
    hit = []
    for number in range(bisect_left(reach, left, key=lambda place: place[1]), len(reach)):
        start, end = reach[number]
        if start > right:
            break
        if (inserts and start == end) or (start < change.end and change.start < end):
            hit.append(number)
    return hit


def _swallowed(reach: Sequence[tuple[int, int]], base: str, edit: Sequence[Change]) -> list[int]:
    """The numbers of the spans without text whose neighbours on both sides are gone or replaced, so that an empty
    answer does not pass for one that has cut out what was too much."""
    gone = [change for change in edit if change.start < change.end]
    deleted = [change for change in gone if change.new_start == change.new_end]
    starts = {change.start for change in gone} | {change.end for change in deleted if change.end == len(base)}
    ends = {change.end for change in gone} | {change.start for change in deleted if change.start == 0}
    places = starts & ends
    return [number for number, (start, end) in enumerate(reach) if start == end and start in places] if places else []


# Harm


class Piece(NamedTuple):
    """A protected stretch of a text, [start, end) in characters, and what it is; `made` if it is the answer's own."""

    start: int
    end: int
    kind: str
    made: bool = False


def _harmed(pair: Pair, base: _Base, prediction: str) -> list[set[Piece]]:
    """The protected pieces that each unasked edit changed, or those that it made if it changed none.

    They are looked for in the good text before and after these edits alone: an error such as an open fence, which
    turns the rest of a text into code, has no say in what is code.
    """
    if not base.unasked:
        return []
    text, edits = _upon_good(pair, base.places, prediction, base.unasked)
    before, after = protected_pieces(pair.good, pair.format), protected_pieces(text, pair.format)
    found = []
    for edit in edits:
        changed = {piece for c in edit for piece in _overlapped(before, c.start, c.end)}
        made = {piece._replace(made=True) for c in edit for piece in _overlapped(after, c.new_start, c.new_end)}
        found.append(changed or made)
    return found


def _upon_good(
    pair: Pair, places: Sequence[tuple[int, int]], prediction: str, unasked: Sequence[Sequence[Change]]
) -> tuple[str, list[list[Change]]]:
    """The good text with the unasked edits alone, and these edits as changes of it."""
    parts: list[str] = []
    edits: list[list[Change]] = []
    at = length = passed = 0
    for edit in unasked:
        edits.append([])
        for change in edit:
            while passed < len(places) and places[passed][1] <= change.start:
                passed += 1
            shift = pair.spans[passed - 1].good_end - places[passed - 1][1] if passed else 0
            start, end = change.start + shift, change.end + shift
            new_start = length + start - at
            length = new_start + change.new_end - change.new_start
            parts += pair.good[at:start], prediction[change.new_start : change.new_end]
            edits[-1].append(Change(start, end, new_start, length))
            at = end
    return "".join((*parts, pair.good[at:])), edits


def _overlapped(found: Sequence[Piece], start: int, end: int) -> Sequence[Piece]:
    """The pieces that share a character with [start, end); if that is empty, the one it stands inside."""
    first = bisect_right(found, start, key=lambda piece: piece.end)
    last = bisect_left(found, end, key=lambda piece: piece.start)
    return found[first:last]


def protected_pieces(text: str, format: str) -> list[Piece]:
    """The protected text in order: code blocks with their fences, inline code, flags, URLs, link targets, front matter,
    HTML, math, directives, and the numbers in prose."""
    document = parse(text, format=format)
    found: list[Piece] = []
    for start, end, kind in document.protected:
        name = _NAMES.get(kind, kind)
        if kind == "code_span" and text[start:end].lstrip("`").startswith("-"):
            name = "flag"
        if name == "code" and found and found[-1].kind == "code" and _same_block(text[found[-1].end : start]):
            start = found.pop().start
        found.append(Piece(start, end, name))
    found += [Piece(match.start(), match.end(), "number") for match in _WITH_DIGIT.finditer(document.prose)]
    return sorted(found)


def _same_block(gap: str) -> bool:
    """Whether what stands between two stretches of code is no more than the indentation of a line."""
    return not gap.strip() and gap.count("\n") < 2
