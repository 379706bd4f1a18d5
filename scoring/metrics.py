"""The metrics of one prediction: repairs, damage to protected text, distances, and the overlap metrics of papers.

All of them work without a network and without a model. The repair metrics come first: they say which errors were
repaired and what else was changed. Overlap metrics are reported because papers report them, but they are close to
their maximum for any prediction, since about 98 % of a text is correct from the start. Compare every figure with that
of the unchanged input, `score_prediction(pair, pair.bad)`.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from typing import NamedTuple

from rapidfuzz.distance import Levenshtein

from degraders.dataset.pairs import Pair
from scoring import overlap
from scoring.fscore import precision_recall_f05
from scoring.repairs import REPAIRED, WRONG, explain

COLUMNS = (
    *("exact_match", "edit_similarity", "chrf", "bleu", "ter", "rouge_l", "sari", "gleu"),
    *("repair_precision", "repair_recall", "repair_f05", "tp", "fp", "fn"),
    *("over_correction", "identity_altered", "edit_distance", "edit_distance_change", "worse_than_input", "harm"),
)
"""The metrics of `score_prediction` in the order of the CSV. chrf, bleu, ter and sari run from 0 to 100 as in their
papers, all other shares from 0 to 1. Lower is better for ter, fp, fn, over_correction, identity_altered, edit_distance,
edit_distance_change, worse_than_input and harm."""

UNLABELLED = "unlabelled"


class SpanOutcome(NamedTuple):
    """An error span and its outcome: `repaired`, `wrong` (changed, but not to the good text) or `missed`."""

    label: str
    family: str
    outcome: str
    recoverable: str = UNLABELLED


class ExampleScores(NamedTuple):
    """The `COLUMNS` of an example, the outcome of each of its spans, and the damaged protected pieces by kind."""

    values: dict[str, float]
    spans: tuple[SpanOutcome, ...]
    harms: Counter[str]


def score_prediction(pair: Pair, prediction: str) -> dict[str, float]:
    """The metrics of one prediction, in the order of `COLUMNS`."""
    return assess_prediction(pair, prediction).values


def assess_prediction(pair: Pair, prediction: str) -> ExampleScores:
    """The metrics of one prediction, the outcome of each span, and the harm by kind.

    - exact_match: 1 if the prediction is the good text, byte for byte.
    - edit_similarity: 1 minus the Levenshtein distance to the good text over the length of the longer text
      (Levenshtein 1966, as rapidfuzz's `normalized_similarity`).
    - chrf, bleu, ter, rouge_l, sari, gleu: see `overlap`.
    - repair_precision, _recall, _f05, tp, fp, fn: see `repairs`. As in ERRANT, precision is 1 if nothing was edited
      and recall 1 if there was nothing to repair.
    - over_correction: the characters that extra edits removed or inserted, whichever are more, over the characters
      outside of the spans.
    - identity_altered: 1 if a pair without errors was changed; NaN for all other pairs.
    - edit_distance, edit_distance_change: the Levenshtein distance between prediction and good text, and the same
      minus the distance between bad and good text; worse_than_input: 1 if the change is above 0.
    - harm: the protected pieces (code blocks, inline code, URLs, link targets, flags, numbers …) that extra edits
      changed or added.
    """
    explanation = explain(pair, prediction)
    outcomes = Counter(explanation.outcomes)
    tp, fp = outcomes[REPAIRED], outcomes[WRONG] + explanation.extra_edits
    fn = len(explanation.outcomes) - tp
    precision, recall, f05 = precision_recall_f05(tp, fp, fn)
    distance = Levenshtein.distance(prediction, pair.good)
    change = distance - Levenshtein.distance(pair.bad, pair.good)
    altered = float(prediction != pair.bad) if pair.identity else math.nan
    values = {
        "exact_match": float(distance == 0),
        "edit_similarity": 1 - distance / max(len(prediction), len(pair.good), 1),
        **_overlap_metrics(pair, prediction),
        "repair_precision": precision,
        "repair_recall": recall,
        "repair_f05": f05,
        "tp": float(tp),
        "fp": float(fp),
        "fn": float(fn),
        "over_correction": min(1.0, explanation.extra_chars / max(1, explanation.free_chars)),
        "identity_altered": altered,
        "edit_distance": float(distance),
        "edit_distance_change": float(change),
        "worse_than_input": float(change > 0),
        "harm": float(explanation.harms.total()),
    }
    spans = tuple(
        SpanOutcome(span.label or UNLABELLED, span.family or UNLABELLED, outcome, span.recoverable or UNLABELLED)
        for span, outcome in zip(pair.spans, explanation.outcomes, strict=True)
    )
    return ExampleScores(values, spans, explanation.harms)


def _overlap_metrics(pair: Pair, prediction: str) -> dict[str, float]:
    bad, new, good = (overlap.tokenize_13a(text.rstrip()) for text in (pair.bad, prediction, pair.good))
    bad_codes, new_codes, good_codes = overlap.encode_tokens(bad, new, good)
    counts = overlap.shared_ngrams(new_codes, good_codes, overlap.WORD_ORDER)
    return {
        "chrf": overlap.chrf(prediction, pair.good),
        "bleu": overlap.bleu(counts),
        "ter": overlap.ter(prediction, pair.good),
        "rouge_l": overlap.rouge_l(prediction, pair.good),
        "sari": overlap.sari(pair.bad, prediction, [pair.good]),
        "gleu": overlap.gleu(bad_codes, new_codes, good_codes, counts),
    }


def format_harms(harms: Mapping[str, int]) -> str:
    """The harm by kind, the most frequent first: `code 2, url 1`; empty without harm."""
    return ", ".join(f"{kind} {count}" for kind, count in sorted(harms.items(), key=lambda item: (-item[1], item[0])))
