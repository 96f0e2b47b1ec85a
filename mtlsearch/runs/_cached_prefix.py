"""Training of an extension whose frozen activations are computed once per image."""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from mtlsearch.plugin import Batch

if TYPE_CHECKING:
    from mtlsearch.data import DataModule
    from mtlsearch.models import MultiTaskNetwork, PrefixStore, StoredOutput
    from mtlsearch.training import TrainJob

GIGABYTE = 1e9
"""Bytes in the unit of ``train.cache_limit``."""


@dataclass(frozen=True, slots=True)
class CachedPrefixData:
    """Images of a run in a few augmented versions, which are named to the prefix store.

    Epoch ``e`` has the augmentation of epoch ``e mod versions``. Its order is its own.

    Attributes:
        data: the images.
        store: outputs of the frozen units; None if they are computed in every epoch.
        versions: number of augmented versions of each training image.
    """

    data: DataModule
    store: PrefixStore | None
    versions: int

    def train_batches(self, epoch: int, batch_size: int) -> Iterator[Batch]:
        """See :class:`~mtlsearch.training.TrainingData`."""
        version = epoch % self.versions
        order = self.data.train_order(epoch, batch_size)
        batches = self.data.train_batches(epoch, batch_size, version)
        return self._named(("train", version), order, batches)

    def eval_batches(self, split: str, batch_size: int) -> Iterator[Batch]:
        """See :class:`~mtlsearch.training.TrainingData`."""
        order = list(range(self.size(split)))
        return self._named((split, 0), order, self.data.eval_batches(split, batch_size))

    def size(self, split: str) -> int:
        """See :class:`~mtlsearch.training.TrainingData`."""
        return self.data.size(split)

    def train_steps(self, batch_size: int) -> int:
        """See :class:`~mtlsearch.training.TrainingData`."""
        return self.data.train_steps(batch_size)

    def _named(
        self, slot: tuple[str, int], order: list[int], batches: Iterable[Batch]
    ) -> Iterator[Batch]:
        if self.store is None:
            yield from batches
            return
        start = 0
        try:
            for batch in batches:
                self.store.start(slot, order[start : start + len(batch.images)])
                start += len(batch.images)
                yield batch
        finally:
            self.store.end()


@contextmanager
def cached_prefix(
    job: TrainJob,
    data: DataModule,
    kept: Collection[str],
    folder: Path,
    notify: Callable[[str], None],
) -> Iterator[TrainJob]:
    """Give a training a few versions of its images, and store their frozen activations.

    All trials of a search get the same versions, also those whose activations are not stored.

    Args:
        job: the training of an extended network.
        data: its images.
        kept: the kept tasks.
        folder: folder of the trial, on whose disk the activations are.
        notify: called with the reason if activations are not stored.

    Yields:
        The job with these images.

    Raises:
        InfrastructureError: the disk is too small for the activations.
    """
    from mtlsearch.models import MultiTaskNetwork, PrefixStore

    network, versions = job.network, job.config.cache_prefix or 1
    assert isinstance(network, MultiTaskNetwork)  # extensions have no other networks
    sizes: dict[Hashable, int] = {
        ("train", version): data.size("train")
        for version in range(min(versions, job.config.epochs))
    }
    sizes["val", 0] = data.size("val")
    outputs, reason = None, _obstacle(job)
    if not reason:
        outputs = _outputs(network, job, data, kept)
        reason = _excess(outputs, sizes, job.config.cache_limit)
    if reason or outputs is None:
        notify(f"nothing is cached: {reason}")
        yield replace(job, data=CachedPrefixData(data, None, versions))
        return
    folder.mkdir(parents=True, exist_ok=True)
    store = PrefixStore(outputs, folder, sizes)
    network.backbones.set_store(store, _running(job), tuple(kept))
    try:
        yield replace(job, data=CachedPrefixData(data, store, versions))
    finally:
        network.backbones.set_store(None)
    if store.is_bypassed:
        notify(
            "batches were split since the memory of the device is too small: their frozen "
            "activations were computed, not cached"
        )


def _running(job: TrainJob) -> tuple[str, ...]:
    """Return the tasks that a training step runs."""
    loss = job.auxiliary_loss
    return (*job.tasks, *(() if loss is None else loss.further_tasks))


def _obstacle(job: TrainJob) -> str:
    """Return why this kind of training caches nothing; empty if it does."""
    if job.process_group.size > 1:
        return "the training has several processes"
    if job.config.accumulation_steps > 1:
        return "`train.accumulation_steps` splits the batches"
    return "`train.compile` is set" if job.config.compile else ""


def _excess(
    outputs: Mapping[tuple[int, int, int], StoredOutput] | None,
    sizes: Mapping[Hashable, int],
    limit: float,
) -> str:
    """Return why these outputs are not stored; empty if they are."""
    if outputs is None:
        return "the candidate has no frozen units whose outputs can be stored"
    num_bytes = sum(sizes.values()) * sum(output.num_bytes for output in outputs.values())
    if num_bytes <= limit * GIGABYTE:
        return ""
    return (
        f"the activations have {num_bytes / GIGABYTE:.1f} GB, and `train.cache_limit` is {limit:g}"
    )


def _outputs(
    network: MultiTaskNetwork, job: TrainJob, data: DataModule, kept: Collection[str]
) -> Mapping[tuple[int, int, int], StoredOutput] | None:
    """Return the outputs to store, found on two validation images as the training computes."""
    from mtlsearch.training import resolve_placement, resolve_precision

    placement = resolve_placement(job.config.channels_last, job.device)
    placement.network(network)
    images = placement.batch(next(iter(data.eval_batches("val", 2)))).images
    network.eval()
    with resolve_precision(job.config.precision, job.device).autocast(job.device):
        return network.backbones.plan_store(images, _running(job), tuple(kept))
