"""Style, sentence by sentence: voice, person and tense, run-ons and fragments, pronouns without a clear noun."""

from __future__ import annotations

import re

from degraders import lexicon
from degraders.draw import Draw
from degraders.edits import Edit
from degraders.registry import Fault, Place, degrader, pattern, words
from degraders.rules.vocabulary import (
    BASE_OF_THIRD,
    BASE_VERBS,
    DETERMINERS,
    FORMS_OF,
    MODALS,
    PLURAL_NOUNS,
    SINGULAR_NOUNS,
)
from degraders.rules.wording import CODE, COMMA, STOP, fits, left_of, right_of
from degraders.text.document import BLOCK, INLINE, Unit

_ALL_VERB_FORMS = BASE_VERBS.union(*FORMS_OF.values())
_BASE_OF_THIRD = BASE_OF_THIRD | {"is": "be", "has": "have"}
_STARTERS = lexicon.word_set("function_words", "sentence-start")
_ABBREVIATION = re.compile(r"(?:\be\.g|\bi\.e|\betc|\bvs|\bcf|\bapprox|\b[A-Z])$")
_BORDER = re.compile(r"[.!?:](?:[\s)]|\x00+\s)")
_END = re.compile(r"[.!?:](?=[\s\x00\x01)]|$)|\x01|\Z")
_WINDOW = 600


def _before(mask: str, at: int) -> str:
    """The sentence's text before an offset."""
    window = mask[max(0, at - _WINDOW) : at]
    return _BORDER.split(window[window.rfind(BLOCK) + 1 :])[-1]


def _after(mask: str, at: int) -> str:
    """The sentence's text from an offset, with the mark that ends it."""
    match = _END.search(mask, at, at + _WINDOW)
    return mask[at : match.start() + 1] if match and match.start() < at + _WINDOW else ""


# Run-ons and fragments

_ENDS = frozenset("abcdefghijklmnopqrstuvwxyz)\x00")
_CONNECTED = frozenset("however therefore otherwise so but and then instead also".split())
_CONSEQUENCES = frozenset("the this these it they you we there".split())
_VERB_FOLLOWS = re.compile(r"\s(?:also\s)?([a-z]+)")
_JOINT = (
    r"[.,\s](?:(?<=\.)\s[\s\x00]{0,6}[A-Z][a-z]*(?=[\s,])"
    r"|(?<=,)\s(?:which|because|including|such as|although)\b"
    r"|(?<=\s)(?<!,\s)(?:because|so that|even though)\b)"
)


@degrader(
    "style.run_on",
    where=pattern(_JOINT),
    does="joins two sentences by and, which or so, or cuts a clause off as a fragment",
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
    head, tail = _before(mask, place.start), _after(mask, place.end)
    if not tail.endswith(".") or head[-1:] not in _ENDS or _ABBREVIATION.search(head[-8:]):
        return None
    if len(head.split()) < 4 or len(tail.split()) < 3:
        return None
    if place.text[0] != ".":
        return _cut_off(place, tail)
    return _joined(place, head, tail, draw)


def _cut_off(place: Place, tail: str) -> str | None:
    """A clause as a sentence of its own; only the last one, which nothing follows but its end."""
    if "," in tail or len(tail.split()) < 4:
        return None
    clause = place.text.lstrip(",")
    return f".{clause[0]}{clause[1].upper()}{clause[2:]}"


def _joined(place: Place, head: str, tail: str, draw: Draw) -> str | None:
    parts = re.fullmatch(r"\.(\W*)(\w+)", place.text)
    if not parts:
        return None
    gap, word = parts.groups()
    lower = word.lower()
    imperative = lower in BASE_VERBS and fits("verb-base", lower, STOP, right_of(place.unit.doc.body, place.end))
    if gap.strip(" \t\r\n>") or (lower not in _STARTERS and not imperative):
        return None
    gap, word = gap if gap.strip(" ") else " ", lexicon.lower_first(word)
    if imperative:
        return f" and{gap}then {word}" if _opens_with_verb(head) else f", so{gap}{word}"
    if lower in _CONNECTED:
        if lower == "so" and tail.startswith(","):
            return None
        return f" and{gap}{word}" if lower == "then" else f",{gap}{word}"
    follows = _VERB_FOLLOWS.match(tail)
    finite = follows is not None and (follows[1] in _BASE_OF_THIRD or follows[1] in MODALS)
    if lower in ("it", "this", "that") and finite and draw.chance(0.6):
        return f",{gap}which"
    joint = draw.weighted_choice((", and", " and", " -", ", so"), (5, 9, 10, 13 if lower in _CONSEQUENCES else 10))
    return f"{joint}{gap}{word}"


def _opens_with_verb(sentence: str) -> bool:
    match = re.match(r"[\s\x00]*(?:(?:First|Then|Next|Now),?\s)?([A-Za-z]+)", sentence)
    return match is not None and match[1].lower() in BASE_VERBS


# The imperative in the passive

_OBJECT = re.compile(
    r"((?:(?:the|an?|your|this|these|all|each|any)\s)?(?:[\x00A-Za-z-]+\s){0,3}?[\x00A-Za-z-]+)"
    r"(?=[.,;:]|\s(?:in|to|with|from|into|on|using|by|for|before|after|so|if|when|as|at|via|of)\b)"
)
_INSTRUCTION = re.compile(r"(?:(First|Next|Then|Finally|Now),?\s)?(?:You\s(can|should|must|may)\s)?([A-Za-z]+)\s", re.I)
_IDIOMS = lexicon.word_set("verb_classes", "no-passive")
_ARTICLES = frozenset("the a an your this these all each any".split())
_NO_MODIFIERS = DETERMINERS | lexicon.word_set("function_words", "no-modifier")
_CHANGE_LOG = re.compile(r"change|release|history|news", re.IGNORECASE)
_JOINED_WORD = re.compile(r"(?:\b(?:and|or|then|but)|,)\s([a-z]+)")
_NO_OBJECTS = frozenset("time times look way bit moment case".split())


@degrader(
    "style.passive",
    where=words(
        {*(verb.capitalize() for verb in BASE_VERBS), "First", "Next", "Then", "Finally", "Now", "You"}, exact=True
    ),
    does="turns an instruction into the passive",
    example=("Install the package with pip.", "The package should be installed by the user with pip."),
    recoverable="B",
    severity=1,
    weight=0.7,
)
def passive(place: Place, draw: Draw) -> Fault | None:
    mask, text = place.unit.doc.body, place.unit.doc.text
    said = _INSTRUCTION.match(mask, place.start) if left_of(mask, place.start) == STOP else None
    noun = _OBJECT.match(mask, said.end()) if said else None
    if not said or not noun or _CHANGE_LOG.search(place.unit.doc.doc_id):
        return None
    verb, modal = said[3].lower(), said[2]
    if verb not in BASE_VERBS or verb in _IDIOMS or (verb in SINGULAR_NOUNS and noun[1].split()[0] not in _ARTICLES):
        return None
    if not _is_object(noun[1]) or _continues(_after(mask, noun.end())):
        return None
    start = said.start(2) - 4 if modal else said.start(3)
    object_ = text[noun.start() : noun.end()]
    if not _balanced(object_) or object_[0].isspace():
        return None
    if said[1] is None:
        object_ = object_[0].upper() + object_[1:]
    needs = "need to be" if noun[1].split()[-1].strip(INLINE) in PLURAL_NOUNS else "needs to be"
    done = f"{modal} be" if modal else draw.choice(("should be", needs))
    agent = draw.choice((" by the user", " by you", ""))
    return Fault((Edit(start, noun.end(), f"{object_} {done} {FORMS_OF[verb].participle}{agent}"),))


def _is_object(phrase: str) -> bool:
    """Whether it is one noun phrase: its last word a noun or code, and a determiner before a noun that needs one."""
    *modifiers, noun = (word.strip(INLINE) for word in phrase.split())
    determined = bool(modifiers) and modifiers[0] in _ARTICLES
    if noun in _NO_OBJECTS or _NO_MODIFIERS.intersection(modifiers[determined:]):
        return False
    if determined:
        return noun in SINGULAR_NOUNS or noun in PLURAL_NOUNS or not noun
    return len(modifiers) < 2 and (noun in PLURAL_NOUNS or not noun)


def _balanced(text: str) -> bool:
    """Whether the markup in a stretch of source closes where it opens."""
    pairs = text.count("[") == text.count("]") and text.count("(") == text.count(")")
    return pairs and all(text.count(mark) % 2 == 0 for mark in "`*_")


def _continues(rest: str) -> bool:
    """Whether a second verb hangs on the imperative: `… and run it`, `…, then open`."""
    return any(verb in BASE_VERBS for verb in _JOINED_WORD.findall(rest))


# Person and tense

_BE_FORMS = {"are": "is", "were": "was", "have": "has", "do": "does", "don't": "doesn't", "aren't": "isn't"}
_CAUSATIVES = frozenset("let lets letting make makes making help helps helping have has".split())
_PREPOSITIONS = frozenset("to for with of from by about like around on in at between".split())
_QUESTIONS = frozenset("do are have were did does don't aren't".split())
_AUXILIARIES = {"does": "will", "doesn't": "won't"}
_AS_OBJECT = {"we": ("me",), "you": ("us", "the user"), "us": ("me",)}
_SHIFTED = {
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
_PERSONS = {form for word in (*_SHIFTED, "you", "we") for form in (word, word.replace("'", "’"))}
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
    where=words(_PERSONS | _BASE_OF_THIRD.keys() | {"doesn't"}),
    does="changes the person (you → the user, we) or the tense (present → will)",
    example=("If you have a token, pass it.", "If the user has a token, pass it."),
    recoverable="B",
    severity=1,
    weight=1.0,
)
def person_tense(place: Place, draw: Draw) -> str | Fault | None:
    word = place.text.lower().replace("’", "'")
    if word in ("you", "we"):
        return _other_subject(place, word, draw)
    if word in _SHIFTED:
        shifted = draw.choice(_SHIFTED[word])
        return lexicon.match_case(shifted.replace("'", "’" if "’" in place.text else "'"), place.text)
    return _future(place, word)


def _future(place: Place, word: str) -> str | None:
    """The verb of a plain statement in the future: not one that lays down a condition."""
    mask = place.unit.doc.body
    if not place.text.islower() or (word != "doesn't" and not _states(mask, place.start, place.end)):
        return None
    if _CONDITION.search(_before(mask, place.start)):
        return None
    negated = mask.startswith(" not ", place.end)
    if word in ("does", "has") and negated != (word == "does"):
        return None
    return _AUXILIARIES.get(word) or f"will {_BASE_OF_THIRD[word]}"


def _states(mask: str, start: int, end: int) -> bool:
    """Whether a verb stands between a subject in the singular and what it says of it."""
    subject = _SUBJECT.search(mask, max(0, start - 40), start) if _PREDICATE.match(mask, end) else None
    return subject is not None and all(noun.lower() in SINGULAR_NOUNS for noun in subject.groups() if noun)


def _other_subject(place: Place, word: str, draw: Draw) -> Fault | None:
    """The pronoun as another person, with the verb that agrees with it, if that can be told."""
    mask = place.unit.doc.prose
    previous = left_of(mask, place.start)
    match = _VERB_AFTER.match(mask, place.end)
    verb = match[1].replace("’", "'") if match else ""
    if previous in ("thank", "and", "or", "than") or verb in ("and", "or"):
        return None
    if previous in _PREPOSITIONS or previous in _CAUSATIVES or verb in ("to", "with", "from", ""):
        if previous in ("", STOP, COMMA, CODE):
            return None
        return _swapped(place, place.end, draw.choice(_AS_OBJECT[word]))
    if word == "we":
        return _swapped(place, *_agreeing(place, match, verb, {"are": "am", "were": "was"}, "I"))
    finite = verb in MODALS or verb in _BE_FORMS or verb in BASE_VERBS
    if not match or not finite:
        return None
    if draw.chance(0.5) or not _alone(previous, verb, _after(mask, match.end())):
        return _swapped(place, place.end, "we")
    if verb in BASE_VERBS and verb not in _BE_FORMS and previous not in MODALS:
        agreed = {verb: FORMS_OF[verb].third}
    else:
        agreed = _BE_FORMS
    return _swapped(place, *_agreeing(place, match, verb, agreed, "the user"))


def _alone(previous: str, verb: str, rest: str) -> bool:
    """Whether no word but the next verb must agree with the pronoun."""
    if previous in _QUESTIONS:
        return False
    return verb in MODALS or not any(
        other in BASE_VERBS for other in re.findall(r"\b(?:and|or|then|but)\s([a-z]+)", rest)
    )


def _agreeing(
    place: Place, match: re.Match[str] | None, verb: str, agreed: dict[str, str], person: str
) -> tuple[int, str]:
    """Where the edit ends and its text: the new person, with the verb if that changes too."""
    if not match or verb not in agreed:
        return place.end, person
    between = place.unit.doc.text[place.end : match.start(1)]
    return match.end(1), person + between + agreed[verb]


def _swapped(place: Place, end: int, text: str) -> Fault:
    return Fault((Edit(place.start, end, lexicon.match_case(text, place.text)),))


# Pronouns

_PHRASE = re.compile(
    r"(?:[Tt]h(?:e|is|ese|ose))\s((?:[a-z-]+\s){0,2}?[a-z]+|\x00+\s[a-z]+)"
    r"(?=[.,;:)]|\s(?:(is|are|was|were|will|can|cannot|must|should|has|have|does|do|may|might|[a-z]+s)|"
    r"in|on|to|with|from|when|if|and|before|after|by|using|at|into|as|or|again)\b)"
)
_LOWER_WORD = re.compile(r"[a-z]+")
_GOVERNORS = _ALL_VERB_FORMS | _PREPOSITIONS
_CLAUSE = frozenset({STOP, *"that if when because whether so and but while until unless then how once where".split()})
_BEFORE_PRONOUN = _GOVERNORS | _CLAUSE
_PEOPLE = frozenset("user developer author administrator maintainer reader operator person programmer customer".split())
_NEVER_IT = frozenset("case time way moment following end beginning rest".split())
_PRONOUNS = {
    (False, True): ("it", "it", "this"),
    (False, False): ("it", "it", "it", "this"),
    (True, True): ("they", "they", "these"),
    (True, False): ("them", "them", "these"),
}


@degrader(
    "style.ambiguous_pronoun",
    where=words({"the", "this", "these", "those"}),
    does="puts a pronoun where only the name of the thing is clear (the server → it)",
    example=(
        "The client asks the server for a token. The server checks the request.",
        "The client asks the server for a token. It checks the request.",
    ),
    recoverable="C",
    severity=3,
    touches={"code_span"},
    weight=1.1,
)
def ambiguous_pronoun(place: Place, draw: Draw) -> Fault | None:
    unit = place.unit
    previous = left_of(unit.doc.body, place.start)
    match = _PHRASE.match(unit.doc.body, place.start) if previous in _BEFORE_PRONOUN else None
    noun = match[1].split()[-1] if match else ""
    plural = noun in PLURAL_NOUNS
    if not match or noun in _NEVER_IT or not (plural or noun in SINGULAR_NOUNS):
        return None
    if not _in_its_place(previous, match[2], plural) or not _other_nouns(unit, place.start, noun, plural):
        return None
    pronoun = draw.choice(_PRONOUNS[plural or noun in _PEOPLE, match[2] is not None])
    edit = Edit(place.start, match.end(), lexicon.match_case(pronoun, place.text))
    evidence = _antecedent(unit, match.start(1), match.end())
    return Fault((edit,), evidence=evidence) if evidence else Fault((edit,), recoverable="D")


def _in_its_place(previous: str, verb: str | None, plural: bool) -> bool:
    """Whether a phrase is the subject of a verb that agrees with it, or the object of one or of a preposition."""
    if verb is None:
        return previous in _GOVERNORS
    agrees = verb in ("are", "were", "have", "do") if plural else verb in _BASE_OF_THIRD or verb == "was"
    return (agrees or verb in MODALS) and previous in _CLAUSE


def _other_nouns(unit: Unit, at: int, noun: str, plural: bool) -> bool:
    """Whether another thing stands before that the pronoun could mean."""
    nouns = PLURAL_NOUNS if plural else SINGULAR_NOUNS
    window = unit.doc.body[max(unit.start, at - 200) : at]
    return any(word in nouns and word != noun for word in _LOWER_WORD.findall(window))


def _antecedent(unit: Unit, start: int, end: int) -> tuple[int, int] | None:
    """Where the same name stands last before [start, end)."""
    name = unit.doc.text[start:end]
    found = (
        unit.find_token(name)
        if INLINE in unit.doc.prose[start:end]
        else unit.find_phrase(" ".join(name.lower().split()))
    )
    before = [at for at in found if at + len(name) <= start]
    return (before[-1], before[-1] + len(name)) if before else None
