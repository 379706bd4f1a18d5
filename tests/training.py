"""Shared by the tests of training: a few pairs, and runs of train_qlora.py in processes of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
PAIRS = [
    ("The sever starts on port 8080.", "The server starts on port 8080."),
    ("Run it twice and and wait.", "Run it twice and wait."),
    ("Each of the files are read once.", "Each of the files is read once."),
    ("It opens a the vault.", "It opens the vault."),
    ("Set the path before you instal it.", "Set the path before you install it."),
    ("Nothing is wrong here.", "Nothing is wrong here."),
    ("Choose an folder for the copies.", "Choose a folder for the copies."),
    ("The key consist of 24 words.", "The key consists of 24 words."),
]


def write_rows(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def write_pairs(path: Path) -> Path:
    """Write eight pairs to train on and two to validate on."""
    splits = ["train"] * len(PAIRS) + ["validation"] * 2
    pairs = [*PAIRS, *PAIRS[:2]]
    return write_rows(path, [{"bad": b, "good": g, "split": s} for (b, g), s in zip(pairs, splits, strict=True)])


def read_log(folder: Path) -> list[dict[str, Any]]:
    """The rows of metrics.jsonl."""
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]


def run_script(
    *arguments: object, launcher: tuple[str, ...] = (), **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run train_qlora.py in a process of its own, or under a launcher, without a network."""
    command = [sys.executable, *launcher, str(ROOT / "train_qlora.py"), *map(str, arguments)]
    settings = os.environ | {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"} | environment
    return subprocess.run(command, capture_output=True, text=True, env=settings, timeout=300)


def start_endless_training(pairs: Path, folder: Path, *, launcher: tuple[str, ...] = ()) -> subprocess.Popen[str]:
    """Start a run of train_qlora.py that would last for hours, and wait for its first checkpoint."""
    command = [sys.executable, *launcher, str(ROOT / "train_qlora.py"), "--dataset", str(pairs), "--debug_tiny"]
    endless = ["--max_steps", "1000000", "--patience", "0", "--save_every", "2", "--save_dir", str(folder)]
    settings = os.environ | {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    running = subprocess.Popen(
        [*command, *endless], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=settings
    )
    deadline = time.monotonic() + 120
    while not list(folder.glob("checkpoints/step-??????")) and running.poll() is None and time.monotonic() < deadline:
        time.sleep(0.05)
    return running


def torchrun(count: int) -> tuple[str, ...]:
    """A launcher of `count` processes."""
    return ("-m", "torch.distributed.run", "--nproc_per_node", str(count), "--master_port", "0", "--standalone")
