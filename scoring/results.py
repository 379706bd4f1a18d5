"""The results of an evaluation: examples with scores, figures by system, and the CSV, summary and closing table."""

from __future__ import annotations

import csv
import io
import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from degraders.dataset.pairs import Pair
from fixer.predictions import Prediction
from scoring.figures import (
    NO_FIGURE,
    Breakdown,
    Figure,
    corpus_figures,
    figures_by_family,
    figures_by_label,
    figures_by_recoverability,
    mean_figure,
)
from scoring.metrics import COLUMNS, ExampleScores, assess_prediction, format_harms

MODEL, COPY, RAW = "model", "copy", "unguarded"
"""The systems: the evaluated predictions, the unchanged input, and the predictions without the guard."""
EMBEDDING = "embedding_cosine"
MOST_IDS = 20
"""The most ids that the summary lists for one reason."""
CLEAN = 100
"""The fewest identity pairs from which the share of altered good texts can be estimated."""

LEADING = {
    "repair_f05": "span repair F0.5",
    "repair_precision": "  precision",
    "repair_recall": "  recall",
    "exact_match": "exact match",
    "edit_distance_change": "change of edit distance",
    "edit_distance_left": "  remaining share",
    "over_correction": "over-correction",
    "identity_altered": "  identity pairs altered",
    "worse_than_input": "worse than the input",
    "harmed": "texts harmed",
    "harm": "  harmed pieces per text",
}
"""The leading figures with their names in the table; `figures.FIGURES` defines them."""
OVERLAP = {
    "edit_similarity": "edit similarity",
    "chrf": "chrF",
    "bleu": "BLEU",
    "ter": "TER",
    "rouge_l": "ROUGE-L",
    "sari": "SARI",
    "gleu": "GLEU",
    EMBEDDING: "embedding cosine",
}
"""The figures that papers report; they say little about texts that are nearly all unchanged."""
LOWER_IS_BETTER = frozenset(
    "edit_distance_change edit_distance_left over_correction identity_altered worse_than_input harmed harm ter".split()
)

Progress = Callable[[Iterable[Any]], Iterable[Any]]


@dataclass(frozen=True, slots=True)
class ScoredExample:
    """A pair and its prediction, with the scores of the prediction, of the same without the guard, and of the input."""

    pair: Pair
    prediction: Prediction
    scores: ExampleScores
    raw_scores: ExampleScores
    copy_scores: ExampleScores


@dataclass
class Results:
    """The examples in the order of the data set, and all figures over them.

    `cosines` and `extra` hold, by system, one embedding cosine per example and the figures of other metrics; both are
    empty if they were not requested or not available. `refused_good_texts` counts the good texts that the guard would
    refuse, which is its cost.
    """

    examples: Sequence[ScoredExample]
    seed: int
    guarded: bool
    refused_good_texts: int = 0
    cosines: dict[str, list[float]] = field(default_factory=dict)
    extra: dict[str, dict[str, float]] = field(default_factory=dict)

    @cached_property
    def figures(self) -> dict[str, dict[str, Figure]]:
        """The figures by system and name."""
        figures = {system: corpus_figures(self.scores(system), seed=self.seed) for system in self.systems}
        for system, cosines in self.cosines.items():
            figures[system][EMBEDDING] = mean_figure(cosines, seed=self.seed)
        for system, values in self.extra.items():
            figures[system] |= {name: Figure(value, math.nan, math.nan) for name, value in values.items()}
        return figures

    @property
    def systems(self) -> tuple[str, ...]:
        return (MODEL, COPY, RAW) if self.guarded else (MODEL, COPY)

    def scores(self, system: str) -> list[ExampleScores]:
        """The scores of a system, one per example."""
        attribute = {MODEL: "scores", COPY: "copy_scores", RAW: "raw_scores"}[system]
        return [getattr(example, attribute) for example in self.examples]

    @cached_property
    def breakdowns(self) -> dict[str, dict[str, dict[str, Breakdown]]]:
        """The repairs by system, by criterion (`label`, `family` or `recoverable`), and by its value."""
        functions = {
            "label": figures_by_label,
            "family": figures_by_family,
            "recoverable": figures_by_recoverability,
        }
        return {
            system: {
                criterion: function(self.scores(system), seed=self.seed) for criterion, function in functions.items()
            }
            for system in self.systems
        }

    @cached_property
    def categories(self) -> dict[str, tuple[int, dict[str, dict[str, Figure]]]]:
        """For each category of pairs, if the data has any: the number of pairs, and the figures by system and name."""
        groups: defaultdict[str, list[ScoredExample]] = defaultdict(list)
        for example in self.examples:
            groups[example.pair.category].append(example)
        groups.pop("", None)
        return {
            name: (len(group), Results(group, self.seed, guarded=False).figures)
            for name, group in sorted(groups.items())
        }

    @cached_property
    def harms(self) -> Counter[str]:
        """The number of harmed protected pieces by kind."""
        return sum((example.scores.harms for example in self.examples), Counter())

    @cached_property
    def refused(self) -> int:
        """The number of predictions that the guard replaced by the input, in whole or in part."""
        return sum(bool(example.prediction.guard) for example in self.examples)

    @cached_property
    def ids_by_problem(self) -> dict[str, list[str]]:
        """The ids of the examples with a broken answer by problem, the most frequent problem first."""
        return self._ids_by(lambda prediction: prediction.problem)

    @cached_property
    def ids_by_guard_reason(self) -> dict[str, list[str]]:
        """The ids of the examples with a refused answer by reason of the guard, the most frequent reason first."""
        return self._ids_by(lambda prediction: prediction.guard)

    def _ids_by(self, reasons_of: Callable[[Prediction], str]) -> dict[str, list[str]]:
        ids: defaultdict[str, list[str]] = defaultdict(list)
        for example in self.examples:
            for reason in filter(None, reasons_of(example.prediction).split(", ")):
                ids[reason].append(example.pair.id)
        return dict(sorted(ids.items(), key=lambda item: (-len(item[1]), item[0])))


def assess_predictions(
    pairs: Sequence[Pair],
    predictions: Sequence[Prediction],
    *,
    seed: int,
    guarded: bool,
    refused_good_texts: int,
    progress: Progress,
) -> Results:
    """Score the predictions of pairs, in the same order; `progress` wraps the iteration over them."""
    work = progress(list(zip(pairs, predictions, strict=True)))
    examples = [_assess_example(pair, prediction) for pair, prediction in work]
    return Results(examples, seed, guarded, refused_good_texts)


def _assess_example(pair: Pair, prediction: Prediction) -> ScoredExample:
    scores = {text: assess_prediction(pair, text) for text in {pair.bad, prediction.text, prediction.raw}}
    return ScoredExample(
        pair,
        prediction,
        scores=scores[prediction.text],
        raw_scores=scores[prediction.raw],
        copy_scores=scores[pair.bad],
    )


# The CSV


def examples_csv(results: Results) -> str:
    """The CSV with one row per example; `raw` is empty if the guard changed nothing.

    Line ends are those of RFC 4180, because a lone carriage return in a text would otherwise end its row.
    """
    cosines = results.cosines.get(MODEL)
    texts = ("id", "split", "category", "format", "labels", "bad", "good", "prediction", "raw")
    flags = ("identity", "problem", "guard", "harms", "tokens", "chunks")
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow([*texts, *COLUMNS, *([EMBEDDING] if cosines else []), *flags])
    for number, example in enumerate(results.examples):
        values = [*example.scores.values.values(), *([cosines[number]] if cosines else [])]
        writer.writerow([*_text_cells(example), *map(_format_number, values), *_flag_cells(example)])
    return out.getvalue()


def _text_cells(example: ScoredExample) -> list[str]:
    pair, prediction = example.pair, example.prediction
    raw = prediction.raw if prediction.raw != prediction.text else ""
    labels = ", ".join(pair.labels)
    return [pair.id, pair.split, pair.category, pair.format, labels, pair.bad, pair.good, prediction.text, raw]


def _flag_cells(example: ScoredExample) -> list[str | int]:
    prediction, harms = example.prediction, format_harms(example.scores.harms)
    identity = int(example.pair.identity)
    return [identity, prediction.problem, prediction.guard, harms, prediction.tokens, prediction.chunks]


def _format_number(value: float) -> str:
    """A number with at most six decimals; empty for NaN."""
    if math.isnan(value):
        return ""
    return str(int(value)) if value == int(value) else f"{value:.6f}".rstrip("0").rstrip(".")


# The summary


def results_summary(results: Results) -> dict[str, Any]:
    """All figures as plain values, NaN as null."""
    systems = results.systems
    return {
        "figures": {system: _plain_figures(results.figures[system]) for system in systems},
        **{
            f"by_{criterion}": _plain_breakdowns(results, criterion) for criterion in ("label", "family", "recoverable")
        },
        "by_category": {
            name: {"pairs": pairs, **{system: _plain_figures(values) for system, values in figures.items()}}
            for name, (pairs, figures) in results.categories.items()
        },
        "harm": dict(results.harms.most_common()),
        "harmed": [example.pair.id for example in results.examples if example.scores.harms],
        "broken": _count_ids(results.ids_by_problem),
        "guard": {
            "on": results.guarded,
            "refused": results.refused,
            "reasons": _count_ids(results.ids_by_guard_reason),
            "good_texts_it_would_refuse": results.refused_good_texts,
        },
    }


def _plain_breakdowns(results: Results, criterion: str) -> dict[str, dict[str, Any]]:
    breakdowns = {system: results.breakdowns[system][criterion] for system in results.systems}
    return {
        name: {"spans": model.spans, **{system: _plain_breakdown(breakdowns[system][name]) for system in breakdowns}}
        for name, model in breakdowns[MODEL].items()
    }


def _plain_breakdown(breakdown: Breakdown) -> dict[str, dict[str, float | None]]:
    return _plain_figures({"precision": breakdown.precision, "recall": breakdown.recall, "f05": breakdown.f05})


def _plain_figures(figures: Mapping[str, Figure]) -> dict[str, dict[str, float | None]]:
    return {
        name: {part: None if math.isnan(value) else round(value, 6) for part, value in figure._asdict().items()}
        for name, figure in figures.items()
    }


def _count_ids(ids_by_reason: Mapping[str, Sequence[str]]) -> dict[str, dict[str, Any]]:
    return {reason: {"count": len(ids), "ids": list(ids[:MOST_IDS])} for reason, ids in ids_by_reason.items()}


# The closing table


def figure_rows(results: Results) -> list[tuple[str, str, list[Figure]]]:
    """The name, the title and the figure of each system, leading figures first."""
    names = results.figures[MODEL]
    titles = {**LEADING, **OVERLAP}
    titles |= {name: name for name in names if name.partition(".")[2]}
    return [
        (name, title, [results.figures[system].get(name, NO_FIGURE) for system in results.systems])
        for name, title in titles.items()
        if name in names
    ]


def results_table(results: Results, system_name: str, facts: Sequence[tuple[str, str]]) -> str:
    """The figures of the evaluated system beside those of `copy`, then the facts."""
    heads = [system_name, *(system for system in results.systems[1:] if system != system_name)]
    rows = [(title, list(map(format_figure, figures[: len(heads)]))) for _, title, figures in figure_rows(results)]
    first = max(len(title) for title in (*(title for title, _ in rows), *(name for name, _ in facts))) + 2
    widths = [max(len(head), *(len(cells[at]) for _, cells in rows)) + 2 for at, head in enumerate(heads)]

    def line(title: str, cells: Sequence[str]) -> str:
        padded = "".join(f"{cell:<{width}}" for cell, width in zip(cells, widths, strict=True))
        return f"{title:<{first}}{padded}".rstrip()

    fact_lines = [f"{name:<{first}}{value}".rstrip() for name, value in facts]
    return "\n".join([line("", heads), *(line(*row) for row in rows), *fact_lines])


def format_figure(figure: Figure) -> str:
    """A figure with its interval, `0.61 (0.55 to 0.67)`."""
    if math.isnan(figure.value):
        return "-"
    value = _format_decimal(figure.value)
    if math.isnan(figure.low):
        return value
    return f"{value} ({_format_decimal(figure.low)} to {_format_decimal(figure.high)})"


def _format_decimal(value: float) -> str:
    text = f"{value:.1f}" if abs(value) >= 10 else f"{value:.4f}" if 0 < abs(value) < 0.01 else f"{value:.3f}"
    return text.removeprefix("-") if not float(text) else text


def results_facts(results: Results) -> list[tuple[str, str]]:
    """The lines below the figures: harm by kind, broken answers, the guard, and a warning if the data is too small."""
    facts = [
        ("harm", format_harms(results.harms) or "none"),
        ("broken answers", _list_ids(results.ids_by_problem) or "none"),
    ]
    if results.guarded:
        facts.append(("guard", f"refused {results.refused:,} of {len(results.examples):,} answers"))
        facts += [(f"  {reason}", f"{len(ids):,}") for reason, ids in results.ids_by_guard_reason.items()]
        facts.append(("  false alarms", f"it would refuse {results.refused_good_texts:,} of the good texts"))
    clean = sum(example.pair.identity for example in results.examples)
    if clean < CLEAN:
        count = f"{clean} identity pair{'' if clean == 1 else 's'}"
        facts.append(("note", f"{count}: too few to estimate how often good text is altered (at least {CLEAN})"))
    return facts


def _list_ids(ids_by_reason: Mapping[str, Sequence[str]]) -> str:
    """`no end 2 (a.md:1:0:42, …), empty 1 (…)`."""
    parts = [
        f"{reason} {len(ids):,} ({', '.join(ids[:3])}{', …' if len(ids) > 3 else ''})"
        for reason, ids in ids_by_reason.items()
    ]
    return "; ".join(parts)
