"""The contract of a task kind."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar, Generic, Protocol

from mtlsearch.plugin._settings import Settings as PluginSettings
from mtlsearch.plugin._settings import SettingsT
from mtlsearch.prediction import decode, draw

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL import Image
    from torch import Tensor, nn

    from mtlsearch.labels import Form, LabelSpec
    from mtlsearch.plan import FeatureSpec
    from mtlsearch.plugin._batch import TargetValues
    from mtlsearch.plugin._metric import Metric
    from mtlsearch.prediction import OutputSpec, Prediction

Outputs = Mapping[str, "Tensor"]
"""What a head returns: named tensors, the first dimension of each the batch."""


class Meter(Protocol):
    """Gathers what a task's metrics need over the batches of one evaluation."""

    def update(self, outputs: Outputs, targets: TargetValues) -> None:
        """Take in one batch; both hold the same ``n`` labelled samples, ``n >= 1``."""

    def compute(self) -> Mapping[str, float]:
        """Every metric's value by name. NaN where it is undefined (nothing was seen)."""


class Task(ABC, Generic[SettingsT]):
    """One prediction target: a head, a loss and metrics.

    A task kind is a subclass; a run's task is an instance, with a name, settings and the
    specification of the label that it learns. A task never sees other tasks, the network
    or missing labels: outputs and targets are handed in for labelled samples alone.

    Attributes:
        kind: the name by which run files ask for it, such as ``"classification"``.
        summary: one line for ``mtlsearch list tasks``.
        accepts: the forms of label it can learn.
        Settings: its options in a run file.
    """

    kind: ClassVar[str]
    summary: ClassVar[str]
    accepts: ClassVar[tuple[Form, ...]]
    Settings: ClassVar[type[PluginSettings]] = PluginSettings

    def __init__(self, name: str, settings: SettingsT, label: LabelSpec) -> None:
        self.name = name
        self.settings = settings
        self.label = label

    @property
    @abstractmethod
    def metrics(self) -> Sequence[Metric]:
        """What is measured; exactly one is primary."""

    @property
    @abstractmethod
    def output(self) -> OutputSpec:
        """How the tensors of :meth:`predict` are to be read."""

    @abstractmethod
    def build_head(self, features: FeatureSpec) -> nn.Module:
        """A new head: ``head(levels) -> Outputs``.

        Args:
            features: channels and strides of the levels it is given, finest first. Plain
                ViTs give every level at one stride.

        Returns:
            A module from a list of ``[B, C_i, H_i, W_i]`` to named tensors ``[B, ...]``.
            It draws its weights from torch's global generator, which the host has seeded.
        """

    @abstractmethod
    def loss(self, outputs: Outputs, targets: TargetValues) -> Tensor:
        """The mean loss over the samples, a finite scalar with a gradient to the head.

        Args:
            outputs: the head's outputs for the ``n >= 1`` labelled samples.
            targets: their labels, see :data:`mtlsearch.plugin.TargetValues`.
        """

    @abstractmethod
    def meter(self) -> Meter:
        """A fresh meter for :attr:`metrics`."""

    @abstractmethod
    def predict(self, outputs: Outputs) -> Outputs:
        """The tensors that a bundle exports, as :class:`OutputSpec` lists them by form.

        Runs inside the exported graph: tensor operations only, batch size open. What is
        not a tensor operation (NMS, thresholds) happens in :meth:`decode`, outside.
        """

    def decode(
        self,
        arrays: Mapping[str, NDArray[np.float32]],
        *,
        input_size: tuple[int, int],
        image_size: tuple[int, int],
    ) -> Prediction:
        """One image's prediction from its row of :meth:`predict`'s arrays.

        Args:
            arrays: the tensors without the batch dimension.
            input_size: ``(height, width)`` of the network's input.
            image_size: ``(height, width)`` of the image it was resized from.
        """
        return decode(self.output, arrays, input_size=input_size, image_size=image_size)

    def draw(self, image: Image.Image, prediction: Prediction) -> Image.Image:
        """A copy of ``image`` with the prediction drawn on it."""
        return draw(self.output, image, prediction)
