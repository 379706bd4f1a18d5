"""Style, sentence by sentence: run-ons and fragments, passive, person and tense, pronouns without a clear noun."""

from __future__ import annotations

import re

from degraders.draw import Draw
from degraders.edits import Edit
from degraders.lexicon import lower_first, match_case, word_set
from degraders.registry import Fault, Place, degrader, pattern, words
from degraders.rules.vocabulary import (
    BASE_OF_THIRD,
    BASE_VERBS,
    DETERMINERS,
    FORMS_OF,
    MODALS,
    OBJECT_STARTS,
    PLURAL_NOUNS,
    SINGULAR_NOUNS,
)
from degraders.rules.wording import CODE, COMMA, STOP, fits, left_of, right_of
from degraders.text.document import BLOCK, INLINE, Unit

_BASE_OF_THIRD = BASE_OF_THIRD | {"is": "be", "has": "have"}
_ABBREVIATION = re.compile(r"(?:\be\.g|\bi\.e|\betc|\bvs|\bcf|\bapprox|\b[A-Z])$")
_SENTENCE_BORDER = re.compile(r"[.!?:](?:[\s)]|\x00+\s)")
_SENTENCE_END = re.compile(r"[.!?:](?=[\s\x00\x01)]|$)|\x01|\Z")
_WINDOW = 600
"""The largest number of characters of a sentence that is searched on either side of an offset."""


def _sentence_before(mask: str, at: int) -> str:
    """The part of the sentence before an offset."""
    window = mask[max(0, at - _WINDOW) : at]
    return _SENTENCE_BORDER.split(window[window.rfind(BLOCK) + 1 :])[-1]


def _sentence_after(mask: str, at: int) -> str:
    """The part of the sentence after an offset, with its closing mark; empty if it does not end within the window."""
    match = _SENTENCE_END.search(mask, at, at + _WINDOW)
    return mask[at : match.start() + 1] if match and match.start() < at + _WINDOW else ""


# Run-ons and fragments

_SENTENCE_STARTS = word_set("function_words", "sentence-start")
_BEFORE_JOINT = frozenset("abcdefghijklmnopqrstuvwxyz)\x00")
_CONNECTIVES = frozenset("however therefore otherwise so but and then instead also".split())
_CONSEQUENCE_STARTS = frozenset("the this these it they you we there".split())
_NEXT_VERB = re.compile(r"\s(?:also\s)?([a-z]+)")
_JOINT = (
    r"[.,\s](?:(?<=\.)\s[\s\x00]{0,6}[A-Z][a-z]*(?=[\s,])"
    r"|(?<=,)\s(?:which|because|including|such as|although)\b"
    r"|(?<=\s)(?<!,\s)(?:because|so that|even though)\b)"
)


@degrader(
    "style.run_on",
    where=pattern(_JOINT),
    does="joins two sentences with `and`, `which` or `so`, or makes a clause a fragment",
    example=(
        "Run the first command in a shell. It starts the server on port 80.",
        "Run the first command in a shell, which starts the server on port 80.",
    ),
    recoverable="B",
    severity=2,
    weight=1.6,
)
def run_on(place: Place, draw: Draw) -> str | None:
    mask = place.unit.doc.body
    head, tail = _sentence_before(mask, place.start), _sentence_after(mask, place.end)
    if not tail.endswith(".") or head[-1:] not in _BEFORE_JOINT or _ABBREVIATION.search(head[-8:]):
        return None
    if len(head.split()) < 4 or len(tail.split()) < 3:
        return None
    if place.text[0] != ".":
        return _make_fragment(place, tail)
    return _join(place, head, tail, draw)


def _make_fragment(place: Place, tail: str) -> str | None:
    """Make a clause a sentence of its own, if it is the last clause of its sentence."""
    if "," in tail or len(tail.split()) < 4:
        return None
    clause = place.text.lstrip(",")
    return f".{clause[0]}{clause[1].upper()}{clause[2:]}"


def _join(place: Place, head: str, tail: str, draw: Draw) -> str | None:
    """Join a sentence to the one before it."""
    parts = re.fullmatch(r"\.(\W*)(\w+)", place.text)
    if not parts:
        return None
    gap, word = parts.groups()
    lower = word.lower()
    imperative = lower in BASE_VERBS and fits("verb-base", lower, STOP, right_of(place.unit.doc.body, place.end))
    if gap.strip(" \t\r\n>") or (lower not in _SENTENCE_STARTS and not imperative):
        return None
    gap, word = gap if gap.strip(" ") else " ", lower_first(word)
    if imperative:
        return f" and{gap}then {word}" if _opens_with_verb(head) else f", so{gap}{word}"
    if lower in _CONNECTIVES:
        if lower == "so" and tail.startswith(","):
            return None
        return f" and{gap}{word}" if lower == "then" else f",{gap}{word}"
    next_word = _NEXT_VERB.match(tail)
    is_finite = next_word is not None and (next_word[1] in _BASE_OF_THIRD or next_word[1] in MODALS)
    if lower in ("it", "this", "that") and is_finite and draw.chance(0.6):
        return f",{gap}which"
    joint = draw.weighted_choice(
        (", and", " and", " -", ", so"), (5, 9, 10, 13 if lower in _CONSEQUENCE_STARTS else 10)
    )
    return f"{joint}{gap}{word}"


def _opens_with_verb(sentence: str) -> bool:
    match = re.match(r"[\s\x00]*(?:(?:First|Then|Next|Now),?\s)?([A-Za-z]+)", sentence)
    return match is not None and match[1].lower() in BASE_VERBS


# Passive instructions

_OBJECT = re.compile(
    r"((?:(?:the|an?|your|this|these|all|each|any)\s)?(?:[\x00A-Za-z-]+\s){0,3}?[\x00A-Za-z-]+)"
    r"(?=[.,;:]|\s(?:in|to|with|from|into|on|using|by|for|before|after|so|if|when|as|at|via|of)\b)"
)
_INSTRUCTION = re.compile(r"(?:(First|Next|Then|Finally|Now),?\s)?(?:You\s(can|should|must|may)\s)?([A-Za-z]+)\s", re.I)
_NO_PASSIVE = word_set("verb_classes", "no-passive")
_OBJECT_DETERMINERS = frozenset("the a an your this these all each any".split())
_NO_MODIFIERS = DETERMINERS | word_set("function_words", "no-modifier")
_CHANGE_LOG = re.compile(r"change|release|history|news", re.IGNORECASE)
_JOINED_WORD = re.compile(r"(?:\b(?:and|or|then|but)|,)\s([a-z]+)")
_NEVER_OBJECTS = frozenset("time times look way bit moment case".split())


@degrader(
    "style.passive",
    where=words(
        {*(verb.capitalize() for verb in BASE_VERBS), "First", "Next", "Then", "Finally", "Now", "You"}, exact=True
    ),
    does="puts an instruction into the passive",
    example=("Install the package with pip.", "The package should be installed with pip."),
    recoverable="B",
    severity=1,
    weight=0.7,
)
def passive(place: Place, draw: Draw) -> Fault | None:
    mask, text = place.unit.doc.body, place.unit.doc.text
    instruction = _INSTRUCTION.match(mask, place.start) if left_of(mask, place.start) == STOP else None
    noun = _OBJECT.match(mask, instruction.end()) if instruction else None
    if not instruction or not noun or _CHANGE_LOG.search(place.unit.doc.doc_id):
        return None
    adverb, modal, verb = instruction[1], instruction[2], instruction[3].lower()
    if verb not in BASE_VERBS or verb in _NO_PASSIVE:
        return None
    if verb in SINGULAR_NOUNS and noun[1].split()[0] not in _OBJECT_DETERMINERS:
        return None
    if not _is_object(noun[1]) or _has_second_verb(_sentence_after(mask, noun.end())):
        return None
    start = instruction.start(2) - len("You ") if modal else instruction.start(3)
    subject = text[noun.start() : noun.end()]
    if not _is_balanced(subject) or subject[0].isspace():
        return None
    if adverb is None:
        subject = subject[0].upper() + subject[1:]
    needs = "need to be" if noun[1].split()[-1].strip(INLINE) in PLURAL_NOUNS else "needs to be"
    auxiliary = f"{modal} be" if modal else draw.choice(("should be", needs))
    return Fault((Edit(start, noun.end(), f"{subject} {auxiliary} {FORMS_OF[verb].participle}"),))


def _is_object(phrase: str) -> bool:
    """Whether a phrase is one noun phrase: a noun or code at its end, after a determiner if the noun needs one."""
    *modifiers, noun = (word.strip(INLINE) for word in phrase.split())
    determined = bool(modifiers) and modifiers[0] in _OBJECT_DETERMINERS
    if noun in _NEVER_OBJECTS or _NO_MODIFIERS.intersection(modifiers[determined:]):
        return False
    if determined:
        return noun in SINGULAR_NOUNS or noun in PLURAL_NOUNS or not noun
    return len(modifiers) < 2 and (noun in PLURAL_NOUNS or not noun)


def _is_balanced(text: str) -> bool:
    """Whether a piece of source closes all the markup that it opens."""
    pairs = text.count("[") == text.count("]") and text.count("(") == text.count(")")
    return pairs and all(text.count(mark) % 2 == 0 for mark in "`*_")


def _has_second_verb(rest: str) -> bool:
    """Whether a second verb follows the imperative: `… and run it`, `…, then open`."""
    return any(verb in BASE_VERBS for verb in _JOINED_WORD.findall(rest))


# Person and tense

_THIRD_OF_AUXILIARY = {"are": "is", "were": "was", "have": "has", "do": "does", "don't": "doesn't", "aren't": "isn't"}
_CAUSATIVES = frozenset("let lets letting make makes making help helps helping have has".split())
_PREPOSITIONS = frozenset("to for with of from by about like around on in at between".split())
_QUESTION_AUXILIARIES = frozenset("do are have were did does don't aren't".split())
_FUTURE_OF_AUXILIARY = {"does": "will", "doesn't": "won't"}
_OTHER_OBJECTS = {"we": ("me",), "you": ("us", "the user"), "us": ("me",)}
_OTHER_PERSON = {
    "your": ("our", "the user's"),
    "you'll": ("we'll", "the user will"),
    "you're": ("we're", "the user is"),
    "you've": ("we've", "the user has"),
    "our": ("my",),
    "us": ("me",),
    "we'll": ("I'll",),
    "we're": ("I'm",),
    "we've": ("I've",),
}
_PERSONS = {
    form: forms
    for forms in (
        frozenset({"you", "your", "you'll", "you're", "you've"}),
        frozenset({"we", "our", "us", "we'll", "we're", "we've"}),
    )
    for form in forms
}
"""The forms of the same person, for each of them."""
_PERSON_WORDS = {form for word in (*_OTHER_PERSON, "you", "we") for form in (word, word.replace("'", "’"))}
_SUBJECT = re.compile(
    r"(?:\b(?:it|this|which|that|[Tt]h(?:e|is)\s(?:[a-z]+\s)?([a-z]+))|[Tt]h(?:e|is)\s\x00+(?:\s([a-z]+))?)\s\Z", re.I
)
_VERB_AFTER = re.compile(r"(?:\s(?:also|just|only|still|now|then|always|never|already|first))?\s([a-z'’]+)")
_PREDICATE = re.compile(
    r"\s(?:(?:the|an?|all|any|no|its|to|in|on|as|that|what|whether|how|it|them|you|your|with|from|by|for|not|only|"
    r"called|used|set|required)\b|\x00)"
)
_CONDITION = re.compile(
    r"\b(?:if|when|whenever|until|unless|after|before|once|while|as soon as|whether)\b[^,;]*\Z", re.I
)


@degrader(
    "style.person_tense",
    where=words(_PERSON_WORDS | _BASE_OF_THIRD.keys() | {"doesn't"}),
    does="changes the person (you → the user, we) or the tense (runs → will run)",
    example=("Open your list. If you have a token, pass it.", "Open your list. If the user has a token, pass it."),
    recoverable="B",
    severity=1,
    weight=0.3,
)
def person_tense(place: Place, draw: Draw) -> str | Fault | None:
    word = place.text.lower().replace("’", "'")
    if word in _PERSONS and sum(map(_PERSONS[word].__contains__, place.unit.words.lowers)) < 2:
        return None  # nothing in the text shows which person it addresses
    if word in ("you", "we"):
        return _change_subject(place, word, draw)
    if word in _OTHER_PERSON:
        other = draw.choice(_OTHER_PERSON[word])
        return match_case(other.replace("'", "’" if "’" in place.text else "'"), place.text)
    return _future_of(place, word)


def _future_of(place: Place, word: str) -> str | None:
    """The verb of a plain statement in the future tense; None in a condition."""
    mask = place.unit.doc.body
    if not place.text.islower() or (word != "doesn't" and not _is_predicate(mask, place.start, place.end)):
        return None
    if _CONDITION.search(_sentence_before(mask, place.start)):
        return None
    negated = mask.startswith(" not ", place.end)
    if word in ("does", "has") and negated != (word == "does"):
        return None
    return _FUTURE_OF_AUXILIARY.get(word) or f"will {_BASE_OF_THIRD[word]}"


def _is_predicate(mask: str, start: int, end: int) -> bool:
    """Whether a verb has a singular subject before it and an object or complement after it."""
    subject = _SUBJECT.search(mask, max(0, start - 40), start) if _PREDICATE.match(mask, end) else None
    return subject is not None and all(noun.lower() in SINGULAR_NOUNS for noun in subject.groups() if noun)


def _change_subject(place: Place, word: str, draw: Draw) -> Fault | None:
    """Replace `you` or `we` by another person, and make the verb agree with it; None where the verb is unclear."""
    mask = place.unit.doc.prose
    previous = left_of(mask, place.start)
    match = _VERB_AFTER.match(mask, place.end)
    verb = match[1].replace("’", "'") if match else ""
    if previous in ("thank", "and", "or", "than") or verb in ("and", "or"):
        return None
    if previous in _PREPOSITIONS or previous in _CAUSATIVES or verb in ("to", "with", "from", ""):
        if previous in ("", STOP, COMMA, CODE):
            return None
        return _replace_to(place, place.end, draw.choice(_OTHER_OBJECTS[word]))
    if word == "we":
        return _replace_to(place, *_agreement(place, match, verb, {"are": "am", "were": "was"}, "I"))
    if not match or not (verb in MODALS or verb in _THIRD_OF_AUXILIARY or verb in BASE_VERBS):
        return None
    if draw.chance(0.5) or not _is_only_verb(previous, verb, _sentence_after(mask, match.end())):
        return _replace_to(place, place.end, "we")
    if verb in BASE_VERBS and verb not in _THIRD_OF_AUXILIARY and previous not in MODALS:
        third_forms = {verb: FORMS_OF[verb].third}
    else:
        third_forms = _THIRD_OF_AUXILIARY
    return _replace_to(place, *_agreement(place, match, verb, third_forms, "the user"))


_COORDINATED_WORD = re.compile(r"\b(?:and|or|then|but)\s([a-z]+)")


def _is_only_verb(previous: str, verb: str, rest: str) -> bool:
    """Whether only the verb after the pronoun must agree with it."""
    if previous in _QUESTION_AUXILIARIES:
        return False
    return verb in MODALS or not any(other in BASE_VERBS for other in _COORDINATED_WORD.findall(rest))


def _agreement(
    place: Place, match: re.Match[str] | None, verb: str, forms: dict[str, str], person: str
) -> tuple[int, str]:
    """The end of the edit and its text: the new person, with the new form of the verb if `forms` has one."""
    if not match or verb not in forms:
        return place.end, person
    gap = place.unit.doc.text[place.end : match.start(1)]
    return match.end(1), person + gap + forms[verb]


def _replace_to(place: Place, end: int, text: str) -> Fault:
    """Replace the text from the place's start to `end`, in the case of the place's text."""
    return Fault((Edit(place.start, end, match_case(text, place.text)),))


# Pronouns

_NOUN_PHRASE = re.compile(
    r"(?:[Tt]h(?:e|is|ese|ose))\s((?:[a-z-]+\s){0,2}?[a-z]+|\x00+\s[a-z]+)"
    r"(?=[.,;:)]|\s(?:(is|are|was|were|will|can|cannot|must|should|has|have|does|do|may|might|[a-z]+s)|"
    r"in|on|to|with|from|when|if|and|before|after|by|using|at|into|as|or|again)\b)"
)
_LOWER_WORD = re.compile(r"[a-z]+")
_BEFORE_OBJECT = BASE_VERBS.union(*FORMS_OF.values()) | _PREPOSITIONS
_BEFORE_SUBJECT = frozenset(
    {STOP, *"that if when because whether so and but while until unless then how once where".split()}
)
_BEFORE_PRONOUN = _BEFORE_OBJECT | _BEFORE_SUBJECT
_PERSON_NOUNS = frozenset(
    "user developer author administrator maintainer reader operator person programmer customer".split()
)
_NEVER_PRONOUNS = frozenset("case time way moment following end beginning rest".split())
_PRONOUNS = {
    # (plural or person, subject)
    (False, True): ("it", "it", "this"),
    (False, False): ("it", "it", "it", "this"),
    (True, True): ("they", "they", "these"),
    (True, False): ("them", "them", "these"),
}


@degrader(
    "style.ambiguous_pronoun",
    where=words({"the", "this", "these", "those"}),
    does="replaces a noun by a pronoun that could mean several things (the server → it)",
    example=(
        "The client asks the server for a token. The server checks the request.",
        "The client asks the server for a token. It checks the request.",
    ),
    recoverable="C",
    severity=3,
    touches={"code_span"},
    weight=0.2,
)
def ambiguous_pronoun(place: Place, draw: Draw) -> Fault | None:
    unit = place.unit
    previous = left_of(unit.doc.body, place.start)
    match = _NOUN_PHRASE.match(unit.doc.body, place.start) if previous in _BEFORE_PRONOUN else None
    noun = match[1].split()[-1] if match else ""
    plural = noun in PLURAL_NOUNS
    if not match or noun in _NEVER_PRONOUNS or not (plural or noun in SINGULAR_NOUNS):
        return None
    if match[2] in PLURAL_NOUNS and right_of(unit.doc.body, match.end(2)) not in OBJECT_STARTS | {CODE}:
        return None  # rather `the server details` than `the server checks`
    if not _is_subject_or_object(previous, match[2], plural) or not _has_rival(unit, place.start, noun, plural):
        return None
    pronoun = draw.choice(_PRONOUNS[plural or noun in _PERSON_NOUNS, match[2] is not None])
    edit = Edit(place.start, match.end(), match_case(pronoun, place.text))
    evidence = _antecedent(unit, match.start(1), match.end())
    return Fault((edit,), evidence=evidence) if evidence else Fault((edit,), recoverable="D")


def _is_subject_or_object(previous: str, verb: str | None, plural: bool) -> bool:
    """Whether a phrase is the subject of a verb that agrees with it, or the object of a verb or a preposition."""
    if verb is None:
        return previous in _BEFORE_OBJECT
    agrees = verb in ("are", "were", "have", "do") if plural else verb in _BASE_OF_THIRD or verb == "was"
    return (agrees or verb in MODALS) and previous in _BEFORE_SUBJECT


def _has_rival(unit: Unit, at: int, noun: str, plural: bool) -> bool:
    """Whether another noun shortly before could be the one that the pronoun stands for."""
    nouns = PLURAL_NOUNS if plural else SINGULAR_NOUNS
    window = unit.doc.body[max(unit.start, at - 200) : at]
    return any(word in nouns and word != noun for word in _LOWER_WORD.findall(window))


def _antecedent(unit: Unit, start: int, end: int) -> tuple[int, int] | None:
    """The last range before [start, end) with the same text."""
    name = unit.doc.text[start:end]
    if INLINE in unit.doc.prose[start:end]:
        mentions = unit.find_token(name)
    else:
        mentions = unit.find_phrase(" ".join(name.lower().split()))
    before = [at for at in mentions if at + len(name) <= start]
    return (before[-1], before[-1] + len(name)) if before else None
