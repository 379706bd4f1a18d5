"""The layout of a text, for all degraders that change it: its lines, its outermost blocks, the items of its lists."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable

from degraders.text.document import Region, Unit

QUOTE_PREFIX = re.compile(r"[ \t>]*\Z")
"""A margin that continues an enclosing block: indentation and quote marks, but no list marker."""
NOT_PROSE = re.compile(r"[<{|~!:]|=== |\?\?\? |\[\^|(?:im|ex)port ")
"""The start of a paragraph that is an image, a component, a container, a definition or an attribute."""

_ATTACHMENT = re.compile(r"(?:\r?\n[ \t]*){1,2}(?::[ \t]|\{:|\^)")
_TAG = re.compile(r"<(?!(?:img|br|hr|link|meta|input)\b)([A-Za-z][\w.-]*)")


def line_start(text: str, at: int) -> int:
    """The offset at which the line around `at` begins."""
    return text.rfind("\n", 0, at) + 1


def next_line(text: str, at: int) -> int:
    """The offset at which the next line after `at` begins, or the end of the text."""
    newline = text.find("\n", at)
    return newline + 1 if newline >= 0 else len(text)


def margin(unit: Unit, block: Region) -> str:
    """The text before a block on its first line: nothing, indentation, quote marks or a list marker."""
    text = unit.doc.text
    return text[line_start(text, block.start) : block.start]


def starts_with_blank_line(text: str) -> bool:
    """Whether two line ends, of either kind, begin the text."""
    return text[:4].replace("\r", "").startswith("\n\n")


def blocks(unit: Unit) -> list[Region]:
    """The outermost blocks that lie completely in a unit."""
    all_blocks = unit.doc.blocks
    first, last = bisect_left(all_blocks, (unit.start,)), bisect_left(all_blocks, (unit.end,))
    return [block for block in all_blocks[first:last] if block.end <= unit.end]


def direct_items(unit: Unit, outer: Region) -> list[Region]:
    """The items of a list, without those of the lists inside it."""
    return [item for item in unit.doc.regions_within("item", outer.start, outer.end) if item.depth == outer.depth + 1]


def is_prose(unit: Unit, block: Region) -> bool:
    """Whether an outermost block is a paragraph of running text that begins its line."""
    text = unit.doc.text
    at_margin = not block.start or text[block.start - 1] in "\n\r"
    return block.kind == "paragraph" and at_margin and not NOT_PROSE.match(text, block.start)


def is_open(unit: Unit, block: Region) -> bool:
    """Whether another paragraph could follow a block: the block announces nothing, and nothing is attached to it."""
    text = unit.doc.text
    announces = text[max(block.start, block.end - 4) : block.end].rstrip("*_ ").endswith((":", "："))
    return not announces and not _ATTACHMENT.match(text, block.end)


def in_component(unit: Unit, at: int) -> bool:
    """Whether an offset lies between the tags of an HTML or MDX component."""
    before = [block for block in unit.doc.regions.get("html_block", ()) if block.end <= at]
    if not before:
        return False
    last = unit.doc.text[before[-1].start : before[-1].end]
    tag = _TAG.match(last)
    return tag is not None and f"</{tag[1]}" not in last and not last.endswith("/>")


def inline_markup(unit: Unit) -> list[Region]:
    """The regions of a unit that a sentence must not be cut in: emphasis and links."""
    return unit.regions_of("emphasis", "strong", "link")


def is_inside(at: int, regions: Iterable[Region]) -> bool:
    """Whether an offset lies inside one of the regions, not at its borders."""
    return any(region.start < at < region.end for region in regions)
