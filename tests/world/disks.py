"""A reader's disk: what is not synced may be lost, or half written, when the power goes."""

from __future__ import annotations

import random
from dataclasses import dataclass, field


@dataclass(slots=True)
class Disk:
    """Append-only files by name; ``durable`` is what survives, ``written`` what is asked for."""

    chance: random.Random
    durable: dict[str, bytes] = field(default_factory=dict)
    written: dict[str, bytearray] = field(default_factory=dict)

    def append(self, name: str, data: bytes) -> None:
        """Write at the end; not yet durable."""
        self._file(name).extend(data)

    def replace(self, name: str, data: bytes) -> None:
        """Replace the whole file at once and durably: written beside, synced, renamed."""
        self.written[name] = bytearray(data)
        self.durable[name] = data

    def sync(self, name: str) -> None:
        """Everything written so far survives."""
        self.durable[name] = bytes(self._file(name))

    def read(self, name: str) -> bytes:
        """The file as a process sees it."""
        return bytes(self._file(name))

    def power_loss(self) -> None:
        """Of what was not synced a random prefix survives, its last bytes perhaps torn."""
        for name, written in sorted(self.written.items()):
            safe = self.durable.get(name, b"")
            tail = bytes(written[len(safe) :])
            kept = tail[: self.chance.randint(0, len(tail))] if tail else b""
            self.durable[name] = safe + kept
            self.written[name] = bytearray(self.durable[name])

    def _file(self, name: str) -> bytearray:
        return self.written.setdefault(name, bytearray(self.durable.get(name, b"")))
