"""Compiled training: the same numbers, or a clear word."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from mtlsearch.errors import TrainingError
from mtlsearch.training import _compile
from tests.training.fakes import Network, Points, config, guesses, run

TASKS = ("a", "b")


def trained(network: nn.Module, *, through_compiler: bool) -> list[object]:
    settings = config(batch_size=12, compile=through_compiler)
    data = Points(labelled={"b": range(12)})
    result = run(network, guesses(*TASKS), data, settings)
    return [(at.train_losses, at.metrics) for at in result.epochs]


def test_a_compiled_network_trains_to_the_same_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    graphs: list[torch.fx.GraphModule] = []

    def counting(graph: torch.fx.GraphModule, inputs: object) -> object:
        graphs.append(graph)
        return graph.forward

    monkeypatch.setattr(_compile, "BACKEND", counting)
    plain, compiled = Network(*TASKS), Network(*TASKS)
    assert trained(plain, through_compiler=False) == trained(compiled, through_compiler=True)
    assert graphs
    for name, at in plain.state_dict().items():
        torch.testing.assert_close(compiled.state_dict()[name], at, rtol=1e-5, atol=1e-6)


def test_a_compiler_that_fails_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(graph: torch.fx.GraphModule, inputs: object) -> object:
        raise OSError("there is no C++ compiler")

    monkeypatch.setattr(_compile, "BACKEND", broken)
    with pytest.raises(TrainingError, match=r"OSError: there is no C\+\+") as error:
        run(Network("a"), guesses("a"), Points(labels=("a",)), config(compile=True))
    assert error.value.where == "train.compile"
    assert "train.compile to false" in str(error.value)


def test_compiling_is_not_asked_for_by_default() -> None:
    assert config().compile is False
