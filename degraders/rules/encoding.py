"""Encoding: what copying, converting and scanning leave in a text."""

from __future__ import annotations

import re

from degraders.draw import Draw
from degraders.edits import Edit
from degraders.lexicon import phrases
from degraders.registry import Fault, Place, degrader, pattern, words
from degraders.rules.structure import blocks, is_open, is_prose
from degraders.text.document import BLOCK, Region, Unit

_NO_BREAK, _ZERO_WIDTH, _SOFT_HYPHEN = "\u00a0", "\u200b", "\u00ad"
_LIGATURES = {"ffi": "ﬃ", "fi": "ﬁ", "fl": "ﬂ", "ff": "ﬀ"}
_ENTITIES = {
    '"': ("&quot;", "&quot;", "&#34;", '\\"'),
    "'": ("&#39;", "&apos;", "&#x27;", "\\'"),
    "&": ("&amp;",),
    "’": ("&rsquo;", "&#8217;"),
    "‘": ("&lsquo;",),
    "“": ("&ldquo;", "&quot;"),
    "”": ("&rdquo;", "&quot;"),
    "—": ("&mdash;", "&#8212;"),
    "–": ("&ndash;",),
    "…": ("&hellip;",),
    "\n": ("<br>\n", "<br/>\n", "<br />\n"),
    ".": (".&nbsp;", ".<br>"),
}
_FURNITURE = phrases("page_furniture")
_LOOK_ALIKES = (("m", "rn"), ("rn", "m"), ("l", "1"), ("cl", "d"), ("li", "h"), ("ri", "n"), ("o", "0"), ("e", "c"))
_SYLLABLE = re.compile(
    r"(?=(?:tion|sion|ment|ness|able|ible|ture|less|ful)(?:s|ed)?$)"
    r"|(?<=[aeiou][b-df-hj-np-tv-z])(?![hkr])(?=[b-df-hj-np-tv-z][aeiouy])"
    r"|(?<=[aeiouy])(?=[b-df-hj-np-tv-z][aeiou][a-z])"
)
"""Where a word may be divided: before an ending, between two consonants, before one consonant."""


def _cp1252(text: str) -> str:
    """UTF-8 bytes read as Windows-1252, with the five undefined bytes as WHATWG's Encoding standard has them."""
    return "".join(bytes([b]).decode("cp1252", "replace").replace("\ufffd", chr(b)) for b in text.encode("utf-8"))


@degrader(
    "encoding.mojibake",
    where=pattern(r"[^\x00-\x7f][^\x00-\x7f]*", over="prose"),
    does="shows UTF-8 read as Windows-1252",
    example=("A naïve check of the cache.", "A naÃ¯ve check of the cache."),
    recoverable="A",
    severity=2,
    weight=0.6,
    english=False,
)
def mojibake(place: Place, draw: Draw) -> str | Fault:
    if draw.chance(0.5):
        return _cp1252(place.text)
    unit = place.unit
    start = max(unit.doc.prose.rfind(BLOCK, unit.start, place.start) + 1, unit.start)
    end = unit.doc.prose.find(BLOCK, place.end, unit.end)
    runs = re.finditer(r"[^\x00-\x7f]+", unit.doc.prose[start : end if end >= 0 else unit.end])
    return Fault(tuple(Edit(start + m.start(), start + m.end(), _cp1252(m[0])) for m in runs))


@degrader(
    "encoding.invisible",
    where=words(shortest=4),
    does="slips in no-break spaces, zero-width spaces, soft hyphens or ligatures",
    example=("Open the configuration file.", "Open the configura\u00adtion file."),
    recoverable="A",
    severity=1,
    weight=0.4,
    english=False,
)
def invisible(place: Place, draw: Draw) -> str | Fault | None:
    word, unit = place.text, place.unit
    kind = draw.below(10)
    joined = next((letters for letters in _LIGATURES if letters in word), None)
    if joined and kind < 5:
        return word.replace(joined, _LIGATURES[joined], 1)
    if kind < 7:
        spaced = unit.doc.prose[place.end : place.end + 1] == " " and place.end < unit.end
        return Fault((Edit(place.end, place.end + 1, _NO_BREAK),)) if spaced else None
    at = _syllable(word, draw)
    if kind < 9 and at:
        return Fault((Edit(place.start + at, place.start + at, _SOFT_HYPHEN),))
    return Fault((Edit(place.end, place.end, _ZERO_WIDTH),))


def _syllable(word: str, draw: Draw) -> int | None:
    """Where to divide a word, with three letters or more on either side."""
    found = [match.start() for match in _SYLLABLE.finditer(word.lower()) if 3 <= match.start() <= len(word) - 3]
    return draw.choice(found) if found and word[1:].islower() else None


@degrader(
    "encoding.html_residue",
    where=pattern(r"[\"'’‘“”—–…\n&.](?:(?<=[^\n&.])|(?<=\n)(?=\w)|(?<=&)(?= )|(?<=\.)(?= [A-Z]))"),
    does="leaves HTML entities, tags or needless backslashes in the text",
    example=('It says "done" at the end.', "It says &quot;done&quot; at the end."),
    recoverable="A",
    severity=1,
    weight=0.5,
    english=False,
)
def html_residue(place: Place, draw: Draw) -> str | Fault | None:
    unit, body = place.unit, place.unit.doc.body
    wrong = draw.choice(_ENTITIES[place.text])
    before = body[place.start - 1] if place.start > unit.start else " "
    # Full stops and line ends outnumber the rest by far.
    if place.text in ".\n" and (not before.isalpha() or draw.chance(0.7)):
        return None
    if place.text != '"':
        return wrong
    other = body.find('"', place.end, min(place.end + 80, unit.end))
    if (before not in " \n(" + BLOCK) or other < 0 or BLOCK in body[place.end : other] or body[place.end] in " \n":
        return None
    return Fault((Edit(place.start, place.end, wrong), Edit(other, other + 1, wrong)))


@degrader(
    "encoding.pdf_ocr",
    where=words(shortest=6),
    does="breaks words at line ends, confuses look-alike letters, leaves page headers",
    example=("Restart the command once.", "Restart the cornmand once."),
    recoverable="A",
    severity=2,
    weight=0.5,
    english=False,
)
def pdf_ocr(place: Place, draw: Draw) -> str | Fault | None:
    kind = draw.below(10)
    if kind < 4:
        return _look_alike(place.text, draw)
    if kind < 7:
        return _hyphenated(place, draw)
    return _page_break(place, draw)


def _look_alike(word: str, draw: Draw) -> str | None:
    """The word with letters after its first read as others that look like them; rarely as single ones."""
    found = [
        (at, right, wrong)
        for right, wrong in _LOOK_ALIKES
        for at in range(1, len(word))
        if word.startswith(right, at) and (right not in "oe" or draw.chance(0.1))
    ]
    if not found or not word[1:].islower():
        return None
    at, right, wrong = draw.choice(found)
    return word[:at] + wrong + word[at + len(right) :]


def _hyphenated(place: Place, draw: Draw) -> Fault | None:
    """The word divided at a line end, as the lines of a page break; not where a line has a margin to keep."""
    unit, at = place.unit, _syllable(place.text, draw)
    if not at or not _paragraph_at(unit, place.start):
        return None
    at += place.start
    return Fault((Edit(at, at, "-" + unit.doc.newline),))


def _page_break(place: Place, draw: Draw) -> Fault | None:
    """A page's header or footer in an outermost paragraph, at the end of a line or of the whole."""
    unit = place.unit
    paragraph = _paragraph_at(unit, place.start)
    if not paragraph or not is_open(unit, paragraph) or paragraph.end >= unit.end:
        return None
    gap = unit.doc.newline * 2
    numbers = {"n": str(2 + draw.below(180)), "m": str(190 + draw.below(90))}
    furniture = re.sub(r"\{([nm])\}", lambda match: numbers[match[1]], draw.choice(_FURNITURE))
    line_end = unit.doc.body.find("\n", place.end, paragraph.end)
    marked = unit.regions_of("emphasis", "strong", "link")
    whole = not any(mark.start < line_end < mark.end for mark in marked)
    if line_end >= 0 and whole and gap == "\n\n" and draw.chance(0.5):
        return Fault((Edit(line_end, line_end + 1, gap + furniture + gap),))
    return Fault((Edit(paragraph.end, paragraph.end, gap + furniture),))


def _paragraph_at(unit: Unit, at: int) -> Region | None:
    """The outermost paragraph of running text around a place."""
    return next((block for block in blocks(unit) if block.start <= at < block.end and is_prose(unit, block)), None)
