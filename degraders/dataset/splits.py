"""Splits that do not leak: a document and its near-copies are always in the same split.

A document is compared by its clauses, without case, digits, white space and markup, so that re-wrapping it, changing
its version numbers or renaming its headings changes little. Near-copies form a cluster. The split of a cluster depends
only on the seed and on its smallest id: neither other documents nor their order change it.
"""

from __future__ import annotations

import struct
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from hashlib import blake2b
from itertools import accumulate, combinations
from math import isfinite

from rensa import RMinHash

from degraders.draw import ticket
from degraders.errors import UserError

Fractions = tuple[float, float, float]

SPLITS = ("train", "validation", "test")
# Copies whose word 5-grams overlap by half share 0.4 or more of their clauses (99 % of them), unrelated pages of one
# project at most 0.25; the estimate from 256 lanes is off by 0.03.
_NEAR = 0.35
_LANES = 256  # MinHash values, one byte each
_BAND = 3  # lanes; 85 bands of 3 propose 98 % of the pairs at _NEAR and all from 0.45 on
_DIGEST = 8  # bytes before the lanes; equal for exact duplicates only
_MAX_BUCKET = 100  # ids; more than that share boilerplate, and comparing all pairs would take hours
_MINHASH_SEED = 1

_DROPPED = b" \t\r\v\f0123456789"
_WHITE = b" \t\r\n\v\f"
_WIDE_PUNCTUATION = tuple(mark.encode() for mark in "。，、！？：；")
_WIDE_BLOCKS = {mark[:2] for mark in _WIDE_PUNCTUATION}
_SHORTEST = 12  # bytes of a clause
_FOLD = bytes.maketrans(b'ABCDEFGHIJKLMNOPQRSTUVWXYZ.,;:!?()[]{}"`#*=<>', b"abcdefghijklmnopqrstuvwxyz" + b"|" * 19)


@dataclass(frozen=True, slots=True)
class SplitAssignment:
    """The split of each document by id, and the groups of copies; ids and groups are sorted."""

    splits: dict[str, str]
    exact: list[list[str]]  # the same text except for white space
    near: list[list[str]]  # near-copies that are not all the same text


def parse_fractions(text: str) -> Fractions:
    """The shares of train, validation and test from `0.9,0.05,0.05`; UserError unless they sum to 1."""
    try:
        shares = tuple(float(part) for part in text.split(","))
    except ValueError:
        shares = ()
    if len(shares) != 3 or not all(isfinite(x) and x >= 0 for x in shares) or abs(sum(shares) - 1) > 1e-6:
        raise UserError(f"splits {text!r}: give three numbers >= 0 that sum to 1, such as 0.9,0.05,0.05")
    return shares


def near_copy_signature(text: str) -> bytes:
    """The signature of a text for `assign_splits`: a digest and a MinHash, 264 bytes, the same on every machine."""
    data = text.encode("utf-8", "surrogatepass")
    digest = blake2b(data.translate(None, _WHITE), digest_size=_DIGEST).digest()
    minhash = RMinHash(_LANES, _MINHASH_SEED)
    minhash.update(_clauses(data))
    # The low byte of each value is enough: two different values share it once in 256 cases.
    return digest + struct.pack(f"<{_LANES}I", *minhash.digest())[::4]


def assign_splits(signatures: Iterable[tuple[str, bytes]], fractions: Fractions, seed: int) -> SplitAssignment:
    """Cluster near-copies and draw the split of each cluster; `signatures` are pairs of id and signature."""
    by_id = dict(signatures)
    exact = [group for group in _group_by(by_id, lambda doc_id: by_id[doc_id][:_DIGEST]) if len(group) > 1]
    clusters = _cluster(by_id, exact)
    splits = {doc_id: _draw_split(group[0], fractions, seed) for group in clusters for doc_id in group}
    near = [group for group in clusters if len({by_id[doc_id][:_DIGEST] for doc_id in group}) > 1]
    return SplitAssignment(splits, exact, near)


def _clauses(data: bytes) -> list[bytes]:
    """The clauses of 12 bytes or more, without digits, white space and markup; the whole text if there is none."""
    if any(map(data.__contains__, _WIDE_BLOCKS)):
        for mark in _WIDE_PUNCTUATION:
            data = data.replace(mark, b"|")
    folded = data.translate(_FOLD, _DROPPED).replace(b"\n\n", b"|").replace(b"\n", b"")
    return [clause for clause in folded.split(b"|") if len(clause) >= _SHORTEST] or [data.translate(None, _WHITE)]


def _cluster(signatures: dict[str, bytes], exact: list[list[str]]) -> list[list[str]]:
    """All ids, grouped transitively: exact duplicates and near-copies share a group."""
    parent = {doc_id: doc_id for doc_id in signatures}

    def root(doc_id: str) -> str:
        while parent[doc_id] != doc_id:
            parent[doc_id] = doc_id = parent[parent[doc_id]]
        return doc_id

    same_lanes = _group_by(signatures, lambda doc_id: signatures[doc_id][_DIGEST:])
    for group in exact + same_lanes:
        for doc_id in group[1:]:
            parent[root(doc_id)] = root(group[0])
    singles = [group[0] for group in same_lanes]
    for start in range(_DIGEST, _DIGEST + _LANES - _BAND + 1, _BAND):
        for bucket in _buckets(signatures, singles, start):
            for left, right in combinations(bucket, 2):
                if root(left) != root(right) and _are_near(signatures[left], signatures[right]):
                    parent[root(left)] = root(right)
    return _group_by(signatures, root)


def _group_by(ids: Iterable[str], key: Callable[[str], str | bytes]) -> list[list[str]]:
    """Ids that share a key; groups and ids are sorted."""
    groups: defaultdict[str | bytes, list[str]] = defaultdict(list)
    for doc_id in sorted(ids):
        groups[key(doc_id)].append(doc_id)
    return list(groups.values())


def _buckets(signatures: dict[str, bytes], ids: list[str], start: int) -> Iterator[list[str]]:
    """Ids that agree in the band at `start`; groups that are too large are divided by the bands after it."""
    first: dict[bytes, str] = {}
    groups: dict[bytes, list[str]] = {}
    for doc_id in ids:
        key = signatures[doc_id][start : start + _BAND]
        if first.setdefault(key, doc_id) != doc_id:
            groups.setdefault(key, [first[key]]).append(doc_id)
    for group in groups.values():
        if len(group) <= _MAX_BUCKET or start + 2 * _BAND > _DIGEST + _LANES:
            yield group
        else:
            yield from _buckets(signatures, group, start + _BAND)


def _are_near(left: bytes, right: bytes) -> bool:
    """Whether the share of equal lanes, an estimate of the Jaccard index of the clauses, reaches _NEAR."""
    differing = int.from_bytes(left[_DIGEST:], "little") ^ int.from_bytes(right[_DIGEST:], "little")
    return differing.to_bytes(_LANES, "little").count(0) >= _NEAR * _LANES


def _draw_split(doc_id: str, fractions: Fractions, seed: int) -> str:
    """The split of the cluster whose smallest id this is."""
    point = int.from_bytes(ticket(seed, doc_id), "big") / 2**64
    shares = zip(SPLITS, fractions, accumulate(fractions), strict=True)
    tops = [(name, top) for name, share, top in shares if share > 0]
    return next((name for name, top in tops if point < top), tops[-1][0])
