"""bench_worth.py: who is asked, what is taught, what is done once, what the tables say."""

from __future__ import annotations

import argparse
import json
import math
import os
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("numpy")

import bench_worth
import contest
import correctors
import noise
import steps
import worth_options
import worth_pairs
import worth_probe
import worth_tables
from hypothesis import given
from hypothesis import strategies as st

from degraders.errors import UserError

if sys.platform == "win32":
    pytest.skip("the benchmark waits for its processes as POSIX lets it", allow_module_level=True)

ROOT = Path(__file__).resolve().parents[1]
ROWS = st.lists(st.tuples(st.sampled_from("abcde"), st.sampled_from("xy"), st.integers(0, 3)), max_size=60)


def chars(row: dict[str, Any]) -> int:
    return len(row["good"])


def real(number: int, repo: str, **changed: Any) -> dict[str, Any]:
    """A real pair with a misspelt word."""
    good = f"The server number {number} of {repo} starts quickly and listens on its port until it is stopped again."
    edit = {"bad_start": 4, "bad_end": 9, "bad": "sever", "good": "server", "category": "spelling", "position": "prose"}
    row = {"id": f"{repo}-{number}", "repo": repo, "context": "Start", "format": "md", "good": good, "edits": [edit]}
    row |= {"bad": good.replace("server", "sever", 1), "category": "spelling", "recoverable": "text"}
    return {**row, **changed}


# Who is asked


@given(ROWS)
def test_halves_keep_owners_together_and_everything(found: list[tuple[str, str, int]]) -> None:
    left, right = contest.halves(found, lambda row: f"{row[0]}/{row[1]}")
    assert Counter(left) + Counter(right) == Counter(found)
    assert not {row[0] for row in left} & {row[0] for row in right}
    largest = max(Counter(row[0] for row in found).values(), default=0)
    assert abs(len(left) - len(right)) <= largest


@given(st.lists(st.sampled_from("abc"), max_size=40), st.integers(1, 30))
def test_no_project_outweighs_another_that_has_more_to_ask(repos: list[str], most: int) -> None:
    rows = [{"id": str(number), "repo": repo} for number, repo in enumerate(repos)]
    taken = Counter(row["repo"] for row in worth_pairs.by_turns(rows, most))
    assert taken.total() == min(most, len(rows))
    left = Counter(repos) - taken
    assert all(taken[less] >= taken[more] - 1 for less in left for more in taken)


def test_only_what_may_be_asked_is_asked_and_clean_texts_are_others() -> None:
    rows = [real(number, f"{owner}/p") for owner in "abcd" for number in range(6)]
    rows += [real(7, "a/p", recoverable="knowledge"), real(8, "a/p", in_lab_corpus=True)]
    rows += [real(9, "a/p", good="x" * 500, bad="x" * 499, edits=[])]
    parts = worth_pairs.divided(rows, errors=8, clean=50, beyond=5, recoverable=["text"], max_chars=400)
    tuning, held_out, _ = parts
    assert not {row["repo"] for row in tuning.all} & {row["repo"] for row in held_out.all}
    assert {row["id"] for row in (*tuning.all, *held_out.all)} == {row["id"] for row in rows}
    for part in (tuning, held_out):
        errors, clean = ({row["id"] for row in rows} for rows in (part.errors, part.clean))
        assert len(errors) == 8 and not errors & clean
        assert all(row["bad"] == row["good"] and "edits" not in row for row in part.clean)
        assert not (errors | clean) & {"a/p-8", "a/p-9"}
        assert "a/p-7" not in errors
    assert "a/p-7" in {row["id"] for part in (tuning, held_out) for row in part.clean}
    assert [row["id"] for part in (tuning, held_out) for row in part.beyond] == ["a/p-7"]


def shown(part: worth_pairs.Part) -> set[str]:
    return {row["id"] for row in (*part.errors, *part.clean, *part.beyond)}


def test_the_last_run_asks_what_no_other_did_of_the_owners_held_out() -> None:
    rows = [real(number, f"{owner}/p") for owner in "abcd" for number in range(30)]
    rows += [real(40 + number, f"{owner}/p", recoverable="knowledge") for owner in "abcd" for number in range(6)]
    _, held_out, last = worth_pairs.divided(rows, errors=9, clean=12, beyond=2, recoverable=["text"], max_chars=400)
    assert last.all == held_out.all
    unasked = [row for row in held_out.all if row["recoverable"] == "text" and row["id"] not in shown(held_out)]
    assert {row["id"] for row in last.errors} == {row["id"] for row in unasked}
    assert len(held_out.errors) == 9 and last.clean and len(last.beyond) == 2
    assert not shown(held_out) & shown(last) and shown(last) <= {row["id"] for row in held_out.all}


# What is taught


@given(st.lists(st.integers(1, 40), min_size=1, max_size=30), st.integers(1, 300), st.integers(0, 3), st.randoms())
def test_the_rows_are_those_that_the_budget_pays(sizes: list[int], budget: int, seed: int, random: Any) -> None:
    rows = [
        {"id": str(number), "good": "x" * size, "variant": number % 2, "split": "test"}
        for number, size in enumerate(sizes)
    ]
    cost = {row["id"]: len(row["good"]) + 1 for row in rows}
    if sum(cost.values()) < budget:
        with pytest.raises(UserError, match="--n_per_doc"):
            worth_pairs.within_budget(rows, chars, budget, seed)
        return
    chosen = worth_pairs.within_budget(rows, chars, budget, seed)
    spent = sum(cost[row["id"]] for row in chosen)
    assert spent <= budget
    assert all("split" not in row for row in chosen)
    assert [row["variant"] for row in chosen] == sorted(row["variant"] for row in chosen)
    more = worth_pairs.within_budget([*rows, {"id": "z", "good": "x" * budget, "variant": 9}], chars, budget, seed)
    assert more == chosen, "what comes later has no say"
    random.shuffle(rows)
    assert worth_pairs.within_budget(rows, chars, budget, seed) == chosen
    left = [cost[row["id"]] for row in rows if row["id"] not in {row["id"] for row in chosen}]
    assert spent == budget if not left else spent + max(left) > budget


def test_a_real_pair_is_taught_like_a_made_one() -> None:
    pair = real(1, "a/p")
    row = worth_pairs.as_made(pair)
    assert worth_pairs.within_budget([row], chars, len(row["good"]) + 1, 0) == [row]
    assert (row["id"], row["bad"], row["good"]) == ("a/p-1", pair["bad"], pair["good"])


def test_other_libraries_get_words_of_prose_and_as_many_errors_as_ours_has() -> None:
    good = "# Start the server\n\nPass `start` to [the server](http://start.example) quickly:\n\n"
    good += "```\nstart the server\n```\n"
    row = {"id": "a", "doc_id": "a.md", "context": "", "format": "markdown", "good": good, "spans": [{}, {}]}
    places, asked = worth_pairs.words_to_misspell(row, 1)
    assert asked["wanted"] == 2
    assert set(asked["words"]) == {"Start", "the", "server", "Pass", "quickly"}
    made = worth_pairs.misspelt(row, places, [(number, "zz") for number in range(len(places))])
    assert made["bad"].endswith("\n\n```\nstart the server\n```\n") and "http://start.example" in made["bad"]
    assert "`start`" in made["bad"] and made["bad"].count("zz") == len(places) and made["good"] == good
    assert worth_pairs.misspelt(row, places, [])["bad"] == good
    assert worth_pairs.words_to_misspell(row, 2)[0] != places


def test_noise_goes_on_to_the_next_word_where_a_library_changes_nothing() -> None:
    upper = noise.misspelt(str.upper, ["A", "b", "C", "d", "e"], 2)
    assert upper == [(1, "B"), (3, "D")]
    assert noise.misspelt(str.upper, ["a"], 0) == []
    assert noise.misspelt(lambda word: "", ["a"], 1) == []


def test_suggestions_are_applied_where_they_may_be() -> None:
    text = "the the sever runs `sever`"
    changes = [(20, 25, "server"), (4, 8, ""), (8, 13, "server"), (0, 9, "x")]
    assert correctors.applied(text, changes[:3]) == "the server runs `server`"
    assert correctors.applied(text, changes[:3], [(19, 26)]) == "the server runs `sever`"
    assert correctors.applied(text, changes) == "xever runs `server`"
    assert correctors.applied(text, [(8, 8, "new ")]) == "the the new sever runs `sever`"


# What is done once


def test_a_step_is_taken_once_goes_on_and_begins_anew_for_another_signature(tmp_path: Path) -> None:
    marker, product, done = tmp_path / "step.json", tmp_path / "product", []

    def work() -> float:
        done.append(sorted(path.name for path in product.iterdir()) if product.exists() else [])
        product.mkdir(exist_ok=True)
        (product / f"part{len(done)}").touch()
        if len(done) == 1:
            raise steps.EndedError("cut short", 1.5)
        return 2.5

    with pytest.raises(UserError, match="cut short"):
        steps.once(marker, {"a": 1}, product, work)
    assert steps.once(marker, {"a": 1}, product, work) == 4.0, "what was used before it was cut short counts"
    assert steps.once(marker, {"a": 1}, product, work) == 4.0
    assert done == [[], ["part1"]], "the second goes on with what the first left, the third is not done"
    steps.once(marker, {"a": 2}, product, work)
    assert done[2:] == [[]], "what another signature made is gone"


def test_a_script_that_fails_leaves_no_output_and_says_why(tmp_path: Path) -> None:
    log, output = tmp_path / "log", tmp_path / "out"
    with pytest.raises(steps.EndedError, match=r"noise.py ended with 1: KeyError: 'nothing'") as ended:
        steps.script("benchmarks/noise.py", ["nothing", "1"], tmp_path, log, output=output)
    assert ended.value.cpu_seconds > 0 and not output.exists()
    assert steps.script("data_prep.py", ["--version"], tmp_path, log, output=output) > 0
    assert output.read_text().startswith("data_prep.py ")


def test_a_script_that_draws_from_a_set_draws_the_same_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(steps, "ROOT", tmp_path)
    (tmp_path / "draws.py").write_text("print(list({str(number) for number in range(99)}))")
    outputs = [tmp_path / "first", tmp_path / "second"]
    for output in outputs:
        steps.script("draws.py", [], tmp_path, tmp_path / "log", output=output)
    assert outputs[0].read_text() == outputs[1].read_text()


def test_what_runs_ends_when_nobody_waits_for_it(tmp_path: Path) -> None:
    asked = tmp_path / "fifo"
    os.mkfifo(asked)
    silent = os.open(asked, os.O_RDWR)  # the script waits for a line that does not come
    with ThreadPoolExecutor() as pool:
        what = ("benchmarks/correctors.py", ["codespell"], tmp_path, tmp_path / "log")
        waiting = pool.submit(steps.script, *what, source=asked)
        while not steps._running:
            time.sleep(0.01)
        steps.stop()
        with pytest.raises(UserError, match="ended with -15"):
            waiting.result(timeout=30)
    os.close(silent)
    assert not steps._running


def test_options_of_a_variant_go_to_the_script_that_knows_them() -> None:
    found = worth_options.variant(
        "few='--severity' light --span_weight 3 --allow-lossy --exclude style llm --keep_bias 1"
    )
    assert found.name == "few" and found.of == "realistic" and found.trained
    assert found.data == ("--severity", "light", "--allow-lossy", "--exclude", "style", "llm")
    assert found.training == ("--span_weight", "3")
    assert found.asking == ("--keep_bias", "1")


def test_a_variant_that_is_only_asked_otherwise_learns_nothing_of_its_own() -> None:
    asked, taught = (
        worth_options.variant(text) for text in ("wary=--keep_bias 1", "long=--max_chars 900 --keep_bias 1")
    )
    assert worth_options.Task(asked, 2).learner.name == "realistic-2"
    assert worth_options.Task(taught, 2).learner.name == "long-2"


def test_a_variant_has_the_options_of_what_it_varies(tmp_path: Path) -> None:
    (tmp_path / "real.jsonl").touch()
    named = {"--docs": tmp_path, "--real": tmp_path / "real.jsonl", "--model": "m", "--work": tmp_path}
    words = [*(str(word) for pair in named.items() for word in pair), "--sources", "copy", "--seeds", "1"]
    words += ["--vary", "surface", "--variant", "wary=--keep_bias 1", "--variant", "long=--max_chars 900"]
    worth = bench_worth.Worth(worth_options.build_parser(None).parse_args(words))
    copy, wary, taught = worth.tasks()
    assert wary.learner.name == "surface-1" and taught.learner is taught and copy.source.of == ""
    base = ("--degraders", "spelling", "grammar")
    assert wary.source.data == wary.learner.source.data == base
    assert taught.source.data == (*base, "--max_chars", "900")


def test_an_option_that_no_script_knows_is_wrong_usage() -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="--no_such"):
        worth_options.variant("odd=--no_such 1")


# What the tables say


def run(source: str, seed: int | None, value: float, *, guarded: bool = True, **changed: Any) -> worth_tables.Run:
    figure = {"value": value, "low": value - 0.1, "high": value + 0.1}
    figures: dict[str, Any] = {"model": dict.fromkeys([*worth_tables.COLUMNS, "identity_altered"], figure)}
    if guarded:
        figures["unguarded"] = {"repair_f05": {"value": value / 2, "low": 0.0, "high": 1.0}}
    told = {"model": dict.fromkeys(worth_tables.KINDS, figure)}
    labels = {"grammar": {"spans": 3, **told}, "spelling": {"spans": 5, **told}}
    summary = {"figures": figures, "by_label": labels, "by_recoverable": {"text": {"spans": 8, **told}}}
    counts = [(1.0, 0.0, 1.0), (0.0, 1.0, 2.0)]
    return worth_tables.Run(source, seed, "tuning", summary, summary, 10.0, 4.0, counts=counts)._replace(**changed)


def test_a_row_is_the_mean_of_its_seeds() -> None:
    runs = [run("b", 1, 0.2), run("a", None, 0.9, guarded=False), run("b", 2, 0.4, training=30.0)]
    runs += [run("b", 1, 0.7, part="held_out")]
    ours, tool = worth_tables.rows(runs, "tuning", "b")
    assert (ours.source, ours.seeds, ours.training, ours.answering) == ("b", 2, 20.0, 4.0)
    assert ours.figures["repair_f05"] == pytest.approx((0.3, 0.2, 0.4))
    assert ours.unguarded == pytest.approx((0.15, 0.0, 1.0))
    assert list(ours.labels) == ["spelling", "grammar"] and ours.labels["spelling"].spans == 5
    assert list(ours.told) == ["text"] and ours.told["text"].figures["f05"] == pytest.approx((0.3, 0.2, 0.4))
    assert tool.unguarded == tool.figures["repair_f05"] == pytest.approx((0.9, 0.8, 1.0))
    assert ours.behind is None and tool.behind == (0.0, 0.0, 0.0)
    assert [row.source for row in worth_tables.rows(runs, "held_out", "b")] == ["b"]


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=20), st.data())
def test_a_difference_is_that_of_the_same_texts(found: list[tuple[float, float, float]], data: st.DataObject) -> None:
    assert worth_tables.difference([found], [found, found]) == (0.0, 0.0, 0.0)
    other = data.draw(st.permutations(found))
    ahead, behind = worth_tables.difference([found], [other]), worth_tables.difference([other], [found])
    assert ahead and behind and ahead == pytest.approx((-behind[0], -behind[2], -behind[1]))
    assert ahead[0] == pytest.approx(0), "the same counts in another order"
    more = [(right + 1, wrong, left) for right, wrong, left in found]
    told = worth_tables.difference([more], [found])
    assert told and min(told) > -1e-9


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=4))
def test_a_mean_lies_between_and_what_is_unknown_stays_so(figures: list[tuple[float, float, float]]) -> None:
    found = worth_tables.averaged(figures)
    assert found is not None
    for place, value in enumerate(found):
        assert value == pytest.approx(math.fsum(figure[place] for figure in figures) / len(figures))
    assert worth_tables.averaged([*figures, None]) is None


def test_tables_are_markdown_that_reads_as_it_stands() -> None:
    idle = run("none", None, 0.004)
    idle.errors["figures"]["model"] |= {
        "repair_precision": {"value": 1.0, "low": 1.0, "high": 1.0},
        "repair_recall": {"value": 0.0, "low": 0.0, "high": 0.0},
    }
    lines = worth_tables.main_table(worth_tables.rows([run("realistic", 1, 0.3), idle], "tuning", ""), "").splitlines()
    assert len({len(line) for line in lines}) == 1 and len(lines) == 4
    assert "0.30 (0.20 to 0.40)" in lines[2] and "| 30 % |" in " ".join(lines[2].split()) and " - |" in lines[3]
    assert "0.30 (0.20 to 0.40) | 0.30 (0.20 to 0.40) | 0.30 (0.20 to 0.40)" in " ".join(lines[2].split())
    assert " 1.00" not in lines[3], "no precision of nothing"
    assert worth_tables.shown((0.0, 0.0, 0.0), share=True) == "0 %"
    assert worth_tables.shown((0.013, 0.0, 0.0), share=True) == "1.3 %"
    assert worth_tables.shown((-0.001, -0.05, 0.04), interval=True) == "0.00 (-0.05 to 0.04)"


def test_a_table_a_figure_for_categories_and_for_what_the_text_tells() -> None:
    one = run("ours", 1, 0.3, part="held_out")
    beyond = {"by_recoverable": {"knowledge": {**one.errors["by_recoverable"]["text"], "spans": 2}}}
    rows = worth_tables.rows([one, run("ours", 2, 0.3, part="held_out")], "held_out", "ours")
    assert len(worth_tables.breakdowns(rows)) == 3
    rows = worth_tables.rows([one._replace(beyond=beyond)], "held_out", "ours")
    recall, precision, f05, told, *_ = (table.splitlines() for table in worth_tables.breakdowns(rows))
    assert [cell.strip() for cell in recall[0].split("|")[1:-1]] == ["repaired, of", "spelling (5)", "grammar (3)"]
    assert precision[0].startswith("| precision, of ") and "0.30 (0.20 to 0.40)" in f05[2]
    assert [cell.strip() for cell in told[0].split("|")[1:-1]] == ["repaired, of", "text (8)", "knowledge (2)"]


# The probe


def test_recall_is_told_at_numbers_of_false_alarms() -> None:
    errors = [("spelling", 5.0), ("spelling", 2.0), ("grammar", 1.5), ("grammar", -1.0)]
    found = worth_probe.Margins([3.0, 1.0, 0.5, *[-9.0] * 100], errors)
    mean, first, second, spelling, grammar = worth_probe.figures(found, 10, ["spelling", "grammar"])
    assert (first, second) == ("0.750", "0.750"), "one alarm at 3, and what is surer than the next, at 1"
    assert (spelling, grammar) == ("100 %", "50 %")
    assert float(mean) == pytest.approx((3 + 3 + 4 + 4) / 16, abs=1e-3)


@pytest.mark.fixer
def test_margins_are_those_of_the_logits_along_the_bad_text() -> None:
    torch = pytest.importorskip("torch")
    from fixer.examples import end_ids
    from fixer.loading import TINY, add_lora, load_base, load_tokenizer
    from fixer.prompts import PromptStyle

    tokenizer, style = load_tokenizer(TINY), PromptStyle()
    model = add_lora(load_base(TINY, bits=32, device=torch.device("cpu")), r=8, alpha=16, dropout=0, seed=1)
    rows = [real(1, "a/p"), real(22, "bb/p")]
    texts = [worth_probe.encoded(tokenizer, style, row) for row in rows]
    ends = end_ids(tokenizer, style)
    found = worth_probe.margins(model, texts, ends)
    ((place, token, category),) = texts[0].errors
    good = tokenizer(rows[0]["good"], add_special_tokens=False)["input_ids"]
    assert category == "spelling" and good[:place] == texts[0].tokens[:place] and good[place] == token
    assert len(found.errors) == 2
    assert len(found.elsewhere) == sum(len(text.tokens) - len(worth_probe._NEAR) for text in texts)
    with torch.no_grad():
        logits = model(torch.tensor([texts[0].prompt + texts[0].tokens])).logits[0, len(texts[0].prompt) - 1 :]
    expected = float(logits[place, token] - logits[place, texts[0].tokens[place]])
    assert min(abs(margin - expected) for _, margin in found.errors) < 1e-3


# All of it


@pytest.mark.slow
@pytest.mark.fixer
def test_it_runs_adds_to_what_is_there_and_does_nothing_twice(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    pairs = tmp_path / "real.jsonl"
    told = [real(number, f"{owner}/p") for owner in "abcd" for number in range(30)]
    worth_pairs.write(pairs, [*told, *(real(40, f"{owner}/p", recoverable="knowledge") for owner in "abcd")])
    usual = ["--docs", str(ROOT / "sample_docs"), "--real", str(pairs), "--model", "debug-tiny", "--debug_tiny"]
    usual += ["--work", str(tmp_path / "work"), "--target_tokens", "4000", "--texts", "1", "--clean", "1"]
    usual += ["--beyond", "1", "--recipe", "--epochs 1 --max_steps 1", "--seeds", "1", "--keep_bias", "0,1"]
    assert bench_worth.main([*usual, "--sources", "realistic,copy"]) == 0
    said = capsys.readouterr()
    assert "| realistic |" in said.out and "| copy " in said.out and "Traceback" not in said.err
    adapter = tmp_path / "work" / "runs" / "realistic-1" / "adapter" / "adapter_model.safetensors"
    before = adapter.stat().st_mtime_ns
    variant = ["--variant", "light=--severity light --lora_r 4", "--variant", "wary=--keep_bias 1"]
    variant += ["--variant", "brief=--train_target_format edits", "--held_out", "--last"]
    assert bench_worth.main([*usual, "--sources", "realistic,copy,codespell,real", *variant]) == 0
    said = capsys.readouterr()
    assert adapter.stat().st_mtime_ns == before
    assert "| knowledge (1) |" in " ".join(said.out.split())
    assert "## Owners held out\n" in said.out and "## Owners held out, in the last run\n" in said.out
    assert "| light " in said.out.partition("## One change at a time")[2]
    assert "`realistic`: `data_prep.py --profile profiles/realistic.json --n-per-doc 1" in said.out
    assert "codespell: left out, --tools names no interpreter" in said.err
    content = json.loads((tmp_path / "work" / "worth.json").read_text())
    assert len(content["runs"]) == 11
    biases = {run["source"]: run["keep_bias"] for run in content["runs"]}
    assert biases == {"copy": None, "realistic": 0.0, "real": 0.0, "light": 0.0, "wary": None, "brief": None}
    assert [run["part"] for run in content["runs"] if run["source"] == "real"] == ["held_out", "last"]
    learned = worth_pairs.read(tmp_path / "work" / "pairs" / "real-1.jsonl")
    asked = worth_pairs.read(tmp_path / "work" / "real" / "held_out.all.jsonl")
    assert learned and not {row["id"] for row in learned} & {row["id"] for row in asked}
    lengths = [
        len(worth_pairs.read(tmp_path / "work" / "pairs" / f"{name}-1.jsonl")) for name in ("realistic", "brief")
    ]
    assert lengths[0] < lengths[1], "an answer of edits alone is shorter than the text"
    assert content["options"]["variant"] == [word for word in variant if "=" in word]
    assert not (tmp_path / "work" / "runs" / "wary-1" / "adapter").exists()
    assert str(tmp_path) not in json.dumps(content)
    assert (tmp_path / "work" / "worth.held_out.png").read_bytes().startswith(b"\x89PNG")
    assert worth_probe.main([str(adapter.parent), "--real", str(pairs), "--texts", "4"]) == 0
    assert "| realistic-1 |" in capsys.readouterr().out


def test_an_unknown_source_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_:
        bench_worth.main(["--docs", ".", "--real", "x", "--model", "m", "--work", "w", "--sources", "typos"])
    assert exit_.value.code == 2 and "realistic" in capsys.readouterr().err
