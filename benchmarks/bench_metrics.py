#!/usr/bin/env python3
"""Measure the speed of the metrics that need no model, for 1,000 pairs of 200 words on one core.

    python -m benchmarks.bench_metrics sample_docs/

Cuts the documents of a folder into passages of 200 words, degrades them as stage 1 does, repairs half of the errors,
changes one word in every second answer, and prints

- the CPU-seconds of all metrics, and of the figures with their intervals;
- the same for `copy`, which every evaluation scores too, and for answers unrelated to the text;
- sacrebleu and rouge-score on a fifth of the pairs, in turn (`pip install -r requirements-dev.txt`), and how often the
  scores are the same. TER differs where sacrebleu's beam search misses the best alignment of a long insertion or
  deletion.
"""

from __future__ import annotations

import argparse
import random
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import count, islice
from pathlib import Path

import cli
from benchmarks.shared import cpu_seconds, print_row
from degraders.catalogue import all_degraders
from degraders.dataset.pairs import Pair, align_spans
from degraders.dataset.sources import FORMAT_BY_ENDING
from degraders.edits import restore
from degraders.engine import Degradation, Plan
from degraders.text.parse import parse
from degraders.text.units import divide
from scoring import figures, metrics, overlap

AnsweredPairs = list[tuple[Pair, str]]
Score = Callable[[str, str], float]


@dataclass(frozen=True)
class Options:
    """The options of the command line."""

    docs: Path
    pairs: int
    words: int


def main(argv: Sequence[str] | None = None) -> int:
    options = cli.parse_options(build_parser(), argv, Options)
    answered = list(islice(make_answered_pairs(options.docs, options.words), options.pairs))
    spans = sum(len(pair.spans) for pair, _ in answered)
    words = sum(len(pair.bad.split()) for pair, _ in answered) / len(answered)
    print_row("pairs", f"{len(answered)} of {words:.0f} words, {spans / len(answered):.1f} errors each")
    measure_ours(answered)
    compare_with_references(answered)
    return 0


def build_parser() -> argparse.ArgumentParser:
    parser = cli.Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("docs", type=Path, help="folder of documents")
    parser.add_argument("--pairs", type=int, default=1000, help="pairs to score (default: %(default)s)")
    parser.add_argument("--words", type=int, default=200, help="words of each pair (default: %(default)s)")
    return parser


def make_answered_pairs(docs: Path, words: int) -> Iterator[tuple[Pair, str]]:
    """Pairs of degraded passages of the documents, each with an answer, without end."""
    passages = [
        (passage, FORMAT_BY_ENDING[path.suffix])
        for path in sorted(path for path in docs.rglob("*") if path.suffix in FORMAT_BY_ENDING)
        for passage in cut_passages(path.read_text(encoding="utf-8"), words)
    ]
    if not passages:
        sys.exit(f"{docs}: no document of {words} words")
    plan = Plan(tuple(all_degraders().values()), seed=1, severity=2.0, identity_rate=0.1, allow_lossy=True)
    for number in count():
        text, format = passages[number % len(passages)]
        for unit in divide(parse(text, doc_id=str(number), format=format), unit="document"):
            if variant := Degradation(unit, plan).variant(number // len(passages)):
                pair = Pair("", "", format, variant.bad, unit.text, align_spans(variant.bad, unit.text), (), "")
                yield pair, make_answer(pair, random.Random(number), change=number % 2 == 0)


def cut_passages(text: str, words: int) -> list[str]:
    """The text cut after every `words` words; the shorter remainder is dropped."""
    ends = [match.end() for match in re.finditer(r"\S+\s*", text)][words - 1 :: words]
    return [text[start:end] for start, end in zip([0, *ends], ends, strict=False)]


def make_answer(pair: Pair, draw: random.Random, *, change: bool) -> str:
    """The bad text with each error repaired or not, and one word changed if `change`."""
    text = restore(pair.bad, [span.repair for span in pair.spans if draw.choice((False, True))])
    words = list(re.finditer(r"[a-z]{3,}", text))
    if not change or not words:
        return text
    word = draw.choice(words)
    return text[: word.start()] + "other" + text[word.end() :]


def measure_ours(answered: AnsweredPairs) -> None:
    scored: list[metrics.ExampleScores] = []
    seconds = cpu_seconds(lambda: scored.extend(metrics.assess_prediction(pair, text) for pair, text in answered))
    print_row("all metrics", f"{seconds:.2f} CPU-seconds, {1000 * seconds / len(answered):.2f} ms a pair")
    seconds = cpu_seconds(lambda: [metrics.assess_prediction(pair, pair.bad) for pair, _ in answered])
    print_row("copy", f"{seconds:.2f} CPU-seconds")
    sample = answered[: max(1, len(answered) // 20)]
    seconds = cpu_seconds(
        lambda: [metrics.assess_prediction(pair, answered[-1 - at][0].good) for at, (pair, _) in enumerate(sample)]
    )
    print_row("unrelated answers", f"{1000 * seconds / len(sample):.1f} ms a pair")
    seconds = cpu_seconds(
        lambda: (figures.corpus_figures(scored), figures.figures_by_label(scored), figures.figures_by_family(scored))
    )
    print_row("figures", f"{seconds:.2f} CPU-seconds, including intervals")


def compare_with_references(answered: AnsweredPairs) -> None:
    """Compare each overlap metric with its reference implementation, in turn over the same pairs."""
    try:
        from rouge_score.rouge_scorer import RougeScorer
        from sacrebleu.metrics.bleu import BLEU
        from sacrebleu.metrics.chrf import CHRF
        from sacrebleu.metrics.ter import TER
    except ImportError as error:
        print_row("references", f"not installed ({error.name}): pip install -r requirements-dev.txt")
        return
    bleu, chrf, ter, rouge = BLEU(effective_order=True), CHRF(), TER(), RougeScorer(["rougeL"])
    implementations: dict[str, tuple[Score, Score]] = {
        "BLEU": (our_bleu, lambda prediction, good: bleu.sentence_score(prediction, [good]).score),
        "chrF": (overlap.chrf, lambda prediction, good: chrf.sentence_score(prediction, [good]).score),
        "TER": (overlap.ter, lambda prediction, good: ter.sentence_score(prediction, [good]).score),
        "ROUGE-L": (overlap.rouge_l, lambda prediction, good: rouge.score(good, prediction)["rougeL"].fmeasure),
    }
    sample = answered[: max(1, len(answered) // 5)]
    for name, functions in implementations.items():
        scores: tuple[list[float], list[float]] = [], []
        seconds = [
            cpu_seconds(partial(score_all, function, sample, values))
            for function, values in zip(functions, scores, strict=True)
        ]
        same = sum(abs(a - b) < 1e-9 for a, b in zip(*scores, strict=True))
        ours, reference = (1000 * total / len(sample) for total in seconds)
        times = f"{ours:.2f} ms a pair, the reference {reference:.2f} ({reference / ours:.0f} times)"
        print_row(name, f"{times}; the same for {same} of {len(sample)}")


def score_all(function: Score, answered: AnsweredPairs, scores: list[float]) -> None:
    scores.extend(function(text, pair.good) for pair, text in answered)


def our_bleu(prediction: str, good: str) -> float:
    tokens = (overlap.tokenize_13a(text.rstrip()) for text in (prediction, good))
    prediction_codes, good_codes = overlap.encode_tokens(*tokens)
    return overlap.bleu(overlap.shared_ngrams(prediction_codes, good_codes, overlap.WORD_ORDER))


if __name__ == "__main__":
    sys.exit(main())
