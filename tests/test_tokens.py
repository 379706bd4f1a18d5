"""Texts that name control tokens, with small tokenizers of each family: the names are text, and answers keep them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

pytest.importorskip("tokenizers")
pytest.importorskip("transformers")

import transformers
from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

from degraders.dataset.pairs import Pair, align_spans
from degraders.errors import UserError
from fixer.examples import encode_pair, end_ids, prompt_ids
from fixer.prompts import PromptStyle
from fixer.tokens import chat_ids, control_ids, encode_text, text_ids

pytestmark = pytest.mark.fixer

GOOD = "It is <s>old</s>, see `<|im_end|>` and <end_of_turn>.</s>"
BAD = GOOD.replace("It is", "It are")
CORPUS = [PromptStyle().prompt(BAD, "Guide"), GOOD, "user model assistant 0123456789 #-*`[](){}<>|/_"] * 4
CHATML = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
TURNS = (
    "{{ bos_token }}{% for m in messages %}<start_of_turn>{{ m.role }}\n{{ m.content | trim }}<end_of_turn>\n"
    "{% endfor %}{% if add_generation_prompt %}<start_of_turn>model\n{% endif %}"
)
INST = "{{ bos_token }}{% for m in messages %}[INST] {{ m.content | trim }} [/INST]{% endfor %}"


def byte_level() -> Any:
    """GPT-2, Llama 3, Qwen: BPE over bytes."""
    raw = Tokenizer(models.BPE())
    raw.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    raw.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    raw.train_from_iterator(CORPUS, trainers.BpeTrainer(vocab_size=400, initial_alphabet=alphabet, show_progress=False))
    return finish(raw, eos_token="<|im_end|>", bos_token="<s>", extra=["</s>", "<|im_start|>"], template=CHATML)


def byte_level_with_ordinary_turns() -> Any:
    """The same, with a turn's end that the tokenizer does not call special."""
    tokenizer = byte_level()
    tokenizer.add_tokens([AddedToken("<end_of_turn>", special=False, normalized=False)])
    return tokenizer


def sentencepiece_bpe() -> Any:
    """Llama 2: BPE over pieces with a blank before each text, and bytes for unknown letters."""
    return piece_bpe([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")], ["Strip"], INST)


def gemma_like() -> Any:
    """Gemma: the same without the blank, and with turns."""
    return piece_bpe([normalizers.Replace(" ", "▁")], [], TURNS)


def piece_bpe(steps: list[Any], last: list[str], template: str) -> Any:
    raw = Tokenizer(models.BPE(byte_fallback=True, fuse_unk=True, unk_token="<unk>"))
    raw.normalizer = normalizers.Sequence(steps)
    names = ["<unk>", "<s>", "</s>", "<start_of_turn>", "<end_of_turn>", *(f"<0x{byte:02X}>" for byte in range(256))]
    raw.train_from_iterator(CORPUS, trainers.BpeTrainer(vocab_size=500, special_tokens=names, show_progress=False))
    decode = [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()]
    raw.decoder = decoders.Sequence([*decode, *(decoders.Strip(" ", 1, 0) for _ in last)])
    extra = ["<start_of_turn>", "<end_of_turn>"]
    return finish(raw, eos_token="</s>", bos_token="<s>", unk_token="<unk>", extra=extra, template=template)


def unigram() -> Any:
    """T5, XGLM: a unigram model, whose vocabulary has the control tokens as likely pieces."""
    letters = sorted({letter for text in CORPUS for letter in text if not letter.isspace()} | {"▁", "\n"})
    words = ["▁It", "▁is", "▁are", "old", "▁see", "▁and", "end", "turn"]
    pieces = [("<unk>", 0.0), ("<s>", 0.0), ("</s>", 0.0), ("<|im_end|>", 0.0)]
    pieces += [(piece, -2.0 if len(piece) > 1 else -5.0) for piece in [*words, *letters]]
    raw = Tokenizer(models.Unigram(pieces, unk_id=0))
    raw.pre_tokenizer = pre_tokenizers.Metaspace()
    raw.decoder = decoders.Metaspace()
    return finish(raw, eos_token="</s>", bos_token="<s>", unk_token="<unk>", extra=["<|im_end|>"], template=None)


def finish(raw: Any, *, extra: list[str], template: str | None, **names: str) -> Any:
    tokenizer = transformers.PreTrainedTokenizerFast(tokenizer_object=raw, **names)
    tokenizer.add_special_tokens({"additional_special_tokens": extra})
    tokenizer.chat_template = template
    return tokenizer


FAMILIES: list[Callable[[], Any]] = [
    byte_level,
    byte_level_with_ordinary_turns,
    sentencepiece_bpe,
    gemma_like,
    unigram,
]


@pytest.fixture(scope="module", params=FAMILIES, ids=lambda family: family.__name__)
def tokenizer(request: pytest.FixtureRequest) -> Any:
    return request.param()


def styles(tokenizer: Any) -> list[PromptStyle]:
    return [PromptStyle("plain"), *([PromptStyle("chat")] if tokenizer.chat_template else [])]


def decode(tokenizer: Any, ids: list[int]) -> str:
    """As the generator decodes an answer."""
    return str(tokenizer.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False))


def test_the_families_take_names_for_control_tokens_by_themselves(tokenizer: Any) -> None:
    ids = tokenizer(GOOD, add_special_tokens=False)["input_ids"]
    assert not control_ids(tokenizer).isdisjoint(ids) and decode(tokenizer, ids) != GOOD


@pytest.mark.parametrize("span_weight", [1.0, 3.0])
def test_a_target_has_one_end_token_and_keeps_its_tags(tokenizer: Any, span_weight: float) -> None:
    pair = Pair("p", "", "markdown", BAD, GOOD, align_spans(BAD, GOOD))
    for style in styles(tokenizer):
        example = encode_pair(pair, style, tokenizer, max_length=9999, span_weight=span_weight)
        assert example and len(example.weights) == len(example.target)
        *answer, end = example.target
        assert end == end_ids(tokenizer, style)[0] and control_ids(tokenizer).isdisjoint(answer)
        assert decode(tokenizer, answer) == GOOD


def test_a_prompt_has_the_control_tokens_of_its_template_alone(tokenizer: Any) -> None:
    for style in styles(tokenizer):
        ids, plain = (prompt_ids(tokenizer, style, text, "") for text in (BAD, "It are old."))
        controls, expected = ([token for token in part if token in control_ids(tokenizer)] for part in (ids, plain))
        assert controls == expected
        assert BAD in decode(tokenizer, ids)


def test_a_text_without_names_is_encoded_as_ever(tokenizer: Any) -> None:
    text = "It is old, see `end` and <turn>."
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    assert text_ids(tokenizer, text) == encode_text(tokenizer, text).ids == ids
    if tokenizer.chat_template:
        messages = [{"role": "user", "content": text}]
        chat = tokenizer.apply_chat_template(messages, add_generation_prompt=True, return_dict=True)
        assert chat_ids(tokenizer, text) == chat["input_ids"]


@pytest.mark.parametrize("end", ["", "\n", " \n\n"])
@pytest.mark.parametrize("start", ["", "\n"])
def test_a_chat_keeps_the_white_space_that_its_template_keeps(tokenizer: Any, start: str, end: str) -> None:
    if tokenizer.chat_template:
        text = f"{start}See `</s>` and <s>.{end}"
        chat = tokenizer.apply_chat_template(
            [{"role": "user", "content": text}], tokenize=False, add_generation_prompt=True
        )
        ids = chat_ids(tokenizer, text)
        assert tokenizer.decode(ids, clean_up_tokenization_spaces=False).replace(" ", "") == chat.replace(" ", "")


def test_a_template_that_rewrites_the_text_is_refused() -> None:
    tokenizer = byte_level()
    tokenizer.chat_template = CHATML.replace("m.content", "m.content | upper")
    tokenizer.add_special_tokens({"additional_special_tokens": ["<|IM_END|>"]})
    with pytest.raises(UserError, match="pass --prompt_style plain"):
        chat_ids(tokenizer, "See `<|im_end|>`.")
