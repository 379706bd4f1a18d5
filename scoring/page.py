"""The report of an evaluation: one HTML page with the figures beside those of `copy`, repairs by family, and examples.

Harm comes first: the examples stand in the order in which a reader who must trust the fixer wants to see them.
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
from scoring.metrics import UNLABELLED, harm_text
from scoring.repairs import HARM, MISSED, REPAIRED, UNASKED, WRONG, Mark, marks
from scoring.results import COPY, LEADING, LOWER_IS_BETTER, MODEL, Example, Results, figure_rows, format_figure

WORST, BEST = 24, 12
"""Examples that the page holds of all, those that come first and those that come last in its order; of each family
there are a quarter as many besides."""
MOST_LABELS = 60
TILES = {
    "harmed": "texts harmed",
    "repair_f05": "span repair F0.5",
    "exact_match": "exactly good",
    "edit_distance_left": "edit distance left",
    "over_correction": "over-correction",
    "worse_than_input": "worse than the input",
}
AROUND, FOLDED = 2, 4
"""Lines that stay in sight around what is marked, and the fewest that are folded away."""
OUTCOMES = {
    REPAIRED: "the error is gone, and the good text stands there",
    WRONG: "the error was changed, into something else",
    MISSED: "the error is still there",
    UNASKED: "a change where nothing was wrong",
    HARM: "the same, in code, a link, a flag or a number",
}
STATES = {
    "harm": "harmed",
    "worse": "worse than the input",
    "broken": "broken answer",
    "refused": "refused by the guard",
    "unasked": "unasked changes",
    "missed": "errors left or wrong",
    "exact": "exactly good",
}


def render_report(
    results: Results, *, title: str, system_name: str, facts: Sequence[tuple[str, str]], signature: str
) -> str:
    """Return the whole page; `system_name` is the evaluated system, `facts` are name and value pairs for its header."""
    chosen = choose_examples(results.examples)
    families = Counter(family for example in chosen for family in _families(example))
    states = Counter(state for example in chosen for state in _states(example))
    values = {
        "title": escape(title),
        "facts": pages.facts_list(facts),
        "harm": _harm(results),
        "tiles": "\n".join(_tile(results, *tile) for tile in TILES.items()),
        "charts": "\n".join(_charts(results)),
        "tables": "\n".join(_tables(results, system_name)),
        "families": "\n".join(pages.family_chip(family, count) for family, count in _sorted(families)),
        "states": "".join(
            pages.select_option(state, states[state], STATES[state]) for state in STATES if states[state]
        ),
        "outcomes": "".join(
            f'<dt><mark class="o-{key}">{key}</mark></dt><dd>{does}</dd>' for key, does in OUTCOMES.items()
        ),
        "total": str(len(chosen)),
        "all": f"{len(results.examples):,}",
        "cards": "\n".join(_card(number, example) for number, example in enumerate(chosen, 1)),
        "some": " hidden" if chosen else "",
        "signature": escape(signature),
    }
    return pages.fill_template("results.html", values)


# Which examples


def choose_examples(examples: Sequence[Example]) -> list[Example]:
    """The worst and the best examples, of all and of each family, harm first and the best last."""
    order = sorted(range(len(examples)), key=lambda number: (_badness(examples[number]), number))
    picked = {*order[:WORST], *order[-BEST:]}
    by_family: dict[str, list[int]] = {}
    for number in order:
        for family in _families(examples[number]):
            by_family.setdefault(family, []).append(number)
    for numbers in by_family.values():
        picked.update((*numbers[: WORST // 4], *numbers[-BEST // 4 :]))
    return [examples[number] for number in order if number in picked]


def _badness(example: Example) -> tuple[float, ...]:
    """The worse, the smaller: harm, broken answers, how much worse than the input, what was wrong, what was left."""
    values = example.scored.values
    return (
        -values["harm"],
        -float(bool(example.prediction.problem or example.raw.values["harm"])),
        -max(0.0, values["edit_distance_change"]),
        -values["fp"],
        values["exact_match"],
        -values["fn"],
        values["tp"],
    )


def _families(example: Example) -> list[str]:
    return sorted({span.family or UNLABELLED for span in example.pair.spans})


def _states(example: Example) -> list[str]:
    values, made = example.scored.values, example.prediction
    found = {
        "harm": values["harm"] > 0,
        "worse": values["worse_than_input"] > 0,
        "broken": bool(made.problem),
        "refused": bool(made.guard),
        "unasked": values["over_correction"] > 0,
        "missed": values["fn"] > 0,
        "exact": values["exact_match"] > 0,
    }
    return [state for state, holds in found.items() if holds]


# Figures


def _harm(results: Results) -> str:
    """The line that says whether the fixer can be let loose."""
    count, total = sum(bool(example.scored.harms) for example in results.examples), len(results.examples)
    if not count:
        text = f"<b>No harm.</b> In none of {total:,} texts was code, a link, a flag or a number changed unasked."
    else:
        kinds = escape(harm_text(results.harms))
        text = f"<b>Harm in {count:,} of {total:,} texts</b>: protected text was changed unasked ({kinds})."
    return f'<p class="verdict {"some" if count else "no"}">{text}{_harm_unguarded(results)}</p>'


def _harm_unguarded(results: Results) -> str:
    if not results.guarded:
        return ""
    raw = sum(bool(example.raw.harms) for example in results.examples)
    return f" Without the guard: {raw:,}."


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
    down = results.breakdowns[MODEL]
    yield _chart("Span repair F0.5 by family", "family", down["family"])
    if set(down["recoverable"]) - {UNLABELLED}:
        yield _chart("By what the text tells of the repair", "class", down["recoverable"])


def _chart(title: str, kind: str, down: Mapping[str, Breakdown]) -> str:
    """Bars with their intervals; each row is a drawing of its own, so that the words keep their size on a phone."""
    rows = "\n".join(_bar(name, kind, found) for name, found in sorted(down.items(), key=lambda item: -item[1].spans))
    scale = "".join(f"<span>{at}</span>" for at in ("0", ".25", ".5", ".75", "1"))
    return (
        f'<section class="chart"><h2>{title}</h2><div class="bars">{rows}<div class="scale" aria-hidden="true">{scale}'
        f'</div></div><p class="note">Lines: 95 % intervals. <i>copy</i> repairs nothing: 0.</p></section>'
    )


def _bar(name: str, kind: str, found: Breakdown) -> str:
    figure = found.f05
    low, value, high = (round(100 * one, 2) for one in (figure.low, figure.value, figure.high))
    number, _, interval = format_figure(figure).partition(" (")
    hint = f' title="{escape(RECOVERABILITY[name])}"' if kind == "class" and name in RECOVERABILITY else ""
    swatch = family_class(name) if kind == "family" else "f-other"
    grid = "".join(f'<path class="grid" d="M{at} 0V24"/>' for at in (0, 25, 50, 75, 100))
    return (
        f'<div class="row {swatch}"{hint}><span class="name">{escape(name)} <small>{found.spans:,}</small></span>'
        f'<svg viewBox="0 0 100 24" preserveAspectRatio="none" aria-hidden="true">{grid}'
        f'<rect x="0" y="5" width="{value}" height="14"/>'
        f'<path class="whisker" d="M{low} 12H{high}M{low} 8V16M{high} 8V16"/></svg>'
        f'<span class="number">{number} <small>{interval.removesuffix(")")}</small></span></div>'
    )


def _tables(results: Results, named: str) -> Iterator[str]:
    heads = [named, *results.systems[1:]]
    rows = [(title, [format_figure(one) for one in found]) for _, title, found in figure_rows(results)]
    yield _details("All figures", _table(["", *heads], rows))
    labels = sorted(results.breakdowns[MODEL]["label"].items(), key=lambda item: (-item[1].spans, item[0]))
    cells = [(name, [f"{one.spans:,}", *map(format_figure, one[1:])]) for name, one in labels[:MOST_LABELS]]
    more = f", the {MOST_LABELS} most frequent of {len(labels)}" if len(labels) > MOST_LABELS else ""
    yield _details(f"By label{more}", _table(["label", "spans", "precision", "recall", "F0.5"], cells))
    if results.categories:
        yield _details("By category of the pair", _category_table(results))
    broken, refused = results.named("problem"), results.named("guard")
    if broken or refused:
        yield _details(
            "Broken and refused answers", _reasons(broken, "broken") + _reasons(refused, "refused by the guard")
        )


def _category_table(results: Results) -> str:
    names = ("repair_f05", "exact_match", "worse_than_input", "harmed")
    heads = ["category", "pairs", *(LEADING[name].strip() for name in names), "exact match of copy"]
    rows = [
        (
            category,
            [
                f"{pairs:,}",
                *(format_figure(found[MODEL][name]) for name in names),
                format_figure(found[COPY]["exact_match"]),
            ],
        )
        for category, (pairs, found) in results.categories.items()
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


def _reasons(named: Mapping[str, Sequence[str]], what: str) -> str:
    rows = [
        (reason, [f"{len(ids):,}", ", ".join(ids[:5]) + (", …" if len(ids) > 5 else "")])
        for reason, ids in named.items()
    ]
    return _table([what, "answers", "ids"], rows) if rows else ""


def _sorted(families: Counter[str]) -> list[tuple[str, int]]:
    return [(family, families[family]) for family in pages.order_families(families) if families[family]]


# One example


class _Piece(NamedTuple):
    """A marked stretch of a text: what became of span `number`, 0 for none; `other` is what stood or should stand
    there."""

    start: int
    end: int
    kind: str
    number: int
    family: str
    other: str


def _card(number: int, example: Example) -> str:
    pair, made = example.pair, example.prediction
    states = " ".join(_states(example))
    found = marks(pair, made.text)
    right = [pair.good[slice(*m.gold)] if m.number >= 0 else "" for m in found]
    given = [_Piece(*m.given, m.kind, m.number + 1, _family(pair, m), r) for m, r in zip(found, right, strict=True)]
    gold = [_Piece(*m.gold, m.kind, m.number + 1, _family(pair, m), m.was) for m in found if m.number >= 0]
    kept = [m.gold for m in found]
    unchanged = " <small>the input, unchanged</small>" if made.text == pair.bad else ""
    panes = (
        _pane("input", "Input", _marked(pair.bad, given)),
        _pane("answer", f"Answer{unchanged}", _marked(made.text, _pieces(pair, found))),
        _pane("gold", "Gold", _marked(pair.good, gold, kept)),
    )
    return (
        f'<article id="r{number}" data-states="{states}" data-families="{escape(" ".join(_families(example)))}">\n'
        f"{_card_head(example)}\n"
        f'<div class="texts three">{"".join(panes)}</div>\n{_refused(example)}{_errors(example)}</article>'
    )


def _pane(name: str, title: str, content: str) -> str:
    return f'<section class="{name}"><h3>{title}</h3><div class="text" dir="auto">{content}</div></section>'


def _pieces(pair: Pair, found: Sequence[Mark]) -> list[_Piece]:
    """What became of each span, and what was changed besides, in an answer."""
    return [_Piece(m.start, m.end, m.kind, m.number + 1, _family(pair, m), m.was) for m in found]


def _family(pair: Pair, mark: Mark) -> str:
    return (pair.spans[mark.number].family or UNLABELLED) if mark.number >= 0 else ""


def _marked(text: str, pieces: Sequence[_Piece], kept: Sequence[tuple[int, int]] = ()) -> str:
    """Return `text` as HTML with its marks, which are cut where they overlap; what is far from them, and from the
    ranges `kept`, is folded."""
    folds = _folds(text, [*((piece.start, piece.end) for piece in pieces), *kept])
    parts: list[str] = []
    at = 0
    for piece in sorted(pieces):
        whole = piece._replace(start=max(at, piece.start), end=max(at, piece.end))
        parts += [*_stretch(text, at, whole.start, folds), _mark(text, whole)]
        at = whole.end
    return "".join((*parts, *_stretch(text, at, len(text), folds)))


def _folds(text: str, kept: Sequence[tuple[int, int]]) -> list[tuple[int, int, int]]:
    """Start and end of what can be folded, whole lines, and how many these are."""
    ends = [match.end() for match in re.finditer(r"[^\n]*\n|[^\n]+$", text)]
    near: set[int] = {0}
    for start, end in kept or [(0, 0)]:
        first, last = bisect_right(ends, start), bisect_left(ends, end)
        near.update(range(first - AROUND, last + AROUND + 1))
    far = [number not in near for number in range(len(ends))]
    found, line = [], 0
    for fold, group in groupby(far):
        count = len(list(group))
        if fold and count >= FOLDED:
            found.append((ends[line - 1], ends[line + count - 1], count))
        line += count
    return found


def _stretch(text: str, start: int, end: int, folds: Sequence[tuple[int, int, int]]) -> Iterator[str]:
    at = start
    for first, last, count in folds:
        if start <= first and last <= end:
            yield escape(text[at:first])
            yield f'<span class="fold" data-lines="{count} lines"><span>{escape(text[first:last])}</span></span>'
            at = last
    yield escape(text[at:end])


def _mark(text: str, piece: _Piece) -> str:
    own = text[piece.start : piece.end]
    classes = f"o-{piece.kind}{'' if own else ' none'}{' block' if chr(10) in own else ''}"
    number = f' data-n="{piece.number}"' if piece.number else ""
    was = f' data-was="{escape(_short(piece.other))}"' if not piece.number and piece.other else ""
    content = render_text(
        text, piece.start, piece.end, invisible_pattern(own, piece.other) if piece.kind != MISSED else None
    )
    return f'<mark class="{classes}" data-f="{escape(piece.family)}"{number}{was}>{content}</mark>'


def _short(text: str) -> str:
    text = text.replace("\n", "¶")
    return text if len(text) <= 60 else f"{text[:40]} … {text[-18:]}"


def _card_head(example: Example) -> str:
    pair, made, values = example.pair, example.prediction, example.scored.values
    heading = pages.render_trail(pair.context) or escape(pair.id)
    meta = [
        f'<span class="id">{escape(pair.id)}</span>',
        *(f"<span>{escape(x)}</span>" for x in (pair.format, pair.split, pair.category) if x),
    ]
    spans = len(pair.spans)
    told = [f"{values['tp']:.0f} of {spans} errors repaired" if spans else "nothing to repair"]
    told.append(f"edit distance to good {values['edit_distance']:.0f} ({values['edit_distance_change']:+.0f})")
    badges = [
        *([("harm", f"harm: {harm_text(example.scored.harms)}")] if example.scored.harms else []),
        *([("worse", "worse than the input")] if values["worse_than_input"] else []),
        *([("broken", f"broken: {made.problem}")] if made.problem else []),
        *([("refused", f"guard: {made.guard}")] if made.guard else []),
        *([("exact", "exactly good")] if values["exact_match"] else []),
    ]
    labels = [
        f'<span class="label {family_class(family)}">{escape(label)}</span>'
        for label, family in sorted({(s.label, s.family) for s in pair.spans if s.label})
    ]
    chips = [f'<span class="badge {kind}">{escape(text)}</span>' for kind, text in badges] + labels
    meta += [f"<span>{one}</span>" for one in told]
    return (
        f'<h2 dir="auto">{heading}</h2>\n<div class="meta">{"".join(meta)}'
        f'</div>\n<div class="labels">{"".join(chips)}</div>'
    )


def _refused(example: Example) -> str:
    """What the model said where the guard put the input in its place."""
    made = example.prediction
    if made.raw == made.text:
        return ""
    raw = _marked(made.raw, _pieces(example.pair, marks(example.pair, made.raw))) or "<i>nothing</i>"
    title = f"The answer that was refused: {made.guard}"
    return _details(title, f'<div class="text" dir="auto">{raw}</div>') + "\n"


def _errors(example: Example) -> str:
    pairs = zip(example.pair.spans, example.scored.spans, strict=True)
    items = "\n".join(_error(number, span, one.outcome) for number, (span, one) in enumerate(pairs, 1))
    return f'<ol class="errors">\n{items}\n</ol>' if items else ""


def _error(number: int, span: Span, outcome: str) -> str:
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
