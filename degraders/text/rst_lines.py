"""The lines of a text and their indentation, which is part of the syntax in reStructuredText."""

from __future__ import annotations

from itertools import accumulate

_SPACE = " \t\r\f\v"
_TAB = 8


class Lines:
    """The lines of a text. For each: `begins` (its offset), `starts` and `ends` (of its text without white space), and
    `indents` (the column of its text, -1 for a blank line). Two blank lines follow the last one."""

    def __init__(self, text: str) -> None:
        self.text = text
        lines = text.split("\n")
        leads = [len(line) - len(line.lstrip(_SPACE)) for line in lines]
        self.count = len(lines)
        self.begins = list(accumulate([len(line) + 1 for line in lines], initial=0))
        self.starts = [begin + lead for begin, lead in zip(self.begins, leads, strict=False)]
        self.ends = [begin + len(line.rstrip(_SPACE)) for begin, line in zip(self.begins, lines, strict=False)]
        self.indents = [-1 if lead == len(line) else lead for lead, line in zip(leads, lines, strict=True)]
        self.indents += -1, -1
        self.begins[-1] = len(self.text)
        if "\t" in text:
            for i, lead in enumerate(leads):
                if self.indents[i] > 0 and "\t" in lines[i][:lead]:
                    self.indents[i] = len(lines[i][:lead].expandtabs(_TAB))

    def next_line(self, i: int) -> int:
        """The first line from `i` on that is not blank, or the number of lines."""
        while i < self.count and self.indents[i] < 0:
            i += 1
        return i

    def end_of_indented(self, i: int, base: int) -> int:
        """The line after those from `i` on that are indented more than `base` columns; `i` if there are none."""
        last = i
        while i < self.count and (self.indents[i] < 0 or self.indents[i] > base):
            i += 1
            if self.indents[i - 1] >= 0:
                last = i
        return last

    def skip_space(self, position: int) -> int:
        """The first position from here on that is no space or tab."""
        while self.text[position : position + 1] in (" ", "\t"):
            position += 1
        return position

    def column_of(self, i: int, position: int) -> int:
        """The column of a position in the text of a line."""
        if "\t" in self.text[self.starts[i] : position]:
            return len(self.text[self.begins[i] : position].expandtabs(_TAB))
        return self.indents[i] + position - self.starts[i]

    def at_column(self, i: int, column: int) -> int:
        """The position of a column in a line, but not after the start of its text."""
        begin, start = self.begins[i], self.starts[i]
        if self.indents[i] <= column:
            return start
        if start - begin == self.indents[i]:
            return begin + column
        at = 0
        for position in range(begin, start):
            if at >= column:
                return position
            at += _TAB - at % _TAB if self.text[position] == "\t" else 1
        return start
