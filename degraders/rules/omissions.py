"""Content: missing details, of the kinds that real fixes add: a phrase, an aside, a clause or a sentence."""

from __future__ import annotations

from degraders.draw import Draw
from degraders.edits import Edit
from degraders.registry import Fault, Place, Subtype, pattern, register_degrader

_LAST_OF_SENTENCE = r"(?=[.:;]?(?:\s|\x01|\Z))"
_WORDS = r"(?:[\w\x00'’/-]+\s){0,6}[\w\x00'’/-]+"


def _drop_group(place: Place, draw: Draw) -> Fault | None:
    """Remove the first group of a match."""
    start, end = place.data.span(1)
    removed = place.unit.doc.text[start:end]
    if "\n\n" in removed or removed.count("[") != removed.count("]") or not _is_balanced(removed):
        return None
    return Fault((Edit(start, end, ""),))


def _drop_sentence(place: Place, draw: Draw) -> Fault | None:
    """Remove the sentence in the first group of a match."""
    start, end = place.data.span(1)
    removed = place.unit.doc.text[start:end]
    if not 4 <= len(removed.split()) <= 45 or not _is_balanced(removed):
        return None
    return Fault((Edit(start, end, ""),))


def _is_balanced(text: str) -> bool:
    return text.count("(") == text.count(")") and text.count("`") % 2 == 0


register_degrader(
    "content.detail_lost",
    Subtype("aside", 3, pattern(r"[\w\x00]( \([^()\x01]{4,90}\))(?=[ .,;:\n])"), _drop_group),
    Subtype(
        "clause",
        3,
        pattern(
            r"[\w\x00)](, (?:if|when|which|where|so|but|except|unless|e\.g\.|such as|including|i\.e\.|like|as|since"
            r"|with)\b[^.;:()\x01]{4,120})(?=[.;:](?:\s|\x01))"
        ),
        _drop_group,
    ),
    Subtype(
        "phrase",
        5,
        pattern(
            rf"[a-z\x00)]( (?:of|in|for|from|to|with|by|on|at|as|using|via|into|within|inside|after|before|during"
            rf"|under) (?:the|a|an|your|this|its|each|these|any|\x00+)\s?{_WORDS}){_LAST_OF_SENTENCE}"
        ),
        _drop_group,
    ),
    Subtype(
        "phrase_inside",
        3,
        pattern(
            r"[a-z\x00)]( (?:of|in|for|from|with|by|on|using|within) (?:the|a|an|your|this|its|each) [\w\x00'’-]+)"
            r"(?= (?:is|are|can|will|must|should|has|have|and|to|by|when|if|in|with|for)\b)"
        ),
        _drop_group,
    ),
    Subtype(
        "also",
        2,
        pattern(r"[\w\x00)]((?:,| and| or) (?:[\w\x00'’-]+ ){0,4}[\w\x00'’-]+)(?=[.,;:](?:\s|\x01))"),
        _drop_group,
    ),
    Subtype("sentence", 5, pattern(r"[.!?]((?: |\n)[A-Z][^.!?\x01]{15,260}[.!?])(?=\s|\x01|\Z)"), _drop_sentence),
    Subtype("first_sentence", 2, pattern(r"(?<=\x01)([A-Z][^.!?\x01]{15,260}[.!?](?: |\n))(?=[A-Z])"), _drop_sentence),
    does="leaves out a detail that the reader needs: an aside, a condition, a clause or a sentence",
    example=("Run it, unless you have no network. It starts.", "Run it. It starts."),
    recoverable="D",
    severity=2,
    touches={"code_span", "url", "target", "html", "directive", "math"},
    weight=3,
)
