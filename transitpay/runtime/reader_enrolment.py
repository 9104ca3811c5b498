"""A reader's own key: made at its first start, enrolled once, kept in its folder."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from transitpay.errors import Conflict, TemporarilyUnavailable
from transitpay.ride_code.keys import (
    generate_device_key,
    load_device_pem,
    private_pem,
    public_bytes,
)
from transitpay.ride_code.reader import Now
from transitpay.ride_code.signing import prove_reader_key
from transitpay.runtime.gateway_link import GatewayLink
from transitpay.runtime.reader_store import StoreKey

_TIMEOUT_S = 10.0


@dataclass(frozen=True, slots=True)
class HeardTime:
    """It was ``true_at``, within ``error_ms``, when the machine's clocks showed ``when``."""

    when: Now
    true_at: datetime
    error_ms: int


@dataclass(frozen=True, slots=True)
class Enrolment:
    """The reader's private key (PEM), what the gateway said of it, and the time if it told that
    just now: then ``keep`` follows when the store is there."""

    pem: bytes
    key: StoreKey
    file: Path
    told: bytes = b""
    heard: HeardTime | None = None

    @property
    def is_new(self) -> bool:
        """Whether the key was enrolled just now."""
        return self.heard is not None

    def keep(self) -> None:
        """Remember that the key is enrolled and has its store. Raises: OSError."""
        if self.is_new:
            _write(self.file, self.told, 0o644)


def enrolled(
    home: Path, reader: str, link: GatewayLink, software: str, now: Callable[[], Now]
) -> Enrolment:
    """The reader's key; at the first start it is made, and enrolled with a proof.

    Raises: TemporarilyUnavailable (``not_enrolled``: the gateway did not answer), Conflict (its
    code: this key may not be enrolled), MalformedInput (``bad_private_key``), OSError.
    """
    home.mkdir(parents=True, exist_ok=True)
    pem = _private_key(home / "reader-key.pem")
    key = load_device_pem(pem)
    point, file = public_bytes(key), home / "enrolment.json"
    if file.exists():
        told = json.loads(file.read_text(encoding="utf-8"))
        made = StoreKey(reader, told["key_number"], point, told["first_position"])
        return Enrolment(pem, made, file)
    request = {
        "public_key": point.hex(),
        "proof": prove_reader_key(reader, key).hex(),
        "software": software or "unnamed",
    }
    began = now()
    reply = link.call("POST", "/v1/readers/enrol", json.dumps(request).encode(), _TIMEOUT_S)
    when = now()
    if reply.status in (0, 503):
        raise TemporarilyUnavailable("not_enrolled", "the gateway did not enrol this reader's key")
    told = json.loads(reply.body)
    if reply.status != 200:
        raise Conflict(told.get("code", "not_enrolled"), told.get("detail", "not enrolled"))
    trip_ms = when.monotonic_ms - began.monotonic_ms
    true_at = datetime.fromisoformat(told["server_time"]) + timedelta(milliseconds=trip_ms / 2)
    made = StoreKey(reader, told["key_number"], point, told["first_position"])
    return Enrolment(pem, made, file, reply.body, HeardTime(when, true_at, trip_ms))


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
