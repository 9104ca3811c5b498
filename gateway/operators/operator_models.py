"""What operators and the house's own people send and get: refunds, journeys, files, reports."""

from __future__ import annotations

from datetime import date

from gateway.http.fields import (
    Cursor,
    Day,
    Incoming,
    Instant,
    JourneyId,
    Outgoing,
    PageLimit,
    Sentence,
    ShortId,
)
from gateway.riders.ride_models import RideFareLine, RideFlag


class RefundWish(Incoming):
    """Give a journey's fare back. ``request_id`` is your key: twice is once."""

    request_id: ShortId
    journey_id: JourneyId
    reason: Sentence


class RefundAnswer(Outgoing):
    """The wish is stored; what becomes of it stands in the journey's ``refund_state``."""

    request_id: str
    journey_id: str


class JourneysQuery(Incoming):
    """Which service day (04:00 to 04:00 local) and page."""

    day: Day
    limit: PageLimit = 50
    cursor: Cursor | None = None


class OperatorJourney(Outgoing):
    """A journey as its operator sees it: no rider, no wallet."""

    id: str
    network: str
    kind: str
    journey_state: str
    reason: str | None
    route: str | None
    entry_stop: str | None
    exit_stop: str | None
    entry_at: Instant | None
    exit_at: Instant | None
    filled_by: str | None
    excuse: str | None
    flags: list[RideFlag]
    priced_at: Instant
    service_day: date
    fare_minor: int
    fare_currency: str
    fare_lines: list[RideFareLine]
    tariff_version: str
    corrected_why: str | None
    refund_state: str | None
    given_back: str | None


class JourneysAnswer(Outgoing):
    """Newest first; ``next_cursor`` is null on the last page."""

    journeys: list[OperatorJourney]
    next_cursor: str | None


class StatementFile(Outgoing):
    """A file written for you; ``sha256`` is of its bytes."""

    day: date
    name: str
    sha256: str
    size_bytes: int
    written_at: Instant


class StatementsAnswer(Outgoing):
    """Newest day first."""

    statements: list[StatementFile]


class TapCount(Outgoing):
    """Scans of the local day."""

    operator: str
    network: str
    tier: str
    decision: str
    reason: str
    taps: int


class JourneySum(Outgoing):
    """Journeys and fares of the service day."""

    operator: str
    state: str
    fare_currency: str
    journeys: int
    fare_minor: int


class ChargeSum(Outgoing):
    """Charges for the journeys of the service day."""

    wallet: str
    state: str
    currency: str
    charges: int
    minor: int


class NetPosition(Outgoing):
    """Positive = the house pays the participant."""

    participant: str
    currency: str
    amount_minor: int


class BreakCount(Outgoing):
    """Differences found by the newest reconciliation of the wallet's day."""

    wallet: str
    kind: str
    state: str
    breaks: int


class NightStep(Outgoing):
    """What the night did or waits for."""

    step: str
    participant: str
    state: str
    reason: str
    updated_at: Instant


class Balance(Outgoing):
    """Debits and credits of an account since the first entry."""

    account: str
    currency: str
    debit_minor: int
    credit_minor: int


class LastClosing(Outgoing):
    """The newest closing of the books."""

    number: int
    day: date
    at: Instant
    entries: int
    digest: str


class RefusedRefund(Outgoing):
    """Money of a rider that the wallet keeps, for people; ``since`` it was first asked for."""

    request_id: str
    charge_id: str
    journey_id: str
    wallet: str
    rider_id: str
    amount_minor: int
    currency: str
    code: str
    since: Instant


class OpenProposal(Outgoing):
    """What waits for a second person, of ``operator`` if its people may approve it."""

    subject: str
    operator: str | None
    proposed_by: str
    proposed_at: Instant


class WalletClaim(Outgoing):
    """What a wallet owes us: refund ``request_id`` of a payment that it cancelled whole, too."""

    request_id: str
    attempt_id: str
    charge_id: str
    journey_id: str
    wallet: str
    rider_id: str
    amount_minor: int
    currency: str
    why: str
    since: Instant


class DoubtfulRefund(Outgoing):
    """A refund that the wallet does not answer, for people; ``since`` it was first asked for.

    ``awaited_since``: a correction that needs more money waits for it. ``awaiting_minor``: so much
    is owed and not asked for before the wallet says what became of the refund.
    """

    request_id: str
    charge_id: str
    journey_id: str
    wallet: str
    rider_id: str
    amount_minor: int
    currency: str
    code: str
    since: Instant
    awaited_since: Instant | None
    awaiting_minor: int


class DayReport(Outgoing):
    """One day on one page. ``ledger_balanced``: debits equal credits in every currency.

    Of all days: ``owed_to_riders``, the refunds that wallets refused, ``refunds_in_doubt``, those
    that they do not answer, ``owed_by_wallets``, what they gave back twice, and ``proposals``, the
    oldest of those that nobody has approved or withdrawn.
    """

    day: date
    taps: list[TapCount]
    journeys: list[JourneySum]
    charges: list[ChargeSum]
    net_positions: list[NetPosition]
    breaks: list[BreakCount]
    night: list[NightStep]
    balances: list[Balance]
    owed_to_riders: list[RefusedRefund]
    refunds_in_doubt: list[DoubtfulRefund]
    owed_by_wallets: list[WalletClaim]
    proposals: list[OpenProposal]
    ledger_balanced: bool
    last_closing: LastClosing | None
