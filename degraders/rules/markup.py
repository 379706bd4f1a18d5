"""Markup: headings, code marks, emphasis, and the blank lines that separate blocks."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache

from degraders.draw import Draw
from degraders.lexicon import mapping
from degraders.registry import Place, Subtype, pattern, regions, register_degrader, words
from degraders.rules.layout import QUOTE_PREFIX, line_start, margin
from degraders.rules.options import Option, option_subtypes
from degraders.text.document import Region, Unit

_PRODUCTS = {name for name in mapping("product_names") if name.isalpha()}
_REGIONS = 256
"""Regions whose lines are remembered, because each error of a long document would list them again."""
_FOUR_LOWER_CASE = re.compile(r"(?:[a-z][^a-z]*){4}")
_LOOKS_LIKE_CODE = re.compile(r"[^A-Za-z \n-]|[a-z][A-Z]|--")


def _is_rst(unit: Unit, region: Region) -> bool:
    return unit.doc.format == "rst"


def _code_options(place: Place, draw: Draw) -> Iterable[Option]:
    """Wrong marks around inline code or a role."""
    region: Region = place.data
    text = place.unit.doc.text
    code = text[region.inner_start : region.inner_end]
    if region.kind == "role":
        return _role_options(text, region)
    if "`" in code or not code.strip() or "\\|" in code:
        return ()
    if place.unit.doc.format == "rst":
        return _literal_options(region, code)
    return _backtick_options(text, region, code)


def _class_without_marks(code: str) -> str:
    """The class of code that lost its marks: A if it still looks like code, B if it looks like plain words."""
    return "A" if _LOOKS_LIKE_CODE.search(code) and not code.isdigit() else "B"


def _backtick_options(text: str, span: Region, code: str) -> Iterator[Option]:
    """`code` of Markdown: without its marks, with one mark, in quotes, or with a mark out of place."""
    start, end, ticks = span.start, span.end, span.inner_start - span.start
    code = code.strip()
    class_ = _class_without_marks(code)
    yield Option(1, start, end, code, recoverable=class_, subtype="bare")
    yield Option(1, start, start + ticks, "", subtype="tick")
    yield Option(1, end - ticks, end, "", subtype="tick")
    if '"' not in code and "'" not in code:
        yield Option(1, start, end, f'"{code}"', recoverable=class_, subtype="quoted")
        yield Option(1, start, end, f"'{code}'", recoverable=class_, subtype="quoted")
    if text[end : end + 1] in tuple(",.;:") and text[end + 1 : end + 2] in tuple(" \n"):
        yield Option(0.5, end - ticks, end + 1, text[end] + "`" * ticks, subtype="place")
    if text[end : end + 1] == " " and text[end + 1 : end + 2].isalnum():
        yield Option(0.4, end, end + 1, "", subtype="place")
        yield Option(0.3, end - ticks, end + 1, " " + "`" * ticks, subtype="place")
    if text[start - 1 : start] == " " and text[start - 2 : start - 1].isalnum():
        yield Option(0.4, start - 1, start, "", subtype="place")


def _literal_options(span: Region, code: str) -> Iterator[Option]:
    """``literals`` of reST: written as in Markdown, with a mark missing, or with none."""
    start, end = span.start, span.end
    yield Option(4, start, end, f"`{code}`", subtype="single")
    yield Option(3, start, end, code, recoverable=_class_without_marks(code), subtype="bare")
    yield Option(1, end - 1, end, "", subtype="tick")
    yield Option(1, start, start + 1, "", subtype="tick")
    yield Option(0.7, end - 2, end, "", subtype="tick")
    yield Option(0.7, start, start + 2, "", subtype="tick")
    if '"' not in code and "'" not in code:
        yield Option(0.4, start, end, f"'{code}'", recoverable=_class_without_marks(code), subtype="quoted")


def _role_options(text: str, role: Region) -> Iterator[Option]:
    """:role:`text` with a mark lost, doubled or out of place."""
    start, tick = role.start, role.inner_start - 1
    if text[start] != ":" or text[tick - 1] != ":":
        return
    yield Option(2, tick, tick + 1, "", subtype="role")
    yield Option(2, role.end - 1, role.end, "", subtype="role")
    yield Option(1.5, start, start + 1, "", subtype="role")
    yield Option(1.5, tick - 1, tick, "", subtype="role")
    yield Option(1, tick, tick, " ", subtype="role")
    yield Option(0.7, tick, tick + 1, ":", subtype="role")
    yield Option(0.7, tick, role.end, f"``{text[role.inner_start : role.inner_end]}``", subtype="role")
    yield Option(0.5, start, start, " " if text[start - 1] != " " else ":", subtype="role")


def _mark_name_as_code(place: Place, draw: Draw) -> str:
    """`Docker` → `` `Docker` ``: the name of a product marked as code."""
    marks = "``" if place.unit.doc.format == "rst" else "`"
    return marks + place.text + marks


register_degrader(
    "markup.inline_code",
    *option_subtypes(regions("code_span"), _code_options, bare=7, tick=0.6, quoted=0.2, place=1.6),
    *option_subtypes(regions("code_span", when=_is_rst), _code_options, single=2),
    *option_subtypes(regions("role"), _code_options, role=2),
    Subtype("added", 0.3, words(_PRODUCTS, exact=True), _mark_name_as_code, recoverable="B"),
    does="loses or misplaces the marks around inline code or a role, or puts such marks around a name",
    example=("Run `make all` first.", "Run make all first."),
    recoverable="A",
    severity=2,
    touches={"code_span", "directive"},
    weight=6.5,
    english=False,
)


def _heading_options(place: Place, draw: Draw) -> Iterator[Option]:
    """A heading with a wrong title, level, mark or underline."""
    unit, title, text = place.unit, place.data, place.unit.doc.text
    yield from _title_options(unit, title)
    if text[title.start] == "#" and unit.doc.format == "markdown":
        hashes = title.start + len(text[title.start : title.inner_start].rstrip())
        yield Option(1, hashes, title.inner_start, "", subtype="space")
        for weight, level, class_ in _wrong_levels(unit, title):
            yield Option(weight, title.start, hashes, "#" * level, recoverable=class_, subtype="level")
    elif unit.doc.format == "rst" and title.end > title.inner_end:
        yield from _underline_options(unit, title, draw)


def _title_options(unit: Unit, title: Region) -> Iterator[Option]:
    """A title in capitals, with a colon, or in bold."""
    start, end, doc = title.inner_start, title.inner_end, unit.doc
    words = doc.text[start:end]
    if len(words.split()) <= 6 and _FOUR_LOWER_CASE.search(doc.prose, start, end) and "\n" not in words:
        masked = zip(words, doc.prose[start:end], strict=True)
        capitals = "".join(char.upper() if char == visible else char for char, visible in masked)
        yield Option(1, start, end, capitals, recoverable="B", subtype="capitals")
    if doc.format == "markdown":
        if words[-1:].isalnum() or words[-1:] == "`":
            yield Option(1, end, end, ":", subtype="colon")
        if not any(c in words for c in "*_{\n") and words and doc.text[title.end - 1] not in "}#":
            yield Option(1, title.start, title.end, f"**{words}**", recoverable="B", subtype="bold")
    elif doc.text[title.start] == words[:1] and not any(c in words for c in "*`|_\n"):
        yield Option(1, title.start, title.end, f"**{words}**", recoverable="B", subtype="bold")


def _wrong_levels(unit: Unit, title: Region) -> Iterator[tuple[float, int, str]]:
    """Other levels, each with its weight and its class: A if the other headings show it to be wrong, otherwise D."""
    level = int(title.info)
    others = [(other.start, int(other.info)) for other in unit.regions_of("heading") if other.start != title.start]
    before = [other for start, other in others if start < title.start]
    levels = {other for _, other in others}
    if before and before[-1] == level - 1 and level < 6:
        yield 3, level + 1, "A"
    elif level < 6:
        yield 2, level + 1, "D"
    if level == 1 and not unit.context and 2 in levels:
        yield 1, 2, "A"
    if level == 2 and (unit.context or 1 in levels):
        yield 4, 1, "A"
    elif level > 1:
        yield 3, level - 1, "D"


def _underline_options(unit: Unit, title: Region, draw: Draw) -> Iterator[Option]:
    """Underlines of reST that are too short, of the wrong character, or broken."""
    text = unit.doc.text
    start = line_start(text, title.end - 1)
    line = text[start : title.end]
    length = len(text[title.inner_start : title.inner_end])
    if not line or line.strip(line[0]) or text[title.start : title.start + 1] == line[0]:
        return
    shortest = max(1, length // 2)
    if len(line) > shortest:
        least = max(1, len(line) - length + 1)
        missing = min(least + draw.choice((0, 0, 1, 3, 7)), len(line) - shortest)
        if missing >= least:
            yield Option(5, title.end - missing, title.end, "", subtype="underline")
    if any(other.info == title.info for other in unit.regions_of("heading") if other.start != title.start):
        marks = [mark for mark in "=-~^" if mark != line[0]]
        yield Option(3, start, title.end, draw.choice(marks) * len(line), recoverable="B", subtype="level")
    yield Option(1, start, start + 1, draw.choice((" ", "")) if len(line) > length else " ", subtype="underline")


register_degrader(
    "markup.heading",
    *option_subtypes(regions("heading"), _heading_options, level=6, space=1, colon=0.6, bold=0.8, capitals=0.1),
    *option_subtypes(regions("heading", when=_is_rst), _heading_options, underline=3),
    does="gives a heading the wrong level, marks, case or underline",
    example=("# Guide\n\n## Install\n\nRun it.\n", "# Guide\n\n##Install\n\nRun it.\n"),
    recoverable="A",
    severity=2,
    size=1,
    weight=2.5,
    english=False,
)


def _emphasis_options(place: Place, draw: Draw) -> Iterator[Option]:
    """`**bold**` with a mark lost or misplaced, or without marks."""
    region, text = place.data, place.unit.doc.text
    mark = region.info
    start, end, width = region.start, region.end, len(mark)
    if mark not in ("*", "**", "_", "__") or text[end - width : end] != mark or text[start : start + width] != mark:
        return
    yield Option(3, end - width, end, "", subtype="unbalanced")
    yield Option(2, start, start + width, "", subtype="unbalanced")
    yield Option(0.7, region.inner_start, region.inner_start, " ", subtype="unbalanced")
    yield Option(0.7, end - width, end - width, " ", subtype="unbalanced")
    yield Option(1, start, end, text[region.inner_start : region.inner_end], recoverable="D", subtype="lost")
    if width == 2:
        yield Option(2, end - 1, end, "", subtype="unbalanced")
        yield Option(1.5, start, start + 1, "", subtype="unbalanced")


def _paragraph_options(place: Place, draw: Draw) -> Iterator[Option]:
    """Spaces at the end of a line, or before a line of a nested paragraph."""
    region, text = place.data, place.unit.doc.text
    line_ends = _line_ends(text, region.start, region.end)
    if line_ends:
        at = draw.choice(line_ends)
        yield Option(1, at, at, draw.choice((" ", " ", "  ", "   ")) if at == region.end else " ", subtype="trailing")
    starts = _word_line_starts(text, region.start, region.end)
    if starts and region.depth:
        at = draw.choice(starts)
        yield Option(2, at, at, draw.choice((" ", "  ", "    ")), subtype="indent")


def _block_options(place: Place, draw: Draw) -> Iterator[Option]:
    unit, region = place.unit, place.data
    yield from _lost_blank_line_options(unit, region)
    if region.kind == "quote":
        yield from _lost_quote_mark_options(unit, region, draw)
    elif region.kind == "list":
        yield from _tab_options(unit, region)


@lru_cache(maxsize=_REGIONS)
def _line_ends(text: str, start: int, end: int) -> list[int]:
    """The offsets of the line ends in [start, end), and `end` if a line ends there; not those after white space."""
    ends = [at - 1 - (text[at - 2] == "\r") for at in _line_starts(text, start, end)]
    if end == len(text) or text[end] in "\r\n":
        ends.append(end)
    return [at for at in ends if not text[at - 1].isspace()]


@lru_cache(maxsize=_REGIONS)
def _word_line_starts(text: str, start: int, end: int) -> list[int]:
    """The offsets in (start, end) at which a line begins with a letter."""
    return [at for at in _line_starts(text, start, end - 1) if text[at].isalpha()]


def _line_starts(text: str, start: int, end: int) -> list[int]:
    """The offsets after the line ends in [start, end); `find` is fast even in a line of a megabyte."""
    starts = []
    at = text.find("\n", start, end)
    while at >= 0:
        starts.append(at + 1)
        at = text.find("\n", at + 1, end)
    return starts


def _lost_blank_line_options(unit: Unit, region: Region) -> Iterator[Option]:
    """The blank line between a block and the text above it, lost."""
    text = unit.doc.text
    start = line_start(text, region.start)
    blank = line_start(text, start - 1) if start else 0
    above = line_start(text, blank - 1) if blank else 0
    if above < unit.start or blank == start or text[blank:start].strip(" \t\r\n>") or text.startswith("---", above):
        return
    if not QUOTE_PREFIX.match(margin(unit, region)) or not text[above:blank].strip(" \t\r\n>"):
        return
    yield Option(3 if region.kind in ("list", "code_block") else 1.5, blank, start, "", subtype="blank_lost")


def _lost_quote_mark_options(unit: Unit, region: Region, draw: Draw) -> Iterator[Option]:
    """The quote mark of one line, lost."""
    text = unit.doc.text
    lines = _line_starts(text, region.start, region.end)
    quoted = [at for at in lines if text[at : at + 2] == "> "]
    if quoted:
        at = draw.choice(quoted)
        yield Option(2, at, at + 2, "", subtype="quote_lost")


def _tab_options(unit: Unit, region: Region) -> Iterator[Option]:
    """A tab for the indentation of a nested list."""
    before = margin(unit, region)
    if len(before) in (2, 3, 4, 8) and not before.strip(" "):
        yield Option(1, region.start - len(before), region.start, "\t" * max(1, len(before) // 4), subtype="tabs")


def _double_space(place: Place, draw: Draw) -> str:
    return "  "


register_degrader(
    "markup.emphasis_blank",
    *option_subtypes(regions("strong", "emphasis"), _emphasis_options, unbalanced=3, lost=2),
    *option_subtypes(regions("paragraph"), _paragraph_options, trailing=1, indent=1),
    *option_subtypes(
        regions("heading", "list", "code_block", "table", "quote"), _block_options, blank_lost=2, quote_lost=1, tabs=0.5
    ),
    Subtype("double_space", 0.02, pattern(r"(?<=[a-z.,]) (?=[A-Za-z])"), _double_space, recoverable="A"),
    does="unbalances or loses emphasis; gets blank lines, spaces, tabs or quote marks wrong",
    example=("You **must** stop.", "You **must stop."),
    recoverable="A",
    severity=1,
    weight=2.5,
    english=False,
)
