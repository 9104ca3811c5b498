"""Statements of reconciliation runs: their inputs as a key, their result, and every break."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime

import asyncpg

from transitpay.ledger.night import RunKey, StoredBreak, StoredRun

_FIND_RUN = """
select id, wallet, day, revision, result_digest, counts, at from recon_run
where wallet = $1 and day = $2 and file_digest = $3 and rules_version = $4
    and internal_digest = $5 and carried_digest = $6
"""


async def find_run(conn: asyncpg.Connection, key: RunKey) -> StoredRun | None:
    """The run that was made from exactly these inputs."""
    row = await conn.fetchrow(
        _FIND_RUN,
        key.wallet,
        key.day,
        key.file_digest,
        key.rules_version,
        key.internal_digest,
        key.carried_digest,
    )
    return None if row is None else StoredRun(**dict(row))


_ADD_RUN = """
insert into recon_run (wallet, day, revision, file_digest, rules_version, internal_digest,
    carried_digest, result_digest, counts, at)
select $1, $2, coalesce(max(revision), 0) + 1, $3, $4, $5, $6, $7, $8, $9
from recon_run where wallet = $1 and day = $2
returning id, wallet, day, revision, result_digest, counts, at
"""
_ADD_BREAKS = """
insert into recon_break (run_id, n, wallet, day, kind, request_id, internal_minor,
    external_minor, currency, detail, state)
select $1, b.n, $2, $3, b.kind, b.request_id, b.internal_minor, b.external_minor, b.currency,
    b.detail, b.state
from unnest($4::int[], $5::text[], $6::text[], $7::bigint[], $8::bigint[], $9::char(3)[],
    $10::jsonb[], $11::text[])
    as b(n, kind, request_id, internal_minor, external_minor, currency, detail, state)
"""


async def add_run(
    conn: asyncpg.Connection,
    key: RunKey,
    result: tuple[bytes, dict[str, object]],
    breaks: Iterable[StoredBreak],
    at: datetime,
) -> StoredRun:
    """Keep a run as the next revision of its day; ``result`` is (digest, counts)."""
    row = await conn.fetchrow(
        _ADD_RUN,
        key.wallet,
        key.day,
        key.file_digest,
        key.rules_version,
        key.internal_digest,
        key.carried_digest,
        *result,
        at,
    )
    run = StoredRun(**dict(row))
    found = list(breaks)
    await conn.execute(
        _ADD_BREAKS,
        run.id,
        key.wallet,
        key.day,
        [b.n for b in found],
        [b.kind for b in found],
        [b.request_id for b in found],
        [b.internal_minor for b in found],
        [b.external_minor for b in found],
        [b.currency for b in found],
        [b.detail for b in found],
        [b.state for b in found],
    )
    return run


_BREAKS = """
select b.n, b.day, b.wallet, b.kind, b.request_id, b.internal_minor, b.external_minor,
    b.currency, b.detail, b.state
from recon_break b join (
    select distinct on (wallet) id from recon_run
    where day = $1 and ($2::text is null or wallet = $2) order by wallet, revision desc
) r on r.id = b.run_id
order by b.wallet, b.n
"""


async def breaks(
    conn: asyncpg.Connection, day: date, wallet: str | None = None
) -> list[StoredBreak]:
    """The breaks of the newest run of a day, of one wallet or of all."""
    return [StoredBreak(**dict(r)) for r in await conn.fetch(_BREAKS, day, wallet)]


_RUNS = """
select distinct on (wallet) id, wallet, day, revision, result_digest, counts, at
from recon_run where day = $1 order by wallet, revision desc
"""


async def runs(conn: asyncpg.Connection, day: date) -> list[StoredRun]:
    """The newest run of each wallet of a day."""
    return [StoredRun(**dict(r)) for r in await conn.fetch(_RUNS, day)]


_RESOLVE = """
update recon_break set state = 'AUTO_RESOLVED'
where wallet = $1 and day < $2 and request_id = any($3::text[]) and detail ? 'carries'
    and state in ('OPEN', 'CARRIED')
"""


async def resolve_carried(
    conn: asyncpg.Connection, wallet: str, day: date, request_ids: Sequence[str]
) -> None:
    """Breaks of earlier days that waited for what the run of ``day`` has found."""
    await conn.execute(_RESOLVE, wallet, day, list(request_ids))
