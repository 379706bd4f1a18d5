"""What a fix mended: the edits between a bad text and its good one, each named by the problem that it is.

The same code reads real fixes and those of our own making, so that the two can be compared: `kind` is
`family.problem/detail`, whether or not a degrader of that name made it. Nothing here looks at recorded spans.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Container, Iterator, Sequence
from difflib import SequenceMatcher
from functools import lru_cache
from os.path import commonprefix
from typing import NamedTuple

from rapidfuzz.distance import OSA

from degraders.document import Document, parse
from degraders.lexicon import mapping, phrases

POSITIONS = ("prose", "list", "heading", "table", "quote", "code", "inline_code", "link", "markup")

_TOKEN = re.compile(
    r"https?://[^\s<>()\[\]\"'`]+"  # an address
    r"|\]\([^()\s]*(?:\([^()\s]*\)[^()\s]*)*\)"  # the target of a link
    r"|[^\W_]+(?:['’_][^\W_]+)*"  # words, their apostrophes and underscores
    r"|\s+|[^\w\s]|_"
)
_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")
_SOFT_BREAK = re.compile(r"[ \t]*\n[ \t]*(?!\n|[-*+#>|=~`]|\d+[.)]|\.\.|:|$)")
_MARKS_OF_CODE = re.compile(r"[\w)\]]\(|[a-z][A-Z]|\w_\w|::|--\w|[{}$=;\\]|\w/\w|\w\.\w|->|=>")
_LIST_MARKER = re.compile(r"(?:[-*+]|\d+[.)])\s")
_BLANK = re.compile(r"\n[ \t]*\n")


class Fix(NamedTuple):
    """One edit: [start, end) of the bad text becomes [good_start, good_end) of the good one.

    `kind` names the problem and its detail, `position` is one of `POSITIONS`.
    """

    start: int
    end: int
    good_start: int
    good_end: int
    bad: str
    good: str
    kind: str
    position: str

    @property
    def problem(self) -> str:
        return self.kind.partition("/")[0]


class _Gap(NamedTuple):
    """What stands between two tokens that both texts share: [start, end) of the bad and of the good text."""

    start: int
    end: int
    good_start: int
    good_end: int


def fixes(bad: str, good: str, *, format: str = "markdown", known: Container[str] = ()) -> list[Fix]:
    """The edits that turn the bad text into the good one, in order and named; re-wrapped lines are none.

    `known` are words (lower case) that count as spelt right besides those of the word lists.
    """
    good_text = _Positions(parse(good, format=format))
    bad_text = _Positions(parse(bad, format=format))
    found = []
    for gap in _similar_words_apart(bad, good, _joined(bad, good, _gaps(bad, good, good_text))):
        reader = _Reader(bad, good, gap, good_text, bad_text, known)
        found.append(Fix(*gap, reader.bad, reader.good, reader.kind(), reader.position))
    return found


# ---------------------------------------------------------------------------------------------------------------------
# Alignment


def _gaps(bad: str, good: str, positions: _Positions) -> list[_Gap]:
    """The stretches that differ, as small as shared tokens make them."""
    left, right = _tokens(bad), _tokens(good)
    pairs = [(-1, -1), *_shared([token for token, _, _ in left], [token for token, _, _ in right])]
    pairs.append((len(left), len(right)))
    found: list[_Gap] = []
    for (i, j), (k, m) in zip(pairs, pairs[1:], strict=False):
        start, good_start = left[i][2] if i >= 0 else 0, right[j][2] if j >= 0 else 0
        end = left[k][1] if k < len(left) else len(bad)
        good_end = right[m][1] if m < len(right) else len(good)
        if bad[start:end] != good[good_start:good_end]:
            gap = _narrowed(bad, good, _Gap(start, end, good_start, good_end))
            if not _rewrapped(bad, good, gap, positions):
                found.append(gap)
    return found


def _tokens(text: str) -> list[tuple[str, int, int]]:
    return [(match[0], match.start(), match.end()) for match in _TOKEN.finditer(text) if not match[0].isspace()]


def _shared(left: Sequence[str], right: Sequence[str]) -> Iterator[tuple[int, int]]:
    """Pairs of equal tokens, in order."""
    matcher = SequenceMatcher(None, left, right, autojunk=False)
    for i, j, size in matcher.get_matching_blocks():
        yield from ((i + k, j + k) for k in range(size))


def _narrowed(bad: str, good: str, gap: _Gap) -> _Gap:
    """A gap without the white space that both sides begin or end with."""
    start, end, good_start, good_end = gap
    while start < end and good_start < good_end and bad[start] == good[good_start] and bad[start].isspace():
        start, good_start = start + 1, good_start + 1
    while start < end and good_start < good_end and bad[end - 1] == good[good_end - 1] and bad[end - 1].isspace():
        end, good_end = end - 1, good_end - 1
    return _Gap(start, end, good_start, good_end)


def _rewrapped(bad: str, good: str, gap: _Gap, positions: _Positions) -> bool:
    """Whether a gap is only a line break in running text that stands elsewhere."""
    was, now = bad[gap.start : gap.end], good[gap.good_start : gap.good_end]
    if (was + now).strip() or "\n" not in was + now or positions.at(gap.good_start, gap.good_end) == "code":
        return False
    flat = [
        _SOFT_BREAK.sub(" ", text + after)
        for text, after in ((was, bad[gap.end :][:3]), (now, good[gap.good_end :][:3]))
    ]
    return flat[0] == flat[1]


def _joined(bad: str, good: str, gaps: Sequence[_Gap]) -> list[_Gap]:
    """Gaps that are one change: the two marks of a pair, and pieces of a rewording with few words between them."""
    found: list[_Gap] = []
    for gap in gaps:
        while found and _is_one_change(bad, good, found[-1], gap):
            last = found.pop()
            gap = _Gap(last.start, gap.end, last.good_start, gap.good_end)
        found.append(gap)
    return found


def _is_one_change(bad: str, good: str, first: _Gap, second: _Gap) -> bool:
    between = bad[first.end : second.start]
    if _BLANK.search(between):
        return False
    sides = [(bad[gap.start : gap.end].strip(), good[gap.good_start : gap.good_end].strip()) for gap in (first, second)]
    if _is_pair_of_marks(*sides) and len(between) <= 80:
        return True
    small = [_is_small(*side) for side in sides]
    words = len(_WORD.findall(between))
    sizes = [max(len(was), len(now)) for was, now in sides]
    if all(small):
        return False
    if any(small):
        return words == 0 and len(between.strip()) <= 1 and "\n" not in between
    return words <= 3 and len(between) <= min(sizes)


_OPENING, _CLOSING = (
    frozenset(("`", "``", "*", "**", "_", "__", '"', "“", "'", "‘", "[", "(", "~~")),
    frozenset(("`", "``", "*", "**", "_", "__", '"', "”", "'", "’", "]", ")", "~~")),
)


def _is_pair_of_marks(first: tuple[str, str], second: tuple[str, str]) -> bool:
    """Whether two changes are those of the marks around one text."""
    opening = all(side == "" or side in _OPENING for side in first) and any(first)
    closing = all(side == "" or side in _CLOSING or side.startswith("](") for side in second) and any(second)
    return opening and closing and bool(first[0]) == bool(second[0]) and bool(first[1]) == bool(second[1])


def _is_small(was: str, now: str) -> bool:
    """Whether a change stands for itself: one word that is like the other, one small word, marks alone."""
    old, new = _WORD.findall(was), _WORD.findall(now)
    if _letters(was) == _letters(now):
        return True
    if len(old) == len(new) == 1:
        return _alike(old[0], new[0]) >= 0.5 or (_plain(old[0]) in SMALL and _plain(new[0]) in SMALL)
    return len(old) + len(new) == 1 and _plain((old + new)[0]) in SMALL


def _similar_words_apart(bad: str, good: str, gaps: Sequence[_Gap]) -> list[_Gap]:
    """Gaps whose words are one by one like each other, divided into these."""
    found: list[_Gap] = []
    for gap in gaps:
        left = [m.span() for m in re.finditer(r"\S+", bad[gap.start : gap.end])]
        right = [m.span() for m in re.finditer(r"\S+", good[gap.good_start : gap.good_end])]
        parts = [
            _Gap(gap.start + a, gap.start + b, gap.good_start + c, gap.good_start + d)
            for (a, b), (c, d) in zip(left, right, strict=False)
        ]
        changed = [part for part in parts if bad[part.start : part.end] != good[part.good_start : part.good_end]]
        same = _letters(bad[gap.start : gap.end]) == _letters(good[gap.good_start : gap.good_end])
        alike = (
            len(left) == len(right) > 1
            and not same
            and all(
                _alike(bad[part.start : part.end], good[part.good_start : part.good_end]) >= 0.6 for part in changed
            )
        )
        found += changed if alike else [gap]
    return found


# ---------------------------------------------------------------------------------------------------------------------
# Where


_OF_KIND = {
    "code": "code", "fence": "code", "code_span": "inline_code", "url": "link", "target": "link",
    "front_matter": "markup", "html": "markup", "math": "inline_code", "directive": "markup",
}  # fmt: skip


class _Positions:
    """Where in a document an offset lies."""

    def __init__(self, doc: Document) -> None:
        self.doc = doc
        self.starts = [start for start, _, _ in doc.protected]
        self.blocks = [
            (kind, region.start, region.end)
            for kind, name in (("heading", "heading"), ("table", "table"), ("item", "list"), ("quote", "quote"))
            for region in doc.regions.get(kind, ())
        ]

    def at(self, start: int, end: int) -> str:
        text = self.doc.text
        while start < end and text[start].isspace():
            start += 1
        index = bisect_right(self.starts, start) - 1
        for near in (index, index + 1):
            if 0 <= near < len(self.starts):
                left, right, kind = self.doc.protected[near]
                if left <= start < right or (start < end and left < end and start < right):
                    return _OF_KIND[kind]
        for block in self.doc.regions.get("code_block", ()):
            if block.start <= start < block.end:
                return "code"
        names = {"heading": "heading", "table": "table", "item": "list", "quote": "quote"}
        return next((names[kind] for kind, left, right in self.blocks if left <= start <= right), "prose")


# ---------------------------------------------------------------------------------------------------------------------
# What

SMALL = frozenset(
    "a an the of in to for with on at from by about as into like through after over between out against during without"
    " before under within via upon onto per is are was were be been being has have had do does did will would can could"
    " should may might must shall i you he she it we they me them us this that these those who which what your my his"
    " her its our their there here and or but nor so yet if then than because while when where although whether not no"
    " also only just both either each any all some such more most".split()
)
_ARTICLES = frozenset(("a", "an", "the"))
_PREPOSITIONS = frozenset(
    "of in to for with on at from by about as into like through after over between out during without before under"
    " within via upon onto per off up down".split()
)
_AUXILIARIES = frozenset(
    "is are was were be been being has have had do does did will would can could should may might must".split()
)
_BE = frozenset("is are was were be been am has have had do does did isn't aren't doesn't don't".split())
_PUNCTUATION = {
    ",": "comma", ".": "stop", ":": "colon", ";": "colon", "-": "hyphen", "–": "dash", "—": "dash", "'": "apostrophe",
    "’": "apostrophe", '"': "quote", "“": "quote", "”": "quote", "‘": "quote", "(": "bracket", ")": "bracket",
    "[": "bracket", "]": "bracket", "!": "exclamation", "?": "exclamation", "/": "slash",
}  # fmt: skip
_CURLY = str.maketrans("’‘“”", "''\"\"")
_TARGET = re.compile(r"\]\(\S*\)\Z|\]\[\S*\]\Z|https?://\S+\Z")
_LINK_SYNTAX = re.compile(r"\]\(|\]\[|^\[|\]$|<https?:|https?://|`_|>`|:(?:ref|doc|any):|^\[[^\]]+\]:|\]:")


class _Reader:
    """Reads one change."""

    def __init__(
        self, bad: str, good: str, gap: _Gap, good_text: _Positions, bad_text: _Positions, known: Container[str]
    ) -> None:
        self.gap, self.text, self.known = gap, bad, known
        self.bad, self.good = bad[gap.start : gap.end], good[gap.good_start : gap.good_end]
        self.old, self.new = _WORD.findall(self.bad), _WORD.findall(self.good)
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
        if _letters(was) == _letters(now):
            return self._same_letters(was, now)
        if re.fullmatch(r"[\d.,x]*", was + now) and was + now:
            return self._number()
        if not was or not now:
            return self._one_sided(bool(now))
        if len(self.old) == len(self.new) == 1 and self.old[0] in was and _letters(was) == _letters(self.old[0]):
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
        if _letters(was) == _letters(now):
            return "code.bracket/quotes" if re.search(r"[\"'“”‘’]", was + now) else "code.identifier_typo/case_or_marks"
        old, new = re.findall(r"\w+", was), re.findall(r"\w+", now)
        if len(old) == len(new) == 1:
            if _alike(old[0], new[0]) >= 0.75:
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
        if self.position != "link" and _letters(re.sub(r"\(\S*\)|\[\w*\]$", "", was)) == _letters(
            re.sub(r"\(\S*\)|\[\w*\]$", "", now)
        ):
            return "markup.link_syntax/marks"
        if not was or not now:
            return f"markup.link_target/{'lost' if not was else 'added'}" if words else "markup.link_syntax/marks"
        share = _alike(was, now)
        if _letters(was) == _letters(now):
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
        if _alike(was, now) >= 0.75:
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
        if {_plain(was), _plain(now)} == {"its", _ITS}:
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
        plain = [_plain(word) for word in words]
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
        if "\n" in text.strip() or len(words) >= 5 or _BLANK.search(text):
            size = "sentence" if re.search(r"[.!?:]\s*\Z|\n", text.strip()) else "phrase"
            return f"content.detail/{size}_{side}"
        if all(word in SMALL for word in plain) and len(words) <= 2:
            return f"grammar.article_preposition/words_{side}"
        return f"style.word/{side}"

    def _stands_beside(self, words: Sequence[str]) -> bool:
        after = [_plain(word) for word in _WORD.findall(self.text[self.gap.end : self.gap.end + 60])]
        before = [_plain(word) for word in _WORD.findall(self.text[max(0, self.gap.start - 60) : self.gap.start])]
        return after[: len(words)] == list(words) or before[-len(words) :] == list(words)

    def _word(self, old: str, new: str) -> str:
        """One word for another."""
        was, now = _plain(old), _plain(new)
        pair = frozenset((was, now))
        if pair <= _ARTICLES:
            return f"grammar.article_preposition/{'a_an' if 'the' not in pair else 'article_swapped'}"
        if was.replace("'", "") == now.replace("'", ""):
            return "grammar.punctuation/apostrophe"
        if pair in _VARIANTS:
            return "style.term_drift/variant"
        both = self._is_word(was) and self._is_word(now)
        if both and _lemmas(was) & _lemmas(now):
            return f"grammar.agreement/{_inflection(was, now)}"
        if pair in _CONFUSED:
            return "spelling.confusable/pair"
        if was in SMALL and now in SMALL:
            if was in _PREPOSITIONS and now in _PREPOSITIONS:
                return "grammar.article_preposition/preposition_swapped"
            return "grammar.article_preposition/word_swapped"
        distance = OSA.distance(was, now)
        if not self._is_word(was) and (distance <= 2 or _alike(was, now) >= 0.6):
            return f"spelling.typo/{_slip(now, was)}" if not _looks_alike(now, was) else "encoding.pdf_ocr/letter"
        if both and distance == 1:
            return "spelling.confusable/real_word"
        if both and len(commonprefix([was, now])) >= 4 and _alike(was, now) >= 0.5:
            return "grammar.agreement/form"
        return "style.word/other"

    def _is_word(self, word: str) -> bool:
        return word in SMALL or word in self.known or word in _listed() or bool(_lemmas(word) & _listed())

    def _phrase(self) -> str:
        old, new = [_plain(word) for word in self.old], [_plain(word) for word in self.new]
        if _letters(self.bad) == _letters(self.good):
            return "spelling.word_boundary/parted"
        if OSA.distance(_letters(self.bad), _letters(self.good)) <= 1 and len(old) != len(new):
            return "spelling.typo/several"
        if _MARKS_OF_CODE.search(self.bad) and _MARKS_OF_CODE.search(self.good) and len(old) <= 4:
            return "content.identifier_drift/other"
        if len(new) - len(old) >= 8 or len(old) - len(new) >= 8:
            side = "lost" if len(new) > len(old) else "added"
            return f"content.detail/{'sentence' if re.search(r'[.!?]', self.bad + self.good) else 'phrase'}_{side}"
        content = [[word for word in words if word not in SMALL] for words in (old, new)]
        if max(len(old), len(new)) <= 4 and [min(_lemmas(w)) for w in content[0]] == [
            min(_lemmas(w)) for w in content[1]
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
    if word in _ARTICLES:
        return "article"
    if word in _PREPOSITIONS:
        return "preposition"
    if word in _AUXILIARIES:
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


def _plain(word: str) -> str:
    return word.lower().replace("’", "'")


def _letters(text: str) -> str:
    return "".join(char for char in text.lower() if char.isalnum())


def _alike(one: str, other: str) -> float:
    """How alike two words are, 0 to 1."""
    return 1 - OSA.distance(one.lower(), other.lower()) / max(len(one), len(other), 1)


_ITS = "it's"
_CONFUSED = {
    frozenset((good, bad)) for good, forms in mapping("confusables").items() for bad in forms if " " not in good + bad
}
_VARIANTS = {frozenset((good, bad)) for good, forms in mapping("us_gb").items() for bad in forms}


@lru_cache(maxsize=1)
def _listed() -> frozenset[str]:
    """Every word of the lists that is spelt right."""
    lists = [mapping(name) for name in ("verbs", "nouns", "us_gb", "confusables", "synonyms", "wordy", "opposites")]
    found = {word.lower() for entries in lists for good in entries for word in good.split()}
    found |= {word for name in ("verbs", "nouns") for forms in mapping(name).values() for word in forms}
    return frozenset(found | set(mapping("misspellings")))


@lru_cache(maxsize=1)
def _lemma_table() -> dict[str, frozenset[str]]:
    found: dict[str, set[str]] = {}
    for name in ("verbs", "nouns"):
        for base, forms in mapping(name).items():
            for form in (base, *forms):
                found.setdefault(form, set()).add(base)
    irregular = {"be": _AM, "have": ("has", "have", "had", "having"), "do": ("does", "do", "did", "done", "doing")}
    for base, forms in {**irregular, "this": ("this", "these"), "that": ("that", "those")}.items():
        for form in forms:
            found[form] = {base}
    return {form: frozenset(bases) for form, bases in found.items()}


_AM = ("is", "are", "was", "were", "be", "been", "being", "am", "isn't", "aren't")


@lru_cache(maxsize=50_000)
def _lemmas(word: str) -> frozenset[str]:
    """The base forms that a word may be of: by the lists, else by its ending."""
    listed = _lemma_table().get(word)
    if listed:
        return listed
    bases = {word}
    for ending, instead in (
        ("ies", "y"),
        ("es", ""),
        ("s", ""),
        ("ied", "y"),
        ("ed", ""),
        ("ed", "e"),
        ("ing", ""),
        ("ing", "e"),
    ):
        if word.endswith(ending) and len(word) > len(ending) + 2:
            bases.add(word[: -len(ending)] + instead)
    return frozenset(bases)


def plain_words(text: str) -> frozenset[str]:
    """The different words of a text, in lower case, apostrophes straight."""
    return frozenset(_plain(word) for word in _WORD.findall(text))
