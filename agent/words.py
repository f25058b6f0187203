"""Words that somebody else wrote, before they reach a terminal, a log or another program's file."""

from __future__ import annotations

from typing import Any


def plain(words: Any, most: int = 500) -> str:
    """On one line and without control signs, which could forge lines or command a terminal. Cut after ``most`` letters."""
    return "".join(sign if sign.isprintable() else " " for sign in str(words)[:most]).strip()
