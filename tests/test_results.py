"""The results of an evaluation: the figures beside those of copy, the CSV, the summary and the HTML report."""

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
from scoring.page import render_report, select_examples
from scoring.repairs import EXTRA, HARM, MISSED, REPAIRED, WRONG, annotate_prediction
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
    aligned = zip(align_spans(bad, good), (*families, *[""] * 9), strict=False)
    spans = tuple(
        span._replace(label=f"{family}.it" if family else "", family=family, recoverable="A")
        for span, family in aligned
    )
    labels = tuple(sorted({span.label for span in spans} - {""}))
    return Pair(name, "Guide > Start", "markdown", bad, good, spans, labels, "test", **more)


def results(
    *answered: tuple[Pair, str], raw: dict[int, str] | None = None, problems: dict[int, str] | None = None
) -> Results:
    predictions = []
    for number, (one, text) in enumerate(answered):
        answer = (raw or {}).get(number, text)
        reason = "protected" if answer != text else ""
        problem = (problems or {}).get(number, "")
        predictions.append(
            Prediction(one.id, answer, text, problem, guard=reason, tokens=7, chunks=1, refused=bool(reason))
        )
    pairs = [one for one, _ in answered]
    return assess_predictions(pairs, predictions, seed=1, guarded=True, refused_good_texts=1, progress=list)


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


# Annotations


def kinds(text: str, *, of: Pair = SOME[0][0]) -> list[tuple[str, str]]:
    return [(text[item.start : item.end], item.kind) for item in annotate_prediction(of, text)]


def test_annotations_have_the_outcome_of_each_error_and_the_extra_edits() -> None:
    assert kinds(HALF) == [("receive", REPAIRED), ("minute", MISSED)]
    assert kinds(BAD.replace("minute.", "hours.")) == [("recieve", MISSED), ("hours", WRONG)]
    assert kinds(HARMED) == [("2", HARM), ("receive", REPAIRED), ("minutes", REPAIRED)]
    assert kinds(GOOD.replace("wait", "sleep")) == [("receive", REPAIRED), ("sleep", EXTRA), ("minutes", REPAIRED)]
    assert kinds(GOOD.replace("And ", "")) == [("receive", REPAIRED), ("", EXTRA), ("minutes", REPAIRED)]


def test_annotations_have_their_place_in_all_three_texts() -> None:
    for _, text in SOME[:6]:
        for item in annotate_prediction(SOME[0][0], text):
            texts = BAD[slice(*item.bad_range)], GOOD[slice(*item.good_range)]
            if item.span < 0:
                assert texts == (item.original, item.original)
            else:
                span = SOME[0][0].spans[item.span]
                assert texts == (span.bad, span.good)


# Figures


def test_figures_of_the_model_of_copy_and_without_the_guard() -> None:
    figures = EXAMPLES.figures
    assert (figures[COPY]["repair_recall"].value, figures[COPY]["over_correction"].value) == (0, 0)
    assert figures[MODEL]["exact_match"].value == pytest.approx(2 / 7)
    assert figures[MODEL]["harmed"].value == pytest.approx(1 / 7)
    assert figures[RAW]["harmed"].value == pytest.approx(2 / 7)
    measured = [figure for figure in figures[MODEL].values() if not math.isnan(figure.value)]
    assert all(figure.low <= figure.value <= figure.high for figure in measured)
    breakdowns = EXAMPLES.breakdowns[MODEL]
    spelling = breakdowns["family"]["spelling"]
    assert (spelling.spans, spelling.recall.value) == (6, pytest.approx(3 / 6))
    assert set(breakdowns["label"]) == {"spelling.it", "grammar.it"} and set(breakdowns["recoverable"]) == {"A"}
    assert EXAMPLES.categories["code"][0] == 1


def test_resamples_without_a_rare_label_do_not_count_as_perfect() -> None:
    rare = results((pair("rare", families=("code", "code")), BAD), *[SOME[2]] * 20)
    assert rare.breakdowns[MODEL]["family"]["code"].f05 == (0, 0, 0)


def test_the_summary_lists_broken_and_harmed_examples() -> None:
    summary = results_summary(EXAMPLES)
    assert summary["harm"] == {"inline code": 1} and summary["harmed"] == ["harmed"]
    assert summary["broken"] == {"no end": {"count": 1, "ids": ["refused"]}}
    assert summary["guard"]["reasons"] == {"protected": {"count": 1, "ids": ["refused"]}}
    assert summary["guard"]["good_texts_it_would_refuse"] == 1
    assert summary["figures"][COPY]["repair_f05"] == {"value": 0, "low": 0, "high": 0}
    assert summary["by_family"]["grammar"][COPY]["recall"]["value"] == 0
    assert summary["by_category"]["code"]["pairs"] == 1


def test_one_row_per_example_in_the_order_of_the_data() -> None:
    rows = list(csv.DictReader(io.StringIO(examples_csv(EXAMPLES), newline="")))
    assert [row["id"] for row in rows] == [one.id for one, _ in SOME]
    assert all((row["bad"], row["good"]) == (one.bad, one.good) for row, (one, _) in zip(rows, SOME, strict=True))
    assert [row["prediction"] for row in rows] == [text for _, text in SOME]
    assert [row["raw"] for row in rows] == ["", "", "", "", "", "", HARMED]
    assert set(COLUMNS) < set(rows[0])
    assert (rows[3]["harms"], rows[6]["guard"], rows[6]["problem"]) == ("inline code 1", "protected", "no end")
    assert (rows[0]["identity_altered"], rows[4]["identity_altered"], rows[4]["identity"]) == ("", "0", "1")
    assert rows[0]["labels"] == "grammar.it, spelling.it"


def test_the_table_has_an_interval_for_each_figure() -> None:
    table = results_table(EXAMPLES, "lora_out", results_facts(EXAMPLES))
    head, first, *_ = table.splitlines()
    assert head.split() == ["lora_out", "copy", "unguarded"]
    assert re.fullmatch(r"span repair F0\.5 +\d\.\d+ \(\d\.\d+ to \d\.\d+\) +0\.000 \(.*\) +\d.*", first)
    assert "inline code 1" in table and "no end 1 (refused)" in table and "refused 1 of 7 answers" in table


def test_small_and_missing_figures_are_formatted() -> None:
    figures = EXAMPLES.figures[MODEL]
    assert (
        format_figure(figures["exact_match"]._replace(value=0.0004, low=0, high=0.00049)) == "0.0004 (0.000 to 0.0005)"
    )
    assert format_figure(figures["exact_match"]._replace(value=math.nan)) == "-"


# The report


def page(content: Results, title: str = "lora_out on dataset.jsonl") -> str:
    return render_report(
        content, title=title, system_name="lora_out", facts=[("pairs", "7")], signature="version:1|model:lora_out"
    )


def test_all_three_texts_are_complete_and_marked() -> None:
    reader, selected = Reader(page(EXAMPLES)), select_examples(EXAMPLES.examples)
    for number, example in enumerate(selected, 1):
        assert reader.texts[f"r{number}", "input"] == example.pair.bad
        assert reader.texts[f"r{number}", "answer"] == example.prediction.text
        assert reader.texts[f"r{number}", "good"] == example.pair.good
    assert reader.marks["r1", "answer"] == [("o-harm", "2"), ("o-repaired", "receive"), ("o-repaired", "minutes")]
    assert reader.marks["r1", "input"] == [("o-harm", "1"), ("o-repaired", "recieve"), ("o-repaired", "minute")]


def test_harmed_examples_come_first_and_exact_ones_last() -> None:
    order = [example.pair.id for example in select_examples(EXAMPLES.examples)]
    assert order[:2] == ["harmed", "refused"]
    assert order[-1] == "whole"


def test_the_report_has_the_worst_and_the_best_of_each_family() -> None:
    rare = (pair("rare", families=("encoding", "encoding")), BAD)
    many = results(SOME[3], *[SOME[0]] * 100, rare, *[SOME[2]] * 100)
    ids = [example.pair.id for example in select_examples(many.examples)]
    assert ids[0] == "harmed" and "rare" in ids and ids[-1] == "whole" and len(ids) < 60


@pytest.mark.parametrize("text", ["", GOOD * 3, "wholly other\r\nwords", BAD.replace("\n\n", "\n"), GOOD[:40]])
def test_any_answer_is_displayed_completely(text: str) -> None:
    reader = Reader(page(results((pair("a"), text), (pair("b", "", ""), ""), raw={0: text + "x"})))
    assert reader.texts.get(("r1", "answer"), "") == text


def test_lines_far_from_any_change_are_folded_but_present() -> None:
    long = "".join(f"Line {at}.\n" for at in range(60))
    bad, good = long + "teh end\n" + long, long + "the end\n" + long
    source = page(results((pair("long", bad, good), good)))
    assert source.count('class="fold"') == 6
    assert 'data-lines="57 lines"' in source
    assert Reader(source).texts["r1", "answer"] == good


def test_html_in_the_data_is_escaped() -> None:
    evil = pair(NASTY, NASTY + "\na", NASTY + "\nb", families=(NASTY,), category=NASTY)
    reader = Reader(page(results((evil, NASTY), raw={0: NASTY * 2}, problems={0: NASTY}), title=NASTY))
    assert reader.tags.count("script") == 1
    assert "img" not in reader.tags


def test_the_report_loads_nothing_and_is_deterministic() -> None:
    source = page(EXAMPLES)
    assert_loads_nothing(source)
    assert source == page(results(*SOME, raw={6: HARMED}, problems={6: "no end"}))


def test_the_verdict_and_the_refused_answer_are_reported() -> None:
    source = page(EXAMPLES)
    assert "Harm in 1 of 7 texts" in source and "Without the guard: 2." in source
    assert "The refused answer: protected" in source
    assert "No harm." in page(results(SOME[2]))


def test_the_length_of_a_bar_is_its_figure() -> None:
    (width,) = re.findall(r'f-spelling"><span class="name">.*?<rect x="0" y="5" width="([\d.]+)"', page(EXAMPLES))
    assert float(width) == pytest.approx(100 * EXAMPLES.breakdowns[MODEL]["family"]["spelling"].f05.value, abs=0.01)


def test_unlabelled_spans_have_their_own_filter() -> None:
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
    assert f'<b id="visible">{len(ids)}</b>' in dom


@needs_browser
def test_a_click_filters_by_family(tmp_path: Path) -> None:
    rare = (pair("rare", families=("code", "code")), GOOD)
    dom = in_browser(page(results(*SOME, rare)), tmp_path, clicks="[data-family=code]")
    assert '<b id="visible">1</b>' in dom and 'data-family="code" aria-pressed="true"' in dom
