"""Markup of code blocks: the fence or directive that opens them, its language, the line that closes them."""

from __future__ import annotations

import re
from collections.abc import Iterator

from degraders.draw import Draw
from degraders.edits import Edit
from degraders.registry import Fault, Place, degrader, regions
from degraders.rules.markup import QUOTE_PREFIX, Option, choose, line_start, margin, next_line, slip
from degraders.text.document import Region, Unit

_FENCE_LANGUAGE = re.compile(r"(?:[`~]{3,} ?|\.\. (?:code-block|sourcecode|code):: )([A-Za-z][\w+-]*)(?![\w+-])")
_DIRECTIVE = re.compile(r"\.\. ([\w:-]+)::")
_TOLD_BY_CODE = frozenset(
    "bash c console cpp css diff django dockerfile go graphql html html+jinja ini java javascript jinja js json json5"
    " jsx kotlin php pycon py python python3 rb rs ruby rust scss sh shell sql svelte swift toml ts tsx typescript vue"
    " xml yaml yml zsh".split()
)
_TAKEN_FOR = {
    "bash": ("python", "console", "js", "txt"),
    "console": ("python", "bash", "text"),
    "go": ("c", "python", "text"),
    "html": ("css", "xml", "js", "python"),
    "javascript": ("json", "java", "python", "bash"),
    "js": ("json", "java", "html", "bash"),
    "json": ("yaml", "js", "python", "bash"),
    "py": ("pyhton", "bash", "js"),
    "python": ("bash", "console", "json", "text"),
    "rust": ("c", "toml", "text", "ruby"),
    "sh": ("python", "json", "yaml"),
    "shell": ("python", "json", "yaml"),
    "sql": ("bash", "python", "text"),
    "text": ("python", "bash", "json"),
    "toml": ("yaml", "json", "rust", "ini"),
    "xml": ("html", "json", "yaml"),
    "yaml": ("json", "bash", "python", "ymal"),
    "yml": ("json", "bash", "python"),
}


def _is_fenced(unit: Unit, block: Region) -> bool:
    return unit.doc.text[block.start] in "`~" and block.inner_start > block.start and block.inner_end < block.end


def _opening(unit: Unit, block: Region) -> tuple[int, int]:
    """The lines above the code: the fence, or the directive or paragraph that announces it in reST."""
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
def fence_unclosed(place: Place, draw: Draw) -> Fault | None:
    unit, block, text = place.unit, place.data, place.unit.doc.text
    first, code = _opening(unit, block)
    if unit.doc.format == "rst":
        return choose(draw, _announcements_broken(unit, block))
    if not text[block.inner_end : block.end].strip(" \t>"):
        return None
    closing = block.end - len(text[block.inner_end : block.end].lstrip(" \t>"))
    options = [
        Option(5, block.inner_end, min(next_line(text, block.end), unit.end), ""),
        Option(1, closing, closing + 1, ""),
        Option(1, block.start, block.start + 1, ""),
    ]
    if QUOTE_PREFIX.match(margin(unit, block)):
        options.append(Option(2.5, first, code, ""))
    return choose(draw, options)


def _announcements_broken(unit: Unit, block: Region) -> Iterator[Option]:
    """What goes wrong with `::` and `.. code-block::`."""
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
    where=regions("code_block", when=lambda unit, block: _language(unit, block)),
    does="drops or mistakes the language of a code block",
    example=("```python\nimport os\n```\n", "```\nimport os\n```\n"),
    recoverable="A",
    severity=1,
    touches={"fence", "directive"},
    weight=0.6,
    english=False,
)
def fence_language(place: Place, draw: Draw) -> Fault | None:
    found = _language(place.unit, place.data)
    if not found:
        return None
    start, end = found.span(1)
    language, follows = found[1], found.string[end : end + 1]
    wrong = draw.choice(_TAKEN_FOR.get(language.lower(), ("python", "bash", "text")))
    options = [Option(2, start, end, wrong)]
    slipped = slip(language, draw) if len(language) > 3 else ""
    if slipped and slipped not in _TOLD_BY_CODE:
        options.append(Option(2, start, end, slipped))
    if language.lower() in _TOLD_BY_CODE and follows in "\r\n":
        gone = start - 1 if found.string[start - 1] == " " else start
        options.append(Option(5, gone, end, ""))
    return choose(draw, options)


def _language(unit: Unit, block: Region) -> re.Match[str] | None:
    start, end = _opening(unit, block)
    found = _FENCE_LANGUAGE.search(unit.doc.text, start, end)
    return found if found and found.start() >= block.start else None


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
def fence_stripped(place: Place, draw: Draw) -> Fault | None:
    unit, block, text = place.unit, place.data, place.unit.doc.text
    first, code = _opening(unit, block)
    end = min(next_line(text, block.end), unit.end)
    if unit.doc.format == "rst":
        if not _DIRECTIVE.match(text, block.start):
            return None
        code = line_start(text, block.inner_start)
        return _without_indent(text, block.start, code, block.inner_end, len(margin(unit, block)))
    if not _is_fenced(unit, block):
        code = line_start(text, block.inner_start)
        return None if margin(unit, block).strip(" ") else _without_indent(text, code, code, block.inner_end, 0)
    content = text[code : block.inner_end]
    if not QUOTE_PREFIX.match(margin(unit, block)) or "```" in content or not content.strip(" \t\r\n>"):
        return None
    return Fault((Edit(first, end, content),))


def _without_indent(text: str, start: int, code: int, end: int, depth: int) -> Fault | None:
    """The lines of [code, end) moved left to `depth`, in place of all from `start`."""
    lines = text[code:end].splitlines(keepends=True)
    margins = [len(line) - len(line.lstrip(" ")) for line in lines if line.strip()]
    if not margins or min(margins) <= depth:
        return None
    moved = "".join(line[min(margins) - depth :] if line.strip() else line for line in lines)
    return Fault((Edit(start, end, moved[depth:] if start > line_start(text, start) else moved),))
