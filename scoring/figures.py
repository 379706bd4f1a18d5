"""Figures over many examples with 95 % bootstrap intervals: overall, by label, by family and by recoverability."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from scoring.metrics import COLUMNS, ExampleScores, SpanOutcome
from scoring.repairs import REPAIRED, WRONG

FIGURES = (
    *(column for column in COLUMNS if column not in ("tp", "fp", "fn")),
    *("edit_distance_left", "harmed"),
)
"""The figures of `corpus_figures`. Each is the mean over the examples, except: repair_*, from the sums of tp, fp and
fn; identity_altered, the share of the identity pairs only; edit_distance_left, the sum of the edit distances of the
predictions over that of the inputs; harmed, the share of examples with any harm."""

Vector = npt.NDArray[Any]


class Figure(NamedTuple):
    """A figure over a corpus and its 95 % bootstrap interval; all NaN if nothing could be measured."""

    value: float
    low: float
    high: float


NO_FIGURE = Figure(math.nan, math.nan, math.nan)


class Breakdown(NamedTuple):
    """The repairs of one label or family: its number of spans, and precision, recall and F0.5 on them.

    An edit has the label of the span that it changes. Precision is therefore that of the attempts at these spans;
    extra edits have no label and lower only the precision of the corpus.
    """

    spans: int
    precision: Figure
    recall: Figure
    f05: Figure


class Bootstrap:
    """Resamples of `examples` examples with replacement: percentile intervals for figures computed from sums.

    Efron and Tibshirani 1993, "An Introduction to the Bootstrap", chapter 13. The same seed gives the same resamples,
    so two systems on one data set are compared on the same resamples.
    """

    def __init__(self, examples: int, *, samples: int = 1000, seed: int = 42) -> None:
        generator = np.random.default_rng(seed)
        self._multiplicities = np.empty((samples, examples), dtype=np.uint16)
        for row in self._multiplicities:
            row[:] = np.bincount(generator.integers(0, examples, examples), minlength=examples)

    def figures(self, columns: Sequence[Vector], *statistics: Callable[[Vector], Vector]) -> list[Figure]:
        """One figure per statistic; a statistic maps sums of the columns, one row per resample, to one value a row."""
        values = np.stack(columns, axis=1).astype(np.float64)
        total = values.sum(axis=0, keepdims=True)
        resampled = np.concatenate([block @ values for block in np.array_split(self._multiplicities, 16)])
        return [_figure(float(statistic(total)[0]), statistic(resampled)) for statistic in statistics]


def _figure(value: float, resampled: Vector) -> Figure:
    resampled = resampled[~np.isnan(resampled)]
    if math.isnan(value) or not resampled.size:
        return NO_FIGURE
    low, high = np.percentile(resampled, (2.5, 97.5))
    return Figure(value, float(low), float(high))


def corpus_figures(scores: Sequence[ExampleScores], *, samples: int = 1000, seed: int = 42) -> dict[str, Figure]:
    """The `FIGURES` of many examples, each with its 95 % interval."""
    if not scores:
        return dict.fromkeys(FIGURES, NO_FIGURE)
    column = {name: np.array([example.values[name] for example in scores]) for name in COLUMNS}
    column["harmed"] = column["harm"] > 0
    bootstrap = Bootstrap(len(scores), samples=samples, seed=seed)
    repairs = _repair_figures(bootstrap, column["tp"], column["fp"], column["fn"])
    figures = dict(zip(("repair_precision", "repair_recall", "repair_f05"), repairs, strict=True))
    input_distance = column["edit_distance"] - column["edit_distance_change"]
    figures["edit_distance_left"], *_ = bootstrap.figures((column["edit_distance"], input_distance), _quotient)
    for name in FIGURES:
        if name not in figures:
            figures[name] = _mean(bootstrap, column[name])
    return {name: figures[name] for name in FIGURES}


def figures_by_label(scores: Sequence[ExampleScores], *, samples: int = 1000, seed: int = 42) -> dict[str, Breakdown]:
    """The repairs of each label, in alphabetical order; spans without a label are `unlabelled`."""
    return _breakdowns(scores, lambda span: span.label, samples, seed)


def figures_by_family(scores: Sequence[ExampleScores], *, samples: int = 1000, seed: int = 42) -> dict[str, Breakdown]:
    """The repairs of each family, in alphabetical order; spans without a family are `unlabelled`."""
    return _breakdowns(scores, lambda span: span.family, samples, seed)


def figures_by_recoverability(
    scores: Sequence[ExampleScores], *, samples: int = 1000, seed: int = 42
) -> dict[str, Breakdown]:
    """The repairs of each class of recoverability; spans without a class are `unlabelled`."""
    return _breakdowns(scores, lambda span: span.recoverable, samples, seed)


def mean_figure(values: Sequence[float], *, samples: int = 1000, seed: int = 42) -> Figure:
    """The mean of one value per example, NaN ignored, with its 95 % interval."""
    if not values:
        return NO_FIGURE
    return _mean(Bootstrap(len(values), samples=samples, seed=seed), np.array(values))


def _mean(bootstrap: Bootstrap, column: Vector) -> Figure:
    measured = ~np.isnan(column)
    return bootstrap.figures((np.where(measured, column, 0), measured), _quotient)[0]


def _breakdowns(
    scores: Sequence[ExampleScores], name_of: Callable[[SpanOutcome], str], samples: int, seed: int
) -> dict[str, Breakdown]:
    counts: defaultdict[str, Vector] = defaultdict(lambda: np.zeros((3, len(scores))))
    for number, example in enumerate(scores):
        for span in example.spans:
            tp, fp, fn = counts[name_of(span)]
            tp[number] += span.outcome == REPAIRED
            fp[number] += span.outcome == WRONG
            fn[number] += span.outcome != REPAIRED
    bootstrap = Bootstrap(len(scores), samples=samples, seed=seed) if counts else None
    return {
        name: Breakdown(int(tp.sum() + fn.sum()), *_repair_figures(bootstrap, tp, fp, fn, need_errors=True))
        for name, (tp, fp, fn) in sorted(counts.items())
        if bootstrap
    }


def _repair_figures(
    bootstrap: Bootstrap, tp: Vector, fp: Vector, fn: Vector, *, need_errors: bool = False
) -> list[Figure]:
    """Precision, recall and F0.5 of the sums.

    `need_errors` ignores resamples without errors: a resample without any span of a rare label would count as perfect.
    """

    def with_errors(values: Vector, sums: Vector) -> Vector:
        return np.where(sums[:, 0] + sums[:, 2] > 0, values, np.nan) if need_errors else values

    return bootstrap.figures(
        (tp, fp, fn),
        lambda sums: with_errors(_precision(sums), sums),
        lambda sums: with_errors(_recall(sums), sums),
        lambda sums: with_errors(f05_of_sums(sums), sums),
    )


def f05_of_sums(sums: Vector) -> Vector:
    """The F0.5 of each row of sums of true positives, false positives and false negatives."""
    precision, recall = _precision(sums), _recall(sums)
    below = 0.25 * precision + recall
    return np.where(below > 0, 1.25 * precision * recall / np.where(below > 0, below, 1), 0.0)


def _precision(sums: Vector) -> Vector:
    return _ratio(sums[:, 0], sums[:, 0] + sums[:, 1])


def _recall(sums: Vector) -> Vector:
    return _ratio(sums[:, 0], sums[:, 0] + sums[:, 2])


def _ratio(part: Vector, whole: Vector) -> Vector:
    """`part / whole`; 1 where there is nothing."""
    return np.where(whole > 0, part / np.maximum(whole, 1), 1.0)


def _quotient(sums: Vector) -> Vector:
    """The first sum over the second; NaN where the second is 0."""
    return np.where(sums[:, 1] > 0, sums[:, 0] / np.where(sums[:, 1] > 0, sums[:, 1], 1), np.nan)
