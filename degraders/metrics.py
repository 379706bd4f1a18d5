"""What the evaluation reports: the metrics of one prediction, figures over many, and both per label and family.

The built-in metrics need no network and no model. What leads is what a documentation team must know: which
errors were repaired and what else was changed. The overlap metrics, as papers report them, come along; over texts of
which 98 % stands unchanged they flatter, so every figure has to stand beside that of `score(pair, pair.bad)`.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple
from urllib.request import Request, urlopen

import numpy as np
import numpy.typing as npt
from rapidfuzz.distance import Levenshtein

from degraders import overlap
from degraders.errors import UserError
from degraders.pairs import Pair
from degraders.span_repair import REPAIRED, WRONG, explain

COLUMNS = (
    *("exact_match", "edit_similarity", "chrf", "bleu", "ter", "rouge_l", "sari", "gleu"),
    *("repair_precision", "repair_recall", "repair_f05", "tp", "fp", "fn"),
    *("over_correction", "identity_altered", "edit_distance", "edit_distance_change", "worse_than_input", "harm"),
)
"""What `score` gives, in the order of the CSV. chrf, bleu, ter and sari run from 0 to 100 as their papers have it, all
other shares from 0 to 1. Lower is better for ter, fp, fn, over_correction, identity_altered, edit_distance,
edit_distance_change, worse_than_input and harm."""

FIGURES = (
    *(column for column in COLUMNS if column not in ("tp", "fp", "fn")),
    *("edit_distance_left", "harmed"),
)
"""What `corpus` gives. Each is the mean over the examples, but for: repair_*, from the sums of tp, fp and fn;
identity_altered, the share of the identity pairs alone; edit_distance_left, the sum of edit distances to good that
remains, where 1 is what the input had; harmed, the share of examples with any harm."""

UNLABELLED = "unlabelled"
HUB_PATIENCE = 5
"""Seconds that the hub may take to answer."""


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


# One example


def score(pair: Pair, prediction: str) -> dict[str, float]:
    """The metrics of one prediction, in the order of `COLUMNS`."""
    return assess(pair, prediction).values


def assess(pair: Pair, prediction: str) -> Scored:
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
    sums = np.array([[tp, fp, fn]], dtype=np.float64)
    precision, recall = _share(sums[:, 0], sums[:, 1]), _share(sums[:, 0], sums[:, 2])
    return float(precision[0]), float(recall[0]), float(f_half_of_sums(sums)[0])


def harm_text(harms: Mapping[str, int]) -> str:
    """Harm in words, `code 2, url 1`; empty without."""
    return ", ".join(f"{kind} {count}" for kind, count in sorted(harms.items(), key=lambda item: (-item[1], item[0])))


# Figures over many

Vector = npt.NDArray[Any]
NOTHING = Figure(math.nan, math.nan, math.nan)


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
        return NOTHING
    low, high = np.percentile(drawn, (2.5, 97.5))
    return Figure(value, float(low), float(high))


def corpus(scored: Sequence[Scored], *, samples: int = 1000, seed: int = 42) -> dict[str, Figure]:
    """The `FIGURES` of many examples, each with its 95 % interval."""
    if not scored:
        return dict.fromkeys(FIGURES, NOTHING)
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


def by_label(scored: Sequence[Scored], *, samples: int = 1000, seed: int = 42) -> dict[str, Breakdown]:
    """The repairs of each label, in alphabetical order; spans without one are `unlabelled`."""
    return _broken_down(scored, lambda span: span.label, samples, seed)


def by_family(scored: Sequence[Scored], *, samples: int = 1000, seed: int = 42) -> dict[str, Breakdown]:
    """The repairs of each family, in alphabetical order; spans without one are `unlabelled`."""
    return _broken_down(scored, lambda span: span.family, samples, seed)


def by_recoverable(scored: Sequence[Scored], *, samples: int = 1000, seed: int = 42) -> dict[str, Breakdown]:
    """The repairs of each class of what the text tells of them; where nobody said, `unlabelled`."""
    return _broken_down(scored, lambda span: span.recoverable, samples, seed)


def mean(values: Sequence[float], *, samples: int = 1000, seed: int = 42) -> Figure:
    """The mean of one value an example, NaN left out, with its 95 % interval."""
    if not values:
        return NOTHING
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


# Metrics that need a model or the network


def cosine(predictions: Sequence[str], references: Sequence[str], model: str, *, batch: int = 32) -> list[float]:
    """The cosine of the sentence embeddings of each prediction and its reference, -1 to 1.

    Reimers and Gurevych 2019, "Sentence-BERT". `model` is a folder or a hub name for sentence-transformers. It
    flatters (a "not" put in leaves 0.98), and of a long text it sees the beginning alone: never lead with it.
    UserError if the model is not at hand.
    """
    encoder = _encoder(model)
    texts = list(dict.fromkeys((*predictions, *references)))
    vectors = encoder.encode(texts, batch_size=batch, normalize_embeddings=True, show_progress_bar=False)
    vector_of = dict(zip(texts, vectors, strict=True))
    return [float(vector_of[left] @ vector_of[right]) for left, right in zip(predictions, references, strict=True)]


def _encoder(model: str) -> Any:
    hint = "give the folder of a sentence-transformers model, or a hub name where the hub can be reached"
    try:
        # Asked first: to import the library takes seconds, and to learn that there is no hub a minute.
        if not _at_hand(model):
            raise UserError(f"embedding model {model!r} is not on this machine; {hint}")
        from sentence_transformers import SentenceTransformer
    except ImportError as error:
        raise UserError(f"the embedding cosine needs a package: pip install {error.name}") from error
    try:
        return SentenceTransformer(model)
    except (OSError, ValueError) as error:
        raise UserError(f"embedding model {model!r} cannot be loaded ({_first_line(error)}); {hint}") from error


def _at_hand(model: str) -> bool:
    """Whether a model is a folder, lies in the hub's cache, or could be fetched."""
    if Path(model).is_dir():
        return True
    from huggingface_hub import constants, try_to_load_from_cache

    name = model if "/" in model else f"sentence-transformers/{model}"
    try:
        if try_to_load_from_cache(name, "modules.json"):
            return True
        if constants.HF_HUB_OFFLINE:
            return False
        urlopen(Request(constants.ENDPOINT, method="HEAD"), timeout=HUB_PATIENCE).close()
    except (OSError, ValueError):  # no way to the hub, or no name of a model
        return False
    return True


class Extra:
    """Metrics of the `evaluate` library by hub name or path of a local module, loaded at once so that a wrong name
    shows before the predictions are made."""

    def __init__(self, names: Sequence[str]) -> None:
        try:
            import evaluate
        except ImportError as error:
            raise UserError("extra metrics need the evaluate library: pip install evaluate") from error
        self._metrics: dict[str, Any] = {}
        for name in names:
            try:
                self._metrics[name] = evaluate.load(name)
            except Exception as error:
                # A module of someone else's is run here, which may fail with anything.
                hint = "a hub name needs the network; offline, give the path of the metric's folder"
                raise UserError(f"extra metric {name!r} cannot be loaded ({_first_line(error)}); {hint}") from error

    def __call__(
        self, sources: Sequence[str], predictions: Sequence[str], references: Sequence[str]
    ) -> dict[str, float]:
        """The numbers that each metric gives, as `rouge.rougeL`; of a list of numbers the mean."""
        found: dict[str, float] = {}
        for name, metric in self._metrics.items():
            forms = metric.features if isinstance(metric.features, list) else [metric.features]
            plain = any(getattr(form.get("references"), "dtype", "") == "string" for form in forms)
            texts = {
                "sources": list(sources),
                "predictions": list(predictions),
                "references": list(references) if plain else [[reference] for reference in references],
            }
            try:
                result = metric.compute(**{key: column for key, column in texts.items() if key in forms[0]})
            except Exception as error:
                raise UserError(f"extra metric {name!r} cannot be computed: {_first_line(error)}") from error
            found |= {f"{metric.name}.{key}": value for key, value in _numbers(result or {})}
        return found


def _numbers(result: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    for key, value in result.items():
        values = value if isinstance(value, list) else [value]
        if values and all(isinstance(one, (int, float, np.number)) for one in values):
            yield key, float(np.mean(values))


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
