"""All trials of a run as one pandas table, ranked.

>>> from mtlsearch.leaderboard import leaderboard
>>> list(leaderboard([]).columns)[:4]
['trial', 'state', 'role', 'delta_m']
"""

from mtlsearch.leaderboard._frame import leaderboard
from mtlsearch.leaderboard._pareto import front_of

__all__ = ["front_of", "leaderboard"]
