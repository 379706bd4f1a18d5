"""Calibration: from pairs of bad and good text to a profile whose generated errors resemble the real ones.

The fixes of the pairs are aligned and named by `fixes.find_fixes`. Then the good texts are degraded, and the generated
errors are named by the same code. A degrader, or subtype of one, gets a higher weight if the kinds of error that it
generates are too rare, and a lower one if they are too frequent. This is repeated until both sides agree.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from math import exp, log
from statistics import quantiles
from typing import NamedTuple

from degraders.catalogue import all_degraders
from degraders.dataset.pairs import Pair
from degraders.engine import Degradation, ErrorCounts, Plan, Variant
from degraders.errors import UserError
from degraders.profiles import Profile
from degraders.realism.compare import AnnotatedText
from degraders.realism.fixes import Fix, find_fixes
from degraders.realism.words import distinct_words
from degraders.text.document import Unit
from degraders.text.parse import parse

_MIN_PAIRS = 50
_LENGTH_LIMITS = (250, 450, 800, 1300, 2000)
"""The upper limits, in characters, of the classes of texts whose numbers of errors are counted."""
_MAX_ERRORS = 12
"""Texts with more errors count as texts with this many."""
_ROUNDS = (1, 1, 1, 2, 2, 3, 3, 4)
"""The number of variants of each text per round: first a rough estimate, then a more precise one."""
_MAX_STEP = 4.0
"""The largest factor by which the need for one kind of error changes a weight in one round."""
_PRIOR_ERRORS = 10
"""The number of neutral errors added to those observed, so that few observed errors change a weight little."""
_MAX_GAIN = 6.0
"""The largest factor over the declared weight, so that a degrader that rarely applies here cannot flood other texts."""
_MIN_SHARE = 0.0002
"""A degrader that makes a smaller share of all errors is disabled."""


class AnnotatedPair(NamedTuple):
    """A pair with its fixes."""

    pair: Pair
    fixes: list[Fix]


def annotate_pairs(pairs: Iterable[Pair]) -> list[AnnotatedPair]:
    """The pairs with their fixes; pairs without any are dropped.

    Words that at least two good texts contain count as spelt correctly. UserError if too few pairs differ.
    """
    differing = [pair for pair in pairs if not pair.identity]
    if len(differing) < _MIN_PAIRS:
        raise UserError(f"only {len(differing)} pairs have errors; a profile needs at least {_MIN_PAIRS}")
    vocabulary = repeated_words(pair.good for pair in differing)
    annotated = [
        AnnotatedPair(pair, find_fixes(pair.bad, pair.good, format=pair.format, vocabulary=vocabulary))
        for pair in differing
    ]
    return [item for item in annotated if item.fixes]


def repeated_words(texts: Iterable[str]) -> frozenset[str]:
    """The words that at least two texts contain."""
    counts = Counter(word for text in texts for word in distinct_words(text))
    return frozenset(word for word, count in counts.items() if count > 1)


def calibrate_profile(annotated: Sequence[AnnotatedPair], *, origin: str) -> Profile:
    """The profile of the pairs; `origin` is stored in it and says what it was calibrated from."""
    target = Counter(fix.kind for item in annotated for fix in item.fixes)
    profile = Profile(
        weights=_declared_weights(),
        counts=_error_counts(annotated),
        repeat_rate=_repeat_rate(annotated),
        sizes=_size_quantiles(annotated),
        origin=origin,
    )
    units = [unit_of_pair(item.pair) for item in annotated]
    vocabulary = repeated_words(item.pair.good for item in annotated)
    for seed, variants in enumerate(_ROUNDS):
        generated = _count_generated(units, _plan(profile, seed), variants, vocabulary)
        is_last = seed == len(_ROUNDS) - 1
        profile = replace(profile, weights=_update_weights(profile.weights, generated, target, is_last=is_last))
    return profile


def describe_origin(annotated: Sequence[AnnotatedPair], name: str) -> str:
    """The origin of a profile in words: the number of pairs, errors and projects, and the name of the data."""
    groups = {item.pair.group for item in annotated if item.pair.group}
    errors = sum(len(item.fixes) for item in annotated)
    projects = f", {len(groups)} projects or documents" if groups else ""
    return f"calibrated from {len(annotated)} pairs of {name} with {errors} errors{projects}"


def real_texts(annotated: Sequence[AnnotatedPair]) -> list[AnnotatedText]:
    """The bad texts of the pairs with their fixes."""
    return [AnnotatedText(item.pair.bad, item.fixes, item.pair.group) for item in annotated]


def generate_texts(
    annotated: Sequence[AnnotatedPair], profile: Profile, *, seed: int = 42, allow_lossy: bool = True
) -> list[AnnotatedText]:
    """One degraded variant of each good text by a profile, with its fixes as `find_fixes` names them."""
    vocabulary = repeated_words(item.pair.good for item in annotated)
    plan = _plan(profile, seed, allow_lossy=allow_lossy)
    texts = []
    for item in annotated:
        unit = unit_of_pair(item.pair)
        variant = Degradation(unit, plan).variant(0)
        if variant:
            fixes = find_fixes(variant.bad, unit.text, format=unit.doc.format, vocabulary=vocabulary)
            texts.append(AnnotatedText(variant.bad, fixes, item.pair.group))
    return texts


def unit_of_pair(pair: Pair) -> Unit:
    """The good text of a pair as one unit."""
    document = parse(pair.good, doc_id=pair.id, format=pair.format)
    return Unit(document, 0, 0, len(document.text), pair.context)


# The generated errors


def _plan(profile: Profile, seed: int, *, allow_lossy: bool = True) -> Plan:
    degraders = profile.weighted_degraders(all_degraders().values(), keep_disabled=False)
    return Plan(
        degraders,
        seed=seed,
        counts=profile.counts,
        repeat_rate=profile.repeat_rate,
        identity_rate=0.0,
        allow_lossy=allow_lossy,
    )


def _count_generated(
    units: Sequence[Unit], plan: Plan, variants: int, vocabulary: Container[str]
) -> Mapping[str, Counter[str]]:
    """How many errors of each kind each degrader or subtype makes, by its key."""
    counts: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for unit in units:
        degradation = Degradation(unit, plan)
        for number in range(variants):
            variant = degradation.variant(number)
            if variant:
                for key, kind in _attribute_fixes(variant, unit, vocabulary):
                    counts[key][kind] += 1
    return counts


def _attribute_fixes(variant: Variant, unit: Unit, vocabulary: Container[str]) -> Iterator[tuple[str, str]]:
    """For each fix of a variant the key of the degrader whose error is nearest to it, and the kind of the fix."""
    for fix in find_fixes(variant.bad, unit.text, format=unit.doc.format, vocabulary=vocabulary):
        nearest = min(variant.errors, key=lambda error: _gap(fix, error.span.good_start, error.span.good_end))
        yield nearest.degrader.key, fix.kind


def _gap(fix: Fix, start: int, end: int) -> int:
    """The characters of the good text between a fix and [start, end); 0 if they touch or overlap."""
    return max(start - fix.good_end, fix.good_start - end, 0)


# The parts of the profile


def _declared_weights() -> tuple[tuple[str, float], ...]:
    """The weights that the degraders and subtypes declare, by key, without the stand-in for a language model."""
    rules = [degrader for degrader in all_degraders().values() if degrader.family != "llm"]
    return tuple((item.key, item.weight) for degrader in rules for item in degrader.alternatives)


def _update_weights(
    weights: Sequence[tuple[str, float]],
    generated: Mapping[str, Counter[str]],
    target: Counter[str],
    *,
    is_last: bool,
) -> tuple[tuple[str, float], ...]:
    """The weights after one round: each is multiplied by the need for the kinds of error that were generated with it.

    The need for a kind is its share of the real errors over its share of the generated errors. The last round disables
    what makes hardly any errors.
    """
    total = Counter[str]()
    for counts in generated.values():
        total += counts
    real_errors, generated_errors = target.total(), total.total()
    need = {kind: ((target[kind] + 0.3) / real_errors) / ((total[kind] + 0.3) / generated_errors) for kind in total}
    need = {kind: min(_MAX_STEP, max(1 / _MAX_STEP, ratio)) for kind, ratio in need.items()}
    declared = dict(_declared_weights())
    updated = []
    for key, weight in weights:
        kinds = generated.get(key)
        if kinds is not None:
            log_need = sum(count * log(need[kind]) for kind, count in kinds.items())
            weight *= exp(log_need / (kinds.total() + _PRIOR_ERRORS))
            weight = min(weight, _MAX_GAIN * declared[key])
            if is_last and kinds.total() / generated_errors < _MIN_SHARE:
                continue
        elif is_last:
            continue
        updated.append((key, weight))
    scale = sum(declared[key] for key, _ in updated) / sum(weight for _, weight in updated)
    return tuple((key, weight * scale) for key, weight in updated)


def _error_counts(annotated: Sequence[AnnotatedPair]) -> tuple[ErrorCounts, ...]:
    """The distribution of the number of errors of a text, for each class of lengths."""
    counts = []
    for low, high in zip((0, *_LENGTH_LIMITS), _LENGTH_LIMITS, strict=False):
        is_last = high == _LENGTH_LIMITS[-1]
        in_class = [
            item for item in annotated if low < len(item.pair.good) and (is_last or len(item.pair.good) <= high)
        ]
        if in_class:
            texts = Counter(min(len(item.fixes), _MAX_ERRORS) for item in in_class)
            shares = [texts[errors] / len(in_class) for errors in range(1, max(texts) + 1)]
            counts.append(ErrorCounts.from_shares(high, shares))
    return tuple(counts)


def _repeat_rate(annotated: Sequence[AnnotatedPair]) -> float:
    """How often an error has the kind of the error before it, corrected for chance as Cohen's kappa is; 0 to 1."""
    kinds = Counter(fix.kind for item in annotated for fix in item.fixes)
    pairs = [
        (first.kind, second.kind)
        for item in annotated
        for first, second in zip(item.fixes, item.fixes[1:], strict=False)
    ]
    if not pairs:
        return 0.0
    total = kinds.total()
    chance = sum((count / total) ** 2 for count in kinds.values())
    same = sum(first == second for first, second in pairs) / len(pairs)
    return max(0.0, (same - chance) / (1 - chance))


def _size_quantiles(annotated: Sequence[AnnotatedPair]) -> tuple[int, ...]:
    """The 19 quantiles (5 % to 95 %) of the lengths of the good texts, in characters."""
    return tuple(round(size) for size in quantiles([len(item.pair.good) for item in annotated], n=20))
