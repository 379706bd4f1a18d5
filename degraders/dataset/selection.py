"""Divides pairs into those to train on and those to validate on: by the data's own splits, or by a share held out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256

from degraders.dataset.pairs import Pair, sample_pairs
from degraders.draw import ticket
from degraders.errors import UserError

_VALIDATION = ("validation", "valid", "val", "dev")


@dataclass(frozen=True, slots=True)
class PairSelection:
    """The pairs of a training run.

    `read` counts all pairs of the data set and `sha256` is their digest; `unused` counts, by reason, those that are
    neither in `train` nor in `validation`; `basis` says in words how the two were divided.
    """

    train: list[Pair]
    validation: list[Pair]
    read: int
    sha256: str
    basis: str
    unused: Counter[str]

    def __post_init__(self) -> None:
        used = len(self.train) + len(self.validation)
        if used + self.unused.total() != self.read:
            raise ValueError(f"{self.read} pairs were read, {used} are used, {self.unused.total()} are not")


def select_pairs(
    pairs: Iterable[Pair],
    *,
    seed: int,
    share: float,
    limit: int | None,
    validation_limit: int | None,
    validation: Iterable[Pair] = (),
    skipped: Mapping[str, int] | None = None,
) -> PairSelection:
    """Divide pairs into those to train on and those to validate on, at most `limit` and `validation_limit` of them.

    If `validation` has pairs, they validate and all others train. Otherwise, if the pairs name splits, these decide,
    and pairs of any other split stay unused. Otherwise whole groups (documents or projects) that together have about
    `share` of the pairs are held out to validate. `skipped` counts, by reason, the pairs of the data set that were not
    read; it may be filled while `pairs` and `validation` are read. UserError if no pair remains to train on.
    """
    all_pairs, validating = list(pairs), list(validation)
    unused = Counter(skipped)
    read, digest = len(all_pairs) + len(validating) + unused.total(), _digest([*all_pairs, *validating])
    if not all_pairs:
        raise UserError(f"the data set: {no_pairs(unused)}")
    if validating:
        basis, training = "a split of its own", all_pairs
    elif any(pair.split for pair in all_pairs):
        basis = "the data set's splits"
        training = [pair for pair in all_pairs if pair.split == "train"]
        validating = [pair for pair in all_pairs if pair.split in _VALIDATION]
        others = (pair.split for pair in all_pairs if pair.split not in ("train", *_VALIDATION))
        unused.update(f"of split {split or 'none'}" for split in others)
    else:
        basis = f"{share:.0%} held out"
        groups = _hold_out(all_pairs, seed, share)
        training = [pair for pair in all_pairs if _group(pair) not in groups]
        validating = [pair for pair in all_pairs if _group(pair) in groups]
    if not training:
        splits = ", ".join(sorted({pair.split for pair in all_pairs}))
        raise UserError(f"no pair to train on: the data set holds only the splits {splits}")
    train = sample_pairs(training, limit, seed=seed)
    sample = sample_pairs(validating, validation_limit, seed=seed)
    unused["over the limit of train"] += len(training) - len(train)
    unused["over the limit of validation"] += len(validating) - len(sample)
    return PairSelection(train=train, validation=sample, read=read, sha256=digest, basis=basis, unused=+unused)


def no_pairs(skipped: Mapping[str, int]) -> str:
    """Why a data set gives no pairs: all are skipped, or something is wrong."""
    if skipped:
        return "all its pairs were skipped: " + ", ".join(f"{count:,} {reason}" for reason, count in skipped.items())
    return "contains no pairs; is the file empty, or --hf_split or --coedit_task wrong?"


def _digest(pairs: Iterable[Pair]) -> str:
    digest = sha256()
    for pair in pairs:
        content = (pair.id, pair.bad, pair.good, pair.context, pair.split)
        digest.update(f"{content!r}{pair.instruction}".encode("utf-8", "surrogatepass"))
    return digest.hexdigest()


def _hold_out(pairs: Sequence[Pair], seed: int, share: float) -> set[str]:
    """Groups that together hold about the share of the pairs: at least one if there are two or more, but never all."""
    sizes = Counter(map(_group, pairs))
    groups: set[str] = set()
    missing = share * len(pairs)
    for group in sorted(sizes, key=lambda name: ticket(seed, "held out", name)):
        if missing <= 0 or len(groups) + 1 == len(sizes):
            break
        if sizes[group] <= 2 * missing or not groups:
            groups.add(group)
            missing -= sizes[group]
    return groups


def _group(pair: Pair) -> str:
    return pair.group or pair.id
