"""train_qlora.py under FSDP on CPUs, where accelerate would not take it up by itself; under torchrun alone.

Run as `sharded.py train_qlora.py --options`.
"""

import sys
from pathlib import Path
from typing import Any

from accelerate.state import AcceleratorState
from accelerate.utils import DistributedType, FullyShardedDataParallelPlugin

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import train_qlora
from fixer import devices


def sharded(device_map: str) -> Any:
    accelerator = plain(device_map)
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


plain = devices.make_accelerator
devices.make_accelerator = sharded
sys.exit(train_qlora.main(sys.argv[2:]))
