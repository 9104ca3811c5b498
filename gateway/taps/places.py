"""What holds at a stop and an instant: open gates, the highest fare, whose codes, ways to others.

Kept in memory and polled by version each second, like the lists.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from decimal import Decimal

import asyncpg

from gateway.database import Database
from transitpay.clock import Clock, day_start, service_day, wallet_day
from transitpay.fares.highest import StopFares
from transitpay.fares.shown import JourneyTerms, limited_networks, takes_codes
from transitpay.fx.ceiling import CEILING_CURRENCIES, fare_at_most
from transitpay.journeys.station_modes import Mode, StationMode, open_gates
from transitpay.money import Currency, Money
from transitpay.postgres.gates import station_modes, stop_fares, travel
from transitpay.postgres.journeys import shown_tariffs
from transitpay.postgres.money import rates
from transitpay.postgres.trust import lists
from transitpay.taps import EXITS, Direction
from transitpay.travel import TravelMinimums

#: Records of offline readers are judged at their own stamp, so far back.
_BACK_DAYS = 36

#: 1 unit of the first currency is so much of the second, on a local day.
DayRates = Mapping[tuple[Currency, Currency, date], Decimal]


@dataclass(frozen=True, slots=True)
class Places:
    """One state of all stops."""

    fares: StopFares = field(default_factory=StopFares)
    modes: Sequence[StationMode] = ()
    rates: DayRates = field(default_factory=dict)
    travel: TravelMinimums = field(default_factory=TravelMinimums)
    #: Of networks that do not take the codes of every wallet.
    limited: Mapping[str, Sequence[JourneyTerms]] = field(default_factory=dict)

    def open_gates(self, network: str, stop: str, at: datetime) -> Mode | None:
        """The mode by which the gates of the stop stand open at ``at``."""
        if not self.modes:
            return None
        return open_gates(self.modes, network, self._stop_id(network, stop, at), at)

    def highest_fares(
        self,
        network: str,
        stop: str,
        direction: Direction,
        at: datetime,
        stage_fare_minor: int | None = None,
    ) -> tuple[Money, ...]:
        """The highest plain fare from a stop, or of a route, once per currency of ceilings.

        None at exits: a ceiling is a matter of entries, and nobody is held inside for one.
        A fare that the reader sets for this boarding takes its place. A currency without a rate
        is not told, nor any where no tariff knows the stop.
        """
        found = None
        if direction not in EXITS:
            found = self.fares.find(network, stop, service_day(at))
        if found is None:
            return ()
        fare = found.fare
        if stage_fare_minor is not None:
            fare = Money(stage_fare_minor, fare.currency)
        day = wallet_day(at)
        told = [fare] if fare.currency in CEILING_CURRENCIES else []
        for other in CEILING_CURRENCIES:
            rate = self.rates.get((fare.currency, other, day))
            if rate is not None:
                told.append(fare_at_most(fare, other, rate, day))
        return tuple(told)

    def takes_codes(self, network: str, wallet: str, at: datetime) -> bool:
        """Whether the network takes codes of this wallet at ``at``, by its tariff."""
        terms = self.limited.get(network)
        return terms is None or takes_codes(terms, wallet, service_day(at))

    def _stop_id(self, network: str, stop: str, at: datetime) -> str:
        return self.fares.stop_id(network, stop, service_day(at))


class PlaceCache:
    """The state last seen; before the first ``refresh`` no stop has a fare or a mode."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._versions: dict[str, int] = {}
        self._records: Sequence[StationMode] = ()
        self._rates_of: date | None = None
        self._turn = asyncio.Lock()
        self.current = Places()

    async def refresh(self) -> None:
        """Fetch what moved; one call after the other, so that an older state replaces no newer one.

        Raises: TemporarilyUnavailable; the state stays as it was.
        """
        async with self._turn:
            await self._refresh()

    async def _refresh(self) -> None:
        now, was = self._clock.now(), self.current
        today = wallet_day(now)
        async with self._database.transaction() as conn:
            versions = await lists.versions(conn)
            fares, records, day_rates = was.fares, self._records, was.rates
            limited = was.limited
            if versions["fares"] != self._versions.get("fares"):
                fares = StopFares(tuple(await stop_fares.stop_fares(conn)))
                limited = limited_networks(await shown_tariffs.all_terms(conn))
            if versions["modes"] != self._versions.get("modes"):
                found = await station_modes.modes_since(conn, now - timedelta(days=_BACK_DAYS))
                records = tuple(found)
            if today != self._rates_of:
                day_rates = await _day_rates(conn, today)
            minimums = await travel.travel_minimums(conn)
        state = (fares, records, day_rates, minimums, limited)
        if state != (was.fares, self._records, was.rates, was.travel, was.limited):
            day = service_day(now)
            # Readers and operators may spell a stop in different ways.
            modes = [
                it if it.stop is None else replace(it, stop=fares.stop_id(it.network, it.stop, day))
                for it in records
            ]
            self.current = Places(fares, modes, day_rates, minimums, limited)
        self._versions, self._records = versions, records
        # Until the log has begun it is asked each time.
        self._rates_of = today if day_rates else None


async def _day_rates(conn: asyncpg.Connection, today: date) -> DayRates:
    days = [today - timedelta(days=n) for n in range(_BACK_DAYS)]
    found: dict[tuple[Currency, Currency, date], Decimal] = {}
    for base in CEILING_CURRENCIES:
        for quote in CEILING_CURRENCIES:
            if base != quote:
                mids = await rates.mids_known_at(conn, base, quote, [day_start(d) for d in days])
                pairs = zip(days, mids, strict=True)
                found |= {(base, quote, day): mid for day, mid in pairs if mid is not None}
    return found
