"""Style: a missing or superfluous word, and a phrase in worse words.

Real corrections of documentation show these errors more often than inflated wording.
"""

from __future__ import annotations

import re

from degraders.draw import Draw
from degraders.edits import Edit
from degraders.lexicon import mapping, tags
from degraders.registry import Fault, Place, Subtype, pattern, register_degrader
from degraders.rules.context import Word, rule_subtype
from degraders.rules.vocabulary import (
    AUXILIARIES,
    BASE_OF_ING,
    BASE_OF_PARTICIPLE,
    BASE_OF_THIRD,
    BE_FORMS,
    FORMS_OF,
    FUNCTION_WORDS,
    NOUNS,
    OBJECT_STARTS,
    PREPOSITIONS,
)
from degraders.rules.wording import WordingMatch, replacement_edit, wordings

# A missing word, a superfluous word

_POINTS_BACK = {"the", "this", "that", "these", "those", "each", "every"}
"""Words before a noun for something that the text has named already."""
_AFTER_HEAD = BE_FORMS | AUXILIARIES | PREPOSITIONS | {"and", "or", "that", "which"}


def _drop_modifier(word: Word, draw: Draw) -> Fault | None:
    """`the environment variables` → `the variables`."""
    certain = word.right in NOUNS - BASE_OF_THIRD.keys() and word.text().islower() and word.left in _POINTS_BACK
    return word.drop() if certain else None


def _drop_head(word: Word, draw: Draw) -> Fault | None:
    """`a function call` → `a function`."""
    if word.left not in NOUNS or word.right not in _AFTER_HEAD or not word.text().islower():
        return None
    return Fault((Edit(word.end(-1), word.end(), ""),))


_ALSO_AGAIN = ("as well", "too")
_REST_OF_SENTENCE = re.compile(r"[^.:;?!\x01]{8,45}?[a-z\x00](?=\.(?:\s|\x01|\Z))")


def _say_twice(word: Word, draw: Draw) -> Fault | None:
    """`You can also run it.` → `You can also run it as well.`; starts at `also`."""
    rest = _REST_OF_SENTENCE.match(word.unit.doc.body, word.end(), word.unit.end)
    return Fault((Edit(rest.end(), rest.end(), f" {draw.choice(_ALSO_AGAIN)}"),)) if rest and word.left else None


register_degrader(
    "style.word_choice",
    rule_subtype("modifier_lost", 3, NOUNS - FUNCTION_WORDS, _drop_modifier, recoverable="D"),
    rule_subtype("head_lost", 3, NOUNS - FUNCTION_WORDS, _drop_head, recoverable="D"),
    rule_subtype("said_twice", 0.2, {"also"}, _say_twice),
    does="leaves out half of a compound, or says a thing twice",
    example=("You can also run the tests.", "You can also run the tests as well."),
    recoverable="B",
    severity=2,
    weight=4,
)

# A phrase in other words

_REWORDINGS = mapping("rewordings")


def _reword(place: Place, draw: Draw) -> Fault | None:
    """`however` → `on the other hand`."""
    match: WordingMatch = place.data
    edit = replacement_edit(place, match.start, match.end, draw.choice(match.bad))
    return Fault((edit,)) if edit else None


_DESCRIBING = {"containing", "representing", "holding", "describing", "showing", "indicating", "meaning"}
"""Participles that describe the noun before them, not the way in which something is done."""


def _use_relative_clause(word: Word, draw: Draw) -> Fault | None:
    """`files stored in` → `files that are stored in`, `a term meaning` → `a term that means`."""
    if word.left not in NOUNS or not word.right:
        return None
    is_plural = word.left.endswith("s") and not word.left.endswith("ss")
    if word.lower in BASE_OF_PARTICIPLE and word.right in ("by", "in", "from", "on", "with", "at"):
        relative = draw.choice(("that", "which"))
        return word.insert_before(f"{relative} {'are' if is_plural else 'is'}")
    if word.lower in _DESCRIBING and word.right in OBJECT_STARTS:
        base = BASE_OF_ING[word.lower]
        return word.replace(f"that {base if is_plural else FORMS_OF[base].third}")
    return None


_PURPOSE_OPENINGS = ("If you want to", "In order to", "If you need to", "If you would like to", "When you want to")


def _change_purpose_opening(place: Place, draw: Draw) -> Fault | None:
    """`To install it, run` → `If you want to install it, run`."""
    return Fault((Edit(place.start, place.end, draw.choice(_PURPOSE_OPENINGS)),))


_JUNCTIONS = {
    ". However, ": (", however ",), ". This ": (", which ", ", and this "), ". It ": (" and it ", ", it "),
    ", so ": (" and ",),
    ", which ": (". This ", " and "), ", but ": (", however ",), ". Then ": (" and then ", ", then "),
    ". The ": (" and the ", ", and the ", ", the "), ". You ": (" and you ", ", you "),
    ". For ": (", for ", " (for "), ". If ": (", if ",), ", because ": (". This is because ", " since "),
    ". These ": (", which ", " and these "), ", where ": (". Here ", " in which "), ". In ": (", in ", " and in "),
}  # fmt: skip
"""Junctions of two clauses or sentences, with other junctions that are worse in their place."""


def _change_junction(place: Place, draw: Draw) -> Fault | None:
    """`… one. However, this` → `… one, however this`."""
    return Fault((Edit(place.start, place.end, draw.choice(_JUNCTIONS[place.text])),))


_PLAIN_REWORDINGS = mapping("plain_rewordings")
_PHRASES = wordings(_REWORDINGS | _PLAIN_REWORDINGS, tags("rewordings") | tags("plain_rewordings"))
_BETWEEN_PHRASES = re.compile(r"[^.:;?!\n\x00\x01]{1,60}\Z")


def _reword_twice(place: Place, draw: Draw) -> Fault | None:
    """Two phrases of one sentence in other words, with the words between them."""
    first: WordingMatch = place.data
    second = _PHRASES.match_after(place.unit, first.end)
    if not second or not _BETWEEN_PHRASES.match(place.unit.doc.body, first.end, second.start):
        return None
    edits = [replacement_edit(place, match.start, match.end, draw.choice(match.bad)) for match in (first, second)]
    if not edits[0] or not edits[1]:
        return None
    between = place.unit.doc.text[edits[0].end : edits[1].start]
    return Fault((Edit(edits[0].start, edits[1].end, edits[0].text + between + edits[1].text),))


_JUNCTION = "|".join(re.escape(junction) for junction in _JUNCTIONS)
_PURPOSE_OPENING = r"(?:(?<=[\x01])|(?<=\. ))To(?= [a-z])"

register_degrader(
    "style.rewording",
    Subtype("other", 5, wordings(_REWORDINGS, tags("rewordings")), _reword),
    Subtype("plain", 5, wordings(_PLAIN_REWORDINGS, tags("plain_rewordings")), _reword),
    Subtype("twice", 5, _PHRASES, _reword_twice),
    rule_subtype("relative_long", 2, BASE_OF_PARTICIPLE.keys() | _DESCRIBING, _use_relative_clause),
    Subtype("purpose", 1, pattern(_PURPOSE_OPENING), _change_purpose_opening),
    Subtype("joined", 3, pattern(rf"(?<=[a-z)\x00])(?:{_JUNCTION})(?=[a-z\x00])"), _change_junction),
    does="says a phrase in longer words that are no better, or joins two sentences that should stay apart",
    example=("Ensure that it runs.", "See to it that it runs."),
    recoverable="B",
    severity=1,
    weight=4,
)
