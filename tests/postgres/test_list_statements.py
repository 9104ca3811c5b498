"""Lists: keys that stay; how far readers have reported."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from transitpay.postgres import reference
from transitpay.postgres.reference import Participant
from transitpay.postgres.trust import lists
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
    assert found.keys[7] == replace(retired, issuer_number=1) and found.version == 3


async def test_reader_status_moves_only_forward(conn: Any) -> None:
    await access.enrol_participant(conn, Participant("mtr", "operator", "MTR", "HKD"), AT)
    it = reference.ReaderRegistration("g1", "mtr", "mtr", 0, 0, "HUH", "entry")  # type: ignore[arg-type]  # text is what StrEnum is
    await access.register_reader(conn, it, AT)
    for sequence, minute in ((5, 5), (4, 6), (6, 4)):
        at = AT + timedelta(minutes=minute)
        await reference.put_reader_status(conn, "g1", sequence, at, at)
    row = await conn.fetchrow("select last_sequence, through_at from reader_status")
    assert tuple(row) == (6, AT + timedelta(minutes=6))
