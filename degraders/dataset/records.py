"""The JSONL record: one variant of one unit of one document, with every error located.

This is the contract between the three stages. A dataset is UTF-8 with `\\n` line ends, one record a line, so that
`datasets.load_dataset("json", data_files=...)` reads it without changes. The fields of a record, in this order:

- `id`: `doc_id:unit:variant:seed`, the same for the same input, options and seed
- `doc_id`: the path of the source relative to the input, with `/`, or the id of the row that held it
- `format`: `markdown`, `rst` or `text`
- `context`: the headings above the unit, `Guide > Install > Linux`
- `good`: the unit's text, byte for byte as in the source
- `bad`: its degraded variant; equal to `good` in an identity pair
- `spans`: the errors in `bad`, ordered and disjoint (below)
- `labels`: the distinct labels of the spans, sorted
- `severity`: the share of the text that the errors touch, 0 to 1
- `split`: `train`, `validation` or `test`; a document and its near-copies are in one split
- `variant`: the number of the variant within its unit, from 0
- `seed`: the seed of the run

The fields of a span, in this order:

- `start`, `end`: its range [start, end) in characters of `bad`
- `token_start`, `token_end`: its range in white-space tokens of `bad`
- `good_start`, `good_end`: its range in characters of `good`
- `bad`, `good`: the texts of the two ranges
- `label`, `family`: the degrader that made the error, `grammar.agreement`, and its family, `grammar`
- `recoverable`: whether the text reveals the repair: class A to D of `taxonomy.RECOVERABILITY`
- `evidence`: the range [start, end) of `bad` that still holds the right value (class C), else null

Replacing each span's range of `bad` by the span's `good` gives the record's `good` back, byte for byte.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

from degraders.dataset.jsonl import read_rows
from degraders.edits import restore
from degraders.engine import LocatedError, Variant
from degraders.errors import UserError
from degraders.text.document import Unit

RECORD_FIELDS = (
    *("id", "doc_id", "format", "context", "good", "bad", "spans"),
    *("labels", "severity", "split", "variant", "seed"),
)
SPAN_FIELDS = (
    *("start", "end", "token_start", "token_end", "good_start", "good_end", "bad", "good"),
    *("label", "family", "recoverable", "evidence"),
)
_HINT = "is this a file of data_prep.py?"


def make_record(unit: Unit, variant: Variant, *, number: int, seed: int, split: str) -> dict[str, Any]:
    """The record of a variant; `number` is that of the variant within its unit, from 0."""
    doc, errors = unit.doc, variant.errors
    touched = sum([max(len(error.span.bad), len(error.span.good)) for error in errors])
    return {
        "id": f"{doc.doc_id}:{unit.index}:{number}:{seed}",
        "doc_id": doc.doc_id,
        "format": doc.format,
        "context": unit.context,
        "good": unit.text,
        "bad": variant.bad,
        "spans": [_span(error) for error in errors],
        "labels": sorted({error.degrader.name for error in errors}),
        "severity": round(min(1.0, touched / max(1, len(unit.text))), 4),
        "split": split,
        "variant": number,
        "seed": seed,
    }


def _span(error: LocatedError) -> dict[str, Any]:
    (start, end, token_start, token_end, good_start, good_end, bad, good), degrader, recoverable, evidence = error
    return {
        "start": start,
        "end": end,
        "token_start": token_start,
        "token_end": token_end,
        "good_start": good_start,
        "good_end": good_end,
        "bad": bad,
        "good": good,
        "label": degrader.name,
        "family": degrader.family,
        "recoverable": recoverable,
        "evidence": evidence,
    }


def read_records(path: Path) -> Iterator[dict[str, Any]]:
    """The records of a JSONL or JSONL.gz file; UserError, with file and line, at the first row that is no record."""
    for number, row in read_rows(path, hint=_HINT):
        if not isinstance(row, dict):
            raise UserError(f"{path}:{number}: not a JSON object; {_HINT}")
        missing = [field for field in RECORD_FIELDS if field not in row]
        if missing:
            raise UserError(f'{path}:{number}: field "{missing[0]}" is missing; {_HINT}')
        yield row


def check_record(row: Mapping[str, Any]) -> list[str]:
    """Where a record breaks the law of exactness, in words; empty for a sound record."""
    spans, bad, good = row["spans"], row["bad"], row["good"]
    faults = []
    for span in spans:
        if bad[span["start"] : span["end"]] != span["bad"]:
            faults.append(f"span at {span['start']}: its range of bad holds another text than its own")
        if good[span["good_start"] : span["good_end"]] != span["good"]:
            faults.append(f"span at {span['start']}: its range of good holds another text than its own")
    if restore(bad, ((span["start"], span["end"], span["good"]) for span in spans)) != good:
        faults.append("replacing the spans by their good texts does not give the good text")
    if any(span["end"] > following["start"] for span, following in pairwise(spans)):
        faults.append("spans overlap or are out of order")
    return faults
