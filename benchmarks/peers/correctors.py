#!/usr/bin/env python3
"""Correction tools that need no model: their first suggestions, applied without review. benchmarks.worth runs it in an
environment that has the tools (benchmarks/requirements-tools.txt).

    python benchmarks/peers/correctors.py codespell < pairs.jsonl > answers.jsonl

Reads records with `id`, `bad`, `format` and `protected` (ranges of code, addresses and markup, in characters), and
writes `id` and `prediction`, which eval.py scores. LanguageTool and Harper change nothing in protected ranges, as in
their editor plug-ins, which know markup; codespell reads the whole text, as on its command line.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

AMBIGUOUS_WORDS = 65
"""codespell's exit code when some words have more than one possible correction."""
Records = Sequence[dict[str, Any]]
Change = tuple[int, int, str]
"""A range of a text, in characters, and its replacement."""


def main() -> int:
    records = [json.loads(line) for line in sys.stdin]
    for record, text in zip(records, TOOLS[sys.argv[1]](records), strict=True):
        print(json.dumps({"id": record["id"], "prediction": text}))
    return 0


def codespell(records: Records) -> list[str]:
    """`codespell -w` over a folder with one file for each text."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        paths = [folder / f"{number}.{record.get('format') or 'md'}" for number, record in enumerate(records)]
        for path, record in zip(paths, records, strict=True):
            path.write_text(record["bad"], encoding="utf-8", newline="")
        command = [sys.executable, "-m", "codespell_lib", "--write-changes", "--quiet-level", "35", "."]
        status = subprocess.run(command, cwd=folder, stdout=subprocess.DEVNULL).returncode
        if status not in (0, AMBIGUOUS_WORDS):
            sys.exit(f"codespell ended with {status}")
        return [path.read_bytes().decode() for path in paths]


def languagetool(records: Records) -> list[str]:
    """LanguageTool's English rules, by their port LingoTweaker, whose offsets are in bytes of UTF-8."""
    import lt_py

    engine = lt_py.Engine("en-US")

    def changes(text: str) -> Iterator[Change]:
        data = text.encode()
        for match in engine.check(text):
            if match["suggestions"]:
                start = len(data[: match["offset"]].decode())
                length = len(data[match["offset"] : match["offset"] + match["length"]].decode())
                yield start, start + length, match["suggestions"][0]

    return [apply_changes(record["bad"], changes(record["bad"]), record["protected"]) for record in records]


def harper(records: Records) -> list[str]:
    """Harper, which reads Markdown."""
    from harper import Linter, SuggestionKind

    linter = Linter()

    def changes(text: str) -> Iterator[Change]:
        for lint in linter.lint(text):
            if lint.suggestions:
                first, start, end = lint.suggestions[0], lint.span.start, lint.span.end
                replacement = "" if first.kind == SuggestionKind.REMOVE else first.replacement_text
                yield (end if first.kind == SuggestionKind.INSERT_AFTER else start), end, replacement

    return [apply_changes(record["bad"], changes(record["bad"]), record["protected"]) for record in records]


def apply_changes(text: str, changes: Iterable[Change], protected: Iterable[Sequence[int]] = ()) -> str:
    """The text with the changes applied: the first of those that overlap, and none that touches a protected range."""
    ranges = list(protected)
    pieces: list[str] = []
    at = 0
    for start, end, replacement in sorted(changes):
        touches = any(first < max(end, start + 1) and start < last for first, last in ranges)
        if start >= at and not touches:
            pieces += text[at:start], replacement
            at = end
    return "".join([*pieces, text[at:]])


TOOLS: dict[str, Callable[[Records], list[str]]] = {
    "codespell": codespell,
    "languagetool": languagetool,
    "harper": harper,
}

if __name__ == "__main__":
    sys.exit(main())
