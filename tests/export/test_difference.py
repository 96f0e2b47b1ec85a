"""Comparison of an exported format with the trained network."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from mtlsearch.errors import ExportError
from mtlsearch.export import difference
from mtlsearch.export._compare import batches, check_format
from tests.export import networks

tensors = arrays.arrays(
    np.float32, (3, 4), elements=st.floats(-1e4, 1e4, width=32, allow_subnormal=False)
)


@given(tensors)
def test_difference_of_equal_tensors_is_zero(tensor):
    assert difference(tensor, tensor) == 0


@given(tensors, st.floats(0.015625, 1, width=32))
def test_difference_is_relative_to_largest_magnitude(tensor, fraction):
    tensor[0, 0] = 2e4
    moved = tensor.copy()
    moved[1, 1] += np.float32(fraction * 2e4)
    assert difference(moved, tensor) == pytest.approx(fraction, rel=1e-2)


@given(tensors, st.sampled_from([0.25, 2.0, 1024.0]))
def test_difference_does_not_depend_on_scale(tensor, scale):
    tensor[0, 0] = 1.0
    moved = tensor + np.float32(0.5)
    assert difference(moved * scale, tensor * scale) == pytest.approx(difference(moved, tensor))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_difference_of_non_finite_tensors_is_infinite(bad):
    tensor = np.array([1, bad], np.float32)
    assert difference(tensor, tensor) == float("inf")


def test_difference_of_other_shape_is_infinite():
    assert difference(np.zeros((2, 1), np.float32), np.zeros(2, np.float32)) == float("inf")


def test_difference_of_empty_tensors_is_zero():
    assert difference(np.zeros((4, 0, 4), np.float32), np.zeros((4, 0, 4), np.float32)) == 0


def test_batches_have_one_and_four_images():
    sizes = [len(batch) for batch in batches(networks.images(9))]
    assert sizes == [1] * 9 + [4, 4]


def test_check_format_with_missing_tensor_raises():
    def network(images):
        return {"a": np.ones((len(images), 2)), "b": np.ones((len(images), 2))}

    def runner(images):
        return {"a": np.ones((len(images), 2))}

    with pytest.raises(ExportError, match="b"):
        check_format("model.onnx", runner, network, networks.images(4))
