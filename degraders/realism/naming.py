"""What a fix mended: the edits between a bad text and its good one, each named by the problem that it is.

The same code reads real fixes and those of our own making, so that the two can be compared: `kind` is
`family.problem/detail`, whether or not a degrader of that name made it. Nothing here looks at recorded spans.
"""

from __future__ import annotations

import re
from collections.abc import Container, Sequence
from functools import lru_cache
from os.path import commonprefix

from rapidfuzz.distance import OSA

from degraders.lexicon import mapping, phrases
from degraders.realism.alignment import Gap
from degraders.realism.merging import BLANK_LINE
from degraders.realism.positions import Positions
from degraders.realism.words import (
    ARTICLES,
    AUXILIARIES,
    CONFUSED_PAIRS,
    PREPOSITIONS,
    SMALL,
    SPELLING_VARIANTS,
    WORD,
    lemmas,
    letters,
    listed_words,
    normalise,
    similarity,
)

_MARKS_OF_CODE = re.compile(r"[\w)\]]\(|[a-z][A-Z]|\w_\w|::|--\w|[{}$=;\\]|\w/\w|\w\.\w|->|=>")
_LIST_MARKER = re.compile(r"(?:[-*+]|\d+[.)])\s")
_BE = frozenset("is are was were be been am has have had do does did isn't aren't doesn't don't".split())
_PUNCTUATION = {
    ",": "comma", ".": "stop", ":": "colon", ";": "colon", "-": "hyphen", "–": "dash", "—": "dash", "'": "apostrophe",
    "’": "apostrophe", '"': "quote", "“": "quote", "”": "quote", "‘": "quote", "(": "bracket", ")": "bracket",
    "[": "bracket", "]": "bracket", "!": "exclamation", "?": "exclamation", "/": "slash",
}  # fmt: skip
_CURLY = str.maketrans("’‘“”", "''\"\"")
_TARGET = re.compile(r"\]\(\S*\)\Z|\]\[\S*\]\Z|https?://\S+\Z")
_LINK_SYNTAX = re.compile(r"\]\(|\]\[|^\[|\]$|<https?:|https?://|`_|>`|:(?:ref|doc|any):|^\[[^\]]+\]:|\]:")


class ChangeNamer:
    """Reads one change."""

    def __init__(
        self, bad: str, good: str, gap: Gap, good_text: Positions, bad_text: Positions, known: Container[str]
    ) -> None:
        self.gap, self.text, self.known = gap, bad, known
        self.bad, self.good = bad[gap.start : gap.end], good[gap.good_start : gap.good_end]
        self.old, self.new = WORD.findall(self.bad), WORD.findall(self.good)
        self.before, self.after = bad[max(0, gap.start - 40) : gap.start], bad[gap.end : gap.end + 40]
        self.without = f"{bad[: gap.start]}{bad[gap.end :]}"
        self.line = bad[bad.rfind("\n", 0, gap.start) + 1 : gap.start]
        self.format = good_text.doc.format
        here = good_text.at(gap.good_start, gap.good_end) if self.good.strip() else ""
        there = bad_text.at(gap.start, gap.end) if self.bad.strip() else ""
        self.position = here or there or good_text.at(gap.good_start, gap.good_end)
        prose = there if there in ("prose", "list", "heading", "table", "quote") else ""
        if self.position == "inline_code" and prose and len(self.old) > 3:
            self.position = prose

    def kind(self) -> str:
        return self._signed() or self._unsigned()

    def _signed(self) -> str | None:
        """What leaves a mark of its own: an encoding gone wrong, a wording of the lists that no one would write."""
        for kind, mark in _SIGNATURES:
            if len(mark.findall(self.bad)) > len(mark.findall(self.good)):
                return kind
        if self.position == "code" or not self.old:
            return None
        was, now = " ".join(self.bad.lower().split()), " ".join(self.good.lower().split())
        if was in _inflated().get(now, ()):
            return "style.wordy/listed"
        added = was.removesuffix(now).strip(" ,.") if was.endswith(now) else was.removeprefix(now).strip(" ,.")
        return _said_in_addition().get(added) if added else None

    def _unsigned(self) -> str:
        was, now = re.sub(r"\s", "", self.bad), re.sub(r"\s", "", self.good)
        if was == now:
            return self._white_space(was)
        if self.position == "code":
            return self._code()
        if (not was or not now) and len(self.old + self.new) >= 5:
            return self._one_sided(bool(now))
        if self.position == "link" or (_TARGET.match(was) and _TARGET.match(now)):
            return self._link()
        if _same_but_marks(was, now):
            return self._marks(was, now)
        if _LINK_SYNTAX.search(self.bad.strip()) or _LINK_SYNTAX.search(self.good.strip()):
            return self._link()
        if self.position == "inline_code":
            return self._inline_code()
        if self.position == "markup" and re.search(
            r"[^\w\s,.;!?'’-]|\w[._/-]\w", f"{self.before[-1:]}{was}{now}{self.after[:1]}"
        ):
            return "markup.directive/changed"
        if letters(was) == letters(now):
            return self._same_letters(was, now)
        if re.fullmatch(r"[\d.,x]*", was + now) and was + now:
            return self._number()
        if not was or not now:
            return self._one_sided(bool(now))
        if len(self.old) == len(self.new) == 1 and self.old[0] in was and letters(was) == letters(self.old[0]):
            return self._word(self.old[0], self.new[0])
        return self._phrase()

    def _white_space(self, text: str) -> str:
        if self.position == "code":
            return "code.indentation/layout"
        breaks = self.bad.count("\n"), self.good.count("\n")
        if max(breaks) >= 2 and breaks[0] != breaks[1]:
            return "markup.emphasis_blank/blank_line"
        if any(breaks) and _LIST_MARKER.match(self.after):
            return "markup.list_flat/items"
        if any(breaks):
            return "markup.emphasis_blank/line_break" if breaks[0] != breaks[1] else "markup.emphasis_blank/indent"
        if not self.line.strip() and not text:
            return "markup.emphasis_blank/indent"
        if "  " in self.bad + self.good or self.before[-1:] == " " or self.after[:1] in (" ", ""):
            return "markup.emphasis_blank/space"
        if not re.fullmatch(r"[\w\s]*", self.before[-1:] + self.bad + self.after[:1]):
            return "grammar.punctuation/space"
        return f"spelling.word_boundary/{'joined' if len(self.good) > len(self.bad) else 'parted'}"

    def _code(self) -> str:
        """What differs in a block of code, from fences and prompts to single marks and names."""
        was, now = self.bad.strip(), self.good.strip()
        if "```" in was + now or "~~~" in was + now:
            return "markup.fence_unclosed/fence"
        if re.search(r"(?:^|\n)[ \t>]*(?:`{3,}|~{3,}|\.\. code(?:-block)?:: ?)\Z", self.text[: self.gap.start]):
            return "markup.fence_language/language"
        if re.fullmatch(r"(?:[$%>] ?|>>>|\.\.\.)?", was + now) and not self.line.strip():
            return "code.prompt_line_numbers/prompt"
        marks = re.sub(r"\s", "", was + now)
        if not re.search(r"\w", marks):
            return f"code.bracket/{'lost' if not was else 'added' if not now else 'other'}"
        if letters(was) == letters(now):
            return "code.bracket/quotes" if re.search(r"[\"'“”‘’]", was + now) else "code.identifier_typo/case_or_marks"
        old, new = re.findall(r"\w+", was), re.findall(r"\w+", now)
        if len(old) == len(new) == 1:
            if similarity(old[0], new[0]) >= 0.75:
                return "code.identifier_typo/like"
            return "code.value/number" if old[0].isdigit() and new[0].isdigit() else "code.value/name"
        if not was or not now:
            side = "lost" if not was else "added"
            size = "line" if "\n" in (self.bad or self.good) or len(old + new) > 6 else "part"
            return f"code.{size}/{side}"
        return "code.value/few" if max(len(old), len(new)) <= 4 else "code.value/many"

    def _link(self) -> str:
        was, now = self.bad.strip(), self.good.strip()
        words = len(self.old) + len(self.new)
        if self.position != "link" and letters(re.sub(r"\(\S*\)|\[\w*\]$", "", was)) == letters(
            re.sub(r"\(\S*\)|\[\w*\]$", "", now)
        ):
            return "markup.link_syntax/marks"
        if not was or not now:
            return f"markup.link_target/{'lost' if not was else 'added'}" if words else "markup.link_syntax/marks"
        share = similarity(was, now)
        if letters(was) == letters(now):
            return "markup.link_target/marks"
        if share >= 0.9:
            return "markup.link_target/slip"
        if "#" in was + now and was.partition("#")[0] == now.partition("#")[0]:
            return "markup.link_target/anchor"
        return f"markup.link_target/{'part' if share >= 0.5 else 'other'}"

    def _inline_code(self) -> str:
        was, now = self.bad.strip(), self.good.strip()
        if not was or not now:
            return f"content.identifier_drift/{'part_lost' if not was else 'part_added'}"
        if similarity(was, now) >= 0.75:
            return "content.identifier_drift/like"
        return "content.identifier_drift/other"

    def _marks(self, was: str, now: str) -> str:
        """Backticks, emphasis, list markers, hashes, quote marks: the words are the same."""
        marks = re.sub(r"[\w\s]", "", was + now)
        if re.search(r"\]\(|\[|\]", was + now):
            return "markup.link_syntax/marks"
        if "`" in marks:
            return f"markup.inline_code/{'lost' if now.count('`') > was.count('`') else 'other'}"
        if not self.line.strip(" >\t"):
            if "#" in marks:
                return "markup.heading/level"
            if re.fullmatch(r"[-*+]+|(?:\d+[.)])+", was + now):
                return "markup.list_markers/marker"
            if ">" in marks:
                return "markup.emphasis_blank/quote"
        if re.fullmatch(r"([=\-~^#])\1*", was + now) and self.position == "heading":
            return "markup.heading/underline"
        if "*" in marks or "_" in marks:
            return "markup.emphasis_blank/emphasis"
        return "markup.emphasis_blank/other"

    def _same_letters(self, was: str, now: str) -> str:
        if was.lower() == now.lower():
            return self._case()
        if {normalise(was), normalise(now)} == {"its", _ITS}:
            return "spelling.confusable/its"
        if re.search(r"[|<>\\]", was + now):
            return "markup.emphasis_blank/other"
        if was.translate(_CURLY) == now.translate(_CURLY):
            return "grammar.punctuation/curly"
        return f"grammar.punctuation/{_mark_of(was, now)}"

    def _case(self) -> str:
        word = self.good.strip()
        if re.search(r"[a-z][A-Z]|[A-Z]{2}", word) and len(word) > 2:
            return "grammar.capitalisation/name"
        if self.position == "heading":
            return "grammar.capitalisation/heading"
        if not self.line.strip(" \t>*-+0123456789.)") or re.search(r"[.!?:]\s+\Z", self.before):
            return "grammar.capitalisation/start"
        return f"grammar.capitalisation/{'lost' if word[:1].isupper() else 'added'}"

    def _number(self) -> str:
        if not self.line.strip(" \t>") and re.match(r"[.)]", self.after or "."):
            return "markup.list_markers/number"
        return "content.stale_number/number"

    def _one_sided(self, lost: bool) -> str:
        """The bad text lacks something, or has something too much."""
        text, words = (self.good, self.new) if lost else (self.bad, self.old)
        side = "lost" if lost else "added"
        if not words:
            if re.search(r"[.,;:!?\"'“”‘’()–—-]", text):
                return f"grammar.punctuation/{_mark_of(self.bad, self.good)}"
            return "content.stale_number/number" if re.search(r"\d", text) else "markup.emphasis_blank/other"
        plain = [normalise(word) for word in words]
        if not lost and len(words) <= 2 and self._stands_beside(plain):
            return "spelling.word_boundary/twice"
        if not lost and len(words) > 2 and self.bad.strip() in self.without:
            return "structure.duplicate/passage"
        if len(words) == 1 and re.fullmatch(r"['’]?(?:s|es|ed|d|n)", text.strip()) and self.before[-1:].isalnum():
            return "grammar.agreement/number"
        if len(words) == 1 and not _MARKS_OF_CODE.search(text):
            name = _small_word(plain[0])
            if name:
                return f"grammar.article_preposition/{name}_{side}"
        if "\n" in text.strip() or len(words) >= 5 or BLANK_LINE.search(text):
            size = "sentence" if re.search(r"[.!?:]\s*\Z|\n", text.strip()) else "phrase"
            return f"content.detail/{size}_{side}"
        if all(word in SMALL for word in plain) and len(words) <= 2:
            return f"grammar.article_preposition/words_{side}"
        return f"style.word/{side}"

    def _stands_beside(self, words: Sequence[str]) -> bool:
        after = [normalise(word) for word in WORD.findall(self.text[self.gap.end : self.gap.end + 60])]
        before = [normalise(word) for word in WORD.findall(self.text[max(0, self.gap.start - 60) : self.gap.start])]
        return after[: len(words)] == list(words) or before[-len(words) :] == list(words)

    def _word(self, old: str, new: str) -> str:
        """One word for another."""
        was, now = normalise(old), normalise(new)
        pair = frozenset((was, now))
        if pair <= ARTICLES:
            return f"grammar.article_preposition/{'a_an' if 'the' not in pair else 'article_swapped'}"
        if was.replace("'", "") == now.replace("'", ""):
            return "grammar.punctuation/apostrophe"
        if pair in SPELLING_VARIANTS:
            return "style.term_drift/variant"
        both = self._is_word(was) and self._is_word(now)
        if both and lemmas(was) & lemmas(now):
            return f"grammar.agreement/{_inflection(was, now)}"
        if pair in CONFUSED_PAIRS:
            return "spelling.confusable/pair"
        if was in SMALL and now in SMALL:
            if was in PREPOSITIONS and now in PREPOSITIONS:
                return "grammar.article_preposition/preposition_swapped"
            return "grammar.article_preposition/word_swapped"
        distance = OSA.distance(was, now)
        if not self._is_word(was) and (distance <= 2 or similarity(was, now) >= 0.6):
            return f"spelling.typo/{_slip(now, was)}" if not _looks_alike(now, was) else "encoding.pdf_ocr/letter"
        if both and distance == 1:
            return "spelling.confusable/real_word"
        if both and len(commonprefix([was, now])) >= 4 and similarity(was, now) >= 0.5:
            return "grammar.agreement/form"
        return "style.word/other"

    def _is_word(self, word: str) -> bool:
        return word in SMALL or word in self.known or word in listed_words() or bool(lemmas(word) & listed_words())

    def _phrase(self) -> str:
        old, new = [normalise(word) for word in self.old], [normalise(word) for word in self.new]
        if letters(self.bad) == letters(self.good):
            return "spelling.word_boundary/parted"
        if OSA.distance(letters(self.bad), letters(self.good)) <= 1 and len(old) != len(new):
            return "spelling.typo/several"
        if _MARKS_OF_CODE.search(self.bad) and _MARKS_OF_CODE.search(self.good) and len(old) <= 4:
            return "content.identifier_drift/other"
        if len(new) - len(old) >= 8 or len(old) - len(new) >= 8:
            side = "lost" if len(new) > len(old) else "added"
            return f"content.detail/{'sentence' if re.search(r'[.!?]', self.bad + self.good) else 'phrase'}_{side}"
        content = [[word for word in words if word not in SMALL] for words in (old, new)]
        if max(len(old), len(new)) <= 4 and [min(lemmas(w)) for w in content[0]] == [
            min(lemmas(w)) for w in content[1]
        ]:
            return f"grammar.article_preposition/{'order' if sorted(old) == sorted(new) else 'words_swapped'}"
        if max(len(old), len(new)) <= 2:
            return "style.word/two"
        return f"style.rewording/{'short' if max(len(old), len(new)) <= 5 else 'long'}"


_SIGNATURES = (
    ("encoding.html_residue/entity", re.compile(r"&(?:#?\w{2,6});|<br ?/?>|\\[_'\"]")),
    ("encoding.mojibake/bytes", re.compile(r"[ÂÃâ][\u0080-\u00bf€™œ\u201a-\u203a\u02dc]")),
    ("encoding.invisible/character", re.compile(r"[\u00a0\u00ad\u200b\ufb00-\ufb04]")),
    ("encoding.pdf_ocr/hyphen", re.compile(r"[a-z]-\n[a-z]")),
    ("content.truncate_todo/todo", re.compile(r"\b(?:TODO|TBD|FIXME|XXX)\b")),
)


@lru_cache(maxsize=1)
def _inflated() -> dict[str, frozenset[str]]:
    found: dict[str, set[str]] = {}
    for name in ("wordy", "negations", "chatty", "vague", "abbreviations"):
        for good, forms in mapping(name).items():
            found.setdefault(good.lower(), set()).update(form.lower() for form in forms)
    return {good: frozenset(forms) for good, forms in found.items()}


@lru_cache(maxsize=1)
def _said_in_addition() -> dict[str, str]:
    found = {phrase.lower().strip(" ,.!"): "style.chatty/listed" for phrase in phrases("chatty")}
    found |= {phrase.lower().strip(" ,.!"): "style.hedge/listed" for phrase in phrases("hedges")}
    return found


def _same_but_marks(was: str, now: str) -> bool:
    """Whether only marks of markup differ."""
    bare = [re.sub(r"[`*_#>|~\[\]]|^\d+[.)]|(?<=\])\([^)]*\)", "", text) for text in (was, now)]
    return bare[0] == bare[1]


def _mark_of(was: str, now: str) -> str:
    """The punctuation mark that differs, and whether the bad text lacks it or has it too much."""
    old = [char for char in was if char in _PUNCTUATION]
    new = [char for char in now if char in _PUNCTUATION]
    lost = [char for char in new if new.count(char) > old.count(char)]
    added = [char for char in old if old.count(char) > new.count(char)]
    if not lost and not added:
        return "other"
    name = _PUNCTUATION[(lost or added)[0]]
    return f"{name}_{'swapped' if lost and added else 'lost' if lost else 'added'}"


def _small_word(word: str) -> str | None:
    if word in ARTICLES:
        return "article"
    if word in PREPOSITIONS:
        return "preposition"
    if word in AUXILIARIES:
        return "auxiliary"
    return "word" if word in SMALL else None


def _slip(good: str, bad: str) -> str:
    """How a misspelt word differs from the right one."""
    if OSA.distance(good, bad) != 1:
        return "several"
    if len(good) == len(bad):
        return "transposed" if sorted(good) == sorted(bad) else "replaced"
    shorter, longer = sorted((good, bad), key=len)
    at = len(commonprefix([shorter, longer]))
    doubled = longer[at : at + 1] in (longer[at - 1 : at], longer[at + 1 : at + 2])
    return ("dropped" if len(bad) < len(good) else "added") + ("_double" if doubled else "")


def _looks_alike(good: str, bad: str) -> bool:
    """Whether a scanner may have read one word for the other."""
    return any(
        good.replace(one, other, 1) == bad for one, other in (("rn", "m"), ("m", "rn"), ("cl", "d"), ("li", "h"))
    )


def _inflection(was: str, now: str) -> str:
    if was in _BE and now in _BE:
        return "verb"
    if was.endswith("ing") or now.endswith("ing"):
        return "ing"
    longer, shorter = sorted((was, now), key=len, reverse=True)
    if longer in (shorter + "s", shorter + "es") or (longer.endswith("ies") and shorter.endswith("y")):
        return "number_lost" if len(now) > len(was) else "number_added"
    return "tense" if longer.endswith(("ed", "en", "t")) else "form"


_ITS = "it's"
