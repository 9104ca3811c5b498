"""How a command uses the database: one transaction as the gateway's role, on any database."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import asyncpg

from transitpay.errors import MalformedInput, TemporarilyUnavailable
from transitpay.postgres.pool import Connection, connect, database_errors
from transitpay.postgres.server.cluster_files import ClusterFiles
from transitpay.postgres.server.embedded import running_database
from transitpay.runtime.config import Settings

_T = TypeVar("_T")
ROLE = "transitpay_gateway"


def in_transaction(settings: Settings, work: Callable[[Connection], Awaitable[_T]]) -> _T:
    """What ``work`` returned, committed.

    Raises: TransitPayError of ``work``; MalformedInput (``refused_by_database``);
    TemporarilyUnavailable.
    """

    async def once(conn: Connection) -> _T:
        try:
            async with conn.transaction():
                return await work(conn)
        except asyncpg.IntegrityConstraintViolationError as error:
            raise MalformedInput(
                "refused_by_database",
                f"the database refuses this: {error.constraint_name or error.column_name}",
            ) from None

    return with_connection(settings, once)


def with_connection(settings: Settings, work: Callable[[Connection], Awaitable[_T]]) -> _T:
    """What ``work`` returned; its transactions are its own.

    Makes no database: without DATABASE_URL there must be one in the home already.

    Raises: as ``in_transaction``; TemporarilyUnavailable (``no_database``, ``other_tables``).
    """
    if settings.database_url is None and ClusterFiles.under(settings.home).cluster_major() is None:
        reason = f"there is no database in {settings.home}: `transitpay db init` makes one"
        raise TemporarilyUnavailable("no_database", reason)

    async def once() -> _T:
        conn = await connect(settings.dsn(ROLE), application_name="transitpay-command")
        try:
            with database_errors():
                return await work(conn)
        except (asyncpg.UndefinedColumnError, asyncpg.UndefinedTableError) as error:
            reason = f"not the tables of this version: {error}; see `transitpay db status`"
            raise TemporarilyUnavailable("other_tables", reason) from error
        finally:
            await conn.close()

    with running_database(settings):
        return asyncio.run(once())
