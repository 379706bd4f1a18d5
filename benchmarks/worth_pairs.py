"""Which texts bench_worth.py teaches and asks: real pairs divided by owner, made pairs chosen by a budget."""

from __future__ import annotations

import json
import re
import sys
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import contest  # noqa: E402

from degraders.draw import Draw  # noqa: E402
from degraders.errors import UserError  # noqa: E402
from degraders.files import write_text  # noqa: E402
from degraders.text.parse import parse  # noqa: E402

Row = dict[str, Any]
_WORD = re.compile(r"(?<![\w'’-])[A-Za-z]{3,}(?![\w'’-])")


class Part(NamedTuple):
    """The real pairs of some owners: all of them, those that are asked, good texts that must be left alone, and pairs
    with errors beyond what the text tells."""

    all: list[Row]
    errors: list[Row]
    clean: list[Row]
    beyond: list[Row]


def read(path: Path) -> list[Row]:
    with path.open(encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def write(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))


# Real pairs


def divided(
    rows: Sequence[Row], *, errors: int, clean: int, beyond: int, recoverable: Sequence[str], max_chars: int
) -> tuple[Part, Part, Part]:
    """The part to tune on and the one to hold out, no owner in both, with so many texts to ask in each; and one for
    the last run, of the latter's owners, with all that it leaves of the pairs to mend, and as many texts of the others.

    Asked are pairs that the text can repair, of projects that are not among the documents that pairs are made of;
    texts of up to `max_chars` characters, for the time that answering takes.
    """

    def part(found: Sequence[Row], left: Sequence[Row], most: int) -> Part:
        usable = [row for row in left if not row.get("in_lab_corpus") and len(row["good"]) <= max_chars]
        asked = by_turns([row for row in usable if row["recoverable"] in recoverable], most)
        known = {row["id"] for row in asked}
        alone = by_turns([row for row in usable if row["id"] not in known], clean)
        others = by_turns([row for row in usable if row["recoverable"] not in recoverable], beyond)
        return Part(list(found), asked, [without_errors(row) for row in alone], others)

    tuning, held_out = contest.halves(rows, lambda row: str(row["repo"]))
    first = part(held_out, held_out, errors)
    shown = {row["id"] for row in (*first.errors, *first.clean, *first.beyond)}
    left = [row for row in held_out if row["id"] not in shown]
    return part(tuning, tuning, errors), first, part(held_out, left, len(left))


def by_turns(rows: Iterable[Row], most: int) -> list[Row]:
    """At most so many rows, each project's in random order, taken from the projects by turns: none outweighs all."""
    projects: defaultdict[str, list[Row]] = defaultdict(list)
    for row in sorted(rows, key=lambda row: _ticket(0, row["id"])):
        projects[row["repo"]].append(row)
    turns = [(turn, project) for project, found in projects.items() for turn in range(len(found))]
    return [projects[project][turn] for turn, project in sorted(turns)[:most]]


def without_errors(row: Row) -> Row:
    return {**{name: row[name] for name in ("id", "repo", "context", "format", "good")}, "bad": row["good"]}


def with_protected(row: Row) -> Row:
    """What correctors.py is asked: the bad text, and where in it code, addresses and markup stand."""
    document = parse(row["bad"], doc_id=row["id"], format="rst" if row["format"] == "rst" else "markdown")
    ranges = [(start, end) for start, end, _ in document.protected]
    return {"id": row["id"], "bad": row["bad"], "format": row["format"], "protected": ranges}


def as_made(row: Row) -> Row:
    """A real pair to learn from, in the shape of a made one."""
    named = {name: row[name] for name in ("id", "context", "format", "good", "bad")}
    return {**named, "doc_id": row["id"], "variant": 0}


# Made pairs


def within_budget(rows: Iterable[Row], tokens: Callable[[Row], int], budget: int, seed: int) -> list[Row]:
    """The first rows in an order that the seed draws, first variants first, whose targets hold no more tokens than the
    budget; UserError if all of them hold too few to fill it.

    A target is what is to be answered to a row, which has so many tokens, and its end. No row names a split: all of
    them are trained on.
    """
    chosen: list[Row] = []
    total = 0
    for row in sorted(rows, key=lambda row: (row["variant"], _ticket(seed, row["id"]))):
        total += tokens(row) + 1
        if total > budget:
            return chosen
        chosen.append({name: value for name, value in row.items() if name != "split"})
    if total < budget:
        raise UserError(
            f"the pairs hold {total:,} target tokens, --target_tokens asks for {budget:,}; pass a larger --n_per_doc, "
            "more documents or, for real pairs, fewer tokens"
        )
    return chosen


def words_to_misspell(row: Row, seed: int) -> tuple[list[tuple[int, int]], Row]:
    """The ranges of a row's words, in random order, and what noise.py is asked: as many errors as ours has there."""
    document = parse(row["good"], doc_id=row["doc_id"], format=row["format"])
    words = [match.span() for match in _WORD.finditer(document.prose)]
    places = Draw(seed, "words", row["id"]).shuffled(words)
    return places, {"words": [row["good"][start:end] for start, end in places], "wanted": len(row["spans"])}


def misspelt(row: Row, places: Sequence[tuple[int, int]], made: Sequence[tuple[int, str]]) -> Row:
    """A row with its words replaced by what another library made of them."""
    text = row["good"]
    for (start, end), word in sorted(((places[index], word) for index, word in made), reverse=True):
        text = text[:start] + word + text[end:]
    return {**{name: row[name] for name in ("id", "doc_id", "context", "format", "good")}, "bad": text}


def _ticket(seed: int, name: str) -> int:
    return Draw(seed, name).below(1 << 32)
