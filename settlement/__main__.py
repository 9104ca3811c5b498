"""The settlement process: ``python -m settlement`` serves, ``... nightly`` runs a night's steps."""

from __future__ import annotations

import asyncio
import importlib
import sys

import click

from transitpay.errors import TemporarilyUnavailable, TransitPayError
from transitpay.runtime.config import Settings
from transitpay.runtime.observe import configure_logging


class _Commands(click.Group):
    """``nightly`` lives in a module of its own, loaded only when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return ["nightly"]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name != "nightly":
            return None
        command = importlib.import_module("settlement.nightly").nightly
        assert isinstance(command, click.Command)
        return command


@click.group(cls=_Commands, invoke_without_command=True)
@click.pass_context
def main(ctx: click.Context) -> None:
    """Run settlement: rates, clearing, charging, refunds and notifications, until SIGTERM.

    Settings are read from the environment only.
    """
    if ctx.invoked_subcommand is not None:
        return
    from settlement.app import serve

    settings = Settings.from_environment()
    configure_logging(settings, "settlement")
    asyncio.run(serve(settings))


def run() -> None:
    """Exit 0 stopped in peace, 2 bad settings or data, 3 not available."""
    try:
        main(prog_name="python -m settlement")
    except TransitPayError as error:
        click.echo(f"settlement: {error}", err=True)
        sys.exit(3 if isinstance(error, TemporarilyUnavailable) else 2)


if __name__ == "__main__":
    run()
