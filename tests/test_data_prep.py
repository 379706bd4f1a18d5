"""The command line of stage 1, as users meet it: its files, its messages, its errors."""

from __future__ import annotations

import gc
import gzip
import json
import os
import resource
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import FrozenInstanceError, replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import cli
import data_prep
from data_prep import Options
from degraders.dataset.records import RECORD_FIELDS, SPAN_FIELDS, check_record, read_records
from degraders.dataset.workers import worker_pool
from degraders.errors import UserError
from degraders.files import sha256_file

ROOT = Path(__file__).resolve().parents[1]
SAMPLES = ROOT / "sample_docs"


def prepare(*arguments: object) -> int:
    return data_prep.main([str(argument) for argument in arguments])


def exit_code(*arguments: object) -> int:
    """The code of an exit by argparse."""
    with pytest.raises(SystemExit) as error:
        prepare(*arguments)
    return int(error.value.code or 0)


def run_script(*arguments: object, **settings: Any) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "data_prep.py"), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, **settings)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("dataset") / "dataset.jsonl"
    assert prepare("--input", SAMPLES, "--output", output, "--preview", output.with_name("preview.html")) == 0
    return output


def rows(path: Path) -> list[dict[str, Any]]:
    return list(read_records(path))


def test_every_record_is_exact_and_its_keys_are_in_order(dataset: Path) -> None:
    for line in dataset.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        assert tuple(row) == RECORD_FIELDS
        assert all(tuple(span) == SPAN_FIELDS for span in row["spans"])
        assert check_record(row) == []
        assert row["labels"] == sorted({span["label"] for span in row["spans"]})
        assert (row["severity"] == 0) == (row["bad"] == row["good"])
    assert len({row["id"] for row in rows(dataset)}) == len(rows(dataset))


def test_the_good_text_is_in_its_source_byte_for_byte(dataset: Path) -> None:
    for row in rows(dataset):
        source = (SAMPLES / row["doc_id"]).read_bytes()
        assert row["good"].encode() in source
    assert any("\r\n" in row["good"] for row in rows(dataset))


def test_lossy_errors_need_allow_lossy(dataset: Path, tmp_path: Path) -> None:
    assert not any(span["recoverable"] == "D" for row in rows(dataset) for span in row["spans"])
    assert prepare("--input", SAMPLES, "--output", tmp_path / "d.jsonl", "--allow-lossy") == 0
    assert any(span["recoverable"] == "D" for row in rows(tmp_path / "d.jsonl") for span in row["spans"])


def test_only_errors_of_the_requested_classes_are_made(tmp_path: Path) -> None:
    assert prepare("--input", SAMPLES, "--output", tmp_path / "a.jsonl", "--recoverable", "c,A") == 0
    assert {span["recoverable"] for row in rows(tmp_path / "a.jsonl") for span in row["spans"]} == {"A", "C"}
    for wrong in ("D", "", "AX"):
        with pytest.raises(SystemExit):
            prepare("--input", SAMPLES, "--output", tmp_path / "b.jsonl", "--recoverable", wrong)


def is_list_marker(span: dict[str, Any]) -> bool:
    return span["label"] == "markup.list_markers"


def test_the_numbers_of_a_recoverable_error_are_still_in_the_text(dataset: Path) -> None:
    for row in rows(dataset):
        for span in row["spans"]:
            numbers = [word for word in span["good"].split() if word.isdecimal() and not is_list_marker(span)]
            assert all(number in row["bad"] or number in row["context"] for number in numbers)


def test_no_document_is_in_two_splits(dataset: Path) -> None:
    splits: dict[str, set[str]] = {}
    for row in rows(dataset):
        splits.setdefault(row["doc_id"], set()).add(row["split"])
    assert all(len(names) == 1 for names in splits.values())


def test_the_manifest_counts_the_records_and_names_the_options(dataset: Path) -> None:
    manifest = json.loads(dataset.with_name("dataset.manifest.json").read_text(encoding="utf-8"))
    written = rows(dataset)
    counts = manifest["counts"]
    assert manifest["output"]["sha256"] == sha256_file(dataset)
    assert manifest["output"]["records"] == counts["records"] == len(written)
    assert counts["labels"] | {} == {
        **dict.fromkeys(counts["labels"], 0),
        **Counter(span["label"] for row in written for span in row["spans"]),
    }
    rejected = sum(count for reason, count in manifest["rejects"].items() if reason.startswith("variant"))
    assert counts["units kept"] * 3 == len(written) + rejected
    assert manifest["seed"] == 42 and manifest["version"] and manifest["options"]["n_per_doc"] == 3
    assert list(manifest)[:3] == ["tool", "version", "seed"] and manifest["tool"] == "data_prep.py"
    assert "rapidfuzz" in manifest["packages"] and manifest["options"]["text_field"] == "text"


def test_the_preview_has_sixty_records(dataset: Path) -> None:
    page = dataset.with_name("preview.html").read_text(encoding="utf-8")
    assert page.count("<article") == 60
    assert "http://" not in page.split("<article")[0]


def test_the_bytes_depend_only_on_input_options_and_seed(dataset: Path, tmp_path: Path) -> None:
    for number, hash_seed in enumerate(("0", "1")):
        output = tmp_path / f"{number}.jsonl"
        environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
        done = run_script("--input", SAMPLES, "--output", output, "--workers", 1 + number, env=environment)
        assert done.returncode == 0, done.stderr
        assert output.read_bytes() == dataset.read_bytes()


def test_many_processes_write_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(data_prep, "BYTES_PER_WORKER", 1)
    for workers in (1, 2, 3):
        assert prepare("--input", SAMPLES, "--output", tmp_path / f"{workers}.jsonl", "--workers", workers) == 0
    assert len({(tmp_path / f"{workers}.jsonl").read_bytes() for workers in (1, 2, 3)}) == 1


def test_another_document_changes_no_other_records(tmp_path: Path) -> None:
    docs = tmp_path / "docs"
    docs.mkdir()
    for name in ("guide/encryption.md", "guide/retention.md"):
        (docs / Path(name).name).write_bytes((SAMPLES / name).read_bytes())
    assert prepare("--input", docs, "--output", tmp_path / "a.jsonl") == 0
    (docs / "added.md").write_text("# Added\n\nAn added page that says something of its own, at some length.\n")
    assert prepare("--input", docs, "--output", tmp_path / "b.jsonl") == 0
    before, after = rows(tmp_path / "a.jsonl"), rows(tmp_path / "b.jsonl")
    assert before == [row for row in after if row["doc_id"] != "added.md"] != after


def test_jsonl_gzip_and_parquet_hold_the_same_records(dataset: Path, tmp_path: Path) -> None:
    import pyarrow.parquet

    for ending in ("jsonl.gz", "parquet"):
        assert prepare("--input", SAMPLES, "--output", tmp_path / f"d.{ending}") == 0
    assert gzip.decompress((tmp_path / "d.jsonl.gz").read_bytes()) == dataset.read_bytes()
    assert pyarrow.parquet.read_table(tmp_path / "d.parquet").to_pylist() == rows(dataset)


def test_datasets_reads_a_data_set_as_it_is(dataset: Path, tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    loaded = datasets.load_dataset("json", data_files=str(dataset), split="train", cache_dir=str(tmp_path))
    assert loaded.column_names == list(RECORD_FIELDS)
    assert loaded.to_list() == rows(dataset)


def test_jsonl_input(tmp_path: Path) -> None:
    source = tmp_path / "in.jsonl"
    good = (SAMPLES / "guide/retention.md").read_text(encoding="utf-8")
    lines = [{"id": "one", "body": good}, {"id": "two", "other": 1}, {"id": "one", "body": good}]
    source.write_text("".join(json.dumps(line) + "\n" for line in lines) + "{broken\n")
    assert prepare("--input", source, "--output", tmp_path / "d.jsonl", "--text-field", "body") == 0
    assert {row["doc_id"] for row in rows(tmp_path / "d.jsonl")} == {"one"}
    manifest = json.loads((tmp_path / "d.manifest.json").read_text())
    assert manifest["skipped"]["documents"] == {"bad row": 2, "duplicate id": 1}


def test_the_same_identity_pair_never_occurs_twice(tmp_path: Path) -> None:
    common = ("--input", SAMPLES, "--n-per-doc", 8, "--output", tmp_path / "d.jsonl")
    assert prepare(*common, "--identity-rate", 0.5) == 0
    identities = [(row["doc_id"], row["good"]) for row in rows(tmp_path / "d.jsonl") if not row["spans"]]
    assert len(identities) == len(set(identities)) > 100


def test_the_shares_of_special_records_are_as_requested(tmp_path: Path) -> None:
    common = ("--input", SAMPLES, "--n-per-doc", 8, "--force", "--output", tmp_path / "d.jsonl")
    assert prepare(*common, "--n-per-doc", 1, "--identity-rate", 0.5) == 0
    records = rows(tmp_path / "d.jsonl")
    assert 0.4 < sum(not row["spans"] for row in records) / len(records) < 0.6
    assert prepare(*common, "--identity-rate", 0) == 0
    assert all(row["spans"] for row in rows(tmp_path / "d.jsonl"))
    assert prepare(*common, "--single-fault-rate", 1, "--identity-rate", 0) == 0
    assert all(len(row["spans"]) == 1 for row in rows(tmp_path / "d.jsonl"))
    assert prepare(*common, "--single-fault-rate", 0.5, "--identity-rate", 0) == 0
    records = rows(tmp_path / "d.jsonl")
    assert 0.4 < sum(len(row["spans"]) == 1 for row in records) / len(records) < 0.6


def test_severity_scales_the_number_of_errors(tmp_path: Path) -> None:
    means = []
    for severity in ("light", "medium", "heavy", "20"):
        assert prepare("--input", SAMPLES, "--output", tmp_path / "d.jsonl", "--force", "--severity", severity) == 0
        records = rows(tmp_path / "d.jsonl")
        means.append(sum(len(row["spans"]) for row in records) / len(records))
    assert means == sorted(means) and means[3] > 4 * means[0]


@pytest.mark.parametrize(
    ("included", "excluded", "families"),
    [
        (["spelling"], [], {"spelling"}),
        (["typo"], [], {"spelling"}),
        (["code.*,encoding"], ["encoding.mojibake"], {"code", "encoding"}),
    ],
)
def test_degraders_by_name_family_or_glob(
    tmp_path: Path, included: list[str], excluded: list[str], families: set[str]
) -> None:
    arguments = ["--degraders", *included, *(["--exclude", *excluded] if excluded else [])]
    assert prepare("--input", SAMPLES, "--output", tmp_path / "d.jsonl", *arguments) == 0
    spans = [span for row in rows(tmp_path / "d.jsonl") for span in row["spans"]]
    assert {span["family"] for span in spans} == families
    assert not {span["label"] for span in spans} & set(excluded)


def test_debug_tiny_is_a_small_subset(tmp_path: Path, dataset: Path) -> None:
    assert prepare("--input", SAMPLES, "--output", tmp_path / "d.jsonl", "--debug_tiny") == 0
    tiny = rows(tmp_path / "d.jsonl")
    assert 0 < len(tiny) < len(rows(dataset)) / 2
    assert {row["id"] for row in tiny} <= {row["id"] for row in rows(dataset)}


def test_whole_documents(tmp_path: Path) -> None:
    assert prepare("--input", SAMPLES, "--output", tmp_path / "d.jsonl", "--unit", "document") == 0
    for row in rows(tmp_path / "d.jsonl"):
        source = (SAMPLES / row["doc_id"]).read_bytes().removeprefix(b"\xef\xbb\xbf")
        assert row["good"].encode() == source


def test_list_degraders_is_a_table_with_every_degrader(capsys: pytest.CaptureFixture[str]) -> None:
    from degraders.catalogue import all_degraders

    assert prepare("--list-degraders") == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[1:]] == list(all_degraders())
    assert all(" → " in line for line in lines[1:])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "name the input"),
        (["--input", "sample_docs", "--degraders", "speling"], "did you mean spelling"),
        (["--input", "sample_docs", "--severity", "0.5"], "from 1 to 100"),
        (["--input", "sample_docs", "--n-per-doc", "0"], "from 1 to 10000"),
        (["--input", "sample_docs", "--n-per-doc", "100000000"], "from 1 to 10000"),
        (["--input", "sample_docs", "--workers", "9" * 5000], "from 1 to 1024"),
        (["--input", "sample_docs", "--max-bytes", "9" * 30], "at least 1"),
        (["--input", "sample_docs", "--seed", "-1"], "from 0 to 4294967295"),
        (["--input", "sample_docs", "--seed", str(2**32)], "from 0 to 4294967295"),
        (["--input", "sample_docs", "--identity-rate", "1.5"], "from 0 to 1"),
        (["--input", "sample_docs", "--splits", "1,2,3"], "sum to 1"),
        (["--input", "sample_docs", "--output", "out.csv"], ".parquet"),
        (["--input", "sample_docs", "--no-such-option"], "unrecognized"),
        (["--input", "sample_docs", "--exclude", "*"], "no degraders remain"),
        (["--input", "sample_docs", "--hf_dataset", "x"], "exclude each other"),
        (["--input", "sample_docs", "--report"], "needs --calibrate"),
        (["--input", "sample_docs", "--calibrate", "pairs.jsonl"], "reads pairs"),
        (["--calibrate", "pairs.jsonl"], "must end in .json"),
    ],
)
def test_wrong_usage_exits_with_2(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code(*arguments) == 2
    error = capsys.readouterr().err
    assert message in error and "Traceback" not in error
    assert error.startswith("data_prep.py: ") and error.endswith("; see --help\n") and error.count("\n") == 1


def test_the_options_of_a_run_are_one_frozen_value() -> None:
    options = cli.parse_options(data_prep.build_parser(), ["--input", "x", "--splits", "0.5,0.25,0.25"], Options)
    assert options.fractions == (0.5, 0.25, 0.25) and options.outputs == [Path("dataset.jsonl")]
    with pytest.raises(FrozenInstanceError):
        options.seed = 1  # type: ignore[misc]
    with pytest.raises(UserError, match=r"\.parquet"):
        replace(options, output=Path("out.csv"))


@pytest.mark.parametrize(
    "wrong",
    [{"n_per_doc": 0}, {"unit": "page"}, {"min_words": -1}, {"max_chars": 0}, {"max_units": 0}, {"max_bytes": 0}],
)
def test_pipeline_settings_refuse_wrong_values(wrong: dict[str, Any]) -> None:
    settings = data_prep.make_pipeline_settings(cli.parse_options(data_prep.build_parser(), ["--input", "x"], Options))
    with pytest.raises(ValueError, match=next(iter(wrong))):
        replace(settings, **wrong)


@pytest.mark.parametrize("enabled", [True, False])
@pytest.mark.parametrize("count", [1, 2])
def test_the_garbage_collector_is_off_only_while_workers_run(enabled: bool, count: int) -> None:
    before = gc.isenabled()
    try:
        (gc.enable if enabled else gc.disable)()
        with worker_pool(count) as map_ordered:
            assert list(map_ordered(abs, [-2, 1])) == [2, 1]
            assert not gc.isenabled()
        assert gc.isenabled() == enabled
        with pytest.raises(KeyboardInterrupt), worker_pool(count):
            raise KeyboardInterrupt
        assert gc.isenabled() == enabled
    finally:
        (gc.enable if before else gc.disable)()


def failing(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    assert prepare(*arguments) == 1
    error = capsys.readouterr().err
    assert "Traceback" not in error and error.startswith("data_prep.py: ")
    return error


def test_bad_input_exits_with_1_and_writes_no_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = tmp_path / "out" / "d.jsonl"
    output.parent.mkdir()
    (tmp_path / "empty").mkdir()
    (tmp_path / "code_only").mkdir()
    (tmp_path / "code_only" / "a.md").write_text("```\nx = 1\n```\n")
    assert "gone" in failing(capsys, "--input", tmp_path / "gone", "--output", output)
    assert "empty" in failing(capsys, "--input", tmp_path / "empty", "--output", output)
    assert "no record to write" in failing(capsys, "--input", tmp_path / "code_only", "--output", output)
    assert "no such folder" in failing(capsys, "--input", SAMPLES, "--output", tmp_path / "no" / "d.jsonl")
    assert list(output.parent.iterdir()) == []


def test_an_existing_output_is_replaced_only_with_force(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = tmp_path / "d.jsonl"
    output.write_text("mine")
    assert "--force" in failing(capsys, "--input", SAMPLES, "--output", output)
    assert output.read_text() == "mine"
    output.unlink()
    page = tmp_path / "page.html"
    page.write_text("mine")
    assert "--force" in failing(capsys, "--input", SAMPLES, "--output", output, "--preview", page)
    assert page.read_text() == "mine" and not output.exists()
    assert prepare("--input", SAMPLES, "--output", output, "--preview", page, "--force") == 0


def test_bad_documents_are_skipped_and_good_ones_kept(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    docs = tmp_path / "docs"
    docs.mkdir()
    good = (SAMPLES / "guide/retention.md").read_bytes()
    (docs / "good.md").write_bytes(good)
    (docs / "latin.md").write_bytes(
        "# Café\n\nThe café of the naïve coöperation is the façade of the word.\n".encode("latin-1") * 9
    )
    (docs / "nul.md").write_bytes(good[:500] + b"\0\0" + good[500:])
    (docs / "binary.txt").write_bytes(bytes(range(256)) * 40)
    (docs / "empty.rst").write_bytes(b" \n")
    (docs / "long.md").write_bytes(b"word " * 1_000_000)
    (docs / "copy.md").write_bytes(good)
    (docs / "again").symlink_to(docs)
    assert prepare("--input", docs, "--output", tmp_path / "d.jsonl", "--max-bytes", 4_000_000) == 0
    table = capsys.readouterr().out
    manifest = json.loads((tmp_path / "d.manifest.json").read_text())
    assert manifest["skipped"]["documents"] == {"binary": 2, "empty": 1, "too large": 1, "folder seen before": 1}
    assert manifest["duplicates"]["exact"] == [["copy.md", "good.md"]]
    assert "skipped: binary" in table and "1 groups of the same text" in table
    assert {row["doc_id"] for row in rows(tmp_path / "d.jsonl")} == {"good.md", "copy.md", "latin.md"}


def test_an_error_of_a_degrader_costs_only_its_unit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from degraders.engine import Degradation

    variant = Degradation.variant

    def failing(self: Degradation, number: int) -> Any:
        if self.unit.doc.doc_id == "README.md" and self.unit.index == 1:
            raise ValueError("odd")
        return variant(self, number)

    monkeypatch.setattr(Degradation, "variant", failing)
    assert prepare("--input", SAMPLES, "--output", tmp_path / "d.jsonl", "--workers", 1) == 0
    printed = capsys.readouterr()
    assert "warning: README.md, unit 1: ValueError('odd')" in printed.err
    assert "rejected: unit: internal error" in printed.out
    assert not any(row["id"].startswith("README.md:1:") for row in rows(tmp_path / "d.jsonl"))
    assert any(row["id"].startswith("README.md:0:") for row in rows(tmp_path / "d.jsonl"))


def test_an_error_of_a_parser_costs_only_its_document(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from degraders.text import parse

    scan = parse._PARSERS["markdown"]

    def failing(builder: Any) -> None:
        if builder.text.startswith("# Retention"):
            raise ValueError("odd")
        scan(builder)

    (tmp_path / "docs").mkdir()
    for name in ("retention.md", "encryption.md"):
        (tmp_path / "docs" / name).write_bytes((SAMPLES / "guide" / name).read_bytes())
    monkeypatch.setitem(parse._PARSERS, "markdown", failing)
    assert prepare("--input", tmp_path / "docs", "--output", tmp_path / "d.jsonl", "--workers", 1) == 0
    assert "warning: retention.md: ValueError('odd')" in capsys.readouterr().err
    assert {row["doc_id"] for row in rows(tmp_path / "d.jsonl")} == {"encryption.md"}


def many_docs(folder: Path, copies: int) -> Path:
    folder.mkdir()
    for number in range(copies):
        for path in SAMPLES.rglob("*.md"):
            (folder / f"{number}-{path.name}").write_bytes(path.read_bytes())
    return folder


def test_a_full_disk_is_an_error_and_leaves_no_file(tmp_path: Path) -> None:
    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))

    done = run_script("--input", SAMPLES, "--output", tmp_path / "d.jsonl", preexec_fn=limit)
    assert done.returncode == 1
    assert "nothing was written" in done.stderr and "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.fixture(scope="module")
def large_docs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Documents that take seconds to degrade."""
    return many_docs(tmp_path_factory.mktemp("large") / "docs", 60)


def start_run(docs: Path, output: Path, *arguments: str) -> subprocess.Popen[str]:
    """Start a run as the leader of a new process group, and wait until it writes records."""
    command = [sys.executable, str(ROOT / "data_prep.py"), "--input", str(docs), "--output", str(output), *arguments]
    # A shell starts background commands with SIGINT ignored.
    restore = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    running = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=restore,
        start_new_session=True,
    )
    partial_file = output.with_name(output.name + ".partial")
    while not partial_file.exists() and running.poll() is None:
        time.sleep(0.01)
    return running


@pytest.mark.parametrize("workers", ["1", "2"])
@pytest.mark.parametrize("to_group", [False, True])
@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
def test_a_run_that_is_stopped_leaves_no_output(
    large_docs: Path, tmp_path: Path, sent: signal.Signals, to_group: bool, workers: str
) -> None:
    output = tmp_path / "d.jsonl"
    running = start_run(large_docs, output, "--workers", workers)
    (os.killpg if to_group else os.kill)(running.pid, sent)
    _, error = running.communicate(timeout=20)  # it ends only when the workers, which share stderr, have ended
    killed = sent == signal.SIGKILL
    assert running.returncode == (-sent if killed else 128 + sent)
    assert not output.exists() and not output.with_name("d.manifest.json").exists()
    if not killed:
        assert error == f"\ndata_prep.py: interrupted by {sent.name}; nothing was written\n"
        assert list(tmp_path.iterdir()) == []


def test_two_runs_never_write_one_data_set(large_docs: Path, tmp_path: Path) -> None:
    output = tmp_path / "d.jsonl"
    first = start_run(large_docs, output, "--force")
    for arguments in (["--output", output], ["--output", output.with_suffix(".parquet")], ["--preview", output]):
        second = run_script("--input", SAMPLES, "--output", tmp_path / "e.jsonl", *arguments, "--force")
        assert second.returncode == 1 and "another run is writing there" in second.stderr
        assert second.stderr.count("\n") == 1
    first.communicate(timeout=120)
    assert first.returncode == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["d.jsonl", "d.manifest.json"]
    manifest = json.loads(output.with_name("d.manifest.json").read_text())
    assert sha256_file(output) in json.dumps(manifest)
    assert not [fault for row in rows(output) for fault in check_record(row)]


def test_two_outputs_of_one_name_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = tmp_path / "d.jsonl"
    assert "two outputs have this name" in failing(
        capsys, "--input", SAMPLES, "--output", output, "--preview", tmp_path / "." / "d.jsonl"
    )
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("piece", ["a,b, c, ", "word ", ",", "word,\n"])
def test_the_time_grows_with_the_text_not_with_its_square(tmp_path: Path, piece: str) -> None:
    (tmp_path / "a.md").write_text(piece * (200_000 // len(piece)) + "\n")
    arguments = ["--input", tmp_path / "a.md", "--output", tmp_path / "d.jsonl", "--unit", "document", "--min-words", 0]
    started = time.process_time()
    prepare(*arguments, "--workers", 1)
    assert time.process_time() - started < 8, "200 kB took 25 seconds and more"


def test_nohup_keeps_a_run_alive(large_docs: Path, tmp_path: Path) -> None:
    output = tmp_path / "d.jsonl"
    command = [sys.executable, str(ROOT / "data_prep.py"), "--input", str(large_docs), "--output", str(output)]
    ignore = partial(signal.signal, signal.SIGHUP, signal.SIG_IGN)  # as nohup does
    with subprocess.Popen([*command, "--debug_tiny"], stdout=subprocess.DEVNULL, preexec_fn=ignore) as running:
        while running.poll() is None:
            running.send_signal(signal.SIGHUP)
            time.sleep(0.05)
    assert running.returncode == 0 and output.exists()


def test_a_later_run_replaces_what_a_killed_run_left(large_docs: Path, tmp_path: Path) -> None:
    output = tmp_path / "d.jsonl"
    running = start_run(large_docs, output)
    running.kill()
    running.communicate(timeout=20)
    assert prepare("--input", SAMPLES, "--output", output, "--debug_tiny") == 0
    assert sorted(path.name for path in output.parent.iterdir()) == ["d.jsonl", "d.manifest.json"]


def test_help_is_instant_and_shows_every_default() -> None:
    started = time.monotonic()
    done = run_script("--help")
    assert time.monotonic() - started < 2
    assert done.returncode == 0
    for default in ("default: 42", "default: medium", "default: 0.9,0.05,0.05", "default: section"):
        assert default in " ".join(done.stdout.split())


def test_stage_1_never_imports_torch() -> None:
    code = (
        "import sys; sys.modules.update(torch=None, transformers=None, datasets=None, pyarrow=None);"
        f"import data_prep; sys.exit(data_prep.main(['--input', {str(SAMPLES)!r}, '--output', sys.argv[1]]))"
    )
    done = subprocess.run([sys.executable, "-c", code, "d.jsonl"], cwd=ROOT, capture_output=True, text=True)
    (ROOT / "d.jsonl").unlink(missing_ok=True)
    (ROOT / "d.manifest.json").unlink(missing_ok=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_the_installation_check(tmp_path: Path) -> None:
    done = run_script("--run-tests", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "tests passed; sample_dataset.jsonl built, every span exact" in done.stdout
    assert rows(tmp_path / "sample_dataset.jsonl")
