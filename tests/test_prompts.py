"""Prompt styles: the prompt, the target of training, and the text that an answer stands for."""

from itertools import product
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from degraders.dataset.pairs import Pair, align_spans
from degraders.errors import UserError
from fixer.prompts import DIRECTIONS, STYLE_FILE, STYLES, TARGET_FORMATS, ParsedAnswer, PromptStyle, passage_prompt

pytestmark = pytest.mark.fixer


def pair_of(bad: str, good: str) -> Pair:
    spans = align_spans(bad, good)
    return Pair(id="p", context="Guide > Install", format="markdown", bad=bad, good=good, spans=spans)


@pytest.mark.parametrize("target_format", TARGET_FORMATS)
@pytest.mark.parametrize("direction", DIRECTIONS)
@given(st.text('ab \n"\\', min_size=1, max_size=30), st.text('ab \n"\\', min_size=1, max_size=30))
def test_the_target_stands_for_the_expected_text(target_format: str, direction: str, bad: str, good: str) -> None:
    pair, style = pair_of(bad, good), PromptStyle("plain", target_format, direction)
    expected = bad if direction == "degrade" else good
    if target_format != "good_only" or expected.strip():
        assert style.answer(style.target(pair).text, style.source(pair)) == ParsedAnswer(expected)


@given(st.lists(st.sampled_from("alpha beta gamma delta the a of run".split()), min_size=2, max_size=25), st.data())
def test_edits_give_the_good_text(words: list[str], data: st.DataObject) -> None:
    good = " ".join(words)
    at = data.draw(st.integers(0, len(words) - 1))
    bad = " ".join([*words[:at], data.draw(st.sampled_from(["", "teh", "the the", "runs"])), *words[at + 1 :]])
    style = PromptStyle(target_format="edits")
    answer = style.answer(style.target(pair_of(bad, good)).text, bad)
    assert answer == ParsedAnswer(good)


def test_prompt_names_the_section_and_ends_before_the_answer() -> None:
    assert PromptStyle().prompt("Text.", "Guide") == (
        "Repair the documentation below. Change only what is wrong.\nSection: Guide\n\n### Text\nText.\n\n### Answer\n"
    )
    assert "Section" not in PromptStyle().prompt("Text.", "")
    assert PromptStyle("chat").prompt("Text.", "").endswith("### Text\nText.")
    assert len(PromptStyle().prompt("", "x" * 5000)) < 400


def test_an_instruction_replaces_the_usual_sentence_of_a_repair() -> None:
    prompt = PromptStyle().prompt("Text.", "Guide", "Fix grammar in this sentence")
    assert prompt == "Fix grammar in this sentence.\nSection: Guide\n\n### Text\nText.\n\n### Answer\n"
    degrade = PromptStyle(direction="degrade")
    assert degrade.prompt("Text.", "", "Fix grammar") == degrade.prompt("Text.", "")


def test_every_style_has_a_prompt_of_its_own() -> None:
    styles = list(product(STYLES, TARGET_FORMATS, DIRECTIONS))
    assert len({PromptStyle(*style).prompt("T", "") for style in styles}) == len(styles)


@pytest.mark.parametrize("style", [{"name": "odd"}, {"target_format": "diff"}, {"direction": "up"}])
def test_an_unknown_style_is_refused(style: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="not one of"):
        PromptStyle(**style)


def test_the_passage_prompt_ends_before_the_answer_unless_a_template_wraps_it() -> None:
    assert passage_prompt("Edit it.", chat=False) == "Edit it.\n\nThe edited passage:\n"
    assert passage_prompt("Edit it.", chat=True) == "Edit it."


def test_edits_that_share_neighbouring_words_are_joined() -> None:
    good = "a b\n\nadd(one)\n\nadd(two)\n"
    target = PromptStyle(target_format="edits", direction="degrade").target(pair_of("a b\n\nadd(two)\n", good))
    assert PromptStyle(target_format="edits").answer(target.text, good) == ParsedAnswer("a b\n\nadd(two)\n")
    assert (
        PromptStyle(target_format="edits").target(pair_of("teh the teh", "the the the")).text
        == '[["teh the teh", "the the the"]]'
    )


def test_edit_ranges_are_the_changed_text() -> None:
    target = PromptStyle().target(pair_of("teh end", "the end"))
    assert [target.text[start:end] for start, end in target.edit_ranges] == ["the"]


@pytest.mark.parametrize(
    ("target_format", "generated", "problem"),
    [
        ("good_only", " \n", "empty"),
        ("good_only", "# Use\n\n### Text\nRead it.", "prompt"),
        ("good_only", "Read it.\n\n### Answer\nRead it.", "prompt"),
        ("good_only", "# Use\n### Text\n# Use\n### Text\n# Use\nRead it.", "prompt"),
        ("edits", "Here you are:", "no JSON"),
        ("edits", '{"a": 1}', "wrong JSON"),
        ("edits", '[["a"]]', "wrong JSON"),
        ("edits", '[["absent", "x"]]', "not found"),
        ("edits", '[["a", "b"]]', "ambiguous"),
        ("structured", '{"spans": []}', "wrong JSON"),
        ("structured", '{"spans": [', "no JSON"),
    ],
)
def test_broken_answers_keep_the_text_and_name_the_problem(target_format: str, generated: str, problem: str) -> None:
    assert PromptStyle(target_format=target_format).answer(generated, "a text with a twice") == ParsedAnswer(
        "a text with a twice", problem
    )


def test_an_answer_that_starts_again_counts_from_there() -> None:
    text = "# Use\n\nRead teh docs."
    assert PromptStyle().answer("# Use\n\n### Text\n# Use\n\nRead the docs.", text) == ParsedAnswer(
        "# Use\n\nRead the docs."
    )
    own = "# Use\n\n### Text\n# Use\n\nRead teh docs."
    assert PromptStyle().answer(own.replace("teh", "the"), own) == ParsedAnswer(own.replace("teh", "the")), (
        "a mark of the text"
    )


def test_a_saved_style_is_loaded_unchanged(tmp_path: Path) -> None:
    style = PromptStyle("chat", "edits", "degrade")
    style.save(tmp_path)
    assert PromptStyle.load(tmp_path) == style


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "is missing"),
        ("{", "cannot be read"),
        ('{"name": "plain", "version": 99}', "prompt style 99"),
        ('{"name": "odd"}', "name is 'odd', not one of plain, chat"),
        ('{"shape": "round"}', "cannot be read"),
        ("[]", "cannot be read"),
    ],
)
def test_a_style_file_that_cannot_be_used_is_refused(tmp_path: Path, content: str | None, message: str) -> None:
    if content is not None:
        (tmp_path / STYLE_FILE).write_text(content)
    with pytest.raises(UserError, match=message):
        PromptStyle.load(tmp_path)
