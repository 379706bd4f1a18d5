"""Pairs of bad and good text, from stage 1's records or from anyone's data: what stages 2 and 3 read.

A pair always has its spans: those of the record, those of a list `edits` as miners of version histories write it
(`bad_start`, `bad_end`, `good`, `category`), or else those that an alignment of the two texts finds.
"""

from __future__ import annotations

import gzip
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from degraders.document import parse
from degraders.edits import align, apply
from degraders.errors import UserError
from degraders.sources import dataset_faults, no_split, open_dataset, row_format

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


def read(path: Path, fields: Fields | None = None, *, split: str | None = None) -> Iterator[Pair]:
    """The pairs of a JSONL, JSONL.gz or Parquet file, those of one split if it is named.

    UserError, with file and line, at the first row that holds no pair.
    """
    reader = _Reader(str(path), fields or Fields())
    for number, row in _rows(path):
        pair = reader.pair(number, row)
        if pair and (split is None or pair.split == split):
            yield pair


def read_dataset(name: str, split: str, fields: Fields | None = None) -> Iterator[Pair]:
    """The pairs of one split of a hub data set or a local folder of one; CoEdIT's columns are known."""
    reader = _Reader(name, fields or Fields())
    with dataset_faults(name, "--dataset"):
        splits = open_dataset(name)
        if split not in splits:
            raise no_split(name, split, splits)
        for number, row in enumerate(splits[split], 1):
            pair = reader.pair(number, row)
            if pair:
                yield pair


def drawn(pairs: Sequence[Pair], most: int | None, *, seed: int) -> list[Pair]:
    """At most so many of the pairs, drawn by the seed and their ids, in their order."""
    if most is None or len(pairs) <= most:
        return list(pairs)

    def ticket(place: int) -> bytes:
        key = f"{seed}\x1f{place}\x1f{pairs[place].id}"
        return blake2b(key.encode("utf-8", "surrogatepass"), digest_size=8).digest()

    return [pairs[place] for place in sorted(sorted(range(len(pairs)), key=ticket)[:most])]


def with_own_ids(pairs: Iterable[Pair]) -> tuple[list[Pair], int]:
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


def aligned(bad: str, good: str) -> tuple[Span, ...]:
    """The spans between two texts, by a token-level Levenshtein alignment; without labels."""
    _, located = apply(good, align(good, bad))
    return tuple(Span(at.start, at.end, at.good_start, at.good_end, at.bad, at.good) for at in located)


def chunks(text: str, format: str, fits: Callable[[str], bool]) -> list[str]:
    """The text in pieces that fit, cut between blocks and list items, as few as a greedy walk finds; a block that
    does not fit stands alone. Joined they are the text again."""
    borders = [0, *_borders(text, format), len(text)]
    return [text[start:end] for start, end in _packed(borders, lambda start, end: fits(text[start:end]))]


def parts(pair: Pair, fits: Callable[[Pair], bool]) -> list[Pair]:
    """The pair in pieces that fit, cut where both texts have a block border; their ids end in `#0`, `#1` …

    A block that does not fit is a piece of its own.
    """
    if fits(pair):
        return [pair]
    inside = [at for at in _borders(pair.good, pair.format) if not _spanned(pair.spans, at)]
    borders = [0, *inside, len(pair.good)]
    cuts = list(_packed(borders, lambda start, end: fits(_part(pair, start, end))))
    return [replace(_part(pair, start, end), id=f"{pair.id}#{number}") for number, (start, end) in enumerate(cuts)]


def _packed(borders: Sequence[int], fits: Callable[[int, int], bool]) -> Iterator[tuple[int, int]]:
    """Ranges between borders, each as long as fits, found by bisection; one step where not even that fits."""
    first, last = 0, len(borders) - 1
    while first < last:
        least, most = first + 1, last
        while least < most:
            middle = (least + most + 1) // 2
            if fits(borders[first], borders[middle]):
                least = middle
            else:
                most = middle - 1
        yield borders[first], borders[least]
        first = least


def _borders(text: str, format: str) -> list[int]:
    """Where the text may be cut: at the start of the line of each outermost block and list item, in order."""
    doc = parse(text, format=format)
    items = doc.regions.get("item", [])
    starts = {block.start for block in doc.blocks} | {item.start for item in items if not item.depth}
    borders = {text.rfind("\n", 0, start) + 1 for start in starts}
    return sorted(at for at in borders if 0 < at < len(text))


def _spanned(spans: Sequence[Span], at: int) -> bool:
    """Whether a cut of the good text there would go through an error."""
    return any(span.good_start < at < span.good_end for span in spans)


def _part(pair: Pair, start: int, end: int) -> Pair:
    """[start, end) of the good text with its bad text; an error of no width at a border goes to the left."""
    first = bisect_left(pair.spans, True, key=lambda span: span.good_end > start) if start else 0
    last = bisect_left(pair.spans, True, key=lambda span: span.good_end > end)
    bad_start, bad_end = start + _shift(pair.spans[:first]), end + _shift(pair.spans[:last])
    spans = tuple(
        span._replace(
            start=span.start - bad_start,
            end=span.end - bad_start,
            good_start=span.good_start - start,
            good_end=span.good_end - start,
        )
        for span in pair.spans[first:last]
    )
    labels = tuple(sorted({span.label for span in spans} - {""}))
    return replace(pair, bad=pair.bad[bad_start:bad_end], good=pair.good[start:end], spans=spans, labels=labels)


def _shift(before: Sequence[Span]) -> int:
    return before[-1].end - before[-1].good_end if before else 0


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
        return aligned(bad, good)
    try:
        if row.get("spans") is None:
            spans = _from_edits(row["edits"], bad, str(row.get("recoverable") or ""))
        else:
            spans = tuple(_from_record(span) for span in row["spans"])
    except (KeyError, TypeError) as error:
        raise UserError(f"{where}: a span without {error}; is this a file of data_prep.py?") from error
    if restored(bad, spans) != good:
        raise UserError(f"{where}: its spans do not turn bad into good; leave them out to have them found")
    return spans


def restored(bad: str, spans: Sequence[Span]) -> str:
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
