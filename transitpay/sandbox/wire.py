"""How the sandbox's readers reach the gateway: HTTP, at one address."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import aiohttp

JSON = "application/json"
OCTETS = "application/octet-stream"
_TIMEOUT_S = 4.0


@dataclass(slots=True)
class HttpWire:
    """The gateway at ``url``. Nothing that a network does raises: status 0 is no answer."""

    session: aiohttp.ClientSession
    url: str

    async def call(
        self,
        method: str,
        path: str,
        token: str,
        body: bytes | None = None,
        media: str = JSON,
        timeout_s: float = _TIMEOUT_S,
    ) -> tuple[int, bytes]:
        """Status and body."""
        headers = {"Authorization": f"Bearer {token}"}
        if body is not None:
            headers["Content-Type"] = media
        try:
            async with self.session.request(
                method,
                self.url + path,
                data=body,
                headers=headers,
                timeout=aiohttp.ClientTimeout(total=timeout_s),
            ) as answer:
                return answer.status, await answer.read()
        except (aiohttp.ClientError, TimeoutError):
            return 0, b""

    async def post(self, path: str, token: str, body: dict[str, Any]) -> tuple[int, Any]:
        """Status and JSON of a call with a JSON body."""
        status, told = await self.call("POST", path, token, json.dumps(body).encode())
        try:
            return status, json.loads(told) if status else None
        except ValueError:
            return 0, None
