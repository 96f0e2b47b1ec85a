"""Compiled training gives the same numbers, or an error with a fix."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from mtlsearch.errors import TrainingError
from mtlsearch.training import _compile
from tests.training.fakes import Network, Points, config, guesses, run

TASKS = ("a", "b")


def train_numbers(network: nn.Module, *, is_compiled: bool) -> list[object]:
    settings = config(batch_size=12, compile=is_compiled)
    data = Points(labeled={"b": range(12)})
    result = run(network, guesses(*TASKS), data, settings)
    return [(record.train_losses, record.metrics) for record in result.epochs]


def test_compiled_network_trains_to_the_same_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    graphs: list[torch.fx.GraphModule] = []

    def recording_backend(graph: torch.fx.GraphModule, inputs: object) -> object:
        graphs.append(graph)
        return graph.forward

    monkeypatch.setattr(_compile, "BACKEND", recording_backend)
    plain, compiled = Network(*TASKS), Network(*TASKS)
    assert train_numbers(plain, is_compiled=False) == train_numbers(compiled, is_compiled=True)
    assert graphs
    for name, value in plain.state_dict().items():
        torch.testing.assert_close(compiled.state_dict()[name], value, rtol=1e-5, atol=1e-6)


def test_compiler_error_names_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    def failing_backend(graph: torch.fx.GraphModule, inputs: object) -> object:
        raise OSError("there is no C++ compiler")

    monkeypatch.setattr(_compile, "BACKEND", failing_backend)
    with pytest.raises(TrainingError, match=r"OSError: there is no C\+\+") as error:
        run(Network("a"), guesses("a"), Points(labels=("a",)), config(compile=True))
    assert error.value.where == "train.compile"
    assert "train.compile to false" in str(error.value)


def test_compile_is_false_by_default() -> None:
    assert config().compile is False
