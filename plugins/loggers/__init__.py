"""Loggers of losses, metrics and learning rates by epoch.

``tensorboard`` and ``mlflow`` need the packages of these names::

    train:
      log: [csv, tensorboard, {kind: mlflow, experiment: leaves}]
"""

from typing import Any

from mtlsearch.plugin import Logger, hookimpl

from ._csv import CsvLogger
from ._mlflow import MLflowLogger
from ._tensorboard import TensorBoardLogger

__all__ = ["CsvLogger", "MLflowLogger", "TensorBoardLogger", "mtlsearch_loggers"]


@hookimpl
def mtlsearch_loggers() -> list[type[Logger[Any]]]:
    """Register the loggers."""
    return [CsvLogger, MLflowLogger, TensorBoardLogger]
