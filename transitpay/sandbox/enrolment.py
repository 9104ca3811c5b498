"""The evening before: riders switch their destination on and get an authorisation on their phone.

Each goes to its own wallet, and the wallet to our gateway, over HTTP.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import aiohttp

from transitpay.destinations import DESTINATIONS
from transitpay.errors import TemporarilyUnavailable
from transitpay.sandbox.phones import Phone, SignedAuthorisation
from transitpay.sandbox.riders import PlannedRider
from transitpay.sandbox.town import Town

_AT_ONCE = 12
_LIMIT_S = 60.0
_RETRY_S = 0.3


async def enrol_all(
    town: Town, riders: Sequence[PlannedRider], on_phone: Callable[[], None]
) -> dict[str, Phone]:
    """A phone that can draw codes, by account.

    Raises: TemporarilyUnavailable (``not_enrolled``).
    """
    folder = town.plan.folder / "phones"
    folder.mkdir(exist_ok=True)
    phones: dict[str, Phone] = {}
    waiting = iter(riders)

    async def work(session: aiohttp.ClientSession) -> None:
        for rider in waiting:
            phones[rider.account] = await _enrol(town, rider, session, folder)
            on_phone()

    limits = aiohttp.TCPConnector(limit=_AT_ONCE)
    async with aiohttp.ClientSession(connector=limits) as session, asyncio.TaskGroup() as group:
        for _ in range(_AT_ONCE):
            group.create_task(work(session))
    return phones


async def _enrol(
    town: Town, rider: PlannedRider, session: aiohttp.ClientSession, folder: Path
) -> Phone:
    url = town.sandbox.wallet_url(rider.wallet)
    phone = Phone(folder / rider.account)
    enrol = {
        "account": rider.account,
        "destination": DESTINATIONS[rider.destination],
        "opening_minor": rider.opening_minor,
    }
    await _ask(session, f"{url}/app/enrol", enrol)
    authorise = {
        "account": rider.account,
        "request_id": f"{rider.account}-1",
        "device_public_key": phone.device_public_key.hex(),
        "max_companions": rider.companions,
    }
    given = await _ask(session, f"{url}/app/authorisations", authorise)
    phone.install(
        SignedAuthorisation(
            given["serial"],
            bytes.fromhex(given["issuer_part"]),
            bytes.fromhex(given["signature"]),
        )
    )
    return phone


async def _ask(
    session: aiohttp.ClientSession, url: str, body: dict[str, Any]
) -> Any:  # JSON of another server
    """The wallet's answer, asked again while it or the gateway is away."""
    said = "nothing"
    for _ in range(round(_LIMIT_S / _RETRY_S)):
        try:
            async with session.post(url, json=body) as answer:
                if answer.status == 200:
                    return await answer.json()
                said = f"{answer.status} {(await answer.text())[:200]}"
                if answer.status < 500:
                    break
        except (aiohttp.ClientError, TimeoutError) as error:
            said = str(error) or type(error).__name__
        await asyncio.sleep(_RETRY_S)
    raise TemporarilyUnavailable("not_enrolled", f"{url} answered {said}")
