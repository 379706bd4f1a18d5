"""Texts through the model and the guard: divided to fit the window, answered in batches, joined again.

Everything that the model does not change stays byte for byte: a text is divided between blocks, and the white space
around each piece, which models do not reproduce well, is restored.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from degraders.dataset.pairs import Pair
from fixer.examples import end_ids, prompt_ids, trim_text
from fixer.generation import GeneratedAnswer, GenerationRequest, Generator, Sampling
from fixer.guard import BROKEN, EMPTY, Limits, guard
from fixer.predictions import Prediction
from fixer.prompts import PromptStyle
from fixer.tokens import text_ids
from fixer.windows import split_text

MAX_LENGTH = 512
"""Most tokens of prompt and answer together, by default."""
TOO_LONG = "too long"
SORTED_TOGETHER = 32
"""Texts whose pieces are sorted by length together; if it were all texts, a long run would finish none for hours."""
_UNFINISHED = {"length": "no end", "repeat": "repeat"}
_ANSWER_LIMITS = {"good_only": (1.25, 16), "edits": (1.25, 64), "structured": (2.5, 64)}
"""Most tokens of an answer, by target format: a factor on the text's tokens, and a number to add."""


@dataclass
class _Piece:
    """A piece of a text, the model's answer to it and the text that results from it."""

    source: str
    raw: str
    text: str
    problem: str = ""
    guard: str = ""
    tokens: int = 0


@dataclass
class _Job:
    """A text in progress: its pieces in order, and how many of them the model has not answered yet."""

    pair: Pair
    pieces: list[_Piece] = field(default_factory=list)
    pending: int = 0

    def prediction(self) -> Prediction:
        pieces = self.pieces
        return Prediction(
            id=self.pair.id,
            raw="".join(piece.raw for piece in pieces),
            text="".join(piece.text for piece in pieces),
            problem=_join_reasons(piece.problem for piece in pieces),
            guard=_join_reasons(piece.guard for piece in pieces),
            tokens=sum(piece.tokens for piece in pieces),
            chunks=len(pieces),
            refused=sum(bool(piece.guard) for piece in pieces),
        )


def source_ids(tokenizer: Any, style: PromptStyle, text: str) -> list[int]:
    """The text's tokens as they would be in the answer: inside JSON, line breaks and quotes are escaped."""
    return text_ids(
        tokenizer, text if style.target_format == "good_only" else json.dumps(text, ensure_ascii=False)[1:-1]
    )


def build_request(
    tokenizer: Any, style: PromptStyle, text: str, context: str, instruction: str = ""
) -> GenerationRequest:
    """The request for the answer to a text, in the style that the model was trained with."""
    text = trim_text(style, text[len(_leading_blank_lines(text)) :])
    source = source_ids(tokenizer, style, text)
    factor, more = _ANSWER_LIMITS[style.target_format]
    prompt = prompt_ids(tokenizer, style, text, context, instruction)
    return GenerationRequest(prompt, source, int(factor * len(source)) + more)


class Repairer:
    """Answers the sources of pairs in the style that the model was trained with.

    A text whose prompt and answer exceed `max_length` tokens is answered in pieces. `limits` are those of the guard,
    None disables it; `batch`, `drafts` and `sampling` configure the generator.
    """

    def __init__(
        self,
        model: Any,
        tokenizer: Any,
        style: PromptStyle,
        *,
        max_length: int = MAX_LENGTH,
        batch: int = 8,
        drafts: int = 16,
        sampling: Sampling | None = None,
        limits: Limits | None = Limits(),  # noqa: B008 (frozen)
    ) -> None:
        stop = end_ids(tokenizer, style)
        self._generate = Generator(model, tokenizer, stop=stop, batch=batch, drafts=drafts, sampling=sampling)
        self._tokenizer = tokenizer
        self._style = style
        self._max_length = max_length
        self._limits = limits
        self._positions = int(getattr(model.config.get_text_config(), "max_position_embeddings", None) or 1 << 30)

    def __call__(
        self, pairs: Iterable[Pair], *, on_piece: Callable[[int, int], None] = lambda chars, tokens: None
    ) -> Iterator[Prediction]:
        """Yield the prediction of each pair as soon as it is finished, not in the order of the pairs.

        `on_piece` is called for each finished piece, with its characters and the tokens of its answer.
        """
        requests: list[GenerationRequest] = []
        owners: list[tuple[_Job, _Piece]] = []
        ranks: list[int] = []
        for number, pair in enumerate(pairs):
            job = self._job(pair)
            for piece in job.pieces:
                if request := self._request(pair, piece):
                    requests.append(request)
                    owners.append((job, piece))
                    ranks.append(number // SORTED_TOGETHER)
                    job.pending += 1
                else:
                    on_piece(len(piece.source), 0)
            if not job.pending:
                yield job.prediction()
        for index, generated in self._generate(requests, ranks):
            job, piece = owners[index]
            self._read_answer(job.pair, piece, generated)
            on_piece(len(piece.source), generated.tokens)
            job.pending -= 1
            if not job.pending:
                yield job.prediction()

    def _job(self, pair: Pair) -> _Job:
        text = self._style.source(pair)
        pieces = split_text(text, pair.format, lambda piece: self._fits(piece, pair))
        return _Job(pair, [_Piece(piece, piece, piece) for piece in pieces])

    def _fits(self, text: str, pair: Pair) -> bool:
        prompt = prompt_ids(self._tokenizer, self._style, text, pair.context, pair.instruction)
        return len(prompt) + len(source_ids(self._tokenizer, self._style, text)) + 1 <= self._max_length

    def _request(self, pair: Pair, piece: _Piece) -> GenerationRequest | None:
        """The request for a piece; None for white space, and for a piece that exceeds the model's positions (which is
        recorded as a problem)."""
        if not piece.source.strip():
            return None
        request = build_request(self._tokenizer, self._style, piece.source, pair.context, pair.instruction)
        limit = min(request.limit, self._positions - len(request.prompt))
        if limit <= len(request.source):
            piece.problem = TOO_LONG
            return None
        return request._replace(limit=limit)

    def _read_answer(self, pair: Pair, piece: _Piece, generated: GeneratedAnswer) -> None:
        """Parse the model's answer to a piece, and check it with the guard."""
        ended = generated.end == "end"
        answer = self._style.answer(generated.text, piece.source)
        text = generated.text if answer.problem == EMPTY else answer.text
        piece.raw = _restore_white_space(text, piece.source) if text.strip() else ""
        piece.problem = answer.problem if ended else _UNFINISHED[generated.end]
        piece.tokens = generated.tokens
        if self._limits:
            piece.guard = guard(piece.source, piece.raw, format=pair.format, ended=ended, limits=self._limits)
            if answer.problem and not piece.guard:
                piece.guard = BROKEN
        piece.text = piece.source if piece.guard else piece.raw


def _restore_white_space(answer: str, source: str) -> str:
    """The answer with the white space around its source; the indentation of its first line is its own."""
    return _leading_blank_lines(source) + answer.lstrip("\r\n").rstrip() + source[len(source.rstrip()) :]


def _leading_blank_lines(text: str) -> str:
    before = text[: len(text) - len(text.lstrip())]
    return before[: before.rfind("\n") + 1]


def _join_reasons(reasons: Iterable[str]) -> str:
    return ", ".join(sorted({reason for reason in reasons if reason}))
