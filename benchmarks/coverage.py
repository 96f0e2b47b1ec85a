"""timm families that can be cut and shared: the smallest model of each, and further models.

Checks per model, cut by stages and by blocks:

* the features equal those of the uncut model;
* there are at least four units;
* the cost of the plan equals the cost of the network;
* one training step of a plan with three tasks gives gradients exactly where the uncut model
  has them;
* channels and strides of the feature levels are correct.

Run:
    python benchmarks/coverage.py --csv coverage.csv            # all, about half an hour
    python benchmarks/coverage.py --models resnet18 convnext_atto
"""

from __future__ import annotations

import argparse
import csv
import random
import sys
import time
import traceback
import warnings
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Literal

import timm
import torch
from torch import Tensor, nn

from mtlsearch.errors import BackboneError
from mtlsearch.models import CutBackbone, MultiTaskNetwork, cut_backbone, head_cost
from mtlsearch.plan import FeatureSpec, SharingPlan, plan_cost

Granularity = Literal["stage", "block"]
TASKS = ("first", "second", "third")
SMALL_IMAGE = (96, 128)
MAX_VARIANT_PARAMETERS = 30_000_000
"""Parameters of a model that a CPU trains for one step in seconds."""


@dataclass
class Row:
    """Result of one model at one granularity.

    Attributes:
        module: timm module of the model.
        model: timm model name.
        granularity: how the model was cut.
        image_size: height and width of the images in pixels.
        units: number of units.
        strides: stride of each feature level.
        cut_seconds: time of cutting.
        difference: largest relative difference of a feature from the uncut model's.
        failure: what is wrong; empty if every check passed.
    """

    module: str
    model: str
    granularity: Granularity
    image_size: str = ""
    units: int = 0
    strides: str = ""
    cut_seconds: float = 0.0
    difference: float = float("nan")
    failure: str = ""

    @property
    def passed(self) -> bool:
        """Whether every check passed."""
        return not self.failure


class MeanHead(nn.Module):
    """Head that projects the mean of every level."""

    def __init__(self, features: FeatureSpec) -> None:
        super().__init__()
        self.project = nn.Linear(sum(level.channels for level in features.levels), 3)

    def forward(self, levels: list[Tensor]) -> dict[str, Tensor]:
        """Return ``{"scores": [B, 3]}``."""
        pooled = torch.cat([level.float().mean((2, 3)) for level in levels], dim=1)
        return {"scores": self.project(pooled)}


def parse() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", nargs="*", help="timm model names (default: every family)")
    parser.add_argument(
        "--granularity", nargs="+", choices=("stage", "block"), default=["stage", "block"]
    )
    parser.add_argument("--variants", type=int, default=40, help="number of further models")
    parser.add_argument(
        "--largest",
        type=float,
        default=200,
        help="maximum parameters of a model in millions; memory is three times as large",
    )
    parser.add_argument("--csv", type=Path, help="write the rows as CSV")
    return parser.parse_args()


def main() -> None:
    """Check the models and print one line per model and granularity."""
    options = parse()
    warnings.simplefilter("ignore")  # deprecations of timm and torch are irrelevant here
    chosen = options.models or list(choose_models(options.variants, options.largest * 1e6))
    rows = []
    for model in chosen:
        for granularity in options.granularity:
            rows.append(examine(model, granularity))
            print_row(rows[-1])
            write(rows, options.csv)
    print_summary(rows)
    sys.exit(any(not row.passed for row in rows))


def choose_models(num_variants: int, max_parameters: float) -> Iterator[str]:
    """Yield the smallest model of every timm module, then a random sample of others."""
    smallest, variants = [], []
    for module in sorted(timm.list_modules()):
        models = sorted(
            (num_parameters, name)
            for name in timm.list_models(module=module)
            if (num_parameters := count_parameters(name)) is not None
        )
        if models and models[0][0] > max_parameters:
            print(f"skipped {module}: its smallest model, {models[0][1]}, is above --largest")
        elif models:
            smallest.append(models[0][1])
            variants += [
                name
                for num_parameters, name in models[1:]
                if num_parameters <= MAX_VARIANT_PARAMETERS
            ]
    yield from smallest
    yield from random.Random(0).sample(variants, min(num_variants, len(variants)))


def count_parameters(name: str) -> int | None:
    """Count the parameters on the meta device; return None if the model cannot be built there."""
    try:
        with torch.device("meta"):
            model = timm.create_model(name, num_classes=0)
    except (RuntimeError, NotImplementedError, TypeError, ValueError):
        return None
    return sum(parameter.numel() for parameter in model.parameters())


def examine(name: str, granularity: Granularity) -> Row:
    """Cut a model and run all checks."""
    row = Row(timm.models.model_entrypoint(name).__module__.split(".")[-1], name, granularity)
    try:
        start = time.perf_counter()
        cut = cut_model(name, granularity)
        row.cut_seconds = time.perf_counter() - start
        row.image_size = "x".join(map(str, cut.features.image_size))
        row.units = len(cut.units)
        row.strides = "/".join(str(level.stride) for level in cut.features.levels)
        row.difference, row.failure = run_checks(cut)
    except Exception as error:  # the failure of one model is a row, the others continue
        traceback.print_exc(limit=-3, chain=False)
        row.failure = f"{type(error).__name__}: {error}".replace("\n", " ")[:200]
    return row


def cut_model(name: str, granularity: Granularity) -> CutBackbone:
    """Cut for small images, or for the pretrained image size if the model requires it."""
    try:
        return cut_backbone(name, SMALL_IMAGE, granularity=granularity)
    except BackboneError:
        _, height, width = timm.get_pretrained_cfg(name).input_size
        return cut_backbone(name, (height, width), granularity=granularity)


def run_checks(cut: CutBackbone) -> tuple[float, str]:
    """Return the largest difference of the features, and the failed checks."""
    plan = SharingPlan.from_splits(TASKS, [len(cut.units) // 2] * 2, len(cut.units))
    network = MultiTaskNetwork(cut, plan, {task: MeanHead(cut.features) for task in TASKS})
    images = torch.randn(2, 3, *cut.features.image_size)
    difference = feature_difference(cut, network, images)
    failures = [
        *(["features differ"] if not difference <= 1e-5 else []),
        *([f"only {len(cut.units)} units"] if len(cut.units) < 4 else []),
        *level_errors(cut, network, images),
        *cost_errors(cut, plan, network),
        *gradient_errors(cut, network, images),
    ]
    return difference, "; ".join(failures)


def feature_difference(cut: CutBackbone, network: MultiTaskNetwork, images: Tensor) -> float:
    """Compare with an unmodified timm model that has the same weights."""
    config = timm.get_pretrained_cfg(cut.name)
    size: dict[str, Any] = {"img_size": cut.features.image_size} if config.fixed_input_size else {}
    torch.manual_seed(0)
    uncut = timm.create_model(cut.name, num_classes=0, **size).eval()
    network.eval()
    with torch.no_grad():
        expected_levels = uncut.forward_intermediates(
            images, indices=list(cut.out_indices), norm=False, intermediates_only=True
        )
        levels_by_task = network.features(images)
    return max(
        float((level - expected).abs().max() / expected.abs().max().clamp(min=1.0))
        for levels in levels_by_task.values()
        for level, expected in zip(levels, expected_levels, strict=True)
    )


def level_errors(cut: CutBackbone, network: MultiTaskNetwork, images: Tensor) -> Iterator[str]:
    """Yield differences between the specified and the computed feature levels."""
    with torch.no_grad():
        levels = network.features(images, TASKS[:1])[TASKS[0]]
    features = cut.features
    reductions = {info["reduction"] for info in cut.template.feature_info}
    for level, spec, size in zip(levels, features.levels, features.sizes, strict=True):
        height, width = level.shape[-2:]
        if (level.shape[1], (height, width)) != (spec.channels, size):
            yield f"level has shape {tuple(level.shape)}, expected {spec.channels}, {size}"
        deviation = abs(features.image_size[0] / spec.stride - height)
        # Convolutions without padding, as in Inception, remove pixels at the edges.
        if deviation > (3 if spec.stride in reductions else 1):
            yield f"stride is not {spec.stride}"


def cost_errors(cut: CutBackbone, plan: SharingPlan, network: MultiTaskNetwork) -> Iterator[str]:
    """Yield a message if the cost of the plan differs from the cost of the network."""
    heads = [head_cost(MeanHead(cut.features), cut.features)] * len(TASKS)
    predicted, counted = plan_cost(plan, cut.units, heads), network.cost
    if predicted != counted:
        yield f"cost of the plan is {predicted}, of the network {counted}"


def gradient_errors(cut: CutBackbone, network: MultiTaskNetwork, images: Tensor) -> Iterator[str]:
    """Train one step; yield weights that have a gradient in only one of the two models."""
    network.train()
    optimizer = torch.optim.SGD(network.parameters(), lr=1e-3)
    sum(output["scores"].square().mean() for output in network(images).values()).backward()
    independent = SharingPlan.independent(TASKS[:1], len(cut.units))
    single = MultiTaskNetwork(cut, independent, {TASKS[0]: MeanHead(cut.features)}).train()
    single(images)[TASKS[0]]["scores"].square().mean().backward()
    for unit in range(len(cut.units)):
        expected = names_with_gradient(single.unit_parameters(unit, TASKS[:1]))
        for group in network.plan.groups(unit):
            names = names_with_gradient(network.unit_parameters(unit, group))
            if names != expected:
                yield f"unit {unit} {group}: gradients differ at {sorted(names ^ expected)[:3]}"
    optimizer.step()


def names_with_gradient(parameters: dict[str, nn.Parameter]) -> set[str]:
    """Return the names of the parameters that have a gradient."""
    return {name for name, parameter in parameters.items() if parameter.grad is not None}


def print_row(row: Row) -> None:
    """Print one line of the table."""
    mark = "ok  " if row.passed else "FAIL"
    print(
        f"{mark} {row.module:22} {row.model:36} {row.granularity:5} {row.units:3} units "
        f"{row.strides:12} {row.cut_seconds:5.2f} s  {row.failure}",
        flush=True,
    )


def write(rows: list[Row], path: Path | None) -> None:
    """Write the rows as CSV."""
    if path is None:
        return
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, [field.name for field in fields(Row)])
        writer.writeheader()
        writer.writerows(map(asdict, rows))


def print_summary(rows: list[Row]) -> None:
    """Print how many models passed."""
    for granularity in ("stage", "block"):
        selected = [row for row in rows if row.granularity == granularity]
        if not selected:
            continue
        num_passed = sum(row.passed for row in selected)
        num_modules = len({row.module for row in selected})
        seconds = sorted(row.cut_seconds for row in selected)[len(selected) // 2]
        print(
            f"{granularity}: {num_passed} of {len(selected)} models pass, {num_modules} modules; "
            f"cut in {seconds:.2f} s (median)"
        )


if __name__ == "__main__":
    main()
