#!/usr/bin/env python3
"""What a user would run instead of a model, its first suggestions applied unseen; bench_worth.py runs it in any
environment that has the tools (benchmarks/requirements-tools.txt).

    python benchmarks/correctors.py codespell < pairs.jsonl > answers.jsonl

Reads rows with `id`, `bad`, `format` and `protected` (ranges of code, addresses and markup, in characters), writes `id`
and `prediction`, which eval.py scores. Nothing protected is touched by the two that read prose, as it is not by their
plug-ins for editors, which know what markup is; codespell takes a text as it comes.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

SOME_LEFT = 65
"""What codespell ends with where it has seen words that it knows more than one repair of."""
Rows = Sequence[dict[str, Any]]
Change = tuple[int, int, str]
"""A range of a text, in characters, and what is put there."""


def main() -> int:
    rows = [json.loads(line) for line in sys.stdin]
    for row, text in zip(rows, TOOLS[sys.argv[1]](rows), strict=True):
        print(json.dumps({"id": row["id"], "prediction": text}))
    return 0


def codespell(rows: Rows) -> list[str]:
    """`codespell -w` over a folder with a file a text."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        paths = [folder / f"{number}.{row.get('format') or 'md'}" for number, row in enumerate(rows)]
        for path, row in zip(paths, rows, strict=True):
            path.write_text(row["bad"], encoding="utf-8", newline="")
        command = [sys.executable, "-m", "codespell_lib", "--write-changes", "--quiet-level", "35", "."]
        status = subprocess.run(command, cwd=folder, stdout=subprocess.DEVNULL).returncode
        if status not in (0, SOME_LEFT):
            sys.exit(f"codespell ended with {status}")
        return [path.read_bytes().decode() for path in paths]


def languagetool(rows: Rows) -> list[str]:
    """LanguageTool's English rules, by their port LingoTweaker; its offsets are in bytes of UTF-8."""
    import lt_py

    engine = lt_py.Engine("en-US")

    def changes(text: str) -> Iterator[Change]:
        data = text.encode()
        for match in engine.check(text):
            if match["suggestions"]:
                start = len(data[: match["offset"]].decode())
                length = len(data[match["offset"] : match["offset"] + match["length"]].decode())
                yield start, start + length, match["suggestions"][0]

    return [applied(row["bad"], changes(row["bad"]), row["protected"]) for row in rows]


def harper(rows: Rows) -> list[str]:
    """Harper, which reads Markdown."""
    from harper import Linter, SuggestionKind

    linter = Linter()

    def changes(text: str) -> Iterator[Change]:
        for lint in linter.lint(text):
            if lint.suggestions:
                first, start, end = lint.suggestions[0], lint.span.start, lint.span.end
                put = "" if first.kind == SuggestionKind.REMOVE else first.replacement_text
                yield (end if first.kind == SuggestionKind.INSERT_AFTER else start), end, put

    return [applied(row["bad"], changes(row["bad"]), row["protected"]) for row in rows]


def applied(text: str, changes: Iterable[Change], protected: Iterable[Sequence[int]] = ()) -> str:
    """A text with its changes made: of those that overlap the first, and none that touches what is protected."""
    ranges = list(protected)
    pieces: list[str] = []
    at = 0
    for start, end, put in sorted(changes):
        touches = any(first < max(end, start + 1) and start < last for first, last in ranges)
        if start >= at and not touches:
            pieces += text[at:start], put
            at = end
    return "".join([*pieces, text[at:]])


TOOLS: dict[str, Callable[[Rows], list[str]]] = {
    "codespell": codespell,
    "languagetool": languagetool,
    "harper": harper,
}

if __name__ == "__main__":
    sys.exit(main())
