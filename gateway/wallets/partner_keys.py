"""Wallet partners as notifications need them: whose keys verify, and which of ours signs."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from pathlib import Path

from gateway.database import Database
from transitpay.charging.signature import KeyRing, Signer, load_private_key, load_public_key
from transitpay.clock import Clock
from transitpay.errors import TemporarilyUnavailable
from transitpay.postgres import reference

#: How long a new or withdrawn partner key may go unnoticed.
REMEMBER_S = 5.0


@dataclass(frozen=True, slots=True)
class PartnerBook:
    """client id -> wallet, client id -> its keys, wallet -> (our client id, our key version)."""

    wallets: dict[str, str] = field(default_factory=dict)
    keys: KeyRing = field(default_factory=dict)
    ours: dict[str, tuple[str, int]] = field(default_factory=dict)


class Partners:
    """The partner book of the database, remembered for a few seconds; our keys from files."""

    def __init__(self, database: Database, clock: Clock, folder: Path) -> None:
        self._database = database
        self._clock = clock
        self._folder = folder
        self._book = PartnerBook()
        self._until = 0.0
        self._signers: dict[tuple[str, int], Signer] = {}

    async def book(self) -> PartnerBook:
        """Who our partners are now.

        Raises: TemporarilyUnavailable.
        """
        now = asyncio.get_running_loop().time()
        if now >= self._until:
            async with self._database.transaction() as conn:
                endpoints = await reference.endpoints(conn)
                keys = await reference.partner_keys(conn)
            at = self._clock.now()
            valid = [key for key in keys if key.not_after is None or key.not_after > at]
            self._book = PartnerBook(
                {e.client_id: e.wallet for e in endpoints},
                {
                    e.client_id: {
                        key.key_version: load_public_key(key.public_pem.encode())
                        for key in valid
                        if key.wallet == e.wallet
                    }
                    for e in endpoints
                },
                {e.wallet: (e.our_client_id, e.our_key_version) for e in endpoints},
            )
            self._until = now + REMEMBER_S
        return self._book

    def signer(self, book: PartnerBook, wallet: str) -> Signer:
        """Who signs our answers to this wallet.

        Raises: TemporarilyUnavailable (``no_partner_key``) where our key is not on this machine.
        """
        client_id, version = book.ours[wallet]
        known = self._signers.get((client_id, version))
        if known is None:
            try:
                pem = partner_key_file(self._folder, version).read_bytes()
            except OSError:
                raise TemporarilyUnavailable(
                    "no_partner_key", f"our partner key of version {version} is not here"
                ) from None
            known = Signer(client_id, version, load_private_key(pem))
            self._signers[client_id, version] = known
        return known


def partner_key_file(folder: Path, version: int) -> Path:
    """Where our own partner key of this version lies."""
    return folder / f"partner-{version}.pem"
