"""What a degrader is, how one is declared, and how they are looked up.

A degrader says where it could act and what goes wrong there:

    @degrader("spelling.typo", where=words(), does="…", example=("installed", "intsalled"), recoverable="A", severity=1)
    def typo(place: Place, draw: Draw) -> str | None:
        ...

It never counts, draws positions, protects code or builds the text: the engine does.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import chain
from typing import Any, NamedTuple, Protocol, TypeAlias

from degraders.draw import Draw
from degraders.edits import Edit
from degraders.taxonomy import FAMILIES
from degraders.text.document import PROTECTED, Region, Unit

PLACES_PER_TRY = 3


class Place(NamedTuple):
    """Where a degrader may act: [start, end) of the document's text, with what was found there (a word, a match …)."""

    unit: Unit
    start: int
    end: int
    text: str
    data: Any = None


class Fault(NamedTuple):
    """What goes wrong, where a plain replacement of the place does not say it.

    `edits` are chosen or refused together. `recoverable` overrides the degrader's class. `evidence` is the range of
    the document's text that still holds the right value (class C). `told` says that what is replaced can be told
    from the structure around it (the numbers of a list), so that the hard-token gate need not look for it.
    """

    edits: tuple[Edit, ...]
    recoverable: str | None = None
    evidence: tuple[int, int] | None = None
    told: bool = False


What: TypeAlias = Callable[[Place, Draw], "str | Fault | None"]
"""The replacement for the place's text, a Fault, or None if nothing can go wrong there."""


class Finder(Protocol):
    """Where a degrader could act. `needs` are the kinds one of which a unit must have for a search to pay."""

    needs: frozenset[str]

    def pick(self, unit: Unit, draw: Draw) -> Place | None:
        """A place of the unit, drawn at random; None if there is none.

        The search begins at a random point and ends at the first place, so it costs what it finds: a place is the
        likelier the longer the stretch without one before it.
        """
        ...


class words:
    """Plain words of the prose: all of them, or those in a vocabulary, of lower-case words unless `exact`."""

    needs = frozenset({"prose"})

    def __init__(self, vocabulary: Collection[str] | None = None, *, shortest: int = 1, exact: bool = False) -> None:
        self.vocabulary = frozenset(vocabulary) if vocabulary is not None else None
        self.shortest = shortest
        self.exact = exact

    def pick(self, unit: Unit, draw: Draw) -> Place | None:
        found = unit.words
        texts = found.texts
        if not texts:
            return None
        index = draw.below(len(texts))
        if self.vocabulary is not None:
            index = next(found.standing(self.vocabulary, index, exact=self.exact), -1)
        elif len(texts[index]) < self.shortest:
            index = next((i for i in _from(index, len(texts)) if len(texts[i]) >= self.shortest), -1)
        if index < 0:
            return None
        start, text = found.starts[index], texts[index]
        return Place(unit, start, start + len(text), text, index)


class pattern:
    """Matches of a regular expression over a mask: `prose`, `body` or `code`.

    Let it begin with one set of characters (and look back from there): the search then skips all others at once.
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
    """Regions of the given kinds that satisfy a condition."""

    def __init__(self, *kinds: str, when: Callable[[Unit, Region], Any] | None = None) -> None:
        self.kinds = kinds
        self.when = when
        self.needs = frozenset(kinds)

    def pick(self, unit: Unit, draw: Draw) -> Place | None:
        found = unit.of(*self.kinds)
        if not found:
            return None
        for index in _from(draw.below(len(found)), len(found)):
            region = found[index]
            if self.when is None or self.when(unit, region):
                return Place(unit, region.start, region.end, unit.doc.text[region.start : region.end], region)
        return None


class places:
    """Places that a function finds, as (start, end, data); `needs` are the kinds one of which must be there."""

    def __init__(self, find: Callable[[Unit], Iterable[tuple[int, int, Any]]], *, needs: Collection[str]) -> None:
        self.find = find
        self.needs = frozenset(needs)

    def pick(self, unit: Unit, draw: Draw) -> Place | None:
        found = unit.found.get(self)
        if found is None:
            found = unit.found[self] = list(self.find(unit))
        if not found:
            return None
        start, end, data = draw.choice(found)
        return Place(unit, start, end, unit.doc.text[start:end], data)


class either:
    """The places of several finders, each as likely to be asked first."""

    def __init__(self, *finders: Finder) -> None:
        self.finders = finders
        self.needs = frozenset[str]().union(*(finder.needs for finder in finders))

    def pick(self, unit: Unit, draw: Draw) -> Place | None:
        order = _from(draw.below(len(self.finders)), len(self.finders))
        return next((place for index in order if (place := self.finders[index].pick(unit, draw))), None)


def _from(first: int, count: int) -> Iterable[int]:
    """The numbers below `count`, from `first` on and round."""
    return chain(range(first, count), range(first))


@dataclass(frozen=True, slots=True, eq=False)
class Degrader:
    """One documentation problem; `name` is `family.problem`, the label of its spans.

    `recoverable` is the class (A–D) of a span that passes the hard-token gate, `severity` 1 (annoys) to 3 (blocks),
    `touches` the protected kinds it may change, `size` 0 for words, 1 for lines, 2 for blocks (larger ones claim
    their place first), `weight` how often it is drawn, `english` whether it needs English prose. A problem that has
    several `ways` of its own is drawn by these, each a degrader of the same name. `tries` is the number of places that
    are tried before another kind of error is drawn: 1 where `what` itself goes on to the next place.
    """

    name: str
    where: Finder
    what: What
    does: str
    example: tuple[str, str]
    recoverable: str
    severity: int
    touches: frozenset[str]
    size: int
    weight: float
    english: bool
    family: str = field(init=False)
    way: str = ""
    ways: tuple[Degrader, ...] = ()
    tries: int = PLACES_PER_TRY

    def __post_init__(self) -> None:
        object.__setattr__(self, "family", self.name.partition(".")[0])
        if self.family not in FAMILIES or not re.fullmatch(r"[a-z]+\.[a-z_]+", self.name):
            raise ValueError(f"{self.name}: a name is family.problem, with a family of {', '.join(FAMILIES)}")
        if self.recoverable not in "ABCD" or self.severity not in (1, 2, 3) or not self.touches <= PROTECTED:
            raise ValueError(f"{self.name}: bad recoverable class, severity or protected kind")

    @property
    def drawn(self) -> tuple[Degrader, ...]:
        """What is drawn of it: its ways, or itself."""
        return self.ways or (self,)

    @property
    def key(self) -> str:
        """What a profile calls it: its name, with its way."""
        return f"{self.name}/{self.way}" if self.way else self.name


_DEGRADERS: dict[str, Degrader] = {}


def registered_degraders() -> Mapping[str, Degrader]:
    """The degraders declared so far, by name, in the order of their declaration."""
    return _DEGRADERS


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
) -> Callable[[What], What]:
    """Register the decorated function as what goes wrong at one place."""

    def register(what: What) -> What:
        if name in _DEGRADERS:
            raise ValueError(f"two degraders are named {name}")
        _DEGRADERS[name] = Degrader(
            name, where, what, does, example, recoverable, severity, frozenset(touches), size, weight, english
        )
        return what

    return register


class Way(NamedTuple):
    """One of several ways in which a problem comes about: its name, how often beside the others, where and what."""

    name: str
    share: float
    where: Finder
    what: What
    recoverable: str | None = None
    tries: int = PLACES_PER_TRY


def degrader_of(
    name: str,
    *ways: Way,
    does: str,
    example: tuple[str, str],
    recoverable: str,
    severity: int,
    touches: Collection[str] = (),
    size: int = 0,
    weight: float = 1.0,
    english: bool = True,
) -> None:
    """Register a degrader of several ways, each with places of its own; `recoverable` is theirs unless they say."""
    total = sum(way.share for way in ways)
    settings = (severity, frozenset(touches), size)
    children = tuple(
        Degrader(
            *(name, way.where, way.what, does, example, way.recoverable or recoverable, *settings),
            *(weight * way.share / total, english, way.name),
            tries=way.tries,
        )
        for way in ways
    )
    if name in _DEGRADERS:
        raise ValueError(f"two degraders are named {name}")
    where = either(*(way.where for way in ways))
    first = ways[0].what
    _DEGRADERS[name] = Degrader(
        name, where, first, does, example, recoverable, *settings, weight, english, ways=children
    )
