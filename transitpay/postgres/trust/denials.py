"""Who is denied: words on barred riders and lost phones become entries of the deny list.

Settlement bars riders for a debt or a suspension (deny, release), wallets revoke the serials of
lost phones; both are rows of one inbox. An entry holds the two side by side, so that neither undoes
the other.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

import asyncpg

from transitpay.postgres.trust import lists

#: How many ids a later committed request may lie behind an applied one.
_LOOK_BACK = 1000


@dataclass(frozen=True, slots=True)
class Word:
    """One row of the inbox; ``through_serial`` belongs to a revocation."""

    id: int
    issuer: str
    rider_id: str
    action: str
    reason: str
    through_serial: int | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """What new words make of one rider's entry: the newest word on the bar, the highest serial
    revoked; None = no word on it."""

    issuer: str
    rider_id: str
    bar: Word | None
    revoked: Word | None


def changes(words: Iterable[Word]) -> list[Change]:
    """One change a rider, by rider. Words may come in any order."""
    bars: dict[tuple[str, str], Word] = {}
    revoked: dict[tuple[str, str], Word] = {}
    for word in sorted(words, key=lambda w: w.id):
        rider = (word.issuer, word.rider_id)
        if word.through_serial is None:
            bars[rider] = word
        elif rider not in revoked or (revoked[rider].through_serial or 0) < word.through_serial:
            revoked[rider] = word
    return [Change(*rider, bars.get(rider), revoked.get(rider)) for rider in sorted(bars | revoked)]


_NEW_REQUESTS = """
select r.id, r.issuer, r.rider_id, r.action, r.reason, r.through_serial
from deny_request r
where r.id > coalesce((select max(request) from deny_request_done), 0) - $1
  and not exists (select from deny_request_done d where d.request = r.id)
order by r.id
limit 5000
"""

_REQUESTS_DONE = """
insert into deny_request_done (request, at) select unnest($1::bigint[]), $2
"""


async def apply_deny_requests(conn: asyncpg.Connection, at: datetime) -> int:
    """Turn new requests into list entries.

    Returns how many requests were applied; 0 also where another gateway is at it. A bar denies
    every authorisation issued so far, of a rider whose authorisations are not known here every
    one until the release, a revocation those up to its serial.
    """
    async with conn.transaction():
        if not await lists.is_our_turn(conn):
            return 0
        words = [Word(*row.values()) for row in await conn.fetch(_NEW_REQUESTS, _LOOK_BACK)]
        if not words:
            return 0
        version = await lists.raise_version(conn, "deny", at)
        await lists.number_issuers(conn, {word.issuer for word in words})
        await _put_changes(conn, changes(words), version)
        await conn.execute(_REQUESTS_DONE, [word.id for word in words], at)
        return len(words)


_PUT = """
insert into deny_entry (issuer, rider_id, version, barred_serial, barred_reason, barred_request,
    revoked_serial, revoked_reason)
select w.issuer, w.rider_id, $8,
       case when w.barred then (select coalesce(max(a.serial), 4294967295) from authorisation a
                              where a.issuer = w.issuer and a.rider_id = w.rider_id) end,
       w.barred_reason, w.barred_request, w.revoked_serial, w.revoked_reason
from unnest($1::text[], $2::text[], $3::boolean[], $4::text[], $5::bigint[], $6::bigint[],
    $7::text[])
    as w (issuer, rider_id, barred, barred_reason, barred_request, revoked_serial, revoked_reason)
join issuer_number n on n.issuer = w.issuer   -- whoever is no participant has no entries
where w.rider_id ~ '^[0-9a-f]{16}$'
on conflict (issuer, rider_id) do update
set version = excluded.version,
    (barred_serial, barred_reason, barred_request) = (
        select n.barred_serial, n.barred_reason, n.barred_request
        from (values (
                deny_entry.barred_serial, deny_entry.barred_reason, deny_entry.barred_request),
            (excluded.barred_serial, excluded.barred_reason, excluded.barred_request))
            as n (barred_serial, barred_reason, barred_request)
        order by n.barred_request desc nulls last limit 1),
    (revoked_serial, revoked_reason) = (
        select n.revoked_serial, n.revoked_reason
        from (values (deny_entry.revoked_serial, deny_entry.revoked_reason),
            (excluded.revoked_serial, excluded.revoked_reason))
            as n (revoked_serial, revoked_reason)
        order by n.revoked_serial desc nulls last limit 1)
"""


async def _put_changes(conn: asyncpg.Connection, found: Sequence[Change], version: int) -> None:
    """Merge changes: the newest word on a bar counts, serials revoked only rise."""
    bars = [change.bar for change in found]
    revoked = [change.revoked for change in found]
    barred = [w is not None and w.action == "deny" for w in bars]
    await conn.execute(
        _PUT,
        [change.issuer for change in found],
        [change.rider_id for change in found],
        barred,
        [w.reason if w and now else None for w, now in zip(bars, barred, strict=True)],
        [w.id if w else None for w in bars],
        [w.through_serial if w else None for w in revoked],
        [w.reason if w else None for w in revoked],
        version,
    )


@dataclass(frozen=True, slots=True)
class Denial:
    """What is denied to a rider: a bar, serials of lost phones, both, or nothing."""

    barred_serial: int | None = None
    barred_reason: str | None = None
    revoked_serial: int | None = None
    revoked_reason: str | None = None

    @property
    def barred(self) -> bool:
        """Whether a debt or a suspension stands: no new authorisation until then."""
        return self.barred_serial is not None

    @property
    def serial(self) -> int:
        """Authorisations with a serial up to this are denied; 0 = none."""
        return max(self.barred_serial or 0, self.revoked_serial or 0)


_DENIAL = """
select barred_serial, barred_reason, revoked_serial, revoked_reason
from deny_entry
where issuer = $1 and rider_id = $2
"""


async def denial(conn: asyncpg.Connection, issuer: str, rider_id: str) -> Denial:
    """What this rider is denied for."""
    row = await conn.fetchrow(_DENIAL, issuer, rider_id)
    return Denial() if row is None else Denial(*row.values())


_REVOKE = """
insert into deny_request (issuer, rider_id, action, reason, requested_at, through_serial)
values ($1, $2, 'revoke', $4, $5, $3)
on conflict do nothing
"""
_REVOKED_REASON = """
select reason from deny_request
where issuer = $1 and rider_id = $2 and through_serial = $3 and action = 'revoke'
"""


async def ask_revocation(
    conn: asyncpg.Connection,
    issuer: str,
    rider_id: str,
    through_serial: int,
    reason: str,
    at: datetime,
) -> str:
    """Ask that serials up to this one be denied; twice is once. Returns the reason on record."""
    await conn.execute(_REVOKE, issuer, rider_id, through_serial, reason, at)
    return str(await conn.fetchval(_REVOKED_REASON, issuer, rider_id, through_serial))
