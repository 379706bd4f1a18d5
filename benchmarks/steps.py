"""Steps of a long benchmark, each taken once: one that is done is not taken again, one that was cut short goes on."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from degraders.errors import UserError  # noqa: E402
from degraders.files import write_text  # noqa: E402

_running: set[int] = set()


class EndedError(UserError):
    """A script that ended before its work did; it had used so many CPU-seconds."""

    def __init__(self, said: str, cpu_seconds: float) -> None:
        super().__init__(said)
        self.cpu_seconds = cpu_seconds


def once(marker: Path, signature: Mapping[str, Any], product: Path, work: Callable[[], float]) -> float:
    """Do the work, which returns its CPU-seconds, unless its marker says that it is done; returns them.

    `signature` is all that has a part in the product; a product of another signature is removed first, what the same
    work left half done stays, to go on from. What a script had used when it was cut short counts, too.
    """
    asked = json.loads(json.dumps(signature))
    kept = json.loads(marker.read_text()) if marker.exists() else {}
    if kept.get("signature") != asked:
        if product.is_dir():
            shutil.rmtree(product)
        product.unlink(missing_ok=True)
        kept = {"signature": asked, "done": False, "cpu_seconds": 0.0}
        marker.parent.mkdir(parents=True, exist_ok=True)
        write_text(marker, json.dumps(kept, indent=2) + "\n")
    if not kept["done"]:
        try:
            kept |= {"cpu_seconds": kept["cpu_seconds"] + work(), "done": True}
        except EndedError as ended:
            kept["cpu_seconds"] += ended.cpu_seconds
            write_text(marker, json.dumps(kept, indent=2) + "\n")
            raise
        write_text(marker, json.dumps(kept, indent=2) + "\n")
    return float(kept["cpu_seconds"])


def script(
    name: str,
    arguments: Sequence[str],
    folder: Path,
    log: Path,
    *,
    threads: int = 1,
    python: str = sys.executable,
    source: Path | None = None,
    output: Path | None = None,
) -> float:
    """Run one of the project's scripts in a folder, from `source` to `output` if they are named; its CPU-seconds.

    What it says goes to the log, the output is there only if all went well. EndedError, with the last line of the
    log, if it fails. Sets have the same order in every run, for libraries that draw from them.
    """
    settings = os.environ | {"OMP_NUM_THREADS": str(threads), "TOKENIZERS_PARALLELISM": "false", "PYTHONHASHSEED": "0"}
    log.parent.mkdir(parents=True, exist_ok=True)
    partial = output.with_name(output.name + ".partial") if output else None
    with log.open("a", encoding="utf-8") as said, _opened(source, "rb") as into, _opened(partial, "wb") as out:
        command = [python, str(ROOT / name), *arguments]
        to = out if partial else said
        process = subprocess.Popen(command, cwd=folder, env=settings, stdin=into, stdout=to, stderr=said)
        _running.add(process.pid)
        _, status, used = os.wait4(process.pid, 0)
        _running.discard(process.pid)
        process.returncode = os.waitstatus_to_exitcode(status)
    seconds = used.ru_utime + used.ru_stime
    if process.returncode:
        last = (log.read_text(encoding="utf-8").strip().splitlines() or ["nothing was said"])[-1]
        raise EndedError(f"{name} ended with {process.returncode}: {last} (all of it is in {log})", seconds)
    if partial and output:
        partial.replace(output)
    return seconds


def stop() -> None:
    """End the scripts that are running, for those who wait for them no longer."""
    for pid in list(_running):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)


def _opened(path: Path | None, mode: str) -> AbstractContextManager[Any]:
    return path.open(mode) if path else nullcontext(subprocess.DEVNULL)
