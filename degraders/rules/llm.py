"""Passages rewritten by the offline stub, which stands in for a language model."""

from __future__ import annotations

from degraders.draw import Draw
from degraders.registry import Fault, Place, degrader, regions
from degraders.rewrites.checks import accept
from degraders.rewrites.requests import RewriteRequest, has_rewritable_length, hide_protected
from degraders.rewrites.stub import PROBLEMS, Stub

_STUB = Stub()


@degrader(
    "llm.stub",
    where=regions("paragraph", when=lambda unit, paragraph: has_rewritable_length(paragraph)),
    does="rewrites a paragraph, wordier, vaguer or tangled (offline rules)",
    example=(
        "To read the log of the service, open the folder that the installer made.",
        "Open the folder that the installer made to read the log of the service.",
    ),
    recoverable="B",
    severity=2,
    size=2,
    weight=1.0,
)
def rewrite_by_rules(place: Place, draw: Draw) -> Fault | None:
    passage, _ = hide_protected(place.unit, place.start, place.end)
    request = RewriteRequest(draw.choice(PROBLEMS), passage, place.unit.context, draw.below(1 << 32))
    answer = _STUB.rewrite(request)
    return accept(place.unit, place, request, answer)[0] if answer else None
