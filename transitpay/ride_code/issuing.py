"""Authorisations: made for a wallet that lets us sign, checked where it signs by itself.

Pure: which key signs, which serial is next and what is stored is decided elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from transitpay.destinations import bitmap, mode_number
from transitpay.errors import Conflict, MalformedInput, RuleViolation
from transitpay.money import Currency
from transitpay.ride_code.layout import (
    Authorisation,
    encode_authorisation,
    parse_authorisation,
)
from transitpay.ride_code.signing import IssuerPrivateKey, load_point, sign_authorisation
from transitpay.ride_code.trust_list import IssuerKey, KeyStatus

DEFAULT_LIFE_H = 72
LONGEST_LIFE_H = 168
DEFAULT_CEILING_MAJOR = 500
DEFAULT_QUOTA = 2000
CODE_LIFE_S = 60
#: Light Rail, Airport Express, MTR Bus, First Class and Business Car take no ride codes.
MODES = bitmap([mode_number("metro"), mode_number("bus")])
LAST_SERIAL = 2**32 - 1


@dataclass(frozen=True, slots=True)
class Wish:
    """What a wallet asks for; ``device_key`` is a compressed P-256 point."""

    request_id: str
    device_key: bytes
    life_h: int = DEFAULT_LIFE_H
    ceiling_major: int = DEFAULT_CEILING_MAJOR
    max_companions: int = 0
    rider_class: int = 0
    quota: int = DEFAULT_QUOTA


@dataclass(frozen=True, slots=True)
class IssuedAuthorisation:
    """An authorisation as it was given out: the 65 signed bytes and the issuer's signature.

    ``request_id`` is None where no wallet asked: ``replaces`` then is the serial that was signed
    again.
    """

    issuer: str
    rider_id: str
    serial: int
    request_id: str | None
    device_key: bytes
    issuer_part: bytes = field(repr=False)
    signature: bytes = field(repr=False)
    not_before: datetime
    not_after: datetime
    issued_at: datetime
    replaces: int | None = None

    @property
    def content(self) -> Authorisation:
        """What the bytes say."""
        return parse_authorisation(self.issuer_part)


def issue(
    wish: Wish,
    issuer: str,
    rider_id: str,
    rider_destinations: int,
    serial: int,
    ceiling_currency: Currency,
    key: IssuerKey,
    private: IssuerPrivateKey,
    at: datetime,
) -> IssuedAuthorisation:
    """The signed authorisation; it begins at ``at``, whole seconds.

    ``rider_destinations`` is a bitmap; what the key does not serve is left out.

    Raises: MalformedInput (``bad_device_key``), RuleViolation (``no_destination``,
    ``serials_used_up``).
    """
    if load_point(wish.device_key) is None:
        raise _bad_device_key("device_public_key")
    destinations = rider_destinations & key.destinations
    if not destinations:
        raise RuleViolation("no_destination", "the rider has no destination that this key serves")
    if serial > LAST_SERIAL:
        raise RuleViolation("serials_used_up", "this rider has had every serial")
    content = Authorisation(
        key_id=key.key_id,
        rider_id=rider_id,
        serial=serial,
        device_key=wish.device_key,
        not_before=int(at.timestamp()),
        life_h=wish.life_h,
        code_life_s=CODE_LIFE_S,
        ceiling_major=wish.ceiling_major,
        ceiling_currency=ceiling_currency,
        destinations=destinations,
        modes=MODES & key.modes,
        rider_class=wish.rider_class,
        max_companions=wish.max_companions,
        quota=wish.quota,
    )
    signature = sign_authorisation(content, private)
    return _issued(issuer, content, signature, at, wish.request_id)


def reissue(
    given: IssuedAuthorisation,
    serial: int,
    key: IssuerKey,
    private: IssuerPrivateKey,
    at: datetime,
) -> IssuedAuthorisation | None:
    """The same permission for the same device under another key and the next serial.

    It begins and ends when the old one did. None where the key serves none of its destinations,
    or the rider has had every serial.
    """
    content = given.content
    destinations = content.destinations & key.destinations
    if not destinations or serial > LAST_SERIAL:
        return None
    content = replace(
        content,
        key_id=key.key_id,
        serial=serial,
        destinations=destinations,
        modes=content.modes & key.modes,
    )
    made = _issued(given.issuer, content, sign_authorisation(content, private), at, None)
    return replace(made, replaces=given.serial)


def signed_elsewhere(
    issuer: str,
    rider_id: str,
    rider_destinations: int,
    issuer_part: bytes,
    signature: bytes,
    keys: Mapping[int, IssuerKey],
    at: datetime,
) -> IssuedAuthorisation:
    """What a wallet signed by itself, checked against its key and its rider; not its serial.

    Raises: MalformedInput (``bad_authorisation``, ``bad_device_key``, ``bad_issuer_signature``),
    RuleViolation (``key_not_usable``, ``rights_exceeded``).
    """
    try:
        content = parse_authorisation(issuer_part)
    except MalformedInput as error:
        why = f"{error.field}: {error.message}" if error.field else error.message
        raise MalformedInput("bad_authorisation", why, field="issuer_part") from None
    if content.rider_id != rider_id or content.serial < 1:
        raise MalformedInput(
            "bad_authorisation", "it names another rider, or serial 0", field="issuer_part"
        )
    key = keys.get(content.key_id)
    if key is None or key.issuer != issuer or key.status is not KeyStatus.ACTIVE:
        raise RuleViolation("key_not_usable", "this is no active key of yours", field="issuer_part")
    begins = datetime.fromtimestamp(content.not_before, UTC)
    if not key.not_before <= begins < key.not_after:
        raise RuleViolation(
            "key_not_usable", "it begins outside the validity of its key", field="issuer_part"
        )
    allowed = key.destinations & rider_destinations
    if not content.destinations or content.destinations & ~allowed or content.modes & ~key.modes:
        raise RuleViolation(
            "rights_exceeded",
            "it grants a destination or mode that the key or the rider does not have",
            field="issuer_part",
        )
    if load_point(content.device_key) is None:
        raise _bad_device_key("issuer_part")
    if not key.verifier.accepts(signature, issuer_part):
        raise MalformedInput(
            "bad_issuer_signature", "the key did not sign these bytes", field="signature"
        )
    return _issued(issuer, content, signature, at, None)


def renew_at(given: IssuedAuthorisation, key: IssuerKey) -> datetime:
    """When the wallet should fetch the next one: half of the life that is left to it.

    So a phone that renews in time may be offline for at least the other half. A key that ends
    earlier cuts the life; a compromised one asks for renewal since then.
    """
    if key.status is KeyStatus.COMPROMISED:
        return max(given.not_before, key.compromised_at or given.not_before)
    ends = max(given.not_before, min(given.not_after, key.not_after))
    return given.not_before + (ends - given.not_before) / 2


def check_same_request(wish: Wish, rider_id: str, given: IssuedAuthorisation) -> None:
    """That a repeated request asks for what it asked for before.

    Raises: Conflict (``request_repeated``).
    """
    it = given.content
    known = Wish(
        wish.request_id, it.device_key, it.life_h, it.ceiling_major, it.max_companions,
        it.rider_class, it.quota,
    )  # fmt: skip
    if (known, given.rider_id) != (wish, rider_id):
        raise Conflict(
            "request_repeated",
            "this request id was used for another authorisation",
            field="request_id",
        )


def _issued(
    issuer: str, content: Authorisation, signature: bytes, at: datetime, request_id: str | None
) -> IssuedAuthorisation:
    not_before = datetime.fromtimestamp(content.not_before, UTC)
    return IssuedAuthorisation(
        issuer=issuer,
        rider_id=content.rider_id,
        serial=content.serial,
        request_id=request_id,
        device_key=content.device_key,
        issuer_part=encode_authorisation(content),
        signature=signature,
        not_before=not_before,
        not_after=not_before + timedelta(hours=content.life_h),
        issued_at=at,
    )


def _bad_device_key(name: str) -> MalformedInput:
    return MalformedInput("bad_device_key", "not a compressed P-256 point", field=name)
