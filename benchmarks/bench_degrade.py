#!/usr/bin/env python3
"""Speed and memory of stage 1, as ratios in one run.

    python benchmarks/bench_degrade.py docs/

Runs `data_prep.py` (sections, three variants, all degraders, one process) on the Markdown of a folder and prints

- MB of good text a CPU-second, reading, near-copies, degrading and writing included;
- the ratio to the floor: reading the documents and writing the same records with orjson, nothing else;
- the ratio, in bad text a CPU-second, to nlpaug's KeyboardAug on the same documents (`pip install nlpaug`);
- two processes against one, in wall time, and peak memory for ten times the documents.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import orjson  # noqa: E402

import data_prep  # noqa: E402

VARIANTS = 3


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("docs", type=Path, help="folder of Markdown")
    parser.add_argument("--runs", type=int, default=5, help="counted runs of each (default: %(default)s)")
    parser.add_argument("--copies", type=int, default=10, help="for memory and workers (default: %(default)s)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        copy_markdown(options.docs, folder / "x1", 1)
        copy_markdown(options.docs, folder / f"x{options.copies}", options.copies)
        speed(folder / "x1", folder / "out.jsonl", options.runs)
        workers(folder / f"x{options.copies}", folder / "out.jsonl")
        memory(folder, options.copies)
    return 0


def copy_markdown(docs: Path, target: Path, copies: int) -> None:
    """The Markdown files of a folder, `copies` times, each copy with a line of its own."""
    for path in sorted(docs.rglob("*.md")):
        text = path.read_text(encoding="utf-8")
        for number in range(copies):
            name = target / str(number) / path.relative_to(docs)
            name.parent.mkdir(parents=True, exist_ok=True)
            name.write_text(text + (f"\nCopy number {number}.\n" if number else ""), encoding="utf-8")


def speed(docs: Path, output: Path, runs: int) -> None:
    texts = [path.read_text(encoding="utf-8") for path in sorted(docs.rglob("*.md"))]
    good = sum(len(text.encode()) for text in texts) / 1e6
    seconds = median(lambda: degrade(docs, output), runs)
    records = [orjson.loads(line) for line in output.read_bytes().splitlines()]
    bad = sum(len(record["bad"].encode()) for record in records) / 1e6
    floor = median(lambda: read_and_write(docs, records, output), runs)
    errors = sum(len(record["spans"]) for record in records)
    show("documents", f"{len(texts)} of Markdown, {good:.2f} MB; {len(records)} records, {errors} errors")
    rate = bad / seconds
    show("stage 1", f"{seconds:.2f} CPU-s: {good / seconds:.2f} MB of good text a CPU-s, {rate:.2f} MB of bad text")
    show(
        "floor (orjson)",
        f"{floor:.2f} CPU-s to read and write the same: stage 1 takes {seconds / floor:.1f} times that",
    )
    peer = nlpaug_rate(texts)
    if peer:
        show("nlpaug keyboard", f"{peer:.2f} MB of bad text a CPU-s: stage 1 makes {rate / peer:.1f} times as much")
    else:
        show("nlpaug keyboard", "not installed: pip install -r benchmarks/requirements.txt")


def show(name: str, value: str) -> None:
    print(f"{name:<16} {value}", flush=True)


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


def median(work: Callable[[], None], runs: int) -> float:
    """The median CPU time of this process over some runs, after one to warm up; seconds."""
    work()
    taken = []
    for _ in range(runs):
        started = time.process_time()
        work()
        taken.append(time.process_time() - started)
    return statistics.median(taken)


def nlpaug_rate(texts: list[str]) -> float | None:
    """MB of bad text that nlpaug's KeyboardAug makes in a CPU-second, one variant a document."""
    try:
        from nlpaug.augmenter.char import KeyboardAug
    except ImportError:
        return None
    peer = KeyboardAug()
    started = time.process_time()
    made = [peer.augment(text) for text in texts]
    seconds = time.process_time() - started
    return sum(len(text.encode()) for texts in made for text in texts) / 1e6 / seconds


def workers(docs: Path, output: Path) -> None:
    """Wall time of one process against two, in turn."""
    ratios = []
    for _ in range(3):
        taken = []
        for count in (1, 2):
            started = time.monotonic()
            degrade(docs, output, count)
            taken.append(time.monotonic() - started)
        ratios.append(taken[0] / taken[1])
    spread = f"{min(ratios):.2f} to {max(ratios):.2f} in three runs on {os.cpu_count()} cores"
    show("two processes", f"{statistics.median(ratios):.2f} times as fast as one ({spread})")


def memory(folder: Path, copies: int) -> None:
    """Peak memory of the whole process for the documents once, and for many times as many."""
    once, often = (peak_mb(folder / name, folder / "out.jsonl") for name in ("x1", f"x{copies}"))
    show(
        "peak memory",
        f"{once:.0f} MB; {often:.0f} MB for {copies} times the documents, {often / once:.2f} times as much",
    )


def peak_mb(docs: Path, output: Path) -> float:
    """The peak of a process of its own, as the kernel keeps it from the start of that program (Linux)."""
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); import data_prep;"
        "data_prep.main(['--input', sys.argv[2], '--output', sys.argv[3], '--force', '--workers', '1']);"
        "print(next(line for line in open('/proc/self/status') if line.startswith('VmHWM')))"
    )
    command = [sys.executable, "-c", code, str(ROOT), str(docs), str(output)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return int(done.stdout.split()[-2]) / 1024


if __name__ == "__main__":
    sys.exit(main())
