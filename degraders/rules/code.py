"""Code: what goes wrong inside code blocks when samples are pasted, retyped or passed through a word processor."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable

from degraders.draw import Draw
from degraders.edits import Edit
from degraders.registry import CorruptFunction, Fault, Place, Subtype, degrader, pattern, regions, register_degrader
from degraders.text.document import BLOCK, Region, Unit

_SHELLS = frozenset("bash sh shell zsh console shell-session sh-session fish".split())
_NUMBERED = frozenset("python py python3 rust js javascript ts typescript go c cpp java ruby".split())
_PYTHON = frozenset("python py python3".split())
_OUTPUT = frozenset("text txt console shell-session sh-session none output plain log".split())
_COMMAND = re.compile(
    r"(?:sudo )?(?:apt|apt-get|brew|cargo|cd|chmod|cp|curl|docker|docker-compose|echo|export|flask|git|go|helm|kubectl"
    r"|ls|make|mkdir|mv|npm|npx|pip3?|pipx|poetry|python3?|rm|rustc|rustup|source|systemctl|tar|touch|uv|wget|yarn|\./\S+)"
    r"(?= |$)",
    re.MULTILINE,
)
_SCRIPT = re.compile(r"<<|[{}]$|^\s*(?:for|if|while|do|done|fi|then|case|esac|function|#!)\b", re.MULTILINE)
_PROMPTED = re.compile(r"(?:[$%>] ?|[\w.-]+@[\w.-]+|PS |>>>|\.\.\. |\(\w+\) ?\$)")
_PROMPTS = ("$ ", "$ ", "$ ", "$ ", "% ", "user@host:~$ ")
_CODE_LINE = re.compile(rf"^{BLOCK}*([^\n{BLOCK}]+)", re.MULTILINE)
_PAIRS = {"(": ")", "[": "]", "{": "}"}
_KEYWORDS = frozenset(
    "break class const continue false import print return static string struct super using while".split()
)


def _indented(*wrong: Callable[[str], str]) -> CorruptFunction:
    """What gives a line of code another indentation: class A where a neighbouring line tells the right one, else B."""

    def what(place: Place, draw: Draw) -> Fault | None:
        block = block_of(place)
        if not block or _language(block) in _OUTPUT:
            return None
        bad = draw.choice(wrong)(place.text)
        lines = _same_indent(place, block)
        told = "A" if len(lines) > 1 else "B"
        if len(lines) > 1 and len(bad) != 1 and draw.chance(0.4):
            return Fault(tuple(Edit(at, at + len(place.text), bad) for at in lines))
        return Fault((Edit(place.start, place.end, bad),), recoverable=told) if bad != place.text else None

    return what


def _unasked_indent(place: Place, draw: Draw) -> Fault | None:
    """A line at the margin indented."""
    return (
        Fault((Edit(place.start, place.start, " " * draw.choice((4, 4, 2, 1, 8))),), "B") if block_of(place) else None
    )


def _shallower(white: str) -> str:
    return white[1:] if white[0] == "\t" else white[4:] if len(white) % 4 == 0 else white[2:]


def _deeper(white: str) -> str:
    return white + ("\t" if white[0] == "\t" else "    " if len(white) % 4 == 0 else "  ")


def _tabbed(white: str) -> str:
    return " " * 4 * len(white) if white[0] == "\t" else "\t" * max(1, len(white) // 4)


def _same_indent(place: Place, block: Region) -> list[int]:
    """Where the neighbouring lines of a place's line begin that have the same indentation, its own among them."""
    lines = _lines(place.unit, block)
    here = next(index for index, (at, _) in enumerate(lines) if at == place.start)
    same = [re.match(r"[ \t]*", line)[0] == place.text for _, line in lines]  # type: ignore[index]
    first = last = here
    while first and same[first - 1]:
        first -= 1
    while last + 1 < len(lines) and same[last + 1]:
        last += 1
    return [at for at, _ in lines[first : last + 1]]


_INDENT = pattern(r"[ \t](?<=[\n\x01].)(?:(?<= ) +|(?<=\t)\t*)(?=[^\s\x01])", over="code")

register_degrader(
    "code.indentation",
    Subtype("lost", 2, _INDENT, _indented(lambda white: "")),
    Subtype("less", 3, _INDENT, _indented(_shallower)),
    Subtype("more", 3, _INDENT, _indented(_deeper)),
    Subtype("off_by_one", 2, _INDENT, _indented(lambda white: white[1:], lambda white: white + " ")),
    Subtype("tabs", 1, _INDENT, _indented(_tabbed)),
    Subtype("unasked", 2, pattern(r"(?<=\n)(?=[A-Za-z/#<{}])", over="code"), _unasked_indent),
    does="loses or shifts the indentation of a line of code, or of a few",
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
def smart_quotes(place: Place, draw: Draw) -> str | None:
    line, at = line_of(place)
    if place.text == "--":
        return draw.choice(("–", "–", "—")) if line[:at].endswith((" ", "[")) else None
    quote = place.text[0]
    opens = line[:at].count(quote) % 2 == 0 and line.count(quote) % 2 == 0
    if not opens or line[:at].endswith("\\") or (quote == "'" and re.search(r"\w\Z", line[:at])):
        return None
    left, right = ("“", "”") if quote == '"' else ("‘", "’")
    return (draw.choice((left, left, left, right))) + place.text[1:-1] + right


def _prompts_left(place: Place, draw: Draw) -> Fault | None:
    """`pip install x` → `$ pip install x`."""
    lines = _unprompted(place)
    return _with_prompts(place.text, lines, draw) if lines and _language(place.data) not in _NUMBERED else None


def _prompts_lost(place: Place, draw: Draw) -> Fault | None:
    """`$ pip install x` → `pip install x`, where the sample had prompts."""
    lines = _lines(place.unit, place.data)
    edits = [Edit(at, at + 2, "") for at, line in lines if line.startswith(("$ ", "% "))]
    return Fault(tuple(edits), "B") if edits and len(edits) <= 4 else None


def _session_pasted(place: Place, draw: Draw) -> Fault | None:
    """Python with the prompts of a session."""
    lines = _unprompted(place)
    if not lines or _language(place.data) not in _PYTHON or len(lines) > 12:
        return None
    return Fault(tuple(Edit(at, at, "... " if line[0] in " \t)]}" else ">>> ") for at, line in lines))


def _line_numbers_pasted(place: Place, draw: Draw) -> Fault | None:
    lines = _unprompted(place)
    if not lines or _language(place.data) not in _NUMBERED or not 2 <= len(lines) <= 30:
        return None
    first, gap = draw.choice((1, 1, draw.below(60) + 1)), draw.choice((" ", "  ", ": ", "| "))
    text = place.unit.doc.text
    numbers = [first + text.count("\n", place.data.inner_start, at) for at, _ in lines]
    width = len(str(numbers[-1]))
    edits = [Edit(at, at, f"{number:>{width}}{gap}") for number, (at, _) in zip(numbers, lines, strict=True)]
    return Fault(tuple(edits))


def _unprompted(place: Place) -> list[tuple[int, str]]:
    """The lines of a sample that has no prompts or numbers yet."""
    lines = _lines(place.unit, place.data)
    return [] if any(_PROMPTED.match(line) or line[0] in "0123456789|" for _, line in lines) else lines


def _with_prompts(sample: str, lines: list[tuple[int, str]], draw: Draw) -> Fault | None:
    """A prompt before each command of a sample that is all commands, their continuations and comments."""
    prompt = draw.choice(_PROMPTS)
    edits: list[Edit] = []
    goes_on = False
    for at, line in lines:
        if not goes_on and line[0] != "#":
            if not _COMMAND.match(line):
                return None
            edits.append(Edit(at, at, prompt))
        goes_on = line.rstrip().endswith("\\")
    return Fault(tuple(edits)) if edits and not _SCRIPT.search(sample) else None


_SAMPLES = regions("code_block", when=lambda unit, block: _language(block) in _NUMBERED | _SHELLS | {""})

register_degrader(
    "code.prompt_line_numbers",
    Subtype("prompts", 3, _SAMPLES, _prompts_left),
    Subtype("prompts_lost", 2, regions("code_block"), _prompts_lost),
    Subtype("session", 1, _SAMPLES, _session_pasted),
    Subtype("line_numbers", 1, _SAMPLES, _line_numbers_pasted),
    does="leaves prompts or line numbers in a sample, or loses its prompts",
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
    does="loses a closing bracket or quote",
    example=('```python\nprint("hi")\n```\n', '```python\nprint("hi"\n```\n'),
    recoverable="A",
    severity=3,
    touches={"code"},
    weight=2.0,
    english=False,
)
def bracket(place: Place, draw: Draw) -> str | Fault | None:
    line, at = line_of(place)
    if place.text in "\"'":
        other = "'" if place.text == '"' else '"'
        alone = line.count(place.text) % 2 == 0 and other not in line and line[:at].count(place.text) % 2
        return "" if alone and "\\" not in line else None
    block = block_of(place)
    if not block or not _balances(place, block):
        return None
    if line.strip() == place.text and draw.chance(0.7):
        start = place.start - at
        before = place.unit.doc.text.rfind("\n", block.inner_start, start)
        return Fault((Edit(before, place.end, ""),)) if before >= 0 else None
    return ""


def _balances(place: Place, block: Region) -> bool:
    """Whether all brackets of a block match, the place's among them."""
    code = place.unit.doc.code
    stack: list[str] = []
    for char in re.findall(r"[()\[\]{}]", code[block.inner_start : block.inner_end]):
        if char in _PAIRS:
            stack.append(_PAIRS[char])
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
def identifier_typo(place: Place, draw: Draw) -> Fault | None:
    unit, name = place.unit, place.text
    block = block_of(place)
    plain = name.islower() and name.isalpha()
    if not block or name in _KEYWORDS or (plain and _language(block) in _OUTPUT):
        return None
    uses = [at for at in unit.find_token(name) if at != place.start]
    wrong = name_slip(name, draw)
    if not uses or wrong == name or unit.find_token(wrong):
        return None
    nearest = min(uses, key=lambda at: abs(at - place.start))
    return Fault((Edit(place.start, place.end, wrong),), evidence=(nearest, nearest + len(name)))


def name_slip(name: str, draw: Draw) -> str:
    """A name with one slip of the kinds that people leave: a letter dropped, doubled or swapped, its number or case."""
    at = 2 + draw.below(len(name) - 3)
    kind = draw.below(20)
    if kind < 7:
        return name[:at] + name[at + 1 :]
    if kind < 9:
        return name[:at] + name[at] + name[at:]
    if kind < 13:
        return name[:at] + name[at + 1 : at + 2] + name[at] + name[at + 2 :]
    if kind < 16 and name[-1].isalpha() and not name.isupper():
        return name[:-1] if name[-1] == "s" else name + "s"
    if "_" in name[1:-1]:
        return name.replace("_", "", 1) if kind < 18 else name.replace("_", "-")
    if re.search(r"[a-z][A-Z]", name):
        return name[0] + name[1:].lower() if kind < 18 else name[0].swapcase() + name[1:]
    return name[:-1]


def _language(block: Region) -> str:
    return re.split(r"[\s,{]", block.info[1:].strip(), maxsplit=1)[0].lower()


def block_of(place: Place) -> Region | None:
    """The code block that a place of the code mask lies in."""
    found = place.unit.doc.regions.get("code_block", [])
    at = bisect_right(found, place.start, key=lambda block: block.start) - 1
    return found[at] if at >= 0 and place.end <= found[at].end else None


def _lines(unit: Unit, block: Region) -> list[tuple[int, str]]:
    """The lines of a block's code that are not blank, without the margin of the block, each with its start."""
    mask = unit.doc.code[block.inner_start : block.inner_end]
    found = _CODE_LINE.finditer(mask)
    return [(block.inner_start + match.start(1), match[1].rstrip("\r")) for match in found if match[1].strip()]


def line_of(place: Place) -> tuple[str, int]:
    """The line of code around a place, and the place's offset in it."""
    code = place.unit.doc.code
    start = max(code.rfind("\n", 0, place.start), code.rfind(BLOCK, 0, place.start)) + 1
    ends = [end for end in (code.find("\n", place.end), code.find(BLOCK, place.end)) if end >= 0]
    return code[start : min(ends, default=len(code))], place.start - start
