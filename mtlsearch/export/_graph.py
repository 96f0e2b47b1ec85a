"""The ONNX graph."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch.export import ExportedProgram

from mtlsearch.errors import ExportError

INPUT = "images"
LARGEST = 2**31 - 2**20
"""Bytes that fit in one ONNX file, a protobuf message, with a little left for the graph."""


def save_graph(program: ExportedProgram, names: Sequence[str], path: Path) -> None:
    """Write a program as one ONNX file, weights inside, batch size open.

    Args:
        program: the network as a program.
        names: the names of its outputs, in its order.
        path: where to.

    Raises:
        ExportError: an operation has no ONNX form, or the weights exceed 2 GB.
    """
    size = sum(tensor.numel() * tensor.element_size() for tensor in program.state_dict.values())
    if size > LARGEST:
        raise ExportError(
            f"the weights take {size / 2**30:.1f} GiB, and one ONNX file holds 2 GiB",
            next_step="choose a trial with fewer parameters",
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
            next_step="the message names the operation; a head that avoids it can be exported",
        ) from error
