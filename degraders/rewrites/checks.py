"""Which rewrites are accepted, and the fault that an accepted rewrite becomes.

Nothing in an answer is trusted. It is accepted only if it passes every check here; its edits come from a token
alignment with the passage.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from rapidfuzz.distance import Indel

from degraders.edits import Edit, align
from degraders.lexicon import word_set
from degraders.registry import Fault, Place
from degraders.rewrites.requests import LEARNED, LEARNED_PROBLEM, RewriteRequest, get_problem, hide_protected
from degraders.text.document import Region, Unit

EMPTY = "empty"
UNCHANGED = "nothing changed"
REFUSAL = "refusal"
CHAT = "chat around the passage"
PLACEHOLDERS = "code or links lost"
NUMBERS = "numbers changed"
MARKUP = "markup added"
LAYOUT = "not one paragraph"
SIZE = "much shorter or longer"
UNRELATED = "unrelated text"
LANGUAGE = "different language"
PROTECTED = "changes code or markup"


class _Bounds(NamedTuple):
    """The smallest and the largest length of an answer, as shares of the passage's length, and the smallest similarity
    of their tokens (2 x common / sum of both)."""

    shortest: float
    longest: float
    similarity: float


_BOUNDS = _Bounds(shortest=0.4, longest=2.5, similarity=0.3)
_LEARNED_BOUNDS = _Bounds(shortest=0.8, longest=1.25, similarity=0.8)
"""For a trained model, which makes single errors."""
_PLACEHOLDER = re.compile(r"⟦\d+⟧")
_TOKEN = re.compile(r"\w+|⟦|⟧|[^\w\s]")
_LONG_WORD = re.compile(r"[^\W\d_]{5,}")
_STEM = 4
"""Words whose first letters, so many, agree count as the same word."""
_LOST_SHARE = 0.2
"""The share of a passage's long words that a rewrite may lose."""
_NUMBER = re.compile(r"\d+(?:[.,:]\d+)*")
_MARKS = ("`", "](", "://", "**", "\n#", "\n- ", "<", ">")
_REFUSAL = re.compile(
    r"(?:i(?:['’]m| am) (?:sorry|unable|not able)|i (?:cannot|can(?:['’]|no)t|won['’]t) |as an ai\b|sorry,|"
    r"unfortunately, i )", re.IGNORECASE,
)  # fmt: skip
_CHAT = re.compile(
    r"(?:sure|certainly|of course|okay|ok|here(?:['’]s| is| are)|below is|the (?:edited|rewritten|revised) passage)\b"
    r"[^.\n]{0,80}[:!]|</?passage>|### (?:Text|Answer)\b|(?:let me know|i hope this helps)", re.IGNORECASE,
)  # fmt: skip
_STOP_WORDS = word_set("stop_words")


def rejection_reason(request: RewriteRequest, answer: str) -> str:
    """Why an answer is rejected, one of the reasons above; "" if it passes."""
    passage, problem = request.passage, get_problem(request.problem)
    if not answer.strip():
        return EMPTY
    if answer.split() == passage.split():
        return UNCHANGED
    if _REFUSAL.match(answer.lstrip()) and not _REFUSAL.match(passage.lstrip()):
        return REFUSAL
    if any(match[0] not in passage for match in _CHAT.finditer(answer)):
        return CHAT
    if sorted(_PLACEHOLDER.findall(answer)) != sorted(_PLACEHOLDER.findall(passage)):
        return PLACEHOLDERS
    if not problem.numbers and Counter(_NUMBER.findall(answer)) != Counter(_NUMBER.findall(passage)):
        return NUMBERS
    if request.problem != LEARNED:
        if "\n\n" in answer.strip():
            return LAYOUT
        if any(answer.count(mark) > passage.count(mark) for mark in _MARKS):
            return MARKUP
    bounds = _LEARNED_BOUNDS if request.problem == LEARNED else _BOUNDS
    if not bounds.shortest <= len(answer) / len(passage) <= bounds.longest:
        return SIZE
    if Indel.normalized_similarity(_TOKEN.findall(passage), _TOKEN.findall(answer)) < bounds.similarity:
        return UNRELATED
    return "" if _have_same_language(passage, answer) else LANGUAGE


def _have_same_language(passage: str, answer: str) -> bool:
    """Whether both texts have about the same share of Latin letters and, for English, of common words."""
    if abs(_share_of_latin(passage) - _share_of_latin(answer)) > 0.2:
        return False
    return _share_of_stop_words(answer) >= _share_of_stop_words(passage) / 3


def _share_of_latin(text: str) -> float:
    letters = list(filter(str.isalpha, text))
    return sum(map(str.isascii, letters)) / max(1, len(letters))


def _share_of_stop_words(text: str) -> float:
    words = text.lower().split()
    return sum(word in _STOP_WORDS for word in words) / max(1, len(words))


def accept(unit: Unit, place: Region | Place, request: RewriteRequest, answer: str) -> tuple[Fault | None, str]:
    """The fault that an answer makes at its place in the document, or None and the reason for the rejection."""
    if reason := rejection_reason(request, answer):
        return None, reason
    if request.problem == LEARNED:
        return _accept_learned(unit, place, answer)
    return _accept_rewrite(unit, place, request, answer)


def _accept_rewrite(
    unit: Unit, place: Region | Place, request: RewriteRequest, answer: str
) -> tuple[Fault | None, str]:
    """All edits of a rewrite together, or none."""
    start, end = place.start, place.end
    _, hidden = hide_protected(unit, start, end)
    bad = _PLACEHOLDER.sub(lambda match: hidden[match[0]], answer.strip())
    edits = _align_passage(unit, start, end, bad)
    if not edits:
        return None, UNCHANGED
    if not all(_leaves_protected(unit, edit) for edit in edits):
        edits = [_merge_edits(edits, start, bad, end)]
    if not all(_leaves_protected(unit, edit) for edit in edits):
        return None, PROTECTED
    class_ = "D" if _loses_content(request.passage, answer) else get_problem(request.problem).recoverable
    return Fault(tuple(edits), recoverable=class_), ""


def _loses_content(passage: str, answer: str) -> bool:
    """Whether a rewrite lacks so many content words of the passage that the passage cannot be recovered from it.

    Words are compared by their first letters, so that another form of a word counts as the same.
    """
    passage_stems, answer_stems = (
        {word[:_STEM] for word in _LONG_WORD.findall(text.lower())} for text in (passage, answer)
    )
    return len(passage_stems - answer_stems) > _LOST_SHARE * len(passage_stems)


def _accept_learned(unit: Unit, place: Region | Place, answer: str) -> tuple[Fault | None, str]:
    """Those edits of a trained model that change neither code nor markup; each is an error of its own."""
    passage = unit.doc.text[place.start : place.end]
    blank = passage[len(passage.rstrip()) :]
    edits = _align_passage(unit, place.start, place.end, answer.rstrip() + blank)
    accepted = tuple(edit for edit in edits if _leaves_protected(unit, edit))
    return (Fault(accepted, recoverable=LEARNED_PROBLEM.recoverable), "") if accepted else (None, PROTECTED)


def _align_passage(unit: Unit, start: int, end: int, bad: str) -> list[Edit]:
    """The edits, in offsets of the document, that turn its text [start, end) into `bad`."""
    edits = align(unit.doc.text[start:end], bad)
    return [Edit(start + edit.start, start + edit.end, edit.text) for edit in edits]


def _leaves_protected(unit: Unit, edit: Edit) -> bool:
    """Whether an edit keeps all protected text."""
    return unit.doc.keeps_protected(edit.start, edit.end, edit.text, ())


def _merge_edits(edits: Sequence[Edit], start: int, bad: str, end: int) -> Edit:
    """One edit from the first to the last of them, for a rewrite that moves protected text."""
    first, last = edits[0].start, edits[-1].end
    return Edit(first, last, bad[first - start : len(bad) - (end - last)])
