"""Processes that torchrun has started, a device each."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING

from mtlsearch.cli._context import pick_device

if TYPE_CHECKING:
    import torch

    from mtlsearch.training import ProcessGroup

PATIENCE = timedelta(days=1)
"""How long one process waits for another: torchrun sees by itself when one is gone."""


@contextmanager
def joined_processes(device: str) -> Iterator[tuple[ProcessGroup, torch.device]]:
    """This process's place among those that torchrun started, and its device.

    Without torchrun it is alone, on the device of that name.

    Raises:
        ConfigError: there is no such device.
    """
    from mtlsearch.training import joined_process_group

    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield joined_process_group(), pick_device(device)
        return

    import torch
    from torch import distributed

    chosen = pick_device(device)
    if chosen.type == "cuda":
        chosen = pick_device(f"cuda:{os.environ.get('LOCAL_RANK', '0')}")
        torch.cuda.set_device(chosen)
    distributed.init_process_group(
        "cpu:gloo,cuda:nccl" if chosen.type == "cuda" else "gloo", timeout=PATIENCE
    )
    try:
        yield joined_process_group(), chosen
    finally:
        distributed.destroy_process_group()
