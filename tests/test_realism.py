"""Real errors and generated errors that resemble them: fixes and their names, profiles, calibration, divergences."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import data_prep
from degraders import profiles
from degraders.catalogue import all_degraders, select
from degraders.dataset.pairs import Pair
from degraders.edits import restore
from degraders.engine import Degradation, ErrorCounts, Plan
from degraders.errors import UserError
from degraders.realism import calibrate, compare
from degraders.realism.fixes import Fix, find_fixes
from degraders.realism.positions import POSITIONS

SAMPLES = Path(__file__).resolve().parents[1] / "sample_docs"


def apply_fixes(bad: str, fixes: list[Fix]) -> str:
    return restore(bad, [(fix.start, fix.end, fix.good) for fix in fixes])


texts = st.lists(st.sampled_from("the file a of runs it `x` [a](b) # - \n , . word 7".split(" ")), max_size=25)


@settings(max_examples=200, deadline=None)
@given(bad=texts, good=texts)
def test_fixes_turn_the_bad_text_into_the_good_one(bad: list[str], good: list[str]) -> None:
    """Except for white space, because line breaks may move."""
    bad_text, good_text = " ".join(bad), " ".join(good)
    fixes = find_fixes(bad_text, good_text)
    assert apply_fixes(bad_text, fixes).split() == good_text.split()
    assert all(bad_text[fix.start : fix.end] == fix.bad and fix.position in POSITIONS for fix in fixes)
    assert all(left.end <= right.start for left, right in zip(fixes, fixes[1:], strict=False))


@pytest.mark.parametrize(
    ("bad", "good", "kind"),
    [
        ("Two seperate files.", "Two separate files.", "spelling.typo/replaced"),
        ("It is instaled here.", "It is installed here.", "spelling.typo/dropped_double"),
        ("It is intsalled here.", "It is installed here.", "spelling.typo/transposed"),
        ("Read the the file.", "Read the file.", "spelling.word_boundary/twice"),
        ("It and it's name.", "It and its name.", "spelling.confusable/its"),
        ("These file are new.", "These files are new.", "grammar.agreement/number_lost"),
        ("The value are new.", "The value is new.", "grammar.agreement/verb"),
        ("This is an file.", "This is a file.", "grammar.article_preposition/a_an"),
        ("It depends the size.", "It depends on the size.", "grammar.article_preposition/preposition_lost"),
        ("If it fails you can go.", "If it fails, you can go.", "grammar.punctuation/comma_lost"),
        ("We use Github for it.", "We use GitHub for it.", "grammar.capitalisation/name"),
        ("You can utilize it here.", "You can use it here.", "style.wordy/listed"),
        ("Run make all first.", "Run `make all` first.", "markup.inline_code/lost"),
        ("# Use\n\nIt.\n", "## Use\n\nIt.\n", "markup.heading/level"),
        ("See [a](https://x.org/b).", "See [a](https://x.org/c/d/e).", "markup.link_target/part"),
        ("```\nprint(a\n```\n", "```\nprint(a)\n```\n", "code.bracket/lost"),
        ("```\nrun(b)\n```\n", "```\nrun(a)\n```\n", "code.value/name"),
        ("A naÃ¯ve check.", "A naïve check.", "encoding.mojibake/bytes"),
    ],
)
def test_a_fix_is_named_after_the_problem(bad: str, good: str, kind: str) -> None:
    assert [fix.kind for fix in find_fixes(bad, good)] == [kind]


def test_moved_line_breaks_are_no_fix() -> None:
    assert find_fixes("One two\nthree four.", "One two three\nfour.") == []
    assert find_fixes("```\na b\n```\n", "```\na\nb\n```\n") != []


def pairs_of(name: str, count: int) -> list[Pair]:
    """Paragraphs of the sample documents with errors of one degrader."""
    pairs: list[Pair] = []
    plan = Plan(select([name]), seed=5, severity=1.0, identity_rate=0.0, allow_lossy=True)
    for path in sorted(SAMPLES.rglob("*.md")):
        for text in path.read_text(encoding="utf-8").split("\n\n"):
            source = Pair(f"{path.name}:{len(pairs)}", "", "markdown", text, text, (), group=path.name)
            unit = calibrate.unit_of_pair(source)
            variant = Degradation(unit, plan).variant(0) if len(text.split()) > 8 else None
            if variant:
                pairs.append(Pair(source.id, "", "markdown", variant.bad, text, (), group=path.name))
    return pairs[:count]


def test_a_calibrated_profile_generates_the_errors_of_its_pairs() -> None:
    annotated = calibrate.annotate_pairs(pairs_of("spelling.typo", 60))
    profile = calibrate.calibrate_profile(annotated, origin="a test")
    assert profile == calibrate.calibrate_profile(annotated, origin="a test")
    categories = compare.measure_distributions(calibrate.generate_texts(annotated, profile))["category"]
    assert categories["spelling"] / categories.total() > 0.8
    assert "content.drop_unit" not in dict(profile.weights)


def test_too_few_pairs_are_refused() -> None:
    with pytest.raises(UserError, match="needs at least 50"):
        calibrate.annotate_pairs(pairs_of("spelling.typo", 10))


def test_a_profile_can_be_written_and_read(tmp_path: Path) -> None:
    path = tmp_path / "profile.json"
    path.write_bytes(profiles.builtin_profile().to_json())
    copy, default = profiles.read_profile(path), profiles.builtin_profile()
    assert (copy.weights, copy.sizes, copy.repeat_rate) == (default.weights, default.sizes, default.repeat_rate)
    for read, written in zip(copy.counts, default.counts, strict=True):
        assert read.chars == written.chars
        assert read.shares == pytest.approx(written.shares, abs=1e-3)


def test_there_is_a_profile_of_errors_that_the_text_alone_can_repair(tmp_path: Path) -> None:
    repairable = profiles.read_profile(Path("repairable"))
    assert repairable == profiles.builtin_profile("repairable") != profiles.builtin_profile()
    output = tmp_path / "d.jsonl"
    assert data_prep.main(["--input", str(SAMPLES), "--output", str(output), "--profile", "repairable"]) == 0
    assert output.stat().st_size


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        '{"format": "other"}',
        json.dumps({"format": profiles.FORMAT}),
        json.dumps(json.loads(profiles.builtin_profile().to_json()) | {"weights": {"spelling.no_such": 1}}),
        json.dumps(json.loads(profiles.builtin_profile().to_json()) | {"weights": {}}),
        json.dumps(json.loads(profiles.builtin_profile().to_json()) | {"errors_a_text": []}),
        json.dumps(json.loads(profiles.builtin_profile().to_json()) | {"sizes": []}),
        json.dumps(json.loads(profiles.builtin_profile().to_json()) | {"again": 2}),
    ],
)
def test_an_invalid_profile_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "profile.json"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(UserError, match=r"profile\.json"):
        profiles.read_profile(path)


def test_a_disabled_degrader_acts_only_if_it_is_requested() -> None:
    profile = profiles.Profile(
        weights=(("spelling.typo", 2.0),),
        counts=(ErrorCounts.from_shares(2000, (1.0,)),),
        repeat_rate=0.0,
        sizes=(500,),
    )
    requested = select(["spelling"])
    assert [item.key for item in profile.weighted_degraders(requested, keep_disabled=False)] == ["spelling.typo"]
    weights = {item.key: item.weight for item in profile.weighted_degraders(requested, keep_disabled=True)}
    assert weights.keys() == {item.name for item in requested}
    assert weights["spelling.typo"] == 2.0
    assert weights["spelling.confusable"] == all_degraders()["spelling.confusable"].weight


counters = st.dictionaries(st.sampled_from("abcd"), st.integers(1, 9), min_size=1).map(Counter)


@given(counters, counters)
def test_divergences_are_symmetric_and_between_0_and_1(left: Counter[str], right: Counter[str]) -> None:
    assert compare.divergence(left, left) == 0
    assert compare.divergence(left, right) == pytest.approx(compare.divergence(right, left))
    assert 0 <= compare.divergence(left, right) <= 1
    assert compare.divergence(Counter(a=1), Counter(b=1)) == 1


def write_pairs(path: Path, count: int = 60) -> Path:
    rows = [{"bad": pair.bad, "good": pair.good, "repo": pair.group} for pair in pairs_of("spelling", count)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def test_calibrate_writes_a_profile_that_data_prep_reads(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("matplotlib")
    pairs, profile = write_pairs(tmp_path / "pairs.jsonl"), tmp_path / "profile.json"
    assert data_prep.main(["--calibrate", str(pairs), "--output", str(profile), "--report"]) == 0
    assert "distribution" in capsys.readouterr().out
    assert (tmp_path / "profile.png").read_bytes().startswith(b"\x89PNG")
    output = tmp_path / "d.jsonl"
    assert data_prep.main(["--input", str(SAMPLES), "--output", str(output), "--profile", str(profile)]) == 0
    labels = Counter(span["label"] for line in output.open(encoding="utf-8") for span in json.loads(line)["spans"])
    spelling = sum(count for label, count in labels.items() if label.startswith("spelling."))
    assert spelling > 0.7 * labels.total()
    assert data_prep.main(["--calibrate", str(pairs), "--output", str(profile)]) == 1, "the profile exists"


@pytest.mark.parametrize(
    "arguments",
    [
        ["--calibrate", "pairs.jsonl", "--output", "profile.txt"],
        ["--calibrate", "pairs.jsonl", "--input", "docs", "--output", "p.json"],
        ["--report", "--input", "docs"],
    ],
)
def test_contradictory_options_are_wrong_usage(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as error:
        data_prep.main(arguments)
    assert error.value.code == 2
