"""Steps of a long benchmark: a finished step does not run again, and an interrupted one continues."""

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

from benchmarks.shared import ROOT
from degraders.errors import UserError
from degraders.files import write_text

_process_ids: set[int] = set()


class ScriptError(UserError):
    """A script that failed or was interrupted, and the CPU-seconds that it used."""

    def __init__(self, message: str, cpu_seconds: float) -> None:
        super().__init__(message)
        self.cpu_seconds = cpu_seconds


def run_once(marker: Path, signature: Mapping[str, Any], product: Path, work: Callable[[], float]) -> float:
    """Do the work, which returns its CPU-seconds, unless its marker file says that it is done; returns CPU-seconds.

    `signature` holds everything that the product depends on. A product with another signature is deleted first; an
    incomplete one with the same signature stays, so that the work can continue from it. The CPU-seconds of interrupted
    attempts are included.
    """
    expected = json.loads(json.dumps(signature))
    state = json.loads(marker.read_text()) if marker.exists() else {}
    if state.get("signature") != expected:
        if product.is_dir():
            shutil.rmtree(product)
        product.unlink(missing_ok=True)
        state = {"signature": expected, "done": False, "cpu_seconds": 0.0}
        marker.parent.mkdir(parents=True, exist_ok=True)
        write_text(marker, json.dumps(state, indent=2) + "\n")
    if not state["done"]:
        try:
            state |= {"cpu_seconds": state["cpu_seconds"] + work(), "done": True}
        except ScriptError as error:
            state["cpu_seconds"] += error.cpu_seconds
            write_text(marker, json.dumps(state, indent=2) + "\n")
            raise
        write_text(marker, json.dumps(state, indent=2) + "\n")
    return float(state["cpu_seconds"])


def call_script(
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
    """Run one of the project's scripts in a folder, with stdin from `source` and stdout to `output` if they are named;
    returns its CPU-seconds.

    Messages go to the log. The output file exists only after success. ScriptError, with the last line of the log, if
    the script fails. Sets have the same order in every run, because some libraries draw from them.
    """
    settings = os.environ | {"OMP_NUM_THREADS": str(threads), "TOKENIZERS_PARALLELISM": "false", "PYTHONHASHSEED": "0"}
    log.parent.mkdir(parents=True, exist_ok=True)
    partial = output.with_name(output.name + ".partial") if output else None
    with (
        log.open("a", encoding="utf-8") as messages,
        _open_or_null(source, "rb") as stdin,
        _open_or_null(partial, "wb") as results,
    ):
        command = [python, str(ROOT / name), *arguments]
        stdout = results if partial else messages
        process = subprocess.Popen(command, cwd=folder, env=settings, stdin=stdin, stdout=stdout, stderr=messages)
        _process_ids.add(process.pid)
        _, status, usage = os.wait4(process.pid, 0)
        _process_ids.discard(process.pid)
        process.returncode = os.waitstatus_to_exitcode(status)
    seconds = usage.ru_utime + usage.ru_stime
    if process.returncode:
        last = (log.read_text(encoding="utf-8").strip().splitlines() or ["no message"])[-1]
        raise ScriptError(f"{name} ended with {process.returncode}: {last} (see {log})", seconds)
    if partial and output:
        partial.replace(output)
    return seconds


def stop_scripts() -> None:
    """End all running scripts."""
    for process_id in list(_process_ids):
        with suppress(ProcessLookupError):
            os.kill(process_id, signal.SIGTERM)


def _open_or_null(path: Path | None, mode: str) -> AbstractContextManager[Any]:
    return path.open(mode) if path else nullcontext(subprocess.DEVNULL)
