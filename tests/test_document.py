"""Documents: regions at exact offsets, masks without protected text, and units that cover the text."""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from degraders.text.document import BLOCK, INLINE, PROTECTED, Document, Region
from degraders.text.parse import parse
from degraders.text.units import divide

FORMATS = ("markdown", "rst", "text")
DOCS = Path(__file__).resolve().parents[2] / "shared" / "data" / "docs"

MARKDOWN = """\
---
title: "Café"
---

# Größe ändern 🚀

Install `pip` with *care*, see [the *guide*](https://example.org/a "t") or <https://example.org>.
Read the [manual][ref] and [faq]. Mail <b>us</b> at help@example.org or https://example.org/x_y.

Setext title
------------

- First item
  goes on
- Second item

  ```python
  print("``` not the end")
  ```

3. Three
4. Four

> Quoted prose

| Head | Other |
|------|-------|
| Cell | `code` |

````md
```sh
ls
```
````

    indented code

<div>
raw html
</div>

![Alt text](pic.png)

***

[ref]: https://example.org/manual
[faq]: faq.md "Title"
"""

RST = """\
:Author: Zoë

======
Größen
======

Install ``pip`` with *care*, see `the guide <https://example.org/a>`__ or manual_.
Use :func:`open` on |name| [1]_ and `any text`_, 🚀 **boldly**, not \\*so\\*. Mail help@example.org.

Under
-----

- First item
  goes on
- Second item::

      ls  -l

  more

#. One
#. Two

term
    Its body.

-v, --verbose  Say more.

Said:

  Quoted prose

.. note:: Be careful
   with it.

.. code-block:: python
   :linenos:

   def f():

       return 1

.. admonition:: A title

   Its text.

.. versionadded:: 2.0
   New here.

.. image:: pic.png
   :alt: Alt text

.. unknown:: thing

   Not prose?

.. math:: a^2

>>> 1 + 1
2

=====  =====
Head   Other
=====  =====
Cell   ``x``
=====  =====

+------+-------+
| Grid | Other |
+======+=======+
| Cell | two   |
|      | lines |
+------+-------+

.. a comment

| verse one
| verse two

.. [1] A footnote.
.. _manual: https://example.org/manual
.. |name| replace:: Name
"""

TEXT = "First paragraph\n  goes on, see https://example.org.\n\n \t\n\n   Zweiter Absatz: größer 🚀\n"

RICH = {"markdown": MARKDOWN, "rst": RST, "text": TEXT}


def inner(doc: Document, kind: str) -> list[str]:
    return [doc.text[r.inner_start : r.inner_end] for r in doc.regions.get(kind, [])]


def outer(doc: Document, kind: str) -> list[str]:
    return [doc.text[r.start : r.end] for r in doc.regions.get(kind, [])]


def infos(doc: Document, kind: str) -> list[str]:
    return [r.info for r in doc.regions.get(kind, [])]


def protected(doc: Document, kind: str) -> list[str]:
    return [doc.text[start:end] for start, end, of in doc.protected if of == kind]


def visible(mask: str) -> list[str]:
    """The text of a mask by block, without blanks."""
    blocks = re.split(f"{BLOCK}+", mask)
    return [" ".join(block.replace(INLINE, " ").split()) for block in blocks if block.strip(INLINE + " \r\n")]


# Markdown


def test_markdown_regions_have_exact_offsets() -> None:
    doc = parse(MARKDOWN)
    assert inner(doc, "heading") == ["Größe ändern 🚀", "Setext title"]
    assert outer(doc, "heading") == ["# Größe ändern 🚀", "Setext title\n------------"]
    assert infos(doc, "heading") == ["1", "2"]
    assert infos(doc, "list") == ["bullet", "ordered"]
    assert inner(doc, "item")[0] == "First item\n  goes on"
    assert inner(doc, "item")[2:] == ["Three", "Four"]
    assert inner(doc, "code_span") == ["pip", "code"]
    assert inner(doc, "emphasis") == ["care", "guide"]
    assert inner(doc, "link") == ["the *guide*", "manual"]
    assert infos(doc, "link") == ["inline", "reference"]
    assert inner(doc, "image") == ["Alt text"]
    assert outer(doc, "reference") == ["<https://example.org>", "[faq]"]
    assert outer(doc, "quote") == ["> Quoted prose"]
    assert inner(doc, "cell") == ["Head", "Other", "Cell", "`code`"]
    assert infos(doc, "row") == ["head", ""]
    assert outer(doc, "rule") == ["***"]
    assert outer(doc, "html_block") == ["<div>\nraw html\n</div>"]
    assert outer(doc, "definition") == ["[ref]: https://example.org/manual", '[faq]: faq.md "Title"']


def test_markdown_code_blocks_nested_and_indented() -> None:
    doc = parse(MARKDOWN)
    assert infos(doc, "code_block") == ["`python", "`md", ""]
    assert inner(doc, "code_block")[1:] == ["```sh\nls\n```\n", "indented code"]
    assert visible(doc.code) == ['print("``` not the end")', "```sh ls ```", "indented code"]
    assert protected(doc, "fence") == ["```python\n", "  ```", "````md\n", "````"]


def test_markdown_masks_contain_prose_only() -> None:
    doc = parse(MARKDOWN)
    assert visible(doc.prose) == [
        "Größe ändern 🚀",
        "Install with care , see the guide or . Read the manual and . Mail us at or .",
        "Setext title",
        "First item goes on",
        "Second item",
        "Three",
        "Four",
        "Quoted prose",
        "Head",
        "Other",
        "Cell",
        "Alt text",
    ]
    assert [line for line in visible(doc.prose) if line not in visible(doc.body)] == [
        *("Größe ändern 🚀", "Setext title", "Head", "Other", "Cell")
    ]
    assert protected(doc, "front_matter") == ['---\ntitle: "Café"\n---\n']
    assert "help@example.org" in protected(doc, "url")
    assert protected(doc, "html")[:3] == ["<b>", "</b>", "<div>\nraw html\n</div>"]


def test_a_rule_at_the_top_is_no_front_matter() -> None:
    assert "front_matter" not in parse("---\n\nProse.\n\n---\n").regions
    assert inner(parse("+++\ntitle = 1\n+++\n# Title\n"), "heading") == ["Title"]


def test_shell_variables_are_no_formula() -> None:
    doc = parse("Put it in $HOME/bin. Your `$PATH` must name it for `run`.\n")
    assert inner(doc, "code_span") == ["$PATH", "run"]
    assert protected(parse("Let $x_i$ be\n\n$$\ny\n$$\n"), "math") == ["$x_i$", "$$\ny\n$$"]


# reStructuredText


def test_rst_blocks_have_exact_offsets() -> None:
    doc = parse(RST, format="rst")
    assert inner(doc, "heading") == ["Größen", "Under"]
    assert outer(doc, "heading") == ["======\nGrößen\n======", "Under\n-----"]
    assert infos(doc, "heading") == ["1", "2"]
    assert infos(doc, "list") == ["bullet", "ordered"]
    assert inner(doc, "item") == ["First item\n  goes on", "Second item::\n\n      ls  -l\n\n  more", "One", "Two"]
    assert inner(doc, "term") == ["term"]
    assert inner(doc, "description") == ["Its body."]
    assert inner(doc, "option") == ["Say more."]
    assert inner(doc, "field") == ["Zoë"]
    assert outer(doc, "line_block") == ["| verse one\n| verse two"]
    assert inner(doc, "footnote") == ["A footnote."]
    assert outer(doc, "definition") == [".. _manual: https://example.org/manual"]
    assert outer(doc, "comment") == [".. a comment"]
    assert inner(doc, "image") == ["Alt text"]
    assert infos(doc, "directive") == ["note", "admonition", "versionadded", "unknown"]
    assert inner(doc, "directive")[:3] == ["Be careful\n   with it.", "Its text.", "New here."]


def test_rst_inline_regions_have_exact_offsets() -> None:
    doc = parse(RST, format="rst")
    assert inner(doc, "code_span") == ["pip", "x"]
    assert inner(doc, "emphasis") == ["care"]
    assert inner(doc, "strong") == ["boldly"]
    assert inner(doc, "link") == ["the guide"]
    assert outer(doc, "reference") == ["manual_", "[1]_", "`any text`_"]
    assert inner(doc, "role") == ["open"]
    assert infos(doc, "role") == ["func"]
    assert " <https://example.org/a>`__" in protected(doc, "target")


def test_rst_code_and_tables() -> None:
    doc = parse(RST, format="rst")
    assert infos(doc, "code_block") == ["", "`python", "`pycon"]
    assert inner(doc, "code_block") == ["ls  -l", "def f():\n\n       return 1", ">>> 1 + 1\n2"]
    assert outer(doc, "code_block")[1].startswith(".. code-block:: python\n   :linenos:\n")
    assert visible(doc.code) == ["ls -l", "def f():", "return 1", ">>> 1 + 1 2"]
    assert doc.code[doc.text.index("    return 1") - 3 :].startswith(BLOCK * 3 + "    return 1" + BLOCK)
    assert protected(doc, "fence") == [":", ".. code-block:: python\n", "\n"]
    assert inner(doc, "cell") == ["Head", "Other", "Cell", "``x``", "Grid", "Other"]
    assert infos(doc, "row") == ["head", "", "head", ""]


def test_rst_masks_contain_prose_only() -> None:
    doc = parse(RST, format="rst")
    assert visible(doc.prose) == [
        *("Zoë", "Größen"),
        "Install with care , see the guide or . Use on and , 🚀 boldly , not *so *. Mail .",
        *("Under", "First item goes on", "Second item:", "more", "One", "Two", "term", "Its body.", "Say more."),
        *("Said:", "Quoted prose", "Be careful with it.", "A title", "Its text.", "New here."),
        *("Head", "Other", "Cell", "Grid", "Other", "Cell", "two", "lines", "verse one", "verse two", "A footnote."),
    ]
    body = visible(doc.body)
    assert "Größen" not in body
    assert not {"Head", "Cell", "A title", "term"} & set(body)
    assert {"more", "Its text.", "New here.", "Its body."} <= set(body)


@pytest.mark.parametrize(
    ("text", "kind", "expected"),
    [
        ("a.  Text\nthat goes on\n", "item", []),
        ("1. One\n2) Two\n", "list", ["1. One", "2) Two"]),
        ("- a\n\n  - b\n\n  - c\n- d\n", "list", ["- a\n\n  - b\n\n  - c\n- d", "- b\n\n  - c"]),
        ("--version\n---------\n", "heading", ["--version\n---------"]),
        ("Text::\n\n> quoted\n> code\n\nMore\n", "code_block", ["> quoted\n> code"]),
        ("::\n\n  code\n", "code_block", ["::\n\n  code"]),
        ("..\n\n  quote\n", "quote", ["quote"]),
        ('("*") and "*" and 2 * x * y\n', "emphasis", []),
        ("_not_ __init__ a__b x_ `y`__ z__\n", "reference", ["x_", "z__"]),
        ("*a\n  b*\n", "emphasis", []),
        ("  *a\n  b*\n", "emphasis", ["*a\n  b*"]),
        ("`` ` `` and ```x``` and ``a\\``\n", "code_span", ["```x```", "``a\\``"]),
        ("`Text\nhere <x>`_ `<y>`_\n", "link", ["`Text\nhere <x>`_"]),
        ("== ==\na  b\n", "table", []),
        ("Text\n\n----\n\nText\n", "rule", ["----"]),
    ],
)
def test_rst_details(text: str, kind: str, expected: list[str]) -> None:
    assert outer(parse(text, format="rst"), kind) == expected


# Plain text


def test_plain_text_has_paragraphs() -> None:
    doc = parse(TEXT, format="text")
    assert outer(doc, "paragraph") == [
        "First paragraph\n  goes on, see https://example.org.",
        "Zweiter Absatz: größer 🚀",
    ]
    assert protected(doc, "url") == ["https://example.org"]
    assert visible(doc.body) == ["First paragraph goes on, see .", "Zweiter Absatz: größer 🚀"]


# All formats


@pytest.mark.parametrize("format", FORMATS)
def test_line_ends_change_only_offsets(format: str) -> None:
    text = RICH[format]
    unix, dos = parse(text, format=format), parse(text.replace("\n", "\r\n"), format=format)
    assert visible(dos.prose) == visible(unix.prose)
    assert visible(dos.code) == visible(unix.code)
    for kind in unix.regions:
        assert [s.replace("\r\n", "\n") for s in outer(dos, kind)] == outer(unix, kind)
        assert [s.replace("\r\n", "\n") for s in inner(dos, kind)] == inner(unix, kind)


def assert_masks_fit(doc: Document) -> None:
    for mask in (doc.prose, doc.body, doc.code):
        assert len(mask) == len(doc.text)
        assert all(masked in (char, INLINE, BLOCK) for masked, char in zip(mask, doc.text, strict=True))
    assert all(b in (p, INLINE, BLOCK) for p, b in zip(doc.prose, doc.body, strict=True))


def assert_protected_is_hidden(doc: Document) -> None:
    assert all(left[1] <= right[0] for left, right in pairwise(doc.protected))
    for start, end, kind in doc.protected:
        assert start < end
        assert kind in PROTECTED
        assert not set(doc.prose[start:end]) - {INLINE, BLOCK}, (kind, doc.text[start:end])


def assert_code_is_in_code_blocks(doc: Document) -> None:
    inside = "".join(doc.code[r.inner_start : r.inner_end] for r in doc.regions.get("code_block", []))
    assert len(inside.replace(BLOCK, "")) == len(doc.code.replace(BLOCK, ""))


def assert_regions_fit(doc: Document) -> None:
    for kind, regions in doc.regions.items():
        assert regions == sorted(regions)
        for r in regions:
            assert r.kind == kind
            assert 0 <= r.start <= r.inner_start <= r.inner_end <= r.end <= len(doc.text)
    assert all(left.end <= right.start for left, right in pairwise(doc.blocks))


def assert_units_cover_the_prose(doc: Document) -> None:
    for max_chars in (40, 2000):
        units = divide(doc, max_chars=max_chars)
        assert [unit.index for unit in units] == list(range(len(units)))
        assert all(left.end <= right.start for left, right in pairwise(units))
        between = [0, *(at for unit in units for at in (unit.start, unit.end)), len(doc.text)]
        gaps = zip(between[::2], between[1::2], strict=True)
        assert not any(doc.prose[start:end].strip(INLINE + BLOCK + " \r\n") for start, end in gaps)


CHECKS: tuple[Callable[[Document], None], ...] = (
    *(assert_masks_fit, assert_protected_is_hidden, assert_code_is_in_code_blocks),
    *(assert_regions_fit, assert_units_cover_the_prose),
)


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("check", CHECKS)
def test_rich_documents(check: Callable[[Document], None], format: str) -> None:
    for text in RICH.values():
        check(parse(text, format=format))
        check(parse(text.replace("\n", "\r\n"), format=format))


PIECES = st.sampled_from(
    [
        *("\n", "\n\n", "\n  ", "\n    ", "\n\t", " ", "\r\n", "\r", "\x0b", "\x85", "\u2028", "\xa0", "\ufeff"),
        *("a", "Word", "é", "🚀", "word_", "3", "- ", "* ", "1. ", "a) ", "> ", "# ", "\n===\n", "\n---\n", "::", ":"),
        *(
            "`",
            "``",
            "```",
            "~~~",
            "*",
            "**",
            "_",
            "__",
            "|",
            "[",
            "]",
            "(",
            ")",
            "<",
            ">",
            "\\",
            "$",
            "{{",
            "}}",
            "{%",
        ),
        *(
            ".. ",
            ".. note:: ",
            ".. code:: py\n\n   ",
            ".. math::",
            ".. [1] ",
            ".. _a: ",
            ":a: ",
            ":r:`x`",
            "-a  ",
            ">>> ",
        ),
        *(
            "| a | b |\n|---|---|\n",
            "== ==\n",
            "+--+\n| a|\n+--+\n",
            "[a]: b",
            "[^1]: ",
            "https://x.org",
            "a@b.org",
            "www.",
        ),
        *("```{note}\n", "```{code} py\n", ":::{tip} T\n", "::: a b\n", "/// a | b\n", "///\n", '=== "T"\n', "??? a\n"),
        *("{a}`b`", "(a)=\n", "*[A]: b\n", "\\begin{a}", "\\end{a}", "{% highlight a %}", "{% endhighlight %}", "{#"),
        *(
            "[!INCLUDE [a](b)]",
            "<code>",
            "</code>",
            "$$",
            "{/*",
            "*/}",
            "export const a = {",
            "<A b={c}",
            "---\n",
            "\n:  ",
        ),
        *("<b>", "<!--", "-->", "<div>", "---\na: b\n---\n", ":::", "!!! ", "[!NOTE]", "import x from 'y'", "--flag"),
    ]
)
MARKUP = st.lists(PIECES | st.text(max_size=4), max_size=40).map("".join)


@pytest.mark.parametrize("format", FORMATS)
@settings(max_examples=150, deadline=None)
@given(text=MARKUP)
@example(text="")
@example(text="\n")
def test_any_text_has_a_document(format: str, text: str) -> None:
    for dialect in ("auto", "mdx") if format == "markdown" else ("auto",):
        doc = parse(text, format=format, dialect=dialect)
        for check in CHECKS:
            check(doc)


@settings(max_examples=40, deadline=None)
@given(lines=st.lists(st.tuples(st.integers(0, 6), st.sampled_from(["- a", "b::", "c", ".. d::", ":e: f", "`g"]))))
def test_any_indentation_of_rst_has_a_document(lines: list[tuple[int, str]]) -> None:
    doc = parse("".join(f"{' ' * indent}{line}\n" for indent, line in lines), format="rst")
    for check in CHECKS:
        check(doc)


TECHNICAL = [
    "```{note}\n",
    ":::{tip} a\n",
    "::: a\n\n",
    "/// a\n",
    "!!! a\n\n    b\n\n",
    '=== "a"\n',
    "(a)=\n",
    "{% highlight a %}\n",
    "{% a",
    "{# a",
    "{a}`b",
    "{a}`b` ",
    "\\begin{a}\n",
    "[!a [b",
    "<code>a",
    "$$ a",
    "$a ",
    "\\\\( a",
    "{/* a",
    "<A b={",
    "<A b='",
    "export const a = {\n\n",
    "{`",
    "    a\n\n",
    "{{",
    "{% ",
    "{{ ",
    "@" + "a" * 30_000,
    "\t",
    "\r",
    "\xa0",
    "a_",
    "--a-",
    "[a]: b\n\nc\n\n",
    "import a from ",
]


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("piece", TECHNICAL, ids=lambda piece: repr(piece[:20]))
def test_no_text_takes_long_to_parse(piece: str, format: str) -> None:
    started = time.process_time()
    parse(piece * (30_000 // len(piece)), format=format)
    assert time.process_time() - started < 1


@pytest.mark.parametrize("piece", TECHNICAL, ids=lambda piece: repr(piece[:20]))
def test_no_text_of_mdx_takes_long_to_parse(piece: str) -> None:
    started = time.process_time()
    parse(piece * (30_000 // len(piece)), dialect="mdx")
    assert time.process_time() - started < 1


NESTED = [
    "`",
    "``a ",
    "`a ",
    "*a ",
    "|a ",
    "a_ ",
    ":a:",
    "[a",
    "- ",
    ".. note:: ",
    "::\n\n",
    "== ==\n",
    "\t",
    "+--+\n",
    "1.\n",
]


@pytest.mark.parametrize("piece", NESTED)
def test_rst_is_parsed_in_linear_time(piece: str) -> None:
    started = time.process_time()
    parse(piece * (60_000 // len(piece)), format="rst")
    assert time.process_time() - started < 2


def test_rst_survives_deep_nesting() -> None:
    for marker in ("", "- ", ".. note:: ", ":a: ", "a\n"):
        assert parse("".join(f"{' ' * depth}{marker}x\n\n" for depth in range(400)), format="rst").blocks


# Units

LONG = "# Guide\n\nIntro.\n\n## Install\n\nText.\n\n### Linux\n\nMore text.\n\n## Use\n\nLast.\n"


def cut(text: str, max_chars: int, format: str = "markdown") -> list[tuple[str, str]]:
    """The texts and contexts of the units of a text."""
    return [(unit.text, unit.context) for unit in divide(parse(text, format=format), max_chars=max_chars)]


def test_units_begin_at_headings_and_are_packed() -> None:
    assert [text.splitlines()[0] for text, _ in cut(LONG, 20)] == ["# Guide", "## Install", "### Linux", "## Use"]
    assert [text.count("#") for text, _ in cut(LONG, 45)] == [3, 5]
    assert [text for text, _ in cut(LONG, 2000)] == [LONG.rstrip()]


def test_a_context_holds_no_heading_of_its_unit() -> None:
    assert [context for _, context in cut(LONG, 20)] == ["", "Guide", "Guide > Install", "Guide"]
    assert [context for _, context in cut(LONG, 2000)] == [""]
    for text, context in cut(LONG, 45):
        titles = re.findall(r"^#+ (.*)", text, re.MULTILINE)
        assert not set(titles) & set(context.split(" > "))


def test_a_long_section_is_divided_between_blocks_and_its_lists_between_items() -> None:
    items = [f"- Item number {number} says something." for number in range(12)]
    text = "# Title\n\nIntro.\n\n" + "\n".join(items) + "\n\nEnd.\n"
    pieces = [text for text, _ in cut(text, 120)]
    assert all(len(piece) <= 120 for piece in pieces)
    assert pieces[0].startswith("# Title\n\nIntro.\n\n- Item number 0")
    assert [line for piece in pieces for line in piece.split("\n") if line.startswith("-")] == items
    assert [context for _, context in cut(text, 120)] == ["", *["Title"] * (len(pieces) - 1)]


def test_a_long_block_is_never_divided() -> None:
    code = "```\n" + "x = 1\n" * 50 + "```"
    assert code in [text for text, _ in cut(f"Before.\n\n{code}\n\nAfter.\n", 60)]


def test_only_top_level_lists_are_divided() -> None:
    text = "A term\n  The body.\n\n  - one item\n  - another item\n"
    assert [unit for unit, _ in cut(text, 20, "rst")] == [text.rstrip()]
    assert [unit for unit, _ in cut("> Said:\n>\n> - one\n> - two\n", 10)] == ["> Said:\n>\n> - one\n> - two"]


def test_a_document_unit_is_the_whole_text() -> None:
    (unit,) = divide(parse(RST, format="rst"), unit="document")
    assert (unit.text, unit.context) == (RST, "")
    assert divide(parse("\n \n"), unit="document") == []


def test_rst_units_take_their_context_from_titles() -> None:
    text = "Guide\n=====\n\nIntro.\n\nInstall\n-------\n\nText.\n\nUse\n---\n\nLast.\n"
    assert [context for _, context in cut(text, 30, "rst")] == ["", "Guide", "Guide"]


# Another parser


@pytest.mark.skipif(not DOCS.is_dir(), reason="the real documents are missing")
def test_markdown_agrees_with_markdown_it() -> None:
    parser = MarkdownIt("commonmark").enable("table")
    differ = 0
    for path in sorted(DOCS.rglob("*.md"))[::2]:
        text = path.read_text(encoding="utf-8")
        doc = parse(text)
        front = doc.regions.get("front_matter", [])
        tokens = parser.parse(text[front[0].end :] if front else text)
        blocks = [token.content.rstrip("\n") for token in tokens if token.type in ("fence", "code_block")]
        assert [code_of(doc, region) for region in doc.regions.get("code_block", [])] == blocks, path
        children = [child for token in tokens for child in token.children or ()]
        spans = Counter(flat(child.content) for child in children if child.type == "code_inline")
        differ += (spans - Counter(map(flat, inner(doc, "code_span")))).total()
    assert not differ


def code_of(doc: Document, block: Region) -> str:
    """The content of a code block as the code mask has it."""
    mask, text = (each[block.inner_start : block.inner_end] for each in (doc.code, doc.text))
    return "".join(char for masked, char in zip(mask, text, strict=True) if masked != BLOCK).rstrip("\n")


def flat(code: str) -> str:
    """Inline code on one line, without the markers of quotes."""
    return re.sub(r"\s*\n[>\s]*", " ", code).strip().replace("\\|", "|")


def test_a_label_or_anchor_stays_with_the_heading_below_it() -> None:
    rst = "Title\n=====\n\nText of the title.\n\n.. _here:\n\nBelow\n-----\n\nText.\n"
    markdown = '# Title\n\nText of the title.\n\n<a id="here"></a>\n\n## Below\n\nText.\n'
    for format, text in (("rst", rst), ("markdown", markdown)):
        texts = [unit.text for unit in divide(parse(text, format=format), max_chars=40)]
        assert texts[0].endswith("Text of the title.")
        assert texts[1].startswith((".. _here:", '<a id="here">'))


def test_code_at_the_start_of_a_block_belongs_to_it() -> None:
    doc = parse("A line.\n\n`code` is here.\n\n- `more` is there.\n- [a](b) link.\n")
    assert doc.prose.count(f"{BLOCK}{INLINE * 6} is") == 2
    assert f"{BLOCK}{INLINE}a{INLINE * 4} link" in doc.prose
