"""The dialects of Markdown: their names, their constructs, and the copy of a text that a CommonMark parser understands.

CommonMark knows neither directives nor templates. So their syntax is replaced, in a copy of equal length, by markup
with the same effect on the text around it: blanks, letters, a fence, or the item of a list, which is what the body of
an indented directive looks like to the parser. All offsets stay exact.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from typing import NamedTuple

AUTO = "auto"
PLAIN = "gfm"
CONSTRUCTS = {
    "gfm": frozenset[str](),
    "myst": frozenset({"fences", "containers", "roles", "labels", "latex", "tags"}),
    "mkdocs": frozenset(
        {"indented", "definitions", "slashes", "containers", "snippets", "abbreviations", "latex", "tags"}
    ),
    "mdx": frozenset({"modules", "jsx", "containers", "latex"}),
    "hugo": frozenset({"tags", "latex"}),
    "jekyll": frozenset({"tags", "latex", "abbreviations"}),
    "docfx": frozenset({"containers", "brackets"}),
    "vitepress": frozenset({"containers", "snippets", "tags", "latex"}),
}
"""The dialects, and the constructs that each has besides those of GFM (with math, front matter and HTML)."""

DIALECTS = (AUTO, *CONSTRUCTS)
_ALL_BUT_MDX = frozenset().union(*CONSTRUCTS.values()) - {"modules", "jsx"}
_NOT_MDX = re.compile(
    r"^[ \t>]*(`{3,}|~{3,})[^\n]*\n(?:.*\n)*?[ \t>]*\1|^<(script|style)\b(?:.*\n)*?.*</\2>", re.MULTILINE
)
"""Fences, and the scripts of VitePress."""
_MODULE_HINT = re.compile(r"\n(?:import|export) ")
_MODULE = re.compile(
    r"^(?:import[ \t]+(?:[\w*{][^\n;]*?[ \t]from[ \t]+)?[\"'][^\"'\n]+[\"'];?[ \t]*\r?$"
    r"|export[ \t]+(?:const|let|default|function|async)[ \t])",
    re.MULTILINE,
)


def recognise_constructs(text: str, dialect: str, doc_id: str) -> frozenset[str]:
    """The constructs to look for: those of the dialect, or all, but those of MDX only in files and texts of MDX."""
    if dialect != AUTO:
        return CONSTRUCTS[dialect]
    if doc_id.endswith(".mdx") or _has_modules(text):
        return _ALL_BUT_MDX - {"tags"} | CONSTRUCTS["mdx"]
    return _ALL_BUT_MDX


def _has_modules(text: str) -> bool:
    if not text.startswith(("import ", "export ")) and not _MODULE_HINT.search(text):
        return False
    return bool(_MODULE.search(_NOT_MDX.sub("", text)))


class Hidden(NamedTuple):
    """A protected range that is no prose, and its kind."""

    start: int
    end: int
    kind: str


class Lines(NamedTuple):
    """Whole lines of syntax, which form a block of their own."""

    start: int
    end: int
    kind: str
    info: str = ""


@dataclass
class Copy:
    """A text, the edits that turn it into the copy for the parser, and what the parser does not see.

    `hidden` holds the ranges of syntax, `lines` those of them that are blocks, `containers` the ranges of blocks that
    two lines of syntax enclose, `spans` the regions of inline syntax (kind, start, end, inner start, inner end, info).
    `items` and `titles` map the offsets of the list items and headings that exist only in the copy to the names of
    their directives; the name of a title in such an item is empty.
    `evidence` counts the constructs of each dialect, `searches` holds the last match of each expression.
    """

    text: str
    constructs: frozenset[str]
    edits: list[tuple[int, int, str]] = field(default_factory=list)
    hidden: list[Hidden] = field(default_factory=list)
    lines: list[Lines] = field(default_factory=list)
    containers: list[tuple[int, int]] = field(default_factory=list)
    spans: list[tuple[str, int, int, int, int, str]] = field(default_factory=list)
    items: dict[int, str] = field(default_factory=dict)
    titles: dict[int, str] = field(default_factory=dict)
    opaque: list[tuple[int, int]] = field(default_factory=list)
    evidence: Counter[str] = field(default_factory=Counter)
    searches: dict[re.Pattern[str], tuple[int, re.Match[str] | None]] = field(default_factory=dict)

    @property
    def dialect(self) -> str:
        """The dialect with the most constructs in the text; `gfm` if there are none."""
        if "jsx" in self.constructs:
            return "mdx"
        return self.evidence.most_common(1)[0][0] if self.evidence else PLAIN

    def write(self, start: int, end: int, text: str) -> None:
        """Replace [start, end) in the copy by `text`, followed by blanks; line ends stay."""
        if end > start:
            self.edits.append((start, end, text + blanks(self.text[start + len(text) : end])))

    def hide(self, start: int, end: int, kind: str = "directive", *, letters: bool = False) -> None:
        """Protect [start, end), and replace it in the copy by blanks, or by letters within running text."""
        if end <= start:
            return
        piece = self.text[start:end]
        self.hidden.append(Hidden(start, end, kind))
        self.edits.append((start, end, _NO_LINE_END.sub("x", piece) if letters else blanks(piece)))

    def hide_lines(
        self, start: int, end: int, kind: str = "directive", *, block: str = "directive", info: str = ""
    ) -> None:
        """Hide whole lines, which become a block."""
        self.hide(start, end, kind)
        self.lines.append(Lines(start, end, block, info))

    def parsed_text(self) -> str:
        """The copy."""
        out: list[str] = []
        at = 0
        for start, end, piece in sorted(self.edits, key=lambda edit: (edit[0], -edit[1])):
            if start >= at:
                out += self.text[at:start], piece
                at = end
        out.append(self.text[at:])
        return "".join(out)

    def find_next(self, expression: re.Pattern[str], at: int) -> re.Match[str] | None:
        """The first match of an expression from an offset on, without a second search of the text that was searched."""
        begin, match = self.searches.get(expression, (len(self.text) + 1, None))
        if at < begin or (match and match.start() < at):
            match = expression.search(self.text, at)
            self.searches[expression] = at, match
        return match

    def line_end(self, at: int) -> int:
        """The end of the line at an offset, without its line end."""
        end = self.text.find("\n", at)
        if end < 0:
            return len(self.text)
        return end - (end > at and self.text[end - 1] == "\r")

    def next_line(self, at: int) -> int:
        """The start of the line below an offset, or the end of the text."""
        end = self.text.find("\n", at)
        return len(self.text) if end < 0 else end + 1


_NO_LINE_END = re.compile(r"[^\r\n]")


def blanks(text: str) -> str:
    """The text with a space for each character except line ends."""
    return _NO_LINE_END.sub(" ", text)
