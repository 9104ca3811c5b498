"""A rider names the missing station of a journey: the use case behind the wallets' API."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from transitpay.clock import day_start, service_day, wallet_day
from transitpay.errors import Conflict, RuleViolation
from transitpay.journeys.declarations import DeclarationRefusal, Quota, judge_declaration
from transitpay.journeys.statements import StatementKind
from transitpay.postgres.journeys import missing_ends, riders, shown_tariffs, statements
from transitpay.postgres.journeys.missing_ends import StandingJourney
from transitpay.postgres.journeys.statements import JourneyStatement
from transitpay.postgres.pool import Connection

_WHY: Mapping[DeclarationRefusal, str] = {
    DeclarationRefusal.NOT_INCOMPLETE: "no station of this journey is missing",
    DeclarationRefusal.GIVEN_BACK: "the operator gave this fare back",
    DeclarationRefusal.CAME_TOO_LATE: "its scan came too late, so the ride costs nothing",
    DeclarationRefusal.COVERED_BY_MODE: "the operator had opened the gates or waived the fare",
    DeclarationRefusal.CLAIMS_NOT_TAKEN: "riders name no missing stations on this network",
    DeclarationRefusal.CROSSED_ACCOUNTS: "a journey of that day may be split over two accounts",
    DeclarationRefusal.CLAIM_TOO_LATE: "the days for naming the station are over",
    DeclarationRefusal.CLAIMS_USED_UP: "this month's stations are used up",
}


@dataclass(frozen=True, slots=True)
class Declaration:
    """What a wallet sends for its rider: the journey, in any of its revisions, and the station."""

    wallet: str
    rider_id: str
    ride_id: str
    stop: str
    by: str


async def declare(conn: Connection, wish: Declaration, at: datetime) -> JourneyStatement:
    """Keep the declaration and have the rider read again; the same again is the same one.

    Raises: RuleViolation (``not_found``, ``unknown_stop``, or a ``DeclarationRefusal``), Conflict
    (``already_declared``).
    """
    rider = (wish.wallet, wish.rider_id)
    if await riders.lock_rider(conn, *rider) is None:
        raise RuleViolation("not_found", "there is no such rider")
    ride = await missing_ends.standing_journey(conn, wish.ride_id)
    if ride is None or ride.rider != rider:
        raise RuleViolation("not_found", "there is no such ride", field="ride_id")
    stop = await missing_ends.known_stop(conn, ride.network, wish.stop, ride.service_day)
    known = await missing_ends.declared(conn, ride.tap)
    if known is not None:
        if known.stop != stop:
            raise Conflict(
                "already_declared", f"stop {known.stop} was declared for it", field="stop"
            )
        return known
    refusal = await _judge(conn, ride, at)
    if refusal is not None:
        raise RuleViolation(refusal.value, _WHY[refusal], field="ride_id")
    if stop is None:
        raise RuleViolation("unknown_stop", "no tariff of the network knows it", field="stop")
    said = JourneyStatement(
        wish.wallet, ride.key, StatementKind.DECLARED, rider, ride.tap, ride.since, ride.network,
        ride.service_day, stop, "", wish.by, at,
    )  # fmt: skip
    await statements.insert_statement(conn, said)
    await statements.read_again(conn, rider, ride.since, at)
    return said


async def _judge(
    conn: Connection, ride: StandingJourney, at: datetime
) -> DeclarationRefusal | None:
    terms = await shown_tariffs.terms_on(conn, ride.network, ride.service_day)
    quota = None
    if terms is not None and terms.a_month is not None and terms.within_days is not None:
        quota = Quota(terms.a_month, terms.within_days)
    first, end = month_of(wallet_day(at))
    return judge_declaration(
        has_missing_end=ride.has_missing_end,
        filled_by=ride.filled_by,
        excuse=ride.excuse,
        crossed=await missing_ends.is_crossed(conn, ride.rider, ride.service_day),
        service_day=ride.service_day,
        today=service_day(at),
        declared_this_month=await missing_ends.declared_between(
            conn, ride.rider, ride.network, first, end
        ),
        quota=quota,
    )


def month_of(day: date) -> tuple[datetime, datetime]:
    """The instants at which the local calendar month of a day begins and ends."""
    first = day.replace(day=1)
    return day_start(first), day_start((first + timedelta(days=32)).replace(day=1))
