"""Pairs of bad and good text, from stage 1's records or from other data: the input of stages 2 and 3.

A pair always has its spans: those of the record, or those of a list `edits` as miners of version histories write it
(`bad_start`, `bad_end`, `good`, `category`), or else those of an alignment of the two texts. A source of CoEdIT begins
with an instruction, which is no part of the bad text.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

from rapidfuzz.distance import Levenshtein

from degraders.dataset.hub import read_hub_rows
from degraders.dataset.jsonl import MAX_LINE, read_parquet_rows, read_rows, skip_long_row
from degraders.dataset.sources import row_format
from degraders.draw import ticket
from degraders.edits import align, apply, restore
from degraders.errors import UserError

_COEDIT = ("src", "tgt", "task")
_INSTRUCTION = re.compile(r"([A-Z][A-Za-z ,'-]{2,63}):\s+(?=\S)")
"""The beginning of a source of CoEdIT: `Fix grammar in this sentence: `."""


class Span(NamedTuple):
    """An error: `bad` at [start, end) of the bad text, `good` at [good_start, good_end) of the good one, in characters.

    `label` and `family` are empty if the span comes from an alignment, `recoverable` if the data does not state it.
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

    @property
    def repair(self) -> tuple[int, int, str]:
        """The range of the bad text and the good text that replaces it, for `edits.restore`."""
        return self.start, self.end, self.good


@dataclass(frozen=True, slots=True)
class Pair:
    """A bad text and its good one.

    `format` is `markdown`, `rst` or `text`; `group` names the document or project, which must lie in one split;
    `category` is the kind of the repair as a whole; `instruction` says what to do with the bad text, in words of the
    data. `split`, `group`, `category` and `instruction` are empty if the data has none.
    """

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
    instruction: str = ""

    @property
    def identity(self) -> bool:
        """Whether there is nothing to repair."""
        return self.bad == self.good


@dataclass(frozen=True, slots=True)
class Fields:
    """The names of the fields of a row; if `task` is set, only rows of this CoEdIT task are read."""

    bad: str = "bad"
    good: str = "good"
    context: str = "context"
    task: str | None = None

    def __post_init__(self) -> None:
        if self.bad == self.good:
            raise UserError(f"--bad_field and --good_field both name {self.bad!r}; name two fields")


def read_pairs(
    path: Path, fields: Fields | None = None, *, split: str | None = None, skipped: Counter[str] | None = None
) -> Iterator[Pair]:
    """The pairs of a JSONL, JSONL.gz or Parquet file, or only those of one split.

    Pairs that are too long are counted in `skipped`. UserError, with file and line, at the first row that holds no pair
    or, without `skipped`, is too long.
    """
    for pair in _pairs_of_rows(str(path), _file_rows(path, skipped), fields or Fields(), skipped):
        if split is None or pair.split == split:
            yield pair


def read_hub_pairs(
    name: str, split: str, fields: Fields | None = None, *, skipped: Counter[str] | None = None
) -> Iterator[Pair]:
    """The pairs of one split of a hub data set or of a local folder of one, as `read_pairs`; CoEdIT's columns are
    known."""
    rows = enumerate(read_hub_rows(name, split, option="--dataset"), 1)
    return _pairs_of_rows(name, rows, fields or Fields(), skipped)


def sample_pairs(pairs: Sequence[Pair], most: int | None, *, seed: int) -> list[Pair]:
    """At most `most` of the pairs, drawn by the seed and their ids; they keep their order."""
    if most is None or len(pairs) <= most:
        return list(pairs)
    places = sorted(range(len(pairs)), key=lambda place: ticket(seed, place, pairs[place].id))
    return [pairs[place] for place in sorted(places[:most])]


def with_unique_ids(pairs: Iterable[Pair]) -> tuple[list[Pair], int]:
    """The pairs, with a number after each id that an earlier pair has, `a (2)`; and the count of renamed pairs."""
    pairs_by_id: dict[str, Pair] = {}
    renamed = 0
    for pair in pairs:
        name, number = pair.id, 1
        while name in pairs_by_id:
            number += 1
            name = f"{pair.id} ({number})"
        renamed += number > 1
        pairs_by_id[name] = replace(pair, id=name)
    return list(pairs_by_id.values()), renamed


def align_spans(bad: str, good: str) -> tuple[Span, ...]:
    """The spans between two texts, by a token-level Levenshtein alignment; without labels."""
    _, errors = apply(good, align(good, bad))
    return tuple(
        Span(
            start=error.start,
            end=error.end,
            good_start=error.good_start,
            good_end=error.good_end,
            bad=error.bad,
            good=error.good,
        )
        for error in errors
    )


def _file_rows(path: Path, skipped: Counter[str] | None) -> Iterator[tuple[int, Any]]:
    """The rows of a file with their numbers, from 1."""
    name = path.name.lower()
    if name.endswith(".parquet"):
        return read_parquet_rows(path)
    if name.endswith((".jsonl", ".json", ".jsonl.gz")):
        return read_rows(path, hint="write one object with the fields bad and good on each line", skipped=skipped)
    raise UserError(f"{path}: cannot tell its format; give a .jsonl, .jsonl.gz or .parquet file")


def _pairs_of_rows(
    source: str, rows: Iterable[tuple[int, Any]], fields: Fields, skipped: Counter[str] | None
) -> Iterator[Pair]:
    """The pairs of the numbered rows of a file or a data set, without the rows of other tasks."""
    for number, row in rows:
        where = f"{source}:{number}"
        if not isinstance(row, dict):
            raise UserError(f"{where}: not a JSON object; write one with the fields bad and good")
        if sum(len(value) for value in row.values() if isinstance(value, str)) > MAX_LINE:
            skip_long_row(where, skipped)
        elif fields.task is None or row.get("task") == fields.task:
            yield _pair_of_row(where, row, fields, default_id=str(number))


def _pair_of_row(where: str, row: Mapping[str, Any], fields: Fields, *, default_id: str) -> Pair:
    coedit = fields.bad not in row and all(name in row for name in _COEDIT)
    source = _text(where, row, "src" if coedit else fields.bad, "--bad_field")
    good = _text(where, row, "tgt" if coedit else fields.good, "--good_field")
    instruction, bad = _split_instruction(source, good) if coedit else ("", source)
    context = str(row.get(fields.context) or "")
    if coedit:
        context = "" if instruction else f"Task: {row['task']}"
    spans = _spans(where, row, bad, good)
    return Pair(
        id=str(row.get("id") or row.get("_id") or default_id),
        bad=bad,
        good=good,
        spans=spans,
        context=context,
        format="text" if coedit else _format(row),
        labels=_labels(where, row) or tuple(sorted({span.label for span in spans} - {""})),
        split=str(row.get("split") or ""),
        group=str(row.get("doc_id") or row.get("repo") or ""),
        category=str(row.get("task" if coedit else "category") or ""),
        instruction=instruction,
    )


def _split_instruction(source: str, good: str) -> tuple[str, str]:
    """The instruction at the beginning of a source of CoEdIT, without its colon, and the bad text after it.

    The beginning is no instruction if the good text begins with nearly the same words and a colon: `Note: …`.
    """
    beginning = _INSTRUCTION.match(source)
    before, colon, _ = good.partition(":")
    if not beginning or (colon and Levenshtein.normalized_similarity(beginning[1], before) >= 0.5):
        return "", source
    return beginning[1], source[beginning.end() :]


def _text(where: str, row: Mapping[str, Any], field: str, option: str) -> str:
    value = row.get(field)
    if isinstance(value, str):
        return value
    state = "is not a string" if field in row else "is missing"
    raise UserError(
        f'{where}: field "{field}" {state}; the row has {", ".join(map(str, row))} ({option} names another)'
    )


def _format(row: Mapping[str, Any]) -> str:
    return {"md": "markdown"}.get(str(row.get("format")), row_format(row))


def _labels(where: str, row: Mapping[str, Any]) -> tuple[str, ...]:
    labels = row.get("labels") or ()
    if isinstance(labels, (list, tuple)) and all(isinstance(label, str) for label in labels):
        return tuple(labels)
    raise UserError(f'{where}: field "labels" is not a list of strings; leave it out to take the labels of the spans')


def _spans(where: str, row: Mapping[str, Any], bad: str, good: str) -> tuple[Span, ...]:
    """The row's spans; UserError if they do not lead from the bad text to the good one."""
    if row.get("spans") is None and not row.get("edits"):
        return align_spans(bad, good)
    try:
        if row.get("spans") is None:
            spans = _spans_of_edits(row["edits"], bad, str(row.get("recoverable") or ""))
        else:
            spans = tuple(map(_span_of_record, row["spans"]))
        restored = restore(bad, (span.repair for span in spans))
    except KeyError as error:
        raise UserError(f"{where}: a span without {error}; is this a file of data_prep.py?") from error
    except (TypeError, ValueError) as error:
        raise UserError(f"{where}: its spans are malformed ({error}); is this a file of data_prep.py?") from error
    if restored != good:
        raise UserError(f"{where}: its spans do not turn bad into good; leave them out to have the texts aligned")
    for span in spans:
        if (span.bad, span.good) != (bad[span.start : span.end], good[span.good_start : span.good_end]):
            raise UserError(
                f"{where}: span at {span.start}: its texts are not those of its ranges; leave the spans out"
            )
    return spans


def _span_of_record(span: Mapping[str, Any]) -> Span:
    return Span(
        start=int(span["start"]),
        end=int(span["end"]),
        good_start=int(span["good_start"]),
        good_end=int(span["good_end"]),
        bad=span["bad"],
        good=span["good"],
        label=str(span.get("label") or ""),
        family=str(span.get("family") or ""),
        recoverable=str(span.get("recoverable") or ""),
    )


def _spans_of_edits(edits: Sequence[Mapping[str, Any]], bad: str, recoverable: str) -> tuple[Span, ...]:
    spans: list[Span] = []
    shift = 0  # from offsets in the bad text to those in the good one
    for edit in sorted(edits, key=lambda edit: (edit["bad_start"], edit["bad_end"])):
        start, end, good = edit["bad_start"], edit["bad_end"], edit["good"]
        category = str(edit.get("category") or "")
        good_start = start + shift
        shift += len(good) - (end - start)
        spans.append(
            Span(
                start=start,
                end=end,
                good_start=good_start,
                good_end=end + shift,
                bad=bad[start:end],
                good=good,
                label=category,
                family=category,
                recoverable=recoverable,
            )
        )
    return tuple(spans)
