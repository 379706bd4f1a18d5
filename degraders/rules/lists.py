"""Markup of lists and tables: markers, numbers, indents, pipes and delimiter rows."""

from __future__ import annotations

import re
from collections.abc import Iterator

from degraders.draw import Draw
from degraders.registry import Fault, Place, degrader, regions, register_degrader
from degraders.rules.markup import Option, choose, line_start, margin, next_line, option_subtypes
from degraders.text.document import Region, Unit

_MARKER = re.compile(
    r"(?:(?P<bullet>[-*+])|(?P<number>\d{1,3})(?P<after>[.)]))(?P<space>[ \t]+)(?P<task>\[[ xX]\][ \t])?"
)
_LAST_DASHES = re.compile(r"\|?[ \t]*:?-+:?[ \t]*\|?[ \t]*\Z")
_BORDER = re.compile(r"[ \t]*[=+-][=+ -]*\Z")
_NOT_FLAT = ("code_block", "table", "quote", "html_block", "image")


def _items(unit: Unit, block: Region) -> list[Region]:
    """The items of a list itself, not those of the lists inside it."""
    return [item for item in unit.doc.regions_within("item", block.start, block.end) if item.depth == block.depth + 1]


def _is_plain(unit: Unit, block: Region) -> bool:
    """Whether a list has a few short items of one paragraph each."""
    if block.end - block.start > 900:
        return False
    items = _items(unit, block)
    if not 2 <= len(items) <= 8 or any(unit.doc.regions_within(kind, block.start, block.end) for kind in _NOT_FLAT):
        return False
    inner = unit.doc.regions_within("list", block.start + 1, block.end)
    markers = [_MARKER.match(unit.doc.text, item.start) for item in items]
    return not inner and all(marker and not marker["task"] for marker in markers)


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
def list_flat(place: Place, draw: Draw) -> Fault | None:
    unit, text = place.unit, place.unit.doc.text
    items = _items(unit, place.data)
    one_line = "".join(_joined(text, items, keep=True))
    options = [Option(2, place.start, place.end, one_line)]
    at = 1 + draw.below(len(items) - 1)
    left, right = items[at - 1].end, items[at].start
    if not text[left:right].strip(" \t\r\n>"):
        options.append(Option(3, left, right, " "))
        options.append(Option(2, left, items[at].inner_start, " ", "B"))
    if place.data.info != "ordered":
        lines = text[place.start : place.end].splitlines(keepends=True)
        if len(lines) == len(items):
            bare = "".join(text[item.inner_start : item.end] + _gap(text, items, i) for i, item in enumerate(items))
            options.append(Option(1, place.start, place.end, bare, "B"))
    if all(item.end - item.inner_start < 60 for item in items) and place.data.info != "ordered":
        options.append(Option(2, place.start, place.end, _as_sentence(text, items), "B"))
    return choose(draw, options)


def _gap(text: str, items: list[Region], at: int) -> str:
    return text[items[at].end : items[at + 1].start] if at + 1 < len(items) else ""


def _joined(text: str, items: list[Region], *, keep: bool) -> Iterator[str]:
    for number, item in enumerate(items):
        yield (" " if number else "") + text[item.start if keep else item.inner_start : item.end]


def _as_sentence(text: str, items: list[Region]) -> str:
    """The items one after the other: with commas, unless they end with a mark of their own."""
    parts = [text[item.inner_start : item.end] for item in items]
    if any(part[-1] in ".;:!?," for part in parts):
        return " ".join(parts)
    return ", ".join(parts[:-1]) + (", and " if len(parts) > 2 else " and ") + parts[-1]


def _of_item(place: Place, draw: Draw) -> Iterator[Option]:
    unit, item, text = place.unit, place.data, place.unit.doc.text
    marker = _MARKER.match(text, item.start)
    around = [
        block
        for block in unit.regions_of("list")
        if block.depth == item.depth - 1 and block.start <= item.start and item.end <= block.end
    ]
    if not marker or not around:
        return
    siblings = _items(unit, around[-1])
    at = siblings.index(item)
    if text[marker.end("space")] not in "-*+>`:|#":
        yield Option(1.5, *marker.span("space"), "", subtype="space")
    if at and not margin(unit, item).strip():
        yield Option(2, item.start, item.start, " ", subtype="indent")
        if len(margin(unit, item)) > 1:
            yield Option(2, item.start - draw.choice((1, 2)), item.start, "", subtype="indent")
    if marker["task"]:
        box = marker.start("task")
        yield Option(2, box, box + 3, "[]" if text[box + 1] == " " else "[x ]", subtype="task")
    if marker["bullet"]:
        yield from _bullets(text, item, siblings, draw)
    else:
        yield from _numbers(text, marker, siblings, at)


def _bullets(text: str, item: Region, siblings: list[Region], draw: Draw) -> Iterator[Option]:
    if len(siblings) > 1 and len({text[other.start] for other in siblings}) == 1:
        other = {"-": "*", "*": "-", "+": "-"}[text[item.start]]
        class_ = "A" if len(siblings) > 2 else "B"
        yield Option(
            4, item.start, item.start + 1, other if draw.chance(0.9) else "+*"[other == "*"], class_, subtype="bullet"
        )
    one_line = "\n" not in text[item.start : item.end]
    if siblings[0].start < item.start < siblings[-1].start and one_line:
        yield Option(1, item.start, item.inner_start, "", subtype="bullet_lost")


def _numbers(text: str, marker: re.Match[str], siblings: list[Region], at: int) -> Iterator[Option]:
    number = int(marker["number"])
    counted = [match for other in siblings if (match := _MARKER.match(text, other.start)) and match["number"]]
    numbers = [int(match["number"]) for match in counted]
    if len(numbers) < 2 or numbers != list(range(numbers[0], numbers[0] + len(numbers))):
        return
    if at:
        yield Option(3, *marker.span("number"), str(number - 1), derivable=True, subtype="number")
        yield Option(3, *marker.span("number"), str(number + 1), derivable=True, subtype="number")
    if len(numbers) > 2:
        yield Option(1, *marker.span("after"), ")" if marker["after"] == "." else ".", subtype="number")


register_degrader(
    "markup.list_markers",
    *option_subtypes(regions("item"), _of_item, bullet=4, number=3, indent=2, space=1.5, bullet_lost=1, task=0.5),
    does="mixes markers, miscounts steps, or gets the indent or the space of an item wrong",
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
    does="loses a table's delimiter row, border, pipe or cell",
    example=("| a | b |\n|---|---|\n| 1 | 2 |\n", "| a | b |\n| 1 | 2 |\n"),
    recoverable="A",
    severity=2,
    size=1,
    weight=0.6,
    english=False,
)
def table(place: Place, draw: Draw) -> Fault | None:
    unit, block = place.unit, place.data
    if unit.doc.format == "rst":
        return choose(draw, _borders(unit, block, draw))
    options = list(_delimiters(unit, block))
    rows = [row for row in unit.doc.regions_within("row", block.start, block.end) if row.info != "head"]
    if rows:
        row = draw.choice(rows)
        options += _row(unit, row, draw)
    return choose(draw, options)


def _delimiters(unit: Unit, block: Region) -> Iterator[Option]:
    text = unit.doc.text
    start = next_line(text, block.start)
    end = min(next_line(text, start), block.end)
    line = text[start:end].rstrip("\r\n")
    if not line or line.strip(" \t|:->"):
        return
    yield Option(3, start, end, "")
    last = _LAST_DASHES.search(line)
    if last and line.count("-|") + line.count("- ") + line.count(":|") + line.count(": ") >= 2 and "|" in last[0]:
        kept = "|" if last[0].endswith("|") and last[0].startswith("|") else ""
        yield Option(2, start + last.start(), start + last.end(), kept)


def _row(unit: Unit, row: Region, draw: Draw) -> Iterator[Option]:
    """A row that loses or gains a pipe, its line end, or a cell."""
    text = unit.doc.text
    cells = unit.doc.regions_within("cell", row.start, row.end)
    inner = [cell for cell in cells[1:] if text[cell.start - 1] == "|"]
    if inner:
        pipe = draw.choice(inner).start - 1
        yield Option(3, pipe, pipe + 1, "")
        yield Option(1, pipe, pipe, "|")
        cell = draw.choice(inner)
        yield Option(1, cell.start - 1, cell.end, "", "D")
        if cell.inner_end > cell.inner_start:
            yield Option(1, cell.inner_start, cell.inner_end, "", "D")
    if text[row.start] == "|":
        yield Option(0.8, row.start, row.start + 1, "")
    if text[row.end - 1] == "|":
        yield Option(0.8, row.end - 1, row.end, "")
    start = line_start(text, row.start)
    if start == row.start > unit.start:
        line = unit.doc.newline
        yield Option(1, start, start, line)
        yield Option(0.8, start - len(line), start, " ")


def _borders(unit: Unit, block: Region, draw: Draw) -> Iterator[Option]:
    """The lines of `=` or `-` of a reST table: one gone, cut short or interrupted."""
    text = unit.doc.text
    at, lines = line_start(text, block.start), []
    while at < block.end:
        end = min(next_line(text, at), block.end)
        if _BORDER.match(text[at:end].rstrip("\r\n")):
            lines.append((at, end))
        at = end
    if len(lines) < 2 or lines[0][0] < unit.start:
        return
    start, end = draw.choice(lines[1:])
    yield Option(2, start, min(next_line(text, start), unit.end), "")
    stop = start + len(text[start:end].rstrip())
    last = re.split(r"[ +]", text[start:stop])[-1]
    if len(last) > 1:
        yield Option(2, stop - draw.choice((1, 2, 3)[: len(last) - 1]), stop, "")
    gap = text.find(" ", start + len(text[start:end]) - len(text[start:end].lstrip()), stop)
    if gap > 0:
        yield Option(1, gap, gap + 1, text[gap - 1])
