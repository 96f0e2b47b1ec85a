"""Symbols that mark trials in a table."""

from __future__ import annotations

BEST = "★"
FRONT = "◆"
OVER_LIMITS = "✗"
TIED = "≈"
