#!/usr/bin/env python3
"""Stage 2: train a LoRA adapter that repairs documentation on pairs of bad and good text.

    python train_qlora.py --dataset dataset.jsonl --save_dir lora_out

Reads records of stage 1, a data set of the Hugging Face hub, or any JSONL with `bad` and `good`. Loads the base model
in 4 bits, encodes the pairs as prompts and targets, and trains a LoRA adapter on the tokens of the targets alone.
Validates regularly and keeps the best weights. Writes the adapter with its prompt style, log, loss curve and model card
and, last, the manifest.
"""

from __future__ import annotations

import argparse
import math
import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cli import (
    MAX_SEED,
    DefaultsHelp,
    Parser,
    format_rows,
    is_main,
    number,
    option_adder,
    run_script,
    whole_number,
)
from degraders import __version__
from degraders.errors import UserError
from degraders.manifest import build_manifest
from fixer.prompts import DIRECTIONS, STYLES, TARGET_FORMATS, PromptStyle, has_chat_template

if TYPE_CHECKING:
    from accelerate import Accelerator

    from degraders.dataset.pairs import Pair
    from degraders.dataset.selection import PairSelection
    from fixer.artefacts import MetricsLog
    from fixer.checkpoints import Checkpoints, TrainingState
    from fixer.examples import Example
    from fixer.training import Recipe, TrainingResult

BASE_MODEL = "meta-llama/Llama-2-7b-hf"
MAX_LENGTH, TINY_MAX_LENGTH = 512, 1024
TINY_PAIRS, TINY_STEPS = 64, 10
VALIDATIONS = 10
"""Validations of a run by default."""
TOKEN_SLOTS = {"cuda": 4096, "cpu": 512}
"""Tokens of a micro-batch by default; fewer need less memory, more are faster."""
PACKAGES = ("torch", "transformers", "peft", "bitsandbytes", "accelerate")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the stage; returns the exit code: 0 done, 1 bad data or I/O, 2 usage, 128 + signal interrupted."""
    return run_script(build_parser(), argv, Options, run, lambda options: describe_checkpoint(options.save_dir))


def run(options: Options) -> None:
    """Train, or only merge if there is no data to train on."""
    (train if options.has_data else merge)(options)


def train(options: Options) -> None:
    """Read the pairs, load the model, train it, write the adapter and print the closing table."""
    from fixer.artefacts import MetricsLog, clear_folder
    from fixer.devices import make_accelerator

    started = time.monotonic()
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    with claim_folders(options):
        accelerator = make_accelerator(options.device_map)
        options = resolve_options(options)
        set_threads_and_seed(options)
        setup = prepare(options, accelerator)
        checkpoints = open_checkpoints(options, setup, accelerator)
        state = load_state(options, checkpoints, accelerator) if options.resume else None
        if accelerator.is_main_process and state is None:
            clear_folder(options.save_dir)
        log_folder = options.save_dir if accelerator.is_main_process else None
        log = MetricsLog(log_folder, state.history if state else [], tensorboard=options.tensorboard)
        result = fit(setup, accelerator, checkpoints=checkpoints, log=log, state=state)
        log.close()
        if accelerator.is_main_process:
            facts = training_facts(setup, accelerator, log=log, result=result, seconds=time.monotonic() - started)
            paths = write_files(options, setup, accelerator, log=log, result=result, facts=facts)
            print(format_rows([*facts, *written_rows(paths)]))
        accelerator.end_training()


def merge(options: Options) -> None:
    """Merge the adapter in --save_dir into its base model, without training."""
    from fixer.artefacts import read_option
    from fixer.loading import merge_adapter

    if options.merge:
        with claim_merge_folder(options.merge):
            bits = read_option(options.save_dir, "bits", (4, 16, 32)) or options.bits
            merge_adapter(options.save_dir, options.merge, bits=bits)
        print(format_rows(written_rows([options.merge])))


# The options


@dataclass(frozen=True, kw_only=True)
class Options:
    """The options of the command line by name; UserError if they contradict each other."""

    dataset: Path | None
    hf_dataset: str | None
    hf_split: str
    hf_validation_split: str | None
    coedit_task: str | None
    bad_field: str
    good_field: str
    context_field: str
    validation_share: float
    validation_limit: int
    limit: int | None
    base_model: str
    bits: int
    attention: str
    device_map: str
    trust_remote_code: bool
    lora_r: int
    lora_alpha: float
    lora_dropout: float
    debug_tiny: bool
    direction: str
    train_target_format: str
    prompt_style: str
    max_length: int | None
    span_weight: float
    epochs: float
    max_steps: int | None
    seed: int
    per_device_batch_size: int
    gradient_accumulation_steps: int
    token_slots: int | None
    learning_rate: float
    warmup: float
    schedule: str
    weight_decay: float
    max_grad_norm: float
    optimizer: str
    gradient_checkpointing: str
    eval_every: int | None
    patience: int
    save_dir: Path
    force: bool
    resume: bool
    save_every: int
    merge: Path | None
    tensorboard: bool
    threads: int | None

    def __post_init__(self) -> None:
        if self.dataset and self.hf_dataset:
            raise UserError("--dataset and --hf_dataset exclude each other")
        if not self.has_data and not self.merge:
            raise UserError("choose the data to train on: pass --dataset FILE or --hf_dataset NAME")
        if self.resume and self.force:
            raise UserError("--resume and --force exclude each other")

    @property
    def has_data(self) -> bool:
        return bool(self.dataset or self.hf_dataset)

    @property
    def effective_max_length(self) -> int:
        return self.max_length or (TINY_MAX_LENGTH if self.debug_tiny else MAX_LENGTH)

    def values(self) -> dict[str, Any]:
        """The options by name, as values for JSON."""
        return {name: str(value) if isinstance(value, Path) else value for name, value in asdict(self).items()}


UNSIGNED = {"save_dir", "force", "resume", "merge", "threads", "tensorboard", "device_map", "save_every", "dataset"}
"""Options that may change when a run is resumed: the losses do not depend on them. Data is compared by its digest."""


def build_parser() -> argparse.ArgumentParser:
    """The command line; every option may be written with underscores or with dashes."""
    parser = Parser(
        prog="train_qlora.py",
        description="Train a LoRA adapter that repairs documentation, on a base model in 4 bits.",
        formatter_class=DefaultsHelp,
        allow_abbrev=False,
    )
    _add_data_options(option_adder(parser.add_argument_group("data")))
    _add_model_options(option_adder(parser.add_argument_group("model")))
    _add_task_options(option_adder(parser.add_argument_group("what the model learns")))
    _add_training_options(option_adder(parser.add_argument_group("training")))
    _add_run_options(option_adder(parser.add_argument_group("output and resuming")))
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    return parser


def _add_data_options(option: Callable[..., None]) -> None:
    option("--dataset", type=Path, metavar="FILE", help="pairs to train on: .jsonl, .jsonl.gz or .parquet, written by "
           "data_prep.py or your own")  # fmt: skip
    option("--hf_dataset", metavar="NAME", help="data set of the Hugging Face hub, or a local folder of one")
    option("--hf_split", default="train", metavar="NAME", help="split of the hub data set to train on")
    option("--hf_validation_split", metavar="NAME", help="split of the hub data set to validate on (default: a share "
           "of the training pairs is held out)")  # fmt: skip
    option("--coedit_task", metavar="TASK", help="use only rows of this CoEdIT task: gec, clarity, simplification, …")
    option("--bad_field", default="bad", metavar="NAME", help="field with the bad text")
    option("--good_field", default="good", metavar="NAME", help="field with the good text")
    option("--context_field", default="context", metavar="NAME", help="field with the headings above the text")
    option("--validation_share", type=number(0, 0.9), default=0.05, metavar="P", help="share of the pairs to hold out "
           "for validation if the data has no splits")  # fmt: skip
    option("--validation_limit", type=whole_number(1), default=256, metavar="N", help="validate on at most N pairs, "
           "sampled by --seed")  # fmt: skip
    option("--limit", type=whole_number(1), metavar="N", help="train on at most N pairs, sampled by --seed (default: "
           "all)")  # fmt: skip


def _add_model_options(option: Callable[..., None]) -> None:
    base = os.environ.get("BASE_MODEL") or BASE_MODEL
    option("--base_model", default=base, metavar="NAME", help="model of the hub or model folder; the environment "
           "variable BASE_MODEL sets the default")  # fmt: skip
    option("--bits", type=int, choices=(4, 16, 32), default=4, help="4: NF4 with double quantisation; 16 and 32: no "
           "quantisation")  # fmt: skip
    option("--attention", choices=("auto", "sdpa", "flash_attention_2", "eager"), default="auto", help="implementation "
           "of attention; auto: sdpa on CUDA, eager on a CPU, where it is faster")  # fmt: skip
    option("--device_map", default="auto", metavar="DEVICE", help="auto: this process's device; or cpu, cuda, cuda:1")
    option("--trust_remote_code", action="store_true", help="run code that comes with the model")
    option("--lora_r", type=whole_number(1, 4096), default=8, metavar="N", help="rank of the adapter, on all linear "
           "layers")  # fmt: skip
    option("--lora_alpha", type=number(1e-6, 1e6), default=32, metavar="A", help="scale of the adapter: alpha / rank")
    option("--lora_dropout", type=number(0, 0.99), default=0.05, metavar="P", help="dropout before the adapter")
    option("--debug_tiny", action="store_true", help=f"a quick trial with a tiny model that needs no download: "
           f"{TINY_PAIRS} pairs, {TINY_STEPS} steps")  # fmt: skip


def _add_task_options(option: Callable[..., None]) -> None:
    option("--direction", choices=DIRECTIONS, default="repair", help="repair: turn bad text into good text; "
           "degrade: write errors into good text, for data_prep.py")  # fmt: skip
    option("--train_target_format", choices=TARGET_FORMATS, default="good_only", help="what the model answers; "
           "good_only: the whole text; structured: JSON of errors and text; edits: JSON of edits only")  # fmt: skip
    option("--prompt_style", choices=("auto", *STYLES), default="auto", help="auto: chat if the tokenizer has a chat "
           "template")  # fmt: skip
    option("--max_length", type=whole_number(16, 2**20), metavar="N", help="maximum tokens of prompt and target "
           "together; longer pairs are split between blocks, or rejected, and never cut (default: "
           f"{MAX_LENGTH}, or {TINY_MAX_LENGTH} with --debug_tiny)")  # fmt: skip
    option("--span_weight", type=number(0, 1e6), default=1.0, metavar="W", help="weight in the loss of tokens that "
           "repair an error; the weight of all others is 1")  # fmt: skip


def _add_training_options(option: Callable[..., None]) -> None:
    option("--epochs", type=number(1e-6, 1000), default=3, metavar="E", help="passes over the data")
    option("--max_steps", type=whole_number(1, 10**7), metavar="N", help="number of optimizer steps, instead of "
           "--epochs")  # fmt: skip
    option("--seed", type=whole_number(0, MAX_SEED), default=42, metavar="N", help="seed of everything random; the "
           "same seed gives the same adapter")  # fmt: skip
    option("--per_device_batch_size", type=whole_number(1), default=8, metavar="N", help="maximum examples of a "
           "micro-batch")  # fmt: skip
    option("--gradient_accumulation_steps", type=whole_number(1), default=1, metavar="N", help="optimizer steps use N "
           "times as many examples")  # fmt: skip
    option("--token_slots", type=whole_number(16), metavar="N", help="maximum tokens of a micro-batch with more than "
           f"one example (default: {TOKEN_SLOTS['cuda']} on CUDA, {TOKEN_SLOTS['cpu']} on a CPU)")  # fmt: skip
    option("--learning_rate", type=number(1e-12, 100), default=2e-4, metavar="R", help="highest learning rate")
    option("--warmup", type=number(0), default=0.03, metavar="N", help="steps of warm-up; below 1: their share of all "
           "steps")  # fmt: skip
    option("--schedule", choices=("cosine", "linear", "constant"), default="cosine", help="learning rate after the "
           "warm-up")  # fmt: skip
    option("--weight_decay", type=number(0), default=0.0, metavar="D", help="weight decay of AdamW")
    option("--max_grad_norm", type=number(0), default=1.0, metavar="N", help="clip the gradient to this norm; 0: never")
    option("--optimizer", choices=("auto", "adamw", "paged_adamw_8bit"), default="auto", help="auto: paged 8-bit AdamW "
           "on CUDA, else AdamW")  # fmt: skip
    option("--gradient_checkpointing", choices=("auto", "on", "off"), default="auto", help="save memory by computing "
           "activations twice; auto: on for CUDA")  # fmt: skip
    option("--eval_every", type=whole_number(1), metavar="N", help="steps between validations (default: "
           f"{VALIDATIONS} validations in a run)")  # fmt: skip
    option("--patience", type=whole_number(0), default=3, metavar="N", help="stop after N validations without "
           "improvement; 0: never")  # fmt: skip


def _add_run_options(option: Callable[..., None]) -> None:
    option("--save_dir", type=Path, default=Path("./lora_out"), metavar="DIR", help="folder of the adapter")
    option("--force", action="store_true", help="replace the run in this folder")
    option("--resume", action="store_true", help="continue the run in this folder from its last checkpoint")
    option("--save_every", type=whole_number(1), default=100, metavar="N", help="steps between checkpoints")
    option("--merge", type=Path, metavar="DIR", help="also write base model and adapter as one plain model, to be "
           "loaded with --bits 16; without data: merge the adapter in --save_dir")  # fmt: skip
    option("--tensorboard", action="store_true", help="also log to the folder tensorboard in --save_dir, to watch "
           "the training live")  # fmt: skip
    option("--threads", type=whole_number(1, 4096), metavar="N", help="CPU threads (default: torch decides)")


@contextmanager
def claim_folders(options: Options) -> Iterator[None]:
    """Keep other runs from writing to the folders of this run; UserError if files would be lost or are missing."""
    from degraders.files import claim_folder
    from fixer.artefacts import check_folder

    if not is_main():
        yield
        return
    with claim_folder(options.save_dir):
        check_folder(options.save_dir, force=options.force, resume=options.resume)
        with claim_merge_folder(options.merge) if options.merge else nullcontext():
            yield


@contextmanager
def claim_merge_folder(folder: Path) -> Iterator[None]:
    """Keep other runs from writing the merged model; UserError if its folder is not empty."""
    from degraders.files import claim_files

    folder.parent.mkdir(parents=True, exist_ok=True)
    with claim_files([folder]):
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise UserError(f"{folder}: exists already; choose a new folder for --merge")
        yield


def resolve_options(options: Options) -> Options:
    """The options with the values that depend on other options filled in."""
    from fixer.loading import TINY, resolve_base_name

    if options.debug_tiny:
        limit, steps = options.limit or TINY_PAIRS, options.max_steps or TINY_STEPS
        options = replace(options, base_model=TINY, limit=limit, max_steps=steps)
    base = resolve_base_name(options.base_model)
    return replace(options, base_model=base, max_length=options.effective_max_length)


def set_threads_and_seed(options: Options) -> None:
    """Set the CPU threads and seed all random numbers; this must happen before any weight exists."""
    import torch
    from accelerate.utils import set_seed

    if options.threads:
        torch.set_num_threads(options.threads)
    set_seed(options.seed)


# The data and the model


@dataclass(frozen=True, kw_only=True)
class TrainingSetup:
    """Everything that a run has before its first step; `rejected` counts the pairs that do not fit, by reason."""

    selection: PairSelection
    model: Any
    tokenizer: Any
    style: PromptStyle
    train: Sequence[Example]
    validation: Sequence[Example]
    rejected: Counter[str]
    recipe: Recipe


def prepare(options: Options, accelerator: Accelerator) -> TrainingSetup:
    """The pairs as examples, the model with a new adapter, and the recipe."""
    from fixer.examples import encode_pairs
    from fixer.loading import load_tokenizer

    selection = read_training_pairs(options)
    tokenizer = load_tokenizer(options.base_model, trust_remote_code=options.trust_remote_code)
    style = choose_style(options, tokenizer)
    max_length = options.effective_max_length
    train, rejected = encode_pairs(
        with_progress_bar(selection.train), style, tokenizer, max_length=max_length, span_weight=options.span_weight
    )
    # The validation loss is unweighted, so that runs with different span weights can be compared.
    validation, more_rejected = encode_pairs(selection.validation, style, tokenizer, max_length=max_length)
    rejected += more_rejected
    if not train:
        reasons = ", ".join(f"{count} x {reason}" for reason, count in rejected.most_common())
        raise UserError(f"no example to train on: {reasons}; raise --max_length (now {max_length})")
    recipe = build_recipe(options, len(train), accelerator)
    return TrainingSetup(
        selection=selection,
        model=load_model(options, accelerator),
        tokenizer=tokenizer,
        style=style,
        train=train,
        validation=validation,
        rejected=rejected,
        recipe=recipe,
    )


def read_training_pairs(options: Options) -> PairSelection:
    """The pairs of the data set, divided into those to train on and those to validate on."""
    from degraders.dataset.pairs import Fields, read_hub_pairs, read_pairs
    from degraders.dataset.selection import select_pairs

    fields = Fields(options.bad_field, options.good_field, options.context_field, options.coedit_task)
    validation: Iterable[Pair] = ()
    skipped: Counter[str] = Counter()
    if options.dataset:
        pairs = read_pairs(options.dataset, fields, skipped=skipped)
    else:
        name = str(options.hf_dataset)
        pairs = read_hub_pairs(name, options.hf_split, fields, skipped=skipped)
        if options.hf_validation_split:
            validation = read_hub_pairs(name, options.hf_validation_split, fields, skipped=skipped)
    return select_pairs(
        pairs,
        seed=options.seed,
        share=options.validation_share,
        limit=options.limit,
        validation_limit=options.validation_limit,
        validation=validation,
        skipped=skipped,
    )


def choose_style(options: Options, tokenizer: Any) -> PromptStyle:
    """The prompt style of the adapter; UserError if it needs a chat template that the tokenizer does not have."""
    name = options.prompt_style
    if name == "auto":
        name = "chat" if has_chat_template(tokenizer) else "plain"
    elif name == "chat" and not has_chat_template(tokenizer):
        raise UserError("--prompt_style chat: this model's tokenizer has no chat template; pass plain or auto")
    return PromptStyle(name, options.train_target_format, options.direction)


def with_progress_bar(pairs: Sequence[Pair]) -> Iterable[Pair]:
    """The pairs, with a progress bar if stderr is a terminal."""
    from tqdm import tqdm

    bar: Iterable[Pair] = tqdm(pairs, desc="encoding", unit="pair", leave=False, disable=None if is_main() else True)
    return bar


def load_model(options: Options, accelerator: Accelerator) -> Any:
    """The base model on this process's device, with a new adapter."""
    from fixer.loading import add_lora, load_base

    base = load_base(
        options.base_model,
        bits=options.bits,
        device=accelerator.device,
        attention=options.attention,
        trust_remote_code=options.trust_remote_code,
    )
    check_positions(base, options.effective_max_length)
    if options.debug_tiny and accelerator.is_main_process:
        print(describe_tiny_model(base, options.bits), file=sys.stderr)
    checkpoint_activations(base, options.gradient_checkpointing)
    return add_lora(base, r=options.lora_r, alpha=options.lora_alpha, dropout=options.lora_dropout, seed=options.seed)


def check_positions(base: Any, max_length: int) -> None:
    """UserError if the model has fewer positions than examples may have tokens."""
    from fixer.batching import WIDTH_STEP

    # Batches are padded to multiples of WIDTH_STEP, and a learned position beyond the last one is an error.
    positions = getattr(base.config, "max_position_embeddings", 0) // WIDTH_STEP * WIDTH_STEP
    if positions and max_length > positions:
        raise UserError(f"--max_length {max_length}: this model reads at most {positions} tokens; pass a lower value")


def describe_tiny_model(base: Any, bits: int) -> str:
    config = base.config
    size = sum(weight.numel() for weight in base.parameters())
    return (
        f"--debug_tiny: a Llama of {config.num_hidden_layers} layers of width {config.hidden_size} with random weights "
        f"in {bits} bits, {size / 1e6:.2f} million numbers; its tokens are bytes; it shows that everything runs, but "
        "cannot learn to repair"
    )


def checkpoint_activations(base: Any, setting: str) -> None:
    """Compute activations twice to save memory; `auto` does so only on CUDA: on a CPU it costs half the time again and
    saves little."""
    if setting == "on" or (setting == "auto" and base.device.type == "cuda"):
        base.activation_checkpointing_enable({"use_reentrant": False})


def build_recipe(options: Options, examples: int, accelerator: Accelerator) -> Recipe:
    """The options of the training loop, for this number of examples and processes."""
    from fixer.training import Recipe

    step_examples = options.per_device_batch_size * options.gradient_accumulation_steps * accelerator.num_processes
    steps = options.max_steps or max(1, math.ceil(options.epochs * math.ceil(examples / step_examples)))
    return Recipe(
        seed=options.seed,
        steps=steps,
        step_examples=step_examples,
        rows=options.per_device_batch_size,
        token_slots=options.token_slots or TOKEN_SLOTS["cuda" if accelerator.device.type == "cuda" else "cpu"],
        learning_rate=options.learning_rate,
        warmup=round(options.warmup if options.warmup >= 1 else options.warmup * steps),
        schedule=options.schedule,
        weight_decay=options.weight_decay,
        max_grad_norm=options.max_grad_norm,
        optimizer=options.optimizer,
        eval_every=options.eval_every or math.ceil(steps / VALIDATIONS),
        save_every=options.save_every,
        patience=options.patience,
    )


# The training


def open_checkpoints(options: Options, setup: TrainingSetup, accelerator: Accelerator) -> Checkpoints:
    """The checkpoints of this run, with the signature that a resumed run must share."""
    from fixer.artefacts import CHECKPOINTS
    from fixer.checkpoints import Checkpoints

    signature = {name: value for name, value in asdict(options).items() if name not in UNSIGNED}
    signature |= {"data": setup.selection.sha256, "processes": accelerator.num_processes}
    return Checkpoints(options.save_dir / CHECKPOINTS, signature)


def load_state(options: Options, checkpoints: Checkpoints, accelerator: Accelerator) -> TrainingState | None:
    """The state to continue from; None if the run was interrupted before its first checkpoint."""
    state, notes = checkpoints.load_last()
    outcome = f"resuming from step {state.step}" if state else "no checkpoint yet, starting from step 0"
    if accelerator.is_main_process:
        for line in [*notes, f"{options.save_dir}: {outcome}"]:
            print(line, file=sys.stderr)
    return state


def fit(
    setup: TrainingSetup,
    accelerator: Accelerator,
    *,
    checkpoints: Checkpoints,
    log: MetricsLog,
    state: TrainingState | None,
) -> TrainingResult:
    """Run the training loop, from the state or from the start."""
    from fixer.training import Trainer

    trainer = Trainer(
        setup.model,
        accelerator,
        setup.recipe,
        train=setup.train,
        validation=setup.validation,
        pad_id=setup.tokenizer.pad_token_id,
        log=log,
        checkpoints=checkpoints,
    )
    return trainer.run(state)


def describe_checkpoint(folder: Path) -> str:
    """What an interrupted run can continue from, for its last message."""
    names = sorted(path.name for path in folder.glob("checkpoints/step-*") if path.name[5:].isdecimal())
    return f"{names[-1]} is saved in {folder}; continue with --resume" if names else "no checkpoint was saved yet"


# The results


def training_facts(
    setup: TrainingSetup, accelerator: Accelerator, *, log: MetricsLog, result: TrainingResult, seconds: float
) -> list[tuple[str, str]]:
    """The lines about the run for the closing table, the model card and the manifest."""
    selection, steps, validations, best = setup.selection, log.steps(), log.validations(), log.best()
    division = f"{len(selection.train):,} to train, {len(selection.validation):,} to validate ({selection.basis})"
    tokens = sum(row["tokens"] for row in steps)
    facts = [
        ("pairs", f"{selection.read:,} read: {division}"),
        *((f"  unused: {reason}", f"{count:,}") for reason, count in selection.unused.most_common()),
        ("examples", f"{len(setup.train):,} to train, {len(setup.validation):,} to validate"),
        *((f"  rejected: {reason}", f"{count:,}") for reason, count in setup.rejected.most_common()),
        ("steps", f"{result.step:,} of {setup.recipe.steps:,}{', stopped early' if result.stopped_early else ''}"),
        ("tokens", f"{tokens:,} without padding"),
        ("loss", f"{steps[0]['loss']:.4f} at the start, {steps[-1]['loss']:.4f} at the end"),
    ]
    if best:
        first = validations[0]["validation_loss"]
        losses = f"{first:.4f} at the start, {best['validation_loss']:.4f} at best (step {best['step']})"
        facts.append(("validation loss", losses))
    rate = f"{result.tokens / result.seconds:,.0f} tokens per second" if result.tokens else "no steps remained"
    processes = f"{accelerator.num_processes} process{'es' if accelerator.num_processes > 1 else ''}"
    facts.append(("time", f"{seconds:.1f} s, training {result.seconds:.1f} s, {rate}, {processes}"))
    facts.append(("peak memory", f"{result.peak_bytes / 1e9:.2f} GB ({accelerator.device.type})"))
    return facts


def write_files(
    options: Options,
    setup: TrainingSetup,
    accelerator: Accelerator,
    *,
    log: MetricsLog,
    result: TrainingResult,
    facts: Sequence[tuple[str, str]],
) -> list[Path]:
    """Write the adapter, the merged model if requested, and last the manifest; returns the paths of all of them."""
    from fixer.artefacts import model_card, write_adapter, write_manifest
    from fixer.loading import merge_adapter

    folder, values = options.save_dir, dict(sorted(options.values().items()))
    write_adapter(
        folder,
        model=setup.model,
        weights=result.weights,
        tokenizer=setup.tokenizer,
        style=setup.style,
        log=log,
        card=model_card(options.base_model, values, facts, setup.style),
    )
    if options.merge:
        merge_adapter(folder, options.merge, bits=options.bits)
    content = {
        "seed": options.seed,
        "options": values,
        "data": {"sha256": setup.selection.sha256, "pairs": setup.selection.read},
        "rejected": dict(setup.rejected.most_common()),
        "results": dict(facts),
        "processes": accelerator.num_processes,
        "device": str(accelerator.device),
    }
    names = write_manifest(folder, build_manifest("train_qlora.py", content, packages=PACKAGES))
    return [folder / name for name in names] + ([options.merge] if options.merge else [])


def written_rows(paths: Sequence[Path]) -> list[tuple[str, str]]:
    """The rows of the closing table about the files that were written."""
    return [("" if number else "written", str(path)) for number, path in enumerate(paths)]


if __name__ == "__main__":
    sys.exit(main())
