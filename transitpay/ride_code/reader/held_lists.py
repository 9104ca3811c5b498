"""The lists that a reader holds, as it judges by them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from transitpay.ride_code.deny_list import Denials, DenyList, DenyTable
from transitpay.ride_code.lists.signed_list import SignedList
from transitpay.ride_code.lists.trust_records import trust_list_of
from transitpay.ride_code.records.record import ListVersions
from transitpay.ride_code.trust_list import TrustList

#: The use by of a list that is not there.
NEVER = datetime.min.replace(tzinfo=UTC)
_LOW_32 = 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class HeldLists:
    """The lists that a reader holds, with their whole versions; version 0 = there is none.

    A list is stale from its ``use_by`` on, and where there is none.
    """

    trust: TrustList
    deny: Denials
    trust_use_by: datetime
    deny_use_by: datetime
    config_version: int = 0

    @staticmethod
    def of(
        trust: SignedList | None, deny: SignedList | None, config: SignedList | None
    ) -> HeldLists:
        """The lists as a reader keeps them; the deny list stays where it lies."""
        found = trust_list_of(trust.head.version, trust.table) if trust else TrustList.of(0, ())
        denied: Denials = DenyList()
        if deny is not None:
            denied = DenyTable(deny.head.version, deny.table, found.issuer_numbers())
        return HeldLists(
            found,
            denied,
            trust.head.use_by if trust else NEVER,
            deny.head.use_by if deny else NEVER,
            config.head.version if config else 0,
        )

    @property
    def versions(self) -> ListVersions:
        """The versions as records carry them."""
        return ListVersions(
            self.trust.version & _LOW_32, self.deny.version & _LOW_32, self.config_version & _LOW_32
        )

    def are_stale(self, at: datetime) -> bool:
        """Whether either list is past its use by."""
        return at >= self.trust_use_by or at >= self.deny_use_by
