"""Splits that do not leak: near-copies of a document stand on one side.

A document is known by its clauses, without case, digits, white space and markup, so that re-wrapping it,
bumping its versions or renaming its headings changes little. Near-copies are clustered, and the split of a
cluster is drawn by the seed and its smallest id: no other document has a say in it, nor has their order.
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

from degraders.errors import UserError

Fractions = tuple[float, float, float]

SPLITS = ("train", "validation", "test")
# Copies whose word 5-grams overlap by half agree in 0.4 or more of their clauses (99 %), unrelated pages of one
# project in at most 0.25; an estimate from 256 lanes is off by 0.03.
NEAR = 0.35
_LANES = 256
_BAND = 3  # lanes; 85 bands of 3 propose 98 % of the pairs at NEAR and all from 0.45 on
_EXACT = 8  # bytes of the digest that tells exact duplicates, before the lanes
_FULL = 100  # ids in a bucket; more than that share boilerplate, and comparing all pairs would take hours
_SEED = 1

_DROPPED = b" \t\r\v\f0123456789"
_WHITE = b" \t\r\n\v\f"
_WIDE_PUNCTUATION = tuple(mark.encode() for mark in "。，、！？：；")
_WIDE_BLOCKS = {mark[:2] for mark in _WIDE_PUNCTUATION}
_SHORTEST = 12  # bytes of a clause
_FOLD = bytes.maketrans(b'ABCDEFGHIJKLMNOPQRSTUVWXYZ.,;:!?()[]{}"`#*=<>', b"abcdefghijklmnopqrstuvwxyz" + b"|" * 19)


@dataclass(frozen=True, slots=True)
class SplitAssignment:
    """The split of each document by id, and the groups that share one; ids and groups are sorted."""

    splits: dict[str, str]
    exact: list[list[str]]  # the same text but for white space
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
    """What `assign` needs to know of a text: 264 bytes, the same on every machine."""
    data = text.encode("utf-8", "surrogatepass")
    exact = blake2b(data.translate(None, _WHITE), digest_size=_EXACT).digest()
    minhash = RMinHash(_LANES, _SEED)
    minhash.update(_clauses(data))
    # The low byte of each value is enough: two unlike values share it once in 256 times.
    return exact + struct.pack(f"<{_LANES}I", *minhash.digest())[::4]


def assign_splits(signatures: Iterable[tuple[str, bytes]], fractions: Fractions, seed: int) -> SplitAssignment:
    """Cluster near-copies and draw the split of each cluster; `signatures` pairs ids with signatures."""
    marks = dict(signatures)
    exact = [group for group in _grouped(marks, lambda doc_id: marks[doc_id][:_EXACT]) if len(group) > 1]
    clusters = _clustered(marks, exact)
    splits = {doc_id: _draw(group[0], fractions, seed) for group in clusters for doc_id in group}
    near = [group for group in clusters if len({marks[doc_id][:_EXACT] for doc_id in group}) > 1]
    return SplitAssignment(splits, exact, near)


def _clauses(data: bytes) -> list[bytes]:
    """The clauses of 12 bytes and more, letters only; the whole text if it has none."""
    if any(map(data.__contains__, _WIDE_BLOCKS)):
        for mark in _WIDE_PUNCTUATION:
            data = data.replace(mark, b"|")
    folded = data.translate(_FOLD, _DROPPED).replace(b"\n\n", b"|").replace(b"\n", b"")
    return [clause for clause in folded.split(b"|") if len(clause) >= _SHORTEST] or [data.translate(None, _WHITE)]


def _clustered(marks: dict[str, bytes], exact: list[list[str]]) -> list[list[str]]:
    """All ids, grouped transitively by sameness and likeness."""
    parent = {doc_id: doc_id for doc_id in marks}

    def root(doc_id: str) -> str:
        while parent[doc_id] != doc_id:
            parent[doc_id] = doc_id = parent[parent[doc_id]]
        return doc_id

    same = _grouped(marks, lambda doc_id: marks[doc_id][_EXACT:])
    for group in exact + same:
        for doc_id in group[1:]:
            parent[root(doc_id)] = root(group[0])
    singles = [group[0] for group in same]
    for start in range(_EXACT, _EXACT + _LANES - _BAND + 1, _BAND):
        for bucket in _buckets(marks, singles, start):
            for left, right in combinations(bucket, 2):
                if root(left) != root(right) and _alike(marks[left], marks[right]):
                    parent[root(left)] = root(right)
    return _grouped(marks, root)


def _grouped(ids: Iterable[str], key: Callable[[str], str | bytes]) -> list[list[str]]:
    """Ids that share a key; groups and ids are sorted."""
    groups: defaultdict[str | bytes, list[str]] = defaultdict(list)
    for doc_id in sorted(ids):
        groups[key(doc_id)].append(doc_id)
    return list(groups.values())


def _buckets(marks: dict[str, bytes], ids: list[str], start: int) -> Iterator[list[str]]:
    """Ids that agree in the band at `start`; where these are too many, in the bands after it as well."""
    first: dict[bytes, str] = {}
    groups: dict[bytes, list[str]] = {}
    for doc_id in ids:
        key = marks[doc_id][start : start + _BAND]
        if first.setdefault(key, doc_id) != doc_id:
            groups.setdefault(key, [first[key]]).append(doc_id)
    for group in groups.values():
        if len(group) <= _FULL or start + 2 * _BAND > _EXACT + _LANES:
            yield group
        else:
            yield from _buckets(marks, group, start + _BAND)


def _alike(left: bytes, right: bytes) -> bool:
    """Whether the share of lanes that agree, an estimate of the clauses' Jaccard index, reaches NEAR."""
    differing = int.from_bytes(left[_EXACT:], "little") ^ int.from_bytes(right[_EXACT:], "little")
    return differing.to_bytes(_LANES, "little").count(0) >= NEAR * _LANES


def _draw(doc_id: str, fractions: Fractions, seed: int) -> str:
    """The split of the cluster with this smallest id."""
    digest = blake2b(f"{seed}\x1f{doc_id}".encode("utf-8", "surrogatepass"), digest_size=8).digest()
    point = int.from_bytes(digest, "big") / 2**64
    shares = zip(SPLITS, fractions, accumulate(fractions), strict=True)
    tops = [(name, top) for name, share, top in shares if share > 0]
    return next((name for name, top in tops if point < top), tops[-1][0])
