"""``check`` names what is wrong with the data and counts what is there."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from tests.cli.inside import call
from tests.registry.plugins import DATASET, SPACE, TASK, write

RUN = """\
plugins: [mine]
data:
  sources: {kind: squares, count: 6}
  image_size: 16
tasks:
  shade: {kind: shades}
search: {space: flat}
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory, with a run file and its plugins."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "run.yaml").write_text(RUN)
    write(
        tmp_path / "mine",
        {
            "a": TASK.format(name="shades"),
            "b": DATASET.format(name="squares", generated=True),
            "c": SPACE.format(name="flat"),
        },
    )
    return tmp_path


def spoil(folder: Path) -> None:
    """Give one image a class that does not exist."""
    file = folder / "mine" / "b.py"
    file.write_text(file.read_text().replace("index % 2", "index if index == 5 else 0"))


def test_sound_data_are_counted(folder: Path) -> None:
    done = call("check", "run.yaml")
    assert done.code == 0, done.err
    assert ["train", "shade", "dark", "3"] in [line.split() for line in done.out.splitlines()]
    assert ["train", "edges", "(images)", "0", "of", "6"] in [
        line.split() for line in done.out.splitlines()
    ]
    assert "nothing is wrong" in done.err


def test_bad_data_are_named(folder: Path) -> None:
    spoil(folder)
    done = call("check", "run.yaml", "--out", "sheet.png")
    assert done.code == 1
    assert "train 5" in done.err
    assert "nothing is wrong" not in done.err
    with Image.open(folder / "sheet.png") as sheet:  # of those that are sound
        assert min(sheet.size) > 16


def test_a_contact_sheet_is_drawn(folder: Path) -> None:
    done = call("check", "run.yaml", "--out", "pictures/sheet.png")
    assert done.code == 0, done.err
    assert [file.name for file in (folder / "pictures").iterdir()] == ["sheet.png"]
    with Image.open(folder / "pictures" / "sheet.png") as sheet:
        assert min(sheet.size) > 16


def test_a_task_that_no_data_provides(folder: Path) -> None:
    done = call("check", "run.yaml", "--set", "tasks.shade.label=shad")
    assert done.code == 2
    assert "did you mean 'shade'?" in done.err
    assert "--set tasks.shade.label=shad" in done.err


WRONG = [
    ("search.objectives=[flop]", "did you mean 'flops'?"),
    ("search.objectives=[shade.nothing]", "there is no objective 'shade.nothing'"),
    ("search.warm_start=nowhere", "there is no task affinity"),
    ("search.storage=nosuch://here", "the storage cannot be opened"),
    ("search.storage=study.db", "the storage cannot be opened"),
]


@pytest.mark.parametrize(("given", "says"), WRONG)
def test_what_a_search_would_refuse_is_told(folder: Path, given: str, says: str) -> None:
    done = call("check", "run.yaml", "--set", given)
    assert done.code in (1, 2)
    assert says in done.err
    assert "storage" in given or f"--set {given}" in done.err
    assert "nothing is wrong" not in done.err
    small = ["--set", "backbone.name=test_resnet"]
    searched = call("search", "run.yaml", "--set", given, *small, "--out", "out")
    assert (searched.code, says in searched.err) == (done.code, True)
    assert "storage" in given or f"--set {given}" in searched.err
    assert not (folder / "out").exists()


def test_two_weights_to_start_from_are_refused(folder: Path) -> None:
    (folder / "w.safetensors").touch()
    given = ["--set", "backbone.pretrained=true", "--set", "backbone.checkpoint_path=w.safetensors"]
    done = call("check", "run.yaml", *given)
    assert done.code == 2
    assert "backbone.pretrained: true and backbone.checkpoint_path" in done.err


@pytest.mark.parametrize("more", ["accumulation_steps: 2", "compile: true"])
def test_a_balancer_that_the_training_does_not_allow_is_told_with_its_line(
    folder: Path, more: str
) -> None:
    balancer = "search: {space: flat, balancer: cagrad}"
    (folder / "run.yaml").write_text(RUN.replace("search: {space: flat}", balancer))
    done = call("check", "run.yaml", "--set", f"train.{more.replace(': ', '=')}")
    assert done.code == 1
    assert "balance 'cagrad' " in done.err
    assert "run.yaml:7 (search.balancer)" in done.err


def test_a_sound_search_is_told_no_fault(folder: Path) -> None:
    wanted = ["search.objectives=[delta_m, flops]", "search.warm_start=affinity"]
    given = [*wanted, "search.storage=sqlite:///nowhere/study.db"]
    done = call("check", "run.yaml", *(part for text in given for part in ("--set", text)))
    assert done.code == 0, done.err
    assert "nothing is wrong, as far as it shows without training" in done.err
    assert sorted(path.name for path in folder.iterdir()) == ["mine", "run.yaml"]


def test_a_search_of_bad_data_leaves_no_run(folder: Path) -> None:
    spoil(folder)
    done = call("search", "run.yaml", "--set", "backbone.name=test_resnet", "--out", "out")
    assert done.code == 1
    assert "train 5" in done.err
    assert not (folder / "out").exists()


@pytest.mark.parametrize("split", ["train", "val"])
def test_a_task_without_labels_is_refused_before_anything_is_trained(
    folder: Path, split: str
) -> None:
    file = folder / "mine" / "b.py"
    labels = '{"shade": index % 2}'
    file.write_text(file.read_text().replace(labels, f"{labels} if split != {split!r} else {{}}"))
    small = ["--set", "backbone.name=test_resnet"]
    for done in (call("check", "run.yaml"), call("search", "run.yaml", *small, "--out", "out")):
        assert done.code == 1
        assert f"none of the 6 {split!r} images has the label 'shade', " in done.err
        assert "which task 'shade' learns" in done.err
        assert "data.val_fraction" in done.err
        assert "nothing is wrong" not in done.err
    assert not (folder / "out").exists()


def test_what_is_odd_is_told_and_is_no_fault(folder: Path) -> None:
    done = call("check", "run.yaml", "--set", "train.batch_size=7")
    assert done.code == 0
    assert "warning: 1 picture stands in 'train' and in 'val' as well" in done.err
    assert "warning: train.batch_size is 7, more than the 6 training images" in done.err
    assert "nothing is wrong" in done.err
    assert "train.batch_size" not in call("check", "run.yaml", "--set", "train.batch_size=6").err


def test_samples_are_written(folder: Path) -> None:
    done = call("sample", "run.yaml", "--count", "2", "--out", "few")
    assert done.code == 0, done.err
    names = done.out.splitlines()
    assert len(names) == 2
    for name in names:
        with Image.open(folder / name) as image:
            assert image.size == (8, 8)


def test_a_backbone_that_timm_does_not_have(folder: Path) -> None:
    (folder / "run.yaml").write_text(RUN + "backbone:\n  name: resnet81\n")
    done = call("check", "run.yaml")
    assert done.code == 2
    assert "did you mean 'resnet" in done.err
    assert "run.yaml:9 (backbone.name)" in done.err
    assert "nothing is wrong" not in done.err
