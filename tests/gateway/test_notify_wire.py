"""Notifications of wallets: verified, stored once, then acked with our signature; or not at all."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from gateway_world import AT, OTHER_WALLET, WALLET, World

from transitpay.charging import signature
from transitpay.charging.partner_messages import NOTIFY_PATH
from transitpay.charging.signature import Believed, Signer
from transitpay.postgres.reference import PartnerEndpoint, PartnerKey
from transitpay.ride_code import keys
from transitpay.runtime import access

BODY = b'{"paymentResult":{"resultCode":"SUCCESS","resultStatus":"S"},"paymentRequestId":"x-1"}'


@pytest.fixture
async def partners(world: World) -> dict[str, Signer]:
    """Both wallets are connected; who signs for each."""
    conn = await world.db.connect("transitpay_gateway")
    signers = {}
    for wallet in (WALLET, OTHER_WALLET):
        key = keys.generate_partner_key()
        endpoint = PartnerEndpoint(wallet, "http://w", f"C-{wallet}", f"H-{wallet}", 1, "alipayhk")
        public = PartnerKey(wallet, 3, keys.public_pem(key).decode())
        await access.connect_partner(conn, endpoint, [public], world.key_folder)
        signers[wallet] = Signer(f"C-{wallet}", 3, key)
    return signers


def our_public_key(world: World) -> Any:
    return signature.load_public_key((world.key_folder / "partner-1.pub.pem").read_bytes())


async def notify(
    client: Any, signer: Signer, body: bytes = BODY, *, at: Any = AT, sent: bytes | None = None
) -> tuple[int, Any, bytes]:
    headers = signer.request_headers("POST", NOTIFY_PATH, body, at)
    headers["Content-Type"] = "application/json"
    data = body if sent is None else sent
    async with client.post(NOTIFY_PATH, data=data, headers=headers) as answer:
        return answer.status, answer.headers.copy(), await answer.read()


async def test_a_good_notification_is_stored_and_acked_with_our_signature(
    world: World, partners: dict[str, Signer]
) -> None:
    client = await world.start()
    status, headers, body = await notify(client, partners[WALLET])
    assert status == 200 and b'"resultStatus":"S"' in body
    ring = {f"H-{WALLET}": {1: our_public_key(world)}}
    found = signature.verify_response("POST", NOTIFY_PATH, list(headers.items()), body, ring)
    assert isinstance(found, Believed)
    [row] = await world.rows("select wallet, body, received_at from notification")
    assert tuple(row) == (WALLET, BODY, AT)


async def test_the_same_a_hundred_times_is_one_row_and_a_hundred_acks(
    world: World, partners: dict[str, Signer]
) -> None:
    one, two = await world.start(), await world.start()
    answers = await asyncio.gather(
        *(notify((one, two)[n % 2], partners[WALLET]) for n in range(100))
    )
    assert {status for status, _, _ in answers} == {200}
    assert await world.value("select count(*) from notification") == 1


async def test_what_is_not_believed_gets_no_ack_and_leaves_nothing(
    world: World, partners: dict[str, Signer]
) -> None:
    client = await world.start()
    good, other = partners[WALLET], partners[OTHER_WALLET]
    stranger = Signer(good.client_id, 3, keys.generate_partner_key())
    old_key = Signer(good.client_id, 2, good.key)
    cross = Signer(good.client_id, 3, other.key)
    unknown = Signer("C-nobody", 3, good.key)
    for signer in (stranger, old_key, cross, unknown):
        status, headers, _ = await notify(client, signer)
        assert status == 401 and "Signature" not in headers
    assert (await notify(client, good, sent=BODY.replace(b"x-1", b"x-2")))[0] == 401
    assert (await notify(client, good, at=AT - timedelta(minutes=6)))[0] == 401
    async with client.post(NOTIFY_PATH, data=BODY) as answer:
        assert answer.status == 401
    assert await world.value("select count(*) from notification") == 0


async def test_without_our_own_key_there_is_no_ack_and_nothing_is_stored(
    world: World, partners: dict[str, Signer]
) -> None:
    (world.key_folder / "partner-1.pem").unlink()
    client = await world.start()
    status, _, body = await notify(client, partners[WALLET])
    assert status == 503 and b"no_partner_key" in body
    assert await world.value("select count(*) from notification") == 0
