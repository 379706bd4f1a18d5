"""What the tests share: every text that a degrader can make of a small document."""

from __future__ import annotations

from degraders.document import Document, Unit, parse
from degraders.engine import Degradation, Plan, Variant
from degraders.registry import Degrader, all_degraders


def whole(doc: Document) -> Unit:
    return Unit(doc, 0, 0, len(doc.text), "")


def variants(text: str, item: Degrader, *, format: str = "markdown", seeds: int = 200) -> list[Variant]:
    """What a degrader alone, one error at a time, makes of a text under the first seeds."""
    unit = whole(parse(text, doc_id="case", format=format))
    plans = [Plan((item,), seed, severity=1.0, identity_rate=0.0, allow_lossy=True) for seed in range(seeds)]
    found = [Degradation(unit, plan).variant(0) for plan in plans]
    return [variant for variant in found if variant]


def outcomes(name: str, text: str, *, format: str = "markdown", seeds: int = 200) -> set[str]:
    """The bad texts among `variants`."""
    return {variant.bad for variant in variants(text, all_degraders()[name], format=format, seeds=seeds)}
