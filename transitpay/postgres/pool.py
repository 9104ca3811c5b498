"""Connections to the database, and the one place where its errors become ours.

Every connection carries its role, a name, time limits, UTC, and JSON as Python values. Numbers
with decimals come back as Decimal, from numeric columns and from JSON alike.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from decimal import Decimal
from typing import Any, TypeVar

import asyncpg

from transitpay.errors import Conflict, RuleViolation, TemporarilyUnavailable, TransitPayError
from transitpay.runtime.config import Settings

# asyncpg has no type information: Any is what it gives.
Connection = Any
Pool = Any
_T = TypeVar("_T")

CONNECT_LIMIT_S = 10
#: The client waits this much longer than the server's own limit, so that the server ends first.
CLIENT_MARGIN_S = 5

#: What a broken constraint means: (family, code, sentence). Other constraints are our mistakes.
CONSTRAINT_ERRORS: Mapping[str, tuple[type[TransitPayError], str, str]] = {
    "actor_scope": (RuleViolation, "actor_without_scope", "this role needs a participant"),
    "approval_four_eyes": (RuleViolation, "four_eyes", "nobody approves a proposal of their own"),
    "authorisation_request": (Conflict, "request_repeated", "this request id was used before"),
    "charge_attempt_holds_money": (
        Conflict,
        "attempt_open",
        "another attempt of this charge is open or holds money",
    ),
    "code_use_once": (Conflict, "code_used", "this ride code has opened before"),
    "entry_once": (Conflict, "entry_repeated", "this event is booked already"),
    "rate_observation_once": (Conflict, "rate_repeated", "this observation is recorded already"),
    "refund_once": (Conflict, "refund_repeated", "there is a refund with this id"),
    "rider_account": (Conflict, "account_enrolled", "this account belongs to another rider"),
}

#: The server is there and cannot serve us now. What only our code can break is not among them.
_UNAVAILABLE = (
    OSError,
    TimeoutError,
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.LockNotAvailableError,
    asyncpg.ReadOnlySQLTransactionError,
    # The server said farewell to an idle connection and asyncpg has not seen its end yet.
    asyncpg.InternalClientError,
)
_NOT_INITIALISED = (
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidCatalogNameError,
)
_RETRYABLE = (asyncpg.SerializationError, asyncpg.DeadlockDetectedError)


async def open_pool(
    settings: Settings,
    role: str,
    *,
    min_size: int = 1,
    max_size: int = 8,
    application_name: str = "transitpay",
    statement_timeout_s: int = 30,
) -> Pool:
    """A pool of connections as ``role``; close it with ``await pool.close()``.

    A connection is given back as it was taken: use ``set local``, transaction-scoped locks and no
    session state. (Resetting it by a query would cost every use a round trip.)

    Raises: TemporarilyUnavailable (``database_unavailable``).
    """
    with database_errors():
        return await asyncpg.create_pool(
            settings.dsn(role),
            min_size=min_size,
            max_size=max_size,
            init=_prepare,
            reset=_give_back,
            statement_cache_size=256,
            **_limits(application_name, statement_timeout_s),
        )


async def connect(
    dsn: str,
    *,
    application_name: str = "transitpay",
    statement_timeout_s: int = 30,
    database: str | None = None,
) -> Connection:
    """One connection, set up as those of a pool are.

    Raises: TemporarilyUnavailable (``database_unavailable``).
    """
    with database_errors():
        connection = await asyncpg.connect(
            dsn, database=database, **_limits(application_name, statement_timeout_s)
        )
        await _prepare(connection)
        return connection


@contextmanager
def database_errors() -> Iterator[None]:
    """Inside, the database's errors are ours: unreachable, not initialised, a known constraint.

    Raises: TemporarilyUnavailable (``database_unavailable``), or what CONSTRAINT_ERRORS says.
    """
    try:
        yield
    except _NOT_INITIALISED as error:
        raise _unavailable(f"{_line(error)}; has `transitpay db init` been run?") from error
    except _UNAVAILABLE as error:
        raise _unavailable(_line(error)) from error
    except asyncpg.IntegrityConstraintViolationError as error:
        known = CONSTRAINT_ERRORS.get(getattr(error, "constraint_name", None) or "")
        if known is None:
            raise
        family, code, sentence = known
        raise family(code, sentence) from error
    except asyncpg.InterfaceError as error:
        # asyncpg says "closed" in words only; its other interface errors are our mistakes.
        if "clos" not in str(error):
            raise
        raise _unavailable(_line(error)) from error


@asynccontextmanager
async def transaction(pool: Pool) -> AsyncIterator[Connection]:
    """A connection in one READ COMMITTED transaction: committed at the end, undone by an error.

    Raises: what ``database_errors`` raises.
    """
    with database_errors():
        async with (
            pool.acquire(timeout=CONNECT_LIMIT_S) as connection,
            connection.transaction(),
        ):
            yield connection


async def in_transaction(
    pool: Pool, work: Callable[[Connection], Awaitable[_T]], attempts: int = 3
) -> _T:
    """What ``work`` returned, in one transaction; all of it again after a deadlock.

    ``work`` must do nothing but read and write here: it may run up to ``attempts`` times.

    Raises: TemporarilyUnavailable (``database_busy``) when the last attempt fails too.
    """
    for _ in range(attempts):
        try:
            async with transaction(pool) as connection:
                return await work(connection)
        except _RETRYABLE as error:
            last = error
    raise TemporarilyUnavailable("database_busy", _line(last)) from last


def _limits(application_name: str, statement_timeout_s: int) -> dict[str, Any]:  # asyncpg keywords
    return {
        "timeout": CONNECT_LIMIT_S,
        "command_timeout": statement_timeout_s + CLIENT_MARGIN_S,
        "server_settings": {
            "application_name": application_name,
            "statement_timeout": f"{statement_timeout_s}s",
            "lock_timeout": f"{statement_timeout_s}s",
            "idle_in_transaction_session_timeout": "60s",
            "timezone": "UTC",
            "search_path": "public",
            "jit": "off",
        },
    }


async def _prepare(connection: Connection) -> None:
    for kind in ("json", "jsonb"):
        await connection.set_type_codec(
            kind, schema="pg_catalog", encoder=_write_json, decoder=_read_json
        )


async def _give_back(connection: Connection) -> None:
    if connection.is_in_transaction():
        await connection.execute("rollback")


def _write_json(value: object) -> str:
    """Decimals are written as text: a reader that has only floats must not round them."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=_as_text)


def _as_text(value: object) -> str:
    if isinstance(value, Decimal):
        return str(value)
    raise TypeError(f"{type(value).__name__} is not JSON")


def _read_json(text: str) -> object:
    return json.loads(text, parse_float=Decimal)


def _unavailable(reason: str) -> TemporarilyUnavailable:
    return TemporarilyUnavailable("database_unavailable", f"the database is away: {reason}")


def _line(error: BaseException) -> str:
    """One line; asyncpg and the system put several attempts into one message."""
    if isinstance(error, TimeoutError) and not str(error):
        return "no answer in time"
    if isinstance(error, FileNotFoundError):
        return "its socket is not there; is it running?"
    return " ".join(str(error).split()) or type(error).__name__
