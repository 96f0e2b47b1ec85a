"""Strategies that change the saved states of torch: values, tensors and bytes."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import torch
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn


def _values() -> Sequence[Any]:
    return (
        *(
            None,
            True,
            0,
            -1,
            1.5,
            10**20,
            float("nan"),
            "",
            "x",
            "\ud800",
            [],
            {},
            (),
            [1],
            {"x": 1},
        ),
        *(
            torch.zeros(3),
            torch.zeros(0),
            torch.zeros(()),
            torch.tensor([1, 2]),
            torch.tensor(True),
        ),
        *(torch.zeros(2, 2), torch.zeros(3, dtype=torch.complex64), torch.full((3,), float("nan"))),
        *(torch.zeros(1).expand(10**6, 10**6), torch.zeros(16, dtype=torch.bfloat16)),
        *(
            torch.eye(3).to_sparse(),
            torch.zeros(5056, dtype=torch.uint8),
            torch.nn.Parameter(torch.ones(2)),
        ),
        torch.empty(4, device="meta"),
        torch.zeros(1).expand(4, 3, 3, 3),
    )


def _containers(value: Any) -> list[Any]:
    containers = []
    if isinstance(value, dict | list) and value:
        containers.append(value)
    items = (
        value.values()
        if isinstance(value, dict)
        else value
        if isinstance(value, list | tuple)
        else ()
    )
    for item in items:
        containers += _containers(item)
    return containers


@st.composite
def mutated_state(draw: DrawFn, content: bytes) -> bytes:
    """Return a file of torch with one or two changed values."""
    state = torch.load(io.BytesIO(content), weights_only=True)
    for _ in range(draw(st.integers(1, 2))):
        containers = _containers(state)
        container = containers[draw(st.integers(0, len(containers) - 1))]
        keys = list(container) if isinstance(container, dict) else list(range(len(container)))
        key = keys[draw(st.integers(0, len(keys) - 1))]
        operation = draw(st.integers(0, 6))
        if operation == 0:
            del container[key]
        elif operation == 1 and isinstance(container, dict):
            container[
                draw(st.sampled_from(["", "x", 0, "backbones.a", "heads.", "backbones.a.b"]))
            ] = container[key]
        elif operation == 2 and isinstance(container[key], torch.Tensor):
            tensor = container[key]
            others = [
                tensor.double(),
                tensor[None],
                tensor.flatten(),
                tensor.long(),
                tensor * float("inf"),
            ]
            container[key] = draw(st.sampled_from(others))
        else:
            container[key] = draw(st.sampled_from(_values()))  # new at each call
    if draw(st.integers(0, 19)) == 0:
        state = draw(st.sampled_from(_values()))
    file = io.BytesIO()
    torch.save(state, file, _use_new_zipfile_serialization=draw(st.integers(0, 4)) > 0)
    return file.getvalue()
