"""Writing a dataset so that it is either whole or absent: to a partial file first, renamed when all is there."""

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
from degraders.files import refuse_existing

OUTPUT_ENDINGS = (".jsonl", ".jsonl.gz", ".parquet")


def output_format(path: Path) -> str:
    """The ending that says how a dataset is written; UserError for any other."""
    for known in OUTPUT_ENDINGS:
        if path.name.endswith(known) and path.name != known:
            return known
    raise UserError(f"{path}: the ending says what is written; use one of {', '.join(OUTPUT_ENDINGS)}")


def companion_path(path: Path, suffix: str) -> Path:
    """The path of a companion file: `dataset.jsonl.gz` with `.manifest.json` is `dataset.manifest.json`."""
    return path.with_name(path.name.removesuffix(output_format(path)) + suffix)


class Sink(Protocol):
    """Takes JSON lines."""

    def write(self, lines: bytes, /) -> Any: ...

    def close(self) -> None: ...


@contextmanager
def dataset_writer(path: Path, *, force: bool) -> Iterator[Sink]:
    """A sink for the records of `path`; what it took is there under that name only if the block ends well.

    Raises UserError if the file exists and `force` is not given, or if its folder cannot be written.
    """
    refuse_existing(path, force=force)
    partial = path.with_name(path.name + ".partial")
    try:
        file = partial.open("wb")
    except OSError as error:
        raise UserError(f"{path}: cannot be written ({error.strerror}); choose another --output") from error
    try:
        with file:
            sink = _sink(file, output_format(path))
            yield sink
            sink.close()
            if not file.closed:
                file.flush()
                os.fsync(file.fileno())
        companion_path(path, ".manifest.json").unlink(missing_ok=True)
        partial.replace(path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


def _sink(file: BinaryIO, kind: str) -> Sink:
    if kind == ".parquet":
        return _Parquet(file)
    if kind == ".jsonl.gz":
        return _Gzip(file)
    return _Lines(file)


class _Lines:
    def __init__(self, file: BinaryIO) -> None:
        self.write = file.write

    def close(self) -> None:
        pass


class _Gzip:
    def __init__(self, file: BinaryIO) -> None:
        # No time and no name inside, so that the same records give the same bytes.
        self._file = gzip.GzipFile(filename="", mode="wb", compresslevel=6, fileobj=file, mtime=0)
        self.write = self._file.write
        self.close = self._file.close


class _Parquet:
    def __init__(self, file: BinaryIO) -> None:
        try:
            import pyarrow
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


def _schema(pa: Any) -> Any:
    numbers = {"start", "end", "token_start", "token_end", "good_start", "good_end"}
    span = pa.struct(
        [
            (name, pa.int64() if name in numbers else pa.list_(pa.int64()) if name == "evidence" else pa.string())
            for name in SPAN_FIELDS
        ]
    )
    special = {
        "spans": pa.list_(span),
        "labels": pa.list_(pa.string()),
        "severity": pa.float64(),
        "variant": pa.int64(),
        "seed": pa.int64(),
    }
    return pa.schema([(name, special.get(name, pa.string())) for name in RECORD_FIELDS])
