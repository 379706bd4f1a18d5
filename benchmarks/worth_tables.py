"""What bench_worth.py found, as tables and a chart: figures of summaries that eval.py wrote, seeds averaged."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence
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
KINDS = {"recall": "repaired, of", "precision": "precision, of", "f05": "F0.5, of"}
"""The figures of a kind of error, and how a table of them begins."""
_SHARES = frozenset({"exact_match", "worse_than_input", "over_correction", "harmed", "clean_altered"})


class Run(NamedTuple):
    """A source with one seed on one part of the real pairs: eval.py's summaries over pairs with errors and over texts
    without, which of their systems counts, CPU-seconds, the keep_bias that was chosen for it, and the summary over
    pairs with errors that the text does not tell."""

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
    beyond: dict[str, Any] | None = None


class Kind(NamedTuple):
    """The errors of one kind: how many there are, and precision, recall and F0.5 of their repairs. Precision is that of
    the changes to these errors; what was changed elsewhere has no kind."""

    spans: int
    figures: dict[str, Figure]


class Row(NamedTuple):
    """A source on one part, its seeds averaged; `labels` are the errors by category, `told` by what the text tells."""

    source: str
    seeds: int
    figures: dict[str, Figure]
    unguarded: Figure
    labels: dict[str, Kind]
    told: dict[str, Kind]
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
    beyond = [(run.beyond["by_recoverable"], run.system) for run in runs if run.beyond]
    told = _kinds([(run.errors["by_recoverable"], run.system) for run in runs]) | _kinds(beyond)
    return Row(
        source,
        len(runs),
        figures,
        averaged([figure(found["repair_f05"]) for found in raw]),
        _kinds([(run.errors["by_label"], run.system) for run in runs]),
        told,
        mean(run.training for run in runs),
        mean(run.answering for run in runs),
    )


def _kinds(broken_down: Sequence[tuple[dict[str, Any], str]]) -> dict[str, Kind]:
    """The kinds in the breakdowns of eval.py's summaries, of the system beside each; the most frequent first."""
    if not broken_down:
        return {}
    sizes = {name: int(found["spans"]) for name, found in broken_down[0][0].items()}
    return {
        name: Kind(
            sizes[name],
            {key: averaged([figure(found[name][system][key]) for found, system in broken_down]) for key in KINDS},
        )
        for name in sorted(sizes, key=lambda name: -sizes[name])
    }


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
            *(shown(row.figures[name], share=name in _SHARES, interval=name.startswith("repair")) for name in COLUMNS),
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
    """One figure of the repairs of each kind of error, in Markdown; no precision where nothing was tried."""

    def cell(kind: Kind) -> str:
        recall, precision = kind.figures["recall"], kind.figures["precision"]
        tried = key != "precision" or not (recall and precision) or recall[0] > 0 or precision[0] < 1
        return shown(kind.figures[key] if tried else None, interval=interval)

    heads = [KINDS[key], *(f"{name} ({kind.spans})" for name, kind in found[0][1].items())]
    return table(heads, [[source, *map(cell, kinds.values())] for source, kinds in found])


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
