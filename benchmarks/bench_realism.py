#!/usr/bin/env python3
"""Measure how similar generated errors are to real ones, on projects that the calibration did not use.

    python -m benchmarks.bench_realism real_pairs.jsonl

Divides the pairs (`bad`, `good`, and `repo` or `doc_id`) by the owner of their project, calibrates a profile on one
half, degrades the good sides of the other half, and compares the errors with the real ones there:

- the Jensen-Shannon divergence of each distribution, with that of two halves of the real projects as the floor;
- the AUC of a classifier (5 folds, no project in two of them) that separates generated errors from real ones: by single
  errors, by whole texts, and within a category. At 0.5 it cannot separate them.

Prints the figures once for all errors (`--allow-lossy`) and once for those that the text alone can repair. Typos of
nlpaug and textattack on the same good sides are measured in the same way. textattack needs an older transformers than
this project: make an environment for it, and pass its interpreter with `--textattack`. `--generated dataset.jsonl`
measures pairs from another source.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import subprocess
import sys
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass
from os.path import commonprefix
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

import cli
from benchmarks.peers import noise
from benchmarks.shared import ROOT, halve_by_owner
from degraders import profiles
from degraders.dataset import pairs
from degraders.realism import calibrate, compare
from degraders.realism.compare import AnnotatedText
from degraders.realism.fixes import Fix, find_fixes

Features: TypeAlias = dict[str, float]
Peer: TypeAlias = Callable[[Sequence[calibrate.AnnotatedPair]], list[AnnotatedText]]

ERRORS_PER_TEXT, MAX_ERRORS, MIN_SAMPLE = 3, 4000, 60


@dataclass(frozen=True)
class Options:
    """The options of the command line."""

    pairs: Path
    profile: Path | None
    textattack: str | None
    generated: list[Path]
    table: bool


def main(argv: Sequence[str] | None = None) -> int:
    options = cli.parse_options(build_parser(), argv, Options)
    real_pairs = list(pairs.read_pairs(options.pairs))
    tuning, held_out = ([], real_pairs) if options.profile else halve_by_owner(real_pairs, lambda pair: pair.group)
    fixed = calibrate.annotate_pairs(held_out)
    projects = len({pair.pair.group for pair in fixed})
    print(f"{len(tuning)} pairs to calibrate on, {len(fixed)} of {projects} other projects to compare with")
    if options.profile:
        profile = profiles.read_profile(options.profile)
    else:
        profile = calibrate.calibrate_profile(calibrate.annotate_pairs(tuning), origin="one half of the projects")
    for lossy, title in ((True, "all errors"), (False, "errors that the text alone can repair")):
        print_comparison(
            fixed,
            profile,
            lossy=lossy,
            title=title,
            peers=load_peers(options.textattack, options.generated),
            show_table=options.table,
        )
    return 0


def build_parser() -> argparse.ArgumentParser:
    parser = cli.Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("pairs", type=Path, help="real pairs, JSONL")
    add("--profile", type=Path, help="measure this profile on all pairs, instead of calibrating on one half")
    add("--textattack", metavar="PYTHON", help="interpreter of an environment with textattack")
    add("--generated", type=Path, nargs="+", default=[], metavar="FILE", help="generated pairs (JSONL) to measure too")
    add("--table", action="store_true", help="also print the distributions side by side")
    return parser


def print_comparison(
    fixed: Sequence[calibrate.AnnotatedPair],
    profile: profiles.Profile,
    *,
    lossy: bool,
    title: str,
    peers: dict[str, Peer],
    show_table: bool,
) -> None:
    """Print the figures of this project, of the peers and of real against real errors, a column each."""
    categories = None if lossy else compare.TEXT_REPAIRABLE
    real = select_categories(calibrate.real_texts(fixed), categories)
    ours = select_categories(calibrate.generate_texts(fixed, profile, allow_lossy=lossy), categories)
    columns = {"ours": figures(real, ours), "real": real_against_real(real)}
    columns |= {name: figures(real, select_categories(peer(fixed), categories)) for name, peer in peers.items()}
    counts = [sum(len(text.fixes) for text in texts) for texts in (ours, real)]
    print("\n{}: {:,} generated, {:,} real".format(title, *counts))
    print(f"{'':<32}" + "".join(f"{name:>12}" for name in columns))
    for row in columns["ours"]:
        cells = (column.get(row) for column in columns.values())
        print(f"{row:<32}" + "".join(f"{'-' if cell is None else f'{cell:.3f}':>12}" for cell in cells))
    if show_table:
        print("\n" + compare.comparison_table(compare.measure_distributions(real), compare.measure_distributions(ours)))


def select_categories(texts: Sequence[AnnotatedText], categories: frozenset[str] | None) -> list[AnnotatedText]:
    """The texts with errors of these categories only (None: all); texts without any error are dropped."""
    if categories is None:
        return [text for text in texts if text.fixes]
    selected = [
        text._replace(fixes=[fix for fix in text.fixes if compare.category(fix) in categories]) for text in texts
    ]
    return [text for text in selected if text.fixes]


def figures(real: Sequence[AnnotatedText], generated: Sequence[AnnotatedText]) -> dict[str, float | None]:
    """Distances, then AUCs, by name."""
    divergences = compare.divergences(compare.measure_distributions(real), compare.measure_distributions(generated))
    values: dict[str, float | None] = {f"divergence, {name}": value for name, value in divergences.items()}
    values["AUC, single errors"] = auc(single_errors(generated), single_errors(real), error_features)
    values["AUC, whole texts"] = auc(generated, real, text_features)
    for category in sorted(compare.TEXT_REPAIRABLE):
        ours, theirs = (single_errors(select_categories(side, frozenset((category,)))) for side in (generated, real))
        values[f"AUC within {category}"] = auc(ours, theirs, error_features)
    return values


def real_against_real(real: Sequence[AnnotatedText]) -> dict[str, float | None]:
    """The floor: the same figures for two halves of the real projects."""
    groups = sorted({text.group for text in real})
    random.Random(0).shuffle(groups)
    half = set(groups[::2])
    return figures([text for text in real if text.group in half], [text for text in real if text.group not in half])


# Features of the classifier


def single_errors(texts: Sequence[AnnotatedText]) -> list[AnnotatedText]:
    """Single errors, at most `ERRORS_PER_TEXT` of each text, in random order."""
    draw = random.Random(0)
    errors = [
        text._replace(fixes=[fix])
        for text in texts
        for fix in draw.sample(list(text.fixes), min(ERRORS_PER_TEXT, len(text.fixes)))
    ]
    draw.shuffle(errors)
    return errors[:MAX_ERRORS]


def error_features(text: AnnotatedText) -> Features:
    """Character n-grams of both sides of an error and of the change; only letter shapes in links and code."""
    fix: Fix = text.fixes[0]
    bad, good = fix.bad, fix.good
    if compare.category(fix) in ("link", "code"):
        bad, good = shape(bad), shape(good)
    start = len(commonprefix([bad, good]))
    end = min(len(commonprefix([bad[::-1], good[::-1]])), len(bad) - start, len(good) - start)
    old, new = bad[start : len(bad) - end], good[start : len(good) - end]
    after = bad[len(bad) - end :][:2]
    names = [*ngrams(f"^{bad[:80]}$", "bad", 3), *ngrams(f"^{good[:80]}$", "good", 3)]
    names += ngrams(f"{bad[max(0, start - 2) : start]}[{old[:30]}>{new[:30]}]{after}", "change", 4)
    names += [f"at {fix.position}", f"sizes {len(bad).bit_length()} {len(good).bit_length()}"]
    names.append(f"words {min(len(bad.split()), 9)} {min(len(good.split()), 9)}")
    return dict.fromkeys(names, 1.0)


def shape(text: str) -> str:
    """The text with each run of letters or digits as one character."""
    text = re.sub(r"[A-Z]+", "A", re.sub(r"\d+", "0", text))
    return re.sub(r"[a-z]+", "a", text)[:120]


def ngrams(text: str, name: str, longest: int) -> Iterator[str]:
    for size in range(1, longest + 1):
        yield from (f"{name}:{text[at : at + size]}" for at in range(len(text) - size + 1))


def text_features(text: AnnotatedText) -> Features:
    """The number of errors of a text, their kinds, positions and sizes."""
    count, words = len(text.fixes), max(1, len(text.bad.split()))
    features: Features = {
        "errors": min(count, 12), "one": count == 1, "many": count >= 3, "words": words / 100,
        "density": min(12.0, 100 * count / words),
        "characters": float(np.log1p(sum(max(len(fix.bad), len(fix.good)) for fix in text.fixes))),
        "first": min(fix.start for fix in text.fixes) / max(1, len(text.bad)),
    }  # fmt: skip
    for fix in text.fixes:
        for key in (compare.category(fix), fix.kind, f"at {fix.position}"):
            features[key] = features.get(key, 0.0) + 1 / count
    return features


def auc(
    generated: Sequence[AnnotatedText], real: Sequence[AnnotatedText], features: Callable[[AnnotatedText], Features]
) -> float | None:
    """The area under the curve of a logistic regression, with folds that keep a group together; None if there
    are too few texts."""
    from sklearn.feature_extraction import DictVectorizer
    from sklearn.feature_extraction.text import TfidfTransformer
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import roc_auc_score
    from sklearn.model_selection import StratifiedGroupKFold
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import MaxAbsScaler

    size = min(len(generated), len(real))
    groups: list[Hashable] = [("generated", text.group) for text in generated[:size]]
    groups += [("real", text.group) for text in real[:size]]
    folds = min(5, *(len({group for group in groups if group[0] == side}) for side in ("generated", "real")))  # type: ignore[index]
    if size < MIN_SAMPLE or folds < 2:
        return None
    rows = DictVectorizer().fit_transform([features(text) for text in [*generated[:size], *real[:size]]])
    truth = np.array([1] * size + [0] * size)
    names = np.array([f"{group}" for group in groups])
    values = []
    for train, test in StratifiedGroupKFold(folds, shuffle=True, random_state=0).split(rows, truth, names):
        scale: Any = TfidfTransformer(sublinear_tf=True) if features is error_features else MaxAbsScaler()
        model = make_pipeline(
            scale, LogisticRegression(C=3.0 if features is error_features else 1.0, solver="liblinear")
        )
        model.fit(rows[train], truth[train])
        values.append(roc_auc_score(truth[test], model.predict_proba(rows[test])[:, 1]))
    return float(np.mean(values))


# Peers


def load_peers(textattack: str | None, files: Sequence[Path]) -> dict[str, Peer]:
    """The installed tools, and the files of pairs, by name."""
    peers: dict[str, Peer] = {}
    try:
        import nlpaug.augmenter.char as char
    except ImportError:
        print("nlpaug is not installed: pip install -r benchmarks/requirements.txt", file=sys.stderr)
    else:
        random.seed(0)
        np.random.seed(0)
        keyboard = char.KeyboardAug(aug_char_max=1, aug_word_p=noise.SHARE_OF_WORDS, aug_word_min=1)
        peers["nlpaug"] = lambda fixed: degrade_longest_line(
            fixed, lambda lines: [keyboard.augment(line)[0] for line in lines]
        )
    if textattack:
        peers["textattack"] = lambda fixed: degrade_longest_line(fixed, lambda lines: run_textattack(textattack, lines))
    return peers | {path.stem[:11]: lambda fixed, path=path: read_generated(path, fixed) for path in files}


def read_generated(path: Path, fixed: Sequence[calibrate.AnnotatedPair]) -> list[AnnotatedText]:
    """The pairs of a file that are not identical, with their errors named as those of the real pairs."""
    words = calibrate.repeated_words(good_texts(fixed))
    return [
        AnnotatedText(
            pair.bad, find_fixes(pair.bad, pair.good, format=pair.format, vocabulary=words), pair.group or pair.id
        )
        for pair in pairs.read_pairs(path)
        if not pair.identity
    ]


def degrade_longest_line(
    fixed: Sequence[calibrate.AnnotatedPair], degrade: Callable[[Sequence[str]], list[str]]
) -> list[AnnotatedText]:
    """The good sides with their longest line degraded. A line at a time, because these tools lose line ends, which
    would give them away at once."""
    lines = [max(text.splitlines(), key=len) for text in good_texts(fixed)]
    changes = zip(lines, degrade(lines), strict=True)
    bad = [text.replace(*change, 1) for text, change in zip(good_texts(fixed), changes, strict=True)]
    return annotate(fixed, bad)


def good_texts(fixed: Sequence[calibrate.AnnotatedPair]) -> list[str]:
    return [pair.pair.good for pair in fixed]


def run_textattack(python: str, texts: Sequence[str]) -> list[str]:
    """One variant of each text by textattack's character swaps, in an environment that has it."""
    requests = "".join(json.dumps({"words": [text], "count": 1}) + "\n" for text in texts)
    command = [python, str(ROOT / "benchmarks" / "peers" / "noise.py"), "textattack-lines", "0"]
    settings = os.environ | {"PYTHONHASHSEED": "0"}  # it draws from sets
    process = subprocess.run(command, input=requests, capture_output=True, text=True, env=settings)
    if process.returncode:
        sys.exit(f"textattack failed:\n{process.stderr[-2000:]}")
    answers = map(json.loads, process.stdout.splitlines())
    return [answer[0][1] if answer else text for text, answer in zip(texts, answers, strict=True)]


def annotate(fixed: Sequence[calibrate.AnnotatedPair], bad: Sequence[str]) -> list[AnnotatedText]:
    """Another tool's bad texts with their errors named as those of the real pairs."""
    words = calibrate.repeated_words(good_texts(fixed))
    return [
        AnnotatedText(
            text, find_fixes(text, pair.pair.good, format=pair.pair.format, vocabulary=words), pair.pair.group
        )
        for pair, text in zip(fixed, bad, strict=True)
    ]


if __name__ == "__main__":
    sys.exit(main())
