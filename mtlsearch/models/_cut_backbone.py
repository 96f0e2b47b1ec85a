"""A timm backbone cut into units."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path

from torch import Tensor, nn

from mtlsearch.errors import BackboneError
from mtlsearch.models.cutting import (
    Granularity,
    UnitModules,
    check_levels,
    choose_out_indices,
    compute_levels,
    describe_units,
    dry_run,
    feature_spec,
    find_skippable,
    find_unit_modules,
    level_strides,
    prune,
    trace_model,
    unused_weights,
)
from mtlsearch.models.loading import create_model, load_weights, pixel_statistics
from mtlsearch.models.sharing import (
    SharedBackbones,
    State,
    merge_path,
    merge_states,
    verify_sharing,
)
from mtlsearch.plan import FeatureSpec, SharingPlan, TaskPath, UnitSpec, check_plan


@dataclass(frozen=True, slots=True)
class CutBackbone:
    """A timm model in units, which any sharing plan can share.

    Attributes:
        name: timm's name of the model.
        units: its units in depth order; every parameter belongs to exactly one of them.
        features: the feature levels that heads get.
        channels: number of channels of the images.
        mean: mean of each channel (pixels in 0..1) that timm specifies for the weights.
        std: standard deviation of each channel, likewise.
        template: the timm model without classifier and final normalization; every copy of a
            unit starts from its weights.
        out_indices: indices of the feature levels among timm's feature maps.
        unit_modules: the modules and parameters of each unit.
        trained: state of the network that a task starts from, by task; empty if all start from
            the template.
    """

    name: str
    units: tuple[UnitSpec, ...]
    features: FeatureSpec
    channels: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    template: nn.Module
    out_indices: tuple[int, ...]
    unit_modules: tuple[UnitModules, ...]
    trained: Mapping[str, State] = field(default_factory=dict)

    def build_backbones(self, plan: SharingPlan) -> SharedBackbones:
        """Build the task models of a sharing plan.

        If the tasks have networks of their own, a unit starts from the mean of the networks of its
        tasks.

        Args:
            plan: a plan for the units of this backbone.

        Returns:
            The task models, with common modules where the plan shares units.

        Raises:
            PlanError: the plan has another number of units, or it skips a unit that is not
                skippable.
        """
        check_plan(plan, self.units)
        backbones = SharedBackbones(
            self.template, self.unit_modules, self.out_indices, plan, self.channels
        )
        if set(plan.tasks) <= set(self.trained):
            for task in plan.tasks:
                state = self.merge(self.trained, plan.path_of(task))
                backbones.task_model(task).load_state_dict(state)
        return backbones

    def merge(
        self, trained: Mapping[str, State], path: TaskPath, factor: float | None = None
    ) -> dict[str, Tensor]:
        """Return the state of a task model whose units are merged from single-task backbones.

        With the paths of all tasks of a plan, the task models of the plan get equal weights
        wherever they share a unit.

        Args:
            trained: state of a trained task model by task. All started from the weights of this
                backbone.
            path: the groups of one task, see :meth:`~mtlsearch.plan.SharingPlan.path_of`.
            factor: factor of the sum of the weight changes; None for the mean of the weights.

        Returns:
            Tensors by timm's name.
        """
        return merge_path(self.unit_modules, self.template.state_dict(), trained, path, factor)


def cut_backbone(
    name: str,
    image_size: tuple[int, int],
    *,
    granularity: Granularity = "stage",
    pretrained: bool = False,
    checkpoint_path: str | Path | None = None,
    checkpoints: Mapping[str, Path] | None = None,
    seed: int = 0,
    channels: int = 3,
) -> CutBackbone:
    """Create a timm model and cut it into units.

    Args:
        name: timm's name, with or without a weights tag: ``"resnet18.a1_in1k"``.
        image_size: ``(height, width)`` of the images in pixels.
        granularity: what a unit is: ``"stage"``, ``"block"``, or a number of units. For a
            number, neighboring blocks are merged into units with balanced FLOPs.
        pretrained: whether to start from timm's weights, which are downloaded if necessary.
        checkpoint_path: a safetensors file or a PyTorch state dict to start from.
        checkpoints: a file per task, of the network that the task starts from; None for none.
            Without other weights, the template is their mean.
        seed: seed of the random initial weights.
        channels: number of channels of the images; weights for three are adapted as timm does.

    Returns:
        The cut backbone.

    Raises:
        UnknownNameError: timm has no such model.
        BackboneError: the model cannot run on this image size or be cut, or its weights are not
            available or do not match.
    """
    model = create_model(name, image_size, pretrained=pretrained, seed=seed, channels=channels)
    mean, std = pixel_statistics(model)
    check_levels(name, model)
    try:
        levels = dry_run(model, image_size, compute_levels, channels)
    except (RuntimeError, AssertionError, ValueError, IndexError, ArithmeticError) as error:
        raise _image_size_error(name, image_size, error) from error
    out_indices = choose_out_indices(levels, image_size, model)
    strides = level_strides(levels, image_size, model)
    trace = trace_model(
        model,
        image_size,
        lambda twin, images: compute_levels(twin, images, out_indices),
        channels,
    )
    optional = unused_weights(model, trace)
    if checkpoint_path is not None:
        load_weights(model, Path(checkpoint_path), optional=optional)
    trained = {
        task: _load_trained(model, task, path, optional)
        for task, path in (checkpoints or {}).items()
    }
    prune(model, trace)
    if trained:
        initial = model.state_dict()
        trained = {task: {key: state[key] for key in initial} for task, state in trained.items()}
        if not pretrained and checkpoint_path is None:
            model.load_state_dict(merge_states(initial, trained))
    units = find_unit_modules(model, trace, granularity)
    skippable = find_skippable(model, units, trace, image_size, out_indices, channels)
    verify_sharing(name, model, units, out_indices, image_size, skippable, channels)
    widths = [int(level.shape[1]) for level in levels]
    return CutBackbone(
        name=name,
        units=describe_units(
            model, units, list(zip(widths, strides, strict=True)), image_size, skippable
        ),
        features=feature_spec(
            [levels[index] for index in out_indices],
            image_size,
            [strides[index] for index in out_indices],
        ),
        channels=channels,
        mean=mean,
        std=std,
        template=model,
        out_indices=tuple(out_indices),
        unit_modules=tuple(units),
        trained=trained,
    )


def _load_trained(
    model: nn.Module, task: str, path: Path, optional: Collection[str]
) -> dict[str, Tensor]:
    """Return the state of the network of a task from a file."""
    network = deepcopy(model)
    try:
        load_weights(network, path, optional=optional)
    except BackboneError as error:
        raise error.named_in(f"backbone.checkpoints.{task}") from error
    return dict(network.state_dict())


def _image_size_error(name: str, image_size: tuple[int, int], error: Exception) -> BackboneError:
    return BackboneError(
        f"backbone {name!r} cannot run on images of {image_size[0]}x{image_size[1]}: {error}",
        next_step="set an image size that is a multiple of the model's largest stride "
        "(32 for most models)",
    )
