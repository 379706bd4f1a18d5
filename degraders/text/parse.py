"""From a text to its Document, by the parser of its format."""

from __future__ import annotations

from degraders.text import markdown, plain, rst
from degraders.text.builder import Builder
from degraders.text.dialects import AUTO
from degraders.text.document import Document

_PARSERS = {"markdown": markdown.scan, "rst": rst.scan, "text": plain.scan}


def parse(text: str, *, doc_id: str = "", format: str = "markdown", dialect: str = AUTO) -> Document:
    """The Document of a text; `format` is `markdown`, `rst` or `text`, `dialect` one of `DIALECTS` for Markdown."""
    builder = Builder(text, doc_id, dialect)
    _PARSERS[format](builder)
    return builder.build(format)
