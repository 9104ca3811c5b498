"""The blocking link to the gateway: what a network does is a status, never an exception."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest

from transitpay.errors import MalformedInput
from transitpay.runtime.gateway_link import GatewayLink, Reply

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
Serve = Callable[[socket.socket], None]


@pytest.fixture
def serve() -> Iterator[Callable[[Serve], str]]:
    """Starts a server that does with each connection what the test says."""
    listening: list[socket.socket] = []

    def start(each: Serve) -> str:
        server = socket.create_server(("127.0.0.1", 0))
        listening.append(server)

        def accept() -> None:
            with suppress(OSError):
                while True:
                    connection, _ = server.accept()
                    with connection, suppress(OSError):
                        each(connection)

        threading.Thread(target=accept, daemon=True).start()
        return f"http://127.0.0.1:{server.getsockname()[1]}"

    yield start
    for server in listening:
        server.close()


def test_one_connection_is_kept_for_many_calls(serve: Callable[[Serve], str]) -> None:
    connections: list[int] = []

    def each(connection: socket.socket) -> None:
        connections.append(1)
        while connection.recv(65536):
            connection.sendall(OK)

    link = GatewayLink(serve(each), "t")
    assert [link.call("GET", "/", None, 5) for _ in range(3)] == [Reply(200, b"ok")] * 3
    assert len(connections) == 1


def test_a_kept_connection_that_was_closed_is_made_again(serve: Callable[[Serve], str]) -> None:
    def each(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(OK)

    link = GatewayLink(serve(each), "t")
    assert [link.call("POST", "/", b"{}", 5).status for _ in range(3)] == [200, 200, 200]


@pytest.mark.parametrize(
    "answer", [b"", b"nonsense\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 9"]
)
def test_what_is_no_answer_has_status_zero(serve: Callable[[Serve], str], answer: bytes) -> None:
    def each(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(answer)

    assert GatewayLink(serve(each), "t").call("GET", "/", None, 5) == Reply(0)


def test_a_server_that_never_answers_is_given_up_after_the_time_limit(
    serve: Callable[[Serve], str],
) -> None:
    link = GatewayLink(serve(lambda connection: time.sleep(3)), "t")
    assert link.call("POST", "/", b"{}", 0.1) == Reply(0)


def test_nobody_at_the_address_is_no_answer() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    assert GatewayLink(f"http://127.0.0.1:{port}", "t").call("GET", "/", None, 1) == Reply(0)


@pytest.mark.parametrize("url", ["", "gateway:8440", "ftp://gateway", "http://"])
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(MalformedInput) as refused:
        GatewayLink(url, "t")
    assert refused.value.code == "bad_gateway_url"
