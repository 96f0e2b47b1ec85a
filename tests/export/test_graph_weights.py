"""A graph above the limit of an ONNX file has its weights in a file of their own."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from mtlsearch.bundle import CARD, GRAPH, GRAPH_WEIGHTS, MANIFEST, open_graph
from mtlsearch.errors import ExportError
from mtlsearch.export import TOLERANCE, export_bundle, open_bundle
from mtlsearch.models.programs import ExportedNetwork, _onnx_graph
from tests.export import networks


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Export a network with a limit of 10 kB for the ONNX file."""
    tasks = networks.tasks()
    network = networks.network("test_resnet", tasks)
    out = tmp_path_factory.mktemp("large") / "bundle"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_onnx_graph, "MAX_BYTES", 10_000)
        return export_bundle(network, tasks, out, **networks.export_arguments(network))


def test_large_graph_stores_its_weights_beside_it(bundle: Path) -> None:
    sizes = {path.name: path.stat().st_size for path in bundle.iterdir()}
    assert sizes[GRAPH] < 0.5 * sizes[GRAPH_WEIGHTS]
    assert sizes[GRAPH_WEIGHTS] > 1_000_000
    initializers = onnx.load(bundle / GRAPH, load_external_data=False).graph.initializer
    assert max(len(tensor.raw_data) for tensor in initializers) < 256
    assert GRAPH_WEIGHTS in json.loads((bundle / MANIFEST).read_text())["files"]
    assert f"`{GRAPH_WEIGHTS}`" in (bundle / CARD).read_text()


def test_large_bundle_equals_the_network(bundle: Path) -> None:
    tasks = networks.tasks()
    network = networks.network("test_resnet", tasks).eval()
    images = networks.images(3, seed=1)
    with torch.no_grad():
        expected = ExportedNetwork(network, tasks)(images)
    opened = open_bundle(bundle)
    arrays = opened.run(images.numpy())
    session = onnxruntime.InferenceSession(bundle / GRAPH)  # as any reader of ONNX
    names = [output.name for output in session.get_outputs()]
    plain = dict(zip(names, session.run(names, {"images": images.numpy()}), strict=True))
    assert set(names) == set(expected)
    for name, value in expected.items():
        task, _, tensor = name.rpartition(".")
        largest = value.abs().max().item()
        for array in (arrays[task][tensor], plain[name]):
            assert np.abs(array - value.numpy()).max() <= TOLERANCE * largest


def test_graph_without_its_weights_is_refused(bundle: Path) -> None:
    with pytest.raises(ExportError, match="cannot load the graph"):
        open_graph(bundle / GRAPH)


@pytest.mark.parametrize("size", [0, 5, 200])
def test_incomplete_weights_are_refused(bundle: Path, tmp_path: Path, size: int) -> None:
    weights = tmp_path / GRAPH_WEIGHTS
    weights.write_bytes((bundle / GRAPH_WEIGHTS).read_bytes()[:size])
    with pytest.raises(ExportError, match="weights of the graph cannot be read") as caught:
        open_graph(bundle / GRAPH, weights=weights)
    assert str(weights) in str(caught.value)
    assert caught.value.next_step
