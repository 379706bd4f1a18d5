"""Texts through a model: divided, answered, guarded and joined again. The model is a stub with scripted answers."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")

from degraders.dataset.pairs import Pair
from fixer import repair
from fixer.generation import GeneratedAnswer, GenerationRequest
from fixer.predictions import Prediction
from fixer.prompts import PromptStyle
from fixer.repair import Repairer

pytestmark = pytest.mark.fixer


class Letters:
    """A tokenizer of one token a character."""

    bos_token_id = 0
    eos_token_id = 1
    unk_token_id = None
    added_tokens_decoder: ClassVar[dict[int, Any]] = {}

    def get_vocab(self) -> dict[str, int]:
        return {}

    def __call__(self, text: str, **_: Any) -> dict[str, list[int]]:
        return {"input_ids": [ord(letter) for letter in text]}


def repair_texts(
    monkeypatch: pytest.MonkeyPatch,
    answer: Callable[[str], Any],
    *texts: str,
    target: str = "good_only",
    **options: Any,
) -> list[Prediction]:
    """The predictions with a model whose answers `answer` gives: a text, or a text and its end."""

    class ScriptedGenerator:
        def __init__(self, *_: Any, **__: Any) -> None:
            pass

        def __call__(
            self, requests: Sequence[GenerationRequest], ranks: Sequence[int]
        ) -> Iterator[tuple[int, GeneratedAnswer]]:
            assert len(ranks) == len(requests) and list(ranks) == sorted(ranks)
            for index in reversed(range(len(requests))):
                prompt = "".join(map(chr, requests[index].prompt[1:]))
                reply = answer(prompt.split("### Text\n")[1].removesuffix("\n\n### Answer\n"))
                text, end = reply if isinstance(reply, tuple) else (reply, "end")
                yield index, GeneratedAnswer(text, len(text) + 1, end)

    monkeypatch.setattr(repair, "Generator", ScriptedGenerator)
    positions = options.pop("positions", 4096)
    config = SimpleNamespace(max_position_embeddings=positions)
    config.get_text_config = lambda: config
    repairer = Repairer(SimpleNamespace(config=config), Letters(), PromptStyle("plain", target), **options)
    pairs = (
        Pair(id=str(at), context="", format="markdown", bad=text, good=text, spans=()) for at, text in enumerate(texts)
    )
    by_id = {prediction.id: prediction for prediction in repairer(pairs)}
    return [by_id[str(at)] for at in range(len(texts))]


def test_the_instruction_of_a_pair_stands_in_the_prompt(monkeypatch: pytest.MonkeyPatch) -> None:
    prompts: list[str] = []

    class RecordingGenerator:
        def __init__(self, *_: Any, **__: Any) -> None:
            pass

        def __call__(self, requests: Sequence[GenerationRequest], ranks: Sequence[int]) -> Iterator[Any]:
            prompts.extend("".join(map(chr, request.prompt[1:])) for request in requests)
            yield 0, GeneratedAnswer("It is so.", 10, "end")

    monkeypatch.setattr(repair, "Generator", RecordingGenerator)
    config = SimpleNamespace(max_position_embeddings=4096)
    config.get_text_config = lambda: config
    pair = Pair("0", "", "text", "It are so.", "It is so.", (), instruction="Fix grammar in this sentence")
    (prediction,) = Repairer(SimpleNamespace(config=config), Letters(), PromptStyle())([pair])
    assert (prediction.text, prediction.guard) == ("It is so.", "")
    assert prompts == [PromptStyle().prompt("It are so.", "", "Fix grammar in this sentence")]


def fix_teh(text: str) -> str:
    return text.replace("teh", "the")


LONG = "".join(f"## Part {at}\n\nHere is teh text of it, and more.\n\n```sh\nrun {at}\n```\n\n\n" for at in range(20))


def test_a_repair_becomes_the_prediction(monkeypatch: pytest.MonkeyPatch) -> None:
    (prediction,) = repair_texts(monkeypatch, fix_teh, "Read teh docs.\n")
    assert prediction == Prediction("0", "Read the docs.\n", "Read the docs.\n", tokens=15)


@pytest.mark.parametrize("text", ["a b\n\n", "\n\n  a b \n", "\r\n\ta b\r\n", "a b", "\n", "", " \n \n"])
def test_white_space_around_a_text_stays_whatever_the_model_answers(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    for change in (str.rstrip, lambda source: source + "\n\n", lambda source: source.lstrip("\r\n")):
        assert repair_texts(monkeypatch, change, text)[0].text == text


@pytest.mark.parametrize(("text", "visible"), [("a b\n", "a b"), ("\n \na b", "a b"), ("\r\n  a b\t\n\n", "  a b")])
def test_the_model_sees_no_white_space_around_a_text(monkeypatch: pytest.MonkeyPatch, text: str, visible: str) -> None:
    sources: list[str] = []
    repair_texts(monkeypatch, lambda source: (sources.append(source), source)[1], text)
    assert sources == [visible]


def test_a_long_text_is_divided_and_joined_byte_for_byte(monkeypatch: pytest.MonkeyPatch) -> None:
    pieces: list[str] = []

    def record(text: str) -> str:
        pieces.append(text)
        return text.strip()

    (prediction,) = repair_texts(monkeypatch, record, LONG, max_length=600)
    assert prediction.text == prediction.raw == LONG and prediction.chunks == len(pieces) > 5
    assert sorted(pieces) == sorted(set(pieces)) and all(LONG.count(text) for text in pieces)
    assert repair_texts(monkeypatch, fix_teh, LONG, max_length=600)[0].text == fix_teh(LONG)


def test_the_guard_rejects_a_piece_and_accepts_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    def careless(text: str) -> str:
        return fix_teh(text).replace("run 7", "run 8")

    (prediction,) = repair_texts(monkeypatch, careless, LONG, max_length=500)
    assert (prediction.guard, prediction.refused) == ("protected", 1)
    assert "run 7" in prediction.text and "run 7" not in prediction.raw
    assert prediction.text.count("teh") == prediction.text.count("## Part") - prediction.text.count("the text") > 0
    (unguarded,) = repair_texts(monkeypatch, careless, LONG, max_length=500, limits=None)
    assert unguarded.text == unguarded.raw == prediction.raw and not unguarded.guard


@pytest.mark.parametrize(("end", "problem"), [("length", "no end"), ("repeat", "repeat")])
def test_an_answer_that_never_ends_is_named_and_rejected(
    monkeypatch: pytest.MonkeyPatch, end: str, problem: str
) -> None:
    (prediction,) = repair_texts(monkeypatch, lambda text: (text + " and on" * 9, end), "Read teh docs.\n")
    assert (prediction.text, prediction.problem, prediction.guard) == ("Read teh docs.\n", problem, "no end")
    assert "and on and on" in prediction.raw


def test_an_empty_answer_is_named_and_rejected(monkeypatch: pytest.MonkeyPatch) -> None:
    (prediction,) = repair_texts(monkeypatch, lambda _: "\n", "Read teh docs.\n")
    assert (prediction.raw, prediction.text, prediction.problem, prediction.guard) == (
        "",
        "Read teh docs.\n",
        "empty",
        "empty",
    )


@pytest.mark.parametrize(
    ("answer", "problem"), [("[[", "no JSON"), ('{"a": 1}', "wrong JSON"), ('[["nowhere", "x"]]', "not found")]
)
def test_a_broken_answer_is_named_and_rejected(monkeypatch: pytest.MonkeyPatch, answer: str, problem: str) -> None:
    (prediction,) = repair_texts(monkeypatch, lambda _: answer, "Read teh docs.\n", target="edits")
    assert (prediction.text, prediction.problem, prediction.guard) == ("Read teh docs.\n", problem, "broken")


def test_answers_in_json_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    (prediction,) = repair_texts(monkeypatch, lambda _: '[["teh", "the"]]', "Read teh docs.\n", target="edits")
    assert (prediction.text, prediction.problem) == ("Read the docs.\n", "")
    whole = json.dumps({"spans": [["teh", "the", ""]], "text": "Read the docs.\n"})
    (prediction,) = repair_texts(monkeypatch, lambda _: whole, "Read teh docs.\n", target="structured")
    assert (prediction.text, prediction.problem) == ("Read the docs.\n", "")


def test_a_block_that_exceeds_the_model_is_named_and_unchanged(monkeypatch: pytest.MonkeyPatch) -> None:
    (prediction,) = repair_texts(monkeypatch, fix_teh, "teh " * 99, positions=300, max_length=300)
    assert (prediction.text, prediction.problem, prediction.tokens) == ("teh " * 99, "too long", 0)


def test_a_prediction_joins_all_pieces_of_its_text(monkeypatch: pytest.MonkeyPatch) -> None:
    predictions = repair_texts(monkeypatch, fix_teh, "", LONG, "teh end", max_length=500)
    assert [prediction.text for prediction in predictions] == ["", fix_teh(LONG), "the end"]


def test_every_finished_piece_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    chars: list[int] = []
    real = Repairer.__call__
    monkeypatch.setattr(
        Repairer, "__call__", lambda self, pairs: real(self, pairs, on_piece=lambda size, _: chars.append(size))
    )
    predictions = repair_texts(monkeypatch, fix_teh, LONG, "\n", max_length=500)
    assert len(chars) == predictions[0].chunks + 1 > 5
    assert sum(chars) == len(LONG) + 1
