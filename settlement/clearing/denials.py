"""Asks for riders to be denied, and released, because of their debts."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from datetime import datetime

from transitpay.charging.charge import Charge
from transitpay.postgres.money import evidence
from transitpay.postgres.money.charges import StoredCharge
from transitpay.postgres.pool import Connection


async def settle_denials(
    conn: Connection, changed: Sequence[tuple[StoredCharge, Charge]], at: datetime
) -> None:
    """Ask for the denial or the release of riders, after their charges were saved."""
    riders = {(lock_key(was.issuer, was.rider_id), was.issuer, was.rider_id) for was, _ in changed}
    for key, issuer, rider_id in sorted(riders):
        await evidence.settle_denial(conn, issuer, rider_id, key, at)


def touches_denial(was: StoredCharge, now: Charge) -> bool:
    """True when the change may begin or end a rider's denial."""
    return was.charge.denies_rider != now.denies_rider


def lock_key(issuer: str, rider_id: str) -> int:
    """A number for a rider, for the database's locks (31 bits)."""
    return zlib.crc32(f"{issuer}:{rider_id}".encode()) & 0x7FFFFFFF
