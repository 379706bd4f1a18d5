"""The definition of a degrader, the places where it can act, and the register of all declarations.

A degrader says where it could act and what goes wrong there:

    @degrader("spelling.typo", where=words(), does="…", example=("installed", "intsalled"), recoverable="A", severity=1)
    def typo(place: Place, draw: Draw) -> str | None:
        ...

It never counts, draws positions, protects code or builds the text: the engine does.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import Any, NamedTuple, Protocol, TypeAlias

from degraders.draw import Draw
from degraders.edits import Edit
from degraders.taxonomy import FAMILIES, RECOVERABILITY
from degraders.text.document import PROTECTED, Region, Unit

DEFAULT_TRIES = 3


class Place(NamedTuple):
    """Where a degrader may act: [start, end) of the document's text; `data` is a match, a region … of the finder."""

    unit: Unit
    start: int
    end: int
    text: str
    data: Any = None


class Fault(NamedTuple):
    """One fault of one edit or more, for cases that a plain replacement of the place's text cannot express.

    `edits` are applied together or not at all. `recoverable` overrides the degrader's class. `evidence` is the range of
    the document's text that still holds the right value (class C). `derivable` says that the replaced text follows
    from the structure around it (the numbers of a list), so that the hard-token gate need not look for it.
    """

    edits: tuple[Edit, ...]
    recoverable: str | None = None
    evidence: tuple[int, int] | None = None
    derivable: bool = False


CorruptFunction: TypeAlias = Callable[[Place, Draw], "str | Fault | None"]
"""Returns the replacement for the place's text, a Fault, or None if nothing can go wrong there."""


class Finder(Protocol):
    """Finds the places of a degrader. A unit is searched only if it has at least one of the kinds in `needs`."""

    needs: frozenset[str]

    def pick(self, unit: Unit, draw: Draw) -> Place | None:
        """Return a place of the unit, drawn at random, or None if there is none.

        The search begins at a random point and ends at the first place. So it costs no more than it must, and a place
        is likelier the longer the stretch without a place before it.
        """
        ...


class words:
    """Plain words of the prose: all, or those of a vocabulary, which is in lower case unless `exact`."""

    needs = frozenset({"prose"})

    def __init__(self, vocabulary: Collection[str] | None = None, *, shortest: int = 1, exact: bool = False) -> None:
        self.vocabulary = frozenset(vocabulary) if vocabulary is not None else None
        self.shortest = shortest
        self.exact = exact

    def pick(self, unit: Unit, draw: Draw) -> Place | None:
        unit_words = unit.words
        texts = unit_words.texts
        if not texts:
            return None
        index = draw.below(len(texts))
        if self.vocabulary is not None:
            index = next(unit_words.indices_in(self.vocabulary, index, exact=self.exact), -1)
        elif len(texts[index]) < self.shortest:
            index = next((i for i in _indices_from(index, len(texts)) if len(texts[i]) >= self.shortest), -1)
        if index < 0:
            return None
        start, text = unit_words.starts[index], texts[index]
        return Place(unit, start, start + len(text), text, index)


class pattern:
    """Matches of a regular expression over a mask: `prose`, `body` or `code`.

    An expression that begins with a single character class is fast, because the search skips all other characters at
    once; put a look-behind after that class.
    """

    def __init__(self, expression: str, *, over: str = "body", flags: int = 0) -> None:
        self.expression = re.compile(expression, flags)
        self.over = over
        self.needs = frozenset({over})

    def pick(self, unit: Unit, draw: Draw) -> Place | None:
        mask = getattr(unit.doc, self.over)
        at = unit.start + draw.below(unit.end - unit.start + 1)
        match = self.expression.search(mask, at, unit.end) or self.expression.search(mask, unit.start, unit.end)
        if not match:
            return None
        return Place(unit, match.start(), match.end(), unit.doc.text[match.start() : match.end()], match)


class regions:
    """Regions of the given kinds for which the condition `when` is true."""

    def __init__(self, *kinds: str, when: Callable[[Unit, Region], Any] | None = None) -> None:
        self.kinds = kinds
        self.when = when
        self.needs = frozenset(kinds)

    def pick(self, unit: Unit, draw: Draw) -> Place | None:
        candidates = unit.regions_of(*self.kinds)
        if not candidates:
            return None
        for index in _indices_from(draw.below(len(candidates)), len(candidates)):
            region = candidates[index]
            if self.when is None or self.when(unit, region):
                return Place(unit, region.start, region.end, unit.doc.text[region.start : region.end], region)
        return None


class places:
    """Places that a function finds, as (start, end, data); it runs once for each unit that has a kind in `needs`."""

    def __init__(self, find: Callable[[Unit], Iterable[tuple[int, int, Any]]], *, needs: Collection[str]) -> None:
        self.find = find
        self.needs = frozenset(needs)

    def pick(self, unit: Unit, draw: Draw) -> Place | None:
        candidates = unit.place_cache.get(self)
        if candidates is None:
            candidates = unit.place_cache[self] = list(self.find(unit))
        if not candidates:
            return None
        start, end, data = draw.choice(candidates)
        return Place(unit, start, end, unit.doc.text[start:end], data)


class either:
    """The places of several finders, each equally likely to be searched first."""

    def __init__(self, *finders: Finder) -> None:
        self.finders = finders
        self.needs = frozenset[str]().union(*(finder.needs for finder in finders))

    def pick(self, unit: Unit, draw: Draw) -> Place | None:
        order = _indices_from(draw.below(len(self.finders)), len(self.finders))
        return next((place for index in order if (place := self.finders[index].pick(unit, draw))), None)


def _indices_from(first: int, count: int) -> Iterable[int]:
    """The numbers from `first` to `count - 1`, then those from 0 to `first - 1`."""
    return chain(range(first, count), range(first))


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Degrader:
    """One documentation problem. Its `name`, `family.problem`, is the label of its spans.

    `recoverable` is the class (A to D) of a span that passes the hard-token gate, `severity` 1 (annoys) to 3 (blocks),
    `touches` the protected kinds it may change, `size` 0 for words, 1 for lines, 2 for blocks (larger ones claim
    their place first), `weight` how often it is drawn, `english` whether it needs English prose. If a problem has
    `subtypes`, these are drawn in its stead; each is a degrader of the same name. `tries` is the number of places to
    try before another degrader is drawn: 1 if `corrupt` itself goes on to the next place.
    """

    name: str
    where: Finder
    corrupt: CorruptFunction
    does: str
    example: tuple[str, str]
    recoverable: str
    severity: int
    touches: frozenset[str]
    size: int
    weight: float
    english: bool
    family: str = field(init=False)
    subtype: str = ""
    subtypes: tuple[Degrader, ...] = ()
    tries: int = DEFAULT_TRIES

    def __post_init__(self) -> None:
        object.__setattr__(self, "family", self.name.partition(".")[0])
        if self.family not in FAMILIES or not re.fullmatch(r"[a-z]+\.[a-z_]+", self.name):
            raise ValueError(f"{self.name}: a name is family.problem, with a family of {', '.join(FAMILIES)}")
        if self.recoverable not in RECOVERABILITY:
            raise ValueError(f"{self.name}: recoverable must be one of {', '.join(RECOVERABILITY)}")
        if self.severity not in (1, 2, 3) or self.size not in (0, 1, 2):
            raise ValueError(f"{self.name}: severity must be 1, 2 or 3, and size 0, 1 or 2")
        if unknown := sorted(self.touches - PROTECTED):
            raise ValueError(f"{self.name}: {unknown[0]} is no protected kind ({', '.join(sorted(PROTECTED))})")
        if self.weight < 0 or self.tries < 1:
            raise ValueError(f"{self.name}: weight must not be negative, and tries must be positive")

    @property
    def alternatives(self) -> tuple[Degrader, ...]:
        """The degraders that a draw chooses from: the subtypes, or the degrader itself."""
        return self.subtypes or (self,)

    @property
    def key(self) -> str:
        """Its key in a profile: the name, followed by the subtype if there is one."""
        return f"{self.name}/{self.subtype}" if self.subtype else self.name


_DEGRADERS: dict[str, Degrader] = {}


def registered_degraders() -> Mapping[str, Degrader]:
    """The degraders declared so far, by name, in the order of their declaration."""
    return _DEGRADERS


def _register(item: Degrader) -> None:
    if item.name in _DEGRADERS:
        raise ValueError(f"two degraders are named {item.name}")
    _DEGRADERS[item.name] = item


def degrader(
    name: str,
    *,
    where: Finder,
    does: str,
    example: tuple[str, str],
    recoverable: str,
    severity: int,
    touches: Collection[str] = (),
    size: int = 0,
    weight: float = 1.0,
    english: bool = True,
) -> Callable[[CorruptFunction], CorruptFunction]:
    """Register the decorated function, which says what goes wrong at one place, as a degrader."""

    def register(corrupt: CorruptFunction) -> CorruptFunction:
        _register(
            Degrader(
                name=name,
                where=where,
                corrupt=corrupt,
                does=does,
                example=example,
                recoverable=recoverable,
                severity=severity,
                touches=frozenset(touches),
                size=size,
                weight=weight,
                english=english,
            )
        )
        return corrupt

    return register


class Subtype(NamedTuple):
    """One form of a problem: its name, its weight beside the other subtypes, where it acts, and what goes wrong."""

    name: str
    share: float
    where: Finder
    corrupt: CorruptFunction
    recoverable: str | None = None
    tries: int = DEFAULT_TRIES


def register_degrader(
    name: str,
    *subtypes: Subtype,
    does: str,
    example: tuple[str, str],
    recoverable: str,
    severity: int,
    touches: Collection[str] = (),
    size: int = 0,
    weight: float = 1.0,
    english: bool = True,
) -> None:
    """Register a degrader of several subtypes, each with places of its own; `recoverable` is their default class."""
    whole = Degrader(
        name=name,
        where=either(*(subtype.where for subtype in subtypes)),
        corrupt=subtypes[0].corrupt,
        does=does,
        example=example,
        recoverable=recoverable,
        severity=severity,
        touches=frozenset(touches),
        size=size,
        weight=weight,
        english=english,
    )
    total = sum(subtype.share for subtype in subtypes)
    parts = tuple(
        replace(
            whole,
            where=subtype.where,
            corrupt=subtype.corrupt,
            recoverable=subtype.recoverable or recoverable,
            weight=weight * subtype.share / total,
            subtype=subtype.name,
            tries=subtype.tries,
        )
        for subtype in subtypes
    )
    _register(replace(whole, subtypes=parts))
