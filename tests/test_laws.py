"""The three laws for every degrader: records are exact, deterministic and contained.

Containment is also checked with a parser (markdown-it-py) that is independent of the one that protects the text.
"""

from __future__ import annotations

from collections import Counter
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from support import assert_lawful, heavy, whole

from degraders.catalogue import all_degraders
from degraders.dataset.sources import FORMAT_BY_ENDING, Source, decode
from degraders.engine import Degradation, Plan
from degraders.text.document import Document, Unit
from degraders.text.parse import parse
from degraders.text.units import divide

ROOT = Path(__file__).resolve().parents[1]
REAL_DOCS = ROOT.parent / "shared" / "data" / "docs"
DEGRADERS = all_degraders()
KEEPS_BLOCKS = {"spelling", "grammar", "style"}


def sources(folder: Path) -> list[Source]:
    paths = sorted(path for path in folder.rglob("*") if path.suffix in FORMAT_BY_ENDING)
    texts = [(path, decode(path.read_bytes())) for path in paths]
    return [
        Source(path.relative_to(folder).as_posix(), FORMAT_BY_ENDING[path.suffix], text) for path, text in texts if text
    ]


@cache
def sample_units() -> list[Unit]:
    return [unit for source in sources(ROOT / "sample_docs") for unit in divide(parsed(source))]


def parsed(source: Source) -> Document:
    return parse(source.text, doc_id=source.doc_id, format=source.format)


@st.composite
def spliced(draw: st.DrawFn) -> tuple[str, str]:
    """A format, and a text of pieces of the sample documents with random characters between them."""
    format = draw(st.sampled_from(["markdown", "rst", "text"]))
    pool = [unit.text for unit in sample_units() if unit.doc.format == format]
    pieces = draw(st.lists(st.sampled_from(pool), min_size=1, max_size=3))
    odd = draw(st.text(alphabet="ab `*_[]()<>#-|:$\\\n\t{}\"'.1é中🎉\r", max_size=40))
    return format, f"\n\n{odd}\n\n".join(pieces)


@pytest.mark.parametrize("name", DEGRADERS)
@settings(max_examples=12, deadline=None)
@given(document=spliced(), seed=st.integers(0, 2**32))
def test_every_degrader_obeys_the_laws(name: str, document: tuple[str, str], seed: int) -> None:
    format, text = document
    plan = heavy((DEGRADERS[name],), seed)
    unit = whole(parse(text, doc_id="d", format=format))
    variant = Degradation(unit, plan).variant(0)
    again = Degradation(whole(parse(text, doc_id="d", format=format)), plan).variant(0)
    assert (variant and variant.bad) == (again and again.bad)
    if variant:
        assert_lawful(unit, variant)
        assert {error.degrader.name for error in variant.errors} == {name}


@settings(max_examples=60, deadline=None)
@given(text=st.text(max_size=300), format=st.sampled_from(["markdown", "rst", "text"]), seed=st.integers(0, 99))
def test_any_text_obeys_the_laws(text: str, format: str, seed: int) -> None:
    unit = whole(parse(text, doc_id="d", format=format))
    variant = Degradation(unit, heavy(tuple(DEGRADERS.values()), seed)).variant(0)
    if variant:
        assert_lawful(unit, variant)


@pytest.mark.parametrize("folder", [ROOT / "sample_docs", pytest.param(REAL_DOCS, marks=pytest.mark.slow)])
def test_all_documents_obey_the_laws_and_every_degrader_acts(folder: Path) -> None:
    if not folder.is_dir():
        pytest.skip(f"the folder {folder.name} is missing")
    uses: Counter[str] = Counter()
    plan = heavy(tuple(DEGRADERS.values()), 42)
    for source in sources(folder):
        for unit in divide(parsed(source)):
            degradation = Degradation(unit, plan)
            for number in range(3):
                variant = degradation.variant(number)
                if variant:
                    assert_lawful(unit, variant)
                    uses.update({error.degrader.name for error in variant.errors})
    if folder == REAL_DOCS:
        assert set(DEGRADERS) <= set(uses), set(DEGRADERS) - set(uses)


@pytest.mark.parametrize("folder", [ROOT / "sample_docs", pytest.param(REAL_DOCS, marks=pytest.mark.slow)])
def test_another_parser_finds_the_same_code_after_degrading(folder: Path) -> None:
    if not folder.is_dir():
        pytest.skip(f"the folder {folder.name} is missing")
    degraders = tuple(item for item in DEGRADERS.values() if item.family in KEEPS_BLOCKS and not item.touches)
    plan = heavy(degraders, 7)
    compared = 0
    for source in sources(folder):
        if source.format != "markdown" or "{{" in source.text:
            continue
        for unit in divide(parsed(source)):
            variant = Degradation(unit, plan).variant(0)
            if variant:
                assert code_in(variant.bad) == code_in(unit.text), unit.doc.doc_id
                compared += 1
    assert compared > 20


def code_in(text: str) -> list[str]:
    """The contents of fences, indented code and inline code, in order, as markdown-it-py parses them."""
    contents = []
    for token in MarkdownIt("commonmark").enable("table").parse(text):
        if token.type in ("fence", "code_block"):
            contents.append(token.content)
        contents += [child.content for child in token.children or () if child.type == "code_inline"]
    return contents


def test_a_variant_does_not_depend_on_other_documents() -> None:
    """A variant depends on its own document, unit and number alone, not on earlier ones."""
    plan = Plan(tuple(DEGRADERS.values()), seed=42)
    first = [Degradation(unit, plan).variant(1) for unit in sample_units()]
    second = [Degradation(unit, plan).variant(1) for unit in reversed(sample_units())]
    assert [v and v.bad for v in first] == [v and v.bad for v in reversed(second)]


def test_a_variant_does_not_depend_on_earlier_variants() -> None:
    plan = Plan(tuple(DEGRADERS.values()), seed=42)
    for unit in sample_units():
        together = Degradation(unit, plan)
        in_order = [together.variant(number) for number in range(3)]
        alone = [Degradation(unit, plan).variant(number) for number in range(3)]
        assert [v and v.bad for v in in_order] == [v and v.bad for v in alone]


def test_variants_and_seeds_give_different_texts() -> None:
    plan, other = (Plan(tuple(DEGRADERS.values()), seed=seed, identity_rate=0.0) for seed in (1, 2))
    unit = max(sample_units(), key=lambda unit: len(unit.text))
    bad_texts = {v.bad for n in range(5) if (v := Degradation(unit, plan).variant(n))}
    assert len(bad_texts) == 5
    assert Degradation(unit, other).variant(0) != Degradation(unit, plan).variant(0)
