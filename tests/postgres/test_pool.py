"""Pools: values in and out, and the database's errors in our words."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from transitpay.errors import Conflict, RuleViolation, TemporarilyUnavailable
from transitpay.postgres.pool import (
    connect,
    database_errors,
    in_transaction,
    open_pool,
    transaction,
)
from transitpay.runtime.config import Settings

AT = datetime(2026, 11, 2, 4, 0, tzinfo=UTC)


@contextmanager
def unavailable() -> Iterator[None]:
    with pytest.raises(TemporarilyUnavailable) as refused:
        yield
    assert refused.value.code == "database_unavailable"
    assert "\n" not in str(refused.value)


async def test_json_and_numbers_come_back_exact(db: Any) -> None:
    pool = await db.pool("transitpay_gateway")
    async with pool.acquire() as connection:
        row = await connection.fetchrow(
            "select $1::jsonb as j, 1.10::numeric as n, '{\"r\": 0.1}'::jsonb as d",
            {"名": [1, "x", None, True], "rate": Decimal("0.9100")},
        )
    assert row["j"] == {"名": [1, "x", None, True], "rate": "0.9100"}
    assert row["n"] == Decimal("1.10")
    assert row["d"] == {"r": Decimal("0.1")}


async def test_a_pool_works_as_its_role_in_utc_with_a_time_limit(db: Any) -> None:
    pool = await db.pool("transitpay_settlement")
    async with pool.acquire() as connection:
        row = await connection.fetchrow(
            "select current_user::text as role, current_setting('timezone') as zone, "
            "current_setting('statement_timeout') as s, current_setting('application_name') as a"
        )
    assert tuple(row) == ("transitpay_settlement", "UTC", "30s", "test")


async def test_an_error_undoes_the_transaction_and_the_connection_is_clean_again(db: Any) -> None:
    pool = await db.pool("transitpay_gateway", max_size=1)
    with pytest.raises(RuntimeError):
        async with transaction(pool) as connection:
            await connection.execute(
                "insert into tap_inbox (shard, issuer, rider_id, due_at) values (1, 'a', 'b', $1)",
                AT,
            )
            raise RuntimeError
    async with pool.acquire() as connection:
        assert await connection.fetchval("select count(*) from tap_inbox") == 0


async def test_a_broken_constraint_is_a_domain_error(db: Any) -> None:
    owner = await db.connect("transitpay_owner")
    event = "insert into entry (key, kind, at) values ('fare:1', 'fare', $1)"
    await owner.execute(event, AT)
    with pytest.raises(Conflict) as refused, database_errors():
        await owner.execute(event, AT)
    assert refused.value.code == "entry_repeated"
    with pytest.raises(RuleViolation) as ruled, database_errors():
        await owner.execute("insert into actor (id, name, role) values ('r', 'r', 'reader')")
    assert ruled.value.code == "actor_without_scope"


async def test_a_constraint_without_a_meaning_stays_our_mistake(db: Any) -> None:
    owner = await db.connect("transitpay_owner")
    with pytest.raises(asyncpg.CheckViolationError), database_errors():
        await owner.execute(
            "insert into tap_inbox (shard, issuer, rider_id, due_at) values (64, 'a', 'b', $1)", AT
        )


async def test_a_server_that_is_away_is_one_line(tmp_path: Path) -> None:
    with unavailable():
        await open_pool(Settings(home=tmp_path), "transitpay_gateway")
    with unavailable():
        await connect("postgresql://u@127.0.0.1:1/x")


async def test_a_role_that_is_missing_points_to_init(db: Any) -> None:
    with pytest.raises(TemporarilyUnavailable, match="transitpay db init"):
        await connect(db.dsn("transitpay_nobody"))
    elsewhere = replace(
        db.settings, database_url=db.settings.database_url.replace("/test_", "/no_")
    )
    with pytest.raises(TemporarilyUnavailable, match="transitpay db init"):
        await open_pool(elsewhere, "transitpay_gateway")


async def test_a_connection_that_was_cut_is_unavailable(db: Any) -> None:
    admin = await db.connect()
    pool = await db.pool("transitpay_gateway", max_size=1)
    with unavailable():
        async with transaction(pool) as connection:
            pid = await connection.fetchval("select pg_backend_pid()")
            await admin.execute("select pg_terminate_backend($1)", pid)
            await connection.execute("select 1")
    async with transaction(pool) as connection:
        assert await connection.fetchval("select 1") == 1


async def test_a_statement_over_its_limit_is_unavailable(db: Any) -> None:
    connection = await connect(db.dsn(), statement_timeout_s=1)
    with unavailable(), database_errors():
        await connection.execute("select pg_sleep(5)")
    await connection.close()


async def test_a_deadlock_is_done_again(db: Any) -> None:
    owner = await db.connect("transitpay_owner")
    await owner.execute(
        "insert into actor (id, name, role) values ('a', '', 'admin'), ('b', '', 'admin')"
    )
    pool = await db.pool("transitpay_owner")
    both_hold_one = asyncio.Barrier(2)
    tries: list[str] = []

    async def rename(first: str, second: str) -> None:
        async def work(connection: Any) -> None:
            tries.append(first)
            await connection.execute("update actor set name = name || 'x' where id = $1", first)
            if tries.count(first) == 1:
                await both_hold_one.wait()
            await connection.execute("update actor set name = name || 'x' where id = $1", second)

        await in_transaction(pool, work)

    await asyncio.gather(rename("a", "b"), rename("b", "a"))
    assert len(tries) >= 3  # a busy machine may let them meet again
    assert [r["name"] for r in await owner.fetch("select name from actor order by id")] == [
        "xx",
        "xx",
    ]


async def test_what_always_fails_is_busy_after_the_last_attempt(db: Any) -> None:
    pool = await db.pool("transitpay_owner")
    tries = []

    async def work(connection: Any) -> None:
        tries.append(1)
        await connection.execute("do $$ begin raise 'again' using errcode = '40001'; end $$")

    with pytest.raises(TemporarilyUnavailable) as refused:
        await in_transaction(pool, work, attempts=2)
    assert refused.value.code == "database_busy"
    assert len(tries) == 2
