"""Runs train_qlora.py under FSDP on CPUs, where accelerate does not choose FSDP by itself; start it with torchrun.

Usage: `torchrun … sharded.py train_qlora.py --options`.
"""

import sys
from pathlib import Path
from typing import Any

from accelerate.state import AcceleratorState
from accelerate.utils import DistributedType, FullyShardedDataParallelPlugin

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import train_qlora
from fixer import devices


def make_sharded_accelerator(device_map: str) -> Any:
    accelerator = make_accelerator(device_map)
    plugin = FullyShardedDataParallelPlugin(
        fsdp_version=2,
        reshard_after_forward=True,
        auto_wrap_policy="transformer_based_wrap",
        state_dict_type="FULL_STATE_DICT",
        cpu_ram_efficient_loading=False,
    )
    AcceleratorState._shared_state |= {"distributed_type": DistributedType.FSDP, "fsdp_plugin": plugin}
    assert accelerator.is_fsdp2
    return accelerator


make_accelerator = devices.make_accelerator
devices.make_accelerator = make_sharded_accelerator
sys.exit(train_qlora.main(sys.argv[2:]))
