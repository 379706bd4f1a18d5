"""Words in their context: what stands around a word, and the forms of words; rules are set off by words.

Most places in a text are correct either way, and only in some contexts is the other form clearly an error. So a rule is
set off by certain words and looks at their context, from the drawn place on, until one finds something to go wrong.
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

# Words in their context


class At:
    """A word of a unit, in lower case, with its neighbours; `at[k]` is the word k steps away.

    What more than white space parts from the word is no neighbour: "" stands for it.
    """

    __slots__ = ("index", "left", "right", "unit", "word")

    def __init__(self, unit: Unit, index: int) -> None:
        lowers, joined = unit.words.lowers, unit.words.adjacent
        self.unit = unit
        self.index = index
        self.word = lowers[index]
        self.left = lowers[index - 1] if joined[index - 1] else ""  # the last word is never joined, so nor is the first
        self.right = lowers[index + 1] if joined[index] else ""

    def __getitem__(self, step: int) -> str:
        found, wanted = self.unit.words, self.index + step
        first, last = (self.index, wanted) if step > 0 else (wanted, self.index)
        if first < 0 or last >= len(found.lowers) or False in found.adjacent[first:last]:
            return ""
        return found.lowers[wanted]

    def step(self, step: int) -> At:
        return At(self.unit, self.index + step)

    def before(self, most: int) -> list[str]:
        """The words before this one, at most so many, as far as only white space parts them."""
        found, first = self.unit.words, self.index
        least = max(0, first - most)
        while first > least and found.adjacent[first - 1]:
            first -= 1
        return found.lowers[first : self.index]

    def start(self, step: int = 0) -> int:
        return self.unit.words.starts[self.index + step]

    def end(self, step: int = 0) -> int:
        return self.start(step) + len(self.text(step))

    def text(self, step: int = 0) -> str:
        return self.unit.words.texts[self.index + step]

    @property
    def follows(self) -> str:
        """The first character after the word and white space, as the mask shows it."""
        end = self.end()
        return self.unit.doc.prose[end : min(end + 8, self.unit.end)].lstrip()[:1] or BLOCK

    @property
    def precedes(self) -> str:
        """The last character before the word and white space, as the mask shows it."""
        start = self.start()
        return self.unit.doc.prose[max(start - 8, self.unit.start) : start].rstrip()[-1:] or BLOCK

    def becomes(self, text: str) -> Fault:
        """The word replaced, in its case."""
        return Fault((Edit(self.start(), self.end(), match_case(text, self.text())),))

    def dropped(self) -> Fault | None:
        """The word gone, with the white space after it; the next word takes over its capital."""
        if not self.right:
            return None
        next_word = self.text(1)
        if self.text()[0].isupper():
            if not next_word.islower():
                return None
            return Fault((Edit(self.start(), self.end(1), next_word[0].upper() + next_word[1:]),))
        return Fault((Edit(self.start(), self.start(1), ""),))

    def preceded_by(self, text: str) -> Fault:
        """Another word before it."""
        return Fault((Edit(self.start(), self.start(), text + " "),))


Rule: TypeAlias = Callable[[At, Draw], "Fault | None"]


class _Onwards:
    """What goes wrong at the first word from a place on, and round, that sets a rule off."""

    def __init__(self, triggers: frozenset[str], rule: Rule, exact: bool) -> None:
        self.triggers, self.rule, self.exact = triggers, rule, exact

    def __call__(self, place: Place, draw: Draw) -> Fault | None:
        unit, rule = place.unit, self.rule
        for index in unit.words.indices_in(self.triggers, place.data, exact=self.exact):
            fault = rule(At(unit, index), draw)
            if fault:
                return fault
        return None


def rule_subtype(
    name: str, share: float, triggers: Iterable[str], rule: Rule, *, class_: str | None = None, exact: bool = False
) -> Subtype:
    """A subtype made by a rule; `triggers` are the words that start it, in lower case or, if `exact`, as written."""
    vocabulary = frozenset(triggers)
    return Subtype(name, share, words(vocabulary, exact=exact), _Onwards(vocabulary, rule, exact), class_, tries=1)


_AFTER_NOUN = PREPOSITIONS | AUXILIARIES | BE_FORMS | word_set("function_words", "after-noun")
PHRASE_ENDS = frozenset(".,;:!?)" + BLOCK)


def ends_phrase(at: At) -> bool:
    """Whether a noun is the last word of its phrase, so that its number counts."""
    return at.right in _AFTER_NOUN if at.right else at.follows in PHRASE_ENDS


_JOINS = frozenset({"and", "or", "of", "nor", "plus"})


def joined_subject(at: At, most: int = 5) -> bool:
    """Whether an `and`, an `of` or the like shortly before leaves the number of a subject open."""
    return not _JOINS.isdisjoint(at.before(most))
