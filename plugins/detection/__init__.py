"""Task kind ``detection``: any number of boxes, each with a class.

Learns labels of the form ``boxes`` with an anchor-free head on a feature pyramid. Task-aligned
assignment selects the points that predict a box by how well they do so already. So there are
no anchors, size ranges or centerness to configure. An image without boxes is a valid label.
Predictions in crowd regions count neither as correct nor as wrong::

    tasks:
      people: {kind: detection, strides: [8, 16, 32], score_threshold: 0.3}
"""

from ._task import Detection, mtlsearch_tasks

__all__ = ["Detection", "mtlsearch_tasks"]
