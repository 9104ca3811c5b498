"""Rows that settlement would have written, for tests of what gateways show and take of rides."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from gateway_world import AT, WALLET, World

from transitpay.clock import service_day, wallet_day
from transitpay.fares.highest import HighestFare
from transitpay.fares.names import fold
from transitpay.fares.shown import JourneyTerms, StopName
from transitpay.money import HKD, Money
from transitpay.postgres.gates import stop_fares
from transitpay.postgres.journeys import shown_tariffs

STAY = timedelta(minutes=1200)
BEGINS = service_day(AT).replace(month=1, day=1)
NAMES = (
    StopName("mtr", "2", "金鐘", "金钟", "Admiralty"),
    StopName("mtr", "64", "紅磡", "红磡", "Hung Hom"),
    StopName("mtr", "78", "落馬洲", "落马洲", "Lok Ma Chau"),
    StopName("kmb", "268C", "268C", "268C", "268C"),
)


async def tell_tariffs(world: World, *, a_month: int | None = 3, within_days: int = 14) -> None:
    """What settlement tells gateways of the tariffs: stops, names, quota."""
    fares = [
        HighestFare(
            it.network, it.stop, BEGINS,
            tuple(sorted({fold(it.zh_hant), fold(it.zh_hans), fold(it.en)})), Money(5220, HKD),
        )
        for it in NAMES
    ]  # fmt: skip
    days = None if a_month is None else within_days
    terms = [
        JourneyTerms("mtr", BEGINS, STAY, a_month, days),
        JourneyTerms("kmb", BEGINS, None, None, None),
    ]
    conn = await world.db.connect("transitpay_settlement")
    await stop_fares.put_stop_fares(conn, fares, AT)
    await shown_tariffs.put_shown(conn, NAMES, terms, AT)


async def ride(
    world: World,
    rider_id: str,
    sequence: int,
    *,
    entry_at: datetime | None = None,
    exit_at: datetime | None = None,
    wallet: str = WALLET,
    network: str = "mtr",
    **changes: Any,
) -> str:
    """A standing journey as settlement books it, incomplete where one instant is None; its id."""
    first = entry_at or exit_at
    assert first is not None
    key = f"{wallet_day(first)}/{network}-gate/{sequence}"
    reason = None
    if network == "mtr" and exit_at is None:
        reason = "missing_exit"
    elif network == "mtr" and entry_at is None:
        reason = "missing_entry"
    row: dict[str, Any] = {
        "id": key,
        "key": key,
        "issuer": wallet,
        "rider_id": rider_id,
        "slot": 0,
        "network": network,
        "operator": network,
        "kind": "entry_exit" if network == "mtr" else "single",
        "state": "incomplete" if reason else "complete",
        "reason": reason,
        "entry_stop": "2" if entry_at else None,
        "exit_stop": "78" if exit_at else None,
        "entry_at": entry_at,
        "exit_at": exit_at,
        "priced_at": exit_at or first,
        "service_day": service_day(first),
        "cleared_at": first,
        "fare_minor": 5220,
        "fare_currency": "HKD",
        "fare_lines": [{"code": "fare", "text": "the fare", "amount_minor": 5220}],
        "tariff_version": "v1",
        **changes,
    }
    owner = await world.db.connect()
    names = ", ".join(row)
    marks = ", ".join(f"${n}" for n in range(1, len(row) + 1))
    await owner.execute(f"insert into journey ({names}) values ({marks})", *row.values())
    if row.get("ended_at") is None:
        await owner.execute(
            "insert into journey_tap (tapped_day, reader, sequence, journey_id)"
            " values ($1, $2, $3, $4) on conflict (tapped_day, reader, sequence)"
            " do update set journey_id = excluded.journey_id",
            wallet_day(first), f"{network}-gate", sequence, row["id"],
        )  # fmt: skip
    return str(row["id"])


async def charge(world: World, rider_id: str, journey: str, id: str) -> None:
    """The wallet has paid HKD 60.80 for this journey, at the first attempt."""
    owner = await world.db.connect()
    await owner.execute(
        "insert into charge (id, journey_id, wallet, issuer, rider_id, amount_minor, currency,"
        " state, created_at) values ($1, $2, $3, $3, $4, 6080, 'HKD', 'CAPTURED', $5)",
        id, journey, WALLET, rider_id, AT,
    )  # fmt: skip
    await owner.execute(
        "insert into charge_attempt (request_id, charge_id, n, body, state)"
        " values ($1 || '-1', $1, 1, '', 'CAPTURED')", id,
    )  # fmt: skip
