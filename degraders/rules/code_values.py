"""Code: samples that are wrong or out of date: another name, value or option, a piece or a line that is missing."""

from __future__ import annotations

import re

from degraders.draw import Draw
from degraders.edits import Edit
from degraders.lexicon import mapping, phrases
from degraders.registry import Fault, Place, Subtype, pattern, register_degrader
from degraders.rules.code import block_of, line_of, name_slip
from degraders.text.document import Unit

_NAME = re.compile(r"[A-Za-z_]\w{2,30}")
_STAND_INS = phrases("stand_ins")
_RELATED = mapping("related_words")
_PART = re.compile(r"[_-]|(?<=[a-z0-9])(?=[A-Z])")
_COMMENT = re.compile(r"(?:^|\s)(?:#|//|--|;|<!--|\*)\s")


def _another_name(place: Place, draw: Draw) -> Fault | None:
    """`char_list` → `chars`, `foo` → `bar`: another name of the block, a part of the name, a related one."""
    unit, name = place.unit, place.text
    block = block_of(place)
    if not block:
        return None
    kind = draw.below(10)
    if kind < 4:
        names = [other for other in _NAME.findall(unit.doc.code, block.inner_start, block.inner_end) if other != name]
        alike = [other for other in names if other[0].isupper() == name[0].isupper()]
        wrong = draw.choice(alike) if alike else None
    elif kind < 7:
        wrong = other_part(name, draw)
    elif kind < 9:
        wrong = draw.choice(_STAND_INS) if name.islower() else None
    else:
        wrong = name_slip(name, draw)
    return _told_elsewhere(unit, place, wrong) if wrong and wrong != name else None


def other_part(name: str, draw: Draw) -> str | None:
    """A name with a part left out, put for another, or added."""
    parts = [match.span() for match in re.finditer(r"[A-Z]?[a-z]+|[A-Z]+|\d+", name)]
    if not parts:
        return None
    start, end = draw.choice(parts)
    part = name[start:end]
    related = _RELATED.get(part.lower())
    if related and draw.chance(0.6):
        other = draw.choice(related)
        return name[:start] + (other.capitalize() if part[0].isupper() else other) + name[end:]
    if len(parts) > 1:
        return (name[:start].rstrip("_-") if end == len(name) else name[:start]) + name[end:].lstrip("_-")
    return None


def _told_elsewhere(unit: Unit, place: Place, wrong: str) -> Fault:
    """The edit, told where the right text stands elsewhere in the unit."""
    uses = [at for at in unit.find_token(place.text) if at != place.start]
    edit = Edit(place.start, place.end, wrong)
    if not uses:
        return Fault((edit,))
    nearest = min(uses, key=lambda at: abs(at - place.start))
    return Fault((edit,), "C", (nearest, nearest + len(place.text)))


def _another_number(place: Place, draw: Draw) -> Fault | None:
    """`8080` → `8000`, `0.1` → `0.2`."""
    text = place.text
    digits = [at for at, char in enumerate(text) if char.isdigit()]
    at = digits[-1 - min(draw.below(len(digits)), draw.below(len(digits)))]
    wrong = str((int(text[at]) + draw.choice((1, 2, 1, 3, 9, 8, 5))) % 10)
    return _told_elsewhere(place.unit, place, text[:at] + wrong + text[at + 1 :])


def _another_string(place: Place, draw: Draw) -> Fault | None:
    """`"Hello, world"` → `"Hello"`: a word of a string gone, or another string."""
    text = place.text[1:-1]
    parts = text.split(" ")
    if len(parts) > 1 and draw.chance(0.5):
        parts.pop(draw.below(len(parts)))
        wrong = " ".join(parts)
    else:
        wrong = draw.choice(_STAND_INS)
    return Fault((Edit(place.start + 1, place.end - 1, wrong),)) if wrong != text else None


def _quotes_swapped(place: Place, draw: Draw) -> Fault | None:
    """`"a"` → `'a'`, or none at all."""
    text = place.text
    other = "'" if text[0] == '"' else '"'
    if other in text or "\\" in text:
        return None
    wrong = f"{other}{text[1:-1]}{other}" if draw.chance(0.7) else text[1:-1]
    return Fault((Edit(place.start, place.end, wrong),), "A")


def _piece_lost(place: Place, draw: Draw) -> Fault | None:
    """The first group of a match gone: an argument, an option, a call, a suffix, a mark."""
    start, end = place.data.span(1)
    return Fault((Edit(start, end, ""),))


_EXTRA_MARKS = {
    ")": ("))",),
    ",": (",,",),
    ";": (",", ":"),
    ":": ("::", ";", " ="),
    "=": ("==", ":"),
    ".": ("::", "->"),
}


def _mark_wrong(place: Place, draw: Draw) -> Fault | None:
    """`::` → `.`, `=` → `==`, `;` → `,`."""
    return Fault((Edit(place.start, place.end, draw.choice(_EXTRA_MARKS[place.text])),))


def _mark_lost(place: Place, draw: Draw) -> Fault | None:
    """A comma, semicolon, dot, ampersand, star or colon gone."""
    return Fault((Edit(place.start, place.end, ""),), "A" if place.text in ",;:" else "B")


def _mark_added(place: Place, draw: Draw) -> Fault | None:
    """A bracket, comma, semicolon or quote too much at the end of a line."""
    line, _ = line_of(place)
    wanted = draw.choice((",", ";", ")", "}", '"', " \\", ":", "]", "&"))
    return None if line.rstrip().endswith(wanted) else Fault((Edit(place.start, place.start, wanted),), "A")


def _line_lost(place: Place, draw: Draw) -> Fault | None:
    """A line of code, or two or three, gone."""
    block = block_of(place)
    if not block or place.unit.doc.code.count("\n", block.inner_start, block.inner_end) < 3:
        return None
    start, end = place.data.span(1)
    for _ in range(draw.choice((0, 0, 0, 1, 2))):
        following = place.unit.doc.code.find("\n", end, block.inner_end)
        if following < 0 or following + 1 >= block.inner_end:
            break
        end = following + 1
    return Fault((Edit(start, end, ""),)) if "\x01" not in place.unit.doc.code[start:end] else None


def _line_twice(place: Place, draw: Draw) -> Fault | None:
    """A line of code twice, the second a little other."""
    start, end = place.data.span(1)
    line = place.unit.doc.text[start:end]
    names = list(_NAME.finditer(line))
    if not names:
        return None
    match = draw.choice(names)
    other = other_part(match[0], draw) or draw.choice(_STAND_INS)
    return Fault((Edit(start, start, line[: match.start()] + other + line[match.end() :]),), "A")


def _word_of_comment(place: Place, draw: Draw) -> Fault | None:
    """A word of a comment misspelt, lost, or another."""
    line, at = line_of(place)
    word = place.text
    if not _COMMENT.search(line[:at]):
        return None
    kind = draw.below(4)
    if kind == 0:
        return Fault((Edit(place.start, place.end, name_slip(word, draw)),), "A") if len(word) > 4 else None
    if kind == 1:
        after = place.unit.doc.code[place.end : place.end + 1]
        return Fault((Edit(place.start, place.end + 1, ""),)) if after == " " else None
    others = _RELATED.get(word)
    return Fault((Edit(place.start, place.end, draw.choice(others)),), "B") if others else None


def _rebroken(place: Place, draw: Draw) -> Fault | None:
    """Two lines of code run into one, a blank line lost, or one too much."""
    newline = place.unit.doc.newline
    if place.text.count("\n") > 1:
        return Fault((Edit(place.start, place.end, newline + place.text[place.text.rfind("\n") + 1 :]),), "A")
    if draw.chance(0.6):
        return Fault((Edit(place.start, place.start, newline),), "A")
    return Fault((Edit(place.start, place.end, " "),), "B")


def _space_of_code(place: Place, draw: Draw) -> Fault | None:
    """A space lost or too much around a mark."""
    return Fault((Edit(place.start, place.end, "" if place.text else " "),), "A")


register_degrader(
    "code.value",
    Subtype("name", 8, pattern(r"(?<![\w$@%\\/.-])[A-Za-z_]\w{2,30}(?![\w/])", over="code"), _another_name),
    Subtype("number", 2, pattern(r"(?<![\w.-])\d+(?:\.\d+)*(?![\w.])", over="code"), _another_number),
    Subtype("string", 3, pattern(r"\"[^\"\\\n\x01]{2,60}\"|'[\w ./:@-]{2,60}'", over="code"), _another_string),
    Subtype("quotes", 2, pattern(r"\"[^\"\\\n\x01]{1,60}\"|'[\w ./:@-]{2,60}'", over="code"), _quotes_swapped),
    Subtype("comment", 3, pattern(r"(?<= )[a-z]{3,14}(?=[ \n])", over="code"), _word_of_comment),
    does="a sample that names or sets the wrong thing: another name, number, string or kind of quote",
    example=("```python\nport = 8000\nrun(port)\n```\n", "```python\nport = 8001\nrun(port)\n```\n"),
    recoverable="D",
    severity=3,
    touches={"code"},
    weight=4,
    english=False,
)

register_degrader(
    "code.part_lost",
    Subtype("argument", 3, pattern(r"[\w)\]\"'](, [^,()\n\x01]{1,40})(?=[,)\]}])", over="code"), _piece_lost),
    Subtype(
        "option",
        3,
        pattern(r"[^\s\x01]( --?[A-Za-z][\w-]*(?:[= ][\w./\"'-]+)?)(?=[ \n\x01])", over="code"),
        _piece_lost,
    ),
    Subtype("word", 3, pattern(r"[\w\]\)\"':]( [\w.:/&*<>\"'-]+)(?=[ \n\x01])", over="code"), _piece_lost),
    Subtype("call", 2, pattern(r"\w((?:\.|::)\w+(?:\(\))?)(?=[\s;,)\x01])", over="code"), _piece_lost),
    Subtype("first_word", 1, pattern(r"[\n\x01] *([a-z]+ )(?=\w)", over="code"), _piece_lost),
    Subtype("mark", 4, pattern(r"(?<=[\w\s)(\]\"'])[,;&*:.!?](?=[\s\w(\"'\x01])", over="code"), _mark_lost),
    Subtype("mark_wrong", 2, pattern(r"(?<=[\w\s)(\]\"'])[,;:=.](?=[\s\w(\"'\x01])", over="code"), _mark_wrong),
    Subtype("mark_added", 2, pattern(r"(?<=[\w)\"'\]])(?=\n)", over="code"), _mark_added),
    does="a piece of a sample gone: an argument, an option, a word, a call, a mark",
    example=("```bash\ntool run --fast now\n```\n", "```bash\ntool run now\n```\n"),
    recoverable="D",
    severity=3,
    touches={"code"},
    weight=4,
    english=False,
)

register_degrader(
    "code.line_lost",
    Subtype("lost", 4, pattern(r"(?:(?<=\n)|(?<=\x01))([^\n\x01]*\S[^\n\x01]*\n)(?=[^\x01])", over="code"), _line_lost),
    Subtype(
        "twice", 2, pattern(r"(?:(?<=\n)|(?<=\x01))([^\n\x01]*\w[^\n\x01]*\n)(?=[^\x01])", over="code"), _line_twice
    ),
    Subtype("breaks", 2, pattern(r"\n(?:[ \t]*\n)?(?=[^\n\x01])", over="code"), _rebroken),
    Subtype(
        "space",
        2,
        pattern(r"(?<=[\w)\]}\"']) ?(?=[={}<>+*/|-])|(?<=[=,:{}<>+|]) ?(?=[\w\"'(\[{])", over="code"),
        _space_of_code,
    ),
    does="a sample that lacks a line, has one twice, or breaks and spaces its lines wrong",
    example=("```python\na = 1\nb = 2\nc = 3\nd = 4\n```\n", "```python\na = 1\nc = 3\nd = 4\n```\n"),
    recoverable="D",
    severity=3,
    touches={"code"},
    size=1,
    weight=2.5,
    english=False,
)
