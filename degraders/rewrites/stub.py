"""The offline rewriter: rules that make a paragraph wordier, vaguer or tangled, behind the protocol of real models."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import cache

from degraders.draw import Draw
from degraders.lexicon import lower_first, mapping, match_case, phrases
from degraders.rewrites.requests import RewriteRequest

PROBLEMS = ("wordy", "tangle", "vague")
"""What its rules can make; `vague` loses information, so its errors are of class D."""

_SENTENCE = re.compile(r"(?<=[.!?])[ \n]+(?=[A-Z⟦])")
_OPENERS = frozenset(
    "a after all an and any as at because before both by check choose click configure create each every finally for "
    "from here how however if in instead it its make many most next no note now on once one only open or our run see "
    "set since some such that the their then there these they this those to use we what when where which while with "
    "without you your".split()
)
"""Words that begin a sentence and are no names."""
_PURPOSE = re.compile(r"\b(To|If|When|Once|After|Before|Because|Unless) ([^,.⟦⟧]{8,120}), ([^.!?]{8,200})([.!])")


class Stub:
    """Several changes at a time, of one of its problems."""

    def rewrite(self, request: RewriteRequest) -> str | None:
        rewritten = _RULES[request.problem](request.passage, Draw(request.seed, request.problem))
        return rewritten if rewritten != request.passage else None


class _Phrases:
    """A table of phrases and what may stand for them, looked up by their first word."""

    def __init__(self, *tables: Mapping[str, tuple[str, ...]]) -> None:
        self.others = {phrase: forms for table in tables for phrase, forms in table.items()}
        self.by_first: dict[str, list[str]] = {}
        for phrase in sorted(self.others, key=len, reverse=True):
            first = _WORD.match(phrase)
            if first:
                self.by_first.setdefault(first[0], []).append(phrase)

    def substituted(self, passage: str, draw: Draw, share: float) -> str:
        """The passage with a share of the phrases in it put in other words."""
        out: list[str] = []
        at, lower = 0, passage.lower()
        for match in _WORD.finditer(lower):
            phrase = self._at(lower, match) if match.start() >= at else None
            if phrase and draw.chance(share):
                start, end = match.start(), match.start() + len(phrase)
                out += passage[at:start], match_case(draw.choice(self.others[phrase]), passage[start:end])
                at = end
        return "".join([*out, passage[at:]])

    def _at(self, lower: str, first: re.Match[str]) -> str | None:
        """The longest phrase that begins with this word of a text and ends with a word."""
        for phrase in self.by_first.get(first[0], ()):
            end = first.start() + len(phrase)
            if lower.startswith(phrase, first.start()) and not _GOES_ON.match(lower, end):
                return phrase
        return None


_WORD = re.compile(r"(?<![\w-])[a-z]+")
_GOES_ON = re.compile(r"[\w-]")


@cache
def _paraphrases() -> _Phrases:
    """The rewordings that fit wherever the words stand, and for adjectives nearly so."""
    return _Phrases(mapping("rewordings", ""), mapping("rewordings", "adj"))


@cache
def _vaguer() -> _Phrases:
    return _Phrases(mapping("vague", "noun"), mapping("vague", "modal"))


def _wordy(passage: str, draw: Draw) -> str:
    text = _paraphrases().substituted(passage, draw, 0.6)
    sentences = _SENTENCE.split(text)
    at = draw.below(len(sentences))
    opener = draw.choice(phrases("hedges", "sentence-start")).rstrip(",")
    first = sentences[at].split(" ", 1)[0]
    if first.lower() not in _OPENERS:
        return text
    sentence = f"{opener}{'' if opener.endswith('that') else ','} {lower_first(first)}{sentences[at][len(first) :]}"
    return text.replace(sentences[at], sentence, 1)


def _vague(passage: str, draw: Draw) -> str:
    return _vaguer().substituted(passage, draw, 0.5)


def _tangled(passage: str, draw: Draw) -> str:
    """The purpose put behind the instruction, or two sentences in the wrong order and run together."""
    text = _PURPOSE.sub(lambda m: f"{_capital(m[3])} {m[1].lower()} {m[2]}{m[4]}", passage, count=2)
    sentences = _SENTENCE.split(passage)
    if text != passage or len(sentences) < 2:
        return text
    at = draw.below(len(sentences) - 1)
    left, right = sentences[at], sentences[at + 1]
    first = left.split(" ", 1)[0]
    if not right.endswith(".") or first.lower() not in _OPENERS:
        return passage
    joined = (
        right[:-1]
        + draw.choice((", and ", ", also ", "; and ", ", but first "))
        + lower_first(first)
        + left[len(first) :]
    )
    gap = _SENTENCE.findall(passage)[at]
    return passage.replace(left + gap + right, joined, 1)


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


_RULES: Mapping[str, Callable[[str, Draw], str]] = {"wordy": _wordy, "tangle": _tangled, "vague": _vague}
