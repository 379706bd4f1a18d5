#!/usr/bin/env python3
"""Speed of the metrics: all but those that need a model, for 1,000 pairs of 200 words, on one core.

    python benchmarks/bench_metrics.py sample_docs/

Cuts the documents of a folder into stretches of 200 words, degrades them as stage 1 does, repairs half of the errors,
changes one word in every second answer, and prints

- CPU-seconds for `score`, for the overlap metrics apart, and for the figures with their intervals;
- the same for `copy`, which every evaluation scores too, and for answers that have nothing to do with the text;
- sacrebleu and rouge-score on a fifth of the pairs, in turn (`pip install -r requirements-dev.txt`), and how often the
  scores are the same: for TER not where sacrebleu's beam misses the best alignment of a long passage that came or went.
"""

from __future__ import annotations

import argparse
import random
import re
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from itertools import count, islice
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from degraders.catalogue import all_degraders  # noqa: E402
from degraders.dataset.pairs import Pair, align_spans  # noqa: E402
from degraders.dataset.sources import FORMAT_BY_ENDING  # noqa: E402
from degraders.edits import restore  # noqa: E402
from degraders.engine import Degradation, Plan  # noqa: E402
from degraders.text.parse import parse  # noqa: E402
from degraders.text.units import divide  # noqa: E402
from scoring import figures, metrics, overlap  # noqa: E402

Answered = list[tuple[Pair, str]]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("docs", type=Path, help="folder of documents")
    parser.add_argument("--pairs", type=int, default=1000, help="pairs to score (default: %(default)s)")
    parser.add_argument("--words", type=int, default=200, help="words of each (default: %(default)s)")
    options = parser.parse_args()
    answered = list(islice(answers(options.docs, options.words), options.pairs))
    spans = sum(len(pair.spans) for pair, _ in answered)
    words = sum(len(pair.bad.split()) for pair, _ in answered) / len(answered)
    show("pairs", f"{len(answered)} of {words:.0f} words, {spans / len(answered):.1f} errors each")
    ours(answered)
    against_references(answered)
    return 0


def answers(docs: Path, words: int) -> Iterator[tuple[Pair, str]]:
    """Degraded stretches of the documents and an answer to each, without end."""
    texts = [
        (stretch, FORMAT_BY_ENDING[path.suffix])
        for path in sorted(path for path in docs.rglob("*") if path.suffix in FORMAT_BY_ENDING)
        for stretch in stretches(path.read_text(encoding="utf-8"), words)
    ]
    if not texts:
        sys.exit(f"{docs}: no document of {words} words")
    plan = Plan(tuple(all_degraders().values()), seed=1, severity=2.0, identity_rate=0.1, allow_lossy=True)
    for number in count():
        text, format = texts[number % len(texts)]
        for unit in divide(parse(text, doc_id=str(number), format=format), unit="document"):
            if variant := Degradation(unit, plan).variant(number // len(texts)):
                pair = Pair("", "", format, variant.bad, unit.text, align_spans(variant.bad, unit.text), (), "")
                yield pair, answer(pair, random.Random(number), change=number % 2 == 0)


def stretches(text: str, words: int) -> list[str]:
    """The text cut after every so many words; what is left over is dropped."""
    ends = [match.end() for match in re.finditer(r"\S+\s*", text)][words - 1 :: words]
    return [text[start:end] for start, end in zip([0, *ends], ends, strict=False)]


def answer(pair: Pair, draw: random.Random, *, change: bool) -> str:
    """The bad text with each error repaired or not, and one word changed if `change`."""
    text = restore(pair.bad, [span.repair for span in pair.spans if draw.choice((False, True))])
    words = list(re.finditer(r"[a-z]{3,}", text))
    if not change or not words:
        return text
    word = draw.choice(words)
    return text[: word.start()] + "other" + text[word.end() :]


def ours(answered: Answered) -> None:
    scored: list[metrics.Scored] = []
    seconds = cpu_seconds(lambda: scored.extend(metrics.assess_prediction(pair, text) for pair, text in answered))
    show("all metrics", f"{seconds:.2f} CPU-seconds, {1000 * seconds / len(answered):.2f} ms a pair")
    seconds = cpu_seconds(lambda: [metrics.assess_prediction(pair, pair.bad) for pair, _ in answered])
    show("copy", f"{seconds:.2f} CPU-seconds")
    few = answered[: max(1, len(answered) // 20)]
    seconds = cpu_seconds(
        lambda: [metrics.assess_prediction(pair, answered[-1 - at][0].good) for at, (pair, _) in enumerate(few)]
    )
    show("unrelated answers", f"{1000 * seconds / len(few):.1f} ms a pair")
    seconds = cpu_seconds(
        lambda: (figures.corpus_figures(scored), figures.figures_by_label(scored), figures.figures_by_family(scored))
    )
    show("figures", f"{seconds:.2f} CPU-seconds, intervals included")


def against_references(answered: Answered) -> None:
    """Each overlap metric here and in its reference implementation, in turn over the same pairs."""
    try:
        from rouge_score.rouge_scorer import RougeScorer
        from sacrebleu.metrics.bleu import BLEU
        from sacrebleu.metrics.chrf import CHRF
        from sacrebleu.metrics.ter import TER
    except ImportError as error:
        show("references", f"not installed ({error.name}): pip install -r requirements-dev.txt")
        return
    bleu, chrf, ter, rouge = BLEU(effective_order=True), CHRF(), TER(), RougeScorer(["rougeL"])
    compared: dict[str, tuple[Callable[[str, str], float], Callable[[str, str], float]]] = {
        "BLEU": (our_bleu, lambda new, good: bleu.sentence_score(new, [good]).score),
        "chrF": (overlap.chrf, lambda new, good: chrf.sentence_score(new, [good]).score),
        "TER": (overlap.ter, lambda new, good: ter.sentence_score(new, [good]).score),
        "ROUGE-L": (overlap.rouge_l, lambda new, good: rouge.score(good, new)["rougeL"].fmeasure),
    }
    some = answered[: max(1, len(answered) // 5)]
    for name, (here, there) in compared.items():
        found: tuple[list[float], list[float]] = [], []
        seconds = [
            cpu_seconds(partial(score_all, function, some, into))
            for function, into in zip((here, there), found, strict=True)
        ]
        same = sum(abs(a - b) < 1e-9 for a, b in zip(*found, strict=True))
        mine, theirs = (1000 * one / len(some) for one in seconds)
        times = f"{mine:.2f} ms a pair, the reference {theirs:.2f} ({theirs / mine:.0f} times)"
        show(name, f"{times}; the same for {same} of {len(some)}")


def score_all(function: Callable[[str, str], float], answered: Answered, into: list[float]) -> None:
    into.extend(function(text, pair.good) for pair, text in answered)


def our_bleu(prediction: str, good: str) -> float:
    new, wanted = overlap.codes(overlap.mteval(prediction), overlap.mteval(good))
    return overlap.bleu(overlap.shared_ngrams(new, wanted, overlap.WORD_ORDER))


def cpu_seconds(work: Callable[[], object]) -> float:
    """The CPU time that this process takes for a piece of work."""
    started = time.process_time()
    work()
    return time.process_time() - started


def show(name: str, value: str) -> None:
    print(f"{name:<18} {value}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
