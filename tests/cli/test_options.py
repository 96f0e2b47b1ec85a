"""Options: those of every command, and those that are short for ``--set``."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from mtlsearch.cli._context import pick_device
from mtlsearch.errors import ConfigError
from tests.cli.program import call
from tests.registry.plugins import BROKEN, good, write


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write(good(tmp_path / "mine"), {"no_import": BROKEN["no_import"][0]})


def test_plugins_option_works_before_and_after(folder: Path, tmp_path: Path) -> None:
    other = write(tmp_path / "other", {"extra": "raise ValueError('from other')\n"})
    before = call("--plugins", folder, "--plugins", other, "list", "plugins")
    after = call("list", "plugins", "--plugins", folder, "--plugins", other)
    both = call("--plugins", folder, "list", "plugins", "--plugins", other)
    assert before.stdout == after.stdout == both.stdout
    assert before.stderr == after.stderr == both.stderr
    assert "search space flat" in before.stdout
    assert "plugin 'no_import' failed to load: ModuleNotFoundError" in before.stderr
    assert "plugin 'extra' failed to load: ValueError: from other" in before.stderr
    assert before.returncode == 0


def test_missing_plugin_folder_is_an_error(tmp_path: Path) -> None:
    result = call("list", "plugins", "--plugins", tmp_path / "nowhere")
    assert result.returncode == 1
    assert str(tmp_path / "nowhere") in result.stderr


@pytest.mark.parametrize("place", ["before", "after"])
def test_quiet_prints_only_results(folder: Path, place: str) -> None:
    arguments = ["list", "spaces", "--plugins", str(folder)]
    result = call(*(["--quiet", *arguments] if place == "before" else [*arguments, "--quiet"]))
    assert result.stderr == ""
    assert "flat" in result.stdout


def test_debug_after_the_name_shows_the_traceback(folder: Path) -> None:
    result = call("list", "plugins", "--plugins", folder, "--debug")
    assert "Traceback" in result.stderr
    assert "a_module_nobody_has" in result.stderr


def test_verbose_prints_details() -> None:
    assert "backbones" not in call("list", "backbones", "resnet18").stderr
    assert "backbones" in call("list", "backbones", "resnet18", "-v").stderr


RUN_FILE = """\
data: {sources: {kind: scenes, train: 4, val: 2, test: 1, image_size: 32}, image_size: 32}
tasks: {scene: {kind: classification}}
backbone: {name: test_resnet}
search: {space: tree, early_stopping: {rungs: [2]}}
"""


@pytest.mark.parametrize("command", ["check", "search", "affinity", "estimate", "sample"])
def test_error_names_the_option_of_the_value(command: str, tmp_path: Path) -> None:
    file = tmp_path / "run.yaml"
    file.write_text(RUN_FILE)
    out = [] if command == "check" else ["--out", str(tmp_path / "run")]
    result = call(command, file, *out, "--data-root", tmp_path / "nowhere")
    assert result.returncode == 2
    assert f"where:   --data-root {tmp_path / 'nowhere'} (data.root)" in result.stderr
    assert "--set" not in result.stderr
    assert not (tmp_path / "run").exists()


def test_missing_weights_name_the_folders_and_the_option(tmp_path: Path) -> None:
    file = tmp_path / "run.yaml"
    file.write_text(RUN_FILE)
    weights = "backbone: {name: test_resnet, checkpoint_path: weights/a.safetensors}"
    file.write_text(RUN_FILE.replace("backbone: {name: test_resnet}", weights))
    assert "checkpoint_path" in file.read_text()
    result = call("check", file)
    text = " ".join(result.stderr.split())
    assert result.returncode == 2
    assert "set --data-root PATH to the folder that contains weights/a.safetensors" in text
    assert str(tmp_path) in text.partition("starts in")[2]


def test_missing_root_of_a_source_names_the_data_root(tmp_path: Path) -> None:
    file = tmp_path / "run.yaml"
    file.write_text(
        RUN_FILE.replace("{kind: scenes", "{kind: coco, root: people").replace(
            "train: 4, val: 2, test: 1, image_size: 32}", "train: train.json}"
        )
    )
    result = call("check", file)
    assert result.returncode == 2
    expected = f"set `data.root`, which is {tmp_path}, to the folder that contains people"
    assert expected in " ".join(result.stderr.split())


def test_sample_without_a_split_names_the_others(tmp_path: Path) -> None:
    file = tmp_path / "run.yaml"
    file.write_text(RUN_FILE.replace("test: 1", "test: 0"))
    result = call("sample", file, "--out", tmp_path / "images")
    assert result.returncode == 1
    assert "the split 'test' has no images" in result.stderr
    assert "allowed: train, val\n" in result.stderr


def test_short_option_overrides_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Batch size, epochs, seed and data root arrive in the run file of the run."""
    from mtlsearch.cli._context import open_run
    from mtlsearch.cli._global_options import GlobalOptions
    from mtlsearch.cli._options import merge_overrides

    file = tmp_path / "run.yaml"
    file.write_text(RUN_FILE)
    (tmp_path / "images").mkdir()
    monkeypatch.chdir(tmp_path)
    overrides = merge_overrides(
        ["train.epochs=3", "train.batch_size=3"],
        trials=6,
        epochs=5,
        batch_size=2,
        seed=7,
        data_root=Path("images"),
    )
    config = open_run(file, GlobalOptions(), overrides).config
    assert (config.train.epochs, config.train.batch_size) == (5, 2)
    assert (config.search.trials, config.seed) == (6, 7)
    assert config.data.root == tmp_path / "images"


@pytest.mark.parametrize("option", ["--epochs", "--batch-size", "--trials"])
def test_number_below_one_is_refused(option: str, tmp_path: Path) -> None:
    result = call("search", tmp_path / "run.yaml", option, "0")
    assert result.returncode == 2
    assert f"`{option}`" in result.stderr


class TestDevice:
    @pytest.fixture(autouse=True)
    def two_gpus(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
        monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)

    @pytest.mark.parametrize(
        ("name", "device"),
        [
            ("0", "cuda:0"),
            ("1", "cuda:1"),
            ("cuda:1", "cuda:1"),
            ("cuda", "cuda"),
            ("auto", "cuda"),
            ("cpu", "cpu"),
        ],
    )
    def test_name_selects_the_device(self, name: str, device: str) -> None:
        assert pick_device(name) == torch.device(device)

    @pytest.mark.parametrize("name", ["2", "cuda:2", "gpu", "-1"])
    def test_unavailable_device_is_refused(self, name: str) -> None:
        with pytest.raises(ConfigError, match="is not available") as caught:
            pick_device(name)
        assert caught.value.where == "--device"
        assert "no GPU" not in caught.value.what
        assert caught.value.allowed == ("auto", "cpu", "cuda", "cuda:0", "cuda:1")
