"""Syntax of Markdown dialects that takes whole lines: directives, containers, tags of templates, modules of MDX."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache, cached_property
from typing import NamedTuple

from degraders.text.dialects import Copy, Hidden
from degraders.text.directives import DIRECTIVES

_HINT = re.compile(
    r"\n[ \t>]*(?:(?:[-*+]|\d+[.)])[ \t]+)*+(?:!!!|\?\?\?|===[!+]?[ ]+\"|:::|///|\*\["
    r"|\([^()\n]+\)=|-+8<-|<<<[ ]|:[ ]{2,3}\S|(?:```|~~~)[`~]*+[ \t]*\{|\\begin\{|\{[{%#])"
)
"""The cheap test: an expression that begins with one character is faster than several searches for strings."""
_SYNTAX = r"""
    (?P<margin>[ \t>]*(?:(?:[-*+]|\d{1,9}[.)])[ \t]+)*+)(?:
    (?P<fence>`{3,}|~{3,})
    |(?P<colons>:{3,})
    |(?P<slashes>/{3,})(?=[ \t]*(?:\r?$|[A-Za-z]))
    |(?P<indented>!!!|\?\?\?\+?|===[!+]?(?=[ ]+"))(?=[ ])
    |(?P<definition>:(?=[ ]{2,3}\S))
    |(?P<label>\((?=[^()\s][^()\n]*\)=[ \t]*\r?$))
    |(?P<abbreviation>\*\[(?=[^\]\n]+\]:))
    |(?P<snippet>-+8<-+|<<<(?=[ ]))
    |(?P<comment>%(?=[ ])|\+\+\+|\^\^\^)
    |(?P<latex>\\begin\{(?P<environment>[a-z]+\*?)\})
    |(?P<tag>\{[%{#])
    |(?P<module>(?:import|export)(?<=^......)(?=[ {*]))
    |(?P<expression>\{)
    |(?P<element></?[A-Z])
    )
    """
_FIRST_LINE = re.compile(_SYNTAX, re.MULTILINE | re.VERBOSE)
_NEXT_LINE = re.compile(f"\\n{_SYNTAX}", re.MULTILINE | re.VERBOSE)  # it begins with one character: a fast search
_DIRECTIVE = re.compile(r"[ \t]*\{([A-Za-z][\w:.+-]*)\}[ \t]*")
_CLOSED = frozenset(
    "toctree include literalinclude figure-md bibliography contents index tableofcontents eval-rst csv-table meta "
    "automodule autoclass autofunction automethod autosummary currentmodule autoapimodule iframe embed".split()
)
"""Directives of MyST without prose. A fence of another name that is not known, `{python}` or `{mermaid}`, is code."""
_OPTION = re.compile(r"[ \t>]*:[A-Za-z][\w-]*:(?:[ \t].*)?$")
_YAML_END = re.compile(r"^---(?=[ \t]*\r?$)", re.MULTILINE)
_SLASH_OPTION = re.compile(r"(?: {4}|\t)[ \t]*[\w-]+[ \t]*:.*$")
_TITLE = re.compile(r'"(.*)"')
_SNIPPET_END = re.compile(r"^[ \t>]*-+8<-+(?=[ \t]*\r?$)", re.MULTILINE)
_INDENTATION = re.compile(r"(?:[ \t>]*\r?\n)*+([ \t>]*)\S")
_WORD = re.compile(r"\S+")
_CONTAINER = re.compile(r"[ \t]*([A-Za-z][\w-]*)?[ \t]*(?:\[(.*)\])?[ \t]*(.*?)[ \t]*(?:\{[^{}]*\})?[ \t]*$")
_OBJECT = re.compile(r"[ \t]*[A-Za-z_][\w.]*\r?$")
_ATTRIBUTE = re.compile(r"""[\w-]+=["']|:::[ \t]*$|-end[ \t]*$""")
TAG = re.compile(
    r"\{(?:\{(?:[^{}]|\}(?!\})|\{(?!\{))*+\}\}|%(?:[^{%]|%(?!\})|\{(?!%))*+%\}|\#(?:[^#{]|\#(?!\})|\{(?!\#))*+\#\})"
)
_CODE_TAG = re.compile(
    r"\{(?:%-?|\{[<%])\s*"
    r"(highlight|code(?:-?block|-toggle)?|sourcecode|prism|mermaid|plantuml|gist|math|katex|latex|comment)(?![\w-])"
)
_KIND_OF_TAG = {"math": "math", "katex": "math", "latex": "math", "comment": "directive"}
_SCRIPT = r"""[^{}"'`]|"(?:[^"\\\n]|\\.)*+"|'(?:[^'\\\n]|\\.)*+'|`(?:[^`\\]|\\.){0,2000}+`|["'`]"""
BRACES = _SCRIPT
for _ in range(4):
    BRACES = rf"\{{(?:{_SCRIPT}|{BRACES})*+\}}"
"""A JavaScript expression in braces; braces nest up to four deep, those in strings do not count."""
EXPRESSION = re.compile(rf"\{{/\*(?:[^*{{]|\*(?!/)|\{{(?!/\*))*+\*/\s*\}}|{BRACES}")
ELEMENT = re.compile(
    rf"</?[A-Za-z][\w.:-]*+(?:\s++(?:[\w:@.-]++(?:\s*=\s*(?:\"[^\"]*+\"|'[^']*+'|{BRACES}))?|{BRACES}))*+\s*+/?>"
)
_MODULE_PIECE = re.compile(
    r""""(?:[^"\\\n]|\\.)*+"|'(?:[^'\\\n]|\\.)*+'|`(?:[^`\\]|\\.)*+`|[({\[]|[)}\]]|\n[ \t]*\r?(?=\n)"""
)
BLANK_LINE = re.compile(r"\n[ \t]*\r?\n")


class _Open(NamedTuple):
    """A container that is open: its first character, their number, and the start of its line."""

    char: str
    length: int
    start: int


def has_lines(copy: Copy) -> bool:
    """Whether the text may contain syntax that takes whole lines."""
    text, constructs = copy.text, copy.constructs
    if not constructs or "jsx" in constructs:
        return bool(constructs)
    return bool(_HINT.search(text) or _HINT.match("\n" + text[: text.find("\n")]))


def adapt_lines(copy: Copy, begin: int) -> None:
    """Adapt the syntax of whole lines from the offset `begin` on, and note the blocks of code."""
    _LineScanner(copy).scan(begin)


class _LineScanner:
    """Walks over the lines that begin with the characters of a construct; each handler returns where to go on."""

    def __init__(self, copy: Copy) -> None:
        self.copy = copy
        self.text = copy.text
        self.stack: list[_Open] = []
        self.unbalanced = False  # a bracket of a module is never closed, so that brackets tell nothing
        constructs = copy.constructs
        handlers: dict[str, tuple[str, Callable[[re.Match[str], int], int]]] = {
            "colons": ("containers", self._colons),
            "slashes": ("slashes", self._slashes),
            "indented": ("indented", self._indented),
            "definition": ("definitions", self._definition),
            "label": ("labels", self._label),
            "abbreviation": ("abbreviations", self._abbreviation),
            "snippet": ("snippets", self._snippet),
            "comment": ("labels", self._comment),
            "latex": ("latex", self._latex),
            "tag": ("tags", self._tag),
            "module": ("modules", self._module),
            "expression": ("jsx", self._expression),
            "element": ("jsx", self._element),
        }
        self.handlers = {name: handler for name, (construct, handler) in handlers.items() if construct in constructs}
        self.handlers["fence"] = self._fence

    @cached_property
    def bullet(self) -> str:
        """The bullet of lists that exist only in the copy: one that no list of the text has, so that none goes on."""
        return next((b for b in "+*-" if not re.search(rf"^[ \t>]*{re.escape(b)}[ \t]", self.text, re.MULTILINE)), "+")

    def scan(self, begin: int) -> None:
        match = _FIRST_LINE.match(self.text, begin) or _NEXT_LINE.search(self.text, begin)
        while match:
            at = self._handle(match)
            match = _NEXT_LINE.search(self.text, max(at, match.end()))

    def _handle(self, match: re.Match[str]) -> int:
        kind = match.lastgroup or ""
        handler = self.handlers.get(kind) or self.handlers.get("expression" if kind == "tag" else "")
        return handler(match, match.start(kind)) if handler else self.copy.line_end(match.end())

    # Fences and containers

    def _fence(self, match: re.Match[str], start: int) -> int:
        copy, mark = self.copy, match["fence"]
        end = copy.line_end(start)
        info = self.text[match.end() : end].strip()
        if mark[0] == "`" and "`" in info:
            return end
        if not info and self._closes(mark, start, end):
            return end
        directive = _DIRECTIVE.match(self.text, match.end(), end) if "fences" in copy.constructs else None
        return self._directive(directive, start, mark) if directive else self._skip_code(start, mark)

    def _skip_code(self, start: int, mark: str) -> int:
        """The end of a block of plain code; nothing in it is syntax."""
        closing = self._find_closing(start, mark)
        end = closing.end() if closing else self.copy.line_end(start)
        self.copy.opaque.append((start, end))
        return end

    def _find_closing(self, start: int, mark: str) -> re.Match[str] | None:
        """The line that closes what the mark at an offset opens; it is not indented as code would be."""
        at, margin = self.copy.line_end(start), start - self.text.rfind("\n", 0, start) - 1
        return self.copy.find_next(_closing_line(mark[0], len(mark), margin + 3), at)

    def _closes(self, mark: str, start: int, end: int) -> bool:
        """Close the innermost container if this line ends it."""
        top = self.stack[-1] if self.stack else None
        if not top or top.char != mark[0] or top.length > len(mark):
            return False
        self.stack.pop()
        self.copy.hide_lines(start, end)
        self.copy.containers.append((top.start, end))
        return True

    def _open(self, mark: str, start: int) -> None:
        self.stack.append(_Open(mark[0], len(mark), start))

    def _directive(self, directive: re.Match[str], start: int, mark: str) -> int:
        """A directive of MyST between fences or colons."""
        name = directive[1].lower()
        content = DIRECTIVES.get(name.rpartition(":")[2]) or ("closed" if name in _CLOSED else "unknown")
        self.copy.evidence["myst"] += 1
        closing = self._find_closing(start, mark)
        if name in _CLOSED or content in ("math", "html", "image"):
            return self._closed_directive(content, start, closing.end() if closing else len(self.text), name)
        if content in ("code", "unknown") and (mark[0] != ":" or content == "code"):
            return self._code_directive(directive, start, mark, closing)
        end = self.copy.line_end(start)
        if closing:
            self._open(mark, start)
        title = directive.end()
        if content == "version":
            word = _WORD.match(self.text, title, end)
            title = word.end() if word else end
        elif content == "described":
            title = end
        self._titled_line(start, title, end, name=name)
        return self._hide_options(end)

    def _closed_directive(self, content: str, start: int, end: int, name: str) -> int:
        kind = content if content in ("math", "html") else "directive"
        self.copy.hide_lines(start, end, kind, block="math_block" if kind == "math" else "directive", info=name)
        return end

    def _code_directive(self, directive: re.Match[str], start: int, mark: str, closing: re.Match[str] | None) -> int:
        """A directive of code: its options become part of the line that opens the fence."""
        copy = self.copy
        end, options = copy.line_end(start), self._options_end(copy.line_end(start))
        if mark[0] == ":":
            copy.write(start, start + len(mark), "~" * len(mark))
            if closing:
                copy.write(closing.end() - len(closing["mark"]), closing.end(), "~" * len(closing["mark"]))
        if options > end:
            copy.edits.append((end, options, " " * (options - end)))
        last = closing.end() if closing else options
        copy.opaque.append((start, last))
        return last

    def _options_end(self, end: int) -> int:
        """The end of the option lines below a line that ends at `end`; `end` if there are none."""
        at = self.copy.next_line(end)
        if self.text.startswith("---", at):
            closing = self.copy.find_next(_YAML_END, self.copy.line_end(at))
            return closing.end() if closing else end
        while at < len(self.text) and _OPTION.match(self.text, at, self.copy.line_end(at)):
            end = self.copy.line_end(at)
            at = self.copy.next_line(at)
        return end

    def _hide_options(self, end: int) -> int:
        options = self._options_end(end)
        if options > end:
            self.copy.hide_lines(self.copy.next_line(end), options)
        return options

    def _titled_line(self, start: int, title: int, end: int, *, name: str = "", title_end: int | None = None) -> None:
        """Hide a line of syntax; a title in it becomes a heading of the copy, so that it is prose and a block."""
        copy, title_end = self.copy, end if title_end is None else title_end
        title += len(self.text[title:title_end]) - len(self.text[title:title_end].lstrip())
        if title >= title_end:
            copy.hide_lines(start, end, info=name)
            return
        copy.hidden.append(Hidden(start, title, "directive"))
        copy.write(start, title, "#")
        copy.hide(title_end, end)
        copy.titles[start] = name

    def _colons(self, match: re.Match[str], start: int) -> int:
        copy, mark = self.copy, match["colons"]
        end = copy.line_end(start)
        rest = self.text[match.end() : end]
        if not rest.strip():
            if not self._closes(mark, start, end):
                copy.hide_lines(start, end)
            return end
        directive = _DIRECTIVE.match(self.text, match.end(), end)
        if directive:
            return self._directive(directive, start, mark)
        if _ATTRIBUTE.search(rest):
            copy.evidence["docfx"] += 1
            copy.hide_lines(start, end)
            return end
        if _OBJECT.match(self.text, match.end(), end) and not self._find_closing(start, mark):
            return self._object(start, end)
        copy.evidence["vitepress"] += 1
        container = _CONTAINER.match(self.text, match.end(), end)
        if self._find_closing(start, mark):
            self._open(mark, start)
        if not container or not container[1]:
            copy.hide_lines(start, end)
            return end
        title = 2 if container[2] is not None else 3
        self._titled_line(start, container.start(title), end, name=container[1], title_end=container.end(title))
        return end

    def _object(self, start: int, end: int) -> int:
        """`::: package.module` of mkdocstrings, with the options that are indented below it."""
        copy = self.copy
        copy.evidence["mkdocs"] += 1
        at = copy.next_line(end)
        while at < len(self.text) and self.text.startswith(("    ", "\t"), at):
            end = copy.line_end(at)
            at = copy.next_line(at)
        copy.hide_lines(start, end)
        return end

    def _slashes(self, match: re.Match[str], start: int) -> int:
        """A block of pymdownx: `/// name | Title`, options that are indented, the body, `///`."""
        copy, mark = self.copy, match["slashes"]
        end = copy.line_end(start)
        rest = self.text[match.end() : end].strip()
        if not rest:
            self._closes(mark, start, end)
            return end
        if not self._find_closing(start, mark):
            return end
        copy.evidence["mkdocs"] += 1
        self._open(mark, start)
        bar = self.text.find("|", start, end)
        self._titled_line(start, bar + 1 if bar >= 0 else end, end, name=rest.split()[0])
        at = last = copy.next_line(end)
        while at < len(self.text) and _SLASH_OPTION.match(self.text, at, copy.line_end(at)):
            end = copy.line_end(at)
            at = copy.next_line(at)
        if end > last:
            copy.hide_lines(last, end)
        return end

    def _indented(self, match: re.Match[str], start: int) -> int:
        """`!!! note "Title"` with an indented body: the item of a list, whose content is indented as the body is."""
        copy = self.copy
        end = copy.line_end(start)
        words = self.text[match.end() : end].split()
        if not words or end - start < 6:
            return end
        title = _TITLE.search(self.text, match.end(), end)
        if not title and not self._has_body(start, end):
            copy.hide_lines(start, end)
            return end
        copy.evidence["mkdocs"] += 1
        # The blank line keeps the list loose, so that its paragraphs are blocks; in a quote, it would end the quote.
        line_end = "" if ">" in match["margin"] else "\n"
        item = f"{self.bullet}   # "
        if title and title[1].strip():
            item = item if title.start(1) - start >= len(item) else f"{self.bullet}  # "
            ranges = [(start, title.start(1), item), (title.end(1), end, line_end)]
        else:
            ranges = [(start, end, item[:-1] + line_end)]
        copy.items[start], copy.titles[start + item.index("#")] = words[0].strip('"') or "block", ""
        for first, last, text in ranges:
            copy.hidden.append(Hidden(first, last, "directive"))
            copy.write(first, last, text)
        return end

    def _definition(self, match: re.Match[str], start: int) -> int:
        """`:   text` below an HTML comment, which stands for a term but is none for the parser: the item of a list."""
        if self.text[max(0, start - 200) : start].rstrip().endswith("-->"):
            self.copy.hidden.append(Hidden(start, start + 1, "directive"))
            self.copy.write(start, start + 1, self.bullet)
            self.copy.items[start] = "definition"
        body = _FIRST_LINE.match(self.text, start + 1)
        return self._handle(body) if body else match.end()

    def _has_body(self, start: int, end: int) -> bool:
        """Whether the next line that is not blank is indented more than a line that begins its syntax at `start`."""
        margin = self.text[self.text.rfind("\n", 0, start) + 1 : start]
        body = _INDENTATION.match(self.text, end)
        return body is not None and len(body[1].expandtabs(4)) >= len(margin.expandtabs(4)) + 4

    # Lines of other kinds

    def _label(self, match: re.Match[str], start: int) -> int:
        """`(label)=`: a block that stays with its heading, see `units`."""
        end = self.copy.line_end(start)
        self.copy.evidence["myst"] += 1
        self.copy.hide_lines(start, end, block="definition", info="label")
        return end

    def _abbreviation(self, match: re.Match[str], start: int) -> int:
        end = self.copy.line_end(start)
        self.copy.evidence["mkdocs"] += 1
        self._titled_line(start, self.text.index("]:", start) + 2, end, name="abbreviation")
        return end

    def _snippet(self, match: re.Match[str], start: int) -> int:
        """`--8<-- "file"` of pymdownx, alone or around lines that name files; `<<< file` of VitePress."""
        end = self.copy.line_end(start)
        closing = self.copy.find_next(_SNIPPET_END, end) if end == match.end() else None
        last = closing.end() if closing else end
        self.copy.hide_lines(start, last)
        return last

    def _comment(self, match: re.Match[str], start: int) -> int:
        """A comment or a border between the parts of a card, in a text that has other syntax of MyST."""
        end = self.copy.line_end(start)
        if self.copy.evidence["myst"]:
            self.copy.hide_lines(start, end)
        return end

    def _latex(self, match: re.Match[str], start: int) -> int:
        closing = self.copy.find_next(_closing_environment(match["environment"]), match.end())
        if not closing:
            return match.end()
        end = self.copy.line_end(closing.end())
        self.copy.hide_lines(start, end, "math", block="math_block")
        return end

    def _tag(self, match: re.Match[str], start: int) -> int:
        """A tag of a template that takes whole lines; tags of code enclose code, and others stay where they are."""
        copy = self.copy
        tag = TAG.match(self.text, start)
        if not tag or (tag[0][1] != "#" and BLANK_LINE.search(tag[0])):
            return copy.line_end(start)
        end = tag.end()
        kind, last = enclosed_by(copy, tag)
        if self.text[last or end : copy.line_end(last or end)].strip():
            return end
        if engine := engine_of(tag[0]):
            copy.evidence[engine] += 1
        if self._is_among_html(start, last or end):
            copy.hide(start, last or end, kind or "directive", letters=True)
        else:
            copy.hide_lines(start, last or end, kind or "directive")
        return last or end

    def _is_among_html(self, start: int, end: int) -> bool:
        """Whether lines of HTML stand right above or below, which a blank line would end."""
        line = self.text.rfind("\n", 0, start) + 1
        above = self.text.rfind("\n", 0, max(0, line - 1)) + 1 if line else line
        return any(self.text[at : at + 80].lstrip(" \t").startswith("<") for at in (above, self.copy.next_line(end)))

    # MDX

    def _module(self, match: re.Match[str], start: int) -> int:
        """`import` and `export`: up to a blank line outside all brackets, or else to the first blank line."""
        if self._continues_paragraph(start):
            return self.copy.line_end(start)
        depth, first_blank, end = 0, -1, -1
        for piece in _MODULE_PIECE.finditer(self.text, start):
            if piece[0] in "({[":
                depth += 1
            elif piece[0] in ")}]":
                depth -= 1
            elif piece[0][0] == "\n":
                first_blank = piece.start() if first_blank < 0 else first_blank
                if depth <= 0 or self.unbalanced:
                    end = first_blank if self.unbalanced else piece.start()
                    break
        if end < 0:
            self.unbalanced = depth > 0
            end = first_blank if self.unbalanced and first_blank >= 0 else len(self.text.rstrip())
        self.copy.evidence["mdx"] += 1
        self.copy.hide_lines(start, end, info="module")
        return end

    def _continues_paragraph(self, start: int) -> bool:
        """Whether the line above the one at `start` is neither blank nor the end of a module block."""
        if not self.text[self.text.rfind("\n", 0, max(start - 1, 0)) + 1 : start].strip():
            return False
        above = self.copy.lines[-1] if self.copy.lines else None
        return not above or above.info != "module" or bool(self.text[above.end : start].strip())

    def _expression(self, match: re.Match[str], start: int) -> int:
        return self._hide_whole(EXPRESSION.match(self.text, start), start, "directive", "directive")

    def _element(self, match: re.Match[str], start: int) -> int:
        element = ELEMENT.match(self.text, start)
        if not element or not needs_copy(element[0]):
            return match.end()
        return self._hide_whole(element, start, "html", "html_block")

    def _hide_whole(self, match: re.Match[str] | None, start: int, kind: str, block: str) -> int:
        """Hide an expression or a tag if it takes whole lines; within a line, it is left to the inline syntax."""
        if not match or self.text[match.end() : self.copy.line_end(match.end())].strip():
            return start + 1
        self.copy.evidence["mdx"] += 1
        self.copy.hide_lines(start, match.end(), kind, block=block)
        return match.end()


@cache
def _closing_line(char: str, count: int, indent: int) -> re.Pattern[str]:
    """The line that closes a fence or a container of so many characters."""
    return re.compile(rf"\n[ \t>]{{0,{indent}}}(?P<mark>{re.escape(char)}{{{count},}})(?=[ \t]*\r?$)", re.MULTILINE)


@cache
def _closing_environment(name: str) -> re.Pattern[str]:
    return re.compile(re.escape(f"\\end{{{name}}}"))


@cache
def _closing_tag(name: str) -> re.Pattern[str]:
    return re.compile(rf"\{{(?:%-?|\{{[<%])\s*(?:/\s*|end){name}\b[^{{}}]*\}}++")


def engine_of(tag: str) -> str:
    """The dialect whose templates have such a tag; empty if many have it."""
    return "hugo" if tag.startswith(("{{<", "{{%")) else "jekyll" if tag.startswith("{%") else ""


def enclosed_by(copy: Copy, tag: re.Match[str]) -> tuple[str, int]:
    """The kind of text that a tag encloses, and the end of its closing tag; ("", 0) if that text is prose."""
    code = None if tag[0].endswith("/>}}") else _CODE_TAG.match(tag[0])
    closing = copy.find_next(_closing_tag(code[1]), tag.end()) if code else None
    return (_KIND_OF_TAG.get(code[1], "code"), closing.end()) if code and closing else ("", 0)


def needs_copy(element: str) -> bool:
    """Whether the tag of a component is none for CommonMark: expressions or line ends are in it."""
    return "{" in element or "\n" in element
