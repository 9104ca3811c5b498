"""Writes the golden ride-code vectors; run it only to add vectors, never to change frozen ones.

Everything is derived from labels: the TEST ONLY keys from SHA-256 of their names, the ECDSA
signatures by RFC 6979. So two runs write the same bytes, and a difference is a changed layout.

    python tests/vectors/make_ride_code_vectors.py
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from ride_code_abuse_cases import ABUSE
from ride_code_vector_cases import CASES as FIRST_CASES
from ride_code_vector_cases import READERS

from transitpay.money import HKD
from transitpay.ride_code import keys, layout, signing
from transitpay.ride_code.deny_list import DenyList
from transitpay.ride_code.golden.ride_codes import FORMAT, describe, judge_vector, read_vectors
from transitpay.ride_code.layout import Authorisation, RideCode
from transitpay.ride_code.signing import IssuerPrivateKey
from transitpay.ride_code.trust_list import IssuerKey, KeyStatus, TrustList

CASES = [*FIRST_CASES, *ABUSE]
TARGET = Path(__file__).parents[2] / "transitpay" / "ride_code" / "vectors" / "ride-code-v1.json"
AT = datetime(2026, 7, 1, 4, 0, tzinfo=UTC)
NOW = int(AT.timestamp())
RIDER = "0011223344556677"
#: Source: GB/T 32918.5, the curve's generator.
_SM2_GENERATOR = bytes.fromhex("0232c4ae2c1f1981195f9904466a39c9948fe30bbff2660be1715a4589334c74c7")
WARNING = (
    "TEST ONLY. Every key in this file is public, private halves included. Never put one of"
    " them into a trust list that opens a gate."
)
_DETERMINISTIC = ec.ECDSA(hashes.SHA256(), deterministic_signing=True)


def p256(label: str) -> ec.EllipticCurvePrivateKey:
    """The TEST ONLY P-256 key of a label."""
    digest = hashlib.sha256(f"TransitPay TEST ONLY {label}".encode()).digest()
    scalar = int.from_bytes(digest, "big") % (signing.P256_ORDER - 1) + 1
    return ec.derive_private_key(scalar, ec.SECP256R1())


def ed(label: str) -> ed25519.Ed25519PrivateKey:
    """The TEST ONLY Ed25519 key of a label."""
    digest = hashlib.sha256(f"TransitPay TEST ONLY {label}".encode()).digest()
    return ed25519.Ed25519PrivateKey.from_private_bytes(digest)


ISSUERS: dict[int, IssuerPrivateKey] = {
    n: ed("issuer 2") if n == 2 else p256(f"issuer {n}") for n in range(1, 10)
}
DEVICES = {"a": p256("device a"), "b": p256("device b")}


def sign(key: IssuerPrivateKey, message: bytes) -> bytes:
    """A signature that is the same in every run, low s."""
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return signing.low_s(key.sign(message, _DETERMINISTIC))
    return key.sign(message)


@dataclass(frozen=True)
class Recipe:
    """How one code is made: fields, then changes to what is signed and to what was signed."""

    device: str = "a"
    issuer: int | None = None
    age_s: int = 5
    counter: int = 1
    destination: int = 0
    slot: int = 0
    issuer_tag: bytes = signing.ISSUER_TAG
    device_tag: bytes = signing.DEVICE_TAG
    edit_signed: Callable[[bytearray], None] | None = None
    edit: Callable[[bytearray], None] | None = None


def make(recipe: Recipe, fields: dict[str, object]) -> bytes:
    """The 200 bytes of a recipe; ``edit_signed`` acts before the device signs, ``edit`` after."""
    it = Authorisation(
        key_id=1, rider_id=RIDER, serial=5, device_key=keys.public_bytes(DEVICES[recipe.device]),
        not_before=NOW - 3600, life_h=24, code_life_s=60, ceiling_major=200, ceiling_currency=HKD,
        destinations=0b11, modes=0b11, rider_class=0, max_companions=2, quota=2000,
    )  # fmt: skip
    if fields.get("device_key") in DEVICES:
        fields = {**fields, "device_key": keys.public_bytes(DEVICES[str(fields["device_key"])])}
    it = replace(it, **fields)  # type: ignore[arg-type] # fields of the case table
    issuer = ISSUERS[recipe.issuer or it.key_id]
    code = RideCode(
        it, sign(issuer, recipe.issuer_tag + layout.encode_authorisation(it)),
        NOW - recipe.age_s, recipe.counter, recipe.destination, recipe.slot,
    )  # fmt: skip
    unsigned = bytearray(layout.encode_unsigned(code))
    if recipe.edit_signed:
        recipe.edit_signed(unsigned)
        if unsigned[:65] != layout.encode_authorisation(it):
            unsigned[65:129] = sign(issuer, recipe.issuer_tag + bytes(unsigned[:65]))
    data = unsigned + sign(DEVICES[recipe.device], recipe.device_tag + bytes(unsigned))
    if recipe.edit:
        recipe.edit(data)
    return bytes(data)


def trust_list() -> TrustList:
    """Nine TEST ONLY keys, one for each thing that a key record can say."""
    hour, day = timedelta(hours=1), timedelta(days=1)

    def key(number: int, **changes: object) -> IssuerKey:
        private = ISSUERS[number]
        it = IssuerKey(
            number, keys.algorithm_of(private), keys.public_bytes(private), "alipayhk",
            0b11, 0b11, AT - 30 * day, AT + 30 * day,
        )  # fmt: skip
        return replace(it, **changes)  # type: ignore[arg-type] # fields of the list below

    lost = KeyStatus.COMPROMISED
    return TrustList.of(
        1,
        [
            key(1),
            key(2, issuer="alipay"),
            key(3, status=KeyStatus.RETIRED),
            key(4, status=lost, compromised_at=AT - hour),
            key(5, not_before=AT + hour),
            key(6, not_after=AT - hour),
            key(7, test=True),
            key(8, destinations=0b10, modes=0b01),
            key(9, status=lost, compromised_at=AT - 10 * day),
        ],
    )


def _trust_lists() -> dict[str, TrustList]:
    main = trust_list()
    first, year = main.keys[1], timedelta(days=366)
    long = replace(first, not_before=AT - year, not_after=AT + 3 * year)
    over = replace(first, not_after=AT - timedelta(seconds=10))
    sm2 = replace(first, key_id=65281, algorithm=signing.Algorithm.SM2, public_key=_SM2_GENERATOR)
    return {
        "main": main, "years": TrustList.of(2, [long]), "just-expired": TrustList.of(3, [over]),
        "sm2": TrustList.of(4, [sm2]), "edges": TrustList.of(6, _edges(main)),
        "everywhere": TrustList.of(5, [replace(first, destinations=0xFFFF, modes=0xFF)]),
    }  # fmt: skip


def _edges(main: TrustList) -> list[IssuerKey]:
    """Keys whose times are those of the vectors, or an overstay of 9000 s away, to a second."""
    second, limit = timedelta(seconds=1), timedelta(seconds=9000)
    changes: dict[int, dict[str, object]] = {
        1: {"not_before": AT}, 2: {"not_after": AT + second}, 3: {"not_after": AT},
        4: {"not_before": AT + second}, 5: {"not_after": AT - limit},
        6: {"not_after": AT - limit + second}, 7: {"compromised_at": AT - limit},
        8: {"compromised_at": AT - limit + second}, 9: {},
    }  # fmt: skip
    plain: dict[str, object] = {
        "issuer": "alipayhk", "destinations": 3, "modes": 3, "not_before": AT - 9 * limit,
        "not_after": AT + limit, "status": KeyStatus.ACTIVE, "test": False, "compromised_at": None,
    }  # fmt: skip
    lost = {"status": KeyStatus.COMPROMISED}
    return [
        replace(main.keys[n], **{**plain, **(lost if n >= 7 else {}), **change})  # type: ignore[arg-type] # fields
        for n, change in changes.items()
    ]


def private_hex(key: IssuerPrivateKey) -> str:
    """The private scalar (P-256) or seed (Ed25519)."""
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return f"{key.private_numbers().private_value:064x}"
    return key.private_bytes_raw().hex()


def vector_flags(found: dict[str, object]) -> list[str]:
    """The flags of a described verdict."""
    flags = found["flags"]
    assert isinstance(flags, list)
    return flags


def build() -> str:
    """The text of the vector file."""
    document: dict[str, object] = {
        "format": FORMAT,
        "warning": WARNING,
        "issuer_tag": signing.ISSUER_TAG.hex(),
        "device_tag": signing.DEVICE_TAG.hex(),
        "test_only_private_keys": {
            **{f"issuer {n} TEST ONLY": private_hex(k) for n, k in ISSUERS.items()},
            **{f"device {n} TEST ONLY": private_hex(k) for n, k in DEVICES.items()},
        },
        "trust_lists": {name: trust.to_object() for name, trust in _trust_lists().items()},
        "deny_lists": {
            "none": DenyList(1).to_object(),
            "rider": DenyList(2, {("alipayhk", RIDER): 5}).to_object(),
        },
        "readers": READERS,
    }
    vectors = []
    for case in CASES:
        data = make(Recipe(**case.recipe), case.fields)
        text = case.respell(layout.write_text(data))
        vectors.append(
            {
                "name": case.name, "note": case.note, "text": text,
                "hex": data.hex() if text == layout.write_text(data) else None,
                "trust_list": case.trust, "deny_list": case.deny, "reader": case.reader,
                "at": case.at, "uncertainty_s": case.uncertainty_s,
                "expect": {"verdict": "rejected", "reason": "unreadable", "flags": []},
            }
        )  # fmt: skip
    document["vectors"] = vectors
    judged = read_vectors(json.dumps(document))
    for case, vector, entry in zip(CASES, judged, vectors, strict=True):
        found = describe(judge_vector(vector))
        flags = vector_flags(found)
        told = found["reason"] or " ".join(["accepted", *flags])
        assert told == case.expected, f"{case.name}: {told}, not {case.expected}"
        entry["expect"] = found
    return json.dumps(document, indent=1, ensure_ascii=True) + "\n"


if __name__ == "__main__":
    TARGET.write_text(build(), encoding="utf-8")
    print(f"{len(CASES)} vectors")
