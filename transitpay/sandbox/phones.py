"""A rider's phone: its device key, its authorisation, and codes drawn without a network.

The counter is on the disk before the code that carries it exists: after a crash a number may be
missing, never used twice. A new authorisation starts the count at 1 again.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from transitpay.errors import RuleViolation
from transitpay.ride_code import layout
from transitpay.ride_code.keys import generate_device_key, public_bytes
from transitpay.ride_code.signing import DevicePrivateKey, sign_code


@dataclass(frozen=True, slots=True)
class SignedAuthorisation:
    """What the wallet's answer gives the phone: 65 bytes and the issuer's 64-byte signature."""

    serial: int
    issuer_part: bytes
    issuer_signature: bytes


class Phone:
    """One device; ``state`` is the file that holds its counter."""

    def __init__(self, state: Path) -> None:
        self._state = state
        self._key: DevicePrivateKey = generate_device_key()
        self._template: layout.RideCode | None = None
        self._counter = 0

    @property
    def device_public_key(self) -> bytes:
        """The compressed P-256 point that the issuer signs into the authorisation."""
        return public_bytes(self._key)

    @property
    def rider_id(self) -> str:
        """The rider to whom the authorisation was given."""
        assert self._template is not None, "this phone has no authorisation yet"
        return self._template.authorisation.rider_id

    def install(self, authorisation: SignedAuthorisation) -> None:
        """Take an authorisation into use.

        Raises: MalformedInput (``unreadable_code``) if its bytes cannot be read.
        """
        unsigned = (
            authorisation.issuer_part
            + authorisation.issuer_signature
            + bytes(4)
            + (1).to_bytes(2, "big")
            + bytes(1)
            + bytes(layout.SIGNATURE_LENGTH)
        )
        self._template = layout.parse(unsigned)
        self._counter = 0
        self._persist()

    def draw(self, at: datetime, destination: int, slot: int = 0) -> str:
        """The text of a fresh code.

        Raises: RuleViolation (``no_authorisation``, ``quota_used_up``).
        """
        return layout.write_text(
            layout.encode(sign_code(self._next(at, destination, slot), self._key))
        )

    def draw_forged(self, at: datetime, destination: int) -> str:
        """What somebody without this device can make of it: signed by another key."""
        stranger = generate_device_key()
        code = sign_code(self._next(at, destination, 0), stranger)
        return layout.write_text(layout.encode(code))

    def _next(self, at: datetime, destination: int, slot: int) -> layout.RideCode:
        if self._template is None:
            raise RuleViolation("no_authorisation", "this phone has no authorisation yet")
        if self._counter >= self._template.authorisation.quota:
            raise RuleViolation("quota_used_up", "all codes of this authorisation are drawn")
        self._counter += 1
        self._persist()
        return replace(
            self._template,
            generated_at=int(at.timestamp()),
            counter=self._counter,
            destination=destination,
            slot=slot,
        )

    def _persist(self) -> None:
        handle = os.open(self._state, os.O_WRONLY | os.O_CREAT, 0o600)
        try:
            os.pwrite(handle, self._counter.to_bytes(8, "big"), 0)
        finally:
            os.close(handle)
