"""Task kind ``segmentation``: one class per pixel.

Learns labels of the form ``mask`` with a light pyramid decoder, cross-entropy and an optional
soft Dice loss. Pixels with the label's ``ignore_index`` are void::

    tasks:
      outline: {kind: segmentation, dice: 0.5}
"""

from ._task import Segmentation, mtlsearch_tasks

__all__ = ["Segmentation", "mtlsearch_tasks"]
