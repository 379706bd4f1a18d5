#!/usr/bin/env python3
"""How well fixers tell real errors from what is right, without letting them answer: quick enough to try many pairs.

    python benchmarks/worth_probe.py ADAPTER ... --real real_pairs.jsonl

Each adapter of train_qlora.py reads real bad texts, of the owners that bench_worth.py tunes on, as if they were its own
answers. At every token it may find another one likelier than to go on copying, by so many nats: an alarm. It is right
where an error begins and the good text goes on with that very token; elsewhere it is false. The surest alarms first,
that gives recall against false alarms a text (FROC; Bunch et al. 1977), which no bias towards copying changes. Printed
are the mean recall up to 0.4 false alarms a text, and recall at 0.1 and at 0.2, the latter by category, too.

250 texts take three minutes of a core. Only the first token of a repair counts, and no guard speaks.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import torch  # noqa: E402
import worth_pairs  # noqa: E402
import worth_tables  # noqa: E402
from torch import Tensor  # noqa: E402

import cli  # noqa: E402
from degraders.errors import UserError  # noqa: E402
from fixer.examples import end_ids, prompt_ids, text_ids  # noqa: E402
from fixer.loading import load_adapter  # noqa: E402
from fixer.prompts import PromptStyle  # noqa: E402

MOST_CHARS = 800
ALARMS = (0.1, 0.2, 0.4)
"""False alarms a text at which recall is told; the mean goes up to the last."""
_ROWS, _TILE = 4, 64
_NEAR = range(-1, 6)
"""Tokens around the beginning of an error at which an alarm is neither right nor false."""


class Margins(NamedTuple):
    """By how many nats another token is likelier than the text's own: where nothing is wrong, the likeliest other one;
    at each error, its category and the margin of the token that mends it."""

    elsewhere: list[float]
    errors: list[tuple[str, float]]


class Text(NamedTuple):
    """A prompt, the bad text's tokens and an end behind it, and where an error begins: place, right token, category."""

    prompt: list[int]
    tokens: list[int]
    errors: list[tuple[int, int, str]]


def main(argv: Sequence[str] | None = None) -> int:
    settings: dict[str, Any] = {"description": __doc__, "formatter_class": argparse.RawDescriptionHelpFormatter}
    parser = argparse.ArgumentParser(prog="worth_probe.py", allow_abbrev=False, **settings)
    parser.add_argument("adapters", type=Path, nargs="+", metavar="ADAPTER", help="folders of train_qlora.py")
    parser.add_argument("--real", type=Path, required=True, help="real pairs, JSONL")
    parser.add_argument("--base_model", help="base model of the adapters, if it has moved (none: as they say)")
    parser.add_argument("--texts", type=cli.whole_number(1), default=250, help="real pairs (default: %(default)s)")
    parser.add_argument("--threads", type=cli.whole_number(1), default=1, help="CPU threads (default: %(default)s)")
    options = parser.parse_args(argv)
    return cli.run_script(parser.prog, lambda: probe(options), lambda: "the table holds what was done")


def probe(options: argparse.Namespace) -> None:
    """Print the table, with a row for each adapter that is done."""
    torch.set_num_threads(options.threads)
    sizes = {"errors": options.texts, "clean": 0, "beyond": 0, "max_chars": MOST_CHARS}
    rows = worth_pairs.divided(worth_pairs.read(options.real), recoverable=["text"], **sizes)[0].errors
    counts = Counter(edit["category"] for row in rows for edit in row["edits"])
    names = [name for name, _ in counts.most_common()]
    heads = ["adapter", "mean recall", *(f"at {share}" for share in ALARMS[:2])]
    lines: list[list[str]] = []
    try:
        for adapter in options.adapters:
            model, tokenizer, style = load_adapter(adapter, base=options.base_model, bits=4, device=torch.device("cpu"))
            if style.target_format != "good_only":
                raise UserError(f"{adapter}: answers in {style.target_format}, not with the text; it cannot be probed")
            texts = [encoded(tokenizer, style, row) for row in rows]
            found = margins(model, texts, end_ids(tokenizer, style))
            name = adapter.parent.name if adapter.name == "adapter" else adapter.name
            lines.append([name, *figures(found, len(texts), names)])
            print(f"{name}: done", file=sys.stderr, flush=True)
    finally:
        if lines:
            print(worth_tables.table([*heads, *(f"{name} ({counts[name]})" for name in names)], lines))


def encoded(tokenizer: Any, style: PromptStyle, row: worth_pairs.Row) -> Text:
    """A real pair; each of its edits by itself says with which token the text should go on, and from where."""
    bad, end = row["bad"], end_ids(tokenizer, style)[:1]
    tokens, errors = text_ids(tokenizer, bad) + end, []
    for edit in row["edits"]:
        good = text_ids(tokenizer, bad[: edit["bad_start"]] + edit["good"] + bad[edit["bad_end"] :]) + end
        place = next((at for at, (one, other) in enumerate(zip(tokens, good, strict=False)) if one != other), None)
        if place is not None:
            errors.append((place, good[place], edit["category"]))
    return Text(prompt_ids(tokenizer, style, bad, row["context"]), tokens, errors)


@torch.no_grad()
def margins(model: Any, texts: Sequence[Text], ends: Sequence[int]) -> Margins:
    """The margins of all texts; to end an answer early is no alarm."""
    found = Margins([], [])
    ranked = sorted(texts, key=lambda text: len(text.prompt) + len(text.tokens))
    for start in range(0, len(ranked), _ROWS):
        some = ranked[start : start + _ROWS]
        for text, hidden in zip(some, _hidden(model, some), strict=True):
            for at, own, other, logits in _told(model, hidden, text.tokens, ends):
                errors = [error for error in text.errors if error[0] == at]
                found.errors.extend((category, float(logits[token]) - own) for _, token, category in errors)
                if not any(at - place in _NEAR for place, _, _ in text.errors):
                    found.elsewhere.append(other - own)
    return found


def _hidden(model: Any, texts: Sequence[Text]) -> Iterator[Tensor]:
    """For each text, the last hidden states (tokens, width) from which its tokens are predicted."""
    widest = max(len(text.prompt) + len(text.tokens) for text in texts)
    ids = torch.zeros(len(texts), widest, dtype=torch.long)
    for row, text in zip(ids, texts, strict=True):
        row[: len(text.prompt) + len(text.tokens)] = torch.tensor(text.prompt + text.tokens)
    states = model.get_base_model().base_model(input_ids=ids, use_cache=False).last_hidden_state
    for state, text in zip(states, texts, strict=True):
        yield state[len(text.prompt) - 1 : len(text.prompt) + len(text.tokens) - 1]


def _told(
    model: Any, hidden: Tensor, tokens: Sequence[int], ends: Sequence[int]
) -> Iterator[tuple[int, float, float, Tensor]]:
    """At each place: the logit of the text's own token, the highest other one, and all of them."""
    head = model.get_base_model().get_output_embeddings()
    for start in range(0, len(tokens), _TILE):
        for offset, logits in enumerate(head(hidden[start : start + _TILE]).float()):
            own = float(logits[tokens[start + offset]])
            others = logits.clone()
            others[[tokens[start + offset], *ends]] = -torch.inf
            yield start + offset, own, float(others.max()), logits


def figures(found: Margins, texts: int, categories: Sequence[str]) -> list[str]:
    """The cells of a row: the mean recall, recall at two numbers of false alarms, and by category at the second."""
    false = sorted(found.elsewhere, reverse=True)
    limits = [max(1, round(share * texts)) for share in ALARMS]

    def recall(alarms: int, category: str = "") -> float:
        least = false[min(alarms, len(false) - 1)]
        kept = [margin > least for name, margin in found.errors if category in ("", name)]
        return sum(kept) / max(1, len(kept))

    mean = sum(map(recall, range(1, limits[-1] + 1))) / limits[-1]
    whole = [mean, *map(recall, limits[:2])]
    return [f"{value:.3f}" for value in whole] + [f"{100 * recall(limits[1], name):.0f} %" for name in categories]


if __name__ == "__main__":
    sys.exit(main())
