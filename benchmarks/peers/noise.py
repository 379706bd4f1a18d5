#!/usr/bin/env python3
"""Typos of other libraries, word by word. benchmarks.worth and bench_realism run it where the library is installed.

    python benchmarks/peers/noise.py nlpaug-keyboard 1 < words.jsonl > errors.jsonl

Reads `{"words": [...], "count": n}` from each line, and writes `[[index, misspelling], ...]`: the first n words, in
their order, that the library changes. The library gets one word at a time, so it can neither move white space nor join
lines: such changes would make its errors easy to recognise.
"""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Callable

import numpy

TRIES = 60
"""Words to try for each error: nlpaug's list of misspellings contains few of them."""
SHARE_OF_WORDS = 0.05
"""The share of words to change in a line of prose, when a whole line is passed as one word."""
Augment = Callable[[str], str]


def main() -> int:
    name, seed = sys.argv[1:]
    random.seed(int(seed))
    numpy.random.seed(int(seed))
    augment = LIBRARIES[name]()
    for line in sys.stdin:
        request = json.loads(line)
        print(json.dumps(misspell(augment, request["words"], request["count"])), flush=True)
    return 0


def misspell(augment: Augment, words: list[str], count: int) -> list[tuple[int, str]]:
    """At most `count` misspellings, each with the index of its word."""
    misspellings: list[tuple[int, str]] = []
    for index, word in enumerate(words[: TRIES * count]):
        if len(misspellings) == count:
            break
        misspelling = augment(word)
        if misspelling != word and misspelling.strip():
            misspellings.append((index, misspelling))
    return misspellings


def nlpaug_keyboard() -> Augment:
    """Replaces a letter by a neighbour on the keyboard."""
    from nlpaug.augmenter.char import KeyboardAug

    keyboard = KeyboardAug(aug_char_max=1, aug_word_max=1)
    return lambda word: str(keyboard.augment(word)[0])


def nlpaug_spelling() -> Augment:
    """Replaces a word by a misspelling of nlpaug's list."""
    from nlpaug.augmenter.word import SpellingAug

    spelling = SpellingAug(aug_max=1)
    return lambda word: str(spelling.augment(word)[0])


def textattack(share_of_words: float = 0) -> Augment:
    """Swaps a letter with the next one, replaces it by a keyboard neighbour or another letter, drops it or adds one,
    each equally likely; in one word, or in this share of the words."""
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
