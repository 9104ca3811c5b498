"""Who takes part: participants, agreements, partner endpoints and keys, actors, tokens, readers.

Every ``put_`` is an upsert by natural key, so that doing it twice is doing it once. Tokens are
kept as SHA-256 only.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

import asyncpg

from transitpay.fx.agreement import Agreement
from transitpay.taps import Direction


class Role(StrEnum):
    """What an actor is; routes say which roles they serve."""

    READER = "reader"
    WALLET = "wallet"
    OPERATOR = "operator"
    FINANCE = "finance"
    AUDITOR = "auditor"
    ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class Participant:
    """A wallet, an operator, or the house. ``service_fee_rate`` is a fraction: 0.015 is 1.5 %."""

    id: str
    kind: str
    name: str
    currency: str
    service_fee_rate: Decimal = Decimal(0)


@dataclass(frozen=True, slots=True)
class PartnerEndpoint:
    """How a wallet is reached; ``client_id`` is the wallet's own id, ``our_client_id`` ours."""

    wallet: str
    base_url: str
    client_id: str
    our_client_id: str
    our_key_version: int
    file_layout: str


@dataclass(frozen=True, slots=True)
class PartnerKey:
    """A public key (PEM) with which a wallet signs; several versions may be valid at once."""

    wallet: str
    key_version: int
    public_pem: str
    not_after: datetime | None = None


@dataclass(frozen=True, slots=True)
class Actor:
    """A named person or machine with one role; ``participant`` is whom it acts for."""

    id: str
    name: str
    role: Role
    participant: str | None = None


@dataclass(frozen=True, slots=True)
class ReaderRegistration:
    """A turnstile or bus reader. ``destination`` and ``mode`` are bit numbers of the bitmaps."""

    id: str
    operator: str
    network: str
    destination: int
    mode: int
    stop: str
    direction: Direction
    service_excluded: bool = False
    passback_s: int = 300
    decommissioned_at: datetime | None = None


_PUT_PARTICIPANT = """
insert into participant (id, kind, name, currency, service_fee_rate)
values ($1, $2, $3, $4, $5)
on conflict (id) do update
set name = excluded.name, currency = excluded.currency,
    service_fee_rate = excluded.service_fee_rate
where participant.kind = excluded.kind
returning id
"""


async def put_participant(conn: asyncpg.Connection, it: Participant) -> bool:
    """Enrol or correct a participant; False = the id belongs to another kind, nothing is done."""
    row = await conn.fetchrow(
        _PUT_PARTICIPANT, it.id, it.kind, it.name, it.currency, it.service_fee_rate
    )
    return row is not None


_CURRENCY = """
select currency from participant where id = $1
"""


async def participant_currency(conn: asyncpg.Connection, participant: str) -> str:
    """The ISO code of an enrolled participant's own currency."""
    return str(await conn.fetchval(_CURRENCY, participant))


_WALLETS = """
select id from participant where kind = 'wallet'
"""


async def wallets(conn: asyncpg.Connection) -> set[str]:
    """The ids of all enrolled wallets."""
    return {row["id"] for row in await conn.fetch(_WALLETS)}


_PUT_AGREEMENTS = """
insert into wallet_agreement (wallet, fare_currency, valid_from, fx_mode, charge_currency,
    settlement_currency, margin, fee_rate, bad_debt, recorded_at)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
on conflict do nothing
"""


async def put_agreements(
    conn: asyncpg.Connection, agreements: Iterable[Agreement], at: datetime
) -> None:
    """Record dated agreements; one that stands already is never changed."""
    await conn.executemany(
        _PUT_AGREEMENTS,
        [
            (
                a.wallet, a.fare_currency.code, a.valid_from, str(a.fx_mode),
                a.charge_currency.code, a.settlement_currency.code, a.margin, a.fee_rate,
                str(a.bad_debt), at,
            )
            for a in agreements
        ],
    )  # fmt: skip


_PUT_ENDPOINT = """
insert into partner_endpoint (wallet, base_url, client_id, our_client_id, our_key_version,
    file_layout)
values ($1, $2, $3, $4, $5, $6)
on conflict (wallet) do update
set base_url = excluded.base_url, client_id = excluded.client_id,
    our_client_id = excluded.our_client_id, our_key_version = excluded.our_key_version,
    file_layout = excluded.file_layout
"""


async def put_endpoint(conn: asyncpg.Connection, it: PartnerEndpoint) -> None:
    """Set how a wallet is reached."""
    await conn.execute(
        _PUT_ENDPOINT, it.wallet, it.base_url, it.client_id, it.our_client_id,
        it.our_key_version, it.file_layout,
    )  # fmt: skip


_PUT_PARTNER_KEY = """
insert into partner_key (wallet, key_version, public_pem, not_after)
values ($1, $2, $3, $4)
on conflict (wallet, key_version) do update set not_after = excluded.not_after
where partner_key.public_pem = excluded.public_pem
returning key_version
"""


async def put_partner_key(conn: asyncpg.Connection, it: PartnerKey) -> bool:
    """Add a wallet's public key; False = this version names another key, nothing is done."""
    row = await conn.fetchrow(
        _PUT_PARTNER_KEY, it.wallet, it.key_version, it.public_pem, it.not_after
    )
    return row is not None


_PUT_ACTOR = """
insert into actor (id, name, role, participant) values ($1, $2, $3, $4)
on conflict (id) do update set name = excluded.name
where actor.role = excluded.role and actor.participant is not distinct from excluded.participant
returning id
"""


async def put_actor(conn: asyncpg.Connection, it: Actor) -> bool:
    """Add or rename an actor; False = the id has another role or participant, nothing is done."""
    row = await conn.fetchrow(_PUT_ACTOR, it.id, it.name, str(it.role), it.participant)
    return row is not None


_HAS_TOKEN = """
select exists (select from api_token where actor = $1 and revoked_at is null)
"""


async def has_token(conn: asyncpg.Connection, actor: str) -> bool:
    """Whether the actor has a token that is not revoked."""
    return bool(await conn.fetchval(_HAS_TOKEN, actor))


_PUT_TOKEN = """
insert into api_token (token_sha256, actor, not_after) values ($1, $2, $3)
on conflict (token_sha256) do nothing
"""


async def put_token(
    conn: asyncpg.Connection, actor: str, token_sha256: bytes, not_after: datetime | None = None
) -> None:
    """Let the actor in with the token of this SHA-256."""
    await conn.execute(_PUT_TOKEN, token_sha256, actor, not_after)


_REVOKE_TOKENS = """
update api_token set revoked_at = $2 where actor = $1 and revoked_at is null
"""


async def revoke_tokens(conn: asyncpg.Connection, actor: str, at: datetime) -> None:
    """End every token of the actor."""
    await conn.execute(_REVOKE_TOKENS, actor, at)


_PUT_READER = """
insert into reader (id, operator, network, destination, mode, stop, direction,
    service_excluded, passback_s, decommissioned_at)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
on conflict (id) do update
set operator = excluded.operator, network = excluded.network,
    destination = excluded.destination, mode = excluded.mode, stop = excluded.stop,
    direction = excluded.direction, service_excluded = excluded.service_excluded,
    passback_s = excluded.passback_s, decommissioned_at = excluded.decommissioned_at
"""


async def put_reader(conn: asyncpg.Connection, it: ReaderRegistration) -> None:
    """Register or correct a reader; its actor (same id, role reader) must exist."""
    await conn.execute(
        _PUT_READER, it.id, it.operator, it.network, it.destination, it.mode, it.stop,
        str(it.direction), it.service_excluded, it.passback_s, it.decommissioned_at,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Holder:
    """Whom a token lets in; ``reader`` is set where the actor is one."""

    actor: Actor
    reader: ReaderRegistration | None


_HOLDER = """
select a.id as actor_id, a.name, a.role, a.participant,
       r.id, r.operator, r.network, r.destination, r.mode, r.stop, r.direction,
       r.service_excluded, r.passback_s, r.decommissioned_at
from api_token t
join actor a on a.id = t.actor
left join reader r on r.id = a.id
where t.token_sha256 = $1
  and t.revoked_at is null
  and (t.not_after is null or t.not_after > $2)
"""


async def holder(conn: asyncpg.Connection, token_sha256: bytes, at: datetime) -> Holder | None:
    """Whom this token lets in at ``at``; None = nobody."""
    row = await conn.fetchrow(_HOLDER, token_sha256, at)
    if row is None:
        return None
    actor = Actor(row["actor_id"], row["name"], Role(row["role"]), row["participant"])
    return Holder(actor, _reader(row) if row["id"] is not None else None)


def _reader(row: asyncpg.Record) -> ReaderRegistration:
    return ReaderRegistration(
        row["id"], row["operator"], row["network"], row["destination"], row["mode"], row["stop"],
        Direction(row["direction"]), row["service_excluded"], row["passback_s"],
        row["decommissioned_at"],
    )  # fmt: skip


_PARTNERS = """
select wallet, base_url, client_id, our_client_id, our_key_version, file_layout
from partner_endpoint
order by wallet
"""


async def endpoints(conn: asyncpg.Connection) -> list[PartnerEndpoint]:
    """Every wallet's endpoint, by wallet."""
    return [
        PartnerEndpoint(
            r["wallet"], r["base_url"], r["client_id"], r["our_client_id"],
            r["our_key_version"], r["file_layout"],
        )
        for r in await conn.fetch(_PARTNERS)
    ]  # fmt: skip


_PARTNER_KEYS = """
select wallet, key_version, public_pem, not_after from partner_key order by wallet, key_version
"""


async def partner_keys(conn: asyncpg.Connection) -> list[PartnerKey]:
    """Every wallet's public keys."""
    return [
        PartnerKey(r["wallet"], r["key_version"], r["public_pem"], r["not_after"])
        for r in await conn.fetch(_PARTNER_KEYS)
    ]


_PUT_READER_STATUS = """
insert into reader_status (reader, last_sequence, through_at, seen_at)
values ($1, $2, $3, $4)
on conflict (reader) do update
set last_sequence = greatest(reader_status.last_sequence, excluded.last_sequence),
    through_at = greatest(reader_status.through_at, excluded.through_at),
    seen_at = greatest(reader_status.seen_at, excluded.seen_at)
"""


async def put_reader_status(
    conn: asyncpg.Connection,
    reader: str,
    last_sequence: int,
    through_at: datetime,
    seen_at: datetime,
) -> None:
    """Note that every scan of the reader up to ``through_at`` has reached us; only forward."""
    await conn.execute(_PUT_READER_STATUS, reader, last_sequence, through_at, seen_at)
