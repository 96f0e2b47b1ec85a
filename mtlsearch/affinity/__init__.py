"""How tasks get on, measured by a short training, and what that suggests.

Values and suggestions need no torch; measuring does, and imports it when it is asked for.

>>> import numpy as np
>>> from mtlsearch.affinity import Affinity, recommend
>>> alike = np.array([[1.0, 0.9, 0.9], [0.9, 1.0, 0.9], [0.9, 0.9, 1.0]])
>>> apart = np.array([[1.0, 0.7, 0.1], [0.7, 1.0, 0.1], [0.1, 0.1, 1.0]])
>>> gains = np.array([[0.05, 0.02, -0.01], [0.02, 0.05, -0.01], [-0.01, -0.01, 0.05]])
>>> affinity = Affinity(
...     tasks=("boxes", "outline", "scene"),
...     units=("stem", "layer1"),
...     gradients=np.stack([alike, apart]),
...     lookahead=gains,
...     lookahead_error=np.full((3, 3), 0.001),
...     unit_lookahead=np.stack([gains / 2, gains / 2]),
...     representations=np.stack([alike, apart]),
...     steps=np.full((3, 3), 24),
...     images=100,
...     epochs=2,
... )
>>> found = recommend(affinity)
>>> found.groups
(('boxes', 'outline'), ('scene',))
>>> for shares, plan in found.plans:
...     print(f"{shares}: {plan}")
more: boxes+outline | scene @1
medium: boxes+outline | scene @1
less: boxes | outline | scene @1
"""

from mtlsearch.affinity._affinity import Affinity
from mtlsearch.affinity._grouping import best_groups, tasks_to_leave_out
from mtlsearch.affinity._measure import AffinityMeasurement
from mtlsearch.affinity._plan_score import best_tree, plan_scores, similarity_threshold
from mtlsearch.affinity._recommendation import Recommendation, recommend
from mtlsearch.affinity._store import read_affinity, write_affinity

__all__ = [
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
