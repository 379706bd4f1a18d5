"""Markdown (CommonMark and GFM, with front matter, footnotes and math) to regions, by pulldown-cmark."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable
from typing import Any

import pyromark

from degraders.document import Builder

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
_DEFINITION = re.compile(r"^ {0,3}\[[^\]\n]+\]:[ \t]*(?:\r?\n[ \t]*)?\S[^\r\n]*", re.MULTILINE)
_MARKER = re.compile(r"(?:[-*+]|\d{1,9}[.)])(?:[ \t]+\[[ xX]\])?[ \t]*")
_HTML = frozenset({"Html", "InlineHtml"})
_MATH = frozenset({"InlineMath", "DisplayMath"})
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


class _Open:
    """A container that the event stream is in; `first` and `last` bound its content without markup."""

    __slots__ = ("end", "first", "last", "start", "tag", "value")

    def __init__(self, tag: str, value: Any, start: int, end: int) -> None:
        self.tag = tag
        self.value = value
        self.start = start
        self.end = end
        self.first = -1
        self.last = -1

    def inner(self, end: int) -> tuple[int, int] | None:
        """The content without markup, as far as it lies before the trimmed end of the block."""
        return (min(self.first, end), min(self.last, end)) if self.first >= 0 else None


def scan(builder: Builder) -> None:
    """Fill the builder from its Markdown text."""
    _Scanner(builder).run()


class _Scanner:
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
        # One ASCII character for each other one, so that the parser's byte offsets are our character offsets.
        ascii_text = self.text
        if not ascii_text.isascii():
            ascii_text = _NOT_ASCII.sub(lambda m: "x" if m[0].isalnum() else "?", ascii_text)
        if skip:
            ascii_text = re.sub(r"[^\r\n]", " ", ascii_text[:skip]) + ascii_text[skip:]
        stack: list[_Open] = [_Open("", None, 0, len(self.text))]
        shown = self.builder.shown
        # With formulas enabled, a pair of shell variables would swallow the code spans between them.
        options = _MATH_OPTIONS if _FORMULA.search(ascii_text) else _OPTIONS
        events: Iterable[tuple[Any, Any]] = pyromark.events_with_range(ascii_text, options=options)
        for event, span in events:
            start, end = span["start"], span["end"]
            if event.__class__ is str:
                if event == "SoftBreak" and not self.hidden:
                    shown.append((start, end, self.opens, self.body))
                    self.opens = False
                elif event == "Rule":
                    self._block("rule", start, self._trimmed(start, end))
                continue
            ((name, value),) = event.items()
            if name == "Text":
                if self.in_code:
                    self._code_text(start, end)
                elif not self.hidden and len(value) == end - start:
                    shown.append((start, end, self.opens, self.body))
                    self.opens = False
            elif name == "Start":
                stack.append(self._start(value, start, end))
                continue
            elif name == "End":
                self._end(stack.pop())
            else:
                self._leaf(name, value, start, end)
            top = stack[-1]
            if top.first < 0:
                top.first = start
            top.last = end
        self._definitions()

    def _front_matter(self) -> int:
        match = _FRONT_MATTER.match(self.text)
        if not match:
            return 0
        self.builder.protect(0, match.end(), "front_matter")
        self._block("front_matter", 0, match.end())
        return match.end()

    def _start(self, tag: Any, start: int, end: int) -> _Open:
        value = None
        if tag.__class__ is not str:
            ((tag, value),) = tag.items()
        if tag in _INLINE_TAGS:
            self._open_block(start)
            if tag == "Link" or tag == "Image":
                self.hidden += _names_its_target(value)
            return _Open(tag, value, start, end)
        self.opens = True
        self.depth += 1
        if tag == "Heading" or tag == "TableCell":
            self.body = False
        elif tag == "CodeBlock":
            self.in_code = True
        elif tag == "HtmlBlock" or tag == "MetadataBlock":
            self.hidden += 1
        return _Open(tag, value, start, end)

    def _end(self, block: _Open) -> None:
        tag = block.tag
        if tag in _INLINE_TAGS:
            self._end_inline(block)
            return
        self.opens = self.body = True
        self.depth -= 1
        end = self._trimmed(block.start, block.end)
        if tag == "CodeBlock":
            self.in_code = False
            self._code_block(block, end)
        elif tag == "Heading":
            self._block("heading", block.start, end, block.inner(end) or (end, end), block.value["level"][1:])
        elif tag == "List":
            self._block("list", block.start, end, None, "bullet" if block.value is None else "ordered")
        elif tag == "Item":
            marker = _MARKER.match(self.text, block.start)
            self._block("item", block.start, end, (min(marker.end(), end) if marker else block.start, end))
        else:
            if tag == "HtmlBlock" or tag == "MetadataBlock":
                self.hidden -= 1
                self.builder.protect(block.start, end, "html")
            self._block(
                _KINDS.get(tag, "block"), block.start, end, block.inner(end), "head" if tag == "TableHead" else ""
            )

    def _end_inline(self, link: _Open) -> None:
        tag, text = link.tag, self.text
        if tag != "Link" and tag != "Image":
            inner = (link.first, link.last) if link.first >= 0 else (link.start, link.end)
            self.builder.region(_KINDS.get(tag, "inline"), link.start, link.end, inner, text[link.start : link.first])
            return
        if _names_its_target(link.value):
            self.hidden -= 1
            kind = "url" if text[link.start] == "<" or "Autolink" in link.value["link_type"] else "target"
            self.builder.protect(link.start, link.end, kind)
            self.builder.region("reference", link.start, link.end)
            return
        opening = link.start + (2 if tag == "Image" else 1)
        inner_end = max(link.last, opening)
        self.builder.protect(inner_end + 1, link.end, "target")
        kind = "image" if tag == "Image" else "link"
        style = "inline" if link.value["link_type"] == "Inline" else "reference"
        self.builder.region(kind, link.start, link.end, (opening, inner_end), style)

    def _open_block(self, start: int) -> None:
        """Markup that begins a block: the block's border lies before it."""
        if self.opens and not self.hidden:
            self.builder.shown.append((start, start, True, self.body))
            self.opens = False

    def _leaf(self, name: str, value: Any, start: int, end: int) -> None:
        if name != "Html":
            self._open_block(start)
        if name == "Code":
            ticks = len(self.text[start:end]) - len(self.text[start:end].lstrip("`"))
            self.builder.region("code_span", start, end, (start + ticks, end - ticks))
            self.builder.protect(start, end, "code_span")
        elif name in _HTML:
            self.builder.protect(start, end, "html")
        elif name in _MATH:
            self.builder.protect(start, end, "math")
        elif name == "FootnoteReference":
            self.builder.protect(start, end, "target")

    def _code_text(self, start: int, end: int) -> None:
        """A piece of a code block; the parser leaves out the first half of each CRLF."""
        code = self.builder.code
        if code and code[-1][1] == start - 1 and self.text[start - 1] == "\r":
            start -= 1
        code.append((start, end))

    def _trim_code(self, end: int) -> None:
        """An indented or unclosed block ends before the blank lines below it."""
        code = self.builder.code
        while code and code[-1][1] > end:
            start, _ = code.pop()
            if start < end:
                code.append((start, end))

    def _code_block(self, block: _Open, end: int) -> None:
        self._trim_code(end)
        fenced = block.value != "Indented" and "Fenced" in block.value
        if not fenced:
            self.builder.protect(block.start, end, "code")
            self._block("code_block", block.start, end, (block.start, end))
            return
        inner = (block.first, min(block.last, end)) if 0 <= block.first < end else (end, end)
        line_start = self.text.rfind("\n", block.start, inner[0]) + 1 if inner[0] < end else end
        self.builder.protect(block.start, max(line_start, block.start), "fence")
        self.builder.protect(max(line_start, block.start), inner[1], "code")
        self.builder.protect(inner[1], end, "fence")
        self._block("code_block", block.start, end, inner, "`" + block.value["Fenced"])

    def _block(self, kind: str, start: int, end: int, inner: tuple[int, int] | None = None, info: str = "") -> None:
        self.opens = True
        region = self.builder.region(kind, start, end, inner, info, self.depth)
        if not self.depth:
            self.builder.blocks.append(region)

    def _trimmed(self, start: int, end: int) -> int:
        text = self.text
        while end > start and text[end - 1] in " \t\r\n":
            end -= 1
        return end

    def _definitions(self) -> None:
        """Link reference definitions: the parser reports none, so they are what looks like one outside all else."""
        if "]:" not in self.text:
            return
        taken = sorted(self.builder.blocks)
        ends = [region.end for region in taken]
        for match in _DEFINITION.finditer(self.text):
            at = bisect_right(ends, match.start())
            if at == len(taken) or taken[at].start >= match.end():
                self.builder.protect(match.start(), match.end(), "target")
                self.builder.blocks.append(self.builder.region("definition", match.start(), match.end()))


def _names_its_target(link: Any) -> bool:
    """Whether the text of a link is its target too, so that changing the one breaks the other."""
    return link["link_type"] not in ("Inline", "Reference", "ReferenceUnknown")
