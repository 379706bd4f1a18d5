"""How real errors are: how many a text has, of which kinds, in texts of which length; read from a file for a plan.

A profile is a JSON file as `data_prep.py --calibrate` writes it; `data/profiles/realistic.json` is the default.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import orjson

from degraders.catalogue import all_degraders
from degraders.engine import ErrorCounts
from degraders.errors import UserError
from degraders.registry import Degrader

FORMAT = "profile of documentation errors, 1"


@dataclass(frozen=True, slots=True)
class Profile:
    """What a calibration found.

    `weights` are those of the ways, by key (`grammar.agreement/number_lost`); a way that it lacks is off. `counts` say
    how many errors texts have, by their length; `again` is the chance that an error is of the kind of the one before;
    `sizes` are quantiles of the lengths of the texts, in characters. `origin` says what it was made from.
    """

    weights: tuple[tuple[str, float], ...]
    counts: tuple[ErrorCounts, ...]
    repeat_rate: float
    sizes: tuple[int, ...]
    origin: str = ""

    def weighted_degraders(self, degraders: Iterable[Degrader], *, keep_disabled: bool) -> tuple[Degrader, ...]:
        """The alternatives of the degraders, with the weights of this profile.

        A degrader that the profile disables is dropped or, with `keep_disabled`, keeps its declared weights.
        """
        weights = dict(self.weights)
        weighted: list[Degrader] = []
        for item in degraders:
            alternatives = [replace(each, subtypes=()) for each in item.alternatives]
            enabled = [replace(each, weight=weights[each.key]) for each in alternatives if weights.get(each.key)]
            weighted += enabled or (alternatives if keep_disabled else [])
        return tuple(weighted)

    def to_json(self) -> bytes:
        """The profile as the JSON of its file."""
        shares = [
            {
                "chars": each.chars,
                "shares": _rounded(b - a for a, b in zip((0.0, *each.shares), each.shares, strict=False)),
            }
            for each in self.counts
        ]
        content = {
            "format": FORMAT,
            "origin": self.origin,
            "sizes": self.sizes,
            "errors_a_text": shares,
            "again": round(self.repeat_rate, 4),
            "weights": {key: round(weight, 4) for key, weight in sorted(self.weights)},
        }
        return orjson.dumps(content, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def _rounded(shares: Iterable[float]) -> list[float]:
    return [round(share, 4) for share in shares]


REPAIRABLE = "repairable"
"""The profile of those real fixes alone that the text tells: what a fixer can learn."""


@cache
def builtin_profile(name: str = "realistic") -> Profile:
    """The profile that is used where none is named, or another of ours."""
    path = files("degraders") / "data" / "profiles" / f"{name}.json"
    return _parsed(path.read_bytes(), f"degraders/data/profiles/{name}.json")


def read_profile(path: Path) -> Profile:
    """The profile of a file, or ours of that name; UserError if it is none."""
    if str(path) == REPAIRABLE:
        return builtin_profile(REPAIRABLE)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from error
    return _parsed(data, str(path))


def _parsed(data: bytes, where: str) -> Profile:
    hint = "make one with data_prep.py --calibrate PAIRS --output FILE"
    try:
        content = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise UserError(f"{where}: not JSON ({error}); {hint}") from error
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise UserError(f"{where}: no profile; {hint}")
    try:
        return _profile(content)
    except (KeyError, TypeError, ValueError, ZeroDivisionError) as error:
        raise UserError(f"{where}: a profile that is broken ({error!r}); {hint}") from error


def _profile(content: Mapping[str, Any]) -> Profile:
    known = {way.key for item in all_degraders().values() for way in item.alternatives}
    weights = {key: float(weight) for key, weight in content["weights"].items()}
    if unknown := sorted(weights.keys() - known):
        raise ValueError(f"{unknown[0]} is no degrader of this version")
    if min(weights.values(), default=0) < 0 or not any(weights.values()):
        raise ValueError("weights must be positive")
    counts = tuple(
        ErrorCounts.from_shares(int(each["chars"]), [float(n) for n in each["shares"]])
        for each in content["errors_a_text"]
    )
    if not counts or list(counts) != sorted(counts):
        raise ValueError("errors_a_text must be in order of chars")
    sizes, again = tuple(int(size) for size in content["sizes"]), float(content["again"])
    if not sizes or min(sizes) < 1 or not 0 <= again <= 1:
        raise ValueError("sizes must be positive, again from 0 to 1")
    return Profile(tuple(weights.items()), counts, again, sizes, str(content["origin"]))
