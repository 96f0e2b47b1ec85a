"""Similarity of representations."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from mtlsearch.affinity._similarity import gram_matrix, representation_similarity, unbiased_hsic
from mtlsearch.models import cut_backbone
from mtlsearch.plan import SharingPlan
from tests.models.heads import network


def draw(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def cka(first: Tensor, second: Tensor) -> float:
    hsic = unbiased_hsic([gram_matrix(first), gram_matrix(second)])
    return float(hsic[0, 1] / np.sqrt(hsic[0, 0] * hsic[1, 1]))


def test_cka_ignores_rotation_scale_and_shift() -> None:
    features = draw(20, 6)
    embedded = features @ torch.linalg.qr(draw(6, 9, seed=1).T).Q.T  # six of nine dimensions
    rotated = 3.5 * embedded + 2.0
    assert cka(features, rotated) == pytest.approx(1.0, abs=1e-5)
    assert cka(features, draw(20, 6, seed=2)) < 0.5


def test_cka_depends_on_other_linear_maps() -> None:
    features = draw(20, 6)
    stretched = features * torch.tensor([10.0, 1, 1, 1, 1, 1])
    assert cka(features, stretched) < 0.95


def test_cka_of_unrelated_wide_features_is_around_0() -> None:
    """The biased estimator gives 0.99 here."""
    values = [cka(draw(16, 2000, seed=seed), draw(16, 2000, seed=100 + seed)) for seed in range(20)]
    assert abs(float(np.mean(values))) < 0.05


def test_hsic_agrees_with_the_formula() -> None:
    first, second = gram_matrix(draw(7, 3)), gram_matrix(draw(7, 4, seed=1))
    k, l = (gram - torch.diag(gram.diagonal()) for gram in (first, second))  # noqa: E741
    n, ones = 7, torch.ones(7, dtype=torch.float64)
    expected = (
        torch.trace(k @ l)
        + (ones @ k @ ones) * (ones @ l @ ones) / ((n - 1) * (n - 2))
        - 2 / (n - 2) * ones @ k @ l @ ones
    ) / (n * (n - 3))
    assert unbiased_hsic([first, second])[0, 1] == pytest.approx(float(expected))


@pytest.mark.parametrize("name", ["test_resnet", "test_vit"])
def test_networks_with_equal_weights_have_similarity_1(name: str) -> None:
    """``vary`` gives every copy different weights; without it, all tasks start from one model."""
    cut = cut_backbone(name, (32, 32) if name == "test_resnet" else (160, 160))
    plan = SharingPlan.independent(["a", "b"], len(cut.units))
    size = cut.features.image_size
    batches = [draw(8, 3, *size, seed=seed) for seed in range(2)] + [draw(3, 3, *size)]
    progress: list[int] = []
    same, images = representation_similarity(network(cut, plan), batches, progress.append)
    assert images == 16
    assert progress == [8, 16]
    assert same.shape == (len(cut.units), 2, 2)
    np.testing.assert_allclose(same, 1.0, atol=1e-6)
    varied, _ = representation_similarity(network(cut, plan, vary=True), batches, progress.append)
    np.testing.assert_allclose(varied, varied.transpose(0, 2, 1), atol=1e-12)
    np.testing.assert_allclose(np.einsum("utt->ut", varied), 1.0)
    assert (varied[:, 0, 1] < 0.999).any()


def test_network_and_hooks_are_restored() -> None:
    cut = cut_backbone("test_resnet", (32, 32))
    built = network(cut, SharingPlan.independent(["a", "b"], len(cut.units))).train()
    before = {name: value.clone() for name, value in built.state_dict().items()}
    representation_similarity(built, [draw(4, 3, 32, 32)], lambda done: None)
    assert built.training
    assert all(torch.equal(value, before[name]) for name, value in built.state_dict().items())
    assert not any(module._forward_hooks for module in built.modules())


def test_constant_representations_are_nan() -> None:
    cut = cut_backbone("test_resnet", (32, 32))
    built = network(cut, SharingPlan.independent(["a", "b"], len(cut.units)))
    with torch.no_grad():
        for parameter in built.unit_parameters(1, ("a",)).values():
            parameter.zero_()
        for parameter in built.unit_parameters(0, ("a",)).values():
            parameter.zero_()
    similarity, _ = representation_similarity(built, [draw(8, 3, 32, 32)], lambda done: None)
    assert np.isnan(similarity[0, 0]).all()
    assert similarity[0, 1, 1] == pytest.approx(1.0)
