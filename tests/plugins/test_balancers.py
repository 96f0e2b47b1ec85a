"""The built-in balancers keep the contract, and do what their papers say."""

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


class TestEach(BalancerContract):
    """The contract, for one after another."""

    @pytest.fixture(autouse=True, params=ALL, ids=[item.name for item in ALL])
    def _chosen(self, request: pytest.FixtureRequest) -> None:
        self.balancer = request.param  # type: ignore[misc]


def make(kind: type[Balancer[Any]], **settings: object) -> Balancer[Any]:
    return kind(kind.Settings.model_validate(settings), TASKS)


def weigh(balancer: Balancer[Any], **losses: float) -> dict[str, float]:
    found = balancer.weigh(torch.tensor(list(losses.values())), tuple(losses))
    assert found is not None
    return dict(zip(losses, found.tolist(), strict=True))


def test_static_leaves_everything() -> None:
    assert make(Static).weigh(torch.ones(3), TASKS) is None
    assert not Static.per_task_gradients
    assert not Static.measures_again


@pytest.mark.parametrize("kind", [UW, IMTLL])
def test_learned_weights_settle_where_all_losses_count_alike(kind: type[Balancer[Any]]) -> None:
    """Both papers' optimum: the weight is in inverse proportion to the loss."""
    balancer = make(kind, learning_rate=0.1)
    for _ in range(200):
        found = weigh(balancer, a=0.5, b=1.0, c=4.0)
    parts = [found["a"] * 0.5, found["b"] * 1.0, found["c"] * 4.0]
    assert parts == pytest.approx([parts[0]] * 3, rel=0.02)


@pytest.mark.parametrize("kind", [UW, IMTLL])
def test_a_task_that_is_not_there_is_not_moved(kind: type[Balancer[Any]]) -> None:
    """Its weight, against what it would be without the batches that it was not in."""
    often, seldom = make(kind), make(kind)
    for balancer, between in ((often, 20), (seldom, 0)):
        for _ in range(between):
            weigh(balancer, a=3.0, b=2.0)
    shared = {"a": 1.0, "b": 1.0, "c": 1.0}
    moved, still = weigh(often, **shared), weigh(seldom, **shared)
    assert abs(moved["a"] - still["a"]) > 0.02
    assert moved["c"] == still["c"]


def test_famo_moves_no_logit_of_a_task_that_is_not_there() -> None:
    balancer = FAMO(FAMO.Settings(), TASKS)
    for _ in range(20):
        weigh(balancer, a=1.0, b=2.0)
        balancer.after_step(torch.tensor([0.5, 1.9]), ("a", "b"))
    assert balancer._adaptive is not None
    a, b, c = next(balancer._adaptive.parameters()).tolist()
    assert a < -0.2 < 0.2 < b
    assert abs(c) < 0.02  # Adam makes steps of rounding errors too


def test_famo_favours_the_loss_that_falls_least() -> None:
    balancer = make(FAMO)
    for _ in range(20):
        weigh(balancer, a=1.0, b=1.0, c=1.0)
        balancer.after_step(torch.tensor([0.5, 0.9, 1.0]), TASKS)
    found = weigh(balancer, a=1.0, b=1.0, c=1.0)
    assert found["a"] < found["b"] < found["c"]
    assert sum(found.values()) == pytest.approx(1.0)


def test_dwa_is_equal_for_two_epochs_then_favours_the_slow() -> None:
    balancer = make(DWA, temperature=1.0)
    for epoch in range(3):
        found = weigh(balancer, a=1.0 / (1 + epoch), b=1.0, c=1.0)
        if epoch < 2:
            assert set(found.values()) == {1.0}
        balancer.epoch_ended()
    found = weigh(balancer, a=1.0, b=1.0, c=1.0)
    assert found["a"] < found["b"] == found["c"]
    assert sum(found.values()) == pytest.approx(3.0)


def test_dwa_averages_a_task_over_its_own_batches() -> None:
    """Rate b: 1 -> 1, whether or not it is in every batch."""
    balancer = make(DWA, temperature=1.0)
    for _ in range(2):
        weigh(balancer, a=1.0, b=1.0, c=1.0)
        weigh(balancer, a=3.0, c=1.0)
        balancer.epoch_ended()
    assert list(weigh(balancer, a=1.0, b=1.0, c=1.0).values()) == pytest.approx([1.0] * 3)


def test_gls_weighs_by_relative_decrease() -> None:
    found = weigh(make(GLS), a=0.5, b=2.0)
    assert found["a"] * 0.5 == pytest.approx(found["b"] * 2.0)


def test_stch_looks_at_the_largest_loss() -> None:
    found = weigh(make(STCH, mu=0.01), a=0.5, b=2.0, c=1.0)
    assert found["b"] == pytest.approx(1 / 3)
    assert found["a"] + found["c"] < 1e-6


def test_upgrad_hurts_no_task() -> None:
    gradients = torch.randn(3, 5, generator=torch.Generator().manual_seed(4))
    gradients[1] -= 2 * gradients[0]
    assert (gradients @ gradients.sum(0)).min() < 0
    assert (gradients @ make(UPGrad).combine(gradients, TASKS)).min() > -1e-3


@pytest.mark.parametrize("kind", [UPGrad, CAGrad])
@pytest.mark.parametrize("length", [1e-5, 1e3])
def test_the_answer_grows_as_the_gradients_do(kind: type[Balancer[Any]], length: float) -> None:
    """Solvers take small numbers for none; a deep unit's gradient is small."""
    gradients = torch.randn(3, 9, generator=torch.Generator().manual_seed(1))
    usual = make(kind).combine(gradients, TASKS)
    found = make(kind).combine(gradients * length, TASKS)
    torch.testing.assert_close(found / length, usual, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("alpha", [0.5, 1.0, 2.0])
def test_fairgrad_solves_its_equation_whatever_the_scale(alpha: float) -> None:
    """``G x = x ** (-1 / alpha)`` for orthogonal gradients of length l: x = l ** (-2a/(a+1))."""
    for length in (0.1, 10.0):
        found = make(FairGrad, alpha=alpha).combine(torch.eye(3) * length, TASKS)
        expected = torch.full((3,), length * length ** (-2 * alpha / (alpha + 1)))
        torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-4)


def test_nash_mtl_keeps_a_bargain_for_every_set_of_tasks() -> None:
    """A batch without a task must not meet a bargain of another number of tasks."""
    balancer = make(NashMTL, every=2)
    gradients = torch.eye(3)
    for rows in ([0, 1, 2], [0, 2], [0, 1, 2]):
        found = balancer.combine(gradients[rows], [TASKS[row] for row in rows])
        assert found.norm() <= 1 + 1e-5


def test_a_missing_solver_is_named_before_training(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(self: CAGrad, count: int) -> Any:
        raise ImportError("CAGrad requires ['cvxpy'] to be installed")

    monkeypatch.setattr(CAGrad, "aggregator", missing)
    with pytest.raises(TrainingError, match="cvxpy") as error:
        make(CAGrad)
    assert "mtlsearch[balancing]" in str(error.value)


def test_a_solver_without_an_answer_fails_the_trial() -> None:
    """What TorchJD raises where quadprog gives up."""

    def gives_up(matrix: torch.Tensor) -> torch.Tensor:
        raise ValueError("Failed to solve the quadratic programming problem.")

    balancer = UPGrad(UPGrad.Settings(), TASKS)
    balancer._aggregators[TASKS] = gives_up  # type: ignore[assignment]
    with pytest.raises(TrainingError, match="upgrad finds no common gradient of a, b, c"):
        balancer.combine(torch.ones(3, 4), TASKS)


def lengths_of(balancer: Balancer[Any], losses: list[list[float]]) -> list[float]:
    """How long each task's part of the answer is, after so many steps on rows 1, 2 and 8 long."""
    jacobian = torch.diag(torch.tensor([1.0, 2.0, 8.0]))
    found = torch.zeros(3)
    for batch in losses:
        balancer.observe(torch.tensor(batch), TASKS)
        found = balancer.combine(jacobian, TASKS)
    return found.tolist()


def test_gradnorm_comes_to_equal_lengths_where_all_learn_alike() -> None:
    """And keeps the weights' sum."""
    balancer = make(GradNorm, learning_rate=0.01)
    falling = [[1.0 / n, 5.0 / n, 0.2 / n] for n in range(1, 600)]
    found = lengths_of(balancer, falling)
    assert found == pytest.approx([found[0]] * 3, rel=0.05)
    weights = torch.tensor(found) / torch.tensor([1.0, 2.0, 8.0])
    assert weights.sum() == pytest.approx(3.0, rel=1e-3)


def test_gradnorm_pulls_the_task_that_lags_behind() -> None:
    """The paper's target: lengths in proportion to what is left of the first loss, to the alpha."""
    steps = [[1.0, 1.0, 1.0]] + [[0.2, 0.2, 0.4]] * 600
    found = lengths_of(make(GradNorm, learning_rate=0.01, alpha=1.0), steps)
    assert found[2] / found[0] == pytest.approx(2.0, rel=0.1)
    assert found[1] / found[0] == pytest.approx(1.0, rel=0.1)


def test_gradnorm_keeps_the_weight_of_a_task_that_is_not_there() -> None:
    balancer = make(GradNorm)
    jacobian = torch.tensor([[1.0, 0.0], [0.0, 9.0]])
    for _ in range(50):
        balancer.observe(torch.tensor([1.0, 1.0]), TASKS[:2])
        found = balancer.combine(jacobian, TASKS[:2])
    assert found[0] > 1.3  # of two that sum to 2
    balancer.observe(torch.ones(3), TASKS)
    assert balancer.combine(torch.eye(3), TASKS)[2] == 1.0
