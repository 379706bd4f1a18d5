"""Writing a dataset so that it is either whole or absent: to a partial file first, renamed when all is there."""

from __future__ import annotations

import gzip
import hashlib
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Protocol

import orjson

from degraders.errors import UserError
from degraders.records import FIELDS, SPAN_FIELDS

ENDINGS = (".jsonl", ".jsonl.gz", ".parquet")


def ending(path: Path) -> str:
    """The ending that says how a dataset is written; UserError for any other."""
    for known in ENDINGS:
        if path.name.endswith(known) and path.name != known:
            return known
    raise UserError(f"{path}: the ending says what is written; use one of {', '.join(ENDINGS)}")


def beside(path: Path, suffix: str) -> Path:
    """The path of a companion file: `dataset.jsonl.gz` with `.manifest.json` is `dataset.manifest.json`."""
    return path.with_name(path.name.removesuffix(ending(path)) + suffix)


class Sink(Protocol):
    """Takes JSON lines."""

    def write(self, lines: bytes, /) -> Any: ...

    def close(self) -> None: ...


@contextmanager
def dataset(path: Path, *, force: bool) -> Iterator[Sink]:
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
            sink = _sink(file, ending(path))
            yield sink
            sink.close()
            if not file.closed:
                file.flush()
                os.fsync(file.fileno())
        beside(path, ".manifest.json").unlink(missing_ok=True)
        partial.replace(path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


def refuse_existing(path: Path, *, force: bool) -> None:
    if path.is_dir():
        raise UserError(f"{path}: is a folder; name a file")
    if path.exists() and not force:
        raise UserError(f"{path}: exists already; pass --force to replace it, or choose another name")


def write_text(path: Path, text: str) -> None:
    """Write a small file whole or not at all."""
    partial = path.with_name(path.name + ".partial")
    try:
        partial.write_text(text, encoding="utf-8", newline="\n")
        partial.replace(path)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise UserError(f"{path}: cannot be written ({error.strerror})") from error


def digest(path: Path) -> str:
    """The SHA-256 of a file, as `sha256sum` prints it."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


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
    return pa.schema([(name, special.get(name, pa.string())) for name in FIELDS])


def lock(file: int, path: Path, option: str) -> None:
    """Lock an open file or folder for this process: it leaves no trace and goes with the process, however that ends.

    UserError, naming the option that gives another place, if another process has it.
    """
    if sys.platform == "win32":
        return
    import fcntl

    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise UserError(f"{path}: another run is writing there; wait for it, or name another {option}") from error
    except OSError:
        pass  # a network file system that cannot lock
