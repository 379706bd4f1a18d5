"""From a unit of good text to its bad variants: draw the degraders, then their places, then apply the edits.

Only this module decides how many errors a text gets, which, and where. Every draw is keyed by seed, document, unit,
variant and degrader, so a variant depends on nothing else.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import accumulate
from math import inf
from typing import NamedTuple

from degraders.draw import Draw
from degraders.edits import AppliedEdit, Edit, apply
from degraders.registry import Degrader, Fault
from degraders.taxonomy import RECOVERABILITY
from degraders.text.document import Unit

SEVERITIES: dict[str, float | None] = {"light": 1.2, "medium": None, "heavy": 6.0}
"""Mean number of errors in a text of up to 2,000 characters; None for that of the profile. Longer texts get more."""

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
    def from_shares(cls, chars: int, shares: Sequence[float]) -> ErrorCounts:
        """The counts of texts of which `shares[n]` (in any unit) have n + 1 errors."""
        total = sum(shares)
        mean = sum(count * share for count, share in enumerate(shares, 1)) / total
        return cls(chars, tuple(accumulate(share / total for share in shares)), mean)


def check_counts(counts: Sequence[ErrorCounts]) -> None:
    """Raise ValueError unless there are counts, in order of their `chars`."""
    chars = [each.chars for each in counts]
    if not chars or chars[0] < 1 or chars != sorted(set(chars)):
        raise ValueError("the counts of errors must not be empty, and their chars must be positive and rise")


DEFAULT_COUNTS = (ErrorCounts.from_shares(2000, (63, 20, 9, 4, 2, 1, 1)),)
"""The number of errors in a text when no profile gives it."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Plan:
    """The settings of a run: its degraders, the number of errors in a text, and the shares of special records.

    `severity` is the mean number of errors in a text of up to 2,000 characters (at least 1), None for that of
    `counts`, which are in order of their `chars`; `repeat_rate` is the chance that an error has the same degrader as
    the one before; `identity_rate` is the share of variants without errors, `single_fault_rate` the share with exactly
    one, or None to let it follow from the severity. `classes` are the classes of errors to make; `allow_lossy` adds D,
    the errors that cannot be repaired from the text. `allowed_classes` are all of these.
    """

    degraders: tuple[Degrader, ...] = field(kw_only=False)
    seed: int = 42
    severity: float | None = None
    identity_rate: float = 0.05
    single_fault_rate: float | None = None
    allow_lossy: bool = False
    counts: tuple[ErrorCounts, ...] = DEFAULT_COUNTS
    repeat_rate: float = 0.0
    classes: str = "ABC"
    allowed_classes: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        rates = {name: getattr(self, name) for name in ("identity_rate", "single_fault_rate", "repeat_rate")}
        for name, rate in rates.items():
            if rate is not None and not 0 <= rate <= 1:
                raise ValueError(f"{name} must be from 0 to 1, not {rate}")
        if self.severity is not None and not 1 <= self.severity < inf:
            raise ValueError(f"severity must be 1 or more, not {self.severity}")
        check_counts(self.counts)
        if not self.classes or not set(self.classes) <= RECOVERABILITY.keys():
            raise ValueError(f"classes must be some of {''.join(RECOVERABILITY)}, not {self.classes!r}")
        object.__setattr__(self, "allowed_classes", frozenset(self.classes + "D" * self.allow_lossy))


class LocatedError(NamedTuple):
    """An error of a variant: its span, its degrader and its class; `evidence` is a range of the bad text (class C)."""

    span: AppliedEdit
    degrader: Degrader
    recoverable: str
    evidence: tuple[int, int] | None


class Variant(NamedTuple):
    """A degraded unit: the bad text and its errors, in order. An identity pair has none."""

    bad: str
    errors: tuple[LocatedError, ...]
    identity: bool = False


class PresetFault(NamedTuple):
    """A fault from elsewhere, such as a language model, that a variant is to contain.

    With `alone` no other error stands beside it, and each of its edits counts as a fault of its own.
    """

    degrader: Degrader
    fault: Fault
    alone: bool = False


class _Candidate(NamedTuple):
    """An edit that a variant may contain, in offsets of the document; `group` is shared by the edits of one fault."""

    edit: Edit
    degrader: Degrader
    recoverable: str
    evidence: tuple[int, int] | None
    derivable: bool
    group: int


@lru_cache(maxsize=4096)
def _usable_degraders(
    plan: Plan, kinds: frozenset[str], english: bool
) -> tuple[tuple[Degrader, ...], tuple[float, ...]]:
    """The degraders of a plan that can have places in units of these kinds, with their cumulative weights."""
    usable = tuple(
        item
        for problem in plan.degraders
        for item in problem.alternatives
        if item.where.needs & kinds
        and ("D" in plan.allowed_classes or item.recoverable != "D")
        and (english or not item.english)
    )
    return usable, tuple(accumulate(item.weight for item in usable))


class Degradation:
    """The variants of one unit. It remembers which degraders have no place in the unit, so that none searches twice."""

    def __init__(self, unit: Unit, plan: Plan) -> None:
        self.unit = unit
        self.plan = plan
        self.degraders, self.cumulative = _usable_degraders(plan, unit.kinds, unit.doc.is_english)
        self.placeless: set[Degrader] = set()

    def is_identity(self, number: int) -> bool:
        """Whether the variant of this number is an identity pair."""
        return self._new_draw(number).chance(self.plan.identity_rate)

    def _new_draw(self, number: int) -> Draw:
        return Draw(self.plan.seed, self.unit.doc.doc_id, self.unit.index, number)

    def variant(self, number: int, preset: PresetFault | None = None) -> Variant | None:
        """The variant of this number, or None if no error finds a place; it contains the preset fault if that fits."""
        unit, plan = self.unit, self.plan
        draw = self._new_draw(number)
        if draw.chance(plan.identity_rate):
            return Variant(unit.text, (), identity=True)
        if not self.degraders and not preset:
            return None
        single = plan.single_fault_rate is not None and draw.chance(plan.single_fault_rate)
        count = 1 if single else self._draw_count(draw)
        candidates = self._preset_candidates(preset, single) if preset else []
        if preset and candidates:
            count = 0 if preset.alone else count - 1
        if count and self.degraders:
            self._add_faults(count, draw, candidates, single)
        while candidates:
            variant = self._apply(candidates)
            rejected = _rejected_groups(variant, candidates, plan.allowed_classes)
            if not rejected:
                return variant
            candidates = [item for item in candidates if item.group not in rejected]
        return None

    def _preset_candidates(self, preset: PresetFault, single: bool) -> list[_Candidate]:
        """The edits of a preset fault; none if they cannot be applied, or are several where `single` allows one."""
        edits, class_, evidence, derivable = preset.fault
        item = preset.degrader
        if (single and len(edits) > 1) or not self._can_apply(edits, evidence, item, ()):
            return []
        class_ = class_ or item.recoverable
        groups = range(len(edits)) if preset.alone else [0] * len(edits)
        return [
            _Candidate(edit, item, class_, evidence=evidence, derivable=derivable, group=group)
            for group, edit in zip(groups, edits, strict=True)
        ]

    def _draw_count(self, draw: Draw) -> int:
        """A number of errors; a text longer than those of `counts` is counted as several of the longest."""
        least = 1 if self.plan.single_fault_rate is None else 2
        counts, chars = self.plan.counts, self.unit.end - self.unit.start
        texts = max(1, round(chars / counts[-1].chars))
        like = next((each for each in counts if chars <= each.chars), counts[-1])
        return max(least, sum(self._draw_count_of_text(like, draw) for _ in range(texts)))

    def _draw_count_of_text(self, like: ErrorCounts, draw: Draw) -> int:
        """A number of errors as texts of this length have them, then fewer or more to reach the severity."""
        count = 1 + bisect_right(like.shares, draw.below(1 << 32) / (1 << 32), 0, len(like.shares) - 1)
        severity = self.plan.severity
        if severity is None:
            return count
        if severity < like.mean:
            share = (severity - 1) / (like.mean - 1)
            return 1 + sum(draw.chance(share) for _ in range(count - 1))
        most, one_more = count + int(8 * severity), 1 - 1 / (1 + severity - like.mean)
        while count < most and draw.chance(one_more):
            count += 1
        return count

    def _add_faults(self, count: int, draw: Draw, candidates: list[_Candidate], single: bool) -> None:
        """Draw degraders first; those of larger size then claim their places before the smaller ones."""
        missing, drawn_before = count, 0
        for _ in range(_ROUNDS):
            degraders = self._draw_degraders(draw, missing)
            if missing > 1:
                degraders.sort(key=_by_size)
            for number, item in enumerate(degraders, drawn_before + 1):
                if item not in self.placeless:
                    missing -= self._add_fault(item, draw.fork(item.name, number), candidates, single)
            drawn_before += len(degraders)
            if not missing:
                break
        candidates.sort(key=_by_start)

    def _draw_degraders(self, draw: Draw, count: int) -> list[Degrader]:
        """Degraders by their weights; at the plan's `repeat_rate` one is the same as the one before."""
        degraders = [draw.weighted_choice(self.degraders, self.cumulative)]
        while len(degraders) < count:
            repeat = draw.chance(self.plan.repeat_rate)
            degraders.append(degraders[-1] if repeat else draw.weighted_choice(self.degraders, self.cumulative))
        return degraders

    def _add_fault(self, item: Degrader, draw: Draw, candidates: list[_Candidate], single: bool) -> bool:
        """Add the edits of one fault, and tell whether there is one."""
        for _ in range(item.tries):
            place = item.where.pick(self.unit, draw)
            if place is None:
                self.placeless.add(item)
                return False
            result = item.corrupt(place, draw)
            if result is None:
                continue
            if isinstance(result, str):
                result = Fault((Edit(place.start, place.end, result),))
            edits, class_, evidence, derivable = result
            class_ = class_ or item.recoverable
            if not edits or (single and len(edits) > 1) or class_ not in self.plan.allowed_classes:
                continue
            if self._can_apply(edits, evidence, item, candidates):
                group = len(candidates)
                candidates += [
                    _Candidate(edit, item, class_, evidence=evidence, derivable=derivable, group=group)
                    for edit in edits
                ]
                return True
        return False

    def _can_apply(
        self, edits: Sequence[Edit], evidence: tuple[int, int] | None, item: Degrader, candidates: Sequence[_Candidate]
    ) -> bool:
        """Whether edits change the text, stay in the unit, and keep off each other, the candidates, the evidence and
        the text that the degrader may not touch."""
        unit, doc = self.unit, self.unit.doc
        occupied = [(other.edit.start, other.edit.end) for other in candidates]
        for edit in edits:
            start, end, text = edit.start, edit.end, edit.text
            if start < unit.start or end > unit.end or doc.text[start:end] == text:
                return False
            for other_start, other_end in occupied:
                if start <= other_end and other_start <= end:
                    return False
            if not doc.keeps_protected(start, end, text, item.touches):
                return False
            if evidence and not _keeps_evidence(edit, evidence, doc.text):
                return False
            occupied.append((start, end))
        return True

    def _apply(self, candidates: Sequence[_Candidate]) -> Variant:
        unit = self.unit
        bad, spans = apply(unit.text, [item.edit for item in candidates], base=unit.start, shape=unit.shape)
        errors = []
        for (_, degrader, class_, evidence, derivable, _), span in zip(candidates, spans, strict=True):
            if evidence:
                evidence = _map_to_bad(evidence, unit.start, spans)
            recoverable = derivable or _hard_tokens_remain(span, bad, unit.context)
            if (class_ == "C" and evidence is None) or not recoverable:
                class_, evidence = "D", None
            errors.append(LocatedError(span, degrader, class_, evidence))
        return Variant(bad, tuple(errors))


def _by_size(item: Degrader) -> int:
    return -item.size


def _by_start(item: _Candidate) -> int:
    return item.edit.start


def _keeps_evidence(edit: Edit, evidence: tuple[int, int], text: str) -> bool:
    """Whether an edit leaves the evidence unchanged, or only moves it."""
    start, end = evidence
    if edit.end <= start or end <= edit.start:
        return True
    return edit.start <= start and end <= edit.end and text[start:end] in edit.text


def _map_to_bad(evidence: tuple[int, int], base: int, spans: Sequence[AppliedEdit]) -> tuple[int, int] | None:
    """A range of the document's text as a range of the bad text; None if an edit has destroyed it."""
    start, end = evidence[0] - base, evidence[1] - base
    shift = 0
    for span in spans:
        if span.good_end <= start:
            shift += (span.end - span.start) - (span.good_end - span.good_start)
        elif span.good_start <= start and end <= span.good_end:
            at = span.bad.find(span.good[start - span.good_start : end - span.good_start])
            return (span.start + at, span.start + at + end - start) if at >= 0 else None
        elif span.good_start < end:
            return None
    return start + shift, end + shift


def _hard_tokens_remain(span: AppliedEdit, bad: str, context: str) -> bool:
    """The hard-token gate: whether every number, name, flag, path and URL of the good text still stands somewhere."""
    for piece in span.good.split():
        if piece.isalpha() and piece[1:].islower():
            continue
        for token in _HARD_TOKEN.findall(piece):
            if not (token in span.bad or token in bad or token in context):
                return False
    return True


def _rejected_groups(variant: Variant, candidates: Sequence[_Candidate], allowed_classes: frozenset[str]) -> set[int]:
    """The groups with an error whose final class is not allowed."""
    errors = zip(candidates, variant.errors, strict=True)
    return {item.group for item, error in errors if error.recoverable not in allowed_classes}
