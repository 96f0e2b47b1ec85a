"""A training that pauses after some epoch, and goes on as if it had not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from torch import nn

from mtlsearch.errors import RunError
from mtlsearch.files import atomic_write
from mtlsearch.training._accumulation import AccumulatingStep
from mtlsearch.training._process_group import ProcessGroup
from mtlsearch.training._result import EpochRecord


@dataclass(frozen=True, slots=True)
class Checkpointing:
    """Where a training stops for now.

    Attributes:
        after: so many epochs, from the first one on; all of them is no pause.
        path: what is needed to go on is kept here. A training that finds it goes on from it,
            and begins anew, to the same end, where there is none.
    """

    after: int
    path: Path

    def saves(self, step: AccumulatingStep) -> bool:
        """Whether the training can go on; a balancer's memory cannot be kept."""
        return not step.balancers


def save(
    path: Path, network: nn.Module, step: AccumulatingStep, epochs: Sequence[EpochRecord], done: int
) -> None:
    """Keep all that the next step depends on; the file appears whole or not at all.

    The learning rate is not among it: it follows from how many steps are done.
    """
    state = {
        "network": network.state_dict(),
        "step": step.state(),
        "epochs": [_plain(asdict(record)) for record in epochs],
        "done": done,
        "cpu": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state(step.device) if step.device.type == "cuda" else None,
    }
    with atomic_write(path) as temporary:
        torch.save(state, temporary)


def restore(
    path: Path, network: nn.Module, step: AccumulatingStep, ranks: ProcessGroup
) -> tuple[tuple[EpochRecord, ...], int]:
    """Bring a training that is about to begin to where :func:`save` left it.

    Returns:
        The epochs and the steps that are done; none where one of the processes that train
        together lacks its file.

    Raises:
        RunError: the file is broken, or another network's.
    """
    if ranks.any(not path.is_file(), step.device):
        return (), 0
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        network.load_state_dict(state["network"])
        step.load_state(state["step"])
    except (RuntimeError, ValueError, KeyError, EOFError, UnpicklingError) as error:
        raise RunError(
            f"the training cannot go on from here ({type(error).__name__}: "
            f"{str(error).partition(chr(10))[0]})",
            where=str(path),
            next_step="delete the file; the trial is then trained from its first epoch on",
        ) from error
    torch.set_rng_state(state["cpu"])
    if state["cuda"] is not None and step.device.type == "cuda":
        torch.cuda.set_rng_state(state["cuda"], step.device)
    return tuple(EpochRecord(**record) for record in state["epochs"]), state["done"]


def _plain(value: Any) -> Any:
    """Mappings as dictionaries, which are read back without running what a file says."""
    if isinstance(value, Mapping):
        return {key: _plain(at) for key, at in value.items()}
    return value
