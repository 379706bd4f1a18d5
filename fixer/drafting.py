"""Drafts for answers that mostly copy their source: the source's tokens from the position that the answer has reached.

There is no model here. A draft is only a guess, which the model confirms or rejects: a better guess saves time and
changes no answer.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice

NEARBY = 48
"""Tokens around the current position in which the last two tokens of the answer are searched first."""
MAX_SKIPPED = 6
"""Most source tokens that an answer is assumed to leave out if only one token indicates it."""
_WORD_STARTS = "▁ĠĊ"


def word_starts(tokens: Sequence[str]) -> list[bool]:
    """For each vocabulary entry, whether a word ends before it: it does not begin with a letter or digit."""
    return [not token or token[0] in _WORD_STARTS or not token[0].isalnum() for token in tokens]


class Drafter:
    """Follows an answer through its source, token by token, and guesses the next tokens.

    `texts` are the vocabulary entries of `source` (equal lengths); `end` is the token that ends an answer.
    """

    def __init__(self, source: Sequence[int], texts: Sequence[str], end: int) -> None:
        self._source = [*source, end]
        self._letters = [text.strip(_WORD_STARTS).casefold() for text in texts]
        self._starts = [*word_starts(texts), True]
        self._at = 0
        self._misses = 0
        self._last = -1

    def draft(self, limit: int) -> list[int]:
        """At most `limit` tokens; half as many after each miss, none once the answer has left the source."""
        return self._source[self._at : self._at + (limit >> self._misses)]

    def source_tokens(self, drafted: int) -> Iterator[tuple[int, int]]:
        """Positions in a draft of this length, and the position after it, at which an answer that agrees with the draft
        so far still follows the source; each with the source's token there."""
        ahead = enumerate(self._source[self._at : self._at + drafted + 1])
        return ahead if not self._misses else islice(ahead, 1, None)

    def advance(self, token: int, text: str) -> None:
        """The answer continues with this token; `text` is its vocabulary entry."""
        if self._source[self._at] == token:
            self._at = min(self._at + 1, len(self._source) - 1)
            self._misses = 0
        else:
            position = self._relocate(token)
            self._at = self._position_after(text) if position is None else position
            self._misses = 0 if position is not None else self._misses + 1
        self._last = token

    def _position_after(self, text: str) -> int:
        """Where the source continues after a token that does not occur nearby: behind the word it replaces, if any."""
        if self._misses:
            return self._at
        starts, at = self._starts, self._at
        initial = text.strip(_WORD_STARTS).casefold()[:1]
        if starts[at] and word_starts([text])[0] and not self._has_initial(initial, at):
            return at
        return next(position for position in range(min(at + 1, len(starts) - 1), len(starts)) if starts[position])

    def _has_initial(self, initial: str, at: int) -> bool:
        return at < len(self._letters) and self._letters[at][:1] == initial

    def _relocate(self, token: int) -> int | None:
        """The position behind the last two tokens, or behind this one shortly ahead; None if they do not occur."""
        source, at = self._source, self._at
        after = [
            position + 1
            for position in range(1, len(source) - 1)
            if source[position] == token and source[position - 1] == self._last
        ]
        if after:
            nearest = min(after, key=lambda position: abs(position - at))
            if abs(nearest - at) <= NEARBY or self._misses:
                return nearest
        ahead = range(at + 1, min(at + 1 + MAX_SKIPPED, len(source) - 1))
        return next((position + 1 for position in ahead if source[position] == token), None)
