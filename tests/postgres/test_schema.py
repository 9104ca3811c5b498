"""`db init` once, twice and twice at once; another schema.sql; roles and their rights."""

from __future__ import annotations

import asyncio
import re
import uuid
from datetime import UTC, datetime
from pathlib import Path

import asyncpg
import pytest

from transitpay.errors import Conflict, TemporarilyUnavailable
from transitpay.postgres import pool, schema
from transitpay.postgres.schema import OWNER, ROLES, SchemaState
from transitpay.postgres.server.embedded import EmbeddedPostgres

AT = datetime(2026, 11, 2, 4, 0, tzinfo=UTC)
TINY = """
create table schema_fingerprint (fingerprint text primary key, applied_at timestamptz not null);
create table thing (n int);
grant select on thing to transitpay_gateway;
"""


def fresh(server: EmbeddedPostgres, role: str = "postgres") -> str:
    return server.dsn(role, f"schema_{uuid.uuid4().hex[:12]}")


async def fetchval(dsn: str, query: str) -> object:
    connection = await asyncpg.connect(dsn)
    try:
        return await connection.fetchval(query)
    finally:
        await connection.close()


async def test_init_makes_the_database_the_roles_and_the_tables(server: EmbeddedPostgres) -> None:
    dsn = fresh(server)
    assert (await schema.status(dsn)).state is SchemaState.ABSENT
    assert await schema.init(dsn, at=AT)
    found = await schema.status(dsn)
    assert found.state is SchemaState.CURRENT
    assert found.fingerprint == found.expected == schema.fingerprint(schema.schema_text())
    assert found.applied_at == AT
    assert found.missing_roles == ()


async def test_init_twice_changes_nothing(server: EmbeddedPostgres) -> None:
    dsn = fresh(server)
    assert await schema.init(dsn, at=AT)
    assert not await schema.init(dsn, at=datetime(2027, 1, 1, tzinfo=UTC))
    assert (await schema.status(dsn)).applied_at == AT
    await schema.migrate(dsn)


async def test_two_inits_at_once_make_one_schema(server: EmbeddedPostgres) -> None:
    dsn = fresh(server)
    made = await asyncio.gather(*(schema.init(dsn, at=AT) for _ in range(3)))
    assert sorted(made) == [False, False, True]


async def test_a_changed_schema_is_refused_by_init_and_by_migrate(server: EmbeddedPostgres) -> None:
    dsn = fresh(server)
    await schema.init(dsn, at=AT, text=TINY)
    changed = TINY + "-- one more line\n"
    with pytest.raises(Conflict, match=r"another schema\.sql") as refused:
        await schema.migrate(dsn, text=changed)
    assert refused.value.code == "schema_changed"
    with pytest.raises(Conflict, match=r"another schema\.sql"):
        await schema.init(dsn, at=AT, text=changed)
    assert (await schema.status(dsn, text=changed)).state is SchemaState.CHANGED
    assert (await schema.status(dsn, text=TINY)).state is SchemaState.CURRENT


async def test_migrate_before_init_says_so(server: EmbeddedPostgres) -> None:
    with pytest.raises(Conflict, match="transitpay db init"):
        await schema.migrate(fresh(server))


async def test_a_database_with_other_tables_is_left_alone(server: EmbeddedPostgres) -> None:
    dsn = fresh(server)
    await schema._ensure_database(dsn)
    await fetchval(dsn, "create table somebodys (n int)")
    with pytest.raises(Conflict, match="somebodys"):
        await schema.init(dsn, at=AT)
    assert await fetchval(dsn, "select to_regclass('public.tap')") is None


async def test_a_schema_that_fails_half_way_leaves_nothing(server: EmbeddedPostgres) -> None:
    dsn = fresh(server)
    with pytest.raises(asyncpg.PostgresSyntaxError):
        await schema.init(dsn, at=AT, text=TINY + "create nonsense;")
    assert (await schema.status(dsn)).state is SchemaState.ABSENT
    assert await fetchval(dsn, "select to_regclass('public.thing')") is None


async def test_the_owner_role_owns_every_table_and_no_service_may_create_one(
    server: EmbeddedPostgres,
) -> None:
    dsn = fresh(server)
    await schema.init(dsn, at=AT)
    owners = await fetchval(
        dsn, "select array_agg(distinct tableowner::text) from pg_tables where schemaname='public'"
    )
    assert owners == [OWNER]
    name = dsn.partition("@/")[2].partition("?")[0]
    for role in ROLES:
        if role != OWNER:
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await fetchval(server.dsn(role, name), "create table mine (n int)")


async def test_a_plain_database_owner_may_run_init(server: EmbeddedPostgres) -> None:
    await schema.init(fresh(server), at=AT, text=TINY)  # the roles are there
    name = f"admin_{uuid.uuid4().hex[:12]}"
    maintenance = server.dsn(database="postgres")
    await fetchval(maintenance, f"create role {name} login createrole createdb")
    for role in ROLES:
        await fetchval(maintenance, f"grant {role} to {name} with admin option")
    assert await schema.init(server.dsn(name, name), at=AT)
    assert not await schema.init(server.dsn(name, name), at=AT)


async def test_the_password_of_the_roles_is_set_and_quoted(server: EmbeddedPostgres) -> None:
    dsn = fresh(server)
    await schema.init(dsn, at=AT, text=TINY, role_password='it\'s "odd"')
    hashed = (
        "select count(*) from pg_authid "
        "where rolname like 'transitpay_%' and rolpassword like 'SCRAM%'"
    )
    assert await fetchval(dsn, hashed) == len(ROLES)


async def test_a_server_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    dsn = f"postgresql://nobody@/none?host={tmp_path}"
    with pytest.raises(TemporarilyUnavailable) as refused:
        await schema.status(dsn)
    assert refused.value.code == "database_unavailable"
    assert "\n" not in str(refused.value)


def test_every_constraint_with_a_meaning_is_in_schema_sql() -> None:
    text = schema.schema_text()
    for name in pool.CONSTRAINT_ERRORS:
        assert re.search(rf"\b(constraint|unique index) {name}\b", text), name
