"""Edits, draws and the engine: spans, the hard-token gate, evidence, and what the engine refuses."""

from __future__ import annotations

from collections import Counter
from hashlib import blake2b
from itertools import accumulate, permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import assert_token_offsets, outcomes, variants, whole

from degraders.catalogue import all_degraders, select
from degraders.draw import Draw
from degraders.edits import AppliedEdit, Edit, align, apply
from degraders.engine import SEVERITIES, Degradation, Plan
from degraders.errors import UserError
from degraders.registry import Degrader, Fault, Place, pattern, words
from degraders.text.parse import parse


def degrader(corrupt: object, **changes: object) -> Degrader:
    """A degrader of the test's own, registered nowhere."""
    settings: dict[str, object] = {
        "name": "spelling.test",
        "where": words(),
        "corrupt": corrupt,
        "does": "",
        "example": ("", ""),
        "recoverable": "A",
        "severity": 1,
        "touches": frozenset(),
        "size": 0,
        "weight": 1.0,
        "english": False,
    }
    return Degrader(**{**settings, **changes})  # type: ignore[arg-type]


@st.composite
def edited(draw: st.DrawFn) -> tuple[str, list[Edit]]:
    good = draw(st.text(alphabet="ab \n\té’\xa0\u2003", max_size=40))
    cuts = sorted(draw(st.sets(st.integers(0, len(good)), max_size=8)))
    pairs = list(zip(cuts[::2], cuts[1::2], strict=False))
    return good, [Edit(start, end, draw(st.text(alphabet="xy \n\u2003", max_size=4))) for start, end in pairs]


def restore(bad: str, located: list[AppliedEdit]) -> str:
    """The good text: each span of the bad text replaced by its `good`."""
    out: list[str] = []
    at = 0
    for span in located:
        out += bad[at : span.start], span.good
        at = span.end
    return "".join([*out, bad[at:]])


@given(edited())
def test_applied_edits_are_undone_by_their_spans(made: tuple[str, list[Edit]]) -> None:
    good, edits = made
    bad, located = apply(good, edits)
    assert restore(bad, located) == good
    for place in located:
        assert bad[place.start : place.end] == place.bad
        assert good[place.good_start : place.good_end] == place.good
        assert_token_offsets(bad, place.start, place.end, place.token_start, place.token_end)


@given(st.text(alphabet="ab .,\n", max_size=60), st.text(alphabet="ab .,\n", max_size=60))
def test_alignment_turns_one_text_into_the_other(good: str, bad: str) -> None:
    edits = align(good, bad)
    assert apply(good, edits)[0] == bad
    assert all(left.end < right.start for left, right in zip(edits, edits[1:], strict=False))


def test_alignment_is_by_words() -> None:
    assert align("The file is old.", "The folder is old.") == [Edit(4, 8, "folder")]


def test_an_edit_cannot_run_backwards() -> None:
    with pytest.raises(ValueError, match="from 3 to 2"):
        Edit(3, 2, "")


def test_draws_are_the_same_everywhere() -> None:
    draw = Draw(42, "guide.md", 0, 1)
    drawn = [draw.below(1 << 32) for _ in range(18)]
    blocks = [blake2b(b"42\x1fguide.md\x1f0\x1f1" + bytes([n, 0, 0, 0])).digest() for n in (0, 1)]
    numbers = [[int.from_bytes(block[i : i + 4], "little") for i in range(0, 64, 4)] for block in blocks]
    assert drawn == numbers[0][::-1] + numbers[1][::-1][:2]
    assert Draw("a", "b").below(1 << 32) != Draw("ab").below(1 << 32)


def test_a_fork_of_the_draws_depends_on_its_name_and_number_alone() -> None:
    draw, other = Draw("key"), Draw("key")
    other.below(9), other.fork("first", 1)
    first, second = draw.fork("name", 2), other.fork("name", 2)
    assert [first.below(1000) for _ in range(20)] == [second.below(1000) for _ in range(20)]
    assert len({Draw("key").fork(name, number).below(1 << 32) for name in "ab" for number in (1, 2)}) == 4


def test_draws_are_even_and_weighted() -> None:
    draw = Draw("shares")
    counts = Counter(draw.below(4) for _ in range(8000))
    assert all(1800 < counts[n] < 2200 for n in range(4))
    weighted = Counter(draw.weighted_choice("abc", list(accumulate((1, 2, 7)))) for _ in range(8000))
    assert weighted["a"] < weighted["b"] < weighted["c"] and 5200 < weighted["c"] < 6000
    assert {tuple(draw.shuffled("abc")) for _ in range(200)} == set(permutations("abc"))


def test_text_that_may_not_be_touched_is_never_touched() -> None:
    text = "Run `ls` or see [the page](page.md) now."
    everywhere = degrader(lambda place, draw: place.text + "x", where=pattern(r"[a-z]+", over="prose"))
    assert variants(text, everywhere)
    for variant in variants(text, everywhere):
        assert "`ls`" in variant.bad and "(page.md)" in variant.bad


def test_an_edit_over_protected_text_is_refused_unless_the_text_survives() -> None:
    text = "Run `ls` now."
    for wrong, made in (("Run it now.", 0), ("Now run `ls`.", 20), ("Run `l` s now.", 0)):
        item = degrader(lambda place, draw, wrong=wrong: Fault((Edit(0, len(text), wrong),)))
        assert len(variants(text, item, seeds=20)) == made
    named = degrader(lambda place, draw: Fault((Edit(0, len(text), "Run it."),)), touches=frozenset({"code_span"}))
    assert variants(text, named, seeds=1)[0].bad == "Run it."


def test_a_change_that_changes_nothing_is_no_error() -> None:
    assert variants("Some words.", degrader(lambda place, draw: place.text)) == []


def test_the_gate_makes_lost_numbers_names_and_addresses_class_d() -> None:
    for lost in ("8080", "set_up()", "--force", "a/b.txt", "v2.1", "https://example.com/x", "maxSize"):
        text = f"Use {lost} here and there."
        item = degrader(lambda place, draw, lost=lost: Fault((Edit(4, 4 + len(lost), "it"),)), touches=ALL)
        assert [error.recoverable for error in variants(text, item, seeds=1)[0].errors] == ["D"]
        twice = f"{text} It says {lost} again."
        assert [error.recoverable for error in variants(twice, item, seeds=1)[0].errors] == ["A"]


ALL = frozenset({"code_span", "url", "code", "target"})


def test_class_d_is_left_out_unless_asked_for() -> None:
    unit = whole(parse("The port is 8080.", doc_id="d"))
    item = degrader(lambda place, draw: Fault((Edit(12, 16, "open"),)))
    strict, lossy = Plan((item,), identity_rate=0.0), Plan((item,), identity_rate=0.0, allow_lossy=True)
    assert Degradation(unit, strict).variant(0) is None
    assert Degradation(unit, lossy).variant(0) is not None


def test_evidence_is_followed_into_the_bad_text_and_checked() -> None:
    text = "The port is 8080. Open port 8080."
    item = degrader(lambda place, draw: Fault((Edit(12, 16, "80"),), evidence=(28, 32)), recoverable="C")
    (error,) = variants(text, item, seeds=1)[0].errors
    assert error.recoverable == "C" and error.evidence == (26, 30)
    without = degrader(lambda place, draw: Fault((Edit(12, 16, "80"),)), recoverable="C")
    assert variants(text, without, seeds=1)[0].errors[0].recoverable == "D"


def test_edits_of_one_fault_are_chosen_together_or_not_at_all() -> None:
    text = "alpha beta gamma `code` delta"
    both = degrader(lambda place, draw: Fault((Edit(0, 5, "A"), Edit(6, 10, "B"))))
    assert outcomes_of(both, text) == {"A B gamma `code` delta"}
    harmful = degrader(lambda place, draw: Fault((Edit(0, 5, "A"), Edit(18, 20, "B"))))
    assert outcomes_of(harmful, text) == set()


def outcomes_of(item: Degrader, text: str) -> set[str]:
    return {variant.bad for variant in variants(text, item, seeds=30)}


def test_errors_keep_apart_and_larger_ones_claim_their_place_first() -> None:
    unit = whole(parse("one two three four five six seven eight nine ten", doc_id="d"))
    small = degrader(lambda place, draw: place.text.upper(), name="spelling.small")
    large = degrader(lambda place, draw: Fault((Edit(0, 18, "X"),)), name="structure.large", size=2)
    for seed in range(50):
        variant = Degradation(unit, Plan((small, large), seed=seed, severity=6, identity_rate=0.0)).variant(0)
        assert variant
        located = [error.span for error in variant.errors]
        assert all(left.good_end < right.good_start for left, right in zip(located, located[1:], strict=False))


def test_few_errors_are_usual_and_severity_scales_them() -> None:
    unit = whole(parse("word " * 300, doc_id="d"))
    item = degrader(lambda place, draw: place.text + "x")

    def counts(severity: float) -> Counter[int]:
        plans = [Plan((item,), seed=seed, severity=severity, identity_rate=0.0) for seed in range(600)]
        return Counter(len(v.errors) for plan in plans if (v := Degradation(unit, plan).variant(0)))

    medium = counts(SEVERITIES["medium"])
    assert 0.55 < medium[1] / 600 < 0.75 and medium[1] > medium[2] > medium[3]
    assert sum(n * times for n, times in counts(SEVERITIES["heavy"]).items()) / 600 > 4


def test_a_degrader_of_english_leaves_other_languages_alone() -> None:
    french = (
        "Le fichier est dans le dossier qui contient les documents du serveur, et il est ouvert par le client. " * 3
    )
    assert outcomes("grammar.article_preposition", french) == set()
    assert outcomes("style.hedge", french) == set()


def test_select_by_name_family_glob_and_exclusion() -> None:
    names = set(all_degraders())
    assert {item.name for item in select(["code"])} == {name for name in names if name.startswith("code.")}
    assert {item.name for item in select(["typo", "llm.*"])} == {"spelling.typo", "llm.stub"}
    assert {item.name for item in select(["*"], ["markup", "stub"])} == {
        name for name in names if not name.startswith(("markup.", "llm."))
    }
    with pytest.raises(UserError, match="did you mean"):
        select(["spellling"])


def test_there_are_the_57_degraders_of_the_taxonomy_and_the_stub() -> None:
    families = Counter(item.family for item in all_degraders().values())
    assert families == {
        **{"spelling": 4, "grammar": 4, "style": 12, "markup": 12, "structure": 6},
        **{"content": 7, "code": 8, "encoding": 4, "llm": 1},
    }


def test_words_of_a_vocabulary_are_found_from_a_word_on_and_round() -> None:
    found = whole(parse("The file. A file, the File.", doc_id="d")).words
    assert list(found.indices_in({"file", "the"}, 3)) == [3, 4, 5, 0, 1]
    assert list(found.indices_in({"The", "File"}, 1, exact=True)) == [5, 0]
    assert list(found.indices_in({"absent"}, 0)) == []


def test_places_are_drawn_all_over_a_text() -> None:
    unit = whole(parse("word " * 50, doc_id="d"))
    picked = {place.start for n in range(400) if (place := words().pick(unit, Draw(n)))}
    assert len(picked) == 50
    matched = {place.start for n in range(400) if (place := pattern(r"\bw").pick(unit, Draw(n)))}
    assert len(matched) == 50
    assert isinstance(words().pick(unit, Draw(1)), Place)
    assert words({"absent"}).pick(unit, Draw(1)) is None
