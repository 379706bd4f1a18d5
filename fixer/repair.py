"""Texts through the model and the guard: cut to the window, answered in batches, joined again.

What comes back for a text is byte for byte the text where nothing was mended: it is cut between blocks, and the white
space around each piece, which models do not reproduce well, is put back as it was.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from degraders.dataset.pairs import Pair
from fixer.examples import bare, end_ids, prompt_ids, text_ids
from fixer.generation import GeneratedAnswer, GenerationRequest, Generator, Sampling
from fixer.guard import BROKEN, EMPTY, Limits, guard
from fixer.predictions import Prediction
from fixer.prompts import PromptStyle
from fixer.windows import split_text

TOO_LONG = "too long"
TOGETHER = 32
"""Texts whose pieces are sorted by length together: were it all of them, a long run would finish no text for hours."""
_UNFINISHED = {"length": "no end", "repeat": "repeat"}
_GROWTH = {"good_only": (1.25, 16), "edits": (1.25, 64), "structured": (2.5, 64)}
"""Most tokens of an answer, by target format: a factor on the text's tokens, and so many more."""


@dataclass
class _Piece:
    """A stretch of a text and what the model made of it."""

    given: str
    raw: str
    text: str
    problem: str = ""
    guard: str = ""
    tokens: int = 0


@dataclass
class _Job:
    """A text on its way: its pieces in order, and how many still wait for the model."""

    pair: Pair
    pieces: list[_Piece] = field(default_factory=list)
    waiting: int = 0

    def prediction(self) -> Prediction:
        pieces = self.pieces
        return Prediction(
            self.pair.id,
            "".join(piece.raw for piece in pieces),
            "".join(piece.text for piece in pieces),
            _named(piece.problem for piece in pieces),
            _named(piece.guard for piece in pieces),
            sum(piece.tokens for piece in pieces),
            len(pieces),
            sum(bool(piece.guard) for piece in pieces),
        )


def source_ids(tokenizer: Any, style: PromptStyle, text: str) -> list[int]:
    """The text's tokens as they would stand in the answer: inside JSON, line breaks and quotes are escaped."""
    return text_ids(
        tokenizer, text if style.target_format == "good_only" else json.dumps(text, ensure_ascii=False)[1:-1]
    )


def build_request(tokenizer: Any, style: PromptStyle, text: str, context: str) -> GenerationRequest:
    """What the model is asked about a text, in the style that it was trained with."""
    text = bare(style, text[len(_blank_lines(text)) :])
    source = source_ids(tokenizer, style, text)
    factor, more = _GROWTH[style.target_format]
    return GenerationRequest(prompt_ids(tokenizer, style, text, context), source, int(factor * len(source)) + more)


class Repairer:
    """Answers pairs' sources in the style that the model was trained with.

    A text whose prompt and answer exceed `window` tokens is repaired in pieces; `limits` are the guard's, None
    turns it off; `batch`, `drafts` and `sampling` are the generator's.
    """

    def __init__(
        self,
        model: Any,
        tokenizer: Any,
        style: PromptStyle,
        *,
        window: int = 512,
        batch: int = 8,
        drafts: int = 16,
        sampling: Sampling | None = None,
        limits: Limits | None = Limits(),  # noqa: B008 (frozen)
    ) -> None:
        stop = end_ids(tokenizer, style)
        self._generate = Generator(model, tokenizer, stop=stop, batch=batch, drafts=drafts, sampling=sampling)
        self._tokenizer = tokenizer
        self._style = style
        self._window = window
        self._limits = limits
        self._positions = int(getattr(model.config.get_text_config(), "max_position_embeddings", None) or 1 << 30)

    def __call__(
        self, pairs: Iterable[Pair], *, seen: Callable[[int, int], None] = lambda chars, tokens: None
    ) -> Iterator[Prediction]:
        """A prediction for each pair as it is done, not in the pairs' order; `seen` hears, of each piece that is done,
        how many characters it had and how many tokens its answer."""
        requests: list[GenerationRequest] = []
        owners: list[tuple[_Job, _Piece]] = []
        ranks: list[int] = []
        for number, pair in enumerate(pairs):
            job = self._job(pair)
            for piece in job.pieces:
                if request := self._request(pair, piece):
                    requests.append(request)
                    owners.append((job, piece))
                    ranks.append(number // TOGETHER)
                    job.waiting += 1
                else:
                    seen(len(piece.given), 0)
            if not job.waiting:
                yield job.prediction()
        for index, generated in self._generate(requests, ranks):
            job, piece = owners[index]
            self._take(job.pair, piece, generated)
            seen(len(piece.given), generated.tokens)
            job.waiting -= 1
            if not job.waiting:
                yield job.prediction()

    def _job(self, pair: Pair) -> _Job:
        text = self._style.source(pair)
        pieces = split_text(text, pair.format, lambda piece: self._fits(piece, pair.context))
        return _Job(pair, [_Piece(piece, piece, piece) for piece in pieces])

    def _fits(self, text: str, context: str) -> bool:
        prompt = prompt_ids(self._tokenizer, self._style, text, context)
        return len(prompt) + len(source_ids(self._tokenizer, self._style, text)) + 1 <= self._window

    def _request(self, pair: Pair, piece: _Piece) -> GenerationRequest | None:
        """What the model is asked; None for white space, and for what exceeds the model's positions (a problem)."""
        if not piece.given.strip():
            return None
        asked = build_request(self._tokenizer, self._style, piece.given, pair.context)
        limit = min(asked.limit, self._positions - len(asked.prompt))
        if limit <= len(asked.source):
            piece.problem = TOO_LONG
            return None
        return asked._replace(limit=limit)

    def _take(self, pair: Pair, piece: _Piece, generated: GeneratedAnswer) -> None:
        """Read the model's answer to a piece, and let the guard judge it."""
        ended = generated.end == "end"
        answer = self._style.answer(generated.text, piece.given)
        made = generated.text if answer.problem == EMPTY else answer.text
        piece.raw = _framed(made, piece.given) if made.strip() else ""
        piece.problem = answer.problem if ended else _UNFINISHED[generated.end]
        piece.tokens = generated.tokens
        if self._limits:
            piece.guard = guard(piece.given, piece.raw, format=pair.format, ended=ended, limits=self._limits)
            if answer.problem and not piece.guard:
                piece.guard = BROKEN
        piece.text = piece.given if piece.guard else piece.raw


def _framed(answer: str, given: str) -> str:
    """The answer with the white space of the given text around it; indentation of its first line is the answer's."""
    return _blank_lines(given) + answer.lstrip("\r\n").rstrip() + given[len(given.rstrip()) :]


def _blank_lines(text: str) -> str:
    """Those that a text begins with."""
    before = text[: len(text) - len(text.lstrip())]
    return before[: before.rfind("\n") + 1]


def _named(reasons: Iterable[str]) -> str:
    return ", ".join(sorted({reason for reason in reasons if reason}))
