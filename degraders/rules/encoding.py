"""Encoding: traces of copying, converting and scanning a text."""

from __future__ import annotations

import re

from degraders.draw import Draw
from degraders.edits import Edit
from degraders.lexicon import phrases
from degraders.registry import Fault, Place, degrader, pattern, words
from degraders.rules.layout import blocks, inline_markup, is_inside, is_open, is_prose
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
_PAGE_HEADERS = phrases("page_headers")
_LOOK_ALIKES = (("m", "rn"), ("rn", "m"), ("l", "1"), ("cl", "d"), ("li", "h"), ("ri", "n"), ("o", "0"), ("e", "c"))
_SYLLABLE = re.compile(
    r"(?=(?:tion|sion|ment|ness|able|ible|ture|less|ful)(?:s|ed)?$)"
    r"|(?<=[aeiou][b-df-hj-np-tv-z])(?![hkr])(?=[b-df-hj-np-tv-z][aeiouy])"
    r"|(?<=[aeiouy])(?=[b-df-hj-np-tv-z][aeiou][a-z])"
)
"""The places where a word may be divided: before an ending, between two consonants, before a single consonant."""


def _decode_as_cp1252(text: str) -> str:
    """The UTF-8 bytes of a text read as Windows-1252; the five undefined bytes as in the WHATWG Encoding Standard."""
    return "".join(bytes([b]).decode("cp1252", "replace").replace("\ufffd", chr(b)) for b in text.encode("utf-8"))


@degrader(
    "encoding.mojibake",
    where=pattern(r"[^\x00-\x7f][^\x00-\x7f]*", over="prose"),
    does="shows UTF-8 that was read as Windows-1252",
    example=("A naïve check of the cache.", "A naÃ¯ve check of the cache."),
    recoverable="A",
    severity=2,
    weight=0.6,
    english=False,
)
def decode_wrongly(place: Place, draw: Draw) -> str | Fault:
    if draw.chance(0.5):
        return _decode_as_cp1252(place.text)
    unit = place.unit
    start = max(unit.doc.prose.rfind(BLOCK, unit.start, place.start) + 1, unit.start)
    end = unit.doc.prose.find(BLOCK, place.end, unit.end)
    runs = re.finditer(r"[^\x00-\x7f]+", unit.doc.prose[start : end if end >= 0 else unit.end])
    return Fault(tuple(Edit(start + m.start(), start + m.end(), _decode_as_cp1252(m[0])) for m in runs))


@degrader(
    "encoding.invisible",
    where=words(shortest=4),
    does="adds no-break spaces, zero-width spaces, soft hyphens or ligatures",
    example=("Open the configuration file.", "Open the configura\u00adtion file."),
    recoverable="A",
    severity=1,
    weight=0.4,
    english=False,
)
def add_invisible_characters(place: Place, draw: Draw) -> str | Fault | None:
    word, unit = place.text, place.unit
    kind = draw.below(10)
    letters = next((letters for letters in _LIGATURES if letters in word), None)
    if letters and kind < 5:
        return word.replace(letters, _LIGATURES[letters], 1)
    if kind < 7:
        has_space = unit.doc.prose[place.end : place.end + 1] == " " and place.end < unit.end
        return Fault((Edit(place.end, place.end + 1, _NO_BREAK),)) if has_space else None
    at = _choose_division(word, draw)
    if kind < 9 and at:
        return Fault((Edit(place.start + at, place.start + at, _SOFT_HYPHEN),))
    return Fault((Edit(place.end, place.end, _ZERO_WIDTH),))


def _choose_division(word: str, draw: Draw) -> int | None:
    """An offset at which a word may be divided, with three letters or more on either side; None if there is none."""
    offsets = [match.start() for match in _SYLLABLE.finditer(word.lower()) if 3 <= match.start() <= len(word) - 3]
    return draw.choice(offsets) if offsets and word[1:].islower() else None


@degrader(
    "encoding.html_residue",
    where=pattern(r"[\"'’‘“”—–…\n&.](?:(?<=[^\n&.])|(?<=\n)(?=\w)|(?<=&)(?= )|(?<=\.)(?= [A-Z]))"),
    does="leaves HTML entities, HTML tags or needless backslashes in the text",
    example=('It says "done" at the end.', "It says &quot;done&quot; at the end."),
    recoverable="A",
    severity=1,
    weight=0.5,
    english=False,
)
def insert_html(place: Place, draw: Draw) -> str | Fault | None:
    unit, body = place.unit, place.unit.doc.body
    wrong = draw.choice(_ENTITIES[place.text])
    before = body[place.start - 1] if place.start > unit.start else " "
    # Full stops and line ends are far more frequent than the other characters.
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
    does="hyphenates words at line ends, confuses similar letters, or leaves page headers in the text",
    example=("Restart the command once.", "Restart the cornmand once."),
    recoverable="A",
    severity=2,
    weight=0.5,
    english=False,
)
def imitate_pdf_extraction(place: Place, draw: Draw) -> str | Fault | None:
    kind = draw.below(10)
    if kind < 4:
        return _confuse_letters(place.text, draw)
    if kind < 7:
        return _hyphenate(place, draw)
    return _add_page_header(place, draw)


def _confuse_letters(word: str, draw: Draw) -> str | None:
    """The word with letters after its first replaced by similar ones; `o` and `e` only rarely."""
    candidates = [
        (at, right, wrong)
        for right, wrong in _LOOK_ALIKES
        for at in range(1, len(word))
        if word.startswith(right, at) and (right not in "oe" or draw.chance(0.1))
    ]
    if not candidates or not word[1:].islower():
        return None
    at, right, wrong = draw.choice(candidates)
    return word[:at] + wrong + word[at + len(right) :]


def _hyphenate(place: Place, draw: Draw) -> Fault | None:
    """Divide a word at a line end, as the lines of a page do; only in paragraphs whose lines have no margin."""
    unit, at = place.unit, _choose_division(place.text, draw)
    if not at or not _paragraph_at(unit, place.start):
        return None
    at += place.start
    return Fault((Edit(at, at, "-" + unit.doc.newline),))


def _add_page_header(place: Place, draw: Draw) -> Fault | None:
    """Insert a page header or footer into an outermost paragraph, after a line, or after the paragraph."""
    unit = place.unit
    paragraph = _paragraph_at(unit, place.start)
    if not paragraph or not is_open(unit, paragraph) or paragraph.end >= unit.end:
        return None
    gap = unit.doc.newline * 2
    numbers = {"n": str(2 + draw.below(180)), "m": str(190 + draw.below(90))}
    header = re.sub(r"\{([nm])\}", lambda match: numbers[match[1]], draw.choice(_PAGE_HEADERS))
    line_end = unit.doc.body.find("\n", place.end, paragraph.end)
    fits_line_end = line_end >= 0 and not is_inside(line_end, inline_markup(unit)) and gap == "\n\n"
    if fits_line_end and draw.chance(0.5):
        return Fault((Edit(line_end, line_end + 1, gap + header + gap),))
    return Fault((Edit(paragraph.end, paragraph.end, gap + header),))


def _paragraph_at(unit: Unit, at: int) -> Region | None:
    """The outermost paragraph of running text around an offset."""
    return next((block for block in blocks(unit) if block.start <= at < block.end and is_prose(unit, block)), None)
