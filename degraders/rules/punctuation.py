"""Grammar: punctuation and capital letters."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right

from degraders.draw import Draw
from degraders.edits import Edit
from degraders.lexicon import mapping, phrases, word_set
from degraders.registry import Fault, Place, Subtype, pattern, regions, register_degrader
from degraders.rules.context import Word, rule_subtype
from degraders.rules.layout import direct_items, is_inside
from degraders.rules.vocabulary import (
    BASE_OF_ING,
    BASE_OF_THIRD,
    BASE_VERBS,
    FUNCTION_WORDS,
    NOUNS,
    OBJECT_STARTS,
)
from degraders.text.document import BLOCK, Region, Unit

# Punctuation

_OPENINGS = "|".join(phrases("openings"))
_CLAUSE_OPENINGS = "If|When|While|Since|Because|After|Before|Once|Unless|Although|To|As"
_COMPOUND_ENDS = "|".join((*phrases("compound_ends"), "[a-z]+ed", "[a-z]+ing"))
_NOT_OFTEN_OPEN = "".join(
    rf"(?<!\b{word}-)"
    for word in "open command real third high low top back front full long short case end error".split()
)
"""No compound that many writers leave open, as in `open source` and `command line`."""
_SUBJECT = r"(?:(?<=\. )|(?<=\x01)|\A)(?:The|This|An?|Each|Your) [a-z\x00]+"
"""A short subject at the start of a sentence."""
_REST_OF_LIST = r"(?:[\w\x00-]+(?:\s[\w\x00-]+){0,2},|[\w\x00-]+)\s(?:and|or)\s[\w\x00]"
"""What follows the first comma of a list: `b, and c` or `b and c`."""
_NEW_SUBJECT = "(?:it|you|we|they|this|there|the|a)"
_SPLICE = ", …"
"""In place of a replacement: the full stop becomes a comma, and the next word loses its capital."""
_MARKS = frozenset(":.?!;,*_`|\\")


class _ReplaceMark:
    """Replaces the first group of a match by one of several texts."""

    def __init__(self, replacements: tuple[str, ...]) -> None:
        self.replacements = replacements

    def __call__(self, place: Place, draw: Draw) -> Fault | None:
        match: re.Match[str] = place.data
        start, end = match.span(1)
        if not _stands_alone(place.unit, start, end):
            return None
        wrong = draw.choice(self.replacements)
        if wrong is _SPLICE:
            wrong = "," + match[1][1:].lower()
        return Fault((Edit(start, end, wrong),))


def _stands_alone(unit: Unit, start: int, end: int) -> bool:
    """Whether no other mark is beside this one: it is not part of `::`, `...` or `?!`, nor of markup."""
    text = unit.doc.text
    after = text[end + 1 : end + 2] if end == start else text[end : end + 1]
    return text[start - 1 : start] not in _MARKS and after not in _MARKS


def _mark(
    name: str,
    share: float,
    expression: str,
    *replacements: str,
    over: str = "body",
    recoverable: str | None = None,
) -> Subtype:
    """A subtype that replaces the first group of an expression by one of the texts.

    An expression is fast if it begins with its rarest character and looks behind from there.
    """
    return Subtype(name, share, pattern(expression, over=over), _ReplaceMark(replacements), recoverable)


_drop_mark = _ReplaceMark(("",))
_SERIAL_COMMA = r"(,)(?<=[\w\x00],)(?=\s(?:and|or)\s[\w\x00-]+(?:\s[\w\x00-]+)?[.,;:)\x01])"
_REACH = 4000
"""The number of characters on either side of a comma that are searched for other lists."""
_SERIAL_COMMAS = re.compile(rf",\s[\w\x00 -]{{2,40}}{_SERIAL_COMMA}")


def _drop_serial_comma(place: Place, draw: Draw) -> Fault | None:
    """`red, green, and blue` → `red, green and blue`, where another list nearby has the comma."""
    unit, start = place.unit, place.start
    near = max(unit.start, start - _REACH), min(unit.end, start + _REACH)
    others = [match.start(1) for match in _SERIAL_COMMAS.finditer(unit.doc.body, *near)]
    return _drop_mark(place, draw) if start in others and len(others) > 1 else None


def _drop_last_stop(place: Place, draw: Draw) -> Fault | None:
    """Remove the full stop that ends a paragraph; list items and cells often have none."""
    in_part = is_inside(place.start, place.unit.regions_of("item", "cell", "heading"))
    return None if in_part else _drop_mark(place, draw)


register_degrader(
    "grammar.punctuation",
    _mark("comma_after_opener", 8, rf"(?:{_OPENINGS})(,)(?=\s)", ""),
    _mark(
        "comma_after_clause",
        8,
        rf"(?:{_CLAUSE_OPENINGS})\b[^.,;:()\x01]{{8,90}}(,)(?=\s(?:the|you|it|we|this|they|a|an|there)\b)",
        "",
    ),
    _mark(
        "comma_before_word", 7, rf"(,)(?<=[a-z],)(?=\s(?:which|(?:but|so) {_NEW_SUBJECT}|whereas|etc|however)\b)", ""
    ),
    _mark("comma_before_clause", 6, r"(,)(?<=[\w\x00],)(?=\s(?:and|or) (?:it|you|we|they|this|there|these) )", ""),
    Subtype("comma_before_last", 6, pattern(_SERIAL_COMMA), _drop_serial_comma, "B"),
    _mark("comma_of_list", 6, rf"(,)(?<=[\w\x00],)(?=\s{_REST_OF_LIST})", ""),
    _mark("comma_after_subject", 4, rf"{_SUBJECT}()(?= (?:is|are|was|were|has|have|can|will|must|should|does) )", ","),
    _mark("comma_before_that", 4, r"[a-z]{4}()(?<!\bso)(?= that (?:the|you|it|this|we|they|a|an) )", ","),
    _mark("comma_before_and", 4, r"\b(?:both|between|either|neither)\s[\w\x00-]+()(?=\s(?:and|or|nor)\s)", ","),
    _mark("comma_after_and", 2, r"[a-z\x00] (?:and|or|but)()(?= (?:the|you|it|this|we|they) )", ","),
    Subtype("stop_at_end", 9, pattern(r"(\.)(?<=[a-z]{3}\.)(?<!etc\.)(?=\x01|\Z)"), _drop_last_stop),
    Subtype("stop_at_link_end", 3, pattern(r"(\.)(?<=[\x00)\]\d]\.)(?=\x01|\Z)"), _drop_last_stop),
    _mark("stop_inside", 3, r"(\.)(?<=[a-z]{3}\.)(?<!etc\.)(?=\s[A-Z][a-z]+\b)", "", "", ",", ".."),
    _mark("splice", 4, r"(\.\s(?:It|This|You|They|We|These|There))(?= [a-z])", _SPLICE, recoverable="B"),
    _mark("stop_doubled", 2, r"(\.)(?<=[a-z]{3}\.)(?=[\s\x01])", ".."),
    _mark("stop_of_etc", 1, r"(?:etc|e\.g|i\.e|vs)(\.)(?=[\s,)])", ""),
    _mark("colon_at_end", 9, r"(:)(?<=[a-z)\x00]:)(?=\x01)", ""),
    _mark("colon_inside", 2, r"(:)(?<=[a-z)\x00]:)(?= )", "", ",", ";", recoverable="B"),
    _mark("semicolon", 2, r"(;)(?<=[a-z];)(?=\s)", ",", recoverable="B"),
    _mark(
        "comma_too_strong",
        2,
        r"(,)(?<=[\w\x00],)(?= (?:but|so|and|which|this|it|the|you|for|then|there)\b)",
        ";",
        ";",
        " ;",
    ),
    _mark(
        "hyphen_lost",
        10,
        rf"(-)(?<=[a-z][a-z]-){_NOT_OFTEN_OPEN}(?=(?:{_COMPOUND_ENDS})\b(?!-))",
        " ",
        " ",
        "",
        over="prose",
    ),
    _mark("hyphen_added", 2, r"ly( )(?<=[a-z]{3}ly )(?=[a-z]{3,}ed\b)", "-"),
    _mark("apostrophe_lost", 5, r"(['’])(?<=[A-Za-z].)(?=(?:s|t|re|ve)\b)(?<!\b[Ii]t.)(?<!\b[Ww]e.)", "", over="prose"),
    _mark("apostrophe_added", 2, r"[A-Z](?<!\w.)[A-Z]{1,4}()(?=s\b)", "'"),
    _mark("quote_lost", 3, r"[\"“](?<![^\s\x01(].)[^\"“”\x01]{2,30}([\"”])(?!\w)", ""),
    _mark("quote_lost_first", 2, r"([\"“])(?<![^\s\x01(].)[^\"“”\x01]{2,30}[\"”](?!\w)", ""),
    _mark("bracket_lost", 5, r"\((?<=\s.)[^()\x01]{3,80}(\))", "", "", "))"),
    _mark("bracket_lost_first", 2, r"(\()(?<=\s.)[^()\x01]{3,80}\)", ""),
    _mark("space_added", 2, r"(?<=[a-z])()(?=[,.:?!][\s\x01])", " "),
    _mark("space_lost", 4, r"[,.]( )(?<=[a-z]{3}..)(?=[A-Za-z][a-z])", ""),
    does="drops, adds or swaps a comma, full stop, colon, hyphen, apostrophe, quote, bracket or space",
    example=("If it fails, you can try again.", "If it fails you can try again."),
    recoverable="A",
    severity=1,
    weight=4.5,
)


# Capital letters

_PRODUCTS = {name: wrong for name, wrong in mapping("product_names").items() if name.isalpha()}
_LOWER_PRODUCTS = frozenset(name.lower() for name in _PRODUCTS)
_CAPITALISED_NAMES = word_set("uncapitalised_names") | {
    name.lower() for name in mapping("product_names") if name.istitle()
}
_PLAIN_WORDS = FUNCTION_WORDS | BASE_VERBS | BASE_OF_THIRD.keys() | BASE_OF_ING.keys() | NOUNS
"""Words that are not names."""
_LONG_NOUNS = {noun for noun in NOUNS - FUNCTION_WORDS if len(noun) >= 4}


def _change_product_name(word: Word, draw: Draw) -> Fault | None:
    """`GitHub` → `Github`."""
    return word.write(draw.choice(_PRODUCTS[word.text()]))


def _lower_sentence_start(word: Word, draw: Draw) -> Fault | None:
    """`The server` → `the server`."""
    if word.left or not word.right or word.previous_character not in ".!?" + BLOCK:
        return None
    if _item_that_begins_with(word) and not (_initials_of_other_items(word) or "").isupper():
        return None
    return None if _follows_abbreviation(word) or _is_in_heading(word) else word.write(word.lower)


def _follows_abbreviation(word: Word) -> bool:
    before = word.unit.doc.prose[max(0, word.start() - 8) : word.start()].rstrip()
    return before.endswith(("e.g.", "i.e.", "etc.", "vs.", "cf."))


def _is_in_heading(word: Word) -> bool:
    return word.unit.doc.body[word.start()] == BLOCK


def _capitalise_noun(word: Word, draw: Draw) -> Fault | None:
    """`the server` → `the Server`."""
    certain = word.left in OBJECT_STARTS and word.text(-1).islower() and not _is_in_heading(word)
    return word.write(word.lower.capitalize()) if certain else None


def _lower_name(word: Word, draw: Draw) -> Fault | None:
    """`Unicode` → `unicode`, `Markdown` → `markdown`, inside a sentence."""
    certain = word.left and word.text() != word.lower and not _is_in_heading(word)
    return word.write(word.lower) if certain else None


def _capitalise_item_start(word: Word, draw: Draw) -> Fault | None:
    """`* specifying` → `* Specifying`, where all other items of the list begin with small letters."""
    if word.left or not word.text().islower():
        return None
    return word.write(word.lower.capitalize()) if (_initials_of_other_items(word) or "").islower() else None


def _item_that_begins_with(word: Word) -> Region | None:
    items = word.unit.regions_of("item")
    at = bisect_left(items, word.start(), key=lambda item: item.inner_start)
    return items[at] if at < len(items) and items[at].inner_start == word.start() else None


def _initials_of_other_items(word: Word) -> str | None:
    """The first letters of the other items, if the word begins an item of a list of three or more."""
    unit = word.unit
    item = _item_that_begins_with(word)
    if not item:
        return None
    lists = [outer for outer in unit.regions_of("list") if outer.start <= item.start and item.end <= outer.end]
    others = [other for other in direct_items(unit, lists[-1]) if other != item] if lists else []
    return "".join(unit.doc.text[other.inner_start] for other in others) if len(others) > 1 else None


def _change_heading_case(place: Place, draw: Draw) -> Fault | None:
    """Change the first letter of one word of a heading, so that the word differs in case from all the others."""
    heading, unit_words = place.data, place.unit.words
    starts, texts, lowers = unit_words.starts, unit_words.texts, unit_words.lowers
    first, end = bisect_right(starts, heading.inner_start), bisect_left(starts, heading.inner_end)
    content = [i for i in range(first, end) if lowers[i] not in FUNCTION_WORDS]
    candidates = [i for i in content if lowers[i] in _PLAIN_WORDS and lowers[i] not in _LOWER_PRODUCTS]
    if not candidates:
        return None
    index = draw.choice(candidates)
    start, text, others = starts[index], texts[index], [texts[i] for i in content if i != index]
    if text.islower():
        wrong, certain = text.capitalize(), others != [] and all(other.islower() for other in others)
    else:
        wrong, certain = text.lower(), text.istitle() and others != [] and all(other[0].isupper() for other in others)
    return Fault((Edit(start, start + len(text), wrong),)) if certain else None


_CAPITALISED_PLAIN_WORDS = {word.capitalize() for word in _PLAIN_WORDS - {"i"}}

register_degrader(
    "grammar.capitalisation",
    rule_subtype("name", 5, _PRODUCTS, _change_product_name, exact=True),
    rule_subtype("sentence_start", 3, _CAPITALISED_PLAIN_WORDS, _lower_sentence_start, exact=True),
    rule_subtype("name_lower", 4, _CAPITALISED_NAMES, _lower_name, recoverable="B"),
    rule_subtype("noun_raised", 3, _LONG_NOUNS, _capitalise_noun, exact=True),
    rule_subtype("item_start", 2, _PLAIN_WORDS - {"i"}, _capitalise_item_start, exact=True),
    Subtype("heading", 4, regions("heading"), _change_heading_case),
    does="drops or adds capitals: sentence starts, names (Github), headings, a Noun",
    example=("We use GitHub for it.", "We use Github for it."),
    recoverable="A",
    severity=1,
    weight=2.5,
)
