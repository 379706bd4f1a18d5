"""Code: samples with a wrong name, value or option, or with a missing piece or line."""

from __future__ import annotations

import re

from degraders.draw import Draw
from degraders.edits import Edit
from degraders.registry import Fault, Place, Subtype, pattern, register_degrader
from degraders.rules.code import block_of, line_of
from degraders.rules.names import (
    RELATED_WORDS,
    STAND_INS,
    are_near,
    change_part,
    misspell_name,
    replace_name,
    write_digits_as,
)
from degraders.text.document import BLOCK

_NAME = re.compile(r"[A-Za-z_]\w{2,30}")
_COMMENT = re.compile(r"(?:^|\s)(?:#|//|--|;|<!--|\*)\s")
_WRONG_MARKS = {
    ",": (",,",),
    ";": (",", ":"),
    ":": ("::", ";", " ="),
    "=": ("==", ":"),
    ".": ("::", "->"),
}


def _change_name(place: Place, draw: Draw) -> Fault | None:
    """`char_list` → `chars`: a similar name of the block, another part, or a misspelling."""
    unit, name = place.unit, place.text
    block = block_of(place)
    if not block:
        return None
    kind = draw.below(10)
    if kind < 4:
        names = [other for other in _NAME.findall(unit.doc.code, block.inner_start, block.inner_end) if other != name]
        near = [other for other in names if are_near(other, name)]
        wrong = draw.choice(near) if near else None
    else:
        wrong = change_part(name, draw) if kind < 7 else misspell_name(name, draw)
    return replace_name(place, wrong) if wrong and wrong != name else None


def _change_number(place: Place, draw: Draw) -> Fault | None:
    """`8080` → `8000`, `0.1` → `0.2`."""
    text = place.text
    digits = [at for at, char in enumerate(text) if char.isdecimal()]
    at = digits[-1 - min(draw.below(len(digits)), draw.below(len(digits)))]
    wrong = str((int(text[at]) + draw.choice((1, 2, 1, 3, 9, 8, 5))) % 10)
    return replace_name(place, text[:at] + write_digits_as(wrong, text[at]) + text[at + 1 :])


def _change_string(place: Place, draw: Draw) -> Fault | None:
    """`"Hello, world"` → `"Hello"`: a string without one of its words, or another string."""
    text = place.text[1:-1]
    parts = text.split(" ")
    if len(parts) > 1 and draw.chance(0.5):
        parts.pop(draw.below(len(parts)))
        wrong = " ".join(parts)
    else:
        wrong = draw.choice(STAND_INS)
    return Fault((Edit(place.start + 1, place.end - 1, wrong),)) if wrong != text else None


def _change_quotes(place: Place, draw: Draw) -> Fault | None:
    """`"a"` → `'a'` or `a`."""
    text = place.text
    other = "'" if text[0] == '"' else '"'
    if other in text or "\\" in text:
        return None
    wrong = f"{other}{text[1:-1]}{other}" if draw.chance(0.7) else text[1:-1]
    return Fault((Edit(place.start, place.end, wrong),), recoverable="A")


def _change_comment(place: Place, draw: Draw) -> Fault | None:
    """Misspell, drop or replace a word of a comment."""
    line, at = line_of(place)
    word = place.text
    if not _COMMENT.search(line[:at]):
        return None
    kind = draw.below(4)
    if kind == 0:
        if len(word) <= 4:
            return None
        return Fault((Edit(place.start, place.end, misspell_name(word, draw)),), recoverable="A")
    if kind == 1:
        next_char = place.unit.doc.code[place.end : place.end + 1]
        return Fault((Edit(place.start, place.end + 1, ""),)) if next_char == " " else None
    others = RELATED_WORDS.get(word)
    return Fault((Edit(place.start, place.end, draw.choice(others)),), recoverable="B") if others else None


register_degrader(
    "code.value",
    Subtype("name", 8, pattern(r"(?<![\w$@%\\/.-])[A-Za-z_]\w{2,30}(?![\w/])", over="code"), _change_name),
    Subtype("number", 2, pattern(r"(?<![\w.-])\d+(?:\.\d+)*(?![\w.])", over="code"), _change_number),
    Subtype("string", 3, pattern(r"\"[^\"\\\n\x01]{2,60}\"|'[\w ./:@-]{2,60}'", over="code"), _change_string),
    Subtype("quotes", 2, pattern(r"\"[^\"\\\n\x01]{1,60}\"|'[\w ./:@-]{2,60}'", over="code"), _change_quotes),
    Subtype("comment", 3, pattern(r"(?<= )[a-z]{3,14}(?=[ \n])", over="code"), _change_comment),
    does="changes a name, a number, a string, the quotes or a comment of a code sample",
    example=("```python\nport = 8000\nrun(port)\n```\n", "```python\nport = 8001\nrun(port)\n```\n"),
    recoverable="D",
    severity=3,
    touches={"code"},
    weight=4,
    english=False,
)


def _drop_group(place: Place, draw: Draw) -> Fault | None:
    """Remove the first group of a match: an argument, an option, a word or a call."""
    start, end = place.data.span(1)
    return Fault((Edit(start, end, ""),))


def _drop_mark(place: Place, draw: Draw) -> Fault | None:
    return Fault((Edit(place.start, place.end, ""),), recoverable="A" if place.text in ",;:" else "B")


def _change_mark(place: Place, draw: Draw) -> str:
    """`=` → `==`, `;` → `,`."""
    return draw.choice(_WRONG_MARKS[place.text])


def _add_mark(place: Place, draw: Draw) -> Fault | None:
    """Add a bracket, comma, semicolon or quote at the end of a line."""
    line, _ = line_of(place)
    mark = draw.choice((",", ";", ")", "}", '"', " \\", ":", "]", "&"))
    if line.rstrip().endswith(mark):
        return None
    return Fault((Edit(place.start, place.start, mark),), recoverable="A")


register_degrader(
    "code.part_lost",
    Subtype("argument", 3, pattern(r"[\w)\]\"'](, [^,()\n\x01]{1,40})(?=[,)\]}])", over="code"), _drop_group),
    Subtype(
        "option",
        3,
        pattern(r"[^\s\x01]( --?[A-Za-z][\w-]*(?:[= ][\w./\"'-]+)?)(?=[ \n\x01])", over="code"),
        _drop_group,
    ),
    Subtype("word", 3, pattern(r"[\w\]\)\"':]( [\w.:/&*<>\"'-]+)(?=[ \n\x01])", over="code"), _drop_group),
    Subtype("call", 2, pattern(r"\w((?:\.|::)\w+(?:\(\))?)(?=[\s;,)\x01])", over="code"), _drop_group),
    Subtype("first_word", 1, pattern(r"[\n\x01] *([a-z]+ )(?=\w)", over="code"), _drop_group),
    Subtype("mark", 4, pattern(r"(?<=[\w\s)(\]\"'])[,;&*:.!?](?=[\s\w(\"'\x01])", over="code"), _drop_mark),
    Subtype("mark_wrong", 2, pattern(r"(?<=[\w\s)(\]\"'])[,;:=.](?=[\s\w(\"'\x01])", over="code"), _change_mark),
    Subtype("mark_added", 2, pattern(r"(?<=[\w)\"'\]])(?=\n)", over="code"), _add_mark),
    does="drops an argument, an option, a word, a call or a mark of a code sample, or gets a mark wrong",
    example=("```bash\ntool run --fast now\n```\n", "```bash\ntool run now\n```\n"),
    recoverable="D",
    severity=3,
    touches={"code"},
    weight=4,
    english=False,
)


def _drop_lines(place: Place, draw: Draw) -> Fault | None:
    """Remove one to three lines of code."""
    block = block_of(place)
    code = place.unit.doc.code
    if not block or code.count("\n", block.inner_start, block.inner_end) < 3:
        return None
    start, end = place.data.span(1)
    for _ in range(draw.choice((0, 0, 0, 1, 2))):
        newline = code.find("\n", end, block.inner_end)
        if newline < 0 or newline + 1 >= block.inner_end:
            break
        end = newline + 1
    return Fault((Edit(start, end, ""),)) if BLOCK not in code[start:end] else None


def _repeat_line(place: Place, draw: Draw) -> Fault | None:
    """Insert a copy of a line above it, with one name changed."""
    start, end = place.data.span(1)
    line = place.unit.doc.text[start:end]
    names = list(_NAME.finditer(line))
    if not names:
        return None
    match = draw.choice(names)
    other = change_part(match[0], draw) or draw.choice(STAND_INS)
    copy = line[: match.start()] + other + line[match.end() :]
    return Fault((Edit(start, start, copy),), recoverable="A")


def _change_line_break(place: Place, draw: Draw) -> Fault | None:
    """Join two lines of code, drop a blank line, or add one."""
    newline = place.unit.doc.newline
    if place.text.count("\n") > 1:
        one_break = newline + place.text[place.text.rfind("\n") + 1 :]
        return Fault((Edit(place.start, place.end, one_break),), recoverable="A")
    if draw.chance(0.6):
        return Fault((Edit(place.start, place.start, newline),), recoverable="A")
    return Fault((Edit(place.start, place.end, " "),), recoverable="B")


def _change_space(place: Place, draw: Draw) -> Fault:
    """Drop or add a space next to an operator."""
    return Fault((Edit(place.start, place.end, "" if place.text else " "),), recoverable="A")


register_degrader(
    "code.line_lost",
    Subtype(
        "lost", 4, pattern(r"(?:(?<=\n)|(?<=\x01))([^\n\x01]*\S[^\n\x01]*\n)(?=[^\x01])", over="code"), _drop_lines
    ),
    Subtype(
        "twice", 2, pattern(r"(?:(?<=\n)|(?<=\x01))([^\n\x01]*\w[^\n\x01]*\n)(?=[^\x01])", over="code"), _repeat_line
    ),
    Subtype("breaks", 2, pattern(r"\n(?:[ \t]*\n)?(?=[^\n\x01])", over="code"), _change_line_break),
    Subtype(
        "space",
        2,
        pattern(r"(?<=[\w)\]}\"']) ?(?=[={}<>+*/|-])|(?<=[=,:{}<>+|]) ?(?=[\w\"'(\[{])", over="code"),
        _change_space,
    ),
    does="drops or repeats a line of a code sample, or gets a line break or a space wrong",
    example=("```python\na = 1\nb = 2\nc = 3\nd = 4\n```\n", "```python\na = 1\nc = 3\nd = 4\n```\n"),
    recoverable="D",
    severity=3,
    touches={"code"},
    size=1,
    weight=2.5,
    english=False,
)
