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


def plain(model: Any, prompt: list[int], limit: int) -> list[int]:
    """What transformers generates, one prompt at a time."""
    ids = torch.tensor([prompt])
    made = model.generate(ids, attention_mask=torch.ones_like(ids), max_new_tokens=limit, do_sample=False)
    return made[0, len(prompt) :].tolist()


def ends(tokens: list[int], source: Sequence[int]) -> tuple[str, str]:
    """The text and the end that plain tokens stand for."""
    for at in range(1, len(tokens) + 1):
        if tokens[at - 1] == END:
            return Words().decode(tokens[: at - 1]), "end"
        if runs_away(tokens[:at], source):
            return Words().decode(tokens[:at]), "repeat"
    return Words().decode(tokens), "length"


def mangled(tokens: Sequence[int], draw: random.Random) -> list[int]:
    """A source that the answer is nearly a copy of: tokens changed, left out and put in."""
    out: list[int] = []
    for token in tokens:
        what = draw.random()
        out += [] if what < 0.06 else [draw.randrange(3, VOCABULARY)] if what < 0.12 else [token]
        out += [draw.randrange(3, VOCABULARY)] if what > 0.94 else []
    return out


@pytest.fixture(scope="module")
def cases(model: Any) -> tuple[list[GenerationRequest], list[tuple[str, str]]]:
    draw = random.Random(1)
    requests, wanted = [], []
    for _ in range(11):
        prompt = [2, *(draw.randrange(3, VOCABULARY) for _ in range(draw.randrange(0, 24)))]
        limit = draw.randrange(1, 39)
        tokens = plain(model, prompt, limit)
        source = mangled(tokens, draw)
        requests.append(GenerationRequest(prompt, source, limit))
        wanted.append(ends(tokens, source))
    return requests, wanted


@pytest.mark.parametrize(("batch", "drafts"), [(1, 0), (1, 16), (3, 4), (4, 0), (8, 16), (16, 3)])
def test_the_answers_are_those_of_plain_greedy_decoding(model: Any, cases: Any, batch: int, drafts: int) -> None:
    requests, wanted = cases
    made = dict(Generator(model, Words(), stop=[END], batch=batch, drafts=drafts)(requests))
    assert [(made[index].text, made[index].end) for index in range(len(requests))] == wanted


def kept(model: Any, request: GenerationRequest, bias: float) -> list[int]:
    """Greedy decoding that prefers the source, a token at a time and with nothing cached."""
    drafter, tokens = Drafter(request.source, Words().convert_ids_to_tokens(request.source), END), list[int]()
    while len(tokens) < request.limit and END not in tokens and not runs_away(tokens, request.source):
        with torch.no_grad():
            logits = model(torch.tensor([[*request.prompt, *tokens]])).logits[0, -1]
        for _, token in drafter.follows(0):
            logits[token] += bias
        tokens.append(int(logits.argmax()))
        drafter.saw(tokens[-1], Words().convert_ids_to_tokens(tokens[-1]))
    return tokens


@pytest.mark.parametrize("bias", [3.0, 30.0])
@pytest.mark.parametrize(("batch", "drafts"), [(1, 0), (3, 4), (8, 16)])
def test_a_bias_keeps_the_source_whatever_batch_and_drafts(
    model: Any, cases: Any, bias: float, batch: int, drafts: int
) -> None:
    requests, _ = cases
    sampling = Sampling(keep_bias=bias)
    made = dict(Generator(model, Words(), stop=[END], batch=batch, drafts=drafts, sampling=sampling)(requests))
    found = [(made[index].text, made[index].end) for index in range(len(requests))]
    assert found == [ends(kept(model, request, bias), request.source) for request in requests]


def test_a_bias_beyond_measure_gives_the_source_back(model: Any, cases: Any) -> None:
    sources = [[token for token in request.source if token != END] for request in cases[0]]
    requests = [
        GenerationRequest(asked.prompt, source, len(source) + 1)
        for asked, source in zip(cases[0], sources, strict=True)
    ]
    made = dict(Generator(model, Words(), stop=[END], sampling=Sampling(keep_bias=1e4))(requests))
    assert all(made[at].text == Words().decode(request.source) for at, request in enumerate(requests))


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
def test_what_is_sampled_depends_on_seed_and_prompt_alone(top_p: float) -> None:
    model, draw = tiny("llama"), random.Random(3)
    requests = [
        GenerationRequest([2, *(draw.randrange(3, 90) for _ in range(5))], list(range(40, 60)), 20) for _ in range(7)
    ]

    def sampled(batch: int, drafts: int, seed: int) -> list[str]:
        how = Sampling(temperature=1.5, top_p=top_p, seed=seed)
        made = dict(Generator(model, Words(), stop=[END], batch=batch, drafts=drafts, sampling=how)(requests))
        return [made[index].text for index in range(len(requests))]

    one = sampled(1, 0, 7)
    assert one == sampled(4, 8, 7) == sampled(7, 16, 7)
    assert one != sampled(4, 8, 8)


def test_sampling_follows_the_model_and_leaves_out_what_top_p_leaves_out() -> None:
    from fixer.generation import _drawn

    logits = torch.log(torch.tensor([0.1, 0.6, 0.3]))
    draws = [at / 1000 for at in range(1000)]
    everything = [_drawn(logits, draw, Sampling(1.0)) for draw in draws]
    assert [everything.count(token) for token in range(3)] == pytest.approx([100, 600, 300], abs=1)
    likely = [_drawn(logits, draw, Sampling(1.0, top_p=0.7)) for draw in draws]
    assert [likely.count(token) for token in range(3)] == pytest.approx([0, 667, 333], abs=1)


def test_a_model_that_trains_goes_on_training() -> None:
    model = tiny("llama").train()
    list(Generator(model, Words(), stop=[END])([GenerationRequest([2, 5], [5], 3)]))
    assert model.training


def test_ranks_go_before_length_and_change_no_answer() -> None:
    model, requests = tiny("llama"), [GenerationRequest([2, 5, at], [5], 3 + at) for at in range(12)]
    generate = Generator(model, Words(), stop=[END], batch=2)
    plain_order, ranked = list(generate(requests)), list(generate(requests, [at // 4 for at in range(12)]))
    assert dict(plain_order) == dict(ranked)
    assert {index for index, _ in ranked[:4]} == {0, 1, 2, 3}
    assert plain_order[0][0] > 3


class FewerWords(Words):
    """A tokenizer that knows fewer tokens than its model."""

    def convert_ids_to_tokens(self, ids: int | Sequence[int]) -> Any:
        return None if isinstance(ids, int) else super().convert_ids_to_tokens(ids)


def test_a_token_that_the_tokenizer_does_not_know_is_no_fault() -> None:
    made = dict(Generator(tiny("llama"), FewerWords(), stop=[END])([GenerationRequest([2, 5], [7, 8, 9], 6)]))
    assert made[0] == dict(Generator(tiny("llama"), Words(), stop=[END])([GenerationRequest([2, 5], [7, 8, 9], 6)]))[0]


def test_no_requests_no_answers() -> None:
    assert list(Generator(tiny("llama"), Words(), stop=[END])([])) == []


ROW = [10, 11, 12, 13]


@pytest.mark.parametrize(
    ("tokens", "source", "away"),
    [
        (ROW * 8, [5, 6, 7], True),
        ([5, 6, 7] + ROW * 8, [5, 6, 7, *ROW], True),
        (ROW * 7, [5, 6, 7], False),  # 28 tokens: short of a stretch
        (ROW * 8, ROW * 8, False),  # a table that repeats itself
        (ROW * 8, ROW * 3 + [10, 11, 9, 13] + ROW * 4, False),  # the same with a row put right
        (ROW * 16, ROW * 8, False),
        (ROW * 17, ROW * 8, True),
        ([7] * 40, [7] * 4, True),
        (list(range(50)) * 2, [], False),  # said twice
        (list(range(50)) * 3, [], True),
        (list(range(100)), [], False),
    ],
)
def test_a_repeat_counts_if_the_source_does_not_account_for_it(tokens: Any, source: Any, away: bool) -> None:
    assert runs_away(tokens, source) is away


def follow(source: str, answer: str) -> tuple[int, int]:
    """How many words of an answer were guessed, and how many there are."""
    names = {word: at for at, word in enumerate(sorted({*source.split(), *answer.split()}))}
    texts = [f"▁{word}" for word in source.split()]
    drafter = Drafter([names[word] for word in source.split()], texts, -1)
    right = 0
    for word in answer.split():
        right += drafter.guess(8)[:1] == [names[word]]
        drafter.saw(names[word], f"▁{word}")
    right += drafter.guess(8) == [-1]
    return right, len(answer.split()) + 1


LINE = "press the red button twice and then wait for a long green light"


@pytest.mark.parametrize(
    ("answer", "missed"),
    [
        (LINE, 0),
        (LINE.replace("button", "buttons"), 1),  # another form of the word: the source goes on behind it
        (LINE.replace("and then", "and only then"), 1),  # a word more: it goes on where it stood
        (LINE.replace("and then ", "and "), 1),  # a word less
        (LINE.replace("red button", "button red"), 3),
        ("now " + LINE, 1),
        (LINE.replace("button", "lever handle"), 3),
    ],
)
def test_drafts_find_the_place_again(answer: str, missed: int) -> None:
    right, words = follow(LINE, answer)
    assert words - right <= missed
