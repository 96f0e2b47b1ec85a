"""Training of a new task with and without the cache of frozen activations, side by side.

``python benchmarks/cached_prefix.py --data-root PATH`` trains symptoms on coffee leaves beside a
kept task, on several backbones and from several branch points, without and with
``train.cache_prefix: 1``. PATH contains ``leaves/``. Weights are random: they change no time. Both
trainings get the same images in the same order, and the largest relative change of a loss is
printed: rounding, which depends on the size of a batch. Times contain
loading, augmentation and validation; those with the cache contain its setup too. They are CPU times
of the process, which other programs on the machine change little. Set ``OMP_NUM_THREADS=1``, so
that no thread waits for another. Trainings alternate, and the fastest of ``--repeats`` counts.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import torch

from mtlsearch.config import load_run
from mtlsearch.data import open_data
from mtlsearch.models import MultiTaskNetwork, cut_backbone
from mtlsearch.plan import Branch, SharingPlan, extend_plan
from mtlsearch.registry import build_registry
from mtlsearch.runs._cached_prefix import CachedPrefixData, cached_prefix
from mtlsearch.training import TrainingResult, TrainJob, resolve_train_config, seeded_heads, train

ROOT = Path(__file__).resolve().parents[1]
KEPT = "stress"
NEW = ("symptoms",)
BACKBONES = ("tf_efficientnet_lite0", "resnet18", "vit_tiny_patch16_224")
NUM_UNITS = 6


def measure(arguments: argparse.Namespace, backbone: str, depth: int) -> list[float]:
    """Return the least seconds without and with the cache, megabytes, and change of the losses."""
    overrides = [
        f"data.root={arguments.data_root}",
        f"data.image_size=[{arguments.height}, {2 * arguments.height}]",
        f"data.max_images={arguments.images}",
        f"train.epochs={arguments.epochs}",
        f"train.batch_size={arguments.batch_size}",
        f"backbone.name={backbone}",
        "backbone.checkpoint_path=null",
    ]
    resolved = build_registry().resolve(load_run(ROOT / "examples" / "leaves.yaml", overrides))
    config = resolved.config
    cut = cut_backbone(backbone, config.data.image_size, granularity=NUM_UNITS)
    data = open_data(
        resolved.open_sources(), config.data, mean=cut.mean, std=cut.std, seed=config.seed
    )
    data.check()
    tasks = resolved.build_tasks(data.labels)
    used = {name: tasks[name] for name in (KEPT, *NEW)}
    plan = extend_plan(SharingPlan.hard([KEPT], NUM_UNITS), [Branch(NEW[0], KEPT, depth)])
    device = torch.device("cpu")
    train_config = resolve_train_config(
        config.train.model_copy(update={"cache_prefix": 1, "cache_limit": 64.0}),
        config.data.image_size,
        device,
    )

    def train_once(folder: Path, *, is_cached: bool) -> tuple[float, TrainingResult, float]:
        network = MultiTaskNetwork(cut, plan, seeded_heads(used, cut.features, config.seed))
        network.freeze_tasks([KEPT])
        job = TrainJob(
            network=network,
            tasks={name: tasks[name] for name in NEW},
            data=CachedPrefixData(data, None, 1),
            config=train_config,
            label_by_task={name: name for name in NEW},
            loss_weights=dict.fromkeys(NEW, 1.0),
            learning_rate=config.train.learning_rate,
            device=device,
            seed=config.seed,
        )
        start = time.process_time()
        if not is_cached:
            return 0.0, train(job), time.process_time() - start
        with cached_prefix(job, data, [KEPT], folder, print) as cached:
            result = train(cached)
            assert isinstance(cached.data, CachedPrefixData)
            store = cached.data.store
            size = store.num_bytes if store else 0
        return size / 1e6, result, time.process_time() - start

    seconds = {False: float("inf"), True: float("inf")}
    results, megabytes = {}, 0.0
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(arguments.repeats):
            for is_cached in (False, True):
                size, results[is_cached], elapsed = train_once(Path(folder), is_cached=is_cached)
                seconds[is_cached] = min(seconds[is_cached], elapsed)
                megabytes = max(megabytes, size)
    pairs = zip(results[False].epochs, results[True].epochs, strict=True)
    difference = max(
        abs(cached.train_losses[task] / loss - 1)
        for without, cached in pairs
        for task, loss in without.train_losses.items()
    )
    return [seconds[False], seconds[True], megabytes, difference]


def main() -> None:
    """Print one row per backbone and branch point."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data-root", type=Path, required=True)
    parser.add_argument("--images", type=int, default=320)
    parser.add_argument("--height", type=int, default=64)
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--backbones", nargs="+", default=BACKBONES)
    parser.add_argument("--depths", type=int, nargs="+", default=(2, 4, 6))
    arguments = parser.parse_args()
    print("| backbone | shared units | without | with | ratio | stored | change of losses |")
    print("| --- | --: | --: | --: | --: | --: | --: |")
    for backbone in arguments.backbones:
        for depth in arguments.depths:
            without, cached, size, change = measure(arguments, backbone, depth)
            print(
                f"| `{backbone}` | {depth} of {NUM_UNITS} | {without:.1f} s | {cached:.1f} s | "
                f"{cached / without:.2f} | {size:.0f} MB | {change:.0e} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
