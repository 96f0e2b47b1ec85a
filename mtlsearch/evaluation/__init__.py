"""Evaluation: metrics of a trained network with confidence intervals, on a split of its own.

Every image is predicted once. Predictions and labels are compared in the pixels of the network's
input and in those of the image. A scorer keeps the statistics of each image, so that the metrics
of any resample of the images can be computed::

    from mtlsearch.evaluation import evaluate_split, trial_job

    job = trial_job(session, record, split="test", resamples=1000, seed=0)
    evaluation = evaluate_split(job, progress)
    evaluation.tasks["shapes"].sizes["image"].metrics["mIoU"]   # value, low, high

>>> import numpy as np
>>> from mtlsearch.evaluation import CategoryScorer, bootstrap
>>> from mtlsearch.prediction import CategoryPrediction
>>> scorer = CategoryScorer(("cat", "dog"))
>>> for label in (0, 0, 1, 1):
...     scorer.add(CategoryPrediction(0, np.array([0.6, 0.4], np.float32)), label)
>>> bootstrap(scorer, 4, count=200, seed=0).metrics["accuracy"]
Estimate(value=0.5, low=0.0, high=1.0)
"""

from mtlsearch.evaluation._bootstrap import Estimate, Estimates, bootstrap, resamples
from mtlsearch.evaluation._boxes import BoxesScorer
from mtlsearch.evaluation._categories import CategoriesScorer
from mtlsearch.evaluation._category import CategoryScorer
from mtlsearch.evaluation._evaluate import EvaluationJob, evaluate_split
from mtlsearch.evaluation._mask import MaskScorer
from mtlsearch.evaluation._number import NumberScorer
from mtlsearch.evaluation._open import bundle_job, trial_job
from mtlsearch.evaluation._predictor import BundlePredictor, NetworkPredictor, Predictor
from mtlsearch.evaluation._result import Evaluation, ImageResult, TaskEvaluation

__all__ = [
    "BoxesScorer",
    "BundlePredictor",
    "CategoriesScorer",
    "CategoryScorer",
    "Estimate",
    "Estimates",
    "Evaluation",
    "EvaluationJob",
    "ImageResult",
    "MaskScorer",
    "NetworkPredictor",
    "NumberScorer",
    "Predictor",
    "TaskEvaluation",
    "bootstrap",
    "bundle_job",
    "evaluate_split",
    "resamples",
    "trial_job",
]
