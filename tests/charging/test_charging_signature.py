"""Signatures cover raw bytes, path and time; every other message is refused with its reason."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from transitpay.charging.signature import (
    Believed,
    NotBelieved,
    SignatureHeader,
    SignatureRefusal,
    Signer,
    build_header,
    load_private_key,
    load_public_key,
    parse_header,
    signed_text,
    verify_request,
    verify_response,
)
from transitpay.errors import MalformedInput

AT = datetime(2026, 11, 2, 4, 0, 0, 250_000, tzinfo=UTC)
OLD_KEY = rsa.generate_private_key(65537, 2048)
NEW_KEY = rsa.generate_private_key(65537, 2048)
KEYS = {"TP-1": {1: OLD_KEY.public_key(), 2: NEW_KEY.public_key()}}
SIGNER = Signer("TP-1", 1, OLD_KEY)
PATH = "/aps/api/v1/payments/pay"
BODY = '{"paymentRequestId":"c17-1","memo":"乘車"}'.encode()


def headers(**other: str) -> list[tuple[str, str]]:
    made = {**SIGNER.request_headers("POST", PATH, BODY, AT), **other}
    return list(made.items())


def judged(given: list[tuple[str, str]], **other: Any) -> Believed | NotBelieved:  # Any: kwargs
    asked = {"method": "POST", "target": PATH, "body": BODY, "at": AT, **other}
    return verify_request(headers=given, keys=KEYS, **asked)


def test_the_signed_text_is_method_path_client_time_and_raw_body() -> None:
    text = signed_text("post", "/a?b=c", "TP-1", "2026-11-02T12:00:00+08:00", b"{}")
    assert text == b"POST /a?b=c\nTP-1.2026-11-02T12:00:00+08:00.{}"


def test_a_signed_request_is_believed_whatever_the_case_of_its_headers() -> None:
    believed = judged([(name.upper(), value) for name, value in headers()])
    assert isinstance(believed, Believed)
    assert (believed.client_id, believed.key_version, believed.at) == ("TP-1", 1, AT)
    again = judged([(name.lower(), value) for name, value in headers()])
    assert isinstance(again, Believed) and again.replay_key == believed.replay_key


def test_two_key_versions_count_at_once() -> None:
    new = Signer("TP-1", 2, NEW_KEY).request_headers("POST", PATH, BODY, AT)
    believed = judged(list(new.items()))
    assert isinstance(believed, Believed) and believed.key_version == 2


def test_an_answer_is_signed_with_the_requests_path_and_its_own_time() -> None:
    made = list(SIGNER.response_headers("POST", PATH, b"{}", AT).items())
    assert {name for name, _ in made} == {"Client-Id", "response-time", "Signature"}
    assert isinstance(verify_response("POST", PATH, made, b"{}", KEYS), Believed)
    assert verify_response("POST", PATH + "x", made, b"{}", KEYS) == NotBelieved(
        SignatureRefusal.WRONG_SIGNATURE
    )


@pytest.mark.parametrize(
    ("seconds", "ok"), [(300, True), (-300, True), (301, False), (-301, False)]
)
def test_the_time_has_a_tolerance_both_ways(seconds: int, ok: bool) -> None:
    result = judged(headers(), at=AT + timedelta(seconds=seconds))
    assert isinstance(result, Believed) == ok
    if not ok:
        assert result == NotBelieved(SignatureRefusal.TIME_OUT_OF_TOLERANCE)


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"Client-Id": "TP-2"}, SignatureRefusal.UNKNOWN_CLIENT),
        ({"Client-Id": ""}, SignatureRefusal.MISSING_HEADER),
        ({"Request-Time": "yesterday"}, SignatureRefusal.BAD_TIME),
        ({"Request-Time": "2026-11-02T12:00:00"}, SignatureRefusal.BAD_TIME),
        ({"Request-Time": "0001-01-01T00:00:00+08:00"}, SignatureRefusal.BAD_TIME),
        ({"Request-Time": "2026-11-02T12:00:00+08:00"}, SignatureRefusal.WRONG_SIGNATURE),
        ({"Signature": build_header(3, b"x")}, SignatureRefusal.UNKNOWN_KEY_VERSION),
        ({"Signature": build_header(2, b"x")}, SignatureRefusal.WRONG_SIGNATURE),
        ({"Signature": "algorithm=RSA256"}, SignatureRefusal.BAD_HEADER),
        (
            {"Signature": "algorithm=HS256, keyVersion=1, signature=eA%3D%3D"},
            SignatureRefusal.OTHER_ALGORITHM,
        ),
    ],
)
def test_each_refusal_has_its_reason(changed: dict[str, str], why: SignatureRefusal) -> None:
    assert judged(headers(**changed)) == NotBelieved(why)


def test_a_repeated_or_missing_header_and_a_rewritten_body_are_refused() -> None:
    twice = [*headers(), ("client-id", "TP-1")]
    assert judged(twice) == NotBelieved(SignatureRefusal.REPEATED_HEADER)
    assert judged(headers()[:2]) == NotBelieved(SignatureRefusal.MISSING_HEADER)
    spaced = BODY.replace(b":", b": ")
    wrong = NotBelieved(SignatureRefusal.WRONG_SIGNATURE)
    assert judged(headers(), body=spaced) == wrong
    assert judged(headers(), method="PUT") == wrong
    assert judged(headers(), target=PATH + "?x=1") == wrong


def test_the_header_is_read_in_any_order_and_refused_when_it_is_not_one() -> None:
    good = SignatureHeader("RSA256", 7, b"\xfb\xff")
    assert parse_header(build_header(7, b"\xfb\xff")) == good
    assert "%2F" in build_header(7, b"\xfb\xff")
    assert parse_header("signature=%2B/8=,keyVersion=7,algorithm=RSA256") == good
    for text in (
        "",
        "x",
        "algorithm=RSA256,algorithm=RSA256,keyVersion=1,signature=eA==",
        "algorithm=RSA256,keyVersion=-1,signature=eA==",
        "algorithm=RSA256,keyVersion=1,signature=*",
        "algorithm=RSA256,keyVersion=1,signature=eA==,more=1",
    ):
        assert parse_header(text) is SignatureRefusal.BAD_HEADER


def test_keys_are_read_from_pem_and_must_be_rsa_of_2048_bits() -> None:
    plain = serialization.NoEncryption()
    pem, pkcs8 = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    spki = serialization.PublicFormat.SubjectPublicKeyInfo
    assert load_private_key(OLD_KEY.private_bytes(pem, pkcs8, plain)).key_size == 2048
    assert load_public_key(OLD_KEY.public_key().public_bytes(pem, spki)).key_size == 2048
    other = ec.generate_private_key(ec.SECP256R1())
    for bad in (b"", b"x", other.private_bytes(pem, pkcs8, plain)):
        with pytest.raises(MalformedInput):
            load_private_key(bad)
    for bad in (b"", b"x", other.public_key().public_bytes(pem, spki)):
        with pytest.raises(MalformedInput):
            load_public_key(bad)
