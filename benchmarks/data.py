"""Images a second: our loader against a plain torchvision ``DataLoader`` of the same work.

Run ``python benchmarks/data.py --root FOLDER`` (two to three minutes), where FOLDER holds
``nyuv2/``. Every image comes with its room, its mask and its depth; the work is decode, crop,
flip, resize, jitter, normalise and put together. Contestants take turns, so that a machine
that slows down slows all:

* ``plain``: PIL and ``torchvision.transforms.v2`` in a ``Dataset``, its worker processes kept;
* ``ours``: :class:`mtlsearch.data.DataModule`, after its first epoch.

Then a network is trained by our trainer, and the share of its time that it waits for data is
told.
"""

from __future__ import annotations

import argparse
import csv
import statistics
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, Dataset
from torchvision import tv_tensors
from torchvision.transforms import v2

from mtlsearch.config import TrainConfig, load_run
from mtlsearch.data import DataModule, open_data
from mtlsearch.models import MultiTaskNetwork, cut_backbone
from mtlsearch.plan import SharingPlan
from mtlsearch.plugin import Batch
from mtlsearch.registry import ResolvedRun, build_registry
from mtlsearch.training import TrainJob, resolve_device, seeded_heads, train

RUN = Path(__file__).parents[1] / "examples" / "nyuv2.yaml"
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
TASKS = "{scene: {kind: classification}, segmentation: {kind: segmentation}}"


class Plain(Dataset[tuple[Tensor, Tensor, Tensor, int]]):
    """Decodes and augments an image at a time, as anyone would write it."""

    def __init__(self, folder: Path, size: int, limit: int) -> None:
        with (folder / "manifest.csv").open() as file:
            rows = [row for row in csv.DictReader(file) if row["split"] == "train"]
        self._folder, self._rows = folder, rows[:limit]
        self._rooms = sorted({row["scene"] for row in rows})
        self._change = v2.Compose(
            [
                v2.RandomResizedCrop(size, scale=(0.6, 1.0), antialias=True),
                v2.RandomHorizontalFlip(0.5),
                v2.ColorJitter(brightness=0.2, contrast=0.2, saturation=0.2),
                v2.ToDtype({tv_tensors.Image: torch.float32, "others": None}, scale=True),
                v2.Normalize(MEAN, STD),
            ]
        )

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor, Tensor, int]:
        row = self._rows[index]
        image = tv_tensors.Image(Image.open(self._folder / row["image"]).convert("RGB"))
        mask = tv_tensors.Mask(self._plane(row["segmentation"], np.int64))
        depth = tv_tensors.Mask(self._plane(row["depth"], np.float32) / 25.5)
        image, mask, depth = self._change(image, mask, depth)
        return image, mask, depth, self._rooms.index(row["scene"])

    def _plane(self, name: str, kind: type[np.generic]) -> Tensor:
        return torch.from_numpy(np.asarray(Image.open(self._folder / name)).astype(kind))


def opened(
    options: argparse.Namespace, cache: Path, device: torch.device, workers: int, limit: int
) -> tuple[ResolvedRun, DataModule]:
    """The example's run file and its data, with our changes."""
    changes = {
        "data.root": options.root,
        "data.image_size": options.size,
        "data.cache": cache,
        "data.max_images": limit,
        "data.num_workers": workers,
        "tasks": TASKS,
    }
    loaded = load_run(RUN, [f"{key}={value}" for key, value in changes.items()])
    resolved = build_registry().resolve(loaded)
    data = open_data(
        resolved.open_sources(), loaded.config.data, mean=MEAN, std=STD, seed=0, device=device
    )
    return resolved, data


def rate(batches: Iterable[object], images: int, device: torch.device) -> float:
    """Images a second of one pass."""
    began = time.perf_counter()
    for _ in batches:
        pass
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return images / (time.perf_counter() - began)


def compare(options: argparse.Namespace, cache: Path, device: torch.device) -> None:
    """Print a row for every number of worker processes."""
    print(f"{'workers':8}{'plain/s':>10}{'ours/s':>10}{'ratio':>8}{'lowest':>8}")
    for workers in options.workers:
        plain = DataLoader(
            Plain(options.root / "nyuv2", options.size, options.images),
            options.batch,
            shuffle=True,
            drop_last=True,
            num_workers=workers,
            persistent_workers=workers > 0,
        )
        _, ours = opened(options, cache, device, workers, options.images)
        images = options.images // options.batch * options.batch
        turns: dict[str, Callable[[int], Iterable[object]]] = {
            "plain": lambda epoch, loader=plain: loader,
            "ours": lambda epoch, data=ours: data.train_batches(epoch, options.batch),
        }
        rates: dict[str, list[float]] = {name: [] for name in turns}
        for epoch in range(options.repeats + 1):
            for name, turn in turns.items():
                rates[name].append(rate(turn(epoch), images, device))
        # The first pass starts worker processes and fills the page cache.
        plains, owns = rates["plain"][1:], rates["ours"][1:]
        ratios = [own / other for own, other in zip(owns, plains, strict=True)]
        print(
            f"{workers:<8}{statistics.median(plains):10.1f}{statistics.median(owns):10.1f}"
            f"{statistics.median(ratios):8.2f}{min(ratios):8.2f}",
            flush=True,
        )


class Watched:
    """Data whose batches are timed: how long they are waited for, and worked on."""

    def __init__(self, data: DataModule) -> None:
        self._data = data
        self.size, self.train_steps = data.size, data.train_steps
        self.waited: list[float] = []
        self.worked: list[float] = []

    def train_batches(self, epoch: int, batch_size: int) -> Iterator[Batch]:
        """The data's own, timed."""
        batches = iter(self._data.train_batches(epoch, batch_size))
        asked = time.perf_counter()
        for batch in batches:
            given = time.perf_counter()
            yield batch
            back = time.perf_counter()
            self.waited.append(given - asked)
            self.worked.append(back - given)
            asked = time.perf_counter()

    def eval_batches(self, split: str, batch_size: int) -> Iterable[Batch]:
        """One batch: only training is timed."""
        for batch in self._data.eval_batches(split, batch_size):
            yield batch
            return


def wait_for_data(options: argparse.Namespace, cache: Path, device: torch.device) -> None:
    """Train and print the share of time that is spent on waiting for data."""
    images = options.batch * options.steps
    resolved, data = opened(options, cache, device, 0, images)
    data.check()
    cut = cut_backbone(options.backbone, (options.size, options.size))
    tasks = resolved.build_tasks(data.labels)
    names = tuple(sorted(tasks))
    heads = seeded_heads(tasks, cut.features, 0)
    network = MultiTaskNetwork(cut, SharingPlan.hard(names, len(cut.units)), heads)
    watched = Watched(data)
    job = TrainJob(
        network=network,
        tasks=tasks,
        data=watched,
        config=TrainConfig(epochs=2, batch_size=options.batch),
        label_by_task=dict(zip(names, names, strict=True)),
        loss_weights=dict.fromkeys(names, 1.0),
        learning_rate=1e-3,
        device=device,
        seed=0,
    )
    train(job)
    waited, worked = watched.waited[1:], watched.worked[1:]
    shares = [a / (a + b) for a, b in zip(waited, worked, strict=True)]
    print(
        f"{options.backbone}, everything shared, {len(shares)} steps: a batch takes "
        f"{1e3 * statistics.median(waited):.1f} ms to come and "
        f"{1e3 * statistics.median(worked):.1f} ms to train on; "
        f"{100 * sum(waited) / (sum(waited) + sum(worked)):.1f} % of the time is waited for data "
        f"(median {100 * statistics.median(shares):.1f} %)"
    )


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--root", type=Path, required=True, help="folder that holds nyuv2/")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--size", type=int, default=128, help="pixels a side")
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--images", type=int, default=64, help="images an epoch")
    parser.add_argument("--repeats", type=int, default=3, help="epochs of each, after the first")
    parser.add_argument("--workers", type=int, nargs="+", default=[0, 2])
    parser.add_argument("--backbone", default="resnet18")
    parser.add_argument("--steps", type=int, default=3, help="training steps an epoch, of two")
    options = parser.parse_args(arguments)
    options.root = options.root.resolve()
    return options


def main() -> None:
    """Measure and print."""
    options = parse()
    device = resolve_device(options.device)
    print(
        f"torch {torch.__version__}, {device}, {torch.get_num_threads()} threads, "
        f"{options.size} px, batch {options.batch}, {options.images} images"
    )
    with tempfile.TemporaryDirectory() as folder:
        cache = Path(folder)
        _, data = opened(options, cache, device, 0, options.images)
        began = time.perf_counter()
        data.check()
        images = data.size("train") + data.size("val")
        print(f"first reading: {images / (time.perf_counter() - began):.1f} images/s")
        compare(options, cache, device)
        wait_for_data(options, cache, device)


if __name__ == "__main__":
    main()
