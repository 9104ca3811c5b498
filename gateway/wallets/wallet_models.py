"""What wallets send and get: riders, tokens, destinations."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from gateway.http.fields import Incoming, Outgoing, Word

Destination = Literal["hong-kong", "shenzhen", "guangzhou", "zhongshan", "foshan"]
AccessToken = Annotated[str, Field(pattern=r"^[\x21-\x7e]{1,128}$", repr=False)]


class EnrolRequest(Incoming):
    """A rider of yours. ``account_ref`` is your own opaque reference; no phone number, no name."""

    account_ref: Word
    access_token: AccessToken
    destination: Destination


class RiderAnswer(Outgoing):
    """The rider as we know one."""

    rider_id: str
    destinations: list[str]


class TokenRequest(Incoming):
    """The token by which the rider is charged from now on."""

    access_token: AccessToken


class DestinationRequest(Incoming):
    """A destination that the rider switched on."""

    destination: Destination
