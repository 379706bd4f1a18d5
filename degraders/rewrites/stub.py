"""The offline rewriter: rules that make a paragraph wordier, vaguer or tangled. It stands in for a language model."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import cache

from degraders.draw import Draw
from degraders.lexicon import lower_first, mapping, match_case, phrases, word_set
from degraders.rewrites.requests import RewriteRequest

PROBLEMS = ("wordy", "tangle", "vague")
"""The problems that its rules can create; `vague` loses information, so its errors are of class D."""

_SENTENCE_GAP = re.compile(r"(?<=[.!?])[ \n]+(?=[A-Z⟦])")
_OPENERS = word_set("sentence_openers")
_PURPOSE = re.compile(r"\b(To|If|When|Once|After|Before|Because|Unless) ([^,.⟦⟧]{8,120}), ([^.!?]{8,200})([.!])")
_WORD = re.compile(r"(?<![\w-])[a-z]+")
_WORD_CONTINUES = re.compile(r"[\w-]")


class Stub:
    """A `Rewriter` that makes several changes at a time, all of one problem."""

    def rewrite(self, request: RewriteRequest) -> str | None:
        rewritten = _RULES[request.problem](request.passage, Draw(request.seed, request.problem))
        return rewritten if rewritten != request.passage else None


class _Phrases:
    """A table of phrases with their alternatives, indexed by the first word."""

    def __init__(self, *tables: Mapping[str, tuple[str, ...]]) -> None:
        self.alternatives = {phrase: forms for table in tables for phrase, forms in table.items()}
        self.by_first_word: dict[str, list[str]] = {}
        for phrase in sorted(self.alternatives, key=len, reverse=True):
            first = _WORD.match(phrase)
            if first:
                self.by_first_word.setdefault(first[0], []).append(phrase)

    def substitute(self, passage: str, draw: Draw, share: float) -> str:
        """The passage with a share of its phrases replaced by an alternative."""
        pieces: list[str] = []
        at, lower = 0, passage.lower()
        for match in _WORD.finditer(lower):
            phrase = self._longest_phrase(lower, match) if match.start() >= at else None
            if phrase and draw.chance(share):
                start, end = match.start(), match.start() + len(phrase)
                pieces += passage[at:start], match_case(draw.choice(self.alternatives[phrase]), passage[start:end])
                at = end
        return "".join([*pieces, passage[at:]])

    def _longest_phrase(self, lower: str, first: re.Match[str]) -> str | None:
        """The longest phrase that begins with this word of a text and ends at the end of a word."""
        for phrase in self.by_first_word.get(first[0], ()):
            end = first.start() + len(phrase)
            if lower.startswith(phrase, first.start()) and not _WORD_CONTINUES.match(lower, end):
                return phrase
        return None


@cache
def _paraphrases() -> _Phrases:
    """The rewordings that fit in any context."""
    return _Phrases(mapping("rewordings", ""))


@cache
def _vague_phrases() -> _Phrases:
    return _Phrases(mapping("vague", "noun"), mapping("vague", "modal"))


def _make_wordy(passage: str, draw: Draw) -> str:
    """Reword phrases, and put a hedge before one sentence."""
    text = _paraphrases().substitute(passage, draw, 0.6)
    sentences = _SENTENCE_GAP.split(text)
    at = draw.below(len(sentences))
    hedge = draw.choice(phrases("hedges", "sentence-start")).rstrip(",")
    first = sentences[at].split(" ", 1)[0]
    if first.lower() not in _OPENERS:
        return text
    sentence = f"{hedge}{'' if hedge.endswith('that') else ','} {lower_first(first)}{sentences[at][len(first) :]}"
    return text.replace(sentences[at], sentence, 1)


def _make_vague(passage: str, draw: Draw) -> str:
    return _vague_phrases().substitute(passage, draw, 0.5)


def _tangle(passage: str, draw: Draw) -> str:
    """Put the purpose after the instruction, or else join two sentences in the wrong order."""
    text = _PURPOSE.sub(lambda m: f"{_capitalize(m[3])} {m[1].lower()} {m[2]}{m[4]}", passage, count=2)
    sentences = _SENTENCE_GAP.split(passage)
    if text != passage or len(sentences) < 2:
        return text
    at = draw.below(len(sentences) - 1)
    left, right = sentences[at], sentences[at + 1]
    first = left.split(" ", 1)[0]
    if not right.endswith(".") or first.lower() not in _OPENERS:
        return passage
    connective = draw.choice((", and ", ", also ", "; and ", ", but first "))
    joined = right[:-1] + connective + lower_first(first) + left[len(first) :]
    gap = _SENTENCE_GAP.findall(passage)[at]
    return passage.replace(left + gap + right, joined, 1)


def _capitalize(text: str) -> str:
    """The text with its first letter in upper case; unlike `str.capitalize`, the others stay as they are."""
    return text[:1].upper() + text[1:]


_RULES: Mapping[str, Callable[[str, Draw], str]] = {"wordy": _make_wordy, "tangle": _tangle, "vague": _make_vague}
