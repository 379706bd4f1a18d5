"""Grammar: agreement and forms, the small words, punctuation, capital letters.

Most places in a text are correct either way, and only in some contexts is the other form clearly an error. So a rule is
set off by certain words and looks at their context, from the drawn place on, until one finds something to go wrong.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Container, Iterable, Iterator
from itertools import accumulate, chain
from typing import NamedTuple, TypeAlias

from degraders.document import BLOCK, INLINE, Unit
from degraders.draw import Draw
from degraders.edits import Edit
from degraders.lexicon import like, mapping, tags
from degraders.registry import Fault, Place, degrader, pattern, words

# ---------------------------------------------------------------------------------------------------------------------
# Words in their context


class At:
    """A word of a unit, in lower case, with its neighbours; `at[k]` is the word k steps away.

    What more than white space parts from the word is no neighbour: "" stands for it.
    """

    __slots__ = ("index", "left", "right", "unit", "word")

    def __init__(self, unit: Unit, index: int) -> None:
        lowers, joined = unit.words.lowers, unit.words.joined
        self.unit = unit
        self.index = index
        self.word = lowers[index]
        self.left = lowers[index - 1] if joined[index - 1] else ""  # the last word is never joined, so nor is the first
        self.right = lowers[index + 1] if joined[index] else ""

    def __getitem__(self, step: int) -> str:
        found, wanted = self.unit.words, self.index + step
        first, last = (self.index, wanted) if step > 0 else (wanted, self.index)
        if first < 0 or last >= len(found.lowers) or False in found.joined[first:last]:
            return ""
        return found.lowers[wanted]

    def step(self, step: int) -> At:
        return At(self.unit, self.index + step)

    def before(self, most: int) -> list[str]:
        """The words before this one, at most so many, as far as only white space parts them."""
        found, first = self.unit.words, self.index
        least = max(0, first - most)
        while first > least and found.joined[first - 1]:
            first -= 1
        return found.lowers[first : self.index]

    def start(self, step: int = 0) -> int:
        return self.unit.words.starts[self.index + step]

    def end(self, step: int = 0) -> int:
        return self.start(step) + len(self.text(step))

    def text(self, step: int = 0) -> str:
        return self.unit.words.texts[self.index + step]

    @property
    def follows(self) -> str:
        """The first character after the word and white space, as the mask shows it."""
        end = self.end()
        return self.unit.doc.prose[end : min(end + 8, self.unit.end)].lstrip()[:1] or BLOCK

    @property
    def precedes(self) -> str:
        """The last character before the word and white space, as the mask shows it."""
        start = self.start()
        return self.unit.doc.prose[max(start - 8, self.unit.start) : start].rstrip()[-1:] or BLOCK

    def becomes(self, text: str) -> Fault:
        """The word replaced, in its case."""
        return Fault((Edit(self.start(), self.end(), like(text, self.text())),))

    def dropped(self) -> Fault | None:
        """The word gone, with the white space after it; the next word takes over its capital."""
        if not self.right:
            return None
        next_word = self.text(1)
        if self.text()[0].isupper():
            if not next_word.islower():
                return None
            return Fault((Edit(self.start(), self.end(1), next_word[0].upper() + next_word[1:]),))
        return Fault((Edit(self.start(), self.start(1), ""),))

    def preceded_by(self, text: str) -> Fault:
        """Another word before it."""
        return Fault((Edit(self.start(), self.start(), text + " "),))


Rule: TypeAlias = Callable[[At, Draw], "Fault | None"]


class Kind(NamedTuple):
    """A kind of error: how often it is made where it can be, the words that set it off, the rule of what goes wrong."""

    chance: float
    triggers: Iterable[str]
    rule: Rule


class Kinds:
    """Kinds of error by the words that set them off: in lower case, or as they stand if `exact`."""

    def __init__(self, *kinds: Kind, exact: bool = False) -> None:
        self.exact = exact
        self.by_trigger: dict[str, list[Kind]] = {}
        for kind in kinds:
            for word in kind.triggers:
                self.by_trigger.setdefault(word, []).append(kind)

    def next_fault(self, place: Place, draw: Draw) -> Fault | None:
        """What goes wrong at the first word from the place on, and round, that sets something off."""
        forms = place.unit.words.texts if self.exact else place.unit.words.lowers
        by_trigger = self.by_trigger
        for index in chain(range(place.data, len(forms)), range(place.data)):
            if forms[index] not in by_trigger:
                continue
            for kind in by_trigger[forms[index]]:
                fault = kind.rule(At(place.unit, index), draw) if draw.chance(kind.chance) else None
                if fault:
                    return fault
        return None


def _set(text: str) -> frozenset[str]:
    return frozenset(text.split())


# ---------------------------------------------------------------------------------------------------------------------
# Forms


def _verb_forms() -> Iterator[tuple[str, str, str, str, str]]:
    """Base, third person, past, participle and -ing form of each verb."""
    for base, forms in mapping("verbs").items():
        if len(forms) >= 4:
            yield (base, *forms[:4])  # type: ignore[misc]


_FORMS = {base: (third, past, participle, ing) for base, third, past, participle, ing in _verb_forms()}
_BASE_OF_THIRD = {third: base for base, (third, *_) in _FORMS.items()}
_BASE_OF_PAST = {past: base for base, (_, past, _, _) in _FORMS.items()}
_BASE_OF_PARTICIPLE = {participle: base for base, (_, _, participle, _) in _FORMS.items() if participle != base}
_BASE_OF_ING = {ing: base for base, (*_, ing) in _FORMS.items()}
_PLURAL = {one: many[0] for one, many in mapping("nouns").items() if many[0] != one}
_SINGULAR = {many: one for one, many in _PLURAL.items()}

_MASS = _set(
    "code data time output input content memory text support access use work help software hardware information"
    " metadata traffic storage configuration documentation behavior behaviour performance security authentication"
    " authorization compression encryption validation development production space power control order case practice"
    " theory detail research knowledge example default logic syntax state error failure version change interest"
    " overhead concern way experience room view part mind place length size type ownership inheritance concurrency"
    " testing money paper service language execution communication recovery history latency caching monitoring style"
    " format lot bit"
)
_DETERMINERS = _set(
    "a an the this that these those its it their your our my his all any each every no some both which them us"
)
_NUMBERS = _set("two three four five six seven eight nine ten twelve")
_MANY = _set("these those several many multiple various both few numerous different") | _NUMBERS
_ONE = _set("a an this each every another single")
_AMOUNT = _set(
    "number list set kinds types series lot lots collection group pair sequence array couple variety range sorts"
)
_COLLECTIVE = _AMOUNT | _set(
    "majority handful plenty rest percentage bunch host half part portion fraction most one kind type sort any all some"
    " none either neither each subset family team combination total"
)
_NOUN_TOO = {base for base, tag in tags("verbs").items() if tag == "noun"}
_BE = _set("is are was were be been being")
_MODALS = _set("can will must should may might could would cannot can't won't don't doesn't didn't shouldn't couldn't")
_PREPOSITIONS = _set(
    "of in on at for to with from by into as between through without within during before after over under about using"
    " via than like"
)
_FUNCTION = (
    _DETERMINERS | _PREPOSITIONS | _BE | _MODALS | _MANY | _ONE
    | _set(
        "and or but not so if when while where because since until unless then also only just very more most less has"
        " have had do does did who what how why there here you we they i he she be can"
    )
)  # fmt: skip
_AFTER_NOUN = (
    _PREPOSITIONS | _MODALS | _BE | _set("and or that which when if so because while where has have had does do who")
)
_ENDS = frozenset(".,;:!?)" + BLOCK)


def _ends_phrase(at: At) -> bool:
    """Whether a noun is the last word of its phrase, so that its number counts."""
    return at.right in _AFTER_NOUN if at.right else at.follows in _ENDS


_JOINS = _set("and or of nor plus")


def _joined_subject(at: At, most: int = 5) -> bool:
    """Whether an `and`, an `of` or the like shortly before leaves the number of a subject open."""
    return not _JOINS.isdisjoint(at.before(most))


# ---------------------------------------------------------------------------------------------------------------------
# Agreement

_NEEDS_NOUN = _set("between using without create creates add adds uses contain contains")
"""Words after which a noun stands alone, so that a singular one lacks its article."""
_ODD_NOUNS = _set("time lot bit number way while")
_NOUNS = _PLURAL.keys() | _SINGULAR.keys()
_TAKES_OBJECT_AND_BASE = _set("make makes let lets do does have has had help helps see")


def _noun_after(at: At, nouns: Container[str], *, adjective: bool) -> At | None:
    """The noun that ends a phrase of one word, or of two if an adjective may stand between."""
    if at.right in nouns:
        noun = at.step(1)
    elif adjective and at.right not in _FUNCTION and at[2] in nouns:
        noun = at.step(2)
    else:
        return None
    return noun if _ends_phrase(noun) else None


def _plural_to_singular(at: At, draw: Draw) -> Fault | None:
    """`two files` → `two file`, set off by what wants a plural."""
    noun = _noun_after(at.step(1) if at.right == "of" else at, _SINGULAR, adjective=at.word in _MANY)
    if not noun:
        return None
    one = _SINGULAR[noun.word]
    if at.word in _NEEDS_NOUN and (one in _MASS or noun.word in _BASE_OF_THIRD or not noun.text().islower()):
        return None
    return noun.becomes(one)


def _singular_to_plural(at: At, draw: Draw) -> Fault | None:
    """`this file` → `this files`, set off by what wants a singular."""
    article = at.word in ("a", "an")
    noun = _noun_after(at, _PLURAL, adjective=article)
    if not noun:
        sure = article and at.right in _PLURAL and at[2] in _NOUNS and draw.chance(0.3)
        noun = at.step(1) if sure and _PLURAL[at.right] not in _BASE_OF_THIRD else None
    elif at.word in ("this", "each", "every"):
        verb = _PLURAL[noun.word] in _BASE_OF_THIRD and noun.right not in ("is", "was", "has", "can", "will")
        noun = noun if not verb and at.left not in _TAKES_OBJECT_AND_BASE else None
    return noun.becomes(_PLURAL[noun.word]) if noun and noun.word not in _ODD_NOUNS else None


def _subject_is_singular(at: At) -> bool:
    if at.left in ("which", "that"):
        return at[-2] in _PLURAL and at[-3] in ("a", "an", "the", "this", "each")
    determined = at.left in _PLURAL and not _DETERMINERS_OF_ONE.isdisjoint(at.before(4)[:-1])
    return determined and not _joined_subject(at)


_DETERMINERS_OF_ONE = _ONE | {"the"}
_TAKES_SUBJUNCTIVE = _set("require requires recommend suggest insist ensure")


def _third_to_base(at: At, draw: Draw) -> Fault | None:
    """`it stores` → `it store`."""
    base = _BASE_OF_THIRD[at.word]
    if at.right not in (("a", "an") if base in _NOUN_TOO else _DETERMINERS):
        return None
    if at.left in ("it", "this", "he", "she") or _subject_is_singular(at):
        return at.becomes(base) if _TAKES_SUBJUNCTIVE.isdisjoint(at.before(6)) else None
    if at.left in ("and", "then") and any(word in _BASE_OF_THIRD or word == "is" for word in at.before(9)[:-1]):
        return at.becomes(base)
    return None


def _base_to_third(at: At, draw: Draw) -> Fault | None:
    """`they store` → `they stores`, set off by the subject."""
    if at.right not in _FORMS or not at[2] or at.left in _TAKES_OBJECT_AND_BASE or at.left in _MODALS:
        return None
    return at.step(1).becomes(_FORMS[at.right][0]) if at.word == "they" or draw.chance(0.3) else None


_OTHER_NUMBER = {
    "is": "are", "are": "is", "was": "were", "were": "was", "has": "have", "have": "has", "does": "do", "do": "does",
    "doesn't": "don't", "don't": "doesn't", "isn't": "aren't", "aren't": "isn't",
}  # fmt: skip


def _auxiliary_number(at: At, draw: Draw) -> Fault | None:
    """`the value is` → `the value are` or `the values is`, `there are many` → `there is many`."""
    near, wrong = at.left, _OTHER_NUMBER[at.word]
    singular = wrong in ("are", "were", "have", "do", "don't", "aren't")
    if near == "there":
        many = at.right in _MANY or at.right in _SINGULAR or (at.right in _BEFORE_MANY and at[2] in _SINGULAR)
        few = at.right in ("a", "an") and at[2] in _PLURAL and at[2] not in _COLLECTIVE
        sure = few if singular else many
    elif not singular:
        plural = near in _SINGULAR or (near in ("which", "that") and at[-2] in _SINGULAR)
        sure = plural and "of" not in at.before(5)
    elif wrong == "were" and not _UNREAL.isdisjoint(at.before(6)):
        sure = False
    elif near in ("it", "this") and wrong in ("have", "do", "don't"):
        sure = True
    elif near in _SINGULAR and at[-2] in ("the", "your", "its", "these") and at[-3] == "of":
        sure = at[-4] in _PLURAL and at[-4] not in _COLLECTIVE
    else:
        sure = _subject_is_singular(at)
    other = _PLURAL.get(near) or _SINGULAR.get(near)
    if sure and other and at[-2] in ("the", "your", "our", "its") and draw.chance(0.3):
        return at.step(-1).becomes(other)
    return at.becomes(wrong) if sure else None


_BEFORE_MANY = _set("no some other also")
_UNREAL = _set("if wish though")

_TAKES_ING = _set(
    "used related prior due addition similar close limited restricted dedicated key approach next opposed respect"
    " regard committed leads led lead contributes equivalent access alternative forward subject thanks compared as"
)


def _after_modal(at: At, draw: Draw) -> Fault | None:
    """`can use` → `can used`, `to install the` → `to installing the`, set off by `can` or `to`."""
    parted = at.right in ("not", "also", "only", "then") and at.word != "to"
    if (at[2] if parted else at.right) not in _FORMS:
        return None
    verb = at.step(2 if parted else 1)
    third, past, _, ing = _FORMS[verb.word]
    wrong = [past, past, third]
    if at.word == "to":
        if verb.right not in _DETERMINERS:
            return None
        wrong = [past, third, *(() if at.left in _TAKES_ING or not at.left else (ing,))]
    form = draw.choice(wrong if past.endswith("ed") else wrong[-1:])
    return verb.becomes(form) if form != verb.word else None


_ALSO_ADJECTIVES = _set(
    "open complete close separate correct clean empty present secure free duplicate own direct express slow welcome"
    " warm cool dry clear narrow parallel alternate approximate elaborate moderate associate lower smooth ready mature"
    " exempt abstract live even mean like set right sound perfect equal round double deliberate delegate void last fit"
    " limit need base average correct last put cost access process"
)


def _participle_to_base(at: At, draw: Draw) -> Fault | None:
    """`is installed` → `is install`, `has used` → `has use`."""
    base = _BASE_OF_PARTICIPLE[at.word]
    if not (at.left in _BE or (at.left in ("has", "have", "had") and base not in _PLURAL)):
        return None
    ends = at.right in _AFTER_PARTICIPLE if at.right else at.follows in _ENDS
    return at.becomes(base) if ends and base not in _ALSO_ADJECTIVES else None


_AFTER_PARTICIPLE = _PREPOSITIONS | _set("when if and or")


def _ing_to_base(at: At, draw: Draw) -> Fault | None:
    """`without installing the` → `without install the`."""
    return at.becomes(_BASE_OF_ING[at.word]) if at.left in _TAKES_GERUND and at.right in _DETERMINERS else None


_TAKES_GERUND = _set("by for without before after while when of")
_ADVERBS = _set(
    "automatically currently internally explicitly implicitly correctly typically usually directly previously"
    " completely properly dynamically manually locally separately successfully easily quickly slightly commonly"
    " generally globally frequently originally periodically programmatically recursively safely silently statically"
    " temporarily uniquely widely immediately individually independently normally officially really efficiently"
    " carefully heavily highly"
)


def _adverb_to_adjective(at: At, draw: Draw) -> Fault | None:
    """`is automatically created` → `is automatic created`."""
    follows_verb = at.left in _BE or at.left in _MODALS
    if not follows_verb or not (at.right in _BASE_OF_PARTICIPLE or at.right in _BASE_OF_ING or at.right in _FORMS):
        return None
    return at.becomes(_adjective(at.word))


def _adjective(adverb: str) -> str:
    if adverb.endswith("ily"):
        return adverb[:-3] + "y"
    longer = adverb.endswith("ically") and adverb not in ("typically", "periodically")
    return adverb.removesuffix("ally" if longer else "ly")


_AGREEMENT = Kinds(
    Kind(1, _MANY | _AMOUNT | _NEEDS_NOUN, _plural_to_singular),
    Kind(0.5, _set("a an another this each every"), _singular_to_plural),
    Kind(0.5, _BASE_OF_THIRD.keys() - _SINGULAR.keys(), _third_to_base),
    Kind(0.4, _set("they we you"), _base_to_third),
    Kind(0.5, _OTHER_NUMBER, _auxiliary_number),
    Kind(0.4, _MODALS | {"to"}, _after_modal),
    Kind(0.5, _BASE_OF_PARTICIPLE, _participle_to_base),
    Kind(0.4, _BASE_OF_ING, _ing_to_base),
    Kind(0.8, _ADVERBS, _adverb_to_adjective),
)


@degrader(
    "grammar.agreement",
    where=words(),
    does="a wrong number or form of a noun or verb: two file, it store, can used, to installing",
    example=("These files are new.", "These file are new."),
    recoverable="A",
    severity=2,
    weight=7,
)
def agreement(place: Place, draw: Draw) -> Fault | None:
    return _AGREEMENT.next_fault(place, draw)


# ---------------------------------------------------------------------------------------------------------------------
# Articles, prepositions and the other small words


def _article_dropped(at: At, draw: Draw) -> Fault | None:
    """Gone where a singular that one can count, or a superlative, cannot do without it."""
    if not at.right:
        return None
    if at.right in _NEEDS_ARTICLE:
        sure = at.word == "the" and at.right not in ("lot", "little", "other")
    else:
        steps = next((k for k in (1, 2, 3) if at[k] in _PLURAL and at[k + 1] not in _PLURAL), 0)
        sure = bool(steps) and at[steps] not in _MASS and _ends_phrase(at.step(steps))
        sure = sure and all(at[k] not in _FUNCTION for k in range(1, steps))
    fault = at.dropped() if sure else None
    return fault and Fault(fault.edits, recoverable="B")


_NEEDS_ARTICLE = _set("few little bit lot same first following last next current only most best whole entire other")


def _article_added(at: At, draw: Draw) -> Fault | None:
    """Before a determiner, as editing leaves it, or before a bare noun that wants none."""
    if at.word in _OWN_DETERMINERS:
        sure = at.left in _PREPOSITIONS and at.right in _NOUNS and at.text().islower()
        return at.preceded_by("the") if sure else None
    if at.word in _BARE_NOUNS and at.left in _BARE_NOUNS[at.word]:
        return at.preceded_by(draw.choice(("the", _article_of(at.word) or "a")))
    noun = _noun_after(at, _PLURAL, adjective=False) if at.word in _NEEDS_NOUN else None
    if not noun or noun.word in _BASE_OF_THIRD or not noun.text().islower():
        return None
    return noun.preceded_by(_article_of(noun.word) or "a")


_OWN_DETERMINERS = _set("its your this each our their these")
_BARE_NOUNS = {
    "contrast": ("in", "by"), "general": ("in",), "particular": ("in",), "addition": ("in",), "practice": ("in",),
    "default": ("by",), "example": ("for",), "instance": ("for",), "hand": ("by",), "runtime": ("at",), "fact": ("in",),
    "theory": ("in",), "detail": ("in",), "production": ("in",), "parallel": ("in",), "memory": ("in",),
    "time": ("over",), "advance": ("in",), "mind": ("in",), "access": ("have", "has", "gives"),
    "support": ("adds", "add", "provides"), "information": ("more", "for", "contains"), "documentation": ("see",),
}  # fmt: skip
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


_WRONG_AFTER = (
    ("on", "of from in", "depend depends depending depended"),
    ("on", "in to of", "rely relies relying focus focuses"),
    ("on", "in of", "based"),
    ("of", "from in", "consists consist"),
    ("of", "to from for", "instead because lack"),
    ("of", "in on", "kind kinds type types sort series sequence number"),
    ("of", "on to", "instance end rest copy top list"),
    ("to", "with for of", "according due access prior"),
    ("to", "for in on", "refer refers referring belongs belong"),
    ("to", "with of", "related similar equivalent identical"),
    ("to", "on for", "respond responds subscribe corresponds correspond"),
    ("for", "of to", "responsible suitable"),
    ("for", "to on", "wait waits waiting"),
    ("for", "of at in", "checks checking ask useful"),
    ("with", "to of", "comes interact interacts along together"),
    ("with", "of to", "compatible familiar"),
    ("with", "in to", "deal deals dealing associated"),
    ("from", "of", "different prevent prevents derived"),
    ("from", "of on", "differs inherit inherits away"),
    ("in", "on at", "results result interested specified defined included"),
    ("in", "to on", "involved participate succeed"),
    ("by", "from of", "followed caused"),
    ("into", "on at to", "divided split"),
)
_WRONG_BEFORE = (
    ("at", "on in", "runtime startup"),
    ("in", "on at", "addition general particular practice contrast production order parallel"),
    ("by", "in on", "default"),
    ("for", "as by", "instance"),
    ("on", "in", "github"),
)
_CONFUSED_AFTER = {word: (right, wrong.split()) for right, wrong, found in _WRONG_AFTER for word in found.split()}
_CONFUSED_BEFORE = {word: (right, wrong.split()) for right, wrong, found in _WRONG_BEFORE for word in found.split()}


def _preposition_swapped(at: At, draw: Draw) -> Fault | None:
    """`depends on` → `depends of`, `at runtime` → `in runtime`, set off by the word that wants the preposition."""
    right, wrong = _CONFUSED_AFTER.get(at.word, ("", []))
    if at.right and at.right == right:
        preposition = at.step(1)
        following = preposition.right
        sure = following in _DETERMINERS or following in _SINGULAR or following in _FORMS
        if sure or preposition.follows == INLINE:
            return preposition.becomes(draw.choice(wrong))
    right, wrong = _CONFUSED_BEFORE.get(at.word, ("", []))
    return at.step(-1).becomes(draw.choice(wrong)) if at.left and at.left == right else None


_NOT_WITHOUT: dict[str, set[str]] = {}
for _preposition, _words in {
    "on": "depend depends depending rely relies relying focus focuses based",
    "of": "consists consist instead because number kind kinds type types instance version end part one lack way"
    " sequence series top amount member copy subset middle rest lot couple pair",
    "to": "according due refer refers referring related similar corresponds correspond belongs belong prior respond"
    " responds compared equivalent identical need needs want wants able have has try ability allowed going how"
    " relative subscribe listen",
    "for": "responsible wait waits waiting looking look useful suitable ask except intended",
    "with": "comes interact interacts interacting associated along compatible familiar deal deals dealing together",
    "from": "different prevent prevents derived differs inherit inherits away",
    "in": "results result interested involved succeed participate",
    "at": "look looking looks",
    "as": "well such known",
    "by": "followed caused",
}.items():
    for _word in _words.split():
        _NOT_WITHOUT.setdefault(_word, set()).add(_preposition)
_TAKES_NOUN = _set("due related similar compared relative equivalent")
_TAKES_VERB = _set("need needs want wants have has try how")


def _preposition_dropped(at: At, draw: Draw) -> Fault | None:
    """`depends on the` → `depends the`, set off by the word that cannot do without the preposition."""
    if at.right not in _NOT_WITHOUT[at.word]:
        return None
    preposition = at.step(1)
    following = preposition.right
    if preposition.word == "to" and following in _FORMS and at.word not in _TAKES_NOUN:
        sure = at.word not in ("need", "have", "has", "how") or following not in _PLURAL
    elif preposition.word == "of" and following in _SINGULAR:
        sure = True
    else:
        sure = following in _DETERMINERS and not (preposition.word == "to" and at.word in _TAKES_VERB)
    return preposition.dropped() if sure else None


_TRANSITIVE = {
    "access": "to", "accesses": "to", "accessing": "to", "discuss": "about", "discusses": "about", "describe": "about",
    "describes": "about", "explain": "about", "explains": "about", "mention": "about", "contact": "with", "enter": "to",
    "entering": "into", "disable": "of", "disabling": "of", "reach": "to", "reaches": "to", "visit": "to",
    "affect": "to", "affects": "to", "contains": "of", "supports": "for", "prevents": "of", "answer": "to",
    "using": "of", "installing": "of", "testing": "of", "following": "to", "creating": "of", "updating": "of",
}  # fmt: skip


def _preposition_added(at: At, draw: Draw) -> Fault | None:
    """`accesses the` → `accesses to the`, `lets you register` → `lets you to register`, set off by the verb."""
    if at.word in _TRANSITIVE:
        sure = at.right in ("the", "a", "an", "your", "this") and at[2] and at.left not in ("the", "a", "an")
        return at.step(1).preceded_by(_TRANSITIVE[at.word]) if sure else None
    if at.word in _MODALS:
        sure = at.right in _FORMS and at[2] in _DETERMINERS and draw.chance(0.4)
        return at.step(1).preceded_by("to") if sure else None
    return at.step(2).preceded_by("to") if at.right in ("you", "us", "them") and at[2] in _FORMS else None


def _auxiliary_dropped(at: At, draw: Draw) -> Fault | None:
    """`can be customized` → `can customized`, `if you are using` → `if you using`, `here is a` → `here a`."""
    near, following = at.left, at.right
    if at.word == "be":
        sure = (near in _MODALS or near == "to") and following in _BASE_OF_PARTICIPLE and following not in _FORMS
    elif near == "here":
        sure = following in _DETERMINERS or following in _MANY
    elif near == "which":
        sure = following in _BASE_OF_PARTICIPLE or following in _DETERMINERS
    elif at.word == "are":
        sure = near in ("you", "we", "they") and following in _BASE_OF_ING
    else:
        sure = near in ("it", "this") and following in ("a", "an", "the", "not", "also", "possible", "only")
    return at.dropped() if sure and at.text().islower() else None


def _neighbours_swapped(at: At, draw: Draw) -> Fault | None:
    """`of the file` → `the of file`, as when a word is moved and lands beside its place."""
    parted = at.right not in ("the", "a", "an", "be", "this") or not at.left or not at[2]
    if parted or not (at.text() + at.text(1)).islower():
        return None
    between = at.unit.doc.text[at.end() : at.start(1)]
    return Fault((Edit(at.start(), at.end(1), at.text(1) + between + at.text()),))


_SMALL_WORDS = Kinds(
    Kind(0.25, _set("a an the"), _article_dropped),
    Kind(0.5, _OWN_DETERMINERS | _BARE_NOUNS.keys() | _NEEDS_NOUN, _article_added),
    Kind(0.14, _set("a an"), _a_for_an),
    Kind(0.8, _CONFUSED_AFTER.keys() | _CONFUSED_BEFORE.keys(), _preposition_swapped),
    Kind(0.9, _NOT_WITHOUT, _preposition_dropped),
    Kind(0.9, _MODALS | _TRANSITIVE.keys() | _set("let lets make makes"), _preposition_added),
    Kind(1, _set("be is are"), _auxiliary_dropped),
    Kind(0.1, _set("of on for"), _neighbours_swapped),
)


@degrader(
    "grammar.article_preposition",
    where=words(),
    does="an article, preposition or other small word dropped, added, swapped or in the wrong place",
    example=("It depends on the size.", "It depends the size."),
    recoverable="A",
    severity=1,
    weight=8,
)
def article_preposition(place: Place, draw: Draw) -> Fault | None:
    return _SMALL_WORDS.next_fault(place, draw)


# ---------------------------------------------------------------------------------------------------------------------
# Punctuation


class Slip(NamedTuple):
    """A kind of slip: how often it is drawn, where it can happen, what the match may become, and over which mask."""

    share: float
    where: re.Pattern[str]
    becomes: tuple[str, ...]
    over: str = "body"


def _slip(share: float, where: str, *becomes: str, over: str = "body") -> Slip:
    return Slip(share, re.compile(where), becomes, over)


_OPENERS = (
    "However|Therefore|For example|For instance|In addition|Alternatively|Additionally|Finally|Instead|Otherwise"
    "|As such|In this case|In that case|In general|In particular|By default|Generally|Similarly|Also|Fortunately"
    "|Typically|Usually|Currently|Furthermore|Moreover|As a result|On the other hand|In contrast|In other words|First"
    "|Second|Next|Then"
)
_CLAUSES = "If|When|While|Since|Because|After|Before|Once|Unless|Although|To|In|As|For|With"
_SPLICE = ", …"
"""A full stop becomes a comma, and what follows loses its capital."""
_COMPOUND_ENDS = (
    "based|defined|like|only|specific|time|line|in|out|level|side|friendly|safe|known|running|aware|style|related|end"
    "|compatible|quality|purpose|wide|source|party|term|scale|independent|dependent|free|case|sensitive|threaded"
    "|to-date|[a-z]+ed|[a-z]+ing"
)
# A pattern begins with the mark or letter that is rarest, and looks back from there: so a search runs fast.
_PUNCTUATION = (
    _slip(8, rf"(?:{_OPENERS})(,)(?=\s)", ""),
    _slip(
        11,
        rf"(?:{_CLAUSES})\b[^.,;:()\x01]{{8,90}}(,)(?=\s(?:the|you|it|we|this|they|a|an|there)\b)",
        "",
    ),
    _slip(7, r"(,)(?<=[a-z],)(?=\s(?:which|but|so|while|whereas|etc|however|respectively|too)\b)", ""),
    _slip(3, r", (?:e\.g\.|i\.e\.)(,)(?= )", ""),
    _slip(5, r"[a-z]{4}()(?= (?:that|to|because|if|when) [a-z])", ","),
    _slip(2, r" (?:and|or|but|that)()(?= (?:the|you|it|this|then) )", ","),
    _slip(9, r"(\.)(?<=[a-z]{3}\.)(?<!etc\.)(?=\x01|\Z)", ""),
    _slip(4, r"(\.)(?<=[a-z]{3}\.)(?<!etc\.)(?=\s[A-Z][a-z]+\b)", "", "", ",", ".."),
    _slip(4, r"(\.\s(?:It|This|You|They|We|These|There))(?= [a-z])", _SPLICE),
    _slip(3, r"(\.)(?<=[a-z]{3}\.)(?=[\s\x01])", ".."),
    _slip(9, r"(:)(?<=[a-z)]:)(?=\x01)", "", "", "."),
    _slip(2, r"(;)(?<=[a-z];)(?=\s)", ","),
    _slip(10, rf"(-)(?<=[a-z][a-z]-)(?=(?:{_COMPOUND_ENDS})\b(?!-))", " ", " ", "", over="prose"),
    _slip(2, r"ly( )(?<=[a-z]{3}ly )(?=[a-z]{3,}ed\b)", "-"),
    _slip(5, r"(['’])(?<=[A-Za-z].)(?=(?:s|t|re|ve)\b)(?<!\b[Ii]t.)(?<!\b[Ww]e.)", "", over="prose"),
    _slip(2, r"[A-Z](?<!\w.)[A-Z]{1,4}()(?=s\b)", "'"),
    _slip(3, r"[\"“](?<![^\s\x01(].)[^\"“”\x01]{2,30}([\"”])(?!\w)", ""),
    _slip(2, r"([\"“])(?<![^\s\x01(].)[^\"“”\x01]{2,30}[\"”](?!\w)", ""),
    _slip(5, r"\((?<=\s.)[^()\x01]{3,80}(\))", "", "", "))"),
    _slip(4, r"(?<=[a-z])()(?=[,.:?!][\s\x01])", " "),
    _slip(4, r"[,.]( )(?<=[a-z]{3}..)(?=[A-Za-z][a-z])", ""),
)
_PUNCTUATION_SHARES = tuple(accumulate(slip.share for slip in _PUNCTUATION))
_SLIPS_TRIED = 4


@degrader(
    "grammar.punctuation",
    where=pattern(r"[,.:;)](?=[\s\x01])", over="prose"),
    does="a comma, full stop, colon, hyphen, apostrophe, quote or bracket lost, added or swapped; stray spaces",
    example=("If it fails, you can try again.", "If it fails you can try again."),
    recoverable="A",
    severity=1,
    weight=4.5,
)
def punctuation(place: Place, draw: Draw) -> Fault | None:
    unit = place.unit
    for _ in range(_SLIPS_TRIED):
        slip = draw.weighted(_PUNCTUATION, _PUNCTUATION_SHARES)
        mask = unit.doc.prose if slip.over == "prose" else unit.doc.body
        match = slip.where.search(mask, place.start, unit.end) or slip.where.search(mask, unit.start, unit.end)
        if match and _clear(unit, *match.span(1)):
            wrong = draw.choice(slip.becomes)
            if wrong is _SPLICE:
                wrong = "," + match[1][1:].lower()
            return Fault((Edit(match.start(1), match.end(1), wrong),))
    return None


def _clear(unit: Unit, start: int, end: int) -> bool:
    """Whether a mark stands alone: not one of `::`, `...`, `?!`, nor beside markup that it may belong to."""
    text = unit.doc.text
    after = text[end + 1 : end + 2] if end == start else text[end : end + 1]
    return text[start - 1 : start] not in _MARKS and after not in _MARKS


_MARKS = frozenset(":.?!;,*_`|\\")


# ---------------------------------------------------------------------------------------------------------------------
# Capital letters

_PRODUCTS = {name: wrong for name, wrong in mapping("product_names").items() if name.isalpha()}
_PRODUCTS_LOWER = frozenset(name.lower() for name in _PRODUCTS)
_PLAIN = _FUNCTION | _FORMS.keys() | _BASE_OF_THIRD.keys() | _BASE_OF_ING.keys() | _NOUNS


def _product(at: At, draw: Draw) -> Fault | None:
    """`GitHub` → `Github`."""
    return Fault((Edit(at.start(), at.end(), draw.choice(_PRODUCTS[at.text()])),))


def _sentence_start(at: At, draw: Draw) -> Fault | None:
    """`The server` → `the server`."""
    if at.left or not at.right or at.precedes not in ".!?" + BLOCK or _abbreviation_before(at) or _in_heading(at):
        return None
    return Fault((Edit(at.start(), at.end(), at.word),))


def _abbreviation_before(at: At) -> bool:
    before = at.unit.doc.prose[max(0, at.start() - 8) : at.start()].rstrip()
    return before.endswith(("e.g.", "i.e.", "etc.", "vs.", "cf."))


def _in_heading(at: At) -> bool:
    return at.unit.doc.body[at.start()] == BLOCK


def _random_capital(at: At, draw: Draw) -> Fault | None:
    """`the server` → `the Server`."""
    sure = at.left in _DETERMINERS and at.text(-1).islower() and not _in_heading(at)
    return Fault((Edit(at.start(), at.end(), at.word.capitalize()),)) if sure else None


def _shouted(at: At, draw: Draw) -> Fault | None:
    """`must not` → `must NOT`."""
    return Fault((Edit(at.start(), at.end(), at.word.upper()),)) if at.left and not _in_heading(at) else None


_CAPITALS = Kinds(
    Kind(1, _PRODUCTS, _product),
    Kind(0.4, {word.capitalize() for word in _PLAIN - {"i"}}, _sentence_start),
    Kind(0.25, {word for word in _NOUNS - _FUNCTION if len(word) >= 4}, _random_capital),
    Kind(0.1, _set("not must never always only important all required"), _shouted),
    exact=True,
)


def _heading_case(unit: Unit, draw: Draw) -> Fault | None:
    """One word of a heading against the style of the others: a small one in title case, a capital in sentence case."""
    headings = unit.of("heading")
    if not headings:
        return None
    heading, found = draw.choice(headings), unit.words
    first, end = bisect_right(found.starts, heading.inner_start), bisect_left(found.starts, heading.inner_end)
    telling = [i for i in range(first, end) if found.lowers[i] not in _FUNCTION]
    plain = [i for i in telling if found.lowers[i] in _PLAIN and found.lowers[i] not in _PRODUCTS_LOWER]
    if not plain:
        return None
    chosen = draw.choice(plain)
    start, text, others = found.starts[chosen], found.texts[chosen], [found.texts[i] for i in telling if i != chosen]
    if text.islower():
        wrong, sure = text.capitalize(), all(other.islower() for other in others)
    else:
        wrong, sure = text.lower(), text.istitle() and others != [] and all(other[0].isupper() for other in others)
    return Fault((Edit(start, start + len(text), wrong),)) if sure else None


@degrader(
    "grammar.capitalisation",
    where=words(),
    does="a capital lost or added: sentence starts, names (Github), headings, a Noun, a SHOUTED word",
    example=("We use GitHub for it.", "We use Github for it."),
    recoverable="A",
    severity=1,
    weight=2.5,
)
def capitalisation(place: Place, draw: Draw) -> Fault | None:
    in_heading = _heading_case(place.unit, draw) if draw.chance(0.2) else None
    return in_heading or _CAPITALS.next_fault(place, draw)
