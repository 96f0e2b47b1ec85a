"""All trials of a run as one pandas table, ranked.

>>> from mtlsearch.leaderboard import leaderboard
>>> list(leaderboard([]).columns)[:4]
['trial', 'state', 'role', 'delta_m']
"""

from mtlsearch.leaderboard._frame import leaderboard
from mtlsearch.leaderboard._pareto import pareto_front

__all__ = ["leaderboard", "pareto_front"]
