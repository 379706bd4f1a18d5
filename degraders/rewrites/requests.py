"""Whole passages rewritten by a model: what is asked, which answers are taken, and the errors that they leave.

A rewriter sees a passage in which code, URLs and the like are placeholders (`⟦0⟧`). Nothing that it says is believed:
an answer counts only if it passes every check here, and its errors are what a token alignment finds changed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from hashlib import blake2b
from importlib.resources import files
from typing import NamedTuple, Protocol

from degraders.draw import Draw
from degraders.registry import Degrader, Place, regions
from degraders.text.document import Region, Unit

LEARNED = "learned"
"""The problem of a model that was trained to write errors: whatever people get wrong."""
_RULES = "_rules"
_BRACKET = re.compile("[⟦⟧]")


class RewriteRequest(NamedTuple):
    """What a rewriter is asked: a passage, the headings above it, the problem that it shall have, and a seed."""

    problem: str
    passage: str
    context: str
    seed: int


class Rewriter(Protocol):
    """Rewrites a passage so that it has one named problem, or declines with None.

    The answer may depend on the request alone, so that a run can be repeated.
    """

    def rewrite(self, request: RewriteRequest) -> str | None: ...


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
    return Degrader(
        name=f"llm.{name}",
        where=regions("paragraph"),
        corrupt=_never,
        does="what a language model makes of a passage",
        example=("", ""),
        recoverable=recoverable,
        severity=2,
        touches=frozenset(),
        size=2,
        weight=0.0,
        english=True,
    )


def _never(place: Place, draw: Draw) -> None:
    """Its faults are made elsewhere."""


@cache
def all_problems() -> dict[str, Problem]:
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


def get_problem(name: str) -> Problem:
    return LEARNED_PROBLEM if name == LEARNED else all_problems()[name]


def _prompt(name: str) -> str:
    return _read(name)[1]


def _read(name: str) -> tuple[dict[str, str], str]:
    """The settings and the text of a prompt's file: `#` lines, lines `name value`, an empty line, the text."""
    content = (files("degraders") / "data" / "prompts" / f"{name}.txt").read_text(encoding="utf-8")
    head, _, text = content.partition("\n\n")
    settings = dict(line.split(" ", 1) for line in head.splitlines() if not line.startswith("#"))
    return settings, text.strip()


def build_instruction(request: RewriteRequest) -> str:
    """What a model is told: the rules, the task, and the passage as data between marks of its own."""
    above = f"\n\nIt stands under: {request.context[-200:]}" if request.context else ""
    return f"{get_problem(request.problem).prompt}{above}\n\n<passage>\n{request.passage}\n</passage>"


@dataclass(frozen=True, slots=True)
class RewriteSettings:
    """What a run asks for: the share of records with an error of a model, the problems, and who answers.

    `signature` is all that has a part in an answer besides the request; `cache` is the file that holds the answers,
    empty for the offline stub, which needs none.
    """

    backend: str
    share: float
    problems: tuple[str, ...]
    signature: str = ""
    cache: str = ""

    def prompts(self) -> dict[str, str]:
        """Version and digest of each prompt."""
        found = {name: get_problem(name) for name in self.problems if self.backend != "stub"}
        return {name: f"version {one.version}, {one.digest}" for name, one in found.items()}


class RewriteAnswer(NamedTuple):
    """A request with what a model made of it, or why there is no answer; that is not kept, and asked again."""

    request: RewriteRequest
    text: str | None
    problem: str = ""


class Backend(Protocol):
    """Answers requests, in any order, as they come."""

    def answers(self, requests: Iterable[RewriteRequest]) -> Iterator[RewriteAnswer]: ...


# Which passage of a unit


def choose_passage(unit: Unit, draw: Draw, names: Sequence[str]) -> tuple[RewriteRequest, Region] | None:
    """A paragraph of a unit, with what a rewriter is asked to make of it; None if the unit has none that fits."""
    name = draw.choice(names)
    if name == LEARNED:
        place = Region(unit.start, unit.end, "unit", unit.start, unit.end, "", 0)
        if unit.end - unit.start > 1600:
            return None
    else:
        found = [block for block in unit.regions_of("paragraph") if 60 <= block.end - block.start <= 4000]
        found = [block for block in found if not _BRACKET.search(unit.doc.text, block.start, block.end)]
        if not found:
            return None
        place = draw.choice(found)
    passage = (
        unit.doc.text[place.start : place.end] if name == LEARNED else hide_protected(unit, place.start, place.end)[0]
    )
    return RewriteRequest(name, passage, unit.context, draw.below(1 << 32)), place


def hide_protected(unit: Unit, start: int, end: int) -> tuple[str, dict[str, str]]:
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
