"""Gives out authorisations: which key signs, with which limits, and the signed bytes.

Hosted issuing: a wallet's private keys lie in ``<home>/keys/issuer-<key id>.pem``. A wallet that
signs by itself has no file here and no use of this module.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from transitpay.destinations import bitmap, mode_number
from transitpay.errors import Conflict, MalformedInput, RuleViolation, TemporarilyUnavailable
from transitpay.money import currency
from transitpay.postgres.riders import IssuedAuthorisation, Rider
from transitpay.ride_code.keys import algorithm_of, load_issuer_pem, public_bytes
from transitpay.ride_code.layout import Authorisation, encode_authorisation, rider_bytes
from transitpay.ride_code.signing import IssuerPrivateKey, load_point, sign_authorisation
from transitpay.ride_code.trust_list import IssuerKey, KeyStatus, TrustList

DEFAULT_LIFE_H = 72
LONGEST_LIFE_H = 168
DEFAULT_CEILING_MAJOR = 500
CODE_LIFE_S = 60
QUOTA = 2000
#: Light Rail, Airport Express, MTR Bus, First Class and Business Car take no ride codes.
MODES = bitmap([mode_number("metro"), mode_number("bus")])
_LAST_SERIAL = 2**32 - 1


@dataclass(frozen=True, slots=True)
class Wish:
    """What a wallet asks for; ``device_key`` is a compressed P-256 point."""

    request_id: str
    device_key: bytes
    life_h: int = DEFAULT_LIFE_H
    ceiling_major: int = DEFAULT_CEILING_MAJOR
    max_companions: int = 0


class IssuerKeys:
    """Private keys by key id, read from the folder when first needed."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._loaded: dict[tuple[int, bytes], IssuerPrivateKey] = {}

    def signing_key(
        self, trust: TrustList, issuer: str, at: datetime
    ) -> tuple[IssuerKey, IssuerPrivateKey]:
        """The wallet's newest active key whose private half is here.

        Raises: TemporarilyUnavailable (``no_issuer_key``).
        """
        usable = [
            key
            for key in trust.keys.values()
            if key.issuer == issuer
            and key.status is KeyStatus.ACTIVE
            and key.not_before <= at < key.not_after
        ]
        for key in sorted(usable, key=lambda k: (k.not_before, k.key_id), reverse=True):
            private = self._private(key)
            if private is not None:
                return key, private
        raise TemporarilyUnavailable("no_issuer_key", "this wallet has no active issuing key here")

    def _private(self, key: IssuerKey) -> IssuerPrivateKey | None:
        known = self._loaded.get((key.key_id, key.public_key))
        if known is not None:
            return known
        try:
            found = load_issuer_pem(issuer_key_file(self._folder, key.key_id).read_bytes())
        except (OSError, MalformedInput):
            return None
        if algorithm_of(found) != key.algorithm or public_bytes(found) != key.public_key:
            return None
        self._loaded[key.key_id, key.public_key] = found
        return found


def issuer_key_file(folder: Path, key_id: int) -> Path:
    """Where the private half of an issuer key lies."""
    return folder / f"issuer-{key_id}.pem"


def issue(
    wish: Wish,
    rider: Rider,
    serial: int,
    ceiling_currency: str,
    key: IssuerKey,
    private: IssuerPrivateKey,
    at: datetime,
) -> IssuedAuthorisation:
    """The signed authorisation; it begins at ``at``, whole seconds.

    Raises: MalformedInput (``bad_device_key``), RuleViolation (``no_destination``,
    ``serials_used_up``).
    """
    if load_point(wish.device_key) is None:
        raise MalformedInput(
            "bad_device_key", "not a compressed P-256 point", field="device_public_key"
        )
    destinations = bitmap(rider.destinations) & key.destinations
    if not destinations:
        raise RuleViolation("no_destination", "the rider has no destination that this key serves")
    if serial > _LAST_SERIAL:
        raise RuleViolation("serials_used_up", "this rider has had every serial")
    begins = int(at.timestamp())
    content = Authorisation(
        key_id=key.key_id,
        rider_id=rider.rider_id,
        serial=serial,
        device_key=wish.device_key,
        not_before=begins,
        life_h=wish.life_h,
        code_life_s=CODE_LIFE_S,
        ceiling_major=wish.ceiling_major,
        ceiling_currency=currency(ceiling_currency),
        destinations=destinations,
        modes=MODES & key.modes,
        rider_class=0,
        max_companions=wish.max_companions,
        quota=QUOTA,
    )
    not_before = datetime.fromtimestamp(begins, UTC)
    return IssuedAuthorisation(
        issuer=rider.issuer,
        rider_id=rider.rider_id,
        serial=serial,
        request_id=wish.request_id,
        device_key=wish.device_key,
        issuer_part=encode_authorisation(content),
        signature=sign_authorisation(content, private),
        not_before=not_before,
        not_after=not_before + timedelta(hours=wish.life_h),
        issued_at=at,
    )


def check_same_request(wish: Wish, rider_id: str, given: IssuedAuthorisation) -> None:
    """That a repeated request asks for what it asked for before.

    Raises: Conflict (``request_repeated``).
    """
    life = (given.not_after - given.not_before) // timedelta(hours=1)
    part = given.issuer_part
    # Offsets of the layout: ceiling 54-55, companions in the low half of 60.
    ceiling, companions = int.from_bytes(part[54:56], "big"), part[60] >> 2 & 3
    same = (
        given.rider_id == rider_id
        and part[3:11] == rider_bytes(rider_id)
        and given.device_key == wish.device_key
        and (life, ceiling, companions) == (wish.life_h, wish.ceiling_major, wish.max_companions)
    )
    if not same:
        raise Conflict(
            "request_repeated",
            "this request id was used for another authorisation",
            field="request_id",
        )
