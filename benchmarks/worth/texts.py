"""Texts to train and to evaluate on: real pairs divided by owner, and pairs selected by a token budget."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.shared import halve_by_owner
from degraders.draw import Draw
from degraders.errors import UserError
from degraders.files import write_text
from degraders.text.parse import parse

Record = dict[str, Any]
TUNING, HELD_OUT, LAST = "tuning", "held_out", "last"
_WORD = re.compile(r"(?<![\w'’-])[A-Za-z]{3,}(?![\w'’-])")


class Part(NamedTuple):
    """The real pairs of some owners: all of them, the pairs to repair, good texts that must stay as they are, and pairs
    whose errors need more than the text."""

    all: list[Record]
    errors: list[Record]
    clean: list[Record]
    beyond: list[Record]


def read_records(path: Path) -> list[Record]:
    with path.open(encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def write_records(path: Path, records: Iterable[Mapping[str, Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records))


# Real pairs


def divide_real_pairs(
    records: Sequence[Record], *, errors: int, clean: int, beyond: int, recoverable: Sequence[str], max_chars: int
) -> dict[str, Part]:
    """The parts `tuning` and `held_out`, no owner in both, with at most so many texts of each kind; and `last`, of the
    held-out owners, with all remaining pairs to repair and as many other texts.

    The pairs to repair are those whose repair the text alone gives, of projects that are not among the documents that
    pairs are made from, with at most `max_chars` characters, because answering takes time.
    """

    def part(owned: Sequence[Record], candidates: Sequence[Record], limit: int) -> Part:
        usable = [row for row in candidates if not row.get("in_lab_corpus") and len(row["good"]) <= max_chars]
        to_repair = select_by_turns([row for row in usable if row["recoverable"] in recoverable], limit)
        ids = {row["id"] for row in to_repair}
        others = select_by_turns([row for row in usable if row["id"] not in ids], clean)
        unrecoverable = select_by_turns([row for row in usable if row["recoverable"] not in recoverable], beyond)
        return Part(list(owned), to_repair, [clean_record(row) for row in others], unrecoverable)

    tuning, held_out = halve_by_owner(records, lambda row: str(row["repo"]))
    first = part(held_out, held_out, errors)
    used = {row["id"] for row in (*first.errors, *first.clean, *first.beyond)}
    remaining = [row for row in held_out if row["id"] not in used]
    return {
        TUNING: part(tuning, tuning, errors),
        HELD_OUT: first,
        LAST: part(held_out, remaining, len(remaining)),
    }


def select_by_turns(records: Iterable[Record], limit: int) -> list[Record]:
    """At most `limit` records: one of each project in turn, in random order, so that no project dominates."""
    projects: defaultdict[str, list[Record]] = defaultdict(list)
    for record in sorted(records, key=lambda record: _random_rank(0, record["id"])):
        projects[record["repo"]].append(record)
    turns = [(turn, project) for project, rows in projects.items() for turn in range(len(rows))]
    return [projects[project][turn] for turn, project in sorted(turns)[:limit]]


def clean_record(record: Record) -> Record:
    """A record without errors: its good text on both sides."""
    return {**{name: record[name] for name in ("id", "repo", "context", "format", "good")}, "bad": record["good"]}


def corrector_request(record: Record) -> Record:
    """The input of correctors.py: the bad text, and the ranges of code, addresses and markup in it."""
    document = parse(record["bad"], doc_id=record["id"], format="rst" if record["format"] == "rst" else "markdown")
    ranges = [(start, end) for start, end, _ in document.protected]
    return {"id": record["id"], "bad": record["bad"], "format": record["format"], "protected": ranges}


def training_record(record: Record) -> Record:
    """A real pair in the form of a record of data_prep.py."""
    fields = {name: record[name] for name in ("id", "context", "format", "good", "bad")}
    return {**fields, "doc_id": record["id"], "variant": 0}


# Pairs to train on


def select_within_budget(
    records: Iterable[Record], tokens: Callable[[Record], int], budget: int, seed: int
) -> list[Record]:
    """The first records, in an order that the seed draws with first variants first, whose targets fit the budget;
    UserError if all of them together do not fill it.

    `tokens` gives the tokens of a record's target, without the end token. The `split` is removed, because all records
    are for training.
    """
    selected: list[Record] = []
    total = 0
    for record in sorted(records, key=lambda record: (record["variant"], _random_rank(seed, record["id"]))):
        total += tokens(record) + 1
        if total > budget:
            return selected
        selected.append({name: value for name, value in record.items() if name != "split"})
    if total < budget:
        raise UserError(
            f"the pairs hold {total:,} target tokens, but --target_tokens is {budget:,}; pass a larger --n_per_doc, "
            "more documents or, for real pairs, fewer tokens"
        )
    return selected


def noise_request(record: Record, seed: int) -> tuple[list[tuple[int, int]], Record]:
    """The ranges of the words of a record's prose, in random order, and the input of noise.py: these words, and the
    number of errors in our pair."""
    document = parse(record["good"], doc_id=record["doc_id"], format=record["format"])
    words = [match.span() for match in _WORD.finditer(document.prose)]
    ranges = Draw(seed, "words", record["id"]).shuffled(words)
    return ranges, {"words": [record["good"][start:end] for start, end in ranges], "count": len(record["spans"])}


def apply_noise(record: Record, ranges: Sequence[tuple[int, int]], errors: Sequence[tuple[int, str]]) -> Record:
    """The record with misspellings of another library: each error is an index into `ranges` and the new word."""
    text = record["good"]
    for (start, end), word in sorted(((ranges[index], word) for index, word in errors), reverse=True):
        text = text[:start] + word + text[end:]
    return {**{name: record[name] for name in ("id", "doc_id", "context", "format", "good")}, "bad": text}


def _random_rank(seed: int, name: str) -> int:
    return Draw(seed, name).below(1 << 32)
