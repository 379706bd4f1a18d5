"""Shared code of the three command lines: options, exit codes, the closing table. Only scripts import it."""

from __future__ import annotations

import argparse
import math
import os
import sys
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from degraders.errors import UserError

T = TypeVar("T")


def run_script(prog: str, work: Callable[[], int | None], describe_files: Callable[[], str]) -> int:
    """Run a script's work; returns its exit code, or 0 done, 1 bad data or I/O, 130 interrupted.

    An error is reported in one line on stderr. `describe_files` says which files remain after an early end.
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
        message = f"{f'{error.filename}: ' if error.filename else ''}{error.strerror or error}; {describe_files()}"
    except KeyboardInterrupt:
        if is_main():
            print(f"\n{prog}: interrupted; {describe_files()}", file=sys.stderr)
        return 130
    process = "" if is_main() else f" (process {os.environ['RANK']})"
    print(f"{prog}{process}: {message}", file=sys.stderr)
    return 1


def parse_options(parser: argparse.ArgumentParser, argv: Sequence[str] | None, options: Callable[..., T]) -> T:
    """The command line as one validated value; `options` is called with all options by name.

    A UserError that it raises is wrong usage: one line on stderr and exit code 2.
    """
    try:
        return options(**vars(parser.parse_args(argv)))
    except UserError as error:
        parser.error(str(error))


def is_main() -> bool:
    """Whether this process, of those that accelerate or torchrun started, writes files and messages."""
    return os.environ.get("RANK", "0") == "0"


def format_rows(rows: Sequence[tuple[str, str]]) -> str:
    """Names and values in two columns; a name without a value may be wider than its column."""
    width = max(len(name) for name, value in rows if value) + 2
    return "\n".join(f"{name:<{width}}{value}".rstrip() for name, value in rows)


class DefaultsHelp(argparse.ArgumentDefaultsHelpFormatter):
    """Shows every default except none, off and empty."""

    def _get_help_string(self, action: argparse.Action) -> str | None:
        return action.help if action.default in (None, False, []) else super()._get_help_string(action)


def option_adder(group: Any) -> Callable[..., None]:
    """An `add_argument` that accepts each long option with underscores and with dashes; --help shows one of them."""

    def add(name: str, **settings: Any) -> None:
        group.add_argument(name, **settings)
        dest = name[2:].replace("-", "_")
        other = "--" + (dest if "-" in name[2:] else dest.replace("_", "-"))
        if other != name:
            group.add_argument(other, **settings | {"help": argparse.SUPPRESS, "dest": dest})

    return add


def whole_number(minimum: int) -> Callable[[str], int]:
    """The type of an option whose value is a whole number of at least `minimum`."""

    def convert(text: str) -> int:
        if not text.isdecimal() or int(text) < minimum:
            raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of at least {minimum}")
        return int(text)

    return convert


def number(minimum: float, maximum: float = math.inf) -> Callable[[str], float]:
    """The type of an option whose value is a number from `minimum` to `maximum`."""

    def convert(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not minimum <= value <= maximum or math.isinf(value):
            raise argparse.ArgumentTypeError(f"{text!r} is not a number from {minimum} to {maximum}")
        return value

    return convert


def comma_list(text: str) -> list[str]:
    """The type of an option whose value is a comma-separated list."""
    return [name for name in text.split(",") if name]
