"""The settings of one reader as the records of a signed list, 128 bytes each: name, value.

What the names mean stands in docs/reader-protocol.md, "Config record".
"""

from __future__ import annotations

from collections.abc import Mapping

from transitpay.errors import MalformedInput
from transitpay.ride_code.id_field import ID_LENGTH, read_id, write_id
from transitpay.ride_code.lists.record_table import RecordTable

VALUE_LENGTH = 96


def config_records(values: Mapping[str, str]) -> bytes:
    """The records of these settings, by name.

    Raises: MalformedInput (``bad_id`` of a name, ``bad_field`` of a value).
    """
    return b"".join(sorted(write_id(name) + _value(name, values[name]) for name in values))


def config_values(table: RecordTable) -> dict[str, str]:
    """Name -> value of the records; one that is no text is left out, as if it were not there."""
    found: dict[str, str] = {}
    for record in table:
        try:
            name = read_id(bytes(record[:ID_LENGTH]))
            value = bytes(record[ID_LENGTH:]).rstrip(b"\0").decode()
        except (MalformedInput, UnicodeDecodeError):
            continue
        if "\0" not in value:
            found[name] = value
    return found


def _value(name: str, text: str) -> bytes:
    data = text.encode()
    if len(data) > VALUE_LENGTH or b"\0" in data:
        raise MalformedInput("bad_field", "must be at most 96 bytes of UTF-8", field=name)
    return data.ljust(VALUE_LENGTH, b"\0")
