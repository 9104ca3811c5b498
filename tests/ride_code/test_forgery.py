"""Nothing forged is accepted, nothing sent raises, and no code costs more than it must."""

from __future__ import annotations

from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given, settings
from hypothesis import strategies as st
from luck import examples
from ride_code_scheme import NOW, Crypto, Scheme

from transitpay.errors import MalformedInput
from transitpay.ride_code import keys, signing
from transitpay.ride_code.deny_list import DenyList
from transitpay.ride_code.layout import RideCode, encode, write_text
from transitpay.ride_code.reasons import Reason
from transitpay.ride_code.signature_cache import SignatureCache
from transitpay.ride_code.signing import ED25519_ORDER, P256_ORDER
from transitpay.ride_code.trust_list import KeyStatus, TrustList
from transitpay.ride_code.verdict import Accepted, Rejected
from transitpay.taps import RiderRef

ISSUER, DEVICE = slice(65, 129), slice(136, 200)
N = P256_ORDER


def _with(data: bytes, place: slice, value: bytes) -> bytes:
    changed = bytearray(data)
    changed[place] = value
    assert len(changed) == 200
    return bytes(changed)


def _high_s(signature: bytes) -> bytes:
    return signature[:32] + (N - int.from_bytes(signature[32:], "big")).to_bytes(32, "big")


@pytest.mark.parametrize(
    ("place", "reason"), [(ISSUER, "bad_issuer_signature"), (DEVICE, "bad_device_signature")]
)
def test_case_07_a_malleated_signature_is_refused(
    scheme: Scheme, place: slice, reason: str
) -> None:
    data = scheme.data()
    forged = _with(data, place, _high_s(data[place]))
    if place is ISSUER:  # signed again by the device, so that only s is wrong
        code = scheme.code()
        again = RideCode(code.authorisation, _high_s(code.issuer_signature), NOW, 1, 0)
        forged = encode(signing.sign_code(again, scheme.device_key))
    assert scheme.reason(forged) == reason


@pytest.mark.parametrize(
    ("place", "reason"), [(ISSUER, "bad_issuer_signature"), (DEVICE, "bad_device_signature")]
)
@pytest.mark.parametrize("r", [0, 1, N, N + 1, 2**256 - 1])
@pytest.mark.parametrize("s", [0, 1, N // 2, N // 2 + 1, N, 2**256 - 1])
def test_case_22_r_and_s_at_their_edges_are_refused(
    scheme: Scheme, place: slice, reason: str, r: int, s: int
) -> None:
    forged = _with(scheme.data(), place, r.to_bytes(32, "big") + s.to_bytes(32, "big"))
    assert scheme.reason(forged) == reason


@pytest.mark.parametrize("left", [0, 1, 32, 56])
def test_case_14_a_stripped_device_signature_is_a_bad_one(scheme: Scheme, left: int) -> None:
    data = scheme.data()
    stripped = data[136 : 136 + left] + bytes(64 - left)
    assert scheme.reason(_with(data, DEVICE, stripped)) == "bad_device_signature"
    assert scheme.reason(data[:136]) == "unreadable", "cut off instead of blanked"


@pytest.mark.parametrize("key_id", [1, 2])
@pytest.mark.parametrize("left", [0, 1, 32, 56])
def test_case_15_a_stripped_issuer_signature_is_a_bad_one(
    scheme: Scheme, key_id: int, left: int
) -> None:
    code = scheme.code(key_id=key_id)
    stripped = code.issuer_signature[:left] + bytes(64 - left)
    resigned = signing.sign_code(replace(code, issuer_signature=stripped), scheme.device_key)
    assert scheme.reason(resigned) == "bad_issuer_signature"


def test_lesson_1_a_stripped_signature_is_told_like_any_forgery(scheme: Scheme) -> None:
    data = scheme.data()
    forged = _with(data, DEVICE, scheme.data(counter=2)[DEVICE])
    stripped = _with(data, DEVICE, bytes(64))
    assert scheme.reason(stripped) == scheme.reason(forged) == "bad_device_signature"
    assert not [reason for reason in Reason if "missing" in reason and "sign" in reason]


def test_lesson_2_a_signature_made_again_is_the_same_code(scheme: Scheme) -> None:
    code = scheme.code()
    again = signing.sign_code(code, scheme.device_key)
    assert encode(again) != encode(code), "ECDSA signatures differ, so no hash is a replay key"
    first, second = scheme.judge(code), scheme.judge(again)
    assert isinstance(first, Accepted) and isinstance(second, Accepted)
    assert first.replay_key == second.replay_key


@pytest.mark.parametrize("key_id", [1, 2])
def test_case_16_an_attackers_key_in_place_of_both_is_refused(scheme: Scheme, key_id: int) -> None:
    device = keys.generate_device_key()
    issuer = keys.generate_issuer_key(keys.algorithm_of(scheme.issuer_keys[key_id]))
    code = scheme.code(key_id=key_id, device_key=device, issuer_key=issuer)
    assert scheme.reason(code) == "bad_issuer_signature"


def test_case_23_a_device_signature_spliced_onto_another_riders_part_is_refused(
    scheme: Scheme,
) -> None:
    other = keys.generate_device_key()
    mine = scheme.data()
    theirs = scheme.data(rider_id="ffffffffffffffff", device_key=other)
    assert scheme.reason(theirs) == "accepted"
    assert scheme.reason(_with(theirs, DEVICE, mine[DEVICE])) == "bad_device_signature"
    assert scheme.reason(_with(mine, DEVICE, theirs[DEVICE])) == "bad_device_signature"
    assert scheme.reason(_with(mine, slice(0, 129), theirs[:129])) == "bad_device_signature"
    assert scheme.reason(_with(mine, ISSUER, theirs[ISSUER])) == "bad_issuer_signature"


@pytest.mark.parametrize(("signer", "record"), [(1, 2), (2, 1)])
def test_case_17_the_algorithm_is_the_key_records_whatever_the_code_holds(
    scheme: Scheme, signer: int, record: int
) -> None:
    code = scheme.code(key_id=record, issuer_key=scheme.issuer_keys[signer])
    assert scheme.reason(code) == "bad_issuer_signature"
    data = scheme.data(key_id=signer)
    for version in {*range(256)} - {1}:  # the only byte that says how a code is to be read
        assert scheme.reason(bytes([version]) + data[1:]) == "unknown_version"


def test_lesson_4_no_byte_of_a_code_chooses_its_algorithm(scheme: Scheme, crypto: Crypto) -> None:
    ran = []
    patch = pytest.MonkeyPatch()
    for name in ("verify_es256", "verify_ed25519"):

        def verify(*given: object, name: str = name) -> bool:
            ran.append(name)
            return False

        patch.setattr(signing, name, verify)
    data, trust = scheme.data(key_id=2), scheme.trust()
    for offset in {*range(200)} - {0, 1, 2}:
        for mask in (1, 0x80, 0xFF):
            changed = bytes([data[offset] ^ mask])
            scheme.judge(_with(data, slice(offset, offset + 1), changed), trust=trust)
    patch.undo()
    assert set(ran) == {"verify_ed25519"} and len(ran) > 100


def test_case_18_another_issuers_key_id_is_refused_and_no_list_holds_an_id_twice(
    scheme: Scheme,
) -> None:
    data = scheme.data()
    assert scheme.reason(_with(data, slice(1, 3), b"\x00\x02")) == "bad_issuer_signature"
    assert scheme.reason(_with(data, slice(1, 3), b"\x00\x09")) == "unknown_key"
    colliding = replace(scheme.record(2), key_id=1)
    with pytest.raises(MalformedInput, match="twice"):
        TrustList.of(1, [scheme.record(1), colliding])


def test_case_19_who_signs_for_anothers_rider_gets_a_rider_of_its_own(scheme: Scheme) -> None:
    rider = scheme.authorisation().rider_id
    mine, swapped = scheme.judge(scheme.code()), scheme.judge(scheme.code(key_id=2))
    assert isinstance(mine, Accepted) and isinstance(swapped, Accepted)
    assert mine.rider == RiderRef("alipayhk", rider) and swapped.rider == RiderRef("alipay", rider)
    deny = DenyList(1, {("alipayhk", rider): 5})
    assert scheme.reason(scheme.code(key_id=2), deny=deny) == "accepted"
    assert scheme.reason(scheme.code(), deny=deny) == "denied"
    for wrong in ({"key_id": 1, "issuer_key": scheme.issuer_keys[2]},
                  {"key_id": 2, "issuer_key": scheme.issuer_keys[1]}):  # fmt: skip
        assert scheme.reason(scheme.code(**wrong)) == "bad_issuer_signature"  # type: ignore[arg-type] # table


def test_lesson_5_each_signature_is_checked_by_its_own_party_over_the_received_bytes(
    scheme: Scheme,
) -> None:
    code = scheme.code()
    by_device = signing.sign_authorisation(code.authorisation, scheme.device_key)
    forged = signing.sign_code(replace(code, issuer_signature=by_device), scheme.device_key)
    assert scheme.reason(forged) == "bad_issuer_signature"
    issuer = scheme.issuer_keys[1]
    assert isinstance(issuer, ec.EllipticCurvePrivateKey)
    assert scheme.reason(signing.sign_code(code, issuer)) == "bad_device_signature"
    seen: list[bytes] = []
    patch = pytest.MonkeyPatch()
    real = signing.verify_es256
    patch.setattr(signing, "verify_es256", lambda k, s, m: seen.append(m) or real(k, s, m))
    data = scheme.data()
    assert scheme.reason(data) == "accepted"
    patch.undo()
    assert seen == [signing.ISSUER_TAG + data[:65], signing.DEVICE_TAG + data[:136]]


_TAGS = [
    b"", signing.DEVICE_TAG[:-1], b"TransitPay/list/v1\0", b"TransitPay/list-key/v1\0",
    b"TransitPay/batch/v1\0", b"TransitPay/reader-key/v1\0", b"TransitPay/record/v1\0",
]  # fmt: skip


@pytest.mark.parametrize("tag", [*_TAGS, signing.ISSUER_TAG])
def test_case_24_a_device_signature_of_another_kind_of_message_is_refused(
    scheme: Scheme, tag: bytes
) -> None:
    data = scheme.data()
    other = signing.low_s(scheme.device_key.sign(tag + data[:136], signing._ECDSA))
    assert scheme.reason(_with(data, DEVICE, other)) == "bad_device_signature"


@pytest.mark.parametrize("tag", [*_TAGS, signing.DEVICE_TAG])
def test_case_24_an_issuer_signature_of_another_kind_of_message_is_refused(
    scheme: Scheme, tag: bytes
) -> None:
    code = scheme.code()
    key = scheme.issuer_keys[1]
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    other = signing.low_s(key.sign(tag + encode(code)[:65], signing._ECDSA))
    forged = signing.sign_code(replace(code, issuer_signature=other), scheme.device_key)
    assert scheme.reason(forged) == "bad_issuer_signature"


def test_case_07_a_malleated_ed25519_signature_is_refused_before_it_is_verified(
    scheme: Scheme, crypto: Crypto
) -> None:
    data = scheme.data(key_id=2)
    s = int.from_bytes(data[97:129], "little") + ED25519_ORDER
    assert scheme.reason(_with(data, slice(97, 129), s.to_bytes(32, "little"))) == (
        "bad_issuer_signature"
    )


def test_case_22_a_device_key_that_is_no_point_is_refused_even_if_the_issuer_signed_it(
    scheme: Scheme,
) -> None:
    nowhere = b"\x02" + bytes(31) + b"\x01"
    while signing.load_point(nowhere) is not None:
        nowhere = b"\x02" + (int.from_bytes(nowhere[1:], "big") + 1).to_bytes(32, "big")
    it = scheme.authorisation(device_key=nowhere)
    code = RideCode(it, signing.sign_authorisation(it, scheme.issuer_keys[1]), NOW, 1, 0)
    assert scheme.reason(signing.sign_code(code, scheme.device_key)) == "bad_device_signature"
    too_big = scheme.authorisation(device_key=b"\x02" + b"\xff" * 32)
    code = RideCode(too_big, signing.sign_authorisation(too_big, scheme.issuer_keys[1]), NOW, 1, 0)
    assert scheme.reason(signing.sign_code(code, scheme.device_key)) == "bad_device_signature"


@pytest.mark.parametrize("form", [0, 1, 4, 6, 7, 0xFF])
def test_case_22_the_identity_and_every_other_form_of_a_point_is_unreadable(
    scheme: Scheme, form: int
) -> None:
    data = bytearray(scheme.data())
    data[15:48] = bytes([form]) + (bytes(32) if form == 0 else data[16:48])
    assert scheme.reason(bytes(data)) == "unreadable"


def test_an_unseen_code_costs_two_verifications_and_one_key_load(
    scheme: Scheme, crypto: Crypto
) -> None:
    code, trust = scheme.code(), scheme.trust()
    crypto.reset()
    assert scheme.reason(code, trust=trust) == "accepted"
    assert (crypto.verifications, crypto.key_loads) == (2, 1)


def test_refusals_before_the_signatures_cost_no_cryptography(
    scheme: Scheme, crypto: Crypto
) -> None:
    codes = [scheme.code(age_s=61), scheme.code(destination=1), scheme.code(modes=0)]
    trust = scheme.trust()
    crypto.reset()
    assert [scheme.reason(c, trust=trust) for c in codes] == [
        "code_stale", "wrong_destination", "mode_not_allowed",
    ]  # fmt: skip
    assert (crypto.verifications, crypto.key_loads) == (0, 0)


def test_the_cache_saves_the_issuer_signature_and_nothing_else(
    scheme: Scheme, crypto: Crypto
) -> None:
    cache, trust = SignatureCache(), scheme.trust()
    first = scheme.code()
    it, signature = first.authorisation, first.issuer_signature
    second = signing.sign_code(RideCode(it, signature, NOW, 2, 0), scheme.device_key)
    assert scheme.reason(first, trust=trust, cache=cache) == "accepted"
    crypto.reset()
    assert scheme.reason(second, trust=trust, cache=cache) == "accepted"
    assert (crypto.verifications, crypto.key_loads) == (1, 0)
    revoked = scheme.trust(status=KeyStatus.COMPROMISED)
    assert scheme.reason(second, trust=revoked, cache=cache) == "key_compromised"
    forged = _with(encode(second), DEVICE, encode(first)[DEVICE])
    assert scheme.reason(forged, trust=trust, cache=cache) == "bad_device_signature"
    resigned = RideCode(it, signing.sign_authorisation(it, scheme.issuer_keys[1]), NOW, 3, 0)
    crypto.reset()
    assert scheme.reason(
        signing.sign_code(resigned, scheme.device_key), trust=trust, cache=cache
    ) == ("accepted")
    assert crypto.verifications == 2


def test_a_cached_signature_is_void_under_another_key_of_the_same_id(scheme: Scheme) -> None:
    cache, code = SignatureCache(), scheme.code()
    assert scheme.reason(code, cache=cache) == "accepted"
    stranger = keys.public_bytes(keys.generate_issuer_key())
    replaced = scheme.trust(public_key=stranger)
    assert scheme.reason(code, trust=replaced, cache=cache) == "bad_issuer_signature"


def test_the_cache_is_bounded_and_holds_no_refused_signature(scheme: Scheme) -> None:
    cache = SignatureCache(limit=4)
    for serial in range(1, 8):
        assert scheme.reason(scheme.code(serial=serial), cache=cache) == "accepted"
        assert len(cache) <= 4
    empty = SignatureCache()
    scheme.reason(_with(scheme.data(), ISSUER, bytes(64)), cache=empty)
    assert len(empty) == 0


@settings(max_examples=examples(2500))
@given(
    flips=st.lists(st.tuples(st.integers(0, 199), st.integers(1, 255)), min_size=1, max_size=4),
    key_id=st.sampled_from([1, 2]),
)
def test_no_mutation_of_the_bytes_is_accepted(
    scheme: Scheme, crypto: Crypto, flips: list[tuple[int, int]], key_id: int
) -> None:
    code, trust = scheme.known_code(key_id)
    data = bytearray(code)
    for offset, mask in flips:
        data[offset] ^= mask
    if bytes(data) == code:
        return
    crypto.reset()
    found = scheme.judge(bytes(data), trust=trust)
    assert isinstance(found, Rejected)
    assert crypto.verifications <= 2 and crypto.key_loads <= 1


@settings(max_examples=examples(1500))
@given(
    at=st.integers(0, 304),
    cut=st.integers(0, 5),
    put=st.text(max_size=5),
)
def test_no_mutation_of_the_text_is_accepted(scheme: Scheme, at: int, cut: int, put: str) -> None:
    code, trust = scheme.known_code(1)
    text = write_text(code)
    mutated = text[:at] + put + text[at + cut :]
    found = scheme.judge(mutated, trust=trust)
    assert isinstance(found, Rejected) == (mutated != text)


@pytest.mark.parametrize(
    "text",
    ["", "TP1:", "\x00" * 304, "TP1:" + ":" * 300, "TP1:" + "0" * 300, "TP1:" + "\u0660" * 300,
     "\u202e" + "0" * 303, "\ud800" * 304, "TP1:" + "0" * 16_000_000, "TP1:" + "\U0001f687" * 300],
)  # fmt: skip
def test_no_text_raises(scheme: Scheme, text: str) -> None:
    assert scheme.reason(text) in ("unreadable", "unknown_version")
