"""Data checks: validation, label coverage, warnings and counts.

Errors, warnings and reports about images and labels:

* ``_validate.py`` checks the labels of one image against their specifications.
* ``_counts.py`` counts labels and classes, also in the size of the network's input.
* ``_absent_classes.py`` explains why a class never occurs in ``train``.
* ``_flagged_images.py`` counts images that lost bands or contrast.
* ``_image_errors.py`` groups the problems of images by their kind.
* ``_report.py`` collects problems and counts of all images.
* ``_label_coverage.py`` raises an error if a task has no labels or classes in ``train`` or
  ``val``, or if a class that the run file names never occurs.
* ``_warnings.py`` lists what is valid but suspicious, one entry of :data:`DATA_WARNINGS` per kind;
  ``_label_warnings.py`` contains those about labels in the size of the network's input.

``DataModule.check`` calls the first three while it reads images. The preflight checks of
``mtlsearch.runs`` call the last two before any training; checks of settings are there.

>>> from PIL import Image
>>> from mtlsearch.data.checks import problems_of
>>> from mtlsearch.labels import Form, LabelSpec, Sample
>>> labels = {"breed": LabelSpec(Form.CATEGORY, classes=("corgi", "pug"))}
>>> problems_of(Sample(Image.new("RGB", (8, 8)), {"breed": 1}), labels)
()
>>> problems_of(Sample(Image.new("RGB", (8, 8)), {"breed": 2}), labels)
("label 'breed': class 2 does not exist, the classes are 0 to 1",)
"""

from mtlsearch.data.checks._counts import LabelCounts, Tally, count_labels, sum_tallies
from mtlsearch.data.checks._flagged_images import (
    FlaggedImages,
    ImageCounts,
    ImageFacts,
    count_flagged,
)
from mtlsearch.data.checks._image_errors import Problem
from mtlsearch.data.checks._label_coverage import check_label_coverage, check_named_classes
from mtlsearch.data.checks._report import CheckReport
from mtlsearch.data.checks._validate import find_problems, problems_of
from mtlsearch.data.checks._warnings import DATA_WARNINGS, DataWarning, data_warnings

__all__ = [
    "DATA_WARNINGS",
    "CheckReport",
    "DataWarning",
    "FlaggedImages",
    "ImageCounts",
    "ImageFacts",
    "LabelCounts",
    "Problem",
    "Tally",
    "check_label_coverage",
    "check_named_classes",
    "count_flagged",
    "count_labels",
    "data_warnings",
    "find_problems",
    "problems_of",
    "sum_tallies",
]
