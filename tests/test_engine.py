"""Edits, draws, declarations and the engine: spans, the hard-token gate, evidence, and refused edits and values."""

from __future__ import annotations

from collections import Counter
from hashlib import blake2b
from itertools import accumulate, permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import assert_token_offsets, outcomes, variants, whole

from degraders.catalogue import all_degraders, select
from degraders.draw import Draw
from degraders.edits import Edit, align, apply, restore
from degraders.engine import SEVERITIES, Degradation, Plan
from degraders.errors import UserError
from degraders.registry import Degrader, Fault, Place, Subtype, pattern, register_degrader, words
from degraders.text.parse import parse


def degrader(corrupt: object, **changes: object) -> Degrader:
    """A degrader that is not registered."""
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
def good_text_and_edits(draw: st.DrawFn) -> tuple[str, list[Edit]]:
    good = draw(st.text(alphabet="ab \n\té’\xa0\u2003", max_size=40))
    cuts = sorted(draw(st.sets(st.integers(0, len(good)), max_size=8)))
    pairs = list(zip(cuts[::2], cuts[1::2], strict=False))
    return good, [Edit(start, end, draw(st.text(alphabet="xy \n\u2003", max_size=4))) for start, end in pairs]


@given(good_text_and_edits())
def test_spans_restore_the_good_text(case: tuple[str, list[Edit]]) -> None:
    good, edits = case
    bad, spans = apply(good, edits)
    assert restore(bad, [(span.start, span.end, span.good) for span in spans]) == good
    for span in spans:
        assert bad[span.start : span.end] == span.bad
        assert good[span.good_start : span.good_end] == span.good
        assert_token_offsets(bad, span.start, span.end, span.token_start, span.token_end)


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
    stream = [draw.below(1 << 32) for _ in range(18)]
    blocks = [blake2b(b"42\x1fguide.md\x1f0\x1f1" + bytes([n, 0, 0, 0])).digest() for n in (0, 1)]
    numbers = [[int.from_bytes(block[i : i + 4], "little") for i in range(0, 64, 4)] for block in blocks]
    assert stream == numbers[0][::-1] + numbers[1][::-1][:2]
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


def test_protected_text_is_never_changed() -> None:
    text = "Run `ls` or see [the page](page.md) now."
    everywhere = degrader(lambda place, draw: place.text + "x", where=pattern(r"[a-z]+", over="prose"))
    assert variants(text, everywhere)
    for variant in variants(text, everywhere):
        assert "`ls`" in variant.bad and "(page.md)" in variant.bad


def test_an_edit_over_protected_text_is_refused_unless_the_text_survives() -> None:
    text = "Run `ls` now."
    for wrong, count in (("Run it now.", 0), ("Now run `ls`.", 20), ("Run `l` s now.", 0)):
        item = degrader(lambda place, draw, wrong=wrong: Fault((Edit(0, len(text), wrong),)))
        assert len(variants(text, item, seeds=20)) == count
    named = degrader(lambda place, draw: Fault((Edit(0, len(text), "Run it."),)), touches=frozenset({"code_span"}))
    assert variants(text, named, seeds=1)[0].bad == "Run it."


def test_an_edit_without_effect_is_no_error() -> None:
    assert variants("Some words.", degrader(lambda place, draw: place.text)) == []


def test_the_gate_makes_lost_numbers_names_and_addresses_class_d() -> None:
    for lost in ("8080", "set_up()", "--force", "a/b.txt", "v2.1", "https://example.com/x", "maxSize"):
        text = f"Use {lost} here and there."
        item = degrader(lambda place, draw, lost=lost: Fault((Edit(4, 4 + len(lost), "it"),)), touches=ALL)
        assert [error.recoverable for error in variants(text, item, seeds=1)[0].errors] == ["D"]
        twice = f"{text} It says {lost} again."
        assert [error.recoverable for error in variants(twice, item, seeds=1)[0].errors] == ["A"]


ALL = frozenset({"code_span", "url", "code", "target"})


def test_class_d_needs_allow_lossy() -> None:
    unit = whole(parse("The port is 8080.", doc_id="d"))
    item = degrader(lambda place, draw: Fault((Edit(12, 16, "open"),)))
    strict, lossy = Plan((item,), identity_rate=0.0), Plan((item,), identity_rate=0.0, allow_lossy=True)
    assert Degradation(unit, strict).variant(0) is None
    assert Degradation(unit, lossy).variant(0) is not None


def test_evidence_is_mapped_to_the_bad_text_and_checked() -> None:
    text = "The port is 8080. Open port 8080."
    item = degrader(lambda place, draw: Fault((Edit(12, 16, "80"),), evidence=(28, 32)), recoverable="C")
    (error,) = variants(text, item, seeds=1)[0].errors
    assert error.recoverable == "C" and error.evidence == (26, 30)
    without = degrader(lambda place, draw: Fault((Edit(12, 16, "80"),)), recoverable="C")
    assert variants(text, without, seeds=1)[0].errors[0].recoverable == "D"


def test_edits_of_one_fault_are_applied_together_or_not_at_all() -> None:
    text = "alpha beta gamma `code` delta"
    both = degrader(lambda place, draw: Fault((Edit(0, 5, "A"), Edit(6, 10, "B"))))
    assert outcomes_of(both, text) == {"A B gamma `code` delta"}
    harmful = degrader(lambda place, draw: Fault((Edit(0, 5, "A"), Edit(18, 20, "B"))))
    assert outcomes_of(harmful, text) == set()


def outcomes_of(item: Degrader, text: str) -> set[str]:
    return {variant.bad for variant in variants(text, item, seeds=30)}


def test_errors_never_overlap_or_touch() -> None:
    unit = whole(parse("one two three four five six seven eight nine ten", doc_id="d"))
    small = degrader(lambda place, draw: place.text.upper(), name="spelling.small")
    large = degrader(lambda place, draw: Fault((Edit(0, 18, "X"),)), name="structure.large", size=2)
    for seed in range(50):
        variant = Degradation(unit, Plan((small, large), seed=seed, severity=6, identity_rate=0.0)).variant(0)
        assert variant
        spans = [error.span for error in variant.errors]
        assert all(left.good_end < right.good_start for left, right in zip(spans, spans[1:], strict=False))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"identity_rate": 1.5}, "identity_rate must be from 0 to 1, not 1.5"),
        ({"single_fault_rate": -0.1}, "single_fault_rate must be from 0 to 1"),
        ({"repeat_rate": 2.0}, "repeat_rate must be from 0 to 1"),
        ({"severity": 0.5}, "severity must be 1 or more"),
        ({"severity": float("nan")}, "severity must be 1 or more"),
        ({"classes": "ABX"}, "classes must be some of ABCD"),
        ({"classes": ""}, "classes must be some of ABCD"),
        ({"counts": ()}, "must not be empty"),
    ],
)
def test_a_plan_refuses_wrong_values(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Plan((), **values)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"name": "spelling"}, "a name is family.problem"),
        ({"name": "nonsense.typo"}, "a name is family.problem"),
        ({"recoverable": "AB"}, "recoverable must be one of A, B, C, D"),
        ({"severity": 4}, "severity must be 1, 2 or 3"),
        ({"size": 3}, "size 0, 1 or 2"),
        ({"touches": frozenset({"codes"})}, "codes is no protected kind"),
        ({"weight": -1.0}, "weight must not be negative"),
        ({"tries": 0}, "tries must be positive"),
    ],
)
def test_a_degrader_refuses_wrong_values(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        degrader(lambda place, draw: None, **values)


def test_a_name_is_registered_only_once() -> None:
    subtype = Subtype("slip", 1, words(), lambda place, draw: None)
    with pytest.raises(ValueError, match=r"two degraders are named spelling\.typo"):
        register_degrader("spelling.typo", subtype, does="", example=("", ""), recoverable="A", severity=1)


def test_most_texts_have_few_errors_and_severity_scales_them() -> None:
    unit = whole(parse("word " * 300, doc_id="d"))
    item = degrader(lambda place, draw: place.text + "x")

    def counts(severity: float) -> Counter[int]:
        plans = [Plan((item,), seed=seed, severity=severity, identity_rate=0.0) for seed in range(600)]
        return Counter(len(v.errors) for plan in plans if (v := Degradation(unit, plan).variant(0)))

    medium = counts(SEVERITIES["medium"])
    assert 0.55 < medium[1] / 600 < 0.75 and medium[1] > medium[2] > medium[3]
    assert sum(n * times for n, times in counts(SEVERITIES["heavy"]).items()) / 600 > 4


def test_degraders_of_english_do_not_change_other_languages() -> None:
    french = (
        "Le fichier est dans le dossier qui contient les documents du serveur, et il est ouvert par le client. " * 3
    )
    assert outcomes("grammar.article_preposition", french) == set()
    assert outcomes("style.hedge", french) == set()


def test_degraders_are_selected_by_name_family_glob_and_exclusion() -> None:
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


def test_the_words_of_a_vocabulary_come_from_an_index_on_then_from_the_start() -> None:
    unit_words = whole(parse("The file. A file, the File.", doc_id="d")).words
    assert list(unit_words.indices_in({"file", "the"}, 3)) == [3, 4, 5, 0, 1]
    assert list(unit_words.indices_in({"The", "File"}, 1, exact=True)) == [5, 0]
    assert list(unit_words.indices_in({"absent"}, 0)) == []


def test_places_come_from_all_parts_of_a_text() -> None:
    unit = whole(parse("word " * 50, doc_id="d"))
    picked = {place.start for n in range(400) if (place := words().pick(unit, Draw(n)))}
    assert len(picked) == 50
    matched = {place.start for n in range(400) if (place := pattern(r"\bw").pick(unit, Draw(n)))}
    assert len(matched) == 50
    assert isinstance(words().pick(unit, Draw(1)), Place)
    assert words({"absent"}).pick(unit, Draw(1)) is None
