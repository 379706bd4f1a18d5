"""Sources of pairs, what is run of them, and the options of bench_worth.py."""

from __future__ import annotations

import argparse
import re
import shlex
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import cli  # noqa: E402
import data_prep  # noqa: E402
import eval as eval_script  # noqa: E402
import train_qlora  # noqa: E402

OURS = {"realistic": (), "uniform": (), "surface": ("--degraders", "spelling", "grammar")}
NOISE = ("nlpaug-keyboard", "nlpaug-spelling", "textattack")
REAL = "real"
UNTRAINED = ("none", "copy")
TOOLS = ("codespell", "languagetool", "harper")
SOURCES = ("realistic", *NOISE[:1], *UNTRAINED, *TOOLS, "uniform", "surface", *NOISE[1:], REAL)
TINY = "debug-tiny"
RECIPE = "--epochs 1 --per_device_batch_size 2 --learning_rate 5e-4 --lora_dropout 0"
MADE = "--severity 3.5 --recoverable A"


@dataclass(frozen=True)
class Source:
    """Where pairs come from; `data`, `training` and `asking` are options of data_prep.py, train_qlora.py and eval.py
    beside the usual. A variant is a source with other options, `of` says which one."""

    name: str
    data: tuple[str, ...] = ()
    training: tuple[str, ...] = ()
    asking: tuple[str, ...] = ()
    of: str = ""

    def __str__(self) -> str:
        return f"{self.name}={shlex.join([*self.data, *self.training, *self.asking])}"

    @property
    def trained(self) -> bool:
        return bool(self.of) or self.name in (*OURS, *NOISE, REAL)


class Task(NamedTuple):
    """A source with a seed; what needs none, since nothing is drawn, has None."""

    source: Source
    seed: int | None

    @property
    def name(self) -> str:
        return self.source.name if self.seed is None else f"{self.source.name}-{self.seed}"

    @property
    def learner(self) -> Task:
        """The task whose adapter answers: a variant that is only asked in another way learns nothing of its own."""
        source = self.source
        if not source.of or (source.data, source.training) != (OURS[source.of], ()):
            return self
        return Task(Source(source.of, OURS[source.of]), self.seed)


def build_parser(description: str | None) -> argparse.ArgumentParser:
    settings: dict[str, Any] = {"description": description, "formatter_class": argparse.RawDescriptionHelpFormatter}
    parser = argparse.ArgumentParser(prog="bench_worth.py", allow_abbrev=False, **settings)
    whole = cli.whole_number
    parser.add_argument("--docs", type=Path, required=True, help="good documents, a folder")
    parser.add_argument("--real", type=Path, required=True, help="real pairs, JSONL")
    parser.add_argument("--model", required=True, help="base model: a folder, or its name on the hub")
    parser.add_argument("--work", type=Path, required=True, help="folder of all that is made")
    parser.add_argument("--target_tokens", type=whole(1), default=60_000, help="budget of a run (default: %(default)s)")
    parser.add_argument("--seeds", type=_numbers, default=[1, 2], help="with commas (default: 1,2)")
    parser.add_argument("--sources", type=cli.comma_list, default=list(SOURCES), help="with commas (default: all)")
    parser.add_argument("--variant", type=variant, action="append", default=[], help="NAME='options', any number")
    parser.add_argument(
        "--vary", choices=["realistic", "surface"], default="realistic", help="of what (default: %(default)s)"
    )
    parser.add_argument("--recipe", default=RECIPE, help="options of train_qlora.py for all (default: %(default)s)")
    parser.add_argument("--made", default=MADE, help="options of data_prep.py for all of ours (default: %(default)s)")
    parser.add_argument(
        "--keep_bias", type=_biases, default=[1.0, 2.0, 3.0], help="to choose from, with commas (default: 1,2,3)"
    )
    parser.add_argument("--asking", default="", help="options of eval.py for all models (default: none)")
    parser.add_argument("--n_per_doc", type=whole(1), default=1, help="variants of a text (default: %(default)s)")
    parser.add_argument(
        "--textattack", type=_interpreter, metavar="PYTHON", help="interpreter of an environment with textattack"
    )
    parser.add_argument(
        "--tools", type=_interpreter, metavar="PYTHON", help="interpreter of an environment with the tools"
    )
    parser.add_argument("--held_out", action="store_true", help="ask the owners that nothing was tuned on, too")
    parser.add_argument("--last", action="store_true", help="ask texts of these owners that are kept for the last run")
    parser.add_argument("--texts", type=whole(1), default=150, help="real pairs that are asked (default: %(default)s)")
    parser.add_argument("--clean", type=whole(1), default=100, help="texts to be left alone (default: %(default)s)")
    parser.add_argument("--beyond", type=whole(0), default=50, help="pairs that the text does not tell (default: 50)")
    parser.add_argument("--max_chars", type=whole(1), default=1200, help="longest text asked (default: %(default)s)")
    parser.add_argument(
        "--recoverable", type=cli.comma_list, default=["text"], help="which real pairs are asked (default: text)"
    )
    parser.add_argument("--threads", type=whole(1), default=1, help="threads of a run (default: %(default)s)")
    parser.add_argument("--jobs", type=whole(1), default=1, help="runs at once (default: %(default)s)")
    parser.add_argument("--debug_tiny", action="store_true", help="a tiny model made on the spot, a few steps")
    return parser


def _numbers(text: str) -> list[int]:
    return [int(number) for number in text.split(",")]


def _biases(text: str) -> list[float]:
    return [float(number) for number in text.split(",")]


def variant(text: str) -> Source:
    """`NAME='options'`: each option goes to the first of data_prep.py, train_qlora.py and eval.py that knows it."""
    name, equals, rest = text.partition("=")
    if not equals or not re.fullmatch(r"[\w.]+", name) or name in SOURCES:
        raise argparse.ArgumentTypeError(f"{text!r}: write NAME='--option value ...' with a name of its own")
    groups: list[list[str]] = []
    for word in shlex.split(rest):
        if word.startswith("--") or not groups:
            groups.append([])
        groups[-1].append(word)
    parsers = [script.build_parser() for script in (data_prep, train_qlora, eval_script)]
    sides: tuple[list[str], list[str], list[str]] = ([], [], [])
    for group in groups:
        knows = [not parser.parse_known_args(group)[1] for parser in parsers]
        if True not in knows:
            raise argparse.ArgumentTypeError(f"{name}: none of the scripts knows {shlex.join(group)}")
        sides[knows.index(True)].extend(group)
    data, training, asking = map(tuple, sides)
    return Source(name, data, training, asking, of="realistic")


def _interpreter(text: str) -> str:
    """The path of an interpreter; a link stays one, for that is what makes an environment of it."""
    found = shutil.which(text)
    if not found:
        raise argparse.ArgumentTypeError(f"{text!r}: there is no such program")
    return str(Path(found).absolute())
