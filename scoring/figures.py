"""Figures over many examples, with 95 % bootstrap intervals: overall, by label, by family and by recoverability."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from scoring.metrics import COLUMNS, Scored, SpanOutcome
from scoring.repairs import REPAIRED, WRONG

FIGURES = (
    *(column for column in COLUMNS if column not in ("tp", "fp", "fn")),
    *("edit_distance_left", "harmed"),
)
"""What `corpus` gives. Each is the mean over the examples, but for: repair_*, from the sums of tp, fp and fn;
identity_altered, the share of the identity pairs alone; edit_distance_left, the sum of edit distances to good that
remains, where 1 is what the input had; harmed, the share of examples with any harm."""


class Figure(NamedTuple):
    """A figure over a corpus and its 95 % bootstrap interval; all NaN where nothing could be measured."""

    value: float
    low: float
    high: float


class Breakdown(NamedTuple):
    """The repairs of one label or family: how many spans it has and what share of attempts and spans came out right.

    An edit has no label, but that of the span it stands in: precision is that of the attempts at these spans, and
    unasked edits lower only the precision of the corpus.
    """

    spans: int
    precision: Figure
    recall: Figure
    f05: Figure


# Figures over many

Vector = npt.NDArray[Any]
NO_FIGURE = Figure(math.nan, math.nan, math.nan)


class Bootstrap:
    """Resamples of `examples` examples, with replacement: percentile intervals for figures that are made of sums.

    Efron and Tibshirani 1993, "An Introduction to the Bootstrap", chapter 13. The same seed gives the same resamples,
    so that two systems on one data set are compared on the same ones.
    """

    def __init__(self, examples: int, *, samples: int = 1000, seed: int = 42) -> None:
        draw = np.random.default_rng(seed)
        self._times = np.empty((samples, examples), dtype=np.uint16)
        for row in self._times:
            row[:] = np.bincount(draw.integers(0, examples, examples), minlength=examples)

    def figures(self, columns: Sequence[Vector], *of_sums: Callable[[Vector], Vector]) -> list[Figure]:
        """The figures that functions make of the columns' sums; each gets a row of sums for each sample."""
        values = np.stack(columns, axis=1).astype(np.float64)
        whole = values.sum(axis=0, keepdims=True)
        drawn = np.concatenate([block @ values for block in np.array_split(self._times, 16)])
        return [_figure(float(function(whole)[0]), function(drawn)) for function in of_sums]


def _figure(value: float, drawn: Vector) -> Figure:
    drawn = drawn[~np.isnan(drawn)]
    if math.isnan(value) or not drawn.size:
        return NO_FIGURE
    low, high = np.percentile(drawn, (2.5, 97.5))
    return Figure(value, float(low), float(high))


def corpus_figures(scored: Sequence[Scored], *, samples: int = 1000, seed: int = 42) -> dict[str, Figure]:
    """The `FIGURES` of many examples, each with its 95 % interval."""
    if not scored:
        return dict.fromkeys(FIGURES, NO_FIGURE)
    column = {name: np.array([one.values[name] for one in scored]) for name in COLUMNS}
    column["harmed"] = column["harm"] > 0
    bootstrap = Bootstrap(len(scored), samples=samples, seed=seed)
    repairs = _repairs(bootstrap, column["tp"], column["fp"], column["fn"])
    found = dict(zip(("repair_precision", "repair_recall", "repair_f05"), repairs, strict=True))
    before = column["edit_distance"] - column["edit_distance_change"]
    found["edit_distance_left"], *_ = bootstrap.figures((column["edit_distance"], before), _quotient)
    for name in FIGURES:
        if name not in found:
            measured = ~np.isnan(column[name])
            found[name], *_ = bootstrap.figures((np.where(measured, column[name], 0), measured), _quotient)
    return {name: found[name] for name in FIGURES}


def figures_by_label(scored: Sequence[Scored], *, samples: int = 1000, seed: int = 42) -> dict[str, Breakdown]:
    """The repairs of each label, in alphabetical order; spans without one are `unlabelled`."""
    return _broken_down(scored, lambda span: span.label, samples, seed)


def figures_by_family(scored: Sequence[Scored], *, samples: int = 1000, seed: int = 42) -> dict[str, Breakdown]:
    """The repairs of each family, in alphabetical order; spans without one are `unlabelled`."""
    return _broken_down(scored, lambda span: span.family, samples, seed)


def figures_by_recoverability(scored: Sequence[Scored], *, samples: int = 1000, seed: int = 42) -> dict[str, Breakdown]:
    """The repairs of each class of what the text tells of them; where nobody said, `unlabelled`."""
    return _broken_down(scored, lambda span: span.recoverable, samples, seed)


def mean_figure(values: Sequence[float], *, samples: int = 1000, seed: int = 42) -> Figure:
    """The mean of one value an example, NaN left out, with its 95 % interval."""
    if not values:
        return NO_FIGURE
    column = np.array(values)
    measured = ~np.isnan(column)
    bootstrap = Bootstrap(len(column), samples=samples, seed=seed)
    return bootstrap.figures((np.where(measured, column, 0), measured), _quotient)[0]


def _broken_down(
    scored: Sequence[Scored], name: Callable[[SpanOutcome], str], samples: int, seed: int
) -> dict[str, Breakdown]:
    counts: defaultdict[str, Vector] = defaultdict(lambda: np.zeros((3, len(scored))))
    for number, one in enumerate(scored):
        for span in one.spans:
            tp, fp, fn = counts[name(span)]
            tp[number] += span.outcome == REPAIRED
            fp[number] += span.outcome == WRONG
            fn[number] += span.outcome != REPAIRED
    bootstrap = Bootstrap(len(scored), samples=samples, seed=seed) if counts else None
    return {
        key: Breakdown(int(tp.sum() + fn.sum()), *_repairs(bootstrap, tp, fp, fn, alone=False))
        for key, (tp, fp, fn) in sorted(counts.items())
        if bootstrap
    }


def _repairs(bootstrap: Bootstrap, tp: Vector, fp: Vector, fn: Vector, *, alone: bool = True) -> list[Figure]:
    """Precision, recall and F0.5 of the sums; unless these stand `alone`, nothing is said where there are no errors: a
    resample without any of a rare label would count as faultless."""

    def said(found: Vector, sums: Vector) -> Vector:
        return found if alone else np.where(sums[:, 0] + sums[:, 2] > 0, found, np.nan)

    return bootstrap.figures(
        (tp, fp, fn),
        lambda sums: said(_share(sums[:, 0], sums[:, 1]), sums),
        lambda sums: said(_share(sums[:, 0], sums[:, 2]), sums),
        lambda sums: said(f_half_of_sums(sums), sums),
    )


def _share(right: Vector, wrong: Vector) -> Vector:
    """The share of what is right; 1 where there is nothing."""
    total = right + wrong
    return np.where(total > 0, right / np.maximum(total, 1), 1.0)


def f_half_of_sums(sums: Vector) -> Vector:
    """F0.5 of each row of sums: right and wrong repairs, and errors that are left."""
    precision, recall = _share(sums[:, 0], sums[:, 1]), _share(sums[:, 0], sums[:, 2])
    below = 0.25 * precision + recall
    return np.where(below > 0, 1.25 * precision * recall / np.where(below > 0, below, 1), 0.0)


def _quotient(sums: Vector) -> Vector:
    """The first sum over the second; NaN over nothing."""
    return np.where(sums[:, 1] > 0, sums[:, 0] / np.where(sums[:, 1] > 0, sums[:, 1], 1), np.nan)
