"""The builder that parsers report to: it collects regions and ranges, then builds the Document and its masks."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import pairwise

from degraders.text.dialects import AUTO
from degraders.text.document import BLOCK, INLINE, Document, Region


class Builder:
    """Collects the regions, protected ranges, prose and code of a text, in order of position, and builds the Document.

    `prose_ranges` holds [start, end, opens, body] lists, as `add_prose` takes them. `dialect` is the dialect to read
    Markdown in, `recognised` the one that the parser recognised.
    """

    def __init__(self, text: str, doc_id: str = "", dialect: str = AUTO) -> None:
        self.text = text
        self.doc_id = doc_id
        self.dialect = dialect
        self.recognised = ""
        self.regions: defaultdict[str, list[Region]] = defaultdict(list)
        self.protected: list[tuple[int, int, str]] = []
        self.prose_ranges: list[list[int]] = []
        self.code_ranges: list[tuple[int, int]] = []
        self.blocks: list[Region] = []
        self.hidden: list[tuple[int, int, str]] = []

    def add_region(
        self,
        kind: str,
        start: int,
        end: int,
        inner: tuple[int, int] | None = None,
        *,
        info: str = "",
        depth: int = 0,
    ) -> Region:
        """Add a region and return it; without `inner` all of it is content."""
        inner_start, inner_end = inner or (start, end)
        region = Region(start, end, kind, inner_start, inner_end, info, depth)
        self.regions[kind].append(region)
        return region

    def protect(self, start: int, end: int, kind: str) -> None:
        """Protect [start, end) from every degrader that does not name the kind."""
        if end > start:
            self.protected.append((start, end, kind))

    def hide(self, start: int, end: int, kind: str) -> None:
        """Protect [start, end), and take it out of the prose that the parser reports."""
        self.protect(start, end, kind)
        if end > start:
            self.hidden.append((start, end, kind))

    def add_prose(self, start: int, end: int, opens: bool, body: bool) -> None:
        """Add the prose [start, end); `opens` says that a block begins there, `body` that it is running text."""
        ranges = self.prose_ranges
        if not opens and ranges and ranges[-1][1] == start:
            ranges[-1][1] = end
        elif opens or end > start:
            ranges.append([start, end, opens, body])

    def build(self, format: str) -> Document:
        """Build the Document of everything collected so far."""
        for regions in self.regions.values():
            regions.sort()
        self.blocks.sort()
        prose = self._prose_mask()
        headings = [(start, end, BLOCK) for start, end, _, body in self.prose_ranges if not body and start < end]
        body = _blank(prose, headings, BLOCK)
        if self.hidden:
            hidden = _disjoint(self.hidden)
            prose, body = _hide(prose, hidden), _hide(body, hidden)
        prose, body = self._hide_technical(prose, body)
        protected = _disjoint(self.protected)
        return Document(
            doc_id=self.doc_id,
            format=format,
            dialect=self.recognised,
            text=self.text,
            regions=dict(self.regions),
            protected=protected,
            prose=prose,
            body=body,
            code=self._code_mask(),
            blocks=self.blocks,
        )

    def _prose_mask(self) -> str:
        out: list[str] = []
        at, border, text = 0, True, self.text
        for start, end, opens, _ in self.prose_ranges:
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
        for start, end in self.code_ranges:
            if start >= at:
                out.append(BLOCK * (start - at))
                out.append(self.text[start:end])
                at = end
        out.append(BLOCK * (len(self.text) - at))
        mask = "".join(out)
        includes = [(m.start(), m.end(), "") for m in _INCLUDE.finditer(mask)] if "{{" in mask else []
        return _blank(mask, includes) if includes else mask

    def _hide_technical(self, prose: str, body: str) -> tuple[str, str]:
        """Blank and protect technical text that no parser reports: bare URLs, paths, identifiers, flags, templates."""
        technical = [
            (match.start(), match.end(), "directive")
            for hint, expression in _DIRECTIVES
            if hint[0] in prose and hint in prose  # searching for one character is much faster
            for match in expression.finditer(prose)
        ]
        technical += _technical_tokens(prose)
        if not technical:
            return prose, body
        technical = _disjoint(technical)
        self.protected.extend(technical)
        return _blank(prose, technical), _blank(body, technical)


_INCLUDE = re.compile(r"\{\{#[^{}\x01\n]*\}\}")
_DIRECTIVES = (
    ("{{", re.compile(r"\{\{(?:[^{}\x01]|\}(?!\})|\{(?!\{))*+\}\}")),
    ("{%", re.compile(r"\{%(?:[^{%\x01]|%(?!\})|\{(?!%))*+%\}")),
    ("{", re.compile(r"\{[:#.^][^{}\x01\n]*\}")),
    ("{", re.compile(r"\{(?<=[)\]:\x00\x01]\{) ?[a-z][\w-]* ?\}")),
    (
        "{",
        re.compile(r"\{ ?(?:(?:[#.][\w:-]+|[\w:-]+=(?:\"[^\"{}\x01\n]*\"|'[^'{}\x01\n]*'|[^\s{}\"'\x00\x01]+)) ?)+\}"),
    ),
    (":::", re.compile(r"(?<![^\s\x00\x01]):{3,}[^\n\x01]*")),
    ("!!!", re.compile(r"(?<![^\s\x00\x01])!!![+?]? [^\n\x01]*")),
    ("[!", re.compile(r"\[![A-Za-z]+\]")),
    ("import ", re.compile(r"(?:import(?<![^\x01]import)|export(?<![^\x01]export)) [^\x01]*? from [\"'][^\x01]*")),
)
# It begins with a single character class, so that the search skips all other characters at the speed of a byte scan.
_TECHNICAL = re.compile(
    r"[_@#$\\=~<>%&^|+/.:(-](?:(?<=[_@#$\\=~<>%&^|+/])|(?<=\.)[A-Za-z_]\w|(?<=:)[A-Za-z:]|(?<=\w\()"
    r"|(?<=[\s(\x00\x01]-)[A-Za-z]|(?<=-)-\w)"
)
_TOKEN_END = re.compile(r"[^\s\x00\x01]*")
_LONGEST_TOKEN = 500


def _technical_tokens(prose: str) -> list[tuple[int, int, str]]:
    """The tokens of a prose mask that are not words: addresses (`url`); names, paths and flags (`code_span`)."""
    tokens: list[tuple[int, int, str]] = []
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
            tokens.append((start, start + len(bare), "url" if "://" in bare or "@" in bare else "code_span"))
    return tokens


def _disjoint(ranges: Iterable[tuple[int, int, str]]) -> list[tuple[int, int, str]]:
    """The ranges in order; one that begins inside an earlier one loses the shared part, or all if it ends there too."""
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
    """The mask with the ranges blanked; a range that is blank already, between blocks, stays as it is."""
    out: list[str] = []
    at = 0
    for start, end, _ in ranges:
        out += mask[at:start], mask[start:end] if mask[start] == BLOCK else blank * (end - start)
        at = end
    out.append(mask[at:])
    return "".join(out)


def _hide(mask: str, ranges: Sequence[tuple[int, int, str]]) -> str:
    """The mask with the ranges blanked; borders between blocks stay."""
    out: list[str] = []
    at = 0
    for start, end, _ in ranges:
        out += mask[at:start], _NO_BORDER.sub(INLINE, mask[start:end])
        at = end
    out.append(mask[at:])
    return "".join(out)


_NO_BORDER = re.compile(f"[^{BLOCK}]")
