"""The deny list: which authorisations of which riders are refused, by exact membership.

An entry (issuer, rider id) -> serial denies every authorisation of that rider with a serial up
to it. Serials rise, so whoever has paid or has a new phone is released everywhere by the next
authorisation, without waiting for a new list.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Protocol

from transitpay.errors import MalformedInput
from transitpay.ride_code import jsonfields as fields
from transitpay.ride_code.layout import rider_bytes
from transitpay.ride_code.lists.record_table import RecordTable


class Denials(Protocol):
    """What ``judge`` asks a deny list, whatever form it is in."""

    @property
    def version(self) -> int:
        """The version of the list."""

    def denies(self, issuer: str, rider_id: str, serial: int) -> bool:
        """Whether this authorisation is refused: its serial is at most the listed one."""


@dataclass(frozen=True, slots=True)
class DenyTable:
    """The deny list as sorted records of 14 bytes: issuer number (2), rider id (8), serial (4).

    ``issuer_numbers`` come from the trust list; nobody of an issuer without one is denied.
    """

    version: int
    table: RecordTable
    issuer_numbers: Mapping[str, int]

    def denies(self, issuer: str, rider_id: str, serial: int) -> bool:
        """Whether this authorisation is refused: its serial is at most the listed one."""
        number = self.issuer_numbers.get(issuer)
        if number is None:
            return False
        found = self.table.find(deny_key(number, rider_id))
        return found is not None and serial <= int.from_bytes(found[-4:], "big")


def deny_key(issuer_number: int, rider_id: str) -> bytes:
    """The key of a rider's record. Raises: MalformedInput (``unreadable_code``)."""
    return issuer_number.to_bytes(2, "big") + rider_bytes(rider_id)


def deny_record(issuer_number: int, rider_id: str, serial: int) -> bytes:
    """The 14 bytes of an entry. Raises: MalformedInput (``unreadable_code``)."""
    return deny_key(issuer_number, rider_id) + serial.to_bytes(4, "big")


@dataclass(frozen=True, slots=True)
class DenyList:
    """(issuer, rider id) -> the highest denied serial, and the version of the list."""

    version: int = 0
    serials: Mapping[tuple[str, str], int] = field(default_factory=dict)

    def denies(self, issuer: str, rider_id: str, serial: int) -> bool:
        """Whether this authorisation is refused: its serial is at most the listed one."""
        listed = self.serials.get((issuer, rider_id))
        return listed is not None and serial <= listed

    @staticmethod
    def from_json(text: str) -> DenyList:
        """Read a list.

        Raises: MalformedInput (``bad_json``, ``bad_field``) naming the field.
        """
        return DenyList.from_object(fields.load_object(text, "deny list"))

    @staticmethod
    def from_object(source: Mapping[str, object]) -> DenyList:
        """Read a list that is already JSON. Raises: as ``from_json``."""
        fields.only(source, frozenset({"version", "entries"}))
        serials: dict[tuple[str, str], int] = {}
        for i, entry in enumerate(fields.objects(source, "entries")):
            at = f"entries[{i}]."
            fields.only(entry, frozenset({"issuer", "rider_id", "serial"}), at)
            rider = fields.text(entry, "rider_id", at)
            try:
                rider_bytes(rider)
            except MalformedInput as error:
                raise fields.bad(at + "rider_id", error.message) from None
            key = (fields.text(entry, "issuer", at), rider)
            if key in serials:
                raise fields.bad(at + "rider_id", "this rider stands twice in the list")
            serials[key] = fields.integer(entry, "serial", 32, at)
        return DenyList(fields.integer(source, "version", 63), MappingProxyType(serials))

    def to_object(self) -> dict[str, object]:
        """What ``from_object`` reads, sorted by issuer and rider."""
        return {
            "version": self.version,
            "entries": [
                {"issuer": issuer, "rider_id": rider, "serial": serial}
                for (issuer, rider), serial in sorted(self.serials.items())
            ],
        }

    def to_json(self) -> str:
        """What ``from_json`` reads."""
        return json.dumps(self.to_object(), indent=2) + "\n"
