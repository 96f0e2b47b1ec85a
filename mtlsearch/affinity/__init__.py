"""Task affinity: how much tasks help each other, and the sharing plans that it suggests.

Only the measurement needs torch, which is imported when it runs.

>>> import numpy as np
>>> from mtlsearch.affinity import Affinity, recommend
>>> similar = np.array([[1.0, 0.9, 0.9], [0.9, 1.0, 0.9], [0.9, 0.9, 1.0]])
>>> dissimilar = np.array([[1.0, 0.7, 0.1], [0.7, 1.0, 0.1], [0.1, 0.1, 1.0]])
>>> decreases = np.array([[0.05, 0.02, -0.01], [0.02, 0.05, -0.01], [-0.01, -0.01, 0.05]])
>>> affinity = Affinity(
...     tasks=("boxes", "outline", "scene"),
...     units=("stem", "layer1"),
...     gradients=np.stack([similar, dissimilar]),
...     lookahead=decreases,
...     lookahead_error=np.full((3, 3), 0.001),
...     unit_lookahead=np.stack([decreases / 2, decreases / 2]),
...     representations=np.stack([similar, dissimilar]),
...     steps=np.full((3, 3), 24),
...     images=100,
...     epochs=2,
... )
>>> recommendation = recommend(affinity)
>>> recommendation.groups
(('boxes', 'outline'), ('scene',))
>>> for sharing, plan in recommendation.plans:
...     print(f"{sharing}: {plan}")
more: boxes+outline | scene @1
medium: boxes+outline | scene @1
less: boxes | outline | scene @1
"""

from mtlsearch.affinity._affinity import Affinity
from mtlsearch.affinity._grouping import best_groups, tasks_to_leave_out
from mtlsearch.affinity._measure import AffinityMeasurement
from mtlsearch.affinity._plan_score import best_tree, plan_scores, similarity_threshold
from mtlsearch.affinity._recommendation import Recommendation, recommend
from mtlsearch.affinity._store import AFFINITY_FILES, read_affinity, write_affinity

__all__ = [
    "AFFINITY_FILES",
    "Affinity",
    "AffinityMeasurement",
    "Recommendation",
    "best_groups",
    "best_tree",
    "plan_scores",
    "read_affinity",
    "recommend",
    "similarity_threshold",
    "tasks_to_leave_out",
    "write_affinity",
]
