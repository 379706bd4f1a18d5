"""Random draws keyed by identity: the same on every machine and Python version, independent of all other draws."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from functools import cache
from hashlib import blake2b
from struct import Struct
from typing import TypeVar

T = TypeVar("T")
_RANGE = 1 << 32
_NUMBERS = Struct("<16I")


def ticket(*key: str | int, size: int = 8) -> bytes:
    """A digest of a key, `size` bytes long: sorting items by their tickets puts them in a random, repeatable order."""
    return blake2b("\x1f".join(map(str, key)).encode("utf-8", "surrogatepass"), digest_size=size).digest()


@cache
def _name_digest(name: str) -> bytes:
    return blake2b(name.encode("utf-8", "surrogatepass"), digest_size=16).digest()


class Draw:
    """A stream of random numbers: blake2b of a key and a counter gives sixteen numbers of 32 bits at a time.

    The standard library's `random` may change between versions how it turns bits into choices, and seeding it costs
    more than all draws that one variant needs.
    """

    __slots__ = ("_blocks", "_key", "_pool")

    def __init__(self, *key: str | int) -> None:
        self._key = "\x1f".join(map(str, key)).encode("utf-8", "surrogatepass")
        self._blocks = 0
        self._refill()

    def fork(self, name: str, number: int) -> Draw:
        """An independent stream for this name and number: drawing from it does not change other streams."""
        child = Draw.__new__(Draw)
        child._key = self._key + _name_digest(name) + number.to_bytes(4, "little")
        child._blocks = 0
        child._refill()
        return child

    def below(self, n: int) -> int:
        """An integer in [0, n), for n up to 2**32."""
        return (self._pool or self._refill()).pop() * n >> 32

    def chance(self, probability: float) -> bool:
        """True with the given probability."""
        return (self._pool or self._refill()).pop() < probability * _RANGE

    def choice(self, items: Sequence[T]) -> T:
        """One of the items, all equally likely."""
        return items[(self._pool or self._refill()).pop() * len(items) >> 32]

    def weighted_choice(self, items: Sequence[T], cumulative: Sequence[float]) -> T:
        """One of the items, by their cumulative weights (`itertools.accumulate` of the weights)."""
        point = (self._pool or self._refill()).pop() * cumulative[-1] / _RANGE
        return items[bisect_right(cumulative, point, 0, len(items) - 1)]

    def shuffled(self, items: Sequence[T]) -> list[T]:
        """The items in random order."""
        pool = list(items)
        for i in range(len(pool) - 1):
            j = i + self.below(len(pool) - i)
            pool[i], pool[j] = pool[j], pool[i]
        return pool

    def _refill(self) -> list[int]:
        block = blake2b(self._key + self._blocks.to_bytes(4, "little")).digest()
        self._blocks += 1
        self._pool: list[int] = list(_NUMBERS.unpack(block))
        return self._pool
