"""A small world for tests of the day: participants, readers, riders, rates and taps as rows.

Amounts are those of the worked example: Admiralty to Lok Ma Chau costs HKD 52.20; at mid 0.9150
and a margin of 0.3 % Shenzhen Tong is asked for CNY 47.91.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from transitpay.clock import LOCAL_ZONE, ManualClock, day_start
from transitpay.fx.agreement import builtin_agreements
from transitpay.fx.rate import PublishedRate, invert
from transitpay.ledger.balances import is_balanced
from transitpay.money import CNY, HKD
from transitpay.postgres import reference
from transitpay.postgres.gates import tap_groups, taps
from transitpay.postgres.money import journal, rates
from transitpay.taps import Direction, RiderRef, TapKey

DAY = date(2026, 10, 30)
NOON = day_start(DAY, 12)
MINUTE = timedelta(minutes=1)
MID = Decimal("0.9150000000")
TWO = ("2", "78")  #: Admiralty, Lok Ma Chau
OPERATORS = {"mtr": "HKD", "kmb": "HKD", "shenzhen-metro": "CNY"}
WALLETS = {"alipayhk": "HKD", "alipay": "CNY", "shenzhen-tong": "CNY"}


@dataclass(slots=True)
class World:
    """One test's database, its clock, and the pool that settlement has."""

    owner: Any
    pool: Any
    clock: ManualClock
    sequence: int = 0

    async def one(self, sql: str, *args: Any) -> Any:
        return await self.owner.fetchval(sql, *args)

    async def balance(self, account: str, currency: str = "CNY") -> int:
        found = await journal.balances(self.owner)
        minor = {(name, unit.code): money.minor for (name, unit), money in found.items()}
        return minor.get((account, currency), 0)

    async def check_books(self) -> None:
        """The sums of every currency are zero, and each debt is what its account says."""
        assert is_balanced(await journal.balances(self.owner))
        for wallet in WALLETS:
            due = await self.owner.fetch(
                "select currency, sum(amount_minor)::bigint as owed from charge"
                " where wallet = $1 and state not in ('HELD', 'CAPTURED', 'WITHDRAWN')"
                " group by currency",
                wallet,
            )
            for row in due:
                assert await self.balance(f"rider_due:{wallet}", row["currency"]) == row["owed"]

    async def tap(
        self,
        direction: str,
        stop: str,
        at: datetime,
        *,
        rider: str = "00000000000000aa",
        wallet: str = "shenzhen-tong",
        network: str = "mtr",
        route: str | None = None,
        reader: str | None = None,
        stage: int | None = None,
        received_at: datetime | None = None,
        inbox: bool = True,
    ) -> TapKey:
        """One accepted tap, as the gateway stores it; ``stage`` is the fare that its reader set."""
        self.sequence += 1
        key = TapKey(
            at.astimezone(LOCAL_ZONE).date(), reader or f"{network}-{direction}", self.sequence
        )
        await taps.ensure_partitions(self.owner, key.day, key.day)
        row = taps.TapRow(
            key, at, at, 0, network, network, stop, Direction(direction), route, None, stage,
            "online", None, hashlib.sha256(str(self.sequence).encode()).digest(), b"",
            RiderRef(wallet, rider), "accepted", None, (),
        )  # fmt: skip
        await tap_groups.write_group(self.owner, [tap_groups.NewTap(row)], received_at or at)
        if inbox:
            await taps.note_riders(self.owner, [(wallet, rider)], at)
        return key

    async def ride(self, at: datetime = NOON, **more: Any) -> None:
        """Admiralty to Lok Ma Chau in 40 minutes."""
        await self.tap("entry", TWO[0], at - timedelta(minutes=40), **more)
        await self.tap("exit", TWO[1], at, **more)

    async def enrol(self, rider: str, wallet: str = "shenzhen-tong") -> None:
        await self.owner.execute(
            "insert into rider (issuer, rider_id, account_ref, access_token, enrolled_at)"
            " values ($1, $2, $2, $3, $4) on conflict do nothing",
            wallet,
            rider,
            f"tok-{rider}",
            NOON,
        )

    async def heard_through(self, at: datetime, network: str = "mtr") -> None:
        """Every reader of the network has reported up to ``at``."""
        for reader in await self.owner.fetch("select id from reader where network = $1", network):
            await reference.put_reader_status(self.owner, reader["id"], 1, at, at)

    async def publish(
        self, first: datetime, minutes: int, mid: Decimal | None = MID, step: int = 1
    ) -> None:
        """Rows of the log from ``first`` on, both directions; None = gaps."""
        rows = []
        for n in range(0, minutes, step):
            at = first + n * MINUTE
            back = None if mid is None else invert(mid)
            rows.append(PublishedRate(HKD, CNY, at, mid, "test", at))
            rows.append(PublishedRate(CNY, HKD, at, back, "test", at))
        await rates.append(self.owner, rows)


async def make_world(db: Any, *, base_urls: dict[str, str] | None = None) -> World:
    """Participants, agreements, endpoints, readers, and rates from 10:00 to 14:00."""
    owner = await db.connect()
    for wallet, code in WALLETS.items():
        await reference.put_participant(
            owner, reference.Participant(wallet, "wallet", wallet, code)
        )
        url = (base_urls or {}).get(wallet, "http://127.0.0.1:1")
        endpoint = reference.PartnerEndpoint(wallet, url, f"W-{wallet}", "US", 1, "transitpay")
        await reference.put_endpoint(owner, endpoint)
    for operator, code in OPERATORS.items():
        await reference.put_participant(
            owner, reference.Participant(operator, "operator", operator, code)
        )
        for direction in ("entry", "exit") if operator != "kmb" else ("single",):
            name = f"{operator}-{direction}"
            await reference.put_actor(
                owner, reference.Actor(name, name, reference.Role.READER, operator)
            )
            await reference.put_reader(
                owner,
                reference.ReaderRegistration(
                    name, operator, operator, 0, 0, "2", Direction(direction)
                ),
            )
    await reference.put_agreements(owner, builtin_agreements(), NOON)
    world = World(owner, await db.pool("transitpay_settlement"), ManualClock(NOON + MINUTE))
    await world.publish(NOON - timedelta(hours=2), 240)
    return world
