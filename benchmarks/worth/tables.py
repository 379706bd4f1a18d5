"""The results as tables and a chart: figures of eval.py's summaries, averaged over seeds."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence
from pathlib import Path
from statistics import mean
from typing import Any, NamedTuple

import numpy as np

from scoring.figures import Bootstrap, Figure, f05_of_sums

Counts = Sequence[tuple[float, float, float]]
"""For each text: the right repairs, the wrong repairs, and the remaining errors."""

FIGURE_TITLES = {
    "repair_precision": "precision",
    "repair_recall": "recall",
    "repair_f05": "F0.5",
    "exact_match": "exact match",
    "worse_than_input": "made worse",
    "over_correction": "over-correction",
    "harmed": "texts harmed",
    "clean_altered": "clean texts altered",
}
"""The figures of eval.py in the main table; the last is about the texts without errors."""
KIND_TITLES = {"recall": "recall", "precision": "precision", "f05": "F0.5"}
"""The figures of a kind of error, and the titles of their tables."""
_SHARES = frozenset({"exact_match", "worse_than_input", "over_correction", "harmed", "clean_altered"})


class Result(NamedTuple):
    """A source with one seed on one part of the real pairs.

    `errors`, `clean` and `beyond` are eval.py's summaries over the pairs to repair, the texts without errors and the
    pairs whose repair needs more than the text. `training` and `answering` are CPU-seconds, `bias` is the chosen
    `--keep_bias`, `counts` are those of the pairs to repair.
    """

    source: str
    seed: int | None
    part: str
    errors: dict[str, Any]
    clean: dict[str, Any]
    training: float
    answering: float
    variant: bool = False
    bias: float | None = None
    beyond: dict[str, Any] | None = None
    counts: Counts = ()


class ErrorKind(NamedTuple):
    """The errors of one kind: their number, and precision, recall and F0.5 of their repairs.

    Precision counts the changes to these errors only; changes elsewhere belong to no kind. A figure is None where
    nothing could be measured.
    """

    spans: int
    figures: dict[str, Figure | None]


class Row(NamedTuple):
    """A source on one part, averaged over its seeds; figures are None where nothing could be measured.

    `difference` is its F0.5 minus that of a reference source on the same texts, `categories` and `recoverability` are
    breakdowns of the errors.
    """

    source: str
    seeds: int
    figures: dict[str, Figure | None]
    unguarded: Figure | None
    difference: Figure | None
    categories: dict[str, ErrorKind]
    recoverability: dict[str, ErrorKind]
    training: float
    answering: float


def rows(results: Iterable[Result], part: str, reference: str) -> list[Row]:
    """A row for each source, in the order of the results; only the row of `reference` has no `difference`."""
    groups: dict[str, list[Result]] = {}
    for result in results:
        if result.part == part:
            groups.setdefault(result.source, []).append(result)
    others = groups.get(reference, [])
    return [_row(source, group, [] if source == reference else others) for source, group in groups.items()]


def _row(source: str, results: Sequence[Result], others: Sequence[Result]) -> Row:
    figures = {
        name: average([figure(result.errors["figures"]["model"][name]) for result in results])
        for name in FIGURE_TITLES
        if name != "clean_altered"
    }
    figures["clean_altered"] = average(
        [figure(result.clean["figures"]["model"]["identity_altered"]) for result in results]
    )
    unguarded = [result.errors["figures"].get("unguarded", result.errors["figures"]["model"]) for result in results]
    beyond = [result.beyond["by_recoverable"] for result in results if result.beyond]
    return Row(
        source=source,
        seeds=len(results),
        figures={**figures, "repair_precision": _if_attempted(figures["repair_precision"], figures["repair_recall"])},
        unguarded=average([figure(values["repair_f05"]) for values in unguarded]),
        difference=(
            f05_difference([result.counts for result in results], [other.counts for other in others])
            if others
            else None
        ),
        categories=_error_kinds([result.errors["by_label"] for result in results]),
        recoverability=_error_kinds([result.errors["by_recoverable"] for result in results]) | _error_kinds(beyond),
        training=mean(result.training for result in results),
        answering=mean(result.answering for result in results),
    )


def _error_kinds(breakdowns: Sequence[dict[str, Any]]) -> dict[str, ErrorKind]:
    """The kinds of error in breakdowns of eval.py's summaries, the most frequent first."""
    if not breakdowns:
        return {}
    sizes = {name: int(values["spans"]) for name, values in breakdowns[0].items()}
    kinds = {}
    for name in sorted(sizes, key=lambda name: -sizes[name]):
        figures = {
            key: average([figure(breakdown[name]["model"][key]) for breakdown in breakdowns]) for key in KIND_TITLES
        }
        figures["precision"] = _if_attempted(figures["precision"], figures["recall"])
        kinds[name] = ErrorKind(sizes[name], figures)
    return kinds


def _if_attempted(precision: Figure | None, recall: Figure | None) -> Figure | None:
    """The precision; None if no repair was attempted, which eval.py counts as a precision of 1."""
    idle = precision and recall and precision.value == 1 and recall.value == 0
    return None if idle else precision


def f05_difference(first: Sequence[Counts], second: Sequence[Counts]) -> Figure | None:
    """F0.5 of one source's seeds minus that of another's on the same texts, with a paired bootstrap interval: both get
    the same resamples of the texts, so that the difficulty of a text does not widen the interval."""
    columns = np.concatenate([np.array(counts) for counts in (*first, *second)], axis=1).T

    def difference(sums: Any) -> Any:
        values = [f05_of_sums(sums[:, at : at + 3]) for at in range(0, sums.shape[1], 3)]
        return np.mean(values[: len(first)], axis=0) - np.mean(values[len(first) :], axis=0)

    [result] = Bootstrap(columns.shape[1]).figures(list(columns), difference)
    return figure(result._asdict())


def figure(summary: Mapping[str, float | None]) -> Figure | None:
    """A figure of eval.py's summary; None if nothing could be measured."""
    value, low, high = summary["value"], summary["low"], summary["high"]
    return None if value is None or low is None or high is None else Figure(value, low, high)


def average(figures: Sequence[Figure | None]) -> Figure | None:
    """The mean of the values and of the ends of their intervals; None if one of them could not be measured.

    All seeds answer the same texts, so the interval is that of the texts; a second seed does not narrow it.
    """
    measured = [figure for figure in figures if figure is not None]
    if not measured or len(measured) < len(figures):
        return None
    return Figure(*(mean(values) for values in zip(*measured, strict=True)))


# As text


def main_table(rows: Sequence[Row], reference: str) -> str:
    """All figures, in Markdown, with the differences to the F0.5 of the reference source."""
    heads = ["pairs of", "seeds", *FIGURE_TITLES.values(), f"F0.5 minus that of {reference or 'ours'}"]
    heads += ["F0.5 unguarded", "CPU-s training", "CPU-s answering"]
    lines = [
        [
            row.source,
            str(row.seeds),
            *(
                format_figure(row.figures[name], share=name in _SHARES, interval=name.startswith("repair"))
                for name in FIGURE_TITLES
            ),
            format_figure(row.difference, interval=True),
            format_figure(row.unguarded),
            f"{row.training:,.0f}",
            f"{row.answering:,.0f}",
        ]
        for row in rows
    ]
    return markdown_table(heads, lines)


def breakdown_tables(rows: Sequence[Row]) -> list[str]:
    """Recall, precision and F0.5 by category of error and by recoverability, each a table in Markdown."""
    by_category = [(row.source, row.categories) for row in rows]
    tables = [kind_table(by_category, key, interval=True) for key in KIND_TITLES]
    by_recoverability = [(row.source, row.recoverability) for row in rows if len(row.recoverability) > 1]
    if by_recoverability:
        tables += [kind_table(by_recoverability, key, interval=True) for key in KIND_TITLES]
    return tables


def kind_table(kinds: Sequence[tuple[str, Mapping[str, ErrorKind]]], key: str, *, interval: bool = False) -> str:
    """One figure for each source and kind of error, in Markdown."""
    heads = [KIND_TITLES[key], *(f"{name} ({kind.spans})" for name, kind in kinds[0][1].items())]
    lines = [
        [source, *(format_figure(kind.figures[key], interval=interval) for kind in by_name.values())]
        for source, by_name in kinds
    ]
    return markdown_table(heads, lines)


def format_figure(figure: Figure | None, *, share: bool = False, interval: bool = False) -> str:
    """`0.32 (0.21 to 0.43)`, or `13 %`; a dash if nothing could be measured."""
    if figure is None:
        return "-"
    if share:
        percent = 100 * figure.value
        return f"{percent:.1f} %" if 0 < percent < 9.95 else f"{percent:.0f} %"
    value, low, high = (f"{round(number, 2) + 0.0:.2f}" for number in figure)  # + 0.0: no minus before zero
    return f"{value} ({low} to {high})" if interval else value


def markdown_table(heads: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """A Markdown table with aligned columns, the first to the left and the others to the right."""
    widths = [max(map(len, column)) for column in zip(heads, *lines, strict=True)]

    def line(cells: Sequence[str]) -> str:
        padded = [cell.rjust(width) for cell, width in zip(cells, widths, strict=True)]
        return "| " + " | ".join([cells[0].ljust(widths[0]), *padded[1:]]) + " |"

    rule = [":" + "-" * (widths[0] - 1), *("-" * (width - 1) + ":" for width in widths[1:])]
    return "\n".join(map(line, [heads, rule, *lines]))


# As a chart


def draw_chart(path: Path, rows: Sequence[Row], title: str, ours: Container[str]) -> None:
    """F0.5 with its interval, precision and recall of each source, the best at the top; our sources in blue."""
    from matplotlib.figure import Figure as Canvas

    bars = [(row.figures["repair_f05"], row) for row in rows]
    ranked = sorted(((f05, row) for f05, row in bars if f05), key=lambda bar: bar[0])
    canvas = Canvas(figsize=(8, 1.2 + 0.4 * len(ranked)), layout="constrained")
    axes = canvas.add_subplot()
    for place, (f05, row) in enumerate(ranked):
        axes.barh(place, f05.value, color="#2f6c9f" if row.source in ours else "#b0b7bf", height=0.6)
        axes.plot([f05.low, f05.high], [place, place], color="black", linewidth=1)
        for name, mark in (("repair_precision", "|"), ("repair_recall", ".")):
            if f05.value and (point := row.figures[name]):
                axes.plot(point.value, place, mark, color="#c44e52", markersize=10)
    axes.set_yticks(range(len(ranked)), [row.source for _, row in ranked])
    axes.set_xlim(0, 1)
    axes.set_xlabel("F0.5 of repairs with its 95 % interval (blue: our pairs); red: precision |, recall ·")
    axes.set_title(title)
    partial = path.with_name(path.name + ".partial")
    canvas.savefig(partial, format="png", dpi=100)
    partial.replace(path)
