"""Markup: headings, code marks, emphasis and the blank lines that hold blocks apart."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import accumulate
from typing import NamedTuple

from degraders.document import Region, Unit
from degraders.draw import Draw
from degraders.edits import Edit
from degraders.registry import Fault, Place, degrader, either, regions


class Option(NamedTuple):
    """One thing that may go wrong at a place, [start, end) replaced by a text; `weight` is its chance among others."""

    weight: float
    start: int
    end: int
    text: str
    recoverable: str | None = None
    evidence: tuple[int, int] | None = None
    told: bool = False


QUOTE_PREFIX = re.compile(r"[ \t>]*\Z")
_LOWER_CASE = re.compile(r"(?:[a-z][^a-z]*){4}")
_CODE_LOOK = re.compile(r"[^A-Za-z \n-]|[a-z][A-Z]|--")


def choose(draw: Draw, options: Iterable[Option]) -> Fault | None:
    drawn = list(options)
    if not drawn:
        return None
    option = draw.weighted(drawn, list(accumulate(option.weight for option in drawn)))
    return Fault((Edit(option.start, option.end, option.text),), option.recoverable, option.evidence, option.told)


def line_start(text: str, at: int) -> int:
    return text.rfind("\n", 0, at) + 1


def next_line(text: str, at: int) -> int:
    """Where the line after the one that `at` stands in begins, or the text ends."""
    found = text.find("\n", at)
    return found + 1 if found >= 0 else len(text)


def margin(unit: Unit, block: Region) -> str:
    """What stands on a block's first line before it: nothing, indentation, quote marks or a list marker."""
    text = unit.doc.text
    return text[line_start(text, block.start) : block.start]


def slip(word: str, draw: Draw) -> str:
    """A word with a letter swapped, dropped or doubled, never its first."""
    at = 1 + draw.below(len(word) - 2)
    if word[at] != word[at + 1] and draw.chance(0.5):
        return word[:at] + word[at + 1] + word[at] + word[at + 2 :]
    return word[:at] + word[at + 1 :] if draw.chance(0.6) else word[:at] + word[at] + word[at:]


@degrader(
    "markup.heading",
    where=regions("heading"),
    does="gives a heading the wrong level, mark, case or underline",
    example=("# Guide\n\n## Install\n\nRun it.\n", "# Guide\n\n##Install\n\nRun it.\n"),
    recoverable="A",
    severity=2,
    size=1,
    weight=2.5,
    english=False,
)
def heading(place: Place, draw: Draw) -> Fault | None:
    unit, title, text = place.unit, place.data, place.unit.doc.text
    options = list(_words_of_heading(unit, title))
    if text[title.start] == "#" and unit.doc.format == "markdown":
        hashes = title.start + len(text[title.start : title.inner_start].rstrip())
        options.append(Option(1.2, hashes, title.inner_start, ""))
        options += [
            Option(weight, title.start, hashes, "#" * level, class_)
            for weight, level, class_ in _wrong_levels(unit, title)
        ]
    elif unit.doc.format == "rst" and title.end > title.inner_end:
        options += _underlines(unit, title, draw)
    return choose(draw, options)


def _words_of_heading(unit: Unit, title: Region) -> Iterator[Option]:
    """A title in capitals, with a colon, or in bold."""
    start, end, doc = title.inner_start, title.inner_end, unit.doc
    words = doc.text[start:end]
    if len(words.split()) <= 6 and _LOWER_CASE.search(doc.prose, start, end) and "\n" not in words:
        shown = zip(words, doc.prose[start:end], strict=True)
        yield Option(0.5, start, end, "".join(c.upper() if c == m else c for c, m in shown), "B")
    whole = title.start, title.end
    if doc.format == "markdown":
        if words[-1:].isalnum() or words[-1:] == "`":
            yield Option(0.6, end, end, ":")
        if not any(c in words for c in "*_{\n") and words and doc.text[title.end - 1] not in "}#":
            yield Option(0.8, *whole, f"**{words}**", "B")
    elif doc.text[title.start] == words[:1] and not any(c in words for c in "*`|_\n"):
        yield Option(0.8, *whole, f"**{words}**", "B")


def _wrong_levels(unit: Unit, title: Region) -> Iterator[tuple[float, int, str]]:
    """Levels that the headings around show to be wrong, with the class of the error."""
    level = int(title.info)
    others = [(other.start, int(other.info)) for other in unit.of("heading") if other.start != title.start]
    before = [other for start, other in others if start < title.start]
    levels = {other for _, other in others}
    if before and before[-1] == level - 1 and level < 6:
        yield 3, level + 1, "A"
    elif level in levels and level < 6:
        yield 2, level + 1, "B"
    if level == 1 and not unit.context and 2 in levels:
        yield 1, 2, "A"
    if level == 2 and (unit.context or 1 in levels):
        yield 4, 1, "A"
    elif level > 2 and level in levels:
        yield 3, level - 1, "B"


def _underlines(unit: Unit, title: Region, draw: Draw) -> Iterator[Option]:
    """Underlines of reST that are too short, of the wrong character or spoilt."""
    text = unit.doc.text
    start = line_start(text, title.end - 1)
    line = text[start : title.end]
    length = len(text[title.inner_start : title.inner_end])
    if not line or line.strip(line[0]) or text[title.start : title.start + 1] == line[0]:
        return
    shortest = max(1, length // 2)
    if len(line) > shortest:
        least = max(1, len(line) - length + 1)
        short = min(least + draw.choice((0, 0, 1, 3, 7)), len(line) - shortest)
        if short >= least:
            yield Option(5, title.end - short, title.end, "")
    if any(other.info == title.info for other in unit.of("heading") if other.start != title.start):
        marks = [mark for mark in "=-~^" if mark != line[0]]
        yield Option(3, start, title.end, draw.choice(marks) * len(line), "B")
    yield Option(1, start, start + 1, draw.choice((" ", "")) if len(line) > length else " ")


@degrader(
    "markup.inline_code",
    where=regions("code_span", "role"),
    does="loses or confuses the marks around inline code or a role",
    example=("Run `make all` first.", "Run make all first."),
    recoverable="A",
    severity=2,
    touches={"code_span", "directive"},
    weight=6.5,
    english=False,
)
def inline_code(place: Place, draw: Draw) -> Fault | None:
    region: Region = place.data
    text = place.unit.doc.text
    code = text[region.inner_start : region.inner_end]
    if region.kind == "role":
        return choose(draw, _role_marks(text, region))
    if "`" in code or not code.strip() or "\\|" in code:
        return None
    if place.unit.doc.format == "rst":
        return choose(draw, _literal_marks(region, code))
    return choose(draw, _backticks(text, region, code))


def _bare_class(code: str) -> str:
    """Whether code without its marks can still be told from words."""
    return "A" if _CODE_LOOK.search(code) and not code.isdigit() else "B"


def _backticks(text: str, span: Region, code: str) -> Iterator[Option]:
    start, end, ticks = span.start, span.end, span.inner_start - span.start
    code = code.strip()
    yield Option(7, start, end, code, _bare_class(code))
    yield Option(1.2, start, start + ticks, "")
    yield Option(1.2, end - ticks, end, "")
    if '"' not in code and "'" not in code:
        yield Option(0.5, start, end, f'"{code}"', _bare_class(code))
        yield Option(0.5, start, end, f"'{code}'", _bare_class(code))
    if text[end : end + 1] in tuple(",.;:") and text[end + 1 : end + 2] in tuple(" \n"):
        yield Option(0.5, end - ticks, end + 1, text[end] + "`" * ticks)
    if text[end : end + 1] == " " and text[end + 1 : end + 2].isalnum():
        yield Option(0.4, end, end + 1, "")
        yield Option(0.3, end - ticks, end + 1, " " + "`" * ticks)
    if text[start - 1 : start] == " " and text[start - 2 : start - 1].isalnum():
        yield Option(0.4, start - 1, start, "")


def _literal_marks(span: Region, code: str) -> Iterator[Option]:
    """``literals`` of reST: written as in Markdown, with an odd mark, or with none."""
    start, end = span.start, span.end
    yield Option(4, start, end, f"`{code}`")
    yield Option(3, start, end, code, _bare_class(code))
    yield Option(1, end - 1, end, "")
    yield Option(1, start, start + 1, "")
    yield Option(0.7, end - 2, end, "")
    yield Option(0.7, start, start + 2, "")
    if '"' not in code and "'" not in code:
        yield Option(0.4, start, end, f"'{code}'", _bare_class(code))


def _role_marks(text: str, role: Region) -> Iterator[Option]:
    """:role:`text` with a mark lost, doubled or out of place."""
    start, tick = role.start, role.inner_start - 1
    if text[start] != ":" or text[tick - 1] != ":":
        return
    yield Option(2, tick, tick + 1, "")
    yield Option(2, role.end - 1, role.end, "")
    yield Option(1.5, start, start + 1, "")
    yield Option(1.5, tick - 1, tick, "")
    yield Option(1, tick, tick, " ")
    yield Option(0.7, tick, tick + 1, ":")
    yield Option(0.7, tick, role.end, f"``{text[role.inner_start : role.inner_end]}``")
    yield Option(0.5, start, start, " " if text[start - 1] != " " else ":")


@degrader(
    "markup.emphasis_blank",
    where=either(
        regions("paragraph"),
        regions("strong", "emphasis"),
        regions("heading", "list", "code_block", "table", "quote"),
    ),
    does="unbalances emphasis, or gets blank lines, trailing spaces, tabs or quote marks wrong",
    example=("You **must** stop.", "You **must stop."),
    recoverable="A",
    severity=1,
    weight=2.5,
    english=False,
)
def emphasis_blank(place: Place, draw: Draw) -> Fault | None:
    unit, region = place.unit, place.data
    if region.kind in ("strong", "emphasis"):
        return choose(draw, _unbalanced(unit.doc.text, region))
    if region.kind == "paragraph":
        return choose(draw, _loose_space(unit, region, draw))
    options = list(_blank_line_lost(unit, region))
    if region.kind == "quote":
        options += _quote_marks_lost(unit, region, draw)
    elif region.kind == "list":
        options += _tabs(unit, region, draw)
    return choose(draw, options)


def _unbalanced(text: str, region: Region) -> Iterator[Option]:
    mark = region.info
    start, end, wide = region.start, region.end, len(mark)
    if mark not in ("*", "**", "_", "__") or text[end - wide : end] != mark or text[start : start + wide] != mark:
        return
    yield Option(3, end - wide, end, "")
    yield Option(2, start, start + wide, "")
    yield Option(0.7, region.inner_start, region.inner_start, " ")
    yield Option(0.7, end - wide, end - wide, " ")
    if wide == 2:
        yield Option(2, end - 1, end, "")
        yield Option(1.5, start, start + 1, "")


def _loose_space(unit: Unit, region: Region, draw: Draw) -> Iterator[Option]:
    """Spaces at the end of a line, or one blank line too many after a paragraph."""
    text = unit.doc.text
    ends = [at for at in _line_ends(text, region.start, region.end) if not text[at - 1].isspace()]
    if ends:
        at = draw.choice(ends)
        yield Option(1, at, at, draw.choice((" ", " ", "  ", "   ")) if at == region.end else " ")
    line = unit.doc.newline
    if text.startswith(line * 2, region.end) and not region.depth and region.end + 3 * len(line) < unit.end:
        yield Option(0.7, region.end + len(line), region.end + len(line), line * draw.choice((1, 1, 2)))


def _line_ends(text: str, start: int, end: int) -> Iterator[int]:
    at = text.find("\n", start, end)
    while at >= 0:
        yield at - (text[at - 1] == "\r")
        at = text.find("\n", at + 1, end)
    if end == len(text) or text[end] in "\r\n":
        yield end


def _blank_line_lost(unit: Unit, region: Region) -> Iterator[Option]:
    """The blank line between a block and the text above it."""
    text = unit.doc.text
    start = line_start(text, region.start)
    blank = line_start(text, start - 1) if start else 0
    above = line_start(text, blank - 1) if blank else 0
    if above < unit.start or blank == start or text[blank:start].strip(" \t\r\n>"):
        return
    if not QUOTE_PREFIX.match(margin(unit, region)) or not text[above:blank].strip(" \t\r\n>"):
        return
    yield Option(3 if region.kind in ("list", "code_block") else 1.5, blank, start, "")


def _quote_marks_lost(unit: Unit, region: Region, draw: Draw) -> Iterator[Option]:
    text = unit.doc.text
    lines = [at + 1 for at in range(region.start, region.end) if text[at] == "\n"]
    marked = [at for at in lines if text[at : at + 2] == "> "]
    if marked:
        at = draw.choice(marked)
        yield Option(2, at, at + 2, "")


def _tabs(unit: Unit, region: Region, draw: Draw) -> Iterator[Option]:
    """A tab for the indentation of a nested list."""
    before = margin(unit, region)
    if len(before) in (2, 3, 4, 8) and not before.strip(" "):
        yield Option(1, region.start - len(before), region.start, "\t" * max(1, len(before) // 4))
