"""Forged, stale and strange codes through HTTP: a 200 that opens nothing and moves nobody."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from gateway_world import AT, Phone, World

from transitpay.postgres.trust import lists
from transitpay.ride_code import keys, layout, signing
from transitpay.ride_code.layout import RideCode, encode, encode_unsigned, write_text

N = signing.P256_ORDER
NOW = int(AT.timestamp())
Forge = Callable[[World], str]


def _raw(world: World, **changes: Any) -> bytes:
    return layout.read_text(world.phone(**changes).draw(AT))


def _put(offset: int, value: bytes) -> Forge:
    """A genuine code with some of its bytes overwritten."""

    def forge(world: World) -> str:
        raw = _raw(world)
        return write_text(raw[:offset] + value + raw[offset + len(value) :])

    return forge


def _high_s(world: World) -> str:
    raw = _raw(world)
    return write_text(raw[:168] + (N - int.from_bytes(raw[168:], "big")).to_bytes(32, "big"))


def _issuer_part(world: World, signature: Callable[[Phone], bytes]) -> str:
    """A code whose issuer signature is another, genuinely signed by its device."""
    phone = world.phone()
    return replace(phone, issuer_signature=signature(phone)).draw(AT)


def _high_issuer_s(world: World) -> str:
    def signature(phone: Phone) -> bytes:
        s = N - int.from_bytes(phone.issuer_signature[32:], "big")
        return phone.issuer_signature[:32] + s.to_bytes(32, "big")

    return _issuer_part(world, signature)


def _attacker(world: World) -> str:
    own = keys.generate_issuer_key()
    return _issuer_part(world, lambda p: signing.sign_authorisation(p.authorisation, own))


def _ed25519(world: World) -> str:
    own = keys.generate_issuer_key(signing.Algorithm.ED25519)
    return _issuer_part(world, lambda p: signing.sign_authorisation(p.authorisation, own))


def _swapped(world: World) -> str:
    other = world.issuer_keys[2]
    return _issuer_part(world, lambda p: signing.sign_authorisation(p.authorisation, other))


def _spliced(world: World) -> str:
    return write_text(_raw(world)[:136] + _raw(world)[136:])


def _other_message(world: World) -> str:
    phone = world.phone()
    unsigned = RideCode(phone.authorisation, phone.issuer_signature, NOW, 1, 0)
    message = b"TransitPay/batch/v1\0" + encode_unsigned(unsigned)
    signature = phone.device_key.sign(message, ec.ECDSA(hashes.SHA256()))
    return write_text(encode(replace(unsigned, device_signature=signing.low_s(signature))))


def _later(world: World, **ahead: int) -> str:
    return world.phone().draw(AT + timedelta(**ahead))


def _year_ago(world: World) -> str:
    then = AT - timedelta(days=365)
    return world.phone(not_before=int(then.timestamp()) - 60).draw(then)


def _text(change: Callable[[str], str]) -> Forge:
    return lambda world: change(world.phone().draw(AT))


#: What is sent, and why it is refused; the first word is the number of the abuse case.
FORGED: dict[str, tuple[Forge, str]] = {
    "04 a screenshot of 61 s": (lambda w: _later(w, seconds=-61), "code_stale"),
    "07 malleated device signature": (_high_s, "bad_device_signature"),
    "07 malleated issuer signature": (_high_issuer_s, "bad_issuer_signature"),
    "08 lower case": (_text(str.lower), "unreadable"),
    "08 a trailing newline": (_text(lambda t: t + "\n"), "unreadable"),
    "08 a leading space": (_text(lambda t: " " + t), "unreadable"),
    "08 a triplet above 65535": (_text(lambda t: t[:-3] + "GGW"), "unreadable"),
    "12 drawn for tomorrow": (lambda w: _later(w, days=1), "code_from_future"),
    "13 drawn a year ago": (_year_ago, "code_stale"),
    "14 device signature stripped": (_put(136, bytes(64)), "bad_device_signature"),
    "15 issuer signature stripped": (
        lambda w: _issuer_part(w, lambda p: bytes(64)), "bad_issuer_signature"),
    "16 an attacker's keys": (_attacker, "bad_issuer_signature"),
    "17 signed with another algorithm": (_ed25519, "bad_issuer_signature"),
    "18 another issuer's key id": (_put(1, b"\x00\x02"), "bad_issuer_signature"),
    "19 another issuer's signature": (_swapped, "bad_issuer_signature"),
    "22 r = 0": (_put(136, bytes(32)), "bad_device_signature"),
    "22 s = n": (_put(168, N.to_bytes(32, "big")), "bad_device_signature"),
    "22 the identity as a device key": (_put(15, bytes(33)), "unreadable"),
    "23 two riders spliced": (_spliced, "bad_device_signature"),
    "24 signed as another message": (_other_message, "bad_device_signature"),
    "25 trailing bytes": (_text(lambda t: t + "000"), "unreadable"),
    "26 cut off": (_text(lambda t: t[:-3]), "unreadable"),
    "29 version 2": (_put(0, b"\x02"), "unknown_version"),
    "30 NUL": (_text(lambda t: t[:-1] + "\0"), "unreadable"),
    "30 an Arabic-Indic digit": (_text(lambda t: t[:-1] + "\u0661"), "unreadable"),
    "30 right-to-left": (_text(lambda t: "\u202e" + t[1:]), "unreadable"),
    "38 a phone 21 s ahead": (lambda w: _later(w, seconds=21), "code_from_future"),
}  # fmt: skip


@pytest.mark.parametrize("reader", ["mtr-in-1", "mtr-out-1"])
async def test_every_forgery_is_kept_with_its_reason_and_neither_opens_nor_moves_anything(
    world: World, reader: str
) -> None:
    client = await world.start()
    for name, (forge, reason) in FORGED.items():
        body = world.scan(reader, forge(world))
        answer = await world.tap(client, reader, body)
        assert (answer["decision"], answer["open"]) == ("refused", False), name
        assert (answer["reason"], answer["signal"]) == (reason, "red"), name
        assert await world.tap(client, reader, body) == answer, name
    stored = await world.rows("select reason, rider_id from tap order by sequence")
    assert [row["reason"] for row in stored] == [reason for _, reason in FORGED.values()]
    assert {row["rider_id"] for row in stored} == {None}, "nobody has proved who it is"
    for table in ("tap_inbox", "presence", "code_use"):
        assert await world.value(f"select count(*) from {table}") == 0


@pytest.mark.parametrize("ahead_s", [-59, -60, 20])
async def test_case_04_and_case_38_at_their_open_edges(world: World, ahead_s: int) -> None:
    client = await world.start()
    body = world.scan("mtr-in-1", _later(world, seconds=ahead_s))
    assert (await world.tap(client, "mtr-in-1", body))["open"] is True


async def test_lesson_9_no_field_of_a_refusal_could_be_taken_for_success(world: World) -> None:
    client = await world.start()
    for forge, _ in FORGED.values():
        refused = await world.tap(client, "mtr-in-1", world.scan("mtr-in-1", forge(world)))
        assert refused["open"] is False and refused["reason"] is not None
        assert refused["decision"] != "accepted" and refused["signal"] == "red"
        assert not {"redeemed", "success", "ok"} & {str(v).lower() for v in refused.values()}
    for broken in ({}, {"sequence": 1}, {"sequence": 1, "at": "noon", "code": "x"}):
        async with client.post("/v1/taps", json=broken, headers=world.auth("mtr-in-1")) as answer:
            found = await answer.json()
            assert answer.status == 400 and "open" not in found and "decision" not in found


async def test_case_28_a_body_of_sixteen_megabytes_is_refused_before_it_is_sent(
    world: World,
) -> None:
    client = await world.start()
    assert client.port is not None
    bytes_, json_ = "application/octet-stream", "application/json"
    for path, kind in (
        ("/v1/taps", json_), ("/v1/taps/batch", json_), ("/v1/readers/heartbeat", json_),
        ("/v1/readers/enrol", json_), ("/v1/readers/records", bytes_),
    ):  # fmt: skip
        head = (
            f"POST {path} HTTP/1.1\r\nHost: gate\r\nContent-Type: {kind}\r\n"
            f"Authorization: {world.auth('mtr-in-1')['Authorization']}\r\n"
            "Content-Length: 16000000\r\n\r\n"
        )
        first = await _first_line(client.port, head.encode())
        assert first.split()[1] == b"413", first
    assert await world.value("select count(*) from tap") == 0


async def _first_line(port: int, head: bytes) -> bytes:
    """The status line that comes although nothing follows the head."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, family=socket.AF_INET)
    writer.write(head)
    async with asyncio.timeout(30):
        line = await reader.readline()
    writer.close()
    return line


async def test_case_21_a_test_key_opens_no_gate_in_production(world: World) -> None:
    conn = await world.db.connect("transitpay_gateway")
    known = (await lists.trust_list(conn)).keys[1]
    private = keys.generate_issuer_key()
    test_key = replace(known, key_id=9, public_key=keys.public_bytes(private), test=True)
    assert await lists.put_issuer_key(conn, test_key, AT)
    world.issuer_keys[9] = private
    for env, opens in (("sandbox", True), ("production", False)):
        client = await world.start(env=env)
        for reader in ("mtr-in-2", "mtr-out-1"):
            body = world.scan(reader, world.phone(key_id=9).draw(AT))
            answer = await world.tap(client, reader, body)
            assert answer["open"] is opens
            assert answer["reason"] == (None if opens else "test_key")


async def test_lesson_6_a_used_code_is_known_for_good_and_an_unused_one_stays_good(
    world: World,
) -> None:
    one = await world.start()
    phone = world.phone()
    used = phone.draw(AT)
    assert (await world.tap(one, "mtr-in-1", world.scan("mtr-in-1", used)))["open"] is True
    for _ in range(3):  # others in between
        other = world.scan("mtr-in-1", world.phone().draw(AT))
        assert (await world.tap(one, "mtr-in-1", other))["open"] is True
    await one.close()
    again = await world.start()  # the gateway that knew it is gone
    for reader in ("mtr-in-2", "mtr-out-1"):
        refused = await world.tap(again, reader, world.scan(reader, used))
        assert (refused["open"], refused["reason"]) == (False, "replay")
    unused = phone.draw(AT)
    refused = await world.tap(again, "mtr-in-2", world.scan("mtr-in-2", unused))
    assert (refused["open"], refused["reason"]) == (False, "passback")
    leaving = await world.tap(again, "mtr-out-1", world.scan("mtr-out-1", unused))
    assert leaving["open"] is True, "a passback refusal has not spent the code"
