"""The parts of training: models in 4 bits, batches, loss, LoRA, schedule. Most tests guard against a known trap."""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")
pytest.importorskip("bitsandbytes")
pytest.importorskip("peft")

from torch.nn.functional import cross_entropy  # noqa: E402
from training import PAIRS  # noqa: E402

from degraders.dataset.pairs import Pair, align_spans  # noqa: E402
from degraders.errors import UserError  # noqa: E402
from fixer import loading, lora, training  # noqa: E402
from fixer.batching import MAX_PADDING, WIDTH_STEP, step_batches  # noqa: E402
from fixer.devices import process_share  # noqa: E402
from fixer.examples import Example, encode_pairs  # noqa: E402
from fixer.loss import TILE, FixerModel, _average_rows, _TiledLoss  # noqa: E402
from fixer.prompts import PromptStyle  # noqa: E402

pytestmark = pytest.mark.fixer
CPU = torch.device("cpu")


def quantised(*, dropout: float = 0.0, seed: int = 1, **settings: Any) -> Any:
    base = loading.load_base(loading.TINY, bits=settings.pop("bits", 4), device=CPU, **settings)
    return loading.add_lora(base, r=8, alpha=32, dropout=dropout, seed=seed)


def encoded_pairs() -> list[Example]:
    pairs = [
        Pair(id=str(n), context="", format="markdown", bad=bad, good=good, spans=align_spans(bad, good))
        for n, (bad, good) in enumerate(PAIRS)
    ]
    encoded, rejected = encode_pairs(pairs, PromptStyle(), loading.tiny_tokenizer(), max_length=512, span_weight=3)
    assert not rejected
    return encoded


def batches(examples: list[Example], *, slots: int = 2048, rows: int = 8) -> Any:
    return step_batches(examples, slots=slots, rows=rows, pad_id=258)


def gradients(model: Any, examples: list[Example], **settings: int) -> dict[str, Any]:
    model.zero_grad()
    wrapped = FixerModel(model)
    for batch in batches(examples, **settings):
        wrapped(batch).backward()
    return {name: weight.grad.clone() for name, weight in model.named_parameters() if weight.requires_grad}


def randomise_b(model: Any) -> None:
    """Set B, which is zero in a new adapter, to random values: zeros would hide errors."""
    generator = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if "lora_B" in name:
                weight.normal_(0, 0.02, generator=generator)


def test_the_tiny_model_is_in_4_bits_and_the_same_each_time() -> None:
    from bitsandbytes.nn import Linear4bit

    model = quantised()
    layers = [module for module in model.modules() if isinstance(module, Linear4bit)]
    assert len(layers) == 14
    assert {layer.weight.quant_state.quant_type for layer in layers} == {"nf4"}
    assert all(layer.weight.quant_state.nested for layer in layers)
    digest = sha256(b"".join(weight.numpy().tobytes() for weight in loading.tiny_model().state_dict().values()))
    assert digest.hexdigest()[:16] == "cbcf9cea0c3b601e"


def test_only_lora_weights_train_and_no_token_was_added() -> None:
    model = quantised()
    trained = [name for name, weight in model.named_parameters() if weight.requires_grad]
    assert trained and all("lora_" in name for name in trained)
    assert not any("lm_head" in name or "embed" in name for name in trained)
    assert model.get_input_embeddings().weight.shape[0] == 320
    assert model.get_base_model().name_or_path == loading.TINY


def test_an_evaluation_pass_does_not_break_the_gradients_of_4_bit_training() -> None:
    model, examples = quantised().train(), encoded_pairs()
    before = gradients(model, examples)
    model.eval()
    with torch.no_grad():
        FixerModel(model)(batches(examples)[0])
    after = gradients(model.train(), examples)
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert any(bool(grad.any()) for name, grad in after.items() if "layers.0" in name)


def test_models_compute_in_bf16_if_the_hardware_supports_it() -> None:
    base = loading.load_base(loading.TINY, bits=4, device=CPU)
    layer = base.model.layers[0].self_attn.q_proj
    assert layer.compute_dtype == (torch.bfloat16 if loading.has_bf16(CPU) else torch.float32)
    assert layer.weight.dtype == layer.compute_dtype, "FSDP can only shard weights of a single type"


def test_the_adapter_depends_on_its_seed_alone() -> None:
    def first(seed: int) -> Any:
        return next(weight for name, weight in quantised(seed=seed).named_parameters() if "lora_A" in name)

    one = first(3)
    torch.rand(7)
    assert torch.equal(one, first(3))
    assert not torch.equal(one, first(4))


def test_the_loss_equals_that_of_the_models_own_logits() -> None:
    model, examples = quantised(bits=32), encoded_pairs()
    randomise_b(model)
    for batch in batches(examples):
        logits = model(input_ids=batch.input_ids).logits.flatten(0, 1)[batch.positions]
        expected_loss = (cross_entropy(logits, batch.targets, reduction="none") * batch.weights).sum()
        expected_loss.backward()
        expected = {name: weight.grad.clone() for name, weight in model.named_parameters() if weight.requires_grad}
        model.zero_grad()
        loss = FixerModel(model)(batch)
        loss.backward()
        torch.testing.assert_close(loss, expected_loss, rtol=1e-5, atol=1e-5)
        for name, weight in model.named_parameters():
            if weight.requires_grad:
                torch.testing.assert_close(weight.grad, expected[name], rtol=1e-3, atol=1e-5)
        model.zero_grad()


def test_the_gradient_does_not_depend_on_tiles() -> None:
    generator = torch.Generator().manual_seed(1)
    count = 2 * TILE + 5
    hidden = torch.randn(count, 16, generator=generator, requires_grad=True)
    head = torch.randn(50, 16, generator=generator)
    targets = torch.randint(50, (count,), generator=generator)
    weights = torch.rand(count, generator=generator)
    _TiledLoss.apply(hidden, head, targets, weights).backward()
    tiled, hidden.grad = hidden.grad, None
    (cross_entropy(hidden @ head.T, targets, reduction="none") * weights).sum().backward()
    torch.testing.assert_close(tiled, hidden.grad, rtol=1e-5, atol=1e-6)


def test_leaving_out_unlikely_tokens_costs_less_than_rounding() -> None:
    generator = torch.Generator().manual_seed(1)
    head = torch.randn(20_000, 64, generator=generator)
    # As in text, most of a vocabulary is unlikely everywhere.
    common, own = torch.randn(20_000, generator=generator), torch.randn(TILE, 20_000, generator=generator)
    shares = (6 * common + 1.5 * own).softmax(-1)
    exact = shares.double() @ head.double()
    rounded = (shares.bfloat16() @ head.bfloat16()).double()
    average = _average_rows(shares.bfloat16(), head.bfloat16()).double()
    assert not torch.equal(average, rounded), "no token was left out, so that nothing is tested"
    assert (average - rounded).norm() < (rounded - exact).norm()


@pytest.mark.parametrize("kind", ["capped", "gpt2"])
def test_heads_that_do_more_than_multiply_use_their_own_logits(kind: str) -> None:
    if kind == "capped":
        sizes = {"vocab_size": 96, "hidden_size": 64, "intermediate_size": 64, "num_hidden_layers": 1, "head_dim": 16}
        config: Any = transformers.Gemma2Config(
            **sizes, num_attention_heads=4, num_key_value_heads=2, final_logit_softcapping=0.5
        )
    else:
        config = transformers.GPT2Config(vocab_size=96, n_embd=64, n_layer=1, n_head=4)
    model = transformers.AutoModelForCausalLM.from_config(config).eval()
    (batch,) = step_batches([Example("a", [3, 4, 5], [6, 7], [1.0, 1.0])], slots=64, rows=1, pad_id=0)
    logits = model(input_ids=batch.input_ids).logits[0, 2:4]
    expected = cross_entropy(logits, torch.tensor([6, 7]), reduction="sum")
    torch.testing.assert_close(FixerModel(model)(batch), expected, rtol=1e-4, atol=1e-5)


def test_gradients_do_not_depend_on_padding_and_neighbours() -> None:
    model, examples = quantised(bits=32), encoded_pairs()
    randomise_b(model)
    together, separate = gradients(model, examples), gradients(model, examples, rows=1)
    assert len(batches(examples)) < len(examples)
    for name in together:
        torch.testing.assert_close(together[name], separate[name], rtol=1e-4, atol=1e-5)


lengths = st.lists(st.tuples(st.integers(1, 300), st.integers(1, 300)), min_size=1, max_size=40)


@given(lengths=lengths, slots=st.integers(16, 2048), rows=st.integers(1, 16))
@settings(max_examples=60, deadline=None)
def test_batches_contain_each_target_once_and_respect_their_limits(
    lengths: list[tuple[int, int]], slots: int, rows: int
) -> None:
    examples = [
        Example(str(n), [1] * p, [10_000 + 300 * n + at for at in range(t)], [0.5] * t)
        for n, (p, t) in enumerate(lengths)
    ]
    result = step_batches(examples, slots=slots, rows=rows, pad_id=0)
    targets = [token for batch in result for token in batch.targets.tolist()]
    assert sorted(targets) == sorted(token for example in examples for token in example.target)
    for batch in result:
        height, width = batch.input_ids.shape
        assert height <= rows and (height == 1 or height * width <= slots)
        assert width % WIDTH_STEP == 0
        assert int((batch.input_ids == 0).sum()) <= MAX_PADDING * height * (width + 1) + height * WIDTH_STEP
        # Each position is that of the token before its target.
        before = batch.input_ids.flatten()[batch.positions]
        inside = batch.targets % 300 != 10_000 % 300
        assert torch.equal(before[before > 1] + 1, batch.targets[before > 1])
        assert int((before == 1).sum()) == height or not bool(inside.all())


@pytest.mark.parametrize("bits", [4, 32])
def test_fused_lora_computes_what_peft_computes(bits: int) -> None:
    model, examples = quantised(bits=bits).train(), encoded_pairs()
    randomise_b(model)
    plain = gradients(model, examples)
    assert lora.fuse(model) == 14
    fused = gradients(model, examples)
    for name, grad in plain.items():
        close = torch.nn.functional.cosine_similarity(grad.flatten().double(), fused[name].flatten().double(), dim=0)
        assert close > (0.995 if bits == 4 else 0.999999), name
        if bits == 32:
            torch.testing.assert_close(fused[name], grad, rtol=1e-3, atol=1e-5)


def test_fused_lora_respects_a_disabled_adapter() -> None:
    model = quantised(bits=32)
    randomise_b(model)
    lora.fuse(model)
    ids = torch.arange(9)[None]
    with model.disable_adapter():
        without = model(input_ids=ids).logits
    assert not torch.equal(without, model(input_ids=ids).logits)
    torch.testing.assert_close(without, loading.load_base(loading.TINY, bits=32, device=CPU)(input_ids=ids).logits)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
def test_dropout_drops_its_share_and_is_the_same_in_the_backward_pass(dtype: Any) -> None:
    x = torch.ones(500, 401, dtype=dtype)
    torch.manual_seed(0)
    mask = lora._dropout_mask(x, 0.05)
    masked = lora._apply_mask(x, mask)
    assert set(masked.flatten().tolist()) == {0.0, 1.0}
    assert float((masked == 0).float().mean()) == pytest.approx(0.05, abs=0.002)
    assert torch.equal(masked, lora._apply_mask(x, mask))
    torch.manual_seed(0)
    assert torch.equal(mask, lora._dropout_mask(x, 0.05))


def test_dropout_keeps_the_mean_of_the_adapters_output() -> None:
    layer = torch.nn.Linear(64, 32, bias=False).requires_grad_(False)
    x, a, b = torch.ones(20_000, 64), torch.ones(2, 64), torch.ones(32, 2)
    with torch.no_grad():
        mask = lora._dropout_mask(x, 0.2)
        output = lora._FusedLora.apply(x, a, b, layer, 1 / (1 - 0.2), mask) - layer(x)
    assert float(output.mean()) == pytest.approx(128, rel=0.01)


RECIPE = training.Recipe(
    seed=1,
    steps=10,
    step_examples=8,
    rows=8,
    token_slots=512,
    learning_rate=1.0,
    warmup=3,
    schedule="cosine",
    weight_decay=0.0,
    max_grad_norm=1.0,
    optimizer="adamw",
    eval_every=1,
    save_every=1,
    patience=0,
)


def test_the_schedule_warms_up_and_falls() -> None:
    def rates(schedule: str) -> list[float]:
        recipe = replace(RECIPE, schedule=schedule)
        return [round(recipe.rate(step), 3) for step in range(1, 11)]

    assert rates("constant") == [0.25, 0.5, 0.75] + [1.0] * 7
    assert rates("linear") == [0.25, 0.5, 0.75, 1.0, 0.857, 0.714, 0.571, 0.429, 0.286, 0.143]
    cosine = rates("cosine")
    assert cosine[3] == 1 and cosine[3:] == sorted(cosine[3:], reverse=True) and 0 < cosine[-1] < 0.1


@pytest.mark.parametrize(
    ("field", "value"), [("steps", 0), ("patience", -1), ("learning_rate", float("inf")), ("schedule", "zigzag")]
)
def test_a_wrong_recipe_is_refused(field: str, value: object) -> None:
    with pytest.raises(ValueError, match=f"{field} is"):
        replace(RECIPE, **{field: value})


@given(count=st.integers(1, 60), seed=st.integers(0, 9), epoch=st.integers(0, 3), processes=st.integers(1, 5))
@settings(max_examples=40, deadline=None)
def test_an_epoch_contains_each_example_once_and_processes_share_them(
    count: int, seed: int, epoch: int, processes: int
) -> None:
    order = training.epoch_order(count, seed, epoch)
    assert sorted(order) == list(range(count))
    examples = [Example(str(n), [1] * (1 + n), [2], [1.0]) for n in order]
    shares = [process_share(examples, len, process, processes) for process in range(processes)]
    assert sorted(example.id for share in shares for example in share) == sorted(example.id for example in examples)
    sizes = [len(share) for share in shares]
    assert max(sizes) - min(sizes) <= 1


def test_orders_differ_between_seeds_and_epochs() -> None:
    assert len({tuple(training.epoch_order(30, seed, epoch)) for seed in (1, 2) for epoch in (0, 1)}) == 4


@pytest.mark.parametrize("bits", [4, 16, 32])
def test_merging_gives_the_logits_of_base_and_adapter(tmp_path: Path, bits: int) -> None:
    """A base in 4 bits is merged as it was trained: with its quantised values, not with the original ones."""
    model = quantised(bits=bits)
    randomise_b(model)
    folder = tmp_path / "adapter"
    model.save_pretrained(folder)
    loading.tiny_tokenizer().save_pretrained(folder)
    PromptStyle().save(folder)
    loading.merge_adapter(folder, tmp_path / "merged", bits=bits)
    assert not list((tmp_path / "merged").glob("*.bin")) and (tmp_path / "merged" / "model.safetensors").exists()
    plain = transformers.AutoModelForCausalLM.from_pretrained(tmp_path / "merged", dtype=torch.float32)
    ids = torch.arange(40)[None]
    with torch.no_grad():
        expected, base = model(input_ids=ids).logits, loading.tiny_model()(input_ids=ids).logits
        merged = plain(input_ids=ids).logits
    # bf16 has 8 bits of precision; the effect of the adapter must be well above its rounding error.
    assert (merged - expected).norm() < 0.05 * (expected - base).norm()


def test_an_existing_token_pads_and_none_is_added(tmp_path: Path) -> None:
    tokenizer = loading.tiny_tokenizer()
    tokenizer.pad_token = None
    tokenizer.save_pretrained(tmp_path)
    transformers.LlamaConfig().save_pretrained(tmp_path)
    loaded = loading.load_tokenizer(str(tmp_path))
    assert loaded.pad_token == "</s>"
    assert len(loaded) == len(tokenizer)


@pytest.mark.parametrize(
    ("error", "advice"),
    [
        (OSError("You are trying to access a gated repo."), "accept its licence"),
        (OSError("We couldn't connect to 'https://huggingface.co'"), "pass a folder with the model"),
        (torch.OutOfMemoryError("CUDA out of memory"), "does not fit on the GPU; pass a smaller --base_model"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory"), "does not fit into memory"),
        (ImportError("bitsandbytes was built without CUDA"), "--bits 16"),
        (ValueError("requires you to execute the remote code: trust_remote_code=True"), "--trust_remote_code"),
        (ImportError("flash_attn seems to be not installed: FlashAttention2"), "--attention sdpa"),
        (KeyError("odd"), "pass a folder or an id of the hub"),
    ],
)
def test_errors_while_loading_come_with_advice(error: Exception, advice: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> Any:
        raise error

    monkeypatch.setattr(transformers.AutoModelForCausalLM, "from_pretrained", fail)
    with pytest.raises(UserError, match=advice):
        loading.load_base("some/model", bits=4, device=CPU)


def test_an_id_without_weights_is_replaced(capsys: pytest.CaptureFixture[str]) -> None:
    assert loading.resolve_base_name("meta-llama/Llama-2-7b") == "meta-llama/Llama-2-7b-hf"
    assert "meta-llama/Llama-2-7b-hf" in capsys.readouterr().err
    assert loading.resolve_base_name("other") == "other" and not capsys.readouterr().err


def test_remote_code_runs_only_if_it_is_trusted(monkeypatch: pytest.MonkeyPatch) -> None:
    settings: list[Any] = []
    monkeypatch.setattr(
        transformers.AutoTokenizer, "from_pretrained", lambda *_, **more: settings.append(more["trust_remote_code"])
    )
    for value in (False, True):
        with pytest.raises(AttributeError):
            loading.load_tokenizer("x", trust_remote_code=value)
    assert settings == [False, True]
