"""Resources of a cluster: one GPU per worker, or the cores divided."""

from __future__ import annotations

import pytest

from mtlsearch.cli._cluster_share import Share, share_cluster
from mtlsearch.errors import ConfigError


@pytest.mark.parametrize(
    ("nodes", "count", "device", "expected"),
    [
        ([{"CPU": 16, "GPU": 4}], None, "auto", Share(4, 1, 4)),
        ([{"CPU": 16, "GPU": 4}, {"CPU": 8, "GPU": 1}], None, "cuda", Share(5, 1, 4)),
        ([{"CPU": 16, "GPU": 4}, {"CPU": 64}], 2, "auto", Share(2, 1, 4)),
        ([{"CPU": 2, "GPU": 4}], 8, "auto", Share(8, 1, 0)),
        ([{"CPU": 16, "GPU": 4}], None, "cpu", Share(1, 0, 16)),
        ([{"CPU": 8}, {"CPU": 8}], None, "auto", Share(2, 0, 8)),
        ([{"CPU": 8}, {"CPU": 8}], 4, "auto", Share(4, 0, 4)),
        ([{"CPU": 8}, {"CPU": 4}], 4, "cpu", Share(4, 0, 2)),
        ([{"CPU": 2}, {"CPU": 1}], 2, "cpu", Share(2, 0, 1)),
        ([{"memory": 1e9}, {"CPU": 8}], None, "auto", Share(1, 0, 8)),
        ([{"CPU": 2}], 5, "auto", Share(5, 0, 1)),
        ([{"memory": 1e9}], None, "auto", Share(1, 0, 1)),
    ],
)
def test_cluster_is_divided_between_workers(
    nodes: list[dict[str, float]], count: int | None, device: str, expected: Share
) -> None:
    assert share_cluster(nodes, count, device) == expected


@pytest.mark.parametrize(("device", "text"), [("cuda", "has a GPU"), ("1", "chooses the GPU")])
def test_device_that_no_worker_can_have_is_refused(device: str, text: str) -> None:
    with pytest.raises(ConfigError, match=text):
        share_cluster([{"CPU": 8}], None, device)


def test_share_names_what_a_worker_waits_for() -> None:
    assert str(Share(1, 1, 4)) == "1 GPU and 4 CPU cores"
    assert str(Share(1, 0, 1)) == "1 CPU core"
