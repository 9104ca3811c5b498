"""Statements on journeys: what counts, from which tap on, and that nothing of them changes."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import asyncpg
import pytest

from transitpay.journeys.statements import Statement, StatementKind
from transitpay.postgres import approvals
from transitpay.postgres.journeys.statements import (
    JourneyStatement,
    insert_statement,
    read_again,
    statements_of,
    tap_of_journey,
)
from transitpay.taps import TapKey

AT = datetime(2026, 11, 2, 1, 0, tzinfo=UTC)
DAY = date(2026, 11, 2)
ANNA, BEN = ("alipayhk", "00" * 8), ("alipayhk", "11" * 8)


async def people(db: Any) -> None:
    owner = await db.connect()
    await owner.execute(
        "insert into participant (id, kind, name, currency)"
        " values ('alipayhk', 'wallet', 'w', 'HKD'), ('mtr', 'operator', 'm', 'HKD')"
    )
    await owner.execute(
        "insert into actor (id, name, role, participant) values"
        " ('w', 'w', 'wallet', 'alipayhk'), ('o1', 'o', 'operator', 'mtr'),"
        " ('o2', 'o', 'operator', 'mtr')"
    )


def said(number: int = 1, **changes: Any) -> JourneyStatement:
    fields: dict[str, Any] = {
        "stated_for": "alipayhk",
        "request_id": f"r{number}",
        "kind": StatementKind.DECLARED,
        "rider": ANNA,
        "tap": TapKey(DAY, "mtr-in-1", number),
        "tapped_at": AT,
        "network": "mtr",
        "service_day": DAY,
        "stop": "2",
        "reason": "",
        "stated_by": "w",
        "stated_at": AT + timedelta(hours=5),
    }
    return JourneyStatement(**{**fields, **changes})


async def test_a_declaration_counts_at_once_and_from_its_tap_on(db: Any) -> None:
    await people(db)
    gateway = await db.connect("transitpay_gateway")
    await insert_statement(gateway, said())
    await read_again(gateway, ANNA, AT, AT + timedelta(hours=5))
    settlement = await db.connect("transitpay_settlement")
    declared = Statement(
        "alipayhk/r1", TapKey(DAY, "mtr-in-1", 1), StatementKind.DECLARED, "2",
        AT + timedelta(hours=5),
    )  # fmt: skip
    assert await statements_of(settlement, [BEN, ANNA], AT) == {ANNA: (declared,)}
    assert await statements_of(settlement, [ANNA], AT + timedelta(microseconds=1)) == {}
    row = await settlement.fetchrow("select issuer, rider_id, due_at, since from tap_inbox")
    assert tuple(row) == (*ANNA, AT + timedelta(hours=5), AT)


async def test_a_correction_counts_from_its_approval_on(db: Any) -> None:
    await people(db)
    gateway = await db.connect("transitpay_gateway")
    number = await approvals.propose(gateway, "journey_correction", b"\0" * 32, "o1", AT)
    await insert_statement(
        gateway,
        said(
            stated_for="mtr", kind=StatementKind.CORRECTED, stated_by="o1", approval=number
        ),
    )  # fmt: skip
    assert await statements_of(gateway, [ANNA], AT) == {}
    await approvals.approve(gateway, number, "o2", AT + timedelta(days=1))
    settlement = await db.connect("transitpay_settlement")
    [found] = (await statements_of(settlement, [ANNA], AT))[ANNA]
    assert (found.kind, found.stated_at) == (StatementKind.CORRECTED, AT + timedelta(days=1))


async def test_a_journey_is_declared_once_and_a_request_is_made_once(db: Any) -> None:
    await people(db)
    gateway = await db.connect("transitpay_gateway")
    await insert_statement(gateway, said())
    for again in (said(request_id="r2"), said(2, request_id="r1")):
        with pytest.raises(asyncpg.UniqueViolationError):
            await insert_statement(gateway, again)


async def test_nobody_changes_a_statement_and_settlement_makes_none(db: Any) -> None:
    await people(db)
    gateway, settlement = (
        await db.connect("transitpay_gateway"),
        await db.connect("transitpay_settlement"),
    )
    await insert_statement(gateway, said())
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await insert_statement(settlement, said(2))
    owner = await db.connect()
    with pytest.raises(asyncpg.RestrictViolationError):
        await owner.execute("update journey_statement set stop = '3'")


@pytest.mark.parametrize("ending", ["", "~2", "~13"])
def test_the_id_of_a_journey_names_its_first_tap_in_every_revision(ending: str) -> None:
    assert tap_of_journey(f"2026-11-02/gate/a-1/77{ending}") == TapKey(DAY, "gate/a-1", 77)
