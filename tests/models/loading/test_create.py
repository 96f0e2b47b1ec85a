"""Names of timm models."""

from __future__ import annotations

import pytest

from mtlsearch.errors import UnknownNameError, did_you_mean
from mtlsearch.models.loading import require_backbone


def test_beginning_of_several_names_lists_them() -> None:
    with pytest.raises(UnknownNameError) as caught:
        require_backbone("tf_efficientnet_lite", where="backbone.name")
    names = [f"tf_efficientnet_lite{number}" for number in range(5)]
    assert caught.value.allowed == tuple(names)
    assert all(name in caught.value.what for name in names)


def test_misspelled_name_suggests_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'resnet18'") as caught:
        require_backbone("rsenet18")
    assert caught.value.allowed == ("resnet18",)


@pytest.mark.parametrize(
    ("name", "suggestion"),
    [
        ("trai", "; did you mean 'train' or 'training'?"),
        ("train", "; did you mean 'train'?"),
        ("xyz", ""),
    ],
)
def test_suggestion_lists_continued_names(name: str, suggestion: str) -> None:
    assert did_you_mean(name, ["train", "training", "test"]) == suggestion
