"""What the commands that run a sandbox share: its folder, and an end by SIGTERM as by Ctrl-C."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import tempfile
from collections.abc import Coroutine, Iterator
from pathlib import Path
from typing import Any, TypeVar

import click

from transitpay.errors import MalformedInput

_T = TypeVar("_T")


@contextlib.contextmanager
def sandbox_folder(home: Path | None) -> Iterator[Path]:
    """The folder of a sandbox; a temporary one goes away with its databases.

    Raises: MalformedInput (``folder_in_use``).
    """
    if home is None:
        with tempfile.TemporaryDirectory(
            prefix="transitpay-demo-", ignore_cleanup_errors=True
        ) as it:
            yield Path(it)
        return
    if home.is_dir() and any(home.iterdir()):
        raise MalformedInput("folder_in_use", f"{home} is not empty", field="--home")
    home.mkdir(parents=True, exist_ok=True)
    yield home.absolute()


def run_to_end(work: Coroutine[Any, Any, _T]) -> _T:
    """Run ``work``; SIGTERM cancels it as Ctrl-C does, so that all its processes end.

    Raises: click.ClickException when it was stopped.
    """
    try:
        return asyncio.run(_cancellable(work))
    except asyncio.CancelledError:
        raise click.ClickException("stopped by SIGTERM; everything has ended") from None


async def _cancellable(work: Coroutine[Any, Any, _T]) -> _T:
    task = asyncio.ensure_future(work)
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, task.cancel)
    try:
        return await task
    finally:
        loop.remove_signal_handler(signal.SIGTERM)
