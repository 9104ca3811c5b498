"""The other side of signed lists: a root key certifies a list key, a list key signs a head."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from transitpay.ride_code.lists.record_table import Bytes
from transitpay.ride_code.lists.signed_list import ListCertificate, ListHead, ListKind, scope_of
from transitpay.ride_code.signing import LIST_KEY_TAG, LIST_TAG, DevicePrivateKey, sign_tagged


def kinds_bitmap(kinds: Iterable[ListKind]) -> int:
    """The kinds of a certificate."""
    return sum(1 << kind.number for kind in set(kinds))


def certify(unsigned: ListCertificate, root_key: DevicePrivateKey) -> ListCertificate:
    """The certificate, signed by the root key that it names."""
    signature = sign_tagged(root_key, LIST_KEY_TAG, unsigned.signed_bytes())
    return replace(unsigned, signature=signature)


@dataclass(frozen=True, slots=True)
class ListSigner:
    """A list key (P-256) with its certificate."""

    key: DevicePrivateKey
    certificate: ListCertificate

    def sign(self, unsigned: ListHead) -> ListHead:
        """The head, signed."""
        return replace(unsigned, signature=sign_tagged(self.key, LIST_TAG, unsigned.signed_bytes()))

    def head(
        self,
        kind: ListKind,
        version: int,
        records: Bytes,
        issued_at: datetime,
        use_by: datetime,
        reader: str = "",
    ) -> ListHead:
        """The signed head of a version of a list; instants in whole seconds.

        Raises: MalformedInput (``bad_id``) of a config's ``reader``.
        """
        count = len(kind.table(records))
        digest = hashlib.sha256(records).digest()
        unsigned = ListHead(
            kind,
            scope_of(reader),
            version,
            issued_at,
            use_by,
            count,
            digest,
            self.certificate,
        )
        return self.sign(unsigned)
