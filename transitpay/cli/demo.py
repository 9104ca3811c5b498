"""``transitpay demo``: one day of cross-border riding, from the phone to reconciled books."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from pathlib import Path

import click
from rich.console import Console

from transitpay.cli import demo_tables
from transitpay.cli.sandbox_home import run_to_end, sandbox_folder
from transitpay.cli.tables import new_progress
from transitpay.clock import LOCAL_ZONE
from transitpay.errors import MalformedInput
from transitpay.runtime.config import Settings
from transitpay.runtime.supervisor import wait_for_signal
from transitpay.sandbox.demo import DemoOptions, run_demo
from transitpay.sandbox.diary import Diary
from transitpay.sandbox.outcome import Outcome
from transitpay.sandbox.town import Town

_MOST_RIDERS = 20_000


class _Terminal:
    """Tells people on stderr how the demo gets on; silent with --json when nobody looks."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._bar = new_progress(console)
        self._task = self._bar.add_task("starting", total=None)

    def __enter__(self) -> _Terminal:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def event(self, text: str) -> None:
        self._console.print(text, highlight=False)

    def enrolled(self, riders: int, of: int) -> None:
        self._bar.update(self._task, completed=riders, total=of, description="riders enrol")

    def planned(self, scans: int) -> None:
        self._bar.update(self._task, completed=0, total=scans)

    def progress(self, diary: Diary, town: Town) -> None:
        local = town.clock.now().astimezone(LOCAL_ZONE)
        self._bar.update(
            self._task, completed=diary.scans, description=f"{local:%H:%M} taps at the gates"
        )


@click.command()
@click.option(
    "--riders", type=click.IntRange(3, _MOST_RIDERS), default=200, show_default=True,
    help="How many riders travel.",
)  # fmt: skip
@click.option("--seed", type=int, default=1, show_default=True, help="Same seed, same journeys.")
@click.option(
    "--data", type=click.Path(path_type=Path), envvar="TRANSITPAY_DATA",
    help="Folder of public data: real fare tables and rates.",
)  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="End with one JSON object on stdout.")
@click.option("--serve", is_flag=True, help="Leave everything running until Ctrl-C.")
@click.option(
    "--home", type=click.Path(path_type=Path, file_okay=False),
    help="Keep everything in this new or empty folder; by default a temporary one.",
)  # fmt: skip
@click.option("--no-plants", is_flag=True, help="The wallets plant no break in their files.")
@click.option(
    "--port", type=click.IntRange(1, 65535), help="The gateway's port; by default a free one."
)
@click.option("--gateways", type=click.IntRange(1, 8), default=1, help="Gateway processes.")
@click.pass_context
def demo(
    ctx: click.Context, riders: int, seed: int, data: Path | None, as_json: bool, serve: bool,
    home: Path | None, no_plants: bool, port: int | None, gateways: int,
) -> None:  # fmt: skip
    """Run one day of cross-border riding, end to end.

    Exit code 0: the books balance, every acknowledged tap is booked or explained, the rides that
    stand are those that everything tapped makes, each wallet debit is one captured charge, each
    rider paid what the rides cost, and reconciliation found exactly what was planted. 1: not so.
    """
    if data is not None and not data.is_dir():
        raise MalformedInput("no_data_folder", f"there is no folder {data}", field="--data")
    Settings.from_environment()
    console = Console(stderr=True)
    with sandbox_folder(home) as folder, _Terminal(console) as terminal:
        options = DemoOptions(riders, seed, folder, data, port, gateways, 0 if no_plants else None)
        after = _after(console, as_json, serve)
        result = run_to_end(run_demo(options, terminal, after))
    ctx.exit(1 if result.faults else 0)


def _after(
    console: Console, as_json: bool, serve: bool
) -> Callable[[Town, Outcome], Awaitable[None]]:
    """What is said at the end, while everything still runs."""

    async def say(town: Town, result: Outcome) -> None:
        demo_tables.show(result.totals, Console(stderr=True) if as_json else Console())
        if as_json:
            print(json.dumps(result.totals, default=str), flush=True)
        if serve:
            token = town.tokens.people["sandbox-admin"]
            console.print(f"gateway: {town.gateway_url}", highlight=False)
            console.print(f"console: {town.gateway_url}/console", highlight=False)
            console.print(f"login token: {token}", highlight=False)
            console.print("Ctrl-C ends it.", highlight=False)
            await wait_for_signal()

    return say
