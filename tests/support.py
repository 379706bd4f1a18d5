"""Helpers that several tests share: the variants that a degrader makes of a small document."""

from __future__ import annotations

from collections import Counter

from degraders.catalogue import all_degraders
from degraders.dataset.records import check_record, make_record
from degraders.engine import Degradation, Plan, Variant
from degraders.registry import Degrader
from degraders.text.document import Document, Unit
from degraders.text.parse import parse


def whole(doc: Document) -> Unit:
    """The whole document as one unit."""
    return Unit(doc, 0, 0, len(doc.text), "")


def variants(text: str, item: Degrader, *, format: str = "markdown", seeds: int = 200) -> list[Variant]:
    """The variants of a text with one error of the degrader, for the seeds from 0 on."""
    unit = whole(parse(text, doc_id="case", format=format))
    plans = [Plan((item,), seed=seed, severity=1.0, identity_rate=0.0, allow_lossy=True) for seed in range(seeds)]
    return [variant for plan in plans if (variant := Degradation(unit, plan).variant(0))]


def outcomes(name: str, text: str, *, format: str = "markdown", seeds: int = 200) -> set[str]:
    """The bad texts of the variants."""
    return {variant.bad for variant in variants(text, all_degraders()[name], format=format, seeds=seeds)}


def assert_token_offsets(bad: str, start: int, end: int, first: int, last: int) -> None:
    """Check that the tokens of a span are those that it overlaps; an empty span has the token around it, or none."""
    at, overlapped = 0, []
    for number, token in enumerate(bad.split()):
        at = bad.index(token, at)
        if at < end and start < at + len(token):
            overlapped.append(number)
        at += len(token)
    assert overlapped == list(range(first, last))
    assert 0 <= first <= last <= len(bad.split())


def heavy(items: tuple[Degrader, ...], seed: int) -> Plan:
    return Plan(items, seed=seed, severity=6.0, identity_rate=0.0, allow_lossy=True)


def assert_lawful(unit: Unit, variant: Variant) -> None:
    row = make_record(unit, variant, number=0, seed=0, split="train")
    assert check_record(row) == []
    assert row["good"] == unit.text
    for span in row["spans"]:
        assert_token_offsets(row["bad"], span["start"], span["end"], span["token_start"], span["token_end"])
        assert span["bad"] != span["good"]
        if span["recoverable"] == "C":
            start, end = span["evidence"]
            assert 0 <= start < end <= len(row["bad"])
    for error in variant.errors:
        assert_contained(unit, error.span.good_start, error.span.good_end, error.span.bad, error.degrader)


def assert_contained(unit: Unit, start: int, end: int, text: str, item: Degrader) -> None:
    pieces: Counter[str] = Counter()
    for left, right, kind in unit.doc.protected:
        left, right = left - unit.start, right - unit.start
        if left < end and start < right and kind not in item.touches:
            assert start <= left and right <= end, f"{item.name} cuts into {kind}"
            pieces[unit.text[left:right]] += 1
    assert all(text.count(piece) >= times for piece, times in pieces.items()), f"{item.name} loses protected text"
