#!/usr/bin/env python3
"""Stage 2: pairs of bad and good text in, a LoRA adapter that repairs documentation out.

    python train_qlora.py --dataset dataset.jsonl --save_dir lora_out

Reads stage 1's records, a data set of the hub or any JSONL with `bad` and `good`; loads the base model in 4 bits; turns
the pairs into prompts and targets; trains LoRA weights on the targets' tokens alone, validates, keeps the best; writes
the adapter with its prompt style, log, loss curve, model card, and the manifest last.
"""

from __future__ import annotations

import argparse
import math
import os
import platform
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cli import DefaultsHelp, format_rows, is_main, number, option_adder, run_script, whole_number
from degraders import __version__
from degraders.errors import UserError

if TYPE_CHECKING:
    from accelerate import Accelerator

    from degraders.dataset.selection import PairSelection
    from fixer.artefacts import MetricsLog
    from fixer.checkpoints import TrainingState
    from fixer.examples import Example
    from fixer.prompts import PromptStyle
    from fixer.training import Recipe, Result

BASE_MODEL = "meta-llama/Llama-2-7b-hf"
MAX_LENGTH, TINY_MAX_LENGTH = 512, 1024
TINY_PAIRS, TINY_STEPS = 64, 10
EVALUATIONS = 10
SLOTS = {"cuda": 4096, "cpu": 512}
"""Tokens computed at once; fewer take less memory, more are faster."""
FREE = {"save_dir", "force", "resume", "merge", "threads", "tensorboard", "device_map", "save_every", "dataset"}
"""Options that may change when a run is resumed: they have no part in its losses (the data is compared by digest)."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the stage; returns the exit code: 0 done, 1 bad data or I/O, 2 usage, 130 interrupted."""
    parser = build_parser()
    options = parser.parse_args(argv)
    check_usage(parser, options)
    work = train if options.dataset or options.hf_dataset else merge
    return run_script(parser.prog, lambda: work(options), lambda: what_remains(options.save_dir))


def build_parser() -> argparse.ArgumentParser:
    """The command line; every option is also understood with dashes for underscores, and the reverse."""
    parser = argparse.ArgumentParser(
        prog="train_qlora.py",
        description="Train a LoRA adapter, on a model in 4 bits, that repairs documentation.",
        formatter_class=DefaultsHelp,
        allow_abbrev=False,
    )
    _data_options(option_adder(parser.add_argument_group("data")))
    _model_options(option_adder(parser.add_argument_group("model")))
    _task_options(option_adder(parser.add_argument_group("what is learned")))
    _training_options(option_adder(parser.add_argument_group("training")))
    _running_options(option_adder(parser.add_argument_group("running and output")))
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    return parser


def _data_options(group: Callable[..., None]) -> None:
    group("--dataset", type=Path, metavar="FILE", help=".jsonl, .jsonl.gz or .parquet, of data_prep.py or your own")
    group("--hf_dataset", metavar="NAME", help="data set of the Hugging Face hub, or a local folder of one")
    group("--hf_split", default="train", metavar="NAME", help="split of that data set to train on")
    group("--hf_validation_split", metavar="NAME", help="split to validate on (none: a share is held out)")
    group("--coedit_task", metavar="TASK", help="only rows of this task of CoEdIT: gec, clarity, simplification, …")
    group("--bad_field", default="bad", metavar="NAME", help="field that holds the bad text")
    group("--good_field", default="good", metavar="NAME", help="field that holds the good text")
    group("--context_field", default="context", metavar="NAME", help="field that holds what stands above the text")
    group("--validation_share", type=number(0, 0.9), default=0.05, metavar="P", help="held out if data has no splits")
    group(
        "--validation_limit",
        type=whole_number(1),
        default=256,
        metavar="N",
        help="pairs to validate on, drawn by the seed",
    )
    group("--limit", type=whole_number(1), metavar="N", help="pairs to train on, drawn by the seed (none: all)")


def _model_options(group: Callable[..., None]) -> None:
    base = os.environ.get("BASE_MODEL") or BASE_MODEL
    group("--base_model", default=base, metavar="NAME", help="model of the hub or folder; BASE_MODEL sets the default")
    group("--bits", type=int, choices=(4, 16, 32), default=4, help="4: NF4, double quantisation; or no quantisation")
    attentions = ("auto", "sdpa", "flash_attention_2", "eager")
    group("--attention", choices=attentions, default="auto", help="auto: sdpa on CUDA, eager on a CPU, faster there")
    group("--device_map", default="auto", metavar="DEVICE", help="auto: this process's device; or cpu, cuda, cuda:1")
    group("--trust_remote_code", action="store_true", help="run code that comes with the model")
    group("--lora_r", type=whole_number(1), default=8, metavar="N", help="rank of the adapter, on all linear layers")
    group("--lora_alpha", type=number(0), default=32, metavar="A", help="its scale: alpha / rank")
    group("--lora_dropout", type=number(0, 0.99), default=0.05, metavar="P", help="dropout before the adapter")
    group("--debug_tiny", action="store_true", help=f"a tiny model made here; {TINY_PAIRS} pairs, {TINY_STEPS} steps")


def _task_options(group: Callable[..., None]) -> None:
    formats, styles = ("good_only", "structured", "edits"), ("auto", "plain", "chat")
    group("--direction", choices=("repair", "degrade"), default="repair", help="repair: bad to good; degrade: back")
    group(
        "--train_target_format", choices=formats, default="good_only", help="the text, JSON of spans and text, or edits"
    )
    group("--prompt_style", choices=styles, default="auto", help="auto: chat if the tokenizer has a chat template")
    group("--max_length", type=whole_number(16), metavar="N", help=f"tokens of prompt and target (none: {MAX_LENGTH}, "
          f"or {TINY_MAX_LENGTH} with --debug_tiny); longer pairs are divided between blocks, or rejected")  # fmt: skip
    group("--span_weight", type=number(0), default=1.0, metavar="W", help="weight in the loss of tokens that mend")


def _training_options(group: Callable[..., None]) -> None:
    optimizers = ("auto", "adamw", "paged_adamw_8bit")
    group("--epochs", type=number(0), default=3, metavar="E", help="times over the data")
    group(
        "--max_steps",
        type=whole_number(1),
        metavar="N",
        help="optimizer steps, whatever --epochs says (none: by epochs)",
    )
    group("--seed", type=int, default=42, help="the same seed gives the same adapter")
    group(
        "--per_device_batch_size", type=whole_number(1), default=8, metavar="N", help="most examples computed at once"
    )
    group("--gradient_accumulation_steps", type=whole_number(1), default=1, metavar="N", help="such batches a step")
    group("--token_slots", type=whole_number(16), metavar="N", help=f"most tokens computed at once, or one example "
          f"(none: {SLOTS['cuda']} on CUDA, {SLOTS['cpu']} on a CPU)")  # fmt: skip
    group("--learning_rate", type=number(0), default=2e-4, metavar="R", help="its highest value")
    group("--warmup", type=number(0), default=0.03, metavar="N", help="steps of warm-up; below 1, their share")
    group("--schedule", choices=("cosine", "linear", "constant"), default="cosine", help="after the warm-up")
    group("--weight_decay", type=number(0), default=0.0, metavar="D", help="of AdamW")
    group("--max_grad_norm", type=number(0), default=1.0, metavar="N", help="gradients are cut to it; 0: never")
    group("--optimizer", choices=optimizers, default="auto", help="auto: paged 8-bit AdamW on CUDA, else AdamW")
    group("--gradient_checkpointing", choices=("auto", "on", "off"), default="auto", help="auto: on for CUDA")
    group(
        "--eval_every",
        type=whole_number(1),
        metavar="N",
        help=f"steps between validations (none: {EVALUATIONS} in a run)",
    )
    group(
        "--patience",
        type=whole_number(0),
        default=3,
        metavar="N",
        help="validations without a new best to stop at; 0: off",
    )


def _running_options(group: Callable[..., None]) -> None:
    group("--save_dir", type=Path, default=Path("./lora_out"), metavar="DIR", help="folder of the adapter")
    group("--force", action="store_true", help="replace a run that is there")
    group("--resume", action="store_true", help="go on from the last checkpoint there")
    group("--save_every", type=whole_number(1), default=100, metavar="N", help="steps between checkpoints")
    group(
        "--merge", type=Path, metavar="DIR", help="write base and adapter as a plain model, too; without data: only so"
    )
    group("--tensorboard", action="store_true", help="log to DIR/tensorboard, too")
    group("--threads", type=whole_number(1), metavar="N", help="CPU threads (none: as torch chooses)")


def check_usage(parser: argparse.ArgumentParser, options: argparse.Namespace) -> None:
    """Refuse, as wrong usage, what no data could make right."""
    if options.dataset and options.hf_dataset:
        parser.error("--dataset and --hf_dataset exclude each other")
    if not options.dataset and not options.hf_dataset and not options.merge:
        parser.error("name what to learn from: --dataset FILE or --hf_dataset NAME")
    if options.resume and options.force:
        parser.error("--resume and --force exclude each other")


@dataclass(frozen=True)
class Prepared:
    """What a run has before its first step."""

    chosen: PairSelection
    model: Any
    tokenizer: Any
    style: PromptStyle
    train: list[Example]
    validation: list[Example]
    rejected: Counter[str]
    recipe: Recipe


def train(options: argparse.Namespace) -> None:
    """Read, load, encode, train, write, report."""
    from contextlib import nullcontext

    from fixer import artefacts
    from fixer.devices import make_accelerator

    started = time.monotonic()
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    folder = options.save_dir
    if is_main():
        artefacts.check_folder(folder, force=options.force, resume=options.resume)
        _refuse_taken(options.merge)
    with artefacts.claim_folder(folder) if is_main() else nullcontext():
        accelerator = make_accelerator(options.device_map)
        _settle(options)
        prepared = prepare(options, accelerator)
        state, checkpoints = _state(options, prepared, accelerator)
        if accelerator.is_main_process and state is None:
            artefacts.clear_folder(folder)
        log = artefacts.MetricsLog(
            folder if accelerator.is_main_process else None,
            state.history if state else [],
            tensorboard=options.tensorboard,
        )
        result = fit(prepared, accelerator, state, log, checkpoints)
        log.close()
        if accelerator.is_main_process:
            facts = facts_of(prepared, log, result, accelerator, time.monotonic() - started)
            written = write(options, prepared, log, result, accelerator, facts)
            print(format_rows([*facts, *written]))
        accelerator.end_training()


def _settle(options: argparse.Namespace) -> None:
    """Fill in what depends on other options; set threads and seed, before any weight exists."""
    import torch
    from accelerate.utils import set_seed

    from fixer.loading import TINY, base_name

    if options.debug_tiny:
        options.base_model = TINY
        options.limit = options.limit or TINY_PAIRS
        options.max_steps = options.max_steps or TINY_STEPS
    options.base_model = base_name(options.base_model)
    options.max_length = options.max_length or (TINY_MAX_LENGTH if options.debug_tiny else MAX_LENGTH)
    if options.threads:
        torch.set_num_threads(options.threads)
    set_seed(options.seed)


def prepare(options: argparse.Namespace, accelerator: Accelerator) -> Prepared:
    """The pairs, the model with its fresh adapter, the examples and the recipe."""
    from fixer.examples import encode_pairs
    from fixer.loading import add_lora, load_base, load_tokenizer
    from fixer.prompts import PromptStyle

    chosen = read_pairs(options)
    tokenizer = load_tokenizer(options.base_model, trust_remote_code=options.trust_remote_code)
    style = PromptStyle(_style_name(options.prompt_style, tokenizer), options.train_target_format, options.direction)
    window = {"style": style, "tokenizer": tokenizer, "max_length": options.max_length}
    train, rejected = encode_pairs(_shown(chosen.train), span_weight=options.span_weight, **window)
    # Unweighted, so that runs can be compared whatever their span weight.
    validation, more = encode_pairs(chosen.validation, **window)
    rejected += more
    if not train:
        reasons = ", ".join(f"{count} x {reason}" for reason, count in rejected.most_common())
        raise UserError(f"no example to train on: {reasons}; raise --max_length (now {options.max_length})")
    recipe = recipe_of(options, len(train), accelerator)
    base = load_base(
        options.base_model,
        bits=options.bits,
        device=accelerator.device,
        attention=options.attention,
        trust_remote_code=options.trust_remote_code,
    )
    _fit_window(base, options.max_length)
    if options.debug_tiny and accelerator.is_main_process:
        print(_tiny_told(base, options.bits), file=sys.stderr)
    _checkpoint_activations(base, options.gradient_checkpointing)
    model = add_lora(base, r=options.lora_r, alpha=options.lora_alpha, dropout=options.lora_dropout, seed=options.seed)
    return Prepared(chosen, model, tokenizer, style, train, validation, rejected, recipe)


def read_pairs(options: argparse.Namespace) -> PairSelection:
    """The pairs of the data set, divided."""
    from degraders.dataset.pairs import Fields, Pair, read_hub_pairs, read_pairs
    from degraders.dataset.selection import select_pairs

    fields = Fields(options.bad_field, options.good_field, options.context_field, options.coedit_task)
    validation: list[Pair] = []
    if options.hf_dataset:
        pairs = read_hub_pairs(options.hf_dataset, options.hf_split, fields)
        if options.hf_validation_split:
            validation = list(read_hub_pairs(options.hf_dataset, options.hf_validation_split, fields))
    else:
        pairs = read_pairs(options.dataset, fields)
    return select_pairs(
        pairs,
        seed=options.seed,
        share=options.validation_share,
        limit=options.limit,
        validation_limit=options.validation_limit,
        validation=validation,
    )


def recipe_of(options: argparse.Namespace, examples: int, accelerator: Accelerator) -> Recipe:
    """The options as the training loop wants them: in steps."""
    from fixer.training import Recipe

    step_examples = options.per_device_batch_size * options.gradient_accumulation_steps * accelerator.num_processes
    steps = options.max_steps or max(1, math.ceil(options.epochs * math.ceil(examples / step_examples)))
    return Recipe(
        seed=options.seed,
        steps=steps,
        step_examples=step_examples,
        rows=options.per_device_batch_size,
        token_slots=options.token_slots or SLOTS["cuda" if accelerator.device.type == "cuda" else "cpu"],
        learning_rate=options.learning_rate,
        warmup=round(options.warmup if options.warmup >= 1 else options.warmup * steps),
        schedule=options.schedule,
        weight_decay=options.weight_decay,
        max_grad_norm=options.max_grad_norm,
        optimizer=options.optimizer,
        eval_every=options.eval_every or math.ceil(steps / EVALUATIONS),
        save_every=options.save_every,
        patience=options.patience,
    )


def _state(
    options: argparse.Namespace, prepared: Prepared, accelerator: Accelerator
) -> tuple[TrainingState | None, Any]:
    """Where to go on, None for the start; and where checkpoints go."""
    from fixer.artefacts import CHECKPOINTS
    from fixer.checkpoints import Checkpoints

    signature = {name: value for name, value in vars(options).items() if name not in FREE}
    signature |= {"data": prepared.chosen.sha256, "processes": accelerator.num_processes}
    checkpoints = Checkpoints(options.save_dir / CHECKPOINTS, signature)
    if not options.resume:
        return None, checkpoints
    state, notes = checkpoints.last()
    where = f"going on from step {state.step}" if state else "no checkpoint yet, beginning anew"
    if accelerator.is_main_process:
        for line in [*notes, f"{options.save_dir}: {where}"]:
            print(line, file=sys.stderr)
    return state, checkpoints


def fit(
    prepared: Prepared, accelerator: Accelerator, state: TrainingState | None, log: MetricsLog, checkpoints: Any
) -> Result:
    """Run the training loop."""
    from fixer.training import Trainer

    trainer = Trainer(
        prepared.model,
        accelerator,
        prepared.recipe,
        prepared.train,
        prepared.validation,
        pad_id=prepared.tokenizer.pad_token_id,
        log=log,
        checkpoints=checkpoints,
    )
    return trainer.run(state)


def write(
    options: argparse.Namespace,
    prepared: Prepared,
    log: MetricsLog,
    result: Result,
    accelerator: Accelerator,
    facts: list[tuple[str, str]],
) -> list[tuple[str, str]]:
    """The adapter, a merged model if asked, the manifest last; returns the closing table's rows of what was written."""
    from fixer import artefacts
    from fixer.loading import merge as merge_into

    folder = options.save_dir
    told = {name: str(value) if isinstance(value, Path) else value for name, value in sorted(vars(options).items())}
    card = artefacts.model_card(options.base_model, told, facts, prepared.style)
    artefacts.write_adapter(folder, prepared.model, result.weights, prepared.tokenizer, prepared.style, log, card)
    if options.merge:
        merge_into(folder, options.merge)
    content = {
        "tool": "train_qlora.py",
        "version": __version__,
        "seed": options.seed,
        "options": told,
        "data": {"sha256": prepared.chosen.sha256, "pairs": prepared.chosen.read},
        "rejected": dict(prepared.rejected.most_common()),
        "results": dict(facts),
        "processes": accelerator.num_processes,
        "device": str(accelerator.device),
        "packages": {name: version(name) for name in ("torch", "transformers", "peft", "bitsandbytes", "accelerate")},
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        "python": platform.python_version(),
        "platform": platform.platform(),
    }
    paths = [folder / name for name in artefacts.write_manifest(folder, content)]
    paths += [options.merge] if options.merge else []
    return [("" if number else "written", str(path)) for number, path in enumerate(paths)]


def facts_of(
    prepared: Prepared, log: MetricsLog, result: Result, accelerator: Accelerator, seconds: float
) -> list[tuple[str, str]]:
    """What the run came to, for the closing table, the model card and the manifest."""
    chosen, steps = prepared.chosen, log.steps()
    used = f"{len(chosen.train):,} to train, {len(chosen.validation):,} to validate ({chosen.basis})"
    tokens = sum(row["tokens"] for row in steps)
    rows = [
        ("pairs", f"{chosen.read:,} read: {used}"),
        *((f"  unused: {reason}", f"{count:,}") for reason, count in chosen.unused.most_common()),
        ("examples", f"{len(prepared.train):,} to train, {len(prepared.validation):,} to validate"),
        *((f"  rejected: {reason}", f"{count:,}") for reason, count in prepared.rejected.most_common()),
        ("steps", f"{result.step:,} of {prepared.recipe.steps:,}{', stopped early' if result.stopped_early else ''}"),
        ("tokens", f"{tokens:,} without padding"),
        ("loss", f"{steps[0]['loss']:.4f} at first, {steps[-1]['loss']:.4f} at last"),
    ]
    best = log.best()
    if best:
        first = log.validations()[0]["validation_loss"]
        rows.append(
            ("validation loss", f"{first:.4f} at first, {best['validation_loss']:.4f} at best (step {best['step']})")
        )
    rate = f"{result.tokens / result.seconds:,.0f} tokens a second" if result.tokens else "nothing left to train"
    processes = f"{accelerator.num_processes} process{'es' if accelerator.num_processes > 1 else ''}"
    rows.append(("time", f"{seconds:.1f} s, training {result.seconds:.1f} s, {rate}, {processes}"))
    rows.append(("peak memory", f"{result.peak_bytes / 1e9:.2f} GB ({accelerator.device.type})"))
    return rows


def merge(options: argparse.Namespace) -> None:
    """Only merge an adapter that is there already."""
    from fixer.loading import merge as merge_into

    _refuse_taken(options.merge)
    merge_into(options.save_dir, options.merge)
    print(format_rows([("written", str(options.merge))]))


def _style_name(asked: str, tokenizer: Any) -> str:
    has_template = bool(getattr(tokenizer, "chat_template", None))
    if asked == "chat" and not has_template:
        raise UserError("--prompt_style chat: this model's tokenizer has no chat template; pass plain or auto")
    return ("chat" if has_template else "plain") if asked == "auto" else asked


def _shown(pairs: Sequence[Any]) -> Any:
    """The pairs, under a progress bar on a terminal."""
    from tqdm import tqdm

    return tqdm(pairs, desc="encoding", unit="pair", leave=False, disable=None if is_main() else True)


def _fit_window(base: Any, max_length: int) -> None:
    from fixer.batching import WIDTHS

    # Batches are padded to whole widths, and a learned position beyond the last one is an error.
    most = getattr(base.config, "max_position_embeddings", 0) // WIDTHS * WIDTHS
    if most and max_length > most:
        raise UserError(f"--max_length {max_length}: this model reads {most} tokens at most; pass {most} or less")


def _tiny_told(base: Any, bits: int) -> str:
    config = base.config
    size = sum(weight.numel() for weight in base.parameters())
    return (
        f"--debug_tiny: a Llama of {config.num_hidden_layers} layers of width {config.hidden_size} made here, in "
        f"{bits} bits, {size / 1e6:.2f} million numbers; its tokens are bytes; it shows that all works, no more"
    )


def _checkpoint_activations(base: Any, asked: str) -> None:
    """Trade computing for memory; by itself only on CUDA: on a CPU it costs half the time again and saves little."""
    if asked == "on" or (asked == "auto" and base.device.type == "cuda"):
        base.activation_checkpointing_enable({"use_reentrant": False})


def _refuse_taken(folder: Path | None) -> None:
    if folder and folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UserError(f"{folder}: exists already; name a new folder with --merge")


def what_remains(folder: Path) -> str:
    """What an interrupted run leaves."""
    found = sorted(path.name for path in folder.glob("checkpoints/step-*") if path.name[5:].isdecimal())
    return f"{found[-1]} is saved in {folder}, --resume goes on from there" if found else "no checkpoint was due yet"


if __name__ == "__main__":
    sys.exit(main())
