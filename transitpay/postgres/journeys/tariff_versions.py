"""Versions of tariffs as documents: written by commands and at settlement's start, append-only.

Whoever prices holds ``lock_for_pricing`` until what it booked is committed, whoever records a
version holds ``lock_for_recording``: so each journey is either booked and found by
``riders_since``, or priced with the new version.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime

import asyncpg

from transitpay.postgres.approvals import Withdrawal, withdrawal_of
from transitpay.postgres.gates.taps import shard_of

_LOCK = 7364006
_SHARED = f"""
select pg_advisory_xact_lock_shared({_LOCK})
"""
_EXCLUSIVE = f"""
select pg_advisory_xact_lock({_LOCK})
"""


async def lock_for_pricing(conn: asyncpg.Connection) -> None:
    """No version is recorded before this transaction ends; any number may hold it."""
    await conn.execute(_SHARED)


async def lock_for_recording(conn: asyncpg.Connection) -> None:
    """Wait until all that is being priced is committed; nothing is priced before we end."""
    await conn.execute(_EXCLUSIVE)


@dataclass(frozen=True, slots=True)
class StoredVersion:
    """A version without its document.

    ``counts_at`` is when it was recorded or approved; None while it waits for a second person,
    and for ever where it was ``withdrawn``.
    """

    network: str
    version: str
    valid_from: date
    sha256: bytes
    recorded_by: str | None
    recorded_at: datetime
    approval: int | None
    counts_at: datetime | None
    withdrawn: Withdrawal | None = None

    @property
    def waits(self) -> bool:
        """Whether a second person may still let it count."""
        return self.counts_at is None and self.withdrawn is None


_VERSION = """
select version from list_version where list = 'tariffs'
"""


async def list_version(conn: asyncpg.Connection) -> int:
    """What rises whenever a version begins to count."""
    return int(await conn.fetchval(_VERSION))


_ALL = """
select t.network, t.version, t.valid_from, t.sha256, t.recorded_by, t.recorded_at, t.approval,
       case when t.approval is null then t.recorded_at else a.approved_at end as counts_at,
       a.withdrawn_by, a.withdrawn_at, a.withdrawn_why
from tariff_version t
left join approval a on a.id = t.approval
where ($1::text is null or t.network = $1) and ($2::text is null or t.version = $2)
order by t.network, t.valid_from, t.recorded_at, t.version
"""


async def versions(
    conn: asyncpg.Connection, network: str | None = None, version: str | None = None
) -> list[StoredVersion]:
    """All of them, or of one network or name; by network and first day."""
    return [_version(row) for row in await conn.fetch(_ALL, network, version)]


def _version(row: asyncpg.Record) -> StoredVersion:
    return StoredVersion(
        row["network"], row["version"], row["valid_from"], row["sha256"], row["recorded_by"],
        row["recorded_at"], row["approval"], row["counts_at"], withdrawal_of(row),
    )  # fmt: skip


_DOCUMENTS = """
select t.network, t.version, t.document
from unnest($1::text[], $2::text[]) as w(network, version)
join tariff_version t on t.network = w.network and t.version = w.version
"""


async def documents(
    conn: asyncpg.Connection, keys: Iterable[tuple[str, str]]
) -> dict[tuple[str, str], bytes]:
    """(network, version) -> its document; those that are not there are absent."""
    wanted = list(keys)
    rows = await conn.fetch(_DOCUMENTS, [n for n, _ in wanted], [v for _, v in wanted])
    return {(row["network"], row["version"]): row["document"].encode() for row in rows}


_INSERT = """
insert into tariff_version (network, version, valid_from, sha256, document, recorded_by,
    recorded_at, approval)
values ($1, $2, $3, $4, $5, $6, $7, $8)
"""


async def insert_version(conn: asyncpg.Connection, it: StoredVersion, document: bytes) -> None:
    """Keep a version under a name that its network has not used.

    Raises: asyncpg.UniqueViolationError for one that it has.
    """
    await conn.execute(
        _INSERT, it.network, it.version, it.valid_from, it.sha256, document.decode(),
        it.recorded_by, it.recorded_at, it.approval,
    )  # fmt: skip


_IS_BOOKED = """
select exists (
    select from journey where network = $1 and service_day >= $2 and ended_at is null)
"""


async def is_booked_since(conn: asyncpg.Connection, network: str, day: date) -> bool:
    """Whether a journey of the network stands on this service day or later."""
    return bool(await conn.fetchval(_IS_BOOKED, network, day))


# Whoever has a standing journey, or a tap that no journey has because no fare was found for it.
_RIDERS = """
select issuer, rider_id, min(since) as since
from (select issuer, rider_id, least(entry_at, exit_at) as since
      from journey where network = $1 and service_day >= $2 and ended_at is null
      union all
      select t.issuer, t.rider_id, t.at
      from tap_set_aside s
      join tap t on t.tapped_day = s.tapped_day and t.reader = s.reader and t.sequence = s.sequence
      where t.network = $1 and t.tapped_day >= $2 and t.issuer is not null) concerned
group by issuer, rider_id
order by issuer, rider_id
"""
_READ_AGAIN = """
insert into tap_inbox (shard, issuer, rider_id, due_at, since)
select * from unnest($1::smallint[], $2::text[], $3::text[], $4::timestamptz[], $5::timestamptz[])
"""


async def riders_since(
    conn: asyncpg.Connection, network: str, day: date
) -> list[tuple[str, str, datetime]]:
    """(issuer, rider, first instant) of everybody who rode the network on this day or later."""
    rows = await conn.fetch(_RIDERS, network, day)
    return [(row["issuer"], row["rider_id"], row["since"]) for row in rows]


async def read_again(
    conn: asyncpg.Connection, riders: Sequence[tuple[str, str, datetime]], at: datetime
) -> None:
    """Ask for these riders to be read again, each from its instant on, now."""
    await conn.execute(
        _READ_AGAIN,
        [shard_of(issuer, rider) for issuer, rider, _ in riders],
        [issuer for issuer, _, _ in riders],
        [rider for _, rider, _ in riders],
        [at] * len(riders),
        [since for _, _, since in riders],
    )
