"""Task kind ``regression``: one number per image, such as an age, a weight or a score.

Learns labels of the form ``number`` (smooth L1 error in standard deviations; mean absolute error
and R2 in the label's unit)::

    tasks:
      weight: {kind: regression, beta: 0.5}
"""

from ._task import Regression, mtlsearch_tasks

__all__ = ["Regression", "mtlsearch_tasks"]
