"""Ratios, F-scores, and the precision and recall of corrections as ERRANT defines them."""

from __future__ import annotations


def ratio(part: float, whole: float) -> float:
    """`part / whole`; 1 where there is nothing, so that a system that changes nothing has a precision of 1."""
    return part / whole if whole else 1.0


def f_score(precision: float, recall: float, *, beta: float) -> float:
    """The F-score, which weighs recall `beta` times as much as precision (van Rijsbergen 1979)."""
    weight = beta**2
    below = weight * precision + recall
    return (1 + weight) * precision * recall / below if below > 0 else 0.0


def precision_recall_f05(tp: float, fp: float, fn: float) -> tuple[float, float, float]:
    """Precision, recall and F0.5; as in ERRANT, precision is 1 without edits and recall 1 without errors."""
    precision, recall = ratio(tp, tp + fp), ratio(tp, tp + fn)
    return precision, recall, f_score(precision, recall, beta=0.5)
