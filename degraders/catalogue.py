"""All degraders, and the choice of some of them by name, family or glob."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from fnmatch import fnmatchcase

import degraders.rules  # noqa: F401  (importing the package declares its degraders)
from degraders.errors import UserError
from degraders.registry import Degrader, registered_degraders
from degraders.taxonomy import FAMILIES


def all_degraders() -> Mapping[str, Degrader]:
    """Every degrader by name, in the order of the families."""
    return dict(sorted(registered_degraders().items(), key=lambda item: FAMILIES.index(item[1].family)))


def select(include: Iterable[str] = ("*",), exclude: Iterable[str] = ()) -> tuple[Degrader, ...]:
    """The degraders that a list of names, families or globs picks.

    Raises UserError where a part of the list picks none, naming those that come near.
    """
    known = all_degraders()
    chosen = {name for part in include for name in _matching(part, known)}
    chosen -= {name for part in exclude for name in _matching(part, known)}
    if not chosen:
        raise UserError("no degrader is left: --exclude takes away all that --degraders picks")
    return tuple(known[name] for name in known if name in chosen)


def _matching(part: str, known: Mapping[str, Degrader]) -> list[str]:
    found = [
        name
        for name, item in known.items()
        if part in (name, item.family, name.partition(".")[2]) or fnmatchcase(name, part)
    ]
    if not found:
        short = {name.partition(".")[2]: name for name in known}
        near = get_close_matches(part, [*known, *short, *FAMILIES], n=3)
        hint = f"did you mean {', '.join(near)}?" if near else "see --list-degraders"
        raise UserError(f"unknown degrader {part!r}: {hint}")
    return found
