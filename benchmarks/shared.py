"""Helpers of several benchmarks: CPU time, peak memory, contenders in their own processes, halves by owner."""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")
ROOT = Path(__file__).resolve().parents[1]


def cpu_seconds(work: Callable[[], object]) -> float:
    """The CPU time that this process uses for a piece of work."""
    started = time.process_time()
    work()
    return time.process_time() - started


def peak_kib() -> int:
    """The peak memory of this process since its program started, in KiB (Linux; getrusage counts from the fork)."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM")).split()[1])


def peak_gb() -> float:
    """The same in GB."""
    return peak_kib() * 1024 / 1e9


def spread(values: Sequence[float], digits: int = 2) -> str:
    """The median, with the minimum and the maximum: `1.76 (1.76 to 1.79)`."""
    median, low, high = (f"{value:.{digits}f}" for value in (statistics.median(values), min(values), max(values)))
    return f"{median} ({low} to {high})"


def print_row(name: str, value: str) -> None:
    print(f"{name:<18} {value}", flush=True)


def halve_by_owner(items: Iterable[T], project: Callable[[T], str]) -> tuple[list[T], list[T]]:
    """Two lists of about the same size, no owner in both; `project` is the `owner/name` of an item."""
    items_by_owner: dict[str, list[T]] = {}
    for item in items:
        items_by_owner.setdefault(project(item).partition("/")[0], []).append(item)
    halves: tuple[list[T], list[T]] = ([], [])
    for owner in sorted(items_by_owner, key=lambda name: (-len(items_by_owner[name]), name)):
        halves[len(halves[1]) < len(halves[0])].extend(items_by_owner[owner])
    return halves


def add_contender_options(parser: argparse.ArgumentParser, contenders: Iterable[str]) -> None:
    """Add `--threads`, `--contenders` and the hidden `--contender`, which a contender's own process gets."""
    names = list(contenders)
    parser.add_argument("--threads", type=int, default=1, help="threads of each process (default: %(default)s)")
    parser.add_argument(
        "--contenders",
        type=lambda text: text.split(","),
        default=names,
        help=f"contenders to run, separated by commas (default: {','.join(names)})",
    )
    parser.add_argument("--contender", choices=names, help=argparse.SUPPRESS)


def run_contender(module: str, arguments: Iterable[str], name: str, threads: int) -> tuple[Any, str]:
    """Run a contender in a process of its own; returns the JSON of its last line and "", or None and its error."""
    command = [sys.executable, "-m", module, *arguments, "--contender", name]
    environment = os.environ | {"OMP_NUM_THREADS": str(threads), "TOKENIZERS_PARALLELISM": "false"}
    process = subprocess.run(command, env=environment, capture_output=True, text=True)
    if process.returncode:
        return None, (process.stderr.strip().splitlines() or [f"ended with {process.returncode}"])[-1]
    return json.loads(process.stdout.splitlines()[-1]), ""
