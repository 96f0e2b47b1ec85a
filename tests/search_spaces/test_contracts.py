"""The built-in search spaces keep the contract."""

from __future__ import annotations

from typing import ClassVar

from mtlsearch_search_spaces.hard import HardSpace
from mtlsearch_search_spaces.independent import IndependentSpace
from mtlsearch_search_spaces.tree import TreeSpace

from mtlsearch.testing import SpaceContract


class TestHard(SpaceContract):
    space = HardSpace


class TestIndependent(SpaceContract):
    space = IndependentSpace


class TestTree(SpaceContract):
    space = TreeSpace


class TestTreeWithASharedStem(SpaceContract):
    space = TreeSpace
    settings: ClassVar = {"first_shared": 2}
