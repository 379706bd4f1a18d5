#!/usr/bin/env python3
"""How well made errors pass for real ones, on projects that the calibration never saw, beside other tools.

    python benchmarks/bench_realism.py real_pairs.jsonl

Divides the pairs (`bad`, `good`, and `repo` or `doc_id`) by the owner of their project, calibrates a profile on one
half, degrades the good sides of the other half, and compares with the real errors there:

- the Jensen-Shannon distance of each distribution, beside that of two halves of the real projects (the floor);
- the AUC of a classifier (5 folds, no project in two of them) that tells made from real, by single errors, by whole
  texts and within a category; 0.5 says that it cannot.

Pairs that were made elsewhere are measured beside them: `--made dataset.jsonl`.

Once for all errors (`--allow-lossy`) and once for those that the text alone can repair. nlpaug's and textattack's typos
on the same good sides are measured in the same way. textattack needs an older transformers than this project: make an
environment for it, and name its interpreter with `--textattack`.
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
from os.path import commonprefix
from pathlib import Path
from typing import Any, TypeAlias

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import contest  # noqa: E402
import noise  # noqa: E402
import numpy as np  # noqa: E402

from degraders import profiles  # noqa: E402
from degraders.dataset import pairs  # noqa: E402
from degraders.realism import calibrate, compare  # noqa: E402
from degraders.realism.compare import AnnotatedText  # noqa: E402
from degraders.realism.fixes import Fix, find_fixes  # noqa: E402

Row: TypeAlias = dict[str, float]
Maker: TypeAlias = Callable[[Sequence[calibrate.FixedPair]], list[AnnotatedText]]

_ERRORS_A_TEXT, _MOST_ERRORS, _LEAST = 3, 4000, 60


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pairs", type=Path, help="real pairs, JSONL")
    parser.add_argument(
        "--profile", type=Path, help="measure this profile on all pairs, instead of calibrating on half"
    )
    parser.add_argument("--textattack", metavar="PYTHON", help="interpreter of an environment with textattack")
    parser.add_argument(
        "--made", type=Path, nargs="+", default=[], metavar="FILE", help="made pairs (JSONL) that are measured too"
    )
    parser.add_argument("--table", action="store_true", help="print the distributions side by side too")
    options = parser.parse_args()
    found = list(pairs.read_pairs(options.pairs))
    seen, held_out = ([], found) if options.profile else contest.halves(found, lambda pair: pair.group)
    reads = calibrate.read_fixes(held_out)
    print(f"{len(seen)} pairs to calibrate on, {len(reads)} of {projects(reads)} other projects to compare with")
    if options.profile:
        profile = profiles.read_profile(options.profile)
    else:
        profile = calibrate.calibrate_profile(calibrate.read_fixes(seen), origin="one half of the projects")
    for lossy, only in ((True, "all errors"), (False, "errors that the text repairs")):
        print_comparison(
            reads,
            profile,
            lossy=lossy,
            title=only,
            peers=peers(options.textattack, options.made),
            show_table=options.table,
        )
    return 0


def projects(reads: Sequence[calibrate.FixedPair]) -> int:
    return len({read.pair.group for read in reads})


def print_comparison(
    reads: Sequence[calibrate.FixedPair],
    profile: profiles.Profile,
    *,
    lossy: bool,
    title: str,
    peers: dict[str, Maker],
    show_table: bool,
) -> None:
    """Print the figures of this project, of the peers and of real against real, a column each."""
    only = None if lossy else compare.TEXT_REPAIRABLE
    real = kept(calibrate.real_texts(reads), only)
    ours = kept(calibrate.degrade_pairs(reads, profile, allow_lossy=lossy), only)
    columns = {"ours": figures(real, ours), "real": real_against_real(real)}
    columns |= {name: figures(real, kept(maker(reads), only)) for name, maker in peers.items()}
    print(f"\n{title}: {sum(len(text.fixes) for text in ours):,} made, {sum(len(text.fixes) for text in real):,} real")
    print(f"{'':<32}" + "".join(f"{name:>12}" for name in columns))
    for row in columns["ours"]:
        cells = (column.get(row) for column in columns.values())
        print(f"{row:<32}" + "".join(f"{'-' if cell is None else f'{cell:.3f}':>12}" for cell in cells))
    if show_table:
        print("\n" + compare.comparison_table(compare.measure_distributions(real), compare.measure_distributions(ours)))


def kept(texts: Sequence[AnnotatedText], only: frozenset[str] | None) -> list[AnnotatedText]:
    """The texts with the errors of some categories alone, those left without any gone."""
    if only is None:
        return [text for text in texts if text.fixes]
    cut = [text._replace(fixes=[fix for fix in text.fixes if compare.category(fix) in only]) for text in texts]
    return [text for text in cut if text.fixes]


def figures(real: Sequence[AnnotatedText], made: Sequence[AnnotatedText]) -> dict[str, float | None]:
    """Distances, then AUCs, by name."""
    apart = compare.distances(compare.measure_distributions(real), compare.measure_distributions(made))
    found: dict[str, float | None] = {f"distance, {name}": value for name, value in apart.items()}
    found["AUC, single errors"] = auc(errors(made), errors(real), of_error)
    found["AUC, whole texts"] = auc(made, real, of_text)
    for category in sorted(compare.TEXT_REPAIRABLE):
        ours, theirs = (errors(kept(side, frozenset((category,)))) for side in (made, real))
        found[f"AUC within {category}"] = auc(ours, theirs, of_error)
    return found


def real_against_real(real: Sequence[AnnotatedText]) -> dict[str, float | None]:
    """The floor: the same figures for one half of the projects against the other."""
    groups = sorted({text.group for text in real})
    random.Random(0).shuffle(groups)
    half = set(groups[::2])
    return figures([text for text in real if text.group in half], [text for text in real if text.group not in half])


# What the classifier sees


def errors(texts: Sequence[AnnotatedText]) -> list[AnnotatedText]:
    """Single errors, at most a few of each text, in random order."""
    draw = random.Random(0)
    found = [
        text._replace(fixes=[fix])
        for text in texts
        for fix in draw.sample(list(text.fixes), min(_ERRORS_A_TEXT, len(text.fixes)))
    ]
    draw.shuffle(found)
    return found[:_MOST_ERRORS]


def of_error(text: AnnotatedText) -> Row:
    """An error by the letters of its two sides and of what changed between them; shapes alone in links and code."""
    fix: Fix = text.fixes[0]
    bad, good = fix.bad, fix.good
    if compare.category(fix) in ("link", "code"):
        bad, good = shape(bad), shape(good)
    start = len(commonprefix([bad, good]))
    end = min(len(commonprefix([bad[::-1], good[::-1]])), len(bad) - start, len(good) - start)
    was, now = bad[start : len(bad) - end], good[start : len(good) - end]
    after = bad[len(bad) - end :][:2]
    found = [*grams(f"^{bad[:80]}$", "bad", 3), *grams(f"^{good[:80]}$", "good", 3)]
    found += grams(f"{bad[max(0, start - 2) : start]}[{was[:30]}>{now[:30]}]{after}", "change", 4)
    found += [f"at {fix.position}", f"sizes {len(bad).bit_length()} {len(good).bit_length()}"]
    found.append(f"words {min(len(bad.split()), 9)} {min(len(good.split()), 9)}")
    return dict.fromkeys(found, 1.0)


def shape(text: str) -> str:
    text = re.sub(r"[A-Z]+", "A", re.sub(r"\d+", "0", text))
    return re.sub(r"[a-z]+", "a", text)[:120]


def grams(text: str, name: str, longest: int) -> Iterator[str]:
    for size in range(1, longest + 1):
        yield from (f"{name}:{text[at : at + size]}" for at in range(len(text) - size + 1))


def of_text(text: AnnotatedText) -> Row:
    """A text by how many errors it has, of which kinds, where and how large."""
    count, words = len(text.fixes), max(1, len(text.bad.split()))
    row: Row = {
        "errors": min(count, 12), "one": count == 1, "many": count >= 3, "words": words / 100,
        "density": min(12.0, 100 * count / words),
        "characters": float(np.log1p(sum(max(len(fix.bad), len(fix.good)) for fix in text.fixes))),
        "first": min(fix.start for fix in text.fixes) / max(1, len(text.bad)),
    }  # fmt: skip
    for fix in text.fixes:
        for key in (compare.category(fix), fix.kind, f"at {fix.position}"):
            row[key] = row.get(key, 0.0) + 1 / count
    return row


def auc(
    made: Sequence[AnnotatedText], real: Sequence[AnnotatedText], features: Callable[[AnnotatedText], Row]
) -> float | None:
    """The area under the curve of a logistic regression, by folds that keep a group together; None for too few."""
    from sklearn.feature_extraction import DictVectorizer
    from sklearn.feature_extraction.text import TfidfTransformer
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import roc_auc_score
    from sklearn.model_selection import StratifiedGroupKFold
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import MaxAbsScaler

    size = min(len(made), len(real))
    groups: list[Hashable] = [("made", text.group) for text in made[:size]]
    groups += [("real", text.group) for text in real[:size]]
    folds = min(5, *(len({group for group in groups if group[0] == side}) for side in ("made", "real")))  # type: ignore[index]
    if size < _LEAST or folds < 2:
        return None
    rows = DictVectorizer().fit_transform([features(text) for text in [*made[:size], *real[:size]]])
    truth = np.array([1] * size + [0] * size)
    names = np.array([f"{group}" for group in groups])
    found = []
    for train, test in StratifiedGroupKFold(folds, shuffle=True, random_state=0).split(rows, truth, names):
        scale: Any = TfidfTransformer(sublinear_tf=True) if features is of_error else MaxAbsScaler()
        model = make_pipeline(scale, LogisticRegression(C=3.0 if features is of_error else 1.0, solver="liblinear"))
        model.fit(rows[train], truth[train])
        found.append(roc_auc_score(truth[test], model.predict_proba(rows[test])[:, 1]))
    return float(np.mean(found))


# Others


def peers(textattack: str | None, files: Sequence[Path]) -> dict[str, Maker]:
    """The tools that are there, and the files of pairs, by name."""
    found: dict[str, Maker] = {}
    try:
        import nlpaug.augmenter.char as char
    except ImportError:
        print("nlpaug is not installed: pip install -r benchmarks/requirements.txt", file=sys.stderr)
    else:
        random.seed(0)
        np.random.seed(0)
        keyboard = char.KeyboardAug(aug_char_max=1, aug_word_p=noise.SHARE_OF_WORDS, aug_word_min=1)
        found["nlpaug"] = lambda reads: by_longest_line(reads, lambda lines: [keyboard.augment(x)[0] for x in lines])
    if textattack:
        found["textattack"] = lambda reads: by_longest_line(reads, lambda lines: attacked(textattack, lines))
    return found | {path.stem[:11]: lambda reads, path=path: of_file(path, reads) for path in files}


def of_file(path: Path, reads: Sequence[calibrate.FixedPair]) -> list[AnnotatedText]:
    """The pairs of a file that differ, with their errors as they are read here."""
    known = calibrate.known_words(goods(reads))
    made = [pair for pair in pairs.read_pairs(path) if not pair.identity]
    return [
        AnnotatedText(p.bad, find_fixes(p.bad, p.good, format=p.format, known=known), p.group or p.id) for p in made
    ]


def by_longest_line(
    reads: Sequence[calibrate.FixedPair], make: Callable[[Sequence[str]], list[str]]
) -> list[AnnotatedText]:
    """The good sides with their longest line degraded: these tools lose line ends, which would tell them at once."""
    lines = [max(text.splitlines(), key=len) for text in goods(reads)]
    made = make(lines)
    texts = (text.replace(*pair, 1) for text, pair in zip(goods(reads), zip(lines, made, strict=True), strict=True))
    return read_as_ours(reads, list(texts))


def goods(reads: Sequence[calibrate.FixedPair]) -> list[str]:
    return [read.pair.good for read in reads]


def attacked(python: str, texts: Sequence[str]) -> list[str]:
    """One variant of each text with textattack's own character swaps, from an interpreter that has it."""
    asked = "".join(json.dumps({"words": [text], "wanted": 1}) + "\n" for text in texts)
    command = [python, str(ROOT / "benchmarks" / "noise.py"), "textattack-lines", "0"]
    fixed = os.environ | {"PYTHONHASHSEED": "0"}  # it draws from sets
    done = subprocess.run(command, input=asked, capture_output=True, text=True, env=fixed)
    if done.returncode:
        sys.exit(f"textattack failed:\n{done.stderr[-2000:]}")
    made = map(json.loads, done.stdout.splitlines())
    return [found[0][1] if found else text for text, found in zip(texts, made, strict=True)]


def read_as_ours(reads: Sequence[calibrate.FixedPair], bad: Sequence[str]) -> list[AnnotatedText]:
    """Another tool's texts with their errors as they are read here."""
    known = calibrate.known_words(goods(reads))
    found = []
    for read, text in zip(reads, bad, strict=True):
        made = find_fixes(text, read.pair.good, format=read.pair.format, known=known)
        found.append(AnnotatedText(text, made, read.pair.group))
    return found


if __name__ == "__main__":
    sys.exit(main())
