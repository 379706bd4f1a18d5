"""Inline reStructuredText: literals, roles, links, references and emphasis, in one pass over the text of a block."""

from __future__ import annotations

import re

from degraders.text.builder import Builder

# Characters that must not come right before a start-string, or right after an end-string.
_BEFORE = r"\w!#$%&)*+,.;=>?@\\\]^`|}~"
_AFTER = r"(?![\w#$%&(*+<=@\[^`{|~])"
NAME = r"[^\W_]++(?:[-._+:][^\W_]++)*+"
_PHRASE = r"(?:[^`\\]++|\\.)*+"


def _start(mark: str) -> str:
    """A start-string: after an allowed character, before text, and not alone between quotes as in `"*"`."""
    pairs = zip("\"'([{<", "\"')]}>", strict=True)
    quoted = "|".join(rf"(?<={re.escape(left + mark)}){re.escape(right)}" for left, right in pairs)
    first, rest = re.escape(mark[0]), re.escape(mark[1:])
    return rf"{first}(?<![{_BEFORE}]{first}){rest}(?![\s]|{quoted})"


# Linear time: each alternative begins with its own character and reads no further than the next one like it.
_INLINE = re.compile(
    rf"""
    {_start("``")}(?P<literal>(?:[^`]++|`(?!`(?<!\s``){_AFTER})){{1,100}}+)``
    |{_start("`")}(?!`)(?P<phrase>{_PHRASE})(?<!\s)`(?P<tail>__?|:{NAME}:)?{_AFTER}
    |:(?<![{_BEFORE}]:)(?P<role>{NAME}):`(?![\s`])(?P<role_text>{_PHRASE})(?<!\s)`{_AFTER}
    |\n(?P<indent>[ \t]+)
    |{_start("**")}(?P<strong>(?:[^*\\]++|\\.|\*(?!\*))*+)(?<!\s)\*\*{_AFTER}
    |{_start("*")}(?!\*)(?P<emphasis>(?:[^*\\]++|\\.)*+)(?<!\s)\*{_AFTER}
    |_(?<=[^\W_]_)_?(?P<name>){_AFTER}
    |_(?<![{_BEFORE}]_)`(?![\s`])(?P<anchor>{_PHRASE})(?<!\s)`{_AFTER}
    |\|(?<![{_BEFORE}]\|)(?![\s|])(?P<substitution>[^|\n]++)(?<!\s)\|(?:__?)?{_AFTER}
    |\[(?<![{_BEFORE}]\[)(?P<note>\d+|\#(?:{NAME})?|\*|{NAME})\]_{_AFTER}
    |\\(?P<escape>)
    """,
    re.VERBOSE | re.DOTALL,
)
_NAME_BEFORE = re.compile(rf"(?<![{_BEFORE}_]){NAME}\Z")
_LONGEST_NAME = 100
_LINE_START = re.compile(r"\n[ \t]+")


class Inline:
    """Reports the prose of a block to the builder, and its inline constructs."""

    def __init__(self, builder: Builder) -> None:
        self.builder = builder
        self.text = builder.text

    def scan(self, start: int, end: int, *, body: bool) -> None:
        """Scan the text of one block; indentation and markup are not prose."""
        add_prose = self.builder.add_prose
        add_prose(start, start, True, body)
        at = start
        for match in _INLINE.finditer(self.text, start, end):
            kind = match.lastgroup
            left, right = match.span()
            if kind == "indent":
                left += 1
            elif kind == "name":
                name = _NAME_BEFORE.search(self.text, max(at, left - _LONGEST_NAME), left)
                if not name:
                    continue
                left = name.start()
            if left > at:
                add_prose(at, left, False, body)
            at = right
            if kind == "literal":
                self.builder.add_region("code_span", left, right, (left + 2, right - 2))
                self.builder.protected.append((left, right, "code_span"))
            elif kind != "indent" and kind != "escape":
                self._construct(match, kind or "", left, right, body)
        if end > at:
            add_prose(at, end, False, body)

    def _construct(self, match: re.Match[str], kind: str, left: int, right: int, body: bool) -> None:
        builder = self.builder
        if kind in ("strong", "emphasis"):
            builder.add_region(kind, left, right, match.span(kind), info=self.text[left : match.start(kind)])
            self._add_prose(*match.span(kind), body)
        elif kind == "role_text" or kind == "substitution":
            region = "role" if kind == "role_text" else kind
            builder.add_region(region, left, right, match.span(kind), info=match["role"] or "")
            builder.protect(left, right, "directive")
        elif kind in ("phrase", "tail"):
            self._phrase(match, left, right, body)
        else:
            inner = match.span(kind) if kind != "name" else (left, match.start())
            builder.add_region("reference", left, right, inner)
            builder.protect(left, right, "target")

    def _phrase(self, match: re.Match[str], left: int, right: int, body: bool) -> None:
        """Text in single backticks: a link, a reference or a role, depending on what follows it."""
        builder = self.builder
        start, end = match.span("phrase")
        tail = match["tail"] or ""
        if not tail.startswith("_"):
            builder.add_region("role" if tail else "interpreted", left, right, (start, end), info=tail.strip(":"))
            builder.protect(left, right, "directive")
            return
        text_end = self._link_text_end(start, end)
        target = text_end < end
        if text_end == start or (tail == "_" and not target):
            builder.add_region("reference", left, right, (start, end))
            builder.protect(left, right, "target")
            return
        builder.add_region("link", left, right, (start, text_end), info="inline" if target else "reference")
        self._add_prose(start, text_end, body)
        builder.protect(text_end, right, "target")

    def _link_text_end(self, start: int, end: int) -> int:
        """The end of the text in `text <target>`; `end` if there is no target."""
        at = self.text.rfind("<", start, end) if self.text[end - 1] == ">" else -1
        if at < 0 or (at > start and not self.text[at - 1].isspace()):
            return end
        while at > start and self.text[at - 1].isspace():
            at -= 1
        return at

    def _add_prose(self, start: int, end: int, body: bool) -> None:
        """Report the plain text of a construct as prose, without indentation."""
        for match in _LINE_START.finditer(self.text, start, end):
            self.builder.add_prose(start, match.start() + 1, False, body)
            start = match.end()
        self.builder.add_prose(start, end, False, body)
