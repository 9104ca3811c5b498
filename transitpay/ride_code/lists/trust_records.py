"""The trust list as the records of a signed list, 88 bytes a key, and back.

Source: docs/reader-protocol.md, "Trust record".
"""

from __future__ import annotations

import struct
from datetime import datetime

from transitpay.errors import MalformedInput
from transitpay.ride_code.id_field import read_id, write_id
from transitpay.ride_code.lists.record_table import RecordTable
from transitpay.ride_code.lists.signed_list import instant, seconds
from transitpay.ride_code.signing import Algorithm
from transitpay.ride_code.trust_list import IssuerKey, KeyStatus, TrustList

_RECORD = struct.Struct(">HBBBBHIIIH33sB32s")
_LAST = instant(2**32 - 1)
_TEST_KEY = 1
_ALGORITHMS = {Algorithm.ES256: 1, Algorithm.ED25519: 2, Algorithm.SM2: 3}
_STATUSES = {KeyStatus.ACTIVE: 1, KeyStatus.RETIRED: 2, KeyStatus.COMPROMISED: 3}
_ALGORITHM_OF = {number: algorithm for algorithm, number in _ALGORITHMS.items()}
_STATUS_OF = {number: status for status, number in _STATUSES.items()}


def trust_records(trust: TrustList) -> bytes:
    """The records of a trust list, by key id.

    Raises: MalformedInput (``bad_field``, ``bad_id``) if an issuer has no number, or no id of at
    most 32 ASCII characters, or a key ends after 2106.
    """
    return b"".join(_record(trust.keys[key_id]) for key_id in sorted(trust.keys))


def trust_list_of(version: int, table: RecordTable) -> TrustList:
    """The trust list of these records.

    A record that says what this program does not know (an algorithm, a status, a flag) is left
    out, so that nobody uses its key, and the others stand.
    """
    found = (_read(record) for record in table)
    return TrustList.of(version, (key for key in found if key is not None))


def _record(key: IssuerKey) -> bytes:
    if key.issuer_number is None:
        raise MalformedInput("bad_field", "the issuer has no number", field="issuer_number")
    if key.not_after > _LAST:
        raise MalformedInput("bad_field", "is beyond what a record can say", field="not_after")
    since = 0 if key.compromised_at is None else seconds(key.compromised_at)
    return _RECORD.pack(
        key.key_id, _ALGORITHMS[key.algorithm], _STATUSES[key.status],
        _TEST_KEY if key.test else 0, key.modes, key.destinations, seconds(key.not_before),
        seconds(key.not_after), since, key.issuer_number, key.public_key.ljust(33, b"\0"), 0,
        write_id(key.issuer),
    )  # fmt: skip


def _read(record: memoryview) -> IssuerKey | None:
    (
        key_id, algorithm_number, status_number, flags, modes, destinations, not_before, not_after,
        compromised, number, public_key, zero, issuer,
    ) = _RECORD.unpack(record)  # fmt: skip
    algorithm = _ALGORITHM_OF.get(algorithm_number)
    status = _STATUS_OF.get(status_number)
    if algorithm is None or status is None or flags & ~_TEST_KEY or zero:
        return None
    if algorithm is Algorithm.ED25519:
        public_key = public_key[:32] if not public_key[32] else public_key
    try:
        return IssuerKey(
            key_id, algorithm, public_key, read_id(issuer), destinations, modes,
            instant(not_before), instant(not_after), status, bool(flags & _TEST_KEY),
            _told(compromised), number,
        )  # fmt: skip
    except MalformedInput:
        return None


def _told(since_1970_s: int) -> datetime | None:
    return instant(since_1970_s) if since_1970_s else None
