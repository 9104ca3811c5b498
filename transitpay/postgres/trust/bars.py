"""Reads of why a rider's codes are refused everywhere, from the facts themselves.

The deny list says only that they are: the debt, the suspension and the lost phone say why.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

import asyncpg

from transitpay.money import Money, currency
from transitpay.postgres.trust import denials


class BarKind(StrEnum):
    """Why, in the order in which riders are told."""

    ARREARS = "arrears"
    MISSING_EXITS = "missing_exits"
    EVASION = "evasion"
    REVOKED = "revoked"


@dataclass(frozen=True, slots=True)
class Bar:
    """One reason. ``owed`` belongs to arrears, network and counts to suspensions.

    ``until`` is when a suspension ends if nothing changes; ``reason`` is the wallet's own word on
    a lost phone.
    """

    kind: BarKind
    since: datetime | None = None
    owed: tuple[Money, ...] = ()
    network: str | None = None
    counted: int | None = None
    days: int | None = None
    until: datetime | None = None
    reason: str | None = None


_OWED = """
select currency, sum(amount_minor)::bigint as minor, min(refused_since) as since
from charge
where issuer = $1 and rider_id = $2 and denies_rider
group by currency
order by currency
"""

_SUSPENDED = """
select why, since, network, counted, days, until
from suspension
where issuer = $1 and rider_id = $2 and ended_at is null
order by why desc, network
"""


async def bars(conn: asyncpg.Connection, issuer: str, rider_id: str) -> tuple[int, list[Bar]]:
    """(authorisations up to this serial are refused, why); a second may lie between the two."""
    denied = await denials.denial(conn, issuer, rider_id)
    found: list[Bar] = []
    owed = await conn.fetch(_OWED, issuer, rider_id)
    if owed:
        sums = tuple(Money(row["minor"], currency(row["currency"])) for row in owed)
        found.append(Bar(BarKind.ARREARS, min(row["since"] for row in owed), sums))
    for row in await conn.fetch(_SUSPENDED, issuer, rider_id):
        found.append(
            Bar(
                BarKind(row["why"]), row["since"], network=row["network"],
                counted=row["counted"], days=row["days"], until=row["until"],
            )
        )  # fmt: skip
    if denied.revoked_serial is not None:
        found.append(Bar(BarKind.REVOKED, reason=denied.revoked_reason))
    return denied.serial, found
