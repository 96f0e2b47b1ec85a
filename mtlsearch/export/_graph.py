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
    size = sum(tensor.numel() * tensor.element_size() for tensor in program.state_dict.values())
    if size > MAX_BYTES:
        raise ExportError(
            f"the weights have {size / 2**30:.1f} GiB, but an ONNX file is limited to 2 GiB",
            next_step="set --trial to a trial with fewer parameters",
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
        )
    except (RuntimeError, TypeError, ValueError) as error:
        raise ExportError(
            f"torch.onnx cannot write the network: {error}",
            next_step="replace the operation that the message names in the head",
        ) from error
