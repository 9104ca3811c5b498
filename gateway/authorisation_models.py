"""What wallets send and get about authorisations of phones: issue, revoke."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from gateway.fields import Id, Incoming, Instant, Outgoing, Sentence
from gateway.issuing import DEFAULT_CEILING_MAJOR, DEFAULT_LIFE_H, LONGEST_LIFE_H

Serial = Annotated[int, Field(ge=1, le=2**32 - 1)]


class AuthorisationRequest(Incoming):
    """One device's permission to draw codes. ``request_id`` is your key: twice is once.

    ``device_public_key`` is a compressed P-256 point in lower-case hex; ``ceiling_major`` the
    highest fare you stand for, in whole units of your currency.
    """

    request_id: Id
    device_public_key: Annotated[str, Field(pattern=r"^0[23][0-9a-f]{64}$")]
    life_hours: Annotated[int, Field(ge=1, le=LONGEST_LIFE_H)] = DEFAULT_LIFE_H
    ceiling_major: Annotated[int, Field(ge=1, le=65535)] = DEFAULT_CEILING_MAJOR
    max_companions: Annotated[int, Field(ge=0, le=2)] = 0


class AuthorisationAnswer(Outgoing):
    """What the phone needs: 65 signed bytes and the 64-byte signature, both in hex."""

    serial: int
    issuer_part: str
    signature: str
    not_before: Instant
    not_after: Instant
    server_time: Instant


class RevocationRequest(Incoming):
    """A phone is lost: its authorisation, and every one before it, opens no gate any more."""

    through_serial: Serial
    reason: Sentence


class RevocationAnswer(Outgoing):
    """The revocation is stored; the deny list has it within seconds."""

    rider_id: str
    through_serial: int
