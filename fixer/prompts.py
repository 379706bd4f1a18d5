"""What a model sees and what it shall answer: one `Style` for training and for evaluation.

The style is saved beside the adapter, so that an evaluation asks exactly as the training did. A change of any word
here needs another `VERSION`: an adapter that learned the old words is then refused instead of misread.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from degraders.dataset.pairs import Pair, Span
from degraders.edits import restore
from degraders.errors import UserError
from degraders.files import write_text

VERSION = 1
STYLES = ("plain", "chat")
TARGET_FORMATS = ("good_only", "structured", "edits")
DIRECTIONS = ("repair", "degrade")
STYLE_FILE = "prompt_style.json"

_TASKS = {
    "repair": "Repair the documentation below. Change only what is wrong.",
    "degrade": "Write the documentation below with the errors that people make.",
}
_FORMS = {
    "good_only": "",
    "structured": ' Answer with JSON: {"spans": [[wrong, right, label], ...], "text": the whole text}.',
    "edits": " Answer with JSON: [[wrong, right], ...], each wrong text as it stands there, and only there.",
}
_MOST_CONTEXT = 200
_TEXT, _ANSWER = "### Text\n", "### Answer\n"
"""The marks of the prompt, before the text and before the answer."""


class Target(NamedTuple):
    """The answer that is learned; `mends` are the ranges of its characters that mend something."""

    text: str
    mends: tuple[tuple[int, int], ...]


class ParsedAnswer(NamedTuple):
    """What a model made of a text. With a `problem` ("empty", "prompt", "no JSON", "wrong JSON", "not found",
    "ambiguous") the text is the input as it was."""

    text: str
    problem: str = ""


@dataclass(frozen=True, slots=True)
class PromptStyle:
    """How a model is asked and how it answers; `plain` and `chat` differ only in who wraps the prompt."""

    name: str = "plain"
    target_format: str = "good_only"
    direction: str = "repair"
    version: int = VERSION

    def source(self, pair: Pair) -> str:
        """The text that is given to the model: the bad one, or the good one to `degrade`."""
        return pair.good if self.direction == "degrade" else pair.bad

    def prompt(self, text: str, context: str) -> str:
        """All that stands before the answer; the headings above the text are cut to their last 200 characters."""
        place = f"\nSection: {context[-_MOST_CONTEXT:]}" if context else ""
        tail = "" if self.name == "chat" else f"\n\n{_ANSWER}"
        return f"{_TASKS[self.direction]}{_FORMS[self.target_format]}{place}\n\n{_TEXT}{text}{tail}"

    def target(self, pair: Pair) -> Target:
        """The answer to a pair."""
        text, wanted = self.source(pair), _wanted(pair, self.direction)
        spans = _towards(pair.spans, self.direction)
        if self.target_format == "good_only":
            return Target(wanted, tuple((span.good_start, span.good_end) for span in spans))
        found = _edits(text, spans)
        if self.target_format == "edits":
            answer = _json([edit[:2] for edit in found])
            return Target(answer, ((0, len(answer)),))
        answer = _json({"spans": found, "text": wanted})
        return Target(answer, ((0, answer.rindex('"text":')),))

    def answer(self, generated: str, text: str) -> ParsedAnswer:
        """What an answer makes of a text."""
        if not generated.strip():
            return ParsedAnswer(text, "empty")
        if self.target_format == "good_only":
            return _begun_again(generated, text)
        try:
            value = orjson.loads(generated.strip())
        except orjson.JSONDecodeError:
            return ParsedAnswer(text, "no JSON")
        if self.target_format == "structured":
            whole = value.get("text") if isinstance(value, dict) else None
            return ParsedAnswer(whole) if isinstance(whole, str) else ParsedAnswer(text, "wrong JSON")
        return _edited(text, value)

    def save(self, folder: Path) -> None:
        """Write the style beside an adapter."""
        write_text(folder / STYLE_FILE, json.dumps(asdict(self), indent=2) + "\n")

    @classmethod
    def load(cls, folder: Path) -> PromptStyle:
        """The style of an adapter; UserError if it is absent or another version's."""
        path = folder / STYLE_FILE
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
            style = cls(**found)
        except FileNotFoundError as error:
            raise UserError(f"{path}: is missing; was this adapter made by train_qlora.py?") from error
        except (OSError, ValueError, TypeError) as error:
            raise UserError(f"{path}: cannot be read ({error}); train again, or restore the file") from error
        if style.version != VERSION:
            raise UserError(f"{path}: prompt style {style.version}, this version asks in style {VERSION}; train again")
        if style.name not in STYLES or style.target_format not in TARGET_FORMATS or style.direction not in DIRECTIONS:
            raise UserError(f"{path}: a prompt style that is not known here: {style}")
        return style


def _begun_again(generated: str, text: str) -> ParsedAnswer:
    """An answer without the prompt's marks. Models that meet a heading can take it for the prompt's own, write a mark
    behind it and begin again, heading and all: then what follows is the answer. Any other mark is a problem."""
    if not any(mark in generated and mark not in text for mark in (_TEXT, _ANSWER)):
        return ParsedAnswer(generated)
    before, mark, rest = generated.partition(_TEXT)
    again = mark and before.strip() and rest.startswith(before.strip())
    if again and not any(mark in rest and mark not in text for mark in (_TEXT, _ANSWER)):
        return ParsedAnswer(rest)
    return ParsedAnswer(text, "prompt")


def _wanted(pair: Pair, direction: str) -> str:
    return pair.bad if direction == "degrade" else pair.good


def _towards(spans: Sequence[Span], direction: str) -> Sequence[Span]:
    """The spans as seen from the source: `bad` is what stands there, `good` what it becomes."""
    if direction == "repair":
        return spans
    return [
        span._replace(
            start=span.good_start,
            end=span.good_end,
            good_start=span.start,
            good_end=span.end,
            bad=span.good,
            good=span.bad,
        )
        for span in spans
    ]


def _edits(text: str, spans: Sequence[Span]) -> list[tuple[str, str, str]]:
    """Wrong text, right text and labels, each wrong one with as many words around as let it stand only once in the
    text; errors that share these words are one edit."""
    groups: list[tuple[int, int, list[Span]]] = []
    for span in spans:
        (start, end), members = _unique(text, span.start, span.end), [span]
        while groups and groups[-1][1] > start:
            first, last, others = groups.pop()
            start, end, members = min(first, start), max(last, end), others + members
        groups.append((start, end, members))
    return [(text[start:end], *_righted(text, start, end, members)) for start, end, members in groups]


def _righted(text: str, start: int, end: int, spans: Sequence[Span]) -> tuple[str, str]:
    """[start, end) of the text with the errors put right, and their labels."""
    repairs = [(span.start - start, span.end - start, span.good) for span in spans]
    return restore(text[start:end], repairs), ", ".join(sorted({span.label for span in spans} - {""}))


def _unique(text: str, start: int, end: int) -> tuple[int, int]:
    """The range, grown word by word until its text stands only once."""
    while (start > 0 or end < len(text)) and not (end > start and _stands_once(text, text[start:end])):
        start, end = _word_before(text, start), _word_after(text, end)
    return start, end


def _stands_once(text: str, piece: str) -> bool:
    """Whether a piece of the text stands nowhere else in it, not even overlapping itself."""
    return text.find(piece, text.find(piece) + 1) < 0


def _word_before(text: str, at: int) -> int:
    """The start of the word that ends at or runs over `at`, or of the one before."""
    while at > 0 and text[at - 1].isspace():
        at -= 1
    while at > 0 and not text[at - 1].isspace():
        at -= 1
    return at


def _word_after(text: str, at: int) -> int:
    while at < len(text) and text[at].isspace():
        at += 1
    while at < len(text) and not text[at].isspace():
        at += 1
    return at


def _edited(text: str, value: Any) -> ParsedAnswer:
    """A text with edits applied: each wrong text must stand in it once, and share nothing with another."""
    ranges: list[tuple[int, int, str]] = []
    if not isinstance(value, list):
        return ParsedAnswer(text, "wrong JSON")
    for edit in value:
        if not (isinstance(edit, list) and len(edit) == 2 and all(isinstance(part, str) for part in edit)):
            return ParsedAnswer(text, "wrong JSON")
        wrong, right = edit
        at = text.find(wrong)
        if at < 0:
            return ParsedAnswer(text, "not found")
        if not _stands_once(text, wrong):
            return ParsedAnswer(text, "ambiguous")
        ranges.append((at, at + len(wrong), right))
    return _applied(text, sorted(ranges))


def _applied(text: str, ranges: Sequence[tuple[int, int, str]]) -> ParsedAnswer:
    pieces: list[str] = []
    at = 0
    for start, end, right in ranges:
        if start < at:
            return ParsedAnswer(text, "ambiguous")
        pieces += text[at:start], right
        at = end
    return ParsedAnswer("".join([*pieces, text[at:]]))


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
