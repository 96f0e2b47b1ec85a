"""Structured pruning: whole channels inside the units of a trained network are removed.

:func:`prune_network` removes the least important channels until the network needs at most a
number of FLOPs. :func:`fit_channels` gives an unpruned network the channels of stored weights.

Only channels inside units are removed. The feature levels keep theirs, so that heads, teachers
and adapters fit any pruned network, and no code of a head is traced.
"""

from mtlsearch.models.pruning._fit_channels import fit_channels
from mtlsearch.models.pruning._prune_network import Importance, Pruned, prune_network

__all__ = ["Importance", "Pruned", "fit_channels", "prune_network"]
