"""The trust list: which issuer keys a reader believes, for whom, where and until when.

The algorithm of a key stands here and nowhere else; nothing in a code can choose it. A key id
is unique in the whole scheme, so a code cannot name another issuer's key by accident.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType

from transitpay.errors import MalformedInput
from transitpay.ride_code import jsonfields as fields
from transitpay.ride_code.mot.layout import LOCAL_ROOTS
from transitpay.ride_code.signing import Algorithm, IssuerVerifier, load_issuer_key


class KeyStatus(StrEnum):
    """``retired`` keys still verify until ``not_after``; their issuer signs nothing new."""

    ACTIVE = "active"
    RETIRED = "retired"
    COMPROMISED = "compromised"


@dataclass(frozen=True, slots=True)
class IssuerKey:
    """One issuer key. Valid at ``not_before <= at < not_after``; bitmaps as in the code.

    ``compromised_at`` is when the key stopped to be believed, for the overstay rule of exits.
    ``issuer_number`` is what the records of a deny list call the issuer; None = nothing.

    Raises: MalformedInput (``bad_public_key``, ``bad_field``).
    """

    key_id: int
    algorithm: Algorithm
    public_key: bytes
    issuer: str
    destinations: int
    modes: int
    not_before: datetime
    not_after: datetime
    status: KeyStatus = KeyStatus.ACTIVE
    test: bool = False
    compromised_at: datetime | None = None
    issuer_number: int | None = None
    verifier: IssuerVerifier = field(init=False, repr=False, compare=False)
    #: Distinguishes this key in a signature cache, whatever its id was or becomes.
    cache_label: bytes = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.not_before >= self.not_after:
            raise fields.bad("not_after", "must be later than not_before")
        if self.compromised_at is not None and self.status is not KeyStatus.COMPROMISED:
            raise fields.bad("compromised_at", "belongs to a compromised key only")
        if self.issuer_number is not None and not 1 <= self.issuer_number <= 0xFFFF:
            raise fields.bad("issuer_number", "must be an integer from 1 to 65535")
        if self.algorithm is Algorithm.SM2 and self.key_id < LOCAL_ROOTS:
            raise fields.bad("key_id", f"an SM2 root has a key id of {LOCAL_ROOTS} or above")
        loaded = load_issuer_key(self.algorithm, self.public_key)
        object.__setattr__(self, "verifier", loaded)
        object.__setattr__(self, "cache_label", self.algorithm.encode() + self.public_key)


@dataclass(frozen=True, slots=True)
class TrustList:
    """All issuer keys by key id, and the version of the list."""

    version: int
    keys: Mapping[int, IssuerKey]

    @staticmethod
    def of(version: int, keys: Iterable[IssuerKey]) -> TrustList:
        """The list of these keys.

        Raises: MalformedInput (``bad_field``) if two keys share an id.
        """
        by_id: dict[int, IssuerKey] = {}
        for key in keys:
            if key.key_id in by_id:
                raise fields.bad("key_id", f"key id {key.key_id} stands twice in the list")
            by_id[key.key_id] = key
        return TrustList(version, MappingProxyType(by_id))

    def issuer_numbers(self) -> dict[str, int]:
        """Issuer -> its number, where the list tells one."""
        keys = self.keys.values()
        return {k.issuer: k.issuer_number for k in keys if k.issuer_number is not None}

    @staticmethod
    def from_json(text: str) -> TrustList:
        """Read a list.

        Raises: MalformedInput (``bad_json``, ``bad_field``, ``bad_public_key``) naming the field,
        as in ``keys[1].issuer``.
        """
        return TrustList.from_object(fields.load_object(text, "trust list"))

    @staticmethod
    def from_object(source: Mapping[str, object]) -> TrustList:
        """Read a list that is already JSON. Raises: as ``from_json``."""
        fields.only(source, frozenset({"version", "keys"}))
        version = fields.integer(source, "version", 63)
        found = fields.objects(source, "keys")
        return TrustList.of(version, (_read_key(k, f"keys[{i}].") for i, k in enumerate(found)))

    def to_object(self) -> dict[str, object]:
        """What ``from_object`` reads, keys by id."""
        return {
            "version": self.version,
            "keys": [_write_key(self.keys[key_id]) for key_id in sorted(self.keys)],
        }

    def to_json(self) -> str:
        """What ``from_json`` reads."""
        return json.dumps(self.to_object(), indent=2) + "\n"


_NAMES = frozenset(
    {"key_id", "algorithm", "public_key", "issuer", "destinations", "modes", "not_before"}
    | {"not_after", "status", "test", "compromised_at", "issuer_number"}
)


def _read_key(source: Mapping[str, object], at: str) -> IssuerKey:
    fields.only(source, _NAMES, at)
    since = None
    if source.get("compromised_at") is not None:
        since = fields.instant(source, "compromised_at", at)
    number = None
    if source.get("issuer_number") is not None:
        number = fields.integer(source, "issuer_number", 16, at)
    try:
        algorithm = Algorithm(fields.text(source, "algorithm", at))
    except ValueError:
        raise fields.bad(at + "algorithm", "must be ES256, Ed25519 or SM2") from None
    try:
        status = KeyStatus(fields.text(source, "status", at))
    except ValueError:
        raise fields.bad(at + "status", "must be active, retired or compromised") from None
    values = (
        fields.integer(source, "key_id", 16, at),
        algorithm,
        fields.hexadecimal(source, "public_key", at),
        fields.text(source, "issuer", at),
        fields.integer(source, "destinations", 16, at),
        fields.integer(source, "modes", 8, at),
        fields.instant(source, "not_before", at),
        fields.instant(source, "not_after", at),
        status,
        fields.boolean(source, "test", at),
        since,
        number,
    )
    try:
        return IssuerKey(*values)
    except MalformedInput as error:
        raise MalformedInput(error.code, error.message, field=f"{at}{error.field}") from None


def _write_key(key: IssuerKey) -> dict[str, object]:
    found: dict[str, object] = {
        "key_id": key.key_id,
        "algorithm": str(key.algorithm),
        "public_key": key.public_key.hex(),
        "issuer": key.issuer,
        "destinations": key.destinations,
        "modes": key.modes,
        "not_before": fields.write_instant(key.not_before),
        "not_after": fields.write_instant(key.not_after),
        "status": str(key.status),
        "test": key.test,
    }
    if key.compromised_at is not None:
        found["compromised_at"] = fields.write_instant(key.compromised_at)
    if key.issuer_number is not None:
        found["issuer_number"] = key.issuer_number
    return found
