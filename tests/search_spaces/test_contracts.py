"""Contract tests of the built-in search spaces."""

from __future__ import annotations

from typing import ClassVar

from mtlsearch_search_spaces.branch import BranchSpace
from mtlsearch_search_spaces.hard import HardSpace
from mtlsearch_search_spaces.independent import IndependentSpace
from mtlsearch_search_spaces.layerwise import LayerwiseSpace
from mtlsearch_search_spaces.skip import SkipSpace
from mtlsearch_search_spaces.tree import TreeSpace

from mtlsearch.testing import SpaceContract


class TestBranch(SpaceContract):
    space = BranchSpace


class TestHard(SpaceContract):
    space = HardSpace


class TestIndependent(SpaceContract):
    space = IndependentSpace


class TestTree(SpaceContract):
    space = TreeSpace


class TestTreeWithASharedStem(SpaceContract):
    space = TreeSpace
    settings: ClassVar = {"first_shared": 2}


class TestLayerwise(SpaceContract):
    space = LayerwiseSpace


class TestLayerwiseWithASharedStem(SpaceContract):
    space = LayerwiseSpace
    settings: ClassVar = {"first_shared": 1, "norm_statistics": "shared"}


class TestSkip(SpaceContract):
    space = SkipSpace


class TestSkipWithSharedStatistics(SpaceContract):
    space = SkipSpace
    settings: ClassVar = {"norm_statistics": "shared"}
