"""The trust and deny lists as the sandbox's readers hold them, fetched anew when they change."""

from __future__ import annotations

from dataclasses import dataclass, field

import aiohttp

from transitpay.ride_code.deny_list import DenyList
from transitpay.ride_code.signature_cache import SignatureCache
from transitpay.ride_code.trust_list import TrustList


@dataclass(slots=True)
class ListsMirror:
    """What readers judge by when they judge alone."""

    trust: TrustList = field(default_factory=lambda: TrustList.of(0, []))
    deny: DenyList = field(default_factory=DenyList)
    cache: SignatureCache = field(default_factory=SignatureCache)

    async def fetch(self, session: aiohttp.ClientSession, url: str, token: str) -> None:
        """Take what the gateway serves now."""
        headers = {"Authorization": f"Bearer {token}"}
        async with session.get(f"{url}/v1/lists/trust", headers=headers) as answer:
            answer.raise_for_status()
            self.trust = TrustList.from_json(await answer.text())
        async with session.get(f"{url}/v1/lists/deny", headers=headers) as answer:
            answer.raise_for_status()
            self.deny = DenyList.from_json(await answer.text())
