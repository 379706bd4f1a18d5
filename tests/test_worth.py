"""benchmarks.worth: the real pairs, the pairs to train on, the steps, the tables and the probe."""

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

from hypothesis import given
from hypothesis import strategies as st

from benchmarks.peers import correctors, noise
from benchmarks.shared import halve_by_owner
from benchmarks.worth import sources, steps, tables, texts
from benchmarks.worth.__main__ import main
from benchmarks.worth.options import Options, build_parser
from benchmarks.worth.run import Benchmark
from degraders.errors import UserError
from scoring.figures import Figure

if sys.platform == "win32":
    pytest.skip("the benchmark needs os.wait4", allow_module_level=True)

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


# Real pairs


@given(ROWS)
def test_halves_contain_everything_and_share_no_owner(rows: list[tuple[str, str, int]]) -> None:
    first, second = halve_by_owner(rows, lambda row: f"{row[0]}/{row[1]}")
    assert Counter(first) + Counter(second) == Counter(rows)
    assert not {row[0] for row in first} & {row[0] for row in second}
    largest = max(Counter(row[0] for row in rows).values(), default=0)
    assert abs(len(first) - len(second)) <= largest


@given(st.lists(st.sampled_from("abc"), max_size=40), st.integers(1, 30))
def test_no_project_gets_more_turns_than_one_with_texts_in_reserve(repos: list[str], limit: int) -> None:
    rows = [{"id": str(number), "repo": repo} for number, repo in enumerate(repos)]
    selected = Counter(row["repo"] for row in texts.select_by_turns(rows, limit))
    assert selected.total() == min(limit, len(rows))
    remaining = Counter(repos) - selected
    assert all(selected[less] >= selected[more] - 1 for less in remaining for more in selected)


def test_only_usable_pairs_are_evaluated_and_clean_texts_are_other_texts() -> None:
    rows = [real(number, f"{owner}/p") for owner in "abcd" for number in range(6)]
    rows += [real(7, "a/p", recoverable="knowledge"), real(8, "a/p", in_lab_corpus=True)]
    rows += [real(9, "a/p", good="x" * 500, bad="x" * 499, edits=[])]
    parts = texts.divide_real_pairs(rows, errors=8, clean=50, beyond=5, recoverable=["text"], max_chars=400)
    tuning, held_out = parts[texts.TUNING], parts[texts.HELD_OUT]
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


def evaluated_ids(part: texts.Part) -> set[str]:
    return {row["id"] for row in (*part.errors, *part.clean, *part.beyond)}


def test_the_last_part_has_all_remaining_texts_of_the_held_out_owners() -> None:
    rows = [real(number, f"{owner}/p") for owner in "abcd" for number in range(30)]
    rows += [real(40 + number, f"{owner}/p", recoverable="knowledge") for owner in "abcd" for number in range(6)]
    parts = texts.divide_real_pairs(rows, errors=9, clean=12, beyond=2, recoverable=["text"], max_chars=400)
    held_out, last = parts[texts.HELD_OUT], parts[texts.LAST]
    assert last.all == held_out.all
    used, new = evaluated_ids(held_out), evaluated_ids(last)
    remaining = [row for row in held_out.all if row["recoverable"] == "text" and row["id"] not in used]
    assert {row["id"] for row in last.errors} == {row["id"] for row in remaining}
    assert len(held_out.errors) == 9 and last.clean and len(last.beyond) == 2
    assert not used & new and new <= {row["id"] for row in held_out.all}


# Pairs to train on


@given(st.lists(st.integers(1, 40), min_size=1, max_size=30), st.integers(1, 300), st.integers(0, 3), st.randoms())
def test_the_selected_rows_fill_the_budget(sizes: list[int], budget: int, seed: int, random: Any) -> None:
    rows = [
        {"id": str(number), "good": "x" * size, "variant": number % 2, "split": "test"}
        for number, size in enumerate(sizes)
    ]
    cost = {row["id"]: len(row["good"]) + 1 for row in rows}
    if sum(cost.values()) < budget:
        with pytest.raises(UserError, match="--n_per_doc"):
            texts.select_within_budget(rows, chars, budget, seed)
        return
    selected = texts.select_within_budget(rows, chars, budget, seed)
    spent = sum(cost[row["id"]] for row in selected)
    assert spent <= budget
    assert all("split" not in row for row in selected)
    assert [row["variant"] for row in selected] == sorted(row["variant"] for row in selected)
    more = texts.select_within_budget([*rows, {"id": "z", "good": "x" * budget, "variant": 9}], chars, budget, seed)
    assert more == selected, "a later row changes nothing"
    random.shuffle(rows)
    assert texts.select_within_budget(rows, chars, budget, seed) == selected
    remaining = [cost[row["id"]] for row in rows if row["id"] not in {row["id"] for row in selected}]
    assert spent == budget if not remaining else spent + max(remaining) > budget


def test_a_real_pair_becomes_a_training_record() -> None:
    pair = real(1, "a/p")
    row = texts.training_record(pair)
    assert texts.select_within_budget([row], chars, len(row["good"]) + 1, 0) == [row]
    assert (row["id"], row["bad"], row["good"]) == ("a/p-1", pair["bad"], pair["good"])


def test_other_libraries_get_words_of_prose_and_the_number_of_our_errors() -> None:
    good = "# Start the server\n\nPass `start` to [the server](http://start.example) quickly:\n\n"
    good += "```\nstart the server\n```\n"
    row = {"id": "a", "doc_id": "a.md", "context": "", "format": "markdown", "good": good, "spans": [{}, {}]}
    ranges, request = texts.noise_request(row, 1)
    assert request["count"] == 2
    assert set(request["words"]) == {"Start", "the", "server", "Pass", "quickly"}
    noisy = texts.apply_noise(row, ranges, [(number, "zz") for number in range(len(ranges))])
    assert noisy["bad"].endswith("\n\n```\nstart the server\n```\n") and "http://start.example" in noisy["bad"]
    assert "`start`" in noisy["bad"] and noisy["bad"].count("zz") == len(ranges) and noisy["good"] == good
    assert texts.apply_noise(row, ranges, [])["bad"] == good
    assert texts.noise_request(row, 2)[0] != ranges


def test_noise_tries_the_next_word_where_a_library_changes_nothing() -> None:
    upper = noise.misspell(str.upper, ["A", "b", "C", "d", "e"], 2)
    assert upper == [(1, "B"), (3, "D")]
    assert noise.misspell(str.upper, ["a"], 0) == []
    assert noise.misspell(lambda word: "", ["a"], 1) == []


def test_suggestions_are_applied_outside_protected_ranges() -> None:
    text = "the the sever runs `sever`"
    changes = [(20, 25, "server"), (4, 8, ""), (8, 13, "server"), (0, 9, "x")]
    assert correctors.apply_changes(text, changes[:3]) == "the server runs `server`"
    assert correctors.apply_changes(text, changes[:3], [(19, 26)]) == "the server runs `sever`"
    assert correctors.apply_changes(text, changes) == "xever runs `server`"
    assert correctors.apply_changes(text, [(8, 8, "new ")]) == "the the new sever runs `sever`"


# Steps


def test_a_step_runs_once_continues_and_starts_again_for_another_signature(tmp_path: Path) -> None:
    marker, product = tmp_path / "step.json", tmp_path / "product"
    contents: list[list[str]] = []

    def work() -> float:
        contents.append(sorted(path.name for path in product.iterdir()) if product.exists() else [])
        product.mkdir(exist_ok=True)
        (product / f"part{len(contents)}").touch()
        if len(contents) == 1:
            raise steps.ScriptError("interrupted", 1.5)
        return 2.5

    with pytest.raises(UserError, match="interrupted"):
        steps.run_once(marker, {"a": 1}, product, work)
    assert steps.run_once(marker, {"a": 1}, product, work) == 4.0, "the time before an interruption counts"
    assert steps.run_once(marker, {"a": 1}, product, work) == 4.0
    assert contents == [[], ["part1"]], "the second attempt continues from the files of the first, a third does not run"
    steps.run_once(marker, {"a": 2}, product, work)
    assert contents[2:] == [[]], "the product of another signature is deleted"


def test_a_failed_script_has_no_output_and_an_error_message(tmp_path: Path) -> None:
    log, output = tmp_path / "log", tmp_path / "out"
    with pytest.raises(steps.ScriptError, match=r"noise.py ended with 1: KeyError: 'nothing'") as error:
        steps.call_script("benchmarks/peers/noise.py", ["nothing", "1"], tmp_path, log, output=output)
    assert error.value.cpu_seconds > 0 and not output.exists()
    assert steps.call_script("data_prep.py", ["--version"], tmp_path, log, output=output) > 0
    assert output.read_text().startswith("data_prep.py ")


def test_a_script_that_draws_from_a_set_repeats_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(steps, "ROOT", tmp_path)
    (tmp_path / "draws.py").write_text("print(list({str(number) for number in range(99)}))")
    outputs = [tmp_path / "first", tmp_path / "second"]
    for output in outputs:
        steps.call_script("draws.py", [], tmp_path, tmp_path / "log", output=output)
    assert outputs[0].read_text() == outputs[1].read_text()


def test_running_scripts_can_be_stopped(tmp_path: Path) -> None:
    source = tmp_path / "fifo"
    os.mkfifo(source)
    silent = os.open(source, os.O_RDWR)  # the script waits for a line that does not come
    with ThreadPoolExecutor() as pool:
        call = ("benchmarks/peers/correctors.py", ["codespell"], tmp_path, tmp_path / "log")
        future = pool.submit(steps.call_script, *call, source=source)
        while not steps._process_ids:
            time.sleep(0.01)
        steps.stop_scripts()
        with pytest.raises(UserError, match="ended with -15"):
            future.result(timeout=30)
    os.close(silent)
    assert not steps._process_ids


# Variants


def test_options_of_a_variant_go_to_the_script_that_has_them() -> None:
    variant = sources.parse_variant(
        "few='--severity' light --span_weight 3 --allow-lossy --exclude style llm --keep_bias 1"
    )
    assert variant.name == "few" and variant.base == "realistic" and variant.trained
    assert variant.data_options == ("--severity", "light", "--allow-lossy", "--exclude", "style", "llm")
    assert variant.train_options == ("--span_weight", "3")
    assert variant.eval_options == ("--keep_bias", "1")


def test_a_variant_with_only_options_of_eval_uses_the_adapter_of_its_base() -> None:
    wary, long = (sources.parse_variant(text) for text in ("wary=--keep_bias 1", "long=--max_chars 900 --keep_bias 1"))
    assert sources.Task(wary, 2).learner.name == "realistic-2"
    assert sources.Task(long, 2).learner.name == "long-2"


def test_a_variant_has_the_options_of_its_base(tmp_path: Path) -> None:
    (tmp_path / "real.jsonl").touch()
    paths = {"--docs": tmp_path, "--real": tmp_path / "real.jsonl", "--model": "m", "--work": tmp_path}
    words = [*(str(word) for pair in paths.items() for word in pair), "--sources", "copy", "--seeds", "1"]
    words += ["--vary", "surface", "--variant", "wary=--keep_bias 1", "--variant", "long=--max_chars 900"]
    benchmark = Benchmark(Options(**vars(build_parser(None).parse_args(words))))
    copy, wary, long = benchmark.tasks()
    assert wary.learner.name == "surface-1" and long.learner is long and copy.source.base == ""
    base = ("--degraders", "spelling", "grammar")
    assert wary.source.data_options == wary.learner.source.data_options == base
    assert long.source.data_options == (*base, "--max_chars", "900")


def test_an_option_that_no_script_has_is_wrong_usage() -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="--no_such"):
        sources.parse_variant("odd=--no_such 1")


# Tables


def result(source: str, seed: int | None, value: float, *, guarded: bool = True, **changed: Any) -> tables.Result:
    figure = {"value": value, "low": value - 0.1, "high": value + 0.1}
    figures: dict[str, Any] = {"model": dict.fromkeys([*tables.FIGURE_TITLES, "identity_altered"], figure)}
    if guarded:
        figures["unguarded"] = {"repair_f05": {"value": value / 2, "low": 0.0, "high": 1.0}}
    kind = {"model": dict.fromkeys(tables.KIND_TITLES, figure)}
    labels = {"grammar": {"spans": 3, **kind}, "spelling": {"spans": 5, **kind}}
    summary = {"figures": figures, "by_label": labels, "by_recoverable": {"text": {"spans": 8, **kind}}}
    counts = [(1.0, 0.0, 1.0), (0.0, 1.0, 2.0)]
    return tables.Result(source, seed, "tuning", summary, summary, 10.0, 4.0, counts=counts)._replace(**changed)


def test_a_row_is_the_mean_of_its_seeds() -> None:
    results = [result("b", 1, 0.2), result("a", None, 0.9, guarded=False), result("b", 2, 0.4, training=30.0)]
    results += [result("b", 1, 0.7, part="held_out")]
    ours, tool = tables.rows(results, "tuning", "b")
    assert (ours.source, ours.seeds, ours.training, ours.answering) == ("b", 2, 20.0, 4.0)
    assert ours.figures["repair_f05"] == pytest.approx((0.3, 0.2, 0.4))
    assert ours.unguarded == pytest.approx((0.15, 0.0, 1.0))
    assert list(ours.categories) == ["spelling", "grammar"] and ours.categories["spelling"].spans == 5
    assert list(ours.recoverability) == ["text"]
    assert ours.recoverability["text"].figures["f05"] == pytest.approx((0.3, 0.2, 0.4))
    assert tool.unguarded == tool.figures["repair_f05"] == pytest.approx((0.9, 0.8, 1.0))
    assert ours.difference is None and tool.difference == (0.0, 0.0, 0.0)
    assert [row.source for row in tables.rows(results, "held_out", "b")] == ["b"]


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=20), st.data())
def test_a_difference_compares_the_same_texts(counts: list[tuple[float, float, float]], data: st.DataObject) -> None:
    assert tables.f05_difference([counts], [counts, counts]) == (0.0, 0.0, 0.0)
    other = data.draw(st.permutations(counts))
    ahead, behind = tables.f05_difference([counts], [other]), tables.f05_difference([other], [counts])
    assert ahead and behind and ahead == pytest.approx((-behind[0], -behind[2], -behind[1]))
    assert ahead[0] == pytest.approx(0), "the same counts in another order"
    more = [(right + 1, wrong, remaining) for right, wrong, remaining in counts]
    gain = tables.f05_difference([more], [counts])
    assert gain and min(gain) > -1e-9


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=4))
def test_an_average_is_the_mean_and_unknown_if_one_figure_is(values: list[tuple[float, float, float]]) -> None:
    figures = [Figure(*value) for value in values]
    average = tables.average(figures)
    assert average is not None
    for place, value in enumerate(average):
        assert value == pytest.approx(math.fsum(figure[place] for figure in figures) / len(figures))
    assert tables.average([*figures, None]) is None


def test_tables_are_aligned_markdown() -> None:
    idle = result("none", None, 0.004)
    idle.errors["figures"]["model"] |= {
        "repair_precision": {"value": 1.0, "low": 1.0, "high": 1.0},
        "repair_recall": {"value": 0.0, "low": 0.0, "high": 0.0},
    }
    rows = tables.rows([result("realistic", 1, 0.3), idle], "tuning", "")
    lines = tables.main_table(rows, "").splitlines()
    assert len({len(line) for line in lines}) == 1 and len(lines) == 4
    assert "0.30 (0.20 to 0.40)" in lines[2] and "| 30 % |" in " ".join(lines[2].split()) and " - |" in lines[3]
    assert "0.30 (0.20 to 0.40) | 0.30 (0.20 to 0.40) | 0.30 (0.20 to 0.40)" in " ".join(lines[2].split())
    assert " 1.00" not in lines[3], "without attempts there is no precision"
    assert tables.format_figure(Figure(0.0, 0.0, 0.0), share=True) == "0 %"
    assert tables.format_figure(Figure(0.013, 0.0, 0.0), share=True) == "1.3 %"
    assert tables.format_figure(Figure(-0.001, -0.05, 0.04), interval=True) == "0.00 (-0.05 to 0.04)"


def test_each_figure_has_a_table_by_category_and_by_recoverability() -> None:
    one = result("ours", 1, 0.3, part="held_out")
    beyond = {"by_recoverable": {"knowledge": {**one.errors["by_recoverable"]["text"], "spans": 2}}}
    rows = tables.rows([one, result("ours", 2, 0.3, part="held_out")], "held_out", "ours")
    assert len(tables.breakdown_tables(rows)) == 3
    rows = tables.rows([one._replace(beyond=beyond)], "held_out", "ours")
    recall, precision, f05, recall_by_recoverability, *_ = (t.splitlines() for t in tables.breakdown_tables(rows))
    assert [cell.strip() for cell in recall[0].split("|")[1:-1]] == ["recall", "spelling (5)", "grammar (3)"]
    assert precision[0].startswith("| precision ") and "0.30 (0.20 to 0.40)" in f05[2]
    cells = [cell.strip() for cell in recall_by_recoverability[0].split("|")[1:-1]]
    assert cells == ["recall", "text (8)", "knowledge (2)"]


# The probe


def test_recall_is_measured_at_rates_of_false_alarms() -> None:
    pytest.importorskip("torch")
    from benchmarks.worth import probe

    errors = [("spelling", 5.0), ("spelling", 2.0), ("grammar", 1.5), ("grammar", -1.0)]
    margins = probe.Margins([3.0, 1.0, 0.5, *[-9.0] * 100], errors)
    mean, first, second, spelling, grammar = probe.recall_cells(margins, 10, ["spelling", "grammar"])
    assert (first, second) == ("0.750", "0.750"), "one alarm at 3, and all margins above the next one, at 1"
    assert (spelling, grammar) == ("100 %", "50 %")
    assert float(mean) == pytest.approx((3 + 3 + 4 + 4) / 16, abs=1e-3)


@pytest.mark.fixer
def test_margins_are_those_of_the_logits_along_the_bad_text() -> None:
    torch = pytest.importorskip("torch")
    from benchmarks.worth import probe
    from fixer.examples import end_ids
    from fixer.loading import TINY, add_lora, load_base, load_tokenizer
    from fixer.prompts import PromptStyle

    tokenizer, style = load_tokenizer(TINY), PromptStyle()
    model = add_lora(load_base(TINY, bits=32, device=torch.device("cpu")), r=8, alpha=16, dropout=0, seed=1)
    rows = [real(1, "a/p"), real(22, "bb/p")]
    encoded = [probe.encode(tokenizer, style, row) for row in rows]
    ends = end_ids(tokenizer, style)
    margins = probe.measure_margins(model, encoded, ends)
    ((place, token, category),) = encoded[0].errors
    good = tokenizer(rows[0]["good"], add_special_tokens=False)["input_ids"]
    assert category == "spelling" and good[:place] == encoded[0].tokens[:place] and good[place] == token
    assert len(margins.errors) == 2
    assert len(margins.elsewhere) == sum(len(text.tokens) - len(probe.NEAR_ERROR) for text in encoded)
    with torch.no_grad():
        logits = model(torch.tensor([encoded[0].prompt + encoded[0].tokens])).logits[0, len(encoded[0].prompt) - 1 :]
    expected = float(logits[place, token] - logits[place, encoded[0].tokens[place]])
    assert min(abs(margin - expected) for _, margin in margins.errors) < 1e-3


# The whole benchmark


@pytest.mark.slow
@pytest.mark.fixer
def test_a_second_command_adds_to_the_results_and_repeats_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from benchmarks.worth import probe

    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    pairs = tmp_path / "real.jsonl"
    rows = [real(number, f"{owner}/p") for owner in "abcd" for number in range(30)]
    texts.write_records(pairs, [*rows, *(real(40, f"{owner}/p", recoverable="knowledge") for owner in "abcd")])
    usual = ["--docs", str(ROOT / "sample_docs"), "--real", str(pairs), "--model", "debug-tiny", "--debug_tiny"]
    usual += ["--work", str(tmp_path / "work"), "--target_tokens", "4000", "--texts", "1", "--clean", "1"]
    usual += ["--beyond", "1", "--train_options", "--epochs 1 --max_steps 1", "--seeds", "1", "--keep_bias", "0,1"]
    assert main([*usual, "--sources", "realistic,copy"]) == 0
    printed = capsys.readouterr()
    assert "| realistic |" in printed.out and "| copy " in printed.out and "Traceback" not in printed.err
    adapter = tmp_path / "work" / "runs" / "realistic-1" / "adapter" / "adapter_model.safetensors"
    before = adapter.stat().st_mtime_ns
    variant = ["--variant", "light=--severity light --lora_r 4", "--variant", "wary=--keep_bias 1"]
    variant += ["--variant", "brief=--train_target_format edits", "--held_out", "--last"]
    assert main([*usual, "--sources", "realistic,copy,codespell,real", *variant]) == 0
    printed = capsys.readouterr()
    assert adapter.stat().st_mtime_ns == before
    assert "| knowledge (1) |" in " ".join(printed.out.split())
    assert "## Held-out owners\n" in printed.out and "## Held-out owners, last run\n" in printed.out
    assert "| light " in printed.out.partition("## Variants of realistic, one change each")[2]
    assert "`realistic`: `data_prep.py --profile profiles/realistic.json --n-per-doc 1" in printed.out
    assert "codespell: skipped; --tools names no interpreter" in printed.err
    content = json.loads((tmp_path / "work" / "worth.json").read_text())
    assert len(content["runs"]) == 11
    biases = {run["source"]: run["keep_bias"] for run in content["runs"]}
    assert biases == {"copy": None, "realistic": 0.0, "real": 0.0, "light": 0.0, "wary": None, "brief": None}
    assert [run["part"] for run in content["runs"] if run["source"] == "real"] == ["held_out", "last"]
    trained = texts.read_records(tmp_path / "work" / "pairs" / "real-1.jsonl")
    evaluated = texts.read_records(tmp_path / "work" / "real" / "held_out.all.jsonl")
    assert trained and not {row["id"] for row in trained} & {row["id"] for row in evaluated}
    lengths = [
        len(texts.read_records(tmp_path / "work" / "pairs" / f"{name}-1.jsonl")) for name in ("realistic", "brief")
    ]
    assert lengths[0] < lengths[1], "a target of edits alone is shorter than the text"
    assert content["options"]["variant"] == [word for word in variant if "=" in word]
    assert not (tmp_path / "work" / "runs" / "wary-1" / "adapter").exists()
    assert str(tmp_path) not in json.dumps(content)
    assert (tmp_path / "work" / "worth.held_out.png").read_bytes().startswith(b"\x89PNG")
    assert probe.main([str(adapter.parent), "--real", str(pairs), "--texts", "4"]) == 0
    assert "| realistic-1 |" in capsys.readouterr().out


def test_an_unknown_source_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_:
        main(["--docs", ".", "--real", "x", "--model", "m", "--work", "w", "--sources", "typos"])
    assert exit_.value.code == 2 and "realistic" in capsys.readouterr().err
