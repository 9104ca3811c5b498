"""Lets participants, readers and people in: the use cases behind ``transitpay access``.

Each is idempotent. A token is made only where the actor has none (or a new one is asked for), and
its text is in the answer to that one call and nowhere else: the database has its SHA-256.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

from transitpay.charging.signature import load_private_key, load_public_key
from transitpay.errors import Conflict, MalformedInput
from transitpay.fares.tariff import EXCLUDED
from transitpay.fx.agreement import builtin_agreements
from transitpay.money import currency
from transitpay.postgres import reference
from transitpay.postgres.pool import Connection
from transitpay.postgres.reference import (
    Actor,
    Participant,
    PartnerEndpoint,
    PartnerKey,
    ReaderRegistration,
    Role,
)
from transitpay.postgres.trust import lists
from transitpay.ride_code.keys import (
    algorithm_of,
    generate_issuer_key,
    generate_partner_key,
    load_issuer_pem,
    private_pem,
    public_bytes,
    public_pem,
)
from transitpay.ride_code.signing import Algorithm
from transitpay.ride_code.trust_list import IssuerKey, KeyStatus
from transitpay.runtime.key_files import write_secret

TOKEN_PREFIX = "tp_"


@dataclass(frozen=True, slots=True)
class Admission:
    """An actor that may call us. ``token`` is its text if it was made just now, else None."""

    actor: str
    token: str | None


async def admit_actor(
    conn: Connection, actor: Actor, at: datetime, *, new_token: bool = False, revoke: bool = False
) -> Admission:
    """Add the actor and make it a token if it has none.

    ``revoke`` ends its other tokens; ``new_token`` makes one more.

    Raises: Conflict (``actor_differs``).
    """
    if not await reference.put_actor(conn, actor):
        raise Conflict(
            "actor_differs", f"actor {actor.id!r} has another role or participant", field="id"
        )
    if revoke:
        await reference.revoke_tokens(conn, actor.id, at)
    if not new_token and await reference.has_token(conn, actor.id):
        return Admission(actor.id, None)
    token = TOKEN_PREFIX + secrets.token_urlsafe(32)
    await reference.put_token(conn, actor.id, token_sha256(token))
    return Admission(actor.id, token)


def token_sha256(token: str) -> bytes:
    """What the database keeps of a token."""
    return hashlib.sha256(token.encode()).digest()


async def enrol_participant(conn: Connection, it: Participant, at: datetime) -> None:
    """Add a wallet or an operator; a wallet gets the agreements that are built in for it.

    Raises: MalformedInput (``unknown_currency``), Conflict (``participant_differs``).
    """
    currency(it.currency)
    if not await reference.put_participant(conn, it):
        raise Conflict("participant_differs", f"{it.id!r} is of another kind", field="id")
    if it.kind == "wallet":
        built_in = [a for a in builtin_agreements() if a.wallet == it.id]
        await reference.put_agreements(conn, built_in, at)


async def register_reader(
    conn: Connection,
    reader: ReaderRegistration,
    at: datetime,
    *,
    new_token: bool = False,
    revoke: bool = False,
) -> Admission:
    """Register a reader with its actor of the same id.

    One on a network that never takes codes (``EXCLUDED``) refuses them, whatever is asked for.

    Raises: Conflict (``actor_differs``).
    """
    if reader.network in EXCLUDED:
        reader = replace(reader, service_excluded=True)
    actor = Actor(reader.id, f"Reader {reader.id}", Role.READER, reader.operator)
    admission = await admit_actor(conn, actor, at, new_token=new_token, revoke=revoke)
    await reference.put_reader(conn, reader)
    return admission


async def connect_partner(
    conn: Connection, endpoint: PartnerEndpoint, keys: list[PartnerKey], folder: Path
) -> Path:
    """Set a wallet's endpoint and public keys, and have our own key; returns our public key file.

    Raises: MalformedInput (``bad_key``), Conflict (``partner_key_differs``).
    """
    await reference.put_endpoint(conn, endpoint)
    for key in keys:
        load_public_key(key.public_pem.encode())
        if not await reference.put_partner_key(conn, key):
            raise Conflict(
                "partner_key_differs",
                f"version {key.key_version} of {key.wallet} names another key",
                field="key_version",
            )
    return own_partner_key(folder, endpoint.our_key_version)


def own_partner_key(folder: Path, version: int) -> Path:
    """Our public key of this version as a PEM file; the pair is made if it is not there."""
    private_file = folder / f"partner-{version}.pem"
    public_file = folder / f"partner-{version}.pub.pem"
    if not private_file.exists():
        write_secret(private_file, private_pem(generate_partner_key()))
    if not public_file.exists():
        public_file.write_bytes(public_pem(load_private_key(private_file.read_bytes())))
    return public_file


async def enrol_issuer_key(
    conn: Connection,
    wallet: str,
    key_id: int,
    folder: Path,
    at: datetime,
    *,
    destinations: int,
    modes: int,
    days: int = 365,
    starts_in: timedelta = timedelta(0),
    algorithm: Algorithm = Algorithm.ES256,
    test: bool = False,
    public_key: bytes | None = None,
) -> IssuerKey:
    """Put a wallet's issuer key on the trust list.

    Without ``public_key`` issuing is hosted: the private half is made in ``folder`` if it is not
    there. A key that stands on the list keeps its validity. ``starts_in`` leaves readers the time
    to learn of a key before it signs.

    Raises: MalformedInput (``bad_public_key``, ``bad_private_key``), Conflict
    (``issuer_key_differs``).
    """
    if public_key is None:
        algorithm, public_key = _hosted_key(folder / f"issuer-{key_id}.pem", algorithm)
    known = (await lists.trust_list(conn)).keys.get(key_id)
    if known is not None and (known.issuer, known.public_key) == (wallet, public_key):
        return known
    begins = at.replace(microsecond=0) + starts_in
    key = IssuerKey(
        key_id, algorithm, public_key, wallet, destinations, modes, begins,
        begins + timedelta(days), KeyStatus.ACTIVE, test,
    )  # fmt: skip
    if known is not None or not await lists.put_issuer_key(conn, key, at):
        raise Conflict("issuer_key_differs", f"key id {key_id} names another key", field="key_id")
    return key


def _hosted_key(file: Path, algorithm: Algorithm) -> tuple[Algorithm, bytes]:
    if not file.exists():
        write_secret(file, private_pem(generate_issuer_key(algorithm)))
    try:
        private = load_issuer_pem(file.read_bytes())
    except OSError as error:
        raise MalformedInput("bad_private_key", f"{file.name}: {error.strerror}") from None
    return algorithm_of(private), public_bytes(private)
