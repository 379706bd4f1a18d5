"""Random draws keyed by identity: the same on every machine and Python, whatever else is drawn elsewhere."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from functools import cache
from hashlib import blake2b
from typing import TypeVar

T = TypeVar("T")
_MASK = (1 << 64) - 1


def _hashed(text: str) -> int:
    return int.from_bytes(blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "big")


_key = cache(_hashed)


class Draw:
    """SplitMix64 (Steele, Lea & Flood, OOPSLA 2014) seeded by blake2b of a key.

    The standard library's `random` may change how it turns bits into choices between versions, and seeding it costs
    more than all the draws that one variant needs.
    """

    __slots__ = ("_state",)

    def __init__(self, *key: str | int) -> None:
        self._state = _hashed("\x1f".join(map(str, key)))

    def fork(self, name: str) -> Draw:
        """A generator of its own for what has that name; what it draws changes nothing here."""
        child = Draw.__new__(Draw)
        child._state = _key(name) ^ self.below(1 << 32)
        return child

    def below(self, n: int) -> int:
        """A whole number in [0, n), for n up to 2**32."""
        self._state = state = (self._state + 0x9E3779B97F4A7C15) & _MASK
        state = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
        state = ((state ^ (state >> 27)) * 0x94D049BB133111EB) & _MASK
        return (((state ^ (state >> 31)) >> 32) * n) >> 32

    def chance(self, probability: float) -> bool:
        """True with the given probability."""
        return self.below(1 << 32) < probability * (1 << 32)

    def choice(self, items: Sequence[T]) -> T:
        """One of the items, each as likely."""
        return items[self.below(len(items))]

    def weighted(self, items: Sequence[T], cumulative: Sequence[float]) -> T:
        """One of the items, by their cumulative weights."""
        point = self.below(1 << 32) * cumulative[-1] / (1 << 32)
        return items[bisect_right(cumulative, point, 0, len(items) - 1)]

    def sample(self, items: Sequence[T], k: int) -> list[T]:
        """k different items (all of them if there are fewer), in random order."""
        pool = list(items)
        for i in range(min(k, len(pool))):
            j = i + self.below(len(pool) - i)
            pool[i], pool[j] = pool[j], pool[i]
        return pool[:k]
