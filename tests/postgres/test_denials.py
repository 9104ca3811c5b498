"""Words on debts and lost phones become one entry a rider, whoever applies them, in any order."""

from __future__ import annotations

import asyncio
import random
from datetime import UTC, datetime
from typing import Any

import pytest

from transitpay.postgres.reference import Participant
from transitpay.postgres.trust import denials, deny_table, lists
from transitpay.ride_code.lists.record_table import apply, changes_over
from transitpay.ride_code.lists.signed_list import ListKind
from transitpay.runtime import access

AT = datetime(2026, 10, 30, 1, 0, tzinfo=UTC)
RIDER = "00112233445566aa"


@pytest.fixture
async def conn(db: Any) -> Any:
    made = await db.connect("transitpay_gateway")
    await access.enrol_participant(made, Participant("alipayhk", "wallet", "W", "HKD"), AT)
    await made.execute(
        "insert into rider (issuer, rider_id, enrolled_at) values ('alipayhk', $1, $2)", RIDER, AT
    )
    return made


async def ask(db: Any, *actions: str) -> None:
    settlement = await db.connect("transitpay_settlement")
    for action in actions:
        await settlement.execute(
            "insert into deny_request (issuer, rider_id, action, reason, requested_at)"
            " values ('alipayhk', $1, $2, 'arrears', $3)", RIDER, action, AT,
        )  # fmt: skip


async def deny_list(conn: Any) -> tuple[int, dict[str, int]]:
    """(version, rider -> serial) as the records of the list say."""
    version, records = await deny_table.records(conn)
    table = ListKind.DENY.table(records)
    assert table.is_sorted()
    return version, {r[2:10].hex(): int.from_bytes(r[10:], "big") for r in table}


async def issued(conn: Any, serial: int) -> None:
    await conn.execute(
        "insert into authorisation values ('alipayhk', $1, $2, $3, $4, $5, $6, $7, $7, $7)",
        RIDER, serial, f"r{serial}", bytes(33), bytes(65), bytes(64), AT,
    )  # fmt: skip


async def test_a_denial_covers_every_serial_issued_so_far(db: Any, conn: Any) -> None:
    await issued(conn, 1)
    await issued(conn, 2)
    await ask(db, "deny")
    assert await denials.apply_deny_requests(conn, AT) == 1
    await issued(conn, 3)
    assert await deny_list(conn) == (2, {RIDER: 2})
    assert await denials.apply_deny_requests(conn, AT) == 0
    assert (await deny_list(conn))[0] == 2, "nothing new, no new version"


async def test_the_newest_word_on_a_rider_counts(db: Any, conn: Any) -> None:
    await ask(db, "deny", "release", "deny")
    assert await denials.apply_deny_requests(conn, AT) == 3
    assert len((await deny_list(conn))[1]) == 1
    await ask(db, "deny", "release")
    assert await denials.apply_deny_requests(conn, AT) == 2
    assert not (await deny_list(conn))[1]


async def test_a_request_that_commits_late_is_not_passed_over(db: Any, conn: Any) -> None:
    slow = await db.connect("transitpay_settlement")
    held = slow.transaction()
    await held.start()
    await slow.execute(
        "insert into deny_request (issuer, rider_id, action, reason, requested_at)"
        " values ('alipayhk', 'ffffffffffffffff', 'deny', 'late', $1)", AT,
    )  # fmt: skip
    await ask(db, "deny")
    assert await denials.apply_deny_requests(conn, AT) == 1
    await held.commit()
    assert await denials.apply_deny_requests(conn, AT) == 1
    assert len((await deny_list(conn))[1]) == 2


async def test_several_gateways_apply_a_request_once(db: Any, conn: Any) -> None:
    others = [await db.connect("transitpay_gateway") for _ in range(4)]
    await ask(db, "deny", "deny")
    counts = await asyncio.gather(*(denials.apply_deny_requests(c, AT) for c in others))
    counts += await asyncio.gather(*(denials.apply_deny_requests(c, AT) for c in others))
    assert sum(counts) == 2 and (await lists.versions(conn))["deny"] == 2


async def revoke(conn: Any, through_serial: int, reason: str = "lost") -> str:
    return await denials.ask_revocation(conn, "alipayhk", RIDER, through_serial, reason, AT)


async def listed(conn: Any) -> int | None:
    await denials.apply_deny_requests(conn, AT)
    return (await deny_list(conn))[1].get(RIDER)


@pytest.mark.parametrize("revoked_first", [True, False])
async def test_of_a_debt_and_a_revocation_the_higher_serial_holds(
    db: Any, conn: Any, revoked_first: bool
) -> None:
    await issued(conn, 1)
    await issued(conn, 2)
    if revoked_first:
        await revoke(conn, 1)
        assert await listed(conn) == 1
    await ask(db, "deny")
    if not revoked_first:
        assert await listed(conn) == 2
        await revoke(conn, 1)
    assert await listed(conn) == 2
    assert (await denials.denial(conn, "alipayhk", RIDER)).barred
    await ask(db, "release")
    assert await listed(conn) == 1, "the lost phone stays denied when the debt is paid"
    assert not (await denials.denial(conn, "alipayhk", RIDER)).barred


async def test_a_revocation_and_the_words_on_a_debt_may_come_together(db: Any, conn: Any) -> None:
    await issued(conn, 5)
    await ask(db, "deny")
    await revoke(conn, 3)
    await ask(db, "release")
    assert await listed(conn) == 3


async def test_a_revoked_serial_never_falls_and_twice_is_once(conn: Any) -> None:
    await issued(conn, 9)
    assert await revoke(conn, 4) == "lost"
    assert await listed(conn) == 4
    assert await revoke(conn, 2, "stolen") == "stolen"
    assert await listed(conn) == 4
    assert await revoke(conn, 4, "another story") == "lost", "the first reason stays"
    assert await conn.fetchval("select count(*) from deny_request") == 2


async def test_a_release_that_is_applied_first_beats_an_older_denial(db: Any, conn: Any) -> None:
    slow = await db.connect("transitpay_settlement")
    async with slow.transaction():
        await slow.execute(
            "insert into deny_request (issuer, rider_id, action, reason, requested_at)"
            " values ('alipayhk', $1, 'deny', 'arrears', $2)", RIDER, AT,
        )  # fmt: skip
        await ask(db, "release")
        assert await listed(conn) is None
    assert await listed(conn) is None


async def test_what_changed_since_any_version_leads_to_the_list_of_now(db: Any, conn: Any) -> None:
    await access.enrol_participant(conn, Participant("alipay", "wallet", "W", "CNY"), AT)
    settlement = await db.connect("transitpay_settlement")
    choose = random.Random(4)
    versions = [await deny_table.records(conn)]
    for number in range(30):
        rider = f"{choose.randrange(6):016x}"
        words = ("deny", "release") if number > 3 else ("deny",)
        await settlement.execute(
            "insert into deny_request (issuer, rider_id, action, reason, requested_at)"
            " values ($1, $2, $3, 'arrears', $4)",
            choose.choice(("alipayhk", "alipay")), rider, choose.choice(words), AT,
        )  # fmt: skip
        assert await denials.apply_deny_requests(conn, AT) == 1
        versions.append(await deny_table.records(conn))
    now, final = versions[-1]
    assert now == 31 and len({records for _, records in versions}) > 10
    for version, records in versions:
        base = ListKind.DENY.table(records)
        reached, head, found = await deny_table.changes_since(conn, version)
        changes = changes_over(found, base)
        assert (reached, head, changes.is_sorted()) == (now, None, True)
        assert b"".join(apply(base, changes)) == final
    assert (await deny_table.changes_since(conn, now))[2] == b""
    assert await deny_table.changed_since(conn, 1, 5) == 5
    assert await deny_table.changed_since(conn, now - 1, 5) == 1


async def test_an_issuer_keeps_its_number_and_nobody_else_gets_it(conn: Any) -> None:
    for name in ("shenzhen-tong", "alipay"):
        await access.enrol_participant(conn, Participant(name, "wallet", "W", "CNY"), AT)
        await lists.number_issuers(conn, ["alipayhk", name, "nobody"])
    rows = await conn.fetch("select issuer, number from issuer_number order by number")
    assert [tuple(row) for row in rows] == [("alipayhk", 1), ("shenzhen-tong", 2), ("alipay", 3)]


async def test_a_word_on_somebody_unknown_stops_nobody_else_s(db: Any, conn: Any) -> None:
    settlement = await db.connect("transitpay_settlement")
    for issuer, rider in (("nobody", RIDER), ("alipayhk", "not a rider"), ("alipayhk", RIDER)):
        await settlement.execute(
            "insert into deny_request (issuer, rider_id, action, reason, requested_at)"
            " values ($1, $2, 'deny', 'arrears', $3)", issuer, rider, AT,
        )  # fmt: skip
    assert await denials.apply_deny_requests(conn, AT) == 3
    assert await deny_list(conn) == (2, {RIDER: 2**32 - 1})
