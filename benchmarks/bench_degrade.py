#!/usr/bin/env python3
"""Measure speed and memory of stage 1, as ratios within one run.

    python -m benchmarks.bench_degrade docs/

Runs data_prep.py (sections, three variants, all degraders, one process) on the Markdown of a folder and prints

- MB of good and of bad text a CPU-second, including reading, near-copies, degrading and writing;
- the ratio to the floor: reading the documents and writing the same records with orjson, nothing else;
- the ratio, in bad text a CPU-second, to nlpaug's KeyboardAug on the same documents (`pip install nlpaug`);
- the wall time of two processes against one, and peak memory for ten times the documents.

Figures are medians over the runs, with the minimum and the maximum.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import orjson

import cli
import data_prep
from benchmarks.shared import ROOT, cpu_seconds, print_row, spread

VARIANTS = 3


@dataclass(frozen=True)
class Options:
    """The options of the command line."""

    docs: Path
    runs: int
    copies: int


def main(argv: Sequence[str] | None = None) -> int:
    options = cli.parse_options(build_parser(), argv, Options)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        copy_markdown(options.docs, folder / "x1", 1)
        copy_markdown(options.docs, folder / f"x{options.copies}", options.copies)
        measure_speed(folder / "x1", folder / "out.jsonl", options.runs)
        measure_workers(folder / f"x{options.copies}", folder / "out.jsonl")
        measure_memory(folder, options.copies)
    return 0


def build_parser() -> argparse.ArgumentParser:
    parser = cli.Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("docs", type=Path, help="folder of Markdown")
    parser.add_argument("--runs", type=int, default=5, help="counted runs of each (default: %(default)s)")
    parser.add_argument("--copies", type=int, default=10, help="for memory and workers (default: %(default)s)")
    return parser


def copy_markdown(docs: Path, target: Path, copies: int) -> None:
    """The Markdown files of a folder, `copies` times, each copy with a line of its own."""
    for path in sorted(docs.rglob("*.md")):
        text = path.read_text(encoding="utf-8")
        for number in range(copies):
            copy = target / str(number) / path.relative_to(docs)
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_text(text + (f"\nCopy number {number}.\n" if number else ""), encoding="utf-8")


def measure_speed(docs: Path, output: Path, runs: int) -> None:
    """Time stage 1, the floor and the peer in turn, so that a machine whose speed drifts slows them alike."""
    texts = [path.read_text(encoding="utf-8") for path in sorted(docs.rglob("*.md"))]
    good = sum(len(text.encode()) for text in texts) / 1e6
    degrade(docs, output)
    records = [orjson.loads(line) for line in output.read_bytes().splitlines()]
    bad = sum(len(record["bad"].encode()) for record in records) / 1e6
    errors = sum(len(record["spans"]) for record in records)
    peer = load_nlpaug()
    stage, floor, peers = [], [], []
    for _ in range(runs):
        stage.append(cpu_seconds(lambda: degrade(docs, output)))
        floor.append(cpu_seconds(lambda: read_and_write(docs, records, output)))
        if peer:
            peers.append(cpu_seconds(lambda: [peer(text) for text in texts]))
    print_row("documents", f"{len(texts)} of Markdown, {good:.2f} MB; {len(records)} records, {errors} errors")
    print_row("good text", f"{spread([good / s for s in stage])} MB a CPU-second")
    print_row("bad text", f"{spread([bad / s for s in stage])} MB a CPU-second")
    print_row("against floor", f"{spread([s / f for s, f in zip(stage, floor, strict=True)])} times as long")
    if peers:
        ratios = [bad / s / (good / p) for s, p in zip(stage, peers, strict=True)]
        peer_rate = spread([good / p for p in peers])
        print_row("against nlpaug", f"{spread(ratios)} times as much bad text (nlpaug: {peer_rate} MB)")
    else:
        print_row("against nlpaug", "not installed: pip install -r benchmarks/requirements.txt")


def degrade(docs: Path, output: Path, workers: int = 1) -> None:
    arguments = ["--input", str(docs), "--output", str(output), "--n-per-doc", str(VARIANTS), "--force"]
    with contextlib.redirect_stdout(io.StringIO()):
        code = data_prep.main([*arguments, "--workers", str(workers)])
    if code:
        sys.exit(code)


def read_and_write(docs: Path, records: list[dict[str, object]], output: Path) -> None:
    for path in sorted(docs.rglob("*.md")):
        path.read_text(encoding="utf-8")
    with output.open("wb") as file:
        for record in records:
            file.write(orjson.dumps(record, option=orjson.OPT_APPEND_NEWLINE))


def load_nlpaug() -> Callable[[str], object] | None:
    """A function that makes one bad variant of a document with nlpaug's KeyboardAug; None if it is not installed."""
    try:
        from nlpaug.augmenter.char import KeyboardAug
    except ImportError:
        return None
    return KeyboardAug().augment  # type: ignore[no-any-return]


def measure_workers(docs: Path, output: Path) -> None:
    """Compare the wall time of one process and of two, in turn."""
    ratios = []
    for _ in range(3):
        seconds = []
        for workers in (1, 2):
            started = time.monotonic()
            degrade(docs, output, workers)
            seconds.append(time.monotonic() - started)
        ratios.append(seconds[0] / seconds[1])
    print_row("two processes", f"{spread(ratios)} times as fast as one, on {os.cpu_count()} cores")


def measure_memory(folder: Path, copies: int) -> None:
    """Compare the peak memory for the documents once and for many times as many."""
    once, often = (peak_mib(folder / name, folder / "out.jsonl") for name in ("x1", f"x{copies}"))
    ratio = f"{often / once:.2f} times as much"
    print_row("peak memory", f"{once:.0f} MB; {often:.0f} MB for {copies} times the documents, {ratio}")


def peak_mib(docs: Path, output: Path) -> float:
    """The peak memory of data_prep.py in a process of its own, in MiB."""
    code = (
        "import sys, data_prep; from benchmarks.shared import peak_kib;"
        "data_prep.main(['--input', sys.argv[1], '--output', sys.argv[2], '--force', '--workers', '1']);"
        "print(peak_kib())"
    )
    command = [sys.executable, "-c", code, str(docs), str(output)]
    process = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return int(process.stdout.split()[-1]) / 1024


if __name__ == "__main__":
    sys.exit(main())
