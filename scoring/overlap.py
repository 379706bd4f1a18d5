"""Word and character overlap of a prediction with the good text: chrF, BLEU, TER, ROUGE-L, SARI and GLEU.

Each gives what its reference implementation gives for one sentence, a text of several lines counting as one; the tests
hold them to that. They are written anew for speed: a repair shares nearly all of its n-grams with the good text,
where it stands unchanged, and so only the n-grams around the changes need counting.
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

CHRF_ORDER = 6
WORD_ORDER = 4
_CHRF_BETA = 2

_FIRST_CODE = 0x10000
_WORD = re.compile(r"[a-z0-9]+")
_MTEVAL = (
    (re.compile(r"([\{-\~\[-\` -\&\(-\+\:-\@\/])"), r" \1 "),
    (re.compile(r"([^0-9])([\.,])"), r"\1 \2 "),
    (re.compile(r"([\.,])([^0-9])"), r" \1 \2"),
    (re.compile(r"([0-9])(-)"), r"\1 \2 "),
)
_ENTITIES = (("&quot;", '"'), ("&amp;", "&"), ("&lt;", "<"), ("&gt;", ">"))


def mteval(text: str) -> list[str]:
    """The tokens of a text as mteval-v13a and sacrebleu's `13a` cut it."""
    text = text.rstrip().replace("<skipped>", "").replace("-\n", "")
    if "&" in text:
        for entity, char in _ENTITIES:
            text = text.replace(entity, char)
    return list(chain.from_iterable(map(_mteval_word, text.split())))


@lru_cache(maxsize=1 << 16)
def _mteval_word(word: str) -> tuple[str, ...]:
    """The tokens of a word between white space, which none of the rules looks beyond."""
    word = f" {word} "
    for pattern, replacement in _MTEVAL:
        word = pattern.sub(replacement, word)
    return tuple(word.split())


def codes(*token_lists: Sequence[str]) -> list[str]:
    """Each list of tokens as a string of one character a token, the same for the same token, for fast comparison."""
    known = {token: chr(_FIRST_CODE + code) for code, token in enumerate(set().union(*token_lists))}
    return ["".join(map(known.__getitem__, tokens)) for tokens in token_lists]


class Shared(NamedTuple):
    """How many n-grams of one order the prediction has, the reference has, and both have."""

    prediction: int
    reference: int
    both: int


def shared_ngrams(prediction: str, reference: str, order: int) -> list[Shared]:
    """The n-grams of each order, from 1, that two strings share, each counted as often as both have it.

    What an alignment leaves unchanged has the same n-grams on both sides: taking these pairs away from two multisets
    takes as many from what they share, so that only the n-grams which touch a change are counted one by one.
    """
    blocks = [
        (op.src_start, op.dest_start, op.src_end - op.src_start)
        for op in Levenshtein.opcodes(prediction, reference)
        if op.tag == "equal"
    ]
    found = []
    for n in range(1, order + 1):
        paired = [(start, at, size - n + 1) for start, at, size in blocks if size >= n]
        left = _ngrams_outside(prediction, n, [(start, count) for start, _, count in paired])
        right = _ngrams_outside(reference, n, [(at, count) for _, at, count in paired])
        both = sum(count for _, _, count in paired) + _common(left, right)
        found.append(Shared(max(0, len(prediction) - n + 1), max(0, len(reference) - n + 1), both))
    return found


def _ngrams_outside(text: str, n: int, taken: Sequence[tuple[int, int]]) -> list[str]:
    """The n-grams of a string but for those that start in the ranges `taken` (start, count)."""
    grams: list[str] = []
    at = 0
    for start, count in (*taken, (len(text) - n + 1, 0)):
        grams += [text[i : i + n] for i in range(at, start)]
        at = start + count
    return grams


def _common(left: list[str], right: list[str]) -> int:
    if not left or not right:
        return 0
    counts = Counter(right)
    return sum(min(count, counts[gram]) for gram, count in Counter(left).items() if gram in counts)


def chrf(prediction: str, reference: str) -> float:
    """chrF2 of a text, 0-100: the F2 of its character n-grams up to 6, white space left out.

    Popović 2015, "chrF: character n-gram F-score for automatic MT evaluation"; as sacrebleu's `sentence_chrf`,
    nc:6|nw:0|space:no|eff:yes.
    """
    found = shared_ngrams("".join(prediction.split()), "".join(reference.split()), CHRF_ORDER)
    counted = [one for one in found if one.prediction and one.reference]
    if not counted:
        return 0.0
    precision = sum(one.both / one.prediction for one in counted) / len(counted)
    recall = sum(one.both / one.reference for one in counted) / len(counted)
    weight = _CHRF_BETA**2
    return 100 * (1 + weight) * precision * recall / (weight * precision + recall) if precision + recall else 0.0


def bleu(found: Sequence[Shared]) -> float:
    """BLEU of a text, 0-100, from its shared word n-grams up to 4.

    Papineni et al. 2002, "BLEU: a method for automatic evaluation of machine translation"; as sacrebleu's
    `sentence_bleu`, case:mixed|eff:yes|tok:13a|smooth:exp.
    """
    if not any(one.both for one in found):
        return 0.0
    logs, smooth = [], 1
    for one in found:
        if not one.prediction:
            break
        if not one.both:
            smooth *= 2
        logs.append(math.log(100 * (one.both or 1 / smooth) / one.prediction))
    brevity = min(0.0, 1 - found[0].reference / found[0].prediction)
    return math.exp(brevity + sum(logs) / len(logs))


def gleu(source: str, prediction: str, reference: str, found: Sequence[Shared]) -> float:
    """GLEU of a correction, 0-1, over coded words up to 4-grams; `found` is what prediction and reference share.

    BLEU that also takes away the n-grams which the prediction kept from the source and the reference has not.
    Napoles et al. 2015, "Ground Truth for Grammatical Error Correction Metrics", in the form of Napoles et al. 2016,
    "GLEU Without Tuning"; one sentence with counts of 0 smoothed to 1, as its authors' `gleu.py`. This is not the
    "Google BLEU" of the same name.
    """
    logs = 0.0
    for n, one in enumerate(found, 1):
        grams = _ngrams(source, n)
        wrong = set(grams).difference(_ngrams(reference, n))
        kept = _common([gram for gram in grams if gram in wrong], _ngrams(prediction, n)) if wrong else 0
        logs += math.log((max(0, one.both - kept) or 1) / (one.prediction or 1))
    return math.exp(min(0.0, 1 - (len(reference) or 1) / (len(prediction) or 1)) + logs / len(found))


def sari(source: Sequence[str], prediction: Sequence[str], references: Sequence[Sequence[str]]) -> float:
    """SARI of a rewriting, 0-100, over lower-case tokens: the mean of keeping (F1), deleting (precision) and
    adding (F1) the right n-grams up to 4.

    Xu et al. 2016, "Optimizing Statistical Machine Translation for Text Simplification", per sentence and with the
    two changes of the `evaluate` library's `sari` (0/0 is 1; the recall of keeping is over counts, not kinds).
    """
    lists = [[token.lower() for token in tokens] or [""] for tokens in (source, prediction, *references)]
    old, new, *wanted = codes(*lists)
    return 100 * sum(_sari_order(old, new, wanted, n) for n in range(1, WORD_ORDER + 1)) / WORD_ORDER


def _sari_order(source: str, prediction: str, references: Sequence[str], n: int) -> float:
    old, new = _counts(source, n), _counts(prediction, n)
    wanted: Counter[str] = Counter()
    for reference in references:
        wanted.update(_counts(reference, n))
    times = len(references)
    kept_kinds = kept_wanted = kept_well = deleted_kinds = 0
    keep_score = delete_score = 0.0
    for gram, count in old.items():
        before, after, good = count * times, new.get(gram, 0) * times, wanted.get(gram, 0)
        if before == after == good:
            kept_kinds += 1
            keep_score += 1
            kept_wanted += good
            kept_well += good
            continue
        kept = min(before, after)
        well = min(kept, good)
        if kept:
            kept_kinds += 1
            keep_score += well / kept
        kept_wanted += min(before, good)
        kept_well += well
        if before > after:
            deleted_kinds += 1
            delete_score += min(before - after, max(0, before - good)) / (before - after)
    added = new.keys() - old.keys()
    to_add = wanted.keys() - old.keys()
    keep = _f1(_ratio(keep_score, kept_kinds), _ratio(kept_well, kept_wanted))
    right = len(added & to_add)
    add = _f1(_ratio(right, len(added)), _ratio(right, len(to_add)))
    return (keep + _ratio(delete_score, deleted_kinds) + add) / 3


def _ratio(part: float, whole: int) -> float:
    return part / whole if whole else 1.0


def _f1(precision: float, recall: float) -> float:
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def _counts(text: str, n: int) -> Counter[str]:
    return Counter(_ngrams(text, n))


def _ngrams(text: str, n: int) -> list[str]:
    return [text[i : i + n] for i in range(len(text) - n + 1)]


def rouge_l(prediction: str, reference: str) -> float:
    """ROUGE-L of a text, 0-1: the F1 of the longest common subsequence of its words, in lower case, not stemmed.

    Lin 2004, "ROUGE: a package for automatic evaluation of summaries"; as rouge-score's `rougeL`.
    """
    left, right = codes(_WORD.findall(prediction.lower()), _WORD.findall(reference.lower()))
    if not left or not right:
        return 0.0
    common = LCSseq.similarity(left, right)
    return _f1(common / len(left), common / len(right))


# TER

_LONGEST_SHIFT = 10
_FARTHEST_SHIFT = 50
_MOST_SHIFTS_TRIED = 1000


def ter(prediction: str, reference: str) -> float:
    """TER of a text in percent of the reference's words, 0 the best: the fewest words inserted, deleted, replaced
    and stretches of words shifted, found greedily, in lower case.

    Snover et al. 2006, "A Study of Translation Edit Rate with Targeted Human Annotation"; as sacrebleu's
    `sentence_ter`, case:lc|tok:tercom|norm:no, but with exact word distances: sacrebleu looks only 25 words to each
    side of the diagonal, and gives more than the fewest edits where a passage longer than that came or went.
    """
    words, wanted = codes(prediction.lower().split(), reference.lower().split())
    if not wanted:
        return 100.0 if words else 0.0
    return 100 * _ter_edits(words, wanted) / len(wanted)


def _ter_edits(words: str, wanted: str) -> int:
    tried = shifts = 0
    distance = Levenshtein.distance(words, wanted)
    while distance > _fewest_edits(words, wanted):
        gain, shifted, tried = _best_shift(words, wanted, distance, tried)
        if tried >= _MOST_SHIFTS_TRIED or gain <= 0:
            break
        words = shifted
        distance -= gain
        shifts += 1
    return distance + shifts


def _fewest_edits(words: str, wanted: str) -> int:
    """The edits that no order of the words can spare: a shift never helps below them."""
    have, want = Counter(words), Counter(wanted)
    return max((have - want).total(), (want - have).total())


def _best_shift(words: str, wanted: str, distance: int, tried: int) -> tuple[int, str, int]:
    """The shift that gains the most: its gain, the shifted words, how many shifts have been tried so far.

    Ties go, as in Tercom, to the longest, then the first stretch, then the first place.
    """
    aligned, words_wrong, wanted_wrong = _alignment(words, wanted, distance)
    best: tuple[int, int, int, int] | None = None
    best_words = words
    for start, target, size in _common_stretches(words, wanted):
        if words_wrong[start] == words_wrong[start + size] or wanted_wrong[target] == wanted_wrong[target + size]:
            continue
        if start <= aligned[target] < start + size:
            continue
        places = [aligned[at] + 1 if at >= 0 else 0 for at in range(target - 1, target + size)]
        for number, place in enumerate(places):
            if number and place == places[number - 1]:
                continue
            shifted = _shifted(words, start, size, place)
            tried += 1
            key = (distance - Levenshtein.distance(shifted, wanted), size, -start, -place)
            if best is None or key > best:
                best, best_words = key, shifted
        if tried >= _MOST_SHIFTS_TRIED:
            break
    return (best[0] if best else 0), best_words, tried


def _common_stretches(words: str, wanted: str) -> Iterator[tuple[int, int, int]]:
    """Each stretch, of up to 10 words, that stands in both at most 50 words apart: (start, start in wanted, size)."""
    places: dict[str, list[int]] = {}
    for at, word in enumerate(wanted):
        places.setdefault(word, []).append(at)
    for start, word in enumerate(words):
        for target in places.get(word, ()):
            if abs(target - start) > _FARTHEST_SHIFT:
                continue
            most = min(_LONGEST_SHIFT, len(words) - start, len(wanted) - target)
            size = 1
            yield start, target, size
            while size < most and words[start + size] == wanted[target + size]:
                size += 1
                yield start, target, size


def _shifted(words: str, start: int, size: int, place: int) -> str:
    moved = words[start : start + size]
    if place < start:
        return words[:place] + moved + words[place:start] + words[start + size :]
    end = place if place > start + size else place + size
    return words[:start] + words[start + size : end] + moved + words[end:]


def _alignment(words: str, wanted: str, distance: int) -> tuple[list[int], list[int], list[int]]:
    """How the words stand to those wanted: for each wanted one the place of the word before or at which it stands,
    and for both sides how many words before each place are wrong."""
    table, lowest = _distances(words, wanted, distance)
    steps = []
    i, j = len(words), len(wanted)
    while i or j:
        here = table[i][j - i - lowest]
        if i and j and here == table[i - 1][j - i - lowest] + (words[i - 1] != wanted[j - 1]):
            i, j = i - 1, j - 1
            steps.append((True, True, words[i] != wanted[j]))
        elif i and here == table[i - 1][j - i - lowest + 1] + 1:
            i -= 1
            steps.append((True, False, True))
        else:
            j -= 1
            steps.append((False, True, True))
    aligned: list[int] = []
    words_wrong, wanted_wrong = [0], [0]
    for in_words, in_wanted, wrong in reversed(steps):
        if in_words:
            words_wrong.append(words_wrong[-1] + wrong)
        if in_wanted:
            aligned.append(len(words_wrong) - 2)
            wanted_wrong.append(wanted_wrong[-1] + wrong)
    return aligned, words_wrong, wanted_wrong


def _distances(words: str, wanted: str, distance: int) -> tuple[list[list[int]], int]:
    """The table of word distances in the band of diagonals that a best path can reach: a row for each prefix of
    `words`, a column for each diagonal from the lowest, which is the second value."""
    longer = len(wanted) - len(words)
    slack = (distance - abs(longer)) // 2 + 1
    lowest, highest = min(0, longer) - slack, max(0, longer) + slack
    width = highest - lowest + 1
    far = len(words) + len(wanted) + 1
    rising = np.arange(width)
    padding = [0] * (1 - lowest), [0] * width
    coded = np.array([*padding[0], *map(ord, wanted), *padding[1]])
    row = np.where(rising + lowest >= 0, rising + lowest, far)
    table = [row.tolist()]
    for i, word in enumerate(words, 1):
        least = row + (coded[i : i + width] != ord(word))
        np.minimum(least[:-1], row[1:] + 1, out=least[:-1])
        row = np.minimum.accumulate(least - rising) + rising
        if i + lowest < 0:
            row[: -i - lowest] = far
        table.append(row.tolist())
    return table, lowest
