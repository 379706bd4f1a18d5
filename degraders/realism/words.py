"""Words as the naming of fixes compares them: function words, base forms, and pairs that are often confused."""

from __future__ import annotations

import re
from functools import cache, lru_cache

from rapidfuzz.distance import OSA

from degraders.lexicon import mapping, word_set

WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")
BLANK_LINE = re.compile(r"\n[ \t]*\n")

ARTICLES = word_set("closed_classes", "article")
PREPOSITIONS = word_set("closed_classes", "preposition") | word_set("closed_classes", "particle")
AUXILIARIES = word_set("closed_classes", "auxiliary")
AGREEMENT_VERBS = word_set("closed_classes", "agreement")
FUNCTION_WORDS = (
    ARTICLES | AUXILIARIES | word_set("closed_classes", "preposition") | word_set("closed_classes", "other")
)

CONFUSED_PAIRS = {
    frozenset((good, bad)) for good, forms in mapping("confusables").items() for bad in forms if " " not in good + bad
}
SPELLING_VARIANTS = {frozenset((good, bad)) for good, forms in mapping("us_gb").items() for bad in forms}

_IRREGULAR_FORMS = {
    "be": ("is", "are", "was", "were", "be", "been", "being", "am", "isn't", "aren't"),
    "have": ("has", "have", "had", "having"),
    "do": ("does", "do", "did", "done", "doing"),
    "this": ("this", "these"),
    "that": ("that", "those"),
}
_ENDINGS = (
    ("ies", "y"), ("es", ""), ("s", ""), ("ied", "y"), ("ed", ""), ("ed", "e"), ("ing", ""), ("ing", "e"),
)  # fmt: skip


def normalise(word: str) -> str:
    """The word in lower case and with straight apostrophes."""
    return word.lower().replace("’", "'")


def letters(text: str) -> str:
    """The letters and digits of a text in lower case."""
    return "".join(char for char in text.lower() if char.isalnum())


def similarity(left: str, right: str) -> float:
    """The similarity of two words, 0 to 1: 1 minus their edit distance (with transpositions) over the longer length."""
    return 1 - OSA.distance(left.lower(), right.lower()) / max(len(left), len(right), 1)


def distinct_words(text: str) -> frozenset[str]:
    """The distinct normalised words of a text."""
    return frozenset(normalise(word) for word in WORD.findall(text))


@cache
def listed_words() -> frozenset[str]:
    """Every correctly spelt word of the word lists."""
    lists = [mapping(name) for name in ("verbs", "nouns", "us_gb", "confusables", "synonyms", "wordy", "opposites")]
    words = {word.lower() for entries in lists for good in entries for word in good.split()}
    words |= {word for name in ("verbs", "nouns") for forms in mapping(name).values() for word in forms}
    return frozenset(words | set(mapping("misspellings")))


@cache
def _base_forms() -> dict[str, frozenset[str]]:
    """The base forms of each form of the listed verbs and nouns."""
    bases_of: dict[str, set[str]] = {}
    for name in ("verbs", "nouns"):
        for base, forms in mapping(name).items():
            for form in (base, *forms):
                bases_of.setdefault(form, set()).add(base)
    bases_of |= {form: {base} for base, forms in _IRREGULAR_FORMS.items() for form in forms}
    return {form: frozenset(bases) for form, bases in bases_of.items()}


@lru_cache(maxsize=50_000)
def lemmas(word: str) -> frozenset[str]:
    """The possible base forms of a word: those of the word lists, or else those that its ending allows."""
    listed = _base_forms().get(word)
    if listed:
        return listed
    bases = {word}
    for ending, replacement in _ENDINGS:
        if word.endswith(ending) and len(word) > len(ending) + 2:
            bases.add(word[: -len(ending)] + replacement)
    return frozenset(bases)
