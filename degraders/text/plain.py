"""Plain text to regions: paragraphs, separated by blank lines."""

from __future__ import annotations

import re

from degraders.text.builder import Builder

_PARAGRAPH = re.compile(r"^[^\S\n]*+\S.*(?:\n[^\S\n]*+\S.*)*", re.MULTILINE)


def scan(builder: Builder) -> None:
    """Report the paragraphs of the builder's text."""
    for match in _PARAGRAPH.finditer(builder.text):
        start = match.end() - len(match[0].lstrip())
        end = match.start() + len(match[0].rstrip())
        builder.blocks.append(builder.add_region("paragraph", start, end))
        builder.add_prose(start, end, True, True)
