"""What the evaluation reports: the metrics of one prediction, figures over many, and both per label and family.

The built-in metrics need no network and no model. What leads is what a documentation team must know: which
errors were repaired and what else was changed. The overlap metrics, as papers report them, come along; over texts of
which 98 % stands unchanged they flatter, so every figure has to stand beside that of `score(pair, pair.bad)`.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from typing import NamedTuple

from rapidfuzz.distance import Levenshtein

from degraders.dataset.pairs import Pair
from scoring import overlap
from scoring.repairs import REPAIRED, WRONG, explain

COLUMNS = (
    *("exact_match", "edit_similarity", "chrf", "bleu", "ter", "rouge_l", "sari", "gleu"),
    *("repair_precision", "repair_recall", "repair_f05", "tp", "fp", "fn"),
    *("over_correction", "identity_altered", "edit_distance", "edit_distance_change", "worse_than_input", "harm"),
)
"""What `score` gives, in the order of the CSV. chrf, bleu, ter and sari run from 0 to 100 as their papers have it, all
other shares from 0 to 1. Lower is better for ter, fp, fn, over_correction, identity_altered, edit_distance,
edit_distance_change, worse_than_input and harm."""

UNLABELLED = "unlabelled"


class SpanOutcome(NamedTuple):
    """An error and what became of it: `repaired`, `wrong` (attempted, with another result) or `missed`."""

    label: str
    family: str
    outcome: str
    recoverable: str = UNLABELLED


class Scored(NamedTuple):
    """An example with its `COLUMNS`, the outcome of each of its spans, and the protected pieces harmed by kind."""

    values: dict[str, float]
    spans: tuple[SpanOutcome, ...]
    harms: Counter[str]


# One example


def score_prediction(pair: Pair, prediction: str) -> dict[str, float]:
    """The metrics of one prediction, in the order of `COLUMNS`."""
    return assess_prediction(pair, prediction).values


def assess_prediction(pair: Pair, prediction: str) -> Scored:
    """The metrics of one prediction, what became of each span, and the harm by kind.

    - exact_match: 1 if the prediction is the good text, byte for byte.
    - edit_similarity: 1 less the share of characters that differ, by Levenshtein distance over the longer text
      (Levenshtein 1966, as rapidfuzz's `normalized_similarity`).
    - chrf, bleu, ter, rouge_l, sari, gleu: see `overlap`.
    - repair_precision, _recall, _f05, tp, fp, fn: see `span_repair`. As in ERRANT, precision is 1 where nothing was
      edited and recall 1 where nothing had to be.
    - over_correction: characters that unasked edits removed or put in, whichever are more, over the characters
      outside of the spans.
    - identity_altered: 1 if a pair without errors was changed; NaN for all other pairs.
    - edit_distance, edit_distance_change: characters between prediction and good, and how many more these are than
      those between bad and good; worse_than_input: 1 if they are more.
    - harm: protected pieces (code blocks, inline code, URLs, link targets, flags, numbers …) that unasked edits
      changed or made.
    """
    explained = explain(pair, prediction)
    found = Counter(explained.outcomes)
    tp, fp = found[REPAIRED], found[WRONG] + explained.unasked
    fn = len(explained.outcomes) - tp
    precision, recall, f05 = f_half(tp, fp, fn)
    distance = Levenshtein.distance(prediction, pair.good)
    change = distance - Levenshtein.distance(pair.bad, pair.good)
    altered = float(prediction != pair.bad) if pair.identity else math.nan
    values = {
        "exact_match": float(distance == 0),
        "edit_similarity": 1 - distance / max(len(prediction), len(pair.good), 1),
        **_overlaps(pair, prediction),
        "repair_precision": precision,
        "repair_recall": recall,
        "repair_f05": f05,
        "tp": float(tp),
        "fp": float(fp),
        "fn": float(fn),
        "over_correction": min(1.0, explained.unasked_chars / max(1, explained.free_chars)),
        "identity_altered": altered,
        "edit_distance": float(distance),
        "edit_distance_change": float(change),
        "worse_than_input": float(change > 0),
        "harm": float(explained.harms.total()),
    }
    outcomes = tuple(
        SpanOutcome(span.label or UNLABELLED, span.family or UNLABELLED, outcome, span.recoverable or UNLABELLED)
        for span, outcome in zip(pair.spans, explained.outcomes, strict=True)
    )
    return Scored(values, outcomes, explained.harms)


def _overlaps(pair: Pair, prediction: str) -> dict[str, float]:
    source, new, good = (overlap.mteval(text) for text in (pair.bad, prediction, pair.good))
    coded_source, coded_new, coded_good = overlap.codes(source, new, good)
    shared = overlap.shared_ngrams(coded_new, coded_good, overlap.WORD_ORDER)
    return {
        "chrf": overlap.chrf(prediction, pair.good),
        "bleu": overlap.bleu(shared),
        "ter": overlap.ter(prediction, pair.good),
        "rouge_l": overlap.rouge_l(prediction, pair.good),
        "sari": overlap.sari(source, new, [good]),
        "gleu": overlap.gleu(coded_source, coded_new, coded_good, shared),
    }


def f_half(tp: float, fp: float, fn: float) -> tuple[float, float, float]:
    """Precision, recall and F0.5, with ERRANT's 1 for a precision without edits and a recall without errors."""
    precision, recall = _share(tp, fp), _share(tp, fn)
    below = 0.25 * precision + recall
    return precision, recall, 1.25 * precision * recall / below if below > 0 else 0.0


def _share(right: float, wrong: float) -> float:
    """The share of what is right; 1 where there is nothing."""
    return right / (right + wrong) if right + wrong > 0 else 1.0


def harm_text(harms: Mapping[str, int]) -> str:
    """Harm in words, `code 2, url 1`; empty without."""
    return ", ".join(f"{kind} {count}" for kind, count in sorted(harms.items(), key=lambda item: (-item[1], item[0])))
