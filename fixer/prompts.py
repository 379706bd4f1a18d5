"""Every word that a model sees, and how its answer is read: one `PromptStyle` for training, evaluation and degradation.

The style is saved beside the adapter, so that evaluation prompts the model exactly as training did. Whoever changes a
word of a style must raise `VERSION`: an adapter that learned the old words is then refused instead of misread.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
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
_FORMATS = {
    "good_only": "",
    "structured": ' Answer with JSON: {"spans": [[wrong, right, label], ...], "text": the whole text}.',
    "edits": " Answer with JSON: [[wrong, right], ...], each wrong text as it stands there, and only there.",
}
_MAX_CONTEXT = 200
"""Characters of the headings above a text that a prompt shows."""
_TEXT_MARK, _ANSWER_MARK = "### Text\n", "### Answer\n"
_PASSAGE_MARK = "The edited passage:\n"


class Target(NamedTuple):
    """The answer that the model learns; `edit_ranges` are the character ranges of `text` that change the source."""

    text: str
    edit_ranges: tuple[tuple[int, int], ...]


class ParsedAnswer(NamedTuple):
    """The text that an answer stands for.

    If `problem` is not empty ("empty", "prompt", "no JSON", "wrong JSON", "not found", "ambiguous"), the answer cannot
    be read and `text` is the unchanged input.
    """

    text: str
    problem: str = ""


@dataclass(frozen=True, slots=True)
class PromptStyle:
    """How a model is prompted and how it answers. In the style `chat` the tokenizer's template wraps the prompt."""

    name: str = "plain"
    target_format: str = "good_only"
    direction: str = "repair"
    version: int = VERSION

    def __post_init__(self) -> None:
        for field, choices in (("name", STYLES), ("target_format", TARGET_FORMATS), ("direction", DIRECTIONS)):
            if getattr(self, field) not in choices:
                raise ValueError(f"{field} is {getattr(self, field)!r}, not one of {', '.join(choices)}")

    @classmethod
    def for_tokenizer(cls, tokenizer: Any) -> PromptStyle:
        """The style for a model that was not trained here: `chat` if its tokenizer has a chat template."""
        return cls("chat" if has_chat_template(tokenizer) else "plain")

    @property
    def is_chat(self) -> bool:
        return self.name == "chat"

    def source(self, pair: Pair) -> str:
        """The text that the model reads: the bad one, or the good one if the direction is `degrade`."""
        return pair.good if self.direction == "degrade" else pair.bad

    def prompt(self, text: str, context: str, instruction: str = "") -> str:
        """Everything before the answer; of the headings above the text, the last 200 characters.

        An instruction says what to do with a bad text, so it replaces the usual sentence only if the direction is
        `repair`.
        """
        task = f"{instruction}." if instruction and self.direction == "repair" else _TASKS[self.direction]
        section = f"\nSection: {context[-_MAX_CONTEXT:]}" if context else ""
        tail = "" if self.is_chat else f"\n\n{_ANSWER_MARK}"
        return f"{task}{_FORMATS[self.target_format]}{section}\n\n{_TEXT_MARK}{text}{tail}"

    def target(self, pair: Pair) -> Target:
        """The right answer to a pair."""
        degrade = self.direction == "degrade"
        source, result = (pair.good, pair.bad) if degrade else (pair.bad, pair.good)
        spans = list(map(_reversed_span, pair.spans)) if degrade else pair.spans
        if self.target_format == "good_only":
            return Target(result, tuple((span.good_start, span.good_end) for span in spans))
        edits = _unique_edits(source, spans)
        if self.target_format == "edits":
            answer = _json([edit[:2] for edit in edits])
            return Target(answer, ((0, len(answer)),))
        answer = _json({"spans": edits, "text": result})
        return Target(answer, ((0, answer.rindex('"text":')),))

    def answer(self, generated: str, text: str) -> ParsedAnswer:
        """Read the answer that a model generated for `text`."""
        if not generated.strip():
            return ParsedAnswer(text, "empty")
        if self.target_format == "good_only":
            return _without_marks(generated, text)
        try:
            value = orjson.loads(generated.strip())
        except orjson.JSONDecodeError:
            return ParsedAnswer(text, "no JSON")
        if self.target_format == "structured":
            whole = value.get("text") if isinstance(value, dict) else None
            return ParsedAnswer(whole) if isinstance(whole, str) else ParsedAnswer(text, "wrong JSON")
        return _apply_edits(text, value)

    def save(self, folder: Path) -> None:
        """Write the style beside an adapter."""
        write_text(folder / STYLE_FILE, json.dumps(asdict(self), indent=2) + "\n")

    @classmethod
    def load(cls, folder: Path) -> PromptStyle:
        """The style of an adapter's folder; UserError if the file is missing, broken or of another version."""
        path = folder / STYLE_FILE
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            version = content.get("version", VERSION)
            if version != VERSION:
                raise UserError(f"{path}: has prompt style {version}, this version uses {VERSION}; train again")
            return cls(**content)
        except FileNotFoundError as error:
            raise UserError(f"{path}: is missing; was this adapter made by train_qlora.py?") from error
        except (OSError, ValueError, TypeError, AttributeError) as error:
            raise UserError(f"{path}: cannot be read ({error}); train again, or restore the file") from error


def has_chat_template(tokenizer: Any) -> bool:
    return bool(getattr(tokenizer, "chat_template", None))


def passage_prompt(instruction: str, *, chat: bool) -> str:
    """The prompt for a model that was not trained here: the instruction, and without a chat template a mark after which
    the edited passage begins."""
    return instruction if chat else f"{instruction}\n\n{_PASSAGE_MARK}"


def _without_marks(generated: str, text: str) -> ParsedAnswer:
    """A whole-text answer; one that contains the prompt's own marks is a problem.

    There is one exception. A model that meets a heading can mistake it for the prompt's, write the text mark after it
    and start again from that heading: then the part after the mark is the answer.
    """
    if not _has_new_mark(generated, text):
        return ParsedAnswer(generated)
    before, mark, after = generated.partition(_TEXT_MARK)
    restarts = mark and before.strip() and after.startswith(before.strip())
    if restarts and not _has_new_mark(after, text):
        return ParsedAnswer(after)
    return ParsedAnswer(text, "prompt")


def _has_new_mark(generated: str, text: str) -> bool:
    """Whether an answer contains a mark of the prompt that its text does not contain."""
    return any(mark in generated and mark not in text for mark in (_TEXT_MARK, _ANSWER_MARK))


def _reversed_span(span: Span) -> Span:
    """The span that turns the good text into the bad one."""
    return span._replace(
        start=span.good_start,
        end=span.good_end,
        good_start=span.start,
        good_end=span.end,
        bad=span.good,
        good=span.bad,
    )


def _unique_edits(text: str, spans: Sequence[Span]) -> list[tuple[str, str, str]]:
    """Wrong text, right text and labels of each edit.

    The wrong text includes as many neighbouring words as it needs to occur only once in `text`; errors that share such
    words become one edit.
    """
    groups: list[tuple[int, int, list[Span]]] = []
    for span in spans:
        (start, end), members = _unique_range(text, span.start, span.end), [span]
        while groups and groups[-1][1] > start:
            first, last, others = groups.pop()
            start, end, members = min(first, start), max(last, end), others + members
        groups.append((start, end, members))
    return [_joined_edit(text, start, end, members) for start, end, members in groups]


def _joined_edit(text: str, start: int, end: int, spans: Sequence[Span]) -> tuple[str, str, str]:
    """[start, end) of the text as one edit: as it is, with its errors corrected, and the labels of the errors."""
    wrong = text[start:end]
    right = restore(wrong, [(span.start - start, span.end - start, span.good) for span in spans])
    return wrong, right, ", ".join(sorted({span.label for span in spans} - {""}))


def _unique_range(text: str, start: int, end: int) -> tuple[int, int]:
    """The range, extended word by word until its text occurs only once."""
    while (start > 0 or end < len(text)) and not (end > start and _occurs_once(text, text[start:end])):
        start, end = _word_start_before(text, start), _word_end_after(text, end)
    return start, end


def _occurs_once(text: str, piece: str) -> bool:
    """Whether a piece of the text occurs nowhere else in it, not even overlapping itself."""
    return text.find(piece, text.find(piece) + 1) < 0


def _word_start_before(text: str, at: int) -> int:
    """The start of the word that ends at or runs over `at`, or of the word before."""
    while at > 0 and text[at - 1].isspace():
        at -= 1
    while at > 0 and not text[at - 1].isspace():
        at -= 1
    return at


def _word_end_after(text: str, at: int) -> int:
    while at < len(text) and text[at].isspace():
        at += 1
    while at < len(text) and not text[at].isspace():
        at += 1
    return at


def _apply_edits(text: str, value: Any) -> ParsedAnswer:
    """The text with the edits of an answer applied: each wrong text must occur in it once and overlap no other."""
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
        if not _occurs_once(text, wrong):
            return ParsedAnswer(text, "ambiguous")
        ranges.append((at, at + len(wrong), right))
    ranges.sort()
    if any(start < end for (_, end, _), (start, _, _) in pairwise(ranges)):
        return ParsedAnswer(text, "ambiguous")
    return ParsedAnswer(restore(text, ranges))


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
