"""Content: what is missing, out of date or at odds with itself."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise

from degraders.draw import Draw
from degraders.edits import Edit
from degraders.lexicon import mapping, match_case, phrases
from degraders.registry import (
    CorruptFunction,
    Fault,
    Place,
    Subtype,
    degrader,
    pattern,
    places,
    regions,
    register_degrader,
    words,
)
from degraders.rules.code import name_slip
from degraders.rules.code_values import other_part
from degraders.rules.structure import blocks, direct_items, is_open, is_prose
from degraders.text.document import BLOCK, Region, Unit
from degraders.text.sentences import sentences

# Begins with one set of characters, as `registry.pattern` says.
_NUMBER = re.compile(r"[\d]\d*(?:\.\d+)*")
_BEFORE_NUMBER = re.compile(r"[\w.,/:#$%~^+*=<>_-]\Z")
_AFTER_NUMBER = re.compile(r"[\w/%_^*°]|[.,:+-]\d")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{3,40}")
_STAND_INS = phrases("stand_ins")
_MODALS = frozenset("must should may will".split())
_STATES = frozenset(
    "enabled disabled required optional mandatory allowed forbidden always never before after included excluded "
    "ascending descending automatically manually synchronous asynchronous synchronously asynchronously mutable "
    "immutable inclusive exclusive maximum minimum older newer higher lower larger smaller longer shorter "
    "increases decreases increased decreased encrypted unencrypted visible hidden accepts rejects accepted rejected "
    "enable disable enables disables enabling disabling allows supports succeeds fails valid invalid "
    "case-sensitive case-insensitive explicitly implicitly temporarily permanently sorted unsorted ordered unordered "
    "incoming outgoing without internal external locally remotely true false".split()
)
_OPPOSITES = {word: other for word, other in mapping("opposites").items() if word in _STATES | _MODALS}
_NEEDS_OBJECT = frozenset("without before after enable enables enabling allows supports".split())
_PRONOUN = re.compile(r"\s+(?:I|you|we|they|he|she|it|this|that|the|an?|not|only|also|have|be able)\b", re.I)
_NEXT_WORD = re.compile(r"\s+(\w{4,})")
_CONTENT_WORD = re.compile(r"[a-z_]{5,}")
_NUMBER_FORMS = mapping("nouns") | {forms[0]: (noun,) for noun, forms in mapping("nouns").items()}
_TODO_BLOCKS = phrases("todo", "block")
_TODO_SENTENCES = tuple(note for note in phrases("todo", "inline") if note[0] in "TFX([?")
_LEADS_IN = re.compile(r"(?:follow|below|example|as in|like this|use|run|shown?|looks?)\b", re.I)
_LONGER = {
    "args": "arguments",
    "config": "configuration",
    "db": "database",
    "dir": "directory",
    "env": "environment",
    "max": "maximum",
    "min": "minimum",
    "msg": "message",
    "num": "number",
    "params": "parameters",
    "req": "request",
    "src": "source",
}
_SWAPS = (
    _LONGER | {long: short for short, long in _LONGER.items()} | {"get": "fetch", "delete": "remove", "add": "create"}
)


def _without_one(siblings: Sequence[Region]) -> Iterator[tuple[int, int, None]]:
    """For each of two blocks or more, the range whose removal leaves the others as they stand."""
    for at, sibling in enumerate(siblings):
        if at + 1 < len(siblings):
            yield sibling.start, siblings[at + 1].start, None
        elif at:
            yield siblings[at - 1].end, sibling.end, None


def _droppable(unit: Unit) -> Iterator[tuple[int, int, None]]:
    """Items, rows of tables, paragraphs behind another, and what stands between two headings."""
    tables = unit.regions_of("table")
    for outer in unit.regions_of("list"):
        cells = any(table.start < outer.start < table.end and outer.depth > table.depth + 1 for table in tables)
        if not cells:
            yield from _without_one(direct_items(unit, outer))
    for table in tables:
        rows = [row for row in unit.doc.regions_within("row", table.start, table.end) if row.depth == table.depth + 1]
        yield from _without_one([row for row in rows if row.info != "head"])
    found = blocks(unit)
    for before, block in pairwise(found):
        if is_prose(unit, before) and is_open(unit, before) and is_prose(unit, block) and is_open(unit, block):
            yield before.end, block.end, None
    headings = [block for block in found if block.kind == "heading"]
    for upper, lower in pairwise(headings):
        body = [block for block in found if upper.end <= block.start and block.end <= lower.start]
        if body and body[-1].end - body[0].start <= 1200:
            yield body[0].start, lower.start, None


@degrader(
    "content.drop_unit",
    where=places(_droppable, needs={"item", "row", "paragraph"}),
    does="leaves out a step, a row of a table, a paragraph or what a section says",
    example=("1. Install it.\n2. Start it.\n3. Open it.\n", "1. Install it.\n3. Open it.\n"),
    recoverable="D",
    severity=3,
    touches={"code", "fence", "code_span", "url", "target", "html", "math", "directive"},
    size=2,
    weight=1.0,
    english=False,
)
def drop_unit(place: Place, draw: Draw) -> str:
    """Always class D: that something is missing may show, what it said does not."""
    return ""


def _explanations(unit: Unit) -> Iterator[tuple[int, int, None]]:
    """Samples, and the paragraphs that lead to them."""
    text = unit.doc.text
    for before, block in pairwise(blocks(unit)):
        if block.kind != "code_block" or not is_prose(unit, before):
            continue
        yield before.end, block.end, None
        said = text[before.start : before.end]
        if said.endswith("::"):
            yield before.start, before.end - 2, None
        elif said.endswith(":") or _LEADS_IN.search(said):
            yield before.start, block.start, None


@degrader(
    "content.drop_explanation",
    where=places(_explanations, needs={"code_block"}),
    does="leaves out a sample, or the text that explains it",
    example=("Run this:\n\n```bash\nls\n```\n\nThen go on.", "Run this:\n\nThen go on."),
    recoverable="D",
    severity=3,
    touches={"code", "fence", "code_span", "url", "target", "html", "math", "directive"},
    size=2,
    weight=0.7,
    english=False,
)
def drop_explanation(place: Place, draw: Draw) -> str:
    return ""


@degrader(
    "content.truncate_todo",
    where=regions("paragraph", when=lambda unit, block: 60 <= block.end - block.start <= 4000),
    does="cuts a paragraph off, or leaves a TODO for it",
    example=(
        "The daemon keeps a journal of every change, and it replays the journal after a crash.",
        "The daemon keeps a journal of every change, and it",
    ),
    recoverable="D",
    severity=3,
    touches={"code_span", "url", "target", "html", "math", "directive"},
    size=2,
    weight=0.7,
)
def truncate_todo(place: Place, draw: Draw) -> Fault | None:
    unit = place.unit
    if unit.doc.body[place.start] == BLOCK or place.text[0] in "<!|:" or place.text.endswith("::"):
        return None
    if draw.chance(0.6):
        return _cut_off(place, draw)
    parts = sentences(unit, place.start, place.end)
    if len(parts) > 1:
        start = parts[1 + draw.below(len(parts) - 1)][0]
        return Fault((Edit(start, place.end, draw.choice(_TODO_SENTENCES)),))
    note = draw.choice(_TODO_BLOCKS)
    if unit.doc.format != "markdown" and note.startswith("<!--"):
        return None
    return Fault((Edit(place.start, place.end, note),))


def _cut_off(place: Place, draw: Draw) -> Fault | None:
    """The paragraph up to a word in its middle, not inside a link or emphasis."""
    unit, doc = place.unit, place.unit.doc
    marked = [
        region
        for kind in ("link", "emphasis", "strong", "image")
        for region in doc.regions_within(kind, place.start, place.end)
    ]
    middle = place.start + (place.end - place.start) * 2 // 5
    gaps = [match.start() for match in re.compile(r"(?<=[a-z,]) (?=[a-z])").finditer(doc.body, middle, place.end)]
    gaps = [gap for gap in gaps if not any(region.start < gap < region.end for region in marked)]
    if not gaps or unit.doc.text[place.start : place.end].endswith("</span>"):
        return None
    return Fault((Edit(draw.choice(gaps), place.end, draw.choice(("", "", "", "...", " ..."))),))


def _numbers(unit: Unit) -> Iterator[tuple[int, int, list[int]]]:
    """Numbers of the prose and of inline code that the unit mentions again; with where all its mentions stand."""
    text, prose = unit.doc.text, unit.doc.prose
    mentions: dict[str, list[int]] = defaultdict(list)
    for match in _NUMBER.finditer(text, unit.start, unit.end):
        mentions[match[0]].append(match.start())
    for number, starts in mentions.items():
        if len(starts) == 1 or not number.strip("0.") or number.count(".") == 3:
            continue
        for start in starts:
            end = start + len(number)
            alone = not _BEFORE_NUMBER.match(text, start - 1, start) and not _AFTER_NUMBER.match(text, end)
            if alone and (prose[start] == text[start] or _in_code_span(unit, start)):
                yield start, end, starts


def _in_code_span(unit: Unit, at: int) -> bool:
    return any(span.start < at < span.end for span in unit.regions_of("code_span"))


def _same_thing(unit: Unit, start: int, end: int, mentions: Sequence[int]) -> tuple[int, int] | None:
    """Another mention of what a number counts or names: one of four signs or more anywhere, a shorter one beside
    the same word."""
    text, length = unit.doc.text, end - start
    before, after = _word_before(text, start), _word_after(text, end)
    for at in mentions:
        alone = not re.match(r"[\w.]", text[at - 1 : at]) and not re.match(
            r"\w|\.\d", text[at + length : at + length + 2]
        )
        beside = (after and after == _word_after(text, at + length)) or (before and before == _word_before(text, at))
        if at != start and alone and (length >= 4 or beside):
            return at, at + length
    return None


def _word_before(text: str, at: int) -> str:
    found = re.search(r"([A-Za-z]{3,})[ \n`*(]*\Z", text[max(0, at - 24) : at])
    return found[1].lower() if found and found[1].lower() not in ("and", "the", "than", "with") else ""


def _word_after(text: str, at: int) -> str:
    found = re.match(r"[ \n`*)-]*([A-Za-z]{3,})", text[at : at + 24])
    return found[1].lower() if found and found[1].lower() not in ("and", "the") else ""


def _stale_mention(place: Place, draw: Draw) -> Fault | None:
    wrong = _other_number(place.text, draw)
    evidence = _same_thing(place.unit, place.start, place.end, place.data)
    if not evidence or wrong == place.text or place.unit.find_token(wrong):
        return None
    return Fault((Edit(place.start, place.end, wrong),), evidence=evidence)


def _stale_alone(place: Place, draw: Draw) -> Fault | None:
    """A number that stands but once: nothing tells the right one."""
    if place.text.count(".") > 2:
        return None  # an address
    wrong = _other_number(place.text, draw)
    return Fault((Edit(place.start, place.end, wrong),), recoverable="D") if wrong != place.text else None


def _other_number(number: str, draw: Draw) -> str:
    """A value that was right once: an earlier or later version, another usual port, a count near by."""
    parts = number.split(".")
    if len(parts) > 1:
        at = 1 + draw.below(len(parts) - 1)
        parts[at] = str(max(0, int(parts[at]) + draw.choice((-1, -1, -1, -2, 1))))
        return ".".join(parts)
    value = int(number)
    if 1900 <= value <= 2100:
        return str(value + draw.choice((-1, -1, -2, 1)))
    if value >= 1000:
        return str(draw.choice((value + 1, value - 1, value - value % 100, value + 10, value + 1000)))
    if value >= 32 and value & (value - 1) == 0:
        return str(draw.choice((value // 2, value * 2)))
    if value > 100:
        return str(value + draw.choice((-1, 1, -10, 10) if value % 100 else (-100, 100, 1)))
    if value == 100:
        return draw.choice(("50", "10", "1000"))
    if value >= 10 and value % 5 == 0:
        return draw.choice((str(value + 5), str(value - 5), str(value * 2)))
    return str(max(1, value + draw.choice((-2, -1, -1, 1, 1, 2))))


register_degrader(
    "content.stale_number",
    Subtype("mention", 2, places(_numbers, needs={"prose", "code_span"}), _stale_mention),
    Subtype("alone", 2, pattern(r"(?<![\w.,/#-])\d{1,4}(?:\.\d+)*(?![\w%/]|[.,-]\d)", over="prose"), _stale_alone, "D"),
    does="changes one of several mentions of a version, a port or a count, or the only one",
    example=("Use port 8080. The log names port 8080 too.", "Use port 8080. The log names port 8081 too."),
    recoverable="C",
    severity=3,
    touches={"code_span"},
    weight=2.5,
    english=False,
)


@degrader(
    "content.contradiction",
    where=words(frozenset(_OPPOSITES)),
    does="turns a statement into its opposite in one of two places",
    example=(
        "Clients must send a token. A proxy checks that clients must send a token.",
        "Clients must send a token. A proxy checks that clients must not send a token.",
    ),
    recoverable="C",
    severity=3,
    weight=1.3,
)
def contradiction(place: Place, draw: Draw) -> Fault | None:
    unit, text, word = place.unit, place.unit.doc.text, place.text.lower()
    before, after = text[max(0, place.start - 40) : place.start], text[place.end : place.end + 40]
    if word in _NEEDS_OBJECT and not re.match(r"\s+(?!\w+ing\b|you\b|us\b|it\b)[\w`]", after):
        return None
    if before[-1:] not in ("", " ", "\n", "(") or not re.match(r"[\s.,;:)]|\Z", after):
        return None
    negated = re.match(r"\s+not\b", after, re.I)
    if word in _MODALS and negated:
        edit = Edit(place.end, place.end + negated.end(), "")
    elif negated or (word in _MODALS and not _takes_not(word, place.text, after)):
        return None
    else:
        others = [other for other in _OPPOSITES[word] if " " not in other or word in _MODALS]
        others = [other for other in others if other not in (before + after).lower() and _article_fits(other, before)]
        if not others:
            return None
        edit = Edit(place.start, place.end, match_case(draw.choice(others), place.text))
    evidence = _said_again(unit, place)
    return Fault((edit,), evidence=evidence) if evidence else Fault((edit,), recoverable="D")


def _takes_not(word: str, form: str, after: str) -> bool:
    """Whether a modal is followed by the verb that a `not` would negate: no question, no "may have"."""
    verb = re.match(r"\s+[a-z]+\b", after)
    return bool(verb) and not _PRONOUN.match(after) and not (form[0].isupper() and form != form.upper())


def _article_fits(other: str, before: str) -> bool:
    """Whether the a or an before a place still fits."""
    article = re.search(r"\b(an?)\s+\Z", before, re.I)
    return not article or (other[0] in "aeiou") == (article[1].lower() == "an")


def _said_again(unit: Unit, place: Place) -> tuple[int, int] | None:
    """The same word elsewhere in the unit, before the same word or among two or more of the same words."""
    text, word = unit.doc.text, place.text.lower()
    near, follows = _around(text, place.start, place.end)
    for start in unit.find_phrase(word):
        end = start + len(word)
        if abs(start - place.start) < 12 or text[end : end + 4].lower() == " not":
            continue
        other, next_word = _around(text, start, end)
        shared = (near & other) - {word}
        if shared and ((follows and follows == next_word) or len(shared) >= 3):
            return start, end
    return None


def _around(text: str, start: int, end: int) -> tuple[set[str], str]:
    """The longer words near a place, and the word behind it if it is one of them."""
    after = _NEXT_WORD.match(text, end)
    return set(_CONTENT_WORD.findall(text[max(0, start - 50) : end + 50].lower())), after[1] if after else ""


def _marked_names(unit: Unit) -> Iterator[tuple[int, int, None]]:
    """Inline code that is a name which the unit has three times or more."""
    text = unit.text
    for span in unit.regions_of("code_span"):
        name = unit.doc.text[span.inner_start : span.inner_end]
        if text.count(name) >= 3 and _NAME.fullmatch(name):
            yield span.inner_start, span.inner_end, None


def _other_names(name: str) -> list[str]:
    """What a writer may call a name by mistake: another style or number, a part left out, or another word for one."""
    parts = [part for part in re.split(r"[_-]|(?<=[a-z0-9])(?=[A-Z])", name) if part]
    found = [name.replace(part, match_case(_SWAPS[part.lower()], part)) for part in parts if part.lower() in _SWAPS]
    if parts and name.endswith(parts[-1]) and parts[0] != "to" and parts[-1].lower() in _NUMBER_FORMS:
        last = _NUMBER_FORMS[parts[-1].lower()][0]
        found.append(name[: name.rindex(parts[-1])] + match_case(last, parts[-1]))
    if len(parts) > 1:
        separator = "_" if "_" in name else "-" if "-" in name else ""
        found.append(separator.join(parts[:-1] if len(parts) > 2 or len(parts[0]) > 4 else parts[1:]))
        if name.islower():
            camel = parts[0] + "".join(part.title() for part in parts[1:])
            found += [camel, name.replace("_", "-") if "_" in name else name.replace("-", "_")]
    if re.match(r"[A-Z][a-z]", name):
        found.append(name[0].lower() + name[1:])
    return [other for other in found if other != name]


def _renamed(place: Place, draw: Draw) -> Fault | None:
    name = place.text
    others = [other for other in _other_names(name) if len(other) > 2 and other not in place.unit.text]
    elsewhere = [at for at in place.unit.find_token(name) if at != place.start]
    # Of most words only the plural is another name, which would be too many of them.
    if not others or len(elsewhere) < 2 or (len(others) == 1 and draw.chance(0.7)):
        return None
    nearest = min(elsewhere, key=lambda at: abs(at - place.start))
    return Fault((Edit(place.start, place.end, draw.choice(others)),), evidence=(nearest, nearest + len(name)))


def _drifting(make: Callable[[str, Place, Draw], str | None]) -> CorruptFunction:
    """What writes another name for inline code, told where the right one stands elsewhere."""

    def what(place: Place, draw: Draw) -> Fault | None:
        unit, (start, end) = place.unit, place.data
        name = unit.doc.text[start:end]
        wrong = make(name, place, draw)
        if not wrong or wrong == name or "`" in wrong or not wrong.strip():
            return None
        elsewhere = [at for at in unit.find_token(name) if at != start]
        edit = Edit(start, end, wrong)
        if not elsewhere:
            return Fault((edit,), recoverable="D")
        nearest = min(elsewhere, key=lambda at: abs(at - start))
        return Fault((edit,), evidence=(nearest, nearest + len(name)))

    return what


_INNER_NAME = re.compile(r"[A-Za-z_]\w{2,}")
_PIECES = re.compile(
    r"\(\)|^[\w.]+(?:::|\.)(?=\w)|(?:::|\.)\w+(?=\W|$)|^-+|[=:]\S+$|\s--?[\w-]+|\s\S+$|[<(\[][^<>()\[\]]+[>)\]]$|^[/.]+|/$"
)


def _misspelt(code: str, place: Place, draw: Draw) -> str | None:
    """`unused_variables` → `unusued_variables`, `WebSocket` → `Websocket`, `crate_type` → `crate-type`."""
    names = [match for match in _INNER_NAME.finditer(code) if len(match[0]) > 4]
    if not names:
        return None
    match = draw.choice(names)
    return code[: match.start()] + name_slip(match[0], draw) + code[match.end() :]


def _piece_lost(code: str, place: Place, draw: Draw) -> str | None:
    """`parse_mod()` → `parse_mod`, `std::Child` → `Child`, `--dry-run` → `dry-run`."""
    pieces = [match.span() for match in _PIECES.finditer(code) if match.end() - match.start() < len(code)]
    if not pieces:
        return None
    start, end = draw.choice(pieces)
    return code[:start] + code[end:]


def _piece_added(code: str, place: Place, draw: Draw) -> str | None:
    """`parse_mod` → `parse_mod()`, `css/a` → `/css/a`, `static` → `-static`."""
    if re.fullmatch(r"[a-z_]\w+", code):
        return (
            code + draw.choice(("()", "()", ".", "s", ":", "="))
            if draw.chance(0.7)
            else draw.choice(("-", "--", ".", "$", "@")) + code
        )
    return draw.choice(("/", "./", "-", " ", "$ ", "!")) + code if code[0].isalnum() or code[0] in ".-" else None


def _another(code: str, place: Place, draw: Draw) -> str | None:
    """`edx` → `ebx`: the name that the next inline code has."""
    spans = place.unit.regions_of("code_span")
    others = [place.unit.doc.text[span.inner_start : span.inner_end] for span in spans]
    alike = [
        other for other in others if other != code and other[:1].isalpha() == code[:1].isalpha() and len(other) < 30
    ]
    return draw.choice(alike) if alike else None


def _another_part(code: str, place: Place, draw: Draw) -> str | None:
    """`view_names` → `table_views`, `into_iter` → `into_iterator`, `foo` → `bar`."""
    names = list(_INNER_NAME.finditer(code))
    if not names:
        return None
    match = draw.choice(names)
    wrong = other_part(match[0], draw) or (draw.choice(_STAND_INS) if match[0].islower() else None)
    return wrong and code[: match.start()] + wrong + code[match.end() :]


def _requoted(code: str, place: Place, draw: Draw) -> str | None:
    """`gem "x"` → `gem 'x'`, `"true"` → `true`."""
    if code.count('"') == 2:
        return code.replace('"', "'" if draw.chance(0.6) else "")
    if code.count("'") == 2:
        return code.replace("'", '"' if draw.chance(0.6) else "")
    return f'"{code}"' if code in ("true", "false") or code.isdigit() else None


def _spans(unit: Unit) -> Iterator[tuple[int, int, tuple[int, int]]]:
    for span in unit.regions_of("code_span"):
        if "\n" not in unit.doc.text[span.inner_start : span.inner_end]:
            yield span.inner_start, span.inner_end, (span.inner_start, span.inner_end)


_SPANS = places(_spans, needs={"code_span"})

register_degrader(
    "content.identifier_drift",
    Subtype("renamed", 3, places(_marked_names, needs={"code_span"}), _renamed),
    Subtype("misspelt", 3, _SPANS, _drifting(_misspelt)),
    Subtype("piece_lost", 3, _SPANS, _drifting(_piece_lost)),
    Subtype("piece_added", 1, _SPANS, _drifting(_piece_added)),
    Subtype("another", 2, _SPANS, _drifting(_another)),
    Subtype("another_part", 3, _SPANS, _drifting(_another_part)),
    Subtype("quotes", 1, _SPANS, _drifting(_requoted)),
    does="calls a thing in inline code by another name, or writes the name wrong",
    example=(
        "Set `max_size` first. If `max_size` is 0, `max_size` is ignored.",
        "Set `max_size` first. If `max_size` is 0, `maxSize` is ignored.",
    ),
    recoverable="C",
    severity=3,
    touches={"code_span"},
    weight=2.8,
    english=False,
)
