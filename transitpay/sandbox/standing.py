"""Compares the rides that stand in a sandbox's books with those that ought to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from transitpay.postgres.journeys import correction_totals
from transitpay.sandbox.expected import Ride
from transitpay.sandbox.waiting import wait_while_it_moves

Connection = Any  # asyncpg has no type information
#: So long nothing moves only where nothing more is corrected.
_QUIET_S, _POLL_S = 15.0, 0.25
_SHOWN = 3


async def rides_differing(conn: Connection, expected: Mapping[str, Ride]) -> list[str]:
    """The keys of journeys that are not as expected, once corrections have come to rest."""

    async def differing() -> list[str]:
        stands = await correction_totals.standing(conn)
        booked = {row["key"]: Ride(*(row[name] for name in Ride.__slots__)) for row in stands}
        keys = {*expected, *booked}
        return sorted(key for key in keys if expected.get(key) != booked.get(key))

    return await wait_while_it_moves(differing, _QUIET_S, _POLL_S)


def told_differing(keys: Sequence[str]) -> str:
    """The fault in words, with the first journeys."""
    some = ", ".join(keys[:_SHOWN])
    return f"{len(keys)} rides are not as everything tapped makes them: {some}"
