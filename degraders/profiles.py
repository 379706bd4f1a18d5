"""Profiles: which errors occur how often, how many a text has, and how long the texts are.

A profile is a JSON file, written by `data_prep.py --calibrate`. The default is `data/profiles/realistic.json`.
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
from degraders.engine import ErrorCounts, check_counts
from degraders.errors import UserError
from degraders.files import check_regular
from degraders.registry import Degrader

FORMAT = "profile of documentation errors, 1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """The result of a calibration.

    `weights` holds the weight of each alternative by its key (`grammar.agreement/number_lost`); an alternative without
    a weight is disabled. `counts` are the numbers of errors in texts, by their length; `repeat_rate` is the chance
    that an error has the same degrader as the one before; `sizes` are quantiles of the lengths of the texts, in
    characters. `origin` names the data.
    """

    weights: tuple[tuple[str, float], ...]
    counts: tuple[ErrorCounts, ...]
    repeat_rate: float
    sizes: tuple[int, ...]
    origin: str = ""

    def __post_init__(self) -> None:
        weights = [weight for _, weight in self.weights]
        if min(weights, default=0) < 0 or not any(weights):
            raise ValueError("weights must not be negative, and one must be positive")
        check_counts(self.counts)
        if not self.sizes or min(self.sizes) < 1:
            raise ValueError("sizes must be positive")
        if not 0 <= self.repeat_rate <= 1:
            raise ValueError("the repeat rate (again) must be from 0 to 1")

    def weighted_degraders(self, degraders: Iterable[Degrader], *, keep_disabled: bool) -> tuple[Degrader, ...]:
        """The alternatives of the degraders, with the weights of this profile.

        A degrader that the profile disables is dropped or, with `keep_disabled`, keeps its declared weights.
        """
        weights = dict(self.weights)
        weighted: list[Degrader] = []
        for item in degraders:
            enabled = [replace(each, weight=weights[each.key]) for each in item.alternatives if weights.get(each.key)]
            weighted += enabled or (item.alternatives if keep_disabled else ())
        return tuple(weighted)

    def to_json(self) -> bytes:
        """The JSON of the profile's file."""
        errors_a_text = [
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
            "errors_a_text": errors_a_text,
            "again": round(self.repeat_rate, 4),
            "weights": {key: round(weight, 4) for key, weight in sorted(self.weights)},
        }
        return orjson.dumps(content, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def _rounded(shares: Iterable[float]) -> list[float]:
    return [round(share, 4) for share in shares]


BUILTIN = ("realistic", "repairable")
"""The built-in profile of the real fixes that follow from the text alone, and that a fixer can learn."""


@cache
def builtin_profile(name: str = "realistic") -> Profile:
    """A built-in profile; `realistic` is the default of all runs."""
    path = files("degraders") / "data" / "profiles" / f"{name}.json"
    return _parse_profile(path.read_bytes(), f"degraders/data/profiles/{name}.json")


def read_profile(path: Path) -> Profile:
    """The profile of a file, or a built-in one if the path is its name. Raises UserError if it is invalid."""
    if str(path) in BUILTIN:
        return builtin_profile(str(path))
    try:
        check_regular(path)
        data = path.read_bytes()
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}); name a file, or {' or '.join(BUILTIN)}") from error
    return _parse_profile(data, str(path))


def _parse_profile(data: bytes, where: str) -> Profile:
    hint = "make one with data_prep.py --calibrate PAIRS --output FILE"
    try:
        content = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise UserError(f"{where}: not JSON ({error}); {hint}") from error
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise UserError(f"{where}: not a profile; {hint}")
    try:
        return _build_profile(content)
    except (KeyError, TypeError, ValueError, AttributeError, ArithmeticError) as error:
        raise UserError(f"{where}: an invalid profile ({error!r}); {hint}") from error


def _build_profile(content: Mapping[str, Any]) -> Profile:
    keys = {alternative.key for item in all_degraders().values() for alternative in item.alternatives}
    weights = {key: float(weight) for key, weight in content["weights"].items()}
    if unknown := sorted(weights.keys() - keys):
        raise ValueError(f"{unknown[0]} is not a degrader of this version")
    return Profile(
        weights=tuple(weights.items()),
        counts=tuple(
            ErrorCounts.from_shares(int(each["chars"]), [float(n) for n in each["shares"]])
            for each in content["errors_a_text"]
        ),
        repeat_rate=float(content["again"]),
        sizes=tuple(int(size) for size in content["sizes"]),
        origin=str(content["origin"]),
    )
