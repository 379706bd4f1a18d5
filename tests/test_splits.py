"""Splits: near-copies stay together, unrelated texts stay apart, and nothing else changes a split."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import textwrap
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from degraders.dataset.splits import SPLITS, SplitAssignment, assign_splits, near_copy_signature, parse_fractions
from degraders.errors import UserError

CLAUSES = "One clause here, another one there."
FRACTIONS = (0.8, 0.1, 0.1)
WORDS = """server client request response cache token header module function thread queue worker config option
default value path folder index table column record query result error warning version release build target
package import export template render handler signal event timer buffer stream socket""".split()
VERBS = "reads writes sends drops parses keeps opens closes checks returns stores removes".split()


def page(seed: int, sentences: int = 40) -> str:
    """A page of sentences that no other seed has."""
    rng = random.Random(seed)
    lines = [
        f"The {rng.choice(WORDS)} of the {rng.choice(WORDS)} {rng.choice(VERBS)} each {rng.choice(WORDS)} "
        f"and the {rng.choice(WORDS)} {rng.randrange(100)} before the {rng.choice(WORDS)}."
        for _ in range(sentences)
    ]
    paragraphs = [" ".join(lines[i : i + 4]) for i in range(0, sentences, 4)]
    body = "\n\n".join(f"## Part {i}\n\n{textwrap.fill(text, 80)}" for i, text in enumerate(paragraphs))
    return f"# Guide {seed}\n\nVersion 1.{seed}.0\n\n{body}\n"


def typos(text: str, share: float = 0.1) -> str:
    rng = random.Random(5)
    sentences = text.split(". ")
    for i, sentence in enumerate(sentences):
        if rng.random() < share:
            at = rng.randrange(1, len(sentence))
            sentences[i] = sentence[:at] + "x" + sentence[at:]
    return ". ".join(sentences)


NEAR_COPIES: dict[str, Callable[[str], str]] = {
    "re-wrapped": lambda text: "\n\n".join(textwrap.fill(part, 50) for part in text.split("\n\n")),
    "indented": lambda text: textwrap.indent(text, "    "),
    "crlf": lambda text: text.replace("\n", "\r\n"),
    "headings": lambda text: text.replace("## Part", "## Kapitel über Teil"),
    "versions": lambda text: text.replace("1.", "27.3."),
    "typos": typos,
    "appended": lambda text: text + "\nOne more paragraph, which nobody has seen before, stands at the end.\n",
    "cut": lambda text: text[len(text) // 5 :],
}


def split_up(texts: dict[str, str], seed: int = 1) -> SplitAssignment:
    return assign_splits([(doc_id, near_copy_signature(text)) for doc_id, text in texts.items()], FRACTIONS, seed)


@pytest.mark.parametrize("kind", NEAR_COPIES)
def test_near_copies_are_recognised(kind: str) -> None:
    for seed in range(20):
        assignment = split_up({"a.md": page(seed), "b.md": NEAR_COPIES[kind](page(seed)), "c.md": page(seed + 100)})
        assert assignment.exact + assignment.near == [["a.md", "b.md"]]
        assert assignment.splits["a.md"] == assignment.splits["b.md"]


def test_near_copies_in_scripts_without_spaces_are_recognised() -> None:
    rng = random.Random(1)
    clauses = ["".join(chr(rng.randrange(0x4E00, 0x9000)) for _ in range(9)) for _ in range(60)]
    copy = ["新" + clause if i % 10 == 0 else clause for i, clause in enumerate(clauses)]
    assignment = split_up({"a.md": "，".join(clauses) + "。", "b.md": "，".join(copy) + "。"})
    assert assignment.near == [["a.md", "b.md"]]


def test_unrelated_texts_that_share_boilerplate_stay_apart() -> None:
    licence = page(999, 8)
    assignment = split_up({f"{i}.md": page(i) + licence for i in range(60)})
    assert assignment.near == []
    assert assignment.exact == []


def test_texts_without_clauses_stay_apart() -> None:
    assignment = split_up({"a.md": "1.2", "b.md": "3.4", "c.md": "", "d.md": "no", "e.md": "yes"})
    assert assignment.near == []
    assert assignment.exact == []


def test_exact_duplicates_are_distinguished_from_near_copies() -> None:
    same, other = page(1), page(2)
    texts = {
        "a.md": same,
        "b.md": same.replace("\n", "\r\n"),
        "c.md": other,
        "d.md": typos(other),
        "e.md": page(3),
    }
    assignment = split_up(texts)
    assert assignment.exact == [["a.md", "b.md"]]
    assert assignment.near == [["c.md", "d.md"]]


def test_many_near_copies_are_one_group() -> None:
    base = page(1, 80)
    copies = {f"{i:03}.md": base + page(i + 10, 8) for i in range(150)}
    assert split_up(copies).near == [sorted(copies)]


def test_boilerplate_in_many_documents_is_quick_and_joins_nothing() -> None:
    rng = random.Random(2)
    shared = rng.randbytes(64)
    signatures = [(f"{i:04}", rng.randbytes(8) + shared + rng.randbytes(192)) for i in range(500)]
    assert assign_splits(signatures, FRACTIONS, 1).near == []


SIGNATURES = {
    f"{seed}/{kind}.md": near_copy_signature(NEAR_COPIES[kind](page(seed)))
    for seed in range(12)
    for kind in NEAR_COPIES
}


@settings(max_examples=25, deadline=None)
@given(st.permutations(sorted(SIGNATURES)), st.integers(0, 1000))
def test_order_changes_no_split(order: list[str], seed: int) -> None:
    assert assign_splits([(i, SIGNATURES[i]) for i in order], FRACTIONS, seed) == assign_splits(
        SIGNATURES.items(), FRACTIONS, seed
    )


@settings(max_examples=25, deadline=None)
@given(st.sets(st.integers(0, 11)), st.integers(0, 1000))
def test_other_documents_change_no_split(numbers: set[int], seed: int) -> None:
    some = {doc_id: signature for doc_id, signature in SIGNATURES.items() if int(doc_id.split("/")[0]) in numbers}
    everything = assign_splits(SIGNATURES.items(), FRACTIONS, seed).splits
    assert assign_splits(some.items(), FRACTIONS, seed).splits == {doc_id: everything[doc_id] for doc_id in some}


def test_splits_have_the_requested_shares() -> None:
    rng = random.Random(3)
    splits = list(assign_splits([(str(i), rng.randbytes(264)) for i in range(4000)], FRACTIONS, 42).splits.values())
    for name, share in zip(SPLITS, FRACTIONS, strict=True):
        assert abs(splits.count(name) / len(splits) - share) < 0.02


@pytest.mark.parametrize(("fractions", "only"), [((1.0, 0.0, 0.0), "train"), ((0.0, 0.0, 1.0), "test")])
def test_a_split_with_a_share_of_zero_gets_nothing(fractions: tuple[float, float, float], only: str) -> None:
    rng = random.Random(4)
    signatures = [(str(i), rng.randbytes(264)) for i in range(200)]
    assert set(assign_splits(signatures, fractions, 7).splits.values()) == {only}


def test_the_seed_changes_the_splits() -> None:
    first, second = (assign_splits(SIGNATURES.items(), (0.4, 0.3, 0.3), seed).splits for seed in (1, 2))
    assert first != second


def test_no_documents() -> None:
    assert assign_splits([], FRACTIONS, 1) == SplitAssignment({}, [], [])


def test_signature_is_the_same_in_every_process() -> None:
    code = f"from degraders.dataset.splits import near_copy_signature; print(near_copy_signature({CLAUSES!r}).hex())"
    prints = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("0", "1")
    }
    assert prints == {near_copy_signature(CLAUSES).hex() + "\n"}


def test_signature_is_the_same_on_every_machine() -> None:
    # A library that hashes differently would move documents from one split to another.
    signature = near_copy_signature(CLAUSES)
    assert len(signature) == 264
    assert signature.hex().startswith("69170fc5776e317d4c7c055e1aa1bc1c27c25d8b17abc2b65c0d0aed95ee194c")


@pytest.mark.parametrize("text", ["0.9,0.05,0.05", "1,0,0", " 0.5, 0.25, 0.25 ", "0.3333333,0.3333333,0.3333333"])
def test_fractions_are_read(text: str) -> None:
    assert parse_fractions(text) == tuple(float(part) for part in text.split(","))


@pytest.mark.parametrize("text", ["", "1", "0.5,0.5", "0.9,0.2,0.1", "1.2,-0.1,-0.1", "a,b,c", "nan,0,1", "inf,0,0"])
def test_wrong_fractions_are_refused(text: str) -> None:
    with pytest.raises(UserError, match=r"three numbers"):
        parse_fractions(text)
