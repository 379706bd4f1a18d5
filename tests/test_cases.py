"""Every degrader has a case file: texts, and every bad text that it may make of them.

`cases/<family.problem>.json` is a list of `{"text": …, "gives": […], "format": "markdown", "open": false}`. Some seed
must make each text in `gives` and, unless `open`, no seed may make another. If `gives` is empty, no seed may make any.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from support import outcomes

from degraders.catalogue import all_degraders

CASES = Path(__file__).parent / "cases"


def _cases() -> list[Any]:
    return [
        pytest.param(path.stem, case, id=f"{path.stem}-{number}")
        for path in sorted(CASES.glob("*.json"))
        for number, case in enumerate(json.loads(path.read_text(encoding="utf-8")))
    ]


@pytest.mark.parametrize(("name", "case"), _cases())
def test_case(name: str, case: dict[str, Any]) -> None:
    seeds = 2000 if case.get("open") else 300
    actual = outcomes(name, case["text"], format=case.get("format", "markdown"), seeds=seeds)
    expected = set(case["gives"])
    assert expected <= actual, f"missing: {expected - actual}; actual: {actual}"
    if not case.get("open"):
        assert actual <= expected, f"unexpected: {actual - expected}"


@pytest.mark.parametrize("name", all_degraders())
def test_every_degrader_has_cases_with_an_error_and_cases_without(name: str) -> None:
    cases = json.loads((CASES / f"{name}.json").read_text(encoding="utf-8"))
    assert any(case["gives"] for case in cases)
    assert any(not case["gives"] for case in cases)


@pytest.mark.parametrize("name", all_degraders())
def test_a_degrader_makes_the_example_of_its_declaration(name: str) -> None:
    good, bad = all_degraders()[name].example
    assert bad in outcomes(name, good, seeds=400)
