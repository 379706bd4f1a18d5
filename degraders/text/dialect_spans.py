"""Syntax of Markdown dialects within lines: roles, tags, components, code as HTML elements, and formulas."""

from __future__ import annotations

import re
from bisect import bisect_right
from functools import cached_property

from degraders.text.dialect_lines import BLANK_LINE, ELEMENT, EXPRESSION, TAG, enclosed_by, engine_of, needs_copy
from degraders.text.dialects import Copy

Range = tuple[int, int]

_CODE_ELEMENT_END = re.compile(r"</(?i:code|samp|var|kbd|tt|math)>")
_TICKS = re.compile("`+")
_ROLE = re.compile(r"\{([A-Za-z][\w:.+-]*)\}(?=`)")
_EXPRESSION = re.compile(rf"(?!\{{\#)(?:{EXPRESSION.pattern})")
"""An expression, but not the anchor of a heading."""
_PARENTHESES = re.compile(
    r"\\\\\((?:[^\\\n]|\\(?!\\[()]))+\\\\\)|\\\\\[(?:[^\\]|\\(?!\\[\[\]]))+\\\\\]"
    r"|\\\[(?<!\\\\\[)[^\n\\]*\\[A-Za-z]{2}[^\n]*?\\\]|\\\((?<!\\\\\()[^\n\\]*\\[A-Za-z]{2}[^\n]*?\\\)"
)
"""A formula as MathJax reads it: between `\\\\(` and `\\\\)`, or with a command of LaTeX between `\\(` and `\\)`."""
_BRACKET = re.compile(r"\[!(?:[A-Za-z][\w-]*)[ \t]*(?:[^\[\]\n]|\[[^\[\]\n]*\](?:\([^()\n]*\))?)+\](?:\([^()\n]*\))?")
_ALERT = re.compile(r"\[!(?:note|tip|important|warning|caution)\]", re.IGNORECASE)
_FORMULA_LABEL = re.compile(r"\$\$ (\([\w:.-]+\))(?=[ \t]*\r?$)", re.MULTILINE)
_CODE_ELEMENT = re.compile(
    r"<(?P<name>(?i:code|samp|var|kbd|tt|math))\b[^<>]*>"
    r"(?P<text>(?:[^<\n]|<(?!/?(?P=name)\b)|\n(?![ \t]*\r?\n))+)</(?P=name)>"
)
_FORMULA = re.compile(
    r"\$(?:(?<!\\\$)\$(?!\$)(?:[^$\\\n]|\\[^\n]|\$(?!\$)|\n(?![ \t]*\r?\n))+\$\$"
    r"|(?<![\w`$\\]\$)(?:[^\s$`\\]|\\.)(?:(?:[^$`\n\\]|\\[^\n])*(?:[^\s$`\\]|\\[^\n]))?\$(?![\w`$]))?"
)
"""A dollar sign with the formula that it begins, if it begins one: the names of two shell variables are none."""


_HINTS = tuple(
    re.compile(hint) for hint in (r"\{(?:[{%#]|[A-Za-z][\w:.+-]*+\}`)", r"\[![A-Za-z]", r"\$\$ \(", r"\\[(\[]")
)


def has_spans(copy: Copy) -> bool:
    """Whether the text may contain syntax within lines."""
    text, constructs = copy.text, copy.constructs
    if _CODE_ELEMENT_END.search(text) or "jsx" in constructs:
        return True
    return bool(constructs) and any(hint.search(text) for hint in _HINTS)


def adapt_spans(copy: Copy, begin: int) -> None:
    """Adapt the syntax within lines from the offset `begin` on, outside code."""
    code, constructs = _Code(copy, begin), copy.constructs
    _hide_code_elements(copy, code)
    if "tags" in constructs:
        _hide_tags(copy, code)
    if "jsx" in constructs:
        _hide_elements(copy, code)
        _hide_matches(copy, code, _EXPRESSION)
    if "latex" in constructs:
        _hide_matches(copy, code, _PARENTHESES, "math")
    if "brackets" in constructs:
        _hide_brackets(copy, code)
    if "roles" in constructs:
        _hide_roles(copy, code)
    if "labels" in constructs:
        _hide_formula_labels(copy, code)


class _Code:
    """The ranges of a text that are no place for syntax: what is hidden already, blocks of code, and inline code."""

    def __init__(self, copy: Copy, begin: int) -> None:
        ranges = [(0, begin), *copy.opaque, *((start, end) for start, end, _ in copy.hidden)]
        self.text = copy.text
        self.blocks = sorted(ranges)
        self.starts = [start for start, _ in self.blocks]

    @cached_property
    def spans(self) -> list[Range]:
        """Inline code: a run of backticks and the next run of equal length in its paragraph."""
        text = self.text
        runs = [
            match.span() for match in _TICKS.finditer(text) if not _is_inside(self.blocks, self.starts, match.start())
        ]
        breaks = [match.start() for match in BLANK_LINE.finditer(text)]
        following: dict[int, list[int]] = {}
        for index, (start, end) in enumerate(runs):
            following.setdefault(end - start, []).append(index)
        spans: list[Range] = []
        index = 0
        while index < len(runs):
            start, end = runs[index]
            same = following[end - start]
            at = bisect_right(same, index)
            closing = same[at] if at < len(same) and text[start - 1 : start] != "\\" else -1
            paragraph = bisect_right(breaks, start)
            limit = breaks[paragraph] if paragraph < len(breaks) else len(text)
            if closing >= 0 and runs[closing][0] < limit:
                spans.append((start, runs[closing][1]))
                index = closing
            index += 1
        return spans

    @cached_property
    def span_starts(self) -> list[int]:
        """The starts of inline code."""
        return [start for start, _ in self.spans]

    def holds(self, at: int) -> bool:
        """Whether an offset lies in code or in hidden syntax."""
        return _is_inside(self.blocks, self.starts, at) or _is_inside(self.spans, self.span_starts, at)

    def span_at(self, start: int) -> Range | None:
        """The inline code that begins at an offset."""
        at = bisect_right(self.span_starts, start) - 1
        return self.spans[at] if at >= 0 and self.spans[at][0] == start else None


def _is_inside(ranges: list[Range], starts: list[int], at: int) -> bool:
    index = bisect_right(starts, at) - 1
    return index >= 0 and at < ranges[index][1]


def _hide_matches(copy: Copy, code: _Code, expression: re.Pattern[str], kind: str = "directive") -> None:
    for match in expression.finditer(copy.text):
        if not code.holds(match.start()):
            copy.hide(*match.span(), kind, letters=True)


def _hide_formula_labels(copy: Copy, code: _Code) -> None:
    for match in _FORMULA_LABEL.finditer(copy.text):
        if not code.holds(match.start()):
            copy.hide(*match.span(1), "directive", letters=True)


def _hide_tags(copy: Copy, code: _Code) -> None:
    """Tags of templates; those of code enclose code."""
    done = 0
    for match in TAG.finditer(copy.text):
        start, end = match.span()
        if start < done or code.holds(start) or BLANK_LINE.search(match[0]):
            continue
        if engine := engine_of(match[0]):
            copy.evidence[engine] += 1
        kind, done = enclosed_by(copy, match)
        copy.hide(start, done or end, kind or "directive", letters=True)


def _hide_elements(copy: Copy, code: _Code) -> None:
    """Tags of components that the parser does not know: those with line ends or expressions in them."""
    for match in ELEMENT.finditer(copy.text):
        if needs_copy(match[0]) and not code.holds(match.start()) and not BLANK_LINE.search(match[0]):
            copy.hide(*match.span(), "html", letters=True)


def _hide_brackets(copy: Copy, code: _Code) -> None:
    for match in _BRACKET.finditer(copy.text):
        if not code.holds(match.start()):
            if not _ALERT.fullmatch(match[0]):
                copy.evidence["docfx"] += 1
            copy.hide(*match.span(), "directive", letters=True)


def _hide_roles(copy: Copy, code: _Code) -> None:
    """Roles of MyST, {name}`text`: protected as a whole, as roles are in reStructuredText."""
    for match in _ROLE.finditer(copy.text):
        span = code.span_at(match.end())
        if not span or code.holds(match.start()):
            continue
        start, end = match.start(), span[1]
        ticks = len(_TICKS.match(copy.text, span[0])[0])  # type: ignore[index]
        copy.evidence["myst"] += 1
        copy.hide(start, end, "math" if match[1] == "math" else "directive", letters=True)
        copy.spans.append(("role", start, end, span[0] + ticks, end - ticks, match[1]))


def _hide_code_elements(copy: Copy, code: _Code) -> None:
    """The text of `<code>` and its like: code between tags that the parser knows."""
    for match in _CODE_ELEMENT.finditer(copy.text):
        if not code.holds(match.start()):
            kind = "math" if match["name"].lower() == "math" else "code_span"
            copy.hide(*match.span("text"), kind, letters=True)


def adapt_formulas(text: str) -> str | None:
    """The text without the dollar signs that begin no formula; None if it has no formula."""
    if "$" not in text:
        return None
    out: list[str] = []
    at, formulas = 0, 0
    for match in _FORMULA.finditer(text):
        if match[0] == "$":
            out += text[at : match.start()], "S"
            at = match.end()
        else:
            formulas += 1
    return "".join([*out, text[at:]]) if formulas else None
