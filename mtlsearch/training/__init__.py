"""Training and evaluation of one network.

>>> import torch
>>> from mtlsearch.training import resolve_device
>>> resolve_device("cpu")
device(type='cpu')
"""

from mtlsearch.training._balancer_compatibility import check_balancer_compatible
from mtlsearch.training._balancing import BalancerConfig, BalancerMaker
from mtlsearch.training._batch_gradients import batch_gradients
from mtlsearch.training._checkpoint import (
    Checkpointing,
    load_weights,
    save_weights,
    weight_shapes,
)
from mtlsearch.training._device import (
    Placement,
    Precision,
    resolve_device,
    resolve_placement,
    resolve_precision,
    resolve_train_config,
)
from mtlsearch.training._error_context import attribute_errors_to
from mtlsearch.training._evaluate import evaluate
from mtlsearch.training._feature_distillation import (
    AuxiliaryLoss,
    distillation_loss,
    mutual_loss,
    preservation_loss,
)
from mtlsearch.training._heads import seeded_heads
from mtlsearch.training._interfaces import (
    EpochRecord,
    StepProbe,
    TrainingData,
    TrainingHooks,
    TrainingResult,
)
from mtlsearch.training._job import TrainJob
from mtlsearch.training._losses import LabeledOutputs, run_labeled
from mtlsearch.training._micro_batches import micro_batches
from mtlsearch.training._process_group import ProcessGroup, joined_process_group
from mtlsearch.training._realign import realign
from mtlsearch.training._reproducibility import BufferSnapshot
from mtlsearch.training._shared_groups import SharedGroup, shared_groups
from mtlsearch.training._train import train

__all__ = [
    "AuxiliaryLoss",
    "BalancerConfig",
    "BalancerMaker",
    "BufferSnapshot",
    "Checkpointing",
    "EpochRecord",
    "LabeledOutputs",
    "Placement",
    "Precision",
    "ProcessGroup",
    "SharedGroup",
    "StepProbe",
    "TrainJob",
    "TrainingData",
    "TrainingHooks",
    "TrainingResult",
    "attribute_errors_to",
    "batch_gradients",
    "check_balancer_compatible",
    "distillation_loss",
    "evaluate",
    "joined_process_group",
    "load_weights",
    "micro_batches",
    "mutual_loss",
    "preservation_loss",
    "realign",
    "resolve_device",
    "resolve_placement",
    "resolve_precision",
    "resolve_train_config",
    "run_labeled",
    "save_weights",
    "seeded_heads",
    "shared_groups",
    "train",
    "weight_shapes",
]
