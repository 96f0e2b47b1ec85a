"""Any number of boxes, each with a class.

Learns labels of the form ``boxes`` with an anchor-free head on a feature pyramid. Which
points answer for a box is decided by how well they already do (task-aligned assignment),
so there are no anchors, size ranges or centerness to set. Images without a box are
ordinary; what lies in crowd regions is neither right nor wrong::

    tasks:
      people: {kind: detection, strides: [8, 16, 32], score_threshold: 0.3}
"""

from ._task import Detection, mtlsearch_tasks

__all__ = ["Detection", "mtlsearch_tasks"]
