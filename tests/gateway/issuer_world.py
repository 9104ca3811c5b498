"""What the tests of issuers share: a wallet's calls, phones from its answers, its own keys."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from gateway_world import WALLET, Phone, World
from test_wallet_calls import RIDER, call, wish

from gateway.app import SERVICES
from transitpay.money import HKD
from transitpay.postgres.trust import lists
from transitpay.ride_code import keys, layout, signing
from transitpay.ride_code.layout import Authorisation, encode_authorisation
from transitpay.ride_code.trust_list import IssuerKey


async def enrol(world: World, client: Any, account: str = "acct-1", **fields: Any) -> str:
    body = {**RIDER, "account_ref": account, **fields}
    rider: str = (await call(world, client, "POST", "/v1/riders", body))["rider_id"]
    return rider


def phone_of(answer: dict[str, Any], device: Any) -> Phone:
    """The phone that holds an answer of the API."""
    part, signature = (bytes.fromhex(answer[name]) for name in ("issuer_part", "signature"))
    return Phone(layout.parse_authorisation(part), signature, device)


async def authorise(
    world: World, client: Any, rider: str, request_id: str = "r1", **fields: Any
) -> tuple[dict[str, Any], Phone]:
    device = keys.generate_device_key()
    path = f"/v1/riders/{rider}/authorisations"
    given = await call(world, client, "POST", path, wish(device, request_id, **fields))
    return given, phone_of(given, device)


async def own_key(world: World, key_id: int, **changes: Any) -> Any:
    """An active key of the wallet whose private half the gateway has not."""
    private = keys.generate_issuer_key()
    begin = world.clock.at - timedelta(days=1)
    fields = {
        "issuer": WALLET, "destinations": 3, "modes": 3, "not_before": begin,
        "not_after": begin + timedelta(days=100), **changes,
    }  # fmt: skip
    key = IssuerKey(
        key_id, keys.algorithm_of(private), keys.public_bytes(private), **fields
    )  # fmt: skip
    conn = await world.db.connect("transitpay_gateway")
    assert await lists.put_issuer_key(conn, key, world.clock.at)
    return private


def signed(
    private: Any, key_id: int, rider: str, at: datetime, **changes: Any
) -> tuple[dict[str, str], Phone]:
    """The report of an authorisation that ``private`` signed, and the phone that holds it."""
    device = keys.generate_device_key()
    fields = {
        "key_id": key_id, "rider_id": rider, "serial": 1, "device_key": keys.public_bytes(device),
        "not_before": int(at.timestamp()), "life_h": 48, "code_life_s": 60, "ceiling_major": 300,
        "ceiling_currency": HKD, "destinations": 1, "modes": 3, "rider_class": 2,
        "max_companions": 1, "quota": 500, **changes,
    }  # fmt: skip
    it = Authorisation(**fields)
    signature = signing.sign_authorisation(it, private)
    body = {"issuer_part": encode_authorisation(it).hex(), "signature": signature.hex()}
    return body, Phone(it, signature, device)


async def refresh(*clients: Any) -> None:
    for client in clients:
        await client.app[SERVICES].lists.refresh()


async def enter(world: World, client: Any, phone: Phone, reader: str = "mtr-in-1") -> Any:
    at = world.clock.at
    return await world.tap(client, reader, world.scan(reader, phone.draw(at), at=at))
