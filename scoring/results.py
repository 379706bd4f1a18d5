"""What stage 3 tells of an evaluation: a row an example, the figures beside those of `copy`, a table and a summary."""

from __future__ import annotations

import csv
import io
import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from degraders.dataset.pairs import Pair
from fixer.predictions import Prediction
from scoring import figures, metrics
from scoring.figures import NO_FIGURE, Breakdown, Figure
from scoring.metrics import COLUMNS, Scored

MODEL, COPY, RAW = "model", "copy", "unguarded"
"""The systems that figures are of: the answers, the input given back, and the answers without the guard."""
EMBEDDING = "embedding_cosine"
MOST_NAMED = 20
CLEAN = 100
"""Identity pairs that it takes to say how often good text is altered."""

LEADING = {
    "repair_f05": "span repair F0.5",
    "repair_precision": "  precision",
    "repair_recall": "  recall",
    "exact_match": "exact match",
    "edit_distance_change": "edit distance to good, change",
    "edit_distance_left": "  share of it that is left",
    "over_correction": "over-correction",
    "identity_altered": "  identity pairs altered",
    "worse_than_input": "worse than the input",
    "harmed": "texts harmed",
    "harm": "  protected pieces a text",
}
"""What leads, as the table names it; `metrics.FIGURES` says how each is made."""
FLATTERING = {
    "edit_similarity": "edit similarity",
    "chrf": "chrF",
    "bleu": "BLEU",
    "ter": "TER",
    "rouge_l": "ROUGE-L",
    "sari": "SARI",
    "gleu": "GLEU",
    EMBEDDING: "embedding cosine",
}
"""What papers report; of texts of which nearly all stands unchanged it says little."""
LOWER_IS_BETTER = frozenset(
    "edit_distance_change edit_distance_left over_correction identity_altered worse_than_input harmed harm ter".split()
)

Progress = Callable[[Iterable[Any]], Iterable[Any]]


@dataclass(frozen=True, slots=True)
class Example:
    """A pair, what became of it, and the metrics of that, of the answer as it was made, and of the input."""

    pair: Pair
    prediction: Prediction
    scored: Scored
    raw: Scored
    copy: Scored


@dataclass
class Results:
    """The examples in the order of the data set, and all figures over them.

    `cosines` and `extra` hold, by system, one embedding cosine per example and the figures of other metrics; both are
    empty if they were not requested or not available. `rejected_good_texts` counts the good texts that the guard would
    reject, which is its cost.
    """

    examples: Sequence[Example]
    seed: int
    guarded: bool
    rejected_good_texts: int = 0
    cosines: dict[str, list[float]] = field(default_factory=dict)
    extra: dict[str, dict[str, float]] = field(default_factory=dict)

    @cached_property
    def figures(self) -> dict[str, dict[str, Figure]]:
        """By system and name."""
        found = {system: figures.corpus_figures(self.scored(system), seed=self.seed) for system in self.systems}
        for system, cosines in self.cosines.items():
            found[system][EMBEDDING] = figures.mean_figure(cosines, seed=self.seed)
        for system, values in self.extra.items():
            found[system] |= {name: Figure(value, math.nan, math.nan) for name, value in values.items()}
        return found

    @property
    def systems(self) -> tuple[str, ...]:
        return (MODEL, COPY, RAW) if self.guarded else (MODEL, COPY)

    def scored(self, system: str) -> list[Scored]:
        """The metrics of a system's answers, an example each."""
        which = {MODEL: "scored", COPY: "copy", RAW: "raw"}[system]
        return [getattr(example, which) for example in self.examples]

    @cached_property
    def breakdowns(self) -> dict[str, dict[str, dict[str, Breakdown]]]:
        """The repairs by system, by label, family and recoverable (what the text tells of them), and by their name."""
        ways = {
            "label": figures.figures_by_label,
            "family": figures.figures_by_family,
            "recoverable": figures.figures_by_recoverability,
        }
        return {
            system: {name: way(self.scored(system), seed=self.seed) for name, way in ways.items()}
            for system in self.systems
        }

    @cached_property
    def categories(self) -> dict[str, tuple[int, dict[str, dict[str, Figure]]]]:
        """By category of the pairs, where the data has some: how many pairs, and the figures by system and name."""
        groups: defaultdict[str, list[Example]] = defaultdict(list)
        for example in self.examples:
            groups[example.pair.category].append(example)
        groups.pop("", None)
        return {
            name: (len(group), Results(group, self.seed, guarded=False).figures)
            for name, group in sorted(groups.items())
        }

    @cached_property
    def harms(self) -> Counter[str]:
        """The protected pieces harmed, by kind."""
        return sum((example.scored.harms for example in self.examples), Counter())

    def named(self, reason: str) -> dict[str, list[str]]:
        """The ids of the examples by each `problem` or `guard` reason that they have, the most frequent first."""
        found: defaultdict[str, list[str]] = defaultdict(list)
        for example in self.examples:
            for one in filter(None, getattr(example.prediction, reason).split(", ")):
                found[one].append(example.pair.id)
        return dict(sorted(found.items(), key=lambda item: (-len(item[1]), item[0])))


def assess_predictions(
    pairs: Sequence[Pair],
    made: Sequence[Prediction],
    *,
    seed: int,
    guarded: bool,
    rejected_good_texts: int,
    progress: Progress,
) -> Results:
    """Score the predictions of pairs, in the same order; `progress` wraps the iteration over them."""
    examples = [_assessed(pair, one) for pair, one in progress(list(zip(pairs, made, strict=True)))]
    return Results(examples, seed, guarded, rejected_good_texts)


def _assessed(pair: Pair, made: Prediction) -> Example:
    copy = metrics.assess_prediction(pair, pair.bad)
    known = {pair.bad: copy}
    for text in (made.text, made.raw):
        if text not in known:
            known[text] = metrics.assess_prediction(pair, text)
    return Example(pair, made, known[made.text], known[made.raw], copy)


# Rows


def examples_csv(results: Results) -> str:
    """The CSV as RFC 4180 has it, or a lone carriage return in a text would end its row: one row an example; `raw` is
    empty where the guard changed nothing."""
    cosines = results.cosines.get(MODEL)
    texts = ("id", "split", "category", "format", "labels", "bad", "good", "prediction", "raw")
    flags = ("identity", "problem", "guard", "harms", "tokens", "chunks")
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow([*texts, *COLUMNS, *([EMBEDDING] if cosines else []), *flags])
    for number, example in enumerate(results.examples):
        values = [*example.scored.values.values(), *([cosines[number]] if cosines else [])]
        writer.writerow([*_texts(example), *map(_plain, values), *_flags(example)])
    return out.getvalue()


def _texts(example: Example) -> Iterator[str]:
    pair, prediction = example.pair, example.prediction
    yield from (
        pair.id,
        pair.split,
        pair.category,
        pair.format,
        ", ".join(pair.labels),
        pair.bad,
        pair.good,
        prediction.text,
    )
    yield prediction.raw if prediction.raw != prediction.text else ""


def _flags(example: Example) -> Iterator[str | int]:
    prediction = example.prediction
    yield from (
        int(example.pair.identity),
        prediction.problem,
        prediction.guard,
        metrics.harm_text(example.scored.harms),
    )
    yield from (prediction.tokens, prediction.chunks)


def _plain(value: float) -> str:
    """A number with six decimals at most; empty for what could not be measured."""
    if math.isnan(value):
        return ""
    return str(int(value)) if value == int(value) else f"{value:.6f}".rstrip("0").rstrip(".")


# The summary


def results_summary(results: Results) -> dict[str, Any]:
    """All figures as plain values, NaN as null."""
    systems = results.systems
    down = results.breakdowns
    return {
        "figures": {system: _plain_figures(results.figures[system]) for system in systems},
        **{
            f"by_{way}": {
                name: {
                    "spans": down[MODEL][way][name].spans,
                    **{one: _broken_down(down[one][way][name]) for one in systems},
                }
                for name in down[MODEL][way]
            }
            for way in ("label", "family", "recoverable")
        },
        "by_category": {
            name: {"pairs": pairs, **{system: _plain_figures(found) for system, found in figures.items()}}
            for name, (pairs, figures) in results.categories.items()
        },
        "harm": dict(results.harms.most_common()),
        "harmed": [example.pair.id for example in results.examples if example.scored.harms],
        "broken": _counted(results.named("problem")),
        "guard": {
            "on": results.guarded,
            "refused": sum(bool(example.prediction.guard) for example in results.examples),
            "reasons": _counted(results.named("guard")),
            "good_texts_it_would_refuse": results.rejected_good_texts,
        },
    }


def _plain_figures(figures: Mapping[str, Figure]) -> dict[str, dict[str, float | None]]:
    return {name: {part: _or_none(value) for part, value in found._asdict().items()} for name, found in figures.items()}


def _broken_down(found: Breakdown) -> dict[str, dict[str, float | None]]:
    return _plain_figures({"precision": found.precision, "recall": found.recall, "f05": found.f05})


def _counted(named: Mapping[str, Sequence[str]]) -> dict[str, dict[str, Any]]:
    return {reason: {"count": len(ids), "ids": list(ids[:MOST_NAMED])} for reason, ids in named.items()}


def _or_none(value: float) -> float | None:
    return None if math.isnan(value) else round(value, 6)


# The closing table


def figure_rows(results: Results) -> list[tuple[str, str, list[Figure]]]:
    """Name, title and the figure of each system, what leads first."""
    figures_of = results.figures
    titles = {**LEADING, **FLATTERING}
    titles |= {name: name for name in figures_of[MODEL] if name.partition(".")[2]}
    return [
        (name, title, [figures_of[system].get(name, NO_FIGURE) for system in results.systems])
        for name, title in titles.items()
        if name in figures_of[MODEL]
    ]


def results_table(results: Results, named: str, facts: Sequence[tuple[str, str]]) -> str:
    """The figures beside `copy`, under the name of what was evaluated, then the facts."""
    heads = [named, *(system for system in results.systems[1:] if system != named)]
    rows = [(title, [format_figure(one) for one in found[: len(heads)]]) for _, title, found in figure_rows(results)]
    first = max(len(title) for title in (*(title for title, _ in rows), *(name for name, _ in facts))) + 2
    widths = [max(len(head), *(len(cells[at]) for _, cells in rows)) + 2 for at, head in enumerate(heads)]

    def line(title: str, cells: Sequence[str]) -> str:
        return (f"{title:<{first}}" + "".join(f"{c:<{w}}" for c, w in zip(cells, widths, strict=True))).rstrip()

    told = [f"{name:<{first}}{value}".rstrip() for name, value in facts]
    return "\n".join([line("", heads), *(line(*row) for row in rows), *told])


def format_figure(found: Figure) -> str:
    """A figure with its interval, `0.61 (0.55 to 0.67)`."""
    if math.isnan(found.value):
        return "-"
    value = _decimal(found.value)
    return value if math.isnan(found.low) else f"{value} ({_decimal(found.low)} to {_decimal(found.high)})"


def _decimal(value: float) -> str:
    text = f"{value:.1f}" if abs(value) >= 10 else f"{value:.4f}" if 0 < abs(value) < 0.01 else f"{value:.3f}"
    return text.removeprefix("-") if not float(text) else text


def results_facts(results: Results) -> list[tuple[str, str]]:
    """What the table says below the figures: harm by kind, broken answers, the guard, and what to be wary of."""
    broken, refused = results.named("problem"), results.named("guard")
    rows = [("harm", metrics.harm_text(results.harms) or "none")]
    rows.append(("broken answers", _listed(broken) or "none"))
    if results.guarded:
        count = sum(bool(example.prediction.guard) for example in results.examples)
        rows.append(("guard", f"refused {count:,} of {len(results.examples):,} answers"))
        rows += [(f"  {reason}", f"{len(ids):,}") for reason, ids in refused.items()]
        rows.append(("  its price", f"it would refuse {results.rejected_good_texts:,} of the good texts"))
    clean = sum(example.pair.identity for example in results.examples)
    if clean < CLEAN:
        told = f"{clean} identity pair{'' if clean == 1 else 's'}"
        rows.append(("note", f"{told}: with under {CLEAN}, whether good text is left alone is a guess"))
    return rows


def _listed(named: Mapping[str, Sequence[str]]) -> str:
    """`no end 2 (a.md:1:0:42, …), empty 1 (…)`."""
    parts = [
        f"{reason} {len(ids):,} ({', '.join(ids[:3])}{', …' if len(ids) > 3 else ''})" for reason, ids in named.items()
    ]
    return "; ".join(parts)
