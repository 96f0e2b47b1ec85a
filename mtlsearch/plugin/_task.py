"""Contract of a task kind."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar, Generic, Protocol, runtime_checkable

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
    from mtlsearch.plugin._scorer import Scorer
    from mtlsearch.prediction import OutputSpec, Prediction

Outputs = Mapping[str, "Tensor"]
"""Named tensors that a head returns; the first dimension of each is the batch."""


class Meter(Protocol):
    """Accumulator of predictions that computes the metrics of one task.

    One meter is used for one evaluation of a split.
    """

    def update(self, outputs: Outputs, targets: TargetValues) -> None:
        """Add one batch.

        Args:
            outputs: outputs of the head for ``n >= 1`` labeled samples.
            targets: labels of the same samples.
        """

    def compute(self) -> Mapping[str, float]:
        """Return the metrics of all batches.

        Returns:
            A value per metric name; NaN if the metric is undefined, for example before the
            first batch.
        """


@runtime_checkable
class PerClassMeter(Meter, Protocol):
    """Meter that also has results per class. They are stored with every trial.

    A meter without :meth:`per_class` is valid; its trials have no results per class.
    """

    def per_class(self) -> Mapping[str, Mapping[str, float]]:
        """Return the results of each class over all batches.

        Called once, after :meth:`compute`, when a training ends or pauses.

        Returns:
            A value per metric and class name; NaN for a class without a result, such as one
            that does not occur. The first metric is the one that tables show.
        """


@runtime_checkable
class SubsetMeter(Meter, Protocol):
    """Meter that also computes its metrics over some of the images, for their standard errors.

    A meter without :meth:`compute_subset` is valid; its metrics have no standard errors.
    """

    def compute_subset(self, images: Sequence[int]) -> Mapping[str, float]:
        """Return the metrics of some of the images.

        Called several times after the last batch, when a training ends or pauses.

        Args:
            images: ascending indices of images in the order of :meth:`update`, from 0, each at
                most once; all images give the metrics of :meth:`compute`.

        Returns:
            A value per metric name; NaN if the metric is undefined, for example without images.
        """


class Task(ABC, Generic[SettingsT]):
    """A head, a loss and metrics for one label.

    A subclass is a task kind. An instance is a task of a run file: it has a name, settings and
    the specification of its label. A task depends neither on other tasks nor on the network, and
    it never gets samples without a label.

    Attributes:
        kind: name in run files (``tasks.NAME.kind``), such as ``"classification"``.
        summary: one line for ``mtlsearch list tasks``.
        accepts: forms of label that this kind can learn.
        Settings: pydantic model of the options in a run file.

    Args:
        name: name of the task in the run file.
        settings: an instance of :attr:`Settings`.
        label: specification of the label; its form is one of :attr:`accepts`.
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
        """Metrics of this task; exactly one is primary."""

    @property
    @abstractmethod
    def output(self) -> OutputSpec:
        """Form, classes and decoding options of the tensors that :meth:`predict` returns."""

    @abstractmethod
    def build_head(self, features: FeatureSpec) -> nn.Module:
        """Return a new head.

        Args:
            features: channels and strides of the feature levels, the finest first. All levels
                of a plain ViT have one stride.

        Returns:
            A module from a list of levels ``[B, C_i, H_i, W_i]`` to :data:`Outputs`. Its
            weights come from torch's global generator, which is seeded before the call.
        """

    @abstractmethod
    def loss(self, outputs: Outputs, targets: TargetValues) -> Tensor:
        """Return the mean loss over the samples.

        Args:
            outputs: outputs of the head for ``n >= 1`` labeled samples.
            targets: labels of the same samples; see :data:`mtlsearch.plugin.TargetValues`.

        Returns:
            A finite scalar with a gradient for the head's parameters and inputs.
        """

    @abstractmethod
    def meter(self) -> Meter:
        """Return a new meter for :attr:`metrics`.

        Returns:
            A meter without batches.
        """

    def scorer(self) -> Scorer | None:
        """Return a new scorer for ``mtlsearch evaluate``.

        Override it for metrics of your own, so that they are computed at the size of the image
        too, with confidence intervals. Metrics that no scorer has are computed by the meter, at
        the size of the network's input only.

        Returns:
            A scorer without images; None for the scorer of the label's form.
        """
        return None

    @abstractmethod
    def predict(self, outputs: Outputs) -> Outputs:
        """Return the tensors that a bundle exports.

        Runs inside the exported graph: use tensor operations only, and leave the batch size
        open. Everything else, such as thresholds and NMS, belongs to :meth:`decode`.

        Args:
            outputs: outputs of the head for a batch of ``B`` images.

        Returns:
            The tensors that :class:`OutputSpec` lists for the form of :attr:`output`, float32.
        """

    def decode(
        self,
        arrays: Mapping[str, NDArray[np.float32]],
        *,
        input_size: tuple[int, int],
        image_size: tuple[int, int],
    ) -> Prediction:
        """Return the prediction for one image.

        The default decodes by form. ``mtlsearch predict`` always uses the default, because
        bundles contain no plugin code.

        Args:
            arrays: tensors of :meth:`predict` for this image, without the batch dimension.
            input_size: ``(height, width)`` of the network's input in pixels.
            image_size: ``(height, width)`` of the image before resizing.

        Returns:
            The prediction in pixels of the image.
        """
        return decode(self.output, arrays, input_size=input_size, image_size=image_size)

    def draw(self, image: Image.Image, prediction: Prediction) -> Image.Image:
        """Return a copy of an image with the prediction drawn on it.

        Args:
            image: image in mode RGB.
            prediction: prediction for this image.

        Returns:
            The new image.
        """
        return draw(self.output, image, prediction)
