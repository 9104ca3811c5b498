"""What wallets send and get about authorisations of phones: issue, report, renew, revoke."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from gateway.http.fields import Cursor, Id, Incoming, Instant, Outgoing, PageLimit, Sentence
from transitpay.ride_code.issuing import (
    DEFAULT_CEILING_MAJOR,
    DEFAULT_LIFE_H,
    DEFAULT_QUOTA,
    LONGEST_LIFE_H,
)

Serial = Annotated[int, Field(ge=1, le=2**32 - 1)]


class AuthorisationRequest(Incoming):
    """One device's permission to draw codes. ``request_id`` is your key: twice is once.

    ``device_public_key`` is a compressed P-256 point in lower-case hex; ``ceiling_major`` the
    highest fare you stand for, in whole units of your currency; ``quota`` how many codes the phone
    may draw.
    """

    request_id: Id
    device_public_key: Annotated[str, Field(pattern=r"^0[23][0-9a-f]{64}$")]
    life_hours: Annotated[int, Field(ge=1, le=LONGEST_LIFE_H)] = DEFAULT_LIFE_H
    ceiling_major: Annotated[int, Field(ge=1, le=65535)] = DEFAULT_CEILING_MAJOR
    max_companions: Annotated[int, Field(ge=0, le=2)] = 0
    rider_class: Annotated[int, Field(ge=0, le=15)] = 0
    quota: Annotated[int, Field(ge=1, le=65535)] = DEFAULT_QUOTA


class AuthorisationAnswer(Outgoing):
    """What the phone needs: 65 signed bytes and the 64-byte signature, both in hex.

    Ask for the next one at ``renew_at``.
    """

    serial: int
    issuer_part: str
    signature: str
    not_before: Instant
    not_after: Instant
    renew_at: Instant
    server_time: Instant


class SignedAuthorisation(Incoming):
    """An authorisation that your own key signed, in lower-case hex; report it before it is used."""

    issuer_part: Annotated[str, Field(pattern=r"^[0-9a-f]{130}$")]
    signature: Annotated[str, Field(pattern=r"^[0-9a-f]{128}$")]


class CurrentAuthorisation(Outgoing):
    """The newest authorisation of one device; ``replaces`` is the serial it was re-issued for."""

    serial: int
    issuer_part: str
    signature: str
    not_before: Instant
    not_after: Instant
    renew_at: Instant
    device_public_key: str
    key_id: int
    replaces: int | None


class CurrentAnswer(Outgoing):
    """What opens gates now, one a device, by serial; serials up to ``denied_through`` do not."""

    authorisations: list[CurrentAuthorisation]
    denied_through: int
    server_time: Instant


class RenewalsQuery(Incoming):
    """Which page; leave ``cursor`` out for the first."""

    limit: PageLimit = 50
    cursor: Cursor | None = None


class RenewalDue(Outgoing):
    """A device whose authorisation must be replaced.

    ``reissued``: signed again, fetch it; ``key_compromised``: no gate takes it and nobody has
    signed it again; ``ends``: its time to renew has come.
    """

    rider_id: str
    serial: int
    device_public_key: str
    not_after: Instant
    reason: Literal["reissued", "key_compromised", "ends"]


class RenewalsAnswer(Outgoing):
    """By rider and serial; ``next_cursor`` is null on the last page."""

    renewals: list[RenewalDue]
    next_cursor: str | None


class RevocationRequest(Incoming):
    """A phone is lost: its authorisation, and every one before it, opens no gate any more."""

    through_serial: Serial
    reason: Sentence


class RevocationAnswer(Outgoing):
    """The revocation is stored; the deny list has it within seconds."""

    rider_id: str
    through_serial: int
