"""The training loop: optimizer steps, validations, log and checkpoints.

Everything about a step that is random or changes over time is a function of the seed and the step: its examples, its
learning rate, its dropout. So a run continues from a checkpoint as if it had never stopped, and a validation in between
changes nothing. The loss of a step is divided by the sum of its tokens' weights over all processes, so that it does not
depend on how the examples are divided among processes and micro-batches.
"""

from __future__ import annotations

import math
import sys
import time
import warnings
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import torch
from accelerate import Accelerator
from accelerate.utils import DistributedType
from torch import Tensor
from tqdm import tqdm

from degraders.draw import ticket
from degraders.errors import UserError
from fixer.artefacts import MetricsLog
from fixer.batching import Batch, step_batches
from fixer.checkpoints import (
    Checkpoints,
    LogRow,
    TrainingState,
    optimizer_state,
    restore_optimizer,
    restore_weights,
    trainable_weights,
)
from fixer.devices import process_share
from fixer.examples import Example
from fixer.lora import fuse
from fixer.loss import FixerModel

OUT_OF_MEMORY = (
    "lower --token_slots (now {slots}) or --max_length, pass --gradient_checkpointing on, or --bits 4; "
    "--per_device_batch_size 1 keeps a single example in memory"
)
SCHEDULES = ("cosine", "linear", "constant")
OPTIMIZERS = ("auto", "adamw", "paged_adamw_8bit")


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How to train, in optimizer steps.

    `step_examples` is the number of examples of one step, all processes together; `rows` and `token_slots` are the most
    examples and tokens of a micro-batch; `warmup`, `eval_every`, `save_every` are numbers of steps, `patience` is the
    number of validations without a new best after which training stops (0: never).
    """

    seed: int
    steps: int
    step_examples: int
    rows: int
    token_slots: int
    learning_rate: float
    warmup: int
    schedule: str
    weight_decay: float
    max_grad_norm: float
    optimizer: str
    eval_every: int
    save_every: int
    patience: int

    def __post_init__(self) -> None:
        for name in ("steps", "step_examples", "rows", "token_slots", "eval_every", "save_every"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}, not a number of at least 1")
        for name in ("learning_rate", "warmup", "weight_decay", "max_grad_norm", "patience"):
            if not 0 <= getattr(self, name) < math.inf:
                raise ValueError(f"{name} is {getattr(self, name)}, not a number of at least 0")
        for name, choices in (("schedule", SCHEDULES), ("optimizer", OPTIMIZERS)):
            if getattr(self, name) not in choices:
                raise ValueError(f"{name} is {getattr(self, name)!r}, not one of {', '.join(choices)}")

    def rate(self, step: int) -> float:
        """The learning rate of a step (from 1 to `steps`): a linear warm-up, then the schedule."""
        if step <= self.warmup:
            return self.learning_rate * step / (self.warmup + 1)
        done = (step - 1 - self.warmup) / max(1, self.steps - self.warmup)
        factor = {"constant": 1.0, "linear": 1 - done, "cosine": (1 + math.cos(math.pi * done)) / 2}[self.schedule]
        return self.learning_rate * factor


@dataclass(frozen=True)
class TrainingResult:
    """The outcome of a run; `weights` are the best by validation, or the last ones if nothing is validated.

    `seconds` and `tokens` are those of the steps since the run started or was resumed.
    """

    step: int
    weights: dict[str, Tensor]
    stopped_early: bool
    seconds: float
    tokens: int
    peak_bytes: int


def epoch_order(count: int, seed: int, epoch: int) -> list[int]:
    """The order of `count` examples in an epoch, the same on every machine."""
    return sorted(range(count), key=lambda place: ticket(seed, epoch, place))


def total_weight(examples: Sequence[Example]) -> float:
    return math.fsum(weight for example in examples for weight in example.weights)


class Trainer:
    """Trains the LoRA weights of a model on examples, by a recipe."""

    def __init__(
        self,
        model: Any,
        accelerator: Accelerator,
        recipe: Recipe,
        *,
        train: Sequence[Example],
        validation: Sequence[Example],
        pad_id: int,
        log: MetricsLog,
        checkpoints: Checkpoints,
    ) -> None:
        self._accelerator, self._recipe = accelerator, recipe
        self._examples, self._validation, self._pad_id = train, validation, pad_id
        self._log, self._checkpoints = log, checkpoints
        if accelerator.distributed_type != DistributedType.FSDP:  # FSDP must see the use of each layer's weights
            fuse(model)
        wrapped = FixerModel(model)
        # FSDP shards by these layers.
        wrapped._no_split_modules = getattr(model, "_no_split_modules", None)  # type: ignore[assignment]
        optimizer = _optimizer(wrapped, recipe, accelerator)
        self._core = model
        with warnings.catch_warnings():
            # `broadcast_buffers` is deprecated, but has no replacement yet.
            warnings.simplefilter("ignore", FutureWarning)
            self._model, self._optimizer = accelerator.prepare(wrapped, optimizer, device_placement=[False, False])
        self._best: dict[str, Tensor] = {}
        self._epoch_steps = math.ceil(len(train) / recipe.step_examples)
        self._order = lru_cache(maxsize=2)(lambda epoch: epoch_order(len(train), recipe.seed, epoch))

    def run(self, state: TrainingState | None) -> TrainingResult:
        """Train from the state (None: from the start) to the last step, or until validation no longer improves."""
        recipe, log = self._recipe, self._log
        first = self._start(state)
        tokens, seconds, step = 0, 0.0, first
        self._model.train()
        with self._progress_bar(first) as bar:
            while step < recipe.steps and not self._is_patience_exhausted():
                step += 1
                began = time.perf_counter()
                with _memory_errors(recipe, step):
                    row = self._step(step)
                seconds += time.perf_counter() - began
                tokens += row["tokens"]
                log.add(row, speed=tokens / seconds)
                bar.set_postfix_str(f"loss {row['loss']:.3f}, {tokens / seconds:,.0f} tokens/s", refresh=False)
                bar.update()
                if self._validation and (step % recipe.eval_every == 0 or step == recipe.steps):
                    self._validate(step)
                if step % recipe.save_every == 0 or step == recipe.steps or self._is_patience_exhausted():
                    self._save(step)
        return TrainingResult(
            step=step,
            weights=self._best or trainable_weights(self._core),
            stopped_early=step < recipe.steps,
            seconds=seconds,
            tokens=tokens,
            peak_bytes=self._peak_memory(),
        )

    def _start(self, state: TrainingState | None) -> int:
        """Restore the state, or validate the untrained model; returns the number of finished steps."""
        if state is None:
            if self._validation:
                self._validate(0)
            return 0
        restore_weights(self._core, state.weights)
        restore_optimizer(self._torch_optimizer(), state.optimizer)
        self._best = state.best
        return state.step

    def _step(self, step: int) -> LogRow:
        """One optimizer step; returns its log row, whose tokens are those of all processes, without padding."""
        recipe, accelerator = self._recipe, self._accelerator
        examples = self._step_examples(step)
        weight = total_weight(examples)
        _seed_step(recipe.seed, step, accelerator.process_index)
        total = torch.zeros((), dtype=torch.float64, device=accelerator.device)
        batches = self._batches(examples, rows=recipe.rows)
        for number, batch in enumerate(batches, 1):
            with self._gradient_sync(last=number == len(batches)):
                loss = self._model(_on_device(batch, accelerator.device)) / weight
                # The gradients of processes are averaged, but must be summed.
                accelerator.backward(loss * accelerator.num_processes)
            total += loss.detach()
        norm = accelerator.clip_grad_norm_(self._core.parameters(), recipe.max_grad_norm or math.inf)
        loss_value = self._sum_over_processes(total)
        if not math.isfinite(loss_value) or norm is None or not math.isfinite(float(norm)):
            raise UserError(f"step {step}: the loss is {loss_value}, its gradient {norm}; lower --learning_rate")
        for group in self._optimizer.param_groups:
            group["lr"] = recipe.rate(step)
        self._optimizer.step()
        self._optimizer.zero_grad()
        return {
            "step": step,
            "epoch": round(step / self._epoch_steps, 4),
            "loss": loss_value,
            "learning_rate": recipe.rate(step),
            "gradient_norm": float(norm),
            "tokens": sum(map(len, examples)),
        }

    def _validate(self, step: int) -> None:
        """Log the mean loss per validation token, and keep a copy of the weights if they are the best so far."""
        self._model.eval()
        total = torch.zeros((), dtype=torch.float64, device=self._accelerator.device)
        with torch.no_grad(), _memory_errors(self._recipe, step):
            for batch in self._batches(self._validation, rows=len(self._validation)):
                total += self._model(_on_device(batch, self._accelerator.device))
        self._model.train()
        loss = self._sum_over_processes(total) / total_weight(self._validation)
        best = self._log.best()
        self._log.add({"step": step, "validation_loss": loss})
        if best is None or loss < best["validation_loss"]:
            self._best = trainable_weights(self._core)
        if self._accelerator.is_main_process:
            tqdm.write(f"step {step} of {self._recipe.steps}: validation loss {loss:.4f}", file=sys.stderr)

    def _save(self, step: int) -> None:
        state = TrainingState(
            step=step,
            weights=trainable_weights(self._core),
            optimizer=optimizer_state(self._torch_optimizer()),
            best=self._best,
            history=self._log.rows,
        )
        if self._accelerator.is_main_process:
            self._checkpoints.save(state)

    def _is_patience_exhausted(self) -> bool:
        """Whether as many validations as `patience` allows were worse than the best one before them."""
        return 0 < self._recipe.patience <= self._log.validations_since_best()

    def _step_examples(self, step: int) -> list[Example]:
        """The examples of a step (from 1): the next ones in the order of its epoch; the last step of an epoch may have
        fewer."""
        size = self._recipe.step_examples
        epoch, place = divmod(step - 1, self._epoch_steps)
        return [self._examples[index] for index in self._order(epoch)[place * size : (place + 1) * size]]

    def _batches(self, examples: Sequence[Example], *, rows: int) -> list[Batch]:
        """The micro-batches of this process: at least one, and under FSDP as many as any other process has; those that
        are missing are filled with batches of weight 0."""
        accelerator = self._accelerator
        process, processes = accelerator.process_index, accelerator.num_processes
        share = process_share(examples, lambda example: -len(example), process, processes)
        settings = {"slots": self._recipe.token_slots, "rows": rows, "pad_id": self._pad_id}
        batches = step_batches(share, **settings)
        count = 1
        if accelerator.distributed_type == DistributedType.FSDP:
            counts = accelerator.gather(torch.tensor([len(batches)], device=accelerator.device))
            count = int(counts.max())
        if len(batches) < count:
            filler = step_batches([min(examples, key=len)], **settings)[0]
            filler = filler._replace(weights=torch.zeros_like(filler.weights))
            batches = [*[filler] * (count - len(batches)), *batches]
        return batches

    def _gradient_sync(self, *, last: bool) -> AbstractContextManager[Any]:
        """Processes exchange gradients only in the last micro-batch of a step."""
        return nullcontext() if last else self._accelerator.no_sync(self._model)

    def _sum_over_processes(self, value: Tensor) -> float:
        return float(self._accelerator.reduce(value, "sum"))

    def _torch_optimizer(self) -> torch.optim.Optimizer:
        """The optimizer inside accelerate's wrapper."""
        optimizer: torch.optim.Optimizer = getattr(self._optimizer, "optimizer", self._optimizer)
        return optimizer

    def _progress_bar(self, first: int) -> Any:
        hidden = None if self._accelerator.is_main_process else True
        return tqdm(total=self._recipe.steps, initial=first, desc="training", unit="step", leave=False, disable=hidden)

    def _peak_memory(self) -> int:
        """The most memory of this process in bytes: on the GPU, or else main memory."""
        if self._accelerator.device.type == "cuda":
            return torch.cuda.max_memory_allocated()
        import resource

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def _optimizer(model: torch.nn.Module, recipe: Recipe, accelerator: Accelerator) -> torch.optim.Optimizer:
    weights = [weight for weight in model.parameters() if weight.requires_grad]
    name = recipe.optimizer
    sharded = accelerator.distributed_type == DistributedType.FSDP
    if name == "auto":
        name = "paged_adamw_8bit" if accelerator.device.type == "cuda" and not sharded else "adamw"
    settings: dict[str, Any] = {"lr": recipe.learning_rate, "weight_decay": recipe.weight_decay}
    if name == "adamw":
        return torch.optim.AdamW(weights, **settings)
    if accelerator.device.type != "cuda" or sharded:
        raise UserError(f"--optimizer {name}: runs only on CUDA, and not under FSDP; pass adamw or auto")
    from bitsandbytes.optim import PagedAdamW8bit

    optimizer: torch.optim.Optimizer = PagedAdamW8bit(weights, **settings)
    return optimizer


def _seed_step(seed: int, step: int, rank: int) -> None:
    """Seed torch's random numbers, which dropout uses, for one step of one process."""
    torch.manual_seed(int.from_bytes(ticket(seed, step, rank, size=7), "big"))


def _on_device(batch: Batch, device: torch.device) -> Batch:
    return Batch(*(value.to(device) if isinstance(value, Tensor) else value for value in batch))


@contextmanager
def _memory_errors(recipe: Recipe, step: int) -> Iterator[None]:
    """Turn a lack of memory into a UserError that names the options to lower."""
    try:
        yield
    except RuntimeError as error:
        on_gpu = isinstance(error, torch.OutOfMemoryError)
        if not on_gpu and "can't allocate memory" not in str(error):
            raise
        advice = OUT_OF_MEMORY.format(slots=recipe.token_slots)
        raise UserError(f"step {step}: out of {'GPU' if on_gpu else 'main'} memory; {advice}") from error
