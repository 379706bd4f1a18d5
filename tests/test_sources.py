"""Sources: everything in a folder, a file or a data set is read correctly or skipped with a reason."""

from __future__ import annotations

import gzip
import json
import os
import pickle
import sys
import tracemalloc
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from degraders.dataset.sources import (
    Job,
    Reason,
    Skip,
    Source,
    decode,
    discover,
    discover_dataset,
    load_document,
    total_bytes,
)
from degraders.errors import UserError

Items = list[Source | Skip]


def read(path: Path, **options: Any) -> Items:
    """All documents and skips of a path, loaded as workers load them."""
    return load(discover(path, **options), options.get("max_bytes", 20_000_000))


def load(items: Iterator[Job | Skip], max_bytes: int = 20_000_000) -> Items:
    return [
        item if isinstance(item, Skip) else load_document(pickle.loads(pickle.dumps(item)), max_bytes=max_bytes)
        for item in items
    ]


def ids(items: Items) -> list[str]:
    return [item.doc_id for item in items if isinstance(item, Source)]


def reasons(items: Items) -> list[tuple[str, str]]:
    return [(item.where, str(item.reason)) for item in items if isinstance(item, Skip)]


def read_one(path: Path, data: bytes, **options: Any) -> Source | Skip:
    """The one document or skip of a file with these bytes."""
    path.write_bytes(data)
    (item,) = read(path, **options)
    return item


def write_rows(path: Path, *values: object) -> Path:
    path.write_text("".join(json.dumps(value) + "\n" for value in values), encoding="utf-8")
    return path


# Folders


def test_folder_is_read_in_the_order_of_paths(tmp_path: Path) -> None:
    names = ["a/z.md", "a-b/x.RST", "a.txt", "B.mdx", "a/b/c.markdown", "é.md", "z.Md"]
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(f"This is {name}.\n", encoding="utf-8")
    items = read(tmp_path)
    assert ids(items) == sorted(names)
    formats = {item.doc_id: item.format for item in items if isinstance(item, Source)}
    assert formats["a-b/x.RST"] == "rst"
    assert formats["a.txt"] == "text"
    assert {formats[name] for name in ("B.mdx", "z.Md", "a/b/c.markdown")} == {"markdown"}


def test_other_files_are_counted_and_hidden_folders_not_entered(tmp_path: Path) -> None:
    for name in ("a.md", "b.png", "c.png", "Makefile", ".git/d.md", "node_modules/e.md", "sub/f.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("text\n")
    items = read(tmp_path)
    assert ids(items) == ["a.md"]
    assert items[-1] == Skip(str(tmp_path), Reason.OTHER_ENDING, "2 .png, 1 .py, 1 without", 4)


def test_links_are_followed_but_not_in_a_circle(tmp_path: Path) -> None:
    (tmp_path / "docs/deep").mkdir(parents=True)
    (tmp_path / "docs/deep/a.md").write_text("text\n")
    (tmp_path / "docs/deep/up").symlink_to(tmp_path / "docs")
    (tmp_path / "other").mkdir()
    (tmp_path / "other/b.md").write_text("text\n")
    (tmp_path / "docs/out").symlink_to(tmp_path / "other")
    (tmp_path / "docs/c.md").symlink_to(tmp_path / "other/b.md")
    items = read(tmp_path / "docs")
    assert ids(items) == ["c.md", "deep/a.md", "out/b.md"]
    assert reasons(items) == [("deep/up/", "folder seen before")]


def test_broken_links_are_skipped(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("text\n")
    (tmp_path / "gone.md").symlink_to(tmp_path / "missing")
    (tmp_path / "self.md").symlink_to(tmp_path / "self.md")
    (tmp_path / "self").symlink_to(tmp_path / "self")
    items = read(tmp_path)
    assert ids(items) == ["a.md"]
    assert reasons(items)[:2] == [("gone.md", "unreadable"), ("self.md", "unreadable")]


def test_reading_does_not_wait_for_a_pipe(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("text\n")
    os.mkfifo(tmp_path / "b.md")
    assert reasons(read(tmp_path)) == [("b.md", "unreadable")]


def test_files_without_permission_are_skipped(tmp_path: Path) -> None:
    for name in ("a.md", "b.md", "shut/c.md"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("text\n")
    (tmp_path / "b.md").chmod(0)
    (tmp_path / "shut").chmod(0)
    may_read = os.access(tmp_path / "b.md", os.R_OK)
    items = read(tmp_path)
    (tmp_path / "shut").chmod(0o700)
    if may_read:
        pytest.skip("root may read everything")
    assert ids(items) == ["a.md"]
    assert reasons(items) == [("b.md", "unreadable"), ("shut/", "unreadable")]


def test_a_folder_that_cannot_be_listed_is_skipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.md").write_text("text\n")
    (tmp_path / "shut").mkdir()
    original = os.scandir

    def scandir(path: str) -> Any:
        if str(path).endswith("shut"):
            raise PermissionError(13, "Permission denied")
        return original(path)

    monkeypatch.setattr(os, "scandir", scandir)
    items = read(tmp_path)
    assert ids(items) == ["a.md"]
    assert items[1:] == [Skip("shut/", Reason.UNREADABLE, "Permission denied")]


def test_a_file_that_vanished_is_skipped(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("text\n")
    jobs = list(discover(tmp_path))
    (tmp_path / "a.md").unlink()
    assert reasons(load(iter(jobs))) == [("a.md", "unreadable")]


def test_a_file_name_that_is_not_utf8_gives_an_id_that_can_be_written(tmp_path: Path) -> None:
    try:
        Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.md")).write_text("text\n")
    except OSError:
        pytest.skip("this file system takes UTF-8 names only")
    assert ids(read(tmp_path)) == ["caf\\xe9.md"]


@pytest.mark.parametrize("name", ["missing", "empty", "image.png", "pipe.md"])
def test_a_path_without_documents_is_refused_with_advice(tmp_path: Path, name: str) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty/picture.png").write_bytes(b"x")
    (tmp_path / "image.png").write_bytes(b"x")
    os.mkfifo(tmp_path / "pipe.md")
    with pytest.raises(UserError, match=r"(give|rename)"):
        list(discover(tmp_path / name))


def test_total_bytes_is_the_sum_of_the_sizes_of_jobs(tmp_path: Path) -> None:
    for name in ("a.md", "sub/b.rst", "c.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"12345")
    assert total_bytes(tmp_path) == sum(job.size for job in discover(tmp_path) if isinstance(job, Job)) == 10
    assert total_bytes(tmp_path / "a.md") == 5
    assert total_bytes(tmp_path / "a.jsonl.gz") is None
    lines = write_rows(tmp_path / "a.jsonl", {"text": "eins"}, {"text": "zwei"})
    assert total_bytes(lines) == sum(job.size for job in discover(lines) if isinstance(job, Job))


# Bytes to text


def test_the_id_of_a_single_file_is_its_name(tmp_path: Path) -> None:
    item = read_one(tmp_path / "a.rst", b"Title\r\n=====\r\n\r\nLine ends stay.\rAll of them.\n")
    assert item == Source("a.rst", "rst", "Title\r\n=====\r\n\r\nLine ends stay.\rAll of them.\n")


GERMAN = "Die Größe der Straße überrascht jeden.\r\nÖffnen Sie die Tür, schließen Sie das Fenster.\n"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32", "latin-1"])
def test_encodings_are_recognised(tmp_path: Path, encoding: str) -> None:
    assert read_one(tmp_path / "a.txt", GERMAN.encode(encoding)) == Source("a.txt", "text", GERMAN)


@pytest.mark.parametrize(
    ("head", "encoding"),
    [
        ("<!-- -*- coding: latin-1 -*- -->\n", "latin-1"),
        ("#!x\n.. vim: set fileencoding=iso-8859-2 :\n", "iso-8859-2"),
        ('<meta charset="koi8-r">\n', "koi8-r"),
        ("<meta http-equiv='x' content='text/html; charset=shift_jis'>\n", "shift_jis"),
    ],
)
def test_declared_encodings_are_used(head: str, encoding: str) -> None:
    words = {"latin-1": "garçon", "iso-8859-2": "žluťoučký", "koi8-r": "документ", "shift_jis": "日本語"}
    text = head + words[encoding] + "\n"
    assert decode(text.encode(encoding)) == text


@pytest.mark.parametrize("declared", ["rot13", "base64", "unicode_escape", "idna", "undefined", "no-such", "utf-8"])
def test_declarations_that_do_not_fit_are_ignored(declared: str) -> None:
    text = f"# coding: {declared}\n{GERMAN}"
    assert decode(text.encode("latin-1")) == text


@pytest.mark.parametrize(
    ("encoding", "text"),
    [
        ("koi8-r", "Этот документ описывает, как установить пакет и запустить тесты на вашем компьютере."),
        ("cp1251", "Этот документ описывает, как установить пакет и запустить тесты на вашем компьютере."),
        (
            "shift_jis",
            "このドキュメントでは、パッケージのインストール方法とテストの実行方法について説明します。",
        ),
        ("gb18030", "本文档介绍如何安装软件包以及如何运行测试。请先阅读以下说明，然后再继续。"),
        ("cp1252", "The café serves naïve guests; it’s easy. “Quoted” text — fine."),
    ],
)
def test_encodings_are_detected(encoding: str, text: str) -> None:
    text = "Plain English comes first.\n" * 300 + text
    assert decode(text.encode(encoding)) == text


@pytest.mark.parametrize("data", [GERMAN.encode() + b"caf\xe9 (\xc3\x28)", bytes(range(128, 256)) * 3, b"\xff\xfe\x00"])
def test_a_file_of_unknown_encoding_is_skipped(tmp_path: Path, data: bytes) -> None:
    assert decode(data) is None
    assert reasons([read_one(tmp_path / "a.md", data)]) == [("a.md", "unknown encoding")]


@settings(max_examples=200, deadline=None)
@given(
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")),
    st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-32"]),
)
def test_unicode_survives(text: str, encoding: str) -> None:
    marked = text.startswith("\ufeff")
    assert decode(text.encode(encoding)) == (text[1:] if marked and encoding == "utf-8" else text)


@settings(max_examples=200, deadline=None)
@given(st.binary())
def test_any_bytes_are_decoded_or_refused(data: bytes) -> None:
    text = decode(data)
    assert text is None or isinstance(text, str)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", Reason.EMPTY),
        (b"\xef\xbb\xbf \r\n\t\n", Reason.EMPTY),
        (b"text\0text", Reason.BINARY),
        ("text\0text".encode("utf-16"), Reason.BINARY),
        ("no mark".encode("utf-16-le"), Reason.BINARY),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", Reason.BINARY),
        (b"text \x01\x02\x1b" * 9, Reason.BINARY),
        (b"text\n" * 50, Reason.TOO_LARGE),
    ],
)
def test_a_file_that_is_not_a_document_is_skipped(tmp_path: Path, data: bytes, reason: Reason) -> None:
    assert reasons([read_one(tmp_path / "a.md", data, max_bytes=200)]) == [("a.md", str(reason))]


def test_a_few_control_characters_are_accepted(tmp_path: Path) -> None:
    assert isinstance(read_one(tmp_path / "a.md", b"page one\f" + b"text " * 100 + b"\x1b\n"), Source)


# Rows


def test_rows_name_their_ids_and_formats(tmp_path: Path) -> None:
    path = write_rows(
        tmp_path / "a.jsonl",
        {"text": "eins", "id": "x.rst"},
        {"text": "zwei", "id": 7, "doc_id": "y"},
        {"text": "drei", "path": "z.txt", "id": ""},
        {"text": "vier", "path": "w.txt", "format": "rst"},
        {"text": "fünf", "format": "docx"},
    )
    documents = [(item.doc_id, item.format) for item in read(path) if isinstance(item, Source)]
    assert documents[:4] == [("x.rst", "rst"), ("y", "markdown"), ("z.txt", "text"), ("w.txt", "rst")]
    assert documents[4][0].startswith("a.jsonl:")
    assert len(documents[4][0]) == len("a.jsonl:") + 16


def test_a_row_keeps_its_id_when_others_are_added(tmp_path: Path) -> None:
    few = ids(read(write_rows(tmp_path / "a.jsonl", {"text": "eins"}, {"text": "zwei"})))
    more = ids(read(write_rows(tmp_path / "a.jsonl", {"text": "null"}, {"text": "eins"}, {"text": "zwei"})))
    assert more[1:] == few


def test_bad_rows_are_skipped_with_their_line(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(
        b'\xef\xbb\xbf{"text": "good"}\r\n\n{"text": \n["text"]\n{"body": "x"}\n{"text": 5}\n'
        b'{"text": "caf\xe9"}\n{"text": "a\\u0000b"}\n{"text": " "}\n{"text": "last", "id": "last"}'
    )
    items = read(path)
    assert [item.text for item in items if isinstance(item, Source)] == ["good", "last"]
    lines = [where.removeprefix(f"{path}:") for where, reason in reasons(items) if reason == "bad row"]
    assert lines == ["3", "4", "5", "6", "7"]
    assert Counter(reason for _, reason in reasons(items)) == {"bad row": 5, "binary": 1, "empty": 1}


def test_the_text_field_can_be_named(tmp_path: Path) -> None:
    path = write_rows(tmp_path / "a.jsonl", {"body": "eins", "id": "a"}, {"text": "zwei", "id": "b"})
    items = read(path, text_field="body")
    assert ids(items) == ["a"]
    assert reasons(items) == [(f"{path}:2", "bad row")]


def test_the_second_row_with_an_id_is_skipped(tmp_path: Path) -> None:
    path = write_rows(tmp_path / "a.jsonl", {"text": "eins", "id": "a"}, {"text": "zwei", "id": "a"}, {"text": "drei"})
    items = read(path)
    assert [item.text for item in items if isinstance(item, Source)] == ["eins", "drei"]
    assert items[1] == Skip(f"{path}:2", Reason.DUPLICATE_ID, "a")


def test_a_long_line_is_skipped_in_little_memory(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    with path.open("wb") as file:
        file.write(b'{"text": "first"}\n{"text": "')
        for _ in range(30):
            file.write(b"x" * 1_000_000)
        file.write(b'"}\n{"text": "last"}\n')
    tracemalloc.start()
    items = read(path, max_bytes=100_000)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert [item.text for item in items if isinstance(item, Source)] == ["first", "last"]
    assert reasons(items) == [(f"{path}:2", "too large")]
    assert peak < 3_000_000


def test_a_line_as_long_as_the_limit_is_read(tmp_path: Path) -> None:
    path = write_rows(tmp_path / "a.jsonl", {"text": "x" * 50}, {"text": "y" * 51})
    limit = len(json.dumps({"text": "x" * 50}))
    assert [type(item) for item in read(path, max_bytes=limit)] == [Source, Skip]


def test_memory_does_not_grow_with_the_rows(tmp_path: Path) -> None:
    peaks = []
    for count in (300, 3000):
        path = write_rows(
            tmp_path / f"{count}.jsonl",
            *({"text": f"{i} " + "word " * 1000, "id": str(i)} for i in range(count)),
        )
        # This first reading also fills caches, such as that of interned names, before the measurement.
        assert len(list(discover(path))) == count
        tracemalloc.start()
        for job in discover(path):
            assert isinstance(job, Job)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < peaks[0] + 500_000


def test_gzip_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl.gz"
    path.write_bytes(gzip.compress(b'{"text": "eins", "id": "a"}\n{"text": "zwei", "id": "b"}\n'))
    assert ids(read(path)) == ["a", "b"]


@pytest.mark.parametrize("harm", ["cut", "checksum"])
def test_the_rows_before_the_damage_of_a_gzip_file_are_read(tmp_path: Path, harm: str) -> None:
    lines = b"".join(b'{"text": "%s", "id": "%d"}\n' % (os.urandom(40).hex().encode(), i) for i in range(2000))
    data = gzip.compress(lines)
    path = tmp_path / "a.jsonl.gz"
    path.write_bytes(data[: len(data) // 2] if harm == "cut" else data[:-8] + b"\0" * 8)
    items = read(path)
    good = ids(items)
    assert good == [str(i) for i in range(len(good))]
    assert 500 < len(good) < 1500 if harm == "cut" else len(good) == 2000
    assert reasons(items) == [(f"{path}:{len(good) + 1}", "damaged file")]


@pytest.mark.parametrize(("name", "data"), [("a.jsonl", b""), ("a.jsonl.gz", b"no gzip"), ("b.jsonl.gz", b"")])
def test_files_without_rows_are_refused(tmp_path: Path, name: str, data: bytes) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(UserError, match=name):
        read(tmp_path / name)


# Data sets


class Library(SimpleNamespace):
    """Stands in for the package `datasets`."""

    def __init__(self, outcome: object) -> None:
        super().__init__()
        self.outcome = outcome

    def load_dataset(self, name: str, *, streaming: bool) -> object:
        assert streaming
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome


@pytest.fixture
def library(monkeypatch: pytest.MonkeyPatch) -> Callable[[object], None]:
    return lambda outcome: monkeypatch.setitem(sys.modules, "datasets", Library(outcome))


def test_data_set_rows_are_read(library: Callable[[object], None]) -> None:
    library({"train": [{"text": "eins", "id": "a.rst"}, {"text": None}, {"text": "zwei"}, {"text": "zwei"}]})
    items = load(discover_dataset("me/docs"))
    assert items[0] == Source("a.rst", "rst", "eins")
    assert [where for where, _ in reasons(items)] == ["me/docs:2", "me/docs:4"]
    assert ids(items)[1].startswith("docs:")


@pytest.mark.parametrize(
    ("outcome", "message"),
    [
        ({"train": [{"text": "x"}], "dev": []}, "'train', 'dev'"),
        ({"test": [{"body": "x", "title": "y"}]}, "'body', 'title'"),
        ({"test": []}, "no rows"),
        (ConnectionError("no route"), "--input FILE"),
        (FileNotFoundError("Dataset 'me/docs' does not exist"), "does not exist"),
        (ValueError("Config name is missing."), "Config name"),
        (RuntimeError("Dataset scripts are no longer supported"), "scripts"),
    ],
)
def test_faults_of_a_data_set_are_reported(library: Callable[[object], None], outcome: object, message: str) -> None:
    library(outcome)
    with pytest.raises(UserError, match=f"^me/docs: .*{message}"):
        list(discover_dataset("me/docs", "test"))


def test_a_missing_library_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(UserError, match="pip install datasets"):
        list(discover_dataset("me/docs"))


def test_local_data_sets_are_read(tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    (tmp_path / "layout").mkdir()
    write_rows(tmp_path / "layout/train.jsonl", {"text": "eins", "id": "a"}, {"text": "zwei", "id": "b"})
    write_rows(tmp_path / "layout/test.jsonl", {"text": "drei", "id": "c"})
    saved = datasets.load_dataset(str(tmp_path / "layout"), cache_dir=str(tmp_path / "cache"))
    saved.save_to_disk(str(tmp_path / "dict"))
    saved["train"].save_to_disk(str(tmp_path / "single"))
    for name in ("layout", "dict", "single"):
        assert ids(load(discover_dataset(str(tmp_path / name)))) == ["a", "b"]
    assert ids(load(discover_dataset(str(tmp_path / "layout"), "test"))) == ["c"]
    with pytest.raises(UserError, match="'train', 'test'"):
        list(discover_dataset(str(tmp_path / "dict"), "dev"))
    with pytest.raises(UserError, match="'text', 'id'"):
        list(discover_dataset(str(tmp_path / "layout"), text_field="body"))
