"""``torch.export`` programs: made, saved without a pickle, and read back."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram

from mtlsearch.errors import ExportError
from mtlsearch.export._pt2_safety import refuse_code
from mtlsearch.plugin import Outputs, Task


class ExportedNetwork(nn.Module):
    """What is exported: the network and every task's :meth:`~mtlsearch.plugin.Task.predict`.

    Args:
        network: images ``[B, 3, H, W]`` to the heads' outputs, by task.
        tasks: the tasks by name.
    """

    def __init__(self, network: nn.Module, tasks: Mapping[str, Task]) -> None:
        super().__init__()
        self.network = network
        self._tasks = dict(sorted(tasks.items()))

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """Tensors ``[B, ...]`` under the names ``task.tensor``, sorted."""
        outputs: Mapping[str, Outputs] = self.network(images)
        named = {
            f"{name}.{tensor}": value
            for name, task in self._tasks.items()
            for tensor, value in task.predict(outputs[name]).items()
        }
        return dict(sorted(named.items()))


def make_program(exported: ExportedNetwork, images: Tensor) -> ExportedProgram:
    """The network as a ``torch.export`` program with an open batch size.

    Args:
        exported: the network, in eval mode, on the CPU.
        images: an example batch ``[B, 3, H, W]``, ``B >= 2``.

    Raises:
        ExportError: some part of it cannot be traced, or fixes the batch size.
    """
    try:
        with torch.no_grad():
            return torch.export.export(
                exported, (images,), dynamic_shapes={"images": {0: Dim("batch")}}
            )
    except (RuntimeError, TypeError, ValueError) as error:
        raise ExportError(
            f"torch.export cannot trace the network: {error}",
            next_step="a head or a task's `predict` does what is no tensor operation, or "
            "depends on the batch size; `mtlsearch.testing.TaskContract` finds which",
        ) from error


def save_program(program: ExportedProgram, path: Path) -> None:
    """Write a program to a ``.pt2`` file that holds no pickle.

    torch pickles only the example inputs; without them nothing but raw tensors and JSON
    is left, which :func:`load_program` insists on.
    """
    program.example_inputs = None
    torch.export.save(program, path)
    refuse_code(path)


def load_program(path: Path) -> ExportedProgram:
    """Read a program, having seen that nothing in the file can run as code.

    ``torch.export.load`` alone unpickles what a stranger put there.

    Args:
        path: a bundle's ``model.pt2``.

    Raises:
        ExportError: the file is no program, or holds what could be executed.
    """
    refuse_code(path)
    return torch.export.load(path)
