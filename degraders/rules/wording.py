"""Finding the entries of word lists in running text, where their neighbours show that they fit."""

from __future__ import annotations

import re
from bisect import bisect_left
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
"""Neighbours that are not words: the border of a sentence or block, a pause inside a sentence, and code or markup."""

_OBJECT_STARTS = DETERMINERS - {"that"} | {CODE, *"it them us itself multiple several one two new only".split()}
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
"""The allowed left neighbours by tag, for the tags that have a list of them."""
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


class WordingMatch(NamedTuple):
    """An entry of a list, matched at [start, end) of the document; `left` and `right` are its neighbours."""

    start: int
    end: int
    good: str
    bad: tuple[str, ...]
    tag: str
    left: str
    right: str


def left_of(mask: str, at: int) -> str:
    """The word to the left of an offset in lower case, or STOP, COMMA or CODE; "" if no white space stands between."""
    window = mask[max(0, at - 40) : at]
    if window.endswith(INLINE) and window.rstrip(INLINE).endswith("\n"):
        window = window.rstrip(INLINE)
    before = window.rstrip()
    if not before or before[-1] == BLOCK:
        return STOP
    if window[-1] == "(":
        return COMMA
    last = before[-1]
    if len(before) == len(window):
        return ""
    if last.isalnum() or last in "_'’-":
        return before.split()[-1].lstrip("\x00\x01(\"'").lower().replace("’", "'")
    return STOP if last in ".!?:" else COMMA if last in ",;(–—" else CODE if last == INLINE else ""


def right_of(mask: str, at: int) -> str:
    """The word to the right of an offset in lower case, or STOP, COMMA or CODE; "" if something else adheres to it."""
    match = _RIGHT.match(mask, at, at + 40)
    if not match:
        return ""
    word, stop = match.groups()
    if word:
        return word.lower().replace("’", "'")
    return STOP if stop is not None else CODE if match[0][-1] == INLINE else COMMA


class wordings:
    """A finder: entries of a mapping list in the prose, with a WordingMatch as the data of the place.

    An entry counts only if the unit has its first word at least `times` times.
    """

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
        first_words: Collection[str] = self._by_first
        if self._times > 1:
            first_words = {
                word for word, times in Counter(lowers).items() if times >= self._times and word in first_words
            }
        for index in unit.words.indices_in(first_words, begin) if first_words else ():
            match = self._match_at(unit, index)
            if match:
                return Place(unit, match.start, match.end, unit.doc.text[match.start : match.end], match)
        unit.place_cache[self] = []  # so that no later variant searches this unit again
        return None

    def match_after(self, unit: Unit, at: int) -> WordingMatch | None:
        """The first entry within the ten words after an offset."""
        first = bisect_left(unit.words.starts, at)
        for index in range(first, min(first + 10, len(unit.words.starts))):
            match = self._match_at(unit, index) if unit.words.lowers[index] in self._by_first else None
            if match:
                return match
        return None

    def _match_at(self, unit: Unit, index: int) -> WordingMatch | None:
        """The longest entry that begins with the word at an index and fits between its neighbours."""
        mask, (starts, texts, lowers, adjacent) = unit.doc.prose, unit.words
        start = starts[index]
        left = lowers[index - 1] if index and adjacent[index - 1] else left_of(mask, start)
        if not left:
            return None
        is_name = texts[index][0].isupper() and left != STOP
        for phrase, good, bad, tag in self._by_first[lowers[index]]:
            if left not in _BEFORE.get(tag, (left,)) or good[0].isupper() < is_name:
                continue
            end = start + len(phrase)
            right = right_of(mask, end) if mask[start:end].lower().replace("-", " ") == phrase else ""
            if right and fits(tag, good, left, right):
                return WordingMatch(start, end, good, bad, tag, left, right)
        return None


def fits(tag: str, good: str, left: str, right: str) -> bool:
    """Whether an entry with this tag can stand between these neighbours."""
    if left not in _BEFORE.get(tag, (left,)):
        return False
    match tag:
        case "verb-base" | "verb-ing":
            return right in _OBJECT_STARTS or " " in good
        case "verb-s":
            return (left in ("this", "that") or left not in DETERMINERS) and (right in _OBJECT_STARTS or " " in good)
        case "verb-ed":
            return left in BE_FORMS or (left in _BEFORE_ED and right in _OBJECT_STARTS)
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


def replacement_edit(place: Place, start: int, end: int, bad: str) -> Edit | None:
    """The edit that writes `bad` in [start, end), in the case of the text there and with the right `a` or `an`."""
    unit = place.unit
    good = unit.doc.text[start:end]
    if "\n" in good or (good.isupper() and len(good) > 1 and bad[0].islower()):
        return None
    new = match_case(bad, good)
    article = _ARTICLE.search(unit.doc.prose, max(unit.start, start - 4), start)
    if not article:
        return Edit(start, end, new)
    new_article = article[1][0] + ("n" if takes_an(bad) else "")
    if new_article == article[1]:
        return Edit(start, end, new)
    return Edit(start - len(article[0]), end, new_article + article[2] + new)


def takes_an(word: str) -> bool:
    """Whether the article before a word is `an`."""
    return bool(_VOWEL.match(word.lower()) or _VOWEL_LETTER.match(word))


def find_elsewhere(unit: Unit, phrase: str, start: int, end: int) -> tuple[int, int] | None:
    """The range of another occurrence of a phrase: the nearest before [start, end), otherwise the first after it."""
    phrase = " ".join(phrase.lower().split())
    starts = unit.find_phrase(phrase)
    before = [at for at in starts if at + len(phrase) < start]
    after = [at for at in starts if at > end]
    at = before[-1] if before else after[0] if after else None
    return None if at is None else (at, at + len(phrase))
