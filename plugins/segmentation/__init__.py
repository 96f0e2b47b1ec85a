"""One class a pixel.

Learns labels of the form ``mask`` with a light pyramid decoder, cross-entropy and, where
asked for, a soft Dice loss; pixels of the label's ``ignore_index`` are void::

    tasks:
      outline: {kind: segmentation, dice: 0.5}
"""

from ._task import Segmentation, mtlsearch_tasks

__all__ = ["Segmentation", "mtlsearch_tasks"]
