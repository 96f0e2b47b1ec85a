"""Detection beside torchvision's FCOS, on the Penn-Fudan photographs.

``python benchmarks/detection.py --root PATH --weights FILE --out results/reference/detection.csv``
trains the task kind ``detection`` and torchvision's FCOS (Tian et al. 2019) with several seeds.
PATH is the folder that contains ``pennfudan/``. FILE has weights of ``tf_efficientnet_lite0``.

Both detectors are heads on the same backbone, and mtlsearch trains both: images, augmentation,
initial weights of the backbone, optimizer and schedule are equal. FCOS has torchvision's
pyramid of 64 channels and strides 8 to 128, towers, assignment, losses and suppression. Its score
threshold is 0.01, as in our metric. Torchvision's default, 0.2, lowers its mAP.

The table has one row per training. ``seconds`` is elapsed time and ``cpu_seconds`` processor
time, both with an evaluation after every epoch. The split ``val`` is that of the data set, with
23 images to validate. The split ``0/5`` validates on the first of five parts of all images and
trains on the others. The output has means and standard errors over splits and seeds.
``--name`` is the name in the table of our detector with the settings of ``--set``, which
changes settings as in ``mtlsearch search``.

The benchmark can be interrupted and resumes with the same command. The row of a training is
written when it ends, and rows in the table are not trained again. The table does not contain
the settings, so use one name per combination of settings.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple, cast

import pandas as pd
import torch
from mtlsearch_plugins.detection import Detection
from mtlsearch_plugins.detection._meter import MAX_CANDIDATES, MIN_SCORE, DetectionMeter
from table import append
from torch import Tensor, nn
from torchvision.models.detection import FCOS
from torchvision.models.detection.image_list import ImageList
from torchvision.ops import FeaturePyramidNetwork
from torchvision.ops.feature_pyramid_network import LastLevelP6P7

from mtlsearch.config import LoadedRun, load_run
from mtlsearch.plan import SharingPlan
from mtlsearch.plugin import BoxTargets, Candidate, FeatureSpec, Outputs, TargetValues
from mtlsearch.registry import build_registry
from mtlsearch.runs import TrainingEvaluator, open_session
from mtlsearch.search import NullProgress
from mtlsearch.study import RunDirectory
from mtlsearch.training import resolve_device

FCOS_NAME = "fcos"
CHANNELS = 64
STRIDES = (8, 16, 32)
RUN = """
data:
  sources:
    kind: manifest
    root: pennfudan
    file: {manifest}
    labels: {{boxes: {{form: boxes, classes: [person]}}}}
  image_size: 160
tasks:
  people: {{kind: detection, label: boxes}}
backbone: {{name: tf_efficientnet_lite0}}
train: {{batch_size: 16, learning_rate: 0.001}}
search: {{space: hard}}
"""


class Key(NamedTuple):
    """A training.

    Attributes:
        detector: name of the detector.
        split: ``val``, or the part of all images that validates, such as ``0/5``.
        epochs: passes over the training images.
        seed: seed of the initial head, the order of images and the augmentation.
    """

    detector: str
    split: str
    epochs: int
    seed: int


class Pyramid(nn.Module):
    """Torchvision's feature pyramid on the feature levels of strides 8, 16 and 32."""

    def __init__(self, features: FeatureSpec) -> None:
        super().__init__()
        self.out_channels = CHANNELS
        strides = [level.stride for level in features.levels]
        self.used = [strides.index(stride) for stride in STRIDES]
        channels = [features.levels[index].channels for index in self.used]
        self.pyramid = FeaturePyramidNetwork(channels, CHANNELS, LastLevelP6P7(CHANNELS, CHANNELS))

    def forward(self, levels: Sequence[Tensor]) -> list[Tensor]:
        """Return maps of strides 8 to 128."""
        maps: dict[str, Tensor] = self.pyramid({str(index): levels[index] for index in self.used})
        return list(maps.values())


class FcosHead(nn.Module):
    """Torchvision's FCOS as a head: from feature levels to its outputs and their anchors."""

    def __init__(self, features: FeatureSpec, num_classes: int) -> None:
        super().__init__()
        self.size = features.image_size
        self.model = FCOS(Pyramid(features), num_classes, score_thresh=MIN_SCORE)

    def forward(self, levels: Sequence[Tensor]) -> dict[str, Tensor]:
        """Return logits, box regression, centerness and anchors, each ``[B, N, ...]``."""
        maps = self.model.backbone(levels)
        batch = len(maps[0])
        images = ImageList(maps[0].new_zeros(batch, 3, *self.size), [self.size] * batch)
        anchors = torch.stack(self.model.anchor_generator(images, maps))
        return {**self.model.head(maps), "anchors": anchors}


class Fcos(Detection):
    """The task kind ``detection`` with torchvision's FCOS instead of our head and loss."""

    def build_head(self, features: FeatureSpec) -> nn.Module:
        """Return FCOS, and keep its functions for loss and decoding."""
        head = FcosHead(features, len(self.label.classes))
        self.rules, self.size = head.model, head.size
        return head

    def loss(self, outputs: Outputs, targets: TargetValues) -> Tensor:
        """Return the sum of the three losses of FCOS."""
        truth = [
            {"boxes": boxes.xyxy.float(), "labels": boxes.classes}
            for boxes in cast("tuple[BoxTargets, ...]", targets)
        ]
        anchors = list(outputs["anchors"])
        losses = self.rules.compute_loss(truth, dict(outputs), anchors, points_per_map(outputs))
        return torch.stack(list(losses.values())).sum()

    def meter(self) -> FcosMeter:
        """Return the meter of ``detection`` for boxes that FCOS decodes."""
        return FcosMeter(self)


class FcosMeter(DetectionMeter):
    """The meter of ``detection`` with the decoding and suppression of torchvision's FCOS."""

    def __init__(self, task: Fcos) -> None:
        super().__init__(
            task.label.classes,
            iou_threshold=1.0,
            vote_threshold=1.0,
            max_detections=MAX_CANDIDATES,
        )
        self.task = task

    def update(self, outputs: Outputs, targets: TargetValues) -> None:
        """Add one batch."""
        counts, batch = points_per_map(outputs), len(outputs["anchors"])
        parts = {
            name: list(outputs[name].split(counts, dim=1))
            for name in ("cls_logits", "bbox_regression", "bbox_ctrness")
        }
        anchors = [list(each.split(counts)) for each in outputs["anchors"]]
        detections = self.task.rules.postprocess_detections(
            parts, anchors, [self.task.size] * batch
        )
        self.add(detections, cast("tuple[BoxTargets, ...]", targets))


def points_per_map(outputs: Outputs) -> list[int]:
    """Return the number of points of each map of the pyramid."""
    anchors = outputs["anchors"][0]
    sides = anchors[:, 2] - anchors[:, 0]
    counts: list[int] = sides.unique_consecutive(return_counts=True)[1].tolist()
    return counts


def load(options: argparse.Namespace, key: Key, folder: Path) -> LoadedRun:
    """Write the run file of a training and load it."""
    manifest = options.root / "pennfudan" / "manifest.csv"
    if key.split != "val":
        manifest = write_part(manifest, key.split, folder / "manifest.csv")
    path = folder / "run.yaml"
    path.write_text(RUN.format(manifest=manifest), encoding="utf-8")
    fixed = [
        f"data.root={options.root}",
        f"backbone.checkpoint_path={options.weights}",
        f"seed={key.seed}",
        f"train.epochs={key.epochs}",
    ]
    return load_run(path, [*options.set, *fixed])


def write_part(manifest: Path, split: str, path: Path) -> Path:
    """Write the manifest with a part of all images as the validation split."""
    index, count = map(int, split.split("/"))
    table = pd.read_csv(manifest, dtype=str)
    is_val = pd.Series(range(len(table))) % count == index
    table["split"] = is_val.map({True: "val", False: "train"})
    table.to_csv(path, index=False)
    return path


def train(options: argparse.Namespace, key: Key) -> dict[str, object]:
    """Train one detector; return its row."""
    with tempfile.TemporaryDirectory() as folder:
        evaluator = build_evaluator(options, key, Path(folder))
        num_units = len(evaluator.units(evaluator.config.backbone.names[0]))
        candidate = Candidate(SharingPlan.hard(evaluator.tasks, num_units))
        cost = evaluator.cost(candidate)
        start = time.process_time()
        measured = evaluator.measure(0, candidate, NullProgress())
        cpu_seconds = time.process_time() - start
    (result,) = measured.results.values()
    return {
        **key._asdict(),
        **result.metrics,
        "parameters": cost.parameters,
        "flops": cost.flops,
        "seconds": round(measured.seconds, 1),
        "cpu_seconds": round(cpu_seconds, 1),
    }


def build_evaluator(options: argparse.Namespace, key: Key, folder: Path) -> TrainingEvaluator:
    """Open the data and backbone of a training, with FCOS as the task if it is the detector."""
    session = open_session(
        build_registry().resolve(load(options, key, folder)),
        RunDirectory(folder / "run"),
        device=resolve_device("cpu"),
        progress=NullProgress(),
        check=False,
    )
    if key.detector != FCOS_NAME:
        return session.evaluator
    (task,) = session.evaluator.task_by_name.values()
    fcos = Fcos(task.name, task.settings, task.label)
    return replace(session.evaluator, task_by_name={task.name: fcos})


def keys(options: argparse.Namespace) -> Iterator[Key]:
    """Yield all trainings, the detectors in turns."""
    for seed in range(options.seeds):
        for split in options.splits:
            for epochs in options.epochs:
                for detector in (options.name, FCOS_NAME) if options.fcos else (options.name,):
                    yield Key(detector, split, epochs, seed)


def trained(path: Path) -> set[Key]:
    """Return the trainings in the table."""
    if not path.is_file():
        return set()
    rows = pd.read_csv(path, dtype={"split": str})[list(Key._fields)]
    return {Key(*row) for row in rows.itertuples(index=False, name=None)}


def summarize(path: Path) -> pd.DataFrame:
    """Return means and standard errors over seeds, and over parts if there are any."""
    table = pd.read_csv(path, dtype={"split": str})
    table["split"] = table["split"].where(table["split"] == "val", "parts")
    groups = table.groupby(["split", "epochs", "detector"])
    columns = {"trainings": groups.size()}
    for name in ("mAP", "mAP50"):
        columns |= {name: groups[name].mean(), f"± {name}": groups[name].sem()}
    return pd.DataFrame({**columns, "cpu_seconds": groups["cpu_seconds"].mean()})


def parse() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--root", type=Path, required=True, help="folder that has pennfudan/")
    parser.add_argument("--weights", type=Path, required=True, help="weights of the backbone")
    parser.add_argument("--out", type=Path, required=True, help="CSV file of the table")
    parser.add_argument("--name", default="detection", help="name of our detector in the table")
    parser.add_argument("--no-fcos", dest="fcos", action="store_false", help="train ours only")
    parser.add_argument("--splits", nargs="+", default=["val"], metavar="SPLIT")
    parser.add_argument("--epochs", type=int, nargs="+", default=[20])
    parser.add_argument("--seeds", type=int, default=3, help="number of seeds")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    options = parser.parse_args()
    options.root, options.weights = options.root.resolve(), options.weights.resolve()
    return options


def main() -> None:
    """Fill the table and print its summary."""
    options = parse()
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
    options.out.parent.mkdir(parents=True, exist_ok=True)
    for key in keys(options):
        if key not in trained(options.out):
            row = train(options, key)
            append(pd.DataFrame([row]), options.out)
            print(
                f"{key.detector} {key.split} seed {key.seed}, {key.epochs} epochs: "
                f"mAP {row['mAP']:.3f}, mAP50 {row['mAP50']:.3f}, {row['cpu_seconds']:.0f} s",
                flush=True,
            )
    print(summarize(options.out).round(3).to_string())


if __name__ == "__main__":
    main()
