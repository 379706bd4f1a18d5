"""The guard: which answers it accepts, which it rejects, and for which reason."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

from fixer.guard import Limits, guard, keeps_protected

pytestmark = pytest.mark.fixer

SAMPLES = sorted((Path(__file__).resolve().parents[1] / "sample_docs").rglob("*.md"))

TEXT = """# Install

Run `pip install tool` too get the [newest release](https://example.org/tool). Than read on:

```sh
tool --init
tool run
```

It work's on Linux.
"""


def verdict(text: str, answer: str, format: str = "markdown") -> str:
    return guard(text, answer, format=format, ended=True)


def test_a_repair_is_accepted() -> None:
    good = TEXT.replace("too get", "to get").replace("Than", "Then").replace("work's", "works")
    assert verdict(TEXT, good) == ""


def test_the_unchanged_text_is_accepted() -> None:
    assert verdict(TEXT, TEXT) == ""
    assert verdict("", "") == ""


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ("", "empty"),
        (" \n", "empty"),
        (TEXT + "And then it went on and on about it. ", "length"),
        (TEXT[:120], "length"),
        (TEXT.replace("tool run", "tool ran"), "protected"),
        (TEXT.replace("tool run\n", "tool run\ntool end\n"), "protected"),
        (TEXT.replace("tool --init\n", ""), "protected"),
        (TEXT.replace("pip install tool", "pip install tools"), "protected"),
        (TEXT.replace("example.org/tool", "example.org/tool/new"), "protected"),
        (TEXT.replace("https://example.org/tool", "https://example.com/tool"), "protected"),
        (TEXT.replace("Linux", "https://a.io"), "protected"),
        (TEXT.replace("It work's on Linux.", "Sit back, worry less."), ""),
        (TEXT.upper().replace("TOO", "to"), "too much changed"),
    ],
)
def test_unsafe_answers_are_rejected_with_their_reason(answer: str, reason: str) -> None:
    assert verdict(TEXT, answer) == reason


def test_an_answer_without_an_end_is_rejected_whatever_it_contains() -> None:
    assert guard(TEXT, TEXT, format="markdown", ended=False) == "no end"


@pytest.mark.parametrize(
    ("bad", "good"),
    [
        ("```sh\ntool run\n\nThen wait for it.\n", "```sh\ntool run\n```\n\nThen wait for it.\n"),
        ("See [the guide](https://a.io/b for more.\n", "See [the guide](https://a.io/b) for more.\n"),
        ("See [the guide] (https://a.io/b).\n", "See [the guide](https://a.io/b).\n"),
        ("See (the guide)[install.md].\n", "See [the guide](install.md).\n"),
        ("Set `debug to `true` here.\n", "Set `debug` to `true` here.\n"),
        ("Set debug_mode here.\n", "Set `debug_mode` here.\n"),
        ("##How to run\n\nSo.\n", "## How to run\n\nSo.\n"),
        ("Call register() and go.\n", "Call `register()` and go.\n"),
        ("Press <kbd>A here.\n", "Press <kbd>A</kbd> here.\n"),
        ("1. Run `b`.\n2. Run `a`.\n", "1. Run `a`.\n2. Run `b`.\n"),
        ("``` sh\nrun\n```\n", "```sh\nrun\n```\n"),
    ],
)
def test_markup_around_protected_text_may_be_repaired(bad: str, good: str) -> None:
    assert verdict(bad, good) == ""


@pytest.mark.parametrize(
    ("text", "answer", "format"),
    [
        ("---\ntitle: A\n---\n\nHello ther.\n", "---\ntitle: B\n---\n\nHello there.\n", "markdown"),
        ("Press <kbd>A</kbd> now.\n", "Press <kbd>A now.\n", "markdown"),
        ("Use ``tox -e py`` here.\n", "Use ``tox -e all`` here.\n", "rst"),
        ("Run it::\n\n   x = 1\n", "Run it::\n\n   x = 2\n", "rst"),
        ("See `a`, then `a`.\n", "See `a`, then `b`.\n", "markdown"),
        ("Use -v here.\n", "Use -verbose here.\n", "markdown"),
    ],
)
def test_protected_text_of_every_kind_is_kept(text: str, answer: str, format: str) -> None:
    assert verdict(text, answer, format) == "protected"


def test_a_word_is_a_large_share_of_a_short_text() -> None:
    assert verdict("Its done.", "It is finally done.") == ""
    assert guard("Its done.", "It is done.", format="markdown", ended=True, limits=Limits(slack=0)) == "length"


@pytest.mark.parametrize("limits", [{"min_length": 1.2}, {"max_length": 0.9}, {"max_change": -0.1}, {"slack": -1}])
def test_wrong_limits_are_refused(limits: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"own length|negative"):
        Limits(**limits)


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.name)
def test_changes_in_the_prose_of_real_documents_keep_protected_text(path: Path) -> None:
    from degraders.text.document import WORD
    from degraders.text.parse import parse

    text = path.read_text(encoding="utf-8")
    words = [match for match in WORD.finditer(parse(text).prose) if len(match[0]) > 4]
    for match in random.Random(0).sample(words, min(20, len(words))):
        assert keeps_protected(text, text[: match.start()] + match[0][::-1] + text[match.end() :], "markdown"), match
