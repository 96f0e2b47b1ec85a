"""Run files."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from mtlsearch.config import load_run, save_resolved
from mtlsearch.data import open_data
from mtlsearch.registry import PluginRegistry, build_registry


@cache
def registry() -> PluginRegistry:
    return build_registry()


def read_sources(folder: Path) -> None:
    """Read all images and labels of a run file, as ``mtlsearch check`` does."""
    resolved = registry().resolve(load_run(folder / "run.yaml"))
    sources = resolved.open_sources()
    resolved.build_tasks({name: spec for source in sources for name, spec in source.labels.items()})
    plain = (0.5, 0.5, 0.5)
    data = open_data(sources, resolved.config.data, mean=plain, std=plain, seed=0)
    data.check(reread=True).raise_if_bad()


RUN = """\
seed: 3
data:
  root: .
  sources:
    - {kind: scenes, train: 8, val: 4, image_size: 32}
  image_size: [32, 32]
  channels: rgb
  pixel_range: auto
  augment: {crop: [0.6, 1.0], flip: 0.5, jitter: 0.1}
  val_fraction: 0.2
  max_images: 4
  cache: null
tasks:
  scene: {kind: classification}
  objects: {kind: detection, channels: 8, rank_by: mAP50}
  shapes: {kind: segmentation, channels: 8, stride: 8, dice: 1.0}
backbone: {name: test_resnet, granularity: stage, pretrained: false}
train: {epochs: 4, batch_size: 16, learning_rate: 0.005, clip_norm: 1.0, ema: 0.9}
search:
  space: {kind: tree, first_shared: 1}
  trials: 10
  sampler: auto
  early_stopping: {rungs: [2], reduction_factor: 2}
  loss_weights: {scene: 1.0, objects: 2.0, shapes: 0.5}
  objectives: [delta_m, params]
limits: {params: 1.5x, flops: 1.2G, latency_ms: null}
"""


def write_run(folder: Path) -> None:
    (folder / "run.yaml").write_text(RUN)


def read_run(folder: Path) -> None:
    """Read a run file, and read it again as it is saved."""
    loaded = load_run(folder / "run.yaml")
    loaded.require_paths()
    loaded.require_one_start()
    resolved = registry().resolve(loaded)
    resolved.build_space()
    save_resolved(loaded.config, folder / "saved" / "run.yaml")
    again = load_run(folder / "saved" / "run.yaml")
    assert repr(again.config) == repr(loaded.config)
    if resolved.config.data.max_images and "scenes" in {
        item.kind for item in loaded.config.data.sources
    }:
        return  # opening draws as many images as the run file sets
    resolved.open_sources()
