"""NMS gives the same boxes as torchvision; voting gives means of boxes."""

from __future__ import annotations

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from torchvision.ops import batched_nms, box_iou

from mtlsearch.prediction._nms import box_iou as our_iou
from mtlsearch.prediction._nms import suppress, vote

# Integers only, because torchvision adds offsets per class to coordinates, which rounds.
corners = arrays.arrays(np.float32, (24, 2), elements=st.integers(0, 60).map(float))
sizes = arrays.arrays(np.float32, (24, 2), elements=st.integers(1, 40).map(float))
classes = arrays.arrays(np.int64, 24, elements=st.integers(0, 3))
scores = arrays.arrays(np.float32, 24, elements=st.floats(0, 1, width=32), unique=True)
thresholds = st.sampled_from([0.0, 0.125, 0.3, 0.5, 0.65, 0.9, 1.0])


@given(corners, sizes, classes, scores, thresholds)
def test_suppress_matches_torchvision(corner, size, label, score, threshold):
    order = np.argsort(-score, kind="stable")
    boxes = np.concatenate([corner, corner + size], axis=1)
    kept = order[suppress(boxes[order], label[order], threshold)]
    expected = batched_nms(*map(torch.from_numpy, (boxes, score, label)), threshold)
    assert kept.tolist() == expected.tolist()


@given(corners, sizes)
def test_box_iou_matches_torchvision(corner, size):
    boxes = np.concatenate([corner, corner + size], axis=1)
    expected = box_iou(torch.from_numpy(boxes), torch.from_numpy(boxes)).numpy()
    assert np.allclose(our_iou(boxes, boxes), expected, atol=1e-6)


@given(corners, sizes, classes, thresholds)
def test_kept_boxes_overlap_at_most_by_the_threshold(corner, size, label, threshold):
    boxes = np.concatenate([corner, corner + size], axis=1)
    keep = suppress(boxes, label, threshold)
    overlaps = our_iou(boxes[keep], boxes[keep]) > np.float64(threshold)
    same = label[keep][:, None] == label[keep][None, :]
    assert not np.triu(overlaps & same, k=1).any()


def test_suppress_accepts_zero_boxes():
    assert suppress(np.zeros((0, 4), np.float32), np.zeros(0, np.int64), 0.5).shape == (0,)


def test_boxes_without_area_are_kept():
    boxes = np.array([[5, 5, 5, 5]] * 3, np.float32)
    assert suppress(boxes, np.zeros(3, np.int64), 0.5).all()


@given(corners, sizes, classes, thresholds)
def test_voted_boxes_equal_weighted_means(corner, size, label, threshold):
    boxes = np.concatenate([corner, corner + size], axis=1)
    scores = np.linspace(1, 0.1, len(boxes), dtype=np.float32)
    keep = suppress(boxes, label, threshold)
    voted = vote(boxes, scores, label, keep, threshold)
    iou = box_iou(torch.from_numpy(boxes), torch.from_numpy(boxes)).numpy()
    for index, result in zip(np.flatnonzero(keep), voted, strict=True):
        counts = (iou[index] > np.float64(threshold)) & (label == label[index])
        counts[index] = True
        expected = np.average(boxes[counts], axis=0, weights=scores[counts])
        assert np.allclose(result, expected, atol=1e-4)


def test_boxes_without_area_vote_for_themselves():
    boxes = np.array([[5, 5, 5, 5]] * 3, np.float32)
    scores = np.array([0.5, 0.4, 0.3], np.float32)
    keep = np.array([True, False, True])
    assert np.array_equal(vote(boxes, scores, np.zeros(3, np.int64), keep, 0.5), boxes[keep])
