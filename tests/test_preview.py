"""The preview page: it holds both texts in full, every error is marked, only the template's code runs."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from pages import NASTY, Reader, assert_loads_nothing, in_browser, needs_browser

from degraders.dataset.preview import render_preview
from degraders.taxonomy import FAMILIES

FACTS = [("documents", "3"), ("seed", "42")]


def record(name: str, good: str, *edits: tuple[str, str, str], **more: Any) -> dict[str, Any]:
    """A record whose `edits` are (good text, bad text, label), in the order of the text; `more` replaces fields."""
    spans: list[dict[str, Any]] = []
    bad, at = "", 0
    for good_text, bad_text, label in edits:
        start = good.index(good_text, at) if good_text else at
        bad += good[at:start]
        spans.append(
            {
                "start": len(bad),
                "end": len(bad) + len(bad_text),
                "token_start": len(bad.split()),
                "token_end": len((bad + bad_text).split()),
                "good_start": start,
                "good_end": start + len(good_text),
                "bad": bad_text,
                "good": good_text,
                "label": label,
                "family": label.split(".")[0],
                "recoverable": "A",
                "evidence": None,
            }
        )
        bad += bad_text
        at = start + len(good_text)
    return {
        "id": name,
        "doc_id": f"{name}.md",
        "format": "markdown",
        "context": "Guide > Install",
        "good": good,
        "bad": bad + good[at:],
        "spans": spans,
        "labels": sorted({label for *_, label in edits}),
        "severity": 0.1,
        "split": "train",
        "variant": 0,
        "seed": 42,
        **more,
    }


def page(*records: dict[str, Any]) -> str:
    return render_preview(records, title="dataset.jsonl", facts=FACTS)


RECORDS = [
    record(
        "plain",
        "Its parts are received.\n\nThen stop.",
        ("Its", "It's", "spelling.confusable"),
        ("received", "recieved", "spelling.misspell_common"),
        ("Then", "Just", "style.hedge"),
    ),
    record(
        "lost",
        "Run it.\n\nNow stop.",
        ("\n\nNow", "", "content.drop_unit"),
        ("", "  ", "markup.emphasis_blank"),
    ),
    record("same", "Nothing is wrong.\n", split="test"),
    record(
        "scripts",
        "重启 🚀👩🏽‍💻 أعد تشغيل\r\nend\r\n",
        ("🚀", "é\xa0", "encoding.invisible"),
        ("تشغيل", "تشغل", "spelling.typo"),
    ),
    record(NASTY, NASTY + "\n" + NASTY, ("<script>", NASTY, "code.bracket"), ("\n", "\n\n", NASTY), context=NASTY),
    record("code", "```py\n    a\n```\n", ("    a\n```", "\ta\n", "code.indentation")),
]


@pytest.mark.parametrize("number", range(len(RECORDS)))
def test_both_texts_are_complete_and_every_span_is_marked(number: int) -> None:
    source, reader = RECORDS[number], Reader(page(*RECORDS))
    for side in ("bad", "good"):
        if not source["spans"] and side == "bad":
            continue
        section = (f"r{number + 1}", side)
        assert reader.texts[section] == source[side]
        assert [text for _, text in reader.marks.get(section, [])] == [span[side] for span in source["spans"]]


def test_markup_in_records_stays_text() -> None:
    in_records = page(record(NASTY, NASTY, context=NASTY, doc_id=NASTY, split=NASTY, format=NASTY))
    in_header = render_preview([RECORDS[4]], title=NASTY, facts=[(NASTY, NASTY)])
    for reader in (Reader(in_records), Reader(in_header)):
        assert reader.tags.count("script") == 1
        assert "img" not in reader.tags


def test_the_page_loads_nothing() -> None:
    assert_loads_nothing(page(*RECORDS[:4]))


def test_the_empty_side_of_an_error_is_a_caret() -> None:
    reader = Reader(page(RECORDS[1]))
    assert [classes for classes, _ in reader.marks["r1", "bad"]] == ["f-content none", "f-markup"]
    assert [classes for classes, _ in reader.marks["r1", "good"]] == ["f-content block", "f-markup none"]


def test_invisible_characters_get_a_sign() -> None:
    spaces = page(record("a", "a b", ("a b", "a  b", "grammar.punctuation")))
    assert '>a<i class="s"> </i><i class="s"> </i>b</mark>' in spaces
    no_break = page(record("a", "a b", ("a b", "a\xa0b\u200b", "encoding.invisible")))
    assert '>a<i class="v" data-c="NBSP">\xa0</i>b<i class="v" data-c="ZWSP">\u200b</i></mark>' in no_break
    emoji = page(record("a", "done", ("done", "done 👩🏽‍💻", "style.chatty")))
    assert ">done 👩🏽‍💻</mark>" in emoji


def test_evidence_is_marked_and_quoted() -> None:
    source = record("a", "Port 1 or port 1.", ("1", "2", "content.stale_number"))
    source["spans"][0].update(recoverable="C", evidence=[15, 16])
    html = page(source)
    assert '<span class="evidence" data-e="1">1</span>.' in html
    assert "evidence: “1”" in html


def test_a_long_error_is_cut_to_the_part_that_differs() -> None:
    long = "word " * 100
    html = page(record("a", long + "right", (long + "right", long + "wrong", "structure.bloat")))
    excerpts = re.search(r"<del>(.*?)</del>.*<ins>(.*?)</ins>", html)
    assert excerpts
    assert excerpts[1].startswith("…")
    assert excerpts[1].endswith("word wrong")
    assert len(excerpts[1]) < 100
    assert excerpts[2].endswith("word right")


def test_an_identity_pair_has_one_text() -> None:
    html = page(RECORDS[2])
    assert html.count("Nothing is wrong.") == 1
    assert " data-identity>" in html
    assert "<mark" not in html.replace("<mark>", "")


def test_a_page_without_records() -> None:
    html = page()
    assert 'id="empty">' in html
    assert "<article" not in html
    Reader(html)


def test_the_same_records_give_the_same_page() -> None:
    assert page(*RECORDS) == page(*RECORDS)
    assert render_preview(iter(RECORDS), title="t", facts=()) == render_preview(RECORDS, title="t", facts=())


def test_the_page_has_counts_and_facts() -> None:
    html = page(*RECORDS[:4])
    assert "<dt>seed</dt><dd>42</dd>" in html
    assert re.findall(r'data-family="(\w+)"', html) == list(FAMILIES)
    assert "</span>spelling <small>3</small>" in html
    assert '<option value="style.hedge">style.hedge (1)</option>' in html
    assert '<option value="test">test (1)</option>' in html


def test_an_unknown_family_and_half_a_character_are_displayed() -> None:
    html = page(record("a", "ab", ("b", "\0\ud800", "custom.thing")))
    assert 'data-family="custom"' in html
    assert 'class="f-other"' in html
    html.encode("utf-8")


@needs_browser
@pytest.mark.parametrize(
    ("address", "clicks"),
    [
        ("#family=spelling,content&split=train", ""),
        ("#split=train", "[data-family=spelling],[data-family=content]"),
        ("#split=train&family=style", "[data-family=''],[data-family=spelling],[data-family=content]"),
    ],
)
def test_the_filter_works_in_a_browser(tmp_path: Path, address: str, clicks: str) -> None:
    dom = in_browser(page(*RECORDS), tmp_path, address, clicks)
    cards = re.findall(r'<article id="r(\d+)"([^>]*)>', dom)
    assert [number for number, attributes in cards if " hidden" not in attributes] == ["1", "2", "4"]
    assert '<b id="shown">3</b>' in dom
    assert dom.count('aria-pressed="true"') == 2


@needs_browser
def test_the_reset_button_displays_all_records(tmp_path: Path) -> None:
    dom = in_browser(page(*RECORDS), tmp_path, "#family=spelling&q=nothing", "#reset")
    assert f'<b id="shown">{len(RECORDS)}</b>' in dom
