"""Markup of lists and tables: markers, numbers, indentation, pipes and delimiter rows."""

from __future__ import annotations

import re
from collections.abc import Iterator

from degraders.draw import Draw
from degraders.registry import Fault, Place, degrader, regions, register_degrader
from degraders.rules.layout import direct_items, line_start, margin, next_line
from degraders.rules.options import Option, choose_option, option_subtypes
from degraders.text.document import Region, Unit

_MARKER = re.compile(
    r"(?:(?P<bullet>[-*+])|(?P<number>\d{1,3})(?P<after>[.)]))(?P<space>[ \t]+)(?P<task>\[[ xX]\][ \t])?"
)
_LAST_DASHES = re.compile(r"\|?[ \t]*:?-+:?[ \t]*\|?[ \t]*\Z")
_BORDER = re.compile(r"[ \t]*[=+-][=+ -]*\Z")
_NEVER_FLATTENED = ("code_block", "table", "quote", "html_block", "image")


def _is_plain(unit: Unit, block: Region) -> bool:
    """Whether a list has a few short items of one paragraph each."""
    if block.end - block.start > 900:
        return False
    items = direct_items(unit, block)
    if not 2 <= len(items) <= 8:
        return False
    if any(unit.doc.regions_within(kind, block.start, block.end) for kind in _NEVER_FLATTENED):
        return False
    inner_lists = unit.doc.regions_within("list", block.start + 1, block.end)
    markers = [_MARKER.match(unit.doc.text, item.start) for item in items]
    return not inner_lists and all(marker and not marker["task"] for marker in markers)


@degrader(
    "markup.list_flat",
    where=regions("list", when=_is_plain),
    does="runs the items of a list into one line or paragraph",
    example=("1. Stop it.\n2. Start it.\n", "1. Stop it. 2. Start it.\n"),
    recoverable="A",
    severity=2,
    size=2,
    weight=0.6,
    english=False,
)
def flatten_list(place: Place, draw: Draw) -> Fault | None:
    unit, text, start, end = place.unit, place.unit.doc.text, place.start, place.end
    items = direct_items(unit, place.data)
    options = [Option(2, start, end, " ".join(text[item.start : item.end] for item in items))]
    at = 1 + draw.below(len(items) - 1)
    left, right = items[at - 1].end, items[at].start
    if not text[left:right].strip(" \t\r\n>"):
        options.append(Option(3, left, right, " "))
        options.append(Option(2, left, items[at].inner_start, " ", recoverable="B"))
    if place.data.info != "ordered":
        if len(text[start:end].splitlines()) == len(items):
            options.append(Option(1, start, end, _without_markers(text, items), recoverable="B"))
        if all(item.end - item.inner_start < 60 for item in items):
            options.append(Option(2, start, end, _as_sentence(text, items), recoverable="B"))
    return choose_option(draw, options)


def _without_markers(text: str, items: list[Region]) -> str:
    next_starts = [*(item.start for item in items[1:]), items[-1].end]
    return "".join(text[item.inner_start : end] for item, end in zip(items, next_starts, strict=True))


def _as_sentence(text: str, items: list[Region]) -> str:
    """The items in one sentence, with commas between them unless an item ends with a punctuation mark."""
    parts = [text[item.inner_start : item.end] for item in items]
    if any(part[-1] in ".;:!?," for part in parts):
        return " ".join(parts)
    return ", ".join(parts[:-1]) + (", and " if len(parts) > 2 else " and ") + parts[-1]


def _item_options(place: Place, draw: Draw) -> Iterator[Option]:
    """An item with a wrong marker, number, indentation or space."""
    unit, item, text = place.unit, place.data, place.unit.doc.text
    marker = _MARKER.match(text, item.start)
    outer_lists = [
        block
        for block in unit.regions_of("list")
        if block.depth == item.depth - 1 and block.start <= item.start and item.end <= block.end
    ]
    if not marker or not outer_lists:
        return
    siblings = direct_items(unit, outer_lists[-1])
    at = siblings.index(item)
    if text[marker.end("space")] not in "-*+>`:|#":
        yield Option(1.5, *marker.span("space"), "", subtype="space")
    if at and not margin(unit, item).strip():
        yield Option(2, item.start, item.start, " ", subtype="indent")
        if len(margin(unit, item)) > 1:
            yield Option(4, item.start - len(margin(unit, item)), item.start, "", recoverable="B", subtype="indent")
            yield Option(2, item.start - draw.choice((1, 2)), item.start, "", subtype="indent")
    if marker["task"]:
        box = marker.start("task")
        yield Option(2, box, box + 3, "[]" if text[box + 1] == " " else "[x ]", subtype="task")
    if marker["bullet"]:
        yield from _bullet_options(text, item, siblings, draw)
    else:
        yield from _number_options(text, marker, siblings, at)


def _bullet_options(text: str, item: Region, siblings: list[Region], draw: Draw) -> Iterator[Option]:
    """Another bullet than that of the other items, or none."""
    if len(siblings) > 1 and len({text[other.start] for other in siblings}) == 1:
        other = {"-": "*", "*": "-", "+": "-"}[text[item.start]]
        bullet = other if draw.chance(0.9) else "+*"[other == "*"]
        class_ = "A" if len(siblings) > 2 else "B"
        yield Option(4, item.start, item.start + 1, bullet, recoverable=class_, subtype="bullet")
    one_line = "\n" not in text[item.start : item.end]
    if siblings[0].start < item.start < siblings[-1].start and one_line:
        yield Option(1, item.start, item.inner_start, "", subtype="bullet_lost")


def _number_options(text: str, marker: re.Match[str], siblings: list[Region], at: int) -> Iterator[Option]:
    """A wrong number, or another mark after it."""
    number = int(marker["number"])
    markers = [match for other in siblings if (match := _MARKER.match(text, other.start)) and match["number"]]
    numbers = [int(match["number"]) for match in markers]
    if len(numbers) < 2 or numbers != list(range(numbers[0], numbers[0] + len(numbers))):
        return
    if at:
        yield Option(3, *marker.span("number"), str(number - 1), derivable=True, subtype="number")
        yield Option(3, *marker.span("number"), str(number + 1), derivable=True, subtype="number")
    if len(numbers) > 2:
        yield Option(1, *marker.span("after"), ")" if marker["after"] == "." else ".", subtype="number")


register_degrader(
    "markup.list_markers",
    *option_subtypes(regions("item"), _item_options, bullet=4, number=3, indent=2, space=1.5, bullet_lost=1, task=0.5),
    does="mixes list markers, numbers steps wrong, or gets the indentation or the space of an item wrong",
    example=("- one\n- two\n- three\n", "- one\n* two\n- three\n"),
    recoverable="A",
    severity=1,
    size=1,
    weight=1.5,
    english=False,
)


@degrader(
    "markup.table",
    where=regions("table"),
    does="drops the delimiter row, a border, a pipe or a cell of a table",
    example=("| a | b |\n|---|---|\n| 1 | 2 |\n", "| a | b |\n| 1 | 2 |\n"),
    recoverable="A",
    severity=2,
    size=1,
    weight=0.6,
    english=False,
)
def break_table(place: Place, draw: Draw) -> Fault | None:
    unit, block = place.unit, place.data
    if unit.doc.format == "rst":
        return choose_option(draw, _border_options(unit, block, draw))
    options = list(_delimiter_row_options(unit, block))
    rows = [row for row in unit.doc.regions_within("row", block.start, block.end) if row.info != "head"]
    if rows:
        options += _row_options(unit, draw.choice(rows), draw)
    return choose_option(draw, options)


def _delimiter_row_options(unit: Unit, block: Region) -> Iterator[Option]:
    """The row of dashes below the head, lost or one cell short."""
    text = unit.doc.text
    start = next_line(text, block.start)
    end = min(next_line(text, start), block.end)
    line = text[start:end].rstrip("\r\n")
    if not line or line.strip(" \t|:->"):
        return
    yield Option(3, start, end, "")
    last = _LAST_DASHES.search(line)
    if last and line.count("-|") + line.count("- ") + line.count(":|") + line.count(": ") >= 2 and "|" in last[0]:
        pipe = "|" if last[0].endswith("|") and last[0].startswith("|") else ""
        yield Option(2, start + last.start(), start + last.end(), pipe)


def _row_options(unit: Unit, row: Region, draw: Draw) -> Iterator[Option]:
    """A row with a pipe lost or added, a line break lost or added, or a cell lost or emptied."""
    text = unit.doc.text
    cells = unit.doc.regions_within("cell", row.start, row.end)
    inner = [cell for cell in cells[1:] if text[cell.start - 1] == "|"]
    if inner:
        pipe = draw.choice(inner).start - 1
        yield Option(3, pipe, pipe + 1, "")
        yield Option(1, pipe, pipe, "|")
        cell = draw.choice(inner)
        yield Option(1, cell.start - 1, cell.end, "", recoverable="D")
        if cell.inner_end > cell.inner_start:
            yield Option(1, cell.inner_start, cell.inner_end, "", recoverable="D")
    if text[row.start] == "|":
        yield Option(0.8, row.start, row.start + 1, "")
    if text[row.end - 1] == "|":
        yield Option(0.8, row.end - 1, row.end, "")
    start = line_start(text, row.start)
    if start == row.start > unit.start:
        newline = unit.doc.newline
        yield Option(1, start, start, newline)
        yield Option(0.8, start - len(newline), start, " ")


def _border_options(unit: Unit, block: Region, draw: Draw) -> Iterator[Option]:
    """The lines of `=` or `-` of a reST table: one lost, cut short or interrupted."""
    text = unit.doc.text
    at, borders = line_start(text, block.start), []
    while at < block.end:
        end = min(next_line(text, at), block.end)
        if _BORDER.match(text[at:end].rstrip("\r\n")):
            borders.append((at, end))
        at = end
    if len(borders) < 2 or borders[0][0] < unit.start:
        return
    start, end = draw.choice(borders[1:])
    yield Option(2, start, min(next_line(text, start), unit.end), "")
    stop = start + len(text[start:end].rstrip())
    last = re.split(r"[ +]", text[start:stop])[-1]
    if len(last) > 1:
        yield Option(2, stop - draw.choice((1, 2, 3)[: len(last) - 1]), stop, "")
    gap = text.find(" ", start + len(text[start:end]) - len(text[start:end].lstrip()), stop)
    if gap > 0:
        yield Option(1, gap, gap + 1, text[gap - 1])
