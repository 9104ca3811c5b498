"""What a rider's phone asks its wallet for: a destination, authorisations, a missing station.

The wallet hands both on to our gateway with its own bearer token; it names the rider by an
opaque account reference and gives no phone number, mail or name away.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import aiohttp
from aiohttp import web

from transitpay.sandbox.wallet.protocol import Wallet

WALLET: web.AppKey[Wallet] = web.AppKey("wallet", Wallet)
#: What an account holds when it is opened, unless the rider says otherwise.
OPENING_MINOR = 100_000
_TIMEOUT_S = 10.0
_RIDES_LOOKED_AT = 50


@dataclass(frozen=True, slots=True)
class Gateway:
    """Our gateway as the wallet calls it."""

    url: str
    token: str
    session: aiohttp.ClientSession

    async def post(self, path: str, body: dict[str, Any]) -> tuple[int, Any]:
        """The gateway's status and JSON; 503 where there is no answer."""
        return await self._call("POST", path, body)

    async def get(self, path: str) -> tuple[int, Any]:
        """As ``post``."""
        return await self._call("GET", path, None)

    async def _call(self, method: str, path: str, body: dict[str, Any] | None) -> tuple[int, Any]:
        try:
            async with self.session.request(
                method,
                self.url + path,
                json=body,
                headers={"Authorization": f"Bearer {self.token}"},
                timeout=aiohttp.ClientTimeout(total=_TIMEOUT_S),
            ) as answer:
                return answer.status, await answer.json(content_type=None)
        except (aiohttp.ClientError, TimeoutError, ValueError):
            return 503, {"error": "the gateway cannot be reached"}


GATEWAY: web.AppKey[Gateway] = web.AppKey("gateway", Gateway)


def routes() -> list[web.RouteDef]:
    """The routes of the app."""
    return [
        web.post("/app/enrol", _enrol),
        web.post("/app/authorisations", _authorise),
        web.post("/app/missing-station", _missing_station),
        web.post("/app/top-up", _top_up),
    ]


async def _enrol(request: web.Request) -> web.Response:
    """{account, destination, opening_minor?} -> the gateway's {rider_id, destinations}."""
    asked = await request.json()
    wallet, gateway = request.app[WALLET], request.app[GATEWAY]
    opening_minor = int(asked.get("opening_minor", OPENING_MINOR))
    account = wallet.book.enrol(str(asked["account"]), opening_minor)
    body = {
        "account_ref": account.account,
        "access_token": account.token,
        "destination": asked["destination"],
    }
    status, answer = await gateway.post("/v1/riders", body)
    if status == 200:
        wallet.book.link(account.account, answer["rider_id"])
    return web.json_response(answer, status=status)


async def _authorise(request: web.Request) -> web.Response:
    """{account, device_public_key, request_id, max_companions?} -> the gateway's authorisation."""
    asked = await request.json()
    account = request.app[WALLET].book.accounts.get(str(asked["account"]))
    if account is None or account.rider_id is None:
        return web.json_response({"error": "this account is not enrolled"}, status=404)
    wished = ("request_id", "device_public_key", "max_companions")
    body = {name: asked[name] for name in wished if name in asked}
    path = f"/v1/riders/{account.rider_id}/authorisations"
    status, answer = await request.app[GATEWAY].post(path, body)
    return web.json_response(answer, status=status)


async def _missing_station(request: web.Request) -> web.Response:
    """{account, stop} -> the gateway's answer for the newest ride whose exit is missing."""
    asked = await request.json()
    account = request.app[WALLET].book.accounts.get(str(asked["account"]))
    if account is None or account.rider_id is None:
        return web.json_response({"error": "this account is not enrolled"}, status=404)
    gateway, rider = request.app[GATEWAY], f"/v1/riders/{account.rider_id}"
    status, answer = await gateway.get(f"{rider}/rides?limit={_RIDES_LOOKED_AT}")
    if status != 200:
        return web.json_response(answer, status=status)
    missing = [ride["id"] for ride in answer["rides"] if ride["reason"] == "missing_exit"]
    if not missing:
        return web.json_response({"error": "no exit is missing yet"}, status=409)
    body = {"ride_id": missing[0], "stop": asked["stop"]}
    status, answer = await gateway.post(f"{rider}/missing-stations", body)
    return web.json_response(answer, status=status)


async def _top_up(request: web.Request) -> web.Response:
    """{account, amount_minor} -> the new balance."""
    asked = await request.json()
    account = request.app[WALLET].book.top_up(str(asked["account"]), int(asked["amount_minor"]))
    if account is None:
        return web.json_response({"error": "no such account"}, status=404)
    return web.json_response({"balance_minor": account.balance_minor})
