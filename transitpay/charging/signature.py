"""Signs and verifies what goes over the wire between us and a wallet partner.

The signed text is ``METHOD path[?query]``, a line feed, and ``clientId.time.body``, over the raw
bytes of the body and never over JSON written anew. Answers are signed with the request's method
and path, the answer's own time and body; the answer to a notification is signed as well.

Source: the published partner protocol; SHA256withRSA, PKCS#1 v1.5. It names no tolerance of the
time, so ours is a parameter.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from urllib.parse import quote, unquote

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey

from transitpay.clock import LOCAL_ZONE
from transitpay.errors import MalformedInput

CLIENT_ID = "Client-Id"
REQUEST_TIME = "Request-Time"
RESPONSE_TIME = "response-time"
SIGNATURE = "Signature"
ALGORITHM = "RSA256"
#: Our default tolerance of Request-Time, both ways.
TOLERANCE = timedelta(minutes=5)


class SignatureRefusal(StrEnum):
    """Why a message is not believed, in order of precedence."""

    MISSING_HEADER = "missing_header"
    REPEATED_HEADER = "repeated_header"
    BAD_HEADER = "bad_header"
    OTHER_ALGORITHM = "other_algorithm"
    UNKNOWN_CLIENT = "unknown_client"
    UNKNOWN_KEY_VERSION = "unknown_key_version"
    BAD_TIME = "bad_time"
    TIME_OUT_OF_TOLERANCE = "time_out_of_tolerance"
    WRONG_SIGNATURE = "wrong_signature"


@dataclass(frozen=True, slots=True)
class NotBelieved:
    """The message is refused; no ack is given for it."""

    reason: SignatureRefusal


@dataclass(frozen=True, slots=True)
class Believed:
    """The message is the client's. ``replay_key`` is one per signed text, for a replay cache."""

    client_id: str
    key_version: int
    at: datetime
    replay_key: str


@dataclass(frozen=True, slots=True)
class SignatureHeader:
    """The parts of a Signature header; ``signature`` is the raw bytes."""

    algorithm: str
    key_version: int
    signature: bytes


@dataclass(frozen=True, slots=True)
class Signer:
    """Who signs: our client id at the partner, and the key of one version."""

    client_id: str
    key_version: int
    key: RSAPrivateKey

    def request_headers(
        self, method: str, target: str, body: bytes, at: datetime
    ) -> dict[str, str]:
        """The headers of a request; ``target`` is the path with its query as it is sent."""
        return self._headers(REQUEST_TIME, method, target, body, at)

    def response_headers(
        self, method: str, target: str, body: bytes, at: datetime
    ) -> dict[str, str]:
        """The headers of an answer to ``method`` ``target``."""
        return self._headers(RESPONSE_TIME, method, target, body, at)

    def _headers(
        self, time_header: str, method: str, target: str, body: bytes, at: datetime
    ) -> dict[str, str]:
        time = time_text(at)
        text = signed_text(method, target, self.client_id, time, body)
        signature = self.key.sign(text, PKCS1v15(), hashes.SHA256())
        return {
            CLIENT_ID: self.client_id,
            time_header: time,
            SIGNATURE: build_header(self.key_version, signature),
        }


#: Public keys by client id and key version; several versions count at once while keys rotate.
KeyRing = Mapping[str, Mapping[int, RSAPublicKey]]


def verify_request(
    method: str,
    target: str,
    headers: list[tuple[str, str]],
    body: bytes,
    keys: KeyRing,
    at: datetime,
    tolerance: timedelta = TOLERANCE,
) -> Believed | NotBelieved:
    """Whether a request is the client's, and its Request-Time at most ``tolerance`` from ``at``."""
    return _verify(REQUEST_TIME, method, target, headers, body, keys, (at, tolerance))


def verify_response(
    method: str, target: str, headers: list[tuple[str, str]], body: bytes, keys: KeyRing
) -> Believed | NotBelieved:
    """Whether an answer to our request is the client's. Its time is signed and not judged."""
    return _verify(RESPONSE_TIME, method, target, headers, body, keys, None)


def signed_text(method: str, target: str, client_id: str, time: str, body: bytes) -> bytes:
    """The bytes that a signature covers."""
    return f"{method.upper()} {target}\n{client_id}.{time}.".encode() + body


def time_text(at: datetime) -> str:
    """An instant as it is written in headers and messages: UTC+8, whole seconds or finer."""
    local = at.astimezone(LOCAL_ZONE)
    return local.isoformat(timespec="milliseconds" if local.microsecond else "seconds")


def build_header(key_version: int, signature: bytes) -> str:
    """The Signature header: the base64 text is URL-encoded, ``/`` too."""
    encoded = quote(base64.b64encode(signature).decode(), safe="")
    return f"algorithm={ALGORITHM}, keyVersion={key_version}, signature={encoded}"


def parse_header(text: str) -> SignatureHeader | SignatureRefusal:
    """The parts of a Signature header, in any order, with or without blanks."""
    parts: dict[str, str] = {}
    for part in text.split(","):
        name, equals, value = part.strip().partition("=")
        if not equals or name in parts:
            return SignatureRefusal.BAD_HEADER
        parts[name] = value
    if set(parts) != {"algorithm", "keyVersion", "signature"}:
        return SignatureRefusal.BAD_HEADER
    if parts["algorithm"] != ALGORITHM:
        return SignatureRefusal.OTHER_ALGORITHM
    version = parts["keyVersion"]
    if not (version.isascii() and version.isdigit() and len(version) <= 9):
        return SignatureRefusal.BAD_HEADER
    try:
        raw = base64.b64decode(unquote(parts["signature"]), validate=True)
    except (binascii.Error, ValueError):
        return SignatureRefusal.BAD_HEADER
    return SignatureHeader(parts["algorithm"], int(version), raw)


def load_private_key(pem: bytes) -> RSAPrivateKey:
    """An RSA private key of at least 2048 bits.

    Raises: MalformedInput (``bad_key``).
    """
    try:
        key = serialization.load_pem_private_key(pem, None)
    except (ValueError, TypeError) as problem:
        raise MalformedInput("bad_key", "not an unencrypted PEM private key") from problem
    if not isinstance(key, RSAPrivateKey) or key.key_size < 2048:
        raise MalformedInput("bad_key", "not an RSA key of at least 2048 bits")
    return key


def load_public_key(pem: bytes) -> RSAPublicKey:
    """An RSA public key of at least 2048 bits.

    Raises: MalformedInput (``bad_key``).
    """
    try:
        key = serialization.load_pem_public_key(pem)
    except ValueError as problem:
        raise MalformedInput("bad_key", "not a PEM public key") from problem
    if not isinstance(key, RSAPublicKey) or key.key_size < 2048:
        raise MalformedInput("bad_key", "not an RSA key of at least 2048 bits")
    return key


def _verify(
    time_header: str,
    method: str,
    target: str,
    headers: list[tuple[str, str]],
    body: bytes,
    keys: KeyRing,
    window: tuple[datetime, timedelta] | None,
) -> Believed | NotBelieved:
    found = _pick(headers, (CLIENT_ID, time_header, SIGNATURE))
    if isinstance(found, SignatureRefusal):
        return NotBelieved(found)
    client_id, time, header_text = found
    header = parse_header(header_text)
    if isinstance(header, SignatureRefusal):
        return NotBelieved(header)
    if client_id not in keys:
        return NotBelieved(SignatureRefusal.UNKNOWN_CLIENT)
    key = keys[client_id].get(header.key_version)
    if key is None:
        return NotBelieved(SignatureRefusal.UNKNOWN_KEY_VERSION)
    said_at = _instant(time)
    if said_at is None:
        return NotBelieved(SignatureRefusal.BAD_TIME)
    if window is not None and abs(said_at - window[0]) > window[1]:
        return NotBelieved(SignatureRefusal.TIME_OUT_OF_TOLERANCE)
    text = signed_text(method, target, client_id, time, body)
    try:
        key.verify(header.signature, text, PKCS1v15(), hashes.SHA256())
    except InvalidSignature:
        return NotBelieved(SignatureRefusal.WRONG_SIGNATURE)
    return Believed(client_id, header.key_version, said_at, hashlib.sha256(text).hexdigest())


def _pick(
    headers: list[tuple[str, str]], names: tuple[str, str, str]
) -> tuple[str, str, str] | SignatureRefusal:
    """The one value of each header; names are compared without case."""
    values: list[str] = []
    for name in names:
        given = [value.strip() for key, value in headers if key.lower() == name.lower()]
        if not given or not given[0]:
            return SignatureRefusal.MISSING_HEADER
        if len(given) > 1:
            return SignatureRefusal.REPEATED_HEADER
        values.append(given[0])
    return values[0], values[1], values[2]


def _instant(text: str) -> datetime | None:
    """ISO 8601 with an offset, fractions allowed; anything else is None."""
    try:
        at = datetime.fromisoformat(text)
        return at.astimezone(UTC) if at.tzinfo is not None and "T" in text else None
    except (ValueError, OverflowError):  # the years 1 and 9999 have no UTC everywhere
        return None
