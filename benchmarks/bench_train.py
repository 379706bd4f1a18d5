#!/usr/bin/env python3
"""Measure speed and memory of training, as ratios within one run, and compare the loss curves.

    python -m benchmarks.bench_train --model google/gemma-3-270m --dataset dataset.jsonl
    python -m benchmarks.bench_train --model small-llama --dataset dataset.jsonl --steps 8 --profile

Each contender trains the same model (NF4, double quantisation, bf16) with the same initial LoRA weights (rank 8, all
linear layers) on the same token ids, eight examples a step in the same order, in a process of its own:

- `ours`: the loop of train_qlora.py with its defaults; `ours undropped`: without LoRA's dropout;
- `TRL`: TRL's `SFTTrainer` with its defaults, in batches of 8;
- `TRL 1x8`, `TRL 2x4`: its settings that are faster on a CPU: 1 or 2 examples at once, no gradient checkpointing;
  `eager`: with the attention that train_qlora.py uses on a CPU; `undropped`: without dropout, for the loss curve.

Prints tokens without padding a CPU-second (without loading and the first step), peak memory of the process, the ratios
to `TRL` and to its fastest setting, and the losses of both without dropout, which must agree step by step.
TRL is installed by `pip install -r benchmarks/requirements.txt`.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import cli
import train_qlora
from benchmarks.shared import add_contender_options, peak_gb, run_contender
from degraders.errors import UserError

if TYPE_CHECKING:
    from fixer.examples import Example

SMALL_LLAMA = "small-llama"
STEP, MAX_LENGTH, RANK, ALPHA, DROPOUT, RATE, SEED = 8, 512, 8, 32, 0.05, 2e-4, 42


class Contender(NamedTuple):
    """How to train; `trl` are changes to the defaults of TRL's `SFTConfig`, None for our own loop."""

    trl: dict[str, Any] | None = None
    dropout: float = DROPOUT
    attention: str = "sdpa"


_ONE_BY_ONE = {"per_device_train_batch_size": 1, "gradient_accumulation_steps": 8, "gradient_checkpointing": False}
_TWO_BY_TWO = {"per_device_train_batch_size": 2, "gradient_accumulation_steps": 4, "gradient_checkpointing": False}
CONTENDERS = {
    "ours": Contender(attention="auto"),
    "ours undropped": Contender(attention="auto", dropout=0),
    "TRL": Contender({"per_device_train_batch_size": 8}),
    "TRL 1x8": Contender(_ONE_BY_ONE),
    "TRL 2x4": Contender(_TWO_BY_TWO),
    "TRL 1x8 eager": Contender(_ONE_BY_ONE, attention="eager"),
    "TRL 1x8 undropped": Contender(_ONE_BY_ONE, dropout=0),
}
CURVES = ("ours undropped", "TRL 1x8 undropped")


@dataclass(frozen=True)
class Options:
    """The options of the command line."""

    model: str
    dataset: Path
    steps: int
    profile: bool
    plot: Path | None
    threads: int
    contenders: list[str]
    contender: str | None

    def __post_init__(self) -> None:
        if self.steps < 2:
            raise UserError("--steps: at least 2 are needed, because the first is a warm-up")


@dataclass
class Result:
    """A contender's loss, CPU-seconds and tokens without padding at each step, and its peak memory in GB; `error` if it
    did not run. `split` has the seconds of the steps by kind of work, if it was profiled."""

    losses: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    tokens: list[int] = field(default_factory=list)
    peak: float = 0.0
    split: dict[str, float] = field(default_factory=dict)
    error: str = ""

    @property
    def rate(self) -> float:
        """Tokens a CPU-second, without the first step."""
        return sum(self.tokens[1:]) / sum(self.seconds[1:])


def main(argv: Sequence[str] | None = None) -> int:
    options = cli.parse_options(build_parser(), argv, Options)
    if options.contender:
        print(json.dumps(asdict(run_here(options))))
        return 0
    with model_folder(options) as folder:
        results = {}
        for name in options.contenders:
            results[name] = run_contender_process(options, name, folder)
            print_result(name, results)
        print_ratios(results)
        if options.profile:
            print_split(run_contender_process(options, "ours", folder, "--profile"))
    print_curves(results, options.plot)
    return int(any(result.error for result in results.values()))


def build_parser() -> argparse.ArgumentParser:
    parser = cli.Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True, help=f"folder, name on the hub, or {SMALL_LLAMA}: made on the spot")
    parser.add_argument("--dataset", type=Path, required=True, help="JSONL with `bad` and `good`")
    parser.add_argument("--steps", type=int, default=5, help="steps, the first a warm-up (default: %(default)s)")
    parser.add_argument("--profile", action="store_true", help="also print how our time divides by kind of work")
    parser.add_argument("--plot", type=Path, metavar="PNG", help="draw the loss curves")
    add_contender_options(parser, CONTENDERS)
    return parser


@contextmanager
def model_folder(options: Options) -> Iterator[str]:
    """The folder or name of the model; the small Llama is made in a temporary folder."""
    if options.model != SMALL_LLAMA:
        yield options.model
        return
    with tempfile.TemporaryDirectory() as folder:
        make_small_llama(folder, options.dataset)
        yield folder


def make_small_llama(folder: str, dataset: Path) -> None:
    """A random Llama of 8 layers of width 512, with 8,000 tokens learned from the data set."""
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    from degraders.dataset.pairs import read_pairs

    special = {"bos_token": "<s>", "eos_token": "</s>", "pad_token": "<pad>"}
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=8000,
        special_tokens=list(special.values()),
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator((pair.good for pair in read_pairs(dataset)), trainer)
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, **special).save_pretrained(folder)
    torch.manual_seed(SEED)
    config = LlamaConfig(
        vocab_size=8000,
        hidden_size=512,
        intermediate_size=1408,
        num_hidden_layers=8,
        num_attention_heads=8,
        pad_token_id=2,
        eos_token_id=1,
        bos_token_id=0,
    )
    model: Any = LlamaForCausalLM(config)
    model.to(torch.bfloat16).save_pretrained(folder)


def run_contender_process(options: Options, name: str, model: str, *more: str) -> Result:
    """Run a contender in a process of its own."""
    settings = {"model": model, "dataset": options.dataset, "steps": options.steps, "threads": options.threads}
    arguments = [text for key, value in settings.items() for text in (f"--{key}", str(value))]
    values, error = run_contender("benchmarks.bench_train", [*arguments, *more], name, options.threads)
    return Result(error=error) if error else Result(**values)


def print_result(name: str, results: dict[str, Result]) -> None:
    result = results[name]
    if result.error:
        print(f"{name:<18} did not run: {result.error}", flush=True)
        return
    if len(results) == 1:
        print(f"{len(result.tokens) - 1} steps of {STEP} examples after one warm-up, {sum(result.tokens[1:]):,} tokens")
    steps = [tokens / seconds for tokens, seconds in zip(result.tokens[1:], result.seconds[1:], strict=True)]
    spread = f"({min(steps):.1f} to {max(steps):.1f} a step)"
    print(f"{name:<18} {result.rate:7.1f} tokens/CPU-s {spread:<26} {result.peak:5.2f} GB", flush=True)


def print_split(result: Result) -> None:
    """Print how our time divides by kind of work."""
    total = sum(result.split.values())
    shares = sorted(((seconds / total, kind) for kind, seconds in result.split.items()), reverse=True)
    print(result.error or "time of ours: " + ", ".join(f"{kind} {share:.0%}" for share, kind in shares))


def print_ratios(results: dict[str, Result]) -> None:
    """Print ours against TRL with its defaults, and against the fastest of its settings with dropout."""
    ran = {name: result for name, result in results.items() if not result.error}
    theirs = {name: ran[name].rate for name in ran if CONTENDERS[name].trl and CONTENDERS[name].dropout}
    rivals = ["TRL"] if "TRL" in ran else []
    rivals += [max(theirs, key=lambda name: theirs[name])] if theirs else []
    for name in ran:
        for rival in rivals if CONTENDERS[name].trl is None else []:
            ratio, memory = ran[name].rate / ran[rival].rate, ran[name].peak / ran[rival].peak
            print(f"{name} against {rival}: {ratio:.2f} times as fast, {memory:.2f} of its memory")


def print_curves(results: dict[str, Result], plot: Path | None) -> None:
    """Print the losses of both without dropout, side by side."""
    if not all(name in results and results[name].losses for name in CURVES):
        return
    curves = {name: results[name].losses for name in CURVES}
    ours, theirs = curves.values()
    print("step  " + "  ".join(f"{name:>17}" for name in curves))
    for step, pair in enumerate(zip(ours, theirs, strict=True), 1):
        print(f"{step:>4}  " + "  ".join(f"{loss:>17.4f}" for loss in pair))
    differences = [abs(a - b) for a, b in zip(ours, theirs, strict=True)]
    print(f"losses differ by {max(differences):.4f} at most, {sum(differences) / len(differences):.4f} in the mean")
    if plot:
        draw_curves(curves, plot)


def draw_curves(curves: dict[str, list[float]], path: Path) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.add_subplot(xlabel="step", ylabel="loss")
    for (name, losses), line in zip(curves.items(), ("-", "--"), strict=True):
        axes.plot(range(1, len(losses) + 1), losses, line, label=name)
    axes.legend()
    figure.savefig(path)


def run_here(options: Options) -> Result:
    """Load the model and let one contender train it in this process."""
    import torch

    from fixer.loading import add_lora, load_base, load_tokenizer

    torch.set_num_threads(options.threads)
    contender, device = CONTENDERS[options.contender or "ours"], torch.device("cpu")
    tokenizer = load_tokenizer(options.model)
    examples = draw_examples(options.dataset, tokenizer, STEP * options.steps)
    base = load_base(options.model, bits=4, device=device, attention=contender.attention)
    model = add_lora(base, r=RANK, alpha=ALPHA, dropout=contender.dropout, seed=SEED)
    if contender.trl is None:
        pad_id = tokenizer.pad_token_id
        result = train_ours(model, examples, pad_id=pad_id, steps=options.steps, profiled=options.profile)
    else:
        result = train_trl(model, tokenizer, examples, steps=options.steps, settings=contender.trl)
    result.peak = peak_gb()
    return result


def draw_examples(dataset: Path, tokenizer: Any, count: int) -> list[Example]:
    """Examples of the data set, drawn by the seed."""
    from degraders.dataset.pairs import read_pairs
    from fixer.examples import encode_pairs
    from fixer.prompts import PromptStyle
    from fixer.training import epoch_order

    pairs = list(read_pairs(dataset))
    pairs = [pairs[index] for index in epoch_order(len(pairs), SEED, 0)[: 4 * count]]
    examples, _ = encode_pairs(pairs, PromptStyle(), tokenizer, max_length=MAX_LENGTH)
    if len(examples) < count:
        sys.exit(f"{dataset}: {len(examples)} examples of at most {MAX_LENGTH} tokens; {count} are needed")
    return [examples[index] for index in epoch_order(len(examples), SEED, 0)[:count]]


def train_ours(model: Any, examples: Sequence[Example], *, pad_id: int, steps: int, profiled: bool) -> Result:
    """The loop of train_qlora.py itself."""
    from torch.profiler import ProfilerActivity, profile

    from fixer.artefacts import MetricsLog
    from fixer.checkpoints import Checkpoints
    from fixer.devices import make_accelerator
    from fixer.training import Trainer

    times: list[float] = []
    profiler = profile(activities=[ProfilerActivity.CPU], record_shapes=True) if profiled else None

    class Clock(MetricsLog):
        """A log that reads the CPU clock after each step, and profiles the steps after the first."""

        def add(self, row: dict[str, Any], *, speed: float | None = None) -> None:
            super().add(row, speed=speed)
            times.append(time.process_time())
            if profiler and len(times) == 1:
                profiler.start()
            elif profiler and len(times) == steps:
                profiler.stop()

    log = Clock(None, [], tensorboard=False)
    accelerator = make_accelerator("cpu")
    recipe = train_qlora.build_recipe(recipe_options(steps), len(examples), accelerator)
    began = time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        checkpoints = Checkpoints(Path(folder), {})
        trainer = Trainer(
            model,
            accelerator,
            recipe,
            train=examples,
            validation=[],
            pad_id=pad_id,
            log=log,
            checkpoints=checkpoints,
        )
        trainer.run(None)
    rows = log.steps()
    losses, tokens = ([row[name] for row in rows] for name in ("loss", "tokens"))
    return Result(
        losses, differences([began, *times]), tokens, split=split_by_kind(profiler.events()) if profiler else {}
    )


def split_by_kind(events: Any) -> dict[str, float]:
    """Seconds by kind of work."""
    seconds: defaultdict[str, float] = defaultdict(float)
    for event in events:
        seconds[operator_kind(event)] += event.self_cpu_time_total / 1e6
    return dict(seconds)


def operator_kind(event: Any) -> str:
    """The kind of work of an operator, by the names and shapes of it and of the operators around it."""
    around = [event]
    while around[-1].cpu_parent:
        around.append(around[-1].cpu_parent)
    if any(one.name.startswith("_TiledLoss") for one in around):
        return "head and loss"
    for one in around:
        shapes = [shape for shape in one.input_shapes if shape]
        if "bitwise" in one.name or "random_" in one.name:
            return "dropout"
        if "dequantize" in one.name:
            return "unpacking 4 bits"
        if one.name in ("aten::mm", "aten::addmm_"):
            return "LoRA" if any(RANK in shape for shape in shapes) else "products with the base"
        if one.name == "aten::bmm" or any(len(shape) > 3 for shape in shapes):
            return "attention"
        if one.name.startswith("_FusedLora"):
            return "LoRA"
    return "rest: norms, activations, sums, optimizer"


def recipe_options(steps: int) -> train_qlora.Options:
    """The options of train_qlora.py: its defaults, except for the settings that both sides must share."""
    arguments = ["--learning_rate", str(RATE), "--schedule", "constant", "--warmup", "0", "--max_steps", str(steps)]
    arguments += ["--per_device_batch_size", str(STEP), "--seed", str(SEED), "--dataset", "not-read.jsonl"]
    return cli.parse_options(train_qlora.build_parser(), arguments, train_qlora.Options)


def differences(times: Sequence[float]) -> list[float]:
    return [end - start for start, end in zip(times, times[1:], strict=False)]


def train_trl(
    model: Any, tokenizer: Any, examples: Sequence[Example], *, steps: int, settings: dict[str, Any]
) -> Result:
    """TRL's trainer on the same token ids, with the loss on completions only and its defaults otherwise."""
    from transformers import TrainerCallback
    from trl import SFTConfig, SFTTrainer

    times: list[float] = []

    class Clock(TrainerCallback):
        def on_step_end(self, *args: Any, **kwargs: Any) -> None:
            times.append(time.process_time())

    batches = step_batches(examples)
    with tempfile.TemporaryDirectory() as folder:
        config = SFTConfig(
            output_dir=folder,
            use_cpu=True,
            max_length=MAX_LENGTH,
            max_steps=steps,
            completion_only_loss=True,
            learning_rate=RATE,
            lr_scheduler_type="constant",
            train_sampling_strategy="sequential",
            logging_steps=1,
            save_strategy="no",
            report_to="none",
            disable_tqdm=True,
            seed=SEED,
            **settings,
        )
        data = trl_dataset([example for batch in batches for example in batch])
        trainer = SFTTrainer(model, config, train_dataset=data, processing_class=tokenizer, callbacks=[Clock()])
        began = time.process_time()
        trainer.train()
    losses = [row["loss"] for row in trainer.state.log_history if "loss" in row]
    return Result(losses, differences([began, *times]), [sum(map(len, batch)) for batch in batches])


def step_batches(examples: Sequence[Example]) -> list[list[Example]]:
    """The examples of our steps, sorted by length within each, which saves TRL padding in small batches."""
    from fixer.training import epoch_order

    ordered = [examples[index] for index in epoch_order(len(examples), SEED, 0)]
    return [sorted(ordered[start : start + STEP], key=len) for start in range(0, len(ordered), STEP)]


def trl_dataset(examples: Sequence[Example]) -> Any:
    """The examples as a tokenised data set of TRL."""
    from datasets import Dataset

    rows = [
        {
            "input_ids": [*example.prompt, *example.target],
            "completion_mask": [0] * len(example.prompt) + [1] * len(example.target),
        }
        for example in examples
    ]
    return Dataset.from_list(rows)


if __name__ == "__main__":
    sys.exit(main())
