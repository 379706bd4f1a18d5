"""Dialects of Markdown: a document of each in `dialects/`, with all its constructs, written for this test.

Beside each document stands `<name>.marks`: one character for each of its characters, line by line, tells what it is:
`p` running text, `t` a title or a cell, `.` no prose and not protected, and else the kind of protected text.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest
from support import assert_lawful, heavy, whole

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
