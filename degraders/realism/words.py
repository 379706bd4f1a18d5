"""Words as the naming of fixes sees them: small words, base forms, and the pairs that people confuse."""

from __future__ import annotations

import re
from functools import lru_cache

from rapidfuzz.distance import OSA

from degraders.lexicon import mapping

WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")


# ---------------------------------------------------------------------------------------------------------------------
# What

SMALL = frozenset(
    "a an the of in to for with on at from by about as into like through after over between out against during without"
    " before under within via upon onto per is are was were be been being has have had do does did will would can could"
    " should may might must shall i you he she it we they me them us this that these those who which what your my his"
    " her its our their there here and or but nor so yet if then than because while when where although whether not no"
    " also only just both either each any all some such more most".split()
)
ARTICLES = frozenset(("a", "an", "the"))
PREPOSITIONS = frozenset(
    "of in to for with on at from by about as into like through after over between out during without before under"
    " within via upon onto per off up down".split()
)
AUXILIARIES = frozenset(
    "is are was were be been being has have had do does did will would can could should may might must".split()
)


def normalise(word: str) -> str:
    return word.lower().replace("’", "'")


def letters(text: str) -> str:
    return "".join(char for char in text.lower() if char.isalnum())


def similarity(one: str, other: str) -> float:
    """How alike two words are, 0 to 1."""
    return 1 - OSA.distance(one.lower(), other.lower()) / max(len(one), len(other), 1)


CONFUSED_PAIRS = {
    frozenset((good, bad)) for good, forms in mapping("confusables").items() for bad in forms if " " not in good + bad
}
SPELLING_VARIANTS = {frozenset((good, bad)) for good, forms in mapping("us_gb").items() for bad in forms}


@lru_cache(maxsize=1)
def listed_words() -> frozenset[str]:
    """Every word of the lists that is spelt right."""
    lists = [mapping(name) for name in ("verbs", "nouns", "us_gb", "confusables", "synonyms", "wordy", "opposites")]
    found = {word.lower() for entries in lists for good in entries for word in good.split()}
    found |= {word for name in ("verbs", "nouns") for forms in mapping(name).values() for word in forms}
    return frozenset(found | set(mapping("misspellings")))


@lru_cache(maxsize=1)
def _lemma_table() -> dict[str, frozenset[str]]:
    found: dict[str, set[str]] = {}
    for name in ("verbs", "nouns"):
        for base, forms in mapping(name).items():
            for form in (base, *forms):
                found.setdefault(form, set()).add(base)
    irregular = {"be": _AM, "have": ("has", "have", "had", "having"), "do": ("does", "do", "did", "done", "doing")}
    for base, forms in {**irregular, "this": ("this", "these"), "that": ("that", "those")}.items():
        for form in forms:
            found[form] = {base}
    return {form: frozenset(bases) for form, bases in found.items()}


_AM = ("is", "are", "was", "were", "be", "been", "being", "am", "isn't", "aren't")


@lru_cache(maxsize=50_000)
def lemmas(word: str) -> frozenset[str]:
    """The base forms that a word may be of: by the lists, else by its ending."""
    listed = _lemma_table().get(word)
    if listed:
        return listed
    bases = {word}
    for ending, instead in (
        ("ies", "y"),
        ("es", ""),
        ("s", ""),
        ("ied", "y"),
        ("ed", ""),
        ("ed", "e"),
        ("ing", ""),
        ("ing", "e"),
    ):
        if word.endswith(ending) and len(word) > len(ending) + 2:
            bases.add(word[: -len(ending)] + instead)
    return frozenset(bases)


def plain_words(text: str) -> frozenset[str]:
    """The different words of a text, in lower case, apostrophes straight."""
    return frozenset(normalise(word) for word in WORD.findall(text))
