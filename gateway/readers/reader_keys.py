"""A reader enrols the key by which it signs its records: once, or again when an admin allows it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from pydantic import Field

from gateway.http.fields import Incoming, Instant, Outgoing, Word
from gateway.http.web import Call, Route
from transitpay.errors import Conflict, MalformedInput, RuleViolation
from transitpay.postgres.gates import reader_keys
from transitpay.postgres.gates.reader_keys import ReaderKey
from transitpay.postgres.reference import Role
from transitpay.ride_code.records.sealed_batch import chain_start
from transitpay.ride_code.signing import load_point, reader_key_proved

_READERS = frozenset({Role.READER})


class ReaderKeyRequest(Incoming):
    """A reader's key; ``proof`` is the key's signature over its own enrolment."""

    public_key: Annotated[str, Field(pattern=r"^[0-9a-f]{66}$")]
    proof: Annotated[str, Field(pattern=r"^[0-9a-f]{128}$")]
    software: Word


class ReaderKeyAnswer(Outgoing):
    """The number that batches name, and the position of the first record under this key."""

    key_number: int
    first_position: int
    server_time: Instant


async def enrol(call: Call) -> ReaderKeyAnswer:
    """Take a key into use; the same key again has the same answer.

    Raises: MalformedInput (``bad_reader_key``), RuleViolation (``reader_key_unproved``),
    Conflict (``reader_has_key``, ``reader_key_retired``), TemporarilyUnavailable.
    """
    asked, services = call.body_as(ReaderKeyRequest), call.services
    reader, at = call.caller.actor.id, services.clock.now()
    public_key = bytes.fromhex(asked.public_key)
    if load_point(public_key) is None:
        raise MalformedInput("bad_reader_key", "not a compressed P-256 point", field="public_key")
    if not reader_key_proved(reader, public_key, bytes.fromhex(asked.proof)):
        raise RuleViolation(
            "reader_key_unproved", "the proof is not this key's for this reader", field="proof"
        )
    async with services.database.transaction() as conn:
        known, allowed = await reader_keys.lock_keys(conn, reader)
        key = same_key(known, public_key)
        if key is None:
            highest = await reader_keys.highest_position(conn, reader)
            key = next_key(known, public_key, allowed, highest)
            start = chain_start(reader, public_key)
            await reader_keys.add_key(conn, reader, key, asked.software, start, at)
            await reader_keys.allow_new_key(conn, reader, False)
    return ReaderKeyAnswer(
        key_number=key.number, first_position=key.first_position, server_time=services.clock.now()
    )


def same_key(known: Sequence[ReaderKey], public_key: bytes) -> ReaderKey | None:
    """The key in use, if it is this one.

    Raises: Conflict (``reader_key_retired``): a key that was replaced does not come back.
    """
    for key in known:
        if key.public_key == public_key:
            if key.retired_at is not None:
                raise Conflict(
                    "reader_key_retired", "this key was replaced by another", field="public_key"
                )
            return key
    return None


def next_key(
    known: Sequence[ReaderKey], public_key: bytes, allowed: bool, highest_position: int
) -> ReaderKey:
    """The key that comes after those known.

    Raises: Conflict (``reader_has_key``) unless it is the first, or allowed.
    """
    if known and not allowed:
        raise Conflict(
            "reader_has_key", "an admin must allow another key first", field="public_key"
        )
    return ReaderKey(len(known) + 1, public_key, highest_position + 1)


ROUTES = (
    Route(
        "POST", "/v1/readers/enrol", enrol, "Enrol the key that signs records", _READERS,
        body=ReaderKeyRequest, answer=ReaderKeyAnswer,
        errors=("bad_reader_key", "reader_key_unproved", "reader_has_key", "reader_key_retired"),
    ),
)  # fmt: skip
