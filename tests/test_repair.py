"""Texts through a model: cut, answered, guarded and joined again; the model here is one that says what it is told."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from types import SimpleNamespace
from typing import Any

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

    def __call__(self, text: str, **_: Any) -> dict[str, list[int]]:
        return {"input_ids": [ord(letter) for letter in text]}


def repaired(
    monkeypatch: pytest.MonkeyPatch,
    answer: Callable[[str], Any],
    *texts: str,
    target: str = "good_only",
    **options: Any,
) -> list[Prediction]:
    """What becomes of the texts with a model that answers as told: text, or text and end."""

    class Told:
        def __init__(self, *_: Any, **__: Any) -> None:
            pass

        def __call__(
            self, requests: Sequence[GenerationRequest], ranks: Sequence[int]
        ) -> Iterator[tuple[int, GeneratedAnswer]]:
            assert len(ranks) == len(requests) and list(ranks) == sorted(ranks)
            for index in reversed(range(len(requests))):
                prompt = "".join(map(chr, requests[index].prompt[1:]))
                said = answer(prompt.split("### Text\n")[1].removesuffix("\n\n### Answer\n"))
                text, end = said if isinstance(said, tuple) else (said, "end")
                yield index, GeneratedAnswer(text, len(text) + 1, end)

    monkeypatch.setattr(repair, "Generator", Told)
    positions = options.pop("positions", 4096)
    config = SimpleNamespace(max_position_embeddings=positions)
    config.get_text_config = lambda: config
    repairer = Repairer(SimpleNamespace(config=config), Letters(), PromptStyle("plain", target), **options)
    pairs = (Pair(str(at), "", "markdown", text, text, ()) for at, text in enumerate(texts))
    made = {made.id: made for made in repairer(pairs)}
    return [made[str(at)] for at in range(len(texts))]


def mended(text: str) -> str:
    return text.replace("teh", "the")


LONG = "".join(f"## Part {at}\n\nHere is teh text of it, and more.\n\n```sh\nrun {at}\n```\n\n\n" for at in range(20))


def test_a_repair_is_handed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    (made,) = repaired(monkeypatch, mended, "Read teh docs.\n")
    assert made == Prediction("0", "Read the docs.\n", "Read the docs.\n", "", "", 15, 1, 0)


@pytest.mark.parametrize("text", ["a b\n\n", "\n\n  a b \n", "\r\n\ta b\r\n", "a b", "\n", "", " \n \n"])
def test_white_space_around_a_text_stays_whatever_the_model_makes_of_it(
    monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    for change in (str.rstrip, lambda given: given + "\n\n", lambda given: given.lstrip("\r\n")):
        assert repaired(monkeypatch, change, text)[0].text == text


@pytest.mark.parametrize(("text", "seen"), [("a b\n", "a b"), ("\n \na b", "a b"), ("\r\n  a b\t\n\n", "  a b")])
def test_the_model_sees_no_white_space_around_a_text(monkeypatch: pytest.MonkeyPatch, text: str, seen: str) -> None:
    asked: list[str] = []
    repaired(monkeypatch, lambda given: (asked.append(given), given)[1], text)
    assert asked == [seen]


def test_a_long_text_is_cut_and_joined_byte_for_byte(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def note(text: str) -> str:
        asked.append(text)
        return text.strip()

    (made,) = repaired(monkeypatch, note, LONG, window=600)
    assert made.text == made.raw == LONG and made.chunks == len(asked) > 5
    assert sorted(asked) == sorted(set(asked)) and all(LONG.count(text) for text in asked)
    assert repaired(monkeypatch, mended, LONG, window=600)[0].text == mended(LONG)


def test_the_guard_turns_down_a_piece_and_leaves_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    def careless(text: str) -> str:
        return mended(text).replace("run 7", "run 8")

    (made,) = repaired(monkeypatch, careless, LONG, window=500)
    assert (made.guard, made.refused) == ("protected", 1)
    assert "run 7" in made.text and "run 7" not in made.raw
    assert made.text.count("teh") == made.text.count("## Part") - made.text.count("the text") > 0
    (unguarded,) = repaired(monkeypatch, careless, LONG, window=500, limits=None)
    assert unguarded.text == unguarded.raw == made.raw and not unguarded.guard


@pytest.mark.parametrize(("end", "problem"), [("length", "no end"), ("repeat", "repeat")])
def test_an_answer_that_never_ends_is_named_and_refused(
    monkeypatch: pytest.MonkeyPatch, end: str, problem: str
) -> None:
    (made,) = repaired(monkeypatch, lambda text: (text + " and on" * 9, end), "Read teh docs.\n")
    assert (made.text, made.problem, made.guard) == ("Read teh docs.\n", problem, "no end")
    assert "and on and on" in made.raw


def test_an_empty_answer_is_named_and_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    (made,) = repaired(monkeypatch, lambda _: "\n", "Read teh docs.\n")
    assert (made.raw, made.text, made.problem, made.guard) == ("", "Read teh docs.\n", "empty", "empty")


@pytest.mark.parametrize(
    ("said", "problem"), [("[[", "no JSON"), ('{"a": 1}', "wrong JSON"), ('[["nowhere", "x"]]', "not found")]
)
def test_a_broken_answer_is_named_and_refused(monkeypatch: pytest.MonkeyPatch, said: str, problem: str) -> None:
    (made,) = repaired(monkeypatch, lambda _: said, "Read teh docs.\n", target="edits")
    assert (made.text, made.problem, made.guard) == ("Read teh docs.\n", problem, "broken")


def test_answers_in_json_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    (made,) = repaired(monkeypatch, lambda _: '[["teh", "the"]]', "Read teh docs.\n", target="edits")
    assert (made.text, made.problem) == ("Read the docs.\n", "")
    whole = json.dumps({"spans": [["teh", "the", ""]], "text": "Read the docs.\n"})
    (made,) = repaired(monkeypatch, lambda _: whole, "Read teh docs.\n", target="structured")
    assert (made.text, made.problem) == ("Read the docs.\n", "")


def test_a_block_that_exceeds_the_model_is_named_and_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    (made,) = repaired(monkeypatch, mended, "teh " * 99, positions=300, window=300)
    assert (made.text, made.problem, made.tokens) == ("teh " * 99, "too long", 0)


def test_a_text_is_handed_on_as_soon_as_its_last_piece_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    made = repaired(monkeypatch, mended, "", LONG, "teh end", window=500)
    assert [one.text for one in made] == ["", mended(LONG), "the end"]


def test_every_piece_is_reported_as_it_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    chars: list[int] = []
    real = Repairer.__call__
    monkeypatch.setattr(
        Repairer, "__call__", lambda self, pairs: real(self, pairs, seen=lambda size, _: chars.append(size))
    )
    made = repaired(monkeypatch, mended, LONG, "\n", window=500)
    assert len(chars) == made[0].chunks + 1 > 5
    assert sum(chars) == len(LONG) + 1
