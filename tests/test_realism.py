"""Real errors read and made ones fitted to them: fixes and their names, profiles, calibration, distances."""

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
from degraders.engine import Degradation, ErrorCounts, Plan
from degraders.errors import UserError
from degraders.realism import calibrate, compare
from degraders.realism.fixes import Fix, find_fixes
from degraders.realism.positions import POSITIONS

SAMPLES = Path(__file__).resolve().parents[1] / "sample_docs"


def mended(bad: str, found: list[Fix]) -> str:
    out: list[str] = []
    at = 0
    for fix in found:
        out += bad[at : fix.start], fix.good
        at = fix.end
    return "".join([*out, bad[at:]])


texts = st.lists(st.sampled_from("the file a of runs it `x` [a](b) # - \n , . word 7".split(" ")), max_size=25)


@settings(max_examples=200, deadline=None)
@given(bad=texts, good=texts)
def test_fixes_turn_the_bad_text_into_the_good_one(bad: list[str], good: list[str]) -> None:
    """All but white space, of which a line may break elsewhere."""
    was, now = " ".join(bad), " ".join(good)
    found = find_fixes(was, now)
    assert mended(was, found).split() == now.split()
    assert all(was[fix.start : fix.end] == fix.bad and fix.position in POSITIONS for fix in found)
    assert all(left.end <= right.start for left, right in zip(found, found[1:], strict=False))


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
def test_a_fix_is_named_by_what_went_wrong(bad: str, good: str, kind: str) -> None:
    assert [fix.kind for fix in find_fixes(bad, good)] == [kind]


def test_lines_wrapped_elsewhere_are_no_fix() -> None:
    assert find_fixes("One two\nthree four.", "One two three\nfour.") == []
    assert find_fixes("```\na b\n```\n", "```\na\nb\n```\n") != []


def pairs_of(name: str, count: int) -> list[Pair]:
    """Pairs whose errors one degrader made, of the sample documents' paragraphs."""
    found: list[Pair] = []
    plan = Plan(select([name]), seed=5, severity=1.0, identity_rate=0.0, allow_lossy=True)
    for path in sorted(SAMPLES.rglob("*.md")):
        for text in path.read_text(encoding="utf-8").split("\n\n"):
            source = Pair(f"{path.name}:{len(found)}", "", "markdown", text, text, (), group=path.name)
            unit = calibrate.unit_of_pair(source)
            variant = Degradation(unit, plan).variant(0) if len(text.split()) > 8 else None
            if variant:
                found.append(Pair(source.id, "", "markdown", variant.bad, text, (), group=path.name))
    return found[:count]


def test_a_calibration_makes_what_it_was_shown() -> None:
    reads = calibrate.read_fixes(pairs_of("spelling.typo", 60))
    profile = calibrate.calibrate_profile(reads, origin="a test")
    assert profile == calibrate.calibrate_profile(reads, origin="a test")
    made = compare.measure_distributions(calibrate.degrade_pairs(reads, profile))["category"]
    assert made["spelling"] / made.total() > 0.8
    assert "content.drop_unit" not in dict(profile.weights)


def test_too_few_pairs_are_refused() -> None:
    with pytest.raises(UserError, match="needs 50"):
        calibrate.read_fixes(pairs_of("spelling.typo", 10))


def test_a_profile_comes_back_as_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "profile.json"
    path.write_bytes(profiles.builtin_profile().to_json())
    again, default = profiles.read_profile(path), profiles.builtin_profile()
    assert (again.weights, again.sizes, again.repeat_rate) == (default.weights, default.sizes, default.repeat_rate)
    for one, other in zip(again.counts, default.counts, strict=True):
        assert one.chars == other.chars
        assert one.shares == pytest.approx(other.shares, abs=1e-3)


def test_there_is_a_profile_of_what_the_text_can_repair(tmp_path: Path) -> None:
    repairable = profiles.read_profile(Path("repairable"))
    assert repairable == profiles.builtin_profile("repairable") != profiles.builtin_profile()
    made = tmp_path / "made.jsonl"
    assert data_prep.main(["--input", str(SAMPLES), "--output", str(made), "--profile", "repairable"]) == 0
    assert made.stat().st_size


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
def test_what_is_no_profile_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "profile.json"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(UserError, match=r"profile\.json"):
        profiles.read_profile(path)


def test_what_is_off_fires_only_if_asked_for() -> None:
    profile = profiles.Profile((("spelling.typo", 2.0),), (ErrorCounts.from_shares(2000, (1.0,)),), 0.0, (500,))
    chosen = select(["spelling"])
    assert [item.key for item in profile.weighted_degraders(chosen, keep_disabled=False)] == ["spelling.typo"]
    asked = {item.key: item.weight for item in profile.weighted_degraders(chosen, keep_disabled=True)}
    assert asked.keys() == {item.name for item in chosen}
    assert asked["spelling.typo"] == 2.0
    assert asked["spelling.confusable"] == all_degraders()["spelling.confusable"].weight


counters = st.dictionaries(st.sampled_from("abcd"), st.integers(1, 9), min_size=1).map(Counter)


@given(counters, counters)
def test_distances_are_symmetric_and_within_bounds(one: Counter[str], other: Counter[str]) -> None:
    assert compare.distance(one, one) == 0
    assert compare.distance(one, other) == pytest.approx(compare.distance(other, one))
    assert 0 <= compare.distance(one, other) <= 1
    assert compare.distance(Counter(a=1), Counter(b=1)) == 1


def write_pairs(path: Path, count: int = 60) -> Path:
    rows = [{"bad": pair.bad, "good": pair.good, "repo": pair.group} for pair in pairs_of("spelling", count)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def test_calibrate_writes_a_profile_that_prepare_reads(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("matplotlib")
    pairs, profile = write_pairs(tmp_path / "pairs.jsonl"), tmp_path / "profile.json"
    assert data_prep.main(["--calibrate", str(pairs), "--output", str(profile), "--report"]) == 0
    assert "distribution" in capsys.readouterr().out
    assert (tmp_path / "profile.png").read_bytes().startswith(b"\x89PNG")
    made = tmp_path / "d.jsonl"
    assert data_prep.main(["--input", str(SAMPLES), "--output", str(made), "--profile", str(profile)]) == 0
    labels = Counter(span["label"] for line in made.open(encoding="utf-8") for span in json.loads(line)["spans"])
    spelling = sum(count for label, count in labels.items() if label.startswith("spelling."))
    assert spelling > 0.7 * labels.total()
    assert data_prep.main(["--calibrate", str(pairs), "--output", str(profile)]) == 1, "it exists"


@pytest.mark.parametrize(
    "arguments",
    [
        ["--calibrate", "pairs.jsonl", "--output", "profile.txt"],
        ["--calibrate", "pairs.jsonl", "--input", "docs", "--output", "p.json"],
        ["--report", "--input", "docs"],
    ],
)
def test_what_does_not_go_together_is_wrong_usage(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as error:
        data_prep.main(arguments)
    assert error.value.code == 2
