"""Issuer keys: private halves in the home's folder, and their life on the trust list.

Hosted issuing: a wallet's private keys lie in ``<home>/keys/issuer-<key id>.pem``. A wallet that
signs by itself has no file here; it proposes its public key, and an admin activates it.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

import asyncpg

from transitpay.errors import Conflict, MalformedInput, RuleViolation, TemporarilyUnavailable
from transitpay.postgres import approvals
from transitpay.postgres.pool import Connection
from transitpay.postgres.reference import Role
from transitpay.postgres.trust import issuer_keys, lists
from transitpay.postgres.trust.issuer_keys import KeyRequest
from transitpay.ride_code.issuing import LONGEST_LIFE_H
from transitpay.ride_code.keys import algorithm_of, load_issuer_pem, public_bytes
from transitpay.ride_code.signing import (
    Algorithm,
    IssuerPrivateKey,
    load_issuer_key,
    proof_message,
)
from transitpay.ride_code.trust_list import IssuerKey, KeyStatus, TrustList


class IssuerKeys:
    """Private keys by key id, read from the folder when first needed."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._loaded: dict[tuple[int, bytes], IssuerPrivateKey] = {}

    def signing_key(
        self, trust: TrustList, issuer: str, at: datetime
    ) -> tuple[IssuerKey, IssuerPrivateKey]:
        """The wallet's newest active key whose private half is here.

        Raises: TemporarilyUnavailable (``no_issuer_key``).
        """
        usable = [
            key
            for key in trust.keys.values()
            if key.issuer == issuer
            and key.status is KeyStatus.ACTIVE
            and key.not_before <= at < key.not_after
        ]
        for key in sorted(usable, key=lambda k: (k.not_before, k.key_id), reverse=True):
            private = self._private(key)
            if private is not None:
                return key, private
        raise TemporarilyUnavailable("no_issuer_key", "this wallet has no active issuing key here")

    def _private(self, key: IssuerKey) -> IssuerPrivateKey | None:
        known = self._loaded.get((key.key_id, key.public_key))
        if known is not None:
            return known
        try:
            found = load_issuer_pem(issuer_key_file(self._folder, key.key_id).read_bytes())
        except (OSError, MalformedInput):
            return None
        if algorithm_of(found) != key.algorithm or public_bytes(found) != key.public_key:
            return None
        self._loaded[key.key_id, key.public_key] = found
        return found


def issuer_key_file(folder: Path, key_id: int) -> Path:
    """Where the private half of an issuer key lies."""
    return folder / f"issuer-{key_id}.pem"


@dataclass(frozen=True, slots=True)
class KeyProposal:
    """A public key with which a wallet wants to sign; bitmaps are the rights it asks for.

    ``proof`` is the key's own signature over ``signing.proof_message``.
    """

    issuer: str
    algorithm: Algorithm
    public_key: bytes
    destinations: int
    modes: int
    proof: bytes

    @property
    def digest(self) -> bytes:
        """SHA-256 of what an admin approves."""
        content = [
            self.issuer, self.algorithm, self.public_key.hex(), self.destinations, self.modes,
        ]  # fmt: skip
        return hashlib.sha256(json.dumps(content).encode()).digest()


async def propose_key(conn: Connection, proposal: KeyProposal, by: str, at: datetime) -> KeyRequest:
    """Note the proposal and give the key its number; the same proposal again is the same one.

    Raises: MalformedInput (``bad_public_key``, ``bad_proof``), Conflict (``request_repeated``).
    """
    verifier = load_issuer_key(proposal.algorithm, proposal.public_key)
    if not verifier.verifies(proposal.proof, proof_message(proposal.issuer, proposal.public_key)):
        raise MalformedInput("bad_proof", "the key did not sign its own proof", field="proof")
    await issuer_keys.lock_requests(conn)
    known = await issuer_keys.request_of_public_key(conn, proposal.public_key)
    if known is None:
        key_id = await issuer_keys.free_key_id(conn)
        subject = f"issuer-key:{key_id}"
        number = await approvals.propose(conn, subject, proposal.digest, by, at)
        known = KeyRequest(
            key_id, proposal.issuer, proposal.algorithm, proposal.public_key,
            proposal.destinations, proposal.modes, number, at,
        )  # fmt: skip
        await issuer_keys.insert_request(conn, known)
        await approvals.note(conn, at, by, "issuer_key_proposed", subject, {})
    asked = (proposal.issuer, proposal.algorithm, proposal.destinations, proposal.modes)
    if asked != (known.issuer, known.algorithm, known.destinations, known.modes):
        raise Conflict("request_repeated", "this key was proposed with other rights", field="modes")
    return known


async def activate_key(
    conn: Connection, key_id: int, by: str, at: datetime, days: int, *, test: bool = False
) -> IssuerKey:
    """Approve a proposed key and put it on the trust list; again, it is the same key.

    Raises: RuleViolation (``not_found``, ``forbidden``, ``four_eyes``), Conflict
    (``issuer_key_differs``).
    """
    await _check_admin(conn, by)
    request = await issuer_keys.request_of_key_id(conn, key_id)
    if request is None:
        raise RuleViolation("not_found", f"no wallet has proposed key {key_id}", field="key_id")
    known = (await lists.trust_list(conn)).keys.get(key_id)
    if known is not None and known.public_key == request.public_key:
        return known
    begins = at.replace(microsecond=0)
    key = IssuerKey(
        key_id, request.algorithm, request.public_key, request.issuer, request.destinations,
        request.modes, begins, begins + timedelta(days), KeyStatus.ACTIVE, test,
    )  # fmt: skip
    try:
        await approvals.approve(conn, request.approval, by, at)
    except asyncpg.CheckViolationError:
        raise RuleViolation(
            "four_eyes", "nobody approves a proposal of their own", field="by"
        ) from None
    if not await lists.put_issuer_key(conn, key, at):
        raise Conflict("issuer_key_differs", f"key id {key_id} names another key", field="key_id")
    await approvals.note(conn, at, by, "issuer_key_activated", f"issuer-key:{key_id}", {})
    return (await lists.trust_list(conn)).keys[key_id]


async def retire_key(conn: Connection, key_id: int, by: str, at: datetime) -> IssuerKey:
    """From now on nothing is signed with it; it verifies until what was signed has ended.

    That is 168 hours from now, or its own end if that comes first. Again changes nothing.

    Raises: RuleViolation (``not_found``, ``forbidden``, ``key_compromised``).
    """
    key = await _key(conn, key_id, by)
    if key.status is KeyStatus.RETIRED:
        return key
    if key.status is KeyStatus.COMPROMISED:
        raise RuleViolation("key_compromised", "a compromised key stays so", field="key_id")
    now = at.replace(microsecond=0)
    ends = min(key.not_after, max(now, key.not_before) + timedelta(hours=LONGEST_LIFE_H))
    retired = replace(key, status=KeyStatus.RETIRED, not_after=ends)
    await _put(conn, retired, by, at, "issuer_key_retired")
    return retired


async def compromise_key(conn: Connection, key_id: int, by: str, at: datetime) -> IssuerKey:
    """From now on no gate believes it, whatever time a code claims. The first word stays.

    Raises: RuleViolation (``not_found``, ``forbidden``).
    """
    key = await _key(conn, key_id, by)
    if key.status is KeyStatus.COMPROMISED:
        return key
    now = at.replace(microsecond=0)
    bad = replace(key, status=KeyStatus.COMPROMISED, compromised_at=now)
    await _put(conn, bad, by, at, "issuer_key_compromised")
    return bad


async def _put(conn: Connection, key: IssuerKey, by: str, at: datetime, action: str) -> None:
    done = await lists.put_issuer_key(conn, key, at)
    assert done, "the same key under its own id"
    await approvals.note(conn, at, by, action, f"issuer-key:{key.key_id}", {})


async def _key(conn: Connection, key_id: int, by: str) -> IssuerKey:
    await _check_admin(conn, by)
    await issuer_keys.lock_requests(conn)
    key = (await lists.trust_list(conn)).keys.get(key_id)
    if key is None:
        raise RuleViolation("not_found", f"the trust list has no key {key_id}", field="key_id")
    return key


async def _check_admin(conn: Connection, by: str) -> None:
    actor = await approvals.actor(conn, by)
    if actor is None or actor.role is not Role.ADMIN:
        raise RuleViolation("forbidden", f"{by!r} is no admin", field="by")
