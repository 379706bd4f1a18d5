"""Text to Document: typed regions with exact offsets, and masks that show patterns only what they may touch.

All offsets are characters of `Document.text`, half-open. A mask is a copy of the text, equal in length, where
everything that a pattern must not see is blanked: inside a block with `INLINE`, between blocks with `BLOCK`.
A pattern over a mask can therefore never match code, a URL or a link target, nor run from one block into the next.
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

INLINE = "\x00"
BLOCK = "\x01"

PROTECTED = frozenset({"code", "fence", "code_span", "url", "target", "front_matter", "html", "math", "directive"})
"""What stays byte-identical unless a degrader names it. `code` is the content of a code block, `fence` the lines
that open and close it, `target` where a link points to (and definitions), `directive` the syntax of reST, MyST,
MDX, mkdocs and template directives and roles."""

# The letter before the look-behind, so that the search skips all other characters at once.
WORD = re.compile(r"([A-Za-z](?<![\w-].)[A-Za-z]*+(?:['’][A-Za-z]++)?+\b)")
_WHITE = frozenset({" ", "\n", "\r\n", "  ", " \n", "\t"})
_STOP_WORDS = frozenset("the of to is a and in for that this with you be are it on as or can not from".split())


class Region(NamedTuple):
    """A typed stretch of the text; `inner` is its content without markup, `info` its level, language or URL."""

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
    """A property computed at its first use and kept in the instance: `cached_property`, which locks in Python 3.11."""

    def __init__(self, compute: Callable[[Any], T]) -> None:
        self.compute = compute

    def __get__(self, instance: Any, owner: type) -> T:
        value = instance.__dict__[self.compute.__name__] = self.compute(instance)
        return value


class Words(NamedTuple):
    """The plain words of a prose: never part of an identifier, a path, a flag or a file name. Equal lists.

    `adjacent` says whether only white space stands between a word and the next one.
    """

    starts: list[int]
    texts: list[str]
    lowers: list[str]
    adjacent: list[bool]

    def indices_in(self, vocabulary: Container[str], begin: int, *, exact: bool = False) -> Iterator[int]:
        """The numbers of the words in a vocabulary (of lower-case words unless `exact`), from `begin` on and round."""
        forms, known = self.texts if exact else self.lowers, vocabulary.__contains__
        return chain(
            compress(count(begin), map(known, forms[begin:])),
            compress(count(), map(known, forms[:begin])),
        )


@dataclass(frozen=True)
class Document:
    """A parsed text.

    `regions` holds, by kind, the regions in order of their start; `protected` the ranges (start, end, kind) that no
    degrader may change unless it names their kind; `prose` is the mask of all natural language, `body` that of
    running text alone (no headings, no table cells), `code` that of the contents of code blocks; `blocks` are the
    outermost blocks, where the text may be divided.
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

    @lazy
    def newline(self) -> str:
        """The line end of the text: that of its first line."""
        first = self.text.find("\n")
        return "\r\n" if first > 0 and self.text[first - 1] == "\r" else "\n"

    def regions_within(self, kind: str, start: int, end: int) -> list[Region]:
        """The regions of a kind that lie wholly in [start, end)."""
        regions = self.regions.get(kind)
        if not regions:
            return []
        first = bisect_left(regions, (start,))
        last = bisect_left(regions, (end,), first)
        found = regions[first:last]
        return [r for r in found if r.end <= end] if found and max(map(_END, found)) > end else found

    def protected_in(self, start: int, end: int) -> list[tuple[int, int, str]]:
        """The protected ranges that an edit of [start, end) would touch; an insertion touches what it stands inside."""
        protected = self.protected
        first = bisect_left(protected, (start,))
        if first and protected[first - 1][1] > start:
            first -= 1
        last = first
        while last < len(protected) and protected[last][0] < end:
            last += 1
        return protected[first:last]

    def keeps_protected(self, start: int, end: int, text: str, touches: Collection[str]) -> bool:
        """Whether the protected text in [start, end), but for the kinds in `touches`, stands whole in `text`."""
        kept: Counter[str] | None = None
        for left, right, kind in self.protected_in(start, end):
            if kind in touches:
                continue
            if left < start or end < right:
                return False
            kept = kept or Counter()
            kept[self.text[left:right]] += 1
        return kept is None or all(text.count(piece) >= times for piece, times in kept.items())

    @lazy
    def is_english(self) -> bool:
        """Whether the prose reads as English: a common function word in twelve words, or too short to tell."""
        words = self.prose[:1500].lower().split()
        return len(words) < 20 or sum(word in _STOP_WORDS for word in words) * 12 >= len(words)


class Unit:
    """A stretch of a document that becomes the good side of records; offsets stay those of the document.

    `place_cache` keeps the results of slow searches, by finder.
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
        """Where the text's tokens begin: its `edits.token_shape`."""
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
        """The different words of the prose, in lower case."""
        return frozenset(self.words.lowers)

    @lazy
    def kinds(self) -> frozenset[str]:
        """The kinds of region that begin here, with `prose`, `body` and `code` for what the masks show."""
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
        """The prose in lower case, with spaces for line breaks; as it stands if its length would change."""
        prose = self.doc.prose[self.start : self.end]
        lower = prose.lower()
        return (lower if len(lower) == len(prose) else prose).replace("\n", " ").replace("\r", " ")

    def find_phrase(self, phrase: str) -> list[int]:
        """Where a phrase (lower case, single spaces) stands in the prose, whole, over line breaks too."""
        return [self.start + at for at in _whole(self.lower_prose, phrase, 0, len(self.lower_prose))]

    def find_token(self, token: str) -> list[int]:
        """Where a token stands whole in the text, in code too: no letter, digit or underscore beside it."""
        return _whole(self.doc.text, token, self.start, self.end)

    def regions_of(self, *kinds: str) -> list[Region]:
        """The unit's regions of these kinds, in order."""
        if len(kinds) == 1:
            return self.doc.regions_within(kinds[0], self.start, self.end)
        return sorted(region for kind in kinds for region in self.doc.regions_within(kind, self.start, self.end))


def _whole(text: str, token: str, start: int, end: int) -> list[int]:
    found: list[int] = []
    at = text.find(token, start, end) if token else -1
    while at >= 0:
        after = at + len(token)
        if not _continues_word(text[at - 1 : at]) and not _continues_word(text[after : after + 1]):
            found.append(at)
        at = text.find(token, after, end)
    return found


def _continues_word(char: str) -> bool:
    return char.isalnum() or char == "_"
