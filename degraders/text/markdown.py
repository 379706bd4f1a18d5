"""Markdown (CommonMark and GFM, with front matter, footnotes and math) to regions, with pulldown-cmark."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Mapping
from typing import Any

import pyromark

from degraders.text.builder import Builder

_OPTIONS = (
    pyromark.Options.ENABLE_TABLES
    | pyromark.Options.ENABLE_FOOTNOTES
    | pyromark.Options.ENABLE_STRIKETHROUGH
    | pyromark.Options.ENABLE_TASKLISTS
    | pyromark.Options.ENABLE_HEADING_ATTRIBUTES
    | pyromark.Options.ENABLE_GFM
)
_MATH_OPTIONS = _OPTIONS | pyromark.Options.ENABLE_MATH
_FORMULA = re.compile(r"\$(?:\$|(?<![\w`$]\$)[^\s$`](?:[^$`\n]*[^\s$`])?\$(?![\w`]))")
_NOT_ASCII = re.compile(r"[^\x00-\x7f]")
_FRONT_MATTER = re.compile(
    r"(---|\+\+\+)[ \t]*\r?\n(?=[ \t]*(?:#|[\w\"'-]+[ \t]*[:=]))(?:.*\r?\n)*?(?:\1|\.\.\.)[ \t]*(?:\r?\n|\Z)"
)
_DEFINITION = re.compile(
    r"\[(?:(?<=^\[)|(?<=^ \[)|(?<=^  \[)|(?<=^   \[))[^\]\n]+\]:[ \t]*(?:\r?\n[ \t]*)?\S[^\r\n]*", re.MULTILINE
)
_MARKER = re.compile(r"(?:[-*+]|\d{1,9}[.)])(?:[ \t]+\[[ xX]\])?[ \t]*")
_INLINE_TAGS = frozenset({"Emphasis", "Strong", "Strikethrough", "Link", "Image", "Superscript", "Subscript"})
_KINDS = {
    "Paragraph": "paragraph",
    "BlockQuote": "quote",
    "List": "list",
    "Item": "item",
    "Table": "table",
    "TableHead": "row",
    "TableRow": "row",
    "TableCell": "cell",
    "HtmlBlock": "html_block",
    "FootnoteDefinition": "footnote",
    "Emphasis": "emphasis",
    "Strong": "strong",
}


def scan(builder: Builder) -> None:
    """Report the regions and the prose of the builder's Markdown text."""
    _Scanner(builder).run()


class _Scanner:
    """Follows the events of the parser and reports them to the builder.

    `opens` says that the next prose begins a block, `body` that it is running text, `hidden` counts the open
    constructs whose text is no prose.
    """

    def __init__(self, builder: Builder) -> None:
        self.builder = builder
        self.text = builder.text
        self.depth = 0
        self.opens = True
        self.body = True
        self.in_code = False
        self.hidden = 0

    def run(self) -> None:
        skip = self._front_matter()
        # Each non-ASCII character becomes one ASCII character, so that the parser's byte offsets are character offsets.
        ascii_text = self.text
        if not ascii_text.isascii():
            for char in set(_NOT_ASCII.findall(ascii_text)):
                ascii_text = ascii_text.replace(char, "x" if char.isalnum() else "?")
        if skip:
            ascii_text = re.sub(r"[^\r\n]", " ", ascii_text[:skip]) + ascii_text[skip:]
        # If formulas were always enabled, two shell variables would hide the code spans between them.
        options = _MATH_OPTIONS if _FORMULA.search(ascii_text) else _OPTIONS
        self._read(pyromark.events_with_range(ascii_text, options=options))
        self._definitions()

    def _read(self, events: Iterable[tuple[Any, Any]]) -> None:
        """Follow the events; `first` and `last` bound the content of the innermost container, -1 while it is empty."""
        stack: list[tuple[str, Any, int, int]] = []
        add_prose = self.builder.add_prose
        first = last = -1
        for event, span in events:
            start, end = span["start"], span["end"]
            if "Text" in event:
                if self.in_code:
                    self._code_text(start, end)
                elif not self.hidden and len(event["Text"]) == end - start:
                    add_prose(start, end, self.opens, self.body)
                    self.opens = False
            elif "Start" in event:
                tag, value = event["Start"], None
                if tag.__class__ is not str:
                    ((tag, value),) = tag.items()
                self._start(tag, value, start)
                stack.append((tag, value, first, last))
                first = -1
                continue
            elif "End" in event:
                tag, value, outer_first, outer_last = stack.pop()
                close = self._end_inline if tag in _INLINE_TAGS else self._end_block
                close(tag, value, start, end, first=first, last=last)
                first, last = outer_first, outer_last
            elif event.__class__ is str:
                if event == "SoftBreak" and not self.hidden:
                    add_prose(start, end, self.opens, self.body)
                    self.opens = False
                elif event == "Rule":
                    self._block("rule", start, self._trim_end(start, end))
                continue
            else:
                self._leaf(event, start, end)
            if first < 0:
                first = start
            last = end

    def _front_matter(self) -> int:
        """Add the front matter and return its end, 0 if there is none."""
        match = _FRONT_MATTER.match(self.text)
        if not match:
            return 0
        self.builder.protect(0, match.end(), "front_matter")
        self._block("front_matter", 0, match.end())
        return match.end()

    def _start(self, tag: str, value: Any, start: int) -> None:
        if tag in _INLINE_TAGS:
            self._open_block(start)
            if tag == "Link" or tag == "Image":
                self.hidden += _shows_its_target(value)
            return
        self.opens = True
        self.depth += 1
        if tag == "Heading" or tag == "TableCell":
            self.body = False
        elif tag == "CodeBlock":
            self.in_code = True
        elif tag == "HtmlBlock" or tag == "MetadataBlock":
            self.hidden += 1

    def _end_block(self, tag: str, value: Any, start: int, end: int, *, first: int, last: int) -> None:
        """Close a block whose content without markup is [first, last), with -1 for none."""
        self.body = True
        self.depth -= 1
        end = self._trim_end(start, end)
        inner = (min(first, end), min(last, end)) if first >= 0 else None
        if tag == "Paragraph":
            self._block("paragraph", start, end, inner)
        elif tag == "CodeBlock":
            self.in_code = False
            self._code_block(value, start, end, inner)
        elif tag == "Heading":
            self._block("heading", start, end, inner or (end, end), info=value["level"][1:])
        elif tag == "List":
            self._block("list", start, end, info="bullet" if value is None else "ordered")
        elif tag == "Item":
            marker = _MARKER.match(self.text, start)
            self._block("item", start, end, (min(marker.end(), end) if marker else start, end))
        else:
            if tag == "HtmlBlock" or tag == "MetadataBlock":
                self.hidden -= 1
                self.builder.protect(start, end, "html")
            self._block(_KINDS.get(tag, "block"), start, end, inner, info="head" if tag == "TableHead" else "")

    def _end_inline(self, tag: str, value: Any, start: int, end: int, *, first: int, last: int) -> None:
        text = self.text
        if tag != "Link" and tag != "Image":
            inner = (first, last) if first >= 0 else (start, end)
            self.builder.add_region(_KINDS.get(tag, "inline"), start, end, inner, info=text[start : inner[0]])
            return
        if _shows_its_target(value):
            self.hidden -= 1
            kind = "url" if text[start] == "<" or "Autolink" in value["link_type"] else "target"
            self.builder.protect(start, end, kind)
            self.builder.add_region("reference", start, end)
            return
        opening = start + (2 if tag == "Image" else 1)
        inner_end = max(last if first >= 0 else -1, opening)
        self.builder.protect(inner_end + 1, end, "target")
        kind = "image" if tag == "Image" else "link"
        style = "inline" if value["link_type"] == "Inline" else "reference"
        self.builder.add_region(kind, start, end, (opening, inner_end), info=style)

    def _open_block(self, start: int) -> None:
        """Let a block begin with markup, so that the border between blocks lies before the markup."""
        if self.opens and not self.hidden:
            self.builder.add_prose(start, start, True, self.body)
            self.opens = False

    def _leaf(self, event: Mapping[str, Any], start: int, end: int) -> None:
        builder = self.builder
        if "Html" not in event:
            self._open_block(start)
        if "Code" in event:
            ticks = 1
            while self.text[start + ticks] == "`":
                ticks += 1
            builder.add_region("code_span", start, end, (start + ticks, end - ticks))
            builder.protect(start, end, "code_span")
        elif "Html" in event or "InlineHtml" in event:
            builder.protect(start, end, "html")
        elif "InlineMath" in event or "DisplayMath" in event:
            builder.protect(start, end, "math")
        elif "FootnoteReference" in event:
            builder.protect(start, end, "target")

    def _code_text(self, start: int, end: int) -> None:
        """Add a piece of a code block; the parser omits the CR of each CRLF."""
        ranges = self.builder.code_ranges
        if ranges and ranges[-1][1] == start - 1 and self.text[start - 1] == "\r":
            start -= 1
        ranges.append((start, end))

    def _trim_code(self, end: int) -> None:
        """End an indented or unclosed code block before the blank lines below it."""
        ranges = self.builder.code_ranges
        while ranges and ranges[-1][1] > end:
            start, _ = ranges.pop()
            if start < end:
                ranges.append((start, end))

    def _code_block(self, kind: Any, start: int, end: int, inner: tuple[int, int] | None) -> None:
        self._trim_code(end)
        if kind == "Indented":
            self.builder.protect(start, end, "code")
            self._block("code_block", start, end)
            return
        if not inner or inner[0] == end:
            inner = (end, end)
        line_start = max(start, self.text.rfind("\n", start, inner[0]) + 1) if inner[0] < end else end
        self.builder.protect(start, line_start, "fence")
        self.builder.protect(line_start, inner[1], "code")
        self.builder.protect(inner[1], end, "fence")
        self._block("code_block", start, end, inner, info="`" + kind["Fenced"])

    def _block(self, kind: str, start: int, end: int, inner: tuple[int, int] | None = None, *, info: str = "") -> None:
        self.opens = True
        region = self.builder.add_region(kind, start, end, inner, info=info, depth=self.depth)
        if not self.depth:
            self.builder.blocks.append(region)

    def _trim_end(self, start: int, end: int) -> int:
        """The end of [start, end) without white space."""
        text = self.text
        while end > start and text[end - 1] in " \t\r\n":
            end -= 1
        return end

    def _definitions(self) -> None:
        """Add the link reference definitions, which the parser does not report: their pattern, outside all blocks."""
        if "]:" not in self.text:
            return
        blocks = sorted(self.builder.blocks)
        ends = [block.end for block in blocks]
        for match in _DEFINITION.finditer(self.text):
            at = bisect_right(ends, match.start())
            if at == len(blocks) or blocks[at].start >= match.end():
                self.builder.protect(match.start(), match.end(), "target")
                self.builder.blocks.append(self.builder.add_region("definition", match.start(), match.end()))


def _shows_its_target(link: Any) -> bool:
    """Whether the text of a link is also its target, so that changing the text breaks the link."""
    return link["link_type"] not in ("Inline", "Reference", "ReferenceUnknown")
