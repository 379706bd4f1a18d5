"""Where the wording of a list fits: its entries found in running text and checked against their neighbours."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Mapping
from typing import NamedTuple

from degraders.draw import Draw
from degraders.edits import Edit
from degraders.lexicon import match_case, word_set
from degraders.registry import Place
from degraders.rules.vocabulary import BE_FORMS, DETERMINERS, MODALS, SINGULAR_NOUNS
from degraders.text.document import BLOCK, INLINE, Unit

STOP, COMMA, CODE = ".", ",", "`"
"""Neighbours that are no words: the border of a sentence or block, a pause inside one, and code or markup."""

_OBJECTS = DETERMINERS - {"that"} | {CODE, *"it them us itself multiple several one two new only".split()}
_PRONOUNS = frozenset("you we they it i there this".split())
_AFTER_NOUN = BE_FORMS | MODALS | {STOP, COMMA} | word_set("function_words", "after-term")
_BEFORE = {
    "verb-base": MODALS | {STOP, *"to not don't please then you we they let's".split()},
    "verb-ing": frozenset({STOP, COMMA, *"by for when before after of from without is are be while keep".split()}),
    "noun": DETERMINERS | {CODE},
    "noun-plural": DETERMINERS | {CODE, "of", "with", "several"},
    "adj-pred": BE_FORMS,
    "imperative": {STOP},
}
"""What stands before a word of a tag, of those for which that can be listed."""
_BEFORE_ED = _PRONOUNS | {"has", "have", "had"}
_BEFORE_ADJECTIVE = BE_FORMS | {"the", "a", "an", "as"}
_AFTER_ADJECTIVE = frozenset({STOP, COMMA, *"to for when if because in and".split()})
_AFTER_CONJUNCTION = _PRONOUNS | DETERMINERS | {CODE}
_AFTER_PREPOSITION = DETERMINERS | {CODE}
_NOT_BEFORE_CONJUNCTION = frozenset("as only even see check know".split())
_NOT_BEFORE_DETERMINER = DETERMINERS | {"as", "so", "too", "how"}
_NOT_AFTER_DETERMINER = BE_FORMS | MODALS | {"of", "other", STOP, COMMA}

_RIGHT = re.compile(r"\s+(?:([\w'’-]+)|\x00)|([.!?:]|\s*(?:\x01|\Z))|[,;)]|\s+\(")
_ARTICLE = re.compile(r"(?<![\w\x00-])([Aa]n?)(\s+)\Z")
_VOWEL = re.compile(r"(?!uni(?!n|m)|us[aeu]|uti|eu|one\b|once)[aeiou]|hour|honest")
_VOWEL_LETTER = re.compile(r"[FLMNRSX](?:[A-Z]|s?\b)")


class Found(NamedTuple):
    """An entry of a list where it stands, between its left and right neighbours."""

    start: int
    end: int
    good: str
    bad: tuple[str, ...]
    tag: str
    left: str
    right: str


def left_of(mask: str, at: int) -> str:
    """The word before an offset, in lower case, or STOP, COMMA or CODE; empty where something adheres to it."""
    window = mask[max(0, at - 40) : at]
    if window.endswith(INLINE) and window.rstrip(INLINE).endswith("\n"):
        window = window.rstrip(INLINE)
    said = window.rstrip()
    if not said or said[-1] == BLOCK:
        return STOP
    if window[-1] == "(":
        return COMMA
    last = said[-1]
    if len(said) == len(window):
        return ""
    if last.isalnum() or last in "_'’-":
        return said.split()[-1].lstrip("\x00\x01(\"'").lower().replace("’", "'")
    return STOP if last in ".!?:" else COMMA if last in ",;(–—" else CODE if last == INLINE else ""


def right_of(mask: str, at: int) -> str:
    """The word after an offset, in lower case, or STOP, COMMA or CODE; empty where something adheres to it."""
    match = _RIGHT.match(mask, at, at + 40)
    if not match:
        return ""
    word, stop = match.groups()
    if word:
        return word.lower().replace("’", "'")
    return STOP if stop is not None else CODE if match[0][-1] == INLINE else COMMA


class wordings:
    """Entries of mapping lists in the prose, as Found, whose first word the unit says at least `times` times."""

    needs = frozenset({"prose"})

    def __init__(
        self, entries: Mapping[str, tuple[str, ...]], tags: Mapping[str, str] | None = None, *, times: int = 1
    ) -> None:
        self._times = times
        self._by_first: dict[str, list[tuple[str, str, tuple[str, ...], str]]] = {}
        for good in sorted(entries, key=len, reverse=True):
            phrase = good.lower().replace("-", " ")
            entry = phrase, good, entries[good], tags.get(good, "") if tags else ""
            self._by_first.setdefault(phrase.partition(" ")[0], []).append(entry)

    def pick(self, unit: Unit, draw: Draw) -> Place | None:
        lowers = unit.words.lowers
        begin = draw.below(len(lowers))
        if self in unit.place_cache:
            return None
        wanted: Collection[str] = self._by_first
        if self._times > 1:
            wanted = {word for word, times in Counter(lowers).items() if times >= self._times and word in wanted}
        for index in unit.words.indices_in(wanted, begin) if wanted else ():
            found = self._fitting(unit, index)
            if found:
                return Place(unit, found.start, found.end, unit.doc.text[found.start : found.end], found)
        unit.place_cache[self] = []  # there is none: no later variant need search again
        return None

    def _fitting(self, unit: Unit, index: int) -> Found | None:
        """The longest entry that fits where a word stands."""
        mask, (starts, texts, lowers, joined) = unit.doc.prose, unit.words
        start = starts[index]
        left = lowers[index - 1] if index and joined[index - 1] else left_of(mask, start)
        if not left:
            return None
        is_name = texts[index][0].isupper() and left != STOP
        for phrase, good, bad, tag in self._by_first[lowers[index]]:
            if left not in _BEFORE.get(tag, (left,)) or good[0].isupper() < is_name:
                continue
            end = start + len(phrase)
            right = right_of(mask, end) if mask[start:end].lower().replace("-", " ") == phrase else ""
            if right and fits(tag, good, left, right):
                return Found(start, end, good, bad, tag, left, right)
        return None


def fits(tag: str, good: str, left: str, right: str) -> bool:
    """Whether an entry of that tag may stand between these neighbours."""
    if left not in _BEFORE.get(tag, (left,)):
        return False
    match tag:
        case "verb-base" | "verb-ing":
            return right in _OBJECTS or " " in good
        case "verb-s":
            return (left in ("this", "that") or left not in DETERMINERS) and (right in _OBJECTS or " " in good)
        case "verb-ed":
            return left in BE_FORMS or (left in _BEFORE_ED and right in _OBJECTS)
        case "noun" | "noun-plural":
            return right in _AFTER_NOUN
        case "adj":
            return left in _BEFORE_ADJECTIVE or (left in DETERMINERS and right not in _AFTER_NOUN)
        case "adj-pred":
            return right in _AFTER_ADJECTIVE
        case "adv":
            return left not in DETERMINERS and right not in ("of", "to", "than")
        case "prep":
            if good in ("before", "after"):
                return right.endswith("ing")
            return left != STOP and left not in BE_FORMS and right in _AFTER_PREPOSITION
        case "conj":
            return right in _AFTER_CONJUNCTION and left not in _NOT_BEFORE_CONJUNCTION
        case "inf":
            return right not in DETERMINERS
        case "modal-s":
            return left in (CODE, "it") or left in SINGULAR_NOUNS
        case "modal":
            return left not in (STOP, "but", "and", "that") and right not in (STOP, COMMA, "not", "you", "we")
        case "det":
            return left not in _NOT_BEFORE_DETERMINER and right not in _NOT_AFTER_DETERMINER
        case _:
            return True


def replaced(place: Place, start: int, end: int, bad: str) -> Edit | None:
    """The edit that puts a wording into the text: in the case of what stood there, with the article that it needs."""
    unit = place.unit
    good = unit.doc.text[start:end]
    if "\n" in good or (good.isupper() and len(good) > 1 and bad[0].islower()):
        return None
    new = match_case(bad, good)
    article = _ARTICLE.search(unit.doc.prose, max(unit.start, start - 4), start)
    if not article:
        return Edit(start, end, new)
    wanted = article[1][0] + ("n" if sounds_like_vowel(bad) else "")
    if wanted == article[1]:
        return Edit(start, end, new)
    return Edit(start - len(article[0]), end, wanted + article[2] + new)


def sounds_like_vowel(word: str) -> bool:
    """Whether a word takes `an`."""
    return bool(_VOWEL.match(word.lower()) or _VOWEL_LETTER.match(word))


def occurs_elsewhere(unit: Unit, phrase: str, start: int, end: int) -> tuple[int, int] | None:
    """The occurrence of a wording that stands nearest before [start, end), else after it."""
    phrase = " ".join(phrase.lower().split())
    found = unit.find_phrase(phrase)
    before = [at for at in found if at + len(phrase) < start]
    after = [at for at in found if at > end]
    at = before[-1] if before else after[0] if after else None
    return None if at is None else (at, at + len(phrase))
