"""A model's answers to many texts: divided among processes, stored as they are made, returned in order."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm

from degraders.dataset.pairs import Pair
from degraders.errors import UserError
from fixer.artefacts import read_option
from fixer.devices import make_accelerator, process_share
from fixer.generation import Sampling
from fixer.guard import Limits
from fixer.loading import (
    check_bits,
    fingerprint,
    has_style,
    is_adapter,
    load_adapter,
    load_base,
    load_tokenizer,
    read_base_name,
    resolve_base_name,
)
from fixer.predictions import Prediction, PredictionStore
from fixer.prompts import PromptStyle
from fixer.repair import MAX_LENGTH, Repairer

_LENGTHS = range(16, 2**20 + 1)
KEEP_BIAS = 2.0
"""Nats by which a change must be more likely than keeping the text. Of 1, 2 and 3, fixers trained on our spelling and
grammar errors, and on all of our degraders, repaired the most real errors with 2; one seed each (docs/worth.md)."""


@dataclass(frozen=True, kw_only=True)
class AnswerSettings:
    """Which model answers, and how; `max_length` None means the length that an adapter was trained with, or
    `MAX_LENGTH` tokens."""

    model: str
    base: str | None
    bits: int
    max_length: int | None
    batch: int
    sampling: Sampling
    guarded: bool
    device_map: str
    attention: str
    trust_remote_code: bool

    def __post_init__(self) -> None:
        check_bits(self.bits)
        if self.batch < 1:
            raise ValueError(f"batch is {self.batch}, not a number of at least 1")

    @property
    def folder(self) -> Path:
        return Path(self.model)

    def signature(self) -> dict[str, Any]:
        """Everything that the answers depend on; neither the batch nor the number of processes belongs to it."""
        adapter = is_adapter(self.folder)
        base = resolve_base_name(self.base or read_base_name(self.folder)) if adapter else None
        sampling = self.sampling
        return {
            "model": self.folder.name if self.folder.is_dir() else resolve_base_name(self.model),
            "weights": fingerprint(self.folder),
            "base_model": base if base is None or not Path(base).is_dir() else Path(base).name,
            "base_weights": fingerprint(Path(base)) if base else "",
            "bits": self.bits,
            "max_length": self.effective_max_length(),
            "temperature": sampling.temperature,
            "top_p": sampling.top_p if sampling.temperature else 1.0,
            "sampling_seed": sampling.seed if sampling.temperature else None,
            "keep_bias": sampling.keep_bias,
            "guard": self.guarded,
        }

    def effective_max_length(self) -> int:
        """The most tokens that prompt and answer may have together."""
        return self.max_length or read_option(self.folder, "max_length", _LENGTHS) or MAX_LENGTH


def default_keep_bias(model: str) -> float:
    """The bias towards keeping the text, if the user passes none; 0 for target formats that do not copy the text."""
    folder = Path(model)
    copies = not has_style(folder) or PromptStyle.load(folder).target_format == "good_only"
    return KEEP_BIAS if copies else 0.0


def load_model(settings: AnswerSettings, device: torch.device) -> tuple[Any, Any, PromptStyle]:
    """Model, tokenizer and prompt style of an adapter's folder or of a plain model, which answers with the whole text.

    UserError if it cannot be loaded, if it was trained to write errors, or if a bias towards keeping the text is set
    but its answers do not copy the text.
    """
    loading: dict[str, Any] = {
        "bits": settings.bits,
        "device": device,
        "attention": settings.attention,
        "trust_remote_code": settings.trust_remote_code,
    }
    folder = settings.folder
    if is_adapter(folder):
        model, tokenizer, style = load_adapter(folder, base=settings.base, **loading)
    else:
        name = resolve_base_name(settings.model)
        tokenizer = load_tokenizer(name, trust_remote_code=settings.trust_remote_code)
        style = PromptStyle.load(folder) if has_style(folder) else PromptStyle.for_tokenizer(tokenizer)
        model = load_base(name, **loading)
    if style.direction != "repair":
        raise UserError(
            f"{settings.model}: was trained to write errors (--direction degrade), but repairs are evaluated"
        )
    if settings.sampling.keep_bias and style.target_format != "good_only":
        raise UserError(
            f"--keep_bias: {settings.model} answers in the format {style.target_format}, which does not copy the text; "
            "leave the option out"
        )
    return model, tokenizer, style


@dataclass(frozen=True)
class AnsweredPairs:
    """The predictions of all pairs, in their order.

    `reused` of them existed before; all `processes` generated the others, in `tokens` tokens, and the main process took
    `seconds` for its share.
    """

    predictions: list[Prediction]
    reused: int
    tokens: int
    seconds: float
    processes: int


def answer_pairs(
    settings: AnswerSettings, pairs: Sequence[Pair], store: PredictionStore, *, restart: bool
) -> AnsweredPairs | None:
    """A model's answers to pairs; None in all processes except the main one, which reports and writes the result.

    Answers that the store holds are reused, unless `restart` removes them first.
    """
    accelerator = make_accelerator(settings.device_map)
    if restart and accelerator.is_main_process:
        store.remove()
    accelerator.wait_for_everyone()
    reused, broken = store.load()
    # All processes must have read before one writes, or they would divide different remaining pairs.
    accelerator.wait_for_everyone()
    if reused and accelerator.is_main_process:
        again = f", {broken} broken lines are answered again" if broken else ""
        print(f"resuming: {len(reused):,} of {len(pairs):,} answers exist{again}", file=sys.stderr)
    remaining = [pair for pair in pairs if pair.id not in reused]
    process, processes = accelerator.process_index, accelerator.num_processes
    share = process_share(remaining, lambda pair: (-len(pair.bad), pair.id), process, processes)
    seconds = _answer_share(settings, share, store, accelerator) if share else 0.0
    store.close()
    accelerator.wait_for_everyone()
    is_main = accelerator.is_main_process
    accelerator.end_training()
    if not is_main:
        return None
    by_id, _ = store.load()
    predictions = [by_id[pair.id] for pair in pairs]
    store.finish(predictions)
    tokens = sum(prediction.tokens for prediction in predictions if prediction.id not in reused)
    return AnsweredPairs(
        predictions=predictions, reused=len(reused), tokens=tokens, seconds=seconds, processes=processes
    )


def _answer_share(settings: AnswerSettings, share: Sequence[Pair], store: PredictionStore, accelerator: Any) -> float:
    """Answer the pairs of this process; returns the seconds without loading."""
    model, tokenizer, style = load_model(settings, accelerator.device)
    repairer = Repairer(
        model,
        tokenizer,
        style,
        max_length=settings.effective_max_length(),
        batch=settings.batch,
        sampling=settings.sampling,
        limits=Limits() if settings.guarded else None,
    )
    chars = sum(len(pair.bad) for pair in share)
    progress = _Progress(chars, len(share), hidden=not accelerator.is_main_process)
    began = time.perf_counter()
    try:
        for prediction in repairer(share, on_piece=progress.advance):
            store.add(prediction)
            progress.texts_done += 1
    except torch.OutOfMemoryError as error:
        raise UserError(
            f"out of GPU memory; lower --batch (now {settings.batch}) or --max_length, or --bits 4"
        ) from error
    finally:
        progress.close()
    return time.perf_counter() - began


class _Progress:
    """A progress bar on stderr that counts characters, the best measure of the remaining time."""

    def __init__(self, chars: int, texts: int, *, hidden: bool) -> None:
        self._bar = tqdm(
            total=chars,
            desc="answering",
            bar_format="{desc} {percentage:3.0f}% |{bar}| {elapsed}, {remaining} left{postfix}",
            mininterval=0.5 if sys.stderr.isatty() else 10,
            smoothing=0,
            leave=not sys.stderr.isatty(),
            disable=hidden,
        )
        self._texts, self._began = texts, time.perf_counter()
        self._tokens = self.texts_done = 0

    def advance(self, chars: int, tokens: int) -> None:
        """Count a finished piece of a text."""
        self._tokens += tokens
        rate = self._tokens / (time.perf_counter() - self._began)
        self._bar.set_postfix_str(f"{self.texts_done}/{self._texts} texts, {rate:,.0f} tokens/s", refresh=False)
        self._bar.update(chars)

    def close(self) -> None:
        self.advance(0, 0)
        self._bar.close()
