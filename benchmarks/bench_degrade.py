#!/usr/bin/env python3
"""Speed and memory of stage 1, as ratios in one run.

    python benchmarks/bench_degrade.py docs/

Runs `data_prep.py` (sections, three variants, all degraders, one process) on the Markdown of a folder and prints

- MB of good and of bad text a CPU-second, reading, near-copies, degrading and writing included;
- the ratio to the floor: reading the documents and writing the same records with orjson, nothing else;
- the ratio, in bad text a CPU-second, to nlpaug's KeyboardAug on the same documents (`pip install nlpaug`);
- two processes against one, in wall time, and peak memory for ten times the documents.

Figures are medians over the runs, with the least and the most.
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
    """Stage 1, the floor and the peer in turn, so that a machine whose speed drifts slows them alike."""
    texts = [path.read_text(encoding="utf-8") for path in sorted(docs.rglob("*.md"))]
    good = sum(len(text.encode()) for text in texts) / 1e6
    degrade(docs, output)
    records = [orjson.loads(line) for line in output.read_bytes().splitlines()]
    bad = sum(len(record["bad"].encode()) for record in records) / 1e6
    errors = sum(len(record["spans"]) for record in records)
    peer = nlpaug()
    stage, floor, peers = [], [], []
    for _ in range(runs):
        stage.append(cpu_seconds(lambda: degrade(docs, output)))
        floor.append(cpu_seconds(lambda: read_and_write(docs, records, output)))
        if peer:
            peers.append(cpu_seconds(lambda: [peer(text) for text in texts]))
    show("documents", f"{len(texts)} of Markdown, {good:.2f} MB; {len(records)} records, {errors} errors")
    show("good text", f"{spread([good / s for s in stage])} MB a CPU-second")
    show("bad text", f"{spread([bad / s for s in stage])} MB a CPU-second")
    show("against floor", f"{spread([s / f for s, f in zip(stage, floor, strict=True)])} times as long")
    if peers:
        ratios = [bad / s / (good / p) for s, p in zip(stage, peers, strict=True)]
        show(
            "against nlpaug",
            f"{spread(ratios)} times as much bad text (it makes {spread([good / p for p in peers])} MB)",
        )
    else:
        show("against nlpaug", "not installed: pip install -r benchmarks/requirements.txt")


def spread(values: list[float]) -> str:
    return f"{statistics.median(values):.2f} ({min(values):.2f} to {max(values):.2f})"


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


def cpu_seconds(work: Callable[[], object]) -> float:
    """The CPU time that this process takes for a piece of work."""
    started = time.process_time()
    work()
    return time.process_time() - started


def nlpaug() -> Callable[[str], object] | None:
    """What makes one bad variant of a document with nlpaug's KeyboardAug, if that is installed."""
    try:
        from nlpaug.augmenter.char import KeyboardAug
    except ImportError:
        return None
    return KeyboardAug().augment  # type: ignore[no-any-return]


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
    show("two processes", f"{spread(ratios)} times as fast as one, on {os.cpu_count()} cores")


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
