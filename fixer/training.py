"""The training loop: one optimizer step after another, validated, logged and saved.

Everything that is random or changes with time is a function of the seed and the step: which examples it holds, its
learning rate, its dropout. So a run goes on from a checkpoint as if it had never stopped, and a validation in between
changes nothing. The loss of a step is divided by the sum of its tokens' weights over all processes: how its examples
are shared out among processes and micro-batches makes no difference.
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
from hashlib import blake2b
from typing import Any

import torch
from accelerate import Accelerator
from accelerate.utils import DistributedType
from torch import Tensor
from tqdm import tqdm

from degraders.errors import UserError
from fixer.artefacts import MetricsLog
from fixer.batching import Batch, step_batches
from fixer.checkpoints import (
    Checkpoints,
    TrainingState,
    optimizer_state,
    restore_optimizer,
    restore_weights,
    trainable_weights,
)
from fixer.examples import Example
from fixer.lora import fuse
from fixer.loss import FixerModel

OUT_OF_MEMORY = (
    "lower --token_slots (now {slots}) or --max_length, pass --gradient_checkpointing on, or --bits 4; "
    "--per_device_batch_size 1 keeps a single example in memory"
)


@dataclass(frozen=True)
class Recipe:
    """How to train; `step_examples` is the number of examples of one optimizer step, all processes together."""

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

    def rate(self, step: int) -> float:
        """The learning rate of a step, from 1 to `steps`: up in a line, then constant, or down in a line or cosine."""
        if step <= self.warmup:
            return self.learning_rate * step / (self.warmup + 1)
        done = (step - 1 - self.warmup) / max(1, self.steps - self.warmup)
        factor = {"constant": 1.0, "linear": 1 - done, "cosine": (1 + math.cos(math.pi * done)) / 2}[self.schedule]
        return self.learning_rate * factor


@dataclass(frozen=True)
class Result:
    """What a run came to; `weights` are the best by validation, or the last where nothing validates."""

    step: int
    weights: dict[str, Tensor]
    stopped_early: bool
    seconds: float
    tokens: int
    peak_bytes: int


def order(count: int, seed: int, epoch: int) -> list[int]:
    """The order of the examples in an epoch, the same on every machine."""
    return sorted(range(count), key=lambda place: blake2b(f"{seed} {epoch} {place}".encode(), digest_size=8).digest())


def shared_out(examples: Sequence[Example], rank: int, processes: int) -> list[Example]:
    """A process's share of a step: examples dealt out by length, so that all have about as much to do."""
    return sorted(examples, key=len, reverse=True)[rank::processes]


def weight_of(examples: Sequence[Example]) -> float:
    return math.fsum(weight for example in examples for weight in example.weights)


class Trainer:
    """Trains the LoRA weights of a model on examples, under the recipe."""

    def __init__(
        self,
        model: Any,
        accelerator: Accelerator,
        recipe: Recipe,
        train: Sequence[Example],
        validation: Sequence[Example],
        *,
        pad_id: int,
        log: MetricsLog,
        checkpoints: Checkpoints,
    ) -> None:
        self._accelerator, self._recipe = accelerator, recipe
        self._examples, self._validation, self._pad_id = train, validation, pad_id
        self._log, self._checkpoints = log, checkpoints
        if accelerator.distributed_type != DistributedType.FSDP:  # which must see each layer's weights being used
            fuse(model)
        wrapped = FixerModel(model)
        # What FSDP shards by.
        wrapped._no_split_modules = getattr(model, "_no_split_modules", None)  # type: ignore[assignment]
        optimizer = _optimizer(wrapped, recipe, accelerator)
        self._core = model
        with warnings.catch_warnings():
            # `broadcast_buffers` is to go, and nothing yet does the same.
            warnings.simplefilter("ignore", FutureWarning)
            self._model, self._optimizer = accelerator.prepare(wrapped, optimizer, device_placement=[False, False])
        self._best: dict[str, Tensor] = {}
        self._epoch_steps = math.ceil(len(train) / recipe.step_examples)
        self._order = lru_cache(maxsize=2)(lambda epoch: order(len(train), recipe.seed, epoch))

    def run(self, state: TrainingState | None) -> Result:
        """Train from the state, or from the start, to the last step or until validation no longer improves."""
        recipe, log = self._recipe, self._log
        first = self._begin(state)
        tokens, spent, step = 0, 0.0, first
        self._model.train()
        with self._bar(first) as bar:
            while step < recipe.steps and not self._stale():
                step += 1
                began = time.perf_counter()
                with _memory(recipe, step):
                    row, used = self._step(step)
                spent += time.perf_counter() - began
                tokens += used
                log.add(row, speed=tokens / spent)
                bar.set_postfix_str(f"loss {row['loss']:.3f}, {tokens / spent:,.0f} tokens/s", refresh=False)
                bar.update()
                if self._validation and (step % recipe.eval_every == 0 or step == recipe.steps):
                    self._validate(step)
                if step % recipe.save_every == 0 or step == recipe.steps or self._stale():
                    self._save(step)
        weights = self._best or trainable_weights(self._core)
        stopped = step < recipe.steps
        return Result(step, weights, stopped, spent, tokens, self._peak())

    def _begin(self, state: TrainingState | None) -> int:
        """Set everything to the state, or validate the model as it comes; returns the steps that are done."""
        if state is None:
            if self._validation:
                self._validate(0)
            return 0
        restore_weights(self._core, state.weights)
        restore_optimizer(self._plain_optimizer(), state.optimizer)
        self._best = state.best
        return state.step

    def _step(self, step: int) -> tuple[dict[str, Any], int]:
        """One optimizer step; returns its row of the log and its tokens, those of all processes, without padding."""
        recipe, accelerator = self._recipe, self._accelerator
        examples = self._examples_of(step)
        weight = weight_of(examples)
        _seed(recipe.seed, step, accelerator.process_index)
        total = torch.zeros((), dtype=torch.float64, device=accelerator.device)
        batches = self._batches(examples, rows=recipe.rows)
        for number, batch in enumerate(batches, 1):
            with self._syncing(number == len(batches)):
                loss = self._model(_on(batch, accelerator.device)) / weight
                # Processes' gradients are averaged, ours must be added.
                accelerator.backward(loss * accelerator.num_processes)
            total += loss.detach()
        norm = accelerator.clip_grad_norm_(self._core.parameters(), recipe.max_grad_norm or math.inf)
        loss_value = self._summed(total)
        if not math.isfinite(loss_value) or norm is None or not math.isfinite(float(norm)):
            raise UserError(f"step {step}: the loss is {loss_value}, its gradient {norm}; lower --learning_rate")
        for group in self._optimizer.param_groups:
            group["lr"] = recipe.rate(step)
        self._optimizer.step()
        self._optimizer.zero_grad()
        tokens = sum(map(len, examples))
        row = {
            "step": step,
            "epoch": round(step / self._epoch_steps, 4),
            "loss": loss_value,
            "learning_rate": recipe.rate(step),
            "gradient_norm": float(norm),
            "tokens": tokens,
        }
        return row, tokens

    def _validate(self, step: int) -> None:
        """Log the mean loss of a validation token, and keep the weights if they are the best so far."""
        self._model.eval()
        total = torch.zeros((), dtype=torch.float64, device=self._accelerator.device)
        with torch.no_grad(), _memory(self._recipe, step):
            for batch in self._batches(self._validation, rows=len(self._validation)):
                total += self._model(_on(batch, self._accelerator.device))
        self._model.train()
        loss = self._summed(total) / weight_of(self._validation)
        best = self._log.best()
        self._log.add({"step": step, "validation_loss": loss})
        if best is None or loss < best["validation_loss"]:
            self._best = trainable_weights(self._core)
        if self._accelerator.is_main_process:
            tqdm.write(f"step {step} of {self._recipe.steps}: validation loss {loss:.4f}", file=sys.stderr)

    def _save(self, step: int) -> None:
        state = TrainingState(
            step, trainable_weights(self._core), optimizer_state(self._plain_optimizer()), self._best, self._log.rows
        )
        if self._accelerator.is_main_process:
            self._checkpoints.save(state)

    def _stale(self) -> bool:
        """Whether the last evaluations, as many as patience allows, were all worse than the best."""
        return 0 < self._recipe.patience <= self._log.evaluations_since_best()

    def _examples_of(self, step: int) -> list[Example]:
        """The examples of a step, from 1: the next ones of its epoch's order; an epoch's last step may hold fewer."""
        size = self._recipe.step_examples
        epoch, place = divmod(step - 1, self._epoch_steps)
        return [self._examples[index] for index in self._order(epoch)[place * size : (place + 1) * size]]

    def _batches(self, examples: Sequence[Example], *, rows: int) -> list[Batch]:
        """This process's micro-batches; one that weighs nothing where processes must run as many as each other."""
        accelerator = self._accelerator
        share = shared_out(examples, accelerator.process_index, accelerator.num_processes)
        settings = {"slots": self._recipe.token_slots, "rows": rows, "pad_id": self._pad_id}
        batches = step_batches(share, **settings)
        wanted = 1
        if accelerator.distributed_type == DistributedType.FSDP:
            counts = accelerator.gather(torch.tensor([len(batches)], device=accelerator.device))
            wanted = int(counts.max())
        if len(batches) < wanted:
            filler = step_batches([min(examples, key=len)], **settings)[0]
            filler = filler._replace(weights=torch.zeros_like(filler.weights))
            batches = [*[filler] * (wanted - len(batches)), *batches]
        return batches

    def _syncing(self, last: bool) -> AbstractContextManager[Any]:
        """Gradients travel between processes only with a step's last micro-batch."""
        return nullcontext() if last else self._accelerator.no_sync(self._model)

    def _summed(self, value: Tensor) -> float:
        return float(self._accelerator.reduce(value, "sum"))

    def _plain_optimizer(self) -> torch.optim.Optimizer:
        plain: torch.optim.Optimizer = getattr(self._optimizer, "optimizer", self._optimizer)
        return plain

    def _bar(self, first: int) -> Any:
        hidden = None if self._accelerator.is_main_process else True
        return tqdm(total=self._recipe.steps, initial=first, desc="training", unit="step", leave=False, disable=hidden)

    def _peak(self) -> int:
        """The most memory that this process took, in bytes: the GPU's, or the machine's."""
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
        raise UserError(f"--optimizer {name}: runs on CUDA alone, and not under FSDP; pass adamw or auto")
    from bitsandbytes.optim import PagedAdamW8bit

    optimizer: torch.optim.Optimizer = PagedAdamW8bit(weights, **settings)
    return optimizer


def _seed(seed: int, step: int, rank: int) -> None:
    """Set torch's random numbers, which dropout draws from, for one step of one process."""
    torch.manual_seed(int.from_bytes(blake2b(f"{seed} {step} {rank}".encode(), digest_size=7).digest(), "big"))


def _on(batch: Batch, device: torch.device) -> Batch:
    return Batch(*(value.to(device) if isinstance(value, Tensor) else value for value in batch))


@contextmanager
def _memory(recipe: Recipe, step: int) -> Iterator[None]:
    """Turns a lack of memory into a UserError that names the options to lower."""
    try:
        yield
    except RuntimeError as error:
        on_gpu = isinstance(error, torch.OutOfMemoryError)
        if not on_gpu and "can't allocate memory" not in str(error):
            raise
        advice = OUT_OF_MEMORY.format(slots=recipe.token_slots)
        raise UserError(f"step {step}: out of {'GPU' if on_gpu else 'main'} memory; {advice}") from error
