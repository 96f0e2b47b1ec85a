"""Gradients and lookahead steps of the network in which all tasks share all units."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest
import torch

from mtlsearch.affinity._gradient_probe import GradientProbe, LookaheadStep
from mtlsearch.models import CutBackbone, MultiTaskNetwork, cut_backbone
from mtlsearch.plugin import Task
from mtlsearch.training import Precision, train
from tests.affinity.planted import Images, build, make_tasks
from tests.training.fakes import config, make_job


@pytest.fixture(scope="module")
def cut() -> CutBackbone:
    return cut_backbone("test_resnet", (32, 32))


def make_probe(
    network: MultiTaskNetwork,
    tasks: Mapping[str, Task],
    *,
    rate: float = 1e-3,
    clip_norm: float | None = None,
    interval: int = 1,
    accumulation_steps: int = 1,
) -> GradientProbe:
    return GradientProbe(
        network,
        tasks,
        label_by_task={name: name for name in tasks},
        precision=Precision(),
        lookahead=LookaheadStep(rate, clip_norm),
        interval=interval,
        accumulation_steps=accumulation_steps,
        seed=0,
    )


def probe_one_epoch(
    cut: CutBackbone, tasks: Mapping[str, Task], data: Images, **changes: float
) -> GradientProbe:
    network = build(cut, tasks).train()
    probe = make_probe(network, tasks, **changes)  # type: ignore[arg-type]
    for num_steps, batch in enumerate(data.train_batches(0, 8)):
        probe(num_steps, batch)
    return probe


def test_cosines_are_symmetric_with_a_diagonal_of_1(cut: CutBackbone) -> None:
    probe = probe_one_epoch(cut, make_tasks("abc"), Images(labels=("a", "b", "c"), noisy="bc"))
    cosines = probe.gradients.mean
    np.testing.assert_allclose(cosines, cosines.transpose(0, 2, 1), atol=1e-9)
    np.testing.assert_allclose(np.einsum("utt->ut", cosines), 1.0)
    assert (np.abs(cosines) <= 1.0).all()
    np.testing.assert_allclose(cosines[:, 1, 2], 1.0, atol=1e-5)  # with the same random labels
    assert (cosines[:, 0, 1] < 0.95).all()


def test_task_with_negated_loss_has_opposed_gradients(cut: CutBackbone) -> None:
    probe = probe_one_epoch(cut, make_tasks("ab", opposed="b"), Images(labels=("a", "b")))
    np.testing.assert_allclose(probe.gradients.mean[:, 0, 1], -1.0, atol=1e-5)
    lookahead = probe.lookahead.mean
    assert lookahead[0, 0] > 0
    assert lookahead[1, 1] > 0
    assert lookahead[0, 1] < 0
    assert lookahead[1, 0] < 0


def test_contributions_of_units_add_up_for_a_short_step(cut: CutBackbone) -> None:
    data = Images(labels=("a", "b"), noisy="b")
    probe = probe_one_epoch(cut, make_tasks("ab"), data, rate=1e-4)
    whole, by_unit = probe.lookahead.mean, probe.unit_lookahead.mean
    np.testing.assert_allclose(by_unit.sum(axis=0), whole, rtol=0.1, atol=2e-6)


def test_clipped_step_has_the_largest_norm() -> None:
    step = LookaheadStep(0.1, clip_norm=2.0)
    assert step.length(1.0) == 0.1
    assert step.length(8.0) * 8.0 == pytest.approx(0.1 * 2.0)
    assert LookaheadStep(0.1, None).length(8.0) == 0.1


def test_only_steps_with_labels_of_both_tasks_count(cut: CutBackbone) -> None:
    data = Images(labels=("a", "b", "c"), labeled={"b": range(8), "c": range(8, 16)})
    tasks = make_tasks("abc")
    probe = make_probe(build(cut, tasks).train(), tasks)
    for num_steps, batch in enumerate(data.eval_batches("val", 8)):
        probe(num_steps, batch)
    assert probe.lookahead.count.tolist() == [[3, 1, 1], [1, 1, 0], [1, 0, 1]]
    assert np.isnan(probe.lookahead.mean[1, 2])
    assert np.isnan(probe.gradients.mean[:, 1, 2]).all()
    assert np.isfinite(probe.gradients.mean[:, 0]).all()


def test_probe_compares_once_per_interval(cut: CutBackbone) -> None:
    tasks = make_tasks("ab")
    probe = make_probe(build(cut, tasks).train(), tasks, interval=3, accumulation_steps=2)
    batch = Images().batch(list(range(8)))
    for num_steps in range(10):
        probe(num_steps, batch)
    assert probe.lookahead.count[0, 1] == 3


def test_probe_does_not_change_the_training(cut: CutBackbone) -> None:
    tasks, data = make_tasks("ab"), Images(labels=("a", "b"), noisy="b")
    weights = []
    for has_probe in (False, True):
        network = build(cut, tasks)
        job = make_job(network, tasks, data, config(epochs=1))
        train(job, probe=make_probe(network, tasks) if has_probe else None)
        weights.append(network.state_dict())
    plain, probed = weights
    assert all(torch.equal(value, probed[name]) for name, value in plain.items())
