"""Tries a tariff on the journeys of past days: reads them rider by rider, writes nothing."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta

from transitpay.errors import RuleViolation
from transitpay.fares.tariff import Tariff
from transitpay.fares.trial import Trial, riders_of, tried_book
from transitpay.postgres.journeys.trial_rides import riders_between, rides_between
from transitpay.postgres.pool import Connection
from transitpay.runtime.calendars import known_calendars
from transitpay.runtime.tariff_versions import StoredTariffs

_RIDERS_AT_ONCE = 500
#: Rides before the first day count for a month's spend and a transfer.
_BEFORE = timedelta(days=31)


async def try_tariff(
    conn: Connection,
    tariff: Tariff,
    first_day: date,
    last_day: date,
    largest: int,
    told: Callable[[int, int], None],
) -> Trial:
    """What the journeys of these service days would cost by ``tariff``.

    ``told`` hears of how many riders are done, and of how many there are.

    Raises: RuleViolation (``nothing_booked``).
    """
    async with conn.transaction():
        book = await StoredTariffs(known_calendars()).newest(conn)
    riders = await riders_between(conn, tariff.network, first_day, last_day)
    if not riders:
        what = f"no journey of {tariff.network} is booked from {first_day} to {last_day}"
        raise RuleViolation("nothing_booked", what, field="--from")
    trial = Trial(tried_book(book, tariff, first_day, last_day), first_day, last_day, largest)
    since = first_day.replace(day=1) - _BEFORE
    for place in range(0, len(riders), _RIDERS_AT_ONCE):
        several = riders[place : place + _RIDERS_AT_ONCE]
        for rides in riders_of(await rides_between(conn, several, since, last_day)):
            trial.add(rides)
        told(place + len(several), len(riders))
    return trial
