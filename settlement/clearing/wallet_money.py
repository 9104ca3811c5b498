"""Saves what clearing and corrections do to riders' charges: one place for money at the wallet.

Clearing decides which journeys stand; what that means for charges, their parts and refunds is
decided by ``charging.correcting`` and written here, in the clearing's transaction. The wallet
hears of it from the charge and refund workers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from settlement.clearing.denials import settle_denials, touches_denial
from transitpay.charging.correcting import Corrected
from transitpay.charging.partner_messages import RefundRequest, build_refund
from transitpay.postgres.money import charge_parts, charges, refunds
from transitpay.postgres.money.charge_parts import TiedCharge
from transitpay.postgres.money.charges import StoredCharge
from transitpay.postgres.pool import Connection

CORRECTION = "correction"


@dataclass(frozen=True, slots=True)
class RiderMoney:
    """What becomes of one rider's charges."""

    issuer: str
    rider_id: str
    corrected: Corrected


async def save(
    conn: Connection,
    riders: Sequence[RiderMoney],
    tied: Mapping[str, TiedCharge],
    at: datetime,
) -> None:
    """Write all of it; the journeys that it names are stored already.

    ``tied`` are the charges of the corrections, as ``charge_parts.lock_of_journeys`` gave them.
    """
    made = [
        StoredCharge(debt.charge, it.issuer, it.rider_id, debt.journey)
        for it in riders
        for debt in it.corrected.debts
    ]
    await charges.add(conn, made, at)
    withdrawn = [(tied[now.id].stored, now) for it in riders for now in it.corrected.withdrawn]
    await charges.save(conn, sorted(withdrawn, key=lambda it: it[1].id), {})
    parts = [part for it in riders for part in it.corrected.parts]
    touched = {now.id for _, now in withdrawn} | {p.charge_id for p in parts}
    touched |= {r.charge_id for it in riders for r in it.corrected.refunds}
    await charge_parts.replace(conn, touched & tied.keys(), parts)
    for refund in (refund for it in riders for refund in it.corrected.refunds):
        asked = RefundRequest(refund.id, refund.attempt_id, refund.amount, CORRECTION)
        await refunds.add(conn, refund, CORRECTION, build_refund(asked))
    ended = [(was, now) for was, now in withdrawn if touches_denial(was, now)]
    await settle_denials(conn, ended, at)
