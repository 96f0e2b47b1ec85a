"""Training of an extension whose frozen activations are computed once per image."""

from __future__ import annotations

import shutil
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
    """Batches of a run that name their images to the prefix store.

    Epoch ``e`` has the augmentation of epoch ``e mod versions``. Its order is its own.

    Attributes:
        data: the images.
        store: outputs of the frozen units.
        versions: number of augmented versions of each training image.
    """

    data: DataModule
    store: PrefixStore
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
    """Store the frozen activations of a training in a folder, which is removed at the end.

    Args:
        job: the training of an extended network.
        data: its images.
        kept: the kept tasks.
        folder: folder of the trial.
        notify: called with the reason if nothing is stored.

    Yields:
        The job whose images are named to the store; the same job if nothing is stored.
    """
    from mtlsearch.models import MultiTaskNetwork, PrefixStore

    network, versions = job.network, job.config.cache_prefix or 1
    assert isinstance(network, MultiTaskNetwork)  # extensions have no other networks
    outputs = None if _is_split(job) else _outputs(network, job, data, kept)
    sizes: dict[Hashable, int] = {
        ("train", version): data.size("train") for version in range(versions)
    }
    sizes["val", 0] = data.size("val")
    if outputs is None:
        notify("nothing is cached: the candidate has no frozen units whose outputs can be stored")
        yield job
        return
    num_bytes = sum(sizes.values()) * sum(output.num_bytes for output in outputs.values())
    limit = job.config.cache_limit
    if num_bytes > limit * GIGABYTE:
        notify(
            f"nothing is cached: the activations have {num_bytes / GIGABYTE:.1f} GB, and "
            f"`train.cache_limit` is {limit:g}"
        )
        yield job
        return
    files = folder / "prefix"
    shutil.rmtree(files, ignore_errors=True)  # of a killed training
    files.mkdir(parents=True)
    store = PrefixStore(outputs, files, sizes)
    network.backbones.set_store(store)
    try:
        yield replace(job, data=CachedPrefixData(data, store, versions))
    finally:
        network.backbones.set_store(None)
        shutil.rmtree(files, ignore_errors=True)


def _is_split(job: TrainJob) -> bool:
    """Return whether batches are split or the network is compiled."""
    is_split = job.config.accumulation_steps > 1 or job.process_group.size > 1
    return is_split or job.config.compile


def _outputs(
    network: MultiTaskNetwork, job: TrainJob, data: DataModule, kept: Collection[str]
) -> Mapping[tuple[int, int, int], StoredOutput] | None:
    """Return the outputs to store, found on two validation images."""
    batch = next(iter(data.eval_batches("val", 2)))
    network.eval()
    return network.backbones.plan_store(batch.images.to(job.device), tuple(job.tasks), tuple(kept))
