#!/usr/bin/env python3
"""Writes docs/options.md, every option of the three scripts, from their parsers.

python docs/make_options.py > docs/options.md
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import data_prep
import eval as evaluation
import train_qlora

HEAD = """# Options

All options of the three scripts. Made by `python docs/make_options.py > docs/options.md`; do not edit this page by
hand. Each option may also be written with underscores instead of dashes, and the reverse.
"""
MACHINE_DEPENDENT = {"workers": "number of cores", "base_model": train_qlora.BASE_MODEL}


def options_page() -> str:
    """The whole page as Markdown."""
    parsers = [script.build_parser() for script in (data_prep, train_qlora, evaluation)]
    return HEAD + "".join(line for parser in parsers for line in script_section(parser))


def script_section(parser: argparse.ArgumentParser) -> Iterator[str]:
    """The heading, description and tables of one script."""
    yield f"\n## {parser.prog}\n\n{parser.description}\n"
    for group in parser._action_groups:
        actions = [action for action in group._group_actions if is_documented(action)]
        if actions:
            title = (group.title or "").capitalize()
            yield f"\n### {title}\n\n| Option | Default | Meaning |\n|---|---|---|\n"
            yield from map(table_row, actions)


def is_documented(action: argparse.Action) -> bool:
    """Whether an action is an option of its own: no twin spelling, no positional, not `--help` or `--version`."""
    return bool(action.option_strings) and action.help != argparse.SUPPRESS and action.dest not in ("help", "version")


def table_row(action: argparse.Action) -> str:
    cells = (option_text(action), default_text(action), action.help or "")
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |\n"


def option_text(action: argparse.Action) -> str:
    values = "" if action.nargs == 0 else f" {action.metavar or choices_text(action) or action.dest.upper()}"
    return f"`{action.option_strings[0]}{values}`"


def choices_text(action: argparse.Action) -> str:
    return "{" + ",".join(map(str, action.choices)) + "}" if action.choices else ""


def default_text(action: argparse.Action) -> str:
    if action.dest in MACHINE_DEPENDENT and action.default is not None:
        return MACHINE_DEPENDENT[action.dest]
    return "" if action.default in (None, False, []) else f"`{action.default}`"


if __name__ == "__main__":
    sys.stdout.write(options_page())
