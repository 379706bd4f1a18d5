"""The results: figures beside copy, rows, and a page on which every text stands whole and harm comes first."""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("numpy")

from pages import NASTY, Reader, assert_loads_nothing, in_browser, needs_browser

from degraders.dataset.pairs import Pair, Span, align_spans
from fixer.predictions import Prediction
from scoring.metrics import COLUMNS, UNLABELLED
from scoring.page import choose_examples, render_report
from scoring.repairs import HARM, MISSED, REPAIRED, UNASKED, WRONG, marks
from scoring.results import (
    COPY,
    MODEL,
    RAW,
    Results,
    assess_predictions,
    examples_csv,
    format_figure,
    results_facts,
    results_summary,
    results_table,
)

pytestmark = pytest.mark.fixer

GOOD = "## Start\n\nRun `go 1` first.\n\nThen receive the key.\n\nAnd wait 5 minutes.\n"
BAD = GOOD.replace("receive", "recieve").replace("minutes", "minute")


def pair(
    name: str, bad: str = BAD, good: str = GOOD, families: Iterable[str] = ("spelling", "grammar"), **more: Any
) -> Pair:
    named = zip(align_spans(bad, good), (*families, *[""] * 9), strict=False)
    spans = tuple(s._replace(label=f"{f}.it" if f else "", family=f, recoverable="A") for s, f in named)
    labels = tuple(sorted({span.label for span in spans} - {""}))
    return Pair(name, "Guide > Start", "markdown", bad, good, spans, labels, "test", **more)


def results(
    *answered: tuple[Pair, str], raw: dict[int, str] | None = None, problems: dict[int, str] | None = None
) -> Results:
    made = []
    for number, (one, text) in enumerate(answered):
        said = (raw or {}).get(number, text)
        reason = "protected" if said != text else ""
        made.append(Prediction(one.id, said, text, (problems or {}).get(number, ""), reason, 7, 1, bool(reason)))
    pairs = [one for one, _ in answered]
    return assess_predictions(pairs, made, seed=1, guarded=True, rejected_good_texts=1, progress=list)


HALF = BAD.replace("recieve", "receive")
HARMED = GOOD.replace("`go 1`", "`go 2`")
SOME = [
    (pair("half"), HALF),
    (pair("copied"), BAD),
    (pair("whole"), GOOD),
    (pair("harmed", category="code"), HARMED),
    (pair("same", GOOD, GOOD), GOOD),
    (pair("other"), BAD.replace("minute.", "hours.")),
    (pair("refused"), BAD),
]
EXAMPLES = results(*SOME, raw={6: HARMED}, problems={6: "no end"})


# Where it stands


def kinds(text: str, *, of: Pair = SOME[0][0]) -> list[tuple[str, str]]:
    return [(text[mark.start : mark.end], mark.kind) for mark in marks(of, text)]


def test_marks_say_what_became_of_each_error_and_what_else_was_done() -> None:
    assert kinds(HALF) == [("receive", REPAIRED), ("minute", MISSED)]
    assert kinds(BAD.replace("minute.", "hours.")) == [("recieve", MISSED), ("hours", WRONG)]
    assert kinds(HARMED) == [("2", HARM), ("receive", REPAIRED), ("minutes", REPAIRED)]
    assert kinds(GOOD.replace("wait", "sleep")) == [("receive", REPAIRED), ("sleep", UNASKED), ("minutes", REPAIRED)]
    assert kinds(GOOD.replace("And ", "")) == [("receive", REPAIRED), ("", UNASKED), ("minutes", REPAIRED)]


def test_marks_know_the_place_in_all_three_texts() -> None:
    for _, text in SOME[:6]:
        for mark in marks(SOME[0][0], text):
            if mark.number < 0:
                assert BAD[slice(*mark.given)] == GOOD[slice(*mark.gold)] == mark.was
            else:
                span = SOME[0][0].spans[mark.number]
                assert (BAD[slice(*mark.given)], GOOD[slice(*mark.gold)]) == (span.bad, span.good)


# Figures


def test_figures_stand_beside_those_of_copy_and_without_the_guard() -> None:
    figures = EXAMPLES.figures
    assert (figures[COPY]["repair_recall"].value, figures[COPY]["over_correction"].value) == (0, 0)
    assert figures[MODEL]["exact_match"].value == pytest.approx(2 / 7)
    assert figures[MODEL]["harmed"].value == pytest.approx(1 / 7)
    assert figures[RAW]["harmed"].value == pytest.approx(2 / 7)
    assert all(
        found.low <= found.value <= found.high for found in figures[MODEL].values() if not math.isnan(found.value)
    )
    found = EXAMPLES.breakdowns[MODEL]
    assert (found["family"]["spelling"].spans, found["family"]["spelling"].recall.value) == (6, pytest.approx(3 / 6))
    assert set(found["label"]) == {"spelling.it", "grammar.it"} and set(found["recoverable"]) == {"A"}
    assert EXAMPLES.categories["code"][0] == 1


def test_a_rare_label_is_not_faultless_where_it_does_not_occur() -> None:
    rare = results((pair("rare", families=("code", "code")), BAD), *[SOME[2]] * 20)
    assert rare.breakdowns[MODEL]["family"]["code"].f05 == (0, 0, 0)


def test_the_summary_names_what_was_broken_and_harmed() -> None:
    told = results_summary(EXAMPLES)
    assert told["harm"] == {"inline code": 1} and told["harmed"] == ["harmed"]
    assert told["broken"] == {"no end": {"count": 1, "ids": ["refused"]}}
    assert told["guard"]["reasons"] == {"protected": {"count": 1, "ids": ["refused"]}}
    assert told["guard"]["good_texts_it_would_refuse"] == 1
    assert told["figures"][COPY]["repair_f05"] == {"value": 0, "low": 0, "high": 0}
    assert told["by_family"]["grammar"][COPY]["recall"]["value"] == 0
    assert told["by_category"]["code"]["pairs"] == 1


def test_a_row_an_example_in_the_order_of_the_data() -> None:
    rows = list(csv.DictReader(io.StringIO(examples_csv(EXAMPLES), newline="")))
    assert [row["id"] for row in rows] == [one.id for one, _ in SOME]
    assert all((row["bad"], row["good"]) == (one.bad, one.good) for row, (one, _) in zip(rows, SOME, strict=True))
    assert [row["prediction"] for row in rows] == [text for _, text in SOME]
    assert [row["raw"] for row in rows] == ["", "", "", "", "", "", HARMED]
    assert set(COLUMNS) < set(rows[0])
    assert (rows[3]["harms"], rows[6]["guard"], rows[6]["problem"]) == ("inline code 1", "protected", "no end")
    assert (rows[0]["identity_altered"], rows[4]["identity_altered"], rows[4]["identity"]) == ("", "0", "1")
    assert rows[0]["labels"] == "grammar.it, spelling.it"


def test_the_table_shows_an_interval_for_each_figure() -> None:
    told = results_table(EXAMPLES, "lora_out", results_facts(EXAMPLES))
    head, first, *_ = told.splitlines()
    assert head.split() == ["lora_out", "copy", "unguarded"]
    assert re.fullmatch(r"span repair F0\.5 +\d\.\d+ \(\d\.\d+ to \d\.\d+\) +0\.000 \(.*\) +\d.*", first)
    assert "inline code 1" in told and "no end 1 (refused)" in told and "refused 1 of 7 answers" in told


def test_numbers_small_and_not_to_be_had() -> None:
    figures = EXAMPLES.figures[MODEL]
    assert (
        format_figure(figures["exact_match"]._replace(value=0.0004, low=0, high=0.00049)) == "0.0004 (0.000 to 0.0005)"
    )
    assert format_figure(figures["exact_match"]._replace(value=math.nan)) == "-"


# The page


def page(found: Results, title: str = "lora_out on dataset.jsonl") -> str:
    return render_report(
        found, title=title, system_name="lora_out", facts=[("pairs", "7")], signature="version:1|model:lora_out"
    )


def test_all_three_texts_stand_whole_with_what_became_of_them() -> None:
    reader, chosen = Reader(page(EXAMPLES)), choose_examples(EXAMPLES.examples)
    for number, example in enumerate(chosen, 1):
        assert reader.texts[f"r{number}", "input"] == example.pair.bad
        assert reader.texts[f"r{number}", "answer"] == example.prediction.text
        assert reader.texts[f"r{number}", "gold"] == example.pair.good
    assert reader.marks["r1", "answer"] == [("o-harm", "2"), ("o-repaired", "receive"), ("o-repaired", "minutes")]
    assert reader.marks["r1", "input"] == [("o-harm", "1"), ("o-repaired", "recieve"), ("o-repaired", "minute")]


def test_harm_comes_first_and_what_is_good_last() -> None:
    order = [example.pair.id for example in choose_examples(EXAMPLES.examples)]
    assert order[:2] == ["harmed", "refused"]
    assert order[-1] == "whole"


def test_the_page_keeps_the_worst_and_the_best_of_each_family() -> None:
    rare = (pair("rare", families=("encoding", "encoding")), BAD)
    many = results(SOME[3], *[SOME[0]] * 100, rare, *[SOME[2]] * 100)
    ids = [example.pair.id for example in choose_examples(many.examples)]
    assert ids[0] == "harmed" and "rare" in ids and ids[-1] == "whole" and len(ids) < 60


@pytest.mark.parametrize("text", ["", GOOD * 3, "wholly other\r\nwords", BAD.replace("\n\n", "\n"), GOOD[:40]])
def test_any_answer_can_be_shown(text: str) -> None:
    reader = Reader(page(results((pair("a"), text), (pair("b", "", ""), ""), raw={0: text + "x"})))
    assert reader.texts.get(("r1", "answer"), "") == text


def test_what_is_far_from_any_change_is_folded_and_still_there() -> None:
    long = "".join(f"Line {at}.\n" for at in range(60))
    bad, good = long + "teh end\n" + long, long + "the end\n" + long
    source = page(results((pair("long", bad, good), good)))
    assert source.count('class="fold"') == 6
    assert 'data-lines="57 lines"' in source
    assert Reader(source).texts["r1", "answer"] == good


def test_what_the_data_holds_stays_text() -> None:
    evil = pair(NASTY, NASTY + "\na", NASTY + "\nb", families=(NASTY,), category=NASTY)
    reader = Reader(page(results((evil, NASTY), raw={0: NASTY * 2}, problems={0: NASTY}), title=NASTY))
    assert reader.tags.count("script") == 1
    assert "img" not in reader.tags


def test_the_page_loads_nothing_and_is_the_same_each_time() -> None:
    source = page(EXAMPLES)
    assert_loads_nothing(source)
    assert source == page(results(*SOME, raw={6: HARMED}, problems={6: "no end"}))


def test_the_verdict_and_the_refused_answer_are_told() -> None:
    source = page(EXAMPLES)
    assert "Harm in 1 of 7 texts" in source and "Without the guard: 2." in source
    assert "The answer that was refused: protected" in source
    assert "No harm." in page(results(SOME[2]))


def test_bars_are_as_long_as_the_figures() -> None:
    (width,) = re.findall(r'f-spelling"><span class="name">.*?<rect x="0" y="5" width="([\d.]+)"', page(EXAMPLES))
    assert float(width) == pytest.approx(100 * EXAMPLES.breakdowns[MODEL]["family"]["spelling"].f05.value, abs=0.01)


def test_spans_without_label_have_a_filter_of_their_own() -> None:
    plain = Pair("a", "", "text", BAD, GOOD, align_spans(BAD, GOOD))
    assert isinstance(plain.spans[0], Span)
    assert f'data-family="{UNLABELLED}"' in page(results((plain, HALF)))


@needs_browser
@pytest.mark.parametrize(
    ("address", "ids"),
    [
        ("", ["harmed", "refused", "other", "copied", "half", "same", "whole"]),
        ("#show=harm", ["harmed"]),
        ("#family=code", ["rare"]),
        ("#family=spelling&show=exact", ["whole"]),
        ("#q=copied", ["copied"]),
        ("#show=refused&q=nothing+of+it", []),
    ],
)
def test_the_filters_work_in_a_browser(tmp_path: Path, address: str, ids: list[str]) -> None:
    answered = [*SOME, *([(pair("rare", families=("code", "code")), GOOD)] if "code" in address else [])]
    source = page(results(*answered, raw={6: HARMED}, problems={6: "no end"}))
    dom = in_browser(source, tmp_path, address)
    cards = re.findall(r'<article ([^>]*)>.*?<span class="id">(.*?)</span>', dom, re.DOTALL)
    assert [name for attributes, name in cards if " hidden" not in attributes] == ids
    assert f'<b id="shown">{len(ids)}</b>' in dom


@needs_browser
def test_a_click_filters_by_family(tmp_path: Path) -> None:
    rare = (pair("rare", families=("code", "code")), GOOD)
    dom = in_browser(page(results(*SOME, rare)), tmp_path, clicks="[data-family=code]")
    assert '<b id="shown">1</b>' in dom and 'data-family="code" aria-pressed="true"' in dom
