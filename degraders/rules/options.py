"""A weighted choice between several things that may go wrong at one place."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import accumulate
from typing import NamedTuple

from degraders.draw import Draw
from degraders.edits import Edit
from degraders.registry import CorruptFunction, Fault, Finder, Place, Subtype


class Option(NamedTuple):
    """One thing that may go wrong at a place: [start, end) of the document's text replaced by `text`.

    `weight` is its chance beside the other options. `subtype` names the subtype of its degrader that it belongs to, if
    there are several. The other fields are those of a Fault.
    """

    weight: float
    start: int
    end: int
    text: str
    recoverable: str | None = None
    evidence: tuple[int, int] | None = None
    derivable: bool = False
    subtype: str = ""


def choose_option(draw: Draw, options: Iterable[Option]) -> Fault | None:
    """Draw one of the options by their weights; None if there are none."""
    candidates = list(options)
    if not candidates:
        return None
    option = draw.weighted_choice(candidates, list(accumulate(option.weight for option in candidates)))
    return Fault((Edit(option.start, option.end, option.text),), option.recoverable, option.evidence, option.derivable)


def option_subtypes(
    where: Finder, options: Callable[[Place, Draw], Iterable[Option]], **shares: float
) -> Iterator[Subtype]:
    """The subtypes of a degrader whose options carry their names, each with its share."""
    for name, share in shares.items():
        yield Subtype(name, share, where, _choose_from_subtype(name, options))


def _choose_from_subtype(subtype: str, options: Callable[[Place, Draw], Iterable[Option]]) -> CorruptFunction:
    return lambda place, draw: choose_option(
        draw, [option for option in options(place, draw) if option.subtype == subtype]
    )
