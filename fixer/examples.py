"""Pairs to token ids: prompt and target are tokenised apart and joined, in training and in generation alike.

Tokenised together, the two would merge at their border, and a model would be asked in other tokens than it learned.
A pair that does not fit the window is divided between blocks or rejected, never cut.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from degraders.dataset.pairs import Pair
from degraders.errors import UserError
from fixer.prompts import PromptStyle, Target
from fixer.windows import split_pair

TOO_LONG = "pair: a block that does not fit the window"


@dataclass(frozen=True, slots=True)
class Example:
    """Token ids of a prompt and of its target, which ends with the end token; `weights` of the target's tokens."""

    id: str
    prompt: list[int]
    target: list[int]
    weights: list[float]

    def __len__(self) -> int:
        return len(self.prompt) + len(self.target)


def prompt_ids(tokenizer: Any, style: PromptStyle, text: str, context: str) -> list[int]:
    """The ids of the question: a start token, where the tokenizer has one, or the chat template around it."""
    prompt = style.prompt(text, context)
    if style.name == "chat":
        messages = [{"role": "user", "content": prompt}]
        found = tokenizer.apply_chat_template(messages, add_generation_prompt=True, return_dict=True)
        return list(found["input_ids"])
    start = [] if tokenizer.bos_token_id is None else [tokenizer.bos_token_id]
    return start + text_ids(tokenizer, prompt)


def text_ids(tokenizer: Any, text: str) -> list[int]:
    """The ids of a text alone, no special token among them."""
    return list(tokenizer(text, add_special_tokens=False)["input_ids"])


def bare(style: PromptStyle, text: str) -> str:
    """A text as a model sees it: the white space behind one that is answered with the whole text stays outside, or a
    model that has learned from texts without would not know where its answer ends."""
    return text.rstrip() if style.target_format == "good_only" else text


def end_ids(tokenizer: Any, style: PromptStyle) -> list[int]:
    """The ids that end an answer; the first is the one that is trained.

    A chat model ends its turn with a token of its template, others with the end of text.
    """
    ends = [] if tokenizer.eos_token_id is None else [int(tokenizer.eos_token_id)]
    if style.name == "chat":
        known = tokenizer.get_vocab()
        turns = [known[name] for name in ("<|im_end|>", "<end_of_turn>", "<|eot_id|>", "<|end|>") if name in known]
        ends = list(dict.fromkeys(turns + ends))
    if not ends:
        raise UserError("the tokenizer has no end token, so that no answer could end; choose another --base_model")
    return ends


def encode_pair(
    pair: Pair, style: PromptStyle, tokenizer: Any, *, max_length: int, span_weight: float = 1.0
) -> Example | None:
    """The example of a pair; None if it is longer than `max_length` tokens. Tokens that mend something weigh
    `span_weight`, all others 1."""
    prompt = prompt_ids(tokenizer, style, bare(style, style.source(pair)), pair.context)
    if len(prompt) >= max_length:
        return None
    target = style.target(pair)
    target = target._replace(text=bare(style, target.text))
    weighted = span_weight != 1 and bool(target.mends)
    found = tokenizer(target.text, add_special_tokens=False, return_offsets_mapping=weighted)
    ids = [*found["input_ids"], end_ids(tokenizer, style)[0]]
    if len(prompt) + len(ids) > max_length:
        return None
    weights = _weights(target, found["offset_mapping"], span_weight) if weighted else [1.0] * (len(ids) - 1)
    return Example(pair.id, prompt, ids, [*weights, 1.0])


def encode_pairs(
    pairs: Iterable[Pair], style: PromptStyle, tokenizer: Any, *, max_length: int, span_weight: float = 1.0
) -> tuple[list[Example], Counter[str]]:
    """The examples of all pairs, those that are too long divided between blocks; and what was rejected, by reason."""
    examples: list[Example] = []
    rejected: Counter[str] = Counter()

    def encoded(pair: Pair) -> Example | None:
        return encode_pair(pair, style, tokenizer, max_length=max_length, span_weight=span_weight)

    for pair in pairs:
        if not style.target(pair).text.strip():
            rejected["pair: nothing to answer"] += 1
            continue
        for part in split_pair(pair, lambda piece: encoded(piece) is not None):
            example = encoded(part)
            if example is None:
                rejected[TOO_LONG] += 1
            else:
                examples.append(example)
    return examples, rejected


def _weights(target: Target, offsets: Iterable[tuple[int, int]], weight: float) -> list[float]:
    """One weight a token: `weight` where it overlaps a mend; the first token after it, where a mend only takes away."""
    weights: list[float] = []
    waiting = list(target.mends)
    for start, end in offsets:
        while waiting and waiting[0][1] <= start and waiting[0][0] < waiting[0][1]:
            waiting.pop(0)
        mend = waiting[0] if waiting else None
        gone = mend is not None and mend[0] == mend[1] and end > mend[0]
        weights.append(weight if mend and (gone or (mend[0] < end and start < mend[1])) else 1.0)
        if gone:
            waiting.pop(0)
    return weights
