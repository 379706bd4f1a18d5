"""Style, word by word: wordy, hedged, vague, shortened and chatty wording, and terms that drift."""

from __future__ import annotations

import re

from degraders.draw import Draw
from degraders.edits import Edit
from degraders.lexicon import lower_first, mapping, phrases, tags, word_set
from degraders.registry import Fault, Place, degrader, either, pattern, words
from degraders.rules.vocabulary import BASE_VERBS, BE_FORMS, DETERMINERS, MODALS, NUMBERS, SINGULAR_NOUNS
from degraders.rules.wording import (
    CODE,
    COMMA,
    STOP,
    WordingMatch,
    find_elsewhere,
    fits,
    left_of,
    replacement_edit,
    right_of,
    wordings,
)
from degraders.text.document import Unit


def _choose(bad: tuple[str, ...], draw: Draw) -> str:
    """One of an entry's bad wordings; the first ones are likelier."""
    return bad[min(draw.below(len(bad)), draw.below(len(bad)))]


# Wordy

_WORDY_TAGS = tags("negations") | tags("wordy")
_WORDY = mapping("negations") | mapping("wordy")
_MEANS_VERB = re.compile(
    r"\b(?:use|uses|using|used|run|call|add|edit|open|create|pass|enable|required|necessary)\b", re.I
)
_PARTICLES = ("together", "back", "down", "again", "out", "up")


@degrader(
    "style.wordy",
    where=wordings(_WORDY, _WORDY_TAGS),
    does="replaces a plain wording by a long one (to → in order to, use → utilize, common → not uncommon)",
    example=("You can use the tool on a common system.", "You can utilize the tool on a common system."),
    recoverable="B",
    severity=2,
    weight=3.0,
)
def wordy(place: Place, draw: Draw) -> Fault | None:
    match: WordingMatch = place.data
    bad = _choose(match.bad, draw)
    if not _is_idiomatic(place.unit, match, bad):
        return None
    edit = replacement_edit(place, match.start, match.end, bad)
    return Fault((edit,)) if edit else None


def _is_idiomatic(unit: Unit, match: WordingMatch, bad: str) -> bool:
    """Whether the long wording is still correct English there, in cases that the tag does not decide."""
    is_phrase = " " in bad
    if match.good.startswith("used"):
        return match.left in BE_FORMS
    if match.tag == "inf":
        return match.right in BASE_VERBS and _states_purpose(unit, match)
    if match.tag == "adv" and is_phrase:
        return match.right == STOP or (match.left == STOP and match.right == COMMA)
    if match.tag == "verb-ed" and is_phrase:
        return match.left not in BE_FORMS or bad.split()[-1] in _PARTICLES
    return True


def _states_purpose(unit: Unit, match: WordingMatch) -> bool:
    """Whether an infinitive with `to` states a purpose: at the start of a sentence, or after a thing that is used."""
    if match.left == STOP:
        return True
    head = unit.doc.prose[max(unit.start, match.start - 80) : match.start]
    after_thing = match.left in SINGULAR_NOUNS or match.left == CODE
    return after_thing and bool(_MEANS_VERB.search(head.rpartition(". ")[2]))


# Hedges

_ADJECTIVES = word_set("adjectives", "gradable")
_SENTENCE_OPENERS = word_set("function_words", "opener")
_BEFORE_VERB = frozenset({*MODALS, "to", "you", "we", "then"})
_MEANINGFUL_ADVERBS = word_set("adverbs", "meaningful")
_FILLERS = tuple(phrase for phrase in phrases("hedges", "before-verb") if phrase not in _MEANINGFUL_ADVERBS)
_IMPERATIVE_FILLERS = ("Just", "Simply", "Just", "Simply", "Then simply", "Now just", "Basically, just", "Easily")
_OPENING_HEDGES = tuple(
    phrase for phrase in phrases("hedges", "sentence-start") if phrase.lower().strip(",") not in _MEANINGFUL_ADVERBS
)
_COMMON_HEDGES = _OPENING_HEDGES[:14]
_INTENSIFIERS = phrases("hedges", "before-adjective")


@degrader(
    "style.hedge",
    where=words(
        _SENTENCE_OPENERS | _BEFORE_VERB | _ADJECTIVES | {verb.capitalize() for verb in BASE_VERBS}, exact=True
    ),
    does="adds a filler or a hedge (just, simply, obviously, please note that)",
    example=("You can install the package.", "You can just install the package."),
    recoverable="B",
    severity=1,
    weight=1.5,
)
def hedge(place: Place, draw: Draw) -> Fault | None:
    mask, word = place.unit.doc.prose, place.text
    left, right = left_of(mask, place.start), right_of(mask, place.end)
    if left == STOP and word[0].isupper():
        return _hedge_sentence(place, right, draw)
    if word in _ADJECTIVES:
        is_gradable = left in BE_FORMS or (left in {"a", "the"} and right in SINGULAR_NOUNS)
        text = draw.choice(_INTENSIFIERS) + " " if is_gradable else ""
        return _insert(place.start, text) if text and left != "a" else None
    if word.lower() in _BEFORE_VERB and right in BASE_VERBS and left not in {"how", "want", "let", "used"}:
        text = " " + _choose_filler(draw)
        return _insert(place.end, text) if word != "to" or not draw.chance(0.7) else None
    return None


def _choose_filler(draw: Draw) -> str:
    return draw.choice(("just", "simply")) if draw.chance(0.5) else draw.choice(_FILLERS)


def _insert(at: int, text: str) -> Fault:
    return Fault((Edit(at, at, text),))


def _hedge_sentence(place: Place, right: str, draw: Draw) -> Fault | None:
    """Put a filler before the verb of an imperative, or a hedge before another sentence."""
    if place.text.lower() in BASE_VERBS:
        if not fits("verb-base", place.text, STOP, right):
            return None
        text = f"{draw.choice(_IMPERATIVE_FILLERS)} {place.text.lower()}"
    elif place.text in _SENTENCE_OPENERS and right not in (STOP, COMMA, "", "example", "instance"):
        if place.unit.doc.body[place.start] != place.text[0] or not _is_long_sentence(place):
            return None
        opening = draw.choice(_COMMON_HEDGES if draw.chance(0.5) else _OPENING_HEDGES)
        text = f"{opening} {lower_first(place.text)}"
    else:
        return None
    return Fault((Edit(place.start, place.end, text),))


_LONG_SENTENCE = re.compile(r"(?:[\w'’,\x00-]+\s+){5}[^.?:\x01]*\.")


def _is_long_sentence(place: Place) -> bool:
    """Whether at least five words follow in the sentence, and it ends with a full stop, not before a list."""
    return _LONG_SENTENCE.match(place.unit.doc.body, place.start, place.start + 300) is not None


# Vague

_VAGUE = mapping("vague")
_VAGUE_TAGS = tags("vague")
_VAGUE_WORDS = {good: bad for good, bad in _VAGUE.items() if "NUMBER" not in good}
_NOT_BEFORE_VAGUE_NUMBER = DETERMINERS | {"", STOP, COMMA, "least", "most", "than", "to", "between"}
_COUNTED_THING = re.compile(r"\w+\s([a-z]+s|[KMG]B|percent)\b")


@degrader(
    "style.vague",
    where=either(
        wordings(_VAGUE_WORDS, _VAGUE_TAGS),
        either(pattern(r"[0-9]\d{0,5}(?=\s[A-Za-z])", over="prose"), words(NUMBERS)),
    ),
    does="makes an exact wording vague (file → thing, 3 → some, must → might want to)",
    example=("Open the file. Save the file to disk.", "Open the file. Save the thing to disk."),
    recoverable="C",
    severity=3,
    weight=1.0,
)
def vague(place: Place, draw: Draw) -> Fault | None:
    match = place.data if isinstance(place.data, WordingMatch) else _match_number(place)
    edit = replacement_edit(place, match.start, match.end, _choose(match.bad, draw)) if match else None
    if not match or not edit:
        return None
    if match.tag == "modal":
        return Fault((edit,), recoverable="D")
    evidence = find_elsewhere(place.unit, _evidence_phrase(place, match), edit.start, edit.end)
    return Fault((edit,), evidence=evidence) if evidence else Fault((edit,), recoverable="D")


def _match_number(place: Place) -> WordingMatch | None:
    """A number with the noun after it: units such as minutes and megabytes are replaced too, other nouns stay."""
    mask = place.unit.doc.prose
    match = _COUNTED_THING.match(mask, place.start)
    if not match or left_of(mask, place.start) in _NOT_BEFORE_VAGUE_NUMBER:
        return None
    good, end = f"NUMBER {match[1]}", match.end()
    if good not in _VAGUE:
        good, end = "NUMBER", place.end
    return WordingMatch(place.start, end, good, _VAGUE[good], "number", "", match[1])


def _evidence_phrase(place: Place, match: WordingMatch) -> str:
    """The phrase that must stand elsewhere for a reader to recover the wording: it alone, or with the next word."""
    wording = place.unit.doc.text[match.start : match.end]
    if match.tag.startswith(("noun", "verb")) or match.right in wording:
        return wording
    return f"{wording} {match.right}"


# Abbreviations

_NEVER_SHORTENED = frozenset({"you", "your", "before", "at", "function", "default"})
_SHORT_FORMS = {
    good: forms
    for good, bad in mapping("abbreviations").items()
    if (forms := tuple(form for form in bad if len(form) > 1 and form[0].isalnum())) and good not in _NEVER_SHORTENED
}
_ACRONYMS = mapping("acronyms")
_SHORTENED_VERBS = frozenset({"calculate", "initialize", "synchronize"})


@degrader(
    "style.abbreviation",
    where=wordings(_ACRONYMS | _SHORT_FORMS),
    does="shortens a word (configuration → config), or uses an acronym without explaining it",
    example=("Open the configuration.", "Open the config."),
    recoverable="B",
    severity=2,
    weight=0.8,
)
def abbreviation(place: Place, draw: Draw) -> Fault | None:
    match: WordingMatch = place.data
    bad = _choose(match.bad, draw)
    if match.good in _ACRONYMS:
        return _use_acronym(place, match, bad)
    if match.good not in _SHORTENED_VERBS and fits("verb-base", match.good, match.left, match.right):
        return None
    if match.right in (STOP, COMMA) and (bad.endswith(".") or bad.startswith("w/")):
        return None
    edit = replacement_edit(place, match.start, match.end, bad)
    return Fault((edit,)) if edit else None


def _use_acronym(place: Place, match: WordingMatch, acronym: str) -> Fault | None:
    """Write the acronym in place of the full name, and in place of the full name with the acronym in brackets."""
    text = place.unit.doc.text
    in_brackets = f" ({acronym})"
    end = match.end + len(in_brackets) if text.startswith(in_brackets, match.end) else match.end
    edit = replacement_edit(place, match.start, end, acronym)
    return Fault((edit,), recoverable="B") if edit else None


# Terms

_BRITISH = mapping("us_gb")
"""The British spellings of American ones."""
_POINTS_BACK = {"the", "this", "that", "these", "those"}
"""Words before a noun for something that the text has named already, so that another name for it is an error."""
_AMERICAN = {form: (good,) for good, bad in _BRITISH.items() for form in bad}


@degrader(
    "style.term_drift",
    where=either(
        wordings(mapping("synonyms"), tags("synonyms"), times=3),
        words(_BRITISH.keys() | _AMERICAN.keys()),
    ),
    does="uses a second name for the same thing, or mixes US and UK spelling",
    example=(
        "Open the folder. Copy the folder. Then delete the folder.",
        "Open the folder. Copy the folder. Then delete the directory.",
    ),
    recoverable="C",
    severity=2,
    weight=0.6,
)
def term_drift(place: Place, draw: Draw) -> Fault | None:
    match = place.data
    if not isinstance(match, WordingMatch):
        return _use_other_spelling(place)
    unit, name = place.unit, _choose(match.bad, draw)
    edit = replacement_edit(place, match.start, match.end, name)
    if not edit or match.left not in _POINTS_BACK or not unit.vocabulary.isdisjoint(name.lower().split()):
        return None
    evidence = find_elsewhere(unit, match.good, edit.start, edit.end)
    return Fault((edit,), evidence=evidence) if evidence and evidence[0] < edit.start else None


def _use_other_spelling(place: Place) -> Fault | None:
    """The British spelling of a word in an American text, or the reverse, if another word shows which text it is."""
    word, unit = place.text.lower(), place.unit
    spelling, other = (_BRITISH, _AMERICAN) if word in _BRITISH else (_AMERICAN, _BRITISH)
    if unit.vocabulary & other.keys():
        return None
    edit = replacement_edit(place, place.start, place.end, spelling[word][0])
    if not edit:
        return None
    witnesses = sorted(unit.vocabulary & spelling.keys(), key=lambda witness: (witness != word, witness))
    for witness in witnesses:
        evidence = find_elsewhere(unit, witness, place.start, place.end)
        if evidence:
            return Fault((edit,), evidence=evidence)
    return None


# Chatty

_SLANG = mapping("chatty", "replace")
_SLANG_TAGS = {good: "verb-base" if good in BASE_VERBS else "noun" if good in SINGULAR_NOUNS else "" for good in _SLANG}
_GREETINGS = phrases("chatty", "sentence-start")
_CLOSINGS = tuple(phrase for phrase in phrases("chatty", "sentence-end") if phrase.strip("!"))


@degrader(
    "style.chatty",
    where=either(
        wordings(_SLANG, _SLANG_TAGS),
        pattern(r"\.(?<=[a-z)\x00]\.)(?=\s|\x01|\Z)"),
        words(_SENTENCE_OPENERS, exact=True),
    ),
    does="adds small talk, exclamation marks or emoji, or uses slang",
    example=("You are going to like it.", "You are gonna like it."),
    recoverable="A",
    severity=1,
    weight=0.4,
)
def chatty(place: Place, draw: Draw) -> Fault | None:
    match = place.data
    if isinstance(match, int):
        return _greet(place, draw)
    if not isinstance(match, WordingMatch):
        ending = draw.weighted_choice(("!", "!!", "!!!", f". {draw.choice(_CLOSINGS)}"), (2, 5, 6, 12))
        return Fault((Edit(place.start, place.end, ending),))
    if match.left in ("very", "so", "more", "most", "not"):
        return None
    edit = replacement_edit(place, match.start, match.end, _choose(match.bad, draw))
    return Fault((edit,)) if edit else None


def _greet(place: Place, draw: Draw) -> Fault | None:
    """Put a greeting before a sentence."""
    if left_of(place.unit.doc.body, place.start) != STOP or not _is_long_sentence(place):
        return None
    greeting = draw.choice(_GREETINGS)
    word = place.text if greeting[-1] in ".!?:" else lower_first(place.text)
    return Fault((Edit(place.start, place.end, f"{greeting} {word}"),))
