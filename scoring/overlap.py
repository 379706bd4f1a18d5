"""Overlap of a prediction with the good text in words and characters: chrF, BLEU, TER, ROUGE-L, SARI and GLEU.

Each function returns what its reference implementation returns for one sentence; a text of several lines counts as one
sentence. The tests compare them. They are reimplemented for speed: a repair shares nearly all n-grams with the good
text, so only the n-grams around the changes are counted.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import chain
from typing import NamedTuple

import numpy as np
from rapidfuzz.distance import LCSseq, Levenshtein

from scoring.fscore import f_score, ratio

CHRF_ORDER = 6
WORD_ORDER = 4
_CHRF_BETA = 2

_FIRST_CODE = 0x10000
_WORD = re.compile(r"[a-z0-9]+")
_RULES_13A = (
    (re.compile(r"([\{-\~\[-\` -\&\(-\+\:-\@\/])"), r" \1 "),
    (re.compile(r"([^0-9])([\.,])"), r"\1 \2 "),
    (re.compile(r"([\.,])([^0-9])"), r" \1 \2"),
    (re.compile(r"([0-9])(-)"), r"\1 \2 "),
)
_ENTITIES = (("&quot;", '"'), ("&amp;", "&"), ("&lt;", "<"), ("&gt;", ">"))


def tokenize_13a(text: str) -> list[str]:
    """The tokens of a text by the rules of mteval-v13a, which sacrebleu calls `13a`."""
    text = text.replace("<skipped>", "").replace("-\n", "")
    if "&" in text:
        for entity, char in _ENTITIES:
            text = text.replace(entity, char)
    return list(chain.from_iterable(map(_tokenize_word, text.split())))


@lru_cache(maxsize=1 << 16)
def _tokenize_word(word: str) -> tuple[str, ...]:
    """The tokens of a white-space token; no rule of mteval looks beyond one."""
    word = f" {word} "
    for pattern, replacement in _RULES_13A:
        word = pattern.sub(replacement, word)
    return tuple(word.split())


def encode_tokens(*token_lists: Sequence[str]) -> list[str]:
    """Each list of tokens as a string with one character per token, equal for equal tokens; fast to compare."""
    code_of = {token: chr(_FIRST_CODE + code) for code, token in enumerate(set().union(*token_lists))}
    return ["".join(map(code_of.__getitem__, tokens)) for tokens in token_lists]


class NgramCounts(NamedTuple):
    """The number of n-grams of one order in the prediction, in the reference, and in both."""

    prediction: int
    reference: int
    both: int


def shared_ngrams(prediction: str, reference: str, order: int) -> list[NgramCounts]:
    """The n-gram counts of two strings for each order from 1; `both` is the size of the multiset intersection.

    A stretch that an alignment leaves unchanged has the same n-grams on both sides. Removing equal elements from two
    multisets in pairs lowers their intersection by as many, so only n-grams that touch a change are counted one by one.
    """
    blocks = [
        (op.src_start, op.dest_start, op.src_end - op.src_start)
        for op in Levenshtein.opcodes(prediction, reference)
        if op.tag == "equal"
    ]
    counts = []
    for n in range(1, order + 1):
        paired = [(start, at, size - n + 1) for start, at, size in blocks if size >= n]
        left = _ngrams_outside(prediction, n, [(start, count) for start, _, count in paired])
        right = _ngrams_outside(reference, n, [(at, count) for _, at, count in paired])
        both = sum(count for _, _, count in paired) + _intersection_size(left, right)
        counts.append(NgramCounts(max(0, len(prediction) - n + 1), max(0, len(reference) - n + 1), both))
    return counts


def _ngrams_outside(text: str, n: int, excluded: Sequence[tuple[int, int]]) -> list[str]:
    """The n-grams of a string except those that start in an excluded range (start, count)."""
    grams: list[str] = []
    at = 0
    for start, count in (*excluded, (len(text) - n + 1, 0)):
        grams += [text[i : i + n] for i in range(at, start)]
        at = start + count
    return grams


def _intersection_size(left: list[str], right: list[str]) -> int:
    """The size of the intersection of two multisets."""
    if not left or not right:
        return 0
    counts = Counter(right)
    return sum(min(count, counts[gram]) for gram, count in Counter(left).items() if gram in counts)


def chrf(prediction: str, reference: str) -> float:
    """chrF2 of a text, 0-100: the F2 of its character n-grams up to 6, white space ignored.

    Popović 2015, "chrF: character n-gram F-score for automatic MT evaluation"; as sacrebleu's `sentence_chrf`,
    nc:6|nw:0|space:no|eff:yes.
    """
    counts = shared_ngrams("".join(prediction.split()), "".join(reference.split()), CHRF_ORDER)
    effective = [order for order in counts if order.prediction and order.reference]
    if not effective:
        return 0.0
    precision = sum(order.both / order.prediction for order in effective) / len(effective)
    recall = sum(order.both / order.reference for order in effective) / len(effective)
    weight = _CHRF_BETA**2
    return 100 * (1 + weight) * precision * recall / (weight * precision + recall) if precision + recall else 0.0


def bleu(counts: Sequence[NgramCounts]) -> float:
    """BLEU of a text, 0-100, from its shared word n-grams up to 4.

    Papineni et al. 2002, "BLEU: a method for automatic evaluation of machine translation"; as sacrebleu's
    `sentence_bleu`, case:mixed|eff:yes|tok:13a|smooth:exp.
    """
    if not any(order.both for order in counts):
        return 0.0
    logs, smooth = [], 1
    for order in counts:
        if not order.prediction:
            break
        if not order.both:
            smooth *= 2
        logs.append(math.log(100 * (order.both or 1 / smooth) / order.prediction))
    brevity = min(0.0, 1 - counts[0].reference / counts[0].prediction)
    return math.exp(brevity + sum(logs) / len(logs))


def gleu(source: str, prediction: str, reference: str, counts: Sequence[NgramCounts]) -> float:
    """GLEU of a correction, 0-1, over encoded words up to 4-grams; `counts` are those of prediction and reference.

    GLEU is BLEU less the n-grams that the prediction keeps from the source although the reference does not have them.
    Napoles et al. 2015, "Ground Truth for Grammatical Error Correction Metrics", in the form of Napoles et al. 2016,
    "GLEU Without Tuning"; one sentence with counts of 0 smoothed to 1, as its authors' `gleu.py`. This is not the
    "Google BLEU" of the same name.
    """
    logs = 0.0
    for n, order in enumerate(counts, 1):
        grams = _ngrams(source, n)
        wrong = set(grams).difference(_ngrams(reference, n))
        penalty = _intersection_size([gram for gram in grams if gram in wrong], _ngrams(prediction, n)) if wrong else 0
        logs += math.log((max(0, order.both - penalty) or 1) / (order.prediction or 1))
    return math.exp(min(0.0, 1 - (len(reference) or 1) / (len(prediction) or 1)) + logs / len(counts))


def sari(source: str, prediction: str, references: Sequence[str]) -> float:
    """SARI of a rewriting, 0-100, over tokens in lower case: the mean, over n-grams up to 4, of the F1 of kept n-grams,
    the precision of deleted ones and the F1 of added ones.

    Xu et al. 2016, "Optimizing Statistical Machine Translation for Text Simplification", as the `evaluate` library's
    `sari` for one sentence: 0/0 is 1, the recall of keeping is over counts, not types, and a deletion of one of several
    equal n-grams counts as wrong if the references have the n-gram at least as often as it was deleted. So the
    references themselves can score less than 100: `the the file` -> `the file` deletes one `the` and keeps another.
    """
    lists = [tokenize_13a(text.lower()) or [""] for text in (source, prediction, *references)]
    old, new, *targets = encode_tokens(*lists)
    return 100 * sum(_sari_of_order(old, new, targets, n) for n in range(1, WORD_ORDER + 1)) / WORD_ORDER


def _sari_of_order(source: str, prediction: str, references: Sequence[str], n: int) -> float:
    old, new = Counter(_ngrams(source, n)), Counter(_ngrams(prediction, n))
    target: Counter[str] = Counter()
    for reference in references:
        target.update(_ngrams(reference, n))
    times = len(references)
    kept_types = keepable = kept_correctly = deleted_types = 0
    keep_score = delete_score = 0.0
    for gram, count in old.items():
        before, after, good = count * times, new.get(gram, 0) * times, target.get(gram, 0)
        if before == after == good:
            kept_types += 1
            keep_score += 1
            keepable += good
            kept_correctly += good
            continue
        remaining = min(before, after)
        correct = min(remaining, good)
        if remaining:
            kept_types += 1
            keep_score += correct / remaining
        keepable += min(before, good)
        kept_correctly += correct
        if before > after:
            deleted_types += 1
            delete_score += max(0, before - after - good) / (before - after)
    added = new.keys() - old.keys()
    to_add = target.keys() - old.keys()
    keep = f_score(ratio(keep_score, kept_types), ratio(kept_correctly, keepable), beta=1)
    added_correctly = len(added & to_add)
    add = f_score(ratio(added_correctly, len(added)), ratio(added_correctly, len(to_add)), beta=1)
    return (keep + ratio(delete_score, deleted_types) + add) / 3


def _ngrams(text: str, n: int) -> list[str]:
    return [text[i : i + n] for i in range(len(text) - n + 1)]


def rouge_l(prediction: str, reference: str) -> float:
    """ROUGE-L of a text, 0-1: the F1 of the longest common subsequence of its words, in lower case, not stemmed.

    Lin 2004, "ROUGE: a package for automatic evaluation of summaries"; as rouge-score's `rougeL`.
    """
    left, right = encode_tokens(_WORD.findall(prediction.lower()), _WORD.findall(reference.lower()))
    if not left or not right:
        return 0.0
    common = LCSseq.similarity(left, right)
    return f_score(common / len(left), common / len(right), beta=1)


# TER

_MAX_SHIFT_SIZE = 10
_MAX_SHIFT_DISTANCE = 50
_MAX_SHIFT_CANDIDATES = 1000


def ter(prediction: str, reference: str) -> float:
    """TER of a text in percent of the reference's words, 0 is best: the number of insertions, deletions, replacements
    and shifts of word sequences, searched greedily, in lower case.

    Snover et al. 2006, "A Study of Translation Edit Rate with Targeted Human Annotation"; as sacrebleu's
    `sentence_ter`, case:lc|tok:tercom|norm:no, but with exact word distances: sacrebleu searches only 25 words on each
    side of the diagonal, and reports more edits than necessary where a longer passage was added or removed.
    """
    words, target = encode_tokens(prediction.lower().split(), reference.lower().split())
    if not target:
        return 100.0 if words else 0.0
    return 100 * _ter_edits(words, target) / len(target)


def _ter_edits(words: str, target: str) -> int:
    candidates = shifts = 0
    distance = Levenshtein.distance(words, target)
    while distance > _least_distance(words, target):
        gain, shifted, candidates = _best_shift(words, target, distance, candidates)
        if candidates >= _MAX_SHIFT_CANDIDATES or gain <= 0:
            break
        words = shifted
        distance -= gain
        shifts += 1
    return distance + shifts


def _least_distance(words: str, target: str) -> int:
    """A lower bound of the word distance after any shifts: the difference of the two multisets of words."""
    counts, target_counts = Counter(words), Counter(target)
    return max((counts - target_counts).total(), (target_counts - counts).total())


def _best_shift(words: str, target: str, distance: int, candidates: int) -> tuple[int, str, int]:
    """The shift with the largest gain: its gain, the shifted words, and the number of shifts examined so far.

    As in Tercom, ties go to the longest sequence, then to the first sequence, then to the first destination.
    """
    aligned, words_wrong, target_wrong = _alignment(words, target, distance)
    best: tuple[int, int, int, int] | None = None
    best_words = words
    for start, target_start, size in _common_sequences(words, target):
        if words_wrong[start] == words_wrong[start + size]:
            continue
        if target_wrong[target_start] == target_wrong[target_start + size]:
            continue
        if start <= aligned[target_start] < start + size:
            continue
        places = [aligned[at] + 1 if at >= 0 else 0 for at in range(target_start - 1, target_start + size)]
        for number, place in enumerate(places):
            if number and place == places[number - 1]:
                continue
            shifted = _shift(words, start, size, place)
            candidates += 1
            key = (distance - Levenshtein.distance(shifted, target), size, -start, -place)
            if best is None or key > best:
                best, best_words = key, shifted
        if candidates >= _MAX_SHIFT_CANDIDATES:
            break
    return (best[0] if best else 0), best_words, candidates


def _common_sequences(words: str, target: str) -> Iterator[tuple[int, int, int]]:
    """Each sequence of up to 10 words that both have at most 50 words apart: (start, start in target, size)."""
    places: dict[str, list[int]] = {}
    for at, word in enumerate(target):
        places.setdefault(word, []).append(at)
    for start, word in enumerate(words):
        for target_start in places.get(word, ()):
            if abs(target_start - start) > _MAX_SHIFT_DISTANCE:
                continue
            longest = min(_MAX_SHIFT_SIZE, len(words) - start, len(target) - target_start)
            size = 1
            yield start, target_start, size
            while size < longest and words[start + size] == target[target_start + size]:
                size += 1
                yield start, target_start, size


def _shift(words: str, start: int, size: int, place: int) -> str:
    """The words with `size` of them from `start` moved to `place`."""
    moved = words[start : start + size]
    if place < start:
        return words[:place] + moved + words[place:start] + words[start + size :]
    end = place if place > start + size else place + size
    return words[:start] + words[start + size : end] + moved + words[end:]


def _alignment(words: str, target: str, distance: int) -> tuple[list[int], list[int], list[int]]:
    """The best alignment of the words with the target: for each target word the index of the word that it is aligned
    with, or of the last word before it; and for both sides the number of wrong words before each index."""
    table, lowest = _distances(words, target, distance)
    steps = []
    i, j = len(words), len(target)
    while i or j:
        here = table[i][j - i - lowest]
        if i and j and here == table[i - 1][j - i - lowest] + (words[i - 1] != target[j - 1]):
            i, j = i - 1, j - 1
            steps.append((True, True, words[i] != target[j]))
        elif i and here == table[i - 1][j - i - lowest + 1] + 1:
            i -= 1
            steps.append((True, False, True))
        else:
            j -= 1
            steps.append((False, True, True))
    aligned: list[int] = []
    words_wrong, target_wrong = [0], [0]
    for in_words, in_target, wrong in reversed(steps):
        if in_words:
            words_wrong.append(words_wrong[-1] + wrong)
        if in_target:
            aligned.append(len(words_wrong) - 2)
            target_wrong.append(target_wrong[-1] + wrong)
    return aligned, words_wrong, target_wrong


def _distances(words: str, target: str, distance: int) -> tuple[list[list[int]], int]:
    """The table of word distances, limited to the diagonals that a best path can reach: one row per prefix of `words`,
    one column per diagonal; the second value is the lowest diagonal."""
    surplus = len(target) - len(words)
    slack = (distance - abs(surplus)) // 2 + 1
    lowest, highest = min(0, surplus) - slack, max(0, surplus) + slack
    width = highest - lowest + 1
    far = len(words) + len(target) + 1
    columns = np.arange(width)
    padding = [0] * (1 - lowest), [0] * width
    codes = np.array([*padding[0], *map(ord, target), *padding[1]])
    row = np.where(columns + lowest >= 0, columns + lowest, far)
    table = [row.tolist()]
    for i, word in enumerate(words, 1):
        least = row + (codes[i : i + width] != ord(word))
        np.minimum(least[:-1], row[1:] + 1, out=least[:-1])
        row = np.minimum.accumulate(least - columns) + columns
        if i + lowest < 0:
            row[: -i - lowest] = far
        table.append(row.tolist())
    return table, lowest
