"""A proposal has one end, approved or withdrawn, and keeps it, whoever writes and however."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest

from transitpay.postgres import approvals
from transitpay.postgres.approvals import OpenProposal, Withdrawal
from transitpay.runtime.withdrawing import is_withdrawn

AT = datetime(2026, 11, 2, 1, 0, tzinfo=UTC)
WORD = Withdrawal("o1", AT, "typed twice")


@pytest.fixture
async def gateway(db: Any) -> Any:
    owner = await db.connect()
    await owner.execute(
        "insert into participant (id, kind, name, currency) values ('mtr', 'operator', 'm', 'HKD')"
    )
    await owner.execute(
        "insert into actor (id, name, role, participant) values"
        " ('o1', 'o', 'operator', 'mtr'), ('o2', 'o', 'operator', 'mtr')"
    )
    return await db.connect("transitpay_gateway")


async def proposed(conn: Any, subject: str = "thing", at: datetime = AT) -> int:
    return await approvals.propose(conn, subject, b"\0" * 32, "o1", at)


async def test_a_withdrawn_proposal_is_never_approved_nor_withdrawn_again(gateway: Any) -> None:
    number = await proposed(gateway)
    await approvals.withdraw(gateway, number, WORD)
    for work in (
        approvals.approve(gateway, number, "o2", AT),
        approvals.withdraw(gateway, number, Withdrawal("o2", AT, "other")),
    ):
        with pytest.raises(asyncpg.RestrictViolationError):
            await work
    row = await gateway.fetchrow("select * from approval")
    assert (approvals.withdrawal_of(row), row["approved_by"]) == (WORD, None)


async def test_an_approved_proposal_is_never_withdrawn(gateway: Any) -> None:
    number = await proposed(gateway)
    await approvals.approve(gateway, number, "o2", AT)
    with pytest.raises(asyncpg.RestrictViolationError):
        await approvals.withdraw(gateway, number, WORD)
    row = await gateway.fetchrow("select * from approval")
    assert (approvals.withdrawal_of(row), row["approved_by"]) == (None, "o2")


async def test_a_proposal_that_has_ended_is_append_only_for_the_owner_too(
    gateway: Any, db: Any
) -> None:
    owner = await db.connect()
    await approvals.withdraw(gateway, await proposed(gateway), WORD)
    for change in (
        "update approval set withdrawn_by = null, withdrawn_at = null, withdrawn_why = null",
        "update approval set withdrawn_why = 'nicer'",
        "delete from approval",
        "truncate approval cascade",
    ):
        with pytest.raises(asyncpg.RestrictViolationError):
            await owner.execute(change)


@pytest.mark.parametrize(
    ("columns", "constraint"),
    [
        ("withdrawn_by = 'o1'", "approval_withdrawn"),
        ("withdrawn_why = 'w'", "approval_withdrawn"),
        (
            "withdrawn_by = 'o1', withdrawn_at = $1, withdrawn_why = 'w', approved_by = 'o2'",
            "approval_one_end",
        ),
    ],
)
async def test_a_withdrawal_has_who_when_and_why_and_no_approval_beside_it(
    gateway: Any, columns: str, constraint: str
) -> None:
    await proposed(gateway)
    given = [AT] if "$1" in columns else []
    with pytest.raises(asyncpg.CheckViolationError) as refusal:
        await gateway.execute(f"update approval set {columns}", *given)
    assert refusal.value.constraint_name == constraint


async def test_of_an_approval_and_a_withdrawal_at_once_exactly_one_is_written(
    gateway: Any, db: Any
) -> None:
    other = await db.connect("transitpay_gateway")
    for _ in range(20):
        number = await proposed(gateway)
        done = await asyncio.gather(
            approvals.approve(other, number, "o2", AT),
            approvals.withdraw(gateway, number, WORD),
            return_exceptions=True,
        )
        row = await gateway.fetchrow("select * from approval where id = $1", number)
        ends = (row["approved_by"] is not None, row["withdrawn_by"] is not None)
        assert sum(ends) == 1
        refused = [isinstance(it, asyncpg.RestrictViolationError) for it in done]
        assert refused == [not ends[0], not ends[1]]


async def test_what_waits_is_listed_oldest_first_until_it_ends(gateway: Any) -> None:
    numbers = [
        await proposed(gateway, subject, AT + timedelta(hours=hours))
        for subject, hours in (("b", 2), ("a", 1), ("c", 3))
    ]
    open_now = await approvals.open_proposals(gateway, 9)
    assert open_now[0] == OpenProposal("a", None, "o1", AT + timedelta(hours=1))
    assert [it.subject for it in open_now] == ["a", "b", "c"]
    assert [it.subject for it in await approvals.open_proposals(gateway, 2)] == ["a", "b"]
    await approvals.approve(gateway, numbers[0], "o2", AT)
    await approvals.withdraw(gateway, numbers[1], WORD)
    assert [it.subject for it in await approvals.open_proposals(gateway, 9)] == ["c"]


def test_the_same_word_again_is_no_news() -> None:
    assert not is_withdrawn(False, None, "typed twice", "id")
    assert is_withdrawn(False, WORD, "typed twice", "id")
