"""Files that are written completely or not at all, and by one run at a time."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from degraders.errors import UserError
from degraders.files import claim_files, claim_folder, replacing, write_text

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="files are not locked there")

ROOT = Path(__file__).resolve().parents[1]
CLAIM = """
import sys
from pathlib import Path
from degraders.files import claim_files, claim_folder
with claim_files([Path(sys.argv[2])]) if sys.argv[1] == "file" else claim_folder(Path(sys.argv[2])):
    print("claimed", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def start_claim() -> Iterator[Callable[[str, Path], subprocess.Popen[str]]]:
    """Starts another process that claims a file or folder until its stdin is closed."""
    started: list[subprocess.Popen[str]] = []

    def start(kind: str, path: Path) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", CLAIM, kind, str(path)]
        running = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        started.append(running)
        assert running.stdout and running.stdout.readline() == "claimed\n"
        return running

    yield start
    for running in started:
        running.kill()
        running.communicate(timeout=20)


def claim(kind: str, path: Path) -> AbstractContextManager[None]:
    return claim_files([path]) if kind == "file" else claim_folder(path)


@pytest.mark.parametrize("kind", ["file", "folder"])
@pytest.mark.parametrize("ending", ["clean", "killed"])
def test_one_run_at_a_time_writes(
    tmp_path: Path, start_claim: Callable[[str, Path], subprocess.Popen[str]], kind: str, ending: str
) -> None:
    path = tmp_path / "out"
    other = start_claim(kind, path)
    with pytest.raises(UserError, match="another run is writing there"), claim(kind, path):
        pass
    assert path.exists() == (kind == "folder"), "a refused run leaves the other's folder alone"
    if ending == "killed":
        other.kill()
    other.communicate(timeout=20)
    with claim(kind, path), pytest.raises(UserError, match="another run is writing there"), claim(kind, path):
        pass
    assert list(tmp_path.iterdir()) == [path] * (kind == "folder" and ending == "killed")


def test_a_folder_with_files_stays(tmp_path: Path) -> None:
    with claim_folder(tmp_path / "a" / "b"):
        (tmp_path / "a" / "b" / "file").touch()
    with claim_folder(tmp_path / "a" / "b"):
        (tmp_path / "a" / "b" / "file").unlink()
    assert (tmp_path / "a" / "b").is_dir(), "it existed before"
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="is a file"), claim_folder(tmp_path / "file"):
        pass


def test_claims_that_cannot_be_made(tmp_path: Path) -> None:
    same = [tmp_path / "a", tmp_path / "b", tmp_path / "." / "a"]
    with pytest.raises(UserError, match="two outputs have this name"), claim_files(same):
        pass
    with pytest.raises(UserError, match="is a folder"), claim_files([Path("")]):
        pass
    with pytest.raises(UserError, match="no: there is no such folder"), claim_files([tmp_path / "no" / "a"]):
        pass
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_a_file_is_replaced_whole_or_not_at_all(tmp_path: Path, error: type[BaseException]) -> None:
    path = tmp_path / "a"
    write_text(path, "old")

    def fail() -> None:
        with replacing(path) as partial:
            partial.write_text("ne")
            raise error

    with pytest.raises(error):
        fail()
    assert path.read_text() == "old" and list(tmp_path.iterdir()) == [path]
    with replacing(path) as partial:
        partial.write_text("new")
    assert path.read_text() == "new" and list(tmp_path.iterdir()) == [path]
