"""Grammar: punctuation and capital letters."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from itertools import accumulate
from typing import NamedTuple

from degraders.document import BLOCK, Unit
from degraders.draw import Draw
from degraders.edits import Edit
from degraders.lexicon import mapping
from degraders.registry import Fault, Place, degrader, pattern, words
from degraders.rules.context import (
    BASE_OF_ING,
    BASE_OF_THIRD,
    DETERMINERS,
    FORMS,
    FUNCTION,
    NOUNS,
    At,
    Kind,
    Kinds,
    word_set,
)

# Punctuation


class Slip(NamedTuple):
    """A kind of slip: how often it is drawn, where it can happen, what the match may become, and over which mask."""

    share: float
    where: re.Pattern[str]
    becomes: tuple[str, ...]
    over: str = "body"


def _slip(share: float, where: str, *becomes: str, over: str = "body") -> Slip:
    return Slip(share, re.compile(where), becomes, over)


_OPENERS = (
    "However|Therefore|For example|For instance|In addition|Alternatively|Additionally|Finally|Instead|Otherwise"
    "|As such|In this case|In that case|In general|In particular|By default|Generally|Similarly|Also|Fortunately"
    "|Typically|Usually|Currently|Furthermore|Moreover|As a result|On the other hand|In contrast|In other words|First"
    "|Second|Next|Then"
)
_CLAUSES = "If|When|While|Since|Because|After|Before|Once|Unless|Although|To|In|As|For|With"
_SPLICE = ", …"
"""A full stop becomes a comma, and what follows loses its capital."""
_COMPOUND_ENDS = (
    "based|defined|like|only|specific|time|line|in|out|level|side|friendly|safe|known|running|aware|style|related|end"
    "|compatible|quality|purpose|wide|source|party|term|scale|independent|dependent|free|case|sensitive|threaded"
    "|to-date|[a-z]+ed|[a-z]+ing"
)
# A pattern begins with the mark or letter that is rarest, and looks back from there: so a search runs fast.
_PUNCTUATION = (
    _slip(8, rf"(?:{_OPENERS})(,)(?=\s)", ""),
    _slip(
        11,
        rf"(?:{_CLAUSES})\b[^.,;:()\x01]{{8,90}}(,)(?=\s(?:the|you|it|we|this|they|a|an|there)\b)",
        "",
    ),
    _slip(7, r"(,)(?<=[a-z],)(?=\s(?:which|but|so|while|whereas|etc|however|respectively|too)\b)", ""),
    _slip(3, r", (?:e\.g\.|i\.e\.)(,)(?= )", ""),
    _slip(5, r"[a-z]{4}()(?= (?:that|to|because|if|when) [a-z])", ","),
    _slip(2, r" (?:and|or|but|that)()(?= (?:the|you|it|this|then) )", ","),
    _slip(9, r"(\.)(?<=[a-z]{3}\.)(?<!etc\.)(?=\x01|\Z)", ""),
    _slip(4, r"(\.)(?<=[a-z]{3}\.)(?<!etc\.)(?=\s[A-Z][a-z]+\b)", "", "", ",", ".."),
    _slip(4, r"(\.\s(?:It|This|You|They|We|These|There))(?= [a-z])", _SPLICE),
    _slip(3, r"(\.)(?<=[a-z]{3}\.)(?=[\s\x01])", ".."),
    _slip(9, r"(:)(?<=[a-z)]:)(?=\x01)", "", "", "."),
    _slip(2, r"(;)(?<=[a-z];)(?=\s)", ","),
    _slip(10, rf"(-)(?<=[a-z][a-z]-)(?=(?:{_COMPOUND_ENDS})\b(?!-))", " ", " ", "", over="prose"),
    _slip(2, r"ly( )(?<=[a-z]{3}ly )(?=[a-z]{3,}ed\b)", "-"),
    _slip(5, r"(['’])(?<=[A-Za-z].)(?=(?:s|t|re|ve)\b)(?<!\b[Ii]t.)(?<!\b[Ww]e.)", "", over="prose"),
    _slip(2, r"[A-Z](?<!\w.)[A-Z]{1,4}()(?=s\b)", "'"),
    _slip(3, r"[\"“](?<![^\s\x01(].)[^\"“”\x01]{2,30}([\"”])(?!\w)", ""),
    _slip(2, r"([\"“])(?<![^\s\x01(].)[^\"“”\x01]{2,30}[\"”](?!\w)", ""),
    _slip(5, r"\((?<=\s.)[^()\x01]{3,80}(\))", "", "", "))"),
    _slip(4, r"(?<=[a-z])()(?=[,.:?!][\s\x01])", " "),
    _slip(4, r"[,.]( )(?<=[a-z]{3}..)(?=[A-Za-z][a-z])", ""),
)
_PUNCTUATION_SHARES = tuple(accumulate(slip.share for slip in _PUNCTUATION))
_SLIPS_TRIED = 4


@degrader(
    "grammar.punctuation",
    where=pattern(r"[,.:;)](?=[\s\x01])", over="prose"),
    does="a comma, full stop, colon, hyphen, apostrophe, quote or bracket lost, added or swapped; stray spaces",
    example=("If it fails, you can try again.", "If it fails you can try again."),
    recoverable="A",
    severity=1,
    weight=4.5,
)
def punctuation(place: Place, draw: Draw) -> Fault | None:
    unit = place.unit
    for _ in range(_SLIPS_TRIED):
        slip = draw.weighted(_PUNCTUATION, _PUNCTUATION_SHARES)
        mask = unit.doc.prose if slip.over == "prose" else unit.doc.body
        match = slip.where.search(mask, place.start, unit.end) or slip.where.search(mask, unit.start, unit.end)
        if match and _clear(unit, *match.span(1)):
            wrong = draw.choice(slip.becomes)
            if wrong is _SPLICE:
                wrong = "," + match[1][1:].lower()
            return Fault((Edit(match.start(1), match.end(1), wrong),))
    return None


def _clear(unit: Unit, start: int, end: int) -> bool:
    """Whether a mark stands alone: not one of `::`, `...`, `?!`, nor beside markup that it may belong to."""
    text = unit.doc.text
    after = text[end + 1 : end + 2] if end == start else text[end : end + 1]
    return text[start - 1 : start] not in _MARKS and after not in _MARKS


_MARKS = frozenset(":.?!;,*_`|\\")


# Capital letters

_PRODUCTS = {name: wrong for name, wrong in mapping("product_names").items() if name.isalpha()}
_PRODUCTS_LOWER = frozenset(name.lower() for name in _PRODUCTS)
_PLAIN = FUNCTION | FORMS.keys() | BASE_OF_THIRD.keys() | BASE_OF_ING.keys() | NOUNS


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
    sure = at.left in DETERMINERS and at.text(-1).islower() and not _in_heading(at)
    return Fault((Edit(at.start(), at.end(), at.word.capitalize()),)) if sure else None


def _shouted(at: At, draw: Draw) -> Fault | None:
    """`must not` → `must NOT`."""
    return Fault((Edit(at.start(), at.end(), at.word.upper()),)) if at.left and not _in_heading(at) else None


_CAPITALS = Kinds(
    Kind(1, _PRODUCTS, _product),
    Kind(0.4, {word.capitalize() for word in _PLAIN - {"i"}}, _sentence_start),
    Kind(0.25, {word for word in NOUNS - FUNCTION if len(word) >= 4}, _random_capital),
    Kind(0.1, word_set("not must never always only important all required"), _shouted),
    exact=True,
)


def _heading_case(unit: Unit, draw: Draw) -> Fault | None:
    """One word of a heading against the style of the others: a small one in title case, a capital in sentence case."""
    headings = unit.of("heading")
    if not headings:
        return None
    heading, found = draw.choice(headings), unit.words
    first, end = bisect_right(found.starts, heading.inner_start), bisect_left(found.starts, heading.inner_end)
    telling = [i for i in range(first, end) if found.lowers[i] not in FUNCTION]
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


@degrader(
    "grammar.capitalisation",
    where=words(),
    does="a capital lost or added: sentence starts, names (Github), headings, a Noun, a SHOUTED word",
    example=("We use GitHub for it.", "We use Github for it."),
    recoverable="A",
    severity=1,
    weight=2.5,
)
def capitalisation(place: Place, draw: Draw) -> Fault | None:
    in_heading = _heading_case(place.unit, draw) if draw.chance(0.2) else None
    return in_heading or _CAPITALS.next_fault(place, draw)
