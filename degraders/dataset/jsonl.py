"""Rows of data files: JSONL, plain or packed with gzip, and what users have instead, CSV and Parquet.

Every fault of a file becomes a UserError that names the file, the line and what to do. A reader that counts bad rows
and continues, as `sources` does, builds on `read_lines` and `parse_line` instead of `read_rows`.
"""

from __future__ import annotations

import codecs
import csv
import gzip
import zlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from degraders.errors import UserError
from degraders.files import check_regular

MAX_LINE = 4_000_000
"""The most bytes of a row; aligning and scoring longer texts would take minutes."""
TOO_LONG = f"over {MAX_LINE:,} bytes"
_CHUNK = 1 << 16
_PARQUET_BATCH = 1000


class Line(NamedTuple):
    """A line with its number, from 1. If it is `too_long`, `data` holds only its beginning."""

    number: int
    data: bytes
    too_long: bool


class DamagedFileError(UserError):
    """A gzip file that cannot be unpacked to its end; `line` is the number of the first lost line."""

    def __init__(self, path: Path, line: int, reason: str) -> None:
        super().__init__(f"{path}:{line}: {reason}; pack or copy the file again")
        self.line, self.reason = line, reason


def read_rows(path: Path, *, hint: str, skipped: Counter[str] | None = None) -> Iterator[tuple[int, Any]]:
    """The values of a .jsonl or .jsonl.gz file with their line numbers, from 1; blank lines are passed over.

    Lines of more than MAX_LINE bytes are counted in `skipped`. UserError at the first line that is not JSON or, without
    `skipped`, too long; `hint` tells the user what the file should hold.
    """
    for number, data, too_long in read_lines(path, max_bytes=MAX_LINE):
        if too_long:
            skip_long_row(f"{path}:{number}", skipped)
            continue
        try:
            row = parse_line(data)
        except ValueError as error:
            raise UserError(f"{path}:{number}: {error}; {hint}") from error
        yield number, row


def skip_long_row(where: str, skipped: Counter[str] | None) -> None:
    """Count a row that is too long; UserError if `skipped` is None."""
    if skipped is None:
        raise UserError(f"{where}: {TOO_LONG}; shorten or remove it")
    skipped[TOO_LONG] += 1


def read_lines(path: Path, *, max_bytes: int | None = None) -> Iterator[Line]:
    """The lines of a file that are not blank, unpacked if its name ends in .gz.

    A line of more than `max_bytes` bytes is never held in memory as a whole. DamagedFileError where unpacking fails,
    UserError if the file cannot be read.
    """
    open_file: Any = gzip.open if path.suffix.lower() == ".gz" else open
    size = -1 if max_bytes is None else max_bytes + 1
    number = 0
    try:
        check_regular(path)
        with open_file(path, "rb") as file:
            while data := file.readline(size):
                too_long = len(data) == size and not data.endswith(b"\n")
                while too_long and (rest := file.readline(_CHUNK)) and not rest.endswith(b"\n"):
                    pass
                number += 1
                if too_long or not data.isspace():
                    yield Line(number, data, too_long)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DamagedFileError(path, number + 1, str(error)) from error
    except OSError as error:
        raise _unreadable(path, error) from error


def parse_line(data: bytes) -> Any:
    """The value of a line of JSON, which may begin with a byte order mark; ValueError if it is not JSON."""
    try:
        return orjson.loads(data.removeprefix(codecs.BOM_UTF8))
    except orjson.JSONDecodeError as error:
        raise ValueError(f"not JSON ({error.msg} at column {error.colno})") from error


def read_csv_rows(path: Path, *, hint: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """The rows of a CSV file in UTF-8 with the numbers of their last lines; its first line names the columns."""
    csv.field_size_limit(MAX_LINE)
    number = 1
    try:
        check_regular(path)
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            for row in reader:
                number = reader.line_num
                yield number, row
    except (csv.Error, UnicodeDecodeError) as error:
        raise UserError(f"{path}: not CSV after line {number} ({error}); {hint}") from error
    except OSError as error:
        raise _unreadable(path, error) from error


def read_parquet_rows(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """The rows of a Parquet file with their numbers, from 1."""
    try:
        import pyarrow  # here, because the package is optional
        import pyarrow.parquet
    except ImportError as error:
        raise UserError(f"{path}: reading Parquet needs a package: pip install pyarrow") from error
    try:
        check_regular(path)
        batches = pyarrow.parquet.ParquetFile(path).iter_batches(_PARQUET_BATCH)
        yield from enumerate((row for batch in batches for row in batch.to_pylist()), 1)
    except (pyarrow.ArrowException, UnicodeDecodeError) as error:
        raise UserError(f"{path}: not a sound Parquet file ({error}); copy or write the file again") from error
    except OSError as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: OSError) -> UserError:
    return UserError(f"{path}: {error.strerror or error}; name a file that can be read")
