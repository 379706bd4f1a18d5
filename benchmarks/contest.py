"""What the benchmarks share: contenders that each run in a process of their own, projects divided by owner."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")


def add_options(parser: argparse.ArgumentParser, contenders: Iterable[str]) -> None:
    """`--threads`, `--contenders` and, for the processes themselves, `--contender`."""
    known = list(contenders)
    parser.add_argument("--threads", type=int, default=1, help="threads of each process (default: %(default)s)")
    parser.add_argument(
        "--contenders",
        type=lambda text: text.split(","),
        default=known,
        help=f"which, with commas (default: {','.join(known)})",
    )
    parser.add_argument("--contender", choices=known, help=argparse.SUPPRESS)


def run(script: str, arguments: Iterable[str], name: str, threads: int) -> tuple[Any, str]:
    """What a contender prints as JSON in its last line, and "", or None and why it did not run."""
    command = [sys.executable, script, *arguments, "--contender", name]
    environment = os.environ | {"OMP_NUM_THREADS": str(threads), "TOKENIZERS_PARALLELISM": "false"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    if done.returncode:
        return None, (done.stderr.strip().splitlines() or [f"ended with {done.returncode}"])[-1]
    return json.loads(done.stdout.splitlines()[-1]), ""


def peak_gb() -> float:
    """The peak memory of this process from the start of its program, which getrusage does not tell (Linux)."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) * 1024 / 1e9


def halves(found: Sequence[T], project: Callable[[T], str]) -> tuple[list[T], list[T]]:
    """What belongs to the projects (`owner/name`) of some owners, and to those of the others: about as much."""
    owners: dict[str, list[T]] = {}
    for one in found:
        owners.setdefault(project(one).partition("/")[0], []).append(one)
    sides: tuple[list[T], list[T]] = ([], [])
    for owner in sorted(owners, key=lambda name: (-len(owners[name]), name)):
        sides[len(sides[1]) < len(sides[0])].extend(owners[owner])
    return sides
