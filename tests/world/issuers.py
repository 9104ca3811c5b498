"""A wallet of the world: it issues, re-issues, loses a key, denies riders and releases them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from transitpay.money import HKD
from transitpay.ride_code import keys
from transitpay.ride_code.layout import Authorisation
from transitpay.ride_code.signing import Algorithm, sign_authorisation
from transitpay.ride_code.trust_list import IssuerKey, KeyStatus

from .key_pool import RepeatableKey, repeatable_key
from .scheduler import Scheduler

ALLOWED = 0b11
QUOTA = 2000


@dataclass(frozen=True, slots=True)
class Issued:
    """An authorisation and its issuer's signature."""

    authorisation: Authorisation
    signature: bytes


@dataclass(slots=True)
class Issuer:
    """One wallet; ``records`` are its keys as the trust list carries them, by key id."""

    name: str
    number: int
    scheduler: Scheduler
    records: dict[int, IssuerKey] = field(default_factory=dict)
    serials: dict[str, int] = field(default_factory=dict)
    #: Rider id -> the highest serial that is denied.
    denied: dict[str, int] = field(default_factory=dict)
    #: (rider id, serial) -> since when.
    denied_at: dict[tuple[str, int], datetime] = field(default_factory=dict)
    _key: RepeatableKey = field(init=False)
    _key_id: int = 0

    def __post_init__(self) -> None:
        self.new_key()

    def new_key(self) -> None:
        """A further issuing key, with which everything is signed from now on."""
        self._key_id = self.number * 10 + len(self.records)
        self._key = repeatable_key(f"issuer {self._key_id}")
        begin = self.scheduler.now - timedelta(days=30)
        self.records[self._key_id] = IssuerKey(
            self._key_id, Algorithm.ES256, keys.public_bytes(self._key), self.name, ALLOWED,
            ALLOWED, begin, begin + timedelta(days=365), issuer_number=self.number,
        )  # fmt: skip

    def compromise(self) -> int:
        """The issuing key is in wrong hands: withdraw it, take another; the key id withdrawn."""
        lost = self._key_id
        it = self.records[lost]
        self.records[lost] = IssuerKey(
            it.key_id, it.algorithm, it.public_key, it.issuer, it.destinations, it.modes,
            it.not_before, it.not_after, KeyStatus.COMPROMISED, it.test,
            _second(self.scheduler.now), it.issuer_number,
        )  # fmt: skip
        self.new_key()
        return lost

    def issue(self, rider: str, device_key: bytes, life_h: int) -> Issued:
        """The next authorisation of this rider, for this device."""
        rider_id = rider_id_of(rider)
        self.serials[rider_id] = serial = self.serials.get(rider_id, 0) + 1
        allowed = Authorisation(
            key_id=self._key_id,
            rider_id=rider_id,
            serial=serial,
            device_key=device_key,
            not_before=int(self.scheduler.now.timestamp()) - 60,
            life_h=life_h,
            code_life_s=60,
            ceiling_major=500,
            ceiling_currency=HKD,
            destinations=ALLOWED,
            modes=ALLOWED,
            rider_class=0,
            max_companions=2,
            quota=QUOTA,
        )
        return Issued(allowed, sign_authorisation(allowed, self._key))

    def deny(self, rider: str) -> None:
        """Stop all authorisations that this rider has; the next serial is free again."""
        rider_id = rider_id_of(rider)
        for serial in range(self.denied.get(rider_id, 0) + 1, self.serials[rider_id] + 1):
            self.denied_at[rider_id, serial] = _second(self.scheduler.now)
        self.denied[rider_id] = self.serials[rider_id]


def rider_id_of(rider: str) -> str:
    """The opaque id of a rider."""
    return hashlib.sha256(rider.encode()).hexdigest()[:16]


def _second(at: datetime) -> datetime:
    return at.replace(microsecond=0)
