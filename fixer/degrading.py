"""Local models that write errors: an instructed model with prompts, or an adapter that was trained on real fixes.

This is the back end `transformers` of data_prep.py. It works in batches, optionally in 4 bits, and an answer depends on
model and request alone, not on the other requests of its batch.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from degraders.errors import UserError
from degraders.rewrites.requests import LEARNED, RewriteAnswer, RewriteRequest, build_instruction
from fixer.devices import make_accelerator
from fixer.examples import end_ids, prompt_ids, wrapped_ids
from fixer.generation import GenerationRequest, Generator, Sampling
from fixer.loading import (
    check_bits,
    fingerprint,
    is_adapter,
    load_adapter,
    load_base,
    load_tokenizer,
    read_base_name,
    resolve_base_name,
)
from fixer.prompts import PromptStyle, passage_prompt
from fixer.tokens import text_ids

SORTED_TOGETHER = 64
"""Requests that are sorted by length together, and answered before the next ones start."""
_ANSWER_FACTOR, _ANSWER_EXTRA = 2.5, 16
"""Most tokens of an answer: a factor on the passage's tokens, and a number to add."""
TOO_LONG = "too long for the model"


@dataclass(frozen=True)
class LocalModel:
    """Which local model answers, and how; `seed` is the seed of its sampling."""

    model: str
    bits: int
    batch: int
    temperature: float
    seed: int
    device_map: str = "auto"

    def __post_init__(self) -> None:
        check_bits(self.bits)
        if self.batch < 1:
            raise ValueError(f"batch is {self.batch}, not a number of at least 1")

    @property
    def sampling(self) -> Sampling:
        return Sampling(temperature=self.temperature, seed=self.seed)

    @property
    def learned(self) -> bool:
        """Whether it is an adapter that was trained to write errors; UserError if it was trained to repair them."""
        folder = Path(self.model)
        if not is_adapter(folder):
            return False
        if PromptStyle.load(folder).direction != "degrade":
            raise UserError(
                f"{self.model}: was trained to repair errors; train one with train_qlora.py --direction degrade"
            )
        return True

    def signature(self) -> str:
        """Everything that an answer depends on besides the request."""
        folder = Path(self.model)
        base = resolve_base_name(read_base_name(folder)) if is_adapter(folder) else ""
        parts = (
            fingerprint(folder) or self.model,
            fingerprint(Path(base)) if base else "",
            self.bits,
            self.temperature,
        )
        return f"transformers {parts} {self.seed if self.temperature else ''}"


class TransformersBackend:
    """Answers requests with a local model: an adapter rewrites whole passages in its own style, any other model follows
    the prompts of the problems."""

    def __init__(self, local: LocalModel) -> None:
        device = make_accelerator(local.device_map).device
        settings: dict[str, Any] = {"bits": local.bits, "device": device}
        if local.learned:
            self._model, self._tokenizer, self._style = load_adapter(Path(local.model), **settings)
        else:
            name = resolve_base_name(local.model)
            self._tokenizer = load_tokenizer(name)
            self._style = PromptStyle.for_tokenizer(self._tokenizer)
            self._model = load_base(name, **settings)
        self._learned = local.learned
        stop = end_ids(self._tokenizer, self._style)
        self._generate = Generator(self._model, self._tokenizer, stop=stop, batch=local.batch, sampling=local.sampling)
        positions = getattr(self._model.config.get_text_config(), "max_position_embeddings", None)
        self._positions = int(positions or 1 << 30)

    def answer_requests(self, requests: Iterable[RewriteRequest]) -> Iterator[RewriteAnswer]:
        """The answers to all requests, not in their order."""
        source = iter(requests)
        while group := list(islice(source, SORTED_TOGETHER)):
            fitting: list[RewriteRequest] = []
            generation_requests: list[GenerationRequest] = []
            too_long: list[RewriteRequest] = []
            for request in group:
                if generation_request := self._generation_request(request):
                    fitting.append(request)
                    generation_requests.append(generation_request)
                else:
                    too_long.append(request)
            yield from (RewriteAnswer(request, None, TOO_LONG) for request in too_long)
            for index, generated in self._generate(generation_requests):
                yield self._answer(fitting[index], generated.text, generated.end)

    def _answer(self, request: RewriteRequest, text: str, end: str) -> RewriteAnswer:
        if end != "end":
            # The same request would fail again: the empty answer is stored, and rejected as empty.
            return RewriteAnswer(request, "")
        if request.problem == LEARNED:
            return RewriteAnswer(request, self._style.answer(text, request.passage).text)
        return RewriteAnswer(request, text.strip())

    def _generation_request(self, request: RewriteRequest) -> GenerationRequest | None:
        """The prompt to continue; None if it does not fit the model's positions."""
        prompt = self._prompt(request)
        source = text_ids(self._tokenizer, request.passage)
        limit = min(int(_ANSWER_FACTOR * len(source)) + _ANSWER_EXTRA, self._positions - len(prompt))
        return GenerationRequest(prompt, source, limit, request.seed) if limit > len(source) else None

    def _prompt(self, request: RewriteRequest) -> list[int]:
        if self._learned:
            return prompt_ids(self._tokenizer, self._style, request.passage, request.context)
        prompt = passage_prompt(build_instruction(request), chat=self._style.is_chat)
        return wrapped_ids(self._tokenizer, prompt, chat=self._style.is_chat)
