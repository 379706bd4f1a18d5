"""Good documents from folders, files, JSONL and data sets, one at a time.

Reading has two steps, so that worker processes can share it: `discover` yields cheap, picklable jobs in an order that
is the same on every machine, and `load_document` reads and decodes one. Both report everything that they skip as a
`Skip` with its reason.
"""

from __future__ import annotations

import codecs
import os
import re
import stat
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from hashlib import blake2b
from itertools import chain
from pathlib import Path, PurePosixPath
from typing import Any

from charset_normalizer import CharsetMatch, from_bytes

from degraders.dataset.hub import read_hub_rows
from degraders.dataset.jsonl import DamagedFileError, parse_line, read_lines
from degraders.draw import ticket
from degraders.errors import UserError

FORMAT_BY_ENDING = {".md": "markdown", ".mdx": "markdown", ".markdown": "markdown", ".rst": "rst", ".txt": "text"}
MAX_BYTES = 20_000_000

_FORMATS = frozenset(FORMAT_BY_ENDING.values())
_ROW_ENDINGS = (".jsonl", ".jsonl.gz")
_SKIPPED_FOLDERS = frozenset({"node_modules/"})
_BOMS = (
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, because it starts with the mark of UTF-16
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_DECLARATION = re.compile(rb"""(?:coding[:=]|<meta\s[^>]*?charset=)\s*["']?([-\w.]+)""", re.IGNORECASE)
_CONTROLS = bytes(code for code in (*range(32), 127) if code not in b"\t\n\r\f")
_MAX_CONTROL_SHARE = 0.01
_SAMPLE_LINES = 200  # lines with non-ASCII bytes from which an encoding is detected


class Reason(StrEnum):
    """Why something was skipped."""

    OTHER_ENDING = "other ending"
    UNREADABLE = "unreadable"
    SEEN_FOLDER = "folder seen before"
    TOO_LARGE = "too large"
    UNKNOWN_ENCODING = "unknown encoding"
    BINARY = "binary"
    EMPTY = "empty"
    BAD_ROW = "bad row"
    DUPLICATE_ID = "duplicate id"
    DAMAGED = "damaged file"


@dataclass(frozen=True, slots=True)
class Source:
    """A good document; `format` is `markdown`, `rst` or `text`."""

    doc_id: str
    format: str
    text: str


@dataclass(frozen=True, slots=True)
class Skip:
    """`count` files or rows that were skipped at `where`, which is a path or `path:line`."""

    where: str
    reason: Reason
    detail: str = ""
    count: int = 1


@dataclass(frozen=True, slots=True)
class Job:
    """A document to load: the file at `path`, or else `text`; `size` is in bytes of the input."""

    doc_id: str
    format: str
    size: int
    path: str = ""
    text: str = ""


_Jobs = Iterator[Job | Skip]


def discover(path: Path, *, text_field: str = "text", max_bytes: int = MAX_BYTES) -> _Jobs:
    """Jobs of a folder, a document or a JSONL file; UserError if `path` is none of these or cannot be read."""
    try:
        mode = path.stat().st_mode
    except OSError as error:
        raise UserError(f"{path}: {_message(error)}; give a folder, a document or a JSONL file") from error
    if stat.S_ISDIR(mode):
        return _folder_jobs(path)
    endings = ", ".join((*FORMAT_BY_ENDING, *_ROW_ENDINGS))
    if not stat.S_ISREG(mode):
        raise UserError(f"{path}: neither a folder nor a regular file; give a folder or a file ({endings})")
    if path.name.lower().endswith(_ROW_ENDINGS):
        return _jsonl_jobs(path, text_field, max_bytes)
    if path.suffix.lower() not in FORMAT_BY_ENDING:
        raise UserError(f"{path}: cannot tell its format; rename it to one of {endings}")
    return iter([_file_job(str(path), _printable_path(path.name))])


def discover_dataset(name: str, split: str = "train", *, text_field: str = "text", max_bytes: int = MAX_BYTES) -> _Jobs:
    """Jobs of the rows of a hub or local data set; UserError if it, the split or the field is missing."""
    rows = enumerate(read_hub_rows(name, split, option="--input"), 1)
    first = next(rows, None)
    if first is None:
        raise UserError(f"{name}: split {split!r} has no rows; choose another (--hf_split)")
    if text_field not in first[1]:
        columns = ", ".join(map(repr, first[1]))
        raise UserError(f"{name}: no column {text_field!r}; it has {columns} (--text-field)")
    reader = _RowReader(name, Path(name).name or name, text_field, max_bytes)
    for number, row in chain([first], rows):
        yield reader.job_of_row(number, row)


def load_document(job: Job, *, max_bytes: int = MAX_BYTES) -> Source | Skip:
    """Read, decode and check the document of one job."""
    text = _file_text(job, max_bytes) if job.path else job.text
    if isinstance(text, Skip):
        return text
    fault = _text_fault(text)
    return Skip(job.doc_id, *fault) if fault else Source(job.doc_id, job.format, text)


def total_bytes(path: Path) -> int | None:
    """The sum of the sizes of the jobs of `path`; None if it is packed, so that only reading it gives the sum."""
    if path.name.lower().endswith(".gz"):
        return None
    if path.is_file():
        return path.stat().st_size
    return sum(job.size for job in _walk_folder(str(path), "", {}, Counter()) if isinstance(job, Job))


def decode(data: bytes) -> str | None:
    """The text of bytes in UTF-8, or else in the encoding of a byte order mark, of a declaration, or as detected.

    Line ends stay. None if no encoding fits or two fit equally well.
    """
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        pass
    for bom, encoding in _BOMS:
        if data.startswith(bom):
            return _decode_as(data, encoding)
    declaration = _DECLARATION.search(b"\n".join(data[:1024].splitlines()[:2]))
    text = _decode_as(data, declaration[1].decode(), exact=True) if declaration else None
    if text is None and (detected := _detect_encoding(data)):
        text = _decode_as(data, detected, exact=True)
    return text


def _decode_as(data: bytes, encoding: str, *, exact: bool = False) -> str | None:
    """The text, or None if the encoding does not fit or, when `exact`, does not give the same bytes back."""
    try:
        text = data.decode(encoding)
        return None if exact and text.encode(encoding) != data else text
    except (LookupError, ValueError):
        return None


def _detect_encoding(data: bytes) -> str | None:
    """The encoding of text that is not UTF-8; None if likely encodings give different texts or it is damaged UTF-8."""
    high = len(data) - len(data.decode("ascii", "ignore"))
    valid = data.decode("utf-8", "ignore").encode()
    if 2 * (len(valid) - len(valid.decode("ascii", "ignore"))) > high:
        return None
    lines = [line for line in data.split(b"\n") if not line.isascii()]
    sample = b"\n".join(lines[:_SAMPLE_LINES])
    matches = list(from_bytes(sample))
    if not matches:
        return None
    rivals = [match for match in matches if _is_as_likely(match, matches[0])]
    names = {name for match in rivals for name in match.could_be_from_charset}
    if len({str(match) for match in rivals}) == 1:
        return rivals[0].encoding
    # Short texts fit several code pages; Windows' own are by far the most common.
    return next((name for name in ("cp1252", "cp1251") if name in names), None)


def _is_as_likely(match: CharsetMatch, best: CharsetMatch) -> bool:
    """Whether a match is about as likely as the best one."""
    return match.chaos <= best.chaos + 0.05 and match.coherence >= best.coherence - 0.03


def _text_fault(text: str) -> tuple[Reason, str] | None:
    """Why a text is not a document, as reason and detail; None if it is one."""
    if not text or text.isspace():
        return Reason.EMPTY, "nothing but white space"
    try:
        data = text.encode()
    except UnicodeEncodeError as error:
        return Reason.UNKNOWN_ENCODING, f"half of a surrogate pair at character {error.start}"
    if b"\0" in data:
        return Reason.BINARY, "has a NUL byte"
    controls = len(data) - len(data.translate(None, _CONTROLS))
    if controls > _MAX_CONTROL_SHARE * len(text):
        return Reason.BINARY, f"{controls} control characters"
    return None


def _file_text(job: Job, max_bytes: int) -> str | Skip:
    """The text of a job's file, or why it is skipped."""
    try:
        with open(job.path, "rb", buffering=0) as file:
            # Not `read(max_bytes + 1)`, which would allocate that much memory each time.
            data = file.read() if os.fstat(file.fileno()).st_size <= max_bytes else None
    except OSError as error:
        return Skip(job.doc_id, Reason.UNREADABLE, _message(error))
    if data is None:
        return _too_large(job.doc_id, max_bytes)
    if b"\0" in data and not data.startswith(tuple(bom for bom, _ in _BOMS)):
        return Skip(job.doc_id, Reason.BINARY, "has a NUL byte")
    text = decode(data)
    return Skip(job.doc_id, Reason.UNKNOWN_ENCODING, "save it as UTF-8") if text is None else text


def _folder_jobs(root: Path) -> _Jobs:
    """Jobs of a folder and, last, the count of files with other endings."""
    try:
        os.scandir(root).close()
    except OSError as error:
        raise UserError(f"{root}: {_message(error)}; make the folder readable") from error
    other_endings: Counter[str] = Counter()
    items = _walk_folder(str(root), "", {}, other_endings)
    first = next(items, None)
    if first is None:
        raise UserError(f"{root}: no file ends in {', '.join(FORMAT_BY_ENDING)}; give a folder that holds documents")
    yield from chain([first], items)
    if other_endings:
        detail = ", ".join(f"{count} {ending}" for ending, count in sorted(other_endings.items()))
        yield Skip(_printable_path(str(root)), Reason.OTHER_ENDING, detail, other_endings.total())


def _walk_folder(folder: str, prefix: str, visited: dict[tuple[int, int], str], other_endings: Counter[str]) -> _Jobs:
    """Jobs below a folder, sorted by relative path; `visited` maps device and inode of each folder to its path."""
    try:
        status = os.stat(folder)
        first = visited.setdefault((status.st_dev, status.st_ino), prefix or ".")
        if first != (prefix or "."):
            yield Skip(prefix, Reason.SEEN_FOLDER, f"the same as {first}")
            return
        with os.scandir(folder) as entries:
            # With a final slash a folder is sorted among files as their full paths are.
            names = sorted((_printable_path(item.name) + "/" * _is_folder(item), item.path) for item in entries)
    except OSError as error:
        yield Skip(prefix, Reason.UNREADABLE, _message(error))
        return
    for name, path in names:
        ending = PurePosixPath(name).suffix.lower()
        if name.endswith("/"):
            if not name.startswith(".") and name not in _SKIPPED_FOLDERS:
                yield from _walk_folder(path, prefix + name, visited, other_endings)
        elif ending in FORMAT_BY_ENDING:
            yield _file_job(path, prefix + name)
        else:
            other_endings[ending or "without"] += 1


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself
        return False


def _file_job(path: str, doc_id: str) -> Job | Skip:
    """The job of a regular file; pipes and devices, which may never end, are skipped."""
    try:
        status = os.stat(path)
    except OSError as error:
        return Skip(doc_id, Reason.UNREADABLE, _message(error))
    if not stat.S_ISREG(status.st_mode):
        return Skip(doc_id, Reason.UNREADABLE, "not a regular file")
    return Job(doc_id, _format_of(doc_id) or "markdown", status.st_size, path=path)


class _RowReader:
    """Turns rows into jobs and remembers their ids, 8 bytes each: the only memory that grows with the input."""

    def __init__(self, where: str, name: str, text_field: str, max_bytes: int) -> None:
        self._where, self._name, self._field, self._max_bytes = where, name, text_field, max_bytes
        self._ids: set[bytes] = set()

    def job_of_line(self, number: int, line: bytes) -> Job | Skip:
        """The job of a line of JSON; its size is that of the line."""
        try:
            row = parse_line(line)
        except ValueError as error:
            return Skip(f"{self._where}:{number}", Reason.BAD_ROW, str(error))
        return self.job_of_row(number, row, len(line))

    def job_of_row(self, number: int, row: object, size: int | None = None) -> Job | Skip:
        """The job of the row with this number, from 1; without `size` its size is that of its text."""
        where = f"{self._where}:{number}"
        if not isinstance(row, dict):
            return Skip(where, Reason.BAD_ROW, "not a JSON object")
        text = row.get(self._field)
        if not isinstance(text, str):
            state = "is not a string" if self._field in row else "is missing"
            return Skip(where, Reason.BAD_ROW, f"field {self._field!r} {state} (--text-field)")
        data = text.encode("utf-8", "surrogatepass")
        if len(data) > self._max_bytes:
            return _too_large(where, self._max_bytes)
        doc_id = _row_id(row) or f"{self._name}:{blake2b(data, digest_size=8).hexdigest()}"
        digest = ticket(doc_id)
        if digest in self._ids:
            return Skip(where, Reason.DUPLICATE_ID, doc_id)
        self._ids.add(digest)
        return Job(doc_id, row_format(row), len(data) if size is None else size, text=text)


def _jsonl_jobs(path: Path, text_field: str, max_bytes: int) -> _Jobs:
    """Jobs of the rows of a JSONL file; rows are parsed here, where their ids can be compared."""
    reader = _RowReader(str(path), path.name, text_field, max_bytes)
    number = 0
    try:
        for number, data, too_long in read_lines(path, max_bytes=max_bytes):
            yield _too_large(f"{path}:{number}", max_bytes) if too_long else reader.job_of_line(number, data)
    except DamagedFileError as error:
        if not number:
            raise
        yield Skip(f"{path}:{error.line}", Reason.DAMAGED, f"{error.reason}; the rows before it were read")
    if not number:
        raise UserError(f"{path}: no rows; give a file with one JSON object on each line")


def _row_id(row: Mapping[str, Any]) -> str | None:
    """The id that a row names, if any."""
    values = (row.get(key) for key in ("id", "doc_id", "path"))
    return next((value for value in values if isinstance(value, str) and value), None)


def row_format(row: Mapping[str, Any]) -> str:
    """The format that a row names, or that the ending of its path or id implies."""
    named = row.get("format")
    if isinstance(named, str) and named in _FORMATS:
        return named
    values = (row.get(key) for key in ("path", "id", "doc_id"))
    formats = (_format_of(value) for value in values if isinstance(value, str))
    return next(filter(None, formats), "markdown")


def _format_of(path: str) -> str | None:
    return FORMAT_BY_ENDING.get(PurePosixPath(path).suffix.lower())


def _too_large(where: str, max_bytes: int) -> Skip:
    return Skip(where, Reason.TOO_LARGE, f"over {max_bytes} bytes")


def _printable_path(path: str) -> str:
    """A path with `/` that can be written as UTF-8: bytes that are not UTF-8 become `\\xff` escapes."""
    return os.fsencode(path).decode("utf-8", "backslashreplace").replace(os.sep, "/")


def _message(error: OSError) -> str:
    return error.strerror or str(error)
