"""Fine-tuning of a trial's network from Python."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mtlsearch.api._terms import in_python_terms

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

    from mtlsearch.api._trial import Values
    from mtlsearch.api.network import TrainedNetwork


@dataclass(frozen=True, slots=True)
class FineTuning:
    """A network after fine-tuning. It is in memory only until :meth:`export` writes it.

    Attributes:
        network: the fine-tuned network.
        metrics_before: validation metrics before the training, by task and name.
        metrics: validation metrics after the last epoch, by task and name.
        history: training losses and validation metrics, one row per epoch from 1.
        note: remark on the training, such as smaller batches; empty by default.
    """

    network: TrainedNetwork = field(repr=False, compare=False)
    metrics_before: Values
    metrics: Values
    history: pd.DataFrame = field(repr=False, compare=False)
    note: str
    _export: Callable[[Path], Path] = field(repr=False, compare=False)

    @in_python_terms
    def export(self, out: str | os.PathLike[str]) -> Path:
        """Write the network as a bundle, verified as by ``mtlsearch export``.

        Args:
            out: folder of the bundle; an existing bundle is replaced.

        Returns:
            The folder.

        Raises:
            ExportError: a format cannot be written or differs, or ``out`` is not a bundle.
        """
        from pathlib import Path

        return self._export(Path(out))
