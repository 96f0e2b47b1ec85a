"""Sharing: one task model per task, with common modules wherever a sharing plan shares a unit.

A task model is an ordinary timm model. ``_build.py`` deep-copies the backbone once per task,
but puts an existing module in place of a new copy where the plan shares the unit. The modules
of a shared unit are therefore the *same objects* in several task models, so that their weights,
gradients and running statistics are shared.

In a forward pass the task models run one after the other. ``_activation_cache.py`` holds the
outputs of shared units, so that the tasks of a group compute a unit once as long as they came
the same *path*: the same groups and skips in all units before. Tasks that arrive by another
path have other inputs, and the unit runs again for them. Each such execution is a *run*.

Tasks may need some images of a batch only. ``_passes.py`` then plans on which images each task
model runs, so that a run computes the images of its tasks.

``_merge.py`` computes weights of a shared unit from those of backbones that were trained for
one task each.

``_verify.py`` checks each new cut backbone: with sharing, every task must get exactly the
features that its task model computes alone.

>>> import torch
>>> from mtlsearch.models import cut_backbone
>>> from mtlsearch.plan import SharingPlan
>>> cut = cut_backbone("test_resnet", (64, 64))
>>> plan = SharingPlan.from_splits(["boxes", "breed"], depths=[3], units=len(cut.units))
>>> backbones = cut.build_backbones(plan)
>>> boxes, breed = (backbones.task_model(task) for task in plan.tasks)
>>> boxes.layer2 is breed.layer2, boxes.layer3 is breed.layer3
(True, False)
>>> features = backbones(torch.zeros(1, 3, 64, 64))
>>> [tuple(level.shape) for level in features["breed"]]
[(1, 32, 16, 16), (1, 48, 8, 8), (1, 192, 4, 4), (1, 96, 2, 2)]
"""

from mtlsearch.models.sharing._merge import State, merge_path, merge_states
from mtlsearch.models.sharing._passes import Rows
from mtlsearch.models.sharing._prefix_store import PrefixStore, StoredOutput
from mtlsearch.models.sharing._shared_backbones import SharedBackbones, module_keys
from mtlsearch.models.sharing._verify import verify_sharing

__all__ = [
    "PrefixStore",
    "Rows",
    "SharedBackbones",
    "State",
    "StoredOutput",
    "merge_path",
    "merge_states",
    "module_keys",
    "verify_sharing",
]
