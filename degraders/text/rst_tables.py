"""reStructuredText tables, grid and simple: their rows, the cells of one-line rows, and the text in cells."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from degraders.text.builder import Builder
from degraders.text.rst_inline import Inline

Line = tuple[int, int]
"""A line of a table, from the first column of the table to the last character of the line."""

_LIST_MARKER = re.compile(r"(?:[-*+•]|\d+\.)[ \t]+")
_RULE = re.compile(r"[-=+| \t]+\Z")
_COLUMN = re.compile(r"=+")
_SPACE = " \t\r\f\v"


class Tables:
    """Reports the rows, the cells and the text of tables to the builder."""

    def __init__(self, builder: Builder, inline: Inline) -> None:
        self.builder = builder
        self.text = builder.text
        self.inline = inline

    def grid(self, lines: Sequence[Line], depth: int) -> None:
        """A grid table: full separator lines divide its rows, and a `|` is a border only below or above a `+`."""
        row: list[Line] = []
        above: frozenset[int] = frozenset()
        for start, end in lines:
            if self.text[start] != "+":
                row.append((start, end))
                continue
            columns = frozenset(i for i, char in enumerate(self.text[start:end]) if char == "+")
            head = "=" in self.text[start:end]
            if row:
                self._row(row, [self._grid_cells(line, above | columns) for line in row], "head" if head else "", depth)
            row, above = [], columns
        if row:
            self._row(row, [self._grid_cells(line, above) for line in row], "", depth)

    def simple(self, lines: Sequence[Line], depth: int) -> None:
        """A simple table: a row begins where its first column has text; a cell may be wider than its column."""
        starts = [match.start() - lines[0][0] for match in _COLUMN.finditer(self.text, *lines[0])]
        rules = [i for i, line in enumerate(lines) if self._is_rule(line)]
        head_ends = rules[1] if len(rules) > 2 else 0
        row: list[Line] = []
        for i, (start, end) in enumerate(lines):
            rule = start >= end or i in (0, head_ends) or self._is_rule((start, end))
            if row and (rule or not self.text[start].isspace()):
                self._row(
                    row, [self._simple_cells(line, starts) for line in row], "head" if i <= head_ends else "", depth
                )
                row = []
            if not rule:
                row.append((start, end))
        if row:
            self._row(row, [self._simple_cells(line, starts) for line in row], "", depth)

    def _is_rule(self, line: Line) -> bool:
        return bool(_RULE.match(self.text, *line))

    def _row(self, row: Sequence[Line], cells: Sequence[Sequence[Line]], info: str, depth: int) -> None:
        self.builder.add_region("row", row[0][0], row[-1][1], info=info, depth=depth)
        for line in cells:
            for start, end in line:
                if len(row) == 1:
                    self.builder.add_region("cell", start, end, depth=depth + 1)
                self._cell_text(start, end)

    def _cell_text(self, start: int, end: int) -> None:
        marker = _LIST_MARKER.match(self.text, start, end)
        if marker:
            start = marker.end()
        # After an odd number of backticks a literal goes on in the next line of the cell: protect it, do not guess.
        if self.text.count("`", start, end) % 2 or self.text.count("``", start, end) % 2:
            self.builder.protect(start, end, "code_span")
        elif not _RULE.match(self.text, start, end):
            self.inline.scan(start, end, body=False)

    def _grid_cells(self, line: Line, columns: frozenset[int]) -> list[Line]:
        """The cells of a grid line, without white space around them."""
        start, end = line
        borders = [i for i in range(start, end) if self.text[i] == "|" and i - start in columns]
        return list(self._trim(zip([b + 1 for b in borders], borders[1:], strict=False)))

    def _simple_cells(self, line: Line, starts: Sequence[int]) -> list[Line]:
        """The cells of a line of a simple table, without white space around them."""
        start, end = line
        cuts = [start]
        for column in starts[1:]:
            if start + column < end and self.text[start + column - 1].isspace():
                cuts.append(start + column)
        return list(self._trim(zip(cuts, [*cuts[1:], end], strict=True)))

    def _trim(self, pieces: Iterator[Line]) -> Iterator[Line]:
        for start, end in pieces:
            piece = self.text[start:end].rstrip(_SPACE)
            end = start + len(piece)
            start = end - len(piece.lstrip(_SPACE))
            if end > start:
                yield start, end
