"""Damaged and hostile inputs: every reader raises errors of mtlsearch only, in bounded time and
memory.

The suite reads a few mutations per door. ``python -m tests.fuzz`` reads many and writes those that
fail to a folder.
"""
