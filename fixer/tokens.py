"""Texts as token ids: what looks like a control token in a text is text.

Documentation writes about `</s>`, `<s>old</s>` and `<|im_end|>`. A tokenizer takes these for its own control tokens: an
answer would end there, and decoding would drop the tags. Here control tokens come from us and from the chat template
alone; a text that has their names is encoded letter by letter where necessary. Texts without them are encoded as ever.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Any, NamedTuple

from degraders.errors import UserError

_END_OF_TURN = ("<|im_end|>", "<end_of_turn>", "<|eot_id|>", "<|end|>")


class EncodedText(NamedTuple):
    """Token ids, and the character range of each token in the text."""

    ids: list[int]
    ranges: list[tuple[int, int]]


def text_ids(tokenizer: Any, text: str) -> list[int]:
    """The token ids of a text alone, without control tokens."""
    ids = list(tokenizer(text, add_special_tokens=False, split_special_tokens=True)["input_ids"])
    return ids if control_ids(tokenizer).isdisjoint(ids) else encode_text(tokenizer, text).ids


def encode_text(tokenizer: Any, text: str) -> EncodedText:
    """The tokens of a text alone, without control tokens."""
    encoded = _encode(tokenizer, text, split_special_tokens=True)
    controls = control_ids(tokenizer)
    tokens = [
        (part, place)
        for token, place in zip(*encoded, strict=True)
        for part in (_spell(tokenizer, token) if token in controls else [token])
    ]
    return EncodedText([token for token, _ in tokens], [place for _, place in tokens])


def chat_ids(tokenizer: Any, prompt: str) -> list[int]:
    """The token ids of a prompt inside the chat template; UserError if the template's control tokens cannot be told
    from those that the prompt names."""
    ids = list(_apply_template(tokenizer, prompt, return_dict=True)["input_ids"])
    if _count_controls(tokenizer, ids) == _template_controls(tokenizer):
        return ids
    ids = _chat_with_names(tokenizer, prompt, str(_apply_template(tokenizer, prompt, tokenize=False)))
    if _count_controls(tokenizer, ids) != _template_controls(tokenizer):
        raise UserError(
            "the chat template hides which control tokens belong to a text that names some; pass --prompt_style plain"
        )
    return ids


@lru_cache(maxsize=8)
def control_ids(tokenizer: Any) -> frozenset[int]:
    """The tokens that no text may contain: the tokenizer's special ones, except that for unknown text, and all ends."""
    special = {number for number, token in tokenizer.added_tokens_decoder.items() if token.special}
    ends = {tokenizer.eos_token_id, *turn_end_ids(tokenizer)} - {None}
    return frozenset((special - {tokenizer.unk_token_id}) | ends)


@lru_cache(maxsize=8)
def turn_end_ids(tokenizer: Any) -> tuple[int, ...]:
    """The tokens with which chat templates end a turn, if the tokenizer has them."""
    vocabulary = tokenizer.get_vocab()
    return tuple(vocabulary[name] for name in _END_OF_TURN if name in vocabulary)


def _encode(tokenizer: Any, text: str, **options: Any) -> EncodedText:
    encoded = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True, **options)
    return EncodedText(list(encoded["input_ids"]), list(encoded["offset_mapping"]))


def _spell(tokenizer: Any, token: int) -> list[int]:
    """The name of a token, letter by letter: some models would make the token again of a longer part."""
    model = tokenizer.backend_tokenizer.model
    return [part.id for letter in tokenizer.convert_ids_to_tokens(token) for part in model.tokenize(letter)]


def _apply_template(tokenizer: Any, prompt: str, **options: Any) -> Any:
    messages = [{"role": "user", "content": prompt}]
    return tokenizer.apply_chat_template(messages, add_generation_prompt=True, **options)


def _count_controls(tokenizer: Any, ids: Iterable[int]) -> int:
    controls = control_ids(tokenizer)
    return sum(token in controls for token in ids)


@lru_cache(maxsize=8)
def _template_controls(tokenizer: Any) -> int:
    """How many control tokens the chat template writes around a prompt."""
    return _count_controls(tokenizer, _apply_template(tokenizer, "Repair it.", return_dict=True)["input_ids"])


def _chat_with_names(tokenizer: Any, prompt: str, chat: str) -> list[int]:
    """The token ids of a rendered chat: those of the template around the prompt, and between them those of text.

    The two encodings are joined where both have a token border, which need not be just before the prompt: a token may
    include the blank before it.
    """
    visible = next((text for text in (prompt, prompt.rstrip(), prompt.strip()) if text in chat), chat)
    start = chat.index(visible)
    end = start + len(visible)
    around, inside = _encode(tokenizer, chat), encode_text(tokenizer, chat[:end])
    borders = {place[0] for place in around.ranges} & {place[0] for place in inside.ranges}
    border = max((at for at in borders if at <= start), default=0)
    before = [token for token, place in zip(*around, strict=True) if place[0] < border]
    within = [token for token, place in zip(*inside, strict=True) if place[0] >= border]
    after = [token for token, place in zip(*around, strict=True) if place[0] >= end]
    return before + within + after
