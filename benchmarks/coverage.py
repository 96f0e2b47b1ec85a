"""Which timm families can be cut and shared: the smallest model of each, and some variants.

For every model, in stages and in blocks: the features equal the uncut model's; there are
four units or more; plan arithmetic equals what the network costs; a plan of three tasks that
part in the middle trains a step with gradients where they are due; channels and strides of
the levels are true.

Run:
    python benchmarks/coverage.py --csv coverage.csv            # everything, about half an hour
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
SMALL = (96, 128)
LARGEST = 30_000_000  # parameters; what a CPU trains a step of in seconds


@dataclass
class Row:
    """What was seen of one model at one granularity."""

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
        """Whether everything held."""
        return not self.failure


class Mean(nn.Module):
    """A head: the mean of every level, projected."""

    def __init__(self, features: FeatureSpec) -> None:
        super().__init__()
        self.project = nn.Linear(sum(level.channels for level in features.levels), 3)

    def forward(self, levels: list[Tensor]) -> dict[str, Tensor]:
        """``{"scores": [B, 3]}``."""
        pooled = torch.cat([level.float().mean((2, 3)) for level in levels], dim=1)
        return {"scores": self.project(pooled)}


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", nargs="*", help="timm names; by default every family")
    parser.add_argument(
        "--granularity", nargs="+", suggest=("stage", "block"), default=["stage", "block"]
    )
    parser.add_argument("--variants", type=int, default=40, help="how many further models")
    parser.add_argument(
        "--largest",
        type=float,
        default=200,
        help="million parameters of a model; memory is T times",
    )
    parser.add_argument("--csv", type=Path, help="where the rows go")
    options = parser.parse_args()
    warnings.simplefilter("ignore")  # timm's and torch's deprecations are not the subject
    chosen = options.models or list(choose_models(options.variants, options.largest * 1e6))
    rows = []
    for model in chosen:
        for granularity in options.granularity:
            rows.append(examine(model, granularity))
            print_row(rows[-1])
            write(rows, options.csv)
    summarise(rows)
    sys.exit(any(not row.passed for row in rows))


def choose_models(variants: int, largest: float) -> Iterator[str]:
    """The smallest model of every timm module, then others of up to 30 million parameters."""
    smallest, others = [], []
    for module in sorted(timm.list_modules()):
        sized = sorted(
            (size, name)
            for name in timm.list_models(module=module)
            if (size := parameters_of(name)) is not None
        )
        if sized and sized[0][0] > largest:
            print(f"skipped {module}: its smallest model, {sized[0][1]}, is above --largest")
        elif sized:
            smallest.append(sized[0][1])
            others += [name for size, name in sized[1:] if size <= LARGEST]
    yield from smallest
    yield from random.Random(0).sample(others, min(variants, len(others)))


def parameters_of(name: str) -> int | None:
    """Its size, without drawing weights; None for what cannot be made on the meta device."""
    try:
        with torch.device("meta"):
            model = timm.create_model(name, num_classes=0)
    except (RuntimeError, NotImplementedError, TypeError, ValueError):
        return None
    return sum(parameter.numel() for parameter in model.parameters())


def examine(name: str, granularity: Granularity) -> Row:
    """Cut a model and hold it to what is promised."""
    row = Row(timm.models.model_entrypoint(name).__module__.split(".")[-1], name, granularity)
    try:
        start = time.perf_counter()
        cut = cut_somehow(name, granularity)
        row.cut_seconds = time.perf_counter() - start
        row.image_size = "x".join(map(str, cut.features.image_size))
        row.units = len(cut.units)
        row.strides = "/".join(str(level.stride) for level in cut.features.levels)
        row.difference, row.failure = hold(cut)
    except Exception as error:  # one model's failure is a row, not the end of the table
        traceback.print_exc(limit=-3, chain=False)
        row.failure = f"{type(error).__name__}: {error}".replace("\n", " ")[:200]
    return row


def cut_somehow(name: str, granularity: Granularity) -> CutBackbone:
    """Cut for small images, or for the model's own size if it takes no other."""
    try:
        return cut_backbone(name, SMALL, granularity=granularity)
    except BackboneError:
        _, height, width = timm.get_pretrained_cfg(name).input_size
        return cut_backbone(name, (height, width), granularity=granularity)


def hold(cut: CutBackbone) -> tuple[float, str]:
    """The largest difference of the features, and what does not hold."""
    plan = SharingPlan.from_splits(TASKS, [len(cut.units) // 2] * 2, len(cut.units))
    network = MultiTaskNetwork(cut, plan, {task: Mean(cut.features) for task in TASKS})
    images = torch.randn(2, 3, *cut.features.image_size)
    difference = feature_difference(cut, network, images)
    failures = [
        *(["features differ"] if not difference <= 1e-5 else []),
        *([f"only {len(cut.units)} units"] if len(cut.units) < 4 else []),
        *wrong_levels(cut, network, images),
        *wrong_cost(cut, plan, network),
        *wrong_gradients(cut, network, images),
    ]
    return difference, "; ".join(failures)


def feature_difference(cut: CutBackbone, network: MultiTaskNetwork, images: Tensor) -> float:
    """Against a model that timm makes with the same weights and nobody touched."""
    config = timm.get_pretrained_cfg(cut.name)
    size: dict[str, Any] = {"img_size": cut.features.image_size} if config.fixed_input_size else {}
    torch.manual_seed(0)
    whole = timm.create_model(cut.name, num_classes=0, **size).eval()
    network.eval()
    with torch.no_grad():
        expected = whole.forward_intermediates(
            images, indices=list(cut.taps), norm=False, intermediates_only=True
        )
        found = network.features(images)
    return max(
        float((one - other).abs().max() / other.abs().max().clamp(min=1.0))
        for levels in found.values()
        for one, other in zip(levels, expected, strict=True)
    )


def wrong_levels(cut: CutBackbone, network: MultiTaskNetwork, images: Tensor) -> Iterator[str]:
    """What the specification says of the levels against what comes out."""
    with torch.no_grad():
        levels = network.features(images, TASKS[:1])[TASKS[0]]
    told = cut.features
    reductions = {info["reduction"] for info in cut.template.feature_info}
    for level, spec, size in zip(levels, told.levels, told.sizes, strict=True):
        height, width = level.shape[-2:]
        if (level.shape[1], (height, width)) != (spec.channels, size):
            yield f"level is {tuple(level.shape)}, not {spec.channels}, {size}"
        off = abs(told.image_size[0] / spec.stride - height)
        if off > (3 if spec.stride in reductions else 1):  # inception's convolutions cut edges off
            yield f"stride is not {spec.stride}"


def wrong_cost(cut: CutBackbone, plan: SharingPlan, network: MultiTaskNetwork) -> Iterator[str]:
    """The plan's arithmetic against what is counted."""
    heads = [head_cost(Mean(cut.features), cut.features)] * len(TASKS)
    told, counted = plan_cost(plan, cut.units, heads), network.cost
    if told != counted:
        yield f"plan {told}, network {counted}"


def wrong_gradients(cut: CutBackbone, network: MultiTaskNetwork, images: Tensor) -> Iterator[str]:
    """A step of training; a weight has a gradient just where the uncut model's has one."""
    network.train()
    optimizer = torch.optim.SGD(network.parameters(), lr=1e-3)
    sum(output["scores"].square().mean() for output in network(images).values()).backward()
    independent = SharingPlan.independent(TASKS[:1], len(cut.units))
    single = MultiTaskNetwork(cut, independent, {TASKS[0]: Mean(cut.features)}).train()
    single(images)[TASKS[0]]["scores"].square().mean().backward()
    for unit in range(len(cut.units)):
        due = {
            name
            for name, parameter in single.unit_parameters(unit, TASKS[:1]).items()
            if parameter.grad is not None
        }
        for group in network.plan.groups(unit):
            parameters = network.unit_parameters(unit, group)
            has = {name for name, parameter in parameters.items() if parameter.grad is not None}
            if has != due:
                yield f"unit {unit} {group}: gradients wrong at {sorted(has ^ due)[:3]}"
    optimizer.step()


def print_row(row: Row) -> None:
    """One line of the table."""
    mark = "ok  " if row.passed else "FAIL"
    print(
        f"{mark} {row.module:22} {row.model:36} {row.granularity:5} {row.units:3} units "
        f"{row.strides:12} {row.cut_seconds:5.2f} s  {row.failure}",
        flush=True,
    )


def write(rows: list[Row], path: Path | None) -> None:
    """The rows so far as CSV."""
    if path is None:
        return
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, [field.name for field in fields(Row)])
        writer.writeheader()
        writer.writerows(map(asdict, rows))


def summarise(rows: list[Row]) -> None:
    """The last lines: how many hold."""
    for granularity in ("stage", "block"):
        own = [row for row in rows if row.granularity == granularity]
        if not own:
            continue
        passed = sum(row.passed for row in own)
        modules = len({row.module for row in own})
        seconds = sorted(row.cut_seconds for row in own)[len(own) // 2]
        print(
            f"{granularity}: {passed} of {len(own)} models hold, {modules} modules; "
            f"cut in {seconds:.2f} s (median)"
        )


if __name__ == "__main__":
    main()
