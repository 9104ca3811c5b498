"""What wallets send and get: riders, destinations, rides, refusals."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Annotated, Literal

from pydantic import Field, JsonValue

from gateway.http.fields import Cursor, Incoming, Instant, Outgoing, PageLimit, Word
from gateway.taps.tap_models import Texts

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


class PageQuery(Incoming):
    """Which page; leave ``cursor`` out for the first."""

    limit: PageLimit = 50
    cursor: Cursor | None = None


class Ride(Outgoing):
    """A journey of a rider with its fare, conversion and the state of its charge."""

    id: str
    slot: int
    network: str
    operator: str
    kind: str
    journey_state: str
    reason: str | None
    route: str | None
    entry_stop: str | None
    exit_stop: str | None
    entry_at: Instant | None
    exit_at: Instant | None
    priced_at: Instant
    service_day: date
    fare_minor: int
    fare_currency: str
    fare_lines: JsonValue
    tariff_version: str
    customer_rate: Decimal | None
    rate_effective_at: Instant | None
    charge_id: str | None
    charge_minor: int | None
    charge_currency: str | None
    charge_state: str | None
    captured_at: Instant | None
    wallet_quote: JsonValue
    refund_state: str | None
    refund_minor: int | None
    given_back: str | None


class RidesAnswer(Outgoing):
    """Newest first; ``next_cursor`` is null on the last page."""

    rides: list[Ride]
    next_cursor: str | None


class RefusalsQuery(Incoming):
    """How many of the last ones."""

    limit: PageLimit = 20


class Refusal(Outgoing):
    """A scan that opened no gate, and what the rider read there."""

    at: Instant
    network: str
    stop: str
    direction: str
    reason: str
    text: Texts


class DenialAnswer(Outgoing):
    """Why codes of the rider are refused everywhere: serials up to ``through_serial``.

    ``debt`` is why no new authorisation is given; ``revoked`` why a phone was revoked.
    """

    through_serial: int
    debt: str | None
    revoked: str | None


class RefusalsAnswer(Outgoing):
    """Newest first; ``denial`` is null for a rider in good standing."""

    refusals: list[Refusal]
    denial: DenialAnswer | None
