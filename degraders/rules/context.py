"""Rules that look at a word together with the words around it.

In most places of a text either form of a word is correct; only some contexts make one of them clearly an error. So a
rule starts at certain words and checks their context. It tries these words one after another, from the drawn place on,
until it can make a fault.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeAlias

from degraders.draw import Draw
from degraders.edits import Edit
from degraders.lexicon import match_case, word_set
from degraders.registry import Fault, Place, Subtype, words
from degraders.rules.vocabulary import AUXILIARIES, BE_FORMS, PREPOSITIONS
from degraders.text.document import BLOCK, Unit


class Word:
    """A word of a unit's prose with its neighbours, all in lower case; `word[k]` is the word `k` steps to the right.

    A word is a neighbour only if nothing but white space stands in between; otherwise "" stands for it.
    """

    __slots__ = ("index", "left", "lower", "right", "unit")

    def __init__(self, unit: Unit, index: int) -> None:
        lowers, adjacent = unit.words.lowers, unit.words.adjacent
        self.unit = unit
        self.index = index
        self.lower = lowers[index]
        # `adjacent` is False for the last word, so index - 1 gives the right answer for the first word, too.
        self.left = lowers[index - 1] if adjacent[index - 1] else ""
        self.right = lowers[index + 1] if adjacent[index] else ""

    def __getitem__(self, step: int) -> str:
        unit_words, other = self.unit.words, self.index + step
        first, last = (self.index, other) if step > 0 else (other, self.index)
        if first < 0 or last >= len(unit_words.lowers) or False in unit_words.adjacent[first:last]:
            return ""
        return unit_words.lowers[other]

    def step(self, step: int) -> Word:
        """The word `step` places to the right, or to the left if `step` is negative."""
        return Word(self.unit, self.index + step)

    def before(self, most: int) -> list[str]:
        """At most so many words before this one, as far back as only white space stands between them."""
        unit_words, first = self.unit.words, self.index
        least = max(0, first - most)
        while first > least and unit_words.adjacent[first - 1]:
            first -= 1
        return unit_words.lowers[first : self.index]

    def start(self, step: int = 0) -> int:
        """The offset in the document at which the word `step` places away starts."""
        return self.unit.words.starts[self.index + step]

    def end(self, step: int = 0) -> int:
        """The offset in the document at which the word `step` places away ends."""
        return self.start(step) + len(self.text(step))

    def text(self, step: int = 0) -> str:
        """The word `step` places away, in its own case."""
        return self.unit.words.texts[self.index + step]

    @property
    def next_character(self) -> str:
        """The first character of the mask after the word and white space."""
        end = self.end()
        return self.unit.doc.prose[end : min(end + 8, self.unit.end)].lstrip()[:1] or BLOCK

    @property
    def previous_character(self) -> str:
        """The last character of the mask before the word and white space."""
        start = self.start()
        return self.unit.doc.prose[max(start - 8, self.unit.start) : start].rstrip()[-1:] or BLOCK

    def write(self, text: str) -> Fault:
        """Put `text` in place of the word, exactly as given."""
        return Fault((Edit(self.start(), self.end(), text),))

    def replace(self, text: str) -> Fault:
        """Put `text` in place of the word, in the case of the word."""
        return self.write(match_case(text, self.text()))

    def drop(self) -> Fault | None:
        """Remove the word with the white space after it; the next word takes over its capital."""
        if not self.right:
            return None
        next_word = self.text(1)
        if self.text()[0].isupper():
            if not next_word.islower():
                return None
            return Fault((Edit(self.start(), self.end(1), next_word[0].upper() + next_word[1:]),))
        return Fault((Edit(self.start(), self.start(1), ""),))

    def insert_before(self, text: str) -> Fault:
        """Insert `text` and a space before the word."""
        return Fault((Edit(self.start(), self.start(), text + " "),))


Rule: TypeAlias = Callable[[Word, Draw], "Fault | None"]
"""Makes a fault at a trigger word, or returns None if its context does not allow one."""


class _RuleSearch:
    """Applies a rule to the trigger words of a unit, from a place on and round, until one of them gives a fault."""

    def __init__(self, triggers: frozenset[str], rule: Rule, exact: bool) -> None:
        self.triggers, self.rule, self.exact = triggers, rule, exact

    def __call__(self, place: Place, draw: Draw) -> Fault | None:
        unit, rule = place.unit, self.rule
        for index in unit.words.indices_in(self.triggers, place.data, exact=self.exact):
            fault = rule(Word(unit, index), draw)
            if fault:
                return fault
        return None


def rule_subtype(
    name: str, share: float, triggers: Iterable[str], rule: Rule, *, recoverable: str | None = None, exact: bool = False
) -> Subtype:
    """A subtype made by a rule; `triggers` are the words that start it, in lower case or, if `exact`, as written."""
    vocabulary = frozenset(triggers)
    search = _RuleSearch(vocabulary, rule, exact)
    return Subtype(name, share, words(vocabulary, exact=exact), search, recoverable, tries=1)


_AFTER_NOUN = PREPOSITIONS | AUXILIARIES | BE_FORMS | word_set("function_words", "after-noun")
PHRASE_ENDS = frozenset(".,;:!?)" + BLOCK)
"""Characters that end a phrase."""


def ends_phrase(word: Word) -> bool:
    """Whether a noun is the last word of its phrase, so that a verb must agree with it."""
    return word.right in _AFTER_NOUN if word.right else word.next_character in PHRASE_ENDS


_JOINING_WORDS = frozenset({"and", "or", "of", "nor", "plus"})


def has_joined_subject(word: Word, most: int = 5) -> bool:
    """Whether `and`, `of` or the like shortly before the word leaves the number of the subject unclear."""
    return not _JOINING_WORDS.isdisjoint(word.before(most))
