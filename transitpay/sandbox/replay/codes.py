"""The phones of the replayed riders: a device key, an authorisation and fresh codes for each.

Authorisations are signed here with the issuing keys of the sandbox's wallets, instead of being
asked for one by one: a wallet may hold its own issuing key. A phone is forgotten with its card's
last scan, so that memory does not grow with the number of cards.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from transitpay.money import CNY
from transitpay.ride_code import layout
from transitpay.ride_code.keys import generate_device_key, load_issuer_pem, public_bytes
from transitpay.ride_code.layout import Authorisation, RideCode
from transitpay.ride_code.signing import (
    DevicePrivateKey,
    IssuerPrivateKey,
    sign_authorisation,
    sign_code,
)
from transitpay.sandbox.places import BUS, METRO, SHENZHEN
from transitpay.sandbox.registration import WALLET_KINDS
from transitpay.sandbox.replay.plan import WALLETS, PlannedScan

#: The taps of one card lie within 16 hours.
_LIFE_H = 24
_CODE_LIFE_S = 60
_CEILING_MAJOR = 200
_QUOTA = 2000
#: How long before it is scanned a code was drawn.
_DRAWN_BEFORE_S = 2
_ISSUED_BEFORE_S = 60


@dataclass(frozen=True, slots=True)
class IssuingKey:
    """With what a wallet signs authorisations."""

    key_id: int
    private: IssuerPrivateKey


def issuing_keys(home: Path) -> Mapping[str, IssuingKey]:
    """The keys of the replay's wallets, as the registration of the sandbox made them in ``home``.

    Raises: MalformedInput (``bad_private_key``).
    """
    return {
        kind.wallet: IssuingKey(
            kind.key_id,
            load_issuer_pem((home / "keys" / f"issuer-{kind.key_id}.pem").read_bytes()),
        )
        for kind in WALLET_KINDS
        if kind.wallet in WALLETS
    }


@dataclass(slots=True)
class _Phone:
    key: DevicePrivateKey
    template: RideCode
    drawn: int = 0


class Phones:
    """Draws a code for each scan, in the order of each card's scans."""

    def __init__(self, keys: Mapping[str, IssuingKey]) -> None:
        self._keys = keys
        self._phones: dict[str, _Phone] = {}

    def draw(self, scan: PlannedScan, rider_id: str) -> str:
        """The text of the code that this rider shows at this scan."""
        card = scan.raw.card
        phone = self._phones.pop(card, None)
        if phone is None:
            phone = _new_phone(self._keys[scan.wallet], rider_id, scan.at)
        phone.drawn += 1
        code = replace(
            phone.template,
            generated_at=int(scan.at.timestamp()) - _DRAWN_BEFORE_S,
            counter=phone.drawn,
        )
        if not scan.last:
            self._phones[card] = phone
        return layout.write_text(layout.encode(sign_code(code, phone.key)))


def _new_phone(key: IssuingKey, rider_id: str, at: datetime) -> _Phone:
    device = generate_device_key()
    allowed = Authorisation(
        key_id=key.key_id,
        rider_id=rider_id,
        serial=1,
        device_key=public_bytes(device),
        not_before=int(at.timestamp()) - _ISSUED_BEFORE_S,
        life_h=_LIFE_H,
        code_life_s=_CODE_LIFE_S,
        ceiling_major=_CEILING_MAJOR,
        ceiling_currency=CNY,
        destinations=1 << SHENZHEN,
        modes=1 << METRO | 1 << BUS,
        rider_class=0,
        max_companions=0,
        quota=_QUOTA,
    )
    signature = sign_authorisation(allowed, key.private)
    return _Phone(device, RideCode(allowed, signature, 0, 1, SHENZHEN))
