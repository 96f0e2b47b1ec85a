"""Networks of trials: torch modules, predictions, bundles and fine-tuning."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import mtlsearch
from mtlsearch.errors import ConfigError, DataError, RunError
from mtlsearch.export import TOLERANCE
from mtlsearch.prediction import to_json
from tests.cli.program import call

pytestmark = pytest.mark.xdist_group("python_search")

IMAGE_SIZES = ((40, 56), (32, 32), (90, 30))


@pytest.fixture(scope="module")
def network(run: mtlsearch.Run) -> mtlsearch.TrainedNetwork:
    return run.network()


@pytest.fixture(scope="module")
def images() -> list[np.ndarray]:
    """Return RGB images of several sizes, smooth and noisy."""
    random = np.random.default_rng(0)
    return [random.integers(0, 256, (*size, 3), np.uint8) for size in IMAGE_SIZES]


@pytest.fixture(scope="module")
def bundle(run: mtlsearch.Run, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Return the exported bundle of the best trial, whose graph decodes."""
    folder = run.export(tmp_path_factory.mktemp("export") / "bundle", decode=True)
    return mtlsearch.open_bundle(folder)


def assert_close(first: dict[str, Any], second: dict[str, Any]) -> None:
    """Check that predictions of two runtimes agree up to the tolerance of an export."""
    assert first.keys() == second.keys()
    scene, expected = first["scene"], second["scene"]
    assert scene.index == expected.index
    np.testing.assert_allclose(scene.scores, expected.scores, atol=TOLERANCE)
    boxes, expected = first["objects"], second["objects"]
    np.testing.assert_array_equal(boxes.classes, expected.classes)
    np.testing.assert_allclose(boxes.scores, expected.scores, atol=TOLERANCE)
    np.testing.assert_allclose(boxes.xyxy, expected.xyxy, atol=100 * TOLERANCE)
    masks = first["shapes"].indices, second["shapes"].indices
    assert masks[0].shape == masks[1].shape
    assert (masks[0] == masks[1]).mean() > 0.999


def test_network_is_a_torch_module(network: mtlsearch.TrainedNetwork) -> None:
    assert isinstance(network, torch.nn.Module)
    assert not network.training
    inputs = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    outputs = network(inputs)
    assert set(outputs) == {"objects", "scene", "shapes"}
    assert outputs["scene"]["logits"].shape == (2, len(network.outputs["scene"].classes))
    scores = network.tensors(inputs, ["scene"])["scene"]["scores"]
    torch.testing.assert_close(scores, outputs["scene"]["logits"].softmax(1))


def test_network_trains_with_the_losses_of_its_tasks(run: mtlsearch.Run) -> None:
    network = run.network().train()
    inputs = torch.randn(4, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    before = {name: value.clone() for name, value in network.state_dict().items()}
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
    outputs = network(inputs, ["scene"])
    loss = network.tasks["scene"].loss(outputs["scene"], torch.tensor([0, 1, 2, 0]))
    loss.backward()
    optimizer.step()
    changed = {
        name for name, value in network.state_dict().items() if not torch.equal(value, before[name])
    }
    assert any("heads.scene" in name for name in changed)
    assert any("backbones" in name for name in changed)
    other = run.network()  # a new one, from the weights on disk
    assert all(torch.equal(value, before[name]) for name, value in other.state_dict().items())


def test_preprocessing_is_that_of_the_bundle(
    network: mtlsearch.TrainedNetwork, bundle: Any, images: list[np.ndarray]
) -> None:
    assert network.preprocessing == bundle.manifest.preprocessing
    inputs = network.preprocess(images)
    assert inputs.shape == (3, 3, 32, 32)
    assert inputs.dtype == torch.float32
    torch.testing.assert_close(network.preprocess(images[1]), inputs[1:2])


def test_predict_agrees_with_the_bundle(
    run: mtlsearch.Run,
    network: mtlsearch.TrainedNetwork,
    bundle: Any,
    images: list[np.ndarray],
) -> None:
    predictions = run.predict(images, batch_size=2)
    for prediction, expected in zip(predictions, bundle.predict(images), strict=True):
        assert_close(prediction, expected)
    network.train()
    assert_close(network.predict(images[0]), bundle.predict(images[0]))
    assert network.training
    network.eval()


def test_predict_agrees_with_the_command(
    run: mtlsearch.Run, bundle: Any, images: list[np.ndarray], tmp_path: Path
) -> None:
    path = tmp_path / "image.png"
    Image.fromarray(images[0]).save(path)
    document = json.loads(call("predict", bundle.path, path).stdout)
    printed = document["images"][0]["tasks"]
    predictions = run.predict(path)
    for task, prediction in predictions.items():
        shown = to_json(bundle.tasks[task], prediction)
        assert shown["form"] == printed[task]["form"]
    scene = to_json(bundle.tasks["scene"], predictions["scene"])
    assert scene["class"] == printed["scene"]["class"]
    assert scene["score"] == pytest.approx(printed["scene"]["score"], abs=2 * TOLERANCE)
    boxes = to_json(bundle.tasks["objects"], predictions["objects"])["boxes"]
    assert [box["class"] for box in boxes] == [box["class"] for box in printed["objects"]["boxes"]]
    fractions = to_json(bundle.tasks["shapes"], predictions["shapes"])["fractions"]
    assert fractions == pytest.approx(printed["shapes"]["fractions"], abs=2e-3)


def test_predict_accepts_paths_pictures_and_arrays(
    run: mtlsearch.Run, images: list[np.ndarray], tmp_path: Path
) -> None:
    path = tmp_path / "image.png"
    picture = Image.fromarray(images[0])
    picture.save(path)
    expected = run.predict(images[0])
    deep = images[0].astype(np.uint16) * 257  # the same numbers with 16 bits
    for image in (path, str(path), picture, deep, np.ascontiguousarray(images[0])):
        assert_close(run.predict(image), expected)
    gray = run.predict([np.full((20, 30), 128, np.uint8)])
    assert gray[0]["shapes"].indices.shape == (20, 30)
    assert run.predict([]) == []


def test_image_in_unknown_units_is_refused(run: mtlsearch.Run) -> None:
    with pytest.raises(DataError, match=r"need `data.pixel_range`"):
        run.predict(np.zeros((8, 8, 3), np.float32))
    with pytest.raises(DataError, match="looks like"):
        run.predict(np.zeros((3, 40, 40), np.uint8))
    with pytest.raises(DataError, match="an image is expected, got int"):
        run.predict([3])


def test_draw_shows_all_tasks(network: mtlsearch.TrainedNetwork, images: list[np.ndarray]) -> None:
    drawn = network.draw(images[0], network.predict(images[0]))
    assert drawn.mode == "RGB"
    assert drawn.width > 4 * images[0].shape[1]


def test_deleted_weights_are_reported(run: mtlsearch.Run, tmp_path: Path) -> None:
    copy = shutil.copytree(run.path, tmp_path / "run")
    for file in copy.rglob("weights.safetensors"):
        file.unlink()
    with pytest.raises(RunError, match="the weights of trial 0 do not exist"):
        mtlsearch.load(copy).network(0)


def test_unknown_device_is_refused_with_the_argument(run: mtlsearch.Run) -> None:
    with pytest.raises(mtlsearch.errors.TrainingError) as raised:
        run.network(device="gpu")
    assert "`device='auto'`" in str(raised.value)


def test_fine_tuning_starts_from_the_trained_weights(
    run: mtlsearch.Run, images: list[np.ndarray], tmp_path: Path
) -> None:
    lines: list[str] = []
    trial, old = run.trial(0), run.network(0)
    tuned = run.fine_tune(
        0,
        epochs=1,
        overrides={"data.sources.0.seed_offset": 7, "train.batch_size": 4},
        device="cpu",
        progress=lines.append,
    )
    assert any("epoch 1 of 1" in line for line in lines)
    assert list(tuned.history.index) == [1]
    last = tuned.history.loc[1, "scene.nll"]
    assert float(last) == pytest.approx(tuned.metrics["scene"]["nll"])
    assert tuned.metrics_before.keys() == trial.metrics.keys()
    weights, old_weights = tuned.network.state_dict(), old.state_dict()
    assert weights.keys() == old_weights.keys()
    distance = max(
        float((weights[name] - old_weights[name]).abs().max()) for name, _ in old.named_parameters()
    )
    assert 0 < distance < 0.2  # a short training with a tenth of the learning rate
    assert run.trial(0) == trial
    opened = mtlsearch.open_bundle(tuned.export(tmp_path / "tuned"))
    assert_close(tuned.network.predict(images[0]), opened.predict(images[0]))
    assert opened.manifest.extra["epochs"] == trial.epochs + 1
    assert opened.manifest.metrics["scene"] == pytest.approx(tuned.metrics["scene"])


def test_fine_tuning_starts_at_the_results_of_the_trial(
    run: mtlsearch.Run,
) -> None:
    tuned = run.fine_tune(0, epochs=1, learning_rate=1e-9, device="cpu")
    for task, metrics in run.trial(0).metrics.items():
        assert tuned.metrics_before[task] == pytest.approx(metrics, abs=1e-3)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"backbone.name": "test_vit"}, "cannot change `backbone.name`"),
        ({"data.sources.0.relatedness": 0.0}, "the classes of task"),
        ({"data.sources.0.trian": 3}, "unknown key 'trian'"),
    ],
)
def test_fine_tuning_of_another_network_is_refused(
    run: mtlsearch.Run, overrides: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=message) as raised:
        run.fine_tune(0, epochs=1, overrides=overrides, device="cpu")
    assert "overrides=" in str(raised.value)


def test_prediction_keeps_the_mode_of_each_module(run: mtlsearch.Run) -> None:
    network = run.network()
    network.train()
    frozen = next(
        module for module in network.modules() if isinstance(module, torch.nn.BatchNorm2d)
    )
    frozen.eval()
    modes = [module.training for module in network.modules()]
    network.predict([Image.new("RGB", (32, 32))])
    assert [module.training for module in network.modules()] == modes


@pytest.mark.parametrize("batch_size", [0, -1])
def test_batches_without_images_are_refused(
    network: mtlsearch.TrainedNetwork, batch_size: int
) -> None:
    with pytest.raises(ConfigError, match="must be at least 1"):
        network.predict([Image.new("RGB", (32, 32))], batch_size=batch_size)


def test_empty_list_of_plans_is_refused(run: mtlsearch.Run) -> None:
    with pytest.raises(RunError, match="the list of trials is empty"):
        run.plot_plans([])
