"""Has riders judged again when the terms that suspend them change: dated settings of tariffs.

Terms change when a version comes into force, at the beginning of its first service day, or is
recorded for days gone by. Whoever that may concern leaves a row in the clearing's inbox, a bounded
batch a transaction, and the clearing judges whoever it reads; so there is no second road.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from settlement.clearing.clear_taps import NewestBook
from settlement.clearing.suspending import rules_at
from transitpay.clock import Clock
from transitpay.journeys.suspension import LONGEST, Suspension
from transitpay.postgres.journeys import suspension_terms, tariff_versions
from transitpay.postgres.journeys.suspension_terms import JudgedTerms
from transitpay.postgres.pool import Connection, Pool, in_transaction
from transitpay.runtime.observe import EventLog

_log = EventLog("settlement.suspensions")
#: By these nobody is suspended.
_NONE = "[]"


class SuspensionDesk:
    """Compares the terms in force with those that riders were judged by; any number may run."""

    def __init__(self, pool: Pool, book: NewestBook, clock: Clock, *, riders: int = 1000) -> None:
        self._pool, self._book, self._clock = pool, book, clock
        self._riders = riders

    async def once(self) -> int:
        """One batch of one network; returns 0 once everybody has been asked for.

        Raises: TemporarilyUnavailable when the database is away.
        """
        at = self._clock.now()

        async def work(conn: Connection) -> int:
            rules = rules_at(await self._book(conn), at)
            known = await suspension_terms.known(conn)
            for network in _unfinished(rules, known):
                if await self._judge(conn, network, rules.get(network, ()), at):
                    return 1
            return 0

        return await in_transaction(self._pool, work)

    async def _judge(
        self, conn: Connection, network: str, rules: Sequence[Suspension], at: datetime
    ) -> bool:
        """Ask for the next riders to be read again; False: another process does it."""
        was = await suspension_terms.lock(conn, network, _NONE, at)
        if was is None:
            return False
        terms = terms_text(rules)
        first = was.terms != terms
        after = ("", "") if first else was.after
        if after is None:
            return True  # another process was first
        least = min((it.more_than for it in rules), default=None)
        riders = await suspension_terms.concerned(
            conn, network, at - LONGEST, least, after, self._riders
        )
        await tariff_versions.read_again(conn, [(*rider, at) for rider in riders], at)
        over = len(riders) < self._riders
        now = replace(was, terms=terms, after=None if over else riders[-1])
        await suspension_terms.save(conn, now, at)
        _log.info("judged_again", network=network, first=first, riders=len(riders), over=over)
        return True


def _unfinished(
    rules: Mapping[str, Sequence[Suspension]], known: Mapping[str, JudgedTerms]
) -> list[str]:
    """Networks whose terms changed, or of which riders are still to be asked for."""
    nothing = JudgedTerms("", _NONE, None)
    found = []
    for network in sorted(rules.keys() | known.keys()):
        was = known.get(network, nothing)
        if was.after is not None or was.terms != terms_text(rules.get(network, ())):
            found.append(network)
    return found


def terms_text(rules: Sequence[Suspension]) -> str:
    """What of the terms decides, as one text; the order in which they are written does not."""
    return json.dumps(sorted([it.more_than, it.days, it.evasion] for it in rules))
