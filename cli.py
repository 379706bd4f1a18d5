"""What the command lines of the three stages share: options, exit codes, the closing table. Scripts alone import it."""

from __future__ import annotations

import argparse
import math
import os
import sys
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from degraders.errors import UserError

T = TypeVar("T")


def run_script(prog: str, work: Callable[[], int | None], left: Callable[[], str]) -> int:
    """Run a script's work; returns the exit code: its own, 0 done, 1 bad data or I/O, 130 interrupted.

    What went wrong is told in one line on stderr; `left` says what a run that ends early leaves.
    """
    try:
        return work() or 0
    except UserError as error:
        message = str(error)
    except ImportError as error:
        message = f"{error.name or error} is missing; pip install -r requirements.txt"
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:
        message = f"{f'{error.filename}: ' if error.filename else ''}{error.strerror or error}; {left()}"
    except KeyboardInterrupt:
        if is_main():
            print(f"\n{prog}: interrupted; {left()}", file=sys.stderr)
        return 130
    who = "" if is_main() else f" (process {os.environ['RANK']})"
    print(f"{prog}{who}: {message}", file=sys.stderr)
    return 1


def parse_options(parser: argparse.ArgumentParser, argv: Sequence[str] | None, options: Callable[..., T]) -> T:
    """The command line as one validated value: `options` is called with all options by name.

    What it refuses with a UserError is wrong usage: one line on stderr and exit code 2.
    """
    try:
        return options(**vars(parser.parse_args(argv)))
    except UserError as error:
        parser.error(str(error))


def is_main() -> bool:
    """Whether this is the process that writes and speaks, of those that accelerate or torchrun started."""
    return os.environ.get("RANK", "0") == "0"


def format_rows(rows: Sequence[tuple[str, str]]) -> str:
    """Names and values in two columns; a name without a value may be wider."""
    width = max(len(name) for name, value in rows if value) + 2
    return "\n".join(f"{name:<{width}}{value}".rstrip() for name, value in rows)


class DefaultsHelp(argparse.ArgumentDefaultsHelpFormatter):
    """Shows each default but those that say nothing: none, off and empty."""

    def _get_help_string(self, action: argparse.Action) -> str | None:
        return action.help if action.default in (None, False, []) else super()._get_help_string(action)


def option_adder(group: Any) -> Callable[..., None]:
    """`add_argument` that takes each long option with underscores and with dashes, and shows it as it is given."""

    def add(name: str, **settings: Any) -> None:
        group.add_argument(name, **settings)
        dest = name[2:].replace("-", "_")
        other = "--" + (dest if "-" in name[2:] else dest.replace("_", "-"))
        if other != name:
            group.add_argument(other, **settings | {"help": argparse.SUPPRESS, "dest": dest})

    return add


def whole_number(least: int) -> Callable[[str], int]:
    """The type of an option that is a whole number, `least` or more."""

    def convert(text: str) -> int:
        if not text.isdecimal() or int(text) < least:
            raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of at least {least}")
        return int(text)

    return convert


def number(least: float, most: float = math.inf) -> Callable[[str], float]:
    """The type of an option that is a number from `least` to `most`."""

    def convert(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not least <= value <= most or math.isinf(value):
            raise argparse.ArgumentTypeError(f"{text!r} is not a number from {least} to {most}")
        return value

    return convert


def comma_list(text: str) -> list[str]:
    """The type of an option that is a list with commas."""
    return [name for name in text.split(",") if name]
