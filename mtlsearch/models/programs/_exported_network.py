"""The ``torch.export`` program of a network."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram

from mtlsearch.errors import ExportError
from mtlsearch.plugin import Outputs, Task


class ExportedNetwork(nn.Module):
    """The network with the :meth:`~mtlsearch.plugin.Task.predict` of every task.

    Args:
        network: maps images ``[B, C, H, W]`` to the outputs of the heads, by task.
        tasks: the tasks by name.
    """

    def __init__(self, network: nn.Module, tasks: Mapping[str, Task]) -> None:
        super().__init__()
        self.network = network
        self._tasks = dict(sorted(tasks.items()))

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """Run the network and the ``predict`` of every task.

        Args:
            images: normalized images ``[B, C, H, W]``.

        Returns:
            Tensors ``[B, ...]`` by name, ``task.tensor``, sorted.
        """
        outputs: Mapping[str, Outputs] = self.network(images)
        named = {
            f"{name}.{tensor}": value
            for name, task in self._tasks.items()
            for tensor, value in task.predict(outputs[name]).items()
        }
        return dict(sorted(named.items()))


def make_program(exported: ExportedNetwork, images: Tensor) -> ExportedProgram:
    """Trace the network as a ``torch.export`` program with a dynamic batch size.

    Args:
        exported: the network, in eval mode, on the CPU.
        images: an example batch ``[B, C, H, W]``, ``B >= 2``.

    Returns:
        The program, with the example batch as its example input.

    Raises:
        ExportError: an operation cannot be traced, or fixes the batch size.
    """
    try:
        with torch.no_grad():
            return torch.export.export(
                exported, (images,), dynamic_shapes={"images": {0: Dim("batch")}}
            )
    except (RuntimeError, TypeError, ValueError) as error:
        raise ExportError(
            f"torch.export cannot trace the network: {error}",
            next_step="use only tensor operations, at any batch size, in heads and in "
            "`Task.predict`. `mtlsearch.testing.TaskContract` shows which task fails",
        ) from error


def save_program(program: ExportedProgram, path: Path) -> None:
    """Write a program to a ``.pt2`` file without a pickle in it.

    torch pickles only the example inputs. Without them the file contains tensors and JSON.

    Args:
        program: the program, which loses its example inputs.
        path: the file to write.
    """
    program.example_inputs = None
    torch.export.save(program, path)
