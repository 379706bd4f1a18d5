"""From a unit of good text to its bad variants: draw the kinds of error, then their places, then apply them.

The only module that decides how many errors a text gets, which, and where. Every draw is keyed by seed, document,
unit, variant and degrader, so a variant depends on nothing else.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import accumulate
from typing import NamedTuple

from degraders.draw import Draw
from degraders.edits import Edit, Located, apply
from degraders.registry import Degrader, Fault
from degraders.text.document import Unit

SEVERITIES: dict[str, float | None] = {"light": 1.2, "medium": None, "heavy": 6.0}
"""Mean number of errors in a text of up to 2,000 characters; None: as the profile says. Longer texts get more."""

_ROUNDS = 12
_HARD_TOKEN = re.compile(
    r"[a-z]+://[^\s<>()\[\]\"'`]+"  # URLs
    r"|(?<![\w-])--?[A-Za-z][\w-]*"  # flags
    r"|[\w~]*(?:[/\\_.@]\w+)+"  # paths, file names, dotted and snake-case names
    r"|\w*[a-z][A-Z]\w*"  # camel case
    r"|\w*\d\w*"  # numbers, versions
)


class ErrorCounts(NamedTuple):
    """How many errors texts of up to `chars` characters have: cumulative shares of one, two …, and their mean."""

    chars: int
    shares: tuple[float, ...]
    mean: float

    @classmethod
    def of(cls, chars: int, shares: Sequence[float]) -> ErrorCounts:
        total = sum(shares)
        mean = sum(count * share for count, share in enumerate(shares, 1)) / total
        return cls(chars, tuple(accumulate(share / total for share in shares)), mean)


DEFAULT_COUNTS = (ErrorCounts.of(2000, (63, 20, 9, 4, 2, 1, 1)),)
"""How many errors a text has where no profile says it."""


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """What a run asks for: which degraders, how many errors, and the shares of special records.

    `severity` is the mean number of errors in a text of up to 2,000 characters (at least one), None for that of
    `counts`, which are in order of their length; `again` is the chance that an error is of the kind of the last one;
    `identity_rate` the share of pairs left as they are; `single_fault_rate` the share with exactly one error, or None
    to let it follow from the severity; `classes` are those of the errors that are made, to which `allow_lossy` adds D,
    errors whose repair nothing in the text tells: `kept` in sum.
    """

    degraders: tuple[Degrader, ...]
    seed: int = 42
    severity: float | None = None
    identity_rate: float = 0.05
    single_fault_rate: float | None = None
    allow_lossy: bool = False
    counts: tuple[ErrorCounts, ...] = DEFAULT_COUNTS
    again: float = 0.0
    classes: str = "ABC"
    kept: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "kept", frozenset(self.classes + "D" * self.allow_lossy))


class LocatedError(NamedTuple):
    """One edit of a variant with what it is; `evidence` is a range of the bad text that holds the right value."""

    located: Located
    degrader: Degrader
    recoverable: str
    evidence: tuple[int, int] | None


class Variant(NamedTuple):
    """A degraded unit: the bad text and its errors, in order. An identity pair has none."""

    bad: str
    errors: tuple[LocatedError, ...]
    identity: bool = False


class PresetFault(NamedTuple):
    """A fault that was made elsewhere, for a variant to hold; `alone` if no other error shall stand beside it, and each
    of its edits counts for itself."""

    degrader: Degrader
    fault: Fault
    alone: bool = False


class _Chosen(NamedTuple):
    """An edit on its way into a variant, in offsets of the document; `group` is shared by edits of one fault."""

    edit: Edit
    degrader: Degrader
    recoverable: str
    evidence: tuple[int, int] | None
    told: bool
    group: int


@lru_cache(maxsize=4096)
def _usable(plan: Plan, kinds: frozenset[str], english: bool) -> tuple[tuple[Degrader, ...], tuple[float, ...]]:
    """The degraders of a plan that units of these kinds may have places for, with their cumulative weights."""
    usable = tuple(
        item
        for problem in plan.degraders
        for item in problem.drawn
        if item.where.needs & kinds and ("D" in plan.kept or item.recoverable != "D") and (english or not item.english)
    )
    return usable, _cumulative(usable)


def _cumulative(degraders: Sequence[Degrader]) -> tuple[float, ...]:
    return tuple(accumulate(item.weight for item in degraders))


class Degradation:
    """The variants of one unit. Remembers which degraders have no place in it, so that none searches twice."""

    def __init__(self, unit: Unit, plan: Plan) -> None:
        self.unit = unit
        self.plan = plan
        self.degraders, self.cumulative = _usable(plan, unit.kinds, unit.doc.english)
        self.without_place: set[Degrader] = set()

    def is_identity(self, number: int) -> bool:
        """Whether the variant of that number is drawn to be the text as it is."""
        return self._draw(number).chance(self.plan.identity_rate)

    def _draw(self, number: int) -> Draw:
        return Draw(self.plan.seed, self.unit.doc.doc_id, self.unit.index, number)

    def variant(self, number: int, given: PresetFault | None = None) -> Variant | None:
        """The variant of that number, or None if no error finds a place; with a `given` fault, if that may stand, among
        its errors."""
        unit, plan = self.unit, self.plan
        draw = self._draw(number)
        if draw.chance(plan.identity_rate):
            return Variant(unit.text, (), identity=True)
        if not self.degraders and not given:
            return None
        single = plan.single_fault_rate is not None and draw.chance(plan.single_fault_rate)
        wanted = 1 if single else self._errors_wanted(draw)
        chosen = self._given(given, single) if given else []
        if given and chosen:
            wanted = 0 if given.alone else wanted - 1
        if wanted and self.degraders:
            self._choose(draw, wanted, single, chosen)
        while chosen:
            variant = self._apply(chosen)
            lost = _unwanted_groups(variant, chosen, plan.kept)
            if not lost:
                return variant
            chosen = [item for item in chosen if item.group not in lost]
        return None

    def _given(self, given: PresetFault, single: bool) -> list[_Chosen]:
        """The edits of a given fault, each by itself if they are many; none if they cannot stand, or must be one."""
        edits, class_, evidence, told = given.fault
        item = given.degrader
        if (single and len(edits) > 1) or not self._fits(edits, evidence, item, ()):
            return []
        class_ = class_ or item.recoverable
        groups = range(len(edits)) if given.alone else [0] * len(edits)
        return [_Chosen(edit, item, class_, evidence, told, at) for at, edit in zip(groups, edits, strict=True)]

    def _errors_wanted(self, draw: Draw) -> int:
        """A number of errors as texts of this length have them, more or fewer as the severity asks."""
        least = 1 if self.plan.single_fault_rate is None else 2
        counts, chars = self.plan.counts, self.unit.end - self.unit.start
        count = 0
        for _ in range(max(1, round(chars / counts[-1].chars))):
            count += self._errors_of_a_text(counts, chars, draw)
        return max(least, count)

    def _errors_of_a_text(self, counts: Sequence[ErrorCounts], chars: int, draw: Draw) -> int:
        like = next((each for each in counts if chars <= each.chars), counts[-1])
        count = 1 + bisect_right(like.shares, draw.below(1 << 32) / (1 << 32), 0, len(like.shares) - 1)
        wanted = self.plan.severity
        if wanted is None:
            return count
        if wanted < like.mean:
            kept = (wanted - 1) / (like.mean - 1)
            return 1 + sum(draw.chance(kept) for _ in range(count - 1))
        most, one_more = count + int(8 * wanted), 1 - 1 / (1 + wanted - like.mean)
        while count < most and draw.chance(one_more):
            count += 1
        return count

    def _choose(self, draw: Draw, wanted: int, single: bool, chosen: list[_Chosen]) -> None:
        """Draw the kinds of error first; the larger ones then claim their places before the smaller."""
        missing, tried = wanted, 0
        for _ in range(_ROUNDS):
            kinds = self._kinds(draw, missing)
            if missing > 1:
                kinds.sort(key=_by_size)
            for item in kinds:
                tried += 1
                if item not in self.without_place:
                    missing -= self._add_fault(item, draw.fork(item.name, tried), chosen, single)
            if not missing:
                break
        chosen.sort(key=_by_start)

    def _kinds(self, draw: Draw, count: int) -> list[Degrader]:
        """Kinds of error by their weights, now and then the same again."""
        kinds = [draw.weighted(self.degraders, self.cumulative)]
        while len(kinds) < count:
            again = draw.chance(self.plan.again)
            kinds.append(kinds[-1] if again else draw.weighted(self.degraders, self.cumulative))
        return kinds

    def _add_fault(self, item: Degrader, draw: Draw, chosen: list[_Chosen], single: bool) -> bool:
        for _ in range(item.tries):
            place = item.where.pick(self.unit, draw)
            if place is None:
                self.without_place.add(item)
                return False
            result = item.what(place, draw)
            if result is None:
                continue
            if isinstance(result, str):
                result = Fault((Edit(place.start, place.end, result),))
            edits, class_, evidence, told = result
            class_ = class_ or item.recoverable
            if not edits or (single and len(edits) > 1) or class_ not in self.plan.kept:
                continue
            if self._fits(edits, evidence, item, chosen):
                group = len(chosen)
                chosen += [_Chosen(edit, item, class_, evidence, told, group) for edit in edits]
                return True
        return False

    def _fits(
        self, edits: Sequence[Edit], evidence: tuple[int, int] | None, item: Degrader, chosen: Sequence[_Chosen]
    ) -> bool:
        """Whether edits change something, stay in the unit, off one another and off what they may not touch."""
        unit, doc = self.unit, self.unit.doc
        taken = [(other.edit.start, other.edit.end) for other in chosen]
        for edit in edits:
            start, end, text = edit.start, edit.end, edit.text
            if start < unit.start or end > unit.end or doc.text[start:end] == text:
                return False
            for other_start, other_end in taken:
                if start <= other_end and other_start <= end:
                    return False
            if not doc.survives(start, end, text, item.touches):
                return False
            if evidence and not _keeps(edit, evidence, doc.text):
                return False
            taken.append((start, end))
        return True

    def _apply(self, chosen: Sequence[_Chosen]) -> Variant:
        unit = self.unit
        bad, located = apply(unit.text, [item.edit for item in chosen], base=unit.start, shape=unit.shape)
        errors = []
        for (_, degrader, class_, evidence, told, _), place in zip(chosen, located, strict=True):
            if evidence:
                evidence = _in_bad(evidence, unit.start, located)
            if (class_ == "C" and evidence is None) or not (told or _told(place, bad, unit.context)):
                class_, evidence = "D", None
            errors.append(LocatedError(place, degrader, class_, evidence))
        return Variant(bad, tuple(errors))


def _by_size(item: Degrader) -> int:
    return -item.size


def _by_start(item: _Chosen) -> int:
    return item.edit.start


def _keeps(edit: Edit, evidence: tuple[int, int], text: str) -> bool:
    """Whether an edit leaves the evidence alone, or only moves it."""
    start, end = evidence
    if edit.end <= start or end <= edit.start:
        return True
    return edit.start <= start and end <= edit.end and text[start:end] in edit.text


def _in_bad(evidence: tuple[int, int], base: int, located: Sequence[Located]) -> tuple[int, int] | None:
    """A range of the document's text as a range of the bad text; None if an edit has destroyed it."""
    start, end = evidence[0] - base, evidence[1] - base
    shift = 0
    for place in located:
        if place.good_end <= start:
            shift += (place.end - place.start) - (place.good_end - place.good_start)
        elif place.good_start <= start and end <= place.good_end:
            at = place.bad.find(place.good[start - place.good_start : end - place.good_start])
            return (place.start + at, place.start + at + end - start) if at >= 0 else None
        elif place.good_start < end:
            return None
    return start + shift, end + shift


def _told(place: Located, bad: str, context: str) -> bool:
    """The hard-token gate: every number, name, flag, path and URL that was replaced still stands somewhere."""
    for piece in place.good.split():
        if piece.isalpha() and piece[1:].islower():
            continue
        for token in _HARD_TOKEN.findall(piece):
            if not (token in place.bad or token in bad or token in context):
                return False
    return True


def _unwanted_groups(variant: Variant, chosen: Sequence[_Chosen], kept: frozenset[str]) -> set[int]:
    """The faults with an error that has turned out to be of a class that is not kept."""
    errors = zip(chosen, variant.errors, strict=True)
    return {item.group for item, error in errors if error.recoverable not in kept}
