"""Makes the tables and roles once, and tells whether a database has the tables of this version.

schema.sql is read from the package and applied by the owner role in one transaction, together
with its fingerprint (SHA-256). Until 0.1 a changed schema.sql means a new database.
"""

from __future__ import annotations

import hashlib
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from importlib import resources
from urllib.parse import unquote, urlsplit

import asyncpg

from transitpay.errors import Conflict, TemporarilyUnavailable
from transitpay.postgres.pool import Connection, connect, database_errors

OWNER = "transitpay_owner"
ROLES = (
    OWNER,
    "transitpay_gateway",
    "transitpay_settlement",
    "transitpay_finance_read",
    "transitpay_auditor",
)
#: Any number that no other advisory lock of ours uses; held for the time of one init.
_INIT_LOCK = 7364000


class SchemaState(StrEnum):
    """What a database holds, compared with this version's schema.sql."""

    ABSENT = "absent"
    CURRENT = "current"
    CHANGED = "changed"


@dataclass(frozen=True, slots=True)
class SchemaStatus:
    """A database as it was found. ``expected`` is the fingerprint of this version."""

    state: SchemaState
    expected: str
    fingerprint: str | None
    applied_at: datetime | None
    server_version: str | None
    missing_roles: tuple[str, ...]


def schema_text() -> str:
    """The text of schema.sql as this installation carries it."""
    return (resources.files("transitpay.postgres") / "schema.sql").read_text(encoding="utf-8")


def fingerprint(text: str) -> str:
    """SHA-256 of the text, in hex."""
    return hashlib.sha256(text.encode()).hexdigest()


async def init(
    dsn: str, *, at: datetime, role_password: str | None = None, text: str | None = None
) -> bool:
    """Make database, roles and tables; true = made now, false = they were there.

    ``dsn`` is of a superuser, or of a database owner that may create roles. Roles belong to the
    server, so their password is set again each time. Run by two at once, one of them waits.

    Raises: Conflict (``schema_changed``, ``foreign_tables``); TemporarilyUnavailable.
    """
    script = schema_text() if text is None else text
    await _ensure_database(dsn)
    connection = await connect(dsn, application_name="transitpay-init")
    try:
        with database_errors():
            await connection.execute("select pg_advisory_lock($1)", _INIT_LOCK)
            await _ensure_roles(connection, role_password)
            async with connection.transaction():
                return await _apply_once(connection, script, at)
    finally:
        await connection.close()


async def status(dsn: str, *, text: str | None = None) -> SchemaStatus:
    """What the database holds; changes nothing.

    Raises: TemporarilyUnavailable when the server does not answer.
    """
    expected = fingerprint(schema_text() if text is None else text)
    try:
        connection = await connect(dsn, application_name="transitpay-status")
    except TemporarilyUnavailable as error:
        if isinstance(error.__cause__, asyncpg.InvalidCatalogNameError):
            return SchemaStatus(SchemaState.ABSENT, expected, None, None, None, ROLES)
        raise
    try:
        with database_errors():
            version = await connection.fetchval("select current_setting('server_version')")
            roles = await _known_roles(connection)
            applied = await _applied(connection)
    finally:
        await connection.close()
    state = SchemaState.ABSENT
    if applied is not None:
        state = SchemaState.CURRENT if applied[0] == expected else SchemaState.CHANGED
    return SchemaStatus(
        state,
        expected,
        applied[0] if applied else None,
        applied[1] if applied else None,
        version.split()[0],
        tuple(role for role in ROLES if role not in roles),
    )


async def migrate(dsn: str, *, text: str | None = None) -> None:
    """Bring the tables to this version; until 0.1 that is only ever "they are the same".

    Raises: Conflict (``schema_changed``, ``schema_absent``).
    """
    found = await status(dsn, text=text)
    if found.state is SchemaState.ABSENT:
        raise Conflict("schema_absent", "there are no tables yet: run `transitpay db init`")
    if found.state is SchemaState.CHANGED:
        assert found.fingerprint is not None
        raise _changed(found.fingerprint, found.expected)


async def _apply_once(connection: Connection, script: str, at: datetime) -> bool:
    expected = fingerprint(script)
    applied = await _applied(connection)
    if applied is not None:
        if applied[0] != expected:
            raise _changed(applied[0], expected)
        return False
    foreign = await _first_table(connection)
    if foreign is not None:
        raise Conflict(
            "foreign_tables",
            f"schema public holds {foreign!r}, which is not ours: use an own database",
        )
    await _own_schema(connection)
    await connection.execute(f"set local role {OWNER}")
    await connection.execute(script)
    await _record(connection, expected, at)
    return True


_applied_sql = """
select fingerprint, applied_at from schema_fingerprint order by applied_at desc limit 1
"""


async def _applied(connection: Connection) -> tuple[str, datetime] | None:
    if await connection.fetchval("select to_regclass('public.schema_fingerprint')") is None:
        return None
    row = await connection.fetchrow(_applied_sql)
    return (row["fingerprint"], row["applied_at"]) if row else None


_record_sql = "insert into schema_fingerprint (fingerprint, applied_at) values ($1, $2)"


async def _record(connection: Connection, digest: str, at: datetime) -> None:
    await connection.execute(_record_sql, digest, at)


_first_table_sql = """
select c.relname from pg_class c
where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p', 'v', 'm')
order by c.relname limit 1
"""


async def _first_table(connection: Connection) -> str | None:
    name = await connection.fetchval(_first_table_sql)
    return None if name is None else str(name)


_known_roles_sql = "select rolname from pg_roles where rolname = any($1::text[])"


async def _known_roles(connection: Connection) -> set[str]:
    return {row["rolname"] for row in await connection.fetch(_known_roles_sql, list(ROLES))}


# PostgreSQL takes no parameters in role statements: it quotes them itself.
_create_role_sql = "select format('create role %I login', $1::text)"
_set_password_sql = "select format('alter role %I login password %L', $1::text, $2::text)"


async def _ensure_roles(connection: Connection, password: str | None) -> None:
    known = await _known_roles(connection)
    for role in ROLES:
        if role not in known:
            statement = await connection.fetchval(_create_role_sql, role)
            # Another database of this server may be being made at the same time.
            with suppress(asyncpg.DuplicateObjectError, asyncpg.UniqueViolationError):
                await connection.execute(statement)
        if password:
            await connection.execute(await connection.fetchval(_set_password_sql, role, password))


_rights_sql = """
select current_user as me, r.rolsuper as superuser,
       pg_has_role(current_user, $1, 'member') as is_member,
       (select nspowner::regrole::text from pg_namespace where nspname = 'public') as schema_owner,
       format('grant create, connect on database %I to %I', current_database(), $1::text)
           as grant_database
from pg_roles r where r.rolname = current_user
"""


async def _own_schema(connection: Connection) -> None:
    """The owner role owns schema public, and we may act as it."""
    rights = await connection.fetchrow(_rights_sql, OWNER)
    if not rights["superuser"]:
        # From 16 on, having made a role does not by itself allow to act as it.
        await connection.execute(f"grant {OWNER} to current_user")
    await connection.execute(rights["grant_database"])
    if rights["schema_owner"] != OWNER:
        await connection.execute(f"alter schema public owner to {OWNER}")


async def _ensure_database(dsn: str) -> None:
    try:
        await (await connect(dsn)).close()
    except TemporarilyUnavailable as error:
        if not isinstance(error.__cause__, asyncpg.InvalidCatalogNameError):
            raise
        connection = await connect(dsn, database="postgres")
        try:
            await _create_database(connection, unquote(urlsplit(dsn).path.lstrip("/")))
        finally:
            await connection.close()


_create_database_sql = """
select format('create database %I encoding ''UTF8'' template template0', $1::text)
"""


async def _create_database(connection: Connection, name: str) -> None:
    statement = await connection.fetchval(_create_database_sql, name)
    try:
        with database_errors():
            await connection.execute(statement)
    except (asyncpg.DuplicateDatabaseError, asyncpg.UniqueViolationError):
        return  # made by another init in the same moment


def _changed(found: str, expected: str) -> Conflict:
    return Conflict(
        "schema_changed",
        f"the tables were made by another schema.sql ({found[:12]}, this version has "
        f"{expected[:12]}); until 0.1 there is no migration: make a new database",
    )
