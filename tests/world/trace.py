"""The event log of a world: every line counts in one digest, equal for equal seeds."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import datetime


class Trace:
    """Lines of (true time, actor, what happened)."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self._digest = hashlib.sha256()
        self.lines: list[str] = []

    def note(self, actor: str, what: str, **facts: object) -> None:
        """Write one line; facts stand in the order given."""
        told = "".join(f" {name}={value}" for name, value in facts.items())
        line = f"{self._now():%m-%d %H:%M:%S.%f} {actor} {what}{told}"
        self.lines.append(line)
        self._digest.update(line.encode() + b"\n")

    @property
    def digest(self) -> str:
        """SHA-256 of all lines so far."""
        return self._digest.hexdigest()
