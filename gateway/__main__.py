"""``python -m gateway``: serve until SIGTERM or SIGINT; settings come from the environment."""

from __future__ import annotations

import asyncio
import gc
import importlib.util
import signal
import socket
import sys
from collections.abc import Callable, Coroutine
from typing import Any

import click
from aiohttp import web

from gateway.app import build_app
from transitpay.errors import TemporarilyUnavailable, TransitPayError
from transitpay.runtime.config import Settings
from transitpay.runtime.observe import EventLog, configure_logging

_SHUTDOWN_S = 5.0
_BACKLOG = 1024
#: So many objects more than were freed, and the collector looks for cycles among them.
_NEW_OBJECTS = 20_000


def keep_what_is_loaded() -> None:
    """Take modules and models out of the collector's sight: they live as long as the process, and
    looking through them again and again would stop every gate for a moment each time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_NEW_OBJECTS)


async def serve(settings: Settings) -> None:
    """Listen until a signal comes, then finish what is under way.

    Several processes may share the port: the kernel spreads connections over them.

    Raises: TemporarilyUnavailable (``address_in_use``).
    """
    events = EventLog("gateway")
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    runner = web.AppRunner(
        build_app(settings), access_log=None, handle_signals=False, shutdown_timeout=_SHUTDOWN_S
    )
    await runner.setup()
    keep_what_is_loaded()
    try:
        site = web.TCPSite(
            runner,
            settings.gateway_host,
            settings.gateway_port,
            backlog=_BACKLOG,
            reuse_port=hasattr(socket, "SO_REUSEPORT"),
        )
        try:
            await site.start()
        except OSError as error:
            raise TemporarilyUnavailable(
                "address_in_use",
                f"cannot listen: {error.strerror or error}",
                field="TRANSITPAY_GATEWAY_PORT",
            ) from error
        host, port = runner.addresses[0][:2]
        events.info("listening", host=host, port=port)
        await stop.wait()
        events.info("stopping")
    finally:
        await runner.cleanup()
    events.info("stopped")


def _runner() -> Callable[[Coroutine[Any, Any, None]], None]:
    """uvloop's runner where it is installed. Any: it is asyncio.run in both."""
    if importlib.util.find_spec("uvloop") is not None:
        import uvloop

        return uvloop.run
    return asyncio.run


@click.command()
def main() -> None:
    """Serve readers, wallets, operators and people over HTTP."""
    try:
        settings = Settings.from_environment()
        configure_logging(settings, "gateway")
        _runner()(serve(settings))
    except TransitPayError as error:
        click.echo(f"gateway: {error}", err=True)
        sys.exit(3 if isinstance(error, TemporarilyUnavailable) else 2)


if __name__ == "__main__":
    main()
