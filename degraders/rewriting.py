"""Whole passages rewritten by a model: what is asked, which answers are taken, and the errors that they leave.

A rewriter sees a passage in which code, URLs and the like are placeholders (`⟦0⟧`). Nothing that it says is believed:
an answer counts only if it passes every check here, and its errors are what a token alignment finds changed.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from hashlib import blake2b
from importlib.resources import files
from typing import NamedTuple, Protocol

from rapidfuzz.distance import Indel

from degraders.document import Region, Unit
from degraders.draw import Draw
from degraders.edits import Edit, align
from degraders.registry import Degrader, Fault, Place, regions

LEARNED = "learned"
"""The problem of a model that was trained to write errors: whatever people get wrong."""
_RULES = "_rules"

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
_BRACKET = re.compile("[⟦⟧]")
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


class Request(NamedTuple):
    """What a rewriter is asked: a passage, the headings above it, the problem that it shall have, and a seed."""

    problem: str
    passage: str
    context: str
    seed: int


class Rewriter(Protocol):
    """Rewrites a passage so that it has one named problem, or declines with None.

    The answer may depend on the request alone, so that a run can be repeated.
    """

    def rewrite(self, request: Request) -> str | None: ...


@dataclass(frozen=True, slots=True)
class Problem:
    """A problem that a model is asked for: the class of its errors, whether numbers may change, and the prompt."""

    name: str
    recoverable: str
    numbers: bool
    prompt: str
    version: str
    digest: str

    @property
    def degrader(self) -> Degrader:
        """What its errors are labelled with."""
        return _labels(self.name, self.recoverable)


@cache
def _labels(name: str, recoverable: str) -> Degrader:
    does, nothing = "what a language model makes of a passage", ("", "")
    where = regions("paragraph")
    return Degrader(f"llm.{name}", where, _never, does, nothing, recoverable, 2, frozenset(), 2, 0.0, True)


def _never(place: Place, draw: Draw) -> None:
    """Its faults are made elsewhere."""


@cache
def problems() -> dict[str, Problem]:
    """The problems that have a prompt in `degraders/data/prompts`, by name."""
    folder = files("degraders") / "data" / "prompts"
    names = sorted(path.name.removesuffix(".txt") for path in folder.iterdir())
    rules = _prompt(_RULES)
    found = {}
    for name in names:
        if name != _RULES:
            settings, text = _read(name)
            whole = f"{rules}\n\n{text}"
            signature = blake2b(whole.encode(), digest_size=6).hexdigest()
            numbers = settings.get("changes") == "numbers"
            found[name] = Problem(name, settings["class"], numbers, whole, settings["version"], signature)
    return found


LEARNED_PROBLEM = Problem(LEARNED, "B", True, "", "1", "")


def problem_of(name: str) -> Problem:
    return LEARNED_PROBLEM if name == LEARNED else problems()[name]


def _prompt(name: str) -> str:
    return _read(name)[1]


def _read(name: str) -> tuple[dict[str, str], str]:
    """The settings and the text of a prompt's file: `#` lines, lines `name value`, an empty line, the text."""
    content = (files("degraders") / "data" / "prompts" / f"{name}.txt").read_text(encoding="utf-8")
    head, _, text = content.partition("\n\n")
    settings = dict(line.split(" ", 1) for line in head.splitlines() if not line.startswith("#"))
    return settings, text.strip()


def question(request: Request) -> str:
    """What a model is told: the rules, the task, and the passage as data between marks of its own."""
    above = f"\n\nIt stands under: {request.context[-200:]}" if request.context else ""
    return f"{problem_of(request.problem).prompt}{above}\n\n<passage>\n{request.passage}\n</passage>"


# Which passage of a unit


def drawn(unit: Unit, draw: Draw, names: Sequence[str]) -> tuple[Request, Region] | None:
    """A paragraph of a unit, with what a rewriter is asked to make of it; None if the unit has none that fits."""
    name = draw.choice(names)
    if name == LEARNED:
        place = Region(unit.start, unit.end, "unit", unit.start, unit.end, "", 0)
        if unit.end - unit.start > 1600:
            return None
    else:
        found = [block for block in unit.of("paragraph") if 60 <= block.end - block.start <= 4000]
        found = [block for block in found if not _BRACKET.search(unit.doc.text, block.start, block.end)]
        if not found:
            return None
        place = draw.choice(found)
    passage = unit.doc.text[place.start : place.end] if name == LEARNED else hide(unit, place.start, place.end)[0]
    return Request(name, passage, unit.context, draw.below(1 << 32)), place


def hide(unit: Unit, start: int, end: int) -> tuple[str, dict[str, str]]:
    """The passage with each protected range a placeholder, and what each stands for."""
    hidden: dict[str, str] = {}
    out: list[str] = []
    at = start
    for left, right, _ in unit.doc.protected_in(start, end):
        name = f"⟦{len(hidden)}⟧"
        hidden[name] = unit.doc.text[left:right]
        out += unit.doc.text[at:left], name
        at = right
    return "".join([*out, unit.doc.text[at:end]]), hidden


# Which answers are taken


def refused(request: Request, answer: str) -> str:
    """Why an answer is not taken, one of the reasons above; "" if it may count."""
    passage, problem = request.passage, problem_of(request.problem)
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


def taken(unit: Unit, place: Region | Place, request: Request, answer: str) -> tuple[Fault | None, str]:
    """The fault that an answer leaves at its place in the document, or why it is not taken."""
    if reason := refused(request, answer):
        return None, reason
    return _learned(unit, place, answer) if request.problem == LEARNED else _rewritten(unit, place, request, answer)


def _rewritten(unit: Unit, place: Region | Place, request: Request, answer: str) -> tuple[Fault | None, str]:
    start, end = place.start, place.end
    hidden = hide(unit, start, end)[1]
    bad = _PLACEHOLDER.sub(lambda match: hidden[match[0]], answer.strip())
    edits = _edits(unit, start, end, bad)
    if not all(unit.doc.survives(edit.start, edit.end, edit.text, ()) for edit in edits):
        edits = [_covering(edits, start, bad, end)]
    if not all(unit.doc.survives(edit.start, edit.end, edit.text, ()) for edit in edits):
        return None, TOUCHED
    class_ = "D" if _loses(request.passage, answer) else problem_of(request.problem).recoverable
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
    kept = tuple(edit for edit in edits if unit.doc.survives(edit.start, edit.end, edit.text, ()))
    return (Fault(kept, recoverable=LEARNED_PROBLEM.recoverable), "") if kept else (None, TOUCHED)


def _edits(unit: Unit, start: int, end: int, bad: str) -> list[Edit]:
    found = align(unit.doc.text[start:end], bad)
    return [Edit(start + edit.start, start + edit.end, edit.text) for edit in found]


def _covering(edits: Sequence[Edit], start: int, bad: str, end: int) -> Edit:
    """One edit over all of them, for a rewrite that moves protected text."""
    first, last = edits[0].start, edits[-1].end
    return Edit(first, last, bad[first - start : len(bad) - (end - last)])
