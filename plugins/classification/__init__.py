"""Task kind ``classification``: one class per image, or several.

Learns labels of the form ``category`` (cross-entropy; accuracy and macro F1) and
``categories`` (binary cross-entropy; mean average precision over classes). Both have the negative
log-likelihood ``nll`` as a further metric, for ``rank_by``::

    tasks:
      breed: {kind: classification, label_smoothing: 0.1, class_weights: balanced}
"""

from ._task import Classification, mtlsearch_tasks

__all__ = ["Classification", "mtlsearch_tasks"]
