"""An id field: an id in ASCII, padded with zero bytes to its length; one spelling for each id."""

from __future__ import annotations

from transitpay.errors import MalformedInput

#: The length of the id fields of readers and issuers.
ID_LENGTH = 32


def write_id(text: str, length: int = ID_LENGTH) -> bytes:
    """The bytes of an id.

    Raises: MalformedInput (``bad_id``) unless it is 1 to ``length`` visible ASCII characters.
    """
    data = text.encode()
    if len(data) > length or not _is_id(data):
        raise MalformedInput("bad_id", f"an id is 1 to {length} visible ASCII characters")
    return data.ljust(length, b"\x00")


def read_id(data: bytes) -> str:
    """The id of a whole field. Raises: MalformedInput (``bad_id``)."""
    text = data.rstrip(b"\x00")
    if not _is_id(text):
        raise MalformedInput("bad_id", "an id field is visible ASCII, then zero bytes")
    return text.decode("ascii")


def _is_id(data: bytes) -> bool:
    return bool(data) and all(0x20 < character < 0x7F for character in data)
