"""Division of a document into units, the parts of its text that become the good side of records."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from degraders.draw import Draw
from degraders.text.document import Document, Region, Unit


def divide(doc: Document, *, unit: str = "section", max_chars: int | Sequence[int] = 2000) -> list[Unit]:
    """Divide a document into one unit (`document`), or at headings into sections packed up to `max_chars` (`section`).

    If `max_chars` is a sequence, each unit has one of these limits, drawn by its document and position alone. A longer
    section is divided between its blocks, and a long list between its items, never inside one; a heading stays with
    the text that follows it. The `context` of a unit is the trail of the headings above it. It holds no heading of the
    unit itself, so that it never gives away the right text of an error in a heading.
    """
    if unit == "document":
        return [Unit(doc, 0, 0, len(doc.text), "")] if doc.blocks else []
    limits = (max_chars,) if isinstance(max_chars, int) else tuple(max_chars)
    units: list[Unit] = []
    trail: list[tuple[int, str]] = []
    for group in _pack(_divisible_blocks(doc, sorted(limits)[len(limits) // 2]), _Limits(doc.doc_id, limits)):
        context = " > ".join(title for level, title in trail if not _leaves_section(group[0], level))
        units.append(Unit(doc, len(units), group[0].start, group[-1].end, context))
        for block in group:
            if block.kind == "heading":
                level = int(block.info)
                trail = [(above, title) for above, title in trail if above < level]
                trail.append((level, " ".join(doc.text[block.inner_start : block.inner_end].split())))
    return units


class _Limits:
    """The limit on the length of a unit, by its offset."""

    def __init__(self, doc_id: str, limits: Sequence[int]) -> None:
        self.doc_id, self.limits = doc_id, limits

    def __call__(self, start: int) -> int:
        limits = self.limits
        return limits[0] if len(limits) == 1 else Draw("size", self.doc_id, start).choice(limits)


def _leaves_section(block: Region, level: int) -> bool:
    """Whether a unit that begins with this block is outside the section of a heading of this level."""
    return block.kind == "heading" and int(block.info) <= level


def _divisible_blocks(doc: Document, max_chars: int) -> list[Region]:
    """The outermost blocks; a list longer than `max_chars` is replaced by its items."""
    out: list[Region] = []
    for block in doc.blocks:
        items = (
            doc.regions_within("item", block.start, block.end)
            if block.kind == "list" and block.end - block.start > max_chars
            else []
        )
        outer = [item for item in items if item.depth == items[0].depth]
        out.extend(outer or [block])
    return out


def _pack(blocks: Sequence[Region], limit_at: Callable[[int], int]) -> Iterator[list[Region]]:
    """Pack blocks into sections and small sections together, each group up to its limit where that is possible."""
    group: list[Region] = []
    limit = 0
    for section in _sections(blocks):
        if group and section[-1].end - group[0].start > limit:
            yield group
            group = []
        limit = limit if group else limit_at(section[0].start)
        if section[-1].end - section[0].start <= limit:
            group += section
            continue
        for block in section:
            if group and group[-1].kind != "heading" and block.end - group[0].start > limit:
                yield group
                group = []
            limit = limit if group else limit_at(block.start)
            group.append(block)
        yield group
        group = []
    if group:
        yield group


def _sections(blocks: Sequence[Region]) -> Iterator[list[Region]]:
    """The sections: runs of blocks that begin with a heading, or with the labels and anchors right above it."""
    section: list[Region] = []
    for block in blocks:
        if block.kind == "heading" and section and section[-1].kind != "heading":
            cut = len(section)
            while cut > 1 and _is_anchor(section[cut - 1]):
                cut -= 1
            yield section[:cut]
            section = section[cut:]
        section.append(block)
    if section:
        yield section


def _is_anchor(block: Region) -> bool:
    """Whether a block above a heading can be its anchor or label."""
    return block.kind in ("html_block", "comment") or (block.kind == "definition" and block.info == "label")
