"""The vocabulary that several rules share: function words, and nouns and verbs with their forms.

A name with `_OF` maps a word to its forms (`PLURAL_OF["file"]` is `files`, `BASE_OF_THIRD["runs"]` is `run`); every
other name is a set of words.
"""

from __future__ import annotations

from typing import NamedTuple

from degraders.lexicon import mapping, tags, word_set

# Nouns and verbs


class VerbForms(NamedTuple):
    """The inflected forms of a verb."""

    third: str
    past: str
    participle: str
    ing: str


FORMS_OF = {base: VerbForms(*forms) for base, forms in mapping("verbs").items()}
"""The inflected forms of each verb."""
BASE_VERBS = frozenset(FORMS_OF)
BASE_OF_THIRD = {forms.third: base for base, forms in FORMS_OF.items()}
BASE_OF_PARTICIPLE = {forms.participle: base for base, forms in FORMS_OF.items() if forms.participle != base}
BASE_OF_ING = {forms.ing: base for base, forms in FORMS_OF.items()}
VERBS_ALSO_NOUNS = frozenset(base for base, tag in tags("verbs").items() if tag == "noun")

PLURAL_OF = {singular: plural for singular, (plural, *_) in mapping("nouns").items()}
SINGULAR_OF = {plural: singular for singular, plural in PLURAL_OF.items()}
SINGULAR_NOUNS = frozenset(PLURAL_OF)
PLURAL_NOUNS = frozenset(SINGULAR_OF)
NOUNS = SINGULAR_NOUNS | PLURAL_NOUNS
MASS_NOUNS = word_set("noun_classes", "mass")
AMOUNT_NOUNS = word_set("noun_classes", "amount")
COLLECTIVE_NOUNS = AMOUNT_NOUNS | word_set("noun_classes", "collective")

# Function words

BE_FORMS = word_set("function_words", "be")
MODALS = word_set("function_words", "modal")
AUXILIARIES = MODALS | {"couldn't", "don't", "doesn't", "didn't"}
"""Words that the base form of a verb follows."""
PREPOSITIONS = word_set("function_words", "preposition")
NUMBERS = word_set("function_words", "number")
DETERMINERS = word_set("function_words", "determiner")
OBJECT_STARTS = DETERMINERS - {"another", "such"} | {"his", "it", "them", "us", "which"}
"""Words with which the object of a verb or preposition begins: determiners, and pronouns that are a whole object."""
PLURAL_DETERMINERS = word_set("function_words", "plural-determiner") | NUMBERS
SINGULAR_DETERMINERS = word_set("function_words", "singular-determiner")
FUNCTION_WORDS = (
    OBJECT_STARTS
    | PREPOSITIONS
    | BE_FORMS
    | AUXILIARIES
    | PLURAL_DETERMINERS
    | SINGULAR_DETERMINERS
    | word_set("function_words", "other")
)
