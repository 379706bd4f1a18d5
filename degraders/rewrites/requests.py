"""Requests to rewrite a passage so that it shows one named problem.

Here are the problems with their prompts, the choice of a passage, the instruction that a model receives, and the
protocols of those who answer. In a passage, code, URLs and other protected ranges are placeholders (`⟦0⟧`).
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
"""The problem of a model that was trained to write errors: any error that people make."""
BACKENDS = ("stub", "transformers", "openai")
"""Who may answer: offline rules, a model on this machine, a server."""
SHORTEST_PARAGRAPH, LONGEST_PARAGRAPH = 60, 4000
"""Characters of a paragraph that is rewritten."""
_LONGEST_UNIT = 1600
"""Characters of a unit that a trained model rewrites as a whole."""
_RULES = "_rules"
_BRACKET = re.compile("[⟦⟧]")


class RewriteRequest(NamedTuple):
    """The name of a problem, the passage that is to show it, the headings above the passage, and a seed."""

    problem: str
    passage: str
    context: str
    seed: int


class Rewriter(Protocol):
    """Rewrites a passage so that it shows one named problem, or declines with None.

    The answer depends on nothing but the request, so that a run can be repeated.
    """

    def rewrite(self, request: RewriteRequest) -> str | None: ...


@dataclass(frozen=True, slots=True)
class Problem:
    """A writing problem that a model can create.

    `recoverable` is the class of its errors, `numbers` whether a rewrite may change numbers, `digest` that of the
    prompt.
    """

    name: str
    recoverable: str
    numbers: bool
    prompt: str
    version: str
    digest: str

    @property
    def degrader(self) -> Degrader:
        """The degrader whose name labels the errors of this problem."""
        return _problem_degrader(self.name, self.recoverable)


@cache
def _problem_degrader(name: str, recoverable: str) -> Degrader:
    return Degrader(
        name=f"llm.{name}",
        where=regions("paragraph"),
        corrupt=_make_no_fault,
        does="a language model's rewrite of a passage",
        example=("", ""),
        recoverable=recoverable,
        severity=2,
        touches=frozenset(),
        size=2,
        weight=0.0,
        english=True,
    )


def _make_no_fault(place: Place, draw: Draw) -> None:
    """The faults of these degraders come from answers of a model, never from the engine."""


@cache
def all_problems() -> dict[str, Problem]:
    """The problems that have a prompt in `degraders/data/prompts`, by name."""
    folder = files("degraders") / "data" / "prompts"
    names = sorted(path.name.removesuffix(".txt") for path in folder.iterdir())
    _, rules = _read_prompt(_RULES)
    return {name: _load_problem(name, rules) for name in names if name != _RULES}


def _load_problem(name: str, rules: str) -> Problem:
    settings, task = _read_prompt(name)
    prompt = f"{rules}\n\n{task}"
    return Problem(
        name=name,
        recoverable=settings["class"],
        numbers=settings.get("changes") == "numbers",
        prompt=prompt,
        version=settings["version"],
        digest=blake2b(prompt.encode(), digest_size=6).hexdigest(),
    )


def _read_prompt(name: str) -> tuple[dict[str, str], str]:
    """The settings and the text of a prompt file: comment lines (`#`), lines `name value`, an empty line, the text."""
    content = (files("degraders") / "data" / "prompts" / f"{name}.txt").read_text(encoding="utf-8")
    head, _, text = content.partition("\n\n")
    settings = dict(line.split(" ", 1) for line in head.splitlines() if not line.startswith("#"))
    return settings, text.strip()


LEARNED_PROBLEM = Problem(name=LEARNED, recoverable="B", numbers=True, prompt="", version="1", digest="")


def get_problem(name: str) -> Problem:
    """The problem of that name; KeyError if there is none."""
    return LEARNED_PROBLEM if name == LEARNED else all_problems()[name]


def build_instruction(request: RewriteRequest) -> str:
    """The text that a model receives: the rules, the task, and the passage as data between marks."""
    above = f"\n\nIt stands under: {request.context[-200:]}" if request.context else ""
    return f"{get_problem(request.problem).prompt}{above}\n\n<passage>\n{request.passage}\n</passage>"


@dataclass(frozen=True, slots=True)
class RewriteSettings:
    """Which rewrites a run uses: the share of records with a rewrite, the names of the problems, and who answers.

    `signature` holds everything that an answer depends on besides the request. `cache` is the path of the file of
    answers; it is empty for the offline stub, which needs none.
    """

    backend: str
    share: float
    problems: tuple[str, ...]
    signature: str = ""
    cache: str = ""

    def __post_init__(self) -> None:
        if self.backend not in BACKENDS:
            raise ValueError(f"back end {self.backend!r} is not one of {', '.join(BACKENDS)}")
        if not 0 <= self.share <= 1:
            raise ValueError(f"the share of records with a rewrite is {self.share}, not a number from 0 to 1")
        unknown = [name for name in self.problems if name != LEARNED and name not in all_problems()]
        if unknown or not self.problems:
            raise ValueError(f"problems {self.problems}: name some of {', '.join((*all_problems(), LEARNED))}")
        if (self.backend == "stub") == bool(self.cache):
            raise ValueError("a model needs a cache of answers, and the offline stub has none")

    def describe_prompts(self) -> dict[str, str]:
        """Version and digest of each prompt, by problem; empty for the stub, which has no prompts."""
        problems = [get_problem(name) for name in self.problems if self.backend != "stub"]
        return {problem.name: f"version {problem.version}, {problem.digest}" for problem in problems}


class RewriteAnswer(NamedTuple):
    """A request with the model's text, or with None and the reason why there is no answer.

    A failure is not cached: the next run sends the request again.
    """

    request: RewriteRequest
    text: str | None
    failure: str = ""


class Backend(Protocol):
    """Answers requests. The answers may come in any order."""

    def answer_requests(self, requests: Iterable[RewriteRequest]) -> Iterator[RewriteAnswer]: ...


def choose_passage(unit: Unit, draw: Draw, names: Sequence[str]) -> tuple[RewriteRequest, Region] | None:
    """Draw one of the named problems and a passage of the unit: the request, and the region of the passage.

    None if no passage of the unit is suitable.
    """
    name = draw.choice(names)
    if name == LEARNED:
        if unit.end - unit.start > _LONGEST_UNIT:
            return None
        region = Region(
            start=unit.start,
            end=unit.end,
            kind="unit",
            inner_start=unit.start,
            inner_end=unit.end,
            info="",
            depth=0,
        )
        passage = unit.doc.text[unit.start : unit.end]
    else:
        paragraphs = [region for region in unit.regions_of("paragraph") if _is_suitable(unit, region)]
        if not paragraphs:
            return None
        region = draw.choice(paragraphs)
        passage, _ = hide_protected(unit, region.start, region.end)
    return RewriteRequest(problem=name, passage=passage, context=unit.context, seed=draw.below(1 << 32)), region


def _is_suitable(unit: Unit, paragraph: Region) -> bool:
    """Whether a paragraph has the right length and no characters that could be mistaken for placeholders."""
    start, end = paragraph.start, paragraph.end
    return has_rewritable_length(paragraph) and not _BRACKET.search(unit.doc.text, start, end)


def has_rewritable_length(paragraph: Region) -> bool:
    return SHORTEST_PARAGRAPH <= paragraph.end - paragraph.start <= LONGEST_PARAGRAPH


def hide_protected(unit: Unit, start: int, end: int) -> tuple[str, dict[str, str]]:
    """The text [start, end) of the document with a placeholder for each protected range, and the text of each."""
    hidden: dict[str, str] = {}
    pieces: list[str] = []
    at = start
    for left, right, _ in unit.doc.protected_in(start, end):
        placeholder = f"⟦{len(hidden)}⟧"
        hidden[placeholder] = unit.doc.text[left:right]
        pieces += unit.doc.text[at:left], placeholder
        at = right
    return "".join([*pieces, unit.doc.text[at:end]]), hidden
