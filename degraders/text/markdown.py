"""Markdown (CommonMark and GFM, with front matter, footnotes and math) to regions, with pulldown-cmark."""

from __future__ import annotations

import json
import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping
from operator import attrgetter
from typing import Any

import pyromark

from degraders.text.builder import Builder
from degraders.text.dialect_lines import adapt_lines, has_lines
from degraders.text.dialect_spans import adapt_formulas, adapt_spans, has_spans
from degraders.text.dialects import AUTO, Copy, blanks, recognise_constructs

_OPTIONS = (
    pyromark.Options.ENABLE_TABLES
    | pyromark.Options.ENABLE_FOOTNOTES
    | pyromark.Options.ENABLE_STRIKETHROUGH
    | pyromark.Options.ENABLE_TASKLISTS
    | pyromark.Options.ENABLE_HEADING_ATTRIBUTES
    | pyromark.Options.ENABLE_GFM
)
_DEFINITION_LIST = re.compile(r"\n[ \t>]*:[ \t]+\S")
_NOT_ASCII = re.compile(r"[^\x00-\x7f]")
_FRONT_MATTER = re.compile(
    r"\s*+(?:<!--(?:[^-]|-(?!->))*+-->\s*)*+(---|\+\+\+)[ \t]*\r?\n"
    r"(?=[ \t]*(?:#|[\w\"'-]+[ \t]*[:=]|\[\[?[\w.-]+\]\]?[ \t]*\r?\n))"
    r"(?:.*\r?\n)*?(?:\1|\.\.\.)[ \t]*(?:\r?\n|\Z)"
)
_JSON_FRONT_MATTER = re.compile(r"\{\s*\"[^\"\n]*\"\s*:")
_LINE_END = re.compile(r"[ \t]*(?:\r?\n|\Z)")
_BLOCK_SYNTAX = re.compile(r"[-*+#<`~>|]|\d+[.)]")
_END = attrgetter("end")
_ATTRIBUTES = re.compile(r"\{[^{}\n]*\}")
_ALERT = re.compile(r"\[![A-Za-z]+\]")
_MAX_PASSES = 10
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
    "DefinitionList": "definition_list",
    "DefinitionListTitle": "term",
    "DefinitionListDefinition": "description",
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
        self.text = self.parsed = builder.text
        self.depth = 0
        self.opens = True
        self.body = True
        self.in_code = False
        self.hidden = 0
        self.items: Mapping[int, str] = {}
        self.titles: Mapping[int, str] = {}

    def run(self) -> None:
        skip = self._front_matter()
        copy = self._adapt(skip)
        self.items, self.titles = copy.items, copy.titles
        text = blanks(self.text[:skip]) + copy.parsed_text()[skip:]
        if not text.isascii():
            # One ASCII character for each other one, so that the parser's byte offsets are character offsets.
            for char in set(_NOT_ASCII.findall(text)):
                text = text.replace(char, "x" if char.isalnum() else "?")
        options = _OPTIONS
        if _DEFINITION_LIST.search(text):
            options |= pyromark.Options.ENABLE_DEFINITION_LIST
        formulas = adapt_formulas(text)
        if formulas is not None:
            text, options = formulas, options | pyromark.Options.ENABLE_MATH
        if "jsx" in copy.constructs:
            text = _without_indented_code(text, options)
        self.parsed = text
        self._read(pyromark.events_with_range(text, options=options))
        self._definitions()
        self._add_syntax(copy)

    def _adapt(self, skip: int) -> Copy:
        """The copy of the text that the parser reads, with what is to be added to its events."""
        builder = self.builder
        copy = Copy(self.text, recognise_constructs(self.text, builder.dialect, builder.doc_id))
        if has_spans(copy) or has_lines(copy):
            adapt_lines(copy, skip)
            adapt_spans(copy, skip)
        return copy

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
        end = match.end() if match else _json_end(self.text)
        if end:
            self.builder.protect(0, end, "front_matter")
            self._block("front_matter", 0, end)
        return end

    def _start(self, tag: str, value: Any, start: int) -> None:
        if tag in _INLINE_TAGS:
            self._open_block(start)
            if tag == "Link" or tag == "Image":
                self.hidden += _shows_its_target(value)
            return
        self.opens = True
        self.depth += not (tag == "List" and self.items and self._skip_blanks(start) in self.items)
        if tag == "Heading" or tag == "TableCell" or tag == "DefinitionListTitle":
            self.body = False
        elif tag == "CodeBlock":
            self.in_code = True
        elif tag == "HtmlBlock" or tag == "MetadataBlock":
            self.hidden += 1

    def _end_block(self, tag: str, value: Any, start: int, end: int, *, first: int, last: int) -> None:
        """Close a block whose content without markup is [first, last), with -1 for none."""
        self.body = True
        self.depth -= 1
        # The range of a definition list goes too far, see pulldown-cmark: it includes a paragraph below it.
        end = self._trim_end(start, last if tag == "DefinitionList" else end)
        if (self.items or self.titles) and self._end_marker(tag, start, end):
            return
        inner = (min(first, end), min(last, end)) if first >= 0 else None
        if tag == "Paragraph":
            self._block("paragraph", start, end, inner)
        elif tag == "CodeBlock":
            self.in_code = False
            self._code_block(value, start, end, inner)
        elif tag == "Heading":
            inner = inner or (end, end)
            attributes = _ATTRIBUTES.search(self.text, inner[1], end)
            if attributes:
                self.builder.protect(*attributes.span(), "directive")
            self._block("heading", start, end, inner, info=value["level"][1:])
        elif tag == "List":
            self._block("list", start, end, info="bullet" if value is None else "ordered")
        elif tag == "Item":
            marker = _MARKER.match(self.text, start)
            self._block("item", start, end, (min(marker.end(), end) if marker else start, end))
        else:
            if tag == "HtmlBlock" or tag == "MetadataBlock":
                self.hidden -= 1
                self.builder.protect(start, end, "html")
            elif tag == "BlockQuote" and value:
                self._protect_alert(start, end)
            self._block(_KINDS.get(tag, "block"), start, end, inner, info="head" if tag == "TableHead" else "")

    def _protect_alert(self, start: int, end: int) -> None:
        """Protect the line `[!NOTE]` of an alert."""
        alert = _ALERT.search(self.text, start, end)
        if alert:
            self.builder.protect(*alert.span(), "directive")

    def _end_marker(self, tag: str, start: int, end: int) -> bool:
        """Whether this block exists only in the copy; the item or the heading of a directive becomes its block."""
        if tag == "Heading":
            names = self.titles
        elif tag == "List" or tag == "Item":
            names, start = self.items, self._skip_blanks(start)
        else:
            return False
        if start not in names:
            return False
        if tag == "List":
            self.depth += 1
        elif names[start]:
            line_end = self._trim_line(start)
            self._block("directive", start, max(end, line_end), info=names[start])
        self.opens = True
        return True

    def _trim_line(self, start: int) -> int:
        """The end of a line of syntax, which the copy may have cut short."""
        end = self.text.find("\n", start)
        return start + len(self.text[start : end if end >= 0 else None].rstrip())

    def _skip_blanks(self, at: int) -> int:
        while self.text[at : at + 1] in (" ", "\t"):
            at += 1
        return at

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
        """The end of [start, end) without white space and without lines that are syntax of the dialect."""
        text = self.parsed
        while end > start and text[end - 1] in " \t\r\n":
            end -= 1
        return end

    def _add_syntax(self, copy: Copy) -> None:
        """Add what the parser did not see: the syntax of the dialect, and the blocks that it forms."""
        builder = self.builder
        builder.recognised = copy.dialect if builder.dialect == AUTO else builder.dialect
        for start, end, kind in copy.hidden:
            builder.hide(start, end, kind)
        for kind, start, end, *inner, info in copy.spans:
            builder.add_region(kind, start, end, (inner[0], inner[1]), info=info)
        self._add_lines(copy)
        self._join_containers(copy)

    def _add_lines(self, copy: Copy) -> None:
        """Add the lines of syntax as regions, and as blocks if they are outside all other blocks."""
        blocks = self.builder.blocks
        blocks.sort()
        starts, ends = [block.start for block in blocks], [block.end for block in blocks]
        for start, end, kind, info in copy.lines:
            region = self.builder.add_region(kind, start, end, info=info)
            if bisect_right(ends, start) == bisect_left(starts, end):
                blocks.append(region)

    def _join_containers(self, copy: Copy) -> None:
        """Make one block of a container and all blocks that it touches, unless a heading is among them."""
        blocks = self.builder.blocks
        blocks.sort()
        for start, end in sorted(copy.containers, key=lambda each: each[0] - each[1]):
            first = bisect_right(blocks, start, key=_END)
            last = bisect_left(blocks, (end,), first)
            if first < last and not any(block.kind == "heading" for block in blocks[first:last]):
                region = self.builder.add_region("directive", start, end, info="container")
                outer = blocks[first] if blocks[first].start < start else region
                blocks[first:last] = [outer._replace(end=max(end, outer.end))]

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


def _json_end(text: str) -> int:
    """The end of front matter in JSON, 0 if there is none."""
    if not _JSON_FRONT_MATTER.match(text):
        return 0
    try:
        end = json.JSONDecoder().raw_decode(text)[1]
    except (ValueError, RecursionError):
        return 0
    line_end = _LINE_END.match(text, end)
    return line_end.end() if line_end else 0


def _without_indented_code(text: str, options: Any) -> str:
    """A copy, equal in length, in which no block is code because of its indentation: MDX has no such code.

    A line end takes the place of one space, so that the line is indented by three columns less than code.
    """
    for _ in range(_MAX_PASSES):
        starts = _indented_lines(text, options)
        if not starts:
            break
        chars = list(text)
        for at in starts:
            chars[at] = "\n"
        text = "".join(chars)
    return text


def _indented_lines(text: str, options: Any) -> list[int]:
    """The spaces to replace by line ends: one before each paragraph and other block that is indented as code is."""
    breaks: list[int] = []
    indented = opens = False
    for event, span in pyromark.events_with_range(text, options=options):
        if isinstance(event, str):
            continue
        if "Start" in event:
            indented = opens = event["Start"] == {"CodeBlock": "Indented"}
        elif indented and "Text" in event:
            start = span["start"]
            piece = text[start : span["end"]]
            at = start + len(piece) - len(piece.lstrip(" \t"))
            space = text.rfind("\n", 0, start) + 1 + at - start
            if (opens or _BLOCK_SYNTAX.match(text, at)) and text[space] in " \t":
                breaks.append(space)
            opens = piece.count("\n") != 1
    return breaks


def _shows_its_target(link: Any) -> bool:
    """Whether the text of a link is also its target, so that changing the text breaks the link."""
    return link["link_type"] not in ("Inline", "Reference", "ReferenceUnknown")
