"""What bench_worth.py found, as tables and a chart: figures of summaries that eval.py wrote, seeds averaged."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence
from pathlib import Path
from statistics import mean
from typing import Any, NamedTuple

import numpy as np

from scoring.figures import Bootstrap, f_half_of_sums

Figure = tuple[float, float, float] | None
"""A value and the ends of its 95 % interval; None where nothing could be measured."""
Counts = Sequence[tuple[float, float, float]]
"""Of each text, how many repairs are right and how many wrong, and how many errors are left."""

COLUMNS = {
    "repair_precision": "precision",
    "repair_recall": "recall",
    "repair_f05": "F0.5",
    "exact_match": "exact match",
    "worse_than_input": "made worse",
    "over_correction": "over-correction",
    "harmed": "texts harmed",
    "clean_altered": "clean texts altered",
}
"""The figures of eval.py that the table shows; the last are of the texts without errors."""
KINDS = {"recall": "repaired, of", "precision": "precision, of", "f05": "F0.5, of"}
"""The figures of a kind of error, and how a table of them begins."""
_SHARES = frozenset({"exact_match", "worse_than_input", "over_correction", "harmed", "clean_altered"})


class Run(NamedTuple):
    """A source with one seed on one part of the real pairs: eval.py's summaries over pairs with errors and over texts
    without, CPU-seconds, the keep_bias that was chosen for it, the summary over pairs with errors that the text does
    not tell, and of each pair with errors how many repairs were right and wrong and how many errors are left."""

    source: str
    seed: int | None
    part: str
    errors: dict[str, Any]
    clean: dict[str, Any]
    training: float
    answering: float
    ablation: bool = False
    bias: float | None = None
    beyond: dict[str, Any] | None = None
    counts: Counts = ()


class Kind(NamedTuple):
    """The errors of one kind: how many there are, and precision, recall and F0.5 of their repairs. Precision is that of
    the changes to these errors; what was changed elsewhere has no kind."""

    spans: int
    figures: dict[str, Figure]


class Row(NamedTuple):
    """A source on one part, its seeds averaged; `behind` is its F0.5 less that of another source on the same texts,
    `labels` are the errors by category, `told` by what the text tells."""

    source: str
    seeds: int
    figures: dict[str, Figure]
    unguarded: Figure
    behind: Figure
    labels: dict[str, Kind]
    told: dict[str, Kind]
    training: float
    answering: float


def rows(runs: Iterable[Run], part: str, against: str) -> list[Row]:
    """A row a source, in the order in which the sources come; `behind` is told of all but `against`."""
    groups: dict[str, list[Run]] = {}
    for run in runs:
        if run.part == part:
            groups.setdefault(run.source, []).append(run)
    other = groups.get(against, [])
    return [_row(source, found, [] if source == against else other) for source, found in groups.items()]


def _row(source: str, runs: Sequence[Run], other: Sequence[Run]) -> Row:
    figures = {
        name: averaged([figure(run.errors["figures"]["model"][name]) for run in runs])
        for name in COLUMNS
        if name != "clean_altered"
    }
    figures["clean_altered"] = averaged([figure(run.clean["figures"]["model"]["identity_altered"]) for run in runs])
    raw = [run.errors["figures"].get("unguarded", run.errors["figures"]["model"]) for run in runs]
    beyond = [run.beyond["by_recoverable"] for run in runs if run.beyond]
    return Row(
        source,
        len(runs),
        {**figures, "repair_precision": _if_tried(figures["repair_precision"], figures["repair_recall"])},
        averaged([figure(found["repair_f05"]) for found in raw]),
        difference([run.counts for run in runs], [run.counts for run in other]) if other else None,
        _kinds([run.errors["by_label"] for run in runs]),
        _kinds([run.errors["by_recoverable"] for run in runs]) | _kinds(beyond),
        mean(run.training for run in runs),
        mean(run.answering for run in runs),
    )


def _kinds(broken_down: Sequence[dict[str, Any]]) -> dict[str, Kind]:
    """The kinds in the breakdowns of eval.py's summaries; the most frequent first."""
    if not broken_down:
        return {}
    sizes = {name: int(found["spans"]) for name, found in broken_down[0].items()}
    kinds = {}
    for name in sorted(sizes, key=lambda name: -sizes[name]):
        figures = {key: averaged([figure(found[name]["model"][key]) for found in broken_down]) for key in KINDS}
        figures["precision"] = _if_tried(figures["precision"], figures["recall"])
        kinds[name] = Kind(sizes[name], figures)
    return kinds


def _if_tried(precision: Figure, recall: Figure) -> Figure:
    """A precision; None where nothing was tried, which counts as faultless."""
    idle = precision and recall and precision[0] == 1 and recall[0] == 0
    return None if idle else precision


def difference(of: Sequence[Counts], less: Sequence[Counts]) -> Figure:
    """F0.5 of one source's seeds less that of another's on the same texts, and its interval: a bootstrap over the texts
    that draws the same ones for both, so that what makes a text hard for all does not widen it."""
    columns = np.concatenate([np.array(counts) for counts in (*of, *less)], axis=1).T

    def ahead(sums: Any) -> Any:
        found = [f_half_of_sums(sums[:, at : at + 3]) for at in range(0, sums.shape[1], 3)]
        return np.mean(found[: len(of)], axis=0) - np.mean(found[len(of) :], axis=0)

    [told] = Bootstrap(columns.shape[1]).figures(list(columns), ahead)
    return figure(told._asdict())


def figure(found: Mapping[str, float | None]) -> Figure:
    """A figure of eval.py's summary."""
    value, low, high = found["value"], found["low"], found["high"]
    return None if value is None or low is None or high is None else (value, low, high)


def averaged(figures: Sequence[Figure]) -> Figure:
    """The mean of values and of the ends of their intervals; None if one of them could not be measured.

    All seeds answer the same texts, so the interval is that of the texts and no narrower for a second seed.
    """
    known = [one for one in figures if one is not None]
    if not known or len(known) < len(figures):
        return None
    value, low, high = (mean(one) for one in zip(*known, strict=True))
    return value, low, high


# As text


def main_table(found: Sequence[Row], against: str) -> str:
    """All figures, in Markdown; the F0.5 of `against` is taken from that of the others, if it is not empty."""
    heads = ["pairs of", "seeds", *COLUMNS.values(), f"F0.5 less that of {against or 'ours'}"]
    heads += ["F0.5 unguarded", "CPU-s training", "CPU-s answering"]
    lines = [
        [
            row.source,
            str(row.seeds),
            *(shown(row.figures[name], share=name in _SHARES, interval=name.startswith("repair")) for name in COLUMNS),
            shown(row.behind, interval=True),
            shown(row.unguarded),
            f"{row.training:,.0f}",
            f"{row.answering:,.0f}",
        ]
        for row in found
    ]
    return table(heads, lines)


def breakdowns(found: Sequence[Row]) -> list[str]:
    """Recall, precision and F0.5 by category of error and by what the text tells, each a table in Markdown."""
    categories = [kind_table([(row.source, row.labels) for row in found], key, interval=True) for key in KINDS]
    told = [(row.source, row.told) for row in found if len(row.told) > 1]
    return categories + ([kind_table(told, key, interval=True) for key in KINDS] if told else [])


def kind_table(found: Sequence[tuple[str, Mapping[str, Kind]]], key: str, *, interval: bool = False) -> str:
    """One figure of the repairs of each kind of error, in Markdown."""
    heads = [KINDS[key], *(f"{name} ({kind.spans})" for name, kind in found[0][1].items())]
    cells = [[shown(kind.figures[key], interval=interval) for kind in kinds.values()] for _, kinds in found]
    return table(heads, [[source, *line] for (source, _), line in zip(found, cells, strict=True)])


def shown(found: Figure, *, share: bool = False, interval: bool = False) -> str:
    """`0.32 (0.21 to 0.43)`, or `13 %`; a dash for what could not be measured."""
    if found is None:
        return "-"
    if share:
        value = 100 * found[0]
        return f"{value:.1f} %" if 0 < value < 9.95 else f"{value:.0f} %"
    told, low, high = (f"{round(one, 2) + 0.0:.2f}" for one in found)  # + 0.0: no minus before zero
    return f"{told} ({low} to {high})" if interval else told


def table(heads: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """A Markdown table whose columns stand one under the other, the first to the left."""
    widths = [max(map(len, column)) for column in zip(heads, *lines, strict=True)]

    def line(cells: Sequence[str]) -> str:
        padded = [cell.rjust(width) for cell, width in zip(cells, widths, strict=True)]
        return "| " + " | ".join([cells[0].ljust(widths[0]), *padded[1:]]) + " |"

    rule = [":" + "-" * (widths[0] - 1), *("-" * (width - 1) + ":" for width in widths[1:])]
    return "\n".join(map(line, [heads, rule, *lines]))


# As a picture


def draw(path: Path, found: Sequence[Row], title: str, ours: Container[str]) -> None:
    """F0.5 with its interval, precision and recall of each source, the best at the top; ours in a colour of its own."""
    from matplotlib.figure import Figure as Canvas

    known = [(row.source, row.figures["repair_f05"], row) for row in found]
    ranked = sorted(((f05, source, row) for source, f05, row in known if f05), key=lambda one: one[0])
    canvas = Canvas(figsize=(8, 1.2 + 0.4 * len(ranked)), layout="constrained")
    axes = canvas.add_subplot()
    for place, ((value, low, high), source, row) in enumerate(ranked):
        axes.barh(place, value, color="#2f6c9f" if source in ours else "#b0b7bf", height=0.6)
        axes.plot([low, high], [place, place], color="black", linewidth=1)
        for name, mark in (("repair_precision", "|"), ("repair_recall", ".")):
            if value and (point := row.figures[name]):
                axes.plot(point[0], place, mark, color="#c44e52", markersize=10)
    axes.set_yticks(range(len(ranked)), [source for _, source, _ in ranked])
    axes.set_xlim(0, 1)
    axes.set_xlabel("F0.5 of repairs with its 95 % interval (blue: our pairs); red: precision |, recall ·")
    axes.set_title(title)
    partial = path.with_name(path.name + ".partial")
    canvas.savefig(partial, format="png", dpi=100)
    partial.replace(path)
