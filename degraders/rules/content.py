"""Content: parts that are missing, out of date, or contradict each other."""

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
from degraders.rules.layout import blocks, direct_items, is_inside, is_open, is_prose
from degraders.rules.names import are_near, change_part, misspell_name, replace_name, write_digits_as
from degraders.rules.vocabulary import PLURAL_OF, SINGULAR_OF
from degraders.text.document import BLOCK, Region, Unit
from degraders.text.sentences import sentences

# Begins with a single character class, which makes the search fast (see `registry.pattern`).
_NUMBER = re.compile(r"[\d]\d*(?:\.\d+)*")
_BEFORE_NUMBER = re.compile(r"[\w.,/:#$%~^+*=<>_-]\Z")
_AFTER_NUMBER = re.compile(r"[\w/%_^*°]|[.,:+-]\d")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{3,40}")
_MODAL_OPPOSITES = mapping("opposites", "modal")
_TRANSITIVE_OPPOSITES = mapping("opposites", "transitive")
_OPPOSITES = _MODAL_OPPOSITES | _TRANSITIVE_OPPOSITES | mapping("opposites", "state")
_PRONOUN = re.compile(r"\s+(?:I|you|we|they|he|she|it|this|that|the|an?|not|only|also|have|be able)\b", re.I)
_NEXT_WORD = re.compile(r"\s+(\w{4,})")
_CONTENT_WORD = re.compile(r"[a-z_]{5,}")
_NUMBER_FORMS = PLURAL_OF | SINGULAR_OF
_TODO_BLOCKS = phrases("todo", "block")
_TODO_SENTENCES = tuple(note for note in phrases("todo", "inline") if note[0] in "TFX([?")
_ANNOUNCES = re.compile(r"(?:follow|below|example|as in|like this|use|run|shown?|looks?)\b", re.I)
_NAME_PARTS = mapping("name_parts")
_INNER_GAP = re.compile(r"(?<=[a-z,]) (?=[a-z])")


def _removable_siblings(siblings: Sequence[Region]) -> Iterator[tuple[int, int, None]]:
    """For each of two or more blocks, the range whose removal leaves the other blocks unchanged."""
    for at, sibling in enumerate(siblings):
        if at + 1 < len(siblings):
            yield sibling.start, siblings[at + 1].start, None
        elif at:
            yield siblings[at - 1].end, sibling.end, None


def _removable_parts(unit: Unit) -> Iterator[tuple[int, int, None]]:
    """List items, table rows, paragraphs that follow another paragraph, and the blocks between two headings."""
    tables = unit.regions_of("table")
    for outer in unit.regions_of("list"):
        is_in_cell = any(table.start < outer.start < table.end and outer.depth > table.depth + 1 for table in tables)
        if not is_in_cell:
            yield from _removable_siblings(direct_items(unit, outer))
    for table in tables:
        rows = [row for row in unit.doc.regions_within("row", table.start, table.end) if row.depth == table.depth + 1]
        yield from _removable_siblings([row for row in rows if row.info != "head"])
    outermost = blocks(unit)
    for before, block in pairwise(outermost):
        if is_prose(unit, before) and is_open(unit, before) and is_prose(unit, block) and is_open(unit, block):
            yield before.end, block.end, None
    headings = [block for block in outermost if block.kind == "heading"]
    for upper, lower in pairwise(headings):
        body = [block for block in outermost if upper.end <= block.start and block.end <= lower.start]
        if body and body[-1].end - body[0].start <= 1200:
            yield body[0].start, lower.start, None


@degrader(
    "content.drop_unit",
    where=places(_removable_parts, needs={"item", "row", "paragraph"}),
    does="leaves out a step, a table row, a paragraph or the text of a section",
    example=("1. Install it.\n2. Start it.\n3. Open it.\n", "1. Install it.\n3. Open it.\n"),
    recoverable="D",
    severity=3,
    touches={"code", "fence", "code_span", "url", "target", "html", "math", "directive"},
    size=2,
    weight=1.0,
    english=False,
)
def drop_unit(place: Place, draw: Draw) -> str:
    """Always class D: a reader may notice the gap, but cannot know the missing text."""
    return ""


def _samples_and_introductions(unit: Unit) -> Iterator[tuple[int, int, None]]:
    """Code samples, and the paragraphs that introduce them."""
    text = unit.doc.text
    for before, block in pairwise(blocks(unit)):
        if block.kind != "code_block" or not is_prose(unit, before):
            continue
        yield before.end, block.end, None
        introduction = text[before.start : before.end]
        if introduction.endswith("::"):
            yield before.start, before.end - 2, None
        elif introduction.endswith(":") or _ANNOUNCES.search(introduction):
            yield before.start, block.start, None


@degrader(
    "content.drop_explanation",
    where=places(_samples_and_introductions, needs={"code_block"}),
    does="leaves out a code sample, or the text that explains it",
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
    does="cuts a paragraph off, or puts a TODO in its place",
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
def truncate_paragraph(place: Place, draw: Draw) -> Fault | None:
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
    """Cut the paragraph off after a word in its middle, not inside a link or emphasis."""
    doc = place.unit.doc
    markup = [
        region
        for kind in ("link", "emphasis", "strong", "image")
        for region in doc.regions_within(kind, place.start, place.end)
    ]
    middle = place.start + (place.end - place.start) * 2 // 5
    gaps = [match.start() for match in _INNER_GAP.finditer(doc.body, middle, place.end)]
    gaps = [gap for gap in gaps if not is_inside(gap, markup)]
    if not gaps or place.text.endswith("</span>"):
        return None
    return Fault((Edit(draw.choice(gaps), place.end, draw.choice(("", "", "", "...", " ..."))),))


def _repeated_numbers(unit: Unit) -> Iterator[tuple[int, int, list[int]]]:
    """Numbers of the prose and of inline code that occur more than once; the data are the starts of all mentions."""
    text, prose = unit.doc.text, unit.doc.prose
    code_spans = unit.regions_of("code_span")
    mentions: dict[str, list[int]] = defaultdict(list)
    for match in _NUMBER.finditer(text, unit.start, unit.end):
        mentions[match[0]].append(match.start())
    for number, starts in mentions.items():
        if len(starts) == 1 or not number.strip("0.") or number.count(".") == 3:
            continue
        for start in starts:
            end = start + len(number)
            alone = not _BEFORE_NUMBER.match(text, start - 1, start) and not _AFTER_NUMBER.match(text, end)
            if alone and (prose[start] == text[start] or is_inside(start, code_spans)):
                yield start, end, starts


def _number_evidence(unit: Unit, start: int, end: int, mentions: Sequence[int]) -> tuple[int, int] | None:
    """Another mention of the number of [start, end) that means the same thing.

    A number of four characters or more can be anywhere; a shorter one must be next to the same word.
    """
    text, length = unit.doc.text, end - start
    before, after = _word_before(text, start), _word_after(text, end)
    for at in mentions:
        alone = not re.match(r"[\w.]", text[at - 1 : at]) and not re.match(
            r"\w|\.\d", text[at + length : at + length + 2]
        )
        same_word = (after and after == _word_after(text, at + length)) or (before and before == _word_before(text, at))
        if at != start and alone and (length >= 4 or same_word):
            return at, at + length
    return None


def _word_before(text: str, at: int) -> str:
    match = re.search(r"([A-Za-z]{3,})[ \n`*(]*\Z", text[max(0, at - 24) : at])
    return match[1].lower() if match and match[1].lower() not in ("and", "the", "than", "with") else ""


def _word_after(text: str, at: int) -> str:
    match = re.match(r"[ \n`*)-]*([A-Za-z]{3,})", text[at : at + 24])
    return match[1].lower() if match and match[1].lower() not in ("and", "the") else ""


def _change_repeated_number(place: Place, draw: Draw) -> Fault | None:
    """Change a number that the unit mentions again."""
    wrong = _other_number(place.text, draw)
    evidence = _number_evidence(place.unit, place.start, place.end, place.data)
    if not evidence or wrong == place.text or place.unit.find_token(wrong):
        return None
    return Fault((Edit(place.start, place.end, wrong),), evidence=evidence)


def _change_number(place: Place, draw: Draw) -> str | None:
    """Change any number; nothing shows the right one."""
    if place.text.count(".") > 2:
        return None  # an IP address
    return _other_number(place.text, draw)


def _other_number(number: str, draw: Draw) -> str:
    """A number near the right one, in digits of the same script."""
    return write_digits_as(_near_number(number, draw), number)


def _near_number(number: str, draw: Draw) -> str:
    """A number near the right one: an earlier or later version, another port, a close count."""
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
    Subtype("mention", 2, places(_repeated_numbers, needs={"prose", "code_span"}), _change_repeated_number),
    Subtype(
        "alone",
        2,
        pattern(r"(?<![\w.,/#-])\d{1,4}(?:\.\d+)*(?![\w%/]|[.,-]\d)", over="prose"),
        _change_number,
        recoverable="D",
    ),
    does="changes one mention of a version, a port or a count",
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
    does="turns one of two equal statements into its opposite",
    example=(
        "Clients must send a token. A proxy checks that clients must send a token.",
        "Clients must send a token. A proxy checks that clients must not send a token.",
    ),
    recoverable="C",
    severity=3,
    weight=0.05,
)
def contradict(place: Place, draw: Draw) -> Fault | None:
    unit, text, word = place.unit, place.unit.doc.text, place.text.lower()
    before, after = text[max(0, place.start - 40) : place.start], text[place.end : place.end + 40]
    is_modal = word in _MODAL_OPPOSITES
    if word in _TRANSITIVE_OPPOSITES and not re.match(r"\s+(?!\w+ing\b|you\b|us\b|it\b)[\w`]", after):
        return None
    if before[-1:] not in ("", " ", "\n", "(") or not re.match(r"[\s.,;:)]|\Z", after):
        return None
    negation = re.match(r"\s+not\b", after, re.I)
    if is_modal and negation:
        edit = Edit(place.end, place.end + negation.end(), "")
    elif negation or (is_modal and not _can_be_negated(place.text, after)):
        return None
    else:
        others = [other for other in _OPPOSITES[word] if " " not in other or is_modal]
        others = [other for other in others if other not in (before + after).lower() and _article_fits(other, before)]
        if not others:
            return None
        edit = Edit(place.start, place.end, match_case(draw.choice(others), place.text))
    evidence = _statement_evidence(unit, place)
    return Fault((edit,), evidence=evidence) if evidence else Fault((edit,), recoverable="D")


def _can_be_negated(modal: str, after: str) -> bool:
    """Whether a verb that a `not` would negate follows a modal: no question, no "may have"."""
    verb = re.match(r"\s+[a-z]+\b", after)
    return bool(verb) and not _PRONOUN.match(after) and not (modal[0].isupper() and modal != modal.upper())


def _article_fits(other: str, before: str) -> bool:
    """Whether an `a` or `an` at the end of `before` still fits the other word."""
    article = re.search(r"\b(an?)\s+\Z", before, re.I)
    return not article or (other[0] in "aeiou") == (article[1].lower() == "an")


def _statement_evidence(unit: Unit, place: Place) -> tuple[int, int] | None:
    """Another use of the word in the unit, before the same word or among at least two of the same words."""
    text, word = unit.doc.text, place.text.lower()
    words_near, word_after = _surroundings(text, place.start, place.end)
    for start in unit.find_phrase(word):
        end = start + len(word)
        if abs(start - place.start) < 12 or text[end : end + 4].lower() == " not":
            continue
        other_words_near, other_word_after = _surroundings(text, start, end)
        shared = (words_near & other_words_near) - {word}
        if shared and ((word_after and word_after == other_word_after) or len(shared) >= 3):
            return start, end
    return None


def _surroundings(text: str, start: int, end: int) -> tuple[set[str], str]:
    """The longer words near [start, end), and the next word if it is one of them."""
    after = _NEXT_WORD.match(text, end)
    return set(_CONTENT_WORD.findall(text[max(0, start - 50) : end + 50].lower())), after[1] if after else ""


def _repeated_names(unit: Unit) -> Iterator[tuple[int, int, None]]:
    """Inline code that is a name which occurs at least three times in the unit."""
    text = unit.text
    for span in unit.regions_of("code_span"):
        name = unit.doc.text[span.inner_start : span.inner_end]
        if text.count(name) >= 3 and _NAME.fullmatch(name):
            yield span.inner_start, span.inner_end, None


def _other_names(name: str) -> list[str]:
    """Names that a writer may confuse with a name: another style or number, a part missing, or another word for one."""
    parts = [part for part in re.split(r"[_-]|(?<=[a-z0-9])(?=[A-Z])", name) if part]
    others = [
        name.replace(part, match_case(_NAME_PARTS[part.lower()][0], part))
        for part in parts
        if part.lower() in _NAME_PARTS
    ]
    if parts and name.endswith(parts[-1]) and parts[0] != "to" and parts[-1].lower() in _NUMBER_FORMS:
        last = _NUMBER_FORMS[parts[-1].lower()]
        others.append(name[: name.rindex(parts[-1])] + match_case(last, parts[-1]))
    if len(parts) > 1:
        separator = "_" if "_" in name else "-" if "-" in name else ""
        others.append(separator.join(parts[:-1] if len(parts) > 2 or len(parts[0]) > 4 else parts[1:]))
        if name.islower():
            camel_case = parts[0] + "".join(part.title() for part in parts[1:])
            others += [camel_case, name.replace("_", "-") if "_" in name else name.replace("-", "_")]
    if re.match(r"[A-Z][a-z]", name):
        others.append(name[0].lower() + name[1:])
    return [other for other in others if other != name]


def _rename(place: Place, draw: Draw) -> Fault | None:
    """Use another name for inline code that the unit mentions at least twice more."""
    unit, name = place.unit, place.text
    others = [other for other in _other_names(name) if len(other) > 2 and other not in unit.text]
    # For most words the plural is the only other name, and there would be too many of these.
    if not others or len(unit.find_token(name)) < 3 or (len(others) == 1 and draw.chance(0.7)):
        return None
    return replace_name(place, draw.choice(others))


def _change_code(change: Callable[[str, Unit, Draw], str | None]) -> CorruptFunction:
    """A function that changes inline code; class C if the unit has the right code elsewhere, and not the wrong one."""

    def corrupt(place: Place, draw: Draw) -> Fault | None:
        wrong = change(place.text, place.unit, draw)
        if not wrong or wrong == place.text or "`" in wrong or not wrong.strip():
            return None
        is_known = bool(place.unit.find_token(wrong))
        return (
            Fault((Edit(place.start, place.end, wrong),), recoverable="D") if is_known else replace_name(place, wrong)
        )

    return corrupt


_INNER_NAME = re.compile(r"[A-Za-z_]\w{2,}")
_PIECES = re.compile(r"\A--?(?=\w)|(?<=\w)[>)\]]\Z|\A\.?/(?=\w)")


def _misspell_code(code: str, unit: Unit, draw: Draw) -> str | None:
    """`unused_variables` → `unusued_variables`, `WebSocket` → `Websocket`, `crate_type` → `crate-type`."""
    names = [match for match in _INNER_NAME.finditer(code) if len(match[0]) > 4]
    if not names:
        return None
    match = draw.choice(names)
    return code[: match.start()] + misspell_name(match[0], draw) + code[match.end() :]


def _drop_piece(code: str, unit: Unit, draw: Draw) -> str | None:
    """`--dry-run` → `dry-run`, `Vec<T>` → `Vec<T`, `/metrics` → `metrics`."""
    pieces = [match.span() for match in _PIECES.finditer(code) if match.end() - match.start() < len(code)]
    if not pieces:
        return None
    start, end = draw.choice(pieces)
    rest = code[:start] + code[end:]
    return rest if re.match(r"-*\w{3}", rest) else None


def _use_other_code(code: str, unit: Unit, draw: Draw) -> str | None:
    """`max_size` → `max_items`: similar inline code of the unit."""
    others = dict.fromkeys(unit.doc.text[span.inner_start : span.inner_end] for span in unit.regions_of("code_span"))
    similar = [other for other in others if other != code and are_near(other, code)]
    return draw.choice(similar) if similar else None


def _change_name_part(code: str, unit: Unit, draw: Draw) -> str | None:
    """`view_names` → `view`, `max_count` → `max_number`."""
    names = [match for match in _INNER_NAME.finditer(code) if len(match[0]) > 5]
    if not names or "/" in code:
        return None
    match = draw.choice(names)
    wrong = change_part(match[0], draw)
    return code[: match.start()] + wrong + code[match.end() :] if wrong and are_near(wrong, match[0]) else None


def _change_quotes(code: str, unit: Unit, draw: Draw) -> str | None:
    """`gem "x"` → `gem 'x'`, `"true"` → `true`."""
    if code.count('"') == 2:
        return code.replace('"', "'" if draw.chance(0.6) else "")
    if code.count("'") == 2:
        return code.replace("'", '"' if draw.chance(0.6) else "")
    return f'"{code}"' if code in ("true", "false") or code.isdigit() else None


def _code_contents(unit: Unit) -> Iterator[tuple[int, int, None]]:
    """The contents of inline code that stands on one line."""
    for span in unit.regions_of("code_span"):
        if "\n" not in unit.doc.text[span.inner_start : span.inner_end]:
            yield span.inner_start, span.inner_end, None


_CODE = places(_code_contents, needs={"code_span"})

register_degrader(
    "content.identifier_drift",
    Subtype("renamed", 3, places(_repeated_names, needs={"code_span"}), _rename),
    Subtype("misspelt", 3, _CODE, _change_code(_misspell_code)),
    Subtype("piece_lost", 3, _CODE, _change_code(_drop_piece)),
    Subtype("another", 2, _CODE, _change_code(_use_other_code)),
    Subtype("another_part", 3, _CODE, _change_code(_change_name_part)),
    Subtype("quotes", 1, _CODE, _change_code(_change_quotes)),
    does="gives a name in inline code another form, or misspells it",
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
