"""Lists: their versions, deny requests applied once by whoever comes first, keys that stay."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from transitpay.postgres import lists, reference
from transitpay.postgres.reference import Participant
from transitpay.ride_code import keys
from transitpay.ride_code.trust_list import IssuerKey, KeyStatus
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


async def issued(conn: Any, serial: int) -> None:
    await conn.execute(
        "insert into authorisation values ('alipayhk', $1, $2, $3, $4, $5, $6, $7, $7, $7)",
        RIDER, serial, f"r{serial}", bytes(33), bytes(65), bytes(64), AT,
    )  # fmt: skip


async def test_a_denial_covers_every_serial_issued_so_far(db: Any, conn: Any) -> None:
    await issued(conn, 1)
    await issued(conn, 2)
    await ask(db, "deny")
    assert await lists.apply_deny_requests(conn, AT) == 1
    await issued(conn, 3)
    found = await lists.deny_list(conn)
    assert dict(found.serials) == {("alipayhk", RIDER): 2} and found.version == 2
    assert await lists.apply_deny_requests(conn, AT) == 0
    assert (await lists.deny_list(conn)).version == 2, "nothing new, no new version"


async def test_the_newest_word_on_a_rider_counts(db: Any, conn: Any) -> None:
    await ask(db, "deny", "release", "deny")
    assert await lists.apply_deny_requests(conn, AT) == 3
    assert len((await lists.deny_list(conn)).serials) == 1
    await ask(db, "deny", "release")
    assert await lists.apply_deny_requests(conn, AT) == 2
    assert not (await lists.deny_list(conn)).serials


async def test_a_request_that_commits_late_is_not_passed_over(db: Any, conn: Any) -> None:
    slow = await db.connect("transitpay_settlement")
    held = slow.transaction()
    await held.start()
    await slow.execute(
        "insert into deny_request (issuer, rider_id, action, reason, requested_at)"
        " values ('alipayhk', 'ffffffffffffffff', 'deny', 'late', $1)", AT,
    )  # fmt: skip
    await ask(db, "deny")
    assert await lists.apply_deny_requests(conn, AT) == 1
    await held.commit()
    assert await lists.apply_deny_requests(conn, AT) == 1
    assert len((await lists.deny_list(conn)).serials) == 2


async def test_several_gateways_apply_a_request_once(db: Any, conn: Any) -> None:
    others = [await db.connect("transitpay_gateway") for _ in range(4)]
    await ask(db, "deny", "deny")
    counts = await asyncio.gather(*(lists.apply_deny_requests(c, AT) for c in others))
    counts += await asyncio.gather(*(lists.apply_deny_requests(c, AT) for c in others))
    assert sum(counts) == 2 and (await lists.versions(conn))["deny"] == 2


async def test_a_key_id_names_one_key_for_ever(conn: Any) -> None:
    private = keys.generate_issuer_key()
    key = IssuerKey(
        7, keys.algorithm_of(private), keys.public_bytes(private), "alipayhk", 3, 3,
        AT, AT + timedelta(days=365),
    )  # fmt: skip
    assert await lists.put_issuer_key(conn, key, AT)
    other = replace(key, public_key=keys.public_bytes(keys.generate_issuer_key()))
    assert not await lists.put_issuer_key(conn, other, AT)
    retired = replace(key, status=KeyStatus.RETIRED)
    assert await lists.put_issuer_key(conn, retired, AT)
    found = await lists.trust_list(conn)
    assert found.keys[7] == retired and found.version == 3


async def test_reader_status_moves_only_forward(conn: Any) -> None:
    await access.enrol_participant(conn, Participant("mtr", "operator", "MTR", "HKD"), AT)
    it = reference.ReaderRegistration("g1", "mtr", "mtr", 0, 0, "HUH", "entry")  # type: ignore[arg-type]  # text is what StrEnum is
    await access.register_reader(conn, it, AT)
    for sequence, minute in ((5, 5), (4, 6), (6, 4)):
        at = AT + timedelta(minutes=minute)
        await reference.put_reader_status(conn, "g1", sequence, at, at)
    row = await conn.fetchrow("select last_sequence, through_at from reader_status")
    assert tuple(row) == (6, AT + timedelta(minutes=6))
