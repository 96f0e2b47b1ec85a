"""``mtlsearch extend``: from a search to a bundle with the tasks of both runs."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from subprocess import CompletedProcess

import numpy as np
import pytest
import torch

import mtlsearch
from mtlsearch.bundle import open_bundle
from mtlsearch.config import load_run
from tests.cli.conftest import SmallSearch, records_of
from tests.cli.program import call

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("small_search")]

NEW = """\
data:
  sources: {kind: scenes, train: 16, val: 8, test: 3, image_size: 32}
tasks:
  objects: {kind: detection, channels: 8}
train: {epochs: 2, batch_size: 8, learning_rate: 0.003}
search: {trials: 4}
"""


@dataclass(frozen=True)
class Extension:
    """An extension whose network in use was deleted after half of the trials."""

    used: Path
    file: Path
    run: Path
    started: CompletedProcess[str]
    resumed: CompletedProcess[str]
    repeated: CompletedProcess[str]


@pytest.fixture(scope="module")
def extension(small_search: SmallSearch, tmp_path_factory: pytest.TempPathFactory) -> Extension:
    folder = tmp_path_factory.mktemp("extension")
    used, file, run = small_search.copy(folder), folder / "new.yaml", folder / "new"
    file.write_text(NEW)
    arguments = ("extend", used, file, "--trial", "2", "--out", run)
    started = call(*arguments, "--trials", "2")
    shutil.rmtree(used)
    repeated = call(*arguments)
    resumed = call("search", run / "run.yaml", "--out", run, "--trials", "4")
    return Extension(used, file, run, started, resumed, repeated)


def test_extend_needs_the_network_in_use_only_once(extension: Extension) -> None:
    assert extension.started.returncode == 0, extension.started.stderr
    assert extension.resumed.returncode == 0, extension.resumed.stderr
    assert extension.repeated.returncode != 0
    assert f"mtlsearch search {extension.run / 'run.yaml'}" in extension.repeated.stderr
    records = records_of(extension.run)
    assert [record.state for record in records] == ["complete"] * 4
    assert [record.baseline for record in records] == ["independent", "hard", None, None]
    assert all(set(record.results) == {"objects"} for record in records)


def test_extend_leaderboard_shows_what_is_added(
    extension: Extension, small_search: SmallSearch
) -> None:
    frame = mtlsearch.load(extension.run).leaderboard(sort="trial")
    used = records_of(small_search.run)[2]
    assert (frame["params"] - frame["added_params"] == used.parameters).all()
    assert (frame["flops"] - frame["added_flops"] == used.flops).all()
    assert frame["added_params"].idxmin() == 1  # hard: a head alone
    assert frame["delta_m"].notna().all()
    table = call("leaderboard", extension.run).stdout
    assert "more parameters than the network in use" in table


def test_extend_all_trials_keep_the_outputs_by_bit(
    extension: Extension, small_search: SmallSearch
) -> None:
    images = np.random.default_rng(0).integers(0, 256, (3, 32, 32, 3), dtype=np.uint8)
    used, new = mtlsearch.load(small_search.run), mtlsearch.load(extension.run)
    before = used.network(2, device="cpu")
    with torch.no_grad():
        expected = before(before.preprocess(list(images)))
        for number in range(4):
            network = new.network(number, device="cpu")
            outputs = network(network.preprocess(list(images)))
            assert set(outputs) == {"objects", "scene", "shapes"}
            for task, tensors in expected.items():
                for name, value in tensors.items():
                    assert torch.equal(value, outputs[task][name]), (number, task, name)


def test_extend_bundle_has_old_and_new_tasks(
    extension: Extension, small_search: SmallSearch, tmp_path: Path
) -> None:
    for run, trial, name in ((small_search.run, 2, "used"), (extension.run, 3, "new")):
        result = call("export", run, "--trial", str(trial), "--out", tmp_path / name)
        assert result.returncode == 0, result.stderr
    used, new = open_bundle(tmp_path / "used"), open_bundle(tmp_path / "new")
    assert set(new.tasks) == {"objects", *used.tasks}
    assert all(new.tasks[task] == output for task, output in used.tasks.items())
    assert new.manifest.preprocessing == used.manifest.preprocessing
    assert all(
        new.manifest.metrics[task] == metrics for task, metrics in used.manifest.metrics.items()
    )
    images = np.random.default_rng(1).standard_normal((2, 3, 32, 32), dtype=np.float32)
    expected, actual = used.run(images), new.run(images)
    for task, tensors in expected.items():
        for name, value in tensors.items():
            np.testing.assert_allclose(actual[task][name], value, rtol=1e-4, atol=1e-4)


def test_extend_int8_is_refused(extension: Extension, tmp_path: Path) -> None:
    result = call(
        "export", extension.run, "--trial", "3", "--precision", "int8", "--out", tmp_path / "b"
    )
    assert "only fp32 is exact" in result.stderr
    assert not (tmp_path / "b").exists()


@pytest.mark.parametrize("command", ["estimate", "affinity"])
def test_commands_that_train_all_tasks_are_refused(
    extension: Extension, tmp_path: Path, command: str
) -> None:
    result = call(command, extension.run / "run.yaml", "--out", tmp_path / "run")
    assert result.returncode == 2
    assert "an extension keeps scene, shapes" in " ".join(result.stderr.split())


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("backbone: {name: resnet18}", "`backbone.name` is 'resnet18'"),
        ("backbone: {granularity: block}", "`backbone.granularity` is 'block'"),
        ("train: {freeze: 1}", "`train.freeze` does not apply"),
        ("tasks: {scene: {kind: classification}}", "has a task scene already"),
        ("search: {space: tree}", "'tree' does not extend a network in use"),
    ],
)
def test_extend_contradiction_is_refused(
    small_search: SmallSearch, tmp_path: Path, line: str, message: str
) -> None:
    file = tmp_path / "new.yaml"
    key = line.partition(":")[0]
    kept = [text for text in NEW.splitlines() if not text.startswith((f"{key}:", "  objects"))]
    tasks = [] if key == "tasks" else ["  objects: {kind: detection, channels: 8}"]
    index = kept.index("tasks:") + 1 if tasks else 0
    file.write_text("\n".join([*kept[:index], *tasks, *kept[index:], line]))
    result = call("extend", small_search.run, file, "--trial", "2", "--out", tmp_path / "run")
    assert result.returncode == 2, result.stdout
    assert message in " ".join(result.stderr.split())


def test_search_space_of_extensions_needs_a_network_in_use(tmp_path: Path) -> None:
    file = tmp_path / "run.yaml"
    file.write_text(NEW.replace("{trials: 4}", "{space: branch}"))
    result = call("search", file, "--out", tmp_path / "run")
    assert result.returncode == 2
    assert "mtlsearch extend RUN" in result.stderr
    assert load_run(file).config.extends is None
