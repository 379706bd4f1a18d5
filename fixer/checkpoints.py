"""Checkpoints: everything that a run needs to continue exactly as if it had never stopped.

A checkpoint is a folder `step-000100` with the trained weights, the optimizer's state, the best weights so far, the
log, and `state.json`: the step, the options of the run and the digests of the other files. It is written under a
temporary name and then renamed, so it is complete or missing. Schedule, order of the examples and random numbers need
no state: they are functions of the seed and the step (`training.py`).
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.distributed.tensor import DTensor, distribute_tensor

from degraders.errors import UserError
from degraders.files import sha256_file

LogRow = dict[str, Any]
KEEP = 2
"""Checkpoints of a run that are kept, the newest ones."""
_PARTS = ("weights", "optimizer", "best")
_STATE, _HISTORY = "state.json", "history.jsonl"


@dataclass(frozen=True)
class TrainingState:
    """A run after `step` optimizer steps.

    `best` are the best weights so far (empty before the first validation), `history` are the rows of the log.
    """

    step: int
    weights: dict[str, Tensor]
    optimizer: dict[str, Tensor]
    best: dict[str, Tensor]
    history: list[LogRow]


class Checkpoints:
    """The checkpoints of one run, in a folder."""

    def __init__(self, folder: Path, signature: Mapping[str, Any]) -> None:
        self.folder = folder
        self.signature = dict(signature)

    def save(self, state: TrainingState) -> None:
        """Write a checkpoint, completely or not at all, then remove the oldest ones."""
        final = self.folder / f"step-{state.step:06}"
        partial = final.with_name(final.name + ".partial")
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        try:
            self._write(state, partial)
            shutil.rmtree(final, ignore_errors=True)
            partial.replace(final)
        except BaseException:
            shutil.rmtree(partial, ignore_errors=True)
            raise
        for old in self._folders()[KEEP:]:
            shutil.rmtree(old)

    def _write(self, state: TrainingState, folder: Path) -> None:
        for part in _PARTS:
            save_file(getattr(state, part), folder / f"{part}.safetensors")
        (folder / _HISTORY).write_text(json_lines(state.history), encoding="utf-8")
        files = {path.name: sha256_file(path) for path in sorted(folder.iterdir())}
        content = {"step": state.step, "run": self.signature, "sha256": files}
        (folder / _STATE).write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")

    def load_last(self) -> tuple[TrainingState | None, list[str]]:
        """The newest checkpoint that is intact, None if there is no checkpoint; and a note about each broken one.

        UserError if all are broken, or if the run was started with other options.
        """
        notes: list[str] = []
        folders = self._folders()
        for folder in folders:
            try:
                return self._load(folder), notes
            except (OSError, ValueError, KeyError, TypeError, AttributeError, SafetensorError) as error:
                notes.append(f"{folder}: broken ({error})")
        if folders:
            raise UserError(f"{'; '.join(notes)}; no checkpoint is intact: pass --force to start again")
        return None, notes

    def _folders(self) -> list[Path]:
        """The folders of all checkpoints, newest first."""
        return sorted((path for path in self.folder.glob("step-*") if path.name[5:].isdecimal()), reverse=True)

    def _load(self, folder: Path) -> TrainingState:
        content = json.loads((folder / _STATE).read_text(encoding="utf-8"))
        for name, expected in content["sha256"].items():
            if sha256_file(folder / name) != expected:
                raise ValueError(f"{name} has changed since it was written")
        self._check_signature(folder, content["run"])
        weights, optimizer, best = (load_file(folder / f"{part}.safetensors") for part in _PARTS)
        history = [json.loads(line) for line in (folder / _HISTORY).read_text(encoding="utf-8").splitlines()]
        return TrainingState(step=content["step"], weights=weights, optimizer=optimizer, best=best, history=history)

    def _check_signature(self, folder: Path, stored: Mapping[str, Any]) -> None:
        current = json.loads(json.dumps(self.signature))
        for name in sorted({*stored, *current}):
            if stored.get(name) != current.get(name):
                raise UserError(
                    f"{folder}: this run was started with {name} = {stored.get(name)}, now it is {current.get(name)}; "
                    "pass the same options, or --force to start again"
                )


def json_lines(rows: list[LogRow]) -> str:
    """Rows as JSON lines."""
    return "".join(json.dumps(row) + "\n" for row in rows)


def trainable_weights(model: nn.Module) -> dict[str, Tensor]:
    """A copy of the trained weights in main memory, unsharded; all processes must call this together."""
    return {name: _gathered(weight) for name, weight in model.named_parameters() if weight.requires_grad}


@torch.no_grad()
def restore_weights(model: nn.Module, weights: Mapping[str, Tensor]) -> None:
    """Set the trained weights of a model to copies of `weights`."""
    own = {name: weight for name, weight in model.named_parameters() if weight.requires_grad}
    if own.keys() != weights.keys():
        raise UserError("the checkpoint belongs to another model or --lora_r; pass --force to start again")
    for name, weight in own.items():
        weight.copy_(_placed_like(weights[name], weight))


def optimizer_state(optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """The optimizer's state as named tensors: `0/exp_avg` of the first weight; `0/step=` is a plain number."""
    leaves = _leaves(optimizer.state_dict()["state"], "")
    return {
        name if isinstance(value, Tensor) else f"{name}=": _gathered(torch.as_tensor(value)) for name, value in leaves
    }


def restore_optimizer(optimizer: torch.optim.Optimizer, flat: Mapping[str, Tensor]) -> None:
    """Set the optimizer's state to a copy of what `optimizer_state` returned."""
    weights = [weight for group in optimizer.param_groups for weight in group["params"]]
    state: dict[Any, Any] = {}
    for path, value in flat.items():
        first, *names, last = path.split("/")
        inner = state.setdefault(int(first), {})
        for name in names:
            inner = inner.setdefault(name, {})
        weight = weights[int(first)]
        if last.endswith("="):
            inner[last[:-1]] = value.item()
        else:
            inner[last] = _placed_like(value, weight) if value.shape == weight.shape else value
    optimizer.load_state_dict({**optimizer.state_dict(), "state": state})


def _leaves(tree: Mapping[Any, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    for name, value in tree.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, f"{prefix}{name}/")
        else:
            yield f"{prefix}{name}", value


def _gathered(tensor: Tensor) -> Tensor:
    """A copy of a tensor in main memory, unsharded."""
    value = tensor.detach()
    if isinstance(value, DTensor):
        value = value.full_tensor()
    return value.to("cpu", copy=True).contiguous()


def _placed_like(value: Tensor, like: Tensor) -> Tensor:
    """The value on the device of `like`, sharded as `like` is."""
    if isinstance(like, DTensor):
        return distribute_tensor(value.to(like.device), like.device_mesh, like.placements)
    return value.to(like.device)
