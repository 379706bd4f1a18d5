"""The position of an offset in a document: prose, a list, code, a link …"""

from __future__ import annotations

from bisect import bisect_right

from degraders.text.document import Document

POSITIONS = ("prose", "list", "heading", "table", "quote", "code", "inline_code", "link", "markup")

_POSITION_OF_PROTECTED = {
    "code": "code", "fence": "code", "code_span": "inline_code", "url": "link", "target": "link",
    "front_matter": "markup", "html": "markup", "math": "inline_code", "directive": "markup",
}  # fmt: skip
_POSITION_OF_BLOCK = {"heading": "heading", "table": "table", "item": "list", "quote": "quote"}
"""In order of precedence: a heading in a quote is a heading."""


class Positions:
    """The positions of a document."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self._protected_starts = [start for start, _, _ in document.protected]
        self._blocks = [
            (position, region.start, region.end)
            for kind, position in _POSITION_OF_BLOCK.items()
            for region in document.regions.get(kind, ())
        ]

    def at(self, start: int, end: int) -> str:
        """The position of [start, end), one of `POSITIONS`: that of protected text that it overlaps, or else of the
        block that contains its first character other than white space."""
        text = self._document.text
        while start < end and text[start].isspace():
            start += 1
        index = bisect_right(self._protected_starts, start) - 1
        for near in (index, index + 1):
            if 0 <= near < len(self._protected_starts):
                left, right, kind = self._document.protected[near]
                if left <= start < right or (start < end and left < end and start < right):
                    return _POSITION_OF_PROTECTED[kind]
        for block in self._document.regions.get("code_block", ()):
            if block.start <= start < block.end:
                return "code"
        return next((position for position, left, right in self._blocks if left <= start <= right), "prose")
