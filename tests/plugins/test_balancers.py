"""The built-in balancers pass the contract and follow their papers."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from mtlsearch_plugins.balancers import (
    DWA,
    FAMO,
    GLS,
    IMTLL,
    STCH,
    UW,
    CAGrad,
    FairGrad,
    GradNorm,
    NashMTL,
    Static,
    UPGrad,
    mtlsearch_balancers,
)

from mtlsearch.errors import TrainingError
from mtlsearch.plugin import Balancer
from mtlsearch.testing import BalancerContract

TASKS = ("a", "b", "c")
ALL = sorted(mtlsearch_balancers(), key=lambda item: item.name)


class TestAllBalancers(BalancerContract):
    """Contract tests of every balancer."""

    @pytest.fixture(autouse=True, params=ALL, ids=[item.name for item in ALL])
    def _select(self, request: pytest.FixtureRequest) -> None:
        self.balancer = request.param  # type: ignore[misc]


def make(kind: type[Balancer[Any]], **settings: object) -> Balancer[Any]:
    return kind(kind.Settings.model_validate(settings), TASKS)


def weigh(balancer: Balancer[Any], **losses: float) -> dict[str, float]:
    weights = balancer.weigh(torch.tensor(list(losses.values())), tuple(losses))
    assert weights is not None
    return dict(zip(losses, weights.tolist(), strict=True))


def test_static_changes_nothing() -> None:
    assert make(Static).weigh(torch.ones(3), TASKS) is None
    assert not Static.per_task_gradients
    assert not Static.remeasures_losses


@pytest.mark.parametrize("kind", [UW, IMTLL])
def test_learned_weights_converge_to_equal_weighted_losses(kind: type[Balancer[Any]]) -> None:
    """In both papers, the optimal weight is inversely proportional to the loss."""
    balancer = make(kind, learning_rate=0.1)
    for _ in range(200):
        weights = weigh(balancer, a=0.5, b=1.0, c=4.0)
    weighted = [weights["a"] * 0.5, weights["b"] * 1.0, weights["c"] * 4.0]
    assert weighted == pytest.approx([weighted[0]] * 3, rel=0.02)


@pytest.mark.parametrize("kind", [UW, IMTLL])
def test_learned_weight_of_an_absent_task_does_not_change(kind: type[Balancer[Any]]) -> None:
    """Batches without labels of the task have no effect on its weight."""
    trained, untrained = make(kind), make(kind)
    for balancer, num_batches in ((trained, 20), (untrained, 0)):
        for _ in range(num_batches):
            weigh(balancer, a=3.0, b=2.0)
    shared = {"a": 1.0, "b": 1.0, "c": 1.0}
    weights, initial = weigh(trained, **shared), weigh(untrained, **shared)
    assert abs(weights["a"] - initial["a"]) > 0.02
    assert weights["c"] == initial["c"]


def test_famo_logit_of_an_absent_task_does_not_change() -> None:
    balancer = FAMO(FAMO.Settings(), TASKS)
    for _ in range(20):
        weigh(balancer, a=1.0, b=2.0)
        balancer.after_step(torch.tensor([0.5, 1.9]), ("a", "b"))
    assert balancer._scalarizer is not None
    a, b, c = next(balancer._scalarizer.parameters()).tolist()
    assert a < -0.2 < 0.2 < b
    assert abs(c) < 0.02  # Adam also amplifies rounding errors


def test_famo_weighs_the_slowest_loss_most() -> None:
    balancer = make(FAMO)
    for _ in range(20):
        weigh(balancer, a=1.0, b=1.0, c=1.0)
        balancer.after_step(torch.tensor([0.5, 0.9, 1.0]), TASKS)
    weights = weigh(balancer, a=1.0, b=1.0, c=1.0)
    assert weights["a"] < weights["b"] < weights["c"]
    assert sum(weights.values()) == pytest.approx(1.0)


def test_dwa_weighs_slow_losses_more_after_two_epochs() -> None:
    balancer = make(DWA, temperature=1.0)
    for epoch in range(3):
        weights = weigh(balancer, a=1.0 / (1 + epoch), b=1.0, c=1.0)
        if epoch < 2:
            assert set(weights.values()) == {1.0}
        balancer.epoch_ended()
    weights = weigh(balancer, a=1.0, b=1.0, c=1.0)
    assert weights["a"] < weights["b"] == weights["c"]
    assert sum(weights.values()) == pytest.approx(3.0)


def test_dwa_averages_over_batches_with_labels_of_the_task() -> None:
    """The ratio of task b is 1, although it is missing from some batches."""
    balancer = make(DWA, temperature=1.0)
    for _ in range(2):
        weigh(balancer, a=1.0, b=1.0, c=1.0)
        weigh(balancer, a=3.0, c=1.0)
        balancer.epoch_ended()
    assert list(weigh(balancer, a=1.0, b=1.0, c=1.0).values()) == pytest.approx([1.0] * 3)


def test_gls_weights_are_inversely_proportional_to_losses() -> None:
    weights = weigh(make(GLS), a=0.5, b=2.0)
    assert weights["a"] * 0.5 == pytest.approx(weights["b"] * 2.0)


def test_stch_with_small_mu_weighs_only_the_largest_loss() -> None:
    weights = weigh(make(STCH, mu=0.01), a=0.5, b=2.0, c=1.0)
    assert weights["b"] == pytest.approx(1 / 3)
    assert weights["a"] + weights["c"] < 1e-6


def test_upgrad_conflicts_with_no_gradient() -> None:
    gradients = torch.randn(3, 5, generator=torch.Generator().manual_seed(4))
    gradients[1] -= 2 * gradients[0]
    assert (gradients @ gradients.sum(0)).min() < 0
    assert (gradients @ make(UPGrad).combine(gradients, TASKS)).min() > -1e-3


@pytest.mark.parametrize("kind", [UPGrad, CAGrad])
@pytest.mark.parametrize("scale", [1e-5, 1e3])
def test_result_is_proportional_to_the_gradients(kind: type[Balancer[Any]], scale: float) -> None:
    """Solvers treat small numbers as zero, and the gradient of a deep unit is small."""
    gradients = torch.randn(3, 9, generator=torch.Generator().manual_seed(1))
    expected = make(kind).combine(gradients, TASKS)
    result = make(kind).combine(gradients * scale, TASKS)
    torch.testing.assert_close(result / scale, expected, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("alpha", [0.5, 1.0, 2.0])
def test_fairgrad_solves_its_equation_at_any_scale(alpha: float) -> None:
    """``G w = w ** (-1 / alpha)`` for orthogonal gradients of norm n: w = n ** (-2a/(a+1))."""
    for norm in (0.1, 10.0):
        result = make(FairGrad, alpha=alpha).combine(torch.eye(3) * norm, TASKS)
        expected = torch.full((3,), norm * norm ** (-2 * alpha / (alpha + 1)))
        torch.testing.assert_close(result, expected, rtol=1e-3, atol=1e-4)


def test_nash_mtl_has_a_solution_for_every_set_of_tasks() -> None:
    """A batch without labels of a task must not use a solution for all tasks."""
    balancer = make(NashMTL, every=2)
    gradients = torch.eye(3)
    for rows in ([0, 1, 2], [0, 2], [0, 1, 2]):
        result = balancer.combine(gradients[rows], [TASKS[row] for row in rows])
        assert result.norm() <= 1 + 1e-5


def test_missing_solver_raises_before_training(monkeypatch: pytest.MonkeyPatch) -> None:
    def raise_missing(self: CAGrad, count: int) -> Any:
        raise ImportError("CAGrad requires ['cvxpy'] to be installed")

    monkeypatch.setattr(CAGrad, "aggregator", raise_missing)
    with pytest.raises(TrainingError, match="cvxpy") as error:
        make(CAGrad)
    assert "mtlsearch[balancing]" in str(error.value)


def test_solver_without_a_solution_raises() -> None:
    """TorchJD raises a ValueError if quadprog fails."""

    def failing_aggregator(matrix: torch.Tensor) -> torch.Tensor:
        raise ValueError("Failed to solve the quadratic programming problem.")

    balancer = UPGrad(UPGrad.Settings(), TASKS)
    balancer._aggregators[TASKS] = failing_aggregator  # type: ignore[assignment]
    with pytest.raises(TrainingError, match="'upgrad' cannot combine the gradients of a, b, c"):
        balancer.combine(torch.ones(3, 4), TASKS)


def weighted_norms(balancer: Balancer[Any], losses: list[list[float]]) -> list[float]:
    """Return the weighted norms of orthogonal gradients of norm 1, 2 and 8, after all steps."""
    jacobian = torch.diag(torch.tensor([1.0, 2.0, 8.0]))
    norms = torch.zeros(3)
    for batch in losses:
        balancer.observe(torch.tensor(batch), TASKS)
        norms = balancer.combine(jacobian, TASKS)
    return norms.tolist()


def test_gradnorm_gives_equal_norms_for_equal_progress() -> None:
    """The sum of the weights does not change."""
    balancer = make(GradNorm, learning_rate=0.01)
    losses = [[1.0 / n, 5.0 / n, 0.2 / n] for n in range(1, 600)]
    norms = weighted_norms(balancer, losses)
    assert norms == pytest.approx([norms[0]] * 3, rel=0.05)
    weights = torch.tensor(norms) / torch.tensor([1.0, 2.0, 8.0])
    assert weights.sum() == pytest.approx(3.0, rel=1e-3)


def test_gradnorm_gives_slow_tasks_larger_norms() -> None:
    """In the paper, norms are proportional to ``r ** alpha``, with the loss ratio ``r``."""
    losses = [[1.0, 1.0, 1.0]] + [[0.2, 0.2, 0.4]] * 600
    norms = weighted_norms(make(GradNorm, learning_rate=0.01, alpha=1.0), losses)
    assert norms[2] / norms[0] == pytest.approx(2.0, rel=0.1)
    assert norms[1] / norms[0] == pytest.approx(1.0, rel=0.1)


def test_gradnorm_weight_of_an_absent_task_does_not_change() -> None:
    balancer = make(GradNorm)
    jacobian = torch.tensor([[1.0, 0.0], [0.0, 9.0]])
    for _ in range(50):
        balancer.observe(torch.tensor([1.0, 1.0]), TASKS[:2])
        gradient = balancer.combine(jacobian, TASKS[:2])
    assert gradient[0] > 1.3  # two weights have the sum 2
    balancer.observe(torch.ones(3), TASKS)
    assert balancer.combine(torch.eye(3), TASKS)[2] == 1.0
