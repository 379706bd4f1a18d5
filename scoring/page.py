"""The HTML report of an evaluation: the figures beside those of `copy`, the repairs by family, and examples.

The examples are sorted by damage: harm comes first, because that decides whether a fixer can be trusted.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import NamedTuple

from degraders import pages
from degraders.dataset.pairs import Pair, Span
from degraders.pages import escape, excerpt, family_class, invisible_pattern, render_text
from degraders.taxonomy import RECOVERABILITY
from scoring.figures import Breakdown
from scoring.metrics import UNLABELLED, format_harms
from scoring.repairs import EXTRA, HARM, MISSED, REPAIRED, WRONG, Annotation, annotate_prediction
from scoring.results import COPY, LEADING, LOWER_IS_BETTER, MODEL, Results, ScoredExample, figure_rows, format_figure

WORST, BEST = 24, 12
"""How many of the worst and of the best examples the page has; in addition a quarter as many of each family."""
MOST_LABELS = 60
TILES = {
    "harmed": "texts harmed",
    "repair_f05": "span repair F0.5",
    "exact_match": "exact match",
    "edit_distance_left": "remaining edit distance",
    "over_correction": "over-correction",
    "worse_than_input": "worse than the input",
}
CONTEXT_LINES, MIN_FOLDED_LINES = 2, 4
"""The lines that stay visible around a mark, and the fewest lines that are folded."""
OUTCOMES = {
    REPAIRED: "the error was replaced by the good text",
    WRONG: "the error was changed, but not to the good text",
    MISSED: "the error was not changed",
    EXTRA: "a change where there was no error",
    HARM: "a change of code, a link, a flag or a number where there was no error",
}
STATES = {
    "harm": "harmed",
    "worse": "worse than the input",
    "broken": "broken answer",
    "refused": "refused by the guard",
    "extra": "extra changes",
    "missed": "errors missed or wrong",
    "exact": "exact match",
}


def render_report(
    results: Results, *, title: str, system_name: str, facts: Sequence[tuple[str, str]], signature: str
) -> str:
    """The page; `system_name` is the evaluated system, `facts` are names and values for the header."""
    selected = select_examples(results.examples)
    families = Counter(family for example in selected for family in _families(example))
    states = Counter(state for example in selected for state in _states(example))
    values = {
        "title": escape(title),
        "facts": pages.facts_list(facts),
        "verdict": _verdict(results),
        "tiles": "\n".join(_tile(results, *tile) for tile in TILES.items()),
        "charts": "\n".join(_charts(results)),
        "tables": "\n".join(_tables(results, system_name)),
        "families": "\n".join(
            pages.family_chip(family, families[family]) for family in pages.order_families(families) if families[family]
        ),
        "states": "".join(
            pages.select_option(state, states[state], STATES[state]) for state in STATES if states[state]
        ),
        "outcomes": "".join(
            f'<dt><mark class="o-{key}">{key}</mark></dt><dd>{meaning}</dd>' for key, meaning in OUTCOMES.items()
        ),
        "total": str(len(selected)),
        "all": f"{len(results.examples):,}",
        "cards": "\n".join(_card(number, example) for number, example in enumerate(selected, 1)),
        "hidden": " hidden" if selected else "",
        "signature": escape(signature),
    }
    return pages.fill_template("results.html", values)


# The selection of examples


def select_examples(examples: Sequence[ScoredExample]) -> list[ScoredExample]:
    """The worst and the best examples, of all and of each family, harm first and the best last."""
    order = sorted(range(len(examples)), key=lambda number: (_sort_key(examples[number]), number))
    selected = {*order[:WORST], *order[-BEST:]}
    by_family: dict[str, list[int]] = {}
    for number in order:
        for family in _families(examples[number]):
            by_family.setdefault(family, []).append(number)
    for numbers in by_family.values():
        selected.update((*numbers[: WORST // 4], *numbers[-BEST // 4 :]))
    return [examples[number] for number in order if number in selected]


def _sort_key(example: ScoredExample) -> tuple[float, ...]:
    """The key that sorts the worst example first: harm, broken answers, distance, wrong changes, missed errors."""
    values = example.scores.values
    return (
        -values["harm"],
        -float(bool(example.prediction.problem or example.raw_scores.values["harm"])),
        -max(0.0, values["edit_distance_change"]),
        -values["fp"],
        values["exact_match"],
        -values["fn"],
        values["tp"],
    )


def _families(example: ScoredExample) -> list[str]:
    return sorted({span.family or UNLABELLED for span in example.pair.spans})


def _states(example: ScoredExample) -> list[str]:
    values, prediction = example.scores.values, example.prediction
    holds = {
        "harm": values["harm"] > 0,
        "worse": values["worse_than_input"] > 0,
        "broken": bool(prediction.problem),
        "refused": bool(prediction.guard),
        "extra": values["over_correction"] > 0,
        "missed": values["fn"] > 0,
        "exact": values["exact_match"] > 0,
    }
    return [state for state in STATES if holds[state]]


# Figures


def _verdict(results: Results) -> str:
    """The paragraph that says whether the fixer damaged protected text."""
    count, total = sum(bool(example.scores.harms) for example in results.examples), len(results.examples)
    if not count:
        text = f"<b>No harm.</b> No code, link, flag or number was damaged in {total:,} texts."
    else:
        kinds = escape(format_harms(results.harms))
        text = f"<b>Harm in {count:,} of {total:,} texts</b>: protected text was damaged ({kinds})."
    if results.guarded:
        unguarded = sum(bool(example.raw_scores.harms) for example in results.examples)
        text += f" Without the guard: {unguarded:,}."
    return f'<p class="verdict {"some" if count else "no"}">{text}</p>'


def _tile(results: Results, name: str, title: str) -> str:
    figure = results.figures[MODEL][name]
    value, _, interval = format_figure(figure).partition(" (")
    others = "".join(
        f"<span>{system} <b>{format_figure(results.figures[system][name]).partition(' (')[0]}</b></span>"
        for system in results.systems[1:]
    )
    lower = ' <small title="lower is better">↓</small>' if name in LOWER_IS_BETTER else ""
    bad = " bad" if name == "harmed" and figure.value > 0 else ""
    return (
        f'<div class="tile{bad}"><h3>{title}{lower}</h3><p class="value">{value}'
        f'<small>{interval.removesuffix(")")}</small></p><p class="others">{others}</p></div>'
    )


def _charts(results: Results) -> Iterator[str]:
    breakdowns = results.breakdowns[MODEL]
    yield _chart("Span repair F0.5 by family", "family", breakdowns["family"])
    if set(breakdowns["recoverable"]) - {UNLABELLED}:
        yield _chart("By recoverability of the good text", "class", breakdowns["recoverable"])


def _chart(title: str, kind: str, breakdowns: Mapping[str, Breakdown]) -> str:
    """Bars with their intervals; each row is a drawing of its own, so that the text keeps its size on a phone."""
    by_size = sorted(breakdowns.items(), key=lambda item: -item[1].spans)
    rows = "\n".join(_bar(name, kind, breakdown) for name, breakdown in by_size)
    scale = "".join(f"<span>{at}</span>" for at in ("0", ".25", ".5", ".75", "1"))
    return (
        f'<section class="chart"><h2>{title}</h2><div class="bars">{rows}<div class="scale" aria-hidden="true">{scale}'
        f'</div></div><p class="note">Lines: 95 % intervals. <i>copy</i> repairs nothing and scores 0.</p></section>'
    )


def _bar(name: str, kind: str, breakdown: Breakdown) -> str:
    figure = breakdown.f05
    low, value, high = (round(100 * share, 2) for share in (figure.low, figure.value, figure.high))
    number, _, interval = format_figure(figure).partition(" (")
    hint = f' title="{escape(RECOVERABILITY[name])}"' if kind == "class" and name in RECOVERABILITY else ""
    swatch = family_class(name) if kind == "family" else "f-other"
    grid = "".join(f'<path class="grid" d="M{at} 0V24"/>' for at in (0, 25, 50, 75, 100))
    return (
        f'<div class="row {swatch}"{hint}><span class="name">{escape(name)} <small>{breakdown.spans:,}</small></span>'
        f'<svg viewBox="0 0 100 24" preserveAspectRatio="none" aria-hidden="true">{grid}'
        f'<rect x="0" y="5" width="{value}" height="14"/>'
        f'<path class="whisker" d="M{low} 12H{high}M{low} 8V16M{high} 8V16"/></svg>'
        f'<span class="number">{number} <small>{interval.removesuffix(")")}</small></span></div>'
    )


def _tables(results: Results, system_name: str) -> Iterator[str]:
    heads = [system_name, *results.systems[1:]]
    rows = [(title, list(map(format_figure, figures))) for _, title, figures in figure_rows(results)]
    yield _details("All figures", _table(["", *heads], rows))
    labels = sorted(results.breakdowns[MODEL]["label"].items(), key=lambda item: (-item[1].spans, item[0]))
    label_rows = [
        (name, [f"{spans:,}", format_figure(precision), format_figure(recall), format_figure(f05)])
        for name, (spans, precision, recall, f05) in labels[:MOST_LABELS]
    ]
    limit = f", the {MOST_LABELS} most frequent of {len(labels)}" if len(labels) > MOST_LABELS else ""
    yield _details(f"By label{limit}", _table(["label", "spans", "precision", "recall", "F0.5"], label_rows))
    if results.categories:
        yield _details("By category of the pair", _category_table(results))
    broken, refused = results.ids_by_problem, results.ids_by_guard_reason
    if broken or refused:
        tables = _reasons_table("broken", broken) + _reasons_table("refused by the guard", refused)
        yield _details("Broken and refused answers", tables)


def _category_table(results: Results) -> str:
    names = ("repair_f05", "exact_match", "worse_than_input", "harmed")
    heads = ["category", "pairs", *(LEADING[name].strip() for name in names), "exact match of copy"]
    rows = [
        (
            category,
            [
                f"{pairs:,}",
                *(format_figure(figures[MODEL][name]) for name in names),
                format_figure(figures[COPY]["exact_match"]),
            ],
        )
        for category, (pairs, figures) in results.categories.items()
    ]
    return _table(heads, rows)


def _details(title: str, content: str) -> str:
    return f"<details><summary>{escape(title)}</summary>{content}</details>"


def _table(heads: Sequence[str], rows: Sequence[tuple[str, Sequence[str]]]) -> str:
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in heads)
    body = "".join(
        f'<tr><th scope="row">{escape(name)}</th>{"".join(f"<td>{escape(cell)}</td>" for cell in cells)}</tr>'
        for name, cells in rows
    )
    return f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def _reasons_table(title: str, ids_by_reason: Mapping[str, Sequence[str]]) -> str:
    rows = [
        (reason, [f"{len(ids):,}", ", ".join(ids[:5]) + (", …" if len(ids) > 5 else "")])
        for reason, ids in ids_by_reason.items()
    ]
    return _table([title, "answers", "ids"], rows) if rows else ""


# One example


class _Mark(NamedTuple):
    """A marked stretch of a text, [start, end) in characters.

    `number` is that of the error, 0 for an extra edit; `other` is the text that was or should be there.
    """

    start: int
    end: int
    kind: str
    number: int
    family: str
    other: str


def _card(number: int, example: ScoredExample) -> str:
    pair, prediction = example.pair, example.prediction
    annotations = annotate_prediction(pair, prediction.text)
    of_spans = [item for item in annotations if item.span >= 0]
    bad_marks = [
        _mark_of(pair, item, item.bad_range, pair.good[slice(*item.good_range)] if item.span >= 0 else "")
        for item in annotations
    ]
    good_marks = [_mark_of(pair, item, item.good_range, item.original) for item in of_spans]
    unchanged = " <small>the input, unchanged</small>" if prediction.text == pair.bad else ""
    panes = (
        _pane("input", "Input", _render_marked(pair.bad, bad_marks)),
        _pane("answer", f"Answer{unchanged}", _render_marked(prediction.text, _answer_marks(pair, annotations))),
        _pane("good", "Good text", _render_marked(pair.good, good_marks, [item.good_range for item in annotations])),
    )
    states, families = " ".join(_states(example)), escape(" ".join(_families(example)))
    return (
        f'<article id="r{number}" data-states="{states}" data-families="{families}">\n'
        f"{_card_head(example)}\n"
        f'<div class="texts three">{"".join(panes)}</div>\n{_refused_answer(example)}{_error_list(example)}</article>'
    )


def _pane(name: str, title: str, content: str) -> str:
    return f'<section class="{name}"><h3>{title}</h3><div class="text" dir="auto">{content}</div></section>'


def _answer_marks(pair: Pair, annotations: Sequence[Annotation]) -> list[_Mark]:
    """The outcomes of the spans, and the extra edits, in an answer."""
    return [_mark_of(pair, item, (item.start, item.end), item.original) for item in annotations]


def _mark_of(pair: Pair, annotation: Annotation, place: tuple[int, int], other: str) -> _Mark:
    family = (pair.spans[annotation.span].family or UNLABELLED) if annotation.span >= 0 else ""
    return _Mark(*place, annotation.kind, annotation.span + 1, family, other)


def _render_marked(text: str, marks: Sequence[_Mark], visible: Sequence[tuple[int, int]] = ()) -> str:
    """The text as HTML with its marks; overlapping marks are cut, and lines far from marks and from the ranges
    `visible` are folded."""
    folds = _folds(text, [*((mark.start, mark.end) for mark in marks), *visible])
    parts: list[str] = []
    at = 0
    for mark in sorted(marks):
        cut = mark._replace(start=max(at, mark.start), end=max(at, mark.end))
        parts += [*_render_unmarked(text, at, cut.start, folds), _render_mark(text, cut)]
        at = cut.end
    return "".join((*parts, *_render_unmarked(text, at, len(text), folds)))


def _folds(text: str, visible: Sequence[tuple[int, int]]) -> list[tuple[int, int, int]]:
    """The ranges of whole lines to fold, with their numbers of lines: (start, end, lines)."""
    ends = [match.end() for match in re.finditer(r"[^\n]*\n|[^\n]+$", text)]
    near: set[int] = {0}
    for start, end in visible or [(0, 0)]:
        first, last = bisect_right(ends, start), bisect_left(ends, end)
        near.update(range(first - CONTEXT_LINES, last + CONTEXT_LINES + 1))
    folds, line = [], 0
    for is_far, lines in groupby(number not in near for number in range(len(ends))):
        count = len(list(lines))
        if is_far and count >= MIN_FOLDED_LINES:
            folds.append((ends[line - 1], ends[line + count - 1], count))
        line += count
    return folds


def _render_unmarked(text: str, start: int, end: int, folds: Sequence[tuple[int, int, int]]) -> Iterator[str]:
    at = start
    for first, last, count in folds:
        if start <= first and last <= end:
            yield escape(text[at:first])
            yield f'<span class="fold" data-lines="{count} lines"><span>{escape(text[first:last])}</span></span>'
            at = last
    yield escape(text[at:end])


def _render_mark(text: str, mark: _Mark) -> str:
    marked = text[mark.start : mark.end]
    classes = f"o-{mark.kind}{'' if marked else ' none'}{' block' if chr(10) in marked else ''}"
    number = f' data-n="{mark.number}"' if mark.number else ""
    original = f' data-was="{escape(_shorten(mark.other))}"' if not mark.number and mark.other else ""
    invisible = invisible_pattern(marked, mark.other) if mark.kind != MISSED else None
    content = render_text(text, mark.start, mark.end, invisible)
    return f'<mark class="{classes}" data-f="{escape(mark.family)}"{number}{original}>{content}</mark>'


def _shorten(text: str) -> str:
    text = text.replace("\n", "¶")
    return text if len(text) <= 60 else f"{text[:40]} … {text[-18:]}"


def _card_head(example: ScoredExample) -> str:
    pair, values = example.pair, example.scores.values
    heading = pages.render_trail(pair.context) or escape(pair.id)
    repairs = f"{values['tp']:.0f} of {len(pair.spans)} errors repaired" if pair.spans else "nothing to repair"
    distance = f"edit distance to the good text {values['edit_distance']:.0f} ({values['edit_distance_change']:+.0f})"
    facts = [*filter(None, (pair.format, pair.split, pair.category)), repairs, distance]
    meta = "".join(f"<span>{escape(fact)}</span>" for fact in facts)
    labels = "".join(
        f'<span class="label {family_class(family)}">{escape(label)}</span>'
        for label, family in sorted({(span.label, span.family) for span in pair.spans if span.label})
    )
    return (
        f'<h2 dir="auto">{heading}</h2>\n<div class="meta"><span class="id">{escape(pair.id)}</span>{meta}'
        f'</div>\n<div class="labels">{_badges(example)}{labels}</div>'
    )


def _badges(example: ScoredExample) -> str:
    values, prediction = example.scores.values, example.prediction
    badges = [
        *([("harm", f"harm: {format_harms(example.scores.harms)}")] if example.scores.harms else []),
        *([("worse", STATES["worse"])] if values["worse_than_input"] else []),
        *([("broken", f"broken: {prediction.problem}")] if prediction.problem else []),
        *([("refused", f"guard: {prediction.guard}")] if prediction.guard else []),
        *([("exact", STATES["exact"])] if values["exact_match"] else []),
    ]
    return "".join(f'<span class="badge {kind}">{escape(text)}</span>' for kind, text in badges)


def _refused_answer(example: ScoredExample) -> str:
    """The answer of the model, if the guard replaced it by the input."""
    pair, prediction = example.pair, example.prediction
    if prediction.raw == prediction.text:
        return ""
    marks = _answer_marks(pair, annotate_prediction(pair, prediction.raw))
    content = _render_marked(prediction.raw, marks) or "<i>nothing</i>"
    title = f"The refused answer: {prediction.guard}"
    return _details(title, f'<div class="text" dir="auto">{content}</div>') + "\n"


def _error_list(example: ScoredExample) -> str:
    pairs = zip(example.pair.spans, example.scores.spans, strict=True)
    items = "\n".join(_error_item(number, span, scored.outcome) for number, (span, scored) in enumerate(pairs, 1))
    return f'<ol class="errors">\n{items}\n</ol>' if items else ""


def _error_item(number: int, span: Span, outcome: str) -> str:
    name = (
        f'<span class="label {family_class(span.family)}">{escape(span.label)}</span>'
        if span.label
        else "<span></span>"
    )
    return (
        f'<li data-n="{number}" data-f="{escape(span.family or UNLABELLED)}"><b class="o-{outcome}">{number}</b>{name}'
        f'<span class="outcome">{outcome}</span><p>{excerpt("del", span.bad, span.good)}<span class="arrow">→</span>'
        f"{excerpt('ins', span.good, span.bad)}</p></li>"
    )
