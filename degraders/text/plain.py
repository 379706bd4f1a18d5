"""Plain text to regions: paragraphs are what blank lines part."""

from __future__ import annotations

import re

from degraders.text.builder import Builder

_PARAGRAPH = re.compile(r"^[^\S\n]*+\S.*(?:\n[^\S\n]*+\S.*)*", re.MULTILINE)


def scan(builder: Builder) -> None:
    """Fill the builder from its text."""
    for match in _PARAGRAPH.finditer(builder.text):
        start = match.end() - len(match[0].lstrip())
        end = match.start() + len(match[0].rstrip())
        builder.blocks.append(builder.region("paragraph", start, end))
        builder.show(start, end, True, True)
