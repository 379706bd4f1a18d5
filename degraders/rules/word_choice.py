"""Style: the wrong word, a word lost or left over, a phrase said worse, as real fixes show more than inflation."""

from __future__ import annotations

import re

from degraders.draw import Draw
from degraders.edits import Edit
from degraders.lexicon import mapping, phrases, tags, word_set
from degraders.registry import Fault, Place, Subtype, pattern, register_degrader, words
from degraders.rules.context import At, rule_subtype
from degraders.rules.vocabulary import (
    AUXILIARIES,
    BASE_OF_ING,
    BASE_OF_PARTICIPLE,
    BASE_OF_THIRD,
    BASE_VERBS,
    BE_FORMS,
    FORMS_OF,
    FUNCTION_WORDS,
    NOUNS,
    OBJECT_STARTS,
    PREPOSITIONS,
)
from degraders.rules.wording import Found, occurs_elsewhere, replaced, wordings

# Another word


def _near(place: Place, draw: Draw) -> Fault | None:
    """`directory` → `folder`, `set` → `configure`: told where the right word stands elsewhere, else by the sense."""
    found: Found = place.data
    edit = replaced(place, found.start, found.end, draw.choice(found.bad))
    if not edit:
        return None
    evidence = occurs_elsewhere(place.unit, found.good, edit.start, edit.end)
    return Fault((edit,), recoverable="C", evidence=evidence) if evidence else Fault((edit,), recoverable="B")


_RELATED = {good: bad for good, bad in mapping("related_words").items() if " " not in good}


def _related(at: At, draw: Draw) -> Fault | None:
    """`function` → `method`, `file` → `field`: of the same field, not the same thing."""
    if not at.text().islower() or draw.chance(0.5):
        return None
    unit, start, end = at.unit, at.start(), at.end()
    evidence = occurs_elsewhere(unit, at.word, start, end)
    fault = at.becomes(draw.choice(_RELATED[at.word]))
    return Fault(fault.edits, "C" if evidence else "B", evidence)


# A word lost, a word too much

_ADVERBS = word_set("adverbs", "droppable")
_QUALIFIERS = word_set("adjectives", "qualifier")


def _modifier_lost(at: At, draw: Draw) -> Fault | None:
    """`crate types` → `types`: the first of two nouns; told where it stands before the second elsewhere."""
    if at.right not in NOUNS or not at.text().islower() or at.left not in OBJECT_STARTS | PREPOSITIONS | AUXILIARIES:
        return None
    evidence = occurs_elsewhere(at.unit, f"{at.word} {at.right}", at.start(), at.end(1))
    fault = at.dropped() if at.left not in ("a", "an") else None
    return fault and Fault(fault.edits, "C" if evidence else "D", evidence)


def _head_lost(at: At, draw: Draw) -> Fault | None:
    """`place expression context` → `place expression`: the last of two nouns."""
    if at.left not in NOUNS or at.right not in _AFTER_HEAD or not at.text().islower() or draw.chance(0.4):
        return None
    evidence = occurs_elsewhere(at.unit, f"{at.left} {at.word}", at.start(-1), at.end())
    return Fault((Edit(at.end(-1), at.end(), ""),), "C" if evidence else "D", evidence)


_AFTER_HEAD = BE_FORMS | AUXILIARIES | PREPOSITIONS | {"and", "or", "that", "which"}


def _adverb_lost(at: At, draw: Draw) -> Fault | None:
    return at.dropped() if at.left and at.right and at.text().islower() else None


def _qualifier_lost(at: At, draw: Draw) -> Fault | None:
    """`the following values` → `the values`."""
    sure = at.left in OBJECT_STARTS and at.left not in ("a", "an") and at.right in NOUNS and at.text().islower()
    return at.dropped() if sure else None


_EXTRA = phrases("extra_words", "before-verb")
_EXTRA_NOUN = phrases("extra_words", "before-noun")
_EXTRA_END = phrases("extra_words", "sentence-end")
_EXTRA_START = phrases("extra_words", "sentence-start")


def _verb_padded(at: At, draw: Draw) -> Fault | None:
    """`instead get` → `instead simply get`."""
    if at.right not in BASE_VERBS or at.left in ("how", "want") or (at.word == "to" and draw.chance(0.8)):
        return None
    return at.step(1).preceded_by(draw.choice(_EXTRA)) if at.text(1).islower() else None


def _noun_padded(at: At, draw: Draw) -> Fault | None:
    """`the options` → `the various options`."""
    sure = at.right in NOUNS and at.text(1).islower() and at.word not in ("a", "an") and not draw.chance(0.4)
    return at.step(1).preceded_by(draw.choice(_EXTRA_NOUN)) if sure else None


def _end_padded(place: Place, draw: Draw) -> Fault | None:
    """`you can run it.` → `you can run it as well.`"""
    return Fault((Edit(place.start, place.start, " " + draw.choice(_EXTRA_END)),))


def _start_padded(place: Place, draw: Draw) -> Fault | None:
    """`The folder …` → `Note that the folder …`, `Both …` → `First of all, both …`."""
    opening = draw.choice(_EXTRA_START)
    return Fault((Edit(place.start, place.end, f"{opening} {place.text[0].lower()}{place.text[1:]}"),))


_START = re.compile(
    r"(?:(?<=\x01)|(?<=[.!?] ))(?:The|This|These|It|You|We|If|A|An|In|To|When|Both|For|All|There)\b(?= [a-z\x00])"
)

register_degrader(
    "style.word_choice",
    Subtype("synonym", 4, wordings(mapping("synonyms"), tags("synonyms")), _near),
    rule_subtype("related", 5, _RELATED, _related),
    rule_subtype("modifier_lost", 3, NOUNS - FUNCTION_WORDS, _modifier_lost),
    rule_subtype("head_lost", 3, NOUNS - FUNCTION_WORDS, _head_lost),
    rule_subtype("adverb_lost", 2, _ADVERBS, _adverb_lost),
    rule_subtype("qualifier_lost", 2, _QUALIFIERS, _qualifier_lost),
    rule_subtype(
        "verb_padded", 2, AUXILIARIES | {"to", "you", "we", "they", "it", "which", "that"}, _verb_padded, class_="A"
    ),
    rule_subtype("noun_padded", 2, OBJECT_STARTS | PREPOSITIONS, _noun_padded, class_="A"),
    Subtype("end_padded", 1, pattern(r"(?<=[a-z\x00])(?=\.(?:\s|\x01|\Z))"), _end_padded, "A"),
    Subtype("start_padded", 1, pattern(_START.pattern), _start_padded, "A"),
    does="a word that is near the right one, a word lost, or a word too much",
    example=("Call the function. The function returns.", "Call the method. The function returns."),
    recoverable="B",
    severity=2,
    weight=4,
)

# A phrase said in other words

_REWORDINGS = mapping("rewordings")
_REWORDING_TAGS = tags("rewordings")
_TURNED = {
    bad: (good,)
    for good, forms in {**_REWORDINGS, **mapping("plain_rewordings")}.items()
    for bad in forms
    if " " in bad and bad not in _REWORDINGS
}


def _reworded(place: Place, draw: Draw) -> Fault | None:
    found: Found = place.data
    edit = replaced(place, found.start, found.end, draw.choice(found.bad))
    return Fault((edit,)) if edit else None


def _of_phrase(place: Place, draw: Draw) -> Fault | None:
    """`the size of the array` → `the array size`."""
    first, second = place.data[1], place.data[2]
    if first not in NOUNS or second not in NOUNS or "\n" in place.text:
        return None
    return Fault((Edit(place.start, place.end, f"the {second} {first}"),))


def _compound(at: At, draw: Draw) -> Fault | None:
    """`the array size` → `the size of the array`."""
    if at.right not in NOUNS or at[2] not in NOUNS or at[3] in NOUNS or not at[3]:
        return None
    if "\n" in at.unit.doc.text[at.start() : at.end(2)]:
        return None
    the = at.text()
    return Fault((Edit(at.start(), at.end(2), f"{the} {at.text(2)} of the {at.text(1)}"),))


def _relative_shortened(at: At, draw: Draw) -> Fault | None:
    """`a term that originates` → `a term originating`, `which is used` → `used`."""
    if at.right in BE_FORMS and at[2] in BASE_OF_PARTICIPLE | BASE_OF_ING:
        return Fault((Edit(at.start(), at.start(2), ""),))
    base = BASE_OF_THIRD.get(at.right)
    if not base or at.left not in NOUNS:
        return None
    return Fault((Edit(at.start(), at.end(1), FORMS_OF[base].ing),))


def _relative_drawn_out(at: At, draw: Draw) -> Fault | None:
    """`files stored in` → `files that are stored in`, `a term meaning` → `a term that means`."""
    if at.left not in NOUNS or not at.right:
        return None
    many = at.left.endswith("s") and not at.left.endswith("ss")
    if at.word in BASE_OF_PARTICIPLE and at.right in PREPOSITIONS:
        relative = draw.choice(("that", "which"))
        return at.preceded_by(f"{relative} {'are' if many else 'is'}")
    if at.word in BASE_OF_ING and at.right in OBJECT_STARTS:
        base = BASE_OF_ING[at.word]
        return at.becomes(f"that {base if many else FORMS_OF[base].third}")
    return None


def _purpose(place: Place, draw: Draw) -> Fault | None:
    """`To install it, run` → `If you want to install it, run`, and the reverse."""
    openings = ("If you want to", "In order to", "If you need to", "If you would like to", "When you want to")
    wrong = draw.choice(openings) if place.text == "To" else "To"
    return Fault((Edit(place.start, place.end, wrong),)) if "\n" not in place.text else None


_PARTED = {
    ". However, ": (", but ",), ". This ": (", which ", ", and this "), ". It ": (" and it ", ", it "),
    ", so ": (". So ", " and "),
    ", which ": (". This ", " and "), ", but ": (". However, ", ", however "), ". Then ": (" and then ", ", then "),
    ". The ": (" and the ", ", and the ", "; the "), ", and ": (". And ", " and "), ". You ": (" and you ", ", you "),
    ". For ": (", for ", " (for "), ". If ": (", if ", ". So if "), ", because ": (". This is because ", " since "),
    ". These ": (", which ", " and these "), ", where ": (". Here ", " in which "), ". In ": (", in ", " and in "),
}  # fmt: skip


def _sentences_joined(place: Place, draw: Draw) -> Fault | None:
    """`… one. However, this` → `… one, but this`."""
    return Fault((Edit(place.start, place.end, draw.choice(_PARTED[place.text])),))


_RUN = 11


def _rewritten(place: Place, draw: Draw) -> Fault | None:
    """Half a sentence rewritten in a hurry: of a run of words some changed for near ones, adverbs and the like gone."""
    found, first = place.unit.words, place.data
    last = first
    while last - first < _RUN and found.adjacent[last]:
        last += 1
    length = last - first + 1
    if length < 4 or found.texts[first][0].isupper():
        return None
    text, start = place.unit.doc.text, found.starts[first]
    pieces: list[str] = []
    changed, at = 0, start
    for index in range(first, last + 1):
        word = found.texts[index]
        gap = text[at : found.starts[index]]
        at = found.starts[index] + len(word)
        new = _another_wording(word, draw)
        changed += new != word
        if new:
            pieces += gap if pieces else "", new
    bad = "".join(pieces)
    if changed < max(2, length // 3) or not bad.strip():
        return None
    return Fault((Edit(start, at, bad),))


def _another_wording(word: str, draw: Draw) -> str:
    """What a word becomes where its sentence is rewritten; empty if it goes."""
    lower = word.lower()
    if lower != word:
        return word
    if lower in _NEAR_SMALL:
        return draw.choice(_NEAR_SMALL[lower]) if draw.chance(0.4) else word
    if lower in _RELATED:
        return draw.choice(_RELATED[lower]) if draw.chance(0.6) else word
    if lower in _ADVERBS or lower in _QUALIFIERS:
        return "" if draw.chance(0.6) else word
    return word


_NEAR_SMALL = mapping("small_words", "near")
_PARTS = "|".join(re.escape(part) for part in _PARTED)

register_degrader(
    "style.rewording",
    Subtype("other", 5, wordings(_REWORDINGS, _REWORDING_TAGS), _reworded),
    Subtype("turned", 3, wordings(_TURNED), _reworded),
    Subtype("plain", 5, wordings(mapping("plain_rewordings"), tags("plain_rewordings")), _reworded),
    Subtype("of_phrase", 2, pattern(r"\bthe ([a-z]+) of the ([a-z]+)(?=[ ,.;:)\x01])"), _of_phrase),
    rule_subtype("compound", 2, {"the", "this"}, _compound),
    rule_subtype("relative_short", 2, {"that", "which"}, _relative_shortened),
    rule_subtype("relative_long", 2, BASE_OF_PARTICIPLE.keys() | BASE_OF_ING.keys(), _relative_drawn_out),
    Subtype(
        "purpose",
        1,
        pattern(r"(?:(?<=[\x01])|(?<=\. ))(?:If you want to|In order to|If you need to|To)(?= [a-z])"),
        _purpose,
    ),
    Subtype("rewritten", 4, words(NOUNS | BASE_VERBS | FUNCTION_WORDS), _rewritten),
    Subtype("joined", 3, pattern(rf"(?<=[a-z)\x00])(?:{_PARTS})(?=[a-z\x00])"), _sentences_joined),
    does="says a phrase in other, no better words, or joins what stood apart",
    example=("There are a number of settings.", "There are several settings."),
    recoverable="B",
    severity=1,
    weight=4,
)
