"""``check`` and ``sample``: problems and counts of the data, and sample images."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import timm
import torch
from PIL import Image
from safetensors.torch import save_file

from tests.cli.program import call
from tests.registry.plugins import DATASET, SPACE, TASK, write

RUN = """\
plugins: [mine]
data:
  sources: {kind: squares, count: 6}
  image_size: 16
tasks:
  shade: {kind: classification}
search: {space: flat}
backbone: {name: test_resnet}
"""
WITH_PLUGIN = RUN.replace("{kind: classification}", "{kind: shades}")
"""With a task of a plugin, whose network is exported as part of each check."""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the working directory with a run file and its plugins."""
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


def test_valid_data_is_counted(folder: Path) -> None:
    (folder / "run.yaml").write_text(WITH_PLUGIN)
    result = call("check", "run.yaml")
    assert result.returncode == 0, result.stderr
    trains_on_cpu = re.search(r"^A CPU trains with \d+ thread", result.stderr, re.MULTILINE)
    assert (trains_on_cpu is None) == torch.cuda.is_available()
    assert re.search(r"count +at 16 x 16", result.stdout)
    assert ["train", "shade", "dark", "3", "images", "3", "images"] in [
        line.split() for line in result.stdout.splitlines()
    ]
    assert ["train", "edges", "(images)", "0", "of", "6"] in [
        line.split() for line in result.stdout.splitlines()
    ]
    assert "No problems found." not in result.stderr
    assert re.search(r"No errors, \d+ warnings?\.$", result.stderr.strip())


def test_invalid_data_is_reported(folder: Path) -> None:
    spoil(folder)
    result = call("check", "run.yaml", "--out", "sheet.png")
    assert result.returncode == 1
    assert "train 5" in result.stderr
    assert "No problems found." not in result.stderr
    with Image.open(folder / "sheet.png") as sheet:  # of the valid images
        assert min(sheet.size) > 16


def test_last_line_counts_the_warnings(folder: Path) -> None:
    first = call("check", "run.yaml")
    count = first.stderr.count("warning: ")
    assert count
    assert first.stderr.splitlines()[-1].startswith(f"No errors, {count} warning")
    second = call("check", "run.yaml", "--set", "train.batch_size=6")
    assert second.stderr.splitlines()[-1] == f"No errors, {count - 1} warnings."


def test_split_that_cannot_be_read_is_not_counted(folder: Path) -> None:
    file = folder / "mine" / "b.py"
    text = file.read_text()
    file.write_text(text.replace("index % 2", "9 if split == 'train' else index % 2"))
    result = call("check", "run.yaml")
    assert result.returncode == 1
    assert {line.split()[0] for line in result.stdout.splitlines()} == {"split", "val"}
    file.write_text(text.replace("index % 2", "9"))
    result = call("check", "run.yaml")
    assert result.returncode == 1
    assert result.stdout == ""


def test_reading_is_announced_before_the_first_image(folder: Path) -> None:
    file = folder / "mine" / "b.py"
    file.write_text(file.read_text().replace("index % 2", "1 // 0"))
    result = call("check", "run.yaml")
    assert result.returncode == 70
    assert "reading images" in result.stderr


@pytest.mark.parametrize("names", ['"rust", "Rust"', '"leaf rust", "leaf  rust"'])
def test_classes_that_differ_in_case_are_a_warning(folder: Path, names: str) -> None:
    file = folder / "mine" / "b.py"
    file.write_text(file.read_text().replace('"dark", "light"', names))
    result = call("check", "run.yaml")
    assert result.returncode == 0, result.stderr
    assert "differ in case or blanks only" in result.stderr
    assert "label 'shade': classes " in result.stderr


def test_contact_sheet_is_written(folder: Path) -> None:
    result = call("check", "run.yaml", "--out", "pictures/sheet.png")
    assert result.returncode == 0, result.stderr
    assert [file.name for file in (folder / "pictures").glob("[!.]*")] == ["sheet.png"]
    with Image.open(folder / "pictures" / "sheet.png") as sheet:
        assert min(sheet.size) > 16


def test_task_without_label_is_an_error(folder: Path) -> None:
    result = call("check", "run.yaml", "--set", "tasks.shade.label=shad")
    assert result.returncode == 2
    assert "did you mean 'shade'?" in result.stderr
    assert "--set tasks.shade.label=shad" in result.stderr


INVALID = [
    ("search.objectives=[flop]", "did you mean 'flops'?"),
    ("search.objectives=[shade.nothing]", "the objective 'shade.nothing' does not exist"),
    ("search.warm_start=nowhere", "the task affinity does not exist"),
    ("search.storage=nosuch://here", "the storage cannot be opened"),
    ("search.storage=study.db", "the storage cannot be opened"),
]


@pytest.mark.parametrize(("override", "message"), INVALID)
def test_check_and_search_report_the_same_errors(folder: Path, override: str, message: str) -> None:
    result = call("check", "run.yaml", "--set", override)
    assert result.returncode in (1, 2)
    assert message in result.stderr
    assert "storage" in override or f"--set {override}" in result.stderr
    assert "No problems found." not in result.stderr
    small = ["--set", "backbone.name=test_resnet"]
    searched = call("search", "run.yaml", "--set", override, *small, "--out", "out")
    assert (searched.returncode, message in searched.stderr) == (result.returncode, True)
    assert "storage" in override or f"--set {override}" in searched.stderr
    assert not (folder / "out").exists()


def test_pretrained_with_checkpoint_path_is_an_error(folder: Path) -> None:
    (folder / "w.safetensors").touch()
    options = [
        "--set",
        "backbone.pretrained=true",
        "--set",
        "backbone.checkpoint_path=w.safetensors",
    ]
    result = call("check", "run.yaml", *options)
    assert result.returncode == 2
    assert "`backbone.pretrained: true` and `backbone.checkpoint_path` exclude" in result.stderr


@pytest.mark.parametrize("key", ["checkpoint_path", "checkpoints"])
def test_weights_that_cannot_start_a_network_are_errors(folder: Path, key: str) -> None:
    weights = folder / "w.safetensors"
    value = f"{{shade: {weights}}}" if key == "checkpoints" else weights
    override = ("--set", f"backbone.{key}={value}")
    other = timm.create_model("test_vit").state_dict()
    for write_weights in (
        lambda: weights.write_text("no weights"),
        lambda: save_file(other, weights),
    ):
        write_weights()
        result = call("check", "run.yaml", *override)
        assert result.returncode == 1
        assert "w.safetensors" in result.stderr
        assert "No problems found." not in result.stderr
    save_file(timm.create_model("test_resnet").state_dict(), weights)
    assert call("check", "run.yaml", *override).returncode == 0


@pytest.mark.parametrize("more", ["accumulation_steps: 2", "compile: true"])
def test_incompatible_balancer_names_its_line(folder: Path, more: str) -> None:
    balancer = "search: {space: flat, balancer: cagrad}"
    (folder / "run.yaml").write_text(RUN.replace("search: {space: flat}", balancer))
    result = call("check", "run.yaml", "--set", f"train.{more.replace(': ', '=')}")
    assert result.returncode == 1
    assert "balancer 'cagrad' " in result.stderr
    assert "run.yaml:7 (search.balancer)" in result.stderr


def test_valid_search_has_no_problems(folder: Path) -> None:
    overrides = [
        "search.objectives=[delta_m, flops]",
        "search.warm_start=affinity",
        "search.storage=sqlite:///nowhere/study.db",
    ]
    result = call("check", "run.yaml", *(part for text in overrides for part in ("--set", text)))
    assert result.returncode == 0, result.stderr
    assert "No problems found." not in result.stderr
    assert re.search(r"No errors, \d+ warnings?\.$", result.stderr.strip())
    assert sorted(path.name for path in folder.iterdir()) == ["mine", "run.yaml"]


def test_search_of_invalid_data_writes_no_run(folder: Path) -> None:
    spoil(folder)
    result = call("search", "run.yaml", "--set", "backbone.name=test_resnet", "--out", "out")
    assert result.returncode == 1
    assert "train 5" in result.stderr
    assert not (folder / "out").exists()


@pytest.mark.parametrize("split", ["train", "val"])
def test_split_without_labels_is_an_error(folder: Path, split: str) -> None:
    file = folder / "mine" / "b.py"
    labels = '{"shade": index % 2}'
    file.write_text(file.read_text().replace(labels, f"{labels} if split != {split!r} else {{}}"))
    small = ["--set", "backbone.name=test_resnet"]
    for result in (call("check", "run.yaml"), call("search", "run.yaml", *small, "--out", "out")):
        assert result.returncode == 1
        assert f"none of the 6 {split!r} images has the label 'shade'" in result.stderr
        assert "of task 'shade'" in result.stderr
        assert "data.val_fraction" in result.stderr
        assert "No problems found." not in result.stderr
    assert not (folder / "out").exists()


def test_data_warning_is_not_a_problem(folder: Path) -> None:
    result = call("check", "run.yaml", "--set", "train.batch_size=7")
    assert result.returncode == 0
    assert "warning: 1 image occurs in 'train' and in 'val'" in result.stderr
    assert "warning: `train.batch_size` is 7, more than the 6 training images" in result.stderr
    assert "No problems found." not in result.stderr
    assert re.search(r"No errors, \d+ warnings?\.$", result.stderr.strip())
    assert "train.batch_size" not in call("check", "run.yaml", "--set", "train.batch_size=6").stderr


def test_one_task_has_nothing_to_share(folder: Path) -> None:
    result = call("check", "run.yaml")
    assert "warning: the run has one task, 'shade', so that there is nothing to share" in (
        result.stderr
    )


def test_one_task_is_no_remark_beside_an_error(folder: Path) -> None:
    spoil(folder)
    for command in (["check"], ["search", "--out", "out"]):
        result = call(command[0], "run.yaml", *command[1:])
        assert result.returncode == 1
        assert "the run has one task" not in result.stderr


BOXES = """\
data:
  sources:
    kind: manifest
    labels: {thing: {form: boxes, classes: [cat, dog]}, mask: {form: mask, classes: [none, some]}}
  image_size: [48, 64]
  cache: null
tasks: {thing: {kind: detection, channels: 16}, mask: {kind: segmentation, channels: 16}}
backbone: {name: test_resnet, granularity: stage}
train: {epochs: 1, batch_size: 4}
search: {space: tree, trials: 1}
"""


def write_table(folder: Path, boxes: str, mask_value: int) -> None:
    """Write six images of 128 x 96 pixels, each with boxes and a mask of 0 and a value."""
    rows = ["image,thing,mask"]
    for index in range(6):
        noise = np.random.default_rng(index).integers(0, 256, (96, 128, 3), np.uint8)
        Image.fromarray(noise).save(folder / f"{index}.png")
        mask = np.zeros((96, 128), np.uint8)
        mask[:48] = mask_value
        Image.fromarray(mask).save(folder / f"mask{index}.png")
        rows.append(f'{index}.png,"{boxes}",mask{index}.png')
    (folder / "manifest.csv").write_text("\n".join(rows))
    (folder / "run.yaml").write_text(BOXES)


BOTH = '[[4, 4, 60, 60, ""cat""], [4, 4, 60, 60, ""dog""]]'


@pytest.mark.parametrize(
    ("boxes", "value", "message", "is_error"),
    [
        ('[[4, 4, 60, 60, ""cat""], [4, 4, 5, 5, ""dog""]]', 1, "smaller than a pixel", True),
        ('[[0.1, 0.1, 0.5, 0.5, ""cat""]]', 1, "look like fractions of width and height", True),
        (BOTH, 255, "the masks contain 0 and 255, and 255 is `ignore_index`", True),
        (f'{BOTH[:-1]}, [4, 4, 5, 5, ""dog""]]', 1, "are smaller than a pixel", False),
    ],
)
def test_check_and_search_report_the_same_about_labels(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    boxes: str,
    value: int,
    message: str,
    is_error: bool,
) -> None:
    """Labels are counted as the network is given them, before anything is trained."""
    monkeypatch.chdir(tmp_path)
    write_table(tmp_path, boxes, value)
    checked = call("check", "run.yaml")
    searched = call("search", "run.yaml", "--out", "out", "--trials", "1")
    assert message in checked.stderr
    assert message in searched.stderr
    assert (checked.returncode, searched.returncode) == ((1, 1) if is_error else (0, 0))
    assert (tmp_path / "out").exists() != is_error
    if not is_error:
        warnings = [
            [line for line in result.stderr.splitlines() if line.startswith("warning:")]
            for result in (checked, searched)
        ]
        assert warnings[0]
        assert warnings[0] == warnings[1]


def test_values_map_a_mask_number_to_a_class(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_table(tmp_path, BOTH, 255)
    run_file = BOXES.replace("[none, some]", "[none, some], values: {255: some}")
    (tmp_path / "run.yaml").write_text(run_file)
    result = call("check", "run.yaml")
    assert result.returncode == 0, result.stderr
    assert ["val", "mask", "some", "6144", "pixels", "1536", "pixels"] in [
        line.split() for line in result.stdout.splitlines()
    ]


def test_problems_of_one_kind_are_summarized(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_table(tmp_path, BOTH, 7)
    result = call("check", "run.yaml")
    assert result.returncode == 1
    assert "error: 6 problems of one kind:" in result.stderr
    assert "  - and 3 more of this kind\n  next:    correct these masks" in result.stderr
    assert result.stderr.count("class 7 does not exist") == 3
    assert call("-v", "check", "run.yaml").stderr.count("class 7 does not exist") == 9


HEADS = {
    "self.linear(levels[-1].mean((2, 3)))": (
        "self.linear(levels[-1].mean((2, 3)))[: 1 + int(levels[-1].sum() > 0)]",
        "torch.export cannot trace the network",
    ),
    "nn.Linear(features.levels[-1].channels, 2)": (
        "nn.Linear(features.levels[-1].channels + 1, 2)",
        "the head of task 'shade' fails: RuntimeError",
    ),
    'outputs["logits"].softmax(1)': (
        'outputs["logits"].softmax(1) + torch.linalg.matrix_exp(outputs["logits"].T @ '
        'outputs["logits"]).sum()',
        "torch.onnx cannot write the network",
    ),
}


@pytest.mark.parametrize("code", HEADS)
def test_head_that_cannot_be_exported_is_refused(folder: Path, code: str) -> None:
    changed, message = HEADS[code]
    file = folder / "mine" / "a.py"
    text = file.read_text()
    assert code in text
    file.write_text("import torch\n" + text.replace(code, changed))
    (folder / "run.yaml").write_text(WITH_PLUGIN)
    for result in (call("check", "run.yaml"), call("search", "run.yaml", "--out", "out")):
        assert result.returncode == 1
        assert message in result.stderr
        assert "shade" in result.stderr
    assert not (folder / "out").exists()


def test_sample_writes_images(folder: Path) -> None:
    result = call("sample", "run.yaml", "--count", "2", "--out", "few")
    assert result.returncode == 0, result.stderr
    names = result.stdout.splitlines()
    assert len(names) == 2
    for name in names:
        with Image.open(folder / name) as image:
            assert image.size == (8, 8)


def test_check_of_unknown_backbone_names_its_line(folder: Path) -> None:
    backbone = "backbone: {name: test_resnet}\n"
    (folder / "run.yaml").write_text(RUN.replace(backbone, "backbone:\n  name: resnet81\n"))
    result = call("check", "run.yaml")
    assert result.returncode == 2
    assert "did you mean 'resnet" in result.stderr
    assert "run.yaml:9 (backbone.name)" in result.stderr
    assert "No problems found." not in result.stderr
