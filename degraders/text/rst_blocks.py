"""Blocks of reStructuredText: paragraphs, titles, lists, literal blocks, tables."""

from __future__ import annotations

import re
from collections.abc import Callable
from string import ascii_letters, digits

from degraders.text.builder import Builder
from degraders.text.rst_inline import Inline
from degraders.text.rst_lines import Lines
from degraders.text.rst_tables import Tables

_MAX_DEPTH = 40
"""Blocks nested more deeply become plain paragraphs, so that no input exhausts the stack or takes too long."""

_ARGUMENT = r"(?:[A-Za-z][\w-]*|<[^<>\n]+>)"
_OPTION = rf"(?:[-+][A-Za-z0-9](?:[ ]?{_ARGUMENT})?|(?:--|/)[A-Za-z0-9][\w-]*(?:[ =]{_ARGUMENT})?)"
_BLOCK = re.compile(
    rf"""
    (?P<bullet>[-+*•‣⁃])(?=[ \t]|$)
    |(?P<number>\(?(?:[0-9]+|[A-Za-z]|\#|[ivxlcdm]+|[IVXLCDM]+)[.)])(?=[ \t]|$)
    |(?P<field>:(?![: ])(?:[^:\\]++|\\.|:(?![ \t`]|$))++(?<![ ]):)(?=[ \t]|$)
    |(?P<option>{_OPTION}(?:,[ ]{_OPTION})*)(?=[ ][ ]|$)
    |(?P<doctest>>>>)(?=[ \t]|$)
    |(?P<line_block>\|)(?=[ \t]|$)
    |(?P<grid>\+-[-+]+-\+)$
    |(?P<simple>=+(?:[ \t]++=++)+)$
    |(?P<explicit>\.\.)(?=[ \t]|$)
    |(?P<anonymous>__)(?=[ \t]|$)
    |(?P<adornment>(?P<mark>[!-/:-@[-`{{-~])(?P=mark)*)$
    """,
    re.VERBOSE,
)
_TYPE_FIELD = re.compile(
    r":(?:type|rtype|vartype|paramtype|kwtype|meta|orphan|tocdepth|nocomments|nosearch|no-search)\b"
)
"""Fields of Sphinx that hold a type, a name or a setting."""
_PUNCTUATION = frozenset("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~")
_ALPHANUMERIC = "#" + ascii_letters + digits
_LISTS = {
    "bullet": ("list", "item", "bullet"),
    "number": ("list", "item", "ordered"),
    "field": ("field_list", "field", ""),
    "option": ("option_list", "option", ""),
}


class Blocks(Lines):
    """A cursor over the lines that reports their blocks to the builder: `at` is the current line, `end` the end of the
    last block, `depth` the number of blocks around the cursor.

    A marker is cut from its line after it is read, so that the text after it is scanned as a line of its own.
    """

    def __init__(self, builder: Builder) -> None:
        super().__init__(builder.text)
        self.builder = builder
        self.inline = Inline(builder)
        self.tables = Tables(builder, self.inline)
        self.styles: list[str] = []
        self.at = self.end = self.depth = 0
        self.body = True
        self.handlers: dict[str, Callable[[re.Match[str], int], bool]] = {
            **dict.fromkeys(_LISTS, self._list),
            "doctest": self._doctest,
            "line_block": self._line_block,
            "grid": self._grid,
            "simple": self._simple,
            "adornment": self._adornment,
        }

    def scan_blocks(self, base: int) -> None:
        """Scan blocks up to a line that is indented less than `base` columns."""
        while self.at < self.count:
            indent = self.indents[self.at]
            if indent < 0:
                self.at += 1
            elif indent < base:
                return
            elif self.depth > _MAX_DEPTH:
                self._flat(base)
            elif indent > base:
                self._quote(indent)
            else:
                self._block(base)

    def scan_indented(self, base: int) -> tuple[int, int]:
        """Scan all blocks that are indented more than `base` columns, and return their range."""
        first = self.next_line(self.at)
        start = self.starts[first] if self.indents[first] > base else self.end
        self.depth += 1
        while self.at < self.count:
            indent = self.indents[self.at]
            if indent < 0:
                self.at += 1
            elif indent <= base:
                break
            else:
                self.scan_blocks(indent)
        self.depth -= 1
        return start, self.end

    def scan_content(self, position: int, base: int) -> tuple[int, int]:
        """Scan the content of a marker that ends at a position: the rest of its line, and the indented lines below."""
        i = self.at
        position = self.skip_space(position)
        if position >= self.ends[i]:
            self.at += 1
        else:
            below = self.next_line(i + 1)
            self.starts[i] = position
            self.indents[i] = max(self.indents[below], base + 1)
        return self.scan_indented(base)

    def match_markup(self, i: int) -> re.Match[str] | None:
        """The markup at the start of a line, or None for plain text."""
        return _BLOCK.match(self.text, self.starts[i], self.ends[i])

    def _block(self, base: int) -> None:
        match = self.match_markup(self.at)
        if not match or not self.handlers[match.lastgroup or ""](match, base):
            self._text(base)

    def add_region(
        self, kind: str, start: int, end: int, inner: tuple[int, int] | None = None, *, info: str = ""
    ) -> None:
        """Add a region; outside all blocks it is one of the outermost blocks."""
        region = self.builder.add_region(kind, start, end, inner, info=info, depth=self.depth)
        if not self.depth:
            self.builder.blocks.append(region)

    def _quote(self, indent: int) -> None:
        start = self.starts[self.at]
        self.depth += 1
        self.scan_blocks(indent)
        self.depth -= 1
        self.add_region("quote", start, self.end)

    def _flat(self, base: int) -> None:
        start = self.starts[self.at]
        while self.indents[self.at] >= base:
            self.at += 1
        self._paragraph(start, self.ends[self.at - 1])

    def _text(self, base: int) -> None:
        """A paragraph, a title or a term, depending on the line below."""
        i = self.at
        indents = self.indents
        below = indents[i + 1]
        if below > base:
            self._definitions(base)
            return
        if below == 0 and not self.depth and self._underlines(i + 1, self.ends[i] - self.starts[i]):
            self._heading(i, i, i + 1)
            return
        j = i + 1
        while indents[j] == base:
            j += 1
        self.at = j
        start, end = self.starts[i], self.ends[j - 1]
        if self.text.endswith("::", start, end):
            self._paragraph_with_literal(start, end, base)
        else:
            self._paragraph(start, end)

    def _paragraph(self, start: int, end: int) -> None:
        self.end = end
        self.add_region("paragraph", start, end)
        self.inline.scan(start, end, body=self.body)

    def _underlines(self, i: int, width: int) -> bool:
        start, end = self.starts[i], self.ends[i]
        char = self.text[start]
        if char not in _PUNCTUATION or end - start < min(width, 4):
            return False
        return self.text[start:end] == char * (end - start)

    def _heading(self, first: int, title: int, last: int) -> None:
        style = self.text[self.starts[last]] * (1 + title - first)
        if style not in self.styles:
            self.styles.append(style)
        inner = self.starts[title], self.ends[title]
        self.inline.scan(*inner, body=False)
        self.at, self.end = last + 1, self.ends[last]
        self.add_region("heading", self.starts[first], self.end, inner, info=str(self.styles.index(style) + 1))

    def _adornment(self, match: re.Match[str], base: int) -> bool:
        """A line of punctuation: the overline of a title, or a rule between paragraphs."""
        i = self.at
        titled = i + 2 < self.count and self.indents[i + 1] >= 0 and self.indents[i + 2] == base == self.depth == 0
        if titled and self.text[self.starts[i + 2] : self.ends[i + 2]] == match[0]:
            self._heading(i, i + 1, i + 2)
            return True
        if len(match[0]) < 4 or self.indents[i + 1] >= 0:
            return False
        self.at, self.end = i + 1, match.end()
        self.add_region("rule", match.start(), match.end())
        return True

    def _definitions(self, base: int) -> None:
        start = self.starts[self.at]
        self.depth += 1
        while True:
            i = self.at
            term = self.starts[i], self.ends[i]
            self.add_region("term", *term)
            self.inline.scan(*term, body=False)
            self.at = i + 1
            self.add_region("description", *self.scan_indented(base))
            i = self.at = self.next_line(self.at)
            if self.indents[i] != base or self.indents[i + 1] <= base or self.match_markup(i):
                break
        self.depth -= 1
        self.add_region("definition_list", start, self.end)

    # Lists

    def _list(self, match: re.Match[str], base: int) -> bool:
        """A list of bullets, numbers, fields or options of one style."""
        kind = match.lastgroup or ""
        outer, inner, info = _LISTS[kind]
        if not self._is_list(match, base):
            return False
        start = match.start()
        style = _style(match)
        self.depth += 1
        following: re.Match[str] | None = match
        while following:
            if not info:
                self.builder.protect(*following.span(), "directive" if kind == "field" else "code_span")
            if kind == "field" and _TYPE_FIELD.match(following[0]):
                self._closed_field(following, base)
            else:
                self._item(following, base, inner, exact=bool(info))
            following = self._following(kind, style, base)
        self.depth -= 1
        self.add_region(outer, start, self.end, info=info)
        return True

    def _item(self, match: re.Match[str], base: int, kind: str, *, exact: bool) -> None:
        """One item; if `exact`, its lines must be indented to the start of its first line."""
        i = self.at
        self.end = match.end()
        position = self.skip_space(match.end())
        if exact and position < self.ends[i]:
            column = self.column_of(i, position)
            self.starts[i], self.indents[i] = position, column
            self.depth += 1
            self.scan_blocks(column)
            self.depth -= 1
            inner = position, self.end
        else:
            inner = self.scan_content(position, base)
        self.add_region(kind, match.start(), self.end, inner)

    def _closed_field(self, match: re.Match[str], base: int) -> None:
        """A field whose body is an expression, not prose."""
        last = self.end_of_indented(self.at + 1, base)
        self.at, self.end = last, self.ends[last - 1]
        self.builder.protect(match.end(), self.end, "directive")
        self.add_region("field", match.start(), self.end, (self.end, self.end))

    def _following(self, kind: str, style: str, base: int) -> re.Match[str] | None:
        i = self.at = self.next_line(self.at)
        if i >= self.count or self.indents[i] != base:
            return None
        match = self.match_markup(i)
        if not match or match.lastgroup != kind or _style(match) != style:
            return None
        return match if self._is_list(match, base) else None

    def _is_list(self, match: re.Match[str], base: int) -> bool:
        """Whether this is a list: not a number with unindented text below, nor an option without a description."""
        i = self.at
        if match.lastgroup == "option" and match.end() == self.ends[i]:
            return self.indents[self.next_line(i + 1)] > base
        if match.lastgroup != "number" or self.indents[i + 1] != base:
            return True
        below = self.match_markup(i + 1)
        return bool(below and below.lastgroup == "number")

    def _line_block(self, match: re.Match[str], base: int) -> bool:
        while self.indents[self.at] >= base:
            start, self.end = self.starts[self.at], self.ends[self.at]
            if self.indents[self.at] == base:
                if self.text[start] != "|":
                    break
                start = self.skip_space(start + 1)
            self.inline.scan(min(start, self.end), self.end, body=False)
            self.at += 1
        self.end = self.ends[self.at - 1]
        self.add_region("line_block", match.start(), self.end)
        return True

    # Code blocks

    def _paragraph_with_literal(self, start: int, end: int, base: int) -> None:
        """A paragraph that ends in `::`, and the literal block below; in `text::` the first colon is text."""
        alone = end - start == 2
        text_end = end - 2 if alone or self.text[end - 3].isspace() else end - 1
        self.builder.protect(text_end, end, "fence")
        self.end = end
        if not alone:
            self.add_region("paragraph", start, end)
            self.inline.scan(start, text_end, body=self.body)
        first = self.next_line(self.at)
        last = self._literal_end(first, base)
        if last > first:
            self.add_code_block(start if alone else None, first, last, "")

    def _literal_end(self, first: int, base: int) -> int:
        """The line after a literal block, which is indented or quoted by the same character on each line."""
        if first >= self.count or self.indents[first] < base:
            return first
        if self.indents[first] > base:
            return self.end_of_indented(first, base)
        last = first
        quote = self.text[self.starts[first]]
        if quote in _PUNCTUATION and first > self.at:
            while self.indents[last] == base and self.text[self.starts[last]] == quote:
                last += 1
        return last

    def add_code_block(self, opening: int | None, first: int, last: int, info: str) -> None:
        """Add a code block of the lines [first, last); `opening` is the start of its markup, if it has any."""
        common = min(indent for indent in self.indents[first:last] if indent >= 0)
        end = self.ends[last - 1]
        code_ranges = self.builder.code_ranges
        for i in range(first, last):
            start = self.begins[i] if self.indents[i] < 0 else self.at_column(i, common)
            code_ranges.append((start, self.begins[i + 1] if i + 1 < last else end))
        inner = self.at_column(first, common)
        self.builder.protect(max(self.begins[first], opening or 0), end, "code")
        self.at, self.end = last, end
        self.add_region("code_block", inner if opening is None else opening, end, (inner, end), info=info)

    def _doctest(self, match: re.Match[str], base: int) -> bool:
        i = last = self.at
        while self.indents[last] >= base:
            last += 1
        self.add_code_block(match.start(), i, last, "`pycon")
        return True

    # Tables

    def _grid(self, match: re.Match[str], base: int) -> bool:
        last = self.at
        while self.indents[last] == base and self.text[self.starts[last]] in "+|":
            last += 1
        return self._table(self.tables.grid, last)

    def _simple(self, match: re.Match[str], base: int) -> bool:
        """A simple table: it ends at the second line like the first, or at the first that a blank line follows."""
        rules = 0
        for i in range(self.at + 1, self.count):
            if 0 <= self.indents[i] < base:
                return False
            if self.indents[i] == base and self.text[self.starts[i]] == "=":
                line = self.text[self.starts[i] : self.ends[i]]
                rules += not line.strip("= \t")
                if rules == 2 or (rules and self.indents[i + 1] < base):
                    return self._table(self.tables.simple, i + 1)
        return False

    def _table(self, fill: Callable[[list[tuple[int, int]], int], None], last: int) -> bool:
        start, base = self.starts[self.at], self.indents[self.at]
        lines = [(self.at_column(i, base), self.ends[i]) for i in range(self.at, last)]
        self.at, self.end = last, self.ends[last - 1]
        fill(lines, self.depth + 1)
        self.add_region("table", start, self.end)
        return True


def _style(match: re.Match[str]) -> str:
    """The style that separates a list from the next one: its bullet, or the punctuation of its numbers."""
    if match.lastgroup == "bullet":
        return match[0]
    return match[0].strip(_ALPHANUMERIC) if match.lastgroup == "number" else ""
