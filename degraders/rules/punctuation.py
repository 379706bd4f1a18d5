"""Grammar: punctuation and capital letters."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right

from degraders.draw import Draw
from degraders.edits import Edit
from degraders.lexicon import mapping, phrases, word_set
from degraders.registry import Fault, Place, Subtype, pattern, regions, register_degrader
from degraders.rules.context import At, rule_subtype
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


class _Slip:
    """What the first group of a match may become; `_SPLICE` makes of a full stop a comma, and of a capital none."""

    def __init__(self, becomes: tuple[str, ...]) -> None:
        self.becomes = becomes

    def __call__(self, place: Place, draw: Draw) -> Fault | None:
        match: re.Match[str] = place.data
        start, end = match.span(1)
        if not _clear(place.unit, start, end):
            return None
        wrong = draw.choice(self.becomes)
        if wrong is _SPLICE:
            wrong = "," + match[1][1:].lower()
        return Fault((Edit(start, end, wrong),))


def _slip(name: str, share: float, where: str, *becomes: str, over: str = "body") -> Subtype:
    """A way of spoiling a mark: what a pattern's first group may become."""
    return Subtype(name, share, pattern(where, over=over), _Slip(becomes))


_OPENERS = "|".join(phrases("openings"))
_CLAUSES = "If|When|While|Since|Because|After|Before|Once|Unless|Although|To|In|As|For|With"
_SPLICE = ", …"
"""A full stop becomes a comma, and what follows loses its capital."""
_COMPOUND_ENDS = "|".join((*phrases("compound_ends"), "[a-z]+ed", "[a-z]+ing"))


# A pattern begins with the mark or letter that is rarest, and looks back from there: so a search runs fast.
def _clear(unit: Unit, start: int, end: int) -> bool:
    """Whether a mark stands alone: not one of `::`, `...`, `?!`, nor beside markup that it may belong to."""
    text = unit.doc.text
    after = text[end + 1 : end + 2] if end == start else text[end : end + 1]
    return text[start - 1 : start] not in _MARKS and after not in _MARKS


_MARKS = frozenset(":.?!;,*_`|\\")


def _quotes_single(place: Place, draw: Draw) -> Fault | None:
    """`"size"` → `'size'`."""
    other = draw.choice(("''", "``", "“”"))
    return Fault((Edit(place.start, place.start + 1, other[0]), Edit(place.end - 1, place.end, other[1])))


def _quotes_lost(place: Place, draw: Draw) -> Fault | None:
    """`the "size"` → `the size`."""
    match: re.Match[str] = place.data
    if "\n" in match[0]:
        return None
    return Fault((Edit(*match.span(1), ""), Edit(*match.span(3), "")))


register_degrader(
    "grammar.punctuation",
    _slip("comma_after_opener", 8, rf"(?:{_OPENERS})(,)(?=\s)", ""),
    _slip(
        "comma_after_clause",
        8,
        rf"(?:{_CLAUSES})\b[^.,;:()\x01]{{8,90}}(,)(?=\s(?:the|you|it|we|this|they|a|an|there)\b)",
        "",
    ),
    _slip(
        "comma_before_word", 7, r"(,)(?<=[a-z],)(?=\s(?:which|but|so|while|whereas|etc|however|respectively|too)\b)", ""
    ),
    _slip("comma_before_last", 10, r"(,)(?<=[\w\x00],)(?=\s(?:and|or)\b)", ""),
    _slip("comma_of_list", 4, r"(,)(?<=[\w\x00],)(?=\s[a-z\x00])", ""),
    _slip("comma_after_eg", 2, r", (?:e\.g\.|i\.e\.)(,)(?= )", ""),
    _slip("comma_added", 6, r"[a-z\x00]{4}()(?= (?:that|to|because|if|when|for|with|by|as|in|from) [a-z\x00])", ","),
    _slip("comma_before_and", 6, r"[a-z\x00]{3}()(?= (?:and|or|but) [a-z\x00])", ","),
    _slip("comma_after_and", 2, r" (?:and|or|but|that|so)()(?= (?:the|you|it|this|then|if|when|in|for) )", ","),
    _slip("stop_at_end", 9, r"(\.)(?<=[a-z]{3}\.)(?<!etc\.)(?=\x01|\Z)", ""),
    _slip("stop_at_link_end", 3, r"(\.)(?<=[\x00)\]\d]\.)(?=\x01|\Z)", ""),
    _slip("stop_inside", 3, r"(\.)(?<=[a-z]{3}\.)(?<!etc\.)(?=\s[A-Z][a-z]+\b)", "", "", ",", ".."),
    _slip("splice", 4, r"(\.\s(?:It|This|You|They|We|These|There))(?= [a-z])", _SPLICE),
    _slip("stop_doubled", 2, r"(\.)(?<=[a-z]{3}\.)(?=[\s\x01])", ".."),
    _slip("stop_added", 1, r"[a-z\x00]{3}()(?=\x01)", "."),
    _slip("stop_of_etc", 1, r"(?:etc|e\.g|i\.e|vs)(\.)(?=[\s,)])", ""),
    _slip("colon_at_end", 9, r"(:)(?<=[a-z)\x00]:)(?=\x01)", "", "", "", "", "."),
    _slip("colon_inside", 2, r"(:)(?<=[a-z)\x00]:)(?= )", "", ",", ";", " -"),
    _slip("semicolon", 2, r"(;)(?<=[a-z];)(?=\s)", ","),
    _slip(
        "comma_too_strong",
        2,
        r"(,)(?<=[\w\x00],)(?= (?:but|so|and|which|this|it|the|you|for|then|there)\b)",
        ";",
        ";",
        " ;",
    ),
    _slip("hyphen_lost", 10, rf"(-)(?<=[a-z][a-z]-)(?=(?:{_COMPOUND_ENDS})\b(?!-))", " ", " ", "", over="prose"),
    _slip("hyphen_added", 2, r"ly( )(?<=[a-z]{3}ly )(?=[a-z]{3,}ed\b)", "-"),
    _slip("dash", 3, r"(—|–)(?<=[ \w].)(?=[ \w])", "-", "--", "—", "–"),
    _slip("dash_spaced", 2, r" (-|--)(?= [a-z])", "--", "-", "—"),
    _slip("apostrophe_lost", 5, r"(['’])(?<=[A-Za-z].)(?=(?:s|t|re|ve)\b)(?<!\b[Ii]t.)(?<!\b[Ww]e.)", "", over="prose"),
    _slip("possessive_lost", 3, r"(['’]s)(?<=[a-z]{3}['’]s)(?<!(?:that|here|what).s)(?= [a-z])", "", over="prose"),
    _slip("apostrophe_added", 2, r"[A-Z](?<!\w.)[A-Z]{1,4}()(?=s\b)", "'"),
    _slip("apostrophe_turned", 4, r"(’)(?<=[A-Za-z]’)(?=[a-z])", "'", over="prose"),
    Subtype("quotes_single", 2, pattern(r"\"([^\"\x01\n]{2,40})\"(?!\w)"), _quotes_single),
    _slip("quote_lost", 3, r"[\"“](?<![^\s\x01(].)[^\"“”\x01]{2,30}([\"”])(?!\w)", ""),
    _slip("quote_lost_first", 2, r"([\"“])(?<![^\s\x01(].)[^\"“”\x01]{2,30}[\"”](?!\w)", ""),
    _slip("bracket_lost", 5, r"\((?<=\s.)[^()\x01]{3,80}(\))", "", "", "))"),
    _slip("bracket_lost_first", 2, r"(\()(?<=\s.)[^()\x01]{3,80}\)", ""),
    _slip("space_added", 2, r"(?<=[a-z])()(?=[,.:?!][\s\x01])", " "),
    _slip("space_lost", 4, r"[,.]( )(?<=[a-z]{3}..)(?=[A-Za-z][a-z])", ""),
    Subtype("quotes_lost", 3, pattern(r"([\"“])([^\"“”\x01]{2,40})([\"”])(?!\w)"), _quotes_lost),
    does="a comma, full stop, colon, hyphen, apostrophe, quote or bracket lost, added or swapped; stray spaces",
    example=("If it fails, you can try again.", "If it fails you can try again."),
    recoverable="A",
    severity=1,
    weight=4.5,
)


# Capital letters

_PRODUCTS = {name: wrong for name, wrong in mapping("product_names").items() if name.isalpha()}
_PRODUCTS_LOWER = frozenset(name.lower() for name in _PRODUCTS)
_PLAIN = FUNCTION_WORDS | BASE_VERBS | BASE_OF_THIRD.keys() | BASE_OF_ING.keys() | NOUNS


def _product(at: At, draw: Draw) -> Fault | None:
    """`GitHub` → `Github`."""
    return Fault((Edit(at.start(), at.end(), draw.choice(_PRODUCTS[at.text()])),))


def _sentence_start(at: At, draw: Draw) -> Fault | None:
    """`The server` → `the server`."""
    if at.left or not at.right or at.precedes not in ".!?" + BLOCK or _abbreviation_before(at) or _in_heading(at):
        return None
    return Fault((Edit(at.start(), at.end(), at.word),))


def _abbreviation_before(at: At) -> bool:
    before = at.unit.doc.prose[max(0, at.start() - 8) : at.start()].rstrip()
    return before.endswith(("e.g.", "i.e.", "etc.", "vs.", "cf."))


def _in_heading(at: At) -> bool:
    return at.unit.doc.body[at.start()] == BLOCK


def _random_capital(at: At, draw: Draw) -> Fault | None:
    """`the server` → `the Server`."""
    sure = at.left in OBJECT_STARTS and at.text(-1).islower() and not _in_heading(at)
    return Fault((Edit(at.start(), at.end(), at.word.capitalize()),)) if sure else None


def _shouted(at: At, draw: Draw) -> Fault | None:
    """`must not` → `must NOT`."""
    return Fault((Edit(at.start(), at.end(), at.word.upper()),)) if at.left and not _in_heading(at) else None


_CAPITALISED = word_set("uncapitalised_names") | {name.lower() for name in mapping("product_names") if name.istitle()}


def _name_lowered(at: At, draw: Draw) -> Fault | None:
    """`Unicode` → `unicode`, `Markdown` → `markdown`, inside a sentence."""
    sure = at.left and at.text() != at.word and not _in_heading(at)
    return Fault((Edit(at.start(), at.end(), at.word),)) if sure else None


def _item_start(at: At, draw: Draw) -> Fault | None:
    """`* specifying` → `* Specifying`, against the style of the other items."""
    sure = at.precedes in ":" + BLOCK and not at.left and at.text().islower() and not _in_heading(at)
    return Fault((Edit(at.start(), at.end(), at.word.capitalize()),)) if sure else None


def _heading_case(place: Place, draw: Draw) -> Fault | None:
    """One word of a heading against the style of the others: a small one in title case, a capital in sentence case."""
    heading, found = place.data, place.unit.words
    first, end = bisect_right(found.starts, heading.inner_start), bisect_left(found.starts, heading.inner_end)
    telling = [i for i in range(first, end) if found.lowers[i] not in FUNCTION_WORDS]
    plain = [i for i in telling if found.lowers[i] in _PLAIN and found.lowers[i] not in _PRODUCTS_LOWER]
    if not plain:
        return None
    chosen = draw.choice(plain)
    start, text, others = found.starts[chosen], found.texts[chosen], [found.texts[i] for i in telling if i != chosen]
    if text.islower():
        wrong, sure = text.capitalize(), all(other.islower() for other in others)
    else:
        wrong, sure = text.lower(), text.istitle() and others != [] and all(other[0].isupper() for other in others)
    return Fault((Edit(start, start + len(text), wrong),)) if sure else None


register_degrader(
    "grammar.capitalisation",
    rule_subtype("name", 5, _PRODUCTS, _product, exact=True),
    rule_subtype("sentence_start", 3, {word.capitalize() for word in _PLAIN - {"i"}}, _sentence_start, exact=True),
    rule_subtype("name_lower", 4, _CAPITALISED, _name_lowered, class_="B"),
    rule_subtype(
        "noun_raised", 3, {word for word in NOUNS - FUNCTION_WORDS if len(word) >= 4}, _random_capital, exact=True
    ),
    rule_subtype("after_colon", 1, _PLAIN - {"i"}, _item_start, exact=True),
    rule_subtype(
        "shouted", 1, {"not", "must", "never", "always", "only", "important", "all", "required"}, _shouted, exact=True
    ),
    Subtype("heading", 4, regions("heading"), _heading_case),
    does="a capital lost or added: sentence starts, names (Github), headings, a Noun, a SHOUTED word",
    example=("We use GitHub for it.", "We use Github for it."),
    recoverable="A",
    severity=1,
    weight=2.5,
)
