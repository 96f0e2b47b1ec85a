"""Gradients and lookahead steps, on the network of all tasks."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest
import torch

from mtlsearch.affinity._gradient_probe import GradientProbe, LookaheadStep
from mtlsearch.models import CutBackbone, MultiTaskNetwork, cut_backbone
from mtlsearch.plugin import Task
from mtlsearch.training import Precision, train
from tests.affinity.planted import Pictures, build, make_tasks
from tests.training.fakes import CPU, config


@pytest.fixture(scope="module")
def cut() -> CutBackbone:
    return cut_backbone("test_resnet", (32, 32))


def probe_of(
    network: MultiTaskNetwork,
    tasks: Mapping[str, Task],
    *,
    rate: float = 1e-3,
    clip: float | None = None,
    every: int = 1,
    parts: int = 1,
) -> GradientProbe:
    return GradientProbe(
        network,
        tasks,
        labels_of={name: name for name in tasks},
        precision=Precision(),
        step=LookaheadStep(rate, clip),
        every=every,
        parts=parts,
        seed=0,
    )


def looked(cut: CutBackbone, tasks: Mapping[str, Task], data: Pictures, **how: float) -> object:
    network = build(cut, tasks).train()
    probe = probe_of(network, tasks, **how)  # type: ignore[arg-type]
    for done, batch in enumerate(data.train_batches(0, 8)):
        probe(done, batch)
    return probe


def test_agreement_is_symmetric_and_1_with_oneself(cut: CutBackbone) -> None:
    found = looked(cut, make_tasks("abc"), Pictures(labels=("a", "b", "c"), noisy="bc"))
    cosines = found.gradients.mean  # type: ignore[attr-defined]
    np.testing.assert_allclose(cosines, cosines.transpose(0, 2, 1), atol=1e-9)
    np.testing.assert_allclose(np.einsum("utt->ut", cosines), 1.0)
    assert (np.abs(cosines) <= 1.0).all()
    np.testing.assert_allclose(cosines[:, 1, 2], 1.0, atol=1e-5)  # the same random labels
    assert (cosines[:, 0, 1] < 0.95).all()


def test_a_task_and_its_negation_disagree(cut: CutBackbone) -> None:
    found = looked(cut, make_tasks("ab", opposed="b"), Pictures(labels=("a", "b")))
    np.testing.assert_allclose(found.gradients.mean[:, 0, 1], -1.0, atol=1e-5)  # type: ignore[attr-defined]
    gains = found.lookahead.mean  # type: ignore[attr-defined]
    assert gains[0, 0] > 0
    assert gains[1, 1] > 0
    assert gains[0, 1] < 0
    assert gains[1, 0] < 0


def test_units_parts_add_up_to_the_whole_of_a_short_step(cut: CutBackbone) -> None:
    data = Pictures(labels=("a", "b"), noisy="b")
    found = looked(cut, make_tasks("ab"), data, rate=1e-4)
    whole, parts = found.lookahead.mean, found.unit_lookahead.mean  # type: ignore[attr-defined]
    np.testing.assert_allclose(parts.sum(axis=0), whole, rtol=0.1, atol=2e-6)


def test_a_clipped_step_is_as_long_as_it_may_be() -> None:
    step = LookaheadStep(0.1, clip_norm=2.0)
    assert step.length(1.0) == 0.1
    assert step.length(8.0) * 8.0 == pytest.approx(0.1 * 2.0)
    assert LookaheadStep(0.1, None).length(8.0) == 0.1


def test_steps_with_labels_of_both_count(cut: CutBackbone) -> None:
    data = Pictures(labels=("a", "b", "c"), labelled={"b": range(8), "c": range(8, 16)})
    tasks = make_tasks("abc")
    probe = probe_of(build(cut, tasks).train(), tasks)
    for done, batch in enumerate(data.eval_batches("val", 8)):
        probe(done, batch)
    assert probe.lookahead.count.tolist() == [[3, 1, 1], [1, 1, 0], [1, 0, 1]]
    assert np.isnan(probe.lookahead.mean[1, 2])
    assert np.isnan(probe.gradients.mean[:, 1, 2]).all()
    assert np.isfinite(probe.gradients.mean[:, 0]).all()


def test_it_looks_as_often_as_it_should(cut: CutBackbone) -> None:
    tasks = make_tasks("ab")
    probe = probe_of(build(cut, tasks).train(), tasks, every=3, parts=2)
    batch = Pictures().batch(list(range(8)))
    for done in range(10):
        probe(done, batch)
    assert probe.lookahead.count[0, 1] == 3


def test_a_training_that_is_looked_at_is_the_same(cut: CutBackbone) -> None:
    tasks, data = make_tasks("ab"), Pictures(labels=("a", "b"), noisy="b")
    weights = []
    for looking in (False, True):
        network = build(cut, tasks)
        train(
            network,
            tasks,
            data,
            config(epochs=1),
            labels_of={"a": "a", "b": "b"},
            loss_weights={"a": 1.0, "b": 1.0},
            learning_rate=0.01,
            device=CPU,
            seed=0,
            probe=probe_of(network, tasks) if looking else None,
        )
        weights.append(network.state_dict())
    plain, watched = weights
    assert all(torch.equal(value, watched[name]) for name, value in plain.items())
