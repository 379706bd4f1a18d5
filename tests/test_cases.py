"""Every degrader has a case file: texts and all that it may make of them.

`cases/<family.problem>.json` is a list of `{"text": …, "gives": […], "format": "markdown", "open": false}`: each text
in `gives` must be made by some seed and, unless `open`, no other; an empty `gives` says that nothing may go wrong.
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
    made = outcomes(name, case["text"], format=case.get("format", "markdown"), seeds=seeds)
    wanted = set(case["gives"])
    assert wanted <= made, f"never made: {wanted - made}; made: {made}"
    if not case.get("open"):
        assert made <= wanted, f"made besides: {made - wanted}"


@pytest.mark.parametrize("name", all_degraders())
def test_every_degrader_has_cases_that_fire_and_cases_that_must_not(name: str) -> None:
    cases = json.loads((CASES / f"{name}.json").read_text(encoding="utf-8"))
    assert any(case["gives"] for case in cases)
    assert any(not case["gives"] for case in cases)


@pytest.mark.parametrize("name", all_degraders())
def test_the_example_of_a_declaration_is_what_the_degrader_does(name: str) -> None:
    good, bad = all_degraders()[name].example
    assert bad in outcomes(name, good, seeds=400)
