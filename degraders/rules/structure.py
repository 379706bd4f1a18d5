"""Structure: paragraphs, steps and sections in the wrong shape, order or number."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator
from itertools import pairwise

from degraders.draw import Draw
from degraders.edits import Edit
from degraders.lexicon import lower_first, mapping, match_case, phrases
from degraders.registry import Fault, Place, degrader, places, regions
from degraders.text.document import Region, Unit
from degraders.text.sentences import sentences


def _one_of(words: tuple[str, ...]) -> re.Pattern[str]:
    longest_first = sorted(words, key=len, reverse=True)
    return re.compile(r"(?:" + "|".join(map(re.escape, longest_first)) + r")(?![\w-])", re.I)


_OPENING_CUE, _FOLLOWING_CUE = _one_of(phrases("cues", "opens")), _one_of(phrases("cues", "follows"))
_LEAD_IN = re.compile(r"[\w'’`)]+:\Z")
_REWORDINGS = mapping("rewordings", "")
_REWORDABLE = _one_of(tuple(_REWORDINGS))
_FIRST_WORDS = frozenset(re.split(r"\W", phrase.lower())[0] for phrase in _REWORDINGS)
_WORD = re.compile(r"\w+")
_TANGENTS = phrases("tangents")
_PADDING = {kind: phrases("boilerplate", kind) for kind in ("intro", "outro", "restate", "types")}
_SENTENCE_GAP = re.compile(r"[.!?][ \n](?=[A-Z])")
_MARKUP = re.compile(r"[<{|~!:]|=== |\?\?\? |\[\^|(?:im|ex)port ")
"""What a paragraph begins with that is an image, a component, a container, a definition or an attribute."""
_HANGS_ON = re.compile(r"(?:\r?\n[ \t]*){1,2}(?::[ \t]|\{:|\^)")
_TAG = re.compile(r"<(?!(?:img|br|hr|link|meta|input)\b)([A-Za-z][\w.-]*)")
_NOUN = re.compile(r"[A-Z][a-z]+(?:[^siu]s|ing|tion|ment|ance|ity)")
_GERUND = re.compile(r"[A-Z][a-z]+ing(?: [a-z][\w-]*){1,4}")
_TITLE = re.compile(r"[A-Z][\w'’/-]*(?: [\w'’/-]+){0,6}")
_IDENTIFIER = re.compile(r"[A-Za-z_][\w.-]{2,30}")
_WHAT_STANDS_ABOVE = re.compile(r"The (code|example|list|steps|table)\b")
_ABOVE = {"code": "code_block", "example": "code_block", "list": "list", "steps": "ordered", "table": "table"}


def blocks(unit: Unit) -> list[Region]:
    """The outermost blocks that lie wholly in a unit."""
    found = unit.doc.blocks
    first, last = bisect_left(found, (unit.start,)), bisect_left(found, (unit.end,))
    return [block for block in found[first:last] if block.end <= unit.end]


def direct_items(unit: Unit, outer: Region) -> list[Region]:
    """The items of a list that are not items of a list inside it."""
    return [item for item in unit.doc.regions_within("item", outer.start, outer.end) if item.depth == outer.depth + 1]


def is_prose(unit: Unit, block: Region) -> bool:
    """Whether an outermost block is a paragraph of running text that begins its line."""
    text = unit.doc.text
    at_margin = not block.start or text[block.start - 1] in "\n\r"
    return block.kind == "paragraph" and at_margin and not _MARKUP.match(text, block.start)


def is_open(unit: Unit, block: Region) -> bool:
    """Whether another paragraph could stand behind one: it announces nothing, and nothing hangs on it."""
    text = unit.doc.text
    announces = text[max(block.start, block.end - 4) : block.end].rstrip("*_ ").endswith((":", "："))
    return not announces and not _HANGS_ON.match(text, block.end)


def in_component(unit: Unit, at: int) -> bool:
    """Whether a place lies between the tags of an HTML or MDX component."""
    before = [block for block in unit.doc.regions.get("html_block", ()) if block.end <= at]
    if not before:
        return False
    last = unit.doc.text[before[-1].start : before[-1].end]
    tag = _TAG.match(last)
    return bool(tag) and f"</{tag[1]}" not in last and not last.endswith("/>")  # type: ignore[index]


def _joinable(unit: Unit) -> Iterator[tuple[int, int, None]]:
    """The gaps between two paragraphs of which the first ends with a sentence."""
    text = unit.doc.text
    for left, right in pairwise(blocks(unit)):
        if text[left.end - 1] in ".!?" and is_prose(unit, left) and is_prose(unit, right):
            yield left.end, right.start, None


def _splittable(unit: Unit) -> Iterator[tuple[int, int, Region]]:
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
    where=places(lambda unit: [*_joinable(unit), *_splittable(unit)], needs={"paragraph"}),
    does="runs paragraphs together, or makes every sentence one",
    example=("One thing is this.\n\nAnother thing is that.", "One thing is this. Another thing is that."),
    recoverable="B",
    severity=2,
    size=2,
    weight=0.8,
    english=False,
)
def paragraphs(place: Place, draw: Draw) -> str | Fault:
    unit, block = place.unit, place.data
    if not block:
        return draw.choice((" ", unit.doc.newline))
    marked = unit.regions_of("emphasis", "strong", "link")
    edits = [
        Edit(left[1], right[0], unit.doc.newline * 2)
        for left, right in pairwise(sentences(unit, block.start, block.end))
        if not any(mark.start < left[1] < mark.end for mark in marked) and not _MARKUP.match(place.text, right[0])
    ]
    return Fault(tuple(edits))


def _steps(unit: Unit) -> Iterator[tuple[int, int, tuple[Region, Region]]]:
    """Two neighbouring items of an ordered list."""
    for steps in unit.regions_of("list"):
        if steps.info == "ordered":
            for left, right in pairwise(direct_items(unit, steps)):
                yield left.inner_start, right.inner_end, (left, right)


def _ordered_blocks(unit: Unit) -> Iterator[tuple[int, int, tuple[Region, Region]]]:
    """A paragraph that leads to a sample and the sample, or two paragraphs whose second follows from the first."""
    text = unit.doc.text
    for left, right in pairwise(blocks(unit)):
        if not is_prose(unit, left) or text[right.start - 1] not in "\n\r":
            continue
        if right.kind == "code_block":
            after = text[right.end : right.end + 4]
            leads = text[left.end - 1] == ":" and text[left.end - 2] != ":"
            if leads and (not after.strip() or after.replace("\r", "").startswith("\n\n")):
                yield left.start, right.end, (left, right)
        elif is_prose(unit, right) and is_open(unit, right) and is_open(unit, left) and _cue(unit, left, right):
            yield left.start, right.end, (left, right)


@degrader(
    "structure.shuffle",
    where=places(lambda unit: [*_steps(unit), *_ordered_blocks(unit)], needs={"paragraph", "list"}),
    does="swaps two steps, or a sample or paragraph with what must come before it",
    example=(
        "1. First, download the archive.\n2. Then unpack the archive.\n",
        "1. Then unpack the archive.\n2. First, download the archive.\n",
    ),
    recoverable="C",
    severity=3,
    size=2,
    weight=0.6,
)
def shuffle(place: Place, draw: Draw) -> Fault | None:
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
    """What gives away that `right` comes after `left`: a word of sequence, or the colon that announces a sample."""
    text = unit.doc.text
    if right.kind == "code_block":
        found = _LEAD_IN.search(text, max(left.start, left.end - 40), left.end)
    else:
        found = _FOLLOWING_CUE.match(text, right.inner_start) or _OPENING_CUE.match(text, left.inner_start)
    return found.span() if found else None


@degrader(
    "structure.duplicate",
    where=regions("paragraph", "item", when=lambda unit, block: block.end - block.start <= 4000),
    does="says a sentence, a paragraph or an item twice, exactly or lightly reworded",
    example=(
        "Restart the server now. It reads the file once.",
        "Restart the server now. Restart the server now. It reads the file once.",
    ),
    recoverable="A",
    severity=2,
    size=2,
    weight=1.2,
)
def duplicate(place: Place, draw: Draw) -> Fault | None:
    unit, block = place.unit, place.data
    if block.kind == "item":
        return _duplicate_item(unit, block)
    outermost = not block.depth and is_prose(unit, block)
    if outermost and draw.chance(0.4):
        return _duplicate_paragraph(unit, block, draw)
    found = [span for span in sentences(unit, block.start, block.end) if _repeatable(unit, *span, outermost)]
    if not found:
        return None
    start, end = draw.choice(found)
    return Fault((Edit(end, end, " " + _reworded(unit.doc.text[start:end], draw)),))


def _repeatable(unit: Unit, start: int, end: int, outermost: bool) -> bool:
    """Whether a sentence is long enough, whole, and free of markup that begins or ends elsewhere."""
    said = unit.doc.text[start:end]
    if len(said) < 20 or said[-1] not in ".!?" or "<" in said or ("\n" in said and not outermost):
        return False
    if said.count('"') % 2 or said.count("(") != said.count(")"):
        return False
    marked = unit.regions_of("emphasis", "strong", "link")
    return not any(
        mark.start < end and start < mark.end and not start <= mark.start <= mark.end <= end for mark in marked
    )


def _duplicate_item(unit: Unit, item: Region) -> Fault | None:
    text = unit.doc.text
    margin = text[text.rfind("\n", 0, item.start) + 1 : item.start]
    copy = text[item.start : item.end]
    if margin.strip() or not 20 <= len(copy) <= 400 or copy[0].isalnum() or copy[-1] == ":" or "\n\n" in copy:
        return None
    loose = text[item.end : item.end + 4].replace("\r", "").startswith("\n\n")
    return Fault((Edit(item.end, item.end, unit.doc.newline * (1 + loose) + margin + copy),))


def _duplicate_paragraph(unit: Unit, block: Region, draw: Draw) -> Fault | None:
    """The paragraph again, right behind it or one or two paragraphs further down."""
    copy = unit.doc.text[block.start : block.end]
    if not 20 <= len(copy) <= 600 or copy[-1] not in ".!?)" or in_component(unit, block.end):
        return None
    later = [other for other in blocks(unit) if other.start >= block.start and is_prose(unit, other)]
    behind = draw.choice([other for other in later[:3] if is_open(unit, other)] or [block])
    return Fault((Edit(behind.end, behind.end, unit.doc.newline * 2 + _reworded(copy, draw)),))


def _reworded(text: str, draw: Draw) -> str:
    """The text with one phrase put in other words, where there is one before any code, link or tag."""
    marked = re.search(r"[`\[<:*_]", text)
    end = marked.start() if marked else len(text)
    starts = [word.start() for word in _WORD.finditer(text, 0, end) if word[0].lower() in _FIRST_WORDS]
    found = [match for at in starts if (match := _REWORDABLE.match(text, at, end))]
    if not found or draw.chance(0.4):
        return text
    match = draw.choice(found)
    other = match_case(draw.choice(_REWORDINGS[match[0].lower()]), match[0])
    return text[: match.start()] + other + text[match.end() :]


def _behind_paragraphs(unit: Unit) -> Iterator[tuple[int, int, None]]:
    for block in blocks(unit):
        if is_prose(unit, block) and is_open(unit, block):
            yield block.end, block.end, None


@degrader(
    "structure.tangle",
    where=places(_behind_paragraphs, needs={"paragraph"}),
    does="puts in a paragraph from another kind of document, or from elsewhere in this one",
    example=(
        "Run the tests.\n\nRead the log.",
        "Run the tests.\n\nStart your free trial now. No credit card required. Cancel at any time.\n\nRead the log.",
    ),
    recoverable="A",
    severity=2,
    size=2,
    weight=0.6,
)
def tangle(place: Place, draw: Draw) -> str | Fault | None:
    unit = place.unit
    if in_component(unit, place.start):
        return None
    elsewhere = _far_paragraph(unit, draw)
    if elsewhere and draw.chance(0.5):
        edit = Edit(place.start, place.start, unit.doc.newline * 2 + elsewhere)
        return Fault((edit,), recoverable="B")
    return unit.doc.newline * 2 + _in_format(unit, draw.choice(_TANGENTS))


def _far_paragraph(unit: Unit, draw: Draw) -> str | None:
    """A paragraph that stands two screens or more from the unit; None if the one drawn does not stand alone."""
    text = unit.doc.text
    far = [b for b in unit.doc.blocks if b.kind == "paragraph" and not unit.start - 4000 < b.start < unit.end + 4000]
    block = draw.choice(far) if far else None
    if not block or not is_prose(unit, block) or not is_open(unit, block):
        return None
    said = text[block.start : block.end]
    return said if 80 <= len(said) <= 500 and said[-1] == "." and "][" not in said else None


def _in_format(unit: Unit, line: str) -> str:
    """A line of Markdown in the format of the unit."""
    marks = {"markdown": "`", "rst": "``", "text": ""}
    return line.replace("`", marks[unit.doc.format])


@degrader(
    "structure.heading_dropped",
    where=regions("heading", when=lambda unit, heading: heading.depth == 0 and heading.end < unit.end),
    does="removes a heading",
    example=("## Set-up\n\nInstall the tool first.", "Install the tool first."),
    recoverable="B",
    severity=2,
    size=2,
    weight=0.6,
    english=False,
)
def heading_dropped(place: Place, draw: Draw) -> Fault | None:
    unit, text = place.unit, place.unit.doc.text
    above = text[max(unit.start, place.start - 4) : place.start].replace("\r", "")
    if above and not above.endswith("\n\n"):
        return None
    below = next((block for block in blocks(unit) if block.start >= place.end), None)
    if not below or below.kind == "heading":
        return None
    body = text[place.end : below.start]
    return Fault((Edit(place.start, place.end + len(body) - len(body.lstrip("\r\n")), ""),))


def _paddable(unit: Unit) -> Iterator[tuple[int, int, tuple[str, Region | None, Region]]]:
    """Where padding goes: before the first paragraph of a section, behind a paragraph, at the end of a section."""
    found = blocks(unit)
    for before, block, after in zip([None, *found], found, [*found[1:], None], strict=False):
        if not is_prose(unit, block):
            continue
        if before and before.kind == "heading":
            yield block.start, block.start, ("intro", before, block)
        if is_open(unit, block):
            yield block.end, block.end, ("outro" if not after or after.kind == "heading" else "restate", before, block)


@degrader(
    "structure.bloat",
    where=places(_paddable, needs={"paragraph"}),
    does="pads the text with boilerplate that says nothing",
    example=("## Caching\n\nThe cache is a file.", "## Caching\n\nLet's dive into caching.\n\nThe cache is a file."),
    recoverable="A",
    severity=2,
    size=2,
    weight=1.2,
)
def bloat(place: Place, draw: Draw) -> str | None:
    unit = place.unit
    kind, before, block = place.data
    name = _name_in(unit, block, draw) if kind != "intro" else None
    if name and draw.chance(0.5):
        line = draw.choice([line for line in _PADDING["types"] if "{type}" not in line]).replace("`{name}`", name)
        return (" " if draw.chance(0.7) else unit.doc.newline * 2) + line
    topic = _topic(unit, place.start)
    above = "ordered" if before and before.info == "ordered" else before.kind if before else ""
    line = draw.choice([line for line in _PADDING[kind] if (topic or "opic}" not in line) and _true(line, above)])
    line = line.replace("{topic}", topic).replace("{Topic}", topic[:1].upper() + topic[1:])
    if in_component(unit, place.start):
        return None
    gap = " " if draw.chance({"intro": 0.3, "restate": 0.7, "outro": 0.3}[kind]) else unit.doc.newline * 2
    return line + gap if kind == "intro" else gap + line


def _name_in(unit: Unit, block: Region, draw: Draw) -> str | None:
    """An identifier of the paragraph, with its code marks."""
    text = unit.doc.text
    spans = unit.doc.regions_within("code_span", block.start, block.end)
    names = [s for s in spans if _IDENTIFIER.fullmatch(text, s.inner_start, s.inner_end)]
    drawn = draw.choice(names) if names else None
    return text[drawn.start : drawn.end] if drawn else None


def _true(line: str, above: str) -> bool:
    """Whether what a line says to stand above stands above."""
    named = _WHAT_STANDS_ABOVE.match(line)
    return not named or _ABOVE[named[1]] == above


def _topic(unit: Unit, at: int) -> str:
    """The heading above a place as it reads in a sentence, in quotes if it is no plain noun; empty if it has markup."""
    headings = [block for block in blocks(unit) if block.kind == "heading" and block.end <= at]
    title = unit.context.rpartition(" > ")[2]
    if headings:
        title = unit.doc.text[headings[-1].inner_start : headings[-1].inner_end].strip()
    first, space, rest = title.partition(" ")
    if _GERUND.fullmatch(title) or (_NOUN.fullmatch(title) and (title.endswith("ing") or title.lower() in unit.text)):
        return lower_first(first) + space + rest
    return f'"{title}"' if _TITLE.fullmatch(title) else ""
