"""The ONNX graph of a network."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch.export import ExportedProgram

from mtlsearch.errors import ExportError

INPUT = "images"
"""Name of the graph's input."""
MAX_BYTES = 2**31 - 2**20
"""Limit of the weights: an ONNX file is a protobuf message of 2 GiB, graph included."""


def save_graph(program: ExportedProgram, names: Sequence[str], path: Path) -> None:
    """Write a program as one ONNX file with its weights and a dynamic batch size.

    Args:
        program: the network as a program.
        names: names of its outputs, in the order of the program.
        path: the file to write.

    Raises:
        ExportError: an operation has no ONNX form, or the weights exceed 2 GiB.
    """
    _convert(program, names, path, should_optimize=True)


def convert_to_onnx(program: ExportedProgram, names: Sequence[str]) -> None:
    """Convert a program to ONNX without writing it, to see whether that is possible.

    Args:
        program: the network as a program.
        names: names of its outputs, in the order of the program.

    Raises:
        ExportError: see :func:`save_graph`.
    """
    _convert(program, names, None, should_optimize=False)


def _convert(
    program: ExportedProgram, names: Sequence[str], path: Path | None, *, should_optimize: bool
) -> None:
    size = sum(tensor.numel() * tensor.element_size() for tensor in program.state_dict.values())
    if size > MAX_BYTES:
        raise ExportError(
            f"the weights have {size / 2**30:.1f} GiB, but an ONNX file is limited to 2 GiB",
            next_step="use a network with fewer parameters: another trial (--trial), or a smaller "
            "backbone",
        )
    try:
        torch.onnx.export(
            program,
            (),
            path,
            dynamo=True,
            input_names=[INPUT],
            output_names=list(names),
            external_data=False,
            verbose=False,
            optimize=should_optimize,
        )
    except (RuntimeError, TypeError, ValueError) as error:
        raise ExportError(
            f"torch.onnx cannot write the network: {error}",
            next_step="replace the operation that the message names in the head",
        ) from error
