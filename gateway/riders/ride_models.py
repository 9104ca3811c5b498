"""A ride as its rider sees it, and as support reads it."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Literal

from pydantic import JsonValue

from gateway.http.fields import Cursor, Incoming, Instant, JourneyId, Outgoing, PageLimit
from gateway.taps.tap_models import Texts

RideFlag = Literal["late", "crossed_accounts"]


class RidesQuery(Incoming):
    """Which page; leave ``cursor`` out for the first."""

    limit: PageLimit = 50
    cursor: Cursor | None = None


class RideQuery(Incoming):
    """Which ride: the id of any of its revisions."""

    ride_id: JourneyId


class Filled(Outgoing):
    """Who or what says where the rider was at the end that has no scan; by open gates perhaps
    several stations, of which the cheapest counts."""

    by: Literal["open_gates", "rider", "operator", "habit"]
    stops: list[str]
    names: list[Texts]


class Correction(Outgoing):
    """What stood before, and why it changed. ``net_minor``: more to pay, less than 0 a refund,
    without what the wallet refuses to give back, with what it had refused before and gives or pays
    with now; null while there is no rate."""

    why: str
    text: Texts
    at: Instant
    fare_minor: int
    charge_minor: int | None
    net_minor: int | None


class RideFareLine(Outgoing):
    """One part of the fare, in its currency; together they are the fare.

    ``note`` is what the tariff says of the rule, in its author's words.
    """

    code: str
    text: Texts
    note: str | None
    amount_minor: int


class Ride(Outgoing):
    """A journey of a rider with its fare, conversion, the state of its charge, and corrections.

    ``id`` names the revision that stands, ``key`` the ride for ever. ``net_charge_minor`` is what
    the rider pays in the end; ``owed_to_rider_minor`` what was paid beyond that and the wallet
    refused to give back: null where nothing is owed to the rider. ``awaits_refund``: a correction,
    or what is to be paid for it, waits until the wallet says what became of a refund.
    """

    id: str
    key: str
    revision: int
    slot: int
    network: str
    operator: str
    kind: str
    journey_state: str
    reason: str | None
    route: str | None
    entry_stop: str | None
    exit_stop: str | None
    entry_name: Texts | None
    exit_name: Texts | None
    entry_at: Instant | None
    exit_at: Instant | None
    filled: Filled | None
    excuse: str | None
    flags: list[RideFlag]
    priced_at: Instant
    service_day: date
    ended_at: Instant | None
    fare_minor: int
    fare_currency: str
    fare_lines: list[RideFareLine]
    tariff_version: str
    customer_rate: Decimal | None
    rate_effective_at: Instant | None
    charge_id: str | None
    charge_minor: int | None
    charge_currency: str | None
    charge_state: str | None
    net_charge_minor: int | None
    captured_at: Instant | None
    wallet_quote: JsonValue
    refund_state: str | None
    refund_minor: int | None
    owed_to_rider_minor: int | None
    owed_text: Texts | None
    awaits_refund: bool
    awaits_text: Texts | None
    given_back: str | None
    correction: Correction | None


class RidesAnswer(Outgoing):
    """Newest first; ``next_cursor`` is null on the last page."""

    rides: list[Ride]
    next_cursor: str | None


class Revision(Outgoing):
    """What was booked once; ``ended_at`` null = it stands."""

    id: str
    reason: str | None
    entry_stop: str | None
    exit_stop: str | None
    entry_at: Instant | None
    exit_at: Instant | None
    filled_by: str | None
    excuse: str | None
    cleared_at: Instant
    fare_minor: int
    fare_currency: str
    fare_lines: list[RideFareLine]
    tariff_version: str
    charge_minor: int | None
    charge_currency: str | None
    ended_at: Instant | None


class RideAnswer(Outgoing):
    """A ride and all that was ever booked for it, oldest first."""

    ride: Ride
    revisions: list[Revision]


class RefusalsQuery(Incoming):
    """How many of the last ones."""

    limit: PageLimit = 20


class Refusal(Outgoing):
    """A scan that opened no gate, and what the rider read there."""

    at: Instant
    network: str
    stop: str
    stop_name: Texts
    direction: str
    reason: str
    text: Texts


class Owed(Outgoing):
    """An amount that could not be collected."""

    minor: int
    currency: str


class DenialReason(Outgoing):
    """Why codes are refused, and what to do. ``until`` is when a suspension ends by itself."""

    code: Literal["arrears", "missing_exits", "evasion", "revoked"]
    text: Texts
    since: Instant | None
    until: Instant | None
    network: str | None
    owed: list[Owed]
    note: str | None


class Denial(Outgoing):
    """Codes of authorisations with a serial up to ``through_serial`` are refused everywhere.

    ``reasons`` is empty in the seconds in which a denial is lifted.
    """

    through_serial: int
    reasons: list[DenialReason]


class RefusalsAnswer(Outgoing):
    """Newest first; ``denial`` is null for a rider in good standing."""

    refusals: list[Refusal]
    denial: Denial | None
