"""Images per second: the data loader of mtlsearch against a plain torchvision ``DataLoader``.

Run ``python benchmarks/data.py --root FOLDER`` (two to three minutes); FOLDER contains
``nyuv2/``. Every image has a room, a mask and a depth map. Both loaders decode, crop, flip,
resize, jitter, normalize and collate. They take turns, so that a change of the machine's speed
affects both:

* ``plain``: PIL and ``torchvision.transforms.v2`` in a ``Dataset`` with persistent workers;
* ``ours``: :class:`mtlsearch.data.DataModule`, after its first epoch.

Finally the trainer trains a network, and the share of time in which it waits for data is
printed.
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


class PlainDataset(Dataset[tuple[Tensor, Tensor, Tensor, int]]):
    """Dataset that decodes and augments one image at a time, as tutorials show it."""

    def __init__(self, folder: Path, size: int, max_images: int) -> None:
        with (folder / "manifest.csv").open() as file:
            rows = [row for row in csv.DictReader(file) if row["split"] == "train"]
        self._folder, self._rows = folder, rows[:max_images]
        self._rooms = sorted({row["scene"] for row in rows})
        self._augment = v2.Compose(
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
        mask = tv_tensors.Mask(self._read_plane(row["segmentation"], np.int64))
        depth = tv_tensors.Mask(self._read_plane(row["depth"], np.float32) / 25.5)
        image, mask, depth = self._augment(image, mask, depth)
        return image, mask, depth, self._rooms.index(row["scene"])

    def _read_plane(self, name: str, dtype: type[np.generic]) -> Tensor:
        return torch.from_numpy(np.asarray(Image.open(self._folder / name)).astype(dtype))


def open_run(
    options: argparse.Namespace,
    cache: Path,
    device: torch.device,
    num_workers: int,
    max_images: int,
) -> tuple[ResolvedRun, DataModule]:
    """Open the run file and the data of the example with the options of this benchmark."""
    value_by_key = {
        "data.root": options.root,
        "data.image_size": options.size,
        "data.cache": cache,
        "data.max_images": max_images,
        "data.num_workers": num_workers,
        "tasks": TASKS,
    }
    loaded = load_run(RUN, [f"{key}={value}" for key, value in value_by_key.items()])
    resolved = build_registry().resolve(loaded)
    data = open_data(
        resolved.open_sources(), loaded.config.data, mean=MEAN, std=STD, seed=0, device=device
    )
    return resolved, data


def images_per_second(batches: Iterable[object], num_images: int, device: torch.device) -> float:
    """Iterate over all batches and return the images per second."""
    start = time.perf_counter()
    for _ in batches:
        pass
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return num_images / (time.perf_counter() - start)


def compare(options: argparse.Namespace, cache: Path, device: torch.device) -> None:
    """Print a row per number of worker processes."""
    print(f"{'workers':8}{'plain/s':>10}{'ours/s':>10}{'ratio':>8}{'lowest':>8}")
    for num_workers in options.workers:
        loader = DataLoader(
            PlainDataset(options.root / "nyuv2", options.size, options.images),
            options.batch,
            shuffle=True,
            drop_last=True,
            num_workers=num_workers,
            persistent_workers=num_workers > 0,
        )
        _, data = open_run(options, cache, device, num_workers, options.images)
        num_images = options.images // options.batch * options.batch
        batches_of: dict[str, Callable[[int], Iterable[object]]] = {
            "plain": lambda epoch, loader=loader: loader,
            "ours": lambda epoch, data=data: data.train_batches(epoch, options.batch),
        }
        rates: dict[str, list[float]] = {name: [] for name in batches_of}
        for epoch in range(options.repeats + 1):
            for name, batches in batches_of.items():
                rates[name].append(images_per_second(batches(epoch), num_images, device))
        # The first epoch starts worker processes and fills the page cache.
        plain, ours = rates["plain"][1:], rates["ours"][1:]
        ratios = [our_rate / plain_rate for our_rate, plain_rate in zip(ours, plain, strict=True)]
        print(
            f"{num_workers:<8}{statistics.median(plain):10.1f}{statistics.median(ours):10.1f}"
            f"{statistics.median(ratios):8.2f}{min(ratios):8.2f}",
            flush=True,
        )


class TimedData:
    """Data whose batches are timed.

    Attributes:
        wait_seconds: time until each batch was ready.
        work_seconds: time of the training step on each batch.
    """

    def __init__(self, data: DataModule) -> None:
        self._data = data
        self.size, self.train_steps = data.size, data.train_steps
        self.wait_seconds: list[float] = []
        self.work_seconds: list[float] = []

    def train_batches(self, epoch: int, batch_size: int) -> Iterator[Batch]:
        """Yield the batches of the data and time them."""
        batches = iter(self._data.train_batches(epoch, batch_size))
        requested = time.perf_counter()
        for batch in batches:
            received = time.perf_counter()
            yield batch
            processed = time.perf_counter()
            self.wait_seconds.append(received - requested)
            self.work_seconds.append(processed - received)
            requested = time.perf_counter()

    def eval_batches(self, split: str, batch_size: int) -> Iterable[Batch]:
        """Yield a single batch, because only training is timed."""
        for batch in self._data.eval_batches(split, batch_size):
            yield batch
            return


def measure_waiting(options: argparse.Namespace, cache: Path, device: torch.device) -> None:
    """Train and print the share of time that is spent on waiting for data."""
    num_images = options.batch * options.steps
    resolved, data = open_run(options, cache, device, 0, num_images)
    data.check()
    cut = cut_backbone(options.backbone, (options.size, options.size))
    tasks = resolved.build_tasks(data.labels)
    names = tuple(sorted(tasks))
    heads = seeded_heads(tasks, cut.features, 0)
    network = MultiTaskNetwork(cut, SharingPlan.hard(names, len(cut.units)), heads)
    timed_data = TimedData(data)
    job = TrainJob(
        network=network,
        tasks=tasks,
        data=timed_data,
        config=TrainConfig(epochs=2, batch_size=options.batch),
        label_by_task=dict(zip(names, names, strict=True)),
        loss_weights=dict.fromkeys(names, 1.0),
        learning_rate=1e-3,
        device=device,
        seed=0,
    )
    train(job)
    wait, work = timed_data.wait_seconds[1:], timed_data.work_seconds[1:]
    shares = [waited / (waited + worked) for waited, worked in zip(wait, work, strict=True)]
    print(
        f"{options.backbone}, hard sharing, {len(shares)} steps: a batch is ready after "
        f"{1e3 * statistics.median(wait):.1f} ms and trained in "
        f"{1e3 * statistics.median(work):.1f} ms; "
        f"{100 * sum(wait) / (sum(wait) + sum(work)):.1f} % of the time is spent on waiting "
        f"(median {100 * statistics.median(shares):.1f} %)"
    )


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--root", type=Path, required=True, help="folder that contains nyuv2/")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--size", type=int, default=128, help="pixels along one side")
    parser.add_argument("--batch", type=int, default=16, help="images per batch")
    parser.add_argument("--images", type=int, default=64, help="images per epoch")
    parser.add_argument(
        "--repeats", type=int, default=3, help="epochs per loader, after a first one"
    )
    parser.add_argument(
        "--workers", type=int, nargs="+", default=[0, 2], help="numbers of worker processes"
    )
    parser.add_argument("--backbone", default="resnet18")
    parser.add_argument(
        "--steps", type=int, default=3, help="training steps per epoch, for two epochs"
    )
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
        _, data = open_run(options, cache, device, 0, options.images)
        start = time.perf_counter()
        data.check()
        num_images = data.size("train") + data.size("val")
        print(f"first read: {num_images / (time.perf_counter() - start):.1f} images/s")
        compare(options, cache, device)
        measure_waiting(options, cache, device)


if __name__ == "__main__":
    main()
