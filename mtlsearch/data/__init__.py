"""Sources to batches: checks, splits, missing labels, augmentation.

Several sources feed one run; an image has whatever labels its source knows of it::

    from mtlsearch.data import open_data

    data = open_data(sources, config.data, mean=cut.mean, std=cut.std, seed=0)
    data.check().raise_if_bad()          # decodes everything once, names every bad file
    for batch in data.train_batches(epoch=0, batch_size=32):
        batch.images                     # [B, 3, H, W], normalised
        batch.targets["boxes"].rows      # which of the images carry that label

What an image looks like in an epoch depends on the seed, the epoch and the image alone, so
every trial of a search sees the same data.
"""

from mtlsearch.data._drawable import label_prediction
from mtlsearch.data._module import DataModule
from mtlsearch.data._open import open_data
from mtlsearch.data.checks import (
    CheckReport,
    LabelCounts,
    Problem,
    check_label_coverage,
    data_warnings,
    problems_of,
)

__all__ = [
    "CheckReport",
    "DataModule",
    "LabelCounts",
    "Problem",
    "check_label_coverage",
    "data_warnings",
    "label_prediction",
    "open_data",
    "problems_of",
]
