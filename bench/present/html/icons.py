"""The drawn sign of each state, which stands beside its word: colour is never the only one."""

from __future__ import annotations

ICONS = {"timeout": "late", "memory": "cross", "failed": "cross", "crashed": "cross", "invalid": "cross"} | {
    "unsupported": "dash", "unavailable": "dash", "met": "check", "reference": "ring", "point": "ring",
    "interrupted": "dot", "unchecked": "dot",
}  # fmt: skip
"""Every other state has a triangle; names are those of the page's symbols."""


def icon(state: str) -> str:
    """The sign of a state."""
    return ICONS.get(state, "warn")
