"""Mass re-issue: what a compromised key had signed is signed again by the wallet's newest one.

Batches of riders, each one transaction: locked, read, signed, inserted in one statement. Twice is
once, for whatever a newer serial of its device replaces is left alone; so a run that was broken
off is simply run again.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from transitpay.errors import RuleViolation
from transitpay.postgres.pool import Connection
from transitpay.postgres.trust import authorisations, issuer_keys, lists
from transitpay.ride_code.issuing import IssuedAuthorisation, reissue
from transitpay.ride_code.signing import IssuerPrivateKey
from transitpay.ride_code.trust_list import IssuerKey, KeyStatus
from transitpay.runtime.issuer_keys import IssuerKeys

BATCH = 500


@dataclass(frozen=True, slots=True)
class Reissued:
    """What a run did. ``left_out``: the new key serves none of their destinations."""

    old_key: int
    new_key: int
    riders: int
    authorisations: int
    left_out: int


async def reissue_all(
    conn: Connection,
    key_id: int,
    folder: Path,
    at: datetime,
    told: Callable[[int, int], None],
    batch: int = BATCH,
) -> Reissued:
    """Sign again what is live of this key; ``told`` hears (riders done, riders in all).

    ``conn`` is in no transaction. Riders who owe a fare and revoked serials are passed over.

    Raises: RuleViolation (``not_found``, ``key_not_compromised``, ``key_of_wallet``: its own key,
    for which its riders are told ``key_compromised``), TemporarilyUnavailable
    (``no_issuer_key``: no other active key of the wallet has its private half in ``folder``).
    """
    trust = await lists.trust_list(conn)
    old = trust.keys.get(key_id)
    if old is None:
        raise RuleViolation("not_found", f"the trust list has no key {key_id}", field="key_id")
    if old.status is not KeyStatus.COMPROMISED:
        raise RuleViolation(
            "key_not_compromised", "phones renew by themselves while a key is good", field="key_id"
        )
    if await issuer_keys.request_of_key_id(conn, key_id) is not None:
        raise RuleViolation(
            "key_of_wallet", "the wallet signs again by itself; renewals tell it", field="key_id"
        )
    new, private = IssuerKeys(folder).signing_key(trust, old.issuer, at)
    total = await authorisations.count_riders_to_reissue(conn, old.issuer, key_id, at)
    after, riders, signed, left_out = "", 0, 0, 0
    told(0, total)
    while True:
        async with conn.transaction():
            locked = await authorisations.lock_riders_to_reissue(
                conn, old.issuer, key_id, at, after, batch
            )
            if not locked:
                return Reissued(key_id, new.key_id, riders, signed, left_out)
            found = await authorisations.to_reissue(conn, old.issuer, key_id, at, locked)
            made = _sign(found, new, private, at)
            await authorisations.insert(conn, made)
        after, riders = locked[-1], riders + len(locked)
        signed, left_out = signed + len(made), left_out + len(found) - len(made)
        told(riders, max(total, riders))


def _sign(
    found: list[tuple[IssuedAuthorisation, int]],
    key: IssuerKey,
    private: IssuerPrivateKey,
    at: datetime,
) -> list[IssuedAuthorisation]:
    """Each with the next serial of its rider, in the order of the old serials."""
    made: list[IssuedAuthorisation] = []
    for _, group in itertools.groupby(found, key=lambda pair: pair[0].rider_id):
        serial = 0
        for given, highest in group:
            serial = max(serial, highest) + 1
            again = reissue(given, serial, key, private, at)
            if again is None:
                serial -= 1
            else:
                made.append(again)
    return made
