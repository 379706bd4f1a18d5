"""From pairs of bad and good text to a profile: what people got wrong, and the weights that make the degraders do so.

The fixes of the pairs are aligned and named (`classify`). Then the good sides are degraded and the errors named by the
same code; each way is drawn the more often the more its kinds of error are missing, and again, until both agree.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
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
from degraders.realism.words import plain_words
from degraders.text.document import Unit
from degraders.text.parse import parse

_EDGES = (250, 450, 800, 1300, 2000)
_MOST_COUNTED = 12
_ROUNDS = (1, 1, 1, 2, 2, 3, 3, 4)
"""How many variants of each text the rounds make: first coarse, then fine."""
_STEP = 4.0
_FEW = 10
"""Errors of a way below which what they tell is believed by half."""
_MOST = 6.0
"""How many times its declared weight a way may get: what finds no place in these texts must not flood others."""
_LEAST_PAIRS = 50
_OFF = 0.0002
"""The share of all errors below which a way is switched off."""


class FixedPair(NamedTuple):
    """A pair with its fixes."""

    pair: Pair
    fixes: list[Fix]


def read_fixes(pairs: Iterable[Pair]) -> list[FixedPair]:
    """The pairs that differ, each with its fixes; a word counts as right that two of the good sides use."""
    kept = [pair for pair in pairs if not pair.identity]
    if len(kept) < _LEAST_PAIRS:
        raise UserError(f"only {len(kept)} pairs differ; a profile needs {_LEAST_PAIRS} at the least")
    known = known_words(pair.good for pair in kept)
    found = [FixedPair(pair, find_fixes(pair.bad, pair.good, format=pair.format, known=known)) for pair in kept]
    return [read for read in found if read.fixes]


def known_words(texts: Iterable[str]) -> frozenset[str]:
    """The words that two texts or more have."""
    seen = Counter(word for text in texts for word in plain_words(text))
    return frozenset(word for word, times in seen.items() if times > 1)


def calibrate_profile(reads: Sequence[FixedPair], *, origin: str) -> Profile:
    """The profile of some pairs."""
    target = Counter(fix.kind for read in reads for fix in read.fixes)
    profile = Profile(_declared(), _counts(reads), _again(reads), _sizes(reads), origin)
    units = [unit_of_pair(read.pair) for read in reads]
    known = known_words(read.pair.good for read in reads)
    for number, variants in enumerate(_ROUNDS):
        made = _made(units, profile, number, known, variants)
        profile = replace(profile, weights=_stepped(profile.weights, made, target, last=number == len(_ROUNDS) - 1))
    return profile


def describe_origin(reads: Sequence[FixedPair], name: str) -> str:
    """What a profile says of where it comes from."""
    groups, errors = {read.pair.group for read in reads if read.pair.group}, sum(len(read.fixes) for read in reads)
    projects = f", {len(groups)} projects or documents" if groups else ""
    return f"calibrated from {len(reads)} pairs of {name} with {errors} errors{projects}"


def degrade_pairs(
    reads: Sequence[FixedPair], profile: Profile, *, seed: int = 42, allow_lossy: bool = True
) -> list[AnnotatedText]:
    """One variant of each good side by a profile, with its errors as `classify` reads them."""
    known = known_words(read.pair.good for read in reads)
    plan = _plan(profile, seed, allow_lossy=allow_lossy)
    found = []
    for read in reads:
        unit = unit_of_pair(read.pair)
        variant = Degradation(unit, plan).variant(0)
        if variant:
            made = find_fixes(variant.bad, unit.text, format=unit.doc.format, known=known)
            found.append(AnnotatedText(variant.bad, made, read.pair.group))
    return found


def real_texts(reads: Sequence[FixedPair]) -> list[AnnotatedText]:
    """The bad sides with their fixes."""
    return [AnnotatedText(read.pair.bad, read.fixes, read.pair.group) for read in reads]


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


def _declared() -> tuple[tuple[str, float], ...]:
    return tuple((way.key, way.weight) for item in all_degraders().values() for way in item.alternatives)


def unit_of_pair(pair: Pair) -> Unit:
    """The good side as a unit of its own."""
    doc = parse(pair.good, doc_id=pair.id, format=pair.format)
    return Unit(doc, 0, 0, len(doc.text), pair.context)


def _made(
    units: Sequence[Unit], profile: Profile, seed: int, known: frozenset[str], variants: int
) -> Mapping[str, Counter[str]]:
    """The kinds of error that each way makes of the good sides, as `classify` names them."""
    made: defaultdict[str, Counter[str]] = defaultdict(Counter)
    plan = _plan(profile, seed)
    for unit in units:
        degradation = Degradation(unit, plan)
        for number in range(variants):
            variant = degradation.variant(number)
            if variant:
                for key, kind in _attributed(variant, unit, known):
                    made[key][kind] += 1
    return made


def _attributed(variant: Variant, unit: Unit, known: frozenset[str]) -> Iterator[tuple[str, str]]:
    """Each fix of a variant with the way that made the error it lies in."""
    errors = variant.errors
    for fix in find_fixes(variant.bad, unit.text, format=unit.doc.format, known=known):
        nearest = min(errors, key=lambda error: _distance(fix, error.span.good_start, error.span.good_end))
        yield nearest.degrader.key, fix.kind


def _distance(fix: Fix, start: int, end: int) -> int:
    return max(start - fix.good_end, fix.good_start - end, 0)


def _stepped(
    weights: Sequence[tuple[str, float]],
    made: Mapping[str, Counter[str]],
    target: Counter[str],
    *,
    last: bool,
) -> tuple[tuple[str, float], ...]:
    """The weights, each moved by how much more or less than now its kinds of error are wanted."""
    total = Counter[str]()
    for each in made.values():
        total += each
    all_wanted, all_made = target.total(), total.total()
    wanted = {
        kind: min(_STEP, max(1 / _STEP, ((target[kind] + 0.3) / all_wanted) / ((total[kind] + 0.3) / all_made)))
        for kind in total
    }
    declared = dict(_declared())
    found = []
    for key, weight in weights:
        kinds = made.get(key)
        if kinds is not None:
            moves = sum(count * log(wanted[kind]) for kind, count in kinds.items())
            weight *= exp(moves / (kinds.total() + _FEW))
            weight = min(weight, _MOST * declared[key])
            if last and kinds.total() / all_made < _OFF:
                continue
        elif last:
            continue
        found.append((key, weight))
    scale = sum(declared[key] for key, _ in found) / sum(weight for _, weight in found)
    return tuple((key, weight * scale) for key, weight in found)


def _counts(reads: Sequence[FixedPair]) -> tuple[ErrorCounts, ...]:
    found = []
    for low, high in zip((0, *_EDGES), _EDGES, strict=False):
        last = high == _EDGES[-1]
        like = [read for read in reads if low < len(read.pair.good) and (last or len(read.pair.good) <= high)]
        shares = Counter(min(len(read.fixes), _MOST_COUNTED) for read in like)
        if like:
            found.append(
                ErrorCounts.from_shares(high, [shares[count] / len(like) for count in range(1, max(shares) + 1)])
            )
    return tuple(found)


def _again(reads: Sequence[FixedPair]) -> float:
    """How much likelier than by chance an error is of the kind of the one before."""
    kinds = Counter(fix.kind for read in reads for fix in read.fixes)
    pairs = [(a.kind, b.kind) for read in reads for a, b in zip(read.fixes, read.fixes[1:], strict=False)]
    if not pairs:
        return 0.0
    total = kinds.total()
    chance = sum((count / total) ** 2 for count in kinds.values())
    same = sum(a == b for a, b in pairs) / len(pairs)
    return max(0.0, (same - chance) / (1 - chance))


def _sizes(reads: Sequence[FixedPair]) -> tuple[int, ...]:
    return tuple(round(size) for size in quantiles([len(read.pair.good) for read in reads], n=20))
