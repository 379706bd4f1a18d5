"""The word lists: each is documented, free of repetitions and in use; a wrong tag is an error."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from degraders.lexicon import mapping, phrases, word_set

ROOT = Path(__file__).resolve().parents[1]
LISTS = sorted((ROOT / "degraders" / "data" / "words").glob("*.txt"))
SOURCES = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "degraders").rglob("*.py"))


@pytest.mark.parametrize("path", LISTS, ids=lambda path: path.stem)
def test_each_list_says_what_it_is_with_origin_and_licence(path: Path) -> None:
    header = [line for line in path.read_text(encoding="utf-8").splitlines() if line.startswith("#")]
    assert len(header) >= 3
    assert header[-2].startswith("# Origin: ")
    assert header[-1].startswith("# Licence: ")


@pytest.mark.parametrize("path", LISTS, ids=lambda path: path.stem)
def test_no_entry_is_repeated(path: Path) -> None:
    entries = [line for line in path.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    assert [entry for entry, times in Counter(entries).items() if times > 1] == []
    assert "" not in entries


@pytest.mark.parametrize("name", [path.stem for path in LISTS])
def test_each_list_is_read_by_a_module(name: str) -> None:
    assert f'"{name}"' in SOURCES


def test_an_unknown_tag_is_an_error() -> None:
    for read in (mapping, phrases, word_set):
        with pytest.raises(ValueError, match=r"adverbs\.txt has no entry with the tag 'slow'"):
            read("adverbs", "slow")


def test_a_tag_selects_the_entries_that_carry_it() -> None:
    assert {"is", "been"} < word_set("function_words", "be") < word_set("function_words")
    assert mapping("bare_nouns")["default"] == ("by",)
    assert phrases("openings")[0] == "However"
