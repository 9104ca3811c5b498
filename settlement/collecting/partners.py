"""Knows the wallets that can be reached: their addresses and keys, read again while we run."""

from __future__ import annotations

from pathlib import Path

import aiohttp

from settlement.collecting.wallet_http import Partner, TimeLimits, WalletClient
from transitpay.charging.signature import Signer, load_private_key, load_public_key
from transitpay.clock import Clock
from transitpay.errors import MalformedInput
from transitpay.postgres.pool import Pool, transaction
from transitpay.postgres.reference import PartnerEndpoint, PartnerKey, endpoints, partner_keys
from transitpay.runtime.observe import EventLog

_log = EventLog("settlement.partners")


def partner_key_file(home: Path, version: int) -> Path:
    """Where our private key of a version lies."""
    return home / "keys" / f"partner-{version}.pem"


class Partners:
    """The wallet clients by wallet. ``refresh`` keeps a client and replaces what it knows."""

    def __init__(
        self,
        home: Path,
        session: aiohttp.ClientSession,
        clock: Clock,
        limits: TimeLimits | None = None,
    ) -> None:
        self.clients: dict[str, WalletClient] = {}
        self._home = home
        self._session = session
        self._clock = clock
        self._limits = limits
        self._signers: dict[tuple[str, int], Signer] = {}
        self._complained: set[str] = set()

    async def refresh(self, pool: Pool) -> list[str]:
        """Read addresses and keys; returns the wallets that are new since the last time.

        A wallet whose key or ours cannot be read is left as it was, with one line in the log.

        Raises: TemporarilyUnavailable.
        """
        async with transaction(pool) as conn:
            found = await endpoints(conn)
            keys = await partner_keys(conn)
        fresh: list[str] = []
        for endpoint in found:
            try:
                partner = self._partner(endpoint, keys)
            except MalformedInput as problem:
                self._complain(endpoint.wallet, problem)
                continue
            self._complained.discard(endpoint.wallet)
            known = self.clients.get(endpoint.wallet)
            if known is None:
                client = WalletClient(partner, self._session, self._clock, self._limits)
                self.clients[endpoint.wallet] = client
                fresh.append(endpoint.wallet)
            else:
                known.partner = partner
        return fresh

    def _partner(self, endpoint: PartnerEndpoint, keys: list[PartnerKey]) -> Partner:
        """Keys past their end are left out: what they sign is not believed."""
        now = self._clock.now()
        ring = {
            key.key_version: load_public_key(key.public_pem.encode())
            for key in keys
            if key.wallet == endpoint.wallet and (key.not_after is None or key.not_after > now)
        }
        signer = self._signer(endpoint.our_client_id, endpoint.our_key_version)
        return Partner(endpoint.wallet, endpoint.base_url, signer, {endpoint.client_id: ring})

    def _signer(self, client_id: str, version: int) -> Signer:
        known = self._signers.get((client_id, version))
        if known is not None:
            return known
        path = partner_key_file(self._home, version)
        try:
            pem = path.read_bytes()
        except OSError as problem:
            raise MalformedInput(
                "no_partner_key", f"cannot be read: {problem.strerror}", field=path.name
            ) from problem
        signer = Signer(client_id, version, load_private_key(pem))
        self._signers[client_id, version] = signer
        return signer

    def _complain(self, wallet: str, problem: MalformedInput) -> None:
        if wallet not in self._complained:
            self._complained.add(wallet)
            _log.error("partner_unusable", wallet=wallet, code=problem.code, why=str(problem))
