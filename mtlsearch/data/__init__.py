"""Data: from sources to batches, with checks, splits, a cache and augmentation.

Several sources can feed one run. An image has only the labels of its source, and every batch
records which of its images have which label::

    from mtlsearch.data import open_data

    data = open_data(sources, config.data, mean=cut.mean, std=cut.std, seed=0)
    data.check().raise_if_bad()          # reads all images once and lists all bad files
    for batch in data.train_batches(epoch=0, batch_size=32):
        batch.images                     # float32 [B, 3, H, W], normalized
        batch.targets["boxes"].rows      # int64 [n], the images with this label

An image passes through these steps:

1. A source reads it, and ``checks/`` validates its labels (``_images.py``).
2. It is resized to a *prepared sample* (``_samples.py``), which ``cache/`` stores on disk or in
   memory.
3. Samples are stacked into a batch (``_loader.py``).
4. ``augmentation/`` crops, flips, resizes, jitters and normalizes the whole batch on the device.

The augmentation of an image depends only on seed, epoch and image. All trials of a search
therefore train on the same data.
"""

from mtlsearch.data._data_digest import DataDigest, describe_changes, differ_in_sizes_only
from mtlsearch.data._drawable import label_prediction
from mtlsearch.data._module import DataModule
from mtlsearch.data._open import open_data, per_channel
from mtlsearch.data._resized_labels import resized_labels
from mtlsearch.data.checks import (
    DATA_WARNINGS,
    CheckReport,
    DataWarning,
    LabelCounts,
    Problem,
    check_label_coverage,
    check_named_classes,
    data_warnings,
    problems_of,
)

__all__ = [
    "DATA_WARNINGS",
    "CheckReport",
    "DataDigest",
    "DataModule",
    "DataWarning",
    "LabelCounts",
    "Problem",
    "check_label_coverage",
    "check_named_classes",
    "data_warnings",
    "describe_changes",
    "differ_in_sizes_only",
    "label_prediction",
    "open_data",
    "per_channel",
    "problems_of",
    "resized_labels",
]
