"""A parsed document: typed regions with exact offsets, and masks for patterns.

All offsets are characters of `Document.text`, and all ranges are half-open. A mask is a copy of the text, of the same
length, in which everything that a pattern must not match is blank: `INLINE` inside a block, `BLOCK` between blocks.
So a pattern over a mask can never match code, a URL or a link target, nor run from one block into the next.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Collection, Container, Iterator
from dataclasses import dataclass
from itertools import accumulate, chain, compress, count
from operator import itemgetter
from typing import Any, Generic, NamedTuple, TypeVar

from degraders.edits import token_shape
from degraders.lexicon import word_set

INLINE = "\x00"
BLOCK = "\x01"

PROTECTED = frozenset({"code", "fence", "code_span", "url", "target", "front_matter", "html", "math", "directive"})
"""Kinds of text that stay byte-identical unless a degrader names them. `code` is the content of a code block, `fence`
the lines that open and close it, `target` the address of a link (and definitions), `directive` the syntax of
directives and roles in reST, MyST, MDX, mkdocs and templates."""

# The letter comes before the look-behind, so that the search skips all other characters at once.
WORD = re.compile(r"([A-Za-z](?<![\w-].)[A-Za-z]*+(?:['’][A-Za-z]++)?+\b)")
_WHITE = frozenset({" ", "\n", "\r\n", "  ", " \n", "\t"})
_STOP_WORDS = word_set("stop_words")


class Region(NamedTuple):
    """A typed range of the text.

    `inner_start` and `inner_end` bound its content without markup; `info` holds a level, a style or a language,
    depending on the kind; `depth` is the number of blocks around a block.
    """

    start: int
    end: int
    kind: str
    inner_start: int
    inner_end: int
    info: str
    depth: int


_END = itemgetter(1)

T = TypeVar("T")


class lazy(Generic[T]):
    """A property computed at its first use, then stored in the instance: `cached_property` without its lock (3.11)."""

    def __init__(self, compute: Callable[[Any], T]) -> None:
        self.compute = compute

    def __get__(self, instance: Any, owner: type) -> T:
        value = instance.__dict__[self.compute.__name__] = self.compute(instance)
        return value


class Words(NamedTuple):
    """The plain words of the prose, in lists of equal length; none is part of an identifier, a path or a flag.

    `adjacent` says whether only white space stands between a word and the next one.
    """

    starts: list[int]
    texts: list[str]
    lowers: list[str]
    adjacent: list[bool]

    def indices_in(self, vocabulary: Container[str], begin: int, *, exact: bool = False) -> Iterator[int]:
        """The indices of the words in a vocabulary (lower case unless `exact`): from `begin` on, then from 0."""
        forms, contains = self.texts if exact else self.lowers, vocabulary.__contains__
        return chain(
            compress(count(begin), map(contains, forms[begin:])),
            compress(count(), map(contains, forms[:begin])),
        )


@dataclass(frozen=True)
class Document:
    """A parsed text.

    `regions` holds the regions by kind, in order of their start; `protected` the ranges (start, end, kind) that no
    degrader may change unless it names their kind; `prose` is the mask of all natural language, `body` the mask of
    running text alone (no headings, no table cells), `code` the mask of the contents of code blocks; `blocks` are the
    outermost blocks, between which the text may be divided. `dialect` names the dialect of Markdown that the parser
    recognised; it is empty for other formats.
    """

    doc_id: str
    format: str
    text: str
    regions: dict[str, list[Region]]
    protected: list[tuple[int, int, str]]
    prose: str
    body: str
    code: str
    blocks: list[Region]
    dialect: str = ""

    @lazy
    def newline(self) -> str:
        """The line end of the first line."""
        first = self.text.find("\n")
        return "\r\n" if first > 0 and self.text[first - 1] == "\r" else "\n"

    def regions_within(self, kind: str, start: int, end: int) -> list[Region]:
        """The regions of a kind that lie completely in [start, end)."""
        regions = self.regions.get(kind)
        if not regions:
            return []
        first = bisect_left(regions, (start,))
        last = bisect_left(regions, (end,), first)
        inside = regions[first:last]
        return [r for r in inside if r.end <= end] if inside and max(map(_END, inside)) > end else inside

    def protected_in(self, start: int, end: int) -> list[tuple[int, int, str]]:
        """The protected ranges that overlap [start, end); if that is empty, the range around it."""
        protected = self.protected
        first = bisect_left(protected, (start,))
        if first and protected[first - 1][1] > start:
            first -= 1
        last = first
        while last < len(protected) and protected[last][0] < end:
            last += 1
        return protected[first:last]

    def keeps_protected(self, start: int, end: int, text: str, touches: Collection[str]) -> bool:
        """Whether an edit of [start, end) to `text` keeps all protected text there, except the kinds in `touches`."""
        pieces: Counter[str] | None = None
        for left, right, kind in self.protected_in(start, end):
            if kind in touches:
                continue
            if left < start or end < right:
                return False
            pieces = pieces or Counter()
            pieces[self.text[left:right]] += 1
        return pieces is None or all(text.count(piece) >= times for piece, times in pieces.items())

    @lazy
    def is_english(self) -> bool:
        """Whether the prose is English: at least one word in twelve is a common function word, or the text is short."""
        words = self.prose[:1500].lower().split()
        return len(words) < 20 or sum(word in _STOP_WORDS for word in words) * 12 >= len(words)


class Unit:
    """A part of a document that becomes the good side of records; its offsets are those of the document.

    `place_cache` holds the results of slow searches by finder.
    """

    def __init__(self, doc: Document, index: int, start: int, end: int, context: str) -> None:
        self.doc = doc
        self.index = index
        self.start = start
        self.end = end
        self.context = context
        self.place_cache: dict[object, list[tuple[int, int, Any]]] = {}

    @lazy
    def text(self) -> str:
        return self.doc.text[self.start : self.end]

    @lazy
    def shape(self) -> bytes:
        """The `edits.token_shape` of the text."""
        return token_shape(self.text)

    @lazy
    def words(self) -> Words:
        """The plain words of the prose, in order."""
        pieces = WORD.split(self.doc.prose[self.start : self.end])
        starts = list(accumulate(map(len, pieces[:-1]), initial=self.start))
        texts = pieces[1::2]
        adjacent = list(map(_WHITE.__contains__, pieces[2::2]))
        if adjacent:
            adjacent[-1] = False
        return Words(starts[1::2], texts, list(map(str.lower, texts)), adjacent)

    @lazy
    def vocabulary(self) -> frozenset[str]:
        """The distinct words of the prose, in lower case."""
        return frozenset(self.words.lowers)

    @lazy
    def kinds(self) -> frozenset[str]:
        """The kinds of regions that begin in the unit, and the masks (`prose`, `body`, `code`) with text in it."""
        kinds = set()
        for kind, regions in self.doc.regions.items():
            at = bisect_left(regions, (self.start,))
            if at < len(regions) and regions[at].start < self.end:
                kinds.add(kind)
        if self.words.texts:
            kinds |= {"prose", "body"}
        if "code_block" in kinds:
            kinds.add("code")
        return frozenset(kinds)

    @lazy
    def lower_prose(self) -> str:
        """The prose with spaces for line breaks, in lower case unless that would change its length."""
        prose = self.doc.prose[self.start : self.end]
        lower = prose.lower()
        return (lower if len(lower) == len(prose) else prose).replace("\n", " ").replace("\r", " ")

    def find_phrase(self, phrase: str) -> list[int]:
        """The starts of a phrase (lower case, single spaces) in the prose, as whole words, across line breaks too."""
        return [self.start + at for at in _find_whole(self.lower_prose, phrase, 0, len(self.lower_prose))]

    def find_token(self, token: str) -> list[int]:
        """The starts of a token in the text, code included, with no letter, digit or underscore beside it."""
        return _find_whole(self.doc.text, token, self.start, self.end)

    def regions_of(self, *kinds: str) -> list[Region]:
        """The unit's regions of these kinds, in order."""
        if len(kinds) == 1:
            return self.doc.regions_within(kinds[0], self.start, self.end)
        return sorted(region for kind in kinds for region in self.doc.regions_within(kind, self.start, self.end))


def _find_whole(text: str, token: str, start: int, end: int) -> list[int]:
    starts: list[int] = []
    at = text.find(token, start, end) if token else -1
    while at >= 0:
        after = at + len(token)
        if not _continues_word(text[at - 1 : at]) and not _continues_word(text[after : after + 1]):
            starts.append(at)
        at = text.find(token, after, end)
    return starts


def _continues_word(char: str) -> bool:
    return char.isalnum() or char == "_"
