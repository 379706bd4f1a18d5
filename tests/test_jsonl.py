"""Rows of data files: read with their numbers, and every fault named by file and line."""

from __future__ import annotations

import contextlib
import gzip
import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from degraders.dataset.jsonl import (
    MAX_LINE,
    DamagedFileError,
    read_csv_rows,
    read_lines,
    read_parquet_rows,
    read_rows,
)
from degraders.dataset.records import read_records
from degraders.errors import UserError
from degraders.profiles import read_profile


def hinted(path: Path) -> Iterator[tuple[int, Any]]:
    return read_rows(path, hint="one object a line")


def test_rows_have_the_numbers_of_their_lines(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'\xef\xbb\xbf{"a": 1}\r\n\n \t\n[2]\n"last"')
    assert list(hinted(path)) == [(1, {"a": 1}), (4, [2]), (5, "last")]
    (tmp_path / "A.JSONL.GZ").write_bytes(gzip.compress(path.read_bytes()))
    assert list(hinted(tmp_path / "A.JSONL.GZ")) == list(hinted(path))


@pytest.mark.parametrize(
    "line", [b"{", b"caf\xe9", b'"caf\xe9"', b"[" * 9000, b"nan", b'"\\ud800"', b"\0", "{}".encode("utf-16")]
)
def test_the_first_bad_line_is_reported_with_what_to_do(tmp_path: Path, line: bytes) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(b"1\n\n" + line + b"\n2\n")
    with pytest.raises(UserError, match=r"a\.jsonl:3: not JSON \(.+\); one object a line$"):
        list(hinted(path))


@pytest.mark.parametrize("harm", ["cut", "checksum"])
def test_a_damaged_gzip_file_is_read_up_to_the_damage(tmp_path: Path, harm: str) -> None:
    path = tmp_path / "a.jsonl.gz"
    rows: list[Any] = []
    data = gzip.compress(b"".join(b'"%s"\n' % os.urandom(40).hex().encode() for _ in range(2000)))
    path.write_bytes(data[: len(data) // 2] if harm == "cut" else data[:-8] + bytes(8))
    with pytest.raises(DamagedFileError, match="pack or copy the file again") as caught:
        rows.extend(hinted(path))
    assert rows
    assert caught.value.line == len(rows) + 1


@pytest.mark.parametrize("data", [b"no gzip", gzip.compress(b"1")[:10] + b"\x07" * 9])
def test_a_gzip_file_without_a_sound_line_is_refused(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "a.jsonl.gz").write_bytes(data)
    with pytest.raises(DamagedFileError, match=r"a\.jsonl\.gz:1: "):
        list(hinted(tmp_path / "a.jsonl.gz"))


def test_a_long_line_is_cut_and_those_after_it_are_read(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(b"12345\n123456\n" + b" " * 200_000 + b"7\n8")
    lines = [(line.number, len(line.data), line.too_long) for line in read_lines(path, max_bytes=5)]
    assert lines == [(1, 6, False), (2, 6, True), (3, 6, True), (4, 1, False)]


def test_a_row_that_is_too_long_is_counted_or_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'1\n"' + b"x" * MAX_LINE + b'"\n3\n')
    skipped: Counter[str] = Counter()
    assert list(read_rows(path, hint="", skipped=skipped)) == [(1, 1), (3, 3)]
    assert skipped == {"over 4,000,000 bytes": 1}
    with pytest.raises(UserError, match=r"a\.jsonl:2: over 4,000,000 bytes; shorten or remove it"):
        list(hinted(path))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes")
def test_a_pipe_which_may_never_end_is_not_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a")
    for rows in (hinted(tmp_path / "a"), read_csv_rows(tmp_path / "a", hint=""), read_parquet_rows(tmp_path / "a")):
        with pytest.raises(UserError, match="not a regular file"):
            next(rows)
    with pytest.raises(UserError, match="not a regular file"):
        read_profile(tmp_path / "a")


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary())
def test_any_bytes_are_read_or_refused(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "a").write_bytes(data)
    (tmp_path / "a.gz").write_bytes(data)
    for rows in (
        hinted(tmp_path / "a"),
        hinted(tmp_path / "a.gz"),
        read_csv_rows(tmp_path / "a", hint=""),
        read_parquet_rows(tmp_path / "a"),
        read_records(tmp_path / "a"),
    ):
        with contextlib.suppress(UserError):
            list(rows)


def test_a_folder_is_not_a_file(tmp_path: Path) -> None:
    for rows in (hinted(tmp_path), read_csv_rows(tmp_path, hint=""), read_parquet_rows(tmp_path)):
        with pytest.raises(UserError, match="name a file"):
            list(rows)


def test_csv_rows_have_the_numbers_of_their_last_lines(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes('\ufeffid,text\n1,"two\nlines"\n2,é\n'.encode())
    assert list(read_csv_rows(path, hint="")) == [(3, {"id": "1", "text": "two\nlines"}), (4, {"id": "2", "text": "é"})]
    path.write_bytes(b"id,text\n1,one\n2,caf\xe9\n")
    with pytest.raises(UserError, match=r"not CSV .+; two columns$"):
        list(read_csv_rows(path, hint="two columns"))


def test_parquet_rows_have_numbers(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    table = pyarrow.table({"a": list(range(2500))})
    pytest.importorskip("pyarrow.parquet").write_table(table, tmp_path / "a.parquet")
    assert list(read_parquet_rows(tmp_path / "a.parquet")) == [(a + 1, {"a": a}) for a in range(2500)]
