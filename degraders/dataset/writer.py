"""Writes a dataset completely or not at all: into a partial file, which gets its name when all records are in it.

A dataset is JSONL, JSONL packed with gzip, or Parquet with the same fields (`records`): integers for offsets, `variant`
and `seed`, a float for `severity`, lists of structs for `spans`, strings for the rest. The same records give the same
bytes in each format.
"""

from __future__ import annotations

import gzip
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Protocol

import orjson

from degraders.dataset.records import RECORD_FIELDS, SPAN_FIELDS
from degraders.errors import UserError
from degraders.files import refuse_existing, replacing

OUTPUT_ENDINGS = (".jsonl", ".jsonl.gz", ".parquet")


def output_format(path: Path) -> str:
    """The ending of a dataset's file, which sets its format; UserError for any but `OUTPUT_ENDINGS`."""
    for ending in OUTPUT_ENDINGS:
        if path.name.endswith(ending) and path.name != ending:
            return ending
    raise UserError(f"{path}: the ending sets the format; use one of {', '.join(OUTPUT_ENDINGS)}")


def companion_path(path: Path, suffix: str) -> Path:
    """The path of a file beside a dataset: for `dataset.jsonl.gz` and `.manifest.json`, `dataset.manifest.json`."""
    return path.with_name(path.name.removesuffix(output_format(path)) + suffix)


class Sink(Protocol):
    """Writes records to a file in its format; `lines` are whole records as JSON lines."""

    def write(self, lines: bytes, /) -> Any: ...

    def close(self) -> None: ...


@contextmanager
def dataset_writer(path: Path, *, force: bool) -> Iterator[Sink]:
    """A sink for the records of `path`; the file appears under this name only if the block ends without an error.

    UserError if the file exists and `force` is false, or if it cannot be written. A manifest of an earlier dataset at
    `path` is deleted, because it does not describe the new one.
    """
    refuse_existing(path, force=force)
    with replacing(path) as partial:
        with _open_new(partial) as file:
            sink = _open_sink(file, output_format(path))
            yield sink
            sink.close()
            if not file.closed:
                file.flush()
                os.fsync(file.fileno())
        companion_path(path, ".manifest.json").unlink(missing_ok=True)


def _open_new(path: Path) -> BinaryIO:
    try:
        return path.open("wb")
    except OSError as error:
        raise UserError(f"{path}: cannot be written ({error.strerror}); choose another --output") from error


def _open_sink(file: BinaryIO, ending: str) -> Sink:
    if ending == ".parquet":
        return _ParquetSink(file)
    if ending == ".jsonl.gz":
        return _GzipSink(file)
    return _JsonlSink(file)


class _JsonlSink:
    def __init__(self, file: BinaryIO) -> None:
        self.write = file.write

    def close(self) -> None:
        pass


class _GzipSink:
    def __init__(self, file: BinaryIO) -> None:
        # Without a time and a file name in the header, so that the same records give the same bytes.
        self._file = gzip.GzipFile(filename="", mode="wb", compresslevel=6, fileobj=file, mtime=0)
        self.write = self._file.write
        self.close = self._file.close


class _ParquetSink:
    def __init__(self, file: BinaryIO) -> None:
        try:
            import pyarrow  # here, because the package is optional
            import pyarrow.parquet
        except ImportError as error:
            raise UserError("writing .parquet needs pyarrow: pip install pyarrow, or write .jsonl") from error
        self._pyarrow = pyarrow
        self._schema = _schema(pyarrow)
        self._writer = pyarrow.parquet.ParquetWriter(file, self._schema, compression="zstd")
        self.close = self._writer.close

    def write(self, lines: bytes) -> None:
        rows = [orjson.loads(line) for line in lines.splitlines()]
        if rows:
            self._writer.write_table(self._pyarrow.Table.from_pylist(rows, schema=self._schema))


def _schema(pyarrow: Any) -> Any:
    """The Parquet schema of a record: `RECORD_FIELDS`, with `SPAN_FIELDS` as a struct."""
    integer, text = pyarrow.int64(), pyarrow.string()
    offsets = ("start", "end", "token_start", "token_end", "good_start", "good_end")
    span_types = {**dict.fromkeys(offsets, integer), "evidence": pyarrow.list_(integer)}
    span = pyarrow.struct([(name, span_types.get(name, text)) for name in SPAN_FIELDS])
    types = {
        "spans": pyarrow.list_(span),
        "labels": pyarrow.list_(text),
        "severity": pyarrow.float64(),
        "variant": integer,
        "seed": integer,
    }
    return pyarrow.schema([(name, types.get(name, text)) for name in RECORD_FIELDS])
