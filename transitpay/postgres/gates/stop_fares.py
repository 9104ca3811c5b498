"""Highest fares of stops: written by settlement when it loads tariffs, read by gateways."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import asyncpg

from transitpay.fares.highest import HighestFare
from transitpay.money import Money, currency
from transitpay.postgres.trust import lists

_ALL = """
select network, stop, valid_from, names, highest_minor, currency
from stop_fare
order by network, valid_from, stop
"""


async def stop_fares(conn: asyncpg.Connection) -> list[HighestFare]:
    """All of them, in the order of network, version and stop."""
    return [
        HighestFare(
            row["network"], row["stop"], row["valid_from"], tuple(row["names"]),
            Money(row["highest_minor"], currency(row["currency"])),
        )
        for row in await conn.fetch(_ALL)
    ]  # fmt: skip


_LOCK = """
select pg_advisory_xact_lock(7364003)
"""
_DELETE = """
delete from stop_fare
"""
_INSERT = """
insert into stop_fare (network, stop, valid_from, names, currency, highest_minor)
values ($1, $2, $3, $4, $5, $6)
"""


async def put_stop_fares(
    conn: asyncpg.Connection, fares: Sequence[HighestFare], at: datetime
) -> bool:
    """Replace what is there by ``fares``; False = they stood there already, nothing is done."""
    async with conn.transaction():
        await conn.execute(_LOCK)
        if set(await stop_fares(conn)) == set(fares):
            return False
        await conn.execute(_DELETE)
        await conn.executemany(
            _INSERT,
            [
                (f.network, f.stop, f.valid_from, list(f.names), f.fare.currency.code, f.fare.minor)
                for f in fares
            ],
        )
        await lists.raise_version(conn, "fares", at)
        return True
