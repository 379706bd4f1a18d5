"""Files: written completely or not at all, checked before they are replaced, hashed, locked."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

from degraders.errors import UserError


def refuse_existing(path: Path, *, force: bool) -> None:
    """Raise UserError if the path is a folder, or is a file and `force` is false."""
    if path.is_dir():
        raise UserError(f"{path}: is a folder; name a file")
    if path.exists() and not force:
        raise UserError(f"{path}: exists already; pass --force to replace it, or choose another name")


def write_text(path: Path, text: str) -> None:
    """Write a small file completely or not at all. Raises UserError if that fails."""
    partial = path.with_name(path.name + ".partial")
    try:
        partial.write_text(text, encoding="utf-8", newline="\n")
        partial.replace(path)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise UserError(f"{path}: cannot be written ({error.strerror})") from error


def sha256_file(path: Path) -> str:
    """The SHA-256 of a file, as `sha256sum` prints it."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def lock_file(file: int, path: Path, option: str) -> None:
    """Lock an open file or folder for this process. The lock leaves no file behind and ends with the process.

    Raises UserError if another process has the lock; the message names the option for another path.
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
