"""A timm backbone, cut into units."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from torch import nn

from mtlsearch.errors import BackboneError
from mtlsearch.models.cutting import (
    Granularity,
    UnitModules,
    check_levels,
    choose_out_indices,
    describe,
    dry_run,
    feature_spec,
    find_skippable,
    find_unit_modules,
    level_strides,
    prune,
    run_levels,
    trace,
    unused_weights,
)
from mtlsearch.models.loading import load_weights, make_model, pixel_statistics
from mtlsearch.models.sharing import SharedBackbones, check_sharing
from mtlsearch.plan import FeatureSpec, SharingPlan, UnitSpec, check_plan


@dataclass(frozen=True, slots=True)
class CutBackbone:
    """A timm model in units, ready to be shared by any plan.

    Attributes:
        name: timm's name for it.
        units: its units, in depth order; every parameter and FLOP belongs to one of them.
        features: the levels that heads are given.
        mean: of the pixels (0 .. 1), a channel each, that the weights expect.
        std: standard deviation of the pixels, likewise.
        template: the uncut model without classifier and final norm; its weights are what
            every copy of a unit starts from.
        taps: which of timm's intermediate features the levels are.
        pieces: the modules and parameters of each unit.
    """

    name: str
    units: tuple[UnitSpec, ...]
    features: FeatureSpec
    mean: tuple[float, ...]
    std: tuple[float, ...]
    template: nn.Module
    out_indices: tuple[int, ...]
    pieces: tuple[UnitModules, ...]

    def tie(self, plan: SharingPlan) -> SharedBackbones:
        """The backbones of a plan.

        Raises:
            PlanError: the plan is for another number of units, or passes by one that is not
                skippable.
        """
        check_plan(plan, self.units)
        return SharedBackbones(self.template, self.pieces, self.out_indices, plan)


def cut_backbone(
    name: str,
    image_size: tuple[int, int],
    *,
    granularity: Granularity = "stage",
    pretrained: bool = False,
    checkpoint_path: str | Path | None = None,
    seed: int = 0,
) -> CutBackbone:
    """Make a timm model and cut it into units.

    Args:
        name: timm's name, with or without a weights tag: ``"resnet18.a1_in1k"``.
        image_size: ``(height, width)`` of the images in pixels.
        granularity: what a unit is: ``"stage"``, ``"block"``, or a number of units, for
            which neighbouring blocks are merged so that their FLOPs are balanced.
        pretrained: start from timm's weights, downloading them if need be.
        checkpoint_path: start from a safetensors file or a torch state dict.
        seed: of the random weights.

    Raises:
        UnknownNameError: there is no such model.
        BackboneError: it cannot be made or run at that image size, its weights cannot be had or
            do not fit, or it cannot be cut that way.
    """
    model = make_model(name, image_size, pretrained=pretrained, seed=seed)
    mean, std = pixel_statistics(model)
    check_levels(name, model)
    try:
        every = dry_run(model, image_size, run_levels)
    except (RuntimeError, AssertionError, ValueError, IndexError, ArithmeticError) as error:
        raise _cannot_run(name, image_size, error) from error
    out_indices = choose_out_indices(every, image_size, model)
    strides = level_strides(every, image_size, model)
    seen = trace(model, image_size, lambda m, images: run_levels(m, images, out_indices))
    if checkpoint_path is not None:
        load_weights(model, Path(checkpoint_path), unneeded=unused_weights(model, seen))
    prune(model, seen)
    pieces = find_unit_modules(model, seen, granularity)
    skippable = find_skippable(model, pieces, seen, image_size, out_indices)
    check_sharing(name, model, pieces, out_indices, image_size, skippable)
    known = [(int(level.shape[1]), stride) for level, stride in zip(every, strides, strict=True)]
    return CutBackbone(
        name=name,
        units=describe(model, pieces, known, image_size, skippable),
        features=feature_spec(
            [every[tap] for tap in out_indices], image_size, [strides[t] for t in out_indices]
        ),
        mean=mean,
        std=std,
        template=model,
        out_indices=tuple(out_indices),
        pieces=tuple(pieces),
    )


def _cannot_run(name: str, image_size: tuple[int, int], error: Exception) -> BackboneError:
    return BackboneError(
        f"{name!r} does not run on images of {image_size[0]}x{image_size[1]}: {error}",
        next_step="choose an image size that is a multiple of the model's coarsest stride "
        "(32 suits most)",
    )
