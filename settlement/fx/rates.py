"""Publishes exchange rates: ask the sources, guard what they say, append the minutes to the log.

One process writes the log at a time. A minute that no valid rate reached in time is a gap: gates
go on, fares are booked, charges of that minute wait for people.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from settlement.fx.rate_feeds import RateFeed
from settlement.metrics import SettlementMetrics
from transitpay.clock import Clock
from transitpay.fx.guard import GuardPolicy, Refused, check
from transitpay.fx.publication import next_rows
from transitpay.fx.rate import Observation, PublishedRate
from transitpay.money import CNY, HKD
from transitpay.postgres.money import rates
from transitpay.postgres.pool import Connection, Pool, in_transaction
from transitpay.runtime.observe import EventLog

_log = EventLog("settlement.rates")
PAIR = (HKD, CNY)


@dataclass(frozen=True, slots=True)
class RateTerms:
    """``lead_s`` and ``commit_s`` are business seconds; ``anchor`` is the daily reference."""

    policy: GuardPolicy
    lead_s: int
    commit_s: int
    anchor: Decimal


def rate_terms(lead_s: int, speed: int, anchor: Decimal) -> RateTerms:
    """The terms on a clock of this speed: real delays of feeds and commits cost more minutes."""
    plain = GuardPolicy()
    policy = GuardPolicy(
        clock_skew=max(plain.clock_skew, timedelta(seconds=1) * speed),
        default_age=max(plain.default_age, timedelta(seconds=10) * speed),
    )
    return RateTerms(policy, max(30, lead_s), max(5, speed // 2), anchor)


class RatePublisher:
    """Asks all feeds and fills the log as far ahead as it is aimed."""

    def __init__(
        self,
        pool: Pool,
        clock: Clock,
        feeds: Sequence[RateFeed],
        terms: RateTerms,
        metrics: SettlementMetrics | None = None,
    ) -> None:
        self._pool = pool
        self._clock = clock
        self._feeds = feeds
        self._terms = terms
        self._metrics = metrics
        self._told: dict[str, str | None] = {}

    async def once(self) -> int:
        """Ask once, publish what is due; returns how many minutes were published.

        Raises: TemporarilyUnavailable when the database is away.
        """
        answers = await asyncio.gather(*(feed.ask(*PAIR) for feed in self._feeds))
        self._complain()
        seen = [it for it in answers if it is not None]
        at = self._clock.now()

        async def work(conn: Connection) -> Published:
            return await publish(conn, seen, at, self._terms)

        done = await in_transaction(self._pool, work)
        self._count(done, at)
        return len(done.rows) // 2

    def _complain(self) -> None:
        """One line when a feed's state changes, not one a second."""
        for feed in self._feeds:
            if self._told.get(feed.address) != feed.problem:
                self._told[feed.address] = feed.problem
                if feed.problem is not None:
                    _log.warning("feed_unusable", feed=feed.address, why=feed.problem)
                else:
                    _log.info("feed_usable", feed=feed.address)

    def _count(self, done: Published, at: datetime) -> None:
        forward = [row for row in done.rows if (row.base, row.quote) == PAIR]
        gaps = [row for row in forward if row.is_gap]
        if gaps:
            _log.warning(
                "rate_gap",
                first=gaps[0].effective_at.isoformat(),
                last=gaps[-1].effective_at.isoformat(),
            )
        if self._metrics:
            for reason in done.refused:
                self._metrics.refused.inc(reason=reason)
        if self._metrics and forward:
            self._metrics.rates.inc(len(forward) - len(gaps), kind="rate")
            self._metrics.rates.inc(len(gaps), kind="gap")
            lead = forward[-1].effective_at - at
            self._metrics.rate_lead.set(lead.total_seconds())


@dataclass(frozen=True, slots=True)
class Published:
    """The rows that were appended, both directions, and why observations were refused."""

    rows: tuple[PublishedRate, ...] = ()
    refused: tuple[str, ...] = ()


async def publish(
    conn: Connection, seen: Sequence[Observation], at: datetime, terms: RateTerms
) -> Published:
    """Judge and keep observations, append the rows that are due; nothing when another does it."""
    if not await rates.lock_log(conn):
        return Published()
    oldest = at - terms.policy.default_age
    known = await rates.observations_since(conn, *PAIR, oldest)
    recent = await rates.recent_mids(conn, *PAIR, limit=terms.policy.history)
    fresh = [it for it, _ in known]
    accepted = [it for it, passed in known if passed]
    judged: list[tuple[Observation, str | None]] = []
    stored = {(it.source, it.observed_at) for it in fresh}
    for it in sorted(seen, key=lambda it: (it.observed_at, it.source)):
        if (it.source, it.observed_at) in stored:
            continue  # the same minute again; its first word counts
        stored.add((it.source, it.observed_at))
        said = check(it, recent, fresh, at, terms.policy, terms.anchor)
        if isinstance(said, Refused):
            judged.append((it, str(said.reason)))
            _log.warning("rate_refused", source=it.source, reason=said.reason, why=said.detail)
        else:
            judged.append((it, None))
            recent = [*recent, it.mid]
            accepted.append(it)
        fresh.append(it)
    if judged:
        await rates.add_observations(conn, judged)
    rows = next_rows(
        await rates.last_effective(conn, *PAIR),
        accepted,
        at,
        terms.lead_s,
        pair=PAIR,
        commit_s=terms.commit_s,
        policy=terms.policy,
    )
    if rows:
        await rates.append(conn, rows)
    return Published(tuple(rows), tuple(reason for _, reason in judged if reason is not None))
