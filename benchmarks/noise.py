#!/usr/bin/env python3
"""Typos of other libraries, word by word; run by bench_worth.py and bench_realism.py where the library is installed.

    python benchmarks/noise.py nlpaug-keyboard 1 < words.jsonl > errors.jsonl

Reads `{"words": [...], "wanted": n}` a line and writes `[[index, misspelt], ...]`, the first n of the words, in their
order, that the library changes. A word at a time, so that it can neither move white space nor join lines: that would
tell a made error from a real one at once.
"""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Callable

import numpy

TRIES = 60
"""Words that are tried for each error that is wanted: nlpaug's list of misspellings knows few of them."""
SHARE_OF_WORDS = 0.05
"""Of a line of prose, where a whole line stands for a word."""
Augment = Callable[[str], str]


def main() -> int:
    name, seed = sys.argv[1:]
    random.seed(int(seed))
    numpy.random.seed(int(seed))
    augment = LIBRARIES[name]()
    for line in sys.stdin:
        asked = json.loads(line)
        print(json.dumps(misspelt(augment, asked["words"], asked["wanted"])), flush=True)
    return 0


def misspelt(augment: Augment, words: list[str], wanted: int) -> list[tuple[int, str]]:
    """At most so many words changed, with their index."""
    found: list[tuple[int, str]] = []
    for index, word in enumerate(words[: TRIES * wanted]):
        if len(found) == wanted:
            break
        made = augment(word)
        if made != word and made.strip():
            found.append((index, made))
    return found


def nlpaug_keyboard() -> Augment:
    """A letter replaced by a neighbour on the keyboard."""
    from nlpaug.augmenter.char import KeyboardAug

    keyboard = KeyboardAug(aug_char_max=1, aug_word_max=1)
    return lambda word: str(keyboard.augment(word)[0])


def nlpaug_spelling() -> Augment:
    """A misspelling of nlpaug's list."""
    from nlpaug.augmenter.word import SpellingAug

    spelling = SpellingAug(aug_max=1)
    return lambda word: str(spelling.augment(word)[0])


def textattack(share_of_words: float = 0) -> Augment:
    """A letter swapped with the next or with a neighbour on the keyboard, dropped, added or replaced, all as likely; in
    one word, or in this share of the words."""
    from textattack import augmentation, transformations
    from textattack.constraints.pre_transformation import RepeatModification

    kinds = (
        transformations.WordSwapNeighboringCharacterSwap,
        transformations.WordSwapQWERTY,
        transformations.WordSwapRandomCharacterDeletion,
        transformations.WordSwapRandomCharacterInsertion,
        transformations.WordSwapRandomCharacterSubstitution,
    )
    swaps = transformations.CompositeTransformation([kind() for kind in kinds])
    augmenter = augmentation.Augmenter(swaps, [RepeatModification()], pct_words_to_swap=share_of_words)
    return lambda word: str(augmenter.augment(word)[0])


LIBRARIES: dict[str, Callable[[], Augment]] = {
    "nlpaug-keyboard": nlpaug_keyboard,
    "nlpaug-spelling": nlpaug_spelling,
    "textattack": textattack,
    "textattack-lines": lambda: textattack(SHARE_OF_WORDS),
}

if __name__ == "__main__":
    sys.exit(main())
