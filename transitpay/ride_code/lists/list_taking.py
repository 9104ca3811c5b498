"""``take``: the one decision of whoever receives a signed list.

What is held and what came make a newer list, nothing new, or a refusal with its reason, always in
the same order. Nothing is kept here: what is taken is a stream for whoever keeps it.

Source: docs/reader-protocol.md, "Taking a list".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from transitpay.errors import MalformedInput
from transitpay.ride_code.lists.record_table import PUT, REMOVE, Bytes, RecordTable, apply
from transitpay.ride_code.lists.signed_list import (
    Delta,
    ListHead,
    ListKind,
    SignedList,
    digest_of,
    scope_of,
    unreadable,
)
from transitpay.ride_code.signing import LIST_KEY_TAG, LIST_TAG, tagged_accepts


class ListRefusal(StrEnum):
    """Why a list is not taken, in order of precedence."""

    LIST_UNREADABLE = "list_unreadable"
    LIST_WRONG_SCOPE = "list_wrong_scope"
    LIST_BAD_CERTIFICATE = "list_bad_certificate"
    LIST_CERTIFICATE_EXPIRED = "list_certificate_expired"
    LIST_BAD_SIGNATURE = "list_bad_signature"
    LIST_ROLLED_BACK = "list_rolled_back"
    LIST_WRONG_BASE = "list_wrong_base"
    LIST_BAD_DIGEST = "list_bad_digest"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What was asked for: a kind, for a config ``scope_of`` its reader, and whose word is believed.

    ``roots`` is root number (1, 2) -> its public key, 33 bytes.
    """

    kind: ListKind
    roots: Mapping[int, bytes]
    scope: bytes = scope_of()


@dataclass(frozen=True, slots=True)
class Taken:
    """A newer list. ``chunks`` streams its whole form: keep it, and hold it instead."""

    head: ListHead
    base: RecordTable
    changes: RecordTable | None = None

    def records(self) -> Iterator[memoryview]:
        """The records, in runs."""
        if self.changes is None:
            return iter((self.base.records,))
        return apply(self.base, self.changes)

    def chunks(self) -> Iterator[Bytes]:
        """The bytes of the whole form, in runs."""
        yield self.head.encode()
        yield from self.records()


@dataclass(frozen=True, slots=True)
class Unchanged:
    """What came is what is held."""


@dataclass(frozen=True, slots=True)
class Refused:
    """What came is not taken; what is held stays."""

    reason: ListRefusal


def take(
    received: Bytes,
    held: SignedList | None,
    wanted: Wanted,
    at: datetime,
    uncertainty_s: int = 0,
) -> Taken | Unchanged | Refused:
    """What becomes of a received list, whole or delta; the first reason that applies is told."""
    try:
        came = _read(received)
    except MalformedInput:
        return Refused(ListRefusal.LIST_UNREADABLE)
    head = came.head
    if head.kind is not wanted.kind or head.scope != wanted.scope:
        return Refused(ListRefusal.LIST_WRONG_SCOPE)
    if (refused := _check_signatures(head, wanted, at, uncertainty_s)) is not None:
        return Refused(refused)
    if held is not None and head.rank <= held.head.rank:
        same = head.encode() == held.head.encode()
        return Unchanged() if same else Refused(ListRefusal.LIST_ROLLED_BACK)
    if isinstance(came, SignedList):
        return _with_digest(Taken(head, came.table))
    if held is None or came.base != held.head.version:
        return Refused(ListRefusal.LIST_WRONG_BASE)
    return _with_digest(Taken(head, held.table, came.changes))


def is_genuine(head: ListHead, wanted: Wanted) -> bool:
    """Whether the head of a list that was kept is what is wanted, and signed; time is no matter."""
    asked_for = head.kind is wanted.kind and head.scope == wanted.scope
    return asked_for and _is_certified(head, wanted) and _is_signed(head)


def _read(received: Bytes) -> SignedList | Delta:
    """What came, as far as it can be read. Raises: MalformedInput (``list_unreadable``)."""
    if bytes(received[:4]) != b"TPD1":
        whole = SignedList.parse(received)
        if not whole.table.is_sorted():
            raise unreadable("the keys do not rise")
        return whole
    delta = Delta.parse(received)
    key_end = 1 + delta.changes.key_size
    for change in delta.changes:
        if change[0] != PUT and (change[0] != REMOVE or any(change[key_end:])):
            raise unreadable("neither a put nor a removal")
    if not delta.changes.is_sorted():
        raise unreadable("the keys do not rise")
    return delta


def _check_signatures(
    head: ListHead, wanted: Wanted, at: datetime, uncertainty_s: int
) -> ListRefusal | None:
    """The reason if the certificate or the list key's signature does not hold."""
    if not _is_certified(head, wanted):
        return ListRefusal.LIST_BAD_CERTIFICATE
    it = head.certificate
    doubt = timedelta(seconds=uncertainty_s)
    valid_now = it.not_before - doubt <= at < it.not_after + doubt
    if not valid_now or not it.not_before <= head.issued_at < it.not_after:
        return ListRefusal.LIST_CERTIFICATE_EXPIRED
    return None if _is_signed(head) else ListRefusal.LIST_BAD_SIGNATURE


def _is_certified(head: ListHead, wanted: Wanted) -> bool:
    it = head.certificate
    root = wanted.roots.get(it.root)
    return (
        root is not None
        and it.may_sign(head.kind)
        and tagged_accepts(root, LIST_KEY_TAG, it.signature, it.signed_bytes())
    )


def _is_signed(head: ListHead) -> bool:
    return tagged_accepts(
        head.certificate.public_key, LIST_TAG, head.signature, head.signed_bytes()
    )


def _with_digest(found: Taken) -> Taken | Refused:
    length, digest = digest_of(found.records())
    right = (found.head.count * found.base.record_size, found.head.digest)
    return found if (length, digest) == right else Refused(ListRefusal.LIST_BAD_DIGEST)
