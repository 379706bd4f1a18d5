"""The word lists of `degraders/data/words`, and the case of words put into a text.

Each list is a text file that begins with comments: its content, its origin and its licence. An entry is
`good: bad, bad ; tag` (in a mapping) or `phrase ; tag` (in a plain list); the tag is optional.
"""

from __future__ import annotations

from functools import cache, lru_cache
from importlib.resources import files


@lru_cache(maxsize=4)
def _entries(name: str) -> tuple[tuple[str, str], ...]:
    """The entries of a list with their tags, in the order of the file."""
    lines = (files("degraders") / "data" / "words" / f"{name}.txt").read_text(encoding="utf-8").splitlines()
    split = (line.partition(" ; ") for line in lines if line.strip() and not line.startswith("#"))
    return tuple((entry.strip(), tag.strip()) for entry, _, tag in split)


def _entries_with(name: str, tag: str | None) -> list[tuple[str, str]]:
    """The entries of a list that carry a tag; all of them if the tag is None."""
    entries = [entry for entry in _entries(name) if tag is None or tag == entry[1]]
    if not entries:
        raise ValueError(f"{name}.txt has no entry with the tag {tag!r}")
    return entries


@cache
def mapping(name: str, tag: str | None = None) -> dict[str, tuple[str, ...]]:
    """A mapping from good forms to their bad forms, likeliest first; with a tag, only the entries of that tag."""
    pairs = (entry.partition(": ") for entry, _ in _entries_with(name, tag))
    return {good: tuple(form.strip() for form in bad.split(",")) for good, _, bad in pairs}


@cache
def tags(name: str) -> dict[str, str]:
    """The tags of a mapping, by good form."""
    return {entry.partition(": ")[0]: tag for entry, tag in _entries(name)}


@cache
def phrases(name: str, tag: str | None = None) -> tuple[str, ...]:
    """A plain list, in the order of the file; with a tag, only the entries of that tag."""
    return tuple(entry for entry, _ in _entries_with(name, tag))


@cache
def word_set(name: str, tag: str | None = None) -> frozenset[str]:
    """A plain list as a set; with a tag, only the entries of that tag. A word can have several tags."""
    return frozenset(phrases(name, tag))


def match_case(word: str, model: str) -> str:
    """The word in the model's case: `match_case("teh", "The")` is `Teh`; a mixed-case word stays as it is."""
    if model.isupper() and len(model) > 1:
        return word.upper()
    if model[:1].isupper() and word[:1].islower():
        return word[0].upper() + word[1:]
    return word


def lower_first(word: str) -> str:
    """A sentence's first word as it is written inside a sentence: `Use` becomes `use`, `API` and `I` stay."""
    return word if word[1:] != word[1:].lower() or word == "I" else word.lower()
