"""The ONNX graph of a network.

A file of ONNX is a protobuf message, which is limited to 2 GiB. The weights of larger networks are
stored beside it as safetensors, to which the graph refers as external data. So any reader of ONNX
loads them, and the tensors can be read without a parser of ONNX.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import onnx_ir
import torch
from torch.export import ExportedProgram

from mtlsearch.errors import ExportError

INPUT = "images"
"""Name of the graph's input."""
MAX_BYTES = 2**31 - 2**20
"""Largest size of weights in an ONNX file: a protobuf message has 2 GiB, graph included."""


def save_graph(program: ExportedProgram, names: Sequence[str], path: Path) -> None:
    """Write a program as an ONNX file with a dynamic batch size.

    The file contains the weights, or if they exceed 2 GiB, those below 256 bytes. The others are
    then in a file beside it with the suffix ``.safetensors``.

    Args:
        program: the network as a program.
        names: names of its outputs, in the order of the program.
        path: the file to write.

    Raises:
        ExportError: an operation has no ONNX form.
    """
    graph = _convert(program, names, should_optimize=True)
    if _num_bytes(program) > MAX_BYTES:
        for name, value in graph.model.graph.initializers.items():
            if value.const_value is not None:
                value.const_value.name = name  # the keys of the file
        onnx_ir.save_safetensors(graph.model, path)
    else:
        graph.save(path, external_data=False)


def convert_to_onnx(program: ExportedProgram, names: Sequence[str]) -> None:
    """Convert a program to ONNX without writing it, to see whether that is possible.

    Args:
        program: the network as a program.
        names: names of its outputs, in the order of the program.

    Raises:
        ExportError: see :func:`save_graph`.
    """
    _convert(program, names, should_optimize=False)


def _num_bytes(program: ExportedProgram) -> int:
    return sum(tensor.numel() * tensor.element_size() for tensor in program.state_dict.values())


def _convert(
    program: ExportedProgram, names: Sequence[str], *, should_optimize: bool
) -> torch.onnx.ONNXProgram:
    try:
        graph = torch.onnx.export(
            program,
            (),
            dynamo=True,
            input_names=[INPUT],
            output_names=list(names),
            verbose=False,
            optimize=should_optimize,
        )
    except (RuntimeError, TypeError, ValueError) as error:
        raise ExportError(
            f"torch.onnx cannot write the network: {error}",
            next_step="replace the operation that the message names in the head",
        ) from error
    assert graph is not None  # with `dynamo=True`
    return graph
