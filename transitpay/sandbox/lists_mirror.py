"""The trust and deny lists as the sandbox's readers hold them, fetched anew when they change."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

import aiohttp

from transitpay.ride_code.deny_list import Denials, DenyList, DenyTable
from transitpay.ride_code.list_taking import Taken, Wanted, take
from transitpay.ride_code.signature_cache import SignatureCache
from transitpay.ride_code.signed_list import ListKind, SignedList
from transitpay.ride_code.trust_list import TrustList
from transitpay.ride_code.trust_records import trust_list_of


@dataclass(slots=True)
class ListsMirror:
    """What readers judge by when they judge alone; ``roots`` are built into them."""

    roots: Mapping[int, bytes]
    trust: TrustList = field(default_factory=lambda: TrustList.of(0, []))
    deny: Denials = field(default_factory=DenyList)
    cache: SignatureCache = field(default_factory=SignatureCache)
    _held: dict[ListKind, SignedList] = field(default_factory=dict)

    async def fetch(
        self, session: aiohttp.ClientSession, url: str, token: str, at: datetime
    ) -> None:
        """Take what the gateway serves now; a list that is refused stays as it was."""
        headers = {"Authorization": f"Bearer {token}"}
        for kind in (ListKind.TRUST, ListKind.DENY):
            held = self._held.get(kind)
            query = {"have": str(held.head.version)} if held else {}
            path = f"{url}/v1/lists/{kind}"
            async with session.get(path, headers=headers, params=query) as answer:
                answer.raise_for_status()
                found = take(await answer.read(), held, Wanted(kind, self.roots), at)
            if isinstance(found, Taken):
                whole = b"".join(found.chunks())
                self._held[kind] = SignedList.parse(whole)
        self._read()

    def _read(self) -> None:
        trust, deny = self._held.get(ListKind.TRUST), self._held.get(ListKind.DENY)
        if trust is not None and trust.head.version != self.trust.version:
            self.trust = trust_list_of(trust.head.version, trust.table)
        if deny is not None:
            numbers = self.trust.issuer_numbers()
            self.deny = DenyTable(deny.head.version, deny.table, numbers)
