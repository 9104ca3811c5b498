"""Fetches a wallet's files of a day over HTTP into the content-addressed folder.

The listing is signed by the wallet and names the digest of each file, so a file is believed when
its bytes have that digest. A file that is there already is not fetched again.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp

from settlement.collecting.wallet_http import Partner
from settlement.reconciling.evidence import Incoming, stored_path
from transitpay.charging.signature import NotBelieved, verify_response
from transitpay.clock import Clock
from transitpay.errors import TemporarilyUnavailable

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_KINDS = ("transactions", "settlement")
_LISTING_LIMIT = 1_000_000
_CHUNK = 1 << 18
_LISTING_S = 15.0
_FILE_S = 900.0


@dataclass(frozen=True, slots=True)
class Listed:
    """One file as the wallet names it; its content is stored under its digest."""

    kind: str
    name: str
    sha256: bytes
    size: int


async def fetch_files(
    partner: Partner, session: aiohttp.ClientSession, clock: Clock, home: Path, day: date
) -> tuple[Listed, ...] | None:
    """All files of a day, safe on disk; None while the wallet says they are not ready.

    Raises: TemporarilyUnavailable (``wallet_files_unavailable``): the same call may go through
    later.
    """
    path = f"/files/{day.isoformat()}"
    listed = _read_listing(partner, await _listing(partner, session, clock, path))
    if listed is None:
        return None
    for file in listed:
        if not stored_path(home, file.sha256).exists():
            await _download(partner, session, clock, home, f"{path}/{file.name}", file)
    return listed


async def _listing(
    partner: Partner, session: aiohttp.ClientSession, clock: Clock, path: str
) -> bytes:
    raw = b""
    async with _get(partner, session, clock, path, _LISTING_S) as response:
        async for chunk in response.content.iter_chunked(_CHUNK):
            raw += chunk
            if len(raw) > _LISTING_LIMIT:
                raise _unavailable(partner, "the listing is too long")
        told = [(name, value) for name, value in response.headers.items()]
    believed = verify_response("GET", _target(partner, path), told, raw, partner.keys)
    if isinstance(believed, NotBelieved):
        raise _unavailable(partner, f"the listing is not believed: {believed.reason}")
    return raw


def _read_listing(partner: Partner, raw: bytes) -> tuple[Listed, ...] | None:
    try:
        said = json.loads(raw)
        if said["ready"] is not True:
            return None
        files = tuple(
            Listed(f["kind"], f["name"], bytes.fromhex(f["sha256"]), f["size"])
            for f in said["files"]
        )
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise _unavailable(partner, f"the listing cannot be read: {error}") from error
    for file in files:
        sound = isinstance(file.name, str) and _NAME.fullmatch(file.name)
        if not sound or file.kind not in _KINDS or len(file.sha256) != 32:
            raise _unavailable(partner, f"the listing names {file.name!r} as {file.kind!r}")
        if type(file.size) is not int or file.size < 0:
            raise _unavailable(partner, f"{file.name}: its size is {file.size!r}")
    return files


async def _download(
    partner: Partner,
    session: aiohttp.ClientSession,
    clock: Clock,
    home: Path,
    path: str,
    file: Listed,
) -> None:
    with Incoming(home) as incoming:
        async with _get(partner, session, clock, path, _FILE_S) as response:
            async for chunk in response.content.iter_chunked(_CHUNK):
                incoming.write(chunk)
                if incoming.size > file.size:
                    break
        if incoming.size != file.size or incoming.digest() != file.sha256:
            raise _unavailable(partner, f"{file.name} did not arrive as the listing names it")
        incoming.keep()


@asynccontextmanager
async def _get(
    partner: Partner, session: aiohttp.ClientSession, clock: Clock, path: str, limit_s: float
) -> AsyncIterator[aiohttp.ClientResponse]:
    headers = partner.signer.request_headers("GET", _target(partner, path), b"", clock.now())
    try:
        async with (
            asyncio.timeout(limit_s),
            session.get(_url(partner, path), headers=headers, allow_redirects=False) as response,
        ):
            if response.status != 200:
                raise _unavailable(partner, f"{path} answers {response.status}")
            yield response
    except (aiohttp.ClientError, OSError, TimeoutError) as error:
        raise _unavailable(partner, f"{path}: {error or 'no answer in time'}") from error


def _url(partner: Partner, path: str) -> str:
    return partner.base_url.rstrip("/") + path


def _target(partner: Partner, path: str) -> str:
    return urlsplit(_url(partner, path)).path


def _unavailable(partner: Partner, reason: str) -> TemporarilyUnavailable:
    return TemporarilyUnavailable("wallet_files_unavailable", f"{partner.wallet}: {reason}")
