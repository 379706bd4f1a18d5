"""The JSONL record: one variant of one unit of one document, with every error located.

Keys always stand in the order of `FIELDS` and `SPAN_FIELDS`; a file is UTF-8 with `\\n` line ends, one record a line,
so that `datasets.load_dataset("json", data_files=…)` reads it as it is.
"""

from __future__ import annotations

import gzip
from collections.abc import Iterator, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import orjson

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


def make_record(unit: Unit, variant: Variant, *, number: int, seed: int, split: str) -> dict[str, Any]:
    """The record of a variant.

    `severity` is the share of the text that the errors touch (0-1). A span's `start` and `end` are characters of
    `bad`, `token_start` and `token_end` its white-space tokens, `evidence` characters of `bad` that still hold the
    right value (class C), else null.
    """
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
    """The records of a JSONL or JSONL.gz file; UserError, with file and line, at the first that is none."""
    opener: Any = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rb") as file:
        for number, line in enumerate(file, 1):
            where = f"{path}:{number}"
            try:
                row = orjson.loads(line)
            except orjson.JSONDecodeError as error:
                raise UserError(f"{where}: not JSON ({error}); is this a file of data_prep.py?") from error
            missing = [field for field in RECORD_FIELDS if not isinstance(row, dict) or field not in row]
            if missing:
                raise UserError(f'{where}: field "{missing[0]}" is missing; is this a file of data_prep.py?')
            yield row


def check_record(row: Mapping[str, Any]) -> list[str]:
    """What breaks the law of exactness in a record, in words; empty for a sound one."""
    found = []
    spans = row["spans"]
    restored, at = "", 0
    for span in spans:
        restored += row["bad"][at : span["start"]] + span["good"]
        at = span["end"]
        if row["bad"][span["start"] : span["end"]] != span["bad"]:
            found.append(f"span at {span['start']} does not hold its own text")
        if row["good"][span["good_start"] : span["good_end"]] != span["good"]:
            found.append(f"span at {span['start']} does not hold its good text")
    if restored + row["bad"][at:] != row["good"]:
        found.append("putting the good texts back does not give the good text")
    if any(left["end"] > right["start"] for left, right in pairwise(spans)):
        found.append("spans overlap or stand out of order")
    return found
