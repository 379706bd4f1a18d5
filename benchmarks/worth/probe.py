#!/usr/bin/env python3
"""Measure how well fixers detect real errors, without letting them generate: fast enough to compare many sources.

    python -m benchmarks.worth.probe ADAPTER ... --real real_pairs.jsonl

Each adapter of train_qlora.py reads real bad texts, of the owners that benchmarks.worth uses for tuning, as if they
were its own answers. At every token, another token may be likelier than the next token of the text, by some margin in
nats: an alarm. An alarm is right where an error begins and the other token is the first one of the repair; elsewhere it
is false. Sorted by margin, the alarms give a curve of recall against false alarms a text (FROC; Bunch et al. 1977),
which does not depend on `--keep_bias`. Prints the mean recall up to 0.4 false alarms a text, recall at 0.1 and at 0.2,
and the latter by category.

250 texts take three minutes on one core. Only the first token of a repair counts, and no guard is applied.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

import cli
from benchmarks.worth import tables, texts
from degraders.errors import UserError
from fixer.examples import end_ids, prompt_ids
from fixer.loading import load_adapter
from fixer.prompts import PromptStyle
from fixer.tokens import text_ids

MAX_CHARS = 800
ALARM_RATES = (0.1, 0.2, 0.4)
"""False alarms a text: recall is printed at the first two, its mean goes up to the last."""
_BATCH, _TILE = 4, 64
NEAR_ERROR = range(-1, 6)
"""Tokens around the beginning of an error, where an alarm is neither right nor false."""


@dataclass(frozen=True)
class Options:
    """The options of the command line."""

    adapters: list[Path]
    real: Path
    base_model: str | None
    texts: int
    threads: int


class Margins(NamedTuple):
    """Log-probability margins of another token over the text's own, in nats: where nothing is wrong, of the likeliest
    other token; at each error, its category and the margin of the token that repairs it."""

    elsewhere: list[float]
    errors: list[tuple[str, float]]


class EncodedText(NamedTuple):
    """A prompt, the tokens of the bad text with an end token, and each error's place, right token and category."""

    prompt: list[int]
    tokens: list[int]
    errors: list[tuple[int, int, str]]


def main(argv: Sequence[str] | None = None) -> int:
    return cli.run_script(build_parser(), argv, Options, probe, lambda _: "the table contains the finished adapters")


def build_parser() -> argparse.ArgumentParser:
    parser = cli.Parser(
        prog="benchmarks.worth.probe",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("adapters", type=Path, nargs="+", metavar="ADAPTER", help="folders of train_qlora.py")
    parser.add_argument("--real", type=Path, required=True, help="real pairs, JSONL")
    parser.add_argument("--base_model", help="base model of the adapters, if it has moved (default: as they say)")
    parser.add_argument("--texts", type=cli.whole_number(1), default=250, help="real pairs (default: %(default)s)")
    parser.add_argument("--threads", type=cli.whole_number(1), default=1, help="CPU threads (default: %(default)s)")
    return parser


def probe(options: Options) -> None:
    """Print the table, with a row for each finished adapter."""
    torch.set_num_threads(options.threads)
    parts = texts.divide_real_pairs(
        texts.read_records(options.real),
        errors=options.texts,
        clean=0,
        beyond=0,
        recoverable=["text"],
        max_chars=MAX_CHARS,
    )
    records = parts[texts.TUNING].errors
    counts = Counter(edit["category"] for record in records for edit in record["edits"])
    categories = [name for name, _ in counts.most_common()]
    heads = ["adapter", "mean recall", *(f"at {rate}" for rate in ALARM_RATES[:2])]
    lines: list[list[str]] = []
    try:
        for adapter in options.adapters:
            model, tokenizer, style = load_adapter(adapter, base=options.base_model, bits=4, device=torch.device("cpu"))
            if style.target_format != "good_only":
                raise UserError(f"{adapter}: its target format is {style.target_format}; only good_only can be probed")
            encoded = [encode(tokenizer, style, record) for record in records]
            margins = measure_margins(model, encoded, end_ids(tokenizer, style))
            name = adapter.parent.name if adapter.name == "adapter" else adapter.name
            lines.append([name, *recall_cells(margins, len(encoded), categories)])
            print(f"{name}: done", file=sys.stderr, flush=True)
    finally:
        if lines:
            print(tables.markdown_table([*heads, *(f"{name} ({counts[name]})" for name in categories)], lines))


def encode(tokenizer: Any, style: PromptStyle, record: texts.Record) -> EncodedText:
    """A real pair as tokens. Each edit is applied alone, to get the place and the token where its repair begins."""
    bad, end = record["bad"], end_ids(tokenizer, style)[:1]
    tokens, errors = text_ids(tokenizer, bad) + end, []
    for edit in record["edits"]:
        good = text_ids(tokenizer, bad[: edit["bad_start"]] + edit["good"] + bad[edit["bad_end"] :]) + end
        place = next((at for at, (old, new) in enumerate(zip(tokens, good, strict=False)) if old != new), None)
        if place is not None:
            errors.append((place, good[place], edit["category"]))
    return EncodedText(prompt_ids(tokenizer, style, bad, record["context"]), tokens, errors)


@torch.no_grad()
def measure_margins(model: Any, encoded: Sequence[EncodedText], ends: Sequence[int]) -> Margins:
    """The margins of all texts. An early end of the answer is no alarm."""
    margins = Margins([], [])
    by_length = sorted(encoded, key=lambda text: len(text.prompt) + len(text.tokens))
    for start in range(0, len(by_length), _BATCH):
        batch = by_length[start : start + _BATCH]
        for text, hidden in zip(batch, _hidden_states(model, batch), strict=True):
            for at, own, other, logits in _token_logits(model, hidden, text.tokens, ends):
                errors = [error for error in text.errors if error[0] == at]
                margins.errors.extend((category, float(logits[token]) - own) for _, token, category in errors)
                if not any(at - place in NEAR_ERROR for place, _, _ in text.errors):
                    margins.elsewhere.append(other - own)
    return margins


def _hidden_states(model: Any, batch: Sequence[EncodedText]) -> Iterator[Tensor]:
    """For each text, the last hidden states (tokens, width) that predict its tokens."""
    width = max(len(text.prompt) + len(text.tokens) for text in batch)
    ids = torch.zeros(len(batch), width, dtype=torch.long)
    for row, text in zip(ids, batch, strict=True):
        row[: len(text.prompt) + len(text.tokens)] = torch.tensor(text.prompt + text.tokens)
    states = model.get_base_model().base_model(input_ids=ids, use_cache=False).last_hidden_state
    for state, text in zip(states, batch, strict=True):
        yield state[len(text.prompt) - 1 : len(text.prompt) + len(text.tokens) - 1]


def _token_logits(
    model: Any, hidden: Tensor, tokens: Sequence[int], ends: Sequence[int]
) -> Iterator[tuple[int, float, float, Tensor]]:
    """For each token: its place, its own logit, the highest logit of another token, and all logits."""
    head = model.get_base_model().get_output_embeddings()
    for start in range(0, len(tokens), _TILE):
        for offset, logits in enumerate(head(hidden[start : start + _TILE]).float()):
            own = float(logits[tokens[start + offset]])
            others = logits.clone()
            others[[tokens[start + offset], *ends]] = -torch.inf
            yield start + offset, own, float(others.max()), logits


def recall_cells(margins: Margins, texts: int, categories: Sequence[str]) -> list[str]:
    """The cells of a row: the mean recall, recall at two rates of false alarms, and by category at the second rate."""
    false_alarms = sorted(margins.elsewhere, reverse=True)
    limits = [max(1, round(rate * texts)) for rate in ALARM_RATES]

    def recall(alarms: int, category: str = "") -> float:
        threshold = false_alarms[min(alarms, len(false_alarms) - 1)]
        detected = [margin > threshold for name, margin in margins.errors if category in ("", name)]
        return sum(detected) / max(1, len(detected))

    mean = sum(map(recall, range(1, limits[-1] + 1))) / limits[-1]
    overall = [mean, *map(recall, limits[:2])]
    return [f"{value:.3f}" for value in overall] + [f"{100 * recall(limits[1], name):.0f} %" for name in categories]


if __name__ == "__main__":
    sys.exit(main())
