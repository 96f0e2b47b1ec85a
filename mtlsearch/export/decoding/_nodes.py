"""Nodes of an ONNX graph, with names that no other value has."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count
from typing import Any

import numpy as np
import onnx_ir as ir

PREFIX = "decode/"
"""Start of the names of all values that decoding adds to a graph."""

RAW = f"{PREFIX}raw/"
"""Start of the names of the tensors from which a graph decodes."""


class Nodes:
    """Growing list of nodes.

    Args:
        scope: part of the names of their outputs, different in each list of a graph.
    """

    def __init__(self, scope: str) -> None:
        self.nodes: list[ir.Node] = []
        self._scope = scope
        self._numbers = count()

    def add(self, kind: str, *inputs: ir.Value, **attributes: Any) -> ir.Value:
        """Append a node with one output.

        Args:
            kind: operator of ONNX, such as ``TopK``.
            inputs: values that it takes.
            attributes: its attributes.

        Returns:
            Its output.
        """
        return self.add_many(1, kind, *inputs, **attributes)[0]

    def add_many(
        self, num_outputs: int, kind: str, *inputs: ir.Value | None, **attributes: Any
    ) -> Sequence[ir.Value]:
        """Append a node with several outputs.

        Args:
            num_outputs: number of outputs.
            kind: operator of ONNX.
            inputs: values that it takes; None for an omitted one.
            attributes: its attributes.

        Returns:
            Its outputs.
        """
        name = f"{PREFIX}{self._scope}/{kind}_{next(self._numbers)}"
        outputs = [ir.Value(name=f"{name}:{index}") for index in range(num_outputs)]
        node = ir.node(kind, inputs, attributes, outputs=outputs, name=name)
        self.nodes.append(node)
        return node.outputs

    def constant(self, value: Any, dtype: type[np.generic]) -> ir.Value:
        """Append a constant.

        Args:
            value: a number or a nested list of numbers.
            dtype: type of its elements.

        Returns:
            The constant.
        """
        return self.add("Constant", value=ir.tensor(np.array(value, dtype)))

    def integers(self, *values: int) -> ir.Value:
        """Append a constant int64 ``[N]``, such as the axes of an operator."""
        return self.constant(list(values), np.int64)
