"""Training and evaluation of one network: a budget in, metrics out.

>>> import torch
>>> from mtlsearch.training import resolve_device
>>> resolve_device("cpu")
device(type='cpu')
"""

from mtlsearch.training._balancer_compatibility import refuse_unfit
from mtlsearch.training._balancing import Balance, BalancerMaker
from mtlsearch.training._buffers import KeptBuffers
from mtlsearch.training._checkpoint import Pause
from mtlsearch.training._device import resolve_device
from mtlsearch.training._error_context import blamed_on
from mtlsearch.training._evaluate import evaluate
from mtlsearch.training._feature_distillation import Lesson, distilled, mutual
from mtlsearch.training._heads import seeded_heads
from mtlsearch.training._interfaces import TrainingData
from mtlsearch.training._losses import Labelled, run_labelled
from mtlsearch.training._micro_batches import micro_batches
from mtlsearch.training._placement import Placement, resolve_placement, settled
from mtlsearch.training._precision import Precision, resolve_precision
from mtlsearch.training._probe import StepProbe
from mtlsearch.training._process_group import Ranks, joined_ranks
from mtlsearch.training._result import EpochRecord, TrainingProgress, TrainingResult
from mtlsearch.training._shared_groups import SharedPart, shared_parts
from mtlsearch.training._train import train
from mtlsearch.training._weights import load_weights, save_weights

__all__ = [
    "Balance",
    "BalancerMaker",
    "EpochRecord",
    "KeptBuffers",
    "Labelled",
    "Lesson",
    "Pause",
    "Placement",
    "Precision",
    "Ranks",
    "SharedPart",
    "StepProbe",
    "TrainingData",
    "TrainingProgress",
    "TrainingResult",
    "blamed_on",
    "distilled",
    "evaluate",
    "joined_ranks",
    "load_weights",
    "micro_batches",
    "mutual",
    "refuse_unfit",
    "resolve_device",
    "resolve_placement",
    "resolve_precision",
    "run_labelled",
    "save_weights",
    "seeded_heads",
    "settled",
    "shared_parts",
    "train",
]
