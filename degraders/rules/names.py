"""Wrong names: a name misspelled, another name for the same thing, and where the right name is mentioned."""

from __future__ import annotations

import re
from difflib import SequenceMatcher
from unicodedata import decimal

from degraders.draw import Draw
from degraders.edits import Edit
from degraders.lexicon import mapping, phrases
from degraders.registry import Fault, Place
from degraders.text.document import Unit

STAND_INS = phrases("stand_ins")
RELATED_WORDS = mapping("related_words")


def misspell(word: str, draw: Draw) -> str:
    """A word of at least three letters with one of them swapped, dropped or doubled, never the first."""
    at = 1 + draw.below(len(word) - 2)
    if word[at] != word[at + 1] and draw.chance(0.5):
        return word[:at] + word[at + 1] + word[at] + word[at + 2 :]
    return word[:at] + word[at + 1 :] if draw.chance(0.6) else word[:at] + word[at] + word[at:]


def misspell_name(name: str, draw: Draw) -> str:
    """A name in code with one error: a letter dropped, doubled or swapped, or the number, the case or a mark wrong."""
    at = 2 + draw.below(len(name) - 3)
    kind = draw.below(20)
    if kind < 7:
        return name[:at] + name[at + 1 :]
    if kind < 9:
        return name[:at] + name[at] + name[at:]
    if kind < 13:
        return name[:at] + name[at + 1 : at + 2] + name[at] + name[at + 2 :]
    if kind < 16 and name[-1].isalpha() and not name.isupper():
        return name[:-1] if name[-1] == "s" else name + "s"
    if "_" in name[1:-1]:
        return name.replace("_", "", 1) if kind < 18 else name.replace("_", "-")
    if re.search(r"[a-z][A-Z]", name):
        return name[0] + name[1:].lower() if kind < 18 else name[0].swapcase() + name[1:]
    return name[:-1]


def change_part(name: str, draw: Draw) -> str | None:
    """A name with one part left out or replaced by a related word; None if that is not possible."""
    parts = [match.span() for match in re.finditer(r"[A-Z]?[a-z]+|[A-Z]+|\d+", name)]
    if not parts:
        return None
    start, end = draw.choice(parts)
    part = name[start:end]
    related = RELATED_WORDS.get(part.lower())
    if related and draw.chance(0.6):
        other = draw.choice(related)
        return name[:start] + (other.capitalize() if part[0].isupper() else other) + name[end:]
    if len(parts) > 1:
        return (name[:start].rstrip("_-") if end == len(name) else name[:start]) + name[end:].lstrip("_-")
    return None


def write_digits_as(number: str, right: str) -> str:
    """A number in the digits of the script that the right one is written in."""
    first = next((char for char in right if not char.isascii() and char.isdecimal()), None)
    if first is None:
        return number
    zero = ord(first) - decimal(first)
    return number.translate({ord("0") + digit: zero + digit for digit in range(10)})


def are_near(name: str, other: str) -> bool:
    """Whether a writer may take one name for the other because most of their letters agree."""
    matcher = SequenceMatcher(None, name, other, autojunk=False)
    return all(ratio() >= 0.6 for ratio in (matcher.real_quick_ratio, matcher.quick_ratio, matcher.ratio))


def first_mention(unit: Unit, token: str, start: int, end: int) -> tuple[int, int] | None:
    """The first range of the unit outside [start, end) that holds a token."""
    at = next((at for at in unit.find_token(token) if not start <= at < end), None)
    return None if at is None else (at, at + len(token))


def nearest_mention(unit: Unit, token: str, start: int) -> tuple[int, int] | None:
    """The range of the unit that holds a token, nearest to the one that begins at `start` and not that one itself."""
    mentions = [at for at in unit.find_token(token) if at != start]
    if not mentions:
        return None
    nearest = min(mentions, key=lambda at: abs(at - start))
    return nearest, nearest + len(token)


def replace_name(place: Place, wrong: str) -> Fault:
    """Replace the text of a place by a wrong one; class C if the unit mentions the right one elsewhere, else D."""
    edit = Edit(place.start, place.end, wrong)
    evidence = nearest_mention(place.unit, place.text, place.start)
    return Fault((edit,), recoverable="C" if evidence else "D", evidence=evidence)
