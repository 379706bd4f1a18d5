"""reStructuredText to regions: a small line-by-line scanner for the constructs of docutils and Sphinx."""

from __future__ import annotations

import re
from collections.abc import Callable

from degraders.text.builder import Builder
from degraders.text.directives import DIRECTIVES
from degraders.text.rst_blocks import Blocks
from degraders.text.rst_inline import NAME

_EXPLICIT = re.compile(
    rf"""
    \.\.[ \t]+(?:
    \[(?P<footnote>\d+|\#(?:{NAME})?|\*|{NAME})\](?=[ \t]|$)
    |_(?P<target>(?![ \t])(?:_|`[^`]+`|(?:[^:\\]++|\\.|:(?=\S))++):)(?=[ \t]|$)
    |(?P<substitution>\|(?![ \t])[^|]+\|[ \t]+{NAME}[ \t]?::)(?=[ \t]|$)
    |(?P<directive>{NAME})[ \t]?::(?=[ \t]|$)
    )
    """,
    re.VERBOSE,
)
_ALT = re.compile(r"\n[ \t]+:alt:[ \t]+(\S[^\r\n]*)")
_WORD = re.compile(r"[ \t]*\S+")
_DOMAIN = re.compile(r"(?:py|c|cpp|js|rst|std|rb|php|http):[a-z]+\Z")


def scan(builder: Builder) -> None:
    """Report the regions and the prose of the builder's reStructuredText."""
    scanner = _Scanner(builder)
    while scanner.at < scanner.count:
        scanner.scan_blocks(0)


class _Scanner(Blocks):
    """Blocks and explicit markup: directives, footnotes, targets, substitutions, comments."""

    def __init__(self, builder: Builder) -> None:
        super().__init__(builder)
        self.handlers |= {"explicit": self._explicit, "anonymous": self._anonymous}
        self.directives: dict[str, Callable[[re.Match[str], int, str], None]] = {
            "code": self._code_directive,
            "math": self._foreign,
            "html": self._foreign,
            "body": self._admonition,
            "titled": self._titled,
            "version": self._version,
            "described": self._described,
            "image": self._image,
        }

    def _explicit(self, match: re.Match[str], base: int) -> bool:
        i = self.at
        explicit = _EXPLICIT.match(self.text, self.starts[i], self.ends[i])
        kind = explicit.lastgroup if explicit else "comment"
        if not explicit:
            empty = match.end() == self.ends[i] and self.indents[i + 1] < 0
            self._closed("comment", "directive", i + 1 if empty else self.end_of_indented(i + 1, base))
        elif kind == "directive":
            name = explicit["directive"].lower()
            content = DIRECTIVES.get(name) or ("described" if _DOMAIN.match(name) else "closed")
            handler = self.directives.get(content)
            if handler:
                handler(explicit, base, name)
            else:
                self._closed("directive", "directive", self.end_of_indented(i + 1, base), name)
        elif kind == "footnote":
            self.builder.protect(explicit.start(), explicit.end(), "target")
            self._container(explicit.start(), explicit.end(), base, kind="footnote", info=explicit["footnote"])
        elif kind == "target":
            last = self.end_of_indented(i + 1, base)
            label = self.text[self.ends[last - 1] - 1] == ":"
            self._closed("definition", "target", last, "label" if label else "")
        else:
            self._closed("substitution", "directive", self.end_of_indented(i + 1, base))
        return True

    def _anonymous(self, match: re.Match[str], base: int) -> bool:
        self._closed("definition", "target", self.end_of_indented(self.at + 1, base))
        return True

    def _closed(self, kind: str, protected: str, last: int, info: str = "") -> None:
        """Protect everything from the current line to the one before `last`."""
        start, self.end = self.starts[self.at], self.ends[last - 1]
        self.at = last
        self.builder.protect(start, self.end, protected)
        self.add_region(kind, start, self.end, info=info)

    def _container(self, start: int, after: int, base: int, *, kind: str, info: str) -> None:
        """A block whose content begins at the position `after` of the current line."""
        self.end = max(self.end, after)
        inner = self.scan_content(after, base)
        self.add_region(kind, start, self.end, inner, info=info)

    def _head(self, match: re.Match[str], base: int) -> int:
        """The line after the arguments of a directive. The options are protected, and their lines count as blank."""
        i = self.at + 1
        while self.indents[i] > base and not self._is_option(i):
            i += 1
        last = i
        while self.indents[last] > base:
            last += 1
        if last > i:
            self.builder.protect(self.starts[i], self.ends[last - 1], "directive")
            self.indents[i:last] = [-1] * (last - i)
        self.end = self.ends[last - 1]
        return i

    def _is_option(self, i: int) -> bool:
        if self.text[self.starts[i]] != ":":
            return False
        match = self.match_markup(i)
        return bool(match and match.lastgroup == "field")

    def _admonition(self, match: re.Match[str], base: int, name: str) -> None:
        self.builder.protect(match.start(), match.end(), "directive")
        self._head(match, base)
        self._container(match.start(), match.end(), base, kind="directive", info=name)

    def _version(self, match: re.Match[str], base: int, name: str) -> None:
        word = _WORD.match(self.text, match.end(), self.ends[self.at])
        after = word.end() if word else match.end()
        self.builder.protect(match.start(), after, "directive")
        self._head(match, base)
        self._container(match.start(), after, base, kind="directive", info=name)

    def _titled(self, match: re.Match[str], base: int, name: str) -> None:
        """A directive whose argument is a title: prose, but not running text."""
        start, opens = match.start(), self.skip_space(match.end())
        self.builder.protect(start, match.end(), "directive")
        below, after = self.at + 1, self._head(match, base)
        if opens < self.ends[below - 1]:
            self.inline.scan(opens, self.ends[after - 1], body=False)
            below = after
        self.at = below
        running = self.body
        self.body = running and name != "list-table"
        inner = self._protect_indented(base) if name == "csv-table" else self.scan_indented(base)
        self.body = running
        kind = "table" if name in ("list-table", "csv-table") else "directive"
        self.add_region(kind, start, self.end, inner, info=name)

    def _protect_indented(self, base: int) -> tuple[int, int]:
        first, last = self.next_line(self.at), self.end_of_indented(self.at, base)
        if last <= first:
            return self.end, self.end
        self.at, self.end = last, self.ends[last - 1]
        self.builder.protect(self.starts[first], self.end, "directive")
        return self.starts[first], self.end

    def _described(self, match: re.Match[str], base: int, name: str) -> None:
        start = match.start()
        after = self._head(match, base)
        self.builder.protect(start, self.ends[after - 1], "directive")
        self.at = after
        inner = self.scan_indented(base)
        self.add_region("directive", start, self.end, inner, info=name)

    def _image(self, match: re.Match[str], base: int, name: str) -> None:
        """An image; its alternative text is its inner part."""
        last = self.end_of_indented(self.at + 1, base)
        start, self.end = match.start(), self.ends[last - 1]
        alt = _ALT.search(self.text, start, self.end)
        self.at = last
        self.builder.protect(start, self.end, "directive")
        self.add_region("image", start, self.end, alt.span(1) if alt else (self.end, self.end), info=name)

    def _foreign(self, match: re.Match[str], base: int, name: str) -> None:
        """Mathematics or raw HTML."""
        last = self.end_of_indented(self.at + 1, base)
        kind = DIRECTIVES[name]
        start, end = match.start(), self.ends[last - 1]
        self.builder.protect(start, match.end(), "directive")
        self.builder.protect(match.end(), end, kind)
        self.at, self.end = last, end
        self.add_region(f"{kind}_block", start, end, (match.end(), end), info=name)

    def _code_directive(self, match: re.Match[str], base: int, name: str) -> None:
        i, start = self.at, match.start()
        language = self.text[match.end() : self.ends[i]].strip()
        options = i + 1
        while self.indents[options] > base and (options > i + 1 or self._is_option(options)):
            options += 1
        first = self.next_line(options)
        last = self.end_of_indented(first, base) if first < self.count else first
        if last <= first:
            self._closed("directive", "directive", options, name)
            return
        self.builder.protect(start, self.begins[i + 1], "fence")
        self.builder.protect(self.begins[i + 1], self.begins[options], "directive")
        self.builder.protect(self.begins[options], self.begins[first], "fence")
        self.add_code_block(start, first, last, "`" + language)
