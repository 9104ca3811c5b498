"""Who is calling: bearer tokens to named actors, remembered for a few seconds.

A token is looked up by its SHA-256; the token itself is stored nowhere and logged nowhere.
"""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import dataclass
from datetime import datetime

from aiohttp import web

from gateway.database import Database
from gateway.http.problems import unauthenticated
from transitpay.clock import Clock
from transitpay.postgres import reference
from transitpay.postgres.reference import Holder, Role

#: How long a revoked token may still be believed.
REMEMBER_S = 5.0
_REMEMBERED_TOKENS = 20_000
#: A gate waits for this: better no answer than a late one.
_LOOKUP_LIMIT_S = 2.0
_LONGEST_TOKEN = 200
#: The cookie of the console; it holds the token, out of reach of scripts and other sites.
SESSION_COOKIE = "transitpay_session"


@dataclass(frozen=True, slots=True)
class _Remembered:
    holder: Holder | None
    until: float


class Authenticator:
    """Looks tokens up and remembers the answer, a refusal too."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._known: dict[bytes, _Remembered] = {}
        #: Reader -> when it last called; the sweep for silent readers takes it from here.
        self.heard: dict[str, datetime] = {}

    async def holder_of(self, token: str) -> Holder | None:
        """Whom this token lets in.

        Raises: TemporarilyUnavailable.
        """
        digest = hashlib.sha256(token.encode()).digest()
        now = asyncio.get_running_loop().time()
        known = self._known.get(digest)
        if known is not None and known.until > now:
            return known.holder
        holder = await self._database.run_again(
            lambda conn: reference.holder(conn, digest, self._clock.now()), _LOOKUP_LIMIT_S
        )
        if len(self._known) >= _REMEMBERED_TOKENS:
            self._known.clear()
        self._known[digest] = _Remembered(holder, now + REMEMBER_S)
        return holder

    async def caller(self, request: web.Request, decommissioned: bool = False) -> Holder:
        """Who sent this request; readers out of service only where they are asked for.

        Raises: RuleViolation (``unauthenticated``), TemporarilyUnavailable.
        """
        token = bearer_token(request)
        holder = await self.holder_of(token) if token else None
        if holder is None or not _usable(holder, decommissioned):
            raise unauthenticated()
        if holder.reader is not None:
            self.heard[holder.reader.id] = self._clock.now()
        return holder

    async def person(self, request: web.Request) -> Holder | None:
        """Who is logged in at the console; None = nobody.

        Raises: TemporarilyUnavailable.
        """
        token = request.cookies.get(SESSION_COOKIE, "")
        if not token or len(token) > _LONGEST_TOKEN:
            return None
        return await self.holder_of(token)


def bearer_token(request: web.Request) -> str | None:
    """The token of the Authorization header, where it has the form of one."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not 0 < len(token) <= _LONGEST_TOKEN or not token.isascii():
        return None
    return token


def _usable(holder: Holder, decommissioned: bool) -> bool:
    """A reader must be registered and mostly in service; everybody else just exists."""
    if holder.actor.role is not Role.READER:
        return True
    if holder.reader is None:
        return False
    return decommissioned or holder.reader.decommissioned_at is None
