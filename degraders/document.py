"""Text to Document: typed regions with exact offsets, and masks that show patterns only what they may touch.

All offsets are characters of `Document.text`, half-open. A mask is a copy of the text, equal in length, where
everything that a pattern must not see is blanked: inside a block with `INLINE`, between blocks with `BLOCK`.
A pattern over a mask can therefore never match code, a URL or a link target, nor run from one block into the next.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Container, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, chain, compress, count, pairwise
from operator import itemgetter
from typing import Any, Generic, NamedTuple, TypeVar

from degraders.draw import Draw
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

    `joined` says whether nothing but white space stands between a word and the next.
    """

    starts: list[int]
    texts: list[str]
    lowers: list[str]
    joined: list[bool]

    def standing(self, vocabulary: Container[str], begin: int, *, exact: bool = False) -> Iterator[int]:
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

    def within(self, kind: str, start: int, end: int) -> list[Region]:
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

    def survives(self, start: int, end: int, text: str, touches: Collection[str]) -> bool:
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
    def english(self) -> bool:
        """Whether the prose reads as English: a common function word in twelve words, or too short to tell."""
        words = self.prose[:1500].lower().split()
        return len(words) < 20 or sum(word in _STOP_WORDS for word in words) * 12 >= len(words)


class Unit:
    """A stretch of a document that becomes the good side of records; offsets stay those of the document.

    `found` keeps, by finder, the places that a slow search has found.
    """

    def __init__(self, doc: Document, index: int, start: int, end: int, context: str) -> None:
        self.doc = doc
        self.index = index
        self.start = start
        self.end = end
        self.context = context
        self.found: dict[object, list[tuple[int, int, Any]]] = {}

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
        joined = list(map(_WHITE.__contains__, pieces[2::2]))
        if joined:
            joined[-1] = False
        return Words(starts[1::2], texts, list(map(str.lower, texts)), joined)

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
    def spoken(self) -> str:
        """The prose in lower case, with spaces for line breaks; as it stands if its length would change."""
        prose = self.doc.prose[self.start : self.end]
        lower = prose.lower()
        return (lower if len(lower) == len(prose) else prose).replace("\n", " ").replace("\r", " ")

    def said(self, phrase: str) -> list[int]:
        """Where a phrase (lower case, single spaces) stands in the prose, whole, over line breaks too."""
        return [self.start + at for at in _whole(self.spoken, phrase, 0, len(self.spoken))]

    def mentions(self, token: str) -> list[int]:
        """Where a token stands whole in the text, in code too: no letter, digit or underscore beside it."""
        return _whole(self.doc.text, token, self.start, self.end)

    def of(self, *kinds: str) -> list[Region]:
        """The unit's regions of these kinds, in order."""
        if len(kinds) == 1:
            return self.doc.within(kinds[0], self.start, self.end)
        return sorted(region for kind in kinds for region in self.doc.within(kind, self.start, self.end))


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


class Builder:
    """Collects what a parser finds, in order of position, and makes the Document of it."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.regions: defaultdict[str, list[Region]] = defaultdict(list)
        self.protected: list[tuple[int, int, str]] = []
        self.shown: list[list[int]] = []
        self.code: list[tuple[int, int]] = []
        self.blocks: list[Region] = []

    def region(
        self,
        kind: str,
        start: int,
        end: int,
        inner: tuple[int, int] | None = None,
        info: str = "",
        depth: int = 0,
    ) -> Region:
        inner_start, inner_end = inner or (start, end)
        region = Region(start, end, kind, inner_start, inner_end, info, depth)
        self.regions[kind].append(region)
        return region

    def protect(self, start: int, end: int, kind: str) -> None:
        if end > start:
            self.protected.append((start, end, kind))

    def show(self, start: int, end: int, opens: bool, body: bool) -> None:
        """Prose in [start, end); `opens` says that a block border lies before it, `body` that it is running text."""
        shown = self.shown
        if not opens and shown and shown[-1][1] == start:
            shown[-1][1] = end
        elif opens or end > start:
            shown.append([start, end, opens, body])

    def document(self, doc_id: str, format: str) -> Document:
        for regions in self.regions.values():
            regions.sort()
        self.blocks.sort()
        prose = self._mask()
        headings = [(start, end, BLOCK) for start, end, _, body in self.shown if not body and start < end]
        body = _blank(prose, headings, BLOCK)
        prose, body = self._hide_technical(prose, body)
        protected = _disjoint(self.protected)
        return Document(
            doc_id, format, self.text, dict(self.regions), protected, prose, body, self._code_mask(), self.blocks
        )

    def _mask(self) -> str:
        out: list[str] = []
        at, border, text = 0, True, self.text
        for start, end, opens, _ in self.shown:
            border = border or bool(opens)
            if start < at:
                border = True
                continue
            if start > at:
                out.append((BLOCK if border else INLINE) * (start - at))
            out.append(text[start:end])
            at, border = end, False
        out.append(BLOCK * (len(text) - at))
        return "".join(out)

    def _code_mask(self) -> str:
        out: list[str] = []
        at = 0
        for start, end in self.code:
            if start >= at:
                out.append(BLOCK * (start - at))
                out.append(self.text[start:end])
                at = end
        out.append(BLOCK * (len(self.text) - at))
        mask = "".join(out)
        includes = [(m.start(), m.end(), "") for m in _INCLUDE.finditer(mask)] if "{{" in mask else []
        return _blank(mask, includes) if includes else mask

    def _hide_technical(self, prose: str, body: str) -> tuple[str, str]:
        """Blank and protect what no parser reports: bare URLs, paths, identifiers, flags; templates and the like."""
        found = [
            (match.start(), match.end(), "directive")
            for hint, expression in _DIRECTIVES
            if hint[0] in prose and hint in prose  # the search for one character is by far the faster one
            for match in expression.finditer(prose)
        ]
        found += _technical_tokens(prose)
        if not found:
            return prose, body
        found = _disjoint(found)
        self.protected.extend(found)
        return _blank(prose, found), _blank(body, found)


_INCLUDE = re.compile(r"\{\{#[^{}\x01\n]*\}\}")
_DIRECTIVES = (
    ("{{", re.compile(r"\{\{(?:[^{}\x01]|\}(?!\})|\{(?!\{))*+\}\}")),
    ("{%", re.compile(r"\{%(?:[^{%\x01]|%(?!\})|\{(?!%))*+%\}")),
    ("{", re.compile(r"\{[:#.^][^{}\x01\n]*\}")),
    (":::", re.compile(r"(?<![^\s\x00\x01]):{3,}[^\n\x01]*")),
    ("!!!", re.compile(r"(?<![^\s\x00\x01])!!![+?]? [^\n\x01]*")),
    ("[!", re.compile(r"\[![A-Za-z]+\]")),
    ("import ", re.compile(r"(?:import(?<![^\x01]import)|export(?<![^\x01]export)) [^\x01]*? from [\"'][^\x01]*")),
)
# One set of characters first, so that the search skips all others at the speed of a byte scan.
_TECHNICAL = re.compile(
    r"[_@#$\\=~<>%&^|+/.:(-](?:(?<=[_@#$\\=~<>%&^|+/])|(?<=\.)[A-Za-z_]\w|(?<=:)[A-Za-z:]|(?<=\w\()"
    r"|(?<=[\s(\x00\x01]-)[A-Za-z]|(?<=-)-\w)"
)
_TOKEN_END = re.compile(r"[^\s\x00\x01]*")
_LONGEST_TOKEN = 500


def _technical_tokens(prose: str) -> list[tuple[int, int, str]]:
    """What no one would spell-check in a prose mask: addresses (`url`); names, paths and flags (`code_span`)."""
    found: list[tuple[int, int, str]] = []
    done = 0
    for match in _TECHNICAL.finditer(prose):
        at = match.start()
        if at < done:
            continue
        first = max(done, at - _LONGEST_TOKEN)
        start = 1 + max(prose.rfind(mark, first, at) for mark in (" ", "\n", INLINE, BLOCK))
        start = max(start, first)
        done = max(_TOKEN_END.match(prose, at).end(), at + 1)  # type: ignore[union-attr]
        token = prose[start:done]
        bare = token.strip("\"'*_,;:!?()[]{}“”‘’").rstrip(".")
        if len(bare) > 1:
            start += token.index(bare)
            found.append((start, start + len(bare), "url" if "://" in bare or "@" in bare else "code_span"))
    return found


def _disjoint(ranges: Iterable[tuple[int, int, str]]) -> list[tuple[int, int, str]]:
    """The ranges in order; one that begins inside an earlier one loses the shared part, or goes."""
    ordered = sorted(ranges)
    if all(left[1] <= right[0] for left, right in pairwise(ordered)):
        return ordered
    out: list[tuple[int, int, str]] = []
    at = 0
    for start, end, kind in sorted(ordered, key=lambda r: (r[0], -r[1])):
        if end > at:
            out.append((max(start, at), end, kind))
            at = end
    return out


def _blank(mask: str, ranges: Sequence[tuple[int, int, str]], blank: str = INLINE) -> str:
    """The mask with the ranges made blank; what is hidden behind a border of blocks already stays as it is."""
    out: list[str] = []
    at = 0
    for start, end, _ in ranges:
        out += mask[at:start], mask[start:end] if mask[start] == BLOCK else blank * (end - start)
        at = end
    out.append(mask[at:])
    return "".join(out)


def parse(text: str, *, doc_id: str = "", format: str = "markdown") -> Document:
    """Parse a text; `format` is `markdown`, `rst` or `text`."""
    from degraders import markdown, plain, rst

    parsers = {"markdown": markdown.scan, "rst": rst.scan, "text": plain.scan}
    builder = Builder(text)
    parsers[format](builder)
    return builder.document(doc_id, format)


def units(doc: Document, *, unit: str = "section", max_chars: int | Sequence[int] = 2000) -> list[Unit]:
    """Divide a document: whole (`document`), or at headings, packed greedily up to `max_chars` (`section`).

    Of several limits each unit has one of its own, drawn by its document and place alone. A section that is longer is
    divided between its blocks, a list between its items, never inside one; a heading stays with what follows it.
    `context` is the trail of the headings above the unit, those inside it left out, so that an error in a heading is
    never given away.
    """
    if unit == "document":
        return [Unit(doc, 0, 0, len(doc.text), "")] if doc.blocks else []
    limits = (max_chars,) if isinstance(max_chars, int) else tuple(max_chars)
    found: list[Unit] = []
    trail: list[tuple[int, str]] = []
    for group in _groups(_divisible(doc, sorted(limits)[len(limits) // 2]), _Limits(doc.doc_id, limits)):
        context = " > ".join(title for level, title in trail if not _opens_above(group[0], level))
        found.append(Unit(doc, len(found), group[0].start, group[-1].end, context))
        for block in group:
            if block.kind == "heading":
                level = int(block.info)
                trail = [(above, title) for above, title in trail if above < level]
                trail.append((level, " ".join(doc.text[block.inner_start : block.inner_end].split())))
    return found


class _Limits:
    """How long a unit may be that begins at an offset."""

    def __init__(self, doc_id: str, limits: Sequence[int]) -> None:
        self.doc_id, self.limits = doc_id, limits

    def __call__(self, start: int) -> int:
        limits = self.limits
        return limits[0] if len(limits) == 1 else Draw("size", self.doc_id, start).choice(limits)


def _opens_above(block: Region, level: int) -> bool:
    """Whether a unit that begins with this block leaves the section of a heading of that level."""
    return block.kind == "heading" and int(block.info) <= level


def _divisible(doc: Document, max_chars: int) -> list[Region]:
    """The outermost blocks, with a list that is too long replaced by its items."""
    out: list[Region] = []
    for block in doc.blocks:
        items = (
            doc.within("item", block.start, block.end)
            if block.kind == "list" and block.end - block.start > max_chars
            else []
        )
        outer = [item for item in items if item.depth == items[0].depth]
        out.extend(outer or [block])
    return out


def _groups(blocks: Sequence[Region], limit_at: Callable[[int], int]) -> Iterator[list[Region]]:
    """Blocks packed into sections, and small sections packed together, up to a limit where that can be."""
    group: list[Region] = []
    limit = 0
    for section in _sections(blocks):
        if group and section[-1].end - group[0].start > limit:
            yield group
            group = []
        limit = limit if group else limit_at(section[0].start)
        if section[-1].end - section[0].start <= limit:
            group += section
            continue
        for block in section:
            if group and group[-1].kind != "heading" and block.end - group[0].start > limit:
                yield group
                group = []
            limit = limit if group else limit_at(block.start)
            group.append(block)
        yield group
        group = []
    if group:
        yield group


def _sections(blocks: Sequence[Region]) -> Iterator[list[Region]]:
    """Runs of blocks that begin with a heading, and with the labels and anchors that stand above it."""
    section: list[Region] = []
    for block in blocks:
        if block.kind == "heading" and section and section[-1].kind != "heading":
            cut = len(section)
            while cut > 1 and _belongs_below(section[cut - 1]):
                cut -= 1
            yield section[:cut]
            section = section[cut:]
        section.append(block)
    if section:
        yield section


def _belongs_below(block: Region) -> bool:
    """Whether a block above a heading is its anchor or label."""
    return block.kind in ("html_block", "comment") or (block.kind == "definition" and block.info == "label")
