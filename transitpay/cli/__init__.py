"""The ``transitpay`` command: one module a command group, loaded only when it is called."""

from __future__ import annotations

import importlib
import json
import sys

import click

from transitpay.errors import TemporarilyUnavailable, TransitPayError

#: command -> "module:attribute, one line of help"; modules are imported on use.
COMMANDS = {
    "demo": ("transitpay.cli.demo:demo", "Run one day of cross-border riding, end to end."),
    "up": ("transitpay.cli.up:up", "Start PostgreSQL, gateway and settlement; stop with Ctrl-C."),
    "replay": ("transitpay.cli.replay:replay", "Send real taps through the same road."),
    "db": ("transitpay.cli.db:db", "Database: status, init, migrate."),
    "access": ("transitpay.cli.access:access", "Enrol readers, actors, wallets and their tokens."),
    "modes": ("transitpay.cli.modes:modes", "Station modes: open gates, waivers, emergencies."),
    "journeys": (
        "transitpay.cli.journeys:journeys",
        "Journeys with a missing end: correct, approve, withdraw, let go.",
    ),
    "readers": ("transitpay.cli.readers:readers", "Readers: their state and their alarms."),
    "keys": ("transitpay.cli.keys:keys", "Make issuer, device, partner, root and list keys."),
    "lists": ("transitpay.cli.lists:lists", "Readers' signed lists: show and check."),
    "code": ("transitpay.cli.code:code", "Make, draw, read and judge ride codes."),
    "vectors": ("transitpay.cli.vectors:vectors", "Golden vectors: check another implementation."),
    "tariffs": ("transitpay.cli.tariffs:tariffs", "Tariffs: import, compare, try out, list."),
    "fare": ("transitpay.cli.fare:fare", "Explain one fare, line by line."),
    "fare-proof": (
        "transitpay.cli.fare_proof:fare_proof",
        "Price real card taps, compare with what was paid.",
    ),
    "ledger": ("transitpay.cli.ledger:ledger", "Check the books."),
}


_TOLD = "transitpay.json"


class _LazyGroup(click.Group):
    """Commands that are imported on use; with ``--json`` a refusal is one JSON object too."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        ctx.meta[_TOLD] = "--json" in args
        return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> object:
        """Raises: as the command does, after the object is printed."""
        try:
            return super().invoke(ctx)
        except (TransitPayError, click.UsageError) as error:
            if ctx.meta[_TOLD]:
                click.echo(json.dumps(_refusal(error), ensure_ascii=False))
            raise

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, _, attribute = COMMANDS[cmd_name][0].partition(":")
        command = getattr(importlib.import_module(module), attribute)
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


def _refusal(error: TransitPayError | click.UsageError) -> dict[str, object]:
    if isinstance(error, TransitPayError):
        return {"refused": error.code, "field": error.field, "reason": error.message}
    field = error.option_name if isinstance(error, click.NoSuchOption) else None
    if isinstance(error, click.BadParameter) and error.param is not None:
        field = max(error.param.opts, key=len)
    return {"refused": "bad_option", "field": field, "reason": error.format_message()}


@click.group(cls=_LazyGroup)
@click.version_option(package_name="transitpay")
def cli() -> None:
    """Open backend for cross-border transit ride codes."""


def main() -> None:
    """Run the command line: 0 done, 1 a negative outcome, 2 bad input, 3 not available now."""
    try:
        cli(standalone_mode=True)
    except TransitPayError as error:
        # A field's name may come from a file and hold line ends; the refusal stays one line.
        click.echo(f"transitpay: {' '.join(str(error).splitlines())}", err=True)
        sys.exit(3 if isinstance(error, TemporarilyUnavailable) else 2)
