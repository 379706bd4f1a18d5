"""Grammar: agreement and word forms, and errors in articles, prepositions and other small words."""

from __future__ import annotations

import re
from collections.abc import Container

from degraders.draw import Draw
from degraders.edits import Edit
from degraders.lexicon import mapping, match_case, word_set
from degraders.registry import Fault, register_degrader
from degraders.rules.context import PHRASE_ENDS, Word, ends_phrase, has_joined_subject, rule_subtype
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

# Agreement and word forms

_BEFORE_BARE_NOUN = word_set("governors", "noun")
"""Words that a plural or uncountable noun often follows without an article; a singular noun there lacks its article."""
_NOUNS_IN_IDIOMS = {"time", "lot", "bit", "number", "way", "while"}
"""Nouns that stay singular in fixed phrases such as `a lot`."""
_BEFORE_OBJECT_AND_VERB = {"make", "makes", "let", "lets", "do", "does", "have", "has", "had", "help", "helps", "see"}
"""Verbs that take an object and a base form after it, as in `makes this work`."""
_OBLIGES_SUBJUNCTIVE = {"require", "requires", "recommend", "suggest", "insist", "ensure"}
"""Verbs after which a base form is correct, as in `ensure that it store the file`."""
_UNREAL_CONDITION = {"if", "wish", "though"}
"""Words after which `were` is correct with a singular subject."""
_BEFORE_PLURAL = {"no", "some", "other", "also"}
_SUBJECT_DETERMINERS = SINGULAR_DETERMINERS | {"the"}


def _noun_after(word: Word, nouns: Container[str], *, adjective: bool) -> Word | None:
    """The noun that ends the phrase after a word: the next word, or the one after it if an adjective is allowed."""
    if word.right in nouns:
        noun = word.step(1)
    elif adjective and word.right not in FUNCTION_WORDS and word[2] in nouns:
        noun = word.step(2)
    else:
        return None
    return noun if ends_phrase(noun) else None


def _use_singular(word: Word, draw: Draw) -> Fault | None:
    """`two files` → `two file`; starts at a word that requires a plural."""
    before = word.step(1) if word.right == "of" else word
    noun = _noun_after(before, PLURAL_NOUNS, adjective=word.lower in PLURAL_DETERMINERS)
    if not noun:
        return None
    singular = SINGULAR_OF[noun.lower]
    if word.lower in _BEFORE_BARE_NOUN:
        may_be_correct = singular in MASS_NOUNS or noun.lower in BASE_OF_THIRD or not noun.text().islower()
        return None if may_be_correct else noun.replace(singular)
    return noun.replace(singular)


def _use_plural(word: Word, draw: Draw) -> Fault | None:
    """`this file` → `this files`; starts at a word that requires a singular."""
    article = word.lower in ("a", "an")
    noun = _noun_after(word, SINGULAR_NOUNS, adjective=article)
    if not noun:
        compound = article and word.right in SINGULAR_NOUNS and word[2] in NOUNS and draw.chance(0.3)
        noun = word.step(1) if compound and PLURAL_OF[word.right] not in BASE_OF_THIRD else None
    elif word.lower in ("this", "each", "every"):
        becomes_verb = PLURAL_OF[noun.lower] in BASE_OF_THIRD and noun.right not in ("is", "was", "has", "can", "will")
        noun = noun if not becomes_verb and word.left not in _BEFORE_OBJECT_AND_VERB else None
    return noun.replace(PLURAL_OF[noun.lower]) if noun and noun.lower not in _NOUNS_IN_IDIOMS else None


def _subject_is_singular(word: Word) -> bool:
    """Whether the subject of a verb is certainly singular."""
    if word.left in ("which", "that"):
        return word[-2] in SINGULAR_NOUNS and word[-3] in ("a", "an", "the", "this", "each")
    determined = word.left in SINGULAR_NOUNS and not _SUBJECT_DETERMINERS.isdisjoint(word.before(4)[:-1])
    return determined and not has_joined_subject(word)


def _use_base_for_third(word: Word, draw: Draw) -> Fault | None:
    """`it stores` → `it store`."""
    base = BASE_OF_THIRD[word.lower]
    if word.right not in (("a", "an") if base in VERBS_ALSO_NOUNS else OBJECT_STARTS):
        return None
    if word.left in ("it", "this", "he", "she") or _subject_is_singular(word):
        return word.replace(base) if _OBLIGES_SUBJUNCTIVE.isdisjoint(word.before(6)) else None
    if word.left in ("and", "then") and any(verb in BASE_OF_THIRD or verb == "is" for verb in word.before(9)[:-1]):
        return word.replace(base)
    return None


def _use_third_for_base(word: Word, draw: Draw) -> Fault | None:
    """`they store` → `they stores`; starts at the subject."""
    if word.right not in BASE_VERBS or not word[2]:
        return None
    if word.left in _BEFORE_OBJECT_AND_VERB or word.left in AUXILIARIES:
        return None
    return word.step(1).replace(FORMS_OF[word.right].third) if word.lower == "they" or draw.chance(0.3) else None


_OTHER_NUMBER = {
    "is": "are", "are": "is", "was": "were", "were": "was", "has": "have", "have": "has", "does": "do", "do": "does",
    "doesn't": "don't", "don't": "doesn't", "isn't": "aren't", "aren't": "isn't",
}  # fmt: skip


def _change_auxiliary_number(word: Word, draw: Draw) -> Fault | None:
    """`the value is` → `the value are` or `the values is`, `there are many` → `there is many`."""
    subject, wrong = word.left, _OTHER_NUMBER[word.lower]
    is_singular = wrong in ("are", "were", "have", "do", "don't", "aren't")
    if subject == "there":
        certain = _singular_follows(word) if is_singular else _plural_follows(word)
    elif not is_singular:
        plural = subject in PLURAL_NOUNS or (subject in ("which", "that") and word[-2] in PLURAL_NOUNS)
        certain = plural and "of" not in word.before(5)
    elif wrong == "were" and not _UNREAL_CONDITION.isdisjoint(word.before(6)):
        certain = False
    elif subject in ("it", "this") and wrong in ("have", "do", "don't"):
        certain = True
    elif subject in PLURAL_NOUNS and word[-2] in ("the", "your", "its", "these") and word[-3] == "of":
        certain = word[-4] in SINGULAR_NOUNS and word[-4] not in COLLECTIVE_NOUNS
    else:
        certain = _subject_is_singular(word)
    other_subject = PLURAL_OF.get(subject) or SINGULAR_OF.get(subject)
    if certain and other_subject and word[-2] in ("the", "your", "our", "its") and draw.chance(0.3):
        return Fault(word.step(-1).replace(other_subject).edits, recoverable="B")
    return word.replace(wrong) if certain else None


def _plural_follows(word: Word) -> bool:
    if word.right in PLURAL_DETERMINERS or word.right in PLURAL_NOUNS:
        return True
    return word.right in _BEFORE_PLURAL and word[2] in PLURAL_NOUNS


def _singular_follows(word: Word) -> bool:
    return word.right in ("a", "an") and word[2] in SINGULAR_NOUNS and word[2] not in COLLECTIVE_NOUNS


_FAR_DETERMINERS = {"a", "an", "this", "each", "every", "another"}


def _change_number(word: Word, draw: Draw) -> Fault | None:
    """`a new virtual machine` → `a new virtual machines`; starts at the noun that ends the phrase."""
    if not word.text().islower() or not ends_phrase(word) or word.lower in _NOUNS_IN_IDIOMS:
        return None
    phrase = word.before(3)
    first = next((k for k in range(len(phrase) - 1, -1, -1) if phrase[k] in FUNCTION_WORDS), -1)
    if not 0 <= first < len(phrase) - 1 or any(other in BASE_OF_THIRD for other in phrase[first + 1 :]):
        return None
    if word.lower in SINGULAR_NOUNS:
        certain = phrase[first] in _FAR_DETERMINERS and word.lower not in MASS_NOUNS
        wrong = PLURAL_OF[word.lower]
        return word.replace(wrong) if certain and wrong not in BASE_OF_THIRD else None
    certain = phrase[first] in PLURAL_DETERMINERS and word.lower not in BASE_OF_THIRD
    return word.replace(SINGULAR_OF[word.lower]) if certain else None


_BEFORE_TO_AND_GERUND = word_set("governors", "gerund-after-to")


def _inflect_after_auxiliary(word: Word, draw: Draw) -> Fault | None:
    """`can use` → `can used`, `to install the` → `to installing the`; starts at the auxiliary or at `to`."""
    adverb_between = word.right in ("not", "also", "only", "then") and word.lower != "to"
    if (word[2] if adverb_between else word.right) not in BASE_VERBS:
        return None
    verb = word.step(2 if adverb_between else 1)
    third, past, _, ing = FORMS_OF[verb.lower]
    wrong = [past, past, third]
    if word.lower == "to":
        if verb.right not in OBJECT_STARTS:
            return None
        wrong = [past, third, *(() if word.left in _BEFORE_TO_AND_GERUND or not word.left else (ing,))]
    form = draw.choice(wrong if past.endswith("ed") else wrong[-1:])
    return verb.replace(form) if form != verb.lower else None


_VERBS_ALSO_ADJECTIVES = word_set("verb_classes", "also-adjective")
_AFTER_PARTICIPLE = PREPOSITIONS | {"when", "if", "and", "or"}


def _use_base_for_participle(word: Word, draw: Draw) -> Fault | None:
    """`is installed` → `is install`, `has used` → `has use`."""
    base = BASE_OF_PARTICIPLE[word.lower]
    if not (word.left in BE_FORMS or (word.left in ("has", "have", "had") and base not in SINGULAR_NOUNS)):
        return None
    ends = word.right in _AFTER_PARTICIPLE if word.right else word.next_character in PHRASE_ENDS
    return word.replace(base) if ends and base not in _VERBS_ALSO_ADJECTIVES else None


_BEFORE_GERUND = word_set("governors", "gerund")


def _use_base_for_gerund(word: Word, draw: Draw) -> Fault | None:
    """`without installing the` → `without install the`."""
    certain = word.left in _BEFORE_GERUND and word.right in OBJECT_STARTS
    return word.replace(BASE_OF_ING[word.lower]) if certain else None


def _use_adjective_for_adverb(word: Word, draw: Draw) -> Fault | None:
    """`is automatically created` → `is automatic created`."""
    if word.left not in BE_FORMS and word.left not in AUXILIARIES:
        return None
    if word.right not in BASE_OF_PARTICIPLE and word.right not in BASE_OF_ING and word.right not in BASE_VERBS:
        return None
    return word.replace(_adjective_of(word.lower))


def _adjective_of(adverb: str) -> str:
    if adverb.endswith("ily"):
        return adverb[:-3] + "y"
    longer = adverb.endswith("ically") and adverb not in ("typically", "periodically")
    return adverb.removesuffix("ally" if longer else "ly")


register_degrader(
    "grammar.agreement",
    rule_subtype("number_lost", 5, PLURAL_DETERMINERS | AMOUNT_NOUNS | _BEFORE_BARE_NOUN, _use_singular),
    rule_subtype("number_added", 3, {"a", "an", "another", "this", "each", "every"}, _use_plural),
    rule_subtype("number_in_phrase", 3, NOUNS, _change_number),
    rule_subtype("third_to_base", 3, BASE_OF_THIRD.keys() - PLURAL_NOUNS, _use_base_for_third),
    rule_subtype("base_to_third", 2, {"they", "we", "you"}, _use_third_for_base),
    rule_subtype("auxiliary", 4, _OTHER_NUMBER, _change_auxiliary_number),
    rule_subtype("after_modal", 2, AUXILIARIES | {"to"}, _inflect_after_auxiliary),
    rule_subtype("participle", 2, BASE_OF_PARTICIPLE, _use_base_for_participle),
    rule_subtype("gerund", 1, BASE_OF_ING, _use_base_for_gerund),
    rule_subtype("adverb", 1, word_set("adverbs", "manner"), _use_adjective_for_adverb),
    does="uses the wrong number or form of a noun or verb (two file, it store, can used, to installing)",
    example=("These files are new.", "These file are new."),
    recoverable="A",
    severity=2,
    weight=7,
)


# Articles, prepositions and other small words

_NEEDS_ARTICLE = word_set("governors", "article")


def _drop_article(word: Word, draw: Draw) -> Fault | None:
    """`the file is` → `file is`, before a singular countable noun, a superlative or the like."""
    if not word.right:
        return None
    if word.right in _NEEDS_ARTICLE:
        certain = word.lower == "the" and word.right not in ("lot", "little", "other")
    else:
        steps = next((k for k in (1, 2, 3) if word[k] in SINGULAR_NOUNS and word[k + 1] not in SINGULAR_NOUNS), 0)
        certain = bool(steps) and word[steps] not in MASS_NOUNS and ends_phrase(word.step(steps))
        certain = certain and all(word[k] not in FUNCTION_WORDS for k in range(1, steps))
    fault = word.drop() if certain else None
    return fault and Fault(fault.edits, recoverable="B")


_DETERMINERS_AFTER_THE = {"its", "your", "this", "each", "our", "their", "these"}
"""Determiners before which a half-finished edit can leave an article, as in `of the its size`."""
_BARE_NOUNS = mapping("bare_nouns")


def _add_article(word: Word, draw: Draw) -> Fault | None:
    """`in its` → `in the its`, `by default` → `by the default`, `using Python` → `using a Python`."""
    if word.lower in _DETERMINERS_AFTER_THE:
        certain = word.left in PREPOSITIONS and word.right in NOUNS and word.text().islower()
        return word.insert_before("the") if certain else None
    if word.lower in _BARE_NOUNS and word.left in _BARE_NOUNS[word.lower]:
        return word.insert_before(draw.choice(("the", _article_of(word.lower) or "a")))
    noun = _noun_after(word, SINGULAR_NOUNS, adjective=False) if word.lower in _BEFORE_BARE_NOUN else None
    if not noun or noun.lower in BASE_OF_THIRD or not noun.text().islower():
        return None
    return noun.insert_before(_article_of(noun.lower) or "a")


_ARTICLES = mapping("a_an")
_UNCLEAR_SOUND = re.compile(r"[uU]|[Ee]u|[Oo]n[ce]|[Hh](?:erb|isto)|.?\Z")


def _article_of(word: str) -> str | None:
    """`a` or `an`, as the pronunciation of the word requires; None if its letters do not show the pronunciation."""
    if word in _ARTICLES:
        return _ARTICLES[word][0]
    if _UNCLEAR_SOUND.match(word) or not (word.islower() or word[0] in "AEIO"):
        return None
    return "an" if word[0] in "aeioAEIO" else "a"


def _confuse_a_and_an(word: Word, draw: Draw) -> Fault | None:
    """`an hour` → `a hour`."""
    if not word.right or _article_of(word.text(1)) != word.lower:
        return None
    return word.replace("a" if word.lower == "an" else "an")


_PREPOSITION_AFTER = {
    word: (preposition, wrong)
    for phrase, wrong in mapping("prepositions", "after").items()
    for word, preposition in [phrase.split()]
}
"""The preposition that follows a word, and wrong prepositions for it."""
_PREPOSITION_BEFORE = {
    word: (preposition, wrong)
    for phrase, wrong in mapping("prepositions", "before").items()
    for preposition, word in [phrase.split()]
}


def _swap_preposition(word: Word, draw: Draw) -> Fault | None:
    """`depends on` → `depends of`, `at runtime` → `in runtime`; starts at the word that requires the preposition."""
    right, wrong = _PREPOSITION_AFTER.get(word.lower, ("", ()))
    if word.right and word.right == right:
        preposition = word.step(1)
        following = preposition.right
        certain = following in OBJECT_STARTS or following in PLURAL_NOUNS or following in BASE_VERBS
        if certain or preposition.next_character == INLINE:
            return preposition.replace(draw.choice(wrong))
    left, wrong = _PREPOSITION_BEFORE.get(word.lower, ("", ()))
    return word.step(-1).replace(draw.choice(wrong)) if word.left and word.left == left else None


_REQUIRED_PREPOSITIONS = mapping("prepositions", "needed")
_BEFORE_TO_AND_NOUN = {"due", "related", "similar", "compared", "relative", "equivalent"}
_BEFORE_TO_AND_VERB = {"need", "needs", "want", "wants", "have", "has", "try", "how"}


def _drop_preposition(word: Word, draw: Draw) -> Fault | None:
    """`depends on the` → `depends the`; starts at the word that requires the preposition."""
    if word.right not in _REQUIRED_PREPOSITIONS[word.lower]:
        return None
    preposition = word.step(1)
    following = preposition.right
    if preposition.lower == "to" and following in BASE_VERBS and word.lower not in _BEFORE_TO_AND_NOUN:
        certain = word.lower not in ("need", "have", "has", "how") or following not in SINGULAR_NOUNS
    elif preposition.lower == "of" and following in PLURAL_NOUNS:
        certain = True
    else:
        before_verb = preposition.lower == "to" and word.lower in _BEFORE_TO_AND_VERB
        certain = following in OBJECT_STARTS and not before_verb
    return preposition.drop() if certain else None


_UNNEEDED_PREPOSITIONS = {verb: wrong for verb, (wrong,) in mapping("prepositions", "unneeded").items()}
_BEFORE_BARE_INFINITIVE = {"let", "lets", "make", "makes"}


def _add_preposition(word: Word, draw: Draw) -> Fault | None:
    """`accesses the` → `accesses to the`, `lets you register` → `lets you to register`; starts at the verb."""
    if word.lower in _UNNEEDED_PREPOSITIONS:
        certain = word.right in ("the", "a", "an", "your", "this") and word[2] and word.left not in ("the", "a", "an")
        return word.step(1).insert_before(_UNNEEDED_PREPOSITIONS[word.lower]) if certain else None
    if word.lower in AUXILIARIES:
        certain = word.right in BASE_VERBS and word[2] in OBJECT_STARTS and draw.chance(0.4)
        return word.step(1).insert_before("to") if certain else None
    return word.step(2).insert_before("to") if word.right in ("you", "us", "them") and word[2] in BASE_VERBS else None


def _drop_auxiliary(word: Word, draw: Draw) -> Fault | None:
    """`can be customized` → `can customized`, `if you are using` → `if you using`, `here is a` → `here a`."""
    left, right = word.left, word.right
    if word.lower == "be":
        certain = (left in AUXILIARIES or left == "to") and right in BASE_OF_PARTICIPLE and right not in BASE_VERBS
    elif left == "here":
        certain = right in OBJECT_STARTS or right in PLURAL_DETERMINERS
    elif left == "which":
        certain = right in BASE_OF_PARTICIPLE or right in OBJECT_STARTS
    elif word.lower == "are":
        certain = left in ("you", "we", "they") and right in BASE_OF_ING
    else:
        certain = left in ("it", "this") and right in ("a", "an", "the", "not", "also", "possible", "only")
    return word.drop() if certain and word.text().islower() else None


_AFTER_ADDED_AUXILIARY = BASE_OF_PARTICIPLE.keys() | BASE_OF_THIRD.keys() - PLURAL_NOUNS


def _add_auxiliary(word: Word, draw: Draw) -> Fault | None:
    """`it stores` → `it is stores`, `files used by` → `files are used by`, as after a half-finished edit."""
    if word.lower in BASE_OF_THIRD:
        certain = word.left in SINGULAR_NOUNS or word.left in ("it", "this", "which", "that")
        return word.insert_before(draw.choice(("is", "is", "will", "has", "can"))) if certain and word.right else None
    certain = word.left in PLURAL_NOUNS and word.right in PREPOSITIONS
    return word.insert_before(draw.choice(("are", "were"))) if certain else None


_CONFUSED_SMALL_WORDS = mapping("small_words", "swapped")


def _swap_small_word(word: Word, draw: Draw) -> Fault | None:
    """`of` → `or`, `the` → `they`: a slip that leaves no grammar."""
    if not word.left or not word.right or not word.text().islower() or draw.chance(0.5):
        return None
    return word.replace(draw.choice(_CONFUSED_SMALL_WORDS[word.lower]))


def _drop_small_word(word: Word, draw: Draw) -> Fault | None:
    """`files that contain` → `files contain`, `it is` → `is`; not a `that` that can be left out."""
    if not word.left or not word.right or word.right == "not" or draw.chance(0.6):
        return None
    if word.lower == "that" and word.right not in BASE_VERBS and word.right not in BASE_OF_THIRD:
        return None
    return word.drop()


_LEFTOVERS = mapping("small_words", "before")
"""The words that a half-finished edit leaves before a small word."""


def _add_small_word(word: Word, draw: Draw) -> Fault | None:
    """`the file` → `of the file`."""
    if not word.left or not word.right or not word.text().islower() or word.left in FUNCTION_WORDS or draw.chance(0.6):
        return None
    return word.insert_before(draw.choice(_LEFTOVERS[word.lower]))


_FIXED_PHRASES: dict[str, list[tuple[list[str], tuple[str, ...]]]] = {}
"""Fixed phrases, by their first word, with what is left of them when a word is missing."""
for _phrase, _others in mapping("small_words", "cut").items():
    _FIXED_PHRASES.setdefault(_phrase.split()[0], []).append((_phrase.split(), _others))


def _cut_phrase(word: Word, draw: Draw) -> Fault | None:
    """`such as` → `such`, `instead of` → `instead`."""
    if draw.chance(0.6):
        return None
    for phrase, others in _FIXED_PHRASES[word.lower]:
        if all(word[step] == part for step, part in enumerate(phrase[1:], 1)) and word[len(phrase)]:
            other = match_case(draw.choice(others), word.text())
            start, end = word.start(), word.end(len(phrase) - 1)
            return Fault((Edit(start, end, other),)) if "\n" not in word.unit.doc.text[start:end] else None
    return None


def _swap_neighbours(word: Word, draw: Draw) -> Fault | None:
    """`of the file` → `the of file`, as when a word is moved to the wrong place."""
    if word.right not in ("the", "a", "an", "be", "this") or not word.left or not word[2]:
        return None
    if not (word.text() + word.text(1)).islower():
        return None
    gap = word.unit.doc.text[word.end() : word.start(1)]
    return Fault((Edit(word.start(), word.end(1), word.text(1) + gap + word.text()),))


register_degrader(
    "grammar.article_preposition",
    rule_subtype("article_dropped", 6, {"a", "an", "the"}, _drop_article),
    rule_subtype("article_added", 3, _DETERMINERS_AFTER_THE | _BARE_NOUNS.keys() | _BEFORE_BARE_NOUN, _add_article),
    rule_subtype("a_an", 2, {"a", "an"}, _confuse_a_and_an),
    rule_subtype("preposition_swapped", 2, _PREPOSITION_AFTER.keys() | _PREPOSITION_BEFORE.keys(), _swap_preposition),
    rule_subtype("preposition_dropped", 3, _REQUIRED_PREPOSITIONS, _drop_preposition),
    rule_subtype(
        "preposition_added", 2, AUXILIARIES | _UNNEEDED_PREPOSITIONS.keys() | _BEFORE_BARE_INFINITIVE, _add_preposition
    ),
    rule_subtype("auxiliary_dropped", 3, {"be", "is", "are"}, _drop_auxiliary),
    rule_subtype("auxiliary_added", 2, _AFTER_ADDED_AUXILIARY, _add_auxiliary),
    rule_subtype("word_swapped", 5, _CONFUSED_SMALL_WORDS, _swap_small_word, recoverable="B"),
    rule_subtype("word_dropped", 3, word_set("function_words", "droppable"), _drop_small_word, recoverable="B"),
    rule_subtype("word_added", 3, _LEFTOVERS, _add_small_word),
    rule_subtype("neighbours_swapped", 1, {"of", "on", "for"}, _swap_neighbours),
    rule_subtype("phrase_cut", 3, _FIXED_PHRASES, _cut_phrase),
    does="drops, adds, swaps or misplaces an article, a preposition or another small word",
    example=("It depends on the size.", "It depends the size."),
    recoverable="A",
    severity=1,
    weight=8,
)
