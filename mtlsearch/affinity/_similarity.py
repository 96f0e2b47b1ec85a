"""How alike single-task networks see images, unit by unit."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor, nn

from mtlsearch.affinity._affinity import Array
from mtlsearch.models import MultiTaskNetwork

FEWEST = 4
"""Images that a batch must have: the estimator divides by ``n - 3``."""


def representation_similarity(
    network: MultiTaskNetwork, batches: Iterable[Tensor], told: Callable[[int], None]
) -> tuple[Array, int]:
    """Linear CKA between tasks behind each unit, and the number of images it is from.

    Summed over batches with the unbiased estimator of HSIC (Song et al. 2012), so that it
    depends neither on the batch size nor, as the plain one does, on there being more features
    than images (Nguyen et al. 2021, "Do wide and deep networks learn the same things?").

    Args:
        network: shares nothing; its mode is left as it was.
        batches: images ``[B, 3, H, W]``, normalised, on the network's device; those of fewer
            than four are passed over.
        told: is told how many images are done.

    Returns:
        ``[U, T, T]``, NaN where a representation does not change with the image.
    """
    units, count = len(network.units), len(network.tasks)
    sums, seen = np.zeros((units, count, count)), 0
    training = network.training
    network.eval()
    try:
        with torch.inference_mode(), _grams(network) as grams:
            for images in batches:
                if len(images) < FEWEST:
                    continue
                network.features(images)
                for unit in range(units):
                    own = [grams[unit, task] for task in network.tasks]
                    sums[unit] += len(images) * dependences(own)
                seen += len(images)
                told(seen)
    finally:
        network.train(training)
    size = np.einsum("utt->ut", sums)
    # What does not change with the image depends on nothing but for rounding.
    scale = np.sqrt(np.where(size > 1e-12, size, np.nan))
    return sums / scale[:, :, None] / scale[:, None, :], seen


def gram(features: Tensor) -> Tensor:
    """Inner products ``[n, n]`` of centred features ``[n, ...]``, 1 in the mean with itself."""
    flat = features.flatten(1).float()
    flat = flat - flat.mean(dim=0)
    found = (flat @ flat.T).double().cpu()
    size = found.diagonal().mean()
    return found / size if size > 0 else found


def dependences(grams: Sequence[Tensor]) -> Array:
    """Unbiased HSIC ``[T, T]`` between each two of T Gram matrices ``[n, n]``, ``n >= 4``."""
    hollow = torch.stack([at - torch.diag(at.diagonal()) for at in grams])
    n = hollow.shape[1]
    rows = hollow.sum(dim=2)  # [T, n]
    totals = rows.sum(dim=1)
    inner = hollow.flatten(1) @ hollow.flatten(1).T
    outer = torch.outer(totals, totals) / ((n - 1) * (n - 2))
    return np.asarray(((inner + outer - 2.0 / (n - 2) * (rows @ rows.T)) / (n * (n - 3))).numpy())


Grams = dict[tuple[int, str], Tensor]


@contextmanager
def _grams(network: MultiTaskNetwork) -> Iterator[Grams]:
    """Gathers the Gram matrix of what comes out of each unit, by unit and task.

    As it comes out: all outputs of a batch at once would take gigabytes.
    """
    found: Grams = {}
    hooks = []
    for unit in range(len(network.units)):
        for task in network.tasks:
            *_, last = network.unit_modules(unit, (task,)).values()
            hooks.append(last.register_forward_hook(_keeper(found, (unit, task))))
    try:
        yield found
    finally:
        for hook in hooks:
            hook.remove()


def _keeper(found: Grams, key: tuple[int, str]) -> Callable[[nn.Module, object, object], None]:
    def keep(module: nn.Module, given: object, output: object) -> None:
        found[key] = gram(next(_tensors(output)))

    return keep


def _tensors(output: object) -> Iterator[Tensor]:
    """The tensors of a module's output, whatever they are packed in."""
    if isinstance(output, Tensor):
        yield output
    elif isinstance(output, dict):
        yield from _tensors(list(output.values()))
    elif isinstance(output, list | tuple):
        for at in output:
            yield from _tensors(at)
