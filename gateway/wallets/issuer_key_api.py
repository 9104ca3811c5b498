"""What wallets call about issuer keys of their own: propose one, see what became of it."""

from __future__ import annotations

from typing import Annotated, Literal

import asyncpg
from pydantic import Field

from gateway.http.fields import Incoming, Instant, Outgoing
from gateway.http.web import Call, Route
from gateway.wallets.wallet_models import Destination
from transitpay.destinations import (
    DESTINATIONS,
    MODES,
    bitmap,
    destination_number,
    mode_number,
)
from transitpay.postgres.reference import Role
from transitpay.postgres.trust import issuer_keys
from transitpay.postgres.trust.issuer_keys import KeyRequest
from transitpay.ride_code.signing import Algorithm
from transitpay.ride_code.trust_list import IssuerKey
from transitpay.runtime.issuer_keys import KeyProposal, propose_key

_WALLETS = frozenset({Role.WALLET})
#: Kinds of transport that take ride codes.
ModeName = Literal["metro", "bus"]


class KeyProposalRequest(Incoming):
    """A key with which you sign authorisations, and the rights that it should have.

    ``public_key`` is in lower-case hex: 33 bytes (ES256) or 32 (Ed25519); ``proof`` its signature
    over the message of docs/reference/http-api.md, 64 bytes.
    """

    algorithm: Literal["ES256", "Ed25519"]
    public_key: Annotated[str, Field(pattern=r"^([0-9a-f]{66}|[0-9a-f]{64})$")]
    destinations: Annotated[list[Destination], Field(min_length=1, max_length=len(DESTINATIONS))]
    modes: Annotated[list[ModeName], Field(min_length=1, max_length=2)]
    proof: Annotated[str, Field(pattern=r"^[0-9a-f]{128}$")]


class WalletKey(Outgoing):
    """An issuer key of yours; ``proposed`` until an admin activates it."""

    key_id: int
    algorithm: str
    public_key: str
    destinations: list[str]
    modes: list[str]
    status: Literal["proposed", "active", "retired", "compromised"]
    not_before: Instant | None
    not_after: Instant | None
    compromised_at: Instant | None


class WalletKeysAnswer(Outgoing):
    """By key id."""

    keys: list[WalletKey]


async def propose(call: Call) -> WalletKey:
    """Note a proposed key and give it its number; the same proposal again is the same one.

    Raises: MalformedInput (``bad_public_key``, ``bad_proof``), Conflict (``request_repeated``).
    """
    asked, services = call.body_as(KeyProposalRequest), call.services
    proposal = KeyProposal(
        call.participant,
        Algorithm(asked.algorithm),
        bytes.fromhex(asked.public_key),
        bitmap(map(destination_number, asked.destinations)),
        bitmap(map(mode_number, asked.modes)),
        bytes.fromhex(asked.proof),
    )
    by, now = call.caller.actor.id, services.clock.now()

    async def work(conn: asyncpg.Connection) -> KeyRequest:
        return await propose_key(conn, proposal, by, now)

    request = await services.database.run(work)
    known = services.lists.trust.keys.get(request.key_id)
    return _key(known) if known is not None else _proposed(request)


async def keys(call: Call) -> WalletKeysAnswer:
    """The wallet's keys, those that we hold for it too."""
    wallet, trust = call.participant, call.services.lists.trust
    async with call.services.database.transaction() as conn:
        requests = await issuer_keys.requests_of(conn, wallet)
    found = [_key(key) for key in trust.keys.values() if key.issuer == wallet]
    found += [_proposed(it) for it in requests if it.key_id not in trust.keys]
    return WalletKeysAnswer(keys=sorted(found, key=lambda it: it.key_id))


def _key(it: IssuerKey) -> WalletKey:
    return WalletKey(
        key_id=it.key_id,
        algorithm=str(it.algorithm),
        public_key=it.public_key.hex(),
        destinations=_names(DESTINATIONS, it.destinations),
        modes=_names(MODES, it.modes),
        status=it.status.value,
        not_before=it.not_before,
        not_after=it.not_after,
        compromised_at=it.compromised_at,
    )


def _proposed(it: KeyRequest) -> WalletKey:
    return WalletKey(
        key_id=it.key_id,
        algorithm=str(it.algorithm),
        public_key=it.public_key.hex(),
        destinations=_names(DESTINATIONS, it.destinations),
        modes=_names(MODES, it.modes),
        status="proposed",
        not_before=None,
        not_after=None,
        compromised_at=None,
    )


def _names(names: tuple[str, ...], bits: int) -> list[str]:
    return [name for n, name in enumerate(names) if bits >> n & 1]


ROUTES = (
    Route(
        "POST", "/v1/wallet/issuer-keys", propose, "Propose an issuer key of the wallet's own",
        _WALLETS, body=KeyProposalRequest, answer=WalletKey,
        errors=("bad_public_key", "bad_proof", "request_repeated"),
    ),
    Route(
        "GET", "/v1/wallet/issuer-keys", keys, "The wallet's issuer keys", _WALLETS,
        answer=WalletKeysAnswer,
    ),
)  # fmt: skip
