"""A model's answers to many texts: shared out among processes, kept as they are made, gathered in order."""

from __future__ import annotations

import hashlib
import json
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
from fixer.artefacts import MANIFEST
from fixer.devices import make_accelerator
from fixer.generation import Sampling
from fixer.guard import Limits
from fixer.loading import base_name, base_of, has_style, is_adapter, load_adapter, load_base, load_tokenizer
from fixer.predictions import Prediction, PredictionStore
from fixer.prompts import PromptStyle
from fixer.repair import Repairer

WINDOW = 512
KEEP_BIAS = 2.0
"""Nats by which a change must be likelier than keeping the text: of 1, 2 and 3, fixers taught by our spelling and
grammar, and by all of our degraders, mended real errors best with it, each asked with one seed (docs/WORTH.md)."""
HASHED = 200_000_000
_OF_A_MODEL = ("*.safetensors", "*.bin", "*config.json", "tokenizer*", "*.jinja", "prompt_style.json")


@dataclass(frozen=True)
class AnswerSettings:
    """Which model answers, and how; `window` None is what an adapter was trained with, or `WINDOW` tokens."""

    model: str
    base: str | None
    bits: int
    window: int | None
    batch: int
    sampling: Sampling
    guarded: bool
    device_map: str
    attention: str
    trust_remote_code: bool

    @property
    def folder(self) -> Path:
        return Path(self.model)

    def signature(self) -> dict[str, Any]:
        """All that has a part in the answers; a batch or a number of processes has none."""
        adapter = is_adapter(self.folder)
        base = base_name(self.base or base_of(self.folder)) if adapter else None
        sampling = self.sampling
        return {
            "model": self.folder.name if self.folder.is_dir() else base_name(self.model),
            "weights": fingerprint(self.folder),
            "base_model": base if base is None or not Path(base).is_dir() else Path(base).name,
            "base_weights": fingerprint(Path(base)) if base else "",
            "bits": self.bits,
            "max_length": self.most_tokens(),
            "temperature": sampling.temperature,
            "top_p": sampling.top_p if sampling.temperature else 1.0,
            "sampling_seed": sampling.seed if sampling.temperature else None,
            "keep_bias": sampling.keep_bias,
            "guard": self.guarded,
        }

    def most_tokens(self) -> int:
        """The tokens that prompt and answer may have together."""
        if self.window:
            return self.window
        try:
            told = json.loads((self.folder / MANIFEST).read_text(encoding="utf-8"))
            return int(told["options"]["max_length"])
        except (OSError, ValueError, KeyError, TypeError):
            return WINDOW


def default_keep_bias(model: str) -> float:
    """The bias towards keeping the text where none is asked for; none where answers follow no text."""
    folder = Path(model)
    follows = not has_style(folder) or PromptStyle.load(folder).target_format == "good_only"
    return KEEP_BIAS if follows else 0.0


def fingerprint(folder: Path) -> str:
    """A digest of a model's folder: its files by name and size, and the contents of those under 200 MB; empty for a
    name of the hub."""
    if not folder.is_dir():
        return ""
    found = hashlib.sha256()
    for path in sorted({path for pattern in _OF_A_MODEL for path in folder.glob(pattern) if path.is_file()}):
        size = path.stat().st_size
        found.update(f"{path.name}\0{size}\0".encode())
        if size < HASHED:
            with path.open("rb") as file:
                found.update(hashlib.file_digest(file, "sha256").digest())
    return found.hexdigest()[:16]


def load(asked: AnswerSettings, device: torch.device) -> tuple[Any, Any, PromptStyle]:
    """Model, tokenizer and prompt style of an adapter's folder or of a plain model, which is asked for the whole text.

    UserError if it is not to be had, if it was trained to write errors, or if its answers do not follow their text,
    which a bias towards keeping it asks for.
    """
    settings: dict[str, Any] = {
        "bits": asked.bits,
        "device": device,
        "attention": asked.attention,
        "trust_remote_code": asked.trust_remote_code,
    }
    if is_adapter(asked.folder):
        model, tokenizer, style = load_adapter(asked.folder, base=asked.base, **settings)
    else:
        name = base_name(asked.model)
        tokenizer = load_tokenizer(name, trust_remote_code=asked.trust_remote_code)
        chat = bool(getattr(tokenizer, "chat_template", None))
        style = PromptStyle.load(asked.folder) if has_style(asked.folder) else PromptStyle("chat" if chat else "plain")
        model = load_base(name, **settings)
    if style.direction != "repair":
        raise UserError(f"{asked.model}: was trained to write errors (--direction degrade); what is scored is repairs")
    if asked.sampling.keep_bias and style.target_format != "good_only":
        raise UserError(
            f"--keep_bias: {asked.model} answers in {style.target_format}, which follows no text; leave it out"
        )
    return model, tokenizer, style


@dataclass(frozen=True)
class AnsweredPairs:
    """The predictions of all pairs, in their order: `found` were there, the others made now, in so many tokens by all
    processes, and seconds of the main one."""

    predictions: list[Prediction]
    found: int
    tokens: int
    seconds: float
    processes: int


def answer_pairs(
    asked: AnswerSettings, pairs: Sequence[Pair], kept: PredictionStore, *, begin_anew: bool
) -> AnsweredPairs | None:
    """The answers of a model to pairs; None in all processes but the main one, which writes and speaks."""
    accelerator = make_accelerator(asked.device_map)
    if begin_anew and accelerator.is_main_process:
        kept.remove()
    accelerator.wait_for_everyone()
    found, broken = kept.found()
    # All must have read before one writes, or they would share out different rests.
    accelerator.wait_for_everyone()
    if found and accelerator.is_main_process:
        again = f", {broken} broken lines are made again" if broken else ""
        print(f"going on: {len(found):,} of {len(pairs):,} answers are there{again}", file=sys.stderr)
    rest = [pair for pair in pairs if pair.id not in found]
    share = shared_out(rest, accelerator.process_index, accelerator.num_processes)
    seconds = _generate(asked, share, kept, accelerator) if share else 0.0
    kept.close()
    accelerator.wait_for_everyone()
    processes, is_main = accelerator.num_processes, accelerator.is_main_process
    accelerator.end_training()
    if not is_main:
        return None
    made, _ = kept.found()
    predictions = [made[pair.id] for pair in pairs]
    kept.finish(predictions)
    tokens = sum(one.tokens for one in predictions if one.id not in found)
    return AnsweredPairs(predictions, len(found), tokens, seconds, processes)


def shared_out(pairs: Sequence[Pair], process: int, processes: int) -> list[Pair]:
    """A process's share: pairs dealt out by length, so that all have about as much to do."""
    return sorted(pairs, key=lambda pair: (-len(pair.bad), pair.id))[process::processes]


def _generate(asked: AnswerSettings, share: Sequence[Pair], kept: PredictionStore, accelerator: Any) -> float:
    """Answer a share of the pairs; returns the seconds it took, loading left out."""
    model, tokenizer, style = load(asked, accelerator.device)
    repairer = Repairer(
        model,
        tokenizer,
        style,
        window=asked.most_tokens(),
        batch=asked.batch,
        sampling=asked.sampling,
        limits=Limits() if asked.guarded else None,
    )
    progress = _Progress(sum(len(p.bad) for p in share), len(share), hidden=not accelerator.is_main_process)
    began = time.perf_counter()
    try:
        for made in repairer(share, seen=progress.seen):
            kept.add(made)
            progress.done += 1
    except torch.OutOfMemoryError as error:
        raise UserError(f"out of GPU memory; lower --batch (now {asked.batch}) or --max_length, or --bits 4") from error
    finally:
        progress.close()
    return time.perf_counter() - began


class _Progress:
    """A bar on stderr that counts characters, the best measure of the time that is left."""

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
        self.tokens = self.done = 0

    def seen(self, chars: int, tokens: int) -> None:
        """A piece of a text is done."""
        self.tokens += tokens
        rate = self.tokens / (time.perf_counter() - self._began)
        self._bar.set_postfix_str(f"{self.done}/{self._texts} texts, {rate:,.0f} tokens/s", refresh=False)
        self._bar.update(chars)

    def close(self) -> None:
        self.seen(0, 0)
        self._bar.close()
