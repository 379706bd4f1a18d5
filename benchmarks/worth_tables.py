"""What bench_worth.py found, as tables and a chart: figures of summaries that eval.py wrote, seeds averaged."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from statistics import mean
from typing import Any, NamedTuple

Figure = tuple[float, float, float] | None
"""A value and the ends of its 95 % interval; None where nothing could be measured."""

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
_SHARES = frozenset({"exact_match", "worse_than_input", "over_correction", "harmed", "clean_altered"})


class Run(NamedTuple):
    """A source with one seed on one part of the real pairs: eval.py's summaries over pairs with errors and over texts
    without, which of their systems counts, CPU-seconds, and the keep_bias that was chosen for it."""

    source: str
    seed: int | None
    part: str
    errors: dict[str, Any]
    clean: dict[str, Any]
    system: str
    training: float
    answering: float
    ablation: bool = False
    bias: float | None = None


class Row(NamedTuple):
    """A source on one part, its seeds averaged; `labels` has, by category of error, how many there are and what share
    was repaired."""

    source: str
    seeds: int
    figures: dict[str, Figure]
    unguarded: Figure
    labels: dict[str, tuple[int, Figure]]
    training: float
    answering: float


def rows(runs: Iterable[Run], part: str, *, ablation: bool = False) -> list[Row]:
    """A row a source, in the order in which the sources come."""
    groups: dict[str, list[Run]] = {}
    for run in runs:
        if run.part == part and run.ablation == ablation:
            groups.setdefault(run.source, []).append(run)
    return [_row(source, found) for source, found in groups.items()]


def _row(source: str, runs: Sequence[Run]) -> Row:
    figures = {
        name: averaged([figure(run.errors["figures"][run.system][name]) for run in runs])
        for name in COLUMNS
        if name != "clean_altered"
    }
    figures["clean_altered"] = averaged([figure(run.clean["figures"][run.system]["identity_altered"]) for run in runs])
    raw = [run.errors["figures"].get("unguarded", run.errors["figures"]["model"]) for run in runs]
    labels = runs[0].errors["by_label"]
    return Row(
        source,
        len(runs),
        figures,
        averaged([figure(found["repair_f05"]) for found in raw]),
        {
            label: (
                found["spans"],
                averaged([figure(run.errors["by_label"][label][run.system]["recall"]) for run in runs]),
            )
            for label, found in sorted(labels.items(), key=lambda item: -item[1]["spans"])
        },
        mean(run.training for run in runs),
        mean(run.answering for run in runs),
    )


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


def main_table(found: Sequence[Row]) -> str:
    """All figures, in Markdown."""
    heads = ["pairs of", "seeds", *COLUMNS.values(), "F0.5 unguarded", "CPU-s training", "CPU-s answering"]
    lines = [
        [
            row.source,
            str(row.seeds),
            *(shown(row.figures[name], share=name in _SHARES, interval=name == "repair_f05") for name in COLUMNS),
            shown(row.unguarded),
            f"{row.training:,.0f}",
            f"{row.answering:,.0f}",
        ]
        for row in found
    ]
    return table(heads, lines)


def label_table(found: Sequence[Row]) -> str:
    """The share of each category's errors that was repaired, in Markdown."""
    labels = found[0].labels if found else {}
    heads = ["repaired, of", *(f"{label} ({spans})" for label, (spans, _) in labels.items())]
    lines = [[row.source, *(shown(recall, share=True) for _, recall in row.labels.values())] for row in found]
    return table(heads, lines)


def shown(found: Figure, *, share: bool = False, interval: bool = False) -> str:
    """`0.32 (0.21 to 0.43)`, or `13 %`; a dash for what could not be measured."""
    if found is None:
        return "-"
    if share:
        value = 100 * found[0]
        return f"{value:.1f} %" if 0 < value < 9.95 else f"{value:.0f} %"
    return f"{found[0]:.2f}" + (f" ({found[1]:.2f} to {found[2]:.2f})" if interval else "")


def table(heads: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """A Markdown table whose columns stand one under the other, the first to the left."""
    widths = [max(map(len, column)) for column in zip(heads, *lines, strict=True)]

    def line(cells: Sequence[str]) -> str:
        padded = [cell.rjust(width) for cell, width in zip(cells, widths, strict=True)]
        return "| " + " | ".join([cells[0].ljust(widths[0]), *padded[1:]]) + " |"

    rule = [":" + "-" * (widths[0] - 1), *("-" * (width - 1) + ":" for width in widths[1:])]
    return "\n".join(map(line, [heads, rule, *lines]))


# As a picture


def draw(path: Path, found: Sequence[Row], title: str) -> None:
    """F0.5 with its interval, precision and recall of each source, the best at the top."""
    from matplotlib.figure import Figure as Canvas

    known = [(row.source, row.figures["repair_f05"], row) for row in found]
    ranked = sorted(((f05, source, row) for source, f05, row in known if f05), key=lambda one: one[0])
    canvas = Canvas(figsize=(8, 1.2 + 0.4 * len(ranked)), layout="constrained")
    axes = canvas.add_subplot()
    for place, ((value, low, high), _, row) in enumerate(ranked):
        axes.barh(place, value, color="#4878a8", height=0.6)
        axes.plot([low, high], [place, place], color="black", linewidth=1)
        for name, mark in (("repair_precision", "|"), ("repair_recall", ".")):
            if point := row.figures[name]:
                axes.plot(point[0], place, mark, color="#c44e52", markersize=10)
    axes.set_yticks(range(len(ranked)), [source for _, source, _ in ranked])
    axes.set_xlim(0, 1)
    axes.set_xlabel("F0.5 of repairs with its 95 % interval; red: precision |, recall ·")
    axes.set_title(title)
    partial = path.with_name(path.name + ".partial")
    canvas.savefig(partial, format="png", dpi=100)
    partial.replace(path)
