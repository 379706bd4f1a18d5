"""Dialects of Markdown: a document of each in `dialects/`, with all its constructs, written for this test.

Beside each document stands `<name>.marks`: one character for each of its characters, line by line, tells what it is:
`p` running text, `t` a title or a cell, `.` no prose and not protected, and else the kind of protected text.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest
from docutils.core import publish_doctree
from docutils.nodes import literal
from markdown_it import MarkdownIt
from markdown_it.token import Token
from mdit_py_plugins.admon import admon_plugin
from mdit_py_plugins.amsmath import amsmath_plugin
from mdit_py_plugins.colon_fence import colon_fence_plugin
from mdit_py_plugins.deflist import deflist_plugin
from mdit_py_plugins.front_matter import front_matter_plugin
from mdit_py_plugins.myst_blocks import myst_block_plugin
from mdit_py_plugins.myst_role import myst_role_plugin
from support import assert_lawful, heavy, outcomes, variants, whole

from degraders.catalogue import all_degraders
from degraders.dataset.sources import FORMAT_BY_ENDING
from degraders.engine import Degradation
from degraders.text.dialects import CONSTRUCTS
from degraders.text.document import BLOCK, INLINE, Document
from degraders.text.parse import parse
from degraders.text.units import divide

FOLDER = Path(__file__).parent / "dialects"
PATHS = sorted(path for path in FOLDER.iterdir() if path.suffix in FORMAT_BY_ENDING)
DIALECTS = {
    **{
        "mixed.md": "mkdocs",
        "components.mdx": "mdx",
        "comment.md": "gfm",
        "docfx.md": "docfx",
        "docusaurus.mdx": "mdx",
        "hugo.md": "hugo",
        "jekyll.md": "jekyll",
    },
    **{"mkdocs.md": "mkdocs", "myst.md": "myst", "plain.md": "gfm", "sphinx.rst": "", "toml.md": "gfm"},
    "vitepress.md": "vitepress",
}
MARKS = {
    **{"code": "C", "fence": "F", "code_span": "c", "url": "u", "target": "l", "front_matter": "M", "html": "h"},
    **{"math": "m", "directive": "D"},
}
DEGRADERS = all_degraders()
BLANK = (BLOCK, INLINE)


@cache
def document(path: Path) -> Document:
    return parse(path.read_text(encoding="utf-8"), doc_id=path.name, format=FORMAT_BY_ENDING[path.suffix])


def marks(doc: Document) -> list[str]:
    """For each line of a document, what each of its characters is."""
    out = [
        "p" if body not in BLANK else "t" if prose not in BLANK else "."
        for prose, body in zip(doc.prose, doc.body, strict=True)
    ]
    for start, end, kind in doc.protected:
        out[start:end] = MARKS[kind] * (end - start)
    lines, at = [], 0
    for line in doc.text.split("\n"):
        lines.append("".join(out[at : at + len(line)]))
        at += len(line) + 1
    return lines


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.name)
def test_each_character_is_prose_or_protected_as_the_dialect_says(path: Path) -> None:
    expected = path.with_name(f"{path.name}.marks").read_text(encoding="utf-8")
    lines = document(path).text.split("\n")
    for number, (line, actual, mark) in enumerate(zip(lines, marks(document(path)), expected.split("\n"), strict=True)):
        assert actual == mark, f"{path.name}:{number + 1}: {line}"


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.name)
def test_the_dialect_is_recognised(path: Path) -> None:
    assert document(path).dialect == DIALECTS[path.name]


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.name)
def test_line_ends_do_not_change_what_is_protected(path: Path) -> None:
    doc = document(path)
    dos = parse(doc.text.replace("\n", "\r\n"), doc_id=path.name, format=doc.format)
    assert [mark[:-1] for mark in marks(dos)[:-1]] == marks(doc)[:-1]


@pytest.mark.parametrize("seeds", [1, pytest.param(20, marks=pytest.mark.slow)])
@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.name)
def test_no_degrader_harms_a_dialect(path: Path, seeds: int) -> None:
    doc = document(path)
    kinds = "\n".join(marks(doc))
    for unit in (whole(doc), *(divide(doc, max_chars=800) if seeds > 1 else [])):
        for item in DEGRADERS.values():
            for seed in range(seeds):
                variant = Degradation(unit, heavy((item,), seed)).variant(0)
                if variant:
                    assert_lawful(unit, variant)
                if variant and item.family == "code":
                    spans = [error.span for error in variant.errors]
                    acted_on = {
                        kinds[at]
                        for span in spans
                        for at in range(unit.start + span.good_start, unit.start + span.good_end)
                    }
                    assert acted_on <= {"C", "\n"}, item.name


def test_a_named_dialect_has_its_own_constructs_only() -> None:
    text = "!!! note\n\n    The body of it.\n\n```{note}\nThe other body.\n```\n"
    blocks = {name: len(parse(text, dialect=name).regions.get("code_block", ())) for name in CONSTRUCTS}
    assert blocks == {name: {"mkdocs": 1, "mdx": 1, "myst": 1}.get(name, 2) for name in CONSTRUCTS}
    assert "code_block" not in parse(text).regions
    assert parse(text, dialect="mkdocs").dialect == "mkdocs"


# Other parsers


def tokens_of(text: str, *plugins: Callable[..., None]) -> Iterator[Token]:
    """All tokens of markdown-it-py with the plugins, those within lines included."""
    parser = MarkdownIt("commonmark").enable("table")
    for plugin in plugins:
        parser.use(plugin)
    for token in parser.parse(text):
        yield token
        yield from token.children or ()


def texts_of(doc: Document, kind: str) -> list[str]:
    return [doc.text[region.start : region.end] for region in doc.regions.get(kind, ())]


def code_blocks(doc: Document) -> list[str]:
    """The contents of the blocks of code, without indentation."""
    blocks = [doc.code[region.start : region.end].replace(BLOCK, "") for region in doc.regions.get("code_block", ())]
    return ["".join(line.lstrip() for line in block.splitlines(keepends=True)).strip() for block in blocks]


def test_code_in_admonitions_and_definitions_is_what_markdown_it_says() -> None:
    text = document(FOLDER / "mkdocs.md").text
    text = text.replace("=== ", "!!! tab ").replace("///", "")  # the plugin knows neither tabs nor slashes
    tokens = tokens_of(text, front_matter_plugin, admon_plugin, deflist_plugin)
    contents = [token.content for token in tokens if token.type in ("fence", "code_block")]
    expected = ["".join(line.lstrip() for line in code.splitlines(keepends=True)).strip() for code in contents]
    assert code_blocks(parse(text)) == expected


def test_syntax_of_myst_is_what_markdown_it_says() -> None:
    doc = document(FOLDER / "myst.md")
    plugins = (front_matter_plugin, colon_fence_plugin, myst_role_plugin, myst_block_plugin, amsmath_plugin)
    tokens = list(tokens_of(doc.text, *plugins))
    roles = [(token.meta["name"], token.content) for token in tokens if token.type == "myst_role"]
    spans = doc.regions["role"]
    assert [(role.info, doc.text[role.inner_start : role.inner_end]) for role in spans] == roles
    labels = [f"({token.content})=" for token in tokens if token.type == "myst_target"]
    assert [text for text in texts_of(doc, "definition") if text.endswith("=")] == labels
    formulas = [token.content.strip() for token in tokens if token.type == "amsmath"]
    assert [text for text in texts_of(doc, "math_block") if text.startswith("\\")] == formulas


@pytest.mark.parametrize(
    "text",
    [
        *("``a`b``", "```a```", "``:ref:`x```", "``a``b``", "a ``b`` c ``d`` e", "``a`` ``b``", "``a ``b``"),
        *("``a\\`` b", "(``a``)", "``:ref:`x` of it`` too", "x``a`` ``b``", "``a`` b``", "`` a``", "``a"),
    ],
)
def test_literals_are_what_docutils_says(text: str) -> None:
    tree = publish_doctree(text, settings_overrides={"report_level": 5})
    doc = parse(text, format="rst")
    literals = [doc.text[span.inner_start : span.inner_end] for span in doc.regions.get("code_span", ())]
    assert literals == [node.astext() for node in tree.findall(literal)]


def test_shell_variables_are_no_formula_beside_formulas() -> None:
    doc = parse("Set $name to `a` of $name here.\n\n$$\nx\n$$\n\nLet $x_i + y$ be $5 or $10.\n")
    assert [doc.text[start:end] for start, end, kind in doc.protected if kind == "math"] == ["$$\nx\n$$", "$x_i + y$"]
    assert texts_of(doc, "code_span") == ["`a`"]


def test_digits_stay_in_their_script() -> None:
    for text in ("Version ۳ of the tool takes ۲۰۰ files.\n", "Use port ８０８０. The log names port ８０８０ too.\n"):
        bads = outcomes("content.stale_number", text)
        assert bads
        for bad in bads:
            assert not re.search("[0-9]", bad)


def test_nothing_comes_between_a_label_and_its_heading() -> None:
    text = "Some text of the page.\n\n(label)=\n# The title\n\nThe first paragraph is long enough for all of them.\n"
    for item in DEGRADERS.values():
        if item.name != "structure.heading_dropped":
            for variant in variants(text, item, seeds=20):
                assert re.search(r"\(label\)=\n\n?(?:#|\*\*)", variant.bad), (item.name, variant.bad)
