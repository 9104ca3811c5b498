"""The gateway's way to PostgreSQL: opened when first needed, time-limited, never fatal.

After the first call that finds no way in or no answer, every other fails at once, without
waiting for anything: a gate that learns it in a millisecond decides by itself. A probe asks the
database beside them, and its first answer opens the way again.
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
_PROBE_LIMIT_S, _PROBE_PAUSE_S = 0.5, 0.1
_AWAY = "database_unavailable"
_ATTEMPTS = 3
#: One connection has ended. Where it is the whole database, the next one does not open.
_LOST = (
    asyncpg.ConnectionDoesNotExistError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    ConnectionResetError,
    BrokenPipeError,
)
_AGAIN = (asyncpg.SerializationError, asyncpg.DeadlockDetectedError)


class Database:
    """A pool of connections as the gateway's role."""

    def __init__(self, settings: Settings, *, max_size: int = 8, role: str = ROLE) -> None:
        self._settings = settings
        self._max_size = max_size
        self._role = role
        self._pool: Pool | None = None
        self._opening = asyncio.Lock()
        self._probe: asyncio.Task[None] | None = None

    @property
    def is_away(self) -> bool:
        """Whether calls are refused until the probe has had an answer."""
        return self._probe is not None

    async def close(self) -> None:
        """Give every connection back, waiting a moment for those in use."""
        if self._probe is not None:
            self._probe.cancel()
            await asyncio.gather(self._probe, return_exceptions=True)
        pool, self._pool = self._pool, None
        if pool is None:
            return
        try:
            async with asyncio.timeout(2):
                await pool.close()
        except (TimeoutError, OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
            pool.terminate()

    @asynccontextmanager
    async def transaction(self, limit_s: float = CALL_LIMIT_S) -> AsyncIterator[asyncpg.Connection]:
        """A connection in one READ COMMITTED transaction, committed at the end.

        Over the limit the connection is dropped without waiting for the server.

        Raises: TemporarilyUnavailable (``database_unavailable``; at once while it is away), or a
        constraint's own error.
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

    @asynccontextmanager
    async def connection(self, limit_s: float = CALL_LIMIT_S) -> AsyncIterator[asyncpg.Connection]:
        """A connection whose statements commit by themselves.

        Raises: as ``transaction``.
        """
        self._refuse_while_away()
        try:
            async with self._lease(limit_s) as connection:
                yield connection
        except TemporarilyUnavailable as error:
            self._note(error)
            raise

    async def run_again(
        self, work: Callable[[asyncpg.Connection], Awaitable[_T]], limit_s: float
    ) -> _T:
        """What ``work`` returned on a connection whose statements commit by themselves.

        When the connection is lost it is done again on another one, so twice must be once; a
        server that was started again has closed them all.

        Raises: as ``transaction``.
        """
        self._refuse_while_away()
        begun = asyncio.get_running_loop().time()
        for again in range(self._max_size, -1, -1):
            try:
                async with self._lease(limit_s) as connection:
                    return await work(connection)
            except TemporarilyUnavailable as error:
                if again and asyncio.get_running_loop().time() - begun < limit_s / 2:
                    continue
                self._note(error)
                raise
        raise AssertionError("the last attempt returns or raises")

    @asynccontextmanager
    async def _lease(self, limit_s: float) -> AsyncIterator[asyncpg.Connection]:
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

    def _refuse_while_away(self) -> None:
        if self.is_away:
            raise TemporarilyUnavailable(_AWAY, "the database is away")

    def _note(self, error: TemporarilyUnavailable) -> None:
        away = error.code == _AWAY and not isinstance(error.__cause__, _LOST)
        if away and self._probe is None:
            self._probe = asyncio.create_task(self._ask_until_answered(), name="probe")

    async def _ask_until_answered(self) -> None:
        """Ask at once, then ten times a second; a frozen server is given half a second."""
        while True:
            try:
                async with self._lease(_PROBE_LIMIT_S) as connection:
                    await connection.execute("select 1")
            except TemporarilyUnavailable:
                await asyncio.sleep(_PROBE_PAUSE_S)
            else:
                break
        self._probe = None

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
