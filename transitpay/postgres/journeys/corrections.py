"""Statements of operators' corrections: proposals and how they end, newest first."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

import asyncpg

from transitpay.postgres.approvals import Withdrawal, withdrawal_of
from transitpay.postgres.journeys.missing_ends import statement_of
from transitpay.postgres.journeys.statements import JourneyStatement


class Stage(StrEnum):
    """How far a proposal is; the last two are its ends."""

    WAITING = "waiting"
    APPROVED = "approved"
    WITHDRAWN = "withdrawn"


@dataclass(frozen=True, slots=True)
class Correction:
    """An operator's correction; it counts once ``approved_by`` is somebody."""

    said: JourneyStatement
    approved_by: str | None
    approved_at: datetime | None
    withdrawn: Withdrawal | None = None

    @property
    def stage(self) -> Stage:
        """How far it is."""
        if self.approved_by is not None:
            return Stage.APPROVED
        return Stage.WAITING if self.withdrawn is None else Stage.WITHDRAWN

    @property
    def journey_id(self) -> str:
        """The journey that it corrects, by its id in every revision."""
        day, reader, sequence = self.said.tap
        return f"{day}/{reader}/{sequence}"


_COLUMNS = """
select j.stated_for, j.request_id, j.kind, j.issuer, j.rider_id, j.tapped_day, j.reader,
       j.sequence, j.tapped_at, j.network, j.service_day, j.stop, j.reason, j.stated_by,
       j.stated_at, j.approval, a.approved_by, a.approved_at, a.withdrawn_by, a.withdrawn_at,
       a.withdrawn_why
from journey_statement j
join approval a on a.id = j.approval
"""

_OF_REQUEST = f"""{_COLUMNS}
where j.stated_for = $1 and j.request_id = $2
"""


async def correction(conn: asyncpg.Connection, operator: str, request_id: str) -> Correction | None:
    """The correction that this request made."""
    row = await conn.fetchrow(_OF_REQUEST, operator, request_id)
    return None if row is None else _correction(row)


_LIST = f"""{_COLUMNS}
where ($1::text is null or j.stated_for = $1)
  and ($2::text is null or $2 = case when a.approved_by is not null then 'approved'
                                     when a.withdrawn_by is not null then 'withdrawn'
                                     else 'waiting' end)
  and ($3::bigint is null or a.id < $3)
order by a.id desc
limit $4
"""


async def corrections(
    conn: asyncpg.Connection,
    operator: str | None,
    *,
    stage: Stage | None = None,
    before: int | None = None,
    limit: int,
) -> list[Correction]:
    """The newest corrections (of one operator, at one stage), below the approval ``before``."""
    rows = await conn.fetch(_LIST, operator, stage, before, limit)
    return [_correction(row) for row in rows]


_LOCK = """
select pg_advisory_xact_lock(7367, hashtext($1))
"""


async def lock_corrections(conn: asyncpg.Connection, operator: str) -> None:
    """An operator's corrections are made one after another: a request id is used once."""
    await conn.execute(_LOCK, operator)


def _correction(row: asyncpg.Record) -> Correction:
    return Correction(statement_of(row), row["approved_by"], row["approved_at"], withdrawal_of(row))
