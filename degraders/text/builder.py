"""Collects what a parser reports and builds the Document: protected ranges, and masks that show patterns only prose."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import pairwise

from degraders.text.document import BLOCK, INLINE, Document, Region


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
