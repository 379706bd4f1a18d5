"""The naming of fixes: each difference between a bad text and its good text gets the name of the problem that it fixes.

A name is `family.problem/detail`, whether or not a degrader has that name. It is read from the two texts alone.
"""

from __future__ import annotations

import re
from collections.abc import Container, Sequence
from functools import cache
from os.path import commonprefix

from rapidfuzz.distance import OSA

from degraders.lexicon import mapping, phrases
from degraders.realism.alignment import Difference
from degraders.realism.positions import Positions
from degraders.realism.words import (
    AGREEMENT_VERBS,
    ARTICLES,
    AUXILIARIES,
    BLANK_LINE,
    CONFUSED_PAIRS,
    FUNCTION_WORDS,
    PREPOSITIONS,
    SPELLING_VARIANTS,
    WORD,
    lemmas,
    letters,
    listed_words,
    normalise,
    similarity,
)

_PROSE_POSITIONS = ("prose", "list", "heading", "table", "quote")
_CODE_LIKE = re.compile(r"[\w)\]]\(|[a-z][A-Z]|\w_\w|::|--\w|[{}$=;\\]|\w/\w|\w\.\w|->|=>")
_LIST_MARKER = re.compile(r"(?:[-*+]|\d+[.)])\s")
_LINK_TARGET = re.compile(r"\]\(\S*\)\Z|\]\[\S*\]\Z|https?://\S+\Z")
_LINK_SYNTAX = re.compile(r"\]\(|\]\[|^\[|\]$|<https?:|https?://|`_|>`|:(?:ref|doc|any):|^\[[^\]]+\]:|\]:")
_PUNCTUATION = {
    ",": "comma", ".": "stop", ":": "colon", ";": "colon", "-": "hyphen", "–": "dash", "—": "dash", "'": "apostrophe",
    "’": "apostrophe", '"': "quote", "“": "quote", "”": "quote", "‘": "quote", "(": "bracket", ")": "bracket",
    "[": "bracket", "]": "bracket", "!": "exclamation", "?": "exclamation", "/": "slash",
}  # fmt: skip
_STRAIGHT_QUOTES = str.maketrans("’‘“”", "''\"\"")
_SIGNATURES = (
    ("encoding.html_residue/entity", re.compile(r"&(?:#?\w{2,6});|<br ?/?>|\\[_'\"]")),
    ("encoding.mojibake/bytes", re.compile(r"[ÂÃâ][\u0080-\u00bf€™œ\u201a-\u203a\u02dc]")),
    ("encoding.invisible/character", re.compile(r"[\u00a0\u00ad\u200b\ufb00-\ufb04]")),
    ("encoding.pdf_ocr/hyphen", re.compile(r"[a-z]-\n[a-z]")),
    ("content.truncate_todo/todo", re.compile(r"\b(?:TODO|TBD|FIXME|XXX)\b")),
)
"""Patterns that the good text does not have and that identify a problem by themselves."""


class FixNamer:
    """Names one difference; `kind` and `position` are its results."""

    def __init__(
        self,
        bad: str,
        good: str,
        difference: Difference,
        bad_positions: Positions,
        good_positions: Positions,
        vocabulary: Container[str],
    ) -> None:
        start, end, good_start, good_end = difference
        self._start, self._end, self._text, self._vocabulary = start, end, bad, vocabulary
        self.bad, self.good = bad[start:end], good[good_start:good_end]
        self._bad_words, self._good_words = WORD.findall(self.bad), WORD.findall(self.good)
        self._before, self._after = bad[max(0, start - 40) : start], bad[end : end + 40]
        self._line_before = bad[bad.rfind("\n", 0, start) + 1 : start]
        good_position = good_positions.at(good_start, good_end) if self.good.strip() else ""
        bad_position = bad_positions.at(start, end) if self.bad.strip() else ""
        self.position = good_position or bad_position or good_positions.at(good_start, good_end)
        if self.position == "inline_code" and bad_position in _PROSE_POSITIONS and len(self._bad_words) > 3:
            self.position = bad_position

    def kind(self) -> str:
        """The name of the problem, `family.problem/detail`."""
        return self._name_by_signature() or self._name_by_difference()

    def _name_by_signature(self) -> str | None:
        """The name of a problem that its text alone identifies: a broken encoding, or a wordy phrase of the lists."""
        for kind, signature in _SIGNATURES:
            if len(signature.findall(self.bad)) > len(signature.findall(self.good)):
                return kind
        if self.position == "code" or not self._bad_words:
            return None
        bad, good = " ".join(self.bad.lower().split()), " ".join(self.good.lower().split())
        if bad in _wordy_variants().get(good, ()):
            return "style.wordy/listed"
        added = bad.removesuffix(good).strip(" ,.") if bad.endswith(good) else bad.removeprefix(good).strip(" ,.")
        return _filler_phrases().get(added) if added else None

    def _name_by_difference(self) -> str:
        """The name by what differs: white space, code, links, markup, punctuation, numbers, words."""
        bad, good = re.sub(r"\s", "", self.bad), re.sub(r"\s", "", self.good)
        if bad == good:
            return self._name_white_space(bad)
        if self.position == "code":
            return self._name_code()
        if (not bad or not good) and len(self._bad_words + self._good_words) >= 5:
            return self._name_one_sided(is_missing=bool(good))
        if self.position == "link" or (_LINK_TARGET.match(bad) and _LINK_TARGET.match(good)):
            return self._name_link()
        if _differ_only_in_markup(bad, good):
            return self._name_markup(bad, good)
        if _LINK_SYNTAX.search(self.bad.strip()) or _LINK_SYNTAX.search(self.good.strip()):
            return self._name_link()
        if self.position == "inline_code":
            return self._name_inline_code()
        if self.position == "markup" and re.search(
            r"[^\w\s,.;!?'’-]|\w[._/-]\w", f"{self._before[-1:]}{bad}{good}{self._after[:1]}"
        ):
            return "markup.directive/changed"
        if letters(bad) == letters(good):
            return self._name_same_letters(bad, good)
        if re.fullmatch(r"[\d.,x]*", bad + good) and bad + good:
            return self._name_number()
        if not bad or not good:
            return self._name_one_sided(is_missing=bool(good))
        if (
            len(self._bad_words) == len(self._good_words) == 1
            and self._bad_words[0] in bad
            and letters(bad) == letters(self._bad_words[0])
        ):
            return self._name_word(self._bad_words[0], self._good_words[0])
        return self._name_phrase()

    def _name_white_space(self, text: str) -> str:
        """The name of a difference in white space; `text` is its other text, the same on both sides."""
        if self.position == "code":
            return "code.indentation/layout"
        breaks = self.bad.count("\n"), self.good.count("\n")
        if max(breaks) >= 2 and breaks[0] != breaks[1]:
            return "markup.emphasis_blank/blank_line"
        if any(breaks) and _LIST_MARKER.match(self._after):
            return "markup.list_flat/items"
        if any(breaks):
            return "markup.emphasis_blank/line_break" if breaks[0] != breaks[1] else "markup.emphasis_blank/indent"
        if not self._line_before.strip() and not text:
            return "markup.emphasis_blank/indent"
        if "  " in self.bad + self.good or self._before[-1:] == " " or self._after[:1] in (" ", ""):
            return "markup.emphasis_blank/space"
        if not re.fullmatch(r"[\w\s]*", self._before[-1:] + self.bad + self._after[:1]):
            return "grammar.punctuation/space"
        return f"spelling.word_boundary/{'joined' if len(self.good) > len(self.bad) else 'parted'}"

    def _name_code(self) -> str:
        """The name of a difference in a code block: its fence, a prompt, brackets, a name, or a value."""
        bad, good = self.bad.strip(), self.good.strip()
        if "```" in bad + good or "~~~" in bad + good:
            return "markup.fence_unclosed/fence"
        if re.search(r"(?:^|\n)[ \t>]*(?:`{3,}|~{3,}|\.\. code(?:-block)?:: ?)\Z", self._text[: self._start]):
            return "markup.fence_language/language"
        if re.fullmatch(r"(?:[$%>] ?|>>>|\.\.\.)?", bad + good) and not self._line_before.strip():
            return "code.prompt_line_numbers/prompt"
        marks = re.sub(r"\s", "", bad + good)
        if not re.search(r"\w", marks):
            return f"code.bracket/{'lost' if not bad else 'added' if not good else 'other'}"
        if letters(bad) == letters(good):
            return (
                "code.bracket/quotes" if re.search(r"[\"'“”‘’]", bad + good) else "code.identifier_typo/case_or_marks"
            )
        bad_words, good_words = re.findall(r"\w+", bad), re.findall(r"\w+", good)
        if len(bad_words) == len(good_words) == 1:
            if similarity(bad_words[0], good_words[0]) >= 0.75:
                return "code.identifier_typo/like"
            return "code.value/number" if bad_words[0].isdigit() and good_words[0].isdigit() else "code.value/name"
        if not bad or not good:
            side = "lost" if not bad else "added"
            size = "line" if "\n" in (self.bad or self.good) or len(bad_words + good_words) > 6 else "part"
            return f"code.{size}/{side}"
        return "code.value/few" if max(len(bad_words), len(good_words)) <= 4 else "code.value/many"

    def _name_link(self) -> str:
        """The name of a difference in a link or its target."""
        bad, good = self.bad.strip(), self.good.strip()
        words = len(self._bad_words) + len(self._good_words)
        if self.position != "link" and letters(re.sub(r"\(\S*\)|\[\w*\]$", "", bad)) == letters(
            re.sub(r"\(\S*\)|\[\w*\]$", "", good)
        ):
            return "markup.link_syntax/marks"
        if not bad or not good:
            return f"markup.link_target/{'lost' if not bad else 'added'}" if words else "markup.link_syntax/marks"
        likeness = similarity(bad, good)
        if letters(bad) == letters(good):
            return "markup.link_target/marks"
        if likeness >= 0.9:
            return "markup.link_target/slip"
        if "#" in bad + good and bad.partition("#")[0] == good.partition("#")[0]:
            return "markup.link_target/anchor"
        return f"markup.link_target/{'part' if likeness >= 0.5 else 'other'}"

    def _name_inline_code(self) -> str:
        """The name of a difference in inline code."""
        bad, good = self.bad.strip(), self.good.strip()
        if not bad or not good:
            return f"content.identifier_drift/{'part_lost' if not bad else 'part_added'}"
        if similarity(bad, good) >= 0.75:
            return "content.identifier_drift/like"
        return "content.identifier_drift/other"

    def _name_markup(self, bad: str, good: str) -> str:
        """The name of a difference in markup only: backticks, emphasis, list markers, heading or quote marks."""
        marks = re.sub(r"[\w\s]", "", bad + good)
        if re.search(r"\]\(|\[|\]", bad + good):
            return "markup.link_syntax/marks"
        if "`" in marks:
            return f"markup.inline_code/{'lost' if good.count('`') > bad.count('`') else 'other'}"
        if not self._line_before.strip(" >\t"):
            if "#" in marks:
                return "markup.heading/level"
            if re.fullmatch(r"[-*+]+|(?:\d+[.)])+", bad + good):
                return "markup.list_markers/marker"
            if ">" in marks:
                return "markup.emphasis_blank/quote"
        if re.fullmatch(r"([=\-~^#])\1*", bad + good) and self.position == "heading":
            return "markup.heading/underline"
        if "*" in marks or "_" in marks:
            return "markup.emphasis_blank/emphasis"
        return "markup.emphasis_blank/other"

    def _name_same_letters(self, bad: str, good: str) -> str:
        """The name of a difference in case or punctuation; the letters are the same."""
        if bad.lower() == good.lower():
            return self._name_case()
        if {normalise(bad), normalise(good)} == {"its", "it's"}:
            return "spelling.confusable/its"
        if re.search(r"[|<>\\]", bad + good):
            return "markup.emphasis_blank/other"
        if bad.translate(_STRAIGHT_QUOTES) == good.translate(_STRAIGHT_QUOTES):
            return "grammar.punctuation/curly"
        return f"grammar.punctuation/{_punctuation_detail(bad, good)}"

    def _name_case(self) -> str:
        """The name of a difference in upper and lower case."""
        word = self.good.strip()
        if re.search(r"[a-z][A-Z]|[A-Z]{2}", word) and len(word) > 2:
            return "grammar.capitalisation/name"
        if self.position == "heading":
            return "grammar.capitalisation/heading"
        if not self._line_before.strip(" \t>*-+0123456789.)") or re.search(r"[.!?:]\s+\Z", self._before):
            return "grammar.capitalisation/start"
        return f"grammar.capitalisation/{'lost' if word[:1].isupper() else 'added'}"

    def _name_number(self) -> str:
        """The name of a difference in a number."""
        if not self._line_before.strip(" \t>") and re.match(r"[.)]", self._after or "."):
            return "markup.list_markers/number"
        return "content.stale_number/number"

    def _name_one_sided(self, *, is_missing: bool) -> str:
        """The name of text that is missing in the bad text, or that only the bad text has."""
        text, words = (self.good, self._good_words) if is_missing else (self.bad, self._bad_words)
        side = "lost" if is_missing else "added"
        if not words:
            if re.search(r"[.,;:!?\"'“”‘’()–—-]", text):
                return f"grammar.punctuation/{_punctuation_detail(self.bad, self.good)}"
            return "content.stale_number/number" if re.search(r"\d", text) else "markup.emphasis_blank/other"
        normalised = [normalise(word) for word in words]
        if not is_missing and len(words) <= 2 and self._is_repeated(normalised):
            return "spelling.word_boundary/twice"
        if not is_missing and len(words) > 2 and self._is_elsewhere(self.bad.strip()):
            return "structure.duplicate/passage"
        if len(words) == 1 and re.fullmatch(r"['’]?(?:s|es|ed|d|n)", text.strip()) and self._before[-1:].isalnum():
            return "grammar.agreement/number"
        if len(words) == 1 and not _CODE_LIKE.search(text):
            word_class = _function_word_class(normalised[0])
            if word_class:
                return f"grammar.article_preposition/{word_class}_{side}"
        if "\n" in text.strip() or len(words) >= 5 or BLANK_LINE.search(text):
            size = "sentence" if re.search(r"[.!?:]\s*\Z|\n", text.strip()) else "phrase"
            return f"content.detail/{size}_{side}"
        if all(word in FUNCTION_WORDS for word in normalised) and len(words) <= 2:
            return f"grammar.article_preposition/words_{side}"
        return f"style.word/{side}"

    def _is_elsewhere(self, passage: str) -> bool:
        """Whether a passage is also in the rest of the bad text."""
        return passage in f"{self._text[: self._start]}{self._text[self._end :]}"

    def _is_repeated(self, words: Sequence[str]) -> bool:
        """Whether the same words are directly before or after the difference."""
        after = [normalise(word) for word in WORD.findall(self._text[self._end : self._end + 60])]
        before = [normalise(word) for word in WORD.findall(self._text[max(0, self._start - 60) : self._start])]
        return after[: len(words)] == list(words) or before[-len(words) :] == list(words)

    def _name_word(self, bad_word: str, good_word: str) -> str:
        """The name of one word that is replaced by another."""
        bad, good = normalise(bad_word), normalise(good_word)
        pair = frozenset((bad, good))
        if pair <= ARTICLES:
            return f"grammar.article_preposition/{'a_an' if 'the' not in pair else 'article_swapped'}"
        if bad.replace("'", "") == good.replace("'", ""):
            return "grammar.punctuation/apostrophe"
        if pair in SPELLING_VARIANTS:
            return "style.term_drift/variant"
        both_are_words = self._is_word(bad) and self._is_word(good)
        if both_are_words and lemmas(bad) & lemmas(good):
            return f"grammar.agreement/{_inflection_detail(bad, good)}"
        if pair in CONFUSED_PAIRS:
            return "spelling.confusable/pair"
        if bad in FUNCTION_WORDS and good in FUNCTION_WORDS:
            if bad in PREPOSITIONS and good in PREPOSITIONS:
                return "grammar.article_preposition/preposition_swapped"
            return "grammar.article_preposition/word_swapped"
        distance = OSA.distance(bad, good)
        if not self._is_word(bad) and (distance <= 2 or similarity(bad, good) >= 0.6):
            is_ocr = _is_ocr_confusion(good, bad)
            return "encoding.pdf_ocr/letter" if is_ocr else f"spelling.typo/{_typo_detail(good, bad)}"
        if both_are_words and distance == 1:
            return "spelling.confusable/real_word"
        if both_are_words and len(commonprefix([bad, good])) >= 4 and similarity(bad, good) >= 0.5:
            return "grammar.agreement/form"
        return "style.word/other"

    def _is_word(self, word: str) -> bool:
        """Whether a word is spelt correctly, as far as the lists and the vocabulary know."""
        return (
            word in FUNCTION_WORDS
            or word in self._vocabulary
            or word in listed_words()
            or bool(lemmas(word) & listed_words())
        )

    def _name_phrase(self) -> str:
        """The name of several words that are replaced by others."""
        bad_words = [normalise(word) for word in self._bad_words]
        good_words = [normalise(word) for word in self._good_words]
        if letters(self.bad) == letters(self.good):
            return "spelling.word_boundary/parted"
        if OSA.distance(letters(self.bad), letters(self.good)) <= 1 and len(bad_words) != len(good_words):
            return "spelling.typo/several"
        if _CODE_LIKE.search(self.bad) and _CODE_LIKE.search(self.good) and len(bad_words) <= 4:
            return "content.identifier_drift/other"
        if len(good_words) - len(bad_words) >= 8 or len(bad_words) - len(good_words) >= 8:
            side = "lost" if len(good_words) > len(bad_words) else "added"
            return f"content.detail/{'sentence' if re.search(r'[.!?]', self.bad + self.good) else 'phrase'}_{side}"
        content_words = [[word for word in words if word not in FUNCTION_WORDS] for words in (bad_words, good_words)]
        if max(len(bad_words), len(good_words)) <= 4 and [min(lemmas(w)) for w in content_words[0]] == [
            min(lemmas(w)) for w in content_words[1]
        ]:
            return (
                f"grammar.article_preposition/{'order' if sorted(bad_words) == sorted(good_words) else 'words_swapped'}"
            )
        if max(len(bad_words), len(good_words)) <= 2:
            return "style.word/two"
        return f"style.rewording/{'short' if max(len(bad_words), len(good_words)) <= 5 else 'long'}"


@cache
def _wordy_variants() -> dict[str, frozenset[str]]:
    """The wordy or otherwise bad wordings of each plain phrase, in lower case."""
    variants: dict[str, set[str]] = {}
    for name in ("wordy", "negations", "chatty", "vague", "abbreviations"):
        for good, forms in mapping(name).items():
            variants.setdefault(good.lower(), set()).update(form.lower() for form in forms)
    return {good: frozenset(forms) for good, forms in variants.items()}


@cache
def _filler_phrases() -> dict[str, str]:
    """The phrases that add nothing to a sentence, in lower case, with the name of their fix."""
    kinds = {phrase.lower().strip(" ,.!"): "style.chatty/listed" for phrase in phrases("chatty")}
    kinds |= {phrase.lower().strip(" ,.!"): "style.hedge/listed" for phrase in phrases("hedges")}
    return kinds


def _differ_only_in_markup(bad: str, good: str) -> bool:
    """Whether two texts differ only in markup."""
    bare = [re.sub(r"[`*_#>|~\[\]]|^\d+[.)]|(?<=\])\([^)]*\)", "", text) for text in (bad, good)]
    return bare[0] == bare[1]


def _punctuation_detail(bad: str, good: str) -> str:
    """The punctuation mark that differs, and whether it is missing in the bad text, added there, or swapped."""
    bad_words = [char for char in bad if char in _PUNCTUATION]
    good_words = [char for char in good if char in _PUNCTUATION]
    lost = [char for char in good_words if good_words.count(char) > bad_words.count(char)]
    added = [char for char in bad_words if bad_words.count(char) > good_words.count(char)]
    if not lost and not added:
        return "other"
    name = _PUNCTUATION[(lost or added)[0]]
    return f"{name}_{'swapped' if lost and added else 'lost' if lost else 'added'}"


def _function_word_class(word: str) -> str | None:
    """The class of a function word; None for any other word."""
    if word in ARTICLES:
        return "article"
    if word in PREPOSITIONS:
        return "preposition"
    if word in AUXILIARIES:
        return "auxiliary"
    return "word" if word in FUNCTION_WORDS else None


def _typo_detail(good: str, bad: str) -> str:
    """How a misspelt word differs from the correct one."""
    if OSA.distance(good, bad) != 1:
        return "several"
    if len(good) == len(bad):
        return "transposed" if sorted(good) == sorted(bad) else "replaced"
    shorter, longer = sorted((good, bad), key=len)
    at = len(commonprefix([shorter, longer]))
    doubled = longer[at : at + 1] in (longer[at - 1 : at], longer[at + 1 : at + 2])
    return ("dropped" if len(bad) < len(good) else "added") + ("_double" if doubled else "")


def _is_ocr_confusion(good: str, bad: str) -> bool:
    """Whether text recognition may have confused the two words."""
    return any(
        good.replace(one, other, 1) == bad for one, other in (("rn", "m"), ("m", "rn"), ("cl", "d"), ("li", "h"))
    )


def _inflection_detail(bad: str, good: str) -> str:
    """How two forms of one word differ."""
    if bad in AGREEMENT_VERBS and good in AGREEMENT_VERBS:
        return "verb"
    if bad.endswith("ing") or good.endswith("ing"):
        return "ing"
    longer, shorter = sorted((bad, good), key=len, reverse=True)
    if longer in (shorter + "s", shorter + "es") or (longer.endswith("ies") and shorter.endswith("y")):
        return "number_lost" if len(good) > len(bad) else "number_added"
    return "tense" if longer.endswith(("ed", "en", "t")) else "form"
