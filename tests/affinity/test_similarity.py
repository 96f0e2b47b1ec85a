"""Similarity of representations."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from mtlsearch.affinity._similarity import dependences, gram, representation_similarity
from mtlsearch.models import cut_backbone
from mtlsearch.plan import SharingPlan
from tests.models.heads import network


def draw(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def cka(one: Tensor, other: Tensor) -> float:
    found = dependences([gram(one), gram(other)])
    return float(found[0, 1] / np.sqrt(found[0, 0] * found[1, 1]))


def test_it_does_not_see_rotations_scales_and_shifts() -> None:
    features = draw(20, 6)
    other = features @ torch.linalg.qr(draw(6, 9, seed=1).T).Q.T  # six dimensions of nine
    rotated = 3.5 * other + 2.0
    assert cka(features, rotated) == pytest.approx(1.0, abs=1e-5)
    assert cka(features, draw(20, 6, seed=2)) < 0.5


def test_it_does_see_other_maps() -> None:
    features = draw(20, 6)
    stretched = features * torch.tensor([10.0, 1, 1, 1, 1, 1])
    assert cka(features, stretched) < 0.95


def test_what_has_nothing_in_common_is_around_0_however_many_features_there_are() -> None:
    """The plain estimator would say 0.99 here."""
    found = [cka(draw(16, 2000, seed=at), draw(16, 2000, seed=100 + at)) for at in range(20)]
    assert abs(float(np.mean(found))) < 0.05


def test_it_agrees_with_the_formula_written_out() -> None:
    one, other = gram(draw(7, 3)), gram(draw(7, 4, seed=1))
    hollow, counterpart = (at - torch.diag(at.diagonal()) for at in (one, other))
    n, ones = 7, torch.ones(7, dtype=torch.float64)
    expected = (
        torch.trace(hollow @ counterpart)
        + (ones @ hollow @ ones) * (ones @ counterpart @ ones) / ((n - 1) * (n - 2))
        - 2 / (n - 2) * ones @ hollow @ counterpart @ ones
    ) / (n * (n - 3))
    assert dependences([one, other])[0, 1] == pytest.approx(float(expected))


@pytest.mark.parametrize("name", ["test_resnet", "test_vit"])
def test_networks_with_the_same_weights_see_the_same(name: str) -> None:
    """``vary`` gives every copy other weights; without it all tasks start from one model."""
    cut = cut_backbone(name, (32, 32) if name == "test_resnet" else (160, 160))
    plan = SharingPlan.independent(["a", "b"], len(cut.units))
    size = cut.features.image_size
    batches = [draw(8, 3, *size, seed=at) for at in range(2)] + [draw(3, 3, *size)]
    told: list[int] = []
    same, images = representation_similarity(network(cut, plan), batches, told.append)
    assert images == 16
    assert told == [8, 16]
    assert same.shape == (len(cut.units), 2, 2)
    np.testing.assert_allclose(same, 1.0, atol=1e-6)
    varied, _ = representation_similarity(network(cut, plan, vary=True), batches, told.append)
    np.testing.assert_allclose(varied, varied.transpose(0, 2, 1), atol=1e-12)
    np.testing.assert_allclose(np.einsum("utt->ut", varied), 1.0)
    assert (varied[:, 0, 1] < 0.999).any()


def test_nothing_is_left_behind() -> None:
    cut = cut_backbone("test_resnet", (32, 32))
    built = network(cut, SharingPlan.independent(["a", "b"], len(cut.units))).train()
    before = {name: value.clone() for name, value in built.state_dict().items()}
    representation_similarity(built, [draw(4, 3, 32, 32)], lambda done: None)
    assert built.training
    assert all(torch.equal(value, before[name]) for name, value in built.state_dict().items())
    assert not any(module._forward_hooks for module in built.modules())


def test_what_never_changes_is_not_compared() -> None:
    cut = cut_backbone("test_resnet", (32, 32))
    built = network(cut, SharingPlan.independent(["a", "b"], len(cut.units)))
    with torch.no_grad():
        for parameter in built.unit_parameters(1, ("a",)).values():
            parameter.zero_()
        for parameter in built.unit_parameters(0, ("a",)).values():
            parameter.zero_()
    found, _ = representation_similarity(built, [draw(8, 3, 32, 32)], lambda done: None)
    assert np.isnan(found[0, 0]).all()
    assert found[0, 1, 1] == pytest.approx(1.0)
