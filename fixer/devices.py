"""Devices and processes of a run."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import torch
from accelerate import Accelerator
from accelerate.utils import DistributedDataParallelKwargs

from degraders.errors import UserError

T = TypeVar("T")


def make_accelerator(device_map: str) -> Accelerator:
    """The processes of this run: one, or as many as accelerate or torchrun started.

    `auto` gives each process a device of its own. UserError if several processes would use one device, or if the device
    does not exist.
    """
    if device_map not in ("auto", "cpu"):
        if int(os.environ.get("WORLD_SIZE", "1")) > 1:
            raise UserError(f"--device_map {device_map}: several processes need auto, a device for each")
        os.environ["ACCELERATE_TORCH_DEVICE"] = str(_parse_device(device_map))
    # Buffers are constants here, and processes run different numbers of micro-batches before they synchronise.
    handlers = [DistributedDataParallelKwargs(broadcast_buffers=False)]
    return Accelerator(cpu=device_map == "cpu" or not torch.cuda.is_available(), kwargs_handlers=handlers)


def process_share(items: Sequence[T], key: Callable[[T], Any], process: int, processes: int) -> list[T]:
    """The items of one process: sorted by `key` (largest first) and dealt out in turn, so that all processes have about
    the same amount of work."""
    return sorted(items, key=key)[process::processes]


def _parse_device(device_map: str) -> torch.device:
    try:
        device = torch.device(device_map)
    except RuntimeError as error:
        raise UserError(f"--device_map {device_map}: is no device; pass auto, cpu, cuda or cuda:1") from error
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise UserError(
            f"--device_map {device_map}: torch sees {torch.cuda.device_count()} CUDA devices; pass auto or cpu"
        )
    return device
