"""Spelling: typos and misspellings in single words, confused words, and wrong word boundaries."""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Iterator, Sequence
from functools import cache
from itertools import accumulate, compress, count, islice

from degraders.draw import Draw, ticket
from degraders.edits import Edit
from degraders.lexicon import mapping, match_case, tags, word_set
from degraders.registry import Fault, Place, degrader, words
from degraders.text.document import Unit, Words

_MISSPELLINGS = mapping("misspellings")
_CONFUSABLES = mapping("confusables")
_BOUNDARIES = mapping("word_boundary")

_DICTIONARY = frozenset(
    word.lower()
    for entries in (_MISSPELLINGS, mapping("verbs"), mapping("nouns"), {**_CONFUSABLES, **_BOUNDARIES})
    for good, forms in entries.items()
    for word in (good, *(() if entries is _MISSPELLINGS else forms))
)
"""Words that a typo must not produce. A word of this set is no name, even with a capital."""
_SHORT_WORDS = word_set("short_words")
"""Further short words that a typo must not produce."""
_OFFENSIVE_WORDS = word_set("offensive_words")
"""Digests of offensive words that a typo must not produce."""

# Typos

_VOWELS = frozenset("aeiou")
_SOUNDS_LIKE = {
    "a": "eeio", "e": "aaii", "i": "eeay", "o": "aue", "u": "oa", "y": "ie",
    "c": "ssk", "s": "ccz", "k": "c", "z": "s", "t": "d", "d": "t", "m": "n", "n": "m",
    "g": "j", "j": "g", "f": "v", "v": "f", "b": "p", "p": "b", "q": "k", "x": "s",
}  # fmt: skip
"""For each letter, the letters that people write for it by ear; a letter that is repeated is likelier."""
_ROWS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")
_NEIGHBOURS = {
    key: "".join(row[i + step] for step in (-1, 1) if 0 <= i + step < len(row))
    for row in _ROWS
    for i, key in enumerate(row)
}
"""For each letter, the letters beside it on the keyboard."""
_DOUBLED = re.compile(r"([a-z])\1")
_OFTEN_DOUBLED = re.compile(r"(?<=[aeiou])[lmprstcnf](?=[aeiou])")


@cache
def _letter_weights(length: int) -> tuple[float, ...]:
    """Cumulative weights of the letters of a word: how likely a typo is at each of them."""
    return tuple(accumulate(_letter_weight(at, length) for at in range(length)))


def _letter_weight(at: int, length: int) -> float:
    if at == 0:
        return 0.7
    if at >= length - 1:
        return 1.9
    position = at / (length - 1)
    return 0.6 if position < 0.25 else 1.25 if position <= 0.7 else 0.8


# Each of these functions changes a word at one letter, or returns None if that change is unlikely there.


def _drop_letter(word: str, at: int, draw: Draw) -> str | None:
    doubled = _DOUBLED.search(word) if draw.chance(0.4) else None
    if doubled:
        at = doubled.start()
    elif word[at] not in _VOWELS and _VOWELS.issuperset(word[at - 1 : at + 2 : 2]) and draw.chance(0.6):
        return None  # a consonant between vowels is pronounced, so writers rarely forget it
    return word[:at] + word[at + 1 :]


def _add_letter(word: str, at: int, draw: Draw) -> str | None:
    single = _OFTEN_DOUBLED.search(word, at) if draw.chance(0.25) else None
    if single:
        at = single.start()
        return word[:at] + word[at] + word[at:]
    before, after = word[at], word[at + 1 : at + 2]
    letters: list[str] = [before, *word[max(0, at - 2) : at], *word[at + 2 : at + 4], *_NEIGHBOURS.get(before, "")[:1]]
    if after and after not in _VOWELS and before not in _VOWELS:
        letters += "eei"
    letter = draw.choice(letters)
    if letter in (before, after) and _DOUBLED.search(word, max(0, at - 1), at + 3):
        return None
    return word[: at + 1] + letter + word[at + 1 :]


def _replace_letter(word: str, at: int, draw: Draw) -> str | None:
    letter = word[at]
    similar, neighbours = _SOUNDS_LIKE.get(letter, ""), _NEIGHBOURS.get(letter, "")
    others = similar if similar and draw.chance(0.8 if letter in _VOWELS else 0.65) else neighbours
    return word[:at] + draw.choice(others) + word[at + 1 :] if others else None


def _transpose_letters(word: str, at: int, draw: Draw) -> str | None:
    left, right = word[at], word[at + 1 : at + 2]
    if left == right or not right or (at + 2 == len(word) and draw.chance(0.5)):
        return None
    return word[:at] + right + left + word[at + 2 :]


def _change_letters(word: str, at: int, draw: Draw) -> str | None:
    """Skip from one letter to its next occurrence, drop or repeat two letters, or move a letter two places on."""
    if not 0 < at < len(word) - 3:
        return None
    for skip in (2, 3):
        if word[at] == word[at + skip] or word[at - 1] == word[at + skip - 1]:
            return word[:at] + word[at + skip :]
    kind = draw.below(3)
    if kind == 0:
        return word[:at] + word[at + 2 :]
    if kind == 1:
        return word[:at] + word[at : at + 2] + word[at:]
    return word[:at] + word[at + 1 : at + 3] + word[at] + word[at + 3 :]


_TYPOS: tuple[Callable[[str, int, Draw], str | None], ...] = (
    _drop_letter,
    _add_letter,
    _replace_letter,
    _transpose_letters,
    _change_letters,
)
_TYPO_WEIGHTS = tuple(accumulate((38, 20, 16, 17, 9)))

_NO_WORD_WITHOUT_END = re.compile(r"(?:ing|[ts]ion|ment|ity|ly|[ai]ble|nce|age|ure|ive|ct|nt|ous|ss|th|ical|ward)\Z")
"""A word with one of these endings is certainly no word any more when its last letters are missing."""
_ENGLISH_ENDING = re.compile(
    r"(?:ing|ed|ions?|ments?|ly|[ai]ble|ity|ities|[ae]nces?|[ae]nt|ive|ous|al|i[sz]es?|ness|ful|less|[oa]ry|ism|tures?)\Z"
)
_ONSETS = frozenset(
    "bl br ch cl cr dr fl fr gh gl gr kn ph pl pr ps qu rh sc sh sk sl sm sn sp st sw th tr tw wh wr".split()
)
"""Pairs of letters with which an English word can begin."""


def _is_common_word(text: str) -> bool:
    """Whether a word belongs to the language: it is no name, acronym, camelCase identifier or command."""
    lower = text.lower()
    if text not in (lower, lower.capitalize()) or "'" in text or "’" in text:
        return False
    if lower in _DICTIONARY:
        return True
    return text == lower and len(lower) >= 8 and _ENGLISH_ENDING.search(lower) is not None


def _is_clear_typo(bad: str, good: str, unit: Unit) -> bool:
    """Whether a misspelt word is certainly no word: not in the lists, and no other inflection of the good word."""
    if bad == good or bad in _DICTIONARY or bad in _SHORT_WORDS or len(bad) < 3 or unit.find_token(bad):
        return False
    if good.startswith(bad):
        return _NO_WORD_WITHOUT_END.search(good) is not None
    if bad.startswith(good):
        return bad[-1] == good[-1] != "s" or bad[-1] not in "sdrynet"
    if good.endswith(bad):
        return good[0] in _VOWELS and not _VOWELS & set(bad[:2]) and bad[:2] not in _ONSETS
    return bad[1:] != good[1:] and not _swaps_prefix(bad, good)


def _swaps_prefix(bad: str, good: str) -> bool:
    """Whether only a prefix differs, as in `unable` and `enable`, so that the misspelt word can be a word."""
    return bad[2:] == good[2:] and good[:2] in ("un", "en", "in", "im", "ex", "de", "re", "ir", "il", "ad", "di")


@degrader(
    "spelling.typo",
    where=words(shortest=8),
    does="drops, adds, replaces or transposes letters of a word, as a typist or a poor speller does",
    example=("It is installed already.", "It is instaled already."),
    recoverable="A",
    severity=1,
    weight=5,
)
def typo(place: Place, draw: Draw) -> Fault | None:
    """Most typos happen in words of eight letters or more; some go to a shorter word near such a word."""
    unit_words, at = place.unit.words, place.data
    if draw.chance(0.36):
        around = range(max(0, at - draw.below(12)), min(at + 12, len(unit_words.texts)))
        at = next((i for i in around if 4 <= len(unit_words.texts[i]) < 8), at)
    text = unit_words.texts[at]
    bad = _misspell(text, place.unit, draw) if _is_common_word(text) else None
    return _replace_word(unit_words, at, bad) if bad else None


def _misspell(text: str, unit: Unit, draw: Draw) -> str | None:
    """The word in lower case with a typo; None if no attempt gives a clear typo."""
    good = text.lower()
    weights = _letter_weights(len(good))
    for _ in range(8):
        make_typo = draw.weighted_choice(_TYPOS, _TYPO_WEIGHTS)
        bad = make_typo(good, draw.weighted_choice(range(len(good)), weights), draw)
        if bad and _is_clear_typo(bad, good, unit) and ticket(bad).hex() not in _OFFENSIVE_WORDS:
            return bad
    return None


def _replace_word(unit_words: Words, at: int, word: str) -> Fault:
    """Put `word`, given in lower case, in place of a word of the text, in the case of that word."""
    start, text = unit_words.starts[at], unit_words.texts[at]
    return Fault((Edit(start, start + len(text), match_case(word, text)),))


@degrader(
    "spelling.misspell_common",
    where=words(),
    does="misspells a word as many people do",
    example=("Two separate files.", "Two seperate files."),
    recoverable="A",
    severity=1,
    weight=3,
)
def misspell_common(place: Place, draw: Draw) -> Fault | None:
    """Short words are frequent but rarely misspelt, so a longer word near the place is preferred."""
    unit_words = place.unit.words
    candidates = [word for word in unit_words.lowers[place.data : place.data + 12] if word in _MISSPELLINGS]
    if not candidates:
        return None
    good = max(candidates, key=len) if draw.chance(0.7) else candidates[0]
    at = unit_words.lowers.index(good, place.data)
    bad = _choose_form(_MISSPELLINGS[good], draw)
    too_short = len(good) < 5 and not draw.chance(0.2)
    if too_short or unit_words.texts[at] not in (good, good.capitalize()) or place.unit.find_token(bad):
        return None
    return _replace_word(unit_words, at, bad)


_RANK_WEIGHTS = tuple(accumulate(1 / rank for rank in range(1, 40)))


def _choose_form(forms: Sequence[str], draw: Draw) -> str:
    """One of the forms; forms that come first in the list are likelier."""
    return draw.weighted_choice(forms, _RANK_WEIGHTS[: len(forms)])


# Confused words

_FLUENT = mapping("fluent_confusables")
"""Confusions that leave a sensible sentence, so that no reader could recognise the error."""
_CONFUSED_WITH = {
    good: wrong
    for good, forms in _CONFUSABLES.items()
    if (wrong := [form for form in forms if " " not in good + form and form not in _FLUENT.get(good, ())])
}
_SHORT_CONFUSABLES = frozenset(word for word in _CONFUSED_WITH if len(word) <= 4)
_LONG_CONFUSABLES = _CONFUSED_WITH.keys() - _SHORT_CONFUSABLES
_CONFUSION_CHANCES = {good: float(tag or 1) / 6 for good, tag in tags("confusables").items()}
_ITS = frozenset({"its", "it's"})
_REACH = 160
"""The number of words after the drawn place that are searched."""


@degrader(
    "spelling.confusable",
    where=words(),
    does="confuses a word with another (its/it's, form/from, then/than, an/and, lose/loose)",
    example=("The file and its name.", "The file and it's name."),
    recoverable="A",
    severity=1,
    weight=2,
)
def confusable(place: Place, draw: Draw) -> Fault | None:
    """Short words are the most frequent, so the longer ones are searched separately and more often."""
    unit_words = place.unit.words
    vocabulary = draw.weighted_choice((_ITS, _SHORT_CONFUSABLES, _LONG_CONFUSABLES), (12, 50, 100))
    for at in islice(_indices_after(place, vocabulary), 6):
        good = unit_words.lowers[at]
        if unit_words.texts[at] in (good, good.capitalize()) and draw.chance(_CONFUSION_CHANCES[good]):
            return _replace_word(unit_words, at, _choose_form(_CONFUSED_WITH[good], draw))
    return None


def _indices_after(place: Place, vocabulary: Container[str]) -> Iterator[int]:
    """The indices of the words of a vocabulary, from the place on."""
    after = place.unit.words.lowers[place.data : place.data + _REACH]
    return compress(count(place.data), map(vocabulary.__contains__, after))


# Word boundaries

_OFTEN_DOUBLED_WORDS = word_set("function_words", "doubled")
_MISJOINED: dict[str, list[tuple[str, Sequence[str]]]] = {}
"""Phrases and compounds with their misspellings, by the first word."""
for _phrase, _wrong in (_BOUNDARIES | {good: bad for good, bad in _CONFUSABLES.items() if " " in good}).items():
    _MISJOINED.setdefault(re.split("[ -]", _phrase.lower())[0], []).append((_phrase.lower(), _wrong))
_OFTEN_RUN_TOGETHER = frozenset("of in to on for at by is with from and or be".split())
"""Short words after which a space is often missing, as in `inthe`."""


@degrader(
    "spelling.word_boundary",
    where=words(),
    does="writes a word twice, two words as one, or one word as two (the the, setup for set up, in to)",
    example=("Read the file.", "Read the the file."),
    recoverable="A",
    severity=1,
    weight=2,
)
def word_boundary(place: Place, draw: Draw) -> Fault | None:
    vocabulary, change = draw.weighted_choice(_BOUNDARY_CHANGES, _BOUNDARY_WEIGHTS)
    faults = (change(place.unit, at, draw) for at in islice(_indices_after(place, vocabulary), 6))
    return next((fault for fault in faults if fault), None)


def _repeat_word(unit: Unit, at: int, draw: Draw) -> Fault | None:
    """`the` → `the the`; sometimes the word after it is repeated instead."""
    unit_words = unit.words
    if unit_words.adjacent[at] and draw.chance(0.2):
        at += 1
    text, lowers = unit_words.texts[at], unit_words.lowers
    if not text.islower() or lowers[at] in lowers[max(0, at - 1) : at] + lowers[at + 1 : at + 2]:
        return None
    return _replace_word(unit_words, at, f"{text} {text}")


def _misjoin_phrase(unit: Unit, at: int, draw: Draw) -> Fault | None:
    """`set up` → `setup`, `built-in` → `builtin`."""
    start, prose = unit.words.starts[at], unit.doc.prose
    for phrase, wrong in _MISJOINED[unit.words.lowers[at]]:
        end = start + len(phrase)
        text, after = prose[start:end], prose[end : end + 1]
        if text.lower().replace("\n", " ") == phrase and not after.isalnum() and after not in ("-", "_"):
            return Fault((Edit(start, end, match_case(_choose_form(wrong, draw), text)),))
    return None


def _drop_space(unit: Unit, at: int, draw: Draw) -> Fault | None:
    """`in the` → `inthe`."""
    starts, texts = unit.words.starts, unit.words.texts
    if not unit.words.adjacent[at] or not (joined := texts[at] + texts[at + 1]).islower():
        return None
    start, end = starts[at], starts[at + 1] + len(texts[at + 1])
    is_one_space = end - start == len(joined) + 1
    return Fault((Edit(start, end, joined),)) if is_one_space and joined not in _DICTIONARY else None


_BOUNDARY_CHANGES: tuple[tuple[Container[str], Callable[[Unit, int, Draw], Fault | None]], ...] = (
    (_OFTEN_DOUBLED_WORDS, _repeat_word),
    (_MISJOINED, _misjoin_phrase),
    (_OFTEN_RUN_TOGETHER, _drop_space),
)
_BOUNDARY_WEIGHTS = tuple(accumulate((52, 42, 6)))
