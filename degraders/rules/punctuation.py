"""Grammar: punctuation and capital letters."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right

from degraders.draw import Draw
from degraders.edits import Edit
from degraders.lexicon import mapping, phrases, word_set
from degraders.registry import Fault, Place, Subtype, pattern, regions, register_degrader
from degraders.rules.context import Word, rule_subtype
from degraders.rules.vocabulary import (
    BASE_OF_ING,
    BASE_OF_THIRD,
    BASE_VERBS,
    FUNCTION_WORDS,
    NOUNS,
    OBJECT_STARTS,
)
from degraders.text.document import BLOCK, Unit

# Punctuation

_OPENINGS = "|".join(phrases("openings"))
_CLAUSE_OPENINGS = "If|When|While|Since|Because|After|Before|Once|Unless|Although|To|In|As|For|With"
_COMPOUND_ENDS = "|".join((*phrases("compound_ends"), "[a-z]+ed", "[a-z]+ing"))
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


def _mark(name: str, share: float, expression: str, *replacements: str, over: str = "body") -> Subtype:
    """A subtype that replaces the first group of an expression by one of the texts.

    An expression is fast if it begins with its rarest character and looks behind from there.
    """
    return Subtype(name, share, pattern(expression, over=over), _ReplaceMark(replacements))


def _change_quotes(place: Place, draw: Draw) -> Fault | None:
    """`"size"` → `'size'`."""
    other = draw.choice(("''", "``", "“”"))
    return Fault((Edit(place.start, place.start + 1, other[0]), Edit(place.end - 1, place.end, other[1])))


def _drop_quotes(place: Place, draw: Draw) -> Fault | None:
    """`the "size"` → `the size`."""
    match: re.Match[str] = place.data
    if "\n" in match[0]:
        return None
    return Fault((Edit(*match.span(1), ""), Edit(*match.span(3), "")))


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
        "comma_before_word", 7, r"(,)(?<=[a-z],)(?=\s(?:which|but|so|while|whereas|etc|however|respectively|too)\b)", ""
    ),
    _mark("comma_before_last", 10, r"(,)(?<=[\w\x00],)(?=\s(?:and|or)\b)", ""),
    _mark("comma_of_list", 4, r"(,)(?<=[\w\x00],)(?=\s[a-z\x00])", ""),
    _mark("comma_after_eg", 2, r", (?:e\.g\.|i\.e\.)(,)(?= )", ""),
    _mark("comma_added", 6, r"[a-z\x00]{4}()(?= (?:that|to|because|if|when|for|with|by|as|in|from) [a-z\x00])", ","),
    _mark("comma_before_and", 6, r"[a-z\x00]{3}()(?= (?:and|or|but) [a-z\x00])", ","),
    _mark("comma_after_and", 2, r" (?:and|or|but|that|so)()(?= (?:the|you|it|this|then|if|when|in|for) )", ","),
    _mark("stop_at_end", 9, r"(\.)(?<=[a-z]{3}\.)(?<!etc\.)(?=\x01|\Z)", ""),
    _mark("stop_at_link_end", 3, r"(\.)(?<=[\x00)\]\d]\.)(?=\x01|\Z)", ""),
    _mark("stop_inside", 3, r"(\.)(?<=[a-z]{3}\.)(?<!etc\.)(?=\s[A-Z][a-z]+\b)", "", "", ",", ".."),
    _mark("splice", 4, r"(\.\s(?:It|This|You|They|We|These|There))(?= [a-z])", _SPLICE),
    _mark("stop_doubled", 2, r"(\.)(?<=[a-z]{3}\.)(?=[\s\x01])", ".."),
    _mark("stop_added", 1, r"[a-z\x00]{3}()(?=\x01)", "."),
    _mark("stop_of_etc", 1, r"(?:etc|e\.g|i\.e|vs)(\.)(?=[\s,)])", ""),
    _mark("colon_at_end", 9, r"(:)(?<=[a-z)\x00]:)(?=\x01)", "", "", "", "", "."),
    _mark("colon_inside", 2, r"(:)(?<=[a-z)\x00]:)(?= )", "", ",", ";", " -"),
    _mark("semicolon", 2, r"(;)(?<=[a-z];)(?=\s)", ","),
    _mark(
        "comma_too_strong",
        2,
        r"(,)(?<=[\w\x00],)(?= (?:but|so|and|which|this|it|the|you|for|then|there)\b)",
        ";",
        ";",
        " ;",
    ),
    _mark("hyphen_lost", 10, rf"(-)(?<=[a-z][a-z]-)(?=(?:{_COMPOUND_ENDS})\b(?!-))", " ", " ", "", over="prose"),
    _mark("hyphen_added", 2, r"ly( )(?<=[a-z]{3}ly )(?=[a-z]{3,}ed\b)", "-"),
    _mark("dash", 3, r"(—|–)(?<=[ \w].)(?=[ \w])", "-", "--", "—", "–"),
    _mark("dash_spaced", 2, r" (-|--)(?= [a-z])", "--", "-", "—"),
    _mark("apostrophe_lost", 5, r"(['’])(?<=[A-Za-z].)(?=(?:s|t|re|ve)\b)(?<!\b[Ii]t.)(?<!\b[Ww]e.)", "", over="prose"),
    _mark("possessive_lost", 3, r"(['’]s)(?<=[a-z]{3}['’]s)(?<!(?:that|here|what).s)(?= [a-z])", "", over="prose"),
    _mark("apostrophe_added", 2, r"[A-Z](?<!\w.)[A-Z]{1,4}()(?=s\b)", "'"),
    _mark("apostrophe_turned", 4, r"(’)(?<=[A-Za-z]’)(?=[a-z])", "'", over="prose"),
    Subtype("quotes_single", 2, pattern(r"\"([^\"\x01\n]{2,40})\"(?!\w)"), _change_quotes),
    _mark("quote_lost", 3, r"[\"“](?<![^\s\x01(].)[^\"“”\x01]{2,30}([\"”])(?!\w)", ""),
    _mark("quote_lost_first", 2, r"([\"“])(?<![^\s\x01(].)[^\"“”\x01]{2,30}[\"”](?!\w)", ""),
    _mark("bracket_lost", 5, r"\((?<=\s.)[^()\x01]{3,80}(\))", "", "", "))"),
    _mark("bracket_lost_first", 2, r"(\()(?<=\s.)[^()\x01]{3,80}\)", ""),
    _mark("space_added", 2, r"(?<=[a-z])()(?=[,.:?!][\s\x01])", " "),
    _mark("space_lost", 4, r"[,.]( )(?<=[a-z]{3}..)(?=[A-Za-z][a-z])", ""),
    Subtype("quotes_lost", 3, pattern(r"([\"“])([^\"“”\x01]{2,40})([\"”])(?!\w)"), _drop_quotes),
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
_EMPHATIC_WORDS = {"not", "must", "never", "always", "only", "important", "all", "required"}


def _change_product_name(word: Word, draw: Draw) -> Fault | None:
    """`GitHub` → `Github`."""
    return word.write(draw.choice(_PRODUCTS[word.text()]))


def _lower_sentence_start(word: Word, draw: Draw) -> Fault | None:
    """`The server` → `the server`."""
    if word.left or not word.right or word.previous_character not in ".!?" + BLOCK:
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


def _shout(word: Word, draw: Draw) -> Fault | None:
    """`must not` → `must NOT`."""
    return word.write(word.lower.upper()) if word.left and not _is_in_heading(word) else None


def _lower_name(word: Word, draw: Draw) -> Fault | None:
    """`Unicode` → `unicode`, `Markdown` → `markdown`, inside a sentence."""
    certain = word.left and word.text() != word.lower and not _is_in_heading(word)
    return word.write(word.lower) if certain else None


def _capitalise_item_start(word: Word, draw: Draw) -> Fault | None:
    """`* specifying` → `* Specifying`, against the style of the other items."""
    if word.previous_character not in ":" + BLOCK or word.left or not word.text().islower():
        return None
    return word.write(word.lower.capitalize()) if not _is_in_heading(word) else None


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
        wrong, certain = text.capitalize(), all(other.islower() for other in others)
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
    rule_subtype("after_colon", 1, _PLAIN_WORDS - {"i"}, _capitalise_item_start, exact=True),
    rule_subtype("shouted", 1, _EMPHATIC_WORDS, _shout, exact=True),
    Subtype("heading", 4, regions("heading"), _change_heading_case),
    does="drops or adds capitals: sentence starts, names (Github), headings, a Noun, a SHOUTED word",
    example=("We use GitHub for it.", "We use Github for it."),
    recoverable="A",
    severity=1,
    weight=2.5,
)
