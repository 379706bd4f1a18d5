"""Drafts for answers that mostly copy their source: the source's tokens from the place where the answer stands.

No model here: a draft is only a guess, which the model confirms or refuses. A better guess saves time and changes
no answer.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice

NEAR = 48
"""Tokens around the expected place where the last two tokens are looked for first."""
SKIPPED = 6
"""Most source tokens that an answer is thought to leave out where only one token tells it."""
_WORD_STARTS = "▁ĠĊ"


def word_starts(tokens: Sequence[str]) -> list[bool]:
    """Which vocabulary entries begin with something other than a letter or digit, so that a word ends before them."""
    return [not token or token[0] in _WORD_STARTS or not token[0].isalnum() for token in tokens]


class Drafter:
    """Follows an answer, token by token, through its source, and guesses what comes next.

    `texts` are the vocabulary entries of `source` (equal lengths); `end` is the token that ends an answer.
    """

    def __init__(self, source: Sequence[int], texts: Sequence[str], end: int) -> None:
        self._source = [*source, end]
        self._letters = [text.strip(_WORD_STARTS).casefold() for text in texts]
        self._starts = [*word_starts(texts), True]
        self._at = 0
        self._misses = 0
        self._last = -1

    def guess(self, most: int) -> list[int]:
        """At most so many tokens; fewer after each miss, none once the answer has left the source."""
        return self._source[self._at : self._at + (most >> self._misses)]

    def follows(self, drafted: int) -> Iterator[tuple[int, int]]:
        """The places of a draft of that length, and the one behind it, at which an answer that confirms it up to there
        follows the source, with the token that the source has there."""
        ahead = enumerate(self._source[self._at : self._at + drafted + 1])
        return ahead if not self._misses else islice(ahead, 1, None)

    def saw(self, token: int, text: str) -> None:
        """The answer goes on with this token, `text` in the vocabulary."""
        if self._source[self._at] == token:
            self._at = min(self._at + 1, len(self._source) - 1)
            self._misses = 0
        else:
            found = self._found(token)
            self._at = self._place_after(text) if found is None else found
            self._misses = 0 if found is not None else self._misses + 1
        self._last = token

    def _place_after(self, text: str) -> int:
        """Where the source goes on after a token that stands nowhere near: behind the word it replaces, if it does."""
        if self._misses:
            return self._at
        starts, at = self._starts, self._at
        new = text.strip(_WORD_STARTS).casefold()[:1]
        if starts[at] and word_starts([text])[0] and not self._alike(new, at):
            return at
        return next(place for place in range(min(at + 1, len(starts) - 1), len(starts)) if starts[place])

    def _alike(self, initial: str, at: int) -> bool:
        return at < len(self._letters) and self._letters[at][:1] == initial

    def _found(self, token: int) -> int | None:
        """The place behind the last two tokens, or behind this one close ahead; None if they stand nowhere."""
        source, at = self._source, self._at
        after = [
            place + 1
            for place in range(1, len(source) - 1)
            if source[place] == token and source[place - 1] == self._last
        ]
        if after:
            nearest = min(after, key=lambda place: abs(place - at))
            if abs(nearest - at) <= NEAR or self._misses:
                return nearest
        ahead = range(at + 1, min(at + 1 + SKIPPED, len(source) - 1))
        return next((place + 1 for place in ahead if source[place] == token), None)
