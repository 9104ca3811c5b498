"""The gateway as a reader reaches it: blocking HTTP/1.1 of the standard library, kept alive.

A call never raises for what a network does: its status is 0 where there was no answer.
"""

from __future__ import annotations

import http.client
import threading
from dataclasses import dataclass
from urllib.parse import urlsplit

from transitpay.errors import MalformedInput

JSON = "application/json"
OCTETS = "application/octet-stream"
#: What a server that closed a kept connection looks like; the same call goes out once more.
_CLOSED = (http.client.RemoteDisconnected, BrokenPipeError, ConnectionResetError)


@dataclass(frozen=True, slots=True)
class Reply:
    """Status (0 = no answer) and body."""

    status: int
    body: bytes = b""


class GatewayLink:
    """One gateway and the reader's token; each thread has a connection of its own.

    Raises: MalformedInput (``bad_gateway_url``).
    """

    def __init__(self, url: str, token: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise MalformedInput("bad_gateway_url", "must be http(s)://host:port", field="url")
        self._secure, self._host, self._port = parts.scheme == "https", parts.hostname, parts.port
        self._authorization = f"Bearer {token}"
        self._threads = threading.local()

    def call(
        self, method: str, path: str, body: bytes | None, timeout_s: float, media: str = JSON
    ) -> Reply:
        """One call; ``timeout_s`` bounds each wait of it (connect, send, each part received)."""
        headers = {"Authorization": self._authorization}
        if body is not None:
            headers["Content-Type"] = media
        kept: http.client.HTTPConnection | None = getattr(self._threads, "connection", None)
        for connection in (kept, self._connection()):
            if connection is None:
                continue
            try:
                return self._call(connection, method, path, body, headers, timeout_s)
            except _CLOSED:
                self._drop(connection)
            except (OSError, http.client.HTTPException):
                self._drop(connection)
                return Reply(0)
        return Reply(0)

    def _connection(self) -> http.client.HTTPConnection:
        kind = http.client.HTTPSConnection if self._secure else http.client.HTTPConnection
        return kind(self._host, self._port)

    def _call(
        self,
        connection: http.client.HTTPConnection,
        method: str,
        path: str,
        body: bytes | None,
        headers: dict[str, str],
        timeout_s: float,
    ) -> Reply:
        connection.timeout = timeout_s
        if connection.sock is not None:
            connection.sock.settimeout(timeout_s)
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        reply = Reply(answer.status, answer.read())
        self._threads.connection = connection
        return reply

    def _drop(self, connection: http.client.HTTPConnection) -> None:
        connection.close()
        self._threads.connection = None
