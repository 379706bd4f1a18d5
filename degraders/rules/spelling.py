"""Spelling: slips of the hand and of the mind in single words, and words run together or torn apart."""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Iterator, Sequence
from functools import cache
from itertools import accumulate, compress, count, islice

from degraders.draw import Draw
from degraders.edits import Edit
from degraders.lexicon import mapping, match_case, tags, word_set
from degraders.registry import Fault, Place, degrader, words
from degraders.text.document import Unit, Words

_MISSPELLINGS = mapping("misspellings")
_CONFUSABLES = mapping("confusables")
_BOUNDARIES = mapping("word_boundary")

_KNOWN = frozenset(
    word.lower()
    for entries in (_MISSPELLINGS, mapping("verbs"), mapping("nouns"), {**_CONFUSABLES, **_BOUNDARIES})
    for good, forms in entries.items()
    for word in (good, *(() if entries is _MISSPELLINGS else forms))
)
"""Words that a slip must not yield, and of which a capital alone does not make a name."""

_SHORT_WORDS = word_set("short_words")
"""Short words that stand in no list, which a slip in another short word may hit."""

# ---------------------------------------------------------------------------------------------------------------------
# What the hand and the ear do to a word: each function makes the slip at one letter, or None if there is none.

_VOWELS = frozenset("aeiou")
_SOUNDS_LIKE = {
    "a": "eeio", "e": "aaii", "i": "eeay", "o": "aue", "u": "oa", "y": "ie",
    "c": "ssk", "s": "ccz", "k": "c", "z": "s", "t": "d", "d": "t", "m": "n", "n": "m",
    "g": "j", "j": "g", "f": "v", "v": "f", "b": "p", "p": "b", "q": "k", "x": "s",
}  # fmt: skip
_ROWS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")
_NEIGHBOURS = {
    key: "".join(row[i + step] for step in (-1, 1) if 0 <= i + step < len(row))
    for row in _ROWS
    for i, key in enumerate(row)
}
_DOUBLED = re.compile(r"([a-z])\1")
_OFTEN_DOUBLED = re.compile(r"(?<=[aeiou])[lmprstcnf](?=[aeiou])")


@cache
def _zones(length: int) -> tuple[float, ...]:
    """How likely a slip is at each letter, cumulated: the middle of a word is where people lose their place."""
    return tuple(accumulate(_zone(at, length) for at in range(length)))


def _zone(at: int, length: int) -> float:
    if at == 0:
        return 0.7
    if at >= length - 1:
        return 1.9
    where = at / (length - 1)
    return 0.6 if where < 0.25 else 1.25 if where <= 0.7 else 0.8


def _dropped(word: str, at: int, draw: Draw) -> str | None:
    doubled = _DOUBLED.search(word) if draw.chance(0.4) else None
    if doubled:
        at = doubled.start()
    elif word[at] not in _VOWELS and _VOWELS.issuperset(word[at - 1 : at + 2 : 2]) and draw.chance(0.6):
        return None  # a consonant between vowels is heard
    return word[:at] + word[at + 1 :]


def _added(word: str, at: int, draw: Draw) -> str | None:
    single = _OFTEN_DOUBLED.search(word, at) if draw.chance(0.25) else None
    if single:
        at = single.start()
        return word[:at] + word[at] + word[at:]
    before, after = word[at], word[at + 1 : at + 2]
    keys = [before, *word[max(0, at - 2) : at], *word[at + 2 : at + 4], *_NEIGHBOURS.get(before, "")[:1]]
    if after and after not in _VOWELS and before not in _VOWELS:
        keys += "eei"
    key = draw.choice(keys)
    doubles = key in (before, after)
    return None if doubles and _DOUBLED.search(word, max(0, at - 1), at + 3) else word[: at + 1] + key + word[at + 1 :]


def _replaced(word: str, at: int, draw: Draw) -> str | None:
    letter = word[at]
    alike, near = _SOUNDS_LIKE.get(letter, ""), _NEIGHBOURS.get(letter, "")
    others = alike if alike and draw.chance(0.8 if letter in _VOWELS else 0.65) else near
    return word[:at] + draw.choice(others) + word[at + 1 :] if others else None


def _transposed(word: str, at: int, draw: Draw) -> str | None:
    left, right = word[at], word[at + 1 : at + 2]
    if left == right or not right or (at + 2 == len(word) and draw.chance(0.5)):
        return None
    return word[:at] + right + left + word[at + 2 :]


def _several(word: str, at: int, draw: Draw) -> str | None:
    """A syllable lost between two like letters, a pair of letters written twice, a letter that jumps."""
    if not 0 < at < len(word) - 3:
        return None
    for skip in (2, 3):
        if word[at] == word[at + skip] or word[at - 1] == word[at + skip - 1]:
            return word[:at] + word[at + skip :]
    kind = draw.below(3)
    if kind == 0:
        return word[:at] + word[at + 2 :]
    return word[:at] + (
        word[at : at + 2] + word[at:] if kind == 1 else word[at + 1 : at + 3] + word[at] + word[at + 3 :]
    )


_SLIPS: tuple[Callable[[str, int, Draw], str | None], ...] = (_dropped, _added, _replaced, _transposed, _several)
_SHARES = tuple(accumulate((38, 20, 16, 17, 9)))

_SAFE_WITHOUT_END = re.compile(r"(?:ing|[ts]ion|ment|ity|ly|[ai]ble|nce|age|ure|ive|ct|nt|ous|ss|th|ical|ward)\Z")
_ENGLISH_ENDING = re.compile(
    r"(?:ing|ed|ions?|ments?|ly|[ai]ble|ity|ities|[ae]nces?|[ae]nt|ive|ous|al|i[sz]es?|ness|ful|less|[oa]ry|ism|tures?)\Z"
)
_ONSETS = frozenset(
    "bl br ch cl cr dr fl fr gh gl gr kn ph pl pr ps qu rh sc sh sk sl sm sn sp st sw th tr tw wh wr".split()
)


def _may_slip(text: str) -> bool:
    """Whether a word is one of the language: no name, acronym, camelCase or command."""
    lower = text.lower()
    if text not in (lower, lower.capitalize()) or "'" in text or "’" in text:
        return False
    if lower in _KNOWN:
        return True
    return text == lower and len(lower) >= 8 and _ENGLISH_ENDING.search(lower) is not None


def _is_slip(bad: str, good: str, unit: Unit) -> bool:
    """Whether a bad word is clearly no word: unknown, and no other inflection of the good one."""
    if bad == good or bad in _KNOWN or bad in _SHORT_WORDS or len(bad) < 3 or unit.find_token(bad):
        return False
    if good.startswith(bad):
        return _SAFE_WITHOUT_END.search(good) is not None
    if bad.startswith(good):
        return bad[-1] == good[-1] != "s" or bad[-1] not in "sdrynet"
    if good.endswith(bad):
        return good[0] in _VOWELS and not _VOWELS & set(bad[:2]) and bad[:2] not in _ONSETS
    return bad[1:] != good[1:] and not _swaps_prefix(bad, good)


def _swaps_prefix(bad: str, good: str) -> bool:
    """`unable` and `enable`, `imported` and `exported`: what begins differently may be a word."""
    return bad[2:] == good[2:] and good[:2] in ("un", "en", "in", "im", "ex", "de", "re", "ir", "il", "ad", "di")


@degrader(
    "spelling.typo",
    where=words(shortest=8),
    does="a letter dropped, added, replaced or transposed in a word, as fingers and ears do",
    example=("It is installed already.", "It is instaled already."),
    recoverable="A",
    severity=1,
    weight=5,
)
def typo(place: Place, draw: Draw) -> Fault | None:
    """Most slips happen in words of eight letters and more; the others are looked for around these."""
    found, at = place.unit.words, place.data
    if draw.chance(0.36):
        around = range(max(0, at - draw.below(12)), min(at + 12, len(found.texts)))
        at = next((i for i in around if 4 <= len(found.texts[i]) < 8), at)
    text = found.texts[at]
    bad = _slip_of(text, place.unit, draw) if _may_slip(text) else None
    return _replace(found, at, bad) if bad else None


def _slip_of(text: str, unit: Unit, draw: Draw) -> str | None:
    good = text.lower()
    zones = _zones(len(good))
    for _ in range(8):
        slip = draw.weighted_choice(_SLIPS, _SHARES)
        bad = slip(good, draw.weighted_choice(range(len(good)), zones), draw)
        if bad and _is_slip(bad, good, unit):
            return bad
    return None


def _replace(found: Words, at: int, word: str) -> Fault:
    """Another word, in lower case, for that of the text."""
    start, text = found.starts[at], found.texts[at]
    return Fault((Edit(start, start + len(text), match_case(word, text)),))


@degrader(
    "spelling.misspell_common",
    where=words(),
    does="a word as many people misspell it",
    example=("Two separate files.", "Two seperate files."),
    recoverable="A",
    severity=1,
    weight=3,
)
def misspell_common(place: Place, draw: Draw) -> Fault | None:
    """The short words stand everywhere and are seldom misspelt, so a longer one near by is preferred."""
    found = place.unit.words
    near = [word for word in found.lowers[place.data : place.data + 12] if word in _MISSPELLINGS]
    if not near:
        return None
    good = max(near, key=len) if draw.chance(0.7) else near[0]
    at = found.lowers.index(good, place.data)
    bad = _likeliest(_MISSPELLINGS[good], draw)
    seldom = len(good) < 5 and not draw.chance(0.2)
    if seldom or found.texts[at] not in (good, good.capitalize()) or place.unit.find_token(bad):
        return None
    return _replace(found, at, bad)


_RANKS = tuple(accumulate(1 / rank for rank in range(1, 40)))


def _likeliest(forms: Sequence[str], draw: Draw) -> str:
    """One of the forms, the earlier in the list the likelier."""
    return draw.weighted_choice(forms, _RANKS[: len(forms)])


# ---------------------------------------------------------------------------------------------------------------------
# Real words for other real words

_FLUENT = mapping("fluent_confusables")
_WRONG = {
    good: wrong
    for good, forms in _CONFUSABLES.items()
    if (wrong := [form for form in forms if " " not in good + form and form not in _FLUENT.get(good, ())])
}
_SMALL = frozenset(word for word in _WRONG if len(word) <= 4)
_LARGE = _WRONG.keys() - _SMALL
_CHANCES = {good: float(tag or 1) / 6 for good, tag in tags("confusables").items()}
_REACH = 160
"""How many words from a drawn place on another is looked for."""


@degrader(
    "spelling.confusable",
    where=words(),
    does="a real word for another: its/it's, form/from, then/than, an/and, lose/loose",
    example=("The file and its name.", "The file and it's name."),
    recoverable="A",
    severity=1,
    weight=2,
)
def confusable(place: Place, draw: Draw) -> Fault | None:
    """Small words stand everywhere, so one word in two is searched among the others."""
    found = place.unit.words
    for at in islice(_onwards(place, _SMALL if draw.chance(0.4) else _LARGE), 6):
        good = found.lowers[at]
        if found.texts[at] in (good, good.capitalize()) and draw.chance(_CHANCES[good]):
            return _replace(found, at, _likeliest(_WRONG[good], draw))
    return None


def _onwards(place: Place, vocabulary: Container[str]) -> Iterator[int]:
    """Where words of a vocabulary stand, from the place on."""
    after = place.unit.words.lowers[place.data : place.data + _REACH]
    return compress(count(place.data), map(vocabulary.__contains__, after))


# ---------------------------------------------------------------------------------------------------------------------
# Word boundaries

_OFTEN_WRITTEN_TWICE = word_set("function_words", "doubled")
_PHRASES: dict[str, list[tuple[str, Sequence[str]]]] = {}
"""What is written apart or with a hyphen, and how it is written wrong, by its first word."""
for _phrase, _wrong in (_BOUNDARIES | {good: bad for good, bad in _CONFUSABLES.items() if " " in good}).items():
    _PHRASES.setdefault(re.split("[ -]", _phrase.lower())[0], []).append((_phrase.lower(), _wrong))
_RUN_TOGETHER = frozenset("of in to on for at by is with from and or be".split())
"""Short words that a missing space glues to the next, as in `inthe`."""


@degrader(
    "spelling.word_boundary",
    where=words(),
    does="a word written twice, two run together or one torn apart: the the, setup for set up, in to",
    example=("Read the file.", "Read the the file."),
    recoverable="A",
    severity=1,
    weight=2,
)
def word_boundary(place: Place, draw: Draw) -> Fault | None:
    vocabulary, slip = draw.weighted_choice(_BOUNDARY_SLIPS, _BOUNDARY_SHARES)
    found = (slip(place.unit, at, draw) for at in islice(_onwards(place, vocabulary), 6))
    return next((fault for fault in found if fault), None)


def _twice(unit: Unit, at: int, draw: Draw) -> Fault | None:
    """`the` → `the the`, and now and then the word after it."""
    found = unit.words
    if found.adjacent[at] and draw.chance(0.2):
        at += 1
    text = found.texts[at]
    if not text.islower() or found.lowers[at] in found.lowers[max(0, at - 1) : at] + found.lowers[at + 1 : at + 2]:
        return None
    return _replace(found, at, f"{text} {text}")


def _phrase_joined(unit: Unit, at: int, draw: Draw) -> Fault | None:
    """`set up` → `setup`, `built-in` → `builtin`."""
    start, prose = unit.words.starts[at], unit.doc.prose
    for phrase, wrong in _PHRASES[unit.words.lowers[at]]:
        end = start + len(phrase)
        text, after = prose[start:end], prose[end : end + 1]
        if text.lower().replace("\n", " ") == phrase and not after.isalnum() and after not in ("-", "_"):
            return Fault((Edit(start, end, match_case(_likeliest(wrong, draw), text)),))
    return None


def _glued(unit: Unit, at: int, draw: Draw) -> Fault | None:
    """`in the` → `inthe`."""
    found = unit.words
    if not found.adjacent[at] or not (found.texts[at] + found.texts[at + 1]).islower():
        return None
    start, glued = found.starts[at], found.texts[at] + found.texts[at + 1]
    end = found.starts[at + 1] + len(found.texts[at + 1])
    return Fault((Edit(start, end, glued),)) if end - start == len(glued) + 1 and glued not in _KNOWN else None


_BOUNDARY_SLIPS: tuple[tuple[Container[str], Callable[[Unit, int, Draw], Fault | None]], ...] = (
    (_OFTEN_WRITTEN_TWICE, _twice),
    (_PHRASES, _phrase_joined),
    (_RUN_TOGETHER, _glued),
)
_BOUNDARY_SHARES = tuple(accumulate((52, 42, 6)))
