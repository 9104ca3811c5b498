"""Statements of the night: its steps, the wallets it visits, and the files we wrote."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime

import asyncpg

from transitpay.ledger.night import StoredStep

#: One night at a time in a database; held by a session.
NIGHT_LOCK = 7364011


_STEPS = """
select day, step, participant, state, reason, wait_until, updated_at from night_step
where day between $1 and $2 order by day, step, participant
"""


async def steps(conn: asyncpg.Connection, first: date, last: date) -> list[StoredStep]:
    """What is known of the steps of the days from first to last, both included."""
    return [StoredStep(**dict(r)) for r in await conn.fetch(_STEPS, first, last)]


_PUT_STEP = """
insert into night_step as s (day, step, participant, state, reason, wait_until, updated_at)
values ($1, $2, $3, $4, $5, $6, $7)
on conflict (day, step, participant) do update
set state = excluded.state, reason = excluded.reason, wait_until = excluded.wait_until,
    updated_at = excluded.updated_at
where (s.state, s.reason, s.wait_until)
    is distinct from (excluded.state, excluded.reason, excluded.wait_until)
"""


async def put_step(conn: asyncpg.Connection, step: StoredStep) -> None:
    """Keep a step's state; the same state again changes no row."""
    await conn.execute(
        _PUT_STEP,
        step.day,
        step.step,
        step.participant,
        step.state,
        step.reason,
        step.wait_until,
        step.updated_at,
    )


_UNFINISHED = """
select min(day) from night_step where state <> 'DONE' and day <= $1
"""


async def first_unfinished(conn: asyncpg.Connection, through: date) -> date | None:
    """The earliest day up to ``through`` with a step that is not done."""
    day: date | None = await conn.fetchval(_UNFINISHED, through)
    return day


_REOPEN = """
update night_step set state = 'WAITING', reason = $4, wait_until = null, updated_at = $5
where participant = $1 and step = $2 and day > $3 and state = 'DONE'
"""


async def reopen_later(
    conn: asyncpg.Connection, wallet: str, step: str, day: date, reason: str, at: datetime
) -> None:
    """A day was done anew: what was carried out of it into later days is done anew too."""
    await conn.execute(_REOPEN, wallet, step, day, reason, at)


_PARTICIPANTS = """
select id, kind from participant where kind in ('operator', 'wallet') order by kind, id
"""


async def participants(conn: asyncpg.Connection) -> list[tuple[str, str]]:
    """(id, kind) of every operator and wallet."""
    return [(r["id"], r["kind"]) for r in await conn.fetch(_PARTICIPANTS)]


_LAYOUTS = """
select wallet, file_layout, our_client_id from partner_endpoint order by wallet
"""


async def file_layouts(conn: asyncpg.Connection) -> dict[str, tuple[str, str]]:
    """wallet -> (layout, our client id) of every wallet that gives files."""
    return {r["wallet"]: (r["file_layout"], r["our_client_id"]) for r in await conn.fetch(_LAYOUTS)}


_ADD_STATEMENT = """
insert into statement_file (day, participant, name, sha256, size_bytes, written_at)
values ($1, $2, $3, $4, $5, $6)
on conflict (day, participant, name) do nothing
"""


async def add_statements(
    conn: asyncpg.Connection, day: date, files: Iterable[tuple[str, str, bytes, int]], at: datetime
) -> None:
    """Keep (participant, name, sha256, size) of files that we wrote."""
    rows = [(day, *file, at) for file in files]
    await conn.executemany(_ADD_STATEMENT, rows)


_STATEMENTS = """
select participant, name, sha256, size_bytes from statement_file
where day = $1 order by participant, name
"""


async def statements(conn: asyncpg.Connection, day: date) -> list[tuple[str, str, bytes, int]]:
    """(participant, name, sha256, size) of the files of a day."""
    return [
        (r["participant"], r["name"], r["sha256"], r["size_bytes"])
        for r in await conn.fetch(_STATEMENTS, day)
    ]
