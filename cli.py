"""Shared code of the three command lines: options, exit codes, the closing table. Only scripts import it."""

from __future__ import annotations

import argparse
import math
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import Any, NoReturn, TypeVar

from degraders.errors import UserError

T = TypeVar("T")
MAX_SEED = 2**32 - 1
"""The largest seed: that of numpy, which stages 2 and 3 seed, too."""
_STOP_SIGNALS = ("SIGTERM", "SIGHUP")
_LARGEST = 10**12


class Stopped(KeyboardInterrupt):
    """SIGTERM or SIGHUP, which timeout, Slurm, Kubernetes and a closed terminal send: it ends a run as Ctrl-C does."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.signal = signal.Signals(number)


def run_script(
    parser: argparse.ArgumentParser,
    argv: Sequence[str] | None,
    options: Callable[..., T],
    work: Callable[[T], int | None],
    describe_files: Callable[[T], str],
) -> int:
    """Do a script's work with the options of its command line; returns the exit code.

    It is that of `work`, or 0 done, 1 bad data or I/O, 128 plus the number of the signal interrupted: 130 by SIGINT
    (Ctrl-C), 143 by SIGTERM, 129 by SIGHUP. An error is reported in one line on stderr; `describe_files` says which
    files remain after an early end.
    """
    prog, values = parser.prog, None

    def describe() -> str:
        return "nothing was written" if values is None else describe_files(values)

    try:
        with _stop_signals():
            values = parse_options(parser, argv, options)
            return work(values) or 0
    except UserError as error:
        message = str(error)
    except ImportError as error:
        message = (
            f"{error.name or error} is missing; pip install -r requirements.txt (for stage 1: requirements-data.txt)"
        )
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:
        message = f"{f'{error.filename}: ' if error.filename else ''}{error.strerror or error}; {describe()}"
    except MemoryError:
        message = f"memory ran out; {describe()}"
    except KeyboardInterrupt as error:
        number = error.signal if isinstance(error, Stopped) else signal.SIGINT
        if is_main():
            print(f"\n{prog}: interrupted by {number.name}; {describe()}", file=sys.stderr)
        return 128 + number
    process = "" if is_main() else f" (process {os.environ['RANK']})"
    print(f"{prog}{process}: {message}", file=sys.stderr)
    return 1


@contextmanager
def _stop_signals() -> Iterator[None]:
    """Raise Stopped in the block at the first SIGTERM or SIGHUP; later ones do not disturb the clean end.

    A signal that is already handled or ignored, as SIGHUP under nohup, stays so.
    """
    names = _STOP_SIGNALS if threading.current_thread() is threading.main_thread() else ()
    numbers = [getattr(signal, name) for name in names if hasattr(signal, name)]
    unhandled = [number for number in numbers if signal.getsignal(number) == signal.SIG_DFL]

    def stop(number: int, _frame: FrameType | None) -> NoReturn:
        for each in unhandled:
            signal.signal(each, signal.SIG_IGN)
        raise Stopped(number)

    for number in unhandled:
        signal.signal(number, stop)
    try:
        yield
    finally:
        for number in unhandled:
            signal.signal(number, signal.SIG_DFL)


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


class Parser(argparse.ArgumentParser):
    """A command line. Wrong usage is reported in one line on stderr, without the list of all options; exit code 2."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}; see --help\n")


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


def whole_number(minimum: int, maximum: int = _LARGEST) -> Callable[[str], int]:
    """The type of an option whose value is a whole number from `minimum` to `maximum`."""
    limits = f"of at least {minimum}" if maximum == _LARGEST else f"from {minimum} to {maximum}"

    def convert(text: str) -> int:
        digits = len(str(maximum))
        if not (text.isdecimal() and len(text) <= digits and minimum <= int(text) <= maximum):
            raise argparse.ArgumentTypeError(f"{text!r} is not a whole number {limits}")
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
