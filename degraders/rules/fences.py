"""Markup of code blocks: the fence or directive that opens them, its language, and the line that closes them."""

from __future__ import annotations

import re
from collections.abc import Iterator

from degraders.draw import Draw
from degraders.edits import Edit
from degraders.lexicon import mapping, word_set
from degraders.registry import Fault, Place, degrader, regions
from degraders.rules.layout import QUOTE_PREFIX, line_start, margin, next_line
from degraders.rules.names import misspell
from degraders.rules.options import Option, choose_option
from degraders.text.document import Region, Unit

_LANGUAGE = re.compile(r"(?:[`~]{3,} ?|\.\. (?:code-block|sourcecode|code):: )([A-Za-z][\w+-]*)(?![\w+-])")
_DIRECTIVE = re.compile(r"\.\. ([\w:-]+)::")
_OBVIOUS_LANGUAGES = word_set("languages", "obvious")
_WRONG_LANGUAGES = mapping("wrong_languages")
_OTHER_LANGUAGES = ("python", "bash", "text")


def _is_fenced(unit: Unit, block: Region) -> bool:
    return unit.doc.text[block.start] in "`~" and block.inner_start > block.start and block.inner_end < block.end


def _opening(unit: Unit, block: Region) -> tuple[int, int]:
    """The lines above the code: the fence, or in reST the directive or paragraph that announces it."""
    text = unit.doc.text
    return line_start(text, block.start), line_start(text, block.inner_start)


@degrader(
    "markup.fence_unclosed",
    where=regions("code_block", when=lambda unit, block: _is_fenced(unit, block) or unit.doc.format == "rst"),
    does="loses or breaks the line that opens or closes a code block",
    example=("```sh\nmake\n```\n\nThen run it.\n", "```sh\nmake\n\nThen run it.\n"),
    recoverable="A",
    severity=3,
    touches={"fence", "directive"},
    size=1,
    weight=0.8,
    english=False,
)
def break_fence(place: Place, draw: Draw) -> Fault | None:
    unit, block, text = place.unit, place.data, place.unit.doc.text
    if unit.doc.format == "rst":
        return choose_option(draw, _announcement_options(unit, block))
    if not text[block.inner_end : block.end].strip(" \t>"):
        return None
    closing = block.end - len(text[block.inner_end : block.end].lstrip(" \t>"))
    options = [
        Option(5, block.inner_end, min(next_line(text, block.end), unit.end), ""),
        Option(1, closing, closing + 1, ""),
        Option(1, block.start, block.start + 1, ""),
    ]
    if QUOTE_PREFIX.match(margin(unit, block)):
        first, code = _opening(unit, block)
        options.append(Option(2.5, first, code, ""))
    return choose_option(draw, options)


def _announcement_options(unit: Unit, block: Region) -> Iterator[Option]:
    """Broken forms of `::` and `.. code-block::`."""
    text = unit.doc.text
    directive = _DIRECTIVE.match(text, block.start)
    if not directive:
        colons = text.rfind("::", unit.start, line_start(text, block.start))
        if colons > 0 and not text[colons + 2 : block.start].strip():
            yield Option(3, colons, colons + 2, ":")
            if text[colons - 1].isalnum():
                yield Option(1, colons, colons + 2, "")
        return
    end = directive.end()
    yield Option(3, end - 1, end, "")
    yield Option(1, end - 2, end, "")
    yield Option(1, directive.start() + 1, directive.start() + 2, "")
    yield Option(1, directive.start() + 2, directive.start() + 3, "")
    if text[end] == " ":
        yield Option(1, end, end + 1, "")


@degrader(
    "markup.fence_language",
    where=regions("code_block", when=lambda unit, block: _match_language(unit, block)),
    does="drops the language of a code block, or writes a wrong one",
    example=("```python\nimport os\n```\n", "```\nimport os\n```\n"),
    recoverable="A",
    severity=1,
    touches={"fence", "directive"},
    weight=0.6,
    english=False,
)
def change_language(place: Place, draw: Draw) -> Fault | None:
    match = _match_language(place.unit, place.data)
    if not match:
        return None
    start, end = match.span(1)
    language, next_char = match[1], match.string[end : end + 1]
    wrong = draw.choice(_WRONG_LANGUAGES.get(language.lower(), _OTHER_LANGUAGES))
    options = [Option(2, start, end, wrong, recoverable="B")]
    misspelled = misspell(language, draw) if len(language) > 3 else ""
    if misspelled and misspelled not in _OBVIOUS_LANGUAGES:
        options.append(Option(2, start, end, misspelled))
    is_included = place.text[match.end() - place.start :].lstrip().startswith("{{")
    if language.lower() in _OBVIOUS_LANGUAGES and next_char in "\r\n" and not is_included:
        with_space = start - 1 if match.string[start - 1] == " " else start
        options.append(Option(5, with_space, end, ""))
    return choose_option(draw, options)


def _match_language(unit: Unit, block: Region) -> re.Match[str] | None:
    """The match of a block's language in the lines that open it."""
    start, end = _opening(unit, block)
    match = _LANGUAGE.search(unit.doc.text, start, end)
    return match if match and match.start() >= block.start else None


@degrader(
    "markup.fence_stripped",
    where=regions("code_block", when=lambda unit, block: block.inner_end - block.inner_start <= 1500),
    does="turns a code block into paragraphs",
    example=("Run it:\n\n```sh\nmake all\n```\n", "Run it:\n\nmake all\n"),
    recoverable="B",
    severity=3,
    touches={"fence", "code", "directive"},
    size=2,
    weight=0.4,
    english=False,
)
def strip_fence(place: Place, draw: Draw) -> Fault | None:
    unit, block, text = place.unit, place.data, place.unit.doc.text
    first, code = _opening(unit, block)
    before = margin(unit, block)
    if unit.doc.format == "rst":
        if not _DIRECTIVE.match(text, block.start):
            return None
        return _unindent(text, start=block.start, code=code, end=block.inner_end, depth=len(before))
    if not _is_fenced(unit, block):
        return (
            None
            if block.info or before.strip(" ")
            else _unindent(text, start=code, code=code, end=block.inner_end, depth=0)
        )
    content = text[code : block.inner_end]
    if not QUOTE_PREFIX.match(before) or "```" in content or not content.strip(" \t\r\n>"):
        return None
    return Fault((Edit(first, min(next_line(text, block.end), unit.end), content),))


def _unindent(text: str, *, start: int, code: int, end: int, depth: int) -> Fault | None:
    """Replace [start, end) by the lines of [code, end), moved left to the column `depth`."""
    lines = text[code:end].splitlines(keepends=True)
    margins = [len(line) - len(line.lstrip(" ")) for line in lines if line.strip()]
    if not margins or min(margins) <= depth:
        return None
    moved = "".join(line[min(margins) - depth :] if line.strip() else line for line in lines)
    return Fault((Edit(start, end, moved[depth:] if start > line_start(text, start) else moved),))
