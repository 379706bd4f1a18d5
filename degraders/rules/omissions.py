"""Content: the detail that a text lacks, and that real fixes add: a phrase, an aside, a clause or a sentence."""

from __future__ import annotations

import re

from degraders.draw import Draw
from degraders.edits import Edit
from degraders.registry import Fault, Place, Subtype, pattern, register_degrader
from degraders.rules.vocabulary import FUNCTION_WORDS

_LAST_OF_SENTENCE = r"(?=[.:;]?(?:\s|\x01|\Z))"
_WORDS = r"(?:[\w\x00'’/-]+\s){0,6}[\w\x00'’/-]+"


def _lost(place: Place, draw: Draw) -> Fault | None:
    """What the first group of a match shows is gone; nothing in the text tells it."""
    start, end = place.data.span(1)
    gone = place.unit.doc.text[start:end]
    if (
        "\n\n" in gone
        or gone.count("(") != gone.count(")")
        or gone.count("`") % 2
        or gone.count("[") != gone.count("]")
    ):
        return None
    edit = Edit(start, end, "")
    evidence = _told(place, gone, start, end)
    return Fault((edit,), "C", evidence) if evidence else Fault((edit,))


def _told(place: Place, gone: str, start: int, end: int) -> tuple[int, int] | None:
    """Where the one word that matters in a short phrase stands elsewhere in the unit."""
    telling = {word for word in re.findall(r"[A-Za-z]{4,}", gone) if word.lower() not in FUNCTION_WORDS}
    if len(telling) != 1 or len(gone.split()) > 4:
        return None
    word = telling.pop()
    found = next((at for at in place.unit.find_token(word) if not start <= at < end), None)
    return None if found is None else (found, found + len(word))


def _sentence_lost(place: Place, draw: Draw) -> Fault | None:
    """A sentence between others, or the last of a paragraph, gone."""
    start, end = place.data.span(1)
    gone = place.unit.doc.text[start:end]
    if not 4 <= len(gone.split()) <= 45 or gone.count("`") % 2 or gone.count("(") != gone.count(")"):
        return None
    return Fault((Edit(start, end, ""),))


register_degrader(
    "content.detail_lost",
    Subtype("aside", 3, pattern(r"[\w\x00]( \([^()\x01]{4,90}\))(?=[ .,;:\n])"), _lost, "C"),
    Subtype(
        "clause",
        3,
        pattern(
            r"[\w\x00)](, (?:if|when|which|where|so|but|except|unless|e\.g\.|such as|including|i\.e\.|like|as|since"
            r"|with)\b[^.;:()\x01]{4,120})(?=[.;:](?:\s|\x01))"
        ),
        _lost,
    ),
    Subtype(
        "phrase",
        5,
        pattern(
            rf"[a-z\x00)]( (?:of|in|for|from|to|with|by|on|at|as|using|via|into|within|inside|after|before|during"
            rf"|under) (?:the|a|an|your|this|its|each|these|any|\x00+)\s?{_WORDS}){_LAST_OF_SENTENCE}"
        ),
        _lost,
        "C",
    ),
    Subtype(
        "phrase_inside",
        3,
        pattern(
            r"[a-z\x00)]( (?:of|in|for|from|with|by|on|using|within) (?:the|a|an|your|this|its|each) [\w\x00'’-]+)"
            r"(?= (?:is|are|can|will|must|should|has|have|and|to|by|when|if|in|with|for)\b)"
        ),
        _lost,
        "C",
    ),
    Subtype(
        "also", 2, pattern(r"[\w\x00)]((?:,| and| or) (?:[\w\x00'’-]+ ){0,4}[\w\x00'’-]+)(?=[.,;:](?:\s|\x01))"), _lost
    ),
    Subtype("sentence", 5, pattern(r"[.!?]((?: |\n)[A-Z][^.!?\x01]{15,260}[.!?])(?=\s|\x01|\Z)"), _sentence_lost),
    Subtype("first_sentence", 2, pattern(r"(?<=\x01)([A-Z][^.!?\x01]{15,260}[.!?](?: |\n))(?=[A-Z])"), _sentence_lost),
    does="lacks a detail that the reader needs: an aside, a condition, a clause, a sentence",
    example=("Run it, unless you have no network. It starts.", "Run it. It starts."),
    recoverable="D",
    severity=2,
    touches={"code_span", "url", "target", "html", "directive", "math"},
    weight=3,
)
