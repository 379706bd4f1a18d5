"""Models of this machine that write errors: an instructed one by prompts, or an adapter trained on real fixes.

The back end `transformers` of data_prep.py: batches, 4 bits where asked, and answers that depend on model and request
alone, not on what else stands in a batch.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from degraders.errors import UserError
from degraders.rewrites.requests import LEARNED, RewriteAnswer, build_instruction
from degraders.rewrites.requests import RewriteRequest as Asked
from fixer.answering import fingerprint
from fixer.devices import make_accelerator
from fixer.examples import end_ids, prompt_ids, text_ids
from fixer.generation import GenerationRequest, Generator, Sampling
from fixer.loading import base_name, base_of, is_adapter, load_adapter, load_base, load_tokenizer
from fixer.prompts import PromptStyle

TOGETHER = 64
"""Requests that are sorted by length together, and done before the next ones are begun."""
_GROWTH = 2.5
TOO_LONG = "too long for the model"


@dataclass(frozen=True)
class LocalModel:
    """Which model answers, and how; `seed` is that of its random numbers."""

    model: str
    bits: int
    batch: int
    temperature: float
    seed: int
    device_map: str = "auto"

    @property
    def learned(self) -> bool:
        """Whether it is an adapter that was trained to write errors; UserError if it was trained to mend them."""
        folder = Path(self.model)
        if not is_adapter(folder):
            return False
        if PromptStyle.load(folder).direction != "degrade":
            raise UserError(
                f"{self.model}: was trained to mend errors; train one with train_qlora.py --direction degrade"
            )
        return True

    def signature(self) -> str:
        """All that has a part in its answers besides the request."""
        folder = Path(self.model)
        base = base_name(base_of(folder)) if is_adapter(folder) else ""
        parts = (
            fingerprint(folder) or self.model,
            fingerprint(Path(base)) if base else "",
            self.bits,
            self.temperature,
        )
        return f"transformers {parts} {self.seed if self.temperature else ''}"


class TransformersBackend:
    """A back end: an adapter is asked for a whole text in its own style, any other model by the prompts."""

    def __init__(self, local: LocalModel) -> None:
        device = make_accelerator(local.device_map).device
        settings: dict[str, Any] = {"bits": local.bits, "device": device}
        if local.learned:
            self._model, self._tokenizer, self._style = load_adapter(Path(local.model), **settings)
        else:
            name = base_name(local.model)
            self._tokenizer = load_tokenizer(name)
            self._style = PromptStyle("chat" if getattr(self._tokenizer, "chat_template", None) else "plain")
            self._model = load_base(name, **settings)
        self._learned = local.learned
        sampling = Sampling(temperature=local.temperature, seed=local.seed)
        stop = end_ids(self._tokenizer, self._style)
        self._generate = Generator(self._model, self._tokenizer, stop=stop, batch=local.batch, sampling=sampling)
        positions = getattr(self._model.config.get_text_config(), "max_position_embeddings", None)
        self._positions = int(positions or 1 << 30)

    def answer_requests(self, requests: Iterable[Asked]) -> Iterator[RewriteAnswer]:
        source = iter(requests)
        while window := list(islice(source, TOGETHER)):
            prepared = [(one, made) for one in window if (made := self._request(one))]
            fits = {id(one) for one, _ in prepared}
            yield from (RewriteAnswer(one, None, TOO_LONG) for one in window if id(one) not in fits)
            for index, generated in self._generate([made for _, made in prepared]):
                yield self._answer(prepared[index][0], generated.text, generated.end)

    def _answer(self, asked: Asked, text: str, end: str) -> RewriteAnswer:
        if end != "end":
            # It depends on the request alone, so that asking again would not help: kept, and refused as empty.
            return RewriteAnswer(asked, "")
        return RewriteAnswer(
            asked, self._style.answer(text, asked.passage).text if asked.problem == LEARNED else text.strip()
        )

    def _request(self, asked: Asked) -> GenerationRequest | None:
        """What the model continues; None if it does not fit the model's positions."""
        prompt = self._prompt(asked)
        source = text_ids(self._tokenizer, asked.passage)
        limit = min(int(_GROWTH * len(source)) + 16, self._positions - len(prompt))
        return GenerationRequest(prompt, source, limit, asked.seed) if limit > len(source) else None

    def _prompt(self, asked: Asked) -> list[int]:
        if self._learned:
            return prompt_ids(self._tokenizer, self._style, asked.passage, asked.context)
        text = build_instruction(asked)
        if self._style.name == "chat":
            messages = [{"role": "user", "content": text}]
            found = self._tokenizer.apply_chat_template(messages, add_generation_prompt=True, return_dict=True)
            return list(found["input_ids"])
        start = [] if self._tokenizer.bos_token_id is None else [self._tokenizer.bos_token_id]
        return start + text_ids(self._tokenizer, f"{text}\n\nThe edited passage:\n")
