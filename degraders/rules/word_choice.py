"""Style: a wrong word, a missing or superfluous word, and a phrase in worse words.

Real corrections of documentation show these errors more often than inflated wording.
"""

from __future__ import annotations

import re

from degraders.draw import Draw
from degraders.edits import Edit
from degraders.lexicon import mapping, phrases, tags, word_set
from degraders.registry import Fault, Place, Subtype, pattern, register_degrader, words
from degraders.rules.context import Word, rule_subtype
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
from degraders.rules.wording import WordingMatch, find_elsewhere, replacement_edit, wordings

# Another word


def _use_synonym(place: Place, draw: Draw) -> Fault | None:
    """`directory` → `folder`, `set` → `configure`; class C if the good word stands elsewhere, otherwise B."""
    match: WordingMatch = place.data
    edit = replacement_edit(place, match.start, match.end, draw.choice(match.bad))
    if not edit:
        return None
    evidence = find_elsewhere(place.unit, match.good, edit.start, edit.end)
    return Fault((edit,), recoverable="C", evidence=evidence) if evidence else Fault((edit,), recoverable="B")


_RELATED_WORDS = {good: bad for good, bad in mapping("related_words").items() if " " not in good}


def _use_related_word(word: Word, draw: Draw) -> Fault | None:
    """`function` → `method`, `file` → `field`: words of the same field with another meaning."""
    if not word.text().islower() or draw.chance(0.5):
        return None
    evidence = find_elsewhere(word.unit, word.lower, word.start(), word.end())
    fault = word.replace(draw.choice(_RELATED_WORDS[word.lower]))
    return Fault(fault.edits, "C" if evidence else "B", evidence)


# A missing word, a superfluous word

_ADVERBS = word_set("adverbs", "droppable")
_QUALIFIERS = word_set("adjectives", "qualifier")
_BEFORE_NOUN_PHRASE = OBJECT_STARTS | PREPOSITIONS | AUXILIARIES
_AFTER_HEAD = BE_FORMS | AUXILIARIES | PREPOSITIONS | {"and", "or", "that", "which"}


def _drop_modifier(word: Word, draw: Draw) -> Fault | None:
    """`crate types` → `types`: the first of two nouns; class C if both nouns stand together elsewhere."""
    if word.right not in NOUNS or not word.text().islower() or word.left not in _BEFORE_NOUN_PHRASE:
        return None
    evidence = find_elsewhere(word.unit, f"{word.lower} {word.right}", word.start(), word.end(1))
    fault = word.drop() if word.left not in ("a", "an") else None
    return fault and Fault(fault.edits, "C" if evidence else "D", evidence)


def _drop_head(word: Word, draw: Draw) -> Fault | None:
    """`place expression context` → `place expression`: the last of two nouns or more."""
    if word.left not in NOUNS or word.right not in _AFTER_HEAD or not word.text().islower() or draw.chance(0.4):
        return None
    evidence = find_elsewhere(word.unit, f"{word.left} {word.lower}", word.start(-1), word.end())
    return Fault((Edit(word.end(-1), word.end(), ""),), "C" if evidence else "D", evidence)


def _drop_adverb(word: Word, draw: Draw) -> Fault | None:
    """`is automatically created` → `is created`."""
    return word.drop() if word.left and word.right and word.text().islower() else None


def _drop_qualifier(word: Word, draw: Draw) -> Fault | None:
    """`the following values` → `the values`."""
    if word.left not in OBJECT_STARTS or word.left in ("a", "an"):
        return None
    return word.drop() if word.right in NOUNS and word.text().islower() else None


_BEFORE_VERB = AUXILIARIES | {"to", "you", "we", "they", "it", "which", "that"}
_EXTRA_BEFORE_VERB = phrases("extra_words", "before-verb")
_EXTRA_BEFORE_NOUN = phrases("extra_words", "before-noun")
_EXTRA_AT_END = phrases("extra_words", "sentence-end")
_EXTRA_AT_START = phrases("extra_words", "sentence-start")


def _pad_verb(word: Word, draw: Draw) -> Fault | None:
    """`can get` → `can simply get`."""
    if word.right not in BASE_VERBS or word.left in ("how", "want") or (word.lower == "to" and draw.chance(0.8)):
        return None
    return word.step(1).insert_before(draw.choice(_EXTRA_BEFORE_VERB)) if word.text(1).islower() else None


def _pad_noun(word: Word, draw: Draw) -> Fault | None:
    """`the options` → `the various options`."""
    if word.right not in NOUNS or not word.text(1).islower() or word.lower in ("a", "an") or draw.chance(0.4):
        return None
    return word.step(1).insert_before(draw.choice(_EXTRA_BEFORE_NOUN))


def _pad_end(place: Place, draw: Draw) -> Fault | None:
    """`you can run it.` → `you can run it as well.`"""
    return Fault((Edit(place.start, place.start, " " + draw.choice(_EXTRA_AT_END)),))


def _pad_start(place: Place, draw: Draw) -> Fault | None:
    """`The folder …` → `Note that the folder …`, `Both …` → `First of all, both …`."""
    opening = draw.choice(_EXTRA_AT_START)
    return Fault((Edit(place.start, place.end, f"{opening} {place.text[0].lower()}{place.text[1:]}"),))


_SENTENCE_START = (
    r"(?:(?<=\x01)|(?<=[.!?] ))(?:The|This|These|It|You|We|If|A|An|In|To|When|Both|For|All|There)\b(?= [a-z\x00])"
)

register_degrader(
    "style.word_choice",
    Subtype("synonym", 4, wordings(mapping("synonyms"), tags("synonyms")), _use_synonym),
    rule_subtype("related", 5, _RELATED_WORDS, _use_related_word),
    rule_subtype("modifier_lost", 3, NOUNS - FUNCTION_WORDS, _drop_modifier),
    rule_subtype("head_lost", 3, NOUNS - FUNCTION_WORDS, _drop_head),
    rule_subtype("adverb_lost", 2, _ADVERBS, _drop_adverb),
    rule_subtype("qualifier_lost", 2, _QUALIFIERS, _drop_qualifier),
    rule_subtype("verb_padded", 2, _BEFORE_VERB, _pad_verb, recoverable="A"),
    rule_subtype("noun_padded", 2, OBJECT_STARTS | PREPOSITIONS, _pad_noun, recoverable="A"),
    Subtype("end_padded", 1, pattern(r"(?<=[a-z\x00])(?=\.(?:\s|\x01|\Z))"), _pad_end, "A"),
    Subtype("start_padded", 1, pattern(_SENTENCE_START), _pad_start, "A"),
    does="uses a wrong word of similar meaning, leaves a word out, or adds a superfluous one",
    example=("Call the function. The function returns.", "Call the method. The function returns."),
    recoverable="B",
    severity=2,
    weight=4,
)

# A phrase in other words

_REWORDINGS = mapping("rewordings")
_REVERSED_REWORDINGS = {
    bad: (good,)
    for good, forms in {**_REWORDINGS, **mapping("plain_rewordings")}.items()
    for bad in forms
    if " " in bad and bad not in _REWORDINGS
}


def _reword(place: Place, draw: Draw) -> Fault | None:
    """`a number of` → `several`."""
    match: WordingMatch = place.data
    edit = replacement_edit(place, match.start, match.end, draw.choice(match.bad))
    return Fault((edit,)) if edit else None


def _use_compound(place: Place, draw: Draw) -> Fault | None:
    """`the size of the array` → `the array size`."""
    first, second = place.data[1], place.data[2]
    if first not in NOUNS or second not in NOUNS or "\n" in place.text:
        return None
    return Fault((Edit(place.start, place.end, f"the {second} {first}"),))


def _use_of_phrase(word: Word, draw: Draw) -> Fault | None:
    """`the array size` → `the size of the array`."""
    if word.right not in NOUNS or word[2] not in NOUNS or word[3] in NOUNS or not word[3]:
        return None
    start, end = word.start(), word.end(2)
    if "\n" in word.unit.doc.text[start:end]:
        return None
    return Fault((Edit(start, end, f"{word.text()} {word.text(2)} of the {word.text(1)}"),))


def _shorten_relative_clause(word: Word, draw: Draw) -> Fault | None:
    """`a term that originates` → `a term originating`, `which is used` → `used`."""
    if word.right in BE_FORMS and (word[2] in BASE_OF_PARTICIPLE or word[2] in BASE_OF_ING):
        return Fault((Edit(word.start(), word.start(2), ""),))
    base = BASE_OF_THIRD.get(word.right)
    if not base or word.left not in NOUNS:
        return None
    return Fault((Edit(word.start(), word.end(1), FORMS_OF[base].ing),))


def _use_relative_clause(word: Word, draw: Draw) -> Fault | None:
    """`files stored in` → `files that are stored in`, `a term meaning` → `a term that means`."""
    if word.left not in NOUNS or not word.right:
        return None
    is_plural = word.left.endswith("s") and not word.left.endswith("ss")
    if word.lower in BASE_OF_PARTICIPLE and word.right in PREPOSITIONS:
        relative = draw.choice(("that", "which"))
        return word.insert_before(f"{relative} {'are' if is_plural else 'is'}")
    if word.lower in BASE_OF_ING and word.right in OBJECT_STARTS:
        base = BASE_OF_ING[word.lower]
        return word.replace(f"that {base if is_plural else FORMS_OF[base].third}")
    return None


_PURPOSE_OPENINGS = ("If you want to", "In order to", "If you need to", "If you would like to", "When you want to")


def _change_purpose_opening(place: Place, draw: Draw) -> Fault | None:
    """`To install it, run` → `If you want to install it, run`, or the reverse."""
    wrong = draw.choice(_PURPOSE_OPENINGS) if place.text == "To" else "To"
    return Fault((Edit(place.start, place.end, wrong),)) if "\n" not in place.text else None


_JUNCTIONS = {
    ". However, ": (", but ",), ". This ": (", which ", ", and this "), ". It ": (" and it ", ", it "),
    ", so ": (". So ", " and "),
    ", which ": (". This ", " and "), ", but ": (". However, ", ", however "), ". Then ": (" and then ", ", then "),
    ". The ": (" and the ", ", and the ", "; the "), ", and ": (". And ", " and "), ". You ": (" and you ", ", you "),
    ". For ": (", for ", " (for "), ". If ": (", if ", ". So if "), ", because ": (". This is because ", " since "),
    ". These ": (", which ", " and these "), ", where ": (". Here ", " in which "), ". In ": (", in ", " and in "),
}  # fmt: skip
"""Junctions of two clauses or sentences, with other junctions that are worse in their place."""


def _change_junction(place: Place, draw: Draw) -> Fault | None:
    """`… one. However, this` → `… one, but this`."""
    return Fault((Edit(place.start, place.end, draw.choice(_JUNCTIONS[place.text])),))


_LONGEST_REWRITE = 11
"""The largest number of words after the first one that a rewrite takes in."""


def _rewrite_words(place: Place, draw: Draw) -> Fault | None:
    """Rewrite a run of words carelessly: some become related words, some adverbs and qualifiers disappear."""
    unit_words, first = place.unit.words, place.data
    last = first
    while last - first < _LONGEST_REWRITE and unit_words.adjacent[last]:
        last += 1
    length = last - first + 1
    if length < 4 or unit_words.texts[first][0].isupper():
        return None
    text, start = place.unit.doc.text, unit_words.starts[first]
    pieces: list[str] = []
    changes, end = 0, start
    for index in range(first, last + 1):
        word = unit_words.texts[index]
        gap = text[end : unit_words.starts[index]]
        end = unit_words.starts[index] + len(word)
        new = _other_word(word, draw)
        changes += new != word
        if new:
            pieces += gap if pieces else "", new
    bad = "".join(pieces)
    if changes < max(2, length // 3) or not bad.strip():
        return None
    return Fault((Edit(start, end, bad),))


def _other_word(word: str, draw: Draw) -> str:
    """The word that a careless rewrite puts in place of a word: often the same word; empty if it drops the word."""
    lower = word.lower()
    if lower != word:
        return word
    if lower in _SIMILAR_SMALL_WORDS:
        return draw.choice(_SIMILAR_SMALL_WORDS[lower]) if draw.chance(0.4) else word
    if lower in _RELATED_WORDS:
        return draw.choice(_RELATED_WORDS[lower]) if draw.chance(0.6) else word
    if lower in _ADVERBS or lower in _QUALIFIERS:
        return "" if draw.chance(0.6) else word
    return word


_SIMILAR_SMALL_WORDS = mapping("small_words", "near")
_JUNCTION = "|".join(re.escape(junction) for junction in _JUNCTIONS)
_PURPOSE_OPENING = r"(?:(?<=[\x01])|(?<=\. ))(?:If you want to|In order to|If you need to|To)(?= [a-z])"

register_degrader(
    "style.rewording",
    Subtype("other", 5, wordings(_REWORDINGS, tags("rewordings")), _reword),
    Subtype("turned", 3, wordings(_REVERSED_REWORDINGS), _reword),
    Subtype("plain", 5, wordings(mapping("plain_rewordings"), tags("plain_rewordings")), _reword),
    Subtype("of_phrase", 2, pattern(r"\bthe ([a-z]+) of the ([a-z]+)(?=[ ,.;:)\x01])"), _use_compound),
    rule_subtype("compound", 2, {"the", "this"}, _use_of_phrase),
    rule_subtype("relative_short", 2, {"that", "which"}, _shorten_relative_clause),
    rule_subtype("relative_long", 2, BASE_OF_PARTICIPLE.keys() | BASE_OF_ING.keys(), _use_relative_clause),
    Subtype("purpose", 1, pattern(_PURPOSE_OPENING), _change_purpose_opening),
    Subtype("rewritten", 4, words(NOUNS | BASE_VERBS | FUNCTION_WORDS), _rewrite_words),
    Subtype("joined", 3, pattern(rf"(?<=[a-z)\x00])(?:{_JUNCTION})(?=[a-z\x00])"), _change_junction),
    does="says a phrase in other words that are no better, or joins two sentences that should stay apart",
    example=("There are a number of settings.", "There are several settings."),
    recoverable="B",
    severity=1,
    weight=4,
)
