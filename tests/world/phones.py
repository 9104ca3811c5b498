"""A phone of the world: it draws codes without a network, by a clock that may be wrong."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime

from transitpay.ride_code import keys, layout
from transitpay.ride_code.layout import RideCode
from transitpay.ride_code.signing import sign_code
from transitpay.ride_code.verdict import ReplayKey

from .clocks import PhoneClock
from .issuers import Issued, Issuer
from .key_pool import RepeatableKey, repeatable_key


@dataclass(frozen=True, slots=True)
class Drawn:
    """A code on a screen, and what the world knows of it."""

    text: str
    code: RideCode
    drawn_at: datetime
    rider: str

    @property
    def replay_key(self) -> ReplayKey:
        """What makes this code this code."""
        it = self.code.authorisation
        return ReplayKey(it.device_key, it.not_before, it.serial, self.code.counter)


@dataclass(slots=True)
class Phone:
    """One device of a rider. Its key is made with each authorisation, as a real one's is."""

    rider: str
    issuer: Issuer
    clock: PhoneClock
    device: str
    _key: RepeatableKey | None = None
    _issued: Issued | None = None
    _counter: int = 0
    _installed: int = field(default=0)

    @property
    def authorisation(self) -> layout.Authorisation | None:
        """The one in use."""
        return self._issued.authorisation if self._issued else None

    def go_online(self, life_h: int) -> None:
        """Fetch a new authorisation for a new device key."""
        self._installed += 1
        self._key = repeatable_key(f"device {self.device} {self._installed}")
        self._issued = self.issuer.issue(self.rider, keys.public_bytes(self._key), life_h)
        self._counter = 0

    def restored(self, device: str, clock: PhoneClock) -> Phone:
        """A second phone from this one's backup, key and counter included."""
        return Phone(
            self.rider, self.issuer, clock, device, self._key, self._issued, self._counter,
            self._installed,
        )  # fmt: skip

    def draw(self, destination: int, slot: int = 0) -> Drawn:
        """A fresh code by this phone's own clock."""
        assert self._key is not None and self._issued is not None, "it was online once"
        self._counter += 1
        shown = self.clock.now
        unsigned = RideCode(
            self._issued.authorisation, self._issued.signature, int(shown.timestamp()),
            self._counter, destination, slot,
        )  # fmt: skip
        code = sign_code(unsigned, self._key)
        return Drawn(layout.write_text(layout.encode(code)), code, shown, self.rider)

    def forge(self, destination: int) -> Drawn:
        """What a stranger makes of this phone's authorisation: signed with another key."""
        honest = self.draw(destination)
        code = sign_code(replace(honest.code), repeatable_key("stranger"))
        return replace(honest, text=layout.write_text(layout.encode(code)), code=code)
