"""The gateway's way to PostgreSQL: opened when first needed, time-limited, never fatal.

A database that is away makes calls fail with TemporarilyUnavailable; the next call tries again.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TypeVar

import asyncpg

from transitpay.errors import TemporarilyUnavailable
from transitpay.postgres.pool import Pool, database_errors, open_pool
from transitpay.runtime.config import Settings

_T = TypeVar("_T")
ROLE = "transitpay_gateway"
#: The longest that a use of the database may take, pool and statements together.
CALL_LIMIT_S = 5.0
_ATTEMPTS = 3
_AGAIN = (asyncpg.SerializationError, asyncpg.DeadlockDetectedError)


class Database:
    """A pool of connections as the gateway's role."""

    def __init__(self, settings: Settings, *, max_size: int = 8, role: str = ROLE) -> None:
        self._settings = settings
        self._max_size = max_size
        self._role = role
        self._pool: Pool | None = None
        self._opening = asyncio.Lock()

    async def close(self) -> None:
        """Give every connection back, waiting a moment for those in use."""
        pool, self._pool = self._pool, None
        if pool is None:
            return
        try:
            async with asyncio.timeout(2):
                await pool.close()
        except (TimeoutError, OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
            pool.terminate()

    @asynccontextmanager
    async def connection(self, limit_s: float = CALL_LIMIT_S) -> AsyncIterator[asyncpg.Connection]:
        """A connection whose statements commit by themselves.

        Over the limit the connection is dropped without waiting for the server.

        Raises: TemporarilyUnavailable (``database_unavailable``), or a constraint's own error.
        """
        with database_errors():
            async with asyncio.timeout(limit_s):
                pool = await self._opened()
                connection = await pool.acquire()
                try:
                    yield connection
                except asyncio.CancelledError:
                    connection.terminate()
                    raise
                finally:
                    await pool.release(connection)

    @asynccontextmanager
    async def transaction(self, limit_s: float = CALL_LIMIT_S) -> AsyncIterator[asyncpg.Connection]:
        """A connection in one READ COMMITTED transaction, committed at the end.

        Raises: as ``connection``.
        """
        async with self.connection(limit_s) as connection:
            transaction = connection.transaction()
            await transaction.start()
            try:
                yield connection
            except asyncio.CancelledError:
                raise
            except BaseException:
                await transaction.rollback()
                raise
            await transaction.commit()

    async def run(
        self, work: Callable[[asyncpg.Connection], Awaitable[_T]], limit_s: float = CALL_LIMIT_S
    ) -> _T:
        """What ``work`` returned, in one transaction; all of it again after a deadlock.

        Raises: as ``transaction``; TemporarilyUnavailable (``database_busy``).
        """
        for _ in range(_ATTEMPTS):
            try:
                async with self.transaction(limit_s) as connection:
                    return await work(connection)
            except _AGAIN:
                continue
        raise TemporarilyUnavailable("database_busy", "too many writers met; try again")

    async def _opened(self) -> Pool:
        if self._pool is None:
            async with self._opening:
                if self._pool is None:
                    self._pool = await open_pool(
                        self._settings,
                        self._role,
                        max_size=self._max_size,
                        application_name="transitpay-gateway",
                        statement_timeout_s=10,
                    )
        return self._pool
