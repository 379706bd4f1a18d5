"""Grammar: agreement and forms, and the small words."""

from __future__ import annotations

import re
from collections.abc import Container

from degraders.draw import Draw
from degraders.edits import Edit
from degraders.lexicon import mapping, match_case, word_set
from degraders.registry import Fault, register_degrader
from degraders.rules.context import PHRASE_ENDS, At, ends_phrase, joined_subject, rule_subtype
from degraders.rules.vocabulary import (
    AMOUNT_NOUNS,
    AUXILIARIES,
    BASE_OF_ING,
    BASE_OF_PARTICIPLE,
    BASE_OF_THIRD,
    BASE_VERBS,
    BE_FORMS,
    COLLECTIVE_NOUNS,
    FORMS_OF,
    FUNCTION_WORDS,
    MASS_NOUNS,
    NOUNS,
    OBJECT_STARTS,
    PLURAL_DETERMINERS,
    PLURAL_NOUNS,
    PLURAL_OF,
    PREPOSITIONS,
    SINGULAR_DETERMINERS,
    SINGULAR_NOUNS,
    SINGULAR_OF,
    VERBS_ALSO_NOUNS,
)
from degraders.text.document import INLINE

# Agreement

_NEEDS_NOUN = word_set("governors", "noun")
"""Words after which a noun stands alone, so that a singular one lacks its article."""
_ODD_NOUNS = {"time", "lot", "bit", "number", "way", "while"}
_TAKES_OBJECT_AND_BASE = {"make", "makes", "let", "lets", "do", "does", "have", "has", "had", "help", "helps", "see"}


def _noun_after(at: At, nouns: Container[str], *, adjective: bool) -> At | None:
    """The noun that ends a phrase of one word, or of two if an adjective may stand between."""
    if at.right in nouns:
        noun = at.step(1)
    elif adjective and at.right not in FUNCTION_WORDS and at[2] in nouns:
        noun = at.step(2)
    else:
        return None
    return noun if ends_phrase(noun) else None


def _plural_to_singular(at: At, draw: Draw) -> Fault | None:
    """`two files` → `two file`, set off by what wants a plural."""
    noun = _noun_after(at.step(1) if at.right == "of" else at, PLURAL_NOUNS, adjective=at.word in PLURAL_DETERMINERS)
    if not noun:
        return None
    one = SINGULAR_OF[noun.word]
    if at.word in _NEEDS_NOUN and (one in MASS_NOUNS or noun.word in BASE_OF_THIRD or not noun.text().islower()):
        return None
    return noun.becomes(one)


def _singular_to_plural(at: At, draw: Draw) -> Fault | None:
    """`this file` → `this files`, set off by what wants a singular."""
    article = at.word in ("a", "an")
    noun = _noun_after(at, SINGULAR_NOUNS, adjective=article)
    if not noun:
        sure = article and at.right in SINGULAR_NOUNS and at[2] in NOUNS and draw.chance(0.3)
        noun = at.step(1) if sure and PLURAL_OF[at.right] not in BASE_OF_THIRD else None
    elif at.word in ("this", "each", "every"):
        verb = PLURAL_OF[noun.word] in BASE_OF_THIRD and noun.right not in ("is", "was", "has", "can", "will")
        noun = noun if not verb and at.left not in _TAKES_OBJECT_AND_BASE else None
    return noun.becomes(PLURAL_OF[noun.word]) if noun and noun.word not in _ODD_NOUNS else None


def _subject_is_singular(at: At) -> bool:
    if at.left in ("which", "that"):
        return at[-2] in SINGULAR_NOUNS and at[-3] in ("a", "an", "the", "this", "each")
    determined = at.left in SINGULAR_NOUNS and not _DETERMINERS_OF_ONE.isdisjoint(at.before(4)[:-1])
    return determined and not joined_subject(at)


_DETERMINERS_OF_ONE = SINGULAR_DETERMINERS | {"the"}
_TAKES_SUBJUNCTIVE = {"require", "requires", "recommend", "suggest", "insist", "ensure"}


def _third_to_base(at: At, draw: Draw) -> Fault | None:
    """`it stores` → `it store`."""
    base = BASE_OF_THIRD[at.word]
    if at.right not in (("a", "an") if base in VERBS_ALSO_NOUNS else OBJECT_STARTS):
        return None
    if at.left in ("it", "this", "he", "she") or _subject_is_singular(at):
        return at.becomes(base) if _TAKES_SUBJUNCTIVE.isdisjoint(at.before(6)) else None
    if at.left in ("and", "then") and any(word in BASE_OF_THIRD or word == "is" for word in at.before(9)[:-1]):
        return at.becomes(base)
    return None


def _base_to_third(at: At, draw: Draw) -> Fault | None:
    """`they store` → `they stores`, set off by the subject."""
    if at.right not in BASE_VERBS or not at[2] or at.left in _TAKES_OBJECT_AND_BASE or at.left in AUXILIARIES:
        return None
    return at.step(1).becomes(FORMS_OF[at.right].third) if at.word == "they" or draw.chance(0.3) else None


_OTHER_NUMBER = {
    "is": "are", "are": "is", "was": "were", "were": "was", "has": "have", "have": "has", "does": "do", "do": "does",
    "doesn't": "don't", "don't": "doesn't", "isn't": "aren't", "aren't": "isn't",
}  # fmt: skip


def _auxiliary_number(at: At, draw: Draw) -> Fault | None:
    """`the value is` → `the value are` or `the values is`, `there are many` → `there is many`."""
    near, wrong = at.left, _OTHER_NUMBER[at.word]
    singular = wrong in ("are", "were", "have", "do", "don't", "aren't")
    if near == "there":
        many = (
            at.right in PLURAL_DETERMINERS
            or at.right in PLURAL_NOUNS
            or (at.right in _BEFORE_MANY and at[2] in PLURAL_NOUNS)
        )
        few = at.right in ("a", "an") and at[2] in SINGULAR_NOUNS and at[2] not in COLLECTIVE_NOUNS
        sure = few if singular else many
    elif not singular:
        plural = near in PLURAL_NOUNS or (near in ("which", "that") and at[-2] in PLURAL_NOUNS)
        sure = plural and "of" not in at.before(5)
    elif wrong == "were" and not _UNREAL.isdisjoint(at.before(6)):
        sure = False
    elif near in ("it", "this") and wrong in ("have", "do", "don't"):
        sure = True
    elif near in PLURAL_NOUNS and at[-2] in ("the", "your", "its", "these") and at[-3] == "of":
        sure = at[-4] in SINGULAR_NOUNS and at[-4] not in COLLECTIVE_NOUNS
    else:
        sure = _subject_is_singular(at)
    other = PLURAL_OF.get(near) or SINGULAR_OF.get(near)
    if sure and other and at[-2] in ("the", "your", "our", "its") and draw.chance(0.3):
        return at.step(-1).becomes(other)
    return at.becomes(wrong) if sure else None


_BEFORE_MANY = {"no", "some", "other", "also"}
_UNREAL = {"if", "wish", "though"}


def _other_number(at: At, draw: Draw) -> Fault | None:
    """`the command` → `the commands`, `methods` → `method`, where nothing but the sense tells."""
    if not at.text().islower() or not ends_phrase(at) or at.left in PLURAL_DETERMINERS or at.left in ("a", "an", "to"):
        return None
    if at.word in BASE_OF_THIRD or (at.word in BASE_VERBS and at.left not in OBJECT_STARTS):
        return None
    return at.becomes(SINGULAR_OF.get(at.word) or PLURAL_OF[at.word]) if at.word not in MASS_NOUNS else None


_OTHER_TIME = {
    "is": "was", "are": "were", "was": "is", "were": "are", "has": "had", "have": "had", "will": "would",
    "can": "could", "does": "did", "been": "be", "had": "has",
}  # fmt: skip


def _other_time(at: At, draw: Draw) -> Fault | None:
    """`is` → `was`."""
    real = _UNREAL.isdisjoint(at.before(6)) or at.word != "were"
    return at.becomes(_OTHER_TIME[at.word]) if at.left and at.right and real else None


_TAKES_ING = word_set("governors", "gerund-after-to")


def _after_modal(at: At, draw: Draw) -> Fault | None:
    """`can use` → `can used`, `to install the` → `to installing the`, set off by `can` or `to`."""
    parted = at.right in ("not", "also", "only", "then") and at.word != "to"
    if (at[2] if parted else at.right) not in BASE_VERBS:
        return None
    verb = at.step(2 if parted else 1)
    third, past, _, ing = FORMS_OF[verb.word]
    wrong = [past, past, third]
    if at.word == "to":
        if verb.right not in OBJECT_STARTS:
            return None
        wrong = [past, third, *(() if at.left in _TAKES_ING or not at.left else (ing,))]
    form = draw.choice(wrong if past.endswith("ed") else wrong[-1:])
    return verb.becomes(form) if form != verb.word else None


_ALSO_ADJECTIVES = word_set("verb_classes", "also-adjective")


def _participle_to_base(at: At, draw: Draw) -> Fault | None:
    """`is installed` → `is install`, `has used` → `has use`."""
    base = BASE_OF_PARTICIPLE[at.word]
    if not (at.left in BE_FORMS or (at.left in ("has", "have", "had") and base not in SINGULAR_NOUNS)):
        return None
    ends = at.right in _AFTER_PARTICIPLE if at.right else at.follows in PHRASE_ENDS
    return at.becomes(base) if ends and base not in _ALSO_ADJECTIVES else None


_AFTER_PARTICIPLE = PREPOSITIONS | {"when", "if", "and", "or"}


def _ing_to_base(at: At, draw: Draw) -> Fault | None:
    """`without installing the` → `without install the`."""
    return at.becomes(BASE_OF_ING[at.word]) if at.left in _TAKES_GERUND and at.right in OBJECT_STARTS else None


_TAKES_GERUND = word_set("governors", "gerund")
_ADVERBS = word_set("adverbs", "manner")


def _adverb_to_adjective(at: At, draw: Draw) -> Fault | None:
    """`is automatically created` → `is automatic created`."""
    follows_verb = at.left in BE_FORMS or at.left in AUXILIARIES
    if not follows_verb or not (at.right in BASE_OF_PARTICIPLE or at.right in BASE_OF_ING or at.right in BASE_VERBS):
        return None
    return at.becomes(_adjective(at.word))


def _adjective(adverb: str) -> str:
    if adverb.endswith("ily"):
        return adverb[:-3] + "y"
    longer = adverb.endswith("ically") and adverb not in ("typically", "periodically")
    return adverb.removesuffix("ally" if longer else "ly")


register_degrader(
    "grammar.agreement",
    rule_subtype("number_lost", 5, PLURAL_DETERMINERS | AMOUNT_NOUNS | _NEEDS_NOUN, _plural_to_singular),
    rule_subtype("number_added", 3, {"a", "an", "another", "this", "each", "every"}, _singular_to_plural),
    rule_subtype("number_unsaid", 3, NOUNS, _other_number, class_="B"),
    rule_subtype("third_to_base", 3, BASE_OF_THIRD.keys() - PLURAL_NOUNS, _third_to_base),
    rule_subtype("base_to_third", 2, {"they", "we", "you"}, _base_to_third),
    rule_subtype("auxiliary", 4, _OTHER_NUMBER, _auxiliary_number),
    rule_subtype("after_modal", 2, AUXILIARIES | {"to"}, _after_modal),
    rule_subtype("participle", 2, BASE_OF_PARTICIPLE, _participle_to_base),
    rule_subtype("gerund", 1, BASE_OF_ING, _ing_to_base),
    rule_subtype("adverb", 1, _ADVERBS, _adverb_to_adjective),
    rule_subtype("time", 2, _OTHER_TIME, _other_time, class_="B"),
    does="a wrong number or form of a noun or verb: two file, it store, can used, to installing",
    example=("These files are new.", "These file are new."),
    recoverable="A",
    severity=2,
    weight=7,
)


# Articles, prepositions and the other small words


def _article_dropped(at: At, draw: Draw) -> Fault | None:
    """Gone where a singular that one can count, or a superlative, cannot do without it."""
    if not at.right:
        return None
    if at.right in _NEEDS_ARTICLE:
        sure = at.word == "the" and at.right not in ("lot", "little", "other")
    else:
        steps = next((k for k in (1, 2, 3) if at[k] in SINGULAR_NOUNS and at[k + 1] not in SINGULAR_NOUNS), 0)
        sure = bool(steps) and at[steps] not in MASS_NOUNS and ends_phrase(at.step(steps))
        sure = sure and all(at[k] not in FUNCTION_WORDS for k in range(1, steps))
    fault = at.dropped() if sure else None
    return fault and Fault(fault.edits, recoverable="B")


_NEEDS_ARTICLE = word_set("governors", "article")


def _article_added(at: At, draw: Draw) -> Fault | None:
    """Before a determiner, as editing leaves it, or before a bare noun that wants none."""
    if at.word in _OWN_DETERMINERS:
        sure = at.left in PREPOSITIONS and at.right in NOUNS and at.text().islower()
        return at.preceded_by("the") if sure else None
    if at.word in _BARE_NOUNS and at.left in _BARE_NOUNS[at.word]:
        return at.preceded_by(draw.choice(("the", _article_of(at.word) or "a")))
    noun = _noun_after(at, SINGULAR_NOUNS, adjective=False) if at.word in _NEEDS_NOUN else None
    if not noun or noun.word in BASE_OF_THIRD or not noun.text().islower():
        return None
    return noun.preceded_by(_article_of(noun.word) or "a")


_OWN_DETERMINERS = {"its", "your", "this", "each", "our", "their", "these"}
_BARE_NOUNS = mapping("bare_nouns")
_ARTICLES = mapping("a_an")
_SOUNDS_VARY = re.compile(r"[uU]|[Ee]u|[Oo]n[ce]|[Hh](?:erb|isto)|.?\Z")


def _article_of(word: str) -> str | None:
    """`a` or `an`, as a word is pronounced; None where its letters do not tell."""
    if word in _ARTICLES:
        return _ARTICLES[word][0]
    if _SOUNDS_VARY.match(word) or not (word.islower() or word[0] in "AEIO"):
        return None
    return "an" if word[0] in "aeioAEIO" else "a"


def _a_for_an(at: At, draw: Draw) -> Fault | None:
    """`an hour` → `a hour`."""
    if not at.right or _article_of(at.text(1)) != at.word:
        return None
    return at.becomes("a" if at.word == "an" else "an")


_CONFUSED_AFTER = {
    word: (right, wrong)
    for phrase, wrong in mapping("prepositions", "after").items()
    for word, right in [phrase.split()]
}
_CONFUSED_BEFORE = {
    word: (right, wrong)
    for phrase, wrong in mapping("prepositions", "before").items()
    for right, word in [phrase.split()]
}


def _preposition_swapped(at: At, draw: Draw) -> Fault | None:
    """`depends on` → `depends of`, `at runtime` → `in runtime`, set off by the word that wants the preposition."""
    right, wrong = _CONFUSED_AFTER.get(at.word, ("", ()))
    if at.right and at.right == right:
        preposition = at.step(1)
        following = preposition.right
        sure = following in OBJECT_STARTS or following in PLURAL_NOUNS or following in BASE_VERBS
        if sure or preposition.follows == INLINE:
            return preposition.becomes(draw.choice(wrong))
    right, wrong = _CONFUSED_BEFORE.get(at.word, ("", ()))
    return at.step(-1).becomes(draw.choice(wrong)) if at.left and at.left == right else None


_NOT_WITHOUT = mapping("prepositions", "needed")
_TAKES_NOUN = {"due", "related", "similar", "compared", "relative", "equivalent"}
_TAKES_VERB = {"need", "needs", "want", "wants", "have", "has", "try", "how"}


def _preposition_dropped(at: At, draw: Draw) -> Fault | None:
    """`depends on the` → `depends the`, set off by the word that cannot do without the preposition."""
    if at.right not in _NOT_WITHOUT[at.word]:
        return None
    preposition = at.step(1)
    following = preposition.right
    if preposition.word == "to" and following in BASE_VERBS and at.word not in _TAKES_NOUN:
        sure = at.word not in ("need", "have", "has", "how") or following not in SINGULAR_NOUNS
    elif preposition.word == "of" and following in PLURAL_NOUNS:
        sure = True
    else:
        sure = following in OBJECT_STARTS and not (preposition.word == "to" and at.word in _TAKES_VERB)
    return preposition.dropped() if sure else None


_TRANSITIVE = {verb: wrong for verb, (wrong,) in mapping("prepositions", "unneeded").items()}


def _preposition_added(at: At, draw: Draw) -> Fault | None:
    """`accesses the` → `accesses to the`, `lets you register` → `lets you to register`, set off by the verb."""
    if at.word in _TRANSITIVE:
        sure = at.right in ("the", "a", "an", "your", "this") and at[2] and at.left not in ("the", "a", "an")
        return at.step(1).preceded_by(_TRANSITIVE[at.word]) if sure else None
    if at.word in AUXILIARIES:
        sure = at.right in BASE_VERBS and at[2] in OBJECT_STARTS and draw.chance(0.4)
        return at.step(1).preceded_by("to") if sure else None
    return at.step(2).preceded_by("to") if at.right in ("you", "us", "them") and at[2] in BASE_VERBS else None


def _auxiliary_dropped(at: At, draw: Draw) -> Fault | None:
    """`can be customized` → `can customized`, `if you are using` → `if you using`, `here is a` → `here a`."""
    near, following = at.left, at.right
    if at.word == "be":
        sure = (near in AUXILIARIES or near == "to") and following in BASE_OF_PARTICIPLE and following not in BASE_VERBS
    elif near == "here":
        sure = following in OBJECT_STARTS or following in PLURAL_DETERMINERS
    elif near == "which":
        sure = following in BASE_OF_PARTICIPLE or following in OBJECT_STARTS
    elif at.word == "are":
        sure = near in ("you", "we", "they") and following in BASE_OF_ING
    else:
        sure = near in ("it", "this") and following in ("a", "an", "the", "not", "also", "possible", "only")
    return at.dropped() if sure and at.text().islower() else None


def _article_swapped(at: At, draw: Draw) -> Fault | None:
    """`a file` → `the file`, `the file` → `a file`."""
    if at.word != "the":
        return at.becomes("the") if at.right in SINGULAR_NOUNS else None
    article = _article_of(at.right) if at.right in SINGULAR_NOUNS and ends_phrase(at.step(1)) else None
    return at.becomes(article) if article else None


_TAKES_AUXILIARY = BASE_OF_PARTICIPLE.keys() | BASE_OF_THIRD.keys() - PLURAL_NOUNS


def _auxiliary_added(at: At, draw: Draw) -> Fault | None:
    """`it stores` → `it is stores`, `used by` → `is used by`, as when a sentence is half rewritten."""
    if at.word in BASE_OF_THIRD:
        sure = at.left in SINGULAR_NOUNS or at.left in ("it", "this", "which", "that")
        return at.preceded_by(draw.choice(("is", "is", "will", "has", "can"))) if sure and at.right else None
    sure = at.left in PLURAL_NOUNS and at.right in PREPOSITIONS
    return at.preceded_by(draw.choice(("are", "were"))) if sure else None


_OTHER_SMALL = mapping("small_words", "swapped")
"""Small words and what a hand that is at another thought, or an eye that skips, writes for them."""


def _small_word_swapped(at: At, draw: Draw) -> Fault | None:
    """`the` → `this`, `it` → `they`; never where a whole other sense would stand."""
    if not at.left or not at.right or not at.text().islower() or draw.chance(0.5):
        return None
    return at.becomes(draw.choice(_OTHER_SMALL[at.word]))


_MAY_GO = word_set("function_words", "droppable")


def _small_word_dropped(at: At, draw: Draw) -> Fault | None:
    """`check that the` → `check the`, `and then` → `then`, `it is` → `is`."""
    if not at.left or not at.right or at.right == "not" or draw.chance(0.6):
        return None
    return at.dropped()


_LEFT_BEHIND = mapping("small_words", "before")
"""What an editing that was broken off leaves before a small word."""


def _small_word_added(at: At, draw: Draw) -> Fault | None:
    """`the file` → `of the file`."""
    if not at.left or not at.right or not at.text().islower() or at.left in FUNCTION_WORDS or draw.chance(0.6):
        return None
    return at.preceded_by(draw.choice(_LEFT_BEHIND[at.word]))


_OTHER_PHRASE: dict[str, list[tuple[list[str], tuple[str, ...]]]] = {}
for _phrase, _others in mapping("small_words", "phrase").items():
    _OTHER_PHRASE.setdefault(_phrase.split()[0], []).append((_phrase.split(), _others))


def _phrase_swapped(at: At, draw: Draw) -> Fault | None:
    """`was` → `has been`, `there is` → `there's`, `in the` → `on the`."""
    if draw.chance(0.6):
        return None
    for phrase, others in _OTHER_PHRASE[at.word]:
        if all(at[step] == word for step, word in enumerate(phrase[1:], 1)) and at[len(phrase)]:
            other = match_case(draw.choice(others), at.text())
            if "\n" in at.unit.doc.text[at.start() : at.end(len(phrase) - 1)]:
                return None
            return Fault((Edit(at.start(), at.end(len(phrase) - 1), other),))
    return None


def _neighbours_swapped(at: At, draw: Draw) -> Fault | None:
    """`of the file` → `the of file`, as when a word is moved and lands beside its place."""
    parted = at.right not in ("the", "a", "an", "be", "this") or not at.left or not at[2]
    if parted or not (at.text() + at.text(1)).islower():
        return None
    between = at.unit.doc.text[at.end() : at.start(1)]
    return Fault((Edit(at.start(), at.end(1), at.text(1) + between + at.text()),))


register_degrader(
    "grammar.article_preposition",
    rule_subtype("article_dropped", 6, {"a", "an", "the"}, _article_dropped),
    rule_subtype("article_added", 3, _OWN_DETERMINERS | _BARE_NOUNS.keys() | _NEEDS_NOUN, _article_added),
    rule_subtype("a_an", 2, {"a", "an"}, _a_for_an),
    rule_subtype("article_swapped", 1, {"a", "an", "the"}, _article_swapped, class_="B"),
    rule_subtype("preposition_swapped", 2, _CONFUSED_AFTER.keys() | _CONFUSED_BEFORE.keys(), _preposition_swapped),
    rule_subtype("preposition_dropped", 3, _NOT_WITHOUT, _preposition_dropped),
    rule_subtype(
        "preposition_added", 2, AUXILIARIES | _TRANSITIVE.keys() | {"let", "lets", "make", "makes"}, _preposition_added
    ),
    rule_subtype("auxiliary_dropped", 3, {"be", "is", "are"}, _auxiliary_dropped),
    rule_subtype("auxiliary_added", 2, _TAKES_AUXILIARY, _auxiliary_added),
    rule_subtype("word_swapped", 5, _OTHER_SMALL, _small_word_swapped, class_="B"),
    rule_subtype("word_dropped", 3, _MAY_GO, _small_word_dropped, class_="B"),
    rule_subtype("word_added", 3, _LEFT_BEHIND, _small_word_added),
    rule_subtype("neighbours_swapped", 1, {"of", "on", "for"}, _neighbours_swapped),
    rule_subtype("phrase_swapped", 3, _OTHER_PHRASE, _phrase_swapped, class_="B"),
    does="an article, preposition or other small word dropped, added, swapped or in the wrong place",
    example=("It depends on the size.", "It depends the size."),
    recoverable="A",
    severity=1,
    weight=8,
)
