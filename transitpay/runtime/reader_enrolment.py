"""A reader's own key: made at its first start, enrolled once, kept in its folder."""

from __future__ import annotations

import json
import os
from pathlib import Path

from transitpay.errors import Conflict, TemporarilyUnavailable
from transitpay.ride_code.keys import (
    generate_device_key,
    load_device_pem,
    private_pem,
    public_bytes,
)
from transitpay.ride_code.signing import prove_reader_key
from transitpay.runtime.gateway_link import GatewayLink
from transitpay.runtime.reader_store import StoreKey

_TIMEOUT_S = 10.0


def enrolled(home: Path, reader: str, link: GatewayLink, software: str) -> tuple[bytes, StoreKey]:
    """The private key (PEM) and what the gateway said of it when it was enrolled.

    Raises: TemporarilyUnavailable (``not_enrolled``: the gateway did not answer), Conflict (its
    code: this key may not be enrolled), MalformedInput (``bad_private_key``), OSError.
    """
    home.mkdir(parents=True, exist_ok=True)
    pem = _private_key(home / "reader-key.pem")
    key = load_device_pem(pem)
    point, file = public_bytes(key), home / "enrolment.json"
    if file.exists():
        told = json.loads(file.read_text(encoding="utf-8"))
        return pem, StoreKey(reader, told["key_number"], point, told["first_position"])
    request = {
        "public_key": point.hex(),
        "proof": prove_reader_key(reader, key).hex(),
        "software": software or "unnamed",
    }
    reply = link.call("POST", "/v1/readers/enrol", json.dumps(request).encode(), _TIMEOUT_S)
    if reply.status in (0, 503):
        raise TemporarilyUnavailable("not_enrolled", "the gateway did not enrol this reader's key")
    told = json.loads(reply.body)
    if reply.status != 200:
        raise Conflict(told.get("code", "not_enrolled"), told.get("detail", "not enrolled"))
    _write(file, reply.body, 0o644)
    return pem, StoreKey(reader, told["key_number"], point, told["first_position"])


def _private_key(file: Path) -> bytes:
    if not file.exists():
        _write(file, private_pem(generate_device_key()), 0o600)
    return file.read_bytes()


def _write(file: Path, content: bytes, mode: int) -> None:
    """Whole or not at all, and on the disk when this returns."""
    beside = file.with_name(file.name + ".new")
    beside.unlink(missing_ok=True)
    handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(handle, "wb") as out:
        out.write(content)
        out.flush()
        os.fsync(handle)
    os.replace(beside, file)
