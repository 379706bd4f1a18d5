"""Pairs to token ids: nothing is cut, prompt and target stay apart, every answer ends, repairs weigh more."""

from dataclasses import replace
from typing import Any

import pytest

from degraders.dataset.pairs import Pair, align_spans
from degraders.errors import UserError
from fixer.examples import TOO_LONG, Example, encode_pair, encode_pairs, end_ids
from fixer.prompts import PromptStyle

tokenizers = pytest.importorskip("tokenizers")
transformers = pytest.importorskip("transformers")

pytestmark = pytest.mark.fixer

GOOD = "# Title\n\nThe first part.\n\nThe second part.\n"


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    alphabet = sorted(tokenizers.pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {char: number for number, char in enumerate([*alphabet, "<s>", "</s>"])}
    raw = tokenizers.Tokenizer(tokenizers.models.BPE(vocabulary, []))
    raw.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    raw.decoder = tokenizers.decoders.ByteLevel()
    return transformers.PreTrainedTokenizerFast(tokenizer_object=raw, bos_token="<s>", eos_token="</s>")


def pair_of(bad: str, good: str) -> Pair:
    return Pair(id="p", context="", format="markdown", bad=bad, good=good, spans=align_spans(bad, good))


def encode(tokenizer: Any, bad: str, good: str, style: PromptStyle | None = None, *, span_weight: float = 1) -> Example:
    style = style or PromptStyle()
    example = encode_pair(pair_of(bad, good), style, tokenizer, max_length=9999, span_weight=span_weight)
    assert example
    return example


def test_an_example_is_prompt_target_and_end_token(tokenizer: Any) -> None:
    example = encode(tokenizer, "teh end", "the end")
    assert tokenizer.decode(example.target[:-1]) == "the end"
    assert example.target[-1] == tokenizer.eos_token_id
    assert example.prompt[0] == tokenizer.bos_token_id
    assert tokenizer.decode(example.prompt[1:]) == PromptStyle().prompt("teh end", "")
    assert example.weights == [1.0] * len(example.target)


def test_the_instruction_of_a_pair_stands_in_its_prompt(tokenizer: Any) -> None:
    pair = replace(pair_of("teh end", "the end"), instruction="Fix grammar")
    example = encode_pair(pair, PromptStyle(), tokenizer, max_length=9999)
    assert example and tokenizer.decode(example.prompt[1:]) == PromptStyle().prompt("teh end", "", "Fix grammar")
    assert tokenizer.decode(example.target[:-1]) == "the end"


@pytest.mark.parametrize(
    ("bad", "heavy"),
    [("teh end", "the"), ("the nd", "end"), ("the very end", "e"), ("the end", "")],
)
def test_span_weight_applies_to_the_tokens_that_repair(tokenizer: Any, bad: str, heavy: str) -> None:
    example = encode(tokenizer, bad, "the end", span_weight=5)
    assert len(example.weights) == len(example.target)
    weighted = [token for token, weight in zip(example.target, example.weights, strict=True) if weight == 5]
    assert tokenizer.decode(weighted) == heavy


def test_white_space_at_the_end_of_a_text_is_not_learned(tokenizer: Any) -> None:
    one, other = (encode(tokenizer, f"teh end{end}", f"the end{end}", span_weight=2) for end in ("", "\n\n"))
    assert one == other
    edits = encode(tokenizer, "the end \n", "the end\n", PromptStyle("plain", "edits"))
    assert "the end \n" in tokenizer.decode(edits.prompt[1:])


def test_a_long_pair_is_divided_or_rejected_and_never_cut(tokenizer: Any) -> None:
    bad = GOOD.replace("second", "secnd")
    whole = len(encode(tokenizer, bad, GOOD))
    examples, rejected = encode_pairs([pair_of(bad, GOOD)], PromptStyle(), tokenizer, max_length=whole - 1)
    assert not rejected
    assert "\n\n".join(tokenizer.decode(example.target[:-1]) for example in examples) == GOOD.rstrip()
    examples, rejected = encode_pairs([pair_of(bad, GOOD)], PromptStyle(), tokenizer, max_length=20)
    assert (examples, set(rejected)) == ([], {TOO_LONG})


def test_a_tokenizer_without_an_end_token_is_refused(tokenizer: Any) -> None:
    endless = transformers.PreTrainedTokenizerFast(tokenizer_object=tokenizer.backend_tokenizer)
    with pytest.raises(UserError, match="no end token"):
        end_ids(endless, PromptStyle())
