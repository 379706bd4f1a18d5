"""The options of the benchmark, as one validated value."""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import cli
from benchmarks.worth.sources import OURS, SOURCES, PairSource, parse_variant
from degraders.errors import UserError

TINY = "debug-tiny"
DATA_OPTIONS = "--severity 3.5 --recoverable A"
TRAIN_OPTIONS = "--epochs 1 --per_device_batch_size 2 --learning_rate 5e-4 --lora_dropout 0"


@dataclass(frozen=True)
class Options:
    """The options of the command line, each with its name."""

    docs: Path
    real: Path
    model: str
    work: Path
    target_tokens: int
    seeds: list[int]
    sources: list[str]
    variant: list[PairSource]
    vary: str
    data_options: str
    train_options: str
    eval_options: str
    keep_bias: list[float]
    n_per_doc: int
    textattack: str | None
    tools: str | None
    held_out: bool
    last: bool
    texts: int
    clean: int
    beyond: int
    max_chars: int
    recoverable: list[str]
    threads: int
    jobs: int
    debug_tiny: bool

    def __post_init__(self) -> None:
        unknown = [name for name in self.sources if name not in SOURCES]
        if unknown:
            raise UserError(f"--sources {unknown[0]}: unknown source; choose from {', '.join(SOURCES)}")

    def contenders(self) -> Iterator[PairSource]:
        """The named sources, then the variants with the options of the source that they vary."""
        for name in self.sources:
            yield PairSource(name, OURS.get(name, ()))
        for variant in self.variant:
            yield replace(variant, base=self.vary, data_options=(*OURS[self.vary], *variant.data_options))


def build_parser(description: str | None) -> argparse.ArgumentParser:
    parser = cli.Parser(
        prog="benchmarks.worth",
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add, whole = parser.add_argument, cli.whole_number
    add("--docs", type=Path, required=True, help="folder of good documents")
    add("--real", type=Path, required=True, help="real pairs, JSONL")
    add("--model", required=True, help="base model: a folder, or its name on the hub")
    add("--work", type=Path, required=True, help="folder for all files of the benchmark")
    add("--target_tokens", type=whole(1), default=60_000, help="training budget of a run (default: %(default)s)")
    add("--seeds", type=_integers, default=[1, 2], help="separated by commas (default: 1,2)")
    add("--sources", type=cli.comma_list, default=list(SOURCES), help="separated by commas (default: all)")
    add("--variant", type=parse_variant, action="append", default=[], help="NAME='options'; may be repeated")
    add("--vary", choices=["realistic", "surface"], default="realistic", help="base of variants (default: %(default)s)")
    add(
        "--data_options",
        default=DATA_OPTIONS,
        help="options of data_prep.py for all our sources (default: %(default)s)",
    )
    add("--train_options", default=TRAIN_OPTIONS, help="options of train_qlora.py for all runs (default: %(default)s)")
    add("--eval_options", default="", help="options of eval.py for all models (default: none)")
    add("--keep_bias", type=_numbers, default=[1.0, 2.0, 3.0], help="candidates, by commas (default: 1,2,3)")
    add("--n_per_doc", type=whole(1), default=1, help="variants of each text (default: %(default)s)")
    add("--textattack", type=_interpreter, metavar="PYTHON", help="interpreter of an environment with textattack")
    add("--tools", type=_interpreter, metavar="PYTHON", help="interpreter of an environment with the correction tools")
    add("--held_out", action="store_true", help="also evaluate on the held-out owners")
    add("--last", action="store_true", help="also evaluate on the texts that are reserved for the last run")
    add("--texts", type=whole(1), default=150, help="real pairs to evaluate on (default: %(default)s)")
    add("--clean", type=whole(1), default=100, help="texts without errors to evaluate on (default: %(default)s)")
    add("--beyond", type=whole(0), default=50, help="pairs whose repair needs more than the text (default: 50)")
    add("--max_chars", type=whole(1), default=1200, help="longest text to evaluate on (default: %(default)s)")
    add("--recoverable", type=cli.comma_list, default=["text"], help="kinds of real pairs to use (default: text)")
    add("--threads", type=whole(1), default=1, help="threads of a run (default: %(default)s)")
    add("--jobs", type=whole(1), default=1, help="runs at the same time (default: %(default)s)")
    add("--debug_tiny", action="store_true", help="use a tiny model that is made on the spot")
    return parser


def _integers(text: str) -> list[int]:
    return [int(number) for number in text.split(",")]


def _numbers(text: str) -> list[float]:
    return [float(number) for number in text.split(",")]


def _interpreter(text: str) -> str:
    """The path of an interpreter. A link is not resolved, because a virtual environment is recognised by it."""
    path = shutil.which(text)
    if not path:
        raise argparse.ArgumentTypeError(f"{text!r}: no such program")
    return str(Path(path).absolute())
