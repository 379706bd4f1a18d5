"""The device and the processes that a run uses."""

from __future__ import annotations

import os

import torch
from accelerate import Accelerator
from accelerate.utils import DistributedDataParallelKwargs

from degraders.errors import UserError


def make_accelerator(device_map: str) -> Accelerator:
    """The processes that train together: one, or as many as accelerate or torchrun started.

    `auto` is a device for each process; several processes on one device, or a device that is not there, are refused.
    """
    if device_map not in ("auto", "cpu"):
        if int(os.environ.get("WORLD_SIZE", "1")) > 1:
            raise UserError(f"--device_map {device_map}: several processes need auto, a device for each")
        os.environ["ACCELERATE_TORCH_DEVICE"] = str(_checked(device_map))
    # Buffers are constants here, and processes run different numbers of micro-batches before they meet.
    handlers = [DistributedDataParallelKwargs(broadcast_buffers=False)]
    return Accelerator(cpu=device_map == "cpu" or not torch.cuda.is_available(), kwargs_handlers=handlers)


def _checked(device_map: str) -> torch.device:
    try:
        device = torch.device(device_map)
    except RuntimeError as error:
        raise UserError(f"--device_map {device_map}: is no device; pass auto, cpu, cuda or cuda:1") from error
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise UserError(
            f"--device_map {device_map}: torch sees {torch.cuda.device_count()} CUDA devices; pass auto or cpu"
        )
    return device
