"""Symbols that mark trials in a table."""

from __future__ import annotations

BEST = "★"
FRONT = "◆"
NOISE = "?"
NOT_COUNTED = "○"
OVER_LIMITS = "✗"
SATURATED = "●"
TIED = "≈"
ZERO_CLASS = "†"
