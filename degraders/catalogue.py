"""All degraders, and their selection by name, family or glob."""

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
    """The degraders that match a name, family or glob of `include` and none of `exclude`.

    Raises UserError, with similar names, if a part of either list matches none.
    """
    degraders_by_name = all_degraders()
    selected = {name for part in include for name in _matching_names(part, degraders_by_name)}
    selected -= {name for part in exclude for name in _matching_names(part, degraders_by_name)}
    if not selected:
        raise UserError("no degraders remain: --exclude removes all that --degraders selects")
    return tuple(item for name, item in degraders_by_name.items() if name in selected)


def _matching_names(part: str, degraders_by_name: Mapping[str, Degrader]) -> list[str]:
    names = [
        name
        for name, item in degraders_by_name.items()
        if part in (name, item.family, name.partition(".")[2]) or fnmatchcase(name, part)
    ]
    if not names:
        problems = dict.fromkeys(name.partition(".")[2] for name in degraders_by_name)
        similar = get_close_matches(part, [*degraders_by_name, *problems, *FAMILIES], n=3)
        hint = f"did you mean {', '.join(similar)}?" if similar else "see --list-degraders"
        raise UserError(f"unknown degrader {part!r}: {hint}")
    return names
