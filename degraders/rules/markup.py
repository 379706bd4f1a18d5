"""Markup: headings, code marks, emphasis and the blank lines that hold blocks apart."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from itertools import accumulate
from typing import NamedTuple

from degraders.draw import Draw
from degraders.edits import Edit
from degraders.registry import (
    CorruptFunction,
    Fault,
    Finder,
    Place,
    Subtype,
    pattern,
    regions,
    register_degrader,
    words,
)
from degraders.rules.vocabulary import NOUNS
from degraders.text.document import Region, Unit


class Option(NamedTuple):
    """One thing that may go wrong at a place, [start, end) replaced by a text; `weight` is its chance among others.

    `subtype` names the subtype of its degrader that it belongs to, if there are several.
    """

    weight: float
    start: int
    end: int
    text: str
    recoverable: str | None = None
    evidence: tuple[int, int] | None = None
    derivable: bool = False
    subtype: str = ""


QUOTE_PREFIX = re.compile(r"[ \t>]*\Z")
_LOWER_CASE = re.compile(r"(?:[a-z][^a-z]*){4}")
_CODE_LOOK = re.compile(r"[^A-Za-z \n-]|[a-z][A-Z]|--")


def choose(draw: Draw, options: Iterable[Option]) -> Fault | None:
    drawn = list(options)
    if not drawn:
        return None
    option = draw.weighted_choice(drawn, list(accumulate(option.weight for option in drawn)))
    return Fault((Edit(option.start, option.end, option.text),), option.recoverable, option.evidence, option.derivable)


def option_subtypes(
    where: Finder, options: Callable[[Place, Draw], Iterable[Option]], **shares: float
) -> Iterator[Subtype]:
    """The subtypes of a degrader whose options carry their names, each with its share."""
    for name, share in shares.items():
        yield Subtype(name, share, where, _options_of(name, options))


def _options_of(subtype: str, options: Callable[[Place, Draw], Iterable[Option]]) -> CorruptFunction:
    return lambda place, draw: choose(draw, [option for option in options(place, draw) if option.subtype == subtype])


def _in_rst(unit: Unit, region: Region) -> bool:
    return unit.doc.format == "rst"


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


def _of_heading(place: Place, draw: Draw) -> Iterator[Option]:
    unit, title, text = place.unit, place.data, place.unit.doc.text
    yield from _words_of_heading(unit, title)
    if text[title.start] == "#" and unit.doc.format == "markdown":
        hashes = title.start + len(text[title.start : title.inner_start].rstrip())
        yield Option(1, hashes, title.inner_start, "", subtype="space")
        for weight, level, class_ in _wrong_levels(unit, title):
            yield Option(weight, title.start, hashes, "#" * level, class_, subtype="level")
    elif unit.doc.format == "rst" and title.end > title.inner_end:
        yield from _underlines(unit, title, draw)


def _words_of_heading(unit: Unit, title: Region) -> Iterator[Option]:
    """A title in capitals, with a colon, or in bold."""
    start, end, doc = title.inner_start, title.inner_end, unit.doc
    words = doc.text[start:end]
    if len(words.split()) <= 6 and _LOWER_CASE.search(doc.prose, start, end) and "\n" not in words:
        shown = zip(words, doc.prose[start:end], strict=True)
        yield Option(1, start, end, "".join(c.upper() if c == m else c for c, m in shown), "B", subtype="capitals")
    whole = title.start, title.end
    if doc.format == "markdown":
        if words[-1:].isalnum() or words[-1:] == "`":
            yield Option(1, end, end, ":", subtype="colon")
        if not any(c in words for c in "*_{\n") and words and doc.text[title.end - 1] not in "}#":
            yield Option(1, *whole, f"**{words}**", "B", subtype="bold")
    elif doc.text[title.start] == words[:1] and not any(c in words for c in "*`|_\n"):
        yield Option(1, *whole, f"**{words}**", "B", subtype="bold")


def _wrong_levels(unit: Unit, title: Region) -> Iterator[tuple[float, int, str]]:
    """Levels that the headings around show to be wrong, with the class of the error."""
    level = int(title.info)
    others = [(other.start, int(other.info)) for other in unit.regions_of("heading") if other.start != title.start]
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
    if not others:
        class_ = "B" if unit.context else "D"
        yield 1, level + 1 if level < 6 else level - 1, class_
        if level > 1:
            yield 1.5, level - 1, class_


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
            yield Option(5, title.end - short, title.end, "", subtype="underline")
    if any(other.info == title.info for other in unit.regions_of("heading") if other.start != title.start):
        marks = [mark for mark in "=-~^" if mark != line[0]]
        yield Option(3, start, title.end, draw.choice(marks) * len(line), "B", subtype="level")
    yield Option(1, start, start + 1, draw.choice((" ", "")) if len(line) > length else " ", subtype="underline")


def _of_inline_code(place: Place, draw: Draw) -> Iterable[Option]:
    region: Region = place.data
    text = place.unit.doc.text
    code = text[region.inner_start : region.inner_end]
    if region.kind == "role":
        return _role_marks(text, region)
    if "`" in code or not code.strip() or "\\|" in code:
        return ()
    if place.unit.doc.format == "rst":
        return _literal_marks(region, code)
    return _backticks(text, region, code)


def _bare_class(code: str) -> str:
    """Whether code without its marks can still be told from words."""
    return "A" if _CODE_LOOK.search(code) and not code.isdigit() else "B"


def _backticks(text: str, span: Region, code: str) -> Iterator[Option]:
    start, end, ticks = span.start, span.end, span.inner_start - span.start
    code = code.strip()
    yield Option(1, start, end, code, _bare_class(code), subtype="bare")
    yield Option(1, start, start + ticks, "", subtype="tick")
    yield Option(1, end - ticks, end, "", subtype="tick")
    if '"' not in code and "'" not in code:
        yield Option(1, start, end, f'"{code}"', _bare_class(code), subtype="quoted")
        yield Option(1, start, end, f"'{code}'", _bare_class(code), subtype="quoted")
    if text[end : end + 1] in tuple(",.;:") and text[end + 1 : end + 2] in tuple(" \n"):
        yield Option(0.5, end - ticks, end + 1, text[end] + "`" * ticks, subtype="place")
    if text[end : end + 1] == " " and text[end + 1 : end + 2].isalnum():
        yield Option(0.4, end, end + 1, "", subtype="place")
        yield Option(0.3, end - ticks, end + 1, " " + "`" * ticks, subtype="place")
    if text[start - 1 : start] == " " and text[start - 2 : start - 1].isalnum():
        yield Option(0.4, start - 1, start, "", subtype="place")


def _literal_marks(span: Region, code: str) -> Iterator[Option]:
    """``literals`` of reST: written as in Markdown, with an odd mark, or with none."""
    start, end = span.start, span.end
    yield Option(4, start, end, f"`{code}`", subtype="single")
    yield Option(3, start, end, code, _bare_class(code), subtype="bare")
    yield Option(1, end - 1, end, "", subtype="tick")
    yield Option(1, start, start + 1, "", subtype="tick")
    yield Option(0.7, end - 2, end, "", subtype="tick")
    yield Option(0.7, start, start + 2, "", subtype="tick")
    if '"' not in code and "'" not in code:
        yield Option(0.4, start, end, f"'{code}'", _bare_class(code), subtype="quoted")


def _role_marks(text: str, role: Region) -> Iterator[Option]:
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


def _code_for_word(place: Place, draw: Draw) -> Fault | None:
    """`mutable` → `` `mutable` ``: marks of code around a plain word."""
    sure = place.text.islower()
    marks = "``" if place.unit.doc.format == "rst" else "`"
    return Fault((Edit(place.start, place.end, marks + place.text + marks),)) if sure else None


_SPANS = regions("code_span")

register_degrader(
    "markup.inline_code",
    *option_subtypes(_SPANS, _of_inline_code, bare=7, tick=2.4, quoted=1, place=1.6),
    *option_subtypes(regions("code_span", when=_in_rst), _of_inline_code, single=2),
    *option_subtypes(regions("role"), _of_inline_code, role=2),
    Subtype("added", 1, words(NOUNS), _code_for_word, "B"),
    does="loses or confuses the marks around inline code or a role, or puts them around plain words",
    example=("Run `make all` first.", "Run make all first."),
    recoverable="A",
    severity=2,
    touches={"code_span", "directive"},
    weight=6.5,
    english=False,
)

register_degrader(
    "markup.heading",
    *option_subtypes(regions("heading"), _of_heading, level=6, space=1, colon=0.6, bold=0.8, capitals=0.5),
    *option_subtypes(regions("heading", when=_in_rst), _of_heading, underline=3),
    does="gives a heading the wrong level, mark, case or underline",
    example=("# Guide\n\n## Install\n\nRun it.\n", "# Guide\n\n##Install\n\nRun it.\n"),
    recoverable="A",
    severity=2,
    size=1,
    weight=2.5,
    english=False,
)


def _of_emphasis(place: Place, draw: Draw) -> Iterable[Option]:
    return _unbalanced(place.unit.doc.text, place.data)


def _of_paragraph(place: Place, draw: Draw) -> Iterator[Option]:
    yield from _loose_space(place.unit, place.data, draw)
    yield from _quote_marks_added(place.unit, place.data, draw)


def _of_block(place: Place, draw: Draw) -> Iterator[Option]:
    unit, region = place.unit, place.data
    yield from _blank_line_lost(unit, region)
    if region.kind == "quote":
        yield from _quote_marks_lost(unit, region, draw)
    elif region.kind == "list":
        yield from _tabs(unit, region, draw)


def _unbalanced(text: str, region: Region) -> Iterator[Option]:
    mark = region.info
    start, end, wide = region.start, region.end, len(mark)
    if mark not in ("*", "**", "_", "__") or text[end - wide : end] != mark or text[start : start + wide] != mark:
        return
    yield Option(3, end - wide, end, "", subtype="unbalanced")
    yield Option(2, start, start + wide, "", subtype="unbalanced")
    yield Option(0.7, region.inner_start, region.inner_start, " ", subtype="unbalanced")
    yield Option(0.7, end - wide, end - wide, " ", subtype="unbalanced")
    yield Option(1, start, end, text[region.inner_start : region.inner_end], "B", subtype="lost")
    if wide == 2:
        yield Option(2, end - 1, end, "", subtype="unbalanced")
        yield Option(1.5, start, start + 1, "", subtype="unbalanced")


def _loose_space(unit: Unit, region: Region, draw: Draw) -> Iterator[Option]:
    """Spaces at the end of a line, or one blank line too many after a paragraph."""
    text = unit.doc.text
    ends = [at for at in _line_ends(text, region.start, region.end) if not text[at - 1].isspace()]
    if ends:
        at = draw.choice(ends)
        yield Option(1, at, at, draw.choice((" ", " ", "  ", "   ")) if at == region.end else " ", subtype="trailing")
    line = unit.doc.newline
    if text.startswith(line * 2, region.end) and not region.depth and region.end + 3 * len(line) < unit.end:
        yield Option(
            1, region.end + len(line), region.end + len(line), line * draw.choice((1, 1, 2)), subtype="blank_added"
        )


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
    yield Option(3 if region.kind in ("list", "code_block") else 1.5, blank, start, "", subtype="blank_lost")


def _quote_marks_lost(unit: Unit, region: Region, draw: Draw) -> Iterator[Option]:
    text = unit.doc.text
    lines = [at + 1 for at in range(region.start, region.end) if text[at] == "\n"]
    marked = [at for at in lines if text[at : at + 2] == "> "]
    if marked:
        at = draw.choice(marked)
        yield Option(2, at, at + 2, "", subtype="quote_lost")


def _tabs(unit: Unit, region: Region, draw: Draw) -> Iterator[Option]:
    """A tab for the indentation of a nested list."""
    before = margin(unit, region)
    if len(before) in (2, 3, 4, 8) and not before.strip(" "):
        yield Option(1, region.start - len(before), region.start, "\t" * max(1, len(before) // 4), subtype="tabs")


def _quote_marks_added(unit: Unit, region: Region, draw: Draw) -> Iterator[Option]:
    """A quote mark before a line of plain text."""
    text = unit.doc.text
    lines = [at + 1 for at in range(region.start, region.end - 1) if text[at] == "\n"]
    starts = [at for at in lines if text[at].isalpha()]
    if starts and not region.depth:
        at = draw.choice(starts)
        yield Option(2, at, at, "> ", subtype="quote_added")
    elif starts:
        at = draw.choice(starts)
        yield Option(2, at, at, draw.choice((" ", "  ", "    ")), subtype="indent")


_MARKS = frozenset("*_`[]")


_EMPHATIC_WORDS = {"not", "all", "must", "only", "always", "never", "this", "any", "same", "both"}


def _emphasis_added(place: Place, draw: Draw) -> Fault | None:
    """`why` → `*why*`."""
    text = place.unit.doc.text
    if text[place.start - 1 : place.start] in _MARKS or text[place.end : place.end + 1] in _MARKS:
        return None
    mark = draw.choice(("*", "*", "**", "_")) if place.unit.doc.format == "markdown" else "*"
    return Fault((Edit(place.start, place.end, mark + place.text + mark),))


def _sentence_on_new_line(place: Place, draw: Draw) -> Fault | None:
    """Two sentences with a blank line, or a line break, between them that does not belong."""
    line = place.unit.doc.newline
    return Fault((Edit(place.start, place.end, line * 2),))


def _spaced(place: Place, draw: Draw) -> Fault | None:
    return Fault((Edit(place.start, place.end, "  "),))


register_degrader(
    "markup.emphasis_blank",
    *option_subtypes(regions("strong", "emphasis"), _of_emphasis, unbalanced=3, lost=2),
    *option_subtypes(regions("paragraph"), _of_paragraph, trailing=1, blank_added=1, quote_added=1, indent=1),
    *option_subtypes(
        regions("heading", "list", "code_block", "table", "quote"), _of_block, blank_lost=2, quote_lost=1, tabs=0.5
    ),
    Subtype("added", 1, words(NOUNS | _EMPHATIC_WORDS), _emphasis_added, "B"),
    Subtype("parted", 0.5, pattern(r"(?<=[a-z]\.) (?=[A-Z])"), _sentence_on_new_line, "B"),
    Subtype("double_space", 0.5, pattern(r"(?<=[a-z.,]) (?=[A-Za-z])"), _spaced, "A"),
    does="unbalances, loses or adds emphasis; gets blank lines, spaces, tabs or quote marks wrong",
    example=("You **must** stop.", "You **must stop."),
    recoverable="A",
    severity=1,
    weight=2.5,
    english=False,
)
