"""Style, word by word: wordy, hedged, vague, shortened and chatty wording, and terms that drift."""

from __future__ import annotations

import re

from degraders import lexicon
from degraders.draw import Draw
from degraders.edits import Edit
from degraders.registry import Fault, Place, degrader, either, pattern, words
from degraders.rules.vocabulary import BASE_VERBS, BE_FORMS, DETERMINERS, MODALS, NUMBERS, SINGULAR_NOUNS
from degraders.rules.wording import (
    CODE,
    COMMA,
    STOP,
    Found,
    fits,
    left_of,
    occurs_elsewhere,
    replaced,
    right_of,
    wordings,
)
from degraders.text.document import Unit


def _one_of(bad: tuple[str, ...], draw: Draw) -> str:
    """One of an entry's wordings, the first ones likelier."""
    return bad[min(draw.below(len(bad)), draw.below(len(bad)))]


# Wordy

_WORDY_TAGS = lexicon.tags("negations") | lexicon.tags("wordy")
_WORDY = lexicon.mapping("negations") | lexicon.mapping("wordy")
_MEANS = re.compile(r"\b(?:use|uses|using|used|run|call|add|edit|open|create|pass|enable|required|necessary)\b", re.I)
_TAIL_WORDS = ("together", "back", "down", "again", "out", "up")


@degrader(
    "style.wordy",
    where=wordings(_WORDY, _WORDY_TAGS),
    does="inflates a plain wording (to → in order to, use → utilize, common → not uncommon)",
    example=("You can use the tool on a common system.", "You can utilize the tool on a common system."),
    recoverable="B",
    severity=2,
    weight=3.0,
)
def wordy(place: Place, draw: Draw) -> Fault | None:
    found: Found = place.data
    bad = _one_of(found.bad, draw)
    if not _reads_well(place.unit, found, bad):
        return None
    edit = replaced(place, found.start, found.end, bad)
    return Fault((edit,)) if edit else None


def _reads_well(unit: Unit, found: Found, bad: str) -> bool:
    """What the tag does not say: whether the inflated wording is still English there."""
    long = " " in bad
    if found.good.startswith("used"):
        return found.left in BE_FORMS
    if found.tag == "inf":
        head = unit.doc.prose[max(unit.start, found.start - 80) : found.start]
        of_purpose = found.left == STOP or (
            (found.left in SINGULAR_NOUNS or found.left == CODE) and bool(_MEANS.search(head.rpartition(". ")[2]))
        )
        return found.right in BASE_VERBS and of_purpose
    if found.tag == "adv" and long:
        return found.right == STOP or (found.left == STOP and found.right == COMMA)
    if found.tag == "verb-ed" and long:
        return found.left not in BE_FORMS or bad.split()[-1] in _TAIL_WORDS
    return True


# Hedges

_ADJECTIVES = lexicon.word_set("adjectives", "gradable")
_OPENERS = lexicon.word_set("function_words", "opener")
_BEFORE_VERBS = frozenset({*MODALS, "to", "you", "we", "then"})
_MEANINGFUL = lexicon.word_set("adverbs", "meaningful")
_FILLERS = tuple(phrase for phrase in lexicon.phrases("hedges", "before-verb") if phrase not in _MEANINGFUL)
_BEFORE_IMPERATIVES = ("Just", "Simply", "Just", "Simply", "Then simply", "Now just", "Basically, just", "Easily")
_HEDGES = tuple(
    phrase for phrase in lexicon.phrases("hedges", "sentence-start") if phrase.lower().strip(",") not in _MEANINGFUL
)
_COMMON_HEDGES = _HEDGES[:14]
_INTENSIFIERS = lexicon.phrases("hedges", "before-adjective")


@degrader(
    "style.hedge",
    where=words(_OPENERS | _BEFORE_VERBS | _ADJECTIVES | {verb.capitalize() for verb in BASE_VERBS}, exact=True),
    does="adds a filler or a hedge (just, simply, obviously, please note that)",
    example=("You can install the package.", "You can just install the package."),
    recoverable="A",
    severity=1,
    weight=1.5,
)
def hedge(place: Place, draw: Draw) -> Fault | None:
    mask, word = place.unit.doc.prose, place.text
    left, right = left_of(mask, place.start), right_of(mask, place.end)
    if left == STOP and word[0].isupper():
        return _hedged_sentence(place, right, draw)
    if word in _ADJECTIVES:
        after = left in BE_FORMS or (left in {"a", "the"} and right in SINGULAR_NOUNS)
        return _inserted(place.start, draw.choice(_INTENSIFIERS) + " ", left == "a") if after else None
    if word.lower() in _BEFORE_VERBS and right in BASE_VERBS and left not in {"how", "want", "let", "used"}:
        return _inserted(place.end, " " + _filler(draw), word == "to" and draw.chance(0.7))
    return None


def _filler(draw: Draw) -> str:
    return draw.choice(("just", "simply")) if draw.chance(0.5) else draw.choice(_FILLERS)


def _inserted(at: int, text: str, refused: bool) -> Fault | None:
    return None if refused else Fault((Edit(at, at, text),))


def _hedged_sentence(place: Place, right: str, draw: Draw) -> Fault | None:
    """An imperative gets a filler before its verb, another sentence an opening that says nothing."""
    if place.text.lower() in BASE_VERBS:
        if not fits("verb-base", place.text, STOP, right):
            return None
        text = f"{draw.choice(_BEFORE_IMPERATIVES)} {place.text.lower()}"
    elif place.text in _OPENERS and right not in (STOP, COMMA, "", "example", "instance"):
        if place.unit.doc.body[place.start] != place.text[0] or not _is_long(place):
            return None
        hedge_ = draw.choice(_COMMON_HEDGES if draw.chance(0.5) else _HEDGES)
        text = f"{hedge_} {lexicon.lower_first(place.text)}"
    else:
        return None
    return Fault((Edit(place.start, place.end, text),))


_LONG_SENTENCE = re.compile(r"(?:[\w'’,\x00-]+\s+){5}[^.?:\x01]*\.")


def _is_long(place: Place) -> bool:
    """Whether at least five words follow in the sentence, and it is none that asks or ends in a list."""
    return _LONG_SENTENCE.match(place.unit.doc.body, place.start, place.start + 300) is not None


# Vague

_VAGUE_ENTRIES = lexicon.mapping("vague")
_VAGUE_TAGS = lexicon.tags("vague")
_VAGUE_WORDS = {good: bad for good, bad in _VAGUE_ENTRIES.items() if "NUMBER" not in good}
_NOT_BEFORE_SOME = DETERMINERS | {"", STOP, COMMA, "least", "most", "than", "to", "between"}
_COUNTED = re.compile(r"\w+\s([a-z]+s|[KMG]B|percent)\b")


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
    found = place.data if isinstance(place.data, Found) else _numbered(place)
    edit = replaced(place, found.start, found.end, _one_of(found.bad, draw)) if found else None
    if not found or not edit:
        return None
    if found.tag == "modal":
        return Fault((edit,), recoverable="D")
    evidence = occurs_elsewhere(place.unit, _what_tells(place, found), edit.start, edit.end)
    return Fault((edit,), evidence=evidence) if evidence else Fault((edit,), recoverable="D")


def _numbered(place: Place) -> Found | None:
    """A number with what it counts: minutes and megabytes go with it, other things stay."""
    mask = place.unit.doc.prose
    match = _COUNTED.match(mask, place.start)
    if not match or left_of(mask, place.start) in _NOT_BEFORE_SOME:
        return None
    good, end = f"NUMBER {match[1]}", match.end()
    if good not in _VAGUE_ENTRIES:
        good, end = "NUMBER", place.end
    return Found(place.start, end, good, _VAGUE_ENTRIES[good], "number", "", match[1])


def _what_tells(place: Place, found: Found) -> str:
    """What must stand elsewhere for the repair to be told: the name itself, or another word with what it goes with."""
    said = place.unit.doc.text[found.start : found.end]
    if found.tag.startswith(("noun", "verb")):
        return said
    return said if found.right in said else f"{said} {found.right}"


# Abbreviations

_UNLIKELY = frozenset({"you", "your", "before", "at", "function", "default"})
_SHORT = {
    good: shown
    for good, bad in lexicon.mapping("abbreviations").items()
    if (shown := tuple(form for form in bad if len(form) > 1 and form[0].isalnum())) and good not in _UNLIKELY
}
_ACRONYMS = lexicon.mapping("acronyms")
_SHORT_VERBS = frozenset({"calculate", "initialize", "synchronize"})


@degrader(
    "style.abbreviation",
    where=wordings(_ACRONYMS | _SHORT),
    does="shortens a word (configuration → config), or uses an acronym that nothing spells out",
    example=("Open the configuration.", "Open the config."),
    recoverable="A",
    severity=2,
    weight=0.8,
)
def abbreviation(place: Place, draw: Draw) -> Fault | None:
    found: Found = place.data
    bad = _one_of(found.bad, draw)
    if found.good in _ACRONYMS:
        return _unexplained(place, found, bad)
    if found.good not in _SHORT_VERBS and fits("verb-base", found.good, found.left, found.right):
        return None
    if found.right in (STOP, COMMA) and (bad.endswith(".") or bad.startswith("w/")):
        return None
    edit = replaced(place, found.start, found.end, bad)
    return Fault((edit,)) if edit else None


def _unexplained(place: Place, found: Found, acronym: str) -> Fault | None:
    """The acronym alone, without the name that spelled it out, or the name that the acronym followed."""
    text = place.unit.doc.text
    follows = f" ({acronym})"
    end = found.end + len(follows) if text.startswith(follows, found.end) else found.end
    edit = replaced(place, found.start, end, acronym)
    return Fault((edit,), recoverable="B") if edit else None


# Terms

_BRITISH = lexicon.mapping("us_gb")
_AMERICAN = {form: (good,) for good, bad in _BRITISH.items() for form in bad}


@degrader(
    "style.term_drift",
    where=either(
        wordings(lexicon.mapping("synonyms"), lexicon.tags("synonyms"), times=3),
        words(_BRITISH.keys() | _AMERICAN.keys()),
    ),
    does="calls one thing by another name, or mixes US and UK spelling",
    example=(
        "Open the folder. Copy the folder. Then delete the folder.",
        "Open the folder. Copy the folder. Then delete the directory.",
    ),
    recoverable="C",
    severity=2,
    weight=0.6,
)
def term_drift(place: Place, draw: Draw) -> Fault | None:
    found = place.data
    if not isinstance(found, Found):
        return _other_spelling(place)
    unit, name = place.unit, _one_of(found.bad, draw)
    edit = replaced(place, found.start, found.end, name)
    if not edit or not unit.vocabulary.isdisjoint(name.lower().split()):
        return None
    evidence = occurs_elsewhere(unit, found.good, edit.start, edit.end)
    return Fault((edit,), evidence=evidence) if evidence else None


def _other_spelling(place: Place) -> Fault | None:
    """The word as the other side of the Atlantic spells it, where the unit shows which side it is on."""
    word, unit = place.text.lower(), place.unit
    side, other = (_BRITISH, _AMERICAN) if word in _BRITISH else (_AMERICAN, _BRITISH)
    if unit.vocabulary & other.keys():
        return None
    edit = replaced(place, place.start, place.end, side[word][0])
    kin = sorted(unit.vocabulary & side.keys(), key=lambda known: (known != word, known))
    for known in kin if edit else ():
        evidence = occurs_elsewhere(unit, known, place.start, place.end)
        if evidence and edit:
            return Fault((edit,), evidence=evidence)
    return None


# Chatty

_CHAT = {
    good: tuple(form.strip() for form in bad.split(","))
    for good, _, bad in (entry.partition(": ") for entry in lexicon.phrases("chatty", "replace"))
}
_CHAT_TAGS = {good: "verb-base" if good in BASE_VERBS else "noun" if good in SINGULAR_NOUNS else "" for good in _CHAT}
_GREETINGS = lexicon.phrases("chatty", "sentence-start")
_CHEERS = tuple(phrase for phrase in lexicon.phrases("chatty", "sentence-end") if phrase.strip("!"))


@degrader(
    "style.chatty",
    where=either(
        wordings(_CHAT, _CHAT_TAGS), pattern(r"\.(?<=[a-z)\x00]\.)(?=\s|\x01|\Z)"), words(_OPENERS, exact=True)
    ),
    does="adds small talk, exclamation marks or emoji, or says it in slang",
    example=("You are going to like it.", "You are gonna like it."),
    recoverable="A",
    severity=1,
    weight=0.4,
)
def chatty(place: Place, draw: Draw) -> Fault | None:
    found = place.data
    if isinstance(found, int):
        return _greeted(place, draw)
    if not isinstance(found, Found):
        ending = draw.weighted_choice(("!", "!!", "!!!", f". {draw.choice(_CHEERS)}"), (2, 5, 6, 12))
        return Fault((Edit(place.start, place.end, ending),))
    if found.left in ("very", "so", "more", "most", "not"):
        return None
    edit = replaced(place, found.start, found.end, _one_of(found.bad, draw))
    return Fault((edit,)) if edit else None


def _greeted(place: Place, draw: Draw) -> Fault | None:
    if left_of(place.unit.doc.body, place.start) != STOP or not _is_long(place):
        return None
    greeting = draw.choice(_GREETINGS)
    word = place.text if greeting[-1] in ".!?:" else lexicon.lower_first(place.text)
    return Fault((Edit(place.start, place.end, f"{greeting} {word}"),))
