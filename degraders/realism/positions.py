"""Where in a document an offset lies: prose, a list, code, a link …"""

from __future__ import annotations

from bisect import bisect_right

from degraders.text.document import Document

POSITIONS = ("prose", "list", "heading", "table", "quote", "code", "inline_code", "link", "markup")


# ---------------------------------------------------------------------------------------------------------------------
# Where


_OF_KIND = {
    "code": "code", "fence": "code", "code_span": "inline_code", "url": "link", "target": "link",
    "front_matter": "markup", "html": "markup", "math": "inline_code", "directive": "markup",
}  # fmt: skip


class Positions:
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
