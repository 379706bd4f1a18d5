"""Structure: paragraphs, steps and sections in the wrong shape, order or number."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import pairwise

from degraders.draw import Draw
from degraders.edits import Edit
from degraders.lexicon import lower_first, mapping, match_case, phrases
from degraders.registry import Fault, Place, degrader, places, regions
from degraders.rules.layout import (
    NOT_PROSE,
    blocks,
    direct_items,
    in_component,
    inline_markup,
    is_inside,
    is_open,
    is_prose,
    margin,
    starts_with_blank_line,
)
from degraders.text.document import Region, Unit
from degraders.text.sentences import sentences


def _compile_phrases(words: Iterable[str]) -> re.Pattern[str]:
    """A pattern that matches one of the phrases, the longest possible, in any case."""
    longest_first = sorted(words, key=len, reverse=True)
    return re.compile(r"(?:" + "|".join(map(re.escape, longest_first)) + r")(?![\w-])", re.I)


_OPENING_CUE, _FOLLOWING_CUE = _compile_phrases(phrases("cues", "opens")), _compile_phrases(phrases("cues", "follows"))
_LEAD_IN = re.compile(r"[\w'’`)]+:\Z")
_REWORDINGS = mapping("rewordings", "")
_REWORDABLE = _compile_phrases(_REWORDINGS)
_FIRST_WORDS = frozenset(re.split(r"\W", phrase.lower())[0] for phrase in _REWORDINGS)
_WORD = re.compile(r"\w+")
_TANGENTS = phrases("tangents")
_PADDING = {kind: phrases("boilerplate", kind) for kind in ("intro", "outro", "restate")}
_SENTENCE_GAP = re.compile(r"[.!?][ \n](?=[A-Z])")
_NOUN = re.compile(r"[A-Z][a-z]+(?:[^siu]s|ing|tion|ment|ance|ity)")
_GERUND = re.compile(r"[A-Z][a-z]+ing(?: [a-z][\w-]*){1,4}")
_TITLE = re.compile(r"[A-Z][\w'’/-]*(?: [\w'’/-]+){0,6}")
_BLOCK_ABOVE = re.compile(r"The (code|example|list|steps|table)\b")
_KINDS_ABOVE = {"code": "code_block", "example": "code_block", "list": "list", "steps": "ordered", "table": "table"}


def _joinable_paragraphs(unit: Unit) -> Iterator[tuple[int, int, None]]:
    """The gaps between two paragraphs of which the first ends with a sentence."""
    text = unit.doc.text
    for left, right in pairwise(blocks(unit)):
        if text[left.end - 1] in ".!?" and is_prose(unit, left) and is_prose(unit, right):
            yield left.end, right.start, None


def _splittable_paragraphs(unit: Unit) -> Iterator[tuple[int, int, Region]]:
    """Paragraphs of three sentences or more."""
    for block in blocks(unit):
        if (
            block.end - block.start <= 4000
            and is_prose(unit, block)
            and len(_SENTENCE_GAP.findall(unit.doc.body, block.start, block.end)) >= 2
        ):
            yield block.start, block.end, block


@degrader(
    "structure.paragraphs",
    where=places(lambda unit: [*_joinable_paragraphs(unit), *_splittable_paragraphs(unit)], needs={"paragraph"}),
    does="runs two paragraphs together, or makes a paragraph of every sentence",
    example=("One thing is this.\n\nAnother thing is that.", "One thing is this. Another thing is that."),
    recoverable="B",
    severity=2,
    size=2,
    weight=0.8,
    english=False,
)
def join_or_split_paragraphs(place: Place, draw: Draw) -> str | Fault:
    unit, block = place.unit, place.data
    if not block:
        return draw.choice((" ", unit.doc.newline))
    markup = inline_markup(unit)
    edits = [
        Edit(left[1], right[0], unit.doc.newline * 2)
        for left, right in pairwise(sentences(unit, block.start, block.end))
        if not is_inside(left[1], markup) and not NOT_PROSE.match(unit.doc.text, right[0])
    ]
    return Fault(tuple(edits))


def _neighbouring_steps(unit: Unit) -> Iterator[tuple[int, int, tuple[Region, Region]]]:
    """Two neighbouring items of an ordered list."""
    for steps in unit.regions_of("list"):
        if steps.info == "ordered":
            for left, right in pairwise(direct_items(unit, steps)):
                yield left.inner_start, right.inner_end, (left, right)


def _ordered_pairs(unit: Unit) -> Iterator[tuple[int, int, tuple[Region, Region]]]:
    """A paragraph that leads to a sample and the sample, or two paragraphs whose second follows from the first."""
    text = unit.doc.text
    for left, right in pairwise(blocks(unit)):
        if not is_prose(unit, left) or text[right.start - 1] not in "\n\r":
            continue
        if right.kind == "code_block":
            after = text[right.end : right.end + 4]
            announces = text[left.end - 1] == ":" and text[left.end - 2] != ":"
            if announces and (not after.strip() or starts_with_blank_line(after)):
                yield left.start, right.end, (left, right)
        elif is_prose(unit, right) and is_open(unit, right) and is_open(unit, left) and _cue(unit, left, right):
            yield left.start, right.end, (left, right)


@degrader(
    "structure.shuffle",
    where=places(lambda unit: [*_neighbouring_steps(unit), *_ordered_pairs(unit)], needs={"paragraph", "list"}),
    does="swaps two steps, a code sample with its introduction, or two paragraphs",
    example=(
        "1. First, download the archive.\n2. Then unpack the archive.\n",
        "1. Then unpack the archive.\n2. First, download the archive.\n",
    ),
    recoverable="C",
    severity=3,
    size=2,
    weight=0.6,
)
def swap_blocks(place: Place, draw: Draw) -> Fault | None:
    unit, text = place.unit, place.unit.doc.text
    left, right = place.data
    steps = left.kind == "item"
    starts = (left.inner_start, right.inner_start) if steps else (left.start, right.start)
    first, gap, second = text[starts[0] : left.end], text[left.end : starts[1]], text[starts[1] : right.end]
    markers = [block.inner_start - block.start for block in (left, right)]
    if steps and markers[0] != markers[1] and "\n" in first + second:
        return None
    edit = Edit(place.start, right.end, second + gap + first)
    cue = _cue(unit, left, right)
    return Fault((edit,), evidence=cue) if cue else Fault((edit,), recoverable="D")


def _cue(unit: Unit, left: Region, right: Region) -> tuple[int, int] | None:
    """The range that shows that `right` follows `left`: a word of sequence, or the colon that announces a sample."""
    text = unit.doc.text
    if right.kind == "code_block":
        cue = _LEAD_IN.search(text, max(left.start, left.end - 40), left.end)
    else:
        cue = _FOLLOWING_CUE.match(text, right.inner_start) or _OPENING_CUE.match(text, left.inner_start)
    return cue.span() if cue else None


@degrader(
    "structure.duplicate",
    where=regions("paragraph", "item", when=lambda unit, block: block.end - block.start <= 4000),
    does="repeats a sentence, a paragraph or a list item, exactly or slightly reworded",
    example=(
        "Restart the server now. It reads the file once.",
        "Restart the server now. Restart the server now. It reads the file once.",
    ),
    recoverable="A",
    severity=2,
    size=2,
    weight=1.2,
)
def duplicate_passage(place: Place, draw: Draw) -> Fault | None:
    unit, block = place.unit, place.data
    if block.kind == "item":
        return _duplicate_item(unit, block)
    outermost = not block.depth and is_prose(unit, block)
    if outermost and draw.chance(0.4):
        return _duplicate_paragraph(unit, block, draw)
    spans = [
        (start, end)
        for start, end in sentences(unit, block.start, block.end)
        if (outermost or "\n" not in unit.doc.text[start:end]) and _is_repeatable(unit, start, end)
    ]
    if not spans:
        return None
    start, end = draw.choice(spans)
    return Fault((Edit(end, end, " " + _reword(unit.doc.text[start:end], draw)),))


def _is_repeatable(unit: Unit, start: int, end: int) -> bool:
    """Whether a sentence is long enough, complete, and without markup that begins or ends outside it."""
    sentence = unit.doc.text[start:end]
    if len(sentence) < 20 or sentence[-1] not in ".!?" or "<" in sentence:
        return False
    if sentence.count('"') % 2 or sentence.count("(") != sentence.count(")"):
        return False
    overlapping = (mark for mark in inline_markup(unit) if mark.start < end and start < mark.end)
    return all(start <= mark.start and mark.end <= end for mark in overlapping)


def _duplicate_item(unit: Unit, item: Region) -> Fault | None:
    text, before = unit.doc.text, margin(unit, item)
    copy = text[item.start : item.end]
    if before.strip() or not 20 <= len(copy) <= 400 or copy[0].isalnum() or copy[-1] == ":" or "\n\n" in copy:
        return None
    loose = starts_with_blank_line(text[item.end : item.end + 4])
    return Fault((Edit(item.end, item.end, unit.doc.newline * (1 + loose) + before + copy),))


def _duplicate_paragraph(unit: Unit, block: Region, draw: Draw) -> Fault | None:
    """Repeat a paragraph directly after itself, or one or two paragraphs further down."""
    copy = unit.doc.text[block.start : block.end]
    if not 20 <= len(copy) <= 600 or copy[-1] not in ".!?)" or in_component(unit, block.end):
        return None
    later = [other for other in blocks(unit) if other.start >= block.start and is_prose(unit, other)]
    before = draw.choice([other for other in later[:3] if is_open(unit, other)] or [block])
    return Fault((Edit(before.end, before.end, unit.doc.newline * 2 + _reword(copy, draw)),))


def _reword(text: str, draw: Draw) -> str:
    """The text with one phrase reworded, if there is one before any code, link or tag."""
    markup = re.search(r"[`\[<:*_]", text)
    end = markup.start() if markup else len(text)
    starts = [word.start() for word in _WORD.finditer(text, 0, end) if word[0].lower() in _FIRST_WORDS]
    matches = [match for at in starts if (match := _REWORDABLE.match(text, at, end))]
    if not matches or draw.chance(0.4):
        return text
    match = draw.choice(matches)
    other = match_case(draw.choice(_REWORDINGS[match[0].lower()]), match[0])
    return text[: match.start()] + other + text[match.end() :]


def _paragraph_ends(unit: Unit) -> Iterator[tuple[int, int, None]]:
    """The ends of paragraphs that another paragraph can follow."""
    for block in blocks(unit):
        if is_prose(unit, block) and is_open(unit, block):
            yield block.end, block.end, None


@degrader(
    "structure.tangle",
    where=places(_paragraph_ends, needs={"paragraph"}),
    does="inserts a paragraph from another kind of document, or from elsewhere in the same one",
    example=(
        "Run the tests.\n\nRead the log.",
        "Run the tests.\n\nStart your free trial now. No credit card required. Cancel at any time.\n\nRead the log.",
    ),
    recoverable="A",
    severity=2,
    size=2,
    weight=0.6,
)
def insert_paragraph(place: Place, draw: Draw) -> str | Fault | None:
    unit = place.unit
    if in_component(unit, place.start):
        return None
    elsewhere = _far_paragraph(unit, draw)
    if elsewhere and draw.chance(0.5):
        edit = Edit(place.start, place.start, unit.doc.newline * 2 + elsewhere)
        return Fault((edit,), recoverable="B")
    return unit.doc.newline * 2 + _in_format(unit, draw.choice(_TANGENTS))


def _far_paragraph(unit: Unit, draw: Draw) -> str | None:
    """A paragraph of the document at least 4,000 characters away; None if the drawn one makes no sense alone."""
    text = unit.doc.text
    far = [b for b in unit.doc.blocks if b.kind == "paragraph" and not unit.start - 4000 < b.start < unit.end + 4000]
    block = draw.choice(far) if far else None
    if not block or not is_prose(unit, block) or not is_open(unit, block):
        return None
    paragraph = text[block.start : block.end]
    fits = 80 <= len(paragraph) <= 500 and paragraph[-1] == "." and "][" not in paragraph
    return paragraph if fits else None


def _in_format(unit: Unit, line: str) -> str:
    """A line of Markdown in the format of the unit."""
    code_mark = {"markdown": "`", "rst": "``"}.get(unit.doc.format, "")
    return line.replace("`", code_mark)


@degrader(
    "structure.heading_dropped",
    where=regions("heading", when=lambda unit, heading: heading.depth == 0 and heading.end < unit.end),
    does="removes a heading",
    example=("## Set-up\n\nInstall the tool first.", "Install the tool first."),
    recoverable="D",
    severity=2,
    size=2,
    weight=0.6,
    english=False,
)
def drop_heading(place: Place, draw: Draw) -> Fault | None:
    unit, text = place.unit, place.unit.doc.text
    above = text[max(unit.start, place.start - 4) : place.start].replace("\r", "")
    if above and not above.endswith("\n\n"):
        return None
    below = next((block for block in blocks(unit) if block.start >= place.end), None)
    if not below or below.kind == "heading":
        return None
    body = text[place.end : below.start]
    return Fault((Edit(place.start, place.end + len(body) - len(body.lstrip("\r\n")), ""),))


def _padding_places(unit: Unit) -> Iterator[tuple[int, int, tuple[str, Region | None]]]:
    """The places for padding: before the first paragraph of a section, after a paragraph, at the end of a section.

    The data are the kind of padding and the block before the paragraph.
    """
    outermost = blocks(unit)
    for before, block, after in zip([None, *outermost], outermost, [*outermost[1:], None], strict=False):
        if not is_prose(unit, block):
            continue
        if before and before.kind == "heading":
            yield block.start, block.start, ("intro", before)
        if is_open(unit, block):
            yield block.end, block.end, ("outro" if not after or after.kind == "heading" else "restate", before)


@degrader(
    "structure.bloat",
    where=places(_padding_places, needs={"paragraph"}),
    does="adds boilerplate sentences that say nothing",
    example=("## Caching\n\nThe cache is a file.", "## Caching\n\nLet's dive into caching.\n\nThe cache is a file."),
    recoverable="A",
    severity=2,
    size=2,
    weight=0.3,
)
def add_padding(place: Place, draw: Draw) -> str | None:
    unit = place.unit
    kind, before = place.data
    topic = _topic(unit, place.start)
    above = "ordered" if before and before.info == "ordered" else before.kind if before else ""
    lines = [line for line in _PADDING[kind] if (topic or "opic}" not in line) and _fits_block_above(line, above)]
    line = draw.choice(lines).replace("{topic}", topic).replace("{Topic}", topic[:1].upper() + topic[1:])
    if in_component(unit, place.start):
        return None
    gap = " " if draw.chance({"intro": 0.3, "restate": 0.7, "outro": 0.3}[kind]) else unit.doc.newline * 2
    return line + gap if kind == "intro" else gap + line


def _fits_block_above(line: str, above: str) -> bool:
    """Whether the code, list or table that a line mentions is the block above it."""
    mentioned = _BLOCK_ABOVE.match(line)
    return not mentioned or _KINDS_ABOVE[mentioned[1]] == above


def _topic(unit: Unit, at: int) -> str:
    """The heading above an offset as it reads in a sentence: in quotes unless it is a noun, empty if it has markup."""
    headings = [block for block in blocks(unit) if block.kind == "heading" and block.end <= at]
    title = unit.context.rpartition(" > ")[2]
    if headings:
        title = unit.doc.text[headings[-1].inner_start : headings[-1].inner_end].strip()
    first, space, rest = title.partition(" ")
    if _GERUND.fullmatch(title) or (_NOUN.fullmatch(title) and (title.endswith("ing") or title.lower() in unit.text)):
        return lower_first(first) + space + rest
    return f'"{title}"' if _TITLE.fullmatch(title) else ""
