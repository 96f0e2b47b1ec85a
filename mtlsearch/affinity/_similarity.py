"""Similarity of the representations of single-task networks, per unit."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor, nn

from mtlsearch.affinity._affinity import Array
from mtlsearch.models import MultiTaskNetwork

MIN_IMAGES = 4
"""Smallest batch: the unbiased estimator divides by ``n - 3``."""


def representation_similarity(
    network: MultiTaskNetwork, batches: Iterable[Tensor], on_progress: Callable[[int], None]
) -> tuple[Array, int]:
    """Return linear CKA between tasks after each unit, and the number of compared images.

    It is summed over batches with the unbiased estimator of HSIC (Song et al. 2012). This
    estimator does not depend on the batch size. Unlike the biased one, it also does
    not depend on the ratio of features to images (Nguyen et al. 2021, "Do wide and deep
    networks learn the same things?").

    Args:
        network: network whose tasks share no unit; its mode is restored.
        batches: images ``[B, C, H, W]``, normalized, on the network's device; batches of fewer
            than four images are skipped.
        on_progress: called with the number of completed images.

    Returns:
        CKA, ``[U, T, T]``, NaN where a representation does not depend on the image; and the
        number of images.
    """
    num_units, num_tasks = len(network.units), len(network.tasks)
    sums, num_images = np.zeros((num_units, num_tasks, num_tasks)), 0
    was_training = network.training
    network.eval()
    try:
        with torch.inference_mode(), _recorded_grams(network) as grams:
            for images in batches:
                if len(images) < MIN_IMAGES:
                    continue
                network.features(images)
                for unit in range(num_units):
                    unit_grams = [grams[unit, task] for task in network.tasks]
                    sums[unit] += len(images) * unbiased_hsic(unit_grams)
                num_images += len(images)
                on_progress(num_images)
    finally:
        network.train(was_training)
    self_hsic = np.einsum("utt->ut", sums)
    # Without any dependence on the image, only rounding errors remain.
    norms = np.sqrt(np.where(self_hsic > 1e-12, self_hsic, np.nan))
    return sums / norms[:, :, None] / norms[:, None, :], num_images


def gram_matrix(features: Tensor) -> Tensor:
    """Return inner products ``[n, n]`` of centered features ``[n, ...]``, with mean diagonal 1."""
    flat = features.flatten(1).float()
    flat = flat - flat.mean(dim=0)
    products = (flat @ flat.T).double().cpu()
    scale = products.diagonal().mean()
    return products / scale if scale > 0 else products


def unbiased_hsic(grams: Sequence[Tensor]) -> Array:
    """Return the unbiased HSIC ``[T, T]`` of all pairs of T Gram matrices ``[n, n]``, n >= 4.

    Song et al. 2012, "Feature Selection via Dependence Maximization". With the diagonals of K
    and L set to 0, it is ``(tr(KL) + 1'K1 1'L1 / ((n-1)(n-2)) - 2/(n-2) 1'KL1) / (n(n-3))``.
    """
    hollow = torch.stack([gram - torch.diag(gram.diagonal()) for gram in grams])
    n = hollow.shape[1]
    rows = hollow.sum(dim=2)  # [T, n]
    totals = rows.sum(dim=1)
    inner = hollow.flatten(1) @ hollow.flatten(1).T
    outer = torch.outer(totals, totals) / ((n - 1) * (n - 2))
    return np.asarray(((inner + outer - 2.0 / (n - 2) * (rows @ rows.T)) / (n * (n - 3))).numpy())


Grams = dict[tuple[int, str], Tensor]


@contextmanager
def _recorded_grams(network: MultiTaskNetwork) -> Iterator[Grams]:
    """Record the Gram matrix of the output of each unit, by unit and task.

    Only the matrices are kept, because all outputs of a batch take gigabytes.
    """
    grams: Grams = {}
    hooks = []
    for unit in range(len(network.units)):
        for task in network.tasks:
            *_, last = network.unit_modules(unit, (task,)).values()
            hooks.append(last.register_forward_hook(_recorder(grams, (unit, task))))
    try:
        yield grams
    finally:
        for hook in hooks:
            hook.remove()


def _recorder(grams: Grams, key: tuple[int, str]) -> Callable[[nn.Module, object, object], None]:
    def record(module: nn.Module, inputs: object, output: object) -> None:
        grams[key] = gram_matrix(next(_tensors(output)))

    return record


def _tensors(output: object) -> Iterator[Tensor]:
    """Yield the tensors of a module's output, in nested lists, tuples and dictionaries."""
    if isinstance(output, Tensor):
        yield output
    elif isinstance(output, dict):
        yield from _tensors(list(output.values()))
    elif isinstance(output, list | tuple):
        for item in output:
            yield from _tensors(item)
