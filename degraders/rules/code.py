"""Code: errors in code blocks that were pasted, typed again or passed through a word processor."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable

from degraders.draw import Draw
from degraders.edits import Edit
from degraders.lexicon import phrases, word_set
from degraders.registry import CorruptFunction, Fault, Place, Subtype, degrader, pattern, regions, register_degrader
from degraders.rules.names import misspell_name, nearest_mention
from degraders.text.document import BLOCK, Region, Unit

_PROGRAMS = word_set("languages", "program")
_SHELLS = word_set("languages", "shell")
_PYTHON = word_set("languages", "python")
_OUTPUT = word_set("languages", "output")
_DIAGRAMS = word_set("languages", "diagram")
_KEYWORDS = word_set("code_words", "keyword")
_COMMAND = re.compile(
    r"(?:sudo )?(?:" + "|".join(map(re.escape, phrases("code_words", "command"))) + r"|\./\S+)(?= |$)", re.MULTILINE
)
_SCRIPT = re.compile(r"<<|[{}]$|^\s*(?:for|if|while|do|done|fi|then|case|esac|function|#!)\b", re.MULTILINE)
_PROMPT = re.compile(r"(?:[$%>] ?|[\w.-]+@[\w.-]+|PS |>>>|\.\.\. |\(\w+\) ?\$)")
_COMMENT = re.compile(r"(?:^|\s)(?:#|//|--|;|<!--|/?\*)(?:\s|\Z)")
_PROMPTS = ("$ ", "$ ", "$ ", "$ ", "% ", "user@host:~$ ")
_CODE_LINE = re.compile(rf"^{BLOCK}*([^\n{BLOCK}]+)", re.MULTILINE)
_CLOSERS = {"(": ")", "[": "]", "{": "}"}


def _change_indentation(*changes: Callable[[str], str]) -> CorruptFunction:
    """A function that changes the indentation of a line; class A if a neighbouring line shows the right one, else B."""

    def corrupt(place: Place, draw: Draw) -> Fault | None:
        block = block_of(place)
        if not block or _language(block) in _OUTPUT:
            return None
        wrong = draw.choice(changes)(place.text)
        line_starts = _lines_of_same_indentation(place, block)
        if len(line_starts) > 1 and len(wrong) != 1 and draw.chance(0.4):
            return Fault(tuple(Edit(at, at + len(place.text), wrong) for at in line_starts))
        if wrong == place.text:
            return None
        return Fault((Edit(place.start, place.end, wrong),), recoverable="A" if len(line_starts) > 1 else "B")

    return corrupt


def _add_indentation(place: Place, draw: Draw) -> Fault | None:
    """Indent a line that has no indentation."""
    if not block_of(place):
        return None
    return Fault((Edit(place.start, place.start, " " * draw.choice((4, 4, 2, 1, 8))),), recoverable="B")


def _shallower(indentation: str) -> str:
    if indentation[0] == "\t":
        return indentation[1:]
    return indentation[4:] if len(indentation) % 4 == 0 else indentation[2:]


def _deeper(indentation: str) -> str:
    if indentation[0] == "\t":
        return indentation + "\t"
    return indentation + ("    " if len(indentation) % 4 == 0 else "  ")


def _swap_tabs_and_spaces(indentation: str) -> str:
    return " " * 4 * len(indentation) if indentation[0] == "\t" else "\t" * max(1, len(indentation) // 4)


def _lines_of_same_indentation(place: Place, block: Region) -> list[int]:
    """The starts of the line of a place and of the neighbouring lines that have the same indentation."""
    lines = _lines(place.unit, block)
    here = next(index for index, (at, _) in enumerate(lines) if at == place.start)
    same = [re.match(r"[ \t]*", line)[0] == place.text for _, line in lines]  # type: ignore[index]
    first = last = here
    while first and same[first - 1]:
        first -= 1
    while last + 1 < len(lines) and same[last + 1]:
        last += 1
    return [at for at, _ in lines[first : last + 1]]


_INDENTATION = pattern(r"[ \t](?<=[\n\x01].)(?:(?<= ) +|(?<=\t)\t*)(?=[^\s\x01])", over="code")

register_degrader(
    "code.indentation",
    Subtype("lost", 2, _INDENTATION, _change_indentation(lambda indentation: "")),
    Subtype("less", 3, _INDENTATION, _change_indentation(_shallower)),
    Subtype("more", 3, _INDENTATION, _change_indentation(_deeper)),
    Subtype("off_by_one", 2, _INDENTATION, _change_indentation(lambda text: text[1:], lambda text: text + " ")),
    Subtype("tabs", 1, _INDENTATION, _change_indentation(_swap_tabs_and_spaces)),
    Subtype("unasked", 2, pattern(r"(?<=\n)(?=[A-Za-z/#<{}])", over="code"), _add_indentation),
    does="removes or changes the indentation of one or more lines of code",
    example=("```python\ndef f():\n    return 1\n```\n", "```python\ndef f():\nreturn 1\n```\n"),
    recoverable="A",
    severity=3,
    touches={"code"},
    size=1,
    weight=2.0,
    english=False,
)


@degrader(
    "code.smart_quotes",
    where=pattern(r"\"[^\"\\\n\x01]{1,60}\"|'[\w ./:@-]{2,60}'|--(?=[a-z])", over="code"),
    does="puts typographic quotes or dashes into code",
    example=('```python\nname = "demo"\n```\n', "```python\nname = “demo”\n```\n"),
    recoverable="A",
    severity=3,
    touches={"code"},
    weight=1.0,
    english=False,
)
def use_typographic_quotes(place: Place, draw: Draw) -> str | None:
    line, at = line_of(place)
    if place.text == "--":
        return draw.choice(("–", "–", "—")) if line[:at].endswith((" ", "[")) else None
    quote = place.text[0]
    opens = line[:at].count(quote) % 2 == 0 and line.count(quote) % 2 == 0
    if not opens or line[:at].endswith("\\") or (quote == "'" and re.search(r"\w\Z", line[:at])):
        return None
    left, right = ("“", "”") if quote == '"' else ("‘", "’")
    return draw.choice((left, left, left, right)) + place.text[1:-1] + right


def _add_prompts(place: Place, draw: Draw) -> Fault | None:
    """`pip install x` → `$ pip install x`, for each command of a sample that holds only commands and comments."""
    lines = _lines_without_prompt(place)
    if not lines or _language(place.data) in _PROGRAMS:
        return None
    prompt = draw.choice(_PROMPTS)
    edits: list[Edit] = []
    is_continuation = False
    for at, line in lines:
        if not is_continuation and line[0] != "#":
            if not _COMMAND.match(line):
                return None
            edits.append(Edit(at, at, prompt))
        is_continuation = line.rstrip().endswith("\\")
    return Fault(tuple(edits)) if edits and not _SCRIPT.search(place.text) else None


def _drop_prompts(place: Place, draw: Draw) -> Fault | None:
    """`$ pip install x` → `pip install x`."""
    lines = _lines(place.unit, place.data)
    edits = [Edit(at, at + 2, "") for at, line in lines if line.startswith(("$ ", "% "))]
    return Fault(tuple(edits), recoverable="B") if edits and len(edits) <= 4 else None


def _add_session_prompts(place: Place, draw: Draw) -> Fault | None:
    """Add the prompts of an interactive session to Python code."""
    lines = _lines_without_prompt(place)
    if not lines or _language(place.data) not in _PYTHON or len(lines) > 12:
        return None
    return Fault(tuple(Edit(at, at, "... " if line[0] in " \t)]}" else ">>> ") for at, line in lines))


def _add_line_numbers(place: Place, draw: Draw) -> Fault | None:
    lines = _lines_without_prompt(place)
    if not lines or _language(place.data) not in _PROGRAMS or not 2 <= len(lines) <= 30:
        return None
    first, separator = draw.choice((1, 1, draw.below(60) + 1)), draw.choice((" ", "  ", ": ", "| "))
    text = place.unit.doc.text
    numbers = [first + text.count("\n", place.data.inner_start, at) for at, _ in lines]
    width = len(str(numbers[-1]))
    edits = [Edit(at, at, f"{number:>{width}}{separator}") for number, (at, _) in zip(numbers, lines, strict=True)]
    return Fault(tuple(edits))


def _lines_without_prompt(place: Place) -> list[tuple[int, str]]:
    """The lines of a sample; none if it already has prompts or line numbers."""
    lines = _lines(place.unit, place.data)
    return [] if any(_PROMPT.match(line) or line[0] in "0123456789|" for _, line in lines) else lines


_SAMPLES = regions("code_block", when=lambda unit, block: _language(block) in _PROGRAMS | _SHELLS | {""})

register_degrader(
    "code.prompt_line_numbers",
    Subtype("prompts", 3, _SAMPLES, _add_prompts),
    Subtype("prompts_lost", 2, regions("code_block"), _drop_prompts),
    Subtype("session", 1, _SAMPLES, _add_session_prompts),
    Subtype("line_numbers", 1, _SAMPLES, _add_line_numbers),
    does="leaves prompts or line numbers in a code sample, or drops its prompts",
    example=("```bash\npip install demo\n```\n", "```bash\n$ pip install demo\n```\n"),
    recoverable="A",
    severity=2,
    touches={"code"},
    size=2,
    weight=1.5,
    english=False,
)


@degrader(
    "code.bracket",
    where=pattern(
        r"[)\]}\"'](?:(?<=[)\]}])(?=[)\]},;:.?]*(?:[\n\x01]|\.\w))|(?<=[\w.!?/][\"'])(?=[),;:\]]*[\n\x01]))",
        over="code",
    ),
    does="drops a closing bracket or quote",
    example=('```python\nprint("hi")\n```\n', '```python\nprint("hi"\n```\n'),
    recoverable="A",
    severity=3,
    touches={"code"},
    weight=2.0,
    english=False,
)
def drop_closer(place: Place, draw: Draw) -> str | Fault | None:
    line, at = line_of(place)
    if place.text in "\"'":
        other = "'" if place.text == '"' else '"'
        alone = line.count(place.text) % 2 == 0 and other not in line and line[:at].count(place.text) % 2
        return "" if alone and "\\" not in line else None
    block = block_of(place)
    if not block or not _is_balanced(place, block):
        return None
    if line.strip() == place.text and draw.chance(0.7):
        start = place.start - at
        before = place.unit.doc.text.rfind("\n", block.inner_start, start)
        return Fault((Edit(before, place.end, ""),)) if before >= 0 else None
    return ""


def _is_balanced(place: Place, block: Region) -> bool:
    """Whether all brackets of a block match."""
    code = place.unit.doc.code
    stack: list[str] = []
    for char in re.findall(r"[()\[\]{}]", code[block.inner_start : block.inner_end]):
        if char in _CLOSERS:
            stack.append(_CLOSERS[char])
        elif not stack or stack.pop() != char:
            return False
    return not stack


@degrader(
    "code.identifier_typo",
    where=pattern(r"[A-Za-z_](?<![\w$@%\\/-].)\w{4,30}(?![\w/])", over="code"),
    does="misspells one of several uses of a name",
    example=(
        "```python\nresult = load()\nprint(result)\n```\n",
        "```python\nresult = load()\nprint(reslut)\n```\n",
    ),
    recoverable="C",
    severity=3,
    touches={"code"},
    weight=2.5,
    english=False,
)
def misspell_identifier(place: Place, draw: Draw) -> Fault | None:
    unit, name = place.unit, place.text
    block = block_of(place)
    is_word = name.islower() and name.isalpha()
    if not block or name in _KEYWORDS or (is_word and _language(block) in _OUTPUT):
        return None
    if _language(block) in _DIAGRAMS or _is_in_text(*line_of(place)):
        return None
    evidence = nearest_mention(unit, name, place.start)
    wrong = misspell_name(name, draw)
    if not evidence or wrong == name or unit.find_token(wrong):
        return None
    return Fault((Edit(place.start, place.end, wrong),), evidence=evidence)


def _is_in_text(line: str, at: int) -> bool:
    """Whether an offset of a line of code lies in a string or a comment."""
    before = line[:at]
    return before.count('"') % 2 == 1 or before.count("'") % 2 == 1 or _COMMENT.search(before) is not None


def _language(block: Region) -> str:
    """The language of a code block, in lower case; empty if the block names none."""
    return re.split(r"[\s,{]", block.info[1:].strip(), maxsplit=1)[0].lower()


def block_of(place: Place) -> Region | None:
    """The code block around a place of the code mask."""
    code_blocks = place.unit.doc.regions.get("code_block", [])
    at = bisect_right(code_blocks, place.start, key=lambda block: block.start) - 1
    return code_blocks[at] if at >= 0 and place.end <= code_blocks[at].end else None


def _lines(unit: Unit, block: Region) -> list[tuple[int, str]]:
    """The lines of a block's code that are not blank, without the margin of the block, each with its offset."""
    mask = unit.doc.code[block.inner_start : block.inner_end]
    matches = _CODE_LINE.finditer(mask)
    return [(block.inner_start + match.start(1), match[1].rstrip("\r")) for match in matches if match[1].strip()]


def line_of(place: Place) -> tuple[str, int]:
    """The line of code around a place, and the place's offset in it."""
    code = place.unit.doc.code
    start = max(code.rfind("\n", 0, place.start), code.rfind(BLOCK, 0, place.start)) + 1
    ends = [end for end in (code.find("\n", place.end), code.find(BLOCK, place.end)) if end >= 0]
    return code[start : min(ends, default=len(code))], place.start - start
