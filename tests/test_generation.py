"""Generation with drafts gives what plain decoding gives, for each kind of attention, batch and length."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import pytest

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

from fixer.drafting import Drafter  # noqa: E402
from fixer.generation import GenerationRequest, Generator, Sampling, runs_away  # noqa: E402

pytestmark = pytest.mark.fixer

END = 1
VOCABULARY = 96


class Words:
    """A tokenizer whose tokens are words: 17 is ` w17`."""

    def convert_ids_to_tokens(self, ids: int | Sequence[int]) -> Any:
        return f"▁w{ids}" if isinstance(ids, int) else [f"▁w{one}" for one in ids]

    def decode(self, ids: Sequence[int], **_: Any) -> str:
        return " ".join(map(str, ids))


def tiny(kind: str) -> Any:
    torch.manual_seed(0)
    sizes: dict[str, Any] = {
        "vocab_size": VOCABULARY, "hidden_size": 64, "intermediate_size": 64, "num_hidden_layers": 2,
        "num_attention_heads": 4, "num_key_value_heads": 2, "initializer_range": 0.4, "eos_token_id": END,
        "bos_token_id": 2, "pad_token_id": 0, "max_position_embeddings": 256,
    }  # fmt: skip
    if kind == "llama":
        config: Any = transformers.LlamaConfig(**sizes)
    elif kind == "gemma3":
        layers = ["sliding_attention", "full_attention"]
        config = transformers.Gemma3TextConfig(**sizes, head_dim=16, sliding_window=8, layer_types=layers)
    elif kind == "mistral":
        config = transformers.MistralConfig(**sizes, sliding_window=8)
    else:
        config = transformers.GPT2Config(
            vocab_size=VOCABULARY, n_embd=64, n_layer=2, n_head=4, n_positions=64, initializer_range=0.4,
            eos_token_id=END, bos_token_id=2, pad_token_id=0,
        )  # fmt: skip
    return transformers.AutoModelForCausalLM.from_config(config).eval()


@pytest.fixture(scope="module", params=["llama", "gemma3", "mistral", "gpt2"])
def model(request: pytest.FixtureRequest) -> Any:
    return tiny(request.param)


def greedy(model: Any, prompt: list[int], limit: int) -> list[int]:
    """The tokens that transformers generates, for a single prompt."""
    ids = torch.tensor([prompt])
    output = model.generate(ids, attention_mask=torch.ones_like(ids), max_new_tokens=limit, do_sample=False)
    return output[0, len(prompt) :].tolist()


def text_and_end(tokens: list[int], source: Sequence[int]) -> tuple[str, str]:
    """The answer that these tokens give, and the reason why it ends."""
    for at in range(1, len(tokens) + 1):
        if tokens[at - 1] == END:
            return Words().decode(tokens[: at - 1]), "end"
        if runs_away(tokens[:at], source):
            return Words().decode(tokens[:at]), "repeat"
    return Words().decode(tokens), "length"


def similar_source(tokens: Sequence[int], draw: random.Random) -> list[int]:
    """A source that is almost the same as the answer: some tokens are replaced, deleted or inserted."""
    source: list[int] = []
    for token in tokens:
        chance = draw.random()
        source += [] if chance < 0.06 else [draw.randrange(3, VOCABULARY)] if chance < 0.12 else [token]
        source += [draw.randrange(3, VOCABULARY)] if chance > 0.94 else []
    return source


@pytest.fixture(scope="module")
def cases(model: Any) -> tuple[list[GenerationRequest], list[tuple[str, str]]]:
    draw = random.Random(1)
    requests, expected = [], []
    for _ in range(11):
        prompt = [2, *(draw.randrange(3, VOCABULARY) for _ in range(draw.randrange(0, 24)))]
        limit = draw.randrange(1, 39)
        tokens = greedy(model, prompt, limit)
        source = similar_source(tokens, draw)
        requests.append(GenerationRequest(prompt, source, limit))
        expected.append(text_and_end(tokens, source))
    return requests, expected


@pytest.mark.parametrize(("batch", "drafts"), [(1, 0), (1, 16), (3, 4), (4, 0), (8, 16), (16, 3)])
def test_the_answers_are_those_of_plain_greedy_decoding(model: Any, cases: Any, batch: int, drafts: int) -> None:
    requests, expected = cases
    answers = dict(Generator(model, Words(), stop=[END], batch=batch, drafts=drafts)(requests))
    assert [(answers[index].text, answers[index].end) for index in range(len(requests))] == expected


def greedy_with_bias(model: Any, request: GenerationRequest, bias: float) -> list[int]:
    """Greedy decoding that prefers the source, a token at a time and with nothing cached."""
    drafter, tokens = Drafter(request.source, Words().convert_ids_to_tokens(request.source), END), list[int]()
    while len(tokens) < request.limit and END not in tokens and not runs_away(tokens, request.source):
        with torch.no_grad():
            logits = model(torch.tensor([[*request.prompt, *tokens]])).logits[0, -1]
        for _, token in drafter.source_tokens(0):
            logits[token] += bias
        tokens.append(int(logits.argmax()))
        drafter.advance(tokens[-1], Words().convert_ids_to_tokens(tokens[-1]))
    return tokens


@pytest.mark.parametrize("bias", [3.0, 30.0])
@pytest.mark.parametrize(("batch", "drafts"), [(1, 0), (3, 4), (8, 16)])
def test_a_bias_keeps_the_source_whatever_batch_and_drafts(
    model: Any, cases: Any, bias: float, batch: int, drafts: int
) -> None:
    requests, _ = cases
    sampling = Sampling(keep_bias=bias)
    answers = dict(Generator(model, Words(), stop=[END], batch=batch, drafts=drafts, sampling=sampling)(requests))
    expected = [text_and_end(greedy_with_bias(model, request, bias), request.source) for request in requests]
    assert [(answers[index].text, answers[index].end) for index in range(len(requests))] == expected


def test_a_huge_bias_returns_the_source(model: Any, cases: Any) -> None:
    sources = [[token for token in request.source if token != END] for request in cases[0]]
    requests = [
        GenerationRequest(case.prompt, source, len(source) + 1) for case, source in zip(cases[0], sources, strict=True)
    ]
    answers = dict(Generator(model, Words(), stop=[END], sampling=Sampling(keep_bias=1e4))(requests))
    assert all(answers[at].text == Words().decode(request.source) for at, request in enumerate(requests))


def test_drafts_save_forward_passes(model: Any, cases: Any) -> None:
    requests, _ = cases
    passes = {drafts: forward_passes(model, requests, drafts) for drafts in (0, 16)}
    assert passes[16] < 0.7 * passes[0]


def forward_passes(model: Any, requests: Sequence[GenerationRequest], drafts: int) -> int:
    count = [0]
    handle = model.get_output_embeddings().register_forward_hook(lambda *_: count.append(1))
    list(Generator(model, Words(), stop=[END], batch=1, drafts=drafts)(requests))
    handle.remove()
    return sum(count)


@pytest.mark.parametrize("top_p", [1.0, 0.8])
def test_samples_depend_on_seed_and_prompt_alone(top_p: float) -> None:
    model, draw = tiny("llama"), random.Random(3)
    requests = [
        GenerationRequest([2, *(draw.randrange(3, 90) for _ in range(5))], list(range(40, 60)), 20) for _ in range(7)
    ]

    def sample(batch: int, drafts: int, seed: int) -> list[str]:
        sampling = Sampling(temperature=1.5, top_p=top_p, seed=seed)
        answers = dict(Generator(model, Words(), stop=[END], batch=batch, drafts=drafts, sampling=sampling)(requests))
        return [answers[index].text for index in range(len(requests))]

    one = sample(1, 0, 7)
    assert one == sample(4, 8, 7) == sample(7, 16, 7)
    assert one != sample(4, 8, 8)


@pytest.mark.parametrize("values", [{"temperature": -1}, {"top_p": 0}, {"top_p": 1.1}, {"keep_bias": float("nan")}])
def test_wrong_sampling_is_refused(values: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=f"{next(iter(values))} is"):
        Sampling(**values)  # type: ignore[arg-type]


def test_sampling_follows_the_probabilities_up_to_top_p() -> None:
    from fixer.generation import _sample_token

    logits = torch.log(torch.tensor([0.1, 0.6, 0.3]))
    draws = [at / 1000 for at in range(1000)]
    everything = [_sample_token(logits, draw, Sampling(1.0)) for draw in draws]
    assert [everything.count(token) for token in range(3)] == pytest.approx([100, 600, 300], abs=1)
    likely = [_sample_token(logits, draw, Sampling(1.0, top_p=0.7)) for draw in draws]
    assert [likely.count(token) for token in range(3)] == pytest.approx([0, 667, 333], abs=1)


def test_generation_keeps_a_model_in_training_mode() -> None:
    model = tiny("llama").train()
    list(Generator(model, Words(), stop=[END])([GenerationRequest([2, 5], [5], 3)]))
    assert model.training


def test_ranks_take_precedence_over_length_and_change_no_answer() -> None:
    model, requests = tiny("llama"), [GenerationRequest([2, 5, at], [5], 3 + at) for at in range(12)]
    generate = Generator(model, Words(), stop=[END], batch=2)
    by_length, ranked = list(generate(requests)), list(generate(requests, [at // 4 for at in range(12)]))
    assert dict(by_length) == dict(ranked)
    assert {index for index, _ in ranked[:4]} == {0, 1, 2, 3}
    assert by_length[0][0] > 3


class FewerWords(Words):
    """A tokenizer that knows fewer tokens than its model."""

    def convert_ids_to_tokens(self, ids: int | Sequence[int]) -> Any:
        return None if isinstance(ids, int) else super().convert_ids_to_tokens(ids)


def test_a_token_that_the_tokenizer_does_not_know_is_no_error() -> None:
    requests = [GenerationRequest([2, 5], [7, 8, 9], 6)]
    fewer, all_words = (
        list(Generator(tiny("llama"), words, stop=[END])(requests)) for words in (FewerWords(), Words())
    )
    assert fewer == all_words


def test_no_requests_no_answers() -> None:
    assert list(Generator(tiny("llama"), Words(), stop=[END])([])) == []


ROW = [10, 11, 12, 13]


@pytest.mark.parametrize(
    ("tokens", "source", "expected"),
    [
        (ROW * 8, [5, 6, 7], True),
        ([5, 6, 7] + ROW * 8, [5, 6, 7, *ROW], True),
        (ROW * 7, [5, 6, 7], False),  # 28 tokens: too few to count
        (ROW * 8, ROW * 8, False),  # a table that repeats itself
        (ROW * 8, ROW * 3 + [10, 11, 9, 13] + ROW * 4, False),  # the same with a corrected row
        (ROW * 16, ROW * 8, False),
        (ROW * 17, ROW * 8, True),
        ([7] * 40, [7] * 4, True),
        (list(range(50)) * 2, [], False),  # only twice
        (list(range(50)) * 3, [], True),
        (list(range(100)), [], False),
    ],
)
def test_repetitions_count_if_the_source_does_not_explain_them(tokens: Any, source: Any, expected: bool) -> None:
    assert runs_away(tokens, source) is expected


def count_guessed(source: str, answer: str) -> tuple[int, int]:
    """How many words of an answer a drafter guesses, and how many there are."""
    names = {word: at for at, word in enumerate(sorted({*source.split(), *answer.split()}))}
    texts = [f"▁{word}" for word in source.split()]
    drafter = Drafter([names[word] for word in source.split()], texts, -1)
    guessed = 0
    for word in answer.split():
        guessed += drafter.draft(8)[:1] == [names[word]]
        drafter.advance(names[word], f"▁{word}")
    guessed += drafter.draft(8) == [-1]
    return guessed, len(answer.split()) + 1


LINE = "press the red button twice and then wait for a long green light"


@pytest.mark.parametrize(
    ("answer", "missed"),
    [
        (LINE, 0),
        (LINE.replace("button", "buttons"), 1),  # another form of the word: the source continues behind it
        (LINE.replace("and then", "and only then"), 1),  # an additional word: the source continues at the same position
        (LINE.replace("and then ", "and "), 1),  # a missing word
        (LINE.replace("red button", "button red"), 3),
        ("now " + LINE, 1),
        (LINE.replace("button", "lever handle"), 3),
    ],
)
def test_drafts_find_the_position_again_after_a_change(answer: str, missed: int) -> None:
    guessed, words = count_guessed(LINE, answer)
    assert words - guessed <= missed
