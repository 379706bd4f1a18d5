"""Rewriters: what is hidden from them, what of their answers is taken, and the spans that it leaves."""

from __future__ import annotations

import pytest
from support import whole

from degraders.document import parse
from degraders.edits import apply
from degraders.llm import PROBLEMS, Stub, rewritten
from degraders.registry import Fault

TEXT = "Run `make all` first, see [the guide](guide.md) or https://example.com/x, and wait."


class Fixed:
    """A rewriter that gives one answer, and remembers what it was asked."""

    name = "fixed"

    def __init__(self, change: tuple[str, str] | None) -> None:
        self.change = change
        self.asked: list[tuple[str, str, int]] = []

    def rewrite(self, passage: str, problem: str, seed: int) -> str | None:
        self.asked.append((passage, problem, seed))
        return self.change and passage.replace(*self.change)


def rewrite(change: tuple[str, str] | None, text: str = TEXT) -> tuple[Fault | None, Fixed]:
    rewriter = Fixed(change)
    unit = whole(parse(text, doc_id="d"))
    return rewritten(unit, 0, len(text), rewriter, "wordy", 7), rewriter


def test_code_and_addresses_are_placeholders_to_a_rewriter() -> None:
    _, rewriter = rewrite(None)
    ((passage, problem, seed),) = rewriter.asked
    assert passage == "Run ⟦0⟧ first, see [the guide]⟦1⟧ or ⟦2⟧, and wait."
    assert (problem, seed) == ("wordy", 7)


def test_an_answer_becomes_edits_by_alignment() -> None:
    fault, _ = rewrite(("and wait", "and then wait for a while"))
    assert fault and fault.recoverable == "B"
    assert apply(TEXT, fault.edits)[0] == TEXT.replace("and wait", "and then wait for a while")
    assert all("make" not in edit.text for edit in fault.edits)


def test_an_answer_that_moves_code_is_one_edit_that_keeps_it() -> None:
    fault, _ = rewrite(("Run ⟦0⟧ first, see [the guide]⟦1⟧", "See [the guide]⟦1⟧, run ⟦0⟧ first"))
    assert fault
    bad = apply(TEXT, fault.edits)[0]
    assert bad == "See [the guide](guide.md), run `make all` first or https://example.com/x, and wait."


@pytest.mark.parametrize("change", [("⟦0⟧", "it"), ("⟦0⟧", "⟦0⟧ ⟦0⟧"), ("⟦0⟧", "⟦7⟧"), ("zzz", "y")])
def test_an_answer_that_loses_doubles_or_invents_a_placeholder_or_changes_nothing_is_refused(
    change: tuple[str, str],
) -> None:
    assert rewrite(change)[0] is None


def test_a_rewriter_may_decline() -> None:
    assert rewrite(None)[0] is None


def test_the_stub_is_deterministic_and_keeps_placeholders() -> None:
    passage = "To read ⟦0⟧, open the file. For example, you can use the server. It must have a parameter for ⟦1⟧."
    for problem in PROBLEMS:
        answers = [Stub().rewrite(passage, problem, seed) for seed in range(30)]
        assert answers == [Stub().rewrite(passage, problem, seed) for seed in range(30)]
        made = {answer for answer in answers if answer}
        assert len(made) > 1, problem
        assert all(answer.count("⟦0⟧") == answer.count("⟦1⟧") == 1 and answer != passage for answer in made)
