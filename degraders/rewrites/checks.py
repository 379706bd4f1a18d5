"""Which rewrites are accepted, and the errors that they leave.

Nothing in an answer is trusted: it counts only if it passes every check here, and its errors are the differences that a
token alignment finds.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from rapidfuzz.distance import Indel

from degraders.edits import Edit, align
from degraders.registry import Fault, Place
from degraders.rewrites.requests import LEARNED, LEARNED_PROBLEM, RewriteRequest, get_problem, hide_protected
from degraders.text.document import Region, Unit

EMPTY = "empty"
SAME = "nothing changed"
REFUSAL = "a refusal"
CHAT = "chat around it"
PLACEHOLDERS = "code or links lost"
NUMBERS = "numbers changed"
MARKUP = "markup added"
LAYOUT = "not one paragraph"
SIZE = "much shorter or longer"
ANOTHER = "another text"
LANGUAGE = "another language"
TOUCHED = "changes code or markup"

_BOUNDS = (0.4, 2.5, 0.3)
"""The least and the greatest length of a rewrite, as shares of the passage's, and the least share of tokens that both
have in common (2 x common / sum of both)."""
_BOUNDS_OF_SLIPS = (0.8, 1.25, 0.8)
"""The same for a text with single slips in it."""
_PLACEHOLDER = re.compile(r"⟦\d+⟧")
_TOKEN = re.compile(r"\w+|⟦|⟧|[^\w\s]")
_LONG_WORD = re.compile(r"[^\W\d_]{5,}")
_STEM, _MOST_LOST = 4, 0.2
"""Letters by which words count as the same, and the share of a passage's words that a rewrite may lose."""
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
_STOP_WORDS = frozenset(
    "the of to is a and in for that this with you be are it on as or can not from by if an at was has have".split()
)


# Which answers are taken


def rejection_reason(request: RewriteRequest, answer: str) -> str:
    """Why an answer is not taken, one of the reasons above; "" if it may count."""
    passage, problem = request.passage, get_problem(request.problem)
    if not answer.strip():
        return EMPTY
    if answer.split() == passage.split():
        return SAME
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
    shortest, longest, alike = _BOUNDS_OF_SLIPS if request.problem == LEARNED else _BOUNDS
    if not shortest <= len(answer) / len(passage) <= longest:
        return SIZE
    if Indel.normalized_similarity(_TOKEN.findall(passage), _TOKEN.findall(answer)) < alike:
        return ANOTHER
    return "" if _same_language(passage, answer) else LANGUAGE


def _same_language(passage: str, answer: str) -> bool:
    """Whether as many letters are of the Latin script and, of English, as many words are common ones, or nearly."""
    latin = [
        sum(map(str.isascii, filter(str.isalpha, text))) / max(1, sum(map(str.isalpha, text)))
        for text in (passage, answer)
    ]
    if abs(latin[0] - latin[1]) > 0.2:
        return False
    common = [_common_words(text) for text in (passage, answer)]
    return common[1] >= common[0] / 3


def _common_words(text: str) -> float:
    words = text.lower().split()
    return sum(word in _STOP_WORDS for word in words) / max(1, len(words))


def accept(unit: Unit, place: Region | Place, request: RewriteRequest, answer: str) -> tuple[Fault | None, str]:
    """The fault that an answer leaves at its place in the document, or why it is not taken."""
    if reason := rejection_reason(request, answer):
        return None, reason
    return _learned(unit, place, answer) if request.problem == LEARNED else _rewritten(unit, place, request, answer)


def _rewritten(unit: Unit, place: Region | Place, request: RewriteRequest, answer: str) -> tuple[Fault | None, str]:
    start, end = place.start, place.end
    hidden = hide_protected(unit, start, end)[1]
    bad = _PLACEHOLDER.sub(lambda match: hidden[match[0]], answer.strip())
    edits = _edits(unit, start, end, bad)
    if not all(unit.doc.keeps_protected(edit.start, edit.end, edit.text, ()) for edit in edits):
        edits = [_covering(edits, start, bad, end)]
    if not all(unit.doc.keeps_protected(edit.start, edit.end, edit.text, ()) for edit in edits):
        return None, TOUCHED
    class_ = "D" if _loses(request.passage, answer) else get_problem(request.problem).recoverable
    return (Fault(tuple(edits), recoverable=class_), "") if edits else (None, SAME)


def _loses(passage: str, answer: str) -> bool:
    """Whether many of the words that say something are gone, so that nobody can tell from the rewrite what they were.

    Words count by their beginnings: another form of a word says the same.
    """
    said, left = ({word[:_STEM] for word in _LONG_WORD.findall(text.lower())} for text in (passage, answer))
    return len(said - left) > _MOST_LOST * len(said)


def _learned(unit: Unit, place: Region | Place, answer: str) -> tuple[Fault | None, str]:
    """Of single slips all over a text, those count that leave code and markup alone: each stands by itself."""
    body = unit.doc.text[place.start : place.end]
    blank = body[len(body.rstrip()) :]
    edits = _edits(unit, place.start, place.end, answer.rstrip() + blank)
    kept = tuple(edit for edit in edits if unit.doc.keeps_protected(edit.start, edit.end, edit.text, ()))
    return (Fault(kept, recoverable=LEARNED_PROBLEM.recoverable), "") if kept else (None, TOUCHED)


def _edits(unit: Unit, start: int, end: int, bad: str) -> list[Edit]:
    found = align(unit.doc.text[start:end], bad)
    return [Edit(start + edit.start, start + edit.end, edit.text) for edit in found]


def _covering(edits: Sequence[Edit], start: int, bad: str, end: int) -> Edit:
    """One edit over all of them, for a rewrite that moves protected text."""
    first, last = edits[0].start, edits[-1].end
    return Edit(first, last, bad[first - start : len(bad) - (end - last)])
