"""Files: written completely or not at all, by one run at a time, checked before they are replaced, hashed."""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from degraders.errors import UserError


def refuse_existing(path: Path, *, force: bool) -> None:
    """Raise UserError if the path is a folder, or is a file and `force` is false."""
    if path.is_dir():
        raise UserError(f"{path}: is a folder; name a file")
    if path.exists() and not force:
        raise UserError(f"{path}: exists already; pass --force to replace it, or choose another name")


def check_regular(path: Path) -> None:
    """Raise UserError if the path is that of a folder, or of a pipe or device, which may never end."""
    if path.exists() and not path.is_file():
        raise UserError(f"{path}: not a regular file; name a file")


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """The name of a partial file to write; it replaces `path` only if the block ends without an error."""
    partial = path.with_name(path.name + ".partial")
    try:
        yield partial
        partial.replace(path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


def write_text(path: Path, text: str) -> None:
    """Write a small file completely or not at all. Raises UserError if that fails."""
    try:
        with replacing(path) as partial:
            partial.write_text(text, encoding="utf-8", newline="\n")
    except OSError as error:
        raise UserError(f"{path}: cannot be written ({error.strerror})") from error


def sha256_file(path: Path) -> str:
    """The SHA-256 of a file, as `sha256sum` prints it."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def claim_files(paths: Iterable[Path]) -> Iterator[None]:
    """Keep other runs from writing these files, or folders that do not exist yet, until the block ends.

    The lock of a file is an empty hidden file beside it, which disappears at the end; a killed run leaves it behind
    unlocked. UserError if another run has claimed a file, if two of the paths are the same, or if a file cannot be
    written.
    """
    claimed: set[Path] = set()
    with ExitStack() as stack:
        for path in paths:
            if not path.name:
                raise UserError(f"{path}: is a folder; name a file")
            if path.resolve() in claimed:
                raise UserError(f"{path}: two outputs have this name; choose another for one of them")
            claimed.add(path.resolve())
            stack.enter_context(_claim_file(path))
        yield


@contextmanager
def claim_folder(folder: Path) -> Iterator[None]:
    """Keep other runs from writing to a folder until the block ends.

    A missing folder is created, and removed again if it is empty at the end. UserError if another run has claimed it.
    """
    if folder.exists() and not folder.is_dir():
        raise UserError(f"{folder}: is a file; name a folder")
    is_new = not folder.exists()
    folder.mkdir(parents=True, exist_ok=True)
    handle = _open_locked(folder, os.O_RDONLY, folder)
    try:
        yield
    finally:
        if is_new and not any(folder.iterdir()):
            folder.rmdir()
        os.close(handle)


def lock_file(file: int, path: Path) -> None:
    """Lock an open file or folder for this process; the lock ends when the file is closed.

    UserError if another process has the lock.
    """
    if sys.platform == "win32":
        return
    import fcntl

    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise UserError(f"{path}: another run is writing there; wait for it, or choose another name") from error
    except OSError:
        pass  # a network file system that cannot lock


@contextmanager
def _claim_file(path: Path) -> Iterator[None]:
    lock = path.with_name(f".{path.name}.lock")
    try:
        handle = _open_locked(lock, os.O_RDWR | os.O_CREAT, path)
    except FileNotFoundError as error:
        raise UserError(f"{path.parent}: there is no such folder; create it, or choose another name") from error
    except OSError as error:
        raise UserError(f"{path.parent}: cannot be written to ({error.strerror}); choose another name") from error
    try:
        yield
    finally:
        with suppress(OSError):
            lock.unlink()
        os.close(handle)


def _open_locked(lock: Path, flags: int, path: Path) -> int:
    """Open the file or folder `lock` and lock it, as the lock of `path`; returns the handle."""
    while True:
        handle = os.open(lock, flags, 0o666)
        try:
            lock_file(handle, path)
            if lock.exists() and os.path.samestat(os.fstat(handle), lock.stat()):
                return handle
        except BaseException:
            os.close(handle)
            raise
        os.close(handle)  # the run that had the lock ended and removed the file after it was opened here
