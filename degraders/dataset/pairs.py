"""Pairs of bad and good text, from stage 1's records or from anyone's data: what stages 2 and 3 read.

A pair always has its spans: those of the record, those of a list `edits` as miners of version histories write it
(`bad_start`, `bad_end`, `good`, `category`), or else those that an alignment of the two texts finds.
"""

from __future__ import annotations

import gzip
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from degraders.dataset.hub import hub_errors, open_hub_dataset, unknown_split
from degraders.dataset.sources import row_format
from degraders.edits import align, apply
from degraders.errors import UserError

_COEDIT = ("src", "tgt", "task")


class Span(NamedTuple):
    """An error: `bad` at [start, end) of the bad text, `good` at [good_start, good_end) of the good one, in characters.

    `label` and `family` are empty where an alignment found it, `recoverable` where nobody said.
    """

    start: int
    end: int
    good_start: int
    good_end: int
    bad: str
    good: str
    label: str = ""
    family: str = ""
    recoverable: str = ""


@dataclass(frozen=True, slots=True)
class Pair:
    """A bad text and its good one; `format` is `markdown`, `rst` or `text`, `group` what must not be torn apart
    (a document, a project), `category` the kind of its repair as a whole; `split` and `category` are empty where the
    data has none."""

    id: str
    context: str
    format: str
    bad: str
    good: str
    spans: tuple[Span, ...]
    labels: tuple[str, ...] = ()
    split: str = ""
    group: str = ""
    category: str = ""

    @property
    def identity(self) -> bool:
        """Whether there is nothing to repair."""
        return self.bad == self.good


@dataclass(frozen=True, slots=True)
class Fields:
    """Names of the columns; `task` keeps only the rows of one CoEdIT task."""

    bad: str = "bad"
    good: str = "good"
    context: str = "context"
    task: str | None = None


def read_pairs(path: Path, fields: Fields | None = None, *, split: str | None = None) -> Iterator[Pair]:
    """The pairs of a JSONL, JSONL.gz or Parquet file, those of one split if it is named.

    UserError, with file and line, at the first row that holds no pair.
    """
    reader = _Reader(str(path), fields or Fields())
    for number, row in _rows(path):
        pair = reader.pair(number, row)
        if pair and (split is None or pair.split == split):
            yield pair


def read_hub_pairs(name: str, split: str, fields: Fields | None = None) -> Iterator[Pair]:
    """The pairs of one split of a hub data set or a local folder of one; CoEdIT's columns are known."""
    reader = _Reader(name, fields or Fields())
    with hub_errors(name, "--dataset"):
        splits = open_hub_dataset(name)
        if split not in splits:
            raise unknown_split(name, split, splits)
        for number, row in enumerate(splits[split], 1):
            pair = reader.pair(number, row)
            if pair:
                yield pair


def sample_pairs(pairs: Sequence[Pair], most: int | None, *, seed: int) -> list[Pair]:
    """At most so many of the pairs, drawn by the seed and their ids, in their order."""
    if most is None or len(pairs) <= most:
        return list(pairs)

    def ticket(place: int) -> bytes:
        key = f"{seed}\x1f{place}\x1f{pairs[place].id}"
        return blake2b(key.encode("utf-8", "surrogatepass"), digest_size=8).digest()

    return [pairs[place] for place in sorted(sorted(range(len(pairs)), key=ticket)[:most])]


def with_unique_ids(pairs: Iterable[Pair]) -> tuple[list[Pair], int]:
    """The pairs with every id once, later ones numbered, `a (2)`; and how many that were."""
    found: dict[str, Pair] = {}
    renamed = 0
    for pair in pairs:
        name, number = pair.id, 1
        while name in found:
            number += 1
            name = f"{pair.id} ({number})"
        renamed += number > 1
        found[name] = replace(pair, id=name)
    return list(found.values()), renamed


def align_spans(bad: str, good: str) -> tuple[Span, ...]:
    """The spans between two texts, by a token-level Levenshtein alignment; without labels."""
    _, located = apply(good, align(good, bad))
    return tuple(Span(at.start, at.end, at.good_start, at.good_end, at.bad, at.good) for at in located)


def _rows(path: Path) -> Iterator[tuple[int, Any]]:
    """The rows of a file with their numbers, from 1."""
    name = path.name.lower()
    try:
        if name.endswith(".parquet"):
            yield from enumerate(_parquet_rows(path), 1)
        elif name.endswith((".jsonl", ".json", ".jsonl.gz")):
            yield from _lines(path)
        else:
            raise UserError(f"{path}: cannot tell its format; give a .jsonl, .jsonl.gz or .parquet file")
    except (OSError, EOFError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UserError(f"{path}: {reason}; is this the output of data_prep.py?") from error


def _lines(path: Path) -> Iterator[tuple[int, Any]]:
    opener: Any = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rb") as file:
        for number, line in enumerate(file, 1):
            if line.isspace():
                continue
            try:
                yield number, orjson.loads(line)
            except orjson.JSONDecodeError as error:
                raise UserError(f"{path}:{number}: not JSON ({error}); one object a line is read") from error


def _parquet_rows(path: Path) -> Iterator[Any]:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise UserError(f"{path}: reading Parquet needs a package: pip install pyarrow") from error
    try:
        for batch in pyarrow.parquet.ParquetFile(path).iter_batches(1000):
            yield from batch.to_pylist()
    except pyarrow.ArrowInvalid as error:
        raise UserError(f"{path}: no Parquet file ({error})") from error


class _Reader:
    """Turns rows of one source into pairs."""

    def __init__(self, where: str, fields: Fields) -> None:
        self._where, self._fields = where, fields

    def pair(self, number: int, row: Any) -> Pair | None:
        """The pair of a row; None if it is of another task than the one asked for."""
        where = f"{self._where}:{number}"
        if not isinstance(row, dict):
            raise UserError(f"{where}: not a JSON object; one with the fields bad and good is read")
        coedit = self._fields.bad not in row and all(name in row for name in _COEDIT)
        if self._fields.task is not None and row.get("task") != self._fields.task:
            return None
        bad = _text(where, row, "src" if coedit else self._fields.bad, "--bad_field")
        good = _text(where, row, "tgt" if coedit else self._fields.good, "--good_field")
        spans = _spans(where, row, bad, good)
        return Pair(
            id=str(row.get("id") or row.get("_id") or number),
            bad=bad,
            good=good,
            spans=spans,
            context=f"Task: {row['task']}" if coedit else str(row.get(self._fields.context) or ""),
            format="text" if coedit else _format(row),
            labels=tuple(row.get("labels") or sorted({span.label for span in spans} - {""})),
            split=str(row.get("split") or ""),
            group=str(row.get("doc_id") or row.get("repo") or ""),
            category=str(row.get("task" if coedit else "category") or ""),
        )


def _text(where: str, row: Mapping[str, Any], field: str, option: str) -> str:
    value = row.get(field)
    if isinstance(value, str):
        return value
    state = "is not a string" if field in row else "is missing"
    raise UserError(f'{where}: field "{field}" {state}; it has {", ".join(map(str, row))} ({option} names another)')


def _format(row: Mapping[str, Any]) -> str:
    return {"md": "markdown"}.get(str(row.get("format")), row_format(row))


def _spans(where: str, row: Mapping[str, Any], bad: str, good: str) -> tuple[Span, ...]:
    """The row's spans; UserError if they do not lead from the bad text to the good one."""
    if row.get("spans") is None and not row.get("edits"):
        return align_spans(bad, good)
    try:
        if row.get("spans") is None:
            spans = _from_edits(row["edits"], bad, str(row.get("recoverable") or ""))
        else:
            spans = tuple(_from_record(span) for span in row["spans"])
    except (KeyError, TypeError) as error:
        raise UserError(f"{where}: a span without {error}; is this a file of data_prep.py?") from error
    if restore_good(bad, spans) != good:
        raise UserError(f"{where}: its spans do not turn bad into good; leave them out to have them found")
    return spans


def restore_good(bad: str, spans: Sequence[Span]) -> str:
    """The bad text with each span's good text put back."""
    pieces: list[str] = []
    at = 0
    for span in spans:
        pieces += bad[at : span.start], span.good
        at = span.end
    return "".join([*pieces, bad[at:]])


def _from_record(span: Mapping[str, Any]) -> Span:
    start, end, good_start, good_end = (int(span[name]) for name in ("start", "end", "good_start", "good_end"))
    said = (str(span.get(name) or "") for name in ("label", "family", "recoverable"))
    return Span(start, end, good_start, good_end, span["bad"], span["good"], *said)


def _from_edits(edits: Sequence[Mapping[str, Any]], bad: str, recoverable: str) -> tuple[Span, ...]:
    spans: list[Span] = []
    shift = 0
    for edit in sorted(edits, key=lambda edit: (edit["bad_start"], edit["bad_end"])):
        start, end, good = edit["bad_start"], edit["bad_end"], edit["good"]
        kind = str(edit.get("category") or "")
        good_start = start + shift
        shift += len(good) - (end - start)
        spans.append(Span(start, end, good_start, end + shift, bad[start:end], good, kind, kind, recoverable))
    return tuple(spans)
