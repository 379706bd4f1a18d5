"""Pairs become examples: token ids of a prompt and of its target.

Prompt and target are tokenised separately and joined, in training and in generation alike: tokenised together they
could merge at their border, and the model would be prompted with other tokens than it learned. A pair that does not fit
the window is divided between blocks or rejected, never cut.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from degraders.dataset.pairs import Pair
from degraders.errors import UserError
from fixer.prompts import PromptStyle, Target
from fixer.tokens import chat_ids, encode_text, text_ids, turn_end_ids
from fixer.windows import split_pair

TOO_LONG = "pair: a block that does not fit the window"
NO_TARGET = "pair: an empty target"


@dataclass(frozen=True, slots=True)
class Example:
    """Token ids of a prompt and of its target, whose last token is the end token; `weights` has one number for each
    target token: its weight in the loss."""

    id: str
    prompt: list[int]
    target: list[int]
    weights: list[float]

    def __len__(self) -> int:
        return len(self.prompt) + len(self.target)


def prompt_ids(tokenizer: Any, style: PromptStyle, text: str, context: str, instruction: str = "") -> list[int]:
    """The token ids of the style's prompt for a text."""
    return wrapped_ids(tokenizer, style.prompt(text, context, instruction), chat=style.is_chat)


def wrapped_ids(tokenizer: Any, prompt: str, *, chat: bool) -> list[int]:
    """The token ids of a prompt inside the chat template, or after the start token if the tokenizer has one."""
    if chat:
        return chat_ids(tokenizer, prompt)
    start = [] if tokenizer.bos_token_id is None else [tokenizer.bos_token_id]
    return start + text_ids(tokenizer, prompt)


def trim_text(style: PromptStyle, text: str) -> str:
    """A text as the model sees it: without the white space at its end if the answer is the whole text.

    Otherwise a model that learned from texts without it would not know where such an answer ends.
    """
    return text.rstrip() if style.target_format == "good_only" else text


def end_ids(tokenizer: Any, style: PromptStyle) -> list[int]:
    """The token ids that end an answer; training uses the first.

    A chat model ends its turn with a token of its template, other models with the end of text.
    """
    ends = [] if tokenizer.eos_token_id is None else [int(tokenizer.eos_token_id)]
    if style.is_chat:
        ends = list(dict.fromkeys([*turn_end_ids(tokenizer), *ends]))
    if not ends:
        raise UserError("the tokenizer has no end token, so that no answer could end; choose another --base_model")
    return ends


def encode_pair(
    pair: Pair, style: PromptStyle, tokenizer: Any, *, max_length: int, span_weight: float = 1.0
) -> Example | None:
    """The example of a pair, None if it is longer than `max_length` tokens.

    Tokens of the target that repair an error have the weight `span_weight`, all others 1.
    """
    prompt = prompt_ids(tokenizer, style, trim_text(style, style.source(pair)), pair.context, pair.instruction)
    if len(prompt) >= max_length:
        return None
    target = style.target(pair)
    target = target._replace(text=trim_text(style, target.text))
    end = end_ids(tokenizer, style)[0]
    if span_weight != 1 and target.edit_ranges:
        ids, ranges = encode_text(tokenizer, target.text)
        weights = _weights(target, ranges, span_weight)
    else:
        ids = text_ids(tokenizer, target.text)
        weights = [1.0] * len(ids)
    if len(prompt) + len(ids) + 1 > max_length:
        return None
    return Example(pair.id, prompt, [*ids, end], [*weights, 1.0])


def encode_pairs(
    pairs: Iterable[Pair], style: PromptStyle, tokenizer: Any, *, max_length: int, span_weight: float = 1.0
) -> tuple[list[Example], Counter[str]]:
    """The examples of all pairs, and how many were rejected for which reason; a long pair gives several examples."""
    examples: list[Example] = []
    rejected: Counter[str] = Counter()

    def encode(pair: Pair) -> Example | None:
        return encode_pair(pair, style, tokenizer, max_length=max_length, span_weight=span_weight)

    for pair in pairs:
        if not style.target(pair).text.strip():
            rejected[NO_TARGET] += 1
            continue
        for part in split_pair(pair, lambda piece: encode(piece) is not None):
            example = encode(part)
            if example is None:
                rejected[TOO_LONG] += 1
            else:
                examples.append(example)
    return examples, rejected


def _weights(target: Target, offsets: Iterable[tuple[int, int]], weight: float) -> list[float]:
    """One weight for each token: `weight` if it overlaps an edit, or if it is the first token after a deletion."""
    weights: list[float] = []
    ranges = list(target.edit_ranges)
    for start, end in offsets:
        while ranges and ranges[0][1] <= start and ranges[0][0] < ranges[0][1]:
            ranges.pop(0)
        edit = ranges[0] if ranges else None
        after_deletion = edit is not None and edit[0] == edit[1] and end > edit[0]
        weights.append(weight if edit and (after_deletion or (edit[0] < end and start < edit[1])) else 1.0)
        if after_deletion:
            ranges.pop(0)
    return weights
