"""Confidence intervals by bootstrap over images."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mtlsearch.plugin import Scorer

CONFIDENCE = 0.95
"""Probability of a confidence interval."""

PERCENTILES = (100 * (1 - CONFIDENCE) / 2, 100 * (1 + CONFIDENCE) / 2)


@dataclass(frozen=True, slots=True)
class Estimate:
    """A result with its confidence interval.

    Attributes:
        value: the result over all images; NaN if undefined.
        low: lower end of the 95 % interval; NaN if unknown.
        high: upper end of the interval; NaN if unknown.
    """

    value: float
    low: float = math.nan
    high: float = math.nan


@dataclass(slots=True)
class _Samples:
    """The values of one result over resamples."""

    value: float
    resampled: list[float] = field(default_factory=list)

    def estimate(self) -> Estimate:
        defined = [value for value in self.resampled if not math.isnan(value)]
        if math.isnan(self.value) or not defined:
            return Estimate(self.value)
        low, high = np.percentile(defined, PERCENTILES)
        return Estimate(self.value, float(low), float(high))


@dataclass(frozen=True, slots=True)
class Estimates:
    """Metrics and results per class, with confidence intervals.

    Attributes:
        metrics: estimate by metric name.
        per_class: estimate by metric and class name.
    """

    metrics: Mapping[str, Estimate]
    per_class: Mapping[str, Mapping[str, Estimate]]


def resamples(
    num_images: int, count: int, seed: int, groups: Sequence[Hashable] | None = None
) -> Iterable[NDArray[np.int64]]:
    """Yield how often each image occurs in each resample.

    A resample draws as many groups as there are, with replacement, and all images of each.

    Args:
        num_images: number of images.
        count: number of resamples.
        seed: seed of numpy's generator.
        groups: the group of each image; None: each image is a group.

    Yields:
        Counts, int64 ``[num_images]``.
    """
    names = range(num_images) if groups is None else groups
    number_by_group = {group: number for number, group in enumerate(dict.fromkeys(names))}
    group_by_image = np.array([number_by_group[group] for group in names], np.int64)
    generator = np.random.default_rng(seed)
    for _ in range(count):
        drawn = generator.integers(len(number_by_group), size=len(number_by_group))
        yield np.bincount(drawn, minlength=len(number_by_group))[group_by_image]


def bootstrap(
    scorer: Scorer,
    num_images: int,
    *,
    count: int,
    seed: int,
    groups: Sequence[Hashable] | None = None,
    on_resample: Callable[[], None] | None = None,
) -> Estimates:
    """Compute the results of a scorer with percentile intervals.

    Every result is computed again for every resample. A resample in which it is undefined, such
    as one without any image of a class, does not enter its interval. With one image or one group
    there are no intervals.

    Args:
        scorer: scorer of all images.
        num_images: number of images that the scorer received.
        count: number of resamples; 0: no intervals.
        seed: seed of the resamples.
        groups: the group of each image, all images of which are drawn together; None: each image
            is a group.
        on_resample: called after each resample.

    Returns:
        The estimates.
    """
    ones = np.ones(num_images, np.int64)
    metrics = {name: _Samples(float(value)) for name, value in scorer.compute(ones).items()}
    per_class = {
        metric: {name: _Samples(float(value)) for name, value in values.items()}
        for metric, values in scorer.per_class(ones).items()
    }
    num_groups = num_images if groups is None else len(set(groups))
    for counts in resamples(num_images, count if num_groups > 1 else 0, seed, groups):
        for name, value in scorer.compute(counts).items():
            metrics[name].resampled.append(float(value))
        for metric, values in scorer.per_class(counts).items():
            for name, value in values.items():
                per_class[metric][name].resampled.append(float(value))
        if on_resample is not None:
            on_resample()
    return Estimates(
        {name: samples.estimate() for name, samples in metrics.items()},
        {
            metric: {name: samples.estimate() for name, samples in by_class.items()}
            for metric, by_class in per_class.items()
        },
    )
