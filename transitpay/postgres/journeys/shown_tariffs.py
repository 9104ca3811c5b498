"""Names of stops and terms of claims: written by settlement with the tariffs, read by gateways."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import date, datetime

import asyncpg

from transitpay.fares.shown import JourneyTerms, StopName
from transitpay.postgres.trust import lists

_LOCK = """
select pg_advisory_xact_lock(7364003)
"""
_NAMES = """
select network, stop, zh_hant, zh_hans, en from stop_name
"""
_DELETE_NAMES = """
delete from stop_name
"""
_INSERT_NAMES = """
insert into stop_name (network, stop, zh_hant, zh_hans, en)
select n.network, n.stop, n.zh_hant, n.zh_hans, n.en
from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[])
    as n (network, stop, zh_hant, zh_hans, en)
"""
_TERMS = """
select network, valid_from, longest_stay, claims_a_month, claims_within_days, wallets
from journey_terms
"""
_DELETE_TERMS = """
delete from journey_terms
"""
_INSERT_TERMS = """
insert into journey_terms (network, valid_from, longest_stay, claims_a_month, claims_within_days,
    wallets)
values ($1, $2, $3, $4, $5, $6)
"""


async def put_shown(
    conn: asyncpg.Connection,
    names: Sequence[StopName],
    terms: Sequence[JourneyTerms],
    at: datetime,
) -> bool:
    """Replace what is there; False = it stood there already, nothing is done."""
    async with conn.transaction():
        await conn.execute(_LOCK)
        known_names = {StopName(*row) for row in await conn.fetch(_NAMES)}
        known_terms = {_terms(row) for row in await conn.fetch(_TERMS)}
        if known_names == set(names) and known_terms == set(terms):
            return False
        await conn.execute(_DELETE_NAMES)
        await conn.execute(
            _INSERT_NAMES,
            [it.network for it in names],
            [it.stop for it in names],
            [it.zh_hant for it in names],
            [it.zh_hans for it in names],
            [it.en for it in names],
        )
        await conn.execute(_DELETE_TERMS)
        await conn.executemany(
            _INSERT_TERMS,
            [
                (
                    it.network, it.valid_from, it.longest_stay, it.a_month, it.within_days,
                    sorted(it.wallets),
                )
                for it in terms
            ],
        )  # fmt: skip
        await lists.raise_version(conn, "fares", at)
        return True


_TERMS_ON = f"""{_TERMS}
where network = $1 and valid_from <= $2
order by valid_from desc
limit 1
"""


async def terms_on(conn: asyncpg.Connection, network: str, day: date) -> JourneyTerms | None:
    """The terms in force on a service day; None = no tariff of the network has begun."""
    row = await conn.fetchrow(_TERMS_ON, network, day)
    return None if row is None else _terms(row)


_ALL_TERMS = f"""{_TERMS}
order by network, valid_from
"""


async def all_terms(conn: asyncpg.Connection) -> list[JourneyTerms]:
    """Of every network and version, in the order of their days."""
    return [_terms(row) for row in await conn.fetch(_ALL_TERMS)]


def _terms(row: asyncpg.Record) -> JourneyTerms:
    return JourneyTerms(
        row["network"], row["valid_from"], row["longest_stay"], row["claims_a_month"],
        row["claims_within_days"], frozenset(row["wallets"]),
    )  # fmt: skip


_NAMES_OF = """
select n.network, n.stop, n.zh_hant, n.zh_hans, n.en
from unnest($1::text[], $2::text[]) as w(network, stop)
join stop_name n on n.network = w.network and n.stop = w.stop
"""


async def names_of(
    conn: asyncpg.Connection, stops: Collection[tuple[str, str]]
) -> dict[tuple[str, str], StopName]:
    """The names of (network, id of a stop); a stop that no tariff names is absent."""
    wanted = sorted(stops)
    rows = await conn.fetch(_NAMES_OF, [it[0] for it in wanted], [it[1] for it in wanted])
    return {(row["network"], row["stop"]): StopName(*row) for row in rows}
