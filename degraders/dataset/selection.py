"""Which pairs are trained on and which validate: by the data's own splits, else by a share that the seed holds out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b, sha256

from degraders.dataset.pairs import Pair, sample_pairs
from degraders.errors import UserError

_VALIDATION = ("validation", "valid", "val", "dev")


@dataclass
class PairSelection:
    """The pairs to train and to validate on; what else was read, by reason; a digest of all that was read."""

    train: list[Pair]
    validation: list[Pair]
    read: int
    sha256: str
    how: str
    unused: Counter[str] = field(default_factory=Counter)


def select_pairs(
    pairs: Iterable[Pair],
    *,
    seed: int,
    share: float,
    limit: int | None,
    validation_limit: int | None,
    validation: Iterable[Pair] = (),
) -> PairSelection:
    """Divide pairs into those that train and those that validate; `validation` are pairs of a split of their own.

    Data whose pairs name splits keep them, and what is neither train nor validation stays unused. Otherwise whole
    groups (documents, projects) of together about `share` of the pairs are held out.
    """
    found, apart = list(pairs), list(validation)
    digest = sha256()
    for pair in (*found, *apart):
        digest.update(repr((pair.id, pair.bad, pair.good, pair.context, pair.split)).encode("utf-8", "surrogatepass"))
    read = len(found) + len(apart)
    if not found:
        raise UserError("the data set holds no pair; is its file empty, or --hf_split or --coedit_task wrong?")
    chosen = PairSelection([], apart, read, digest.hexdigest(), "a split of its own")
    _divide(chosen, found, seed, share)
    if not chosen.train:
        splits = ", ".join(sorted({pair.split for pair in found}))
        raise UserError(f"no pair to train on: the data set holds only the splits {splits}")
    chosen.train = _at_most(chosen, "train", chosen.train, limit, seed)
    chosen.validation = _at_most(chosen, "validation", chosen.validation, validation_limit, seed)
    chosen.unused = +chosen.unused
    return chosen


def _divide(chosen: PairSelection, found: Sequence[Pair], seed: int, share: float) -> None:
    if chosen.validation:
        chosen.train = list(found)
        return
    if any(pair.split for pair in found):
        chosen.how = "the data set's splits"
        chosen.train = [pair for pair in found if pair.split == "train"]
        chosen.validation = [pair for pair in found if pair.split in _VALIDATION]
        chosen.unused.update(
            f"of split {pair.split or 'none'}" for pair in found if pair.split not in ("train", *_VALIDATION)
        )
        return
    held = _held_out(found, seed, share)
    chosen.how = f"{share:.0%} held out"
    chosen.train = [pair for pair in found if _group(pair) not in held]
    chosen.validation = [pair for pair in found if _group(pair) in held]


def _held_out(pairs: Sequence[Pair], seed: int, share: float) -> set[str]:
    """Groups that together hold about the share of the pairs: one at least, if there is one to spare, never all."""
    sizes = Counter(map(_group, pairs))
    held: set[str] = set()
    left = share * len(pairs)
    for group in sorted(sizes, key=lambda name: _ticket(seed, "held out", name)):
        if left <= 0 or len(held) + 1 == len(sizes):
            break
        if sizes[group] <= 2 * left or not held:
            held.add(group)
            left -= sizes[group]
    return held


def _group(pair: Pair) -> str:
    return pair.group or pair.id


def _at_most(chosen: PairSelection, name: str, pairs: list[Pair], most: int | None, seed: int) -> list[Pair]:
    few = sample_pairs(pairs, most, seed=seed)
    chosen.unused[f"over the limit of {name}"] += len(pairs) - len(few)
    return few


def _ticket(*key: str | int) -> bytes:
    return blake2b("\x1f".join(map(str, key)).encode("utf-8", "surrogatepass"), digest_size=8).digest()
