"""The command line of stage 2, as users see it: its data, its files, how it resumes, how it fails."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")
peft = pytest.importorskip("peft")
pytest.importorskip("bitsandbytes")

from training import (  # noqa: E402
    PAIRS,
    ROOT,
    read_log,
    run_script,
    start_endless_training,
    torchrun,
    write_pairs,
    write_rows,
)

import train_qlora  # noqa: E402
from degraders.dataset.pairs import read_pairs  # noqa: E402
from degraders.dataset.selection import select_pairs  # noqa: E402
from degraders.files import claim_files, sha256_file  # noqa: E402
from fixer import loading  # noqa: E402
from fixer.loss import FixerModel  # noqa: E402
from fixer.prompts import PromptStyle  # noqa: E402
from fixer.training import OPTIMIZERS, SCHEDULES  # noqa: E402

pytestmark = pytest.mark.fixer


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    return write_pairs(tmp_path / "pairs.jsonl")


def train(*arguments: object) -> int:
    """A run in this process on the tiny model, with two steps by default."""
    return train_qlora.main(["--debug_tiny", "--max_steps", "2", *map(str, arguments)])


def error_of(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    """The messages of a run that ends with exit code 1."""
    assert train(*arguments) == 1
    messages = capsys.readouterr().err
    assert "Traceback" not in messages
    return messages


def losses(folder: Path) -> list[float]:
    """The losses of all steps and validations, in the order of the log."""
    return [row["loss"] if "loss" in row else row["validation_loss"] for row in read_log(folder)]


def test_help_is_fast_and_shows_the_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "300")  # so that no line breaks fall inside names
    imports = "import sys, train_qlora; train_qlora.build_parser().format_help(); print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", imports], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
    help_text = " ".join(train_qlora.build_parser().format_help().split())
    for option, default in {
        "rank of the adapter, on all linear layers": "8", "scale of the adapter: alpha / rank": "32",
        "dropout before the adapter": "0.05", "highest learning rate": "0.0002", "passes over the data": "3",
        "the same seed gives the same adapter": "42", "16 and 32: no quantisation": "4",
    }.items():  # fmt: skip
        assert f"{option} (default: {default})" in help_text
    assert "(default: 512, or 1024 with --debug_tiny)" in help_text
    assert "meta-llama/Llama-2-7b-hf" in help_text


def test_the_options_have_the_fields_of_the_command_line() -> None:
    values = vars(train_qlora.build_parser().parse_args(["--dataset", "x.jsonl"]))
    options = train_qlora.Options(**values)
    assert asdict(options) == values
    assert list(asdict(options)) == list(values)


def test_the_environment_sets_the_base_model() -> None:
    code = "import train_qlora; print(train_qlora.build_parser().parse_args([]).base_model)"
    environment = os.environ | {"BASE_MODEL": "some/model"}
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.stdout.strip() == "some/model"


def test_the_command_line_offers_what_a_recipe_accepts() -> None:
    choices = {action.dest: action.choices for action in train_qlora.build_parser()._actions}
    assert (choices["schedule"], choices["optimizer"]) == (SCHEDULES, OPTIMIZERS)


@pytest.mark.parametrize(
    "arguments",
    [
        ["--dataset", "x.jsonl", "--learning_rat", "1"],
        ["--dataset", "x.jsonl", "--hf_dataset", "y"],
        ["--dataset", "x.jsonl", "--resume", "--force"],
        ["--dataset", "x.jsonl", "--lora_r", "0"],
        ["--dataset", "x.jsonl", "--learning_rate", "fast"],
        ["--dataset", "x.jsonl", "--bits", "8"],
        ["--dataset", "x.jsonl", "--epochs", "0"],
        ["--dataset", "x.jsonl", "--span_weight", "1e308"],
        ["--dataset", "x.jsonl", "--learning_rate", "0"],
        ["--dataset", "x.jsonl", "--lora_alpha", "0"],
        ["--dataset", "x.jsonl", "--seed", "-1"],
        ["--dataset", "x.jsonl", "--seed", str(2**32)],
        [],
    ],
)
def test_wrong_usage_ends_with_exit_code_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_:
        train_qlora.main(arguments)
    assert exit_.value.code == 2
    error = capsys.readouterr().err
    assert error.startswith("train_qlora.py: ") and error.endswith("; see --help\n") and error.count("\n") == 1


@pytest.mark.slow
def test_the_command_of_the_readme_writes_an_adapter_that_plain_peft_loads(pairs: Path, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    done = run_script("--dataset", pairs, "--debug_tiny", "--per_device_batch_size", 1, "--max_steps", 1,
                  "--save_dir", folder, "--tensorboard", "--merge", tmp_path / "merged")  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stderr.splitlines()[0].startswith("--debug_tiny: a Llama of 2 layers")
    assert "Warning" not in done.stderr and "kernels" not in done.stderr
    assert "8 to train, 2 to validate (the data set's splits)" in done.stdout

    base = loading.load_base(loading.TINY, bits=4, device=torch.device("cpu"))
    model = peft.PeftModel.from_pretrained(base, folder)
    merged = transformers.AutoModelForCausalLM.from_pretrained(tmp_path / "merged", dtype=torch.float32)
    ids = torch.arange(20)[None]
    torch.testing.assert_close(merged(input_ids=ids).logits, model(input_ids=ids).logits.float(), rtol=0.05, atol=0.05)

    names = {path.name for path in folder.iterdir()}
    assert not [name for name in names if name.endswith((".bin", ".pt", ".pth"))], "safetensors only"
    assert (folder / "loss.png").read_bytes().startswith(b"\x89PNG")
    assert list((folder / "tensorboard").glob("events.*"))
    manifest = json.loads((folder / "train_manifest.json").read_text())
    assert manifest["sha256"]["adapter_model.safetensors"] == sha256_file(folder / "adapter_model.safetensors")
    assert all(sha256_file(folder / name) == value for name, value in manifest["sha256"].items())
    card = (folder / "README.md").read_text()
    assert 'base_model: "debug-tiny"' in card and "| validation loss |" in card and "| `lora_r` | 8 |" in card
    assert PromptStyle.load(folder) == PromptStyle()


def test_the_loss_falls_and_only_the_adapter_changes(pairs: Path, tmp_path: Path) -> None:
    before = digests_of(loading.load_base(loading.TINY, bits=4, device=torch.device("cpu")))
    models: list[Any] = []
    original = loading.load_base

    def load(*arguments: Any, **settings: Any) -> Any:
        models.append(original(*arguments, **settings))
        return models[-1]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loading, "load_base", load)
        assert train("--dataset", pairs, "--save_dir", tmp_path / "out", "--max_steps", 30, "--learning_rate", 5e-3,
                     "--per_device_batch_size", 4, "--patience", 0) == 0  # fmt: skip
    rows = [row["loss"] for row in read_log(tmp_path / "out") if "loss" in row]
    assert sum(rows[-5:]) < 0.7 * sum(rows[:5])
    after = digests_of(models[0])
    assert {name: after[name] for name in before} == before
    assert {name for name in after if name not in before} == {name for name in after if "lora_" in name}


def digests_of(model: Any) -> dict[str, str]:
    """A digest of each weight, by its name in the base model."""
    names = {name.replace(".base_layer", ""): weight for name, weight in model.named_parameters()}
    return {name: str(torch.hash_tensor(weight.detach().view(torch.uint8))) for name, weight in names.items()}


def test_the_same_run_twice_writes_the_same_bytes(pairs: Path, tmp_path: Path) -> None:
    for name, seed in (("one", 1), ("two", 1), ("three", 2)):
        assert train("--dataset", pairs, "--save_dir", tmp_path / name, "--seed", seed) == 0
    one, two, three = (sha256_file(tmp_path / name / "adapter_model.safetensors") for name in ("one", "two", "three"))
    assert one == two != three
    assert sha256_file(tmp_path / "one" / "loss.png") == sha256_file(tmp_path / "two" / "loss.png")


@pytest.mark.slow
@pytest.mark.parametrize("sharded", [False, True])
def test_two_processes_learn_the_same_as_one(pairs: Path, tmp_path: Path, sharded: bool) -> None:
    run = ["--dataset", pairs, "--debug_tiny", "--max_steps", 4, "--lora_dropout", 0, "--learning_rate", 5e-3]
    run += ["--warmup", 0, "--bits", 4 if sharded else 32, "--save_dir"]
    assert run_script(*run, tmp_path / "one", "--per_device_batch_size", 4).returncode == 0
    launcher = torchrun(2)
    if sharded:  # accelerate uses FSDP only on GPUs; a script beside the tests forces it
        launcher = (*launcher, str(ROOT / "tests" / "sharded.py"))
    done = run_script(
        *run, tmp_path / "two", "--per_device_batch_size", 2, launcher=launcher, ACCELERATE_USE_CPU="true"
    )
    assert done.returncode == 0, done.stderr
    assert "2 processes" in done.stdout
    assert losses(tmp_path / "one") == pytest.approx(losses(tmp_path / "two"), rel=2e-3 if sharded else 1e-4)


@pytest.mark.slow
def test_a_killed_run_is_resumed_as_if_it_had_not_stopped(pairs: Path, tmp_path: Path) -> None:
    run = ["--dataset", pairs, "--debug_tiny", "--max_steps", 12, "--per_device_batch_size", 2, "--save_every", 4,
           "--patience", 0, "--save_dir"]  # fmt: skip
    assert run_script(*run, tmp_path / "whole").returncode == 0
    folder = tmp_path / "killed"
    command = [sys.executable, str(ROOT / "train_qlora.py"), *map(str, run), str(folder)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_until(lambda: (folder / "checkpoints" / "step-000004").exists())
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (folder / "train_manifest.json").exists()

    refused = run_script(*run, folder)
    assert refused.returncode == 1 and "pass --resume to continue its run" in refused.stderr
    other = run_script(*run, folder, "--resume", "--lora_r", 4)
    assert other.returncode == 1 and "was started with lora_r = 8, now it is 4" in other.stderr
    done = run_script(*run, folder, "--resume")
    assert done.returncode == 0, done.stderr
    assert "resuming from step" in done.stderr
    assert losses(folder) == losses(tmp_path / "whole")
    names = ("adapter_model.safetensors", "adapter_config.json", "metrics.jsonl", "loss.png")
    assert [sha256_file(folder / name) for name in names] == [sha256_file(tmp_path / "whole" / name) for name in names]
    assert "its run is finished" in run_script(*run, folder, "--resume").stderr


def wait_until(condition: Callable[[], bool], seconds: float = 120) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "timed out"
        time.sleep(0.02)


def test_a_broken_checkpoint_is_replaced_by_the_one_before(
    pairs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, run = tmp_path / "out", ["--dataset", pairs, "--max_steps", 4, "--save_every", 1, "--save_dir"]
    assert train(*run, folder) == 0
    (folder / "train_manifest.json").unlink()
    (folder / "checkpoints" / "step-000004" / "weights.safetensors").write_bytes(b"rubbish")
    capsys.readouterr()
    assert train(*run, folder, "--resume") == 0
    messages = capsys.readouterr().err
    assert "step-000004: broken (weights.safetensors has changed since it was written)" in messages
    assert "resuming from step 3" in messages
    (folder / "train_manifest.json").unlink()
    for state in folder.glob("checkpoints/*/state.json"):
        state.write_text("{")
    assert "no checkpoint is intact: pass --force to start again" in error_of(capsys, *run, folder, "--resume")
    assert train(*run, folder, "--force") == 0


def test_training_stops_when_validation_no_longer_improves(pairs: Path, tmp_path: Path) -> None:
    assert train("--dataset", pairs, "--save_dir", tmp_path / "out", "--max_steps", 40, "--eval_every", 1,
                 "--learning_rate", 3, "--patience", 2, "--warmup", 0, "--schedule", "constant") == 0  # fmt: skip
    rows = read_log(tmp_path / "out")
    validations = [row["validation_loss"] for row in rows if "validation_loss" in row]
    best = validations.index(min(validations))
    assert len(validations) < 40 and len(validations) - 1 - best == 2
    manifest = json.loads((tmp_path / "out" / "train_manifest.json").read_text())
    assert "stopped early" in manifest["results"]["steps"]
    # The adapter has the best weights, not the last ones.
    steps = sorted((tmp_path / "out" / "checkpoints").glob("step-*"))
    from safetensors.torch import load_file

    saved = load_file(tmp_path / "out" / "adapter_model.safetensors")
    best_weights = load_file(steps[-1] / "best.safetensors")
    last_weights = load_file(steps[-1] / "weights.safetensors")
    assert torch.equal(next(iter(saved.values())), next(iter(best_weights.values())))
    assert any(not torch.equal(best_weights[name], last_weights[name]) for name in best_weights)


@pytest.mark.parametrize("target", ["structured", "edits"])
@pytest.mark.parametrize("direction", ["repair", "degrade"])
def test_every_target_format_and_direction_trains(pairs: Path, tmp_path: Path, target: str, direction: str) -> None:
    assert train("--dataset", pairs, "--save_dir", tmp_path / "out", "--train_target_format", target,
                 "--direction", direction, "--span_weight", 3) == 0  # fmt: skip
    assert PromptStyle.load(tmp_path / "out") == PromptStyle("plain", target, direction)


def test_gradient_accumulation_is_a_larger_batch(pairs: Path, tmp_path: Path) -> None:
    run = ["--dataset", pairs, "--lora_dropout", 0, "--bits", 32, "--save_dir"]
    assert train(*run, tmp_path / "one", "--per_device_batch_size", 4) == 0
    assert train(*run, tmp_path / "two", "--per_device_batch_size", 1, "--gradient_accumulation_steps", 4) == 0
    assert losses(tmp_path / "one") == pytest.approx(losses(tmp_path / "two"), rel=1e-4)


def test_gradient_checkpointing_changes_nothing(pairs: Path, tmp_path: Path) -> None:
    for name in ("on", "off"):
        assert train("--dataset", pairs, "--save_dir", tmp_path / name, "--gradient_checkpointing", name) == 0
    assert losses(tmp_path / "on") == losses(tmp_path / "off")


COEDIT = [
    {"_id": str(n), "task": task, "src": f"Fix grammar: {bad}", "tgt": good}
    for n, (task, (bad, good)) in enumerate(zip(["gec", "clarity"] * 4, PAIRS, strict=True))
]


def test_a_local_folder_with_coedits_fields_is_read_like_the_hubs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("datasets")
    folder = tmp_path / "coedit"
    folder.mkdir()
    write_rows(folder / "train.jsonl", COEDIT)
    write_rows(folder / "validation.jsonl", COEDIT[:2])
    run = ["--hf_dataset", folder, "--hf_split", "train", "--hf_validation_split", "validation"]
    assert train(*run, "--coedit_task", "gec", "--save_dir", tmp_path / "out") == 0
    assert "5 read: 4 to train, 1 to validate (a split of its own)" in capsys.readouterr().out
    (pair, *_) = read_pairs(folder / "train.jsonl")
    assert (pair.instruction, pair.bad, pair.good) == ("Fix grammar", *PAIRS[0])
    assert pair.spans, "spans come from aligning the texts"
    assert "no-such" in error_of(capsys, "--hf_dataset", folder, "--hf_split", "no-such", "--save_dir", tmp_path / "x")


def test_options_name_the_fields_of_other_data_sets(tmp_path: Path) -> None:
    rows = [{"wrong": bad, "right": good, "where": "Guide"} for bad, good in PAIRS]
    data = write_rows(tmp_path / "other.jsonl", rows)
    assert train("--dataset", data, "--bad_field", "wrong", "--good_field", "right", "--context-field", "where",
                 "--save_dir", tmp_path / "out") == 0  # fmt: skip


def test_a_chat_template_is_used_and_saved(pairs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    base = tmp_path / "base"
    loading.tiny_model().save_pretrained(base)
    tokenizer = loading.tiny_tokenizer()
    tokenizer.save_pretrained(base)
    run = ["--dataset", str(pairs), "--base_model", str(base), "--max_steps", "1", "--max_length", "999", "--save_dir"]
    assert train_qlora.main([*run, str(tmp_path / "x"), "--prompt_style", "chat"]) == 1
    assert "has no chat template; pass plain or auto" in capsys.readouterr().err
    tokenizer.chat_template = "{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}<assistant>"
    tokenizer.save_pretrained(base)
    assert train_qlora.main([*run, str(tmp_path / "out")]) == 0
    assert PromptStyle.load(tmp_path / "out").name == "chat"
    assert (tmp_path / "out" / "chat_template.jinja").exists()


def test_a_gpt2_as_narrow_as_the_one_of_the_hub_trains_in_4_bits(pairs: Path, tmp_path: Path) -> None:
    base = tmp_path / "tiny-gpt2"
    sizes: dict[str, Any] = {"n_embd": 2, "n_layer": 2, "n_head": 2, "n_positions": 1024, "vocab_size": 320}
    config = transformers.GPT2Config(**sizes, bos_token_id=257, eos_token_id=257)
    transformers.GPT2LMHeadModel(config).save_pretrained(base)
    loading.tiny_tokenizer().save_pretrained(base)
    run = ["--dataset", str(pairs), "--base_model", str(base), "--max_steps", "1", "--max_length", "999"]
    assert train_qlora.main([*run, "--save_dir", str(tmp_path / "out")]) == 0
    too_long = [*run, "--max_length", "1025", "--save_dir", str(tmp_path / "x")]
    assert train_qlora.main(too_long) == 1


def test_pairs_that_do_not_fit_are_counted_and_never_cut(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [{"bad": b, "good": g} for b, g in PAIRS] + [{"bad": "x" * 3000, "good": "y" * 3000}]
    data = write_rows(tmp_path / "long.jsonl", rows)
    assert train("--dataset", data, "--validation_share", 0, "--save_dir", tmp_path / "out") == 0
    assert "rejected: pair: a block that does not fit the window  1" in capsys.readouterr().out
    all_long = write_rows(tmp_path / "all.jsonl", rows[-1:])
    error = error_of(capsys, "--dataset", all_long, "--validation_share", 0, "--save_dir", tmp_path / "x")
    assert "no example to train on: 1 x pair: a block that does not fit the window; raise --max_length" in error
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "No such file or directory"),
        ("", "the data set: contains no pairs"),
        ('{"bad": "a", "good": "b"}\n{"bad": "a"}\n', ':2: field "good" is missing'),
        ('{"bad": "a", "good": "b"}\nrubbish\n', ":2: not JSON"),
        ('{"bad": "a", "good": "b", "split": "test"}\n', "only the splits test"),
    ],
)
def test_bad_data_is_reported_with_file_and_line(
    content: str | None, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "d.jsonl"
    if content is not None:
        path.write_text(content)
    assert message in error_of(capsys, "--dataset", path, "--save_dir", tmp_path / "out")
    assert not (tmp_path / "out").exists(), "no folder remains"


def test_a_base_model_that_is_not_available_is_reported(
    pairs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = ["--dataset", str(pairs), "--save_dir", str(tmp_path / "out"), "--base_model"]
    assert train_qlora.main([*run, "nobody/no-such-model"]) == 1
    error = capsys.readouterr().err
    assert "nobody/no-such-model: is not on this machine, and the hub cannot be reached; pass a folder" in error
    empty = tmp_path / "empty"
    empty.mkdir()
    assert train_qlora.main([*run, str(empty)]) == 1
    assert "this folder contains no model that transformers can load" in capsys.readouterr().err


def test_existing_files_are_not_lost(pairs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / "mine.txt").write_text("precious")
    assert "is not empty" in error_of(capsys, "--dataset", pairs, "--save_dir", folder)
    assert "is a file" in error_of(capsys, "--dataset", pairs, "--save_dir", pairs)
    assert "holds no run to resume" in error_of(capsys, "--dataset", pairs, "--save_dir", tmp_path / "no", "--resume")
    assert train("--dataset", pairs, "--save_dir", folder, "--force") == 0
    assert (folder / "mine.txt").read_text() == "precious"
    (tmp_path / "merged").mkdir()
    (tmp_path / "merged" / "model.safetensors").write_text("mine")
    error = error_of(capsys, "--dataset", pairs, "--save_dir", tmp_path / "n", "--merge", tmp_path / "merged")
    assert "exists already" in error


@pytest.mark.skipif(sys.platform == "win32", reason="folders are not locked there")
def test_a_folder_in_use_is_refused(pairs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import fcntl

    folder = tmp_path / "out"
    folder.mkdir()
    handle = os.open(folder, os.O_RDONLY)
    fcntl.flock(handle, fcntl.LOCK_EX)
    try:
        assert "another run is writing there" in error_of(capsys, "--dataset", pairs, "--save_dir", folder)
    finally:
        os.close(handle)


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (torch.OutOfMemoryError("CUDA out of memory"), "step 1: out of GPU memory; lower --token_slots (now 512)"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory"), "step 1: out of main memory; lower --token_slots"),
    ],
)
def test_a_lack_of_memory_is_reported_with_the_options_to_lower(
    error: Exception, message: str, pairs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    from fixer.training import Trainer

    def fail(*_: Any) -> Any:
        raise error

    monkeypatch.setattr(Trainer, "_step", fail)
    assert message in error_of(capsys, "--dataset", pairs, "--save_dir", tmp_path / "out")


def test_an_exploding_loss_ends_the_run(
    pairs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    forward = FixerModel.forward
    monkeypatch.setattr(FixerModel, "forward", lambda self, batch: forward(self, batch) * float("inf"))
    error = error_of(capsys, "--dataset", pairs, "--save_dir", tmp_path / "out", "--max_steps", 2)
    assert "lower --learning_rate" in error


def test_devices_that_do_not_exist_are_refused(
    pairs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = ["--dataset", pairs, "--save_dir", tmp_path / "out", "--device_map"]
    assert "is no device" in error_of(capsys, *run, "abacus")
    if not torch.cuda.is_available():
        assert "torch sees 0 CUDA devices" in error_of(capsys, *run, "cuda:0")
        assert "runs only on CUDA" in error_of(capsys, *run, "cpu", "--optimizer", "paged_adamw_8bit")
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert "several processes need auto" in error_of(capsys, *run, "cuda:0")


def test_ctrl_c_reports_the_last_checkpoint(pairs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from fixer.training import Trainer

    original, calls = Trainer._step, []

    def interrupted(self: Any, step: int) -> Any:
        calls.append(step)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return original(self, step)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Trainer, "_step", interrupted)
        code = train("--dataset", pairs, "--save_dir", tmp_path / "out", "--max_steps", 5, "--save_every", 2)
    assert code == 130
    assert "step-000002 is saved" in capsys.readouterr().err


def test_a_signal_ends_a_run_as_ctrl_c_does(pairs: Path, tmp_path: Path) -> None:
    running = start_endless_training(pairs, tmp_path / "out")
    running.send_signal(signal.SIGTERM)
    _, error = running.communicate(timeout=60)
    assert running.returncode == 143 and "Traceback" not in error
    assert "interrupted by SIGTERM; step-" in error and "continue with --resume" in error
    assert not [path for path in (tmp_path / "out").rglob("*") if "partial" in path.name]


@pytest.mark.slow
def test_a_signal_ends_all_processes_of_a_run(pairs: Path, tmp_path: Path) -> None:
    running = start_endless_training(pairs, tmp_path / "out", launcher=torchrun(2))
    running.send_signal(signal.SIGTERM)
    _, error = running.communicate(timeout=60)  # it ends only when all processes, which share stderr, have ended
    assert error.count("interrupted by SIGTERM; step-") == 1
    assert 'train_qlora.py"' not in error.partition("interrupted by SIGTERM")[0], "no traceback of ours"


def test_data_without_splits_is_divided_between_documents() -> None:
    from degraders.dataset.pairs import Pair

    pairs = [
        Pair(id=f"{n}", context="", format="text", bad="a", good="b", spans=(), group=f"doc{n % 7}") for n in range(70)
    ]
    selection = select_pairs(pairs, seed=1, share=0.2, limit=None, validation_limit=None)
    held_out = {pair.group for pair in selection.validation}
    assert held_out and held_out.isdisjoint(pair.group for pair in selection.train)
    assert 0.1 <= len(selection.validation) / 70 <= 0.3
    assert select_pairs(pairs, seed=1, share=0, limit=5, validation_limit=None).unused == {
        "over the limit of train": 65
    }


def test_a_merged_folder_in_use_is_refused(pairs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with claim_files([tmp_path / "merged"]):
        for data in (["--dataset", pairs], []):
            arguments = [*data, "--save_dir", tmp_path / "out", "--merge", tmp_path / "merged"]
            assert "another run is writing there" in error_of(capsys, *arguments)
    assert list(tmp_path.iterdir()) == [pairs]


@pytest.mark.parametrize("bits", [4, 32])
def test_merging_needs_no_data(pairs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], bits: int) -> None:
    """It merges into the same weights as during the training: into those in 4 bits if the adapter learned on them."""
    out, during, later = (tmp_path / name for name in ("out", "during", "later"))
    assert train("--dataset", pairs, "--bits", bits, "--save_dir", out, "--merge", during) == 0
    assert train_qlora.main(["--save_dir", str(out), "--merge", str(later)]) == 0
    assert (during / "model.safetensors").read_bytes() == (later / "model.safetensors").read_bytes()
    assert train_qlora.main(["--save_dir", str(tmp_path / "nothing"), "--merge", str(tmp_path / "m")]) == 1
    assert "Traceback" not in capsys.readouterr().err
